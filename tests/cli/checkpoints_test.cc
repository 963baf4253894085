#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "assay/format/bundle_reader.h"
#include "assay/format/bundle_writer.h"
#include "assay/format/npy.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/run_dir.h"
#include "assay/train/saver_files.h"
#include "tests/cli/program.h"
#include "tests/support/fixtures.h"

namespace assay::testing {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

class CheckpointsTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }

  /// A checkpoint as a Saver writes it, with a loss of 1 / step.
  void save(const std::string& name, float first = 1, const std::string& rules = "last 5") const {
    const std::string prefix = path(name);
    format::BundleWriter writer(prefix);
    writer.add("fc/w", Tensor::of<float>({first, -2, 0, 4}, {2, 2}));
    writer.add_slice("rows", {3}, format::TensorSlice::parse("0,2"), Tensor::of<float>({1, 2}));
    writer.add_slice("rows", {3}, format::TensorSlice::parse("2,1"), Tensor::of<float>({3}));
    writer.add("fc/b", Tensor::of<std::int64_t>({7}));
    const auto step = train::checkpoint_step(prefix);
    const auto extras = train::extra_tensors(
        {{"epoch", Tensor::scalar(2)}}, {{"loss", 1 / static_cast<double>(step)}}, step, rules);
    for (const auto& [key, value] : extras) writer.add(key, value);
    writer.finish();
    auto state =
        train::get_checkpoint_state(parent_directory(prefix)).value_or(train::CheckpointState{});
    state.model_checkpoint_path = prefix;
    state.all_model_checkpoint_paths.push_back(prefix);
    train::update_checkpoint_state(parent_directory(prefix), state);
  }
  void damage(const std::string& name) const {
    std::fstream file(path(name) + ".data-00000-of-00001",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.write("?", 1);
  }

  static Finished run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "checkpoints");
    return assay(arguments);
  }
  static Json run_json(std::vector<std::string> arguments, int code = 0) {
    arguments.emplace_back("--json");
    const Finished f = run(arguments);
    EXPECT_EQ(f.code, code) << f.err;
    EXPECT_EQ(f.err, "");
    return Json::parse(f.out);
  }
  static void expect_one_line(const Finished& f, int code, const std::string& text) {
    EXPECT_EQ(f.code, code) << f.err;
    EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), 1) << f.err;
    EXPECT_THAT(f.err, StartsWith("assay: "));
    EXPECT_THAT(f.err, HasSubstr(text));
    EXPECT_EQ(f.out, "");
  }

  TemporaryFolder folder_;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

TEST_F(CheckpointsTest, ListsNone) {
  const Finished f = run({"ls", folder_.path()});
  EXPECT_EQ(f.code, 0);
  EXPECT_EQ(f.out, fmt::format("no checkpoints in {}\n", folder_.path().string()));
  EXPECT_EQ(run_json({"ls", folder_.path()})["checkpoints"], Json::array());
}

TEST_F(CheckpointsTest, ListsWithWhatEachIsKeptFor) {
  save("m-9");
  save("m-10", 1, "last 1");
  save("m-1000", 1, "last 1, best 1 by loss (max)");
  const auto lines = lines_of(run({"ls", folder_.path()}).out);
  ASSERT_EQ(lines.size(), 9U);
  EXPECT_THAT(lines[0], StartsWith("3 checkpoints in "));
  EXPECT_EQ(lines[1], "rules: last 1, best 1 by loss (max)");
  const std::string form = " +[0-9]+ s +[0-9.]+ k?B  sound  loss ";
  EXPECT_THAT(lines[4], MatchesRegex(R"(\*  m-1000  1000)" + form + "0.001 +newest 1"));
  EXPECT_THAT(lines[5],
              MatchesRegex("   m-10      10" + form + R"(0.1 +\(the next save deletes it\))"));
  EXPECT_THAT(lines[6], MatchesRegex("   m-9        9" + form + "0.111111 +best 1 of loss"));
  // Columns begin where their names do.
  EXPECT_EQ(lines[3].find("kept because"), lines[4].find("newest 1"));
  EXPECT_EQ(lines[3].find("state"), lines[4].find("sound"));
}

TEST_F(CheckpointsTest, ListsDamagedAndSetAside) {
  save("m-1");
  save("m-2");
  save("m-3");
  damage("m-1");
  damage("m-2");
  train::set_aside_checkpoint(path("m-2"));
  const Finished f = run({"ls", folder_.path()});
  EXPECT_EQ(f.code, 0);
  EXPECT_THAT(f.out, HasSubstr("sound    loss 0.333333  newest 5"));
  EXPECT_THAT(f.out, HasSubstr("damaged  loss 1         newest 5"));
  EXPECT_THAT(f.out, HasSubstr("damaged  loss 0.5       set aside"));
  EXPECT_THAT(f.out, HasSubstr("what is wrong:\n  'fc/w' in the checkpoint"));
  const Json list = run_json({"ls", folder_.path()})["checkpoints"];
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0]["newest"], true);
  EXPECT_EQ(list[1]["state"], "damaged");
  EXPECT_EQ(list[1]["damage"][0]["tensor"], "fc/w");
  EXPECT_EQ(list[1]["damage"][0]["offset"], 0);
  EXPECT_EQ(list[1]["damage"][0]["file"], path("m-1.data-00000-of-00001"));
  EXPECT_EQ(list[2]["set_aside"], true);
  EXPECT_EQ(list[2]["step"], 2);
  const Json quick = run_json({"ls", "--quick", folder_.path()})["checkpoints"];
  EXPECT_EQ(quick[1]["state"], "unchecked");
  EXPECT_EQ(quick[1]["metrics"]["loss"], 1);
}

TEST_F(CheckpointsTest, ShowsTensorsAndTheRestApart) {
  save("m-1");
  const Finished f = run({"show", path("m-1")});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.out, StartsWith(path("m-1") + ": 3 tensors, "));
  EXPECT_THAT(f.out, HasSubstr("  fc/b         int64    [1]     8 B      28\n"
                               "  fc/w         float32  [2,2]  16 B       0\n"
                               "  rows         float32  [3]    12 B\n"
                               "    slice 0,2           [2]     8 B      16\n"
                               "    slice 2,1           [1]     4 B      24\n"
                               "what else the run needs (6 tensors):\n"));
  EXPECT_THAT(f.out, HasSubstr("\n  _assay/metric/loss       float64"));
  const Json json = run_json({"show", path("m-1.index")});
  EXPECT_EQ(json["prefix"], path("m-1"));
  EXPECT_EQ(json["tensors"].size(), 3U);
  EXPECT_EQ(json["tensors"][1]["name"], "fc/w");
  EXPECT_EQ(json["tensors"][1]["shape"], Json::parse("[2,2]"));
  EXPECT_EQ(json["tensors"][1]["file"], path("m-1.data-00000-of-00001"));
  EXPECT_EQ(json["tensors"][2]["slices"][1]["offset"], 24);
  EXPECT_EQ(json["run_state"].size(), 6U);
}

TEST_F(CheckpointsTest, ShowsOneTensor) {
  save("m-1", std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(run({"show", path("m-1"), "--tensor", "fc/w:0"}).out,
            "fc/w float32[2,2] [[nan -2] [0 4]]\n");
  EXPECT_EQ(run({"show", path("m-1"), "--tensor", "rows", "--values", "2"}).out,
            "rows float32[3] [1 2 ...]\n");
  Json json = run_json({"show", path("m-1"), "--tensor", "fc/w", "--values", "3"});
  EXPECT_EQ(json["values"], Json::parse(R"(["nan", -2, 0])"));
  EXPECT_EQ(json["shortened"], true);
  json = run_json({"show", path("m-1"), "--tensor", "fc/w", "--stats"})["stats"];
  EXPECT_EQ(json["min"], -2);
  EXPECT_EQ(json["max"], 4);
  EXPECT_EQ(json["nan"], 1);
  EXPECT_EQ(json["zeros"], 1);
  EXPECT_NEAR(json["mean"].get<double>(), 2.0 / 3, 1e-12);
  EXPECT_THAT(run({"show", path("m-1"), "--tensor", "fc/b", "--stats"}).out,
              HasSubstr("  max    7\n"));
  EXPECT_EQ(run({"show", path("m-1"), "--tensor", "rows", "--npy", path("r.npy")}).code, 0);
  EXPECT_THAT(format::read_npy(path("r.npy")).to_vector<float>(), ElementsAre(1, 2, 3));
  expect_one_line(run({"show", path("m-1"), "--tensor", "fc/v"}), 1, "did you mean 'fc/");
  expect_one_line(run({"show", path("m-1"), "--stats"}), 2, "--tensor");
  expect_one_line(run({"show", path("m-1"), "--tensor", "rows", "--stats", "--npy", path("x")}), 2,
                  "one of");
  expect_one_line(run({"show", path("m-7")}), 1, "there is no checkpoint");
}

TEST_F(CheckpointsTest, Compares) {
  save("m-1");
  save("m-2", 3);
  EXPECT_EQ(run({"diff", path("m-1"), path("m-1")}).code, 0);
  Finished f = run({"diff", path("m-1"), path("m-2"), "--variables-only"});
  EXPECT_EQ(f.code, 1);
  EXPECT_THAT(f.out, HasSubstr("fc/w                     1                   2\n"));
  EXPECT_THAT(f.out,
              HasSubstr("different: 2 tensors identical to the bit, 1 with other values (by up to "
                        "2, in fc/w)\n"));
  format::BundleWriter writer(path("other"));
  writer.add("fc/w", Tensor::of<double>({1}));
  writer.add("rows", Tensor::of<float>({1}));
  writer.add("new", Tensor::of<float>({1}));
  writer.finish();
  const Json json = run_json({"diff", path("m-1"), path("other"), "--variables-only"}, 1);
  EXPECT_EQ(json["equal"], false);
  EXPECT_EQ(json["only_in_a"], Json::parse(R"(["fc/b"])"));
  EXPECT_EQ(json["only_in_b"], Json::parse(R"(["new"])"));
  EXPECT_EQ(json["dtype_differs"][0],
            Json::parse(R"({"name": "fc/w", "a": "float32", "b": "float64"})"));
  EXPECT_EQ(json["shape_differs"][0], Json::parse(R"({"name": "rows", "a": "[3]", "b": "[1]"})"));
  EXPECT_EQ(run_json({"diff", path("m-1"), path("m-1")})["equal"], true);
  // 1 says that two differ; what keeps them from being compared is 2.
  expect_one_line(run({"diff", path("m-1"), path("none")}), 2, "there is no checkpoint");
  damage("m-2");
  expect_one_line(run({"diff", path("m-1"), path("m-2")}), 2, "is damaged");
}

TEST_F(CheckpointsTest, Verifies) {
  save("run/m-1");
  save("run/m-2");
  save("m-3");
  Finished f = run({"verify", path("run"), path("m-3")});
  EXPECT_EQ(f.code, 0) << f.out;
  EXPECT_THAT(f.out, HasSubstr("3 checkpoints: 3 sound, 0 not\n"));
  damage("run/m-1");
  f = run({"verify", path("run")});
  EXPECT_EQ(f.code, 1);
  EXPECT_THAT(f.out, HasSubstr("sound       " + path("run/m-2") + "  9 tensors, "));
  EXPECT_THAT(f.out, HasSubstr("damaged     " + path("run/m-1") + "  8 tensors, "));
  EXPECT_THAT(f.out, HasSubstr("wrong checksum (" + path("run/m-1.data-00000-of-00001") +
                               ", 16 bytes at 0)"));
  const Json json = run_json({"verify", path("run"), path("m-3")}, 1);
  EXPECT_EQ(json["sound"], false);
  EXPECT_EQ(json["checkpoints"][1]["state"], "damaged");
  EXPECT_EQ(json["checkpoints"][1]["damage"][0]["tensor"], "fc/w");
  EXPECT_EQ(json["checkpoints"][2]["damage"], Json::array());
  expect_one_line(run({"verify", path("run"), path("none")}), 1, "there is no checkpoint");
  fs::create_directory(path("empty"));
  expect_one_line(run({"verify", path("empty")}), 1, "holds no checkpoint");
  expect_one_line(run({"verify"}), 2, "PATH");
}

TEST_F(CheckpointsTest, Renames) {
  save("m-1");
  Finished f = run({"rename", "fc/=dense/;s/^rows$/table/", path("m-1"), path("n-1")});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.out, StartsWith("fc/b -> dense/b\nfc/w -> dense/w\nrows -> table\n9 tensors of "));
  const format::BundleReader reader(path("n-1"));
  EXPECT_EQ(reader.at("table").slices.size(), 2U);
  EXPECT_EQ(reader.at("dense/w").offset, 0U);
  EXPECT_NE(reader.find("_assay/epoch"), nullptr);
  std::ofstream(path("map.txt")) << "# names of the new model\nfc/w = w\n";
  const Json json = run_json({"rename", path("map.txt"), path("m-1"), path("n-2")});
  EXPECT_EQ(json["renamed"], Json::parse(R"([{"from": "fc/w", "to": "w"}])"));
  expect_one_line(run({"rename", "fc/w=w", path("m-1"), path("n-1")}), 1, "--force");
  EXPECT_EQ(run({"rename", "fc/w=w", path("m-1"), path("n-1"), "--force"}).code, 0);
  expect_one_line(run({"rename", "fc/w=w", path("m-1"), path("m-1"), "--force"}), 1, "itself");
  expect_one_line(run({"rename", "fc/w=fc/b", path("m-1"), path("o")}), 1, "both be named 'fc/b'");
  expect_one_line(run({"rename", "fc/v=w", path("m-1"), path("o")}), 1, "did you mean");
  expect_one_line(run({"rename", "s/zzz/w/", path("m-1"), path("o")}), 1, "matches no name");
  expect_one_line(run({"rename", "s/(/w/", path("m-1"), path("o")}), 2, "no regular expression");
  expect_one_line(run({"rename", "fc/w", path("m-1"), path("o")}), 2, "no file and no rule");
  EXPECT_FALSE(fs::exists(path("o.index")));
}

TEST_F(CheckpointsTest, Copies) {
  save("m-1");
  std::ofstream(path("m-1.meta")) << "";
  fs::create_directory(path("there"));
  Finished f = run({"copy", path("m-1"), path("there")});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.out, HasSubstr("each verified; with its .meta\n"));
  EXPECT_EQ(read_file(posix_file_system(), path("m-1.index")),
            read_file(posix_file_system(), path("there/m-1.index")));
  EXPECT_TRUE(fs::exists(path("there/m-1.meta")));
  Json json = run_json({"copy", "--variables-only", path("m-1"), path("there/v")});
  EXPECT_EQ(json["tensors"], 3);
  EXPECT_EQ(json["left_out"].size(), 6U);
  expect_one_line(run({"copy", path("m-1"), path("there/v")}), 1, "--force");
  damage("m-1");
  expect_one_line(run({"copy", path("m-1"), path("x")}), 1, "is damaged");
  EXPECT_FALSE(fs::exists(path("x.index")));
  expect_one_line(run({"copy", path("m-1")}), 2, "DST");
}

TEST_F(CheckpointsTest, Prunes) {
  for (const char* name : {"m-1", "m-2", "m-3", "m-4"}) save(name, 1, "last 2");
  EXPECT_EQ(run({"pin", path("m-1")}).code, 0);
  format::BundleWriter theirs(path("theirs"));
  theirs.add("w", Tensor::scalar(1));
  theirs.finish();
  Finished f = run({"prune", folder_.path(), "--dry-run"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.out, HasSubstr("rules: last 2\n"));
  EXPECT_THAT(f.out, MatchesRegex("(.|\n)*stays +m-4 .*newest 2\nstays +m-3 .*newest 2\n"
                                  "would go +m-2 .*B\nstays +m-1 .*pinned\n"
                                  "stays +theirs .*not written here\n"
                                  "1 checkpoint would go, .*; 4 stay\n"));
  EXPECT_TRUE(fs::exists(path("m-2.index")));
  const Json json =
      run_json({"prune", folder_.path(), "--keep-best", "1", "--metric", "loss", "--dry-run"});
  EXPECT_EQ(json["rules"], Json::array({"last 1, best 1 by loss (min)"}));
  EXPECT_EQ(json["dry_run"], true);
  EXPECT_EQ(json["deleted"], 2);
  EXPECT_EQ(json["checkpoints"][1]["name"], "m-3");
  EXPECT_EQ(json["checkpoints"][1]["would_delete"], true);
  EXPECT_EQ(json["checkpoints"][1]["deleted"], false);
  EXPECT_EQ(run({"prune", folder_.path()}).code, 0);
  EXPECT_FALSE(fs::exists(path("m-2.index")));
  EXPECT_EQ(run({"unpin", path("m-1")}).code, 0);
  EXPECT_EQ(run({"prune", folder_.path(), "--keep-last", "1"}).code, 0);
  EXPECT_FALSE(fs::exists(path("m-1.index")));
  EXPECT_TRUE(fs::exists(path("m-4.index")));
  EXPECT_TRUE(fs::exists(path("theirs.index")));
  EXPECT_THAT(train::get_checkpoint_state(folder_.path())->all_model_checkpoint_paths,
              ElementsAre(path("m-4")));
  EXPECT_THAT(run({"prune", folder_.path()}).out, HasSubstr("nothing to delete; 2 stay\n"));
}

TEST_F(CheckpointsTest, PruneAsksForRules) {
  save("m-1", 1, "");
  expect_one_line(run({"prune", folder_.path()}), 2, "--keep-last");
  expect_one_line(run({"prune", folder_.path(), "--keep-last", "0"}), 2, "whole number");
  expect_one_line(run({"prune", folder_.path(), "--keep-best", "1"}), 2, "--metric");
  expect_one_line(run({"prune", folder_.path(), "--keep-every-hours", "-1"}), 2, "above 0");
  expect_one_line(run({"prune", path("none"), "--keep-last", "1"}), 1, "there is no folder");
}

TEST_F(CheckpointsTest, PruneLeavesARunAloneThatIsBeingTrained) {
  train::open_run_dir(path("run"), {.model = "m"});
  save("run/checkpoints/m-1");
  save("run/checkpoints/m-2");
  EXPECT_THAT(run({"ls", path("run")}).out, HasSubstr("2 checkpoints in "));
  {
    const auto lock = train::lock_run_dir(path("run"));
    expect_one_line(run({"prune", path("run/checkpoints"), "--keep-last", "1"}), 1,
                    "another process");
    EXPECT_EQ(run({"prune", path("run"), "--keep-last", "1", "--dry-run"}).code, 0);
  }
  EXPECT_EQ(run({"prune", path("run"), "--keep-last", "1"}).code, 0);
  EXPECT_FALSE(fs::exists(path("run/checkpoints/m-1.index")));
}

TEST_F(CheckpointsTest, Pins) {
  save("m-1");
  EXPECT_EQ(run_json({"pin", path("m-1.index")})["pinned"][0], path("m-1"));
  EXPECT_EQ(run_json({"ls", folder_.path()})["checkpoints"][0]["pinned"], true);
  EXPECT_EQ(run_json({"unpin", path("m-1")})["unpinned"].size(), 1U);
  EXPECT_THAT(run({"unpin", path("m-1")}).out, HasSubstr("was not pinned"));
  expect_one_line(run({"pin", path("m-2")}), 1, "there is no checkpoint");
}

TEST_F(CheckpointsTest, WrongUsage) {
  expect_one_line(run({}), 2, "assay checkpoints --help");
  expect_one_line(run({"list"}), 2, "there is no command 'list'");
  expect_one_line(run({"ls"}), 2, "DIR");
  expect_one_line(run({"ls", folder_.path(), "--colour"}), 2, "--colour");
  expect_one_line(run({"ls", path("none")}), 1, "there is no folder");
  for (const char* command :
       {"ls", "show", "diff", "verify", "rename", "copy", "prune", "pin", "unpin"}) {
    const Finished f = run({command, "--help"});
    EXPECT_EQ(f.code, 0);
    EXPECT_THAT(f.out, HasSubstr("--json")) << command;
  }
}

TEST_F(CheckpointsTest, TensorFlowsOwn) {
  const auto shared = shared_path("fixtures/tf1/checkpoints");
  if (!shared) GTEST_SKIP() << "needs ../shared";
  const std::string v1 = *shared / "v1-bnconv-adam-hardmaru";
  EXPECT_EQ(run_json({"ls", v1})["checkpoints"][0]["format"], 1);
  const Json shown = run_json({"show", v1 + "/model.ckpt-0"});
  EXPECT_EQ(shown["tensors"].size(), 38U);
  EXPECT_EQ(run({"verify", v1, *shared / "two-shards-savedmodel-variables"}).code, 0);
  EXPECT_EQ(run({"copy", v1, path("v2")}).code, 0);
  EXPECT_EQ(run_json({"show", path("v2")})["format"], 2);
  EXPECT_EQ(run({"diff", v1, path("v2")}).code, 0);
  const Json sharded = run_json({"ls", *shared / "v1-half-plus-two-nvidia"});
  EXPECT_THAT(sharded["checkpoints"][0]["name"], "export");
  EXPECT_THAT(run({"verify", *shared / "cifar-cnn-graph-udacity"}).out, HasSubstr("is missing"));
}

}  // namespace
}  // namespace assay::testing
