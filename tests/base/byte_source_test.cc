#include "assay/base/byte_source.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zip.h>
#include <zlib.h>

#include <thread>

#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay {
namespace {

using testing::code_of;
using testing::error_of;
using testing::TemporaryFolder;

void put(const std::string& path, std::string_view bytes) {
  const auto file = posix_file_system().open_write(path);
  file->append(bytes);
  file->close();
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

void write_zip(const std::string& path, const std::vector<std::string>& names,
               const std::string& text, int method) {
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  ASSERT_NE(archive, nullptr);
  for (const auto& name : names) {
    zip_source_t* source = zip_source_buffer(archive, text.data(), text.size(), 0);
    const zip_int64_t index = zip_file_add(archive, name.c_str(), source, 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), method, 0);
  }
  ASSERT_EQ(zip_close(archive), 0);
}

std::string some_text(int lines) {
  std::string text;
  for (int i = 0; i < lines; ++i) text += "line number " + std::to_string(i * 7919) + "\n";
  return text;
}

std::string all_of(const std::string& path) {
  return read_all(*open_bytes(path));
}

TEST(ByteSource, ReadsPlainGzipAndZip) {
  const TemporaryFolder folder;
  const std::string text = some_text(20000);
  put(folder / "plain", text);
  put(folder / "packed", gzip(text));
  put(folder / "twice", gzip(text) + gzip("more") + std::string(10, '\0'));
  write_zip(folder / "stored.zip", {"a"}, text, ZIP_CM_STORE);
  write_zip(folder / "deflated.zip", {"dir/", "dir/a"}, text, ZIP_CM_DEFLATE);
  EXPECT_EQ(all_of(folder / "plain"), text);
  EXPECT_EQ(all_of(folder / "packed"), text);
  EXPECT_EQ(all_of(folder / "twice"), text + "more");
  EXPECT_EQ(all_of(folder / "stored.zip"), text);
  EXPECT_EQ(all_of(folder / "deflated.zip"), text);
  const auto source = open_bytes(folder / "packed");
  char c = 0;
  std::string slowly;
  for (int i = 0; i < 1000 && source->read(&c, 1) == 1; ++i) slowly += c;
  EXPECT_EQ(slowly, text.substr(0, 1000));
  EXPECT_EQ(code_of([&] { read_all(*open_bytes(folder / "packed"), 1000); }),
            Code::kResourceExhausted);
}

TEST(ByteSource, RefusesWhatIsDamaged) {
  const TemporaryFolder folder;
  const std::string text = some_text(3000);
  const std::string packed = gzip(text);
  for (const std::size_t cut :
       {std::size_t{3}, std::size_t{12}, packed.size() / 2, packed.size() - 1}) {
    put(folder / "cut", packed.substr(0, cut));
    const Error e = error_of([&] { all_of(folder / "cut"); });
    EXPECT_EQ(e.code(), Code::kDataLoss) << cut;
    EXPECT_NE(e.message().find("cut short"), std::string::npos) << e.message();
  }
  std::string wrong = packed;
  wrong[wrong.size() - 6] = static_cast<char>(wrong[wrong.size() - 6] ^ 1);  // in the CRC
  put(folder / "wrong", wrong);
  EXPECT_EQ(code_of([&] { all_of(folder / "wrong"); }), Code::kDataLoss);
  put(folder / "garbage", packed + "garbage");
  EXPECT_EQ(code_of([&] { all_of(folder / "garbage"); }), Code::kDataLoss);

  write_zip(folder / "a.zip", {"a"}, text, ZIP_CM_DEFLATE);
  std::string zip = read_file(posix_file_system(), folder / "a.zip");
  put(folder / "cut.zip", zip.substr(0, zip.size() / 2));
  EXPECT_EQ(code_of([&] { all_of(folder / "cut.zip"); }), Code::kDataLoss);
  zip[100] = static_cast<char>(zip[100] ^ 1);
  put(folder / "wrong.zip", zip);
  EXPECT_EQ(code_of([&] { all_of(folder / "wrong.zip"); }), Code::kDataLoss);
  write_zip(folder / "two.zip", {"a", "b"}, text, ZIP_CM_DEFLATE);
  EXPECT_EQ(code_of([&] { all_of(folder / "two.zip"); }), Code::kInvalidArgument);
}

TEST(ByteSource, MissingEmptyAndFolders) {
  const TemporaryFolder folder;
  put(folder / "empty", "");
  EXPECT_EQ(code_of([&] { open_bytes(folder / "no"); }), Code::kNotFound);
  EXPECT_EQ(code_of([&] { open_bytes(folder.path()); }), Code::kFailedPrecondition);
  EXPECT_EQ(code_of([&] { open_bytes(folder / "empty"); }), Code::kInvalidArgument);
  EXPECT_EQ(read_all(*open_bytes(folder / "empty", {.allow_empty = true})), "");
}

TEST(ByteSource, Pipes) {
  const TemporaryFolder folder;
  const std::string text = some_text(5000);
  for (const std::string& bytes : {text, gzip(text)}) {
    ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
    std::thread writer([&] { put(folder / "fifo", bytes); });
    EXPECT_EQ(all_of(folder / "fifo"), text);
    writer.join();
    std::filesystem::remove(folder / "fifo");
  }
}

TEST(LineReader, CutsLines) {
  const TemporaryFolder folder;
  std::string text = "one\r\n\ntwo\n";
  text += std::string(200000, 'x') + "\nlast";
  put(folder / "f", text);
  LineReader reader(open_bytes(folder / "f"));
  std::vector<std::string> lines;
  std::string line;
  while (reader.next(line)) lines.push_back(line);
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "", "two", std::string(200000, 'x'), "last"}));
  EXPECT_EQ(reader.line_number(), 5);
  EXPECT_EQ(reader.progress(), 1.0);
  EXPECT_FALSE(reader.next(line));
  put(folder / "g", some_text(30000));
  LineReader many(open_bytes(folder / "g"));
  std::string together;
  while (many.next(line)) together += line + "\n";
  EXPECT_EQ(together, some_text(30000));
}

}  // namespace
}  // namespace assay
