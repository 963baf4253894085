#include "assay/format/record_io.h"

#include <algorithm>
#include <cstring>

#include "assay/base/crc32c.h"

namespace assay::format {

namespace {

constexpr std::size_t kHeader = 12;  // length, CRC of the length
constexpr std::size_t kFooter = 4;   // CRC of the record
constexpr std::size_t kWritePiece = std::size_t{1} << 18;
constexpr std::size_t kReadPiece = std::size_t{1} << 16;

template <typename T>
void append_fixed(T value, std::string& out) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

template <typename T>
T load_fixed(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

}  // namespace

RecordWriter::RecordWriter(std::unique_ptr<WritableFile> file) : file_(std::move(file)) {}

RecordWriter::~RecordWriter() {
  if (closed_) return;
  try {
    close();
  } catch (const Error&) {
    // Nobody is left to tell; close() is there for those who want to know.
  }
}

void RecordWriter::write(std::string_view record) {
  ASSAY_CHECK(!closed_);
  if (record.size() > kMaxRecordBytes) {
    fail(Code::kResourceExhausted, "{}: a record of {} bytes is longer than {} bytes", path(),
         record.size(), kMaxRecordBytes);
  }
  const std::size_t before = buffer_.size();
  append_fixed(static_cast<std::uint64_t>(record.size()), buffer_);
  append_fixed(crc32c::mask(crc32c::extend(0, buffer_.data() + before, 8)), buffer_);
  buffer_.append(record);
  append_fixed(crc32c::mask(crc32c::value(record)), buffer_);
  bytes_ += buffer_.size() - before;
  if (buffer_.size() >= kWritePiece) flush();
}

void RecordWriter::flush() {
  if (buffer_.empty()) return;
  // Taken away first: after an error nobody knows how much was written, so the same bytes must
  // not be written again.
  const std::string bytes = std::exchange(buffer_, {});
  file_->append(bytes);
}

void RecordWriter::sync() {
  flush();
  file_->sync();
}

void RecordWriter::close() {
  if (closed_) return;
  closed_ = true;
  flush();
  file_->close();
}

RecordReader::RecordReader(const std::string& path, FileSystem& fs)
    : source_(open_bytes(path, {.allow_empty = true}, fs)) {}

RecordReader::RecordReader(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}

bool RecordReader::fill(std::size_t n) {
  while (buffer_.size() - begin_ < n) {
    if (begin_ > 0) {
      buffer_.erase(0, begin_);
      begin_ = 0;
    }
    // A length from the file is believed one piece at a time, so it cannot make us allocate more
    // than twice what is there.
    const std::size_t have = buffer_.size();
    const std::size_t piece = std::max(kReadPiece, std::min(n - have, std::max(have, kReadPiece)));
    buffer_.resize(have + piece);
    const std::size_t got = source_->read(buffer_.data() + have, piece);
    buffer_.resize(have + got);
    if (got == 0) return false;
  }
  return true;
}

RecordReader::Status RecordReader::read(std::string& record) {
  if (!fill(kHeader)) return buffer_.size() == begin_ ? Status::kEnd : Status::kTruncated;
  const char* header = buffer_.data() + begin_;
  const auto length = load_fixed<std::uint64_t>(header);
  if (crc32c::mask(crc32c::extend(0, header, 8)) != load_fixed<std::uint32_t>(header + 8)) {
    fail(Code::kDataLoss, "{} is damaged or no TFRecord file: wrong checksum of the length at {}",
         path(), offset_);
  }
  if (length > kMaxRecordBytes) {
    fail(Code::kDataLoss, "{} is damaged: a record of {} bytes at {}", path(), length, offset_);
  }
  const std::size_t all = kHeader + static_cast<std::size_t>(length) + kFooter;
  if (!fill(all)) return Status::kTruncated;
  const char* data = buffer_.data() + begin_ + kHeader;
  if (crc32c::mask(crc32c::extend(0, data, length)) != load_fixed<std::uint32_t>(data + length)) {
    fail(Code::kDataLoss, "{} is damaged: wrong checksum of the record at {}", path(), offset_);
  }
  record.assign(data, length);
  begin_ += all;
  offset_ += all;
  return Status::kRecord;
}

}  // namespace assay::format
