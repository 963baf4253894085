#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "assay/base/crc32c.h"
#include "assay/base/memory_file_system.h"
#include "assay/format/bundle_files.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/bundle_writer.h"
#include "assay/format/proto_io.h"
#include "assay/format/table_reader.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::format {
namespace {

using testing::TemporaryFolder;

constexpr DType kNumbers[] = {
    DType::kFloat,  DType::kDouble,   DType::kInt32,     DType::kUInt8,      DType::kInt16,
    DType::kInt8,   DType::kInt64,    DType::kComplex64, DType::kComplex128, DType::kQInt8,
    DType::kQUInt8, DType::kQInt32,   DType::kQInt16,    DType::kQUInt16,    DType::kUInt16,
    DType::kHalf,   DType::kBFloat16, DType::kUInt32,    DType::kUInt64};

/// Every type, as a scalar, a vector, with no elements, and all bytes different.
std::map<std::string, Tensor> every_type() {
  std::map<std::string, Tensor> tensors;
  int next = 1;
  for (const DType dtype : kNumbers) {
    for (const Shape& shape : {Shape{}, Shape{3, 2}, Shape{0, 2}}) {
      Tensor t(dtype, shape);
      auto* bytes = static_cast<unsigned char*>(t.raw());
      for (std::size_t i = 0; i < t.num_bytes(); ++i) {
        bytes[i] = static_cast<unsigned char>(next++ % 251);
      }
      tensors[dtype_name(dtype) + shape.str()] = t;
    }
  }
  tensors["bool"] = Tensor::of<bool>({true, false, true});
  tensors["bool scalar"] = Tensor::scalar(true);
  tensors["string scalar"] = Tensor::scalar(std::string("\0\xff", 2));
  tensors["strings"] = Tensor::of<std::string>({"", "a", std::string(70000, 'b')}, Shape{3, 1});
  tensors["no strings"] = Tensor::zeros(DType::kString, Shape{2, 0});
  return tensors;
}

void save(FileSystem& fs, const std::string& prefix, const std::map<std::string, Tensor>& tensors) {
  BundleWriter writer(prefix, fs);
  for (const auto& [name, tensor] : tensors) writer.add(name, tensor);
  writer.finish();
}

TEST(BundleDtypes, EveryTypeAndShape) {
  MemoryFileSystem fs;
  const auto tensors = every_type();
  save(fs, "p", tensors);
  const BundleReader reader("p", fs);
  EXPECT_EQ(reader.entries().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(reader.at(name).dtype, tensor.dtype());
    EXPECT_TRUE(reader.read(name).identical(tensor)) << name;
  }
}

/// The bytes of one entry as a machine of the other order writes them: numbers, halves of complex
/// numbers, and the checksum of strings' lengths are turned around.
std::string turned(const std::string& bytes, const Tensor& tensor, std::uint32_t& crc) {
  std::string out = bytes;
  if (tensor.dtype() == DType::kString) {
    std::size_t at = 0;
    std::string lengths;
    for (const std::string& s : tensor.span<std::string>()) {
      at += s.size() < 128 ? 1 : s.size() < 16384 ? 2 : 3;  // a varint
      const auto length = static_cast<std::uint32_t>(s.size());
      for (int shift = 24; shift >= 0; shift -= 8) lengths += static_cast<char>(length >> shift);
    }
    const std::uint32_t check = __builtin_bswap32(crc32c::mask(crc32c::value(lengths)));
    std::memcpy(out.data() + at, &check, sizeof check);
    crc = crc32c::value(lengths + out.substr(at));
    return out;
  }
  const std::size_t item = dtype_size(tensor.dtype()) / (is_complex(tensor.dtype()) ? 2 : 1);
  for (std::size_t i = 0; i < out.size(); i += item) {
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(i),
                 out.begin() + static_cast<std::ptrdiff_t>(i + item));
  }
  crc = crc32c::value(out);
  return out;
}

TEST(BundleDtypes, TheOtherByteOrder) {
  MemoryFileSystem fs;
  const auto tensors = every_type();
  save(fs, "p", tensors);
  const std::string data_path = "p.data-00000-of-00001";
  std::string data = read_file(fs, data_path);
  std::map<std::string, proto::BundleEntryProto> entries;
  TableReader(fs.open_read("p.index")).for_each([&](std::string_view key, std::string_view value) {
    if (key.empty()) return;
    auto entry = parse_binary<proto::BundleEntryProto>(value, "entry");
    const auto offset = static_cast<std::size_t>(entry.offset());
    const auto size = static_cast<std::size_t>(entry.size());
    std::uint32_t crc = 0;
    data.replace(offset, size,
                 turned(data.substr(offset, size), tensors.at(std::string(key)), crc));
    entry.set_crc32c(crc32c::mask(crc));
    entries[std::string(key)] = entry;
  });
  for (const auto& [path, bytes] :
       {std::pair(data_path, data),
        std::pair(std::string("p.index"), bundle_index(entries, 1, /*big_endian=*/true))}) {
    fs.open_write(path)->append(bytes);
  }
  const BundleReader reader("p", fs);
  EXPECT_TRUE(reader.big_endian());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_TRUE(reader.read(name).identical(tensor)) << name;
  }
}

std::uint64_t free_memory() {
  std::ifstream info("/proc/meminfo");
  std::string line;
  while (std::getline(info, line)) {
    if (line.starts_with("MemAvailable:")) return std::stoull(line.substr(13)) * 1024;
  }
  return 0;
}

/// Data files take no bytes: theirs are known.
class HollowFileSystem : public MemoryFileSystem {
 public:
  std::uint64_t bytes = 0;

  std::unique_ptr<WritableFile> open_write(const std::string& path, WriteMode mode) override {
    auto file = MemoryFileSystem::open_write(path, mode);
    if (path.find(".data-") == std::string::npos) return file;
    return std::make_unique<Hollow>(*this, std::move(file));
  }

 private:
  class Hollow : public WritableFile {
   public:
    Hollow(HollowFileSystem& fs, std::unique_ptr<WritableFile> base)
        : fs_(fs), base_(std::move(base)) {}
    void append(std::string_view bytes) override { fs_.bytes += bytes.size(); }
    void sync() override { base_->sync(); }
    void close() override { base_->close(); }
    const std::string& path() const override { return base_->path(); }

   private:
    HollowFileSystem& fs_;
    std::unique_ptr<WritableFile> base_;
  };
};

/// Zeros, written to nowhere and read from a file that is one hole, so that no disk is filled.
TEST(BundleDtypes, MoreThanTwoGigabytes) {
  constexpr std::int64_t kBytes = (std::int64_t{1} << 31) + 4097;
  if (std::getenv("ASSAY_LARGE_TESTS") == nullptr || free_memory() < 4'000'000'000) {
    GTEST_SKIP() << "takes seconds and 4 GB of free memory: set ASSAY_LARGE_TESTS to run it";
  }
  const TemporaryFolder folder;
  HollowFileSystem hollow;
  {
    BundleWriter writer("p", hollow);
    writer.add("large", Tensor::zeros(DType::kUInt8, Shape{kBytes}));
    writer.add("small", Tensor::scalar(0.0F));
    writer.finish();
  }
  EXPECT_EQ(hollow.bytes, static_cast<std::uint64_t>(kBytes) + 4);
  const std::string data_path = folder / "p.data-00000-of-00001";
  posix_file_system().open_write(folder / "p.index")->append(read_file(hollow, "p.index"));
  posix_file_system().open_write(data_path);
  std::filesystem::resize_file(data_path, static_cast<std::uintmax_t>(hollow.bytes));
  const BundleReader reader(folder / "p");
  EXPECT_EQ(reader.at("large").size, static_cast<std::uint64_t>(kBytes));
  EXPECT_EQ(reader.at("small").offset, static_cast<std::uint64_t>(kBytes));
  EXPECT_EQ(reader.read("small").item<float>(), 0.0F);
  {
    const Tensor large = reader.read("large");
    EXPECT_EQ(large.num_elements(), kBytes);
    EXPECT_EQ(static_cast<const unsigned char*>(large.raw())[kBytes - 1], 0);
  }
  std::filesystem::resize_file(data_path, static_cast<std::uintmax_t>(kBytes) + 3);
  EXPECT_EQ(testing::code_of([&] { reader.read("small"); }), Code::kDataLoss);
}

}  // namespace
}  // namespace assay::format
