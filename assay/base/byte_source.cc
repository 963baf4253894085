#include "assay/base/byte_source.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "assay/base/zip_source.h"

namespace assay {

namespace {

constexpr std::size_t kPiece = std::size_t{1} << 16;

double ratio(std::uint64_t done, std::uint64_t all) {
  if (all == 0) return 1.0;
  return std::min(1.0, static_cast<double>(done) / static_cast<double>(all));
}

class PlainSource : public ByteSource {
 public:
  explicit PlainSource(std::unique_ptr<ReadableFile> file)
      : file_(std::move(file)), size_(file_->size()) {}

  std::size_t read(char* out, std::size_t n) override {
    const std::size_t got = file_->read_at(offset_, out, n);
    offset_ += got;
    return got;
  }
  double progress() const override { return ratio(offset_, size_); }
  const std::string& path() const override { return file_->path(); }

 private:
  std::unique_ptr<ReadableFile> file_;
  std::uint64_t size_;
  std::uint64_t offset_ = 0;
};

/// What a pipe gave: it has no size, and its bytes come only once.
class MemoryFile : public ReadableFile {
 public:
  MemoryFile(std::string bytes, std::string path)
      : bytes_(std::move(bytes)), path_(std::move(path)) {}

  std::size_t read_at(std::uint64_t offset, char* out, std::size_t n) const override {
    if (offset >= bytes_.size()) return 0;
    return bytes_.copy(out, n, static_cast<std::size_t>(offset));
  }
  std::uint64_t size() const override { return bytes_.size(); }
  const std::string& path() const override { return path_; }

 private:
  std::string bytes_;
  std::string path_;
};

class GzipSource : public ByteSource {
 public:
  explicit GzipSource(std::unique_ptr<ReadableFile> file)
      : file_(std::move(file)), size_(file_->size()), input_(kPiece, char{}) {
    constexpr int kGzipOnly = 16;
    if (inflateInit2(&stream_, MAX_WBITS + kGzipOnly) != Z_OK) {
      fail(Code::kResourceExhausted, "there is no memory to unpack {}", path());
    }
  }
  ~GzipSource() override { inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  std::size_t read(char* out, std::size_t n) override {
    std::size_t done = 0;
    while (done < n && !end_) {
      if (stream_.avail_in == 0 && !refill()) {
        if (between_members_) {
          end_ = true;
          break;
        }
        fail(Code::kDataLoss, "{} is cut short: the gzip data ends in the middle", path());
      }
      if (between_members_ && !begin_member()) break;
      const auto room = static_cast<uInt>(std::min<std::size_t>(n - done, std::size_t{1} << 30));
      stream_.next_out = reinterpret_cast<Bytef*>(out + done);
      stream_.avail_out = room;
      const int status = inflate(&stream_, Z_NO_FLUSH);
      done += room - stream_.avail_out;
      if (status == Z_STREAM_END) {
        between_members_ = true;
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        fail(Code::kDataLoss, "{} is damaged: {} after {} bytes", path(),
             stream_.msg != nullptr ? stream_.msg : "no gzip data", offset_ - stream_.avail_in);
      }
    }
    return done;
  }
  double progress() const override { return ratio(offset_, size_); }
  const std::string& path() const override { return file_->path(); }

 private:
  bool refill() {
    const std::size_t got = file_->read_at(offset_, input_.data(), input_.size());
    offset_ += got;
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
    stream_.avail_in = static_cast<uInt>(got);
    return got > 0;
  }

  /// After a member: zeros are padding, anything else must be another member.
  bool begin_member() {
    while (*stream_.next_in == 0) {
      ++stream_.next_in;
      if (--stream_.avail_in == 0 && !refill()) {
        end_ = true;
        return false;
      }
    }
    inflateReset(&stream_);
    between_members_ = false;
    return true;
  }

  std::unique_ptr<ReadableFile> file_;
  std::uint64_t size_;
  std::uint64_t offset_ = 0;
  std::string input_;
  z_stream stream_{};
  bool between_members_ = false;
  bool end_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> open_bytes(const std::string& path, const OpenBytesOptions& options,
                                       FileSystem& fs) {
  auto file = fs.open_read(path);
  if (file->size() == 0 && !options.allow_empty) {
    PlainSource pipe(std::move(file));
    file = std::make_unique<MemoryFile>(read_all(pipe), path);
  }
  if (file->size() == 0) {
    if (!options.allow_empty) invalid_argument("{} is empty", path);
    return std::make_unique<PlainSource>(std::move(file));
  }
  char magic[4] = {};
  const std::size_t got = file->read_at(0, magic, sizeof magic);
  if (got >= 2 && std::memcmp(magic, "\x1f\x8b", 2) == 0) {
    return std::make_unique<GzipSource>(std::move(file));
  }
  if (got == 4 &&
      (std::memcmp(magic, "PK\x03\x04", 4) == 0 || std::memcmp(magic, "PK\x05\x06", 4) == 0)) {
    return open_zip(path);
  }
  return std::make_unique<PlainSource>(std::move(file));
}

LineReader::LineReader(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}

bool LineReader::next(std::string& line) {
  std::size_t searched = begin_;
  while (true) {
    const auto* found = static_cast<const char*>(
        std::memchr(buffer_.data() + searched, '\n', buffer_.size() - searched));
    if (found != nullptr || (end_ && begin_ < buffer_.size())) {
      const std::size_t stop =
          found != nullptr ? static_cast<std::size_t>(found - buffer_.data()) : buffer_.size();
      line.assign(buffer_, begin_, stop - begin_);
      if (line.ends_with('\r')) line.pop_back();
      begin_ = std::min(stop + 1, buffer_.size());
      ++line_number_;
      return true;
    }
    if (end_) return false;
    buffer_.erase(0, begin_);
    begin_ = 0;
    searched = buffer_.size();
    if (searched > max_line) {
      fail(Code::kResourceExhausted, "{}: line {} is longer than {} bytes", path(),
           line_number_ + 1, max_line);
    }
    buffer_.resize(searched + kPiece);
    const std::size_t got = source_->read(buffer_.data() + searched, kPiece);
    buffer_.resize(searched + got);
    end_ = got == 0;
  }
}

std::string read_all(ByteSource& source, std::uint64_t max_bytes) {
  std::string bytes;
  std::size_t have = 0;
  while (true) {
    if (have > max_bytes) {
      fail(Code::kResourceExhausted, "{} is longer than {} bytes", source.path(), max_bytes);
    }
    bytes.resize(std::max(kPiece, have * 2));
    const std::size_t got = source.read(bytes.data() + have, bytes.size() - have);
    if (got == 0) break;
    have += got;
  }
  bytes.resize(have);
  return bytes;
}

}  // namespace assay
