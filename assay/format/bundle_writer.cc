#include "assay/format/bundle_writer.h"

#include <algorithm>
#include <cstring>

#include "assay/base/crc32c.h"
#include "assay/format/bundle_files.h"
#include "assay/format/proto_io.h"
#include "assay/format/tensor_proto.h"
#include "assay/format/varint.h"

namespace assay::format {

namespace {

/// What goes to the system in one call: small enough that the bytes are still in the core's cache
/// when they are copied, after their checksum was taken.
constexpr std::size_t kPiece = std::size_t{1} << 20;
/// From here on bytes go to the system from where they are, not through our buffer.
constexpr std::size_t kDirect = std::size_t{64} << 10;
/// After so many bytes the disk is asked to begin, and works while we go on.
constexpr std::uint64_t kWriteback = std::uint64_t{16} << 20;
/// Small tensors ask for room only once in so many bytes; the index needs some too.
constexpr std::uint64_t kRoom = std::uint64_t{16} << 20;
constexpr std::uint64_t kIndexRoom = std::uint64_t{64} << 10;

std::size_t varint_size(std::uint64_t value) {
  std::size_t n = 1;
  for (; value >= 0x80; value >>= 7) ++n;
  return n;
}

}  // namespace

BundleWriter::BundleWriter(const std::string& prefix, FileSystem& fs)
    : prefix_(prefix),
      fs_(fs),
      data_path_(data_file_name(prefix, 0, 1)),
      index_path_(prefix + ".index"),
      temporary_data_(temporary_name(data_path_)),
      temporary_index_(temporary_name(index_path_)) {
  fs_.make_directories(parent_directory(prefix));
  data_ = fs_.open_write(temporary_data_);
}

BundleWriter::~BundleWriter() {
  if (!finished_) remove_temporaries();
}

void BundleWriter::remove_temporaries() noexcept {
  data_.reset();
  for (const std::string& path : {temporary_data_, temporary_index_}) {
    try {
      if (fs_.exists(path)) fs_.remove(path);
    } catch (const Error&) {
      // The error that led here is the one to tell.
    }
  }
}

std::uint64_t BundleWriter::stored_bytes(const Tensor& tensor) {
  if (tensor.dtype() != DType::kString) return tensor.num_bytes();
  std::uint64_t bytes = 4;  // the CRC of the lengths
  for (const std::string& s : tensor.span<std::string>()) bytes += varint_size(s.size()) + s.size();
  return bytes;
}

void BundleWriter::reserve(std::uint64_t bytes) {
  require_free_space(fs_, parent_directory(prefix_), bytes + kIndexRoom);
  reserved_ = size_ + bytes;
}

void BundleWriter::flush() {
  if (!buffer_.empty()) {
    data_->append(buffer_);
    buffer_.clear();
  }
  if (size_ - writeback_ >= kWriteback) {
    writeback_ = size_;
    data_->start_writeback();
  }
}

std::uint32_t BundleWriter::append(std::uint32_t crc, const void* data, std::size_t size) {
  const auto* p = static_cast<const char*>(data);
  while (size > 0) {
    const std::size_t n = std::min(size, kPiece);
    crc = crc32c::extend(crc, p, n);
    size_ += n;
    if (n >= kDirect) {
      flush();
      data_->append({p, n});
    } else {
      buffer_.append(p, n);
      if (buffer_.size() >= kPiece) flush();
    }
    p += n;
    size -= n;
  }
  return crc;
}

void BundleWriter::add_key(const std::string& key, const Tensor& tensor) {
  if (!tensor.defined() || tensor.dtype() == DType::kResource ||
      tensor.dtype() == DType::kVariant) {
    fail(Code::kUnimplemented, "'{}' cannot be saved in '{}': it is a {}", key, prefix_,
         dtype_name(tensor.dtype()));
  }
  if (entries_.contains(key)) {
    invalid_argument("'{}' is saved twice in the checkpoint '{}'", key, prefix_);
  }
  proto::BundleEntryProto entry;
  entry.set_dtype(static_cast<proto::DataType>(tensor.dtype()));
  shape_to_proto(tensor.shape(), *entry.mutable_shape());
  entry.set_offset(static_cast<std::int64_t>(size_));
  const std::uint64_t begin = size_;
  const std::uint64_t bytes = stored_bytes(tensor);
  if (begin + bytes > reserved_) {
    reserve(bytes);
    reserved_ = begin + std::max(bytes, kRoom);
  }
  std::uint32_t crc = 0;
  if (tensor.dtype() == DType::kString) {
    std::string head;
    for (const std::string& s : tensor.span<std::string>()) {
      const std::uint64_t length = s.size();
      put_varint(length, head);
      crc = crc32c::extend(crc, &length, length <= UINT32_MAX ? 4 : 8);
    }
    // The entry's CRC is not of the lengths as they are stored.
    append(0, head.data(), head.size());
    const std::uint32_t masked = crc32c::mask(crc);
    crc = append(crc, &masked, sizeof masked);
    for (const std::string& s : tensor.span<std::string>()) crc = append(crc, s.data(), s.size());
  } else {
    crc = append(0, tensor.raw(), tensor.num_bytes());
  }
  entry.set_size(static_cast<std::int64_t>(size_ - begin));
  entry.set_crc32c(crc32c::mask(crc));
  entries_.emplace(key, std::move(entry));
}

void BundleWriter::add(const std::string& name, const Tensor& tensor) {
  if (name.empty() || name[0] == '\0') {
    invalid_argument("a tensor needs a name to be saved in the checkpoint '{}'", prefix_);
  }
  add_key(name, tensor);
}

void BundleWriter::add_slice(const std::string& name, const Shape& full_shape,
                             const TensorSlice& slice, const Tensor& tensor) {
  if (!(slice.shape_in(full_shape) == tensor.shape())) {
    invalid_argument("'{}' in the checkpoint '{}': the slice {} of {} is given a tensor of {}",
                     name, prefix_, slice.str(), full_shape.str(), tensor.shape().str());
  }
  if (slice.is_full(full_shape)) {
    add(name, tensor);
    return;
  }
  const std::string key = encode_slice_key(name, slice);
  proto::TensorShapeProto shape;
  shape_to_proto(full_shape, shape);
  const auto dtype = static_cast<proto::DataType>(tensor.dtype());
  const auto found = entries_.find(name);
  if (found != entries_.end() &&
      (found->second.slices().empty() || found->second.dtype() != dtype ||
       to_binary(found->second.shape()) != to_binary(shape) || entries_.contains(key))) {
    invalid_argument("'{}' is saved twice, or as slices of two tensors, in the checkpoint '{}'",
                     name, prefix_);
  }
  add_key(key, tensor);
  auto& whole = entries_[name];
  whole.set_dtype(dtype);
  *whole.mutable_shape() = std::move(shape);
  slice.to_proto(*whole.add_slices());
}

void BundleWriter::finish() {
  ASSAY_CHECK(!finished_);
  try {
    flush();
    data_->sync();
    data_->close();
    data_.reset();
    const auto index = fs_.open_write(temporary_index_);
    index->append(bundle_index(entries_, 1, /*big_endian=*/false));
    index->sync();
    index->close();
    publish_bundle(fs_, prefix_, {temporary_data_}, temporary_index_);
  } catch (...) {
    remove_temporaries();
    finished_ = true;
    throw;
  }
  finished_ = true;
}

}  // namespace assay::format
