#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "assay/format/npy.h"
#include "tests/cli/program.h"
#include "tests/support/fixtures.h"

namespace assay::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// y = x * w where w is a variable, n counts up; one op that nobody knows, not needed by either.
constexpr const char* kGraph = R"(
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
       attr { key: "shape" value { shape { unknown_rank: true } } } }
node { name: "label" op: "Placeholder" attr { key: "dtype" value { type: DT_STRING } }
       attr { key: "shape" value { shape { } } } }
node { name: "same" op: "Identity" input: "label" attr { key: "T" value { type: DT_STRING } } }
node { name: "fc1/w" op: "VariableV2" attr { key: "dtype" value { type: DT_FLOAT } }
       attr { key: "shape" value { shape { } } } attr { key: "container" value { s: "" } }
       attr { key: "shared_name" value { s: "" } } }
node { name: "fc1/w/value" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } }
       attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape { } float_val: 3 } } } }
node { name: "fc1/w/Assign" op: "Assign" input: "fc1/w" input: "fc1/w/value"
       attr { key: "T" value { type: DT_FLOAT } } attr { key: "use_locking" value { b: true } }
       attr { key: "validate_shape" value { b: true } } }
node { name: "fc1/w/read" op: "Identity" input: "fc1/w" attr { key: "T" value { type: DT_FLOAT } } }
node { name: "fc1/mul" op: "Mul" input: "x" input: "fc1/w/read"
       attr { key: "T" value { type: DT_FLOAT } } }
node { name: "count" op: "AssignAdd" input: "fc1/w" input: "fc1/w/value"
       attr { key: "T" value { type: DT_FLOAT } } attr { key: "use_locking" value { b: false } } }
node { name: "strange" op: "FrobnicateV7" input: "x" }
node { name: "needs_strange" op: "Identity" input: "strange"
       attr { key: "T" value { type: DT_FLOAT } } }
versions { producer: 134 }
)";

class RunTest : public ::testing::Test {
 protected:
  RunTest() { write("g.pbtxt", kGraph); }

  std::string path(const std::string& name) const { return folder_ / name; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  Finished run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"run", path("g.pbtxt")});
    return assay(arguments);
  }
  static void expect_one_line(const Finished& f, int code) {
    EXPECT_EQ(f.code, code) << f.err;
    EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), 1) << f.err;
    EXPECT_THAT(f.err, StartsWith("assay: "));
  }

  TemporaryFolder folder_;
};

TEST_F(RunTest, FetchesWhatWasFed) {
  Finished f = run({"--init", "fc1/w/Assign", "--feed", "x=0.1", "--fetch", "fc1/mul"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(f.out, "fc1/mul = 0.300000012\n");
  format::write_npy(path("x.npy"), Tensor::of<float>({1, 2, 3}));
  f = run({"--init", "fc1/w/Assign", "--feed", "x:0=" + path("x.npy"), "--feed", "label=a b",
           "--fetch", "fc1/mul:0", "--fetch", "same"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.out, HasSubstr("fc1/mul:0 = float32[3] [3 6 9]\n"));
  EXPECT_THAT(f.out, HasSubstr("a b"));
}

TEST_F(RunTest, WritesNpyFilesByName) {
  const Finished f = run(
      {"--init", "fc1/w/Assign", "--feed", "x=2", "--fetch", "fc1/mul:0", "--out", path("a/b")});
  ASSERT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(format::read_npy(path("a/b") + "/fc1__mul.0.npy").item<float>(), 6);
}

TEST_F(RunTest, RepeatsPrintEachRunsScalarsOrTheStatistics) {
  Finished f = run({"--init", "fc1/w/Assign", "--repeat", "3", "--fetch", "count"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(f.out, "run 1  count = 6\nrun 2  count = 9\nrun 3  count = 12\n");
  f = run({"--init", "fc1/w/Assign", "--repeat", "50", "--stats", "--target", "count"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_TRUE(std::regex_match(f.out, std::regex("runs 50  median [0-9.]+ us  min [0-9.]+ us\n")))
      << f.out;
}

TEST_F(RunTest, UnknownOpsMatterOnlyWhereNeeded) {
  const Finished f = run({"--feed", "x=1", "--fetch", "needs_strange"});
  expect_one_line(f, 1);
  EXPECT_THAT(f.err, HasSubstr("FrobnicateV7"));
  EXPECT_THAT(f.err, HasSubstr("strange"));
}

TEST_F(RunTest, MistakesAreOneLine) {
  expect_one_line(run({}), 2);
  expect_one_line(run({"--fetch", "fc1/mul", "--feed", "x"}), 2);
  expect_one_line(run({"--fetch", "fc1/mul", "--feed", "x=abc"}), 2);
  Finished f = run({"--init", "fc1/w/Assign", "--fetch", "fc1/mul"});
  expect_one_line(f, 1);
  EXPECT_THAT(f.err, HasSubstr("'x'"));
  f = run({"--feed", "x=1", "--fetch", "fc1/mul"});
  expect_one_line(f, 1);
  EXPECT_THAT(f.err, HasSubstr("fc1/w"));
  f = run({"--fetch", "fc1/mull"});
  expect_one_line(f, 1);
  EXPECT_THAT(f.err, HasSubstr("fc1/mul"));
  format::write_npy(path("x.npy"), Tensor::of<double>({1, 2, 3}));
  f = run({"--init", "fc1/w/Assign", "--fetch", "fc1/mul", "--feed", "x=" + path("x.npy")});
  expect_one_line(f, 1);
  EXPECT_THAT(f.err, HasSubstr("float64"));
  EXPECT_THAT(f.err, HasSubstr("float32"));
  expect_one_line(run({"--fetch", "fc1/mul", "--feed", "x=" + path("none.npy")}), 1);
}

TEST_F(RunTest, BadGraphsAreOneLine) {
  const auto expect_bad = [&](const std::string& text, const std::string& message) {
    write("bad.pbtxt", text);
    const Finished f = assay({"run", path("bad.pbtxt"), "--fetch", "a"});
    expect_one_line(f, 1);
    EXPECT_THAT(f.err, HasSubstr(message));
  };
  expect_bad(
      "node { name: 'a' op: 'Identity' input: 'b' attr { key: 'T' value { type: DT_FLOAT } } }"
      "node { name: 'b' op: 'Identity' input: 'a' attr { key: 'T' value { type: DT_FLOAT } } }",
      "cycl");
  expect_bad(
      "node { name: 'a' op: 'Identity' input: 'zzz' attr { key: 'T' value { type: DT_FLOAT } } }",
      "zzz");
  expect_bad("node { name: 'a' op: 'Ident", "bad.pbtxt");
  expect_bad("", "bad.pbtxt");
  expect_one_line(assay({"run", path("none.pb"), "--fetch", "a"}), 1);
  write("cut.pb", std::string("\x0a\x40\x0a\x01x\x12", 6));
  const Finished cut = assay({"run", path("cut.pb"), "--fetch", "x"});
  expect_one_line(cut, 1);
  EXPECT_THAT(cut.err, HasSubstr("cut.pb"));
}

TEST_F(RunTest, InspectSaysWhatAGraphHolds) {
  Finished f = assay({"inspect", path("g.pbtxt")});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.out, HasSubstr("11 nodes"));
  EXPECT_THAT(f.out, HasSubstr("not supported by Assay: FrobnicateV7 1"));
  EXPECT_THAT(f.out, HasSubstr("fc1/w"));
  f = assay({"inspect", path("g.pbtxt"), "--json"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.out, HasSubstr("\"nodes\": 11"));
  expect_one_line(assay({"inspect", path("nothing")}), 1);
}

TEST_F(RunTest, InspectReadsRecordedFiles) {
  ASSAY_SHARED_OR_SKIP(tf1, "fixtures/tf1");
  int seen = 0;
  for (const char* kind : {"checkpoints", "events", "graphs", "tfrecords", "savedmodels"}) {
    for (const auto& entry : fs::recursive_directory_iterator(tf1 / kind)) {
      const std::string name = entry.path().filename().string();
      const bool wanted = name.ends_with(".index") || name.ends_with(".meta") ||
                          name.ends_with(".pb") || name.ends_with(".pbtxt") ||
                          name.ends_with(".tfrecord") || name.ends_with(".tfrecords") ||
                          name.find("tfevents") != std::string::npos;
      if (!entry.is_regular_file() || !wanted || name == "projector_config.pbtxt") continue;
      ++seen;
      const Finished f = assay({"inspect", entry.path().string(), "--json"});
      EXPECT_EQ(f.signal, 0) << entry.path();
      EXPECT_EQ(f.code, 0) << entry.path() << f.err;
    }
  }
  EXPECT_GT(seen, 10);
}

TEST_F(RunTest, OpsAreListed) {
  const Finished f = assay({"ops", "--markdown"});
  EXPECT_EQ(f.code, 0);
  EXPECT_THAT(f.out, HasSubstr("| `Identity` |"));
}

}  // namespace
}  // namespace assay::testing
