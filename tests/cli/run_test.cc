#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "assay/base/file_system.h"
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
  f = run({"--init", "fc1/w/Assign", "--feed", "x=1e-50", "--fetch", "fc1/mul"});
  EXPECT_EQ(f.out, "fc1/mul = 0\n") << f.err;
  expect_one_line(run({"--feed", "x=1e50", "--fetch", "fc1/mul"}), 2);
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

TEST_F(RunTest, EntropyThatWasToldGivesTheSameNumbersAgain) {
  write("random.pbtxt", R"(
node { name: "shape" op: "Const" attr { key: "dtype" value { type: DT_INT32 } }
       attr { key: "value" value { tensor { dtype: DT_INT32 tensor_shape { } int_val: 3 } } } }
node { name: "vector" op: "Reshape" input: "shape" input: "one" attr { key: "T" value { type: DT_INT32 } }
       attr { key: "Tshape" value { type: DT_INT32 } } }
node { name: "one" op: "Const" attr { key: "dtype" value { type: DT_INT32 } }
       attr { key: "value" value { tensor { dtype: DT_INT32 tensor_shape { dim { size: 1 } }
                                            int_val: 1 } } } }
node { name: "u" op: "RandomUniform" input: "vector" attr { key: "T" value { type: DT_INT32 } }
       attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "seed" value { i: 0 } }
       attr { key: "seed2" value { i: 0 } } }
versions { producer: 134 }
)");
  const auto draw = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"run", path("random.pbtxt"), "--fetch", "u"});
    return assay(more);
  };
  const Finished first = draw({});
  ASSERT_EQ(first.code, 0) << first.err;
  std::smatch told;
  ASSERT_TRUE(std::regex_search(first.err, told, std::regex("entropy (0x[0-9a-f]{16})\n")));
  const Finished again = draw({"--entropy", told[1]});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.out, first.out);
  EXPECT_EQ(again.err, "");
  EXPECT_NE(draw({}).out, first.out);
  EXPECT_EQ(draw({"--entropy", "255"}).out, draw({"--entropy", "0xff"}).out);
  EXPECT_EQ(draw({"--entropy", "18446744073709551615"}).code, 0);
  for (const char* wrong : {"x", "-1", "0x", "0x12345678123456781", "18446744073709551616", ""}) {
    expect_one_line(draw({"--entropy", wrong}), 2);
  }
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

// Identities of every kind of value that a flag can give, and one of an op that nobody knows.
TEST_F(RunTest, NumbersTakeTheirPlaceholdersType) {
  std::string graph;
  for (const char* type :
       {"HALF", "BFLOAT16", "DOUBLE", "UINT8", "UINT64", "INT64", "BOOL", "COMPLEX64", "STRING"}) {
    graph += fmt::format(
        "node {{ name: '{0}' op: 'Placeholder' attr {{ key: 'dtype' value {{ type: DT_{0} }} }} }}"
        "node {{ name: '{0}_id' op: 'Identity' input: '{0}'"
        " attr {{ key: 'T' value {{ type: DT_{0} }} }} }}\n",
        type);
  }
  write("types.pbtxt", graph);
  const auto run_type = [&](const std::string& type, const std::string& value,
                            std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"run", path("types.pbtxt"), "--feed", type + "=" + value, "--fetch",
                               type + "_id"});
    return assay(more);
  };
  EXPECT_EQ(run_type("HALF", "1.5").out, "HALF_id = 1.5\n");
  EXPECT_EQ(run_type("BFLOAT16", "3").out, "BFLOAT16_id = 3\n");
  EXPECT_EQ(run_type("UINT64", "18446744073709551615").out, "UINT64_id = 18446744073709551615\n");
  EXPECT_EQ(run_type("INT64", "-7", {"--repeat", "1"}).out, "run 1  INT64_id = -7\n");
  EXPECT_EQ(run_type("DOUBLE", "0.1", {"--repeat", "1"}).out, "run 1  DOUBLE_id = 0.1\n");
  EXPECT_EQ(run_type("BOOL", "true", {"--repeat", "1"}).out, "run 1  BOOL_id = true\n");
  EXPECT_EQ(run_type("HALF", "1e-50").out, "HALF_id = 0\n");
  EXPECT_EQ(run_type("DOUBLE", "-1e-400").out, "DOUBLE_id = -0\n");
  EXPECT_EQ(run_type("DOUBLE", "+1.5").out, "DOUBLE_id = 1.5\n");
  EXPECT_EQ(run_type("INT64", "+3").out, "INT64_id = 3\n");
  EXPECT_EQ(run_type("HALF", "inf").out, "HALF_id = inf\n");
  EXPECT_THAT(run_type("HALF", "70000").err, HasSubstr("'70000' does not fit float16"));
  for (const char* bad : {"1e400", "+-1", "++1", "+", "1e-400x"}) {
    expect_one_line(run_type("DOUBLE", bad), 2);
  }
  expect_one_line(run_type("UINT8", "256"), 2);
  expect_one_line(run_type("INT64", "1.0"), 2);
  const Finished complex = run_type("COMPLEX64", "1");
  expect_one_line(complex, 2);
  EXPECT_THAT(complex.err, HasSubstr("complex64"));
  const Finished text = run_type("STRING", "a", {"--out", path("out")});
  expect_one_line(text, 2);
  EXPECT_THAT(text.err, HasSubstr("STRING_id"));
  EXPECT_FALSE(fs::exists(path("out")));
  const Finished unknown = run({"--feed", "strange=1", "--fetch", "needs_strange"});
  expect_one_line(unknown, 2);
  EXPECT_THAT(unknown.err, HasSubstr(".npy"));
}

TEST_F(RunTest, MessagesSayWhichFlagHelps) {
  Finished f = run({"--feed", "x=1", "--fetch", "fc1/mul"});
  expect_one_line(f, 1);
  EXPECT_THAT(f.err, HasSubstr("--init"));
  f = run({"--init", "fc1/w/Assign", "--fetch", "fc1/mul"});
  expect_one_line(f, 1);
  EXPECT_THAT(f.err, HasSubstr("must be fed a value of float32 of any shape"));
}

TEST_F(RunTest, TakesASavedModelByItsFolder) {
  const Finished none = assay({"run", path("."), "--fetch", "a"});
  expect_one_line(none, 2);
  EXPECT_THAT(none.err, HasSubstr("without a SavedModel"));
  ASSAY_SHARED_OR_SKIP(model, "fixtures/tf1/savedmodels/half-plus-two-pbtxt");
  const Finished f = assay({"run", model.string(), "--init", "init", "--fetch", "a"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(f.out, "a = 0.5\n");
}

TEST_F(RunTest, FilesThatAreNoGraphsAreOneLine) {
  // Protobuf itself reports a string that is not UTF-8 on standard error.
  write("latin.pb", std::string("\x0a\x05\x0a\x03\xff\xfe\xfd", 7));
  write("prose.txt", "It was: the best of times\nit was { the worst\n");
  for (const char* name : {"latin.pb", "prose.txt"}) {
    const Finished f = assay({"run", path(name), "--fetch", "a"});
    expect_one_line(f, 1);
    EXPECT_THAT(f.err, HasSubstr(name));
    expect_one_line(assay({"inspect", path(name)}), 1);
  }
  EXPECT_THAT(assay({"inspect", path("prose.txt")}).err, HasSubstr("no file that assay knows"));
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
  EXPECT_THAT(f.out, HasSubstr("x  float32 of any shape\n"));
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
  EXPECT_EQ(f.out, read_file(posix_file_system(), source_dir() + "/docs/ops.md"));
  EXPECT_THAT(assay({"ops"}).out, HasSubstr("\nIdentity  "));
}

}  // namespace
}  // namespace assay::testing
