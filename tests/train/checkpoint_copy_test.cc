#include "assay/train/checkpoint_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/base/fault_file_system.h"
#include "assay/base/memory_file_system.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/bundle_writer.h"
#include "assay/train/checkpoint_check.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::train {
namespace {

using assay::testing::code_of;
using assay::testing::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

/// Tensors in an order that is not that of their names, one in parts, one that is no variable.
void write(FileSystem& disk, const std::string& prefix, float first = 1) {
  format::BundleWriter writer(prefix, disk);
  writer.add("z", Tensor::of<float>({first, 2}));
  writer.add("empty", Tensor::zeros(float32, {0, 3}));
  writer.add_slice("rows", {3}, format::TensorSlice::parse("2,1"), Tensor::of<float>({30}));
  writer.add("_assay/epoch", Tensor::scalar(3));
  writer.add_slice("rows", {3}, format::TensorSlice::parse("0,2"), Tensor::of<float>({10, 20}));
  writer.add("a", Tensor::of<std::string>({"x", "yz"}));
  writer.finish();
  const auto meta = disk.open_write(prefix + ".meta");
  meta->append("the graph");
  meta->sync();
  meta->close();
}

std::vector<std::string> names_of(FileSystem& disk, const std::string& prefix) {
  std::vector<std::string> names;
  const auto reader = format::CheckpointReader::open(prefix, disk);
  for (const auto& [name, entry] : reader->entries()) names.push_back(name);
  return names;
}

TEST(CheckpointCopy, IsByteForByteTheSame) {
  MemoryFileSystem disk;
  write(disk, "m");
  const auto report = copy_checkpoint("m", "there/n", {}, disk);
  EXPECT_EQ(report.tensors, 5);
  EXPECT_TRUE(report.meta);
  for (const char* suffix : {".index", ".data-00000-of-00001", ".meta"}) {
    EXPECT_EQ(read_file(disk, std::string("m") + suffix),
              read_file(disk, std::string("there/n") + suffix))
        << suffix;
  }
}

TEST(CheckpointCopy, VariablesOnly) {
  MemoryFileSystem disk;
  write(disk, "m");
  const auto report = copy_checkpoint("m", "n", {.variables_only = true}, disk);
  EXPECT_THAT(report.left_out, ElementsAre("_assay/epoch"));
  EXPECT_THAT(names_of(disk, "n"), ElementsAre("a", "empty", "rows", "z"));
}

TEST(CheckpointCopy, RenamesWithOrderAndPartsKept) {
  MemoryFileSystem disk;
  write(disk, "m");
  const auto report = copy_checkpoint(
      "m", "n", {.meta = false, .rename = [](const std::string& n) { return "x/" + n; }}, disk);
  EXPECT_THAT(report.renamed, ElementsAre(Pair("a", "x/a"), Pair("empty", "x/empty"),
                                          Pair("rows", "x/rows"), Pair("z", "x/z")));
  EXPECT_THAT(names_of(disk, "n"), ElementsAre("_assay/epoch", "x/a", "x/empty", "x/rows", "x/z"));
  EXPECT_EQ(read_file(disk, "m.data-00000-of-00001"), read_file(disk, "n.data-00000-of-00001"));
  EXPECT_FALSE(disk.exists("n.meta"));
  const format::BundleReader reader("n", disk);
  EXPECT_EQ(reader.at("x/rows").slices.size(), 2U);
  EXPECT_THAT(reader.read("x/rows").to_vector<float>(), ElementsAre(10, 20, 30));
}

TEST(CheckpointCopy, Refuses) {
  MemoryFileSystem disk;
  write(disk, "m");
  write(disk, "n", 7);
  EXPECT_EQ(code_of([&] { copy_checkpoint("m", "n", {}, disk); }), Code::kAlreadyExists);
  EXPECT_EQ(code_of([&] { copy_checkpoint("m", "./m", {.overwrite = true}, disk); }),
            Code::kInvalidArgument);
  EXPECT_EQ(code_of([&] { copy_checkpoint("none", "o", {}, disk); }), Code::kNotFound);
  const auto to = [&](const std::string& name) {
    return error_of([&] {
      copy_checkpoint("m", "o", {.rename = [&](const std::string&) { return name; }}, disk);
    });
  };
  EXPECT_EQ(to("q").message(), "'a' and 'empty' in the checkpoint 'm' would both be named 'q'");
  EXPECT_EQ(to("").code(), Code::kInvalidArgument);
  EXPECT_EQ(to("_assay/q").code(), Code::kInvalidArgument);
  EXPECT_FALSE(disk.exists("o.index"));
  copy_checkpoint("m", "n", {.overwrite = true}, disk);
  EXPECT_EQ(format::BundleReader("n", disk).read("z").to_vector<float>()[0], 1);
  // The graph of what was replaced would be another one's.
  copy_checkpoint("m", "n", {.overwrite = true, .meta = false}, disk);
  EXPECT_FALSE(disk.exists("n.meta"));
}

TEST(CheckpointCopy, DamageStopsIt) {
  MemoryFileSystem disk;
  write(disk, "m");
  std::string bytes = read_file(disk, "m.data-00000-of-00001");
  bytes.back() = '?';
  disk.open_write("m.data-00000-of-00001")->append(bytes);
  const Error e = error_of([&] { copy_checkpoint("m", "n", {}, disk); });
  EXPECT_EQ(e.code(), Code::kDataLoss);
  EXPECT_THAT(e.message(), HasSubstr("'a'"));
  for (const std::string& name : disk.list(".")) EXPECT_FALSE(name.starts_with("n")) << name;
}

TEST(CheckpointCopy, InterruptedAnywhereItIsThereWholeOrNotAtAll) {
  int steps = 0;
  {
    MemoryFileSystem disk;
    write(disk, "m");
    FaultyFileSystem faulty(disk);
    copy_checkpoint("m", "n", {}, faulty);
    steps = faulty.steps();
  }
  ASSERT_GT(steps, 5);
  for (int step = 0; step < steps; ++step) {
    for (const bool there : {false, true}) {
      MemoryFileSystem disk;
      write(disk, "m");
      if (there) write(disk, "n", 7);
      FaultyFileSystem faulty(disk);
      faulty.set_fault(step, FaultyFileSystem::Fault::kKill);
      EXPECT_EQ(code_of([&] { copy_checkpoint("m", "n", {.overwrite = true}, faulty); }),
                Code::kAborted);
      disk.cut_power(false);
      EXPECT_TRUE(check_checkpoint("m", disk).damage.size() <= 1);  // "the graph" is none
      if (there || format::CheckpointReader::exists("n", disk)) {
        const float z = format::BundleReader("n", disk).read("z").to_vector<float>()[0];
        EXPECT_TRUE(z == 1 || (there && z == 7)) << step;
      }
    }
  }
}

TEST(CheckpointCopy, FromV1AndFromShards) {
  const auto folder = assay::testing::shared_path("fixtures/tf1/checkpoints");
  if (!folder) GTEST_SKIP() << "needs ../shared";
  assay::testing::TemporaryFolder out;
  for (const char* prefix :
       {"v1-bnconv-adam-hardmaru/model.ckpt-0", "two-shards-embedding-tf2/keras_embedding.ckpt-0",
        "all-dtypes-tf115/all", "estimator-dnn-partitioned-adagrad-hiroki/model.ckpt-0"}) {
    const std::string source = (*folder / prefix).string();
    copy_checkpoint(source, out / "copy", {.overwrite = true});
    const auto from = format::CheckpointReader::open(source);
    const auto to = format::CheckpointReader::open(out / "copy");
    EXPECT_EQ(to->version(), 2);
    ASSERT_EQ(from->entries().size(), to->entries().size());
    for (const auto& [name, entry] : from->entries()) {
      EXPECT_TRUE(from->read(name).identical(to->read(name))) << name;
      EXPECT_EQ(entry.slices.size(), to->at(name).slices.size()) << name;
    }
  }
}

TEST(RenameRules, Pairs) {
  const auto rules = RenameRules::parse("a=b, fc/=dense/ , fc/w=kernel\n# no rule\n x = y ", "MAP");
  EXPECT_EQ(rules.apply("a"), "b");
  EXPECT_EQ(rules.apply("a/a"), "a/a");
  EXPECT_EQ(rules.apply("fc/w"), "kernel");
  EXPECT_EQ(rules.apply("fc/b"), "dense/b");
  EXPECT_EQ(rules.apply("x"), "y");
  EXPECT_EQ(RenameRules::parse("a/=x/,a/b/=y/", "MAP").apply("a/b/c"), "y/c");
  // Scopes that a substitution could be taken for.
  EXPECT_EQ(RenameRules::parse("s/w=t/w", "MAP").apply("s/w"), "t/w");
  EXPECT_EQ(RenameRules::parse("s/a/w=t/a/w", "MAP").apply("s/a/w"), "t/a/w");
}

TEST(RenameRules, Substitutions) {
  EXPECT_EQ(RenameRules::parse("s/e/E/", "MAP").apply("eel"), "Eel");
  EXPECT_EQ(RenameRules::parse("s/e/E/g", "MAP").apply("eel"), "EEl");
  EXPECT_EQ(RenameRules::parse("s|^fc/(.*)$|dense/$1|", "MAP").apply("fc/w"), "dense/w");
  EXPECT_EQ(RenameRules::parse("s/fc\\/(.)/\\1\\/fc/", "MAP").apply("fc/w"), "w/fc");
  EXPECT_EQ(RenameRules::parse("s/,/;/; s/b/c/", "MAP").apply("a,b"), "a;c");
  EXPECT_EQ(RenameRules::parse("s/a=b/c/", "MAP").apply("a=b"), "c");
  // A pair goes before.
  EXPECT_EQ(RenameRules::parse("s/a/b/;a=c", "MAP").apply("a"), "c");
}

TEST(RenameRules, WhatIsNone) {
  for (const char* text : {"", "# a", "a", "a=", "=a", "a=b=c", "a/=b", "a=b/", "a=b,a=c", "s/a",
                           "s/a/b", "s/(/b/", "s/a/b/x"}) {
    EXPECT_EQ(code_of([&] { RenameRules::parse(text, "MAP"); }), Code::kInvalidArgument) << text;
  }
}

TEST(RenameRules, ThatMatchNothing) {
  const std::vector<std::string> names = {"_assay/q", "fc/bias", "fc/weight"};
  const auto message = [&](const std::string& text) {
    return error_of([&] { RenameRules::parse(text, "MAP").check(names, "m"); }).message();
  };
  EXPECT_EQ(message("fc/weigth=w"),
            "the checkpoint 'm' holds no variable 'fc/weigth'; did you mean 'fc/weight'?");
  EXPECT_THAT(message("conv/=c/"), HasSubstr("no variable under 'conv/'"));
  EXPECT_EQ(message("s/conv/c/"), "'s/conv/c/' matches no name in the checkpoint 'm'");
  EXPECT_THAT(message("s/assay/x/"), HasSubstr("matches no name"));
  // The second is about what the first makes.
  RenameRules::parse("s/fc/conv/;s/conv/c/;fc/bias=b", "MAP").check(names, "m");
}

}  // namespace
}  // namespace assay::train
