#include "assay/format/bundle_writer.h"

#include <leveldb/options.h>
#include <leveldb/table_builder.h>

#include <cstring>

#include "assay/base/crc32c.h"
#include "assay/format/bundle_files.h"
#include "assay/format/leveldb_files.h"
#include "assay/format/proto_io.h"
#include "assay/format/tensor_proto.h"
#include "assay/format/varint.h"

namespace assay::format {

namespace {

constexpr std::size_t kPiece = std::size_t{8} << 20;

}  // namespace

BundleWriter::BundleWriter(const std::string& prefix, FileSystem& fs)
    : prefix_(prefix),
      fs_(fs),
      data_path_(prefix + ".data-00000-of-00001"),
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

void BundleWriter::flush() {
  if (buffer_.empty()) return;
  data_->append(buffer_);
  buffer_.clear();
}

void BundleWriter::append(const void* data, std::size_t size) {
  const std::string_view bytes(static_cast<const char*>(data), size);
  size_ += size;
  if (size >= kPiece) {
    flush();
    data_->append(bytes);
    return;
  }
  buffer_.append(bytes);
  if (buffer_.size() >= kPiece) flush();
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
  std::uint32_t crc = 0;
  if (tensor.dtype() == DType::kString) {
    std::string head;
    for (const std::string& s : tensor.span<std::string>()) {
      const std::uint64_t length = s.size();
      put_varint(length, head);
      crc = crc32c::extend(crc, &length, length <= UINT32_MAX ? 4 : 8);
    }
    const std::uint32_t masked = crc32c::mask(crc);
    head.append(reinterpret_cast<const char*>(&masked), 4);
    crc = crc32c::extend(crc, &masked, 4);
    append(head.data(), head.size());
    for (const std::string& s : tensor.span<std::string>()) {
      crc = crc32c::extend(crc, s.data(), s.size());
      append(s.data(), s.size());
    }
  } else {
    crc = crc32c::extend(0, tensor.raw(), tensor.num_bytes());
    append(tensor.raw(), tensor.num_bytes());
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

std::string BundleWriter::index_bytes() const {
  // TensorFlow's options for its copy of this table format.
  leveldb::Options options;
  options.compression = leveldb::kNoCompression;
  options.block_size = 262144;
  options.block_restart_interval = 16;
  LevelDbSink sink;
  leveldb::TableBuilder builder(options, &sink);
  proto::BundleHeaderProto header;
  header.set_num_shards(1);
  header.set_endianness(proto::BundleHeaderProto::LITTLE);
  header.mutable_version()->set_producer(1);
  builder.Add("", to_binary(header));
  for (const auto& [key, entry] : entries_) builder.Add(key, to_binary(entry));
  const leveldb::Status status = builder.Finish();
  ASSAY_CHECK(status.ok());
  return sink.bytes();
}

void BundleWriter::complete_replacement() {
  const std::string new_data = data_path_ + kReplacingSuffix;
  const std::string new_index = index_path_ + kReplacingSuffix;
  const std::string folder = parent_directory(prefix_);
  if (fs_.exists(new_index) && fs_.exists(index_path_)) {
    if (fs_.exists(new_data)) {
      fs_.rename(new_data, data_path_);
      fs_.sync_directory(folder);
    }
    fs_.rename(new_index, index_path_);
    fs_.sync_directory(folder);
    return;
  }
  // The checkpoint they were to replace was deleted, or they do not count yet.
  for (const std::string& path : {new_index, new_data}) {
    if (fs_.exists(path)) fs_.remove(path);
  }
}

void BundleWriter::finish() {
  ASSAY_CHECK(!finished_);
  try {
    flush();
    data_->sync();
    data_->close();
    data_.reset();
    const auto index = fs_.open_write(temporary_index_);
    index->append(index_bytes());
    index->sync();
    index->close();
    const std::string folder = parent_directory(prefix_);
    complete_replacement();
    if (!fs_.exists(index_path_)) {
      fs_.rename(temporary_data_, data_path_);
      // A reader that finds the index must find the data, also after a power cut.
      fs_.sync_directory(folder);
      fs_.rename(temporary_index_, index_path_);
      fs_.sync_directory(folder);
    } else {
      // Two files cannot be replaced in one step, but one can appear: the new index under its
      // own name is what makes the new checkpoint count.
      fs_.rename(temporary_data_, data_path_ + kReplacingSuffix);
      fs_.sync_directory(folder);
      fs_.rename(temporary_index_, index_path_ + kReplacingSuffix);
      fs_.sync_directory(folder);
      complete_replacement();
    }
  } catch (...) {
    remove_temporaries();
    finished_ = true;
    throw;
  }
  finished_ = true;
}

}  // namespace assay::format
