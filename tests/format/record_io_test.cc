#include "assay/format/record_io.h"

#include <gtest/gtest.h>

#include "assay/base/fault_file_system.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::format {
namespace {

using testing::code_of;
using testing::TemporaryFolder;
using Status = RecordReader::Status;

void put(const std::string& path, std::string_view bytes) {
  const auto file = posix_file_system().open_write(path);
  file->append(bytes);
  file->close();
}

void write_records(const std::string& path, const std::vector<std::string>& records) {
  RecordWriter writer(posix_file_system().open_write(path));
  for (const auto& record : records) writer.write(record);
  writer.close();
}

std::vector<std::string> some_records() {
  return {"", "a", std::string(1000, 'b'), std::string(300000, 'c'), "end"};
}

TEST(RecordIo, GoesBothWays) {
  const TemporaryFolder folder;
  write_records(folder / "r", some_records());
  RecordReader reader(folder / "r");
  std::string record;
  for (const auto& expected : some_records()) {
    ASSERT_EQ(reader.read(record), Status::kRecord);
    EXPECT_TRUE(record == expected);
  }
  EXPECT_EQ(reader.read(record), Status::kEnd);
  EXPECT_EQ(reader.offset(), posix_file_system().stat(folder / "r")->size);
}

/// One record's bytes as TensorFlow's documents give them: length, masked CRC, bytes, masked CRC.
TEST(RecordIo, TheBytes) {
  const TemporaryFolder folder;
  write_records(folder / "r", {"abc"});
  const std::string bytes = read_file(posix_file_system(), folder / "r");
  EXPECT_EQ(bytes.size(), 8U + 4U + 3U + 4U);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\3\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(bytes.substr(12, 3), "abc");
}

TEST(RecordIo, CutsAreToldFromDamage) {
  const TemporaryFolder folder;
  write_records(folder / "r", {"first", "second record"});
  const std::string bytes = read_file(posix_file_system(), folder / "r");
  const std::size_t second = 8 + 4 + 5 + 4;
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    put(folder / "cut", bytes.substr(0, n));
    RecordReader reader(folder / "cut");
    std::string record;
    if (n >= second) {
      ASSERT_EQ(reader.read(record), Status::kRecord);
    }
    EXPECT_EQ(reader.read(record), n == 0 || n == second ? Status::kEnd : Status::kTruncated) << n;
    EXPECT_EQ(reader.offset(), n >= second ? second : 0U);
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string wrong = bytes;
    wrong[i] = static_cast<char>(wrong[i] ^ 4);
    put(folder / "wrong", wrong);
    EXPECT_EQ(code_of([&] {
                RecordReader reader(folder / "wrong");
                std::string record;
                while (reader.read(record) == Status::kRecord) {
                }
              }),
              Code::kDataLoss)
        << i;
  }
}

TEST(RecordIo, FollowsAGrowingFile) {
  const TemporaryFolder folder;
  write_records(folder / "r", some_records());
  const std::string bytes = read_file(posix_file_system(), folder / "r");
  put(folder / "g", "");
  RecordReader reader(folder / "g");
  const auto file = posix_file_system().open_write(folder / "g");
  std::vector<std::string> seen;
  std::string record;
  for (std::size_t at = 0; at < bytes.size(); at += 40000) {
    file->append(std::string_view(bytes).substr(at, 40000));
    while (reader.read(record) == Status::kRecord) seen.push_back(record);
  }
  EXPECT_EQ(seen.size(), 5U);
  EXPECT_TRUE(seen == some_records());
}

TEST(RecordIo, TellsThatTheDiskIsFull) {
  const TemporaryFolder folder;
  FaultyFileSystem fs(posix_file_system());
  RecordWriter writer(fs.open_write(folder / "r"));
  writer.write("one");
  writer.flush();
  writer.write("two");
  fs.set_fault(0, FaultyFileSystem::Fault::kShortWrite);
  EXPECT_EQ(code_of([&] { writer.sync(); }), Code::kResourceExhausted);
  RecordReader reader(folder / "r");
  std::string record;
  EXPECT_EQ(reader.read(record), Status::kRecord);
  EXPECT_EQ(reader.read(record), Status::kTruncated);
}

TEST(RecordIo, ReadsRecordedFiles) {
  ASSAY_SHARED_OR_SKIP(folder, "fixtures/tf1/tfrecords");
  int files = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    if (!file.is_regular_file()) continue;
    SCOPED_TRACE(file.path().string());
    RecordReader reader(file.path().string());
    std::string record;
    int records = 0;
    Status status = Status::kRecord;
    while ((status = reader.read(record)) == Status::kRecord) ++records;
    EXPECT_EQ(status, Status::kEnd);
    EXPECT_GT(records, 0);
    ++files;
  }
  EXPECT_EQ(files, 3);
}

}  // namespace
}  // namespace assay::format
