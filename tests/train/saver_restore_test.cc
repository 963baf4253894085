// Restore modes, reports, and readers of checkpoints.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/api/variable_scope.h"
#include "assay/base/memory_file_system.h"
#include "assay/train/checkpoint_utils.h"
#include "assay/train/saver.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::train {
namespace {

using assay::testing::code_of;
using assay::testing::error_of;
using assay::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

/// A checkpoint of old/w [3], old/b [1], n (int64).
class SaverRestore : public ::testing::Test {
 protected:
  SaverRestore() {
    disk_.make_directories("run");
    Graph graph;
    GraphScope scope(graph);
    Variable(std::vector<float>{1, 2, 3}, {.name = "old/w"});
    Variable(std::vector<float>{4}, {.name = "old/b"});
    Variable(std::int64_t{7}, {.name = "n"});
    Saver saver({.file_system = &disk_});
    Session session({.threads = 1});
    session.run(global_variables_initializer());
    prefix_ = saver.save(session, "run/m",
                         {.session_state = {{"epoch", Tensor::scalar(std::int64_t{3})}},
                          .metrics = {{"loss", 0.25}}});
  }

  MemoryFileSystem disk_;
  std::string prefix_;
};

/// Another graph, in which the variables begin as -1.
struct Other {
  Graph graph;
  GraphScope scope{graph};
  Session session{{.graph = &graph, .threads = 1}};
  Variable add(const std::string& name, std::size_t size) {
    return Variable(std::vector<float>(size, -1), {.name = name});
  }
  std::vector<float> value(const Variable& v) { return session.run(v.value()).to_vector<float>(); }
};

TEST_F(SaverRestore, IgnoresWhatIsMissing) {
  Other o;
  const Variable w = o.add("old/w", 3);
  const Variable c = o.add("old/c", 2);
  Saver saver({.file_system = &disk_});
  o.session.run(global_variables_initializer());
  const Error strict = error_of([&] { saver.restore(o.session, prefix_); });
  EXPECT_EQ(strict.code(), Code::kNotFound);
  EXPECT_THAT(strict.what(), HasSubstr("'old/c' (near it: old/b"));
  EXPECT_THAT(o.value(w), ElementsAre(-1, -1, -1));
  const RestoreReport report = saver.restore(o.session, prefix_, {.ignore_missing = true});
  EXPECT_THAT(o.value(w), ElementsAre(1, 2, 3));
  EXPECT_THAT(o.value(c), ElementsAre(-1, -1));
  ASSERT_EQ(report.matched.size(), 1U);
  EXPECT_EQ(report.matched[0].variable, "old/w");
  ASSERT_EQ(report.missing.size(), 1U);
  EXPECT_EQ(report.missing[0].variable, "old/c");
  EXPECT_THAT(report.unused, UnorderedElementsAre("old/b", "n"));
  EXPECT_FALSE(report.complete());
}

TEST_F(SaverRestore, RenamesByPairsAndByPattern) {
  Other o;
  const Variable w = o.add("new/layer/w", 3);
  const Variable b = o.add("bias", 1);
  Saver saver({.file_system = &disk_});
  const RestoreReport report = saver.restore(
      o.session, prefix_,
      {.rename = {{"old/b", "bias"}}, .rename_regex = {{"old/(.*)", "new/layer/$1"}}});
  EXPECT_THAT(o.value(w), ElementsAre(1, 2, 3));
  EXPECT_THAT(o.value(b), ElementsAre(4));
  EXPECT_TRUE(report.complete());
  EXPECT_THAT(report.str(), HasSubstr("bias <- old/b"));
  EXPECT_THAT(report.str(), HasSubstr("2 matched, 0 missing, 1 unused"));
  // What cannot be meant.
  EXPECT_EQ(code_of([&] {
              saver.restore(o.session, prefix_, {.rename = {{"none", "bias"}}});
            }),
            Code::kNotFound);
  EXPECT_EQ(code_of([&] {
              saver.restore(o.session, prefix_, {.rename_regex = {{"(", "x"}}});
            }),
            Code::kInvalidArgument);
  const Error twice = error_of([&] {
    saver.restore(o.session, prefix_, {.rename_regex = {{"old/.*", "x"}}});
  });
  EXPECT_EQ(twice.code(), Code::kInvalidArgument);
  EXPECT_THAT(twice.what(), HasSubstr("both 'old/b' and 'old/w'"));
}

TEST_F(SaverRestore, ADryRunChangesNothing) {
  Other o;
  const Variable w = o.add("old/w", 4);
  const Variable n = Variable(1.5F, {.name = "n"});
  const Variable b = o.add("old/b", 1);
  Saver saver({.file_system = &disk_});
  o.session.run(global_variables_initializer());
  const RestoreReport report = saver.restore(o.session, prefix_, {.dry_run = true});
  ASSERT_EQ(report.shape_differs.size(), 1U);
  EXPECT_EQ(report.shape_differs[0].expected, "[4]");
  EXPECT_EQ(report.shape_differs[0].got, "[3]");
  ASSERT_EQ(report.dtype_differs.size(), 1U);
  EXPECT_EQ(report.dtype_differs[0].expected, "float32");
  EXPECT_EQ(report.dtype_differs[0].got, "int64");
  EXPECT_EQ(report.matched.size(), 1U);
  EXPECT_THAT(o.value(b), ElementsAre(-1));
  const std::string text = report.str();
  EXPECT_THAT(text, HasSubstr("shape differs: old/w"));
  EXPECT_THAT(text, HasSubstr("expected [4], the checkpoint has [3]"));
  EXPECT_THAT(text, HasSubstr("dtype differs: n"));
  // And the real one changes nothing either.
  EXPECT_EQ(code_of([&] { saver.restore(o.session, prefix_); }), Code::kInvalidArgument);
  EXPECT_THAT(o.value(b), ElementsAre(-1));
}

TEST_F(SaverRestore, Reshapes) {
  Other o;
  const Variable w = Variable(Operand(Tensor::zeros(float32, {3, 1})), {.name = "w"});
  Saver strict({.names = {{"old/w", w}}, .name = "strict", .file_system = &disk_});
  EXPECT_EQ(code_of([&] { strict.restore(o.session, prefix_); }), Code::kInvalidArgument);
  Saver saver({.names = {{"old/w", w}}, .reshape = true, .file_system = &disk_});
  saver.restore(o.session, prefix_);
  const Tensor value = o.session.run(w.value());
  EXPECT_EQ(value.shape(), (Shape{3, 1}));
  EXPECT_THAT(value.to_vector<float>(), ElementsAre(1, 2, 3));
  Saver other({.names = {{"old/b", w}}, .reshape = true, .name = "other", .file_system = &disk_});
  EXPECT_EQ(code_of([&] { other.restore(o.session, prefix_); }), Code::kInvalidArgument);
}

TEST_F(SaverRestore, SessionStateAndMetricsAreInTheBundle) {
  const auto state = Saver::read_session_state(prefix_, disk_);
  EXPECT_EQ(state.at("epoch").item<std::int64_t>(), 3);
  EXPECT_EQ(state.at("metric/loss").item<double>(), 0.25);
  EXPECT_EQ(state.size(), 2U);
  const CheckpointReader reader = load_checkpoint(prefix_, disk_);
  EXPECT_TRUE(reader.has_tensor("_assay/saver"));
  EXPECT_TRUE(reader.has_tensor("_assay/epoch"));
  Other o;
  const Variable w = o.add("w", 1);
  EXPECT_EQ(code_of([&] { Saver saver({.names = {{"_assay/w", w}}}); }), Code::kInvalidArgument);
}

TEST_F(SaverRestore, ReadsWithoutAGraph) {
  const CheckpointReader reader = load_checkpoint(prefix_, disk_);
  EXPECT_TRUE(reader.has_tensor("old/w"));
  EXPECT_FALSE(reader.has_tensor("w"));
  EXPECT_EQ(reader.get_tensor("n").item<std::int64_t>(), 7);
  const auto shapes = reader.get_variable_to_shape_map();
  EXPECT_EQ(shapes.size(), 3U);
  EXPECT_EQ(shapes.at("old/w"), Shape{3});
  EXPECT_EQ(reader.get_variable_to_dtype_map().at("n"), int64);
  EXPECT_THAT(load_variable("run", "old/w:0", disk_).to_vector<float>(), ElementsAre(1, 2, 3));
  EXPECT_EQ(code_of([&] { load_variable("run", "w", disk_); }), Code::kNotFound);
}

TEST(Saver, AllDtypes) {
  MemoryFileSystem disk;
  disk.make_directories("run");
  Graph graph;
  GraphScope scope(graph);
  Session session({.threads = 1});
  std::vector<Tensor> values = {
      Tensor::of<float>({1.5F, -2}),
      Tensor::of<double>({1.5}),
      Tensor::of<std::int8_t>({-3}),
      Tensor::of<std::int16_t>({-300}),
      Tensor::of<std::int32_t>({-70000}),
      Tensor::of<std::int64_t>({std::int64_t{1} << 40}),
      Tensor::of<std::uint8_t>({200}),
      Tensor::of<std::uint16_t>({60000}),
      Tensor::of<std::uint32_t>({4000000000U}),
      Tensor::of<std::uint64_t>({std::uint64_t{1} << 63}),
      Tensor::of<bool>({true, false, true}),
      Tensor::of<Half>({Half(0.5F)}),
      Tensor::of<BFloat16>({BFloat16(-2.0F)}),
      Tensor::of<std::complex<float>>({{1, 2}}),
      Tensor::of<std::complex<double>>({{3, -4}}),
      Tensor::of<std::string>({"", "two words", std::string("\0\xff", 2)}),
      Tensor::scalar(3.5F),
      Tensor::zeros(float32, {0, 4}),
  };
  std::vector<Variable> variables;
  for (const Tensor& value : values) {
    variables.emplace_back(Operand(value), NewVariableOptions{.trainable = false, .name = "v"});
  }
  Saver saver({.file_system = &disk});
  session.run(global_variables_initializer());
  const std::string prefix = saver.save(session, "run/m");
  Session other({.threads = 1});
  saver.restore(other, prefix);
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_TRUE(other.run(variables[i].value()).identical(values[i])) << values[i].str();
  }
}

TEST(Saver, TheStepAsAVariableOrTensor) {
  MemoryFileSystem disk;
  disk.make_directories("run");
  Graph graph;
  GraphScope scope(graph);
  const Variable step(std::int32_t{12}, {.trainable = false, .name = "step"});
  const Variable resource(std::int64_t{13},
                          {.trainable = false, .use_resource = true, .name = "resource"});
  Saver saver({.pad_step_number = true, .file_system = &disk});
  Session session({.threads = 1});
  session.run(global_variables_initializer());
  const int nodes = graph.num_nodes();
  EXPECT_EQ(saver.save(session, "run/m", {.global_step = step}), "run/m-00000012");
  EXPECT_EQ(saver.save(session, "run/m", {.global_step = resource}), "run/m-00000013");
  EXPECT_EQ(saver.save(session, "run/m", {.global_step = step.value()}), "run/m-00000012");
  EXPECT_EQ(graph.num_nodes(), nodes);
}

TEST(Saver, ShardedByDevice) {
  TemporaryFolder folder;
  Graph graph;
  GraphScope scope(graph);
  const auto on = [](const std::string& device, const std::string& name, float value) {
    const DeviceScope where(device);
    return Variable(std::vector<float>{value, value}, {.name = name});
  };
  const Variable a = on("/job:ps/task:0", "a", 1);
  const Variable b = on("/job:ps/task:1", "b", 2);
  const Variable c = on("/job:ps/task:0", "c", 3);
  Saver saver({.sharded = true, .max_to_keep = 1});
  Session session({.threads = 1});
  session.run(global_variables_initializer());
  for (const bool async : {false, true}) {
    const std::string prefix = saver.save(session, folder / "m",
                                          {.global_step = async ? 2 : 1,
                                           .session_state = {{"x", Tensor::scalar(5)}},
                                           .async = async});
    saver.wait();
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
      names.push_back(entry.path().filename().string());
    }
    const std::string base = std::filesystem::path(prefix).filename().string();
    EXPECT_THAT(names, UnorderedElementsAre("checkpoint", base + ".data-00000-of-00002",
                                            base + ".data-00001-of-00002", base + ".index",
                                            base + ".meta"));
    Session other({.threads = 1});
    saver.restore(other, prefix);
    EXPECT_THAT(other.run(a.value()).to_vector<float>(), ElementsAre(1, 1));
    EXPECT_THAT(other.run(b.value()).to_vector<float>(), ElementsAre(2, 2));
    EXPECT_THAT(other.run(c.value()).to_vector<float>(), ElementsAre(3, 3));
    EXPECT_EQ(Saver::read_session_state(prefix).at("x").item<int>(), 5);
  }
}

TEST(Saver, OptionsThatCannotBe) {
  Graph graph;
  GraphScope scope(graph);
  const Variable w(1.0F, {.name = "w"});
  EXPECT_EQ(code_of([] { Saver s({.write_version = CheckpointVersion::kV1}); }),
            Code::kUnimplemented);
  EXPECT_EQ(code_of([] { Saver s({.max_to_keep = -1}); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([] { Saver s({.keep = {.best = 2}}); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([&] {
              Saver s({.var_list = {w}, .names = {{"x", w}}});
            }),
            Code::kInvalidArgument);
  Graph empty;
  GraphScope empty_scope(empty);
  Saver nothing({.allow_empty = true});
  Session session({.threads = 1});
  EXPECT_TRUE(nothing.restore(session, "nowhere").matched.empty());
  EXPECT_TRUE(nothing.to_bytes().empty());
}

TEST(CheckpointManagement, GeneratedState) {
  EXPECT_THAT(generate_checkpoint_state("dir", {.model_checkpoint_path = "dir/m-2",
                                                .all_model_checkpoint_paths = {"dir/m-1"}}),
              HasSubstr("all_model_checkpoint_paths: \"m-2\""));
  EXPECT_EQ(code_of([] {
              generate_checkpoint_state(
                  "dir", {.model_checkpoint_path = "m", .all_model_checkpoint_timestamps = {1, 2}});
            }),
            Code::kInvalidArgument);
}

class InitFromCheckpoint : public ::testing::Test {
 protected:
  InitFromCheckpoint() {
    Graph graph;
    GraphScope scope(graph);
    Variable(std::vector<float>{1, 2, 3, 4}, {.name = "old/a/w"});
    Variable(std::vector<float>{5}, {.name = "old/b"});
    Saver saver;
    Session session({.threads = 1});
    session.run(global_variables_initializer());
    prefix_ = saver.save(session, folder_ / "m");
  }
  TemporaryFolder folder_;
  std::string prefix_;
};

TEST_F(InitFromCheckpoint, ByNameScopeVariableAndParts) {
  Graph graph;
  GraphScope scope(graph);
  const Variable w = get_variable("new/a/w", {4});
  const Variable b = get_variable("new/b", {1});
  const Variable c = get_variable("c", {1}, {.use_resource = true});
  const auto p = get_partitioned_variable("p", {4}, fixed_size_partitioner(2));
  const Output all = p.as_tensor();
  init_from_checkpoint(prefix_, {{"old/", "new/"}});
  init_from_checkpoint(folder_.path().string(), {{"old/b", c}, {"old/a/w", p.parts()}});
  Session session({.threads = 1});
  session.run(global_variables_initializer());
  EXPECT_THAT(session.run(w.value()).to_vector<float>(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(session.run(b.value()).to_vector<float>(), ElementsAre(5));
  EXPECT_THAT(session.run(c.value()).to_vector<float>(), ElementsAre(5));
  EXPECT_THAT(session.run(all).to_vector<float>(), ElementsAre(1, 2, 3, 4));
  EXPECT_NE(graph.find_node("checkpoint_initializer/tensor_names"), nullptr);
  EXPECT_EQ(graph.find_node("checkpoint_initializer")->device(), "/device:CPU:0");
}

TEST_F(InitFromCheckpoint, ScopesCalledLikeParts) {
  {
    Graph graph;
    GraphScope scope(graph);
    Variable(std::vector<float>{1, 2, 3, 4}, {.name = "old/part_a/w"});
    Variable(std::vector<float>{6, 7}, {.name = "old/p"});
    Saver saver;
    Session session({.threads = 1});
    session.run(global_variables_initializer());
    prefix_ = saver.save(session, folder_ / "parts");
  }
  for (const std::string target : {"tower/", "a/part_x/"}) {
    Graph graph;
    GraphScope scope(graph);
    const Variable w = get_variable(target + "part_a/w", {4});
    const auto p = get_partitioned_variable(target + "p", {2}, fixed_size_partitioner(2));
    const Output all = p.as_tensor();
    init_from_checkpoint(prefix_, {{"old/", target}});
    Session session({.threads = 1});
    session.run(global_variables_initializer());
    EXPECT_THAT(session.run(w.value()).to_vector<float>(), ElementsAre(1, 2, 3, 4));
    EXPECT_THAT(session.run(all).to_vector<float>(), ElementsAre(6, 7));
  }
}

TEST_F(InitFromCheckpoint, Mistakes) {
  Graph graph;
  GraphScope scope(graph);
  const Variable w = get_variable("w", {3});
  EXPECT_THAT(error_of([&] {
                init_from_checkpoint(prefix_, {{"old/a/v", w}});
              }).what(),
              HasSubstr("did you mean 'old/a/w'"));
  EXPECT_EQ(code_of([&] {
              init_from_checkpoint(prefix_, {{"old/a/w", w}});
            }),
            Code::kInvalidArgument);
  EXPECT_EQ(code_of([&] {
              init_from_checkpoint(prefix_, {{"old/a/w", "none"}});
            }),
            Code::kNotFound);
}

}  // namespace
}  // namespace assay::train
