#include "assay/train/checkpoint_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/base/memory_file_system.h"
#include "assay/format/bundle_writer.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::train {
namespace {

namespace fs = std::filesystem;
using assay::testing::code_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

void put(FileSystem& disk, const std::string& path, std::string_view bytes) {
  const auto file = disk.open_write(path);
  file->append(bytes);
  file->sync();
  file->close();
}

/// Three tensors, the second in two parts, the third of strings.
void write(FileSystem& disk, const std::string& prefix) {
  format::BundleWriter writer(prefix, disk);
  writer.add("w", Tensor::of<float>({1, 2, 3, 4}));
  writer.add_slice("rows", {3}, format::TensorSlice::parse("2,1"), Tensor::of<float>({30}));
  writer.add_slice("rows", {3}, format::TensorSlice::parse("0,2"), Tensor::of<float>({10, 20}));
  writer.add("names", Tensor::of<std::string>({"a", "bc"}));
  writer.finish();
}

constexpr const char* kData = "m.data-00000-of-00001";

TEST(CheckpointCheck, SaysWhereValuesLie) {
  MemoryFileSystem disk;
  write(disk, "m");
  const auto reader = format::CheckpointReader::open("m", disk);
  std::vector<std::string> parts;
  for (const StoredPart& p : stored_parts(*reader)) {
    EXPECT_EQ(p.file, kData);
    parts.push_back(fmt::format("{} {} at {}: {}", p.name, p.slice ? p.slice->str() : "whole",
                                *p.offset, p.size));
    EXPECT_EQ(read_part(*reader, p).num_elements(),
              p.slice ? p.slice->shape_in(p.shape).num_elements() : p.shape.num_elements());
  }
  EXPECT_THAT(parts, ElementsAre("w whole at 0: 16", "rows 2,1 at 16: 4", "rows 0,2 at 20: 8",
                                 "names whole at 28: 9"));
}

TEST(CheckpointCheck, Sound) {
  MemoryFileSystem disk;
  write(disk, "m");
  const auto check = check_checkpoint("m", disk);
  EXPECT_TRUE(check.sound());
  EXPECT_EQ(check.version, 2);
  EXPECT_EQ(check.tensors, 3);
  EXPECT_EQ(check.bytes, 37U);
  EXPECT_EQ(code_of([&] { check_checkpoint("n", disk); }), Code::kNotFound);
}

TEST(CheckpointCheck, EveryFlippedByteIsNamed) {
  MemoryFileSystem disk;
  write(disk, "m");
  const std::string good = read_file(disk, kData);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    put(disk, kData, bad);
    const auto check = check_checkpoint("m", disk);
    ASSERT_EQ(check.damage.size(), 1U) << i;
    const Damage& d = check.damage[0];
    EXPECT_EQ(d.file, kData);
    EXPECT_EQ(d.tensor, i < 16 ? "w" : i < 28 ? "rows" : "names") << i;
    EXPECT_EQ(d.offset, i < 16 ? 0U : i < 20 ? 16U : i < 28 ? 20U : 28U) << i;
    EXPECT_THAT(d.message, HasSubstr(d.tensor));
    EXPECT_EQ(check.tensors, 2);
  }
}

TEST(CheckpointCheck, AllThatIsDamagedIsTold) {
  MemoryFileSystem disk;
  write(disk, "m");
  std::string bytes = read_file(disk, kData);
  bytes[0] = 'x';
  bytes[17] = 'x';
  bytes[36] = 'x';
  put(disk, kData, bytes);
  const auto check = check_checkpoint("m", disk);
  ASSERT_EQ(check.damage.size(), 3U);
  EXPECT_EQ(check.damage[2].tensor, "names");
  EXPECT_EQ(check.tensors, 0);
}

TEST(CheckpointCheck, ShortAndMissingFiles) {
  MemoryFileSystem disk;
  write(disk, "m");
  const std::string good = read_file(disk, kData);
  put(disk, kData, good.substr(0, 18));
  auto check = check_checkpoint("m", disk);
  ASSERT_EQ(check.damage.size(), 1U);
  EXPECT_EQ(check.damage[0].message,
            "the file m.data-00000-of-00001 is cut short: it has 18 bytes, and the values of 3 "
            "tensors do not lie inside, from 'rows' (4 bytes at 16) on");
  EXPECT_EQ(check.tensors, 1);
  disk.remove(kData);
  check = check_checkpoint("m", disk);
  ASSERT_EQ(check.damage.size(), 1U);
  EXPECT_EQ(check.damage[0].message, "the file m.data-00000-of-00001 is missing");
  EXPECT_EQ(check.tensors, 0);
  put(disk, "m.index", read_file(disk, "m.index").substr(0, 40));
  check = check_checkpoint("m", disk);
  ASSERT_EQ(check.damage.size(), 1U);
  EXPECT_EQ(check.damage[0].file, "m.index");
}

TEST(CheckpointCheck, TheGraphBesideIt) {
  MemoryFileSystem disk;
  write(disk, "m");
  put(disk, "m.meta", "\xff\xff no graph");
  const auto check = check_checkpoint("m", disk);
  ASSERT_EQ(check.damage.size(), 1U);
  EXPECT_EQ(check.damage[0].file, "m.meta");
  EXPECT_EQ(check.tensors, 3);
}

TEST(CheckpointCheck, TensorFlowsOwn) {
  const auto folder = assay::testing::shared_path("fixtures/tf1/checkpoints");
  if (!folder) GTEST_SKIP() << "needs ../shared";
  int v1 = 0;
  for (const char* prefix :
       {"all-dtypes-tf115/all", "v1-half-plus-two-nvidia/export",
        "v1-bnconv-adam-hardmaru/model.ckpt-0", "two-shards-embedding-tf2/keras_embedding.ckpt-0",
        "estimator-dnn-partitioned-adagrad-hiroki/model.ckpt-2000"}) {
    const auto check = check_checkpoint((*folder / prefix).string());
    EXPECT_TRUE(check.sound()) << prefix;
    EXPECT_GT(check.tensors, 0) << prefix;
    v1 += check.version == 1 ? 1 : 0;
  }
  EXPECT_EQ(v1, 2);
}

}  // namespace
}  // namespace assay::train
