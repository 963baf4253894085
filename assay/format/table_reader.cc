#include "assay/format/table_reader.h"

#include <snappy.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "assay/base/crc32c.h"
#include "assay/format/varint.h"

namespace assay::format {

namespace {

constexpr std::uint64_t kFooter = 48;
constexpr std::uint64_t kMagic = 0xdb4775248b80fb57U;
/// After each block: how it is compressed (1 byte) and the masked CRC of both (4 bytes).
constexpr std::uint64_t kTrailer = 5;
/// Snappy's densest element is 3 bytes that stand for 64.
constexpr std::uint64_t kMaxExpansion = 22;
/// A key may repeat the start of the one before it in a few bytes, so short files can hold keys
/// that are very long together.
constexpr std::uint64_t kMaxKeyBytes = 256;  // a byte of the block

std::uint32_t load32(const char* p) {
  std::uint32_t value = 0;
  std::memcpy(&value, p, sizeof value);
  return value;
}

}  // namespace

void TableReader::damaged(std::uint64_t offset, std::string_view why) const {
  fail(Code::kDataLoss, "{} is damaged or cut short: {} (at byte {} of {})", path(), why, offset,
       size_);
}

TableReader::Handle TableReader::take_handle(std::string_view& bytes, std::uint64_t place) const {
  Handle handle;
  if (!take_varint(bytes, handle.offset) || !take_varint(bytes, handle.size) ||
      handle.offset > size_ || handle.size > size_ - handle.offset ||
      kTrailer > size_ - handle.offset - handle.size) {
    damaged(place, "a block's place is impossible");
  }
  return handle;
}

TableReader::TableReader(std::unique_ptr<ReadableFile> file)
    : file_(std::move(file)), size_(file_->size()) {
  if (size_ < kFooter) damaged(0, "it is too short for a table");
  char bytes[kFooter];
  if (file_->read_at(size_ - kFooter, bytes, kFooter) != kFooter) damaged(0, "it ends early");
  std::uint64_t magic = 0;
  std::memcpy(&magic, bytes + kFooter - sizeof magic, sizeof magic);
  if (magic != kMagic) damaged(size_ - sizeof magic, "it does not end as a table does");
  std::string_view footer(bytes, kFooter);
  take_handle(footer, size_ - kFooter);  // of the list of filters, which nobody here writes
  const Handle index = take_handle(footer, size_ - kFooter);
  const std::string block = read_block(index);
  walk(block, index.offset, [&](std::string_view key, std::string_view value) {
    blocks_.push_back({std::string(key), take_handle(value, index.offset)});
    return true;
  });
}

std::string TableReader::read_block(const Handle& handle) const {
  std::string bytes(handle.size + kTrailer, '\0');
  if (file_->read_at(handle.offset, bytes.data(), bytes.size()) != bytes.size()) {
    damaged(handle.offset, "a block is cut short");
  }
  const char type = bytes[handle.size];
  const std::uint32_t stored = load32(bytes.data() + handle.size + 1);
  if (crc32c::mask(crc32c::extend(0, bytes.data(), handle.size + 1)) != stored) {
    damaged(handle.offset, "a block has a wrong checksum");
  }
  bytes.resize(handle.size);
  if (type == 0) return bytes;
  if (type != 1) damaged(handle.offset, "a block is compressed in an unknown way");
  std::size_t size = 0;
  std::string plain;
  if (!snappy::GetUncompressedLength(bytes.data(), bytes.size(), &size) ||
      size > bytes.size() * kMaxExpansion ||
      !snappy::Uncompress(bytes.data(), bytes.size(), &plain)) {
    damaged(handle.offset, "a block cannot be decompressed");
  }
  return plain;
}

void TableReader::walk(std::string_view block, std::uint64_t offset,
                       const std::function<bool(std::string_view, std::string_view)>& visit) const {
  if (block.size() < 4) damaged(offset, "a block is too short");
  const std::uint64_t restarts = load32(block.data() + block.size() - 4);
  if (restarts > (block.size() - 4) / 4) damaged(offset, "a block's restarts are impossible");
  std::string_view rest = block.substr(0, block.size() - 4 - 4 * restarts);
  std::uint64_t key_bytes = 0;
  std::string key;
  for (bool first = true; !rest.empty(); first = false) {
    std::uint64_t shared = 0;
    std::uint64_t own = 0;
    std::uint64_t value = 0;
    if (!take_varint(rest, shared) || !take_varint(rest, own) || !take_varint(rest, value) ||
        shared > key.size() || own > rest.size() || value > rest.size() - own) {
      damaged(offset, "a block's entries contradict each other");
    }
    const std::string_view tail = rest.substr(0, own);
    // The key must be greater than the one before it, of which it keeps `shared` bytes.
    if (!first && tail <= std::string_view(key).substr(shared)) {
      damaged(offset, "a block's keys are not in order");
    }
    key.resize(shared);
    key.append(tail);
    key_bytes += key.size();
    if (key_bytes > block.size() * kMaxKeyBytes) damaged(offset, "its keys are impossibly long");
    if (!visit(key, rest.substr(own, value))) return;
    rest.remove_prefix(own + value);
  }
}

void TableReader::for_each(const Visit& visit) const {
  std::string last;
  bool first = true;
  const Block* before = nullptr;
  for (const Block& b : blocks_) {
    const std::string block = read_block(b.handle);
    walk(block, b.handle.offset, [&](std::string_view key, std::string_view value) {
      if (!first && key <= last) damaged(b.handle.offset, "its keys are not in order");
      if (key > b.last_key || (before != nullptr && key <= before->last_key)) {
        damaged(b.handle.offset, "a key is in the wrong block");
      }
      first = false;
      last = key;
      visit(key, value);
      return true;
    });
    before = &b;
  }
}

const TableReader::Block* TableReader::find_block(std::string_view key) const {
  const auto it = std::partition_point(blocks_.begin(), blocks_.end(),
                                       [&](const Block& b) { return b.last_key < key; });
  return it == blocks_.end() ? nullptr : &*it;
}

bool TableReader::get(std::string_view wanted, const Visit& visit) const {
  const Block* b = find_block(wanted);
  if (b == nullptr) return false;
  const std::string block = read_block(b->handle);
  bool found = false;
  walk(block, b->handle.offset, [&](std::string_view key, std::string_view value) {
    if (key < wanted) return true;
    if (key == wanted) {
      found = true;
      visit(key, value);
    }
    return false;
  });
  return found;
}

std::uint64_t TableReader::block_offset(std::string_view key) const {
  const Block* b = find_block(key);
  return b == nullptr ? size_ : b->handle.offset;
}

}  // namespace assay::format
