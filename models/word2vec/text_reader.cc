#include "models/word2vec/text_reader.h"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "assay/base/error.h"

namespace assay::word2vec {
namespace {

constexpr std::size_t kPiece = 1 << 16;

/// A file open for reading, whose errors name it.
class InputFile {
 public:
  explicit InputFile(const std::string& path) : path_(path) {
    struct stat info = {};
    if (::stat(path.c_str(), &info) != 0) fail_open(errno);
    if (S_ISDIR(info.st_mode)) invalid_argument("text '{}' is a folder, not a file", path);
    file_.reset(std::fopen(path.c_str(), "rb"));
    if (file_ == nullptr) fail_open(errno);
    size_ = info.st_size;
    regular_ = S_ISREG(info.st_mode);
  }

  const std::string& path() const { return path_; }
  std::int64_t size() const { return size_; }
  bool regular() const { return regular_; }

  /// Reads up to `size` bytes; fewer only at the end of the file.
  std::size_t read(void* to, std::size_t size) {
    const std::size_t got = std::fread(to, 1, size, file_.get());
    if (got < size && std::ferror(file_.get()) != 0) {
      fail(Code::kUnavailable, "cannot read text '{}': {}", path_, std::strerror(errno));
    }
    return got;
  }

  void seek(std::int64_t offset) {
    if (fseeko(file_.get(), offset, SEEK_SET) != 0) {
      fail(Code::kUnavailable, "cannot read text '{}': {}", path_, std::strerror(errno));
    }
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  [[noreturn]] void fail_open(int error) const {
    const Code code = error == ENOENT || error == ENOTDIR ? Code::kNotFound
                      : error == EACCES                   ? Code::kPermissionDenied
                                                          : Code::kUnavailable;
    fail(code, "cannot open text '{}': {}", path_, std::strerror(error));
  }

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::int64_t size_ = 0;
  bool regular_ = false;
};

[[noreturn]] void damaged(const InputFile& file, const char* what) {
  fail(Code::kDataLoss, "text '{}' is damaged: {}", file.path(), what);
}

/// Unpacks one compressed stream at a time, piece by piece.
class Inflater {
 public:
  /// `window_bits` as zlib's inflateInit2: 31 for gzip, -15 for the bare stream inside a zip.
  explicit Inflater(int window_bits) {
    stream_ = {};
    if (inflateInit2(&stream_, window_bits) != Z_OK) {
      fail(Code::kResourceExhausted, "no memory to unpack a text");
    }
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  void reset() {
    inflateReset(&stream_);
    ended_ = false;
  }
  bool ended() const { return ended_; }

  /// Unpacks from `input` up to the end of the stream; returns how many bytes were used.
  std::size_t feed(const InputFile& file, std::string_view input, const TextSink& sink) {
    // zlib's interface takes a pointer to mutable input, which it does not write through.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_.avail_in = static_cast<uInt>(input.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(out_.data());
      stream_.avail_out = static_cast<uInt>(out_.size());
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
        damaged(file, stream_.msg != nullptr ? stream_.msg : "its compressed data do not fit");
      }
      const std::size_t made = out_.size() - stream_.avail_out;
      if (made > 0) sink({out_.data(), made});
      ended_ = status == Z_STREAM_END;
      if (made == 0 && status != Z_OK) break;
    } while (!ended_ && (stream_.avail_in > 0 || stream_.avail_out == 0));
    return input.size() - stream_.avail_in;
  }

 private:
  z_stream stream_;
  std::array<char, kPiece> out_;
  bool ended_ = false;
};

void read_gzip(InputFile& file, const TextSink& sink) {
  auto inflater = std::make_unique<Inflater>(15 + 16);
  std::vector<char> buffer(kPiece);
  std::size_t begin = 0;
  std::size_t end = 0;
  bool inside = true;  // in a member of the file; gzip allows several, one after the other
  while (true) {
    if (begin == end) {
      begin = 0;
      end = file.read(buffer.data(), buffer.size());
      if (end == 0) break;
    }
    if (!inside) {
      // After the last member only padding may follow.
      if (buffer[begin] == 0) {
        ++begin;
        continue;
      }
      inflater->reset();
      inside = true;
    }
    begin += inflater->feed(file, {buffer.data() + begin, end - begin}, sink);
    if (inflater->ended()) inside = false;
  }
  if (inside) damaged(file, "the file is cut short");
}

std::uint64_t little_endian(const char* bytes, int count) {
  std::uint64_t value = 0;
  for (int i = count - 1; i >= 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

struct ZipEntry {
  std::string name;
  int method = 0;
  std::uint32_t crc = 0;
  std::uint64_t packed_size = 0;
  std::uint64_t offset = 0;
};

/// The entries of the zip's central directory (PKWARE's APPNOTE, sections 4.3.12 to 4.3.16).
std::vector<ZipEntry> zip_entries(InputFile& file) {
  constexpr std::int64_t kEndRecord = 22;
  const std::int64_t tail_size = std::min<std::int64_t>(file.size(), kEndRecord + 65535);
  std::string tail(static_cast<std::size_t>(tail_size), '\0');
  file.seek(file.size() - tail_size);
  if (file.read(tail.data(), tail.size()) != tail.size()) damaged(file, "the zip is cut short");
  const auto end = tail.rfind("PK\5\6");
  if (end == std::string::npos || tail.size() - end < kEndRecord) {
    damaged(file, "the zip is cut short: its directory is missing");
  }
  std::uint64_t size = little_endian(&tail[end + 12], 4);
  std::uint64_t offset = little_endian(&tail[end + 16], 4);
  if (offset == 0xffffffff || size == 0xffffffff) {
    const auto wide = tail.rfind("PK\6\6", end);
    if (wide == std::string::npos || end - wide < 56) damaged(file, "the zip's directory is broken");
    size = little_endian(&tail[wide + 40], 8);
    offset = little_endian(&tail[wide + 48], 8);
  }
  const auto file_size = static_cast<std::uint64_t>(file.size());
  if (offset > file_size || size > file_size - offset) damaged(file, "the zip is cut short");

  std::string directory(size, '\0');
  file.seek(static_cast<std::int64_t>(offset));
  if (file.read(directory.data(), size) != size) damaged(file, "the zip is cut short");
  std::vector<ZipEntry> entries;
  std::size_t at = 0;
  while (at + 46 <= directory.size() && directory.compare(at, 4, "PK\1\2") == 0) {
    const char* head = &directory[at];
    const std::size_t name_size = little_endian(head + 28, 2);
    const std::size_t extra_size = little_endian(head + 30, 2);
    const std::size_t comment_size = little_endian(head + 32, 2);
    if (directory.size() - at - 46 < name_size + extra_size + comment_size) {
      damaged(file, "the zip's directory is broken");
    }
    ZipEntry entry;
    entry.name = directory.substr(at + 46, name_size);
    entry.method = static_cast<int>(little_endian(head + 10, 2));
    entry.crc = static_cast<std::uint32_t>(little_endian(head + 16, 4));
    entry.packed_size = little_endian(head + 20, 4);
    const std::uint64_t unpacked_size = little_endian(head + 24, 4);
    entry.offset = little_endian(head + 42, 4);
    if ((little_endian(head + 8, 2) & 1) != 0) {
      invalid_argument("text '{}': its file '{}' is encrypted; unpack it first", file.path(),
                       entry.name);
    }
    // Sizes that do not fit 32 bits stand in an extra field, those that are needed only.
    std::size_t extra = at + 46 + name_size;
    const std::size_t extra_end = extra + extra_size;
    while (extra + 4 <= extra_end) {
      const std::size_t field = little_endian(&directory[extra + 2], 2);
      if (little_endian(&directory[extra], 2) == 1) {
        std::size_t value = extra + 4;
        const std::size_t value_end = std::min(value + field, extra_end);
        if (unpacked_size == 0xffffffff) value += 8;
        for (std::uint64_t* wide : {&entry.packed_size, &entry.offset}) {
          if (*wide == 0xffffffff && value + 8 <= value_end) {
            *wide = little_endian(&directory[value], 8);
            value += 8;
          }
        }
      }
      extra += 4 + field;
    }
    if (!entry.name.ends_with('/')) entries.push_back(std::move(entry));
    at += 46 + name_size + extra_size + comment_size;
  }
  return entries;
}

void read_zip_entry(InputFile& file, const ZipEntry& entry, const TextSink& sink) {
  std::array<char, 30> head;
  const auto file_size = static_cast<std::uint64_t>(file.size());
  if (entry.offset > file_size) damaged(file, "the zip's directory is broken");
  file.seek(static_cast<std::int64_t>(entry.offset));
  if (file.read(head.data(), head.size()) != head.size() ||
      std::string_view(head.data(), 4) != "PK\3\4") {
    damaged(file, "the zip's directory is broken");
  }
  const std::uint64_t begin = entry.offset + head.size() + little_endian(&head[26], 2) +
                              little_endian(&head[28], 2);
  if (begin > file_size || entry.packed_size > file_size - begin) {
    damaged(file, "the zip is cut short");
  }
  if (entry.method != 0 && entry.method != 8) {
    invalid_argument("text '{}': its file '{}' is packed by method {}; unpack it first",
                     file.path(), entry.name, entry.method);
  }
  uLong crc = crc32(0, nullptr, 0);
  const TextSink checked = [&](std::string_view piece) {
    crc = crc32(crc, reinterpret_cast<const Bytef*>(piece.data()), static_cast<uInt>(piece.size()));
    sink(piece);
  };
  auto inflater = std::make_unique<Inflater>(-15);
  std::vector<char> buffer(kPiece);
  std::uint64_t left = entry.packed_size;
  file.seek(static_cast<std::int64_t>(begin));
  while (left > 0 && !inflater->ended()) {
    const std::size_t got =
        file.read(buffer.data(), static_cast<std::size_t>(std::min<std::uint64_t>(left, kPiece)));
    if (got == 0) break;
    left -= got;
    if (entry.method == 0) {
      checked({buffer.data(), got});
    } else {
      inflater->feed(file, {buffer.data(), got}, checked);
    }
  }
  if (entry.method == 8 && !inflater->ended()) damaged(file, "the zip is cut short");
  if (static_cast<std::uint32_t>(crc) != entry.crc) damaged(file, "the zip's checksum is wrong");
}

}  // namespace

void read_text(const std::string& path, const TextSink& sink) {
  InputFile file(path);
  std::vector<char> buffer(kPiece);
  std::size_t got = file.read(buffer.data(), buffer.size());
  if (got == 0) invalid_argument("text '{}' is empty", path);
  const std::string_view start(buffer.data(), got);
  if (file.regular() && start.starts_with("PK\3\4")) {
    const auto entries = zip_entries(file);
    if (entries.empty()) invalid_argument("text '{}' is a zip without any file in it", path);
    for (const ZipEntry& entry : entries) {
      read_zip_entry(file, entry, sink);
      sink("\n");
    }
    return;
  }
  if (file.regular() && start.starts_with("\x1f\x8b")) {
    file.seek(0);
    read_gzip(file, sink);
    return;
  }
  for (; got > 0; got = file.read(buffer.data(), buffer.size())) sink({buffer.data(), got});
}

}  // namespace assay::word2vec
