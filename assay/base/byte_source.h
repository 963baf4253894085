#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "assay/base/file_system.h"

namespace assay {

/// Bytes that are read once, from the beginning to the end. Thread-compatible.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Reads up to `n` bytes into `out`; returns how many, 0 only at the end. Throws DataLoss when
  /// compressed bytes are damaged or cut short.
  virtual std::size_t read(char* out, std::size_t n) = 0;
  /// How much of the file, compressed or not, has been consumed: 0 to 1.
  virtual double progress() const = 0;
  virtual const std::string& path() const = 0;
};

/// How open_bytes() treats what it finds.
struct OpenBytesOptions {
  /// An empty file is an error, unless it is expected.
  bool allow_empty = false;
};

/// Opens a file for reading, unpacked if it is packed. The content decides, not the name: gzip
/// (one or more members, so `.gz` and dictzip's `.dz`), zip (with one file in it, stored or
/// deflated; read by path from the machine's own files), or plain. Checksums are verified. A pipe
/// is first read whole. Throws NotFound, PermissionDenied, FailedPrecondition for a folder,
/// InvalidArgument for an empty file or a zip of several files, DataLoss for a damaged one.
std::unique_ptr<ByteSource> open_bytes(const std::string& path,
                                       const OpenBytesOptions& options = {},
                                       FileSystem& fs = posix_file_system());

/// Cuts a source into lines.
class LineReader {
 public:
  /// Takes the source over. REQUIRES: not null.
  explicit LineReader(std::unique_ptr<ByteSource> source);
  /// The next line without its "\n" or "\r\n"; false at the end. Throws ResourceExhausted for a
  /// line above `max_line` bytes.
  bool next(std::string& line);
  double progress() const { return source_->progress(); }
  const std::string& path() const { return source_->path(); }
  /// Number of the line last returned, from 1.
  std::int64_t line_number() const { return line_number_; }

  /// The longest line, in bytes: 1 GiB.
  static constexpr std::size_t max_line = std::size_t{1} << 30;

 private:
  std::unique_ptr<ByteSource> source_;
  std::string buffer_;
  std::size_t begin_ = 0;
  bool end_ = false;
  std::int64_t line_number_ = 0;
};

/// Everything left in `source`; throws ResourceExhausted above `max_bytes`.
std::string read_all(ByteSource& source, std::uint64_t max_bytes = std::uint64_t{1} << 34);

}  // namespace assay
