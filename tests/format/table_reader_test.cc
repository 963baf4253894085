#include "assay/format/table_reader.h"

#include <gtest/gtest.h>
#include <leveldb/options.h>
#include <leveldb/table_builder.h>

#include <map>
#include <random>

#include "assay/base/crc32c.h"
#include "assay/base/memory_file_system.h"
#include "assay/format/leveldb_files.h"
#include "assay/format/varint.h"
#include "tests/support/errors.h"

namespace assay::format {
namespace {

using testing::code_of;
using Entries = std::map<std::string, std::string>;

/// Written by LevelDB itself.
std::string table_of(const Entries& entries, const leveldb::Options& options) {
  LevelDbSink sink;
  leveldb::TableBuilder builder(options, &sink);
  for (const auto& [key, value] : entries) builder.Add(key, value);
  EXPECT_TRUE(builder.Finish().ok());
  return sink.bytes();
}

class TableTest : public ::testing::Test {
 protected:
  TableReader open(std::string_view bytes) {
    const auto file = fs_.open_write("t");
    file->append(bytes);
    return TableReader(fs_.open_read("t"));
  }
  static Entries all(const TableReader& table) {
    Entries entries;
    table.for_each([&](std::string_view key, std::string_view value) {
      EXPECT_TRUE(entries.emplace(key, value).second);
    });
    return entries;
  }

  MemoryFileSystem fs_;
};

TEST_F(TableTest, ReadsWhatLevelDbWrites) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Entries entries;
    const unsigned n = random() % 60;
    for (unsigned i = 0; i < n; ++i) {
      std::string key(random() % 9, '\0');
      for (char& c : key) c = "\0a/\xff"[random() % 4];
      std::string value(random() % (round % 3 == 0 ? 400 : 9), '\0');
      for (char& c : value) c = static_cast<char>(random() % (round % 2 == 0 ? 2 : 256));
      entries[key] = value;
    }
    leveldb::Options options;
    options.block_size = 1 + random() % 500;
    options.block_restart_interval = 1 + static_cast<int>(random() % 17);
    options.compression = round % 2 == 0 ? leveldb::kSnappyCompression : leveldb::kNoCompression;
    const TableReader table = open(table_of(entries, options));
    EXPECT_EQ(all(table), entries);
    for (const auto& [key, value] : entries) {
      std::string got;
      EXPECT_TRUE(table.get(key, [&](std::string_view, std::string_view v) { got = v; }));
      EXPECT_EQ(got, value);
      const std::string other = key + "\x01";
      EXPECT_EQ(table.get(other, [](auto, auto) {}), entries.contains(other));
    }
  }
}

/// A table of one block, made by hand.
std::string handmade(std::string block) {
  const auto finish = [](std::string b, char type) {
    b += type;
    const std::uint32_t crc = crc32c::mask(crc32c::value(b));
    return b + std::string(reinterpret_cast<const char*>(&crc), 4);
  };
  const auto handle = [](std::size_t offset, std::size_t size) {
    std::string h;
    put_varint(offset, h);
    put_varint(size, h);
    return h;
  };
  const std::string none(4, '\0');
  std::string file = finish(block, 0);
  const std::string to_block = handle(0, block.size());
  std::string index;
  put_varint(0, index);
  put_varint(3, index);
  put_varint(to_block.size(), index);
  index += "\xff\xff\xff" + to_block + none;
  const std::string filters = handle(file.size(), none.size());
  file += finish(none, 0);
  std::string footer = filters + handle(file.size(), index.size());
  file += finish(index, 0);
  footer.resize(40, '\0');
  return file + footer + std::string("\x57\xfb\x80\x8b\x24\x75\x47\xdb", 8);
}

std::string entry(unsigned shared, std::string own, std::string value) {
  std::string e;
  put_varint(shared, e);
  put_varint(own.size(), e);
  put_varint(value.size(), e);
  return e + own + value;
}

TEST_F(TableTest, HostileBlocksAreRefused) {
  const std::string none(4, '\0');
  const auto code = [&](const std::string& block) {
    return code_of([&] { all(open(handmade(block))); });
  };
  EXPECT_EQ(code(entry(0, "a", "1") + entry(1, "b", "2") + none), Code::kOk);
  EXPECT_EQ(code(none), Code::kOk);
  // Keys that repeat, go back, or keep more than there is.
  EXPECT_EQ(code(entry(0, "a", "1") + entry(1, "", "2") + none), Code::kDataLoss);
  EXPECT_EQ(code(entry(0, "b", "1") + entry(0, "a", "2") + none), Code::kDataLoss);
  EXPECT_EQ(code(entry(0, "a", "1") + entry(2, "b", "2") + none), Code::kDataLoss);
  // Lengths beyond the end, restarts beyond the beginning.
  EXPECT_EQ(code(std::string("\0\x7f\0a", 4) + none), Code::kDataLoss);
  EXPECT_EQ(code(std::string("\0\1\x7f"
                             "a",
                             4) +
                 none),
            Code::kDataLoss);
  EXPECT_EQ(code(std::string("\2\0\0\0", 4)), Code::kDataLoss);
  EXPECT_EQ(code("abc"), Code::kDataLoss);
}

TEST_F(TableTest, ManyLongKeysThatShareMuchAreRefused) {
  std::string block = entry(0, std::string(50000, 'k'), "");
  for (int i = 0; i < 3000; ++i) {
    const char tail[2] = {static_cast<char>(1 + i / 200), static_cast<char>(1 + i % 200)};
    block += entry(50000, std::string(tail, 2), "");
  }
  EXPECT_EQ(code_of([&] { all(open(handmade(block + std::string(4, '\0')))); }), Code::kDataLoss);
}

}  // namespace
}  // namespace assay::format
