#include "assay/format/bundle_reader.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <set>

#include "assay/base/crc32c.h"
#include "assay/format/bundle_files.h"
#include "assay/format/proto/checkpoint.pb.h"
#include "assay/format/proto_io.h"
#include "assay/format/table_reader.h"
#include "assay/format/tensor_proto.h"
#include "assay/format/varint.h"

namespace assay::format {

namespace {

constexpr int kMaxShards = 100000;
/// Versions of the format that we can read: TensorFlow has only ever written 1.
constexpr int kVersion = 1;

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

/// Asks for large pages where that saves time: the system hands out fresh memory page by page.
void advise_huge_pages(char* p, std::size_t size) {
  constexpr std::uintptr_t kHuge = std::uintptr_t{2} << 20;
  const auto begin = (reinterpret_cast<std::uintptr_t>(p) + kHuge - 1) & ~(kHuge - 1);
  const auto end = (reinterpret_cast<std::uintptr_t>(p) + size) & ~(kHuge - 1);
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

/// Reads into fresh memory and returns the CRC; nullopt when the file ends before. Goes in pieces
/// that are still in the core's cache when their checksum is taken.
std::optional<std::uint32_t> read_numbers(const ReadableFile& file, std::uint64_t offset, char* out,
                                          std::uint64_t size) {
  constexpr std::uint64_t kPiece = std::uint64_t{256} << 10;
  advise_huge_pages(out, size);
  std::uint32_t crc = 0;
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t n = std::min(kPiece, size - done);
    if (file.read_at(offset + done, out + done, n) != n) return std::nullopt;
    crc = crc32c::extend(crc, out + done, n);
    done += n;
  }
  return crc;
}

}  // namespace

bool BundleReader::exists(const std::string& prefix, FileSystem& fs) {
  return fs.exists(prefix + ".index");
}

BundleReader::BundleReader(const std::string& prefix, FileSystem& fs)
    : CheckpointReader(prefix), fs_(fs), index_path_(prefix + ".index") {
  if (!exists(prefix, fs)) {
    fail(Code::kNotFound, "there is no checkpoint '{}': no file {}", prefix, index_path_);
  }
  if (fs.exists(index_path_ + kReplacingSuffix)) {
    replacing_ = true;
    index_path_ += kReplacingSuffix;
  }
  read_index();
}

BundleReader::~BundleReader() = default;

std::vector<std::string> BundleReader::files() const {
  std::vector<std::string> all{index_path_};
  for (int i = 0; i < num_shards_; ++i) all.push_back(data_path(i));
  return all;
}

std::string BundleReader::data_path(int shard) const {
  std::string path = fmt::format("{}.data-{:05}-of-{:05}", prefix(), shard, num_shards_);
  if (replacing_ && fs_.exists(path + kReplacingSuffix)) path += kReplacingSuffix;
  return path;
}

void BundleReader::read_index() {
  const TableReader table(fs_.open_read(index_path_));
  bool first = true;
  table.for_each([&](std::string_view key, std::string_view value) {
    if (first && key.empty()) {
      read_header(value);
    } else if (first) {
      fail(Code::kDataLoss, "{} is no checkpoint's index: it has no header", index_path());
    } else {
      add_entry(std::string(key), value);
    }
    first = false;
  });
  if (first) fail(Code::kDataLoss, "{} is no checkpoint's index: it is empty", index_path());
}

void BundleReader::read_header(std::string_view value) {
  const auto header = parse_binary<proto::BundleHeaderProto>(value, index_path() + ": its header");
  num_shards_ = header.num_shards();
  if (num_shards_ < 1 || num_shards_ > kMaxShards) {
    fail(Code::kDataLoss, "{} is damaged: {} data files", index_path(), num_shards_);
  }
  big_endian_ = header.endianness() == proto::BundleHeaderProto::BIG;
  if (header.version().min_consumer() > kVersion) {
    fail(Code::kUnimplemented, "{} needs a reader of version {} or later, this one is {}",
         index_path(), header.version().min_consumer(), kVersion);
  }
}

void BundleReader::add_entry(const std::string& key, std::string_view value) {
  const std::string what = fmt::format("{}: the entry of '{}'", index_path(), key);
  const auto message = parse_binary<proto::BundleEntryProto>(value, what);
  CheckpointEntry entry;
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
  entries.emplace(key, std::move(entry));
}

const ReadableFile& BundleReader::shard_file(int shard) const {
  const std::lock_guard lock(mutex_);
  auto& file = files_[shard];
  if (file == nullptr) {
    const std::string path = data_path(shard);
    if (!fs_.exists(path)) {
      fail(Code::kDataLoss, "the checkpoint '{}' is not whole: its file {} is missing", prefix(),
           path);
    }
    file = fs_.open_read(path);
  }
  return *file;
}

void BundleReader::damaged_at(const std::string& name, const CheckpointEntry& entry,
                              std::string_view why) const {
  fail(Code::kDataLoss, "'{}' in the checkpoint '{}' is damaged: {} ({}, {} bytes at {})", name,
       prefix(), why, shard_file(entry.shard).path(), entry.size, entry.offset);
}

void BundleReader::check_place(const std::string& name, const CheckpointEntry& entry) const {
  const std::uint64_t file_size = shard_file(entry.shard).size();
  if (entry.offset > file_size || entry.size > file_size - entry.offset) {
    damaged_at(name, entry, fmt::format("the file is cut short, it has {} bytes", file_size));
  }
}

Tensor BundleReader::read_whole(const std::string& name, const CheckpointEntry& entry) const {
  if (entry.dtype == DType::kVariant || entry.dtype == DType::kResource) {
    fail(Code::kUnimplemented, "'{}' in the checkpoint '{}' is a {}: its value cannot be read",
         name, prefix(), dtype_name(entry.dtype));
  }
  // Before anything is allocated: the bytes must be there.
  check_place(name, entry);
  const ReadableFile& file = shard_file(entry.shard);
  const auto damaged = [&](std::string_view why) { damaged_at(name, entry, why); };
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
    const auto read = read_numbers(file, entry.offset, static_cast<char*>(t.raw()), entry.size);
    if (!read) damaged("the file is cut short");
    crc = *read;
  }
  if (crc32c::mask(crc) != entry.masked_crc32c) damaged("wrong checksum");
  if (big_endian_ && entry.dtype != DType::kString) swap_bytes(t);
  if (entry.dtype == DType::kBool) {
    auto* bytes = static_cast<std::uint8_t*>(t.raw());
    for (std::uint64_t i = 0; i < entry.size; ++i) bytes[i] = bytes[i] != 0 ? 1 : 0;
  }
  return t;
}

const CheckpointEntry& BundleReader::part_of(const std::string& name, const CheckpointEntry& entry,
                                             std::size_t part) const {
  const TensorSlice& slice = entry.slices[part];
  const auto missing = [&](std::string_view why) {
    fail(Code::kDataLoss, "'{}' in the checkpoint '{}' is damaged: {}", name, prefix(), why);
  };
  const auto found = slice_entries_.find(encode_slice_key(name, slice));
  if (found == slice_entries_.end()) missing(fmt::format("the slice {} is missing", slice.str()));
  const CheckpointEntry& stored = found->second;
  if (!stored.slices.empty() || stored.dtype != entry.dtype ||
      stored.shape != slice.shape_in(entry.shape)) {
    missing(fmt::format("the slice {} does not fit", slice.str()));
  }
  return stored;
}

Shape BundleReader::check_part(const std::string& name, const CheckpointEntry& entry,
                               std::size_t part) const {
  const CheckpointEntry& stored = part_of(name, entry, part);
  check_place(fmt::format("{} {}", name, entry.slices[part].str()), stored);
  return stored.shape;
}

Tensor BundleReader::read_part(const std::string& name, const CheckpointEntry& entry,
                               std::size_t part) const {
  return read_whole(fmt::format("{} {}", name, entry.slices[part].str()),
                    part_of(name, entry, part));
}

void BundleReader::verify() const {
  CheckpointReader::verify();
  std::set<std::string> listed;
  for (const auto& [name, entry] : entries_) {
    for (const TensorSlice& slice : entry.slices) listed.insert(encode_slice_key(name, slice));
  }
  for (const auto& [key, entry] : slice_entries_) {
    if (listed.contains(key)) continue;
    const SliceKey part = decode_slice_key(key);
    read_whole(fmt::format("{} {}", part.name, part.slice.str()), entry);
  }
}

}  // namespace assay::format
