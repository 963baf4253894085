#include "assay/format/bundle_merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "assay/base/fault_file_system.h"
#include "assay/base/memory_file_system.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/bundle_writer.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::format {
namespace {

using testing::code_of;

void save(FileSystem& fs, const std::string& prefix, const std::string& name, const Tensor& value) {
  BundleWriter writer(prefix, fs);
  writer.add(name, value);
  writer.finish();
}

/// Two rows of a tensor `v`, one in each, and a tensor of its own.
void save_parts(FileSystem& fs, float value) {
  for (int i = 0; i < 2; ++i) {
    BundleWriter writer(fmt::format("tmp/part-{}", i), fs);
    writer.add_slice("v", Shape{2, 2}, TensorSlice::parse(fmt::format("{},1:-", i)),
                     Tensor::of<float>({value + 2.0F * static_cast<float>(i), 1}, Shape{1, 2}));
    writer.add(fmt::format("own {}", i), Tensor::scalar(value));
    writer.finish();
  }
}

void expect_merged(FileSystem& fs, const std::string& prefix, float value) {
  const BundleReader reader(prefix, fs);
  EXPECT_EQ(reader.num_shards(), 2);
  EXPECT_EQ(reader.entries().size(), 3U);
  EXPECT_EQ(reader.read("v").to_vector<float>(), (std::vector<float>{value, 1, value + 2, 1}));
  EXPECT_EQ(reader.read("own 0").item<float>(), value);
  EXPECT_EQ(reader.read("own 1").item<float>(), value);
}

TEST(BundleMerge, MakesOneOfSeveral) {
  MemoryFileSystem fs;
  save_parts(fs, 3);
  merge_bundles({"tmp/part-0", "tmp/part-1"}, "out/model", fs);
  expect_merged(fs, "out/model", 3);
  EXPECT_TRUE(fs.list("tmp").empty());
  EXPECT_EQ(fs.list("out"), (std::vector<std::string>{"model.data-00000-of-00002",
                                                      "model.data-00001-of-00002", "model.index"}));
  // Over an older one, of as many files and of fewer.
  save_parts(fs, 4);
  merge_bundles({"tmp/part-0", "tmp/part-1"}, "out/model", fs);
  expect_merged(fs, "out/model", 4);
  save(fs, "out/model", "x", Tensor::scalar(1.0F));
  EXPECT_EQ(fs.list("out"), (std::vector<std::string>{"model.data-00000-of-00001", "model.index"}));
  save_parts(fs, 5);
  merge_bundles({"tmp/part-0", "tmp/part-1"}, "out/model", fs);
  expect_merged(fs, "out/model", 5);
  EXPECT_EQ(fs.list("out").size(), 3U);
}

TEST(BundleMerge, ContradictionsAreRefused) {
  MemoryFileSystem fs;
  save(fs, "a", "x", Tensor::scalar(1.0F));
  save(fs, "b", "x", Tensor::scalar(1.0F));
  EXPECT_EQ(code_of([&] { merge_bundles({"a", "b"}, "c", fs); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([&] { merge_bundles({"a", "none"}, "c", fs); }), Code::kNotFound);
  EXPECT_EQ(code_of([&] { merge_bundles({}, "c", fs); }), Code::kInvalidArgument);
  EXPECT_FALSE(fs.exists("c.index"));
  EXPECT_EQ(BundleReader("a", fs).read("x").item<float>(), 1.0F);
  fs.remove("b.data-00000-of-00001");
  EXPECT_EQ(code_of([&] { merge_bundles({"b"}, "c", fs); }), Code::kDataLoss);
}

TEST(BundleMerge, SurvivesEveryFault) {
  for (const bool replace : {false, true}) {
    int steps = 0;
    {
      MemoryFileSystem disk;
      save_parts(disk, 1);
      if (replace) {
        merge_bundles({"tmp/part-0", "tmp/part-1"}, "out/model", disk);
        save_parts(disk, 2);
      }
      FaultyFileSystem fs(disk);
      merge_bundles({"tmp/part-0", "tmp/part-1"}, "out/model", fs);
      steps = fs.steps();
    }
    for (const auto fault : {FaultyFileSystem::Fault::kFail, FaultyFileSystem::Fault::kKill}) {
      for (const bool cut : {false, true}) {
        for (int step = 0; step < steps; ++step) {
          SCOPED_TRACE(fmt::format("replace {} fault {} cut {} step {}", replace,
                                   static_cast<int>(fault), cut, step));
          MemoryFileSystem disk;
          save_parts(disk, 1);
          if (replace) {
            merge_bundles({"tmp/part-0", "tmp/part-1"}, "out/model", disk);
            save_parts(disk, 2);
          }
          FaultyFileSystem fs(disk);
          fs.set_fault(step, fault);
          EXPECT_NE(code_of([&] {
                      merge_bundles({"tmp/part-0", "tmp/part-1"}, "out/model", fs);
                    }),
                    Code::kOk);
          if (cut) disk.cut_power(/*lose_names=*/false);
          if (replace || disk.exists("out/model.index")) {
            const BundleReader reader("out/model", disk);
            expect_merged(disk, "out/model", reader.read("own 0").item<float>());
          }
          if (fault == FaultyFileSystem::Fault::kFail && !disk.exists("out/model.index")) {
            // Nothing is lost: the parts are as they were.
            BundleReader("tmp/part-0", disk).verify();
            BundleReader("tmp/part-1", disk).verify();
          }
          save_parts(disk, 9);
          merge_bundles({"tmp/part-0", "tmp/part-1"}, "out/model", disk);
          expect_merged(disk, "out/model", 9);
        }
      }
    }
  }
}

/// What TensorFlow made of several files, taken apart and put together again.
TEST(BundleMerge, RecordedShardsAreTheSameBytes) {
  ASSAY_SHARED_OR_SKIP(folder, "fixtures/tf1/checkpoints");
  const testing::TemporaryFolder out;
  int bundles = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    if (file.path().extension() != ".index") continue;
    const std::string prefix = std::filesystem::path(file.path()).replace_extension().string();
    const BundleReader reader(prefix);
    if (reader.num_shards() == 1) continue;
    SCOPED_TRACE(prefix);
    ++bundles;
    std::vector<std::string> parts;
    for (int shard = 0; shard < reader.num_shards(); ++shard) {
      std::vector<std::pair<std::uint64_t, std::string>> stored;
      for (const auto& [name, entry] : reader.entries()) {
        if (entry.slices.empty() && entry.shard == shard) stored.emplace_back(entry.offset, name);
      }
      for (const auto& [key, entry] : reader.slice_entries()) {
        if (entry.shard == shard) stored.emplace_back(entry.offset, key);
      }
      std::stable_sort(stored.begin(), stored.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      parts.push_back(out / fmt::format("b{}-part-{}", bundles, shard));
      BundleWriter writer(parts.back());
      for (const auto& [offset, key] : stored) {
        if (!key.starts_with('\0')) {
          writer.add(key, reader.read(key));
          continue;
        }
        const SliceKey slice = decode_slice_key(key);
        writer.add_slice(slice.name, reader.at(slice.name).shape, slice.slice,
                         reader.read_slice(slice.name, slice.slice));
      }
      writer.finish();
    }
    const std::string merged = out / fmt::format("b{}", bundles);
    merge_bundles(parts, merged);
    const BundleReader again(merged);
    FileSystem& fs = posix_file_system();
    EXPECT_EQ(again.num_shards(), reader.num_shards());
    for (std::size_t i = 0; i < reader.files().size(); ++i) {
      EXPECT_TRUE(read_file(fs, again.files()[i]) == read_file(fs, reader.files()[i]))
          << reader.files()[i];
    }
  }
  EXPECT_GE(bundles, 2);
}

}  // namespace
}  // namespace assay::format
