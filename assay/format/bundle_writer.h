#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "assay/base/file_system.h"
#include "assay/format/proto/checkpoint.pb.h"
#include "assay/format/tensor_slice.h"
#include "assay/tensor/tensor.h"

namespace assay::format {

/// Writes a checkpoint in TensorFlow's V2 format, one shard, byte for byte what TensorFlow 1.15
/// writes for the same tensors in the same order. All goes to temporary names beside; finish()
/// renames them into place once everything is on the disk. Takes at most 9 MiB of memory besides
/// the index. Thread-compatible.
class BundleWriter {
 public:
  /// Makes the folder when it is not there. Opens the data file.
  explicit BundleWriter(const std::string& prefix, FileSystem& fs = posix_file_system());
  /// Without finish() nothing stays behind.
  ~BundleWriter();
  BundleWriter(const BundleWriter&) = delete;
  BundleWriter& operator=(const BundleWriter&) = delete;

  /// How many bytes of the data file a tensor takes.
  static std::uint64_t stored_bytes(const Tensor& tensor);
  /// Says that so many bytes are to come, the sum of stored_bytes(): throws ResourceExhausted with
  /// the bytes needed and free when there is no room for them. Tensors beyond that ask for room
  /// when they are added.
  void reserve(std::uint64_t bytes);

  /// Throws InvalidArgument for a name that is empty or was added before, Unimplemented for
  /// resources and variants, and what the disk says.
  void add(const std::string& name, const Tensor& tensor);
  /// A part of the tensor `name`; the parts must have one dtype and full shape.
  void add_slice(const std::string& name, const Shape& full_shape, const TensorSlice& slice,
                 const Tensor& tensor);
  /// Makes the checkpoint visible. Whenever it is interrupted, BundleReader finds the older
  /// checkpoint of that prefix or the new one, whole.
  void finish();

 private:
  void add_key(const std::string& key, const Tensor& tensor);
  /// Writes bytes and returns the CRC of those before and these.
  std::uint32_t append(std::uint32_t crc, const void* data, std::size_t size);
  void flush();
  void remove_temporaries() noexcept;

  std::string prefix_;
  FileSystem& fs_;
  std::string data_path_;
  std::string index_path_;
  std::string temporary_data_;
  std::string temporary_index_;
  std::unique_ptr<WritableFile> data_;
  std::string buffer_;
  std::uint64_t size_ = 0;
  std::uint64_t reserved_ = 0;   // up to where room was asked for
  std::uint64_t writeback_ = 0;  // up to where it was started
  std::map<std::string, proto::BundleEntryProto> entries_;
  bool finished_ = false;
};

}  // namespace assay::format
