#pragma once

#include <leveldb/env.h>

#include <string>

#include "assay/base/file_system.h"

namespace assay::format {

/// One of our files as LevelDB reads it. Reads beyond the end are refused, so that sizes in a
/// damaged table cannot lead astray. Does not own the file.
class LevelDbSource : public leveldb::RandomAccessFile {
 public:
  explicit LevelDbSource(const ReadableFile& file) : file_(file), size_(file.size()) {}
  leveldb::Status Read(std::uint64_t offset, std::size_t n, leveldb::Slice* result,
                       char* scratch) const override;

 private:
  const ReadableFile& file_;
  std::uint64_t size_;
};

/// Collects what LevelDB writes.
class LevelDbSink : public leveldb::WritableFile {
 public:
  leveldb::Status Append(const leveldb::Slice& data) override {
    bytes_.append(data.data(), data.size());
    return leveldb::Status::OK();
  }
  leveldb::Status Close() override { return leveldb::Status::OK(); }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override { return leveldb::Status::OK(); }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace assay::format
