#include <gtest/gtest.h>
#include <leveldb/options.h>
#include <leveldb/table_builder.h>

#include <algorithm>
#include <cstring>

#include "assay/base/crc32c.h"
#include "assay/base/fault_file_system.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/bundle_writer.h"
#include "assay/format/leveldb_files.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::format {
namespace {

using testing::code_of;
using testing::error_of;
using testing::TemporaryFolder;

std::string slurp(const std::string& path) {
  return read_file(posix_file_system(), path);
}

void put(const std::string& path, std::string_view bytes) {
  const auto file = posix_file_system().open_write(path);
  file->append(bytes);
  file->close();
}

/// Writes what `reader` holds to `prefix`, in the order of the data files.
void rewrite(const BundleReader& reader, const std::string& prefix) {
  struct Stored {
    std::string key;
    const CheckpointEntry* entry;
  };
  std::vector<Stored> stored;
  for (const auto& [key, entry] : reader.entries()) {
    if (entry.slices.empty()) stored.push_back({key, &entry});
  }
  for (const auto& [key, entry] : reader.slice_entries()) stored.push_back({key, &entry});
  std::stable_sort(stored.begin(), stored.end(), [](const Stored& a, const Stored& b) {
    return std::pair(a.entry->shard, a.entry->offset) < std::pair(b.entry->shard, b.entry->offset);
  });
  BundleWriter writer(prefix);
  for (const Stored& s : stored) {
    if (!s.key.starts_with('\0')) {
      writer.add(s.key, reader.read(s.key));
      continue;
    }
    const SliceKey key = decode_slice_key(s.key);
    EXPECT_EQ(encode_slice_key(key.name, key.slice), s.key);
    writer.add_slice(key.name, reader.at(key.name).shape, key.slice,
                     reader.read_slice(key.name, key.slice));
  }
  writer.finish();
}

TEST(Bundle, RecordedCheckpointsAreReadAndRewrittenByteForByte) {
  ASSAY_SHARED_OR_SKIP(folder, "fixtures/tf1");
  const TemporaryFolder out;
  int bundles = 0;
  int same_index = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    if (file.path().extension() != ".index") continue;
    const std::string prefix = std::filesystem::path(file.path()).replace_extension().string();
    if (file.path().string().find("opcases") != std::string::npos) continue;
    SCOPED_TRACE(prefix);
    const BundleReader reader(prefix);
    EXPECT_FALSE(reader.entries().empty());
    if (!std::filesystem::exists(reader.data_path(0))) {
      // Some are recorded without values.
      EXPECT_EQ(code_of([&] { reader.verify(); }), Code::kDataLoss);
      continue;
    }
    reader.verify();
    ++bundles;
    const std::string again = out / ("b" + std::to_string(bundles));
    rewrite(reader, again);
    std::string data;
    for (int i = 0; i < reader.num_shards(); ++i) data += slurp(reader.data_path(i));
    EXPECT_TRUE(slurp(again + ".data-00000-of-00001") == data);
    if (reader.num_shards() == 1) {
      EXPECT_TRUE(slurp(again + ".index") == slurp(prefix + ".index"));
      ++same_index;
    }
    const BundleReader second(again);
    for (const auto& [name, entry] : reader.entries()) {
      EXPECT_TRUE(second.read(name).identical(reader.read(name))) << name;
    }
  }
  EXPECT_GE(bundles, 18);
  EXPECT_GE(same_index, 16);
}

std::map<std::string, Tensor> some_tensors() {
  std::map<std::string, Tensor> tensors;
  tensors["f"] = Tensor::of<float>({1, 2.5, -3, 4, 5, 6}, {2, 3});
  tensors["a/string"] = Tensor::of<std::string>({"", "x", std::string(300, 'y')});
  tensors["b"] = Tensor::of<bool>({true, false});
  tensors["empty"] = Tensor::zeros(DType::kFloat, Shape{0, 4});
  tensors["no strings"] = Tensor::zeros(DType::kString, Shape{0});
  tensors["half"] = Tensor::of<Half>({Half(1.5F)});
  tensors["complex"] = Tensor::scalar(std::complex<double>(1, -2));
  tensors["step"] = Tensor::scalar(std::int64_t{7});
  return tensors;
}

void save(const std::string& prefix, const std::map<std::string, Tensor>& tensors,
          FileSystem& fs = posix_file_system()) {
  BundleWriter writer(prefix, fs);
  for (const auto& [name, tensor] : tensors) writer.add(name, tensor);
  writer.finish();
}

std::map<std::string, Tensor> load(const std::string& prefix) {
  const BundleReader reader(prefix);
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, entry] : reader.entries()) tensors[name] = reader.read(name);
  return tensors;
}

bool same(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.identical(y.second);
  });
}

TEST(Bundle, GoesBothWays) {
  const TemporaryFolder folder;
  const auto tensors = some_tensors();
  save(folder / "new/dir/model.ckpt-7", tensors);
  EXPECT_TRUE(same(load(folder / "new/dir/model.ckpt-7"), tensors));
  EXPECT_EQ(posix_file_system().list(folder / "new/dir"),
            (std::vector<std::string>{"model.ckpt-7.data-00000-of-00001", "model.ckpt-7.index"}));
}

TEST(Bundle, SlicesArePutTogether) {
  const TemporaryFolder folder;
  const Shape full{4, 3};
  Tensor whole = Tensor::of<std::int32_t>({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, full);
  TensorSlice all;
  all.extents.resize(2);
  const auto part = [&](const char* slice) {
    const TensorSlice s = TensorSlice::parse(slice);
    Tensor t(DType::kInt32, s.shape_in(full));
    EXPECT_EQ(copy_overlap(full, all, whole, s, t), t.num_elements());
    return t;
  };
  EXPECT_EQ(part("1,2:1,1").to_vector<std::int32_t>(), (std::vector<std::int32_t>{4, 7}));
  BundleWriter writer(folder / "p");
  for (const char* slice : {"0,1:-", "1,3:0,2", "1,3:2,1"}) {
    writer.add_slice("v", full, TensorSlice::parse(slice), part(slice));
  }
  EXPECT_EQ(
      code_of([&] { writer.add_slice("v", full, TensorSlice::parse("0,1:-"), part("0,1:-")); }),
      Code::kInvalidArgument);
  EXPECT_EQ(code_of([&] {
              writer.add_slice("v", Shape{5, 3}, TensorSlice::parse("0,1:-"), part("0,1:-"));
            }),
            Code::kInvalidArgument);
  writer.finish();
  const BundleReader reader(folder / "p");
  EXPECT_TRUE(reader.read("v").identical(whole));
  EXPECT_TRUE(reader.read_slice("v", TensorSlice::parse("0,2:1,2")).identical(part("0,2:1,2")));
  EXPECT_EQ(code_of([&] { reader.read_slice("v", TensorSlice::parse("0,5:-")); }),
            Code::kInvalidArgument);

  BundleWriter holey(folder / "q");
  holey.add_slice("v", full, TensorSlice::parse("0,1:-"), part("0,1:-"));
  holey.finish();
  EXPECT_EQ(code_of([&] { BundleReader(folder / "q").read("v"); }), Code::kDataLoss);
}

TEST(Bundle, ErrorsAreClear) {
  const TemporaryFolder folder;
  EXPECT_EQ(code_of([&] { BundleReader(folder / "none"); }), Code::kNotFound);
  save(folder / "p", some_tensors());
  const BundleReader reader(folder / "p");
  const Error e = error_of([&] { reader.read("b/string"); });
  EXPECT_EQ(e.code(), Code::kNotFound);
  EXPECT_NE(e.message().find("it has 'a/string'"), std::string::npos) << e.message();
  BundleWriter writer(folder / "q");
  writer.add("x", Tensor::scalar(1.0F));
  EXPECT_EQ(code_of([&] { writer.add("x", Tensor::scalar(1.0F)); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([&] { writer.add("", Tensor::scalar(1.0F)); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([&] { writer.add("r", Tensor(DType::kResource, Shape{})); }),
            Code::kUnimplemented);
}

TEST(Bundle, FlippedBitsAndCutsAreNoticed) {
  const TemporaryFolder folder;
  save(folder / "p", some_tensors());
  const std::string index = slurp(folder / "p.index");
  const std::string data = slurp(folder / "p.data-00000-of-00001");
  const auto outcome = [&] { return code_of([&] { load(folder / "p"); }); };
  ASSERT_EQ(outcome(), Code::kOk);
  for (std::size_t i = 0; i < data.size(); i += 3) {
    std::string wrong = data;
    wrong[i] = static_cast<char>(wrong[i] ^ (1 << (i % 8)));
    put(folder / "p.data-00000-of-00001", wrong);
    ASSERT_EQ(outcome(), Code::kDataLoss) << i;
  }
  for (std::size_t n = 0; n < data.size(); n += 7) {
    put(folder / "p.data-00000-of-00001", data.substr(0, n));
    ASSERT_EQ(outcome(), Code::kDataLoss) << n;
  }
  put(folder / "p.data-00000-of-00001", data);
  const auto tensors = some_tensors();
  for (std::size_t i = 0; i < index.size(); i += 2) {
    std::string wrong = index;
    wrong[i] = static_cast<char>(wrong[i] ^ (1 << (i % 8)));
    put(folder / "p.index", wrong);
    // Only padding of the footer and the unused list of filters may change unseen.
    const Code code = outcome();
    ASSERT_TRUE(code == Code::kDataLoss || (code == Code::kOk && same(load(folder / "p"), tensors)))
        << i << " " << code_name(code);
  }
  for (std::size_t n = 0; n < index.size(); n += 5) {
    put(folder / "p.index", index.substr(0, n));
    ASSERT_EQ(outcome(), Code::kDataLoss) << n;
  }
}

TEST(Bundle, ImpossibleBlocksAreRefused) {
  const TemporaryFolder folder;
  save(folder / "p", some_tensors());
  std::string index = slurp(folder / "p.index");
  const std::size_t footer = index.size() - 48;
  // Handles of the two blocks: offset and size as varints. The largest sizes overflow inside.
  for (const unsigned char last : {0x01, 0x00}) {
    std::string wrong = index;
    std::string handle(1, '\0');
    handle += std::string(9, '\xff') + static_cast<char>(last);
    wrong.replace(footer, handle.size(), handle);
    wrong.replace(footer + handle.size(), handle.size(), handle);
    put(folder / "p.index", wrong);
    EXPECT_EQ(code_of([&] { BundleReader(folder / "p"); }), Code::kDataLoss);
  }
}

/// A bundle made by hand here: on a machine of the other byte order, with compressed blocks.
TEST(Bundle, OtherByteOrderAndCompressedIndex) {
  const TemporaryFolder folder;
  std::string data;
  proto::BundleEntryProto number;
  number.set_dtype(proto::DT_FLOAT);
  number.mutable_shape()->add_dim()->set_size(2);
  number.set_size(8);
  data += std::string("\x3f\x80\0\0\xc0\0\0\0", 8);
  number.set_crc32c(crc32c::mask(crc32c::value(data)));
  proto::BundleEntryProto strings;
  strings.set_dtype(proto::DT_STRING);
  strings.mutable_shape()->add_dim()->set_size(2);
  strings.set_offset(8);
  const std::string lengths("\0\0\0\2\0\0\0\1", 8);
  std::uint32_t masked = __builtin_bswap32(crc32c::mask(crc32c::value(lengths)));
  const std::string tail = std::string(reinterpret_cast<char*>(&masked), 4) + "hix";
  data += std::string("\2\1", 2) + tail;
  strings.set_size(9);
  strings.set_crc32c(crc32c::mask(crc32c::value(lengths + tail)));
  put(folder / "p.data-00000-of-00001", data);

  leveldb::Options options;
  options.compression = leveldb::kSnappyCompression;
  LevelDbSink sink;
  leveldb::TableBuilder builder(options, &sink);
  proto::BundleHeaderProto header;
  header.set_num_shards(1);
  header.set_endianness(proto::BundleHeaderProto::BIG);
  builder.Add("", header.SerializeAsString());
  std::map<std::string, proto::BundleEntryProto> entries{{"number", number}, {"strings", strings}};
  // Alike enough that the block shrinks.
  for (int i = 0; i < 100; ++i) entries[fmt::format("other {:03}", i)] = number;
  for (const auto& [key, entry] : entries) builder.Add(key, entry.SerializeAsString());
  ASSERT_TRUE(builder.Finish().ok());
  put(folder / "p.index", sink.bytes());

  const BundleReader reader(folder / "p");
  EXPECT_TRUE(reader.big_endian());
  EXPECT_EQ(reader.read("number").to_vector<float>(), (std::vector<float>{1, -2}));
  EXPECT_EQ(reader.read("strings").to_vector<std::string>(), (std::vector<std::string>{"hi", "x"}));
  EXPECT_EQ(reader.entries().size(), 102U);
}

/// Whatever step fails or is the last, the checkpoint of that prefix is the old or the new one,
/// whole, and older prefixes are untouched.
TEST(Bundle, SavingSurvivesEveryFault) {
  const auto old_tensors = some_tensors();
  auto new_tensors = some_tensors();
  new_tensors["f"] = Tensor::of<float>({9, 9}, {2});
  for (const bool replace : {false, true}) {
    int steps = 0;
    {
      const TemporaryFolder folder;
      if (replace) save(folder / "p", old_tensors);
      FaultyFileSystem fs(posix_file_system());
      save(folder / "p", new_tensors, fs);
      steps = fs.steps();
      EXPECT_TRUE(same(load(folder / "p"), new_tensors));
      EXPECT_EQ(fs.list(folder.path()).size(), 2U);
    }
    for (const auto fault : {FaultyFileSystem::Fault::kFail, FaultyFileSystem::Fault::kKill}) {
      for (int step = 0; step < steps; ++step) {
        SCOPED_TRACE(
            fmt::format("replace {} step {} fault {}", replace, step, static_cast<int>(fault)));
        const TemporaryFolder folder;
        save(folder / "older", old_tensors);
        if (replace) save(folder / "p", old_tensors);
        FaultyFileSystem fs(posix_file_system());
        fs.set_fault(step, fault);
        EXPECT_NE(code_of([&] { save(folder / "p", new_tensors, fs); }), Code::kOk);
        EXPECT_TRUE(same(load(folder / "older"), old_tensors));
        if (replace) {
          const auto found = load(folder / "p");
          EXPECT_TRUE(same(found, old_tensors) || same(found, new_tensors));
        } else if (posix_file_system().exists(folder / "p.index")) {
          EXPECT_TRUE(same(load(folder / "p"), new_tensors));
        }
        // And the next save works, whatever was left.
        save(folder / "p", new_tensors);
        EXPECT_TRUE(same(load(folder / "p"), new_tensors));
        EXPECT_FALSE(posix_file_system().exists(folder / "p.index.new"));
        EXPECT_FALSE(posix_file_system().exists(folder / "p.data-00000-of-00001.new"));
      }
    }
  }
}

}  // namespace
}  // namespace assay::format
