#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "assay/base/byte_source.h"
#include "assay/base/file_system.h"

namespace assay::format {

/// No record may be longer: a message cannot be.
inline constexpr std::uint64_t kMaxRecordBytes = (std::uint64_t{1} << 31) - 1;

/// Writes a TFRecord file: each record with its length and masked CRC-32Cs (docs/formats/
/// events.md). Records are collected and written in pieces; thread-compatible.
class RecordWriter {
 public:
  /// Appends to `file` at its end. REQUIRES: not null.
  explicit RecordWriter(std::unique_ptr<WritableFile> file);
  /// Closes the file if close() was not called, errors unseen.
  ~RecordWriter();
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;

  /// Adds a record; any bytes up to kMaxRecordBytes.
  void write(std::string_view record);
  /// Hands all records to the operating system. When that fails part of the way, a later flush
  /// goes on where it stopped only as far as the file system says; the error is the caller's.
  void flush();
  /// Returns when all records are on the disk.
  void sync();
  void close();
  /// Bytes of all records written so far, collected ones included.
  std::uint64_t bytes() const { return bytes_; }
  const std::string& path() const { return file_->path(); }

 private:
  std::unique_ptr<WritableFile> file_;
  std::string buffer_;
  std::uint64_t bytes_ = 0;
  bool closed_ = false;
};

/// Reads a TFRecord file, plain or gzip'd, from the beginning. Thread-compatible.
class RecordReader {
 public:
  /// What a read() found.
  enum class Status {
    kRecord,
    kEnd,        ///< after the last record; a later read() finds what was appended since
    kTruncated,  ///< the file ends inside a record; a later read() may find the rest
  };

  /// Opens the file, which may be empty; throws what open_bytes() throws.
  explicit RecordReader(const std::string& path, FileSystem& fs = posix_file_system());
  explicit RecordReader(std::unique_ptr<ByteSource> source);

  /// The next record. Throws DataLoss when its checksums are wrong or its length is above
  /// kMaxRecordBytes; reading on is not possible then.
  Status read(std::string& record);
  /// Where the next record begins, in unpacked bytes.
  std::uint64_t offset() const { return offset_; }
  const std::string& path() const { return source_->path(); }

 private:
  /// True when `n` bytes are in the buffer.
  bool fill(std::size_t n);

  std::unique_ptr<ByteSource> source_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::uint64_t offset_ = 0;
};

}  // namespace assay::format
