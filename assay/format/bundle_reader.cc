#include "assay/format/bundle_reader.h"

#include <leveldb/iterator.h>
#include <leveldb/options.h>
#include <leveldb/table.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "assay/base/crc32c.h"
#include "assay/format/bundle_files.h"
#include "assay/format/leveldb_files.h"
#include "assay/format/proto/checkpoint.pb.h"
#include "assay/format/proto_io.h"
#include "assay/format/tensor_proto.h"
#include "assay/format/varint.h"

namespace assay::format {

namespace {

constexpr int kMaxShards = 100000;
/// Versions of the format that we can read: TensorFlow has only ever written 1.
constexpr int kVersion = 1;

std::string_view view(const leveldb::Slice& slice) {
  return {slice.data(), slice.size()};
}

/// Turns the bytes of each number around. REQUIRES: not kString.
void swap_bytes(Tensor& t) {
  const std::size_t item = dtype_size(t.dtype()) / (is_complex(t.dtype()) ? 2 : 1);
  auto* p = static_cast<char*>(t.raw());
  for (char* const end = p + t.num_bytes(); p < end; p += item) std::reverse(p, p + item);
}

template <typename T>
T load(const char* p, bool swap) {
  T value;
  std::memcpy(&value, p, sizeof value);
  if (swap) {
    auto* bytes = reinterpret_cast<char*>(&value);
    std::reverse(bytes, bytes + sizeof value);
  }
  return value;
}

/// The CRC of a length as TensorFlow computes it: 4 bytes when they suffice.
std::uint32_t extend_length(std::uint32_t crc, std::uint64_t length, bool swap) {
  char bytes[8];
  const std::size_t size = length <= UINT32_MAX ? 4 : 8;
  std::memcpy(bytes, &length, 8);
  if (swap) std::reverse(bytes, bytes + size);
  return crc32c::extend(crc, bytes, size);
}

/// Strings: the lengths as varints, their masked CRC, then the bytes. Returns the CRC of it all;
/// nullopt when the parts contradict each other.
std::optional<std::uint32_t> decode_strings(std::string_view bytes, bool swap, Tensor& to) {
  std::vector<std::uint64_t> lengths(static_cast<std::size_t>(to.num_elements()));
  std::uint32_t crc = 0;
  for (auto& length : lengths) {
    if (!take_varint(bytes, length)) return std::nullopt;
    crc = extend_length(crc, length, swap);
  }
  if (bytes.size() < 4) return std::nullopt;
  if (crc32c::unmask(load<std::uint32_t>(bytes.data(), swap)) != crc) return std::nullopt;
  crc = crc32c::extend(crc, bytes.data(), 4);
  bytes.remove_prefix(4);
  auto* out = to.data<std::string>();
  for (const std::uint64_t length : lengths) {
    if (length > bytes.size()) return std::nullopt;
    *out = bytes.substr(0, length);
    crc = crc32c::extend(crc, bytes.data(), length);
    bytes.remove_prefix(length);
    ++out;
  }
  if (!bytes.empty()) return std::nullopt;
  return crc;
}

/// True when the table's last bytes, which say where its two outermost blocks lie, make sense.
/// LevelDB would take memory for whatever size they give.
bool footer_is_sound(const ReadableFile& file) {
  constexpr std::uint64_t kFooter = 48;
  constexpr std::uint64_t kTrailer = 5;
  const std::uint64_t size = file.size();
  if (size < kFooter) return false;
  char footer[kFooter];
  if (file.read_at(size - kFooter, footer, kFooter) != kFooter) return false;
  std::string_view bytes(footer, kFooter);
  for (int block = 0; block < 2; ++block) {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    if (!take_varint(bytes, offset) || !take_varint(bytes, length)) return false;
    if (offset > size || length > size - offset || kTrailer > size - offset - length) return false;
  }
  return true;
}

/// Names in the bundle that share the last part of `name`, for a message.
std::string alike(const std::map<std::string, BundleEntry>& entries, const std::string& name) {
  const std::string last = name.substr(name.rfind('/') + 1);
  std::string found;
  int count = 0;
  for (const auto& [other, entry] : entries) {
    if (other.substr(other.rfind('/') + 1) != last) continue;
    found += (count == 0 ? "; it has '" : ", '") + other + "'";
    if (++count == 3) break;
  }
  return found;
}

}  // namespace

leveldb::Status LevelDbSource::Read(std::uint64_t offset, std::size_t n, leveldb::Slice* result,
                                    char* scratch) const {
  // No block is shorter than a restart array and its trailer; a smaller size is one that
  // overflowed when LevelDB added the trailer's.
  constexpr std::size_t kSmallest = 4 + 5;
  if (n < kSmallest || offset > size_ || n > size_ - offset) {
    return leveldb::Status::Corruption("a block does not lie inside the file");
  }
  try {
    *result = leveldb::Slice(scratch, file_.read_at(offset, scratch, n));
  } catch (const Error& e) {
    // Exceptions must not pass through LevelDB.
    return leveldb::Status::IOError(e.message());
  }
  return leveldb::Status::OK();
}

BundleReader::BundleReader(const std::string& prefix, FileSystem& fs)
    : prefix_(prefix), fs_(fs), index_path_(prefix + ".index") {
  if (!fs.exists(index_path_)) {
    fail(Code::kNotFound, "there is no checkpoint '{}': no file {}", prefix, index_path_);
  }
  if (fs.exists(index_path_ + kReplacingSuffix)) {
    replacing_ = true;
    index_path_ += kReplacingSuffix;
  }
  try {
    read_index();
  } catch (const std::bad_alloc&) {
    fail(Code::kDataLoss, "the checkpoint's index {} is damaged: a block is impossibly large",
         index_path());
  }
}

BundleReader::~BundleReader() = default;

std::string BundleReader::data_path(int shard) const {
  std::string path = fmt::format("{}.data-{:05}-of-{:05}", prefix_, shard, num_shards_);
  if (replacing_ && fs_.exists(path + kReplacingSuffix)) path += kReplacingSuffix;
  return path;
}

void BundleReader::read_index() {
  const auto file = fs_.open_read(index_path());
  if (!footer_is_sound(*file)) {
    fail(Code::kDataLoss, "the checkpoint's index {} is damaged or cut short", index_path());
  }
  LevelDbSource source(*file);
  leveldb::Options options;
  options.paranoid_checks = true;
  leveldb::ReadOptions read;
  read.verify_checksums = true;
  read.fill_cache = false;
  leveldb::Table* opened = nullptr;
  const auto check = [&](const leveldb::Status& status) {
    if (!status.ok()) {
      fail(Code::kDataLoss, "the checkpoint's index {} is damaged or cut short: {}", index_path(),
           status.ToString());
    }
  };
  check(leveldb::Table::Open(options, &source, file->size(), &opened));
  const std::unique_ptr<leveldb::Table> table(opened);
  const std::unique_ptr<leveldb::Iterator> it(table->NewIterator(read));
  it->SeekToFirst();
  check(it->status());
  if (!it->Valid() || !it->key().empty()) {
    fail(Code::kDataLoss, "{} is no checkpoint's index: it has no header", index_path());
  }
  const auto header =
      parse_binary<proto::BundleHeaderProto>(view(it->value()), index_path() + ": its header");
  num_shards_ = header.num_shards();
  if (num_shards_ < 1 || num_shards_ > kMaxShards) {
    fail(Code::kDataLoss, "{} is damaged: {} data files", index_path(), num_shards_);
  }
  big_endian_ = header.endianness() == proto::BundleHeaderProto::BIG;
  if (header.version().min_consumer() > kVersion) {
    fail(Code::kUnimplemented, "{} needs a reader of version {} or later, this one is {}",
         index_path(), header.version().min_consumer(), kVersion);
  }
  for (it->Next(); it->Valid(); it->Next()) add_entry(it->key().ToString(), view(it->value()));
  check(it->status());
}

void BundleReader::add_entry(const std::string& key, std::string_view value) {
  const std::string what = fmt::format("{}: the entry of '{}'", index_path(), key);
  const auto message = parse_binary<proto::BundleEntryProto>(value, what);
  BundleEntry entry;
  entry.dtype = static_cast<DType>(message.dtype());
  const auto refuse = [&](std::string_view why) {
    fail(Code::kDataLoss, "{} is damaged: {}", what, why);
  };
  if (dtype_size(entry.dtype) == 0) refuse("it has no type");
  try {
    entry.shape = shape_from_proto(message.shape(), what);
    for (const auto& slice : message.slices()) {
      entry.slices.push_back(TensorSlice::from_proto(slice));
      entry.slices.back().shape_in(entry.shape);
    }
  } catch (const Error& e) {
    refuse(e.message());
  }
  if (message.shard_id() < 0 || message.shard_id() >= num_shards_) refuse("no such data file");
  if (message.offset() < 0 || message.size() < 0 || message.offset() > INT64_MAX - message.size()) {
    refuse("its place is impossible");
  }
  entry.shard = message.shard_id();
  entry.offset = static_cast<std::uint64_t>(message.offset());
  entry.size = static_cast<std::uint64_t>(message.size());
  entry.masked_crc32c = message.crc32c();
  const auto n = static_cast<std::uint64_t>(entry.shape.num_elements());
  if (entry.slices.empty()) {
    if (entry.dtype == DType::kString) {
      if (entry.size != 0 && entry.size < n) refuse("its size does not fit its shape");
      if (entry.size == 0 && n != 0) refuse("its size does not fit its shape");
    } else if (entry.dtype != DType::kVariant && entry.dtype != DType::kResource) {
      std::uint64_t bytes = 0;
      if (__builtin_mul_overflow(n, dtype_size(entry.dtype), &bytes) || bytes != entry.size) {
        refuse("its size does not fit its shape");
      }
    }
  }
  // A slice's key begins with a zero byte, a tensor's name never does.
  auto& entries = key.starts_with('\0') ? slice_entries_ : entries_;
  entries.insert_or_assign(key, std::move(entry));
}

const BundleEntry* BundleReader::find(const std::string& name) const {
  const auto it = entries_.find(name);
  return it == entries_.end() ? nullptr : &it->second;
}

const BundleEntry& BundleReader::at(const std::string& name) const {
  const BundleEntry* entry = find(name);
  if (entry == nullptr) {
    fail(Code::kNotFound, "the checkpoint '{}' holds no tensor '{}'{}", prefix_, name,
         alike(entries_, name));
  }
  return *entry;
}

const ReadableFile& BundleReader::shard_file(int shard) const {
  const std::lock_guard lock(mutex_);
  auto& file = files_[shard];
  if (file == nullptr) {
    const std::string path = data_path(shard);
    if (!fs_.exists(path)) {
      fail(Code::kDataLoss, "the checkpoint '{}' is not whole: its file {} is missing", prefix_,
           path);
    }
    file = fs_.open_read(path);
  }
  return *file;
}

Tensor BundleReader::read_entry(const std::string& name, const BundleEntry& entry) const {
  if (entry.dtype == DType::kVariant || entry.dtype == DType::kResource) {
    fail(Code::kUnimplemented, "'{}' in the checkpoint '{}' is a {}: its value cannot be read",
         name, prefix_, dtype_name(entry.dtype));
  }
  const ReadableFile& file = shard_file(entry.shard);
  const std::uint64_t file_size = file.size();
  const auto damaged = [&](std::string_view why) {
    fail(Code::kDataLoss, "'{}' in the checkpoint '{}' is damaged: {} ({}, {} bytes at {})", name,
         prefix_, why, file.path(), entry.size, entry.offset);
  };
  // Before anything is allocated: the bytes must be there.
  if (entry.offset > file_size || entry.size > file_size - entry.offset) {
    damaged(fmt::format("the file is cut short, it has {} bytes", file_size));
  }
  Tensor t(entry.dtype, entry.shape);
  std::uint32_t crc = 0;
  if (entry.dtype == DType::kString) {
    std::string bytes(entry.size, '\0');
    if (file.read_at(entry.offset, bytes.data(), bytes.size()) != bytes.size()) {
      damaged("the file is cut short");
    }
    // TensorFlow reads nothing for an entry of no bytes.
    const auto decoded =
        bytes.empty() ? std::optional<std::uint32_t>(0) : decode_strings(bytes, big_endian_, t);
    if (!decoded) damaged("its strings' lengths are wrong");
    crc = *decoded;
  } else {
    auto* out = static_cast<char*>(t.raw());
    if (file.read_at(entry.offset, out, entry.size) != entry.size) damaged("the file is cut short");
    crc = crc32c::extend(0, out, entry.size);
  }
  if (crc32c::mask(crc) != entry.masked_crc32c) damaged("wrong checksum");
  if (big_endian_ && entry.dtype != DType::kString) swap_bytes(t);
  if (entry.dtype == DType::kBool) {
    auto* bytes = static_cast<std::uint8_t*>(t.raw());
    for (std::uint64_t i = 0; i < entry.size; ++i) bytes[i] = bytes[i] != 0 ? 1 : 0;
  }
  return t;
}

Tensor BundleReader::read(const std::string& name) const {
  const BundleEntry& entry = at(name);
  if (entry.slices.empty()) return read_entry(name, entry);
  TensorSlice all;
  all.extents.resize(static_cast<std::size_t>(entry.shape.rank()));
  return read_slice(name, all);
}

Tensor BundleReader::read_slice(const std::string& name, const TensorSlice& slice) const {
  const BundleEntry& entry = at(name);
  Shape shape;
  try {
    shape = slice.shape_in(entry.shape);
  } catch (const Error& e) {
    fail(e.code(), "'{}' in the checkpoint '{}': {}", name, prefix_, e.message());
  }
  TensorSlice all;
  all.extents.resize(static_cast<std::size_t>(entry.shape.rank()));
  if (entry.slices.empty()) {
    Tensor whole = read_entry(name, entry);
    if (shape == entry.shape) return whole;
    Tensor part(entry.dtype, shape);
    copy_overlap(entry.shape, all, whole, slice, part);
    return part;
  }
  // Sizes first: nothing is allocated that the slices cannot fill. They need not cover the whole
  // tensor: one shard of several holds only its own.
  std::int64_t stored = 0;
  for (const TensorSlice& s : entry.slices) {
    const std::int64_t n = s.shape_in(entry.shape).num_elements();
    if (__builtin_add_overflow(stored, n, &stored)) stored = INT64_MAX;
  }
  const auto missing = [&](std::string_view why) {
    fail(Code::kDataLoss, "'{}' in the checkpoint '{}' is damaged: {}", name, prefix_, why);
  };
  if (stored < shape.num_elements()) missing("its slices do not cover it");
  std::vector<const BundleEntry*> parts;
  for (const TensorSlice& s : entry.slices) {
    const auto found = slice_entries_.find(encode_slice_key(name, s));
    if (found == slice_entries_.end()) missing(fmt::format("the slice {} is missing", s.str()));
    if (found->second.dtype != entry.dtype || !(found->second.shape == s.shape_in(entry.shape))) {
      missing(fmt::format("the slice {} does not fit", s.str()));
    }
    const ReadableFile& file = shard_file(found->second.shard);
    if (found->second.size > file.size()) missing(file.path() + " is cut short");
    parts.push_back(&found->second);
  }
  Tensor out(entry.dtype, shape);
  std::int64_t copied = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Tensor part = read_entry(fmt::format("{} {}", name, entry.slices[i].str()), *parts[i]);
    copied += copy_overlap(entry.shape, entry.slices[i], part, slice, out);
  }
  if (copied < shape.num_elements()) missing("its slices do not cover it");
  return out;
}

void BundleReader::verify() const {
  for (const auto& [name, entry] : entries_) {
    if (entry.dtype != DType::kVariant && entry.dtype != DType::kResource) read(name);
  }
}

}  // namespace assay::format
