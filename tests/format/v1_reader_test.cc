#include "assay/format/v1_reader.h"

#include <gtest/gtest.h>
#include <leveldb/options.h>
#include <leveldb/table_builder.h>

#include <algorithm>
#include <map>

#include "assay/base/memory_file_system.h"
#include "assay/format/bundle_writer.h"
#include "assay/format/leveldb_files.h"
#include "assay/format/proto/checkpoint.pb.h"
#include "assay/format/proto/meta_graph.pb.h"
#include "assay/format/proto_io.h"
#include "assay/format/tensor_proto.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::format {
namespace {

using testing::code_of;
using testing::error_of;

void put(FileSystem& fs, const std::string& path, std::string_view bytes) {
  const auto file = fs.open_write(path);
  file->append(bytes);
  file->sync();
  file->close();
}

/// Beside a minus sign in one literal they would be a trigraph.
constexpr const char* kQuestions = "?????";

struct Part {
  std::string name;
  Shape full;
  std::string slice;  // "" for the whole tensor
  Tensor values;
};

/// The bytes of a V1 file, as TensorFlow's TensorSliceWriter lays them out.
std::string v1_file(const std::vector<Part>& parts,
                    leveldb::CompressionType compression = leveldb::kNoCompression) {
  proto::SavedTensorSlices list;
  std::map<std::string, std::string> table;
  std::map<std::string, proto::SavedSliceMeta*> tensors;
  for (const Part& p : parts) {
    TensorSlice slice;
    slice.extents.resize(static_cast<std::size_t>(p.full.rank()));
    if (!p.slice.empty()) slice = TensorSlice::parse(p.slice);
    auto*& meta = tensors[p.name];
    if (meta == nullptr) {
      meta = list.mutable_meta()->add_tensor();
      meta->set_name(p.name);
      shape_to_proto(p.full, *meta->mutable_shape());
      meta->set_type(static_cast<proto::DataType>(p.values.dtype()));
    }
    slice.to_proto(*meta->add_slice());
    proto::SavedTensorSlices entry;
    entry.mutable_data()->set_name(p.name);
    slice.to_proto(*entry.mutable_data()->mutable_slice());
    auto& data = *entry.mutable_data()->mutable_data();
    data = tensor_to_proto(p.values, TensorEncoding::kValues);
    data.clear_dtype();
    data.clear_tensor_shape();
    table[encode_slice_key(p.name, slice)] = entry.SerializeAsString();
  }
  table[""] = list.SerializeAsString();
  leveldb::Options options;
  options.compression = compression;
  options.block_size = 64;
  LevelDbSink sink;
  leveldb::TableBuilder builder(options, &sink);
  for (const auto& [key, value] : table) builder.Add(key, value);
  EXPECT_TRUE(builder.Finish().ok());
  return sink.bytes();
}

std::vector<Part> some_parts() {
  const auto of = [](const std::string& name, const Tensor& t) {
    return Part{name, t.shape(), "", t};
  };
  return {of("f", Tensor::of<float>({1, 2.5, -3, 4, 5, 6}, {2, 3})),
          of("zeros", Tensor::zeros(DType::kFloat, {40, 30})),
          of("s", Tensor::of<std::string>({"", "x", std::string(300, 'y')})),
          of("b", Tensor::of<bool>({true, false})),
          of("empty", Tensor::zeros(DType::kDouble, {0, 4})),
          of("h", Tensor::of<Half>({Half(1.5F)})),
          of("c", Tensor::scalar(std::complex<double>(1, -2))),
          of("i8", Tensor::of<std::int8_t>({-1, 100})),
          of("u16", Tensor::of<std::uint16_t>({65535})),
          of("step", Tensor::scalar(std::int64_t{-7}))};
}

TEST(V1Reader, ReadsRecordedFiles) {
  ASSAY_SHARED_OR_SKIP(folder, "fixtures/tf1/checkpoints");
  // The same numbers as TensorFlow's own test of this export has.
  const auto half = CheckpointReader::open(folder / "v1-half-plus-two-nvidia/export");
  EXPECT_EQ(half->version(), 1);
  EXPECT_EQ(half->entries().size(), 2U);
  EXPECT_EQ(half->read("a").item<float>(), 0.5F);
  EXPECT_EQ(half->read("b").item<float>(), 2.0F);
  half->verify();
  const auto pattern = CheckpointReader::open(
      folder / (std::string("v1-half-plus-two-nvidia/export-") + kQuestions + "-of-00001"));
  EXPECT_EQ(pattern->read("b").item<float>(), 2.0F);
  EXPECT_EQ(pattern->files(), half->files());

  const auto adam = CheckpointReader::open(folder / "v1-bnconv-adam-hardmaru/model.ckpt-0");
  EXPECT_EQ(adam->version(), 1);
  adam->verify();
  EXPECT_EQ(adam->at("d_bn1/beta").shape, (Shape{64}));
  EXPECT_GT(adam->at("d_h2_conv/w").offset, 0U);
  // The graph beside it says which variables its Saver wrote.
  const auto meta = parse_binary<proto::MetaGraphDef>(
      read_file(posix_file_system(), folder / "v1-bnconv-adam-hardmaru/model.ckpt-0.meta"), "meta");
  std::vector<std::string> saved;
  for (const proto::NodeDef& node : meta.graph_def().node()) {
    if (node.name() != "save/save/tensor_names") continue;
    const auto& value = node.attr().at("value").tensor();
    saved.assign(value.string_val().begin(), value.string_val().end());
  }
  std::vector<std::string> names;
  for (const auto& [name, entry] : adam->entries()) names.push_back(name);
  std::sort(saved.begin(), saved.end());
  EXPECT_EQ(names, saved);
  for (const auto& [name, entry] : adam->entries()) {
    const Tensor t = adam->read(name);
    EXPECT_EQ(t.dtype(), entry.dtype);
    EXPECT_EQ(t.shape(), entry.shape);
  }
}

TEST(V1Reader, EveryType) {
  for (const auto compression : {leveldb::kNoCompression, leveldb::kSnappyCompression}) {
    MemoryFileSystem fs;
    put(fs, "model.ckpt", v1_file(some_parts(), compression));
    const auto reader = CheckpointReader::open("model.ckpt", fs);
    EXPECT_EQ(reader->version(), 1);
    EXPECT_EQ(reader->entries().size(), some_parts().size());
    for (const Part& p : some_parts()) {
      EXPECT_TRUE(reader->read(p.name).identical(p.values)) << p.name;
      EXPECT_TRUE(reader->at(p.name).slices.empty());
    }
    EXPECT_EQ(code_of([&] { reader->read("none"); }), Code::kNotFound);
    EXPECT_EQ(reader->read_slice("f", TensorSlice::parse("1,1:0,2")).to_vector<float>(),
              (std::vector<float>{4, 5}));
  }
}

TEST(V1Reader, PartsInSeveralFiles) {
  MemoryFileSystem fs;
  const Shape full{3, 2};
  const auto row = [](float a, float b) { return Tensor::of<float>({a, b}, {1, 2}); };
  put(fs, "d-00000-of-00002",
      v1_file({{"v", full, "0,1:-", row(1, 2)}, {"v", full, "2,1:-", row(5, 6)}}));
  EXPECT_EQ(code_of([&] { CheckpointReader::open("d", fs); }), Code::kDataLoss);
  put(fs, "d-00001-of-00002",
      v1_file({{"v", full, "1,1:-", row(3, 4)}, {"w", Shape{}, "", Tensor::scalar(9.0F)}}));
  put(fs, "d-00001-of-00002.meta", "something else");
  for (const std::string& prefix :
       {std::string("d"), std::string("d-") + kQuestions + "-of-00002"}) {
    const auto reader = CheckpointReader::open(prefix, fs);
    EXPECT_EQ(reader->files().size(), 2U);
    EXPECT_EQ(reader->read("v").to_vector<float>(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(reader->read_slice("v", TensorSlice::parse("1,2:1,1")).to_vector<float>(),
              (std::vector<float>{4, 6}));
    EXPECT_EQ(reader->read("w").item<float>(), 9.0F);
    reader->verify();
  }
}

TEST(V1Reader, ContradictionsAreRefused) {
  MemoryFileSystem fs;
  const Shape full{2, 2};
  const Tensor row = Tensor::of<float>({1, 2}, {1, 2});
  put(fs, "hole", v1_file({{"v", full, "0,1:-", row}}));
  EXPECT_EQ(code_of([&] { CheckpointReader::open("hole", fs)->read("v"); }), Code::kDataLoss);
  // Too few values do not stand for more, as they do in a graph's constants.
  put(fs, "short", v1_file({{"v", full, "", row}}));
  const Error e = error_of([&] { CheckpointReader::open("short", fs)->read("v"); });
  EXPECT_EQ(e.code(), Code::kDataLoss);
  EXPECT_NE(e.message().find("2 values for the shape [2,2]"), std::string::npos) << e.message();
  put(fs, "other", "no table at all");
  EXPECT_EQ(code_of([&] { CheckpointReader::open("other", fs); }), Code::kDataLoss);
  EXPECT_EQ(code_of([&] { CheckpointReader::open("nothing", fs); }), Code::kNotFound);
  EXPECT_EQ(code_of([&] { CheckpointReader::open("no/folder", fs); }), Code::kNotFound);
  EXPECT_FALSE(CheckpointReader::exists("nothing", fs));
  EXPECT_TRUE(CheckpointReader::exists("other", fs));
}

TEST(V1Reader, FlippedBitsAndCutsAreNoticed) {
  MemoryFileSystem fs;
  const auto parts = some_parts();
  const std::string bytes = v1_file(parts, leveldb::kSnappyCompression);
  const auto sound = [&] {
    const auto reader = CheckpointReader::open("p", fs);
    EXPECT_EQ(reader->entries().size(), parts.size());
    for (const Part& p : parts) {
      if (!reader->read(p.name).identical(p.values)) return false;
    }
    return true;
  };
  put(fs, "p", bytes);
  ASSERT_TRUE(sound());
  std::size_t unseen = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string wrong = bytes;
    wrong[i] = static_cast<char>(wrong[i] ^ (1 << (i % 8)));
    put(fs, "p", wrong);
    bool same = false;
    const Code code = code_of([&] { same = sound(); });
    ASSERT_TRUE(code == Code::kDataLoss || (code == Code::kOk && same)) << i << code_name(code);
    if (code == Code::kOk) ++unseen;
  }
  // Only the footer's padding and the list of filters carry nothing.
  EXPECT_LT(unseen, 60U);
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    put(fs, "p", bytes.substr(0, n));
    ASSERT_EQ(code_of(sound), Code::kDataLoss) << n;
  }
}

}  // namespace
}  // namespace assay::format
