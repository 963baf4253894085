#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "assay/base/file_system.h"

namespace assay::format {

/// Reads a sorted table in LevelDB's format (its doc/table_format.md), as TensorFlow's index files
/// and V1 checkpoints are. Made for files that may be damaged or hostile: every length is bounded
/// by the file before memory is taken, every block's checksum is verified, keys must rise. Throws
/// DataLoss with the path, the place and the reason. Thread-safe.
class TableReader {
 public:
  /// Reads the table's own index: which blocks there are.
  explicit TableReader(std::unique_ptr<ReadableFile> file);

  const std::string& path() const { return file_->path(); }

  using Visit = std::function<void(std::string_view key, std::string_view value)>;
  /// Calls `visit` for every entry, in the order of the keys' bytes.
  void for_each(const Visit& visit) const;
  /// Calls `visit` for the entry of that key and returns true, or false when there is none. Reads
  /// one block.
  bool get(std::string_view key, const Visit& visit) const;
  /// Where the block begins in which that key's entry is, or would be.
  std::uint64_t block_offset(std::string_view key) const;

 private:
  struct Handle {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };
  struct Block {
    std::string last_key;  // none in it is greater
    Handle handle;
  };
  const Block* find_block(std::string_view key) const;
  std::string read_block(const Handle& handle) const;
  /// Calls visit(key, value) until it returns false.
  void walk(std::string_view block, std::uint64_t offset,
            const std::function<bool(std::string_view, std::string_view)>& visit) const;
  Handle take_handle(std::string_view& bytes, std::uint64_t place) const;
  [[noreturn]] void damaged(std::uint64_t offset, std::string_view why) const;

  std::unique_ptr<ReadableFile> file_;
  std::uint64_t size_;
  std::vector<Block> blocks_;
};

}  // namespace assay::format
