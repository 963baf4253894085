#include "assay/train/saver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "assay/api/constant.h"
#include "assay/api/math_ops.h"
#include "assay/api/variable_scope.h"
#include "assay/train/optimizers.h"
#include "assay/train/training_util.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::train {
namespace {

namespace fs = std::filesystem;
using assay::testing::error_of;
using assay::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Two variables and a saver.
struct Saved {
  Graph graph;
  GraphScope scope{graph};
  Variable w = Variable(std::vector<float>{1, 2, 3}, {.name = "w"});
  Variable n = Variable(std::int64_t{7}, {.trainable = false, .name = "n"});
  Output bigger = w.assign_add(Operand(std::vector<float>{1, 1, 1}));
  Node* init = global_variables_initializer();
  Saver saver;
  Session session{{.threads = 1}};
};

std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void cut(const std::string& path, std::uintmax_t size) {
  fs::resize_file(path, size);
}

void flip_byte(const std::string& path, std::streamoff at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const char c = static_cast<char>(file.get());
  file.seekp(at);
  file.put(static_cast<char>(c ^ 0x10));
}

TEST(Saver, MakesTensorFlowsNodes) {
  Graph graph;
  GraphScope scope(graph);
  Variable w(std::vector<float>{1, 2, 3}, {.name = "w"});
  Variable n(std::int64_t{7}, {.name = "n"});
  const int first = graph.num_nodes();
  Saver saver;
  std::vector<std::string> names;
  for (const auto& node : graph.nodes()) {
    if (node->id() >= first) names.push_back(node->name());
  }
  EXPECT_THAT(
      names,
      ElementsAre("save/filename/input", "save/filename", "save/Const", "save/SaveV2/tensor_names",
                  "save/SaveV2/shape_and_slices", "save/SaveV2", "save/control_dependency",
                  "save/RestoreV2/tensor_names", "save/RestoreV2/shape_and_slices",
                  "save/RestoreV2", "save/Assign", "save/Assign_1", "save/restore_all"));
  EXPECT_EQ(graph.find_node("save/RestoreV2")->device(), "/device:CPU:0");
  EXPECT_EQ(graph.find_node("save/Assign")->input(0).node->name(), "n");
  EXPECT_EQ(saver.nodes().filename_tensor_name, "save/Const:0");
  EXPECT_EQ(saver.nodes().save_tensor_name, "save/control_dependency:0");
  EXPECT_EQ(saver.nodes().restore_op_name, "save/restore_all");
}

TEST(Saver, RoundTrip) {
  TemporaryFolder folder;
  Saved a;
  a.session.run(a.init);
  a.session.run(a.bigger);
  const std::string prefix = a.saver.save(a.session, folder / "model.ckpt", {.global_step = 12});
  EXPECT_EQ(prefix, folder / "model.ckpt-12");
  EXPECT_THAT(files_in(folder.path()),
              ElementsAre("checkpoint", "model.ckpt-12.data-00000-of-00001", "model.ckpt-12.index",
                          "model.ckpt-12.meta"));
  Session fresh({.threads = 1});
  a.saver.restore(fresh, prefix);
  EXPECT_THAT(fresh.run(a.w.value()).to_vector<float>(), ElementsAre(2, 3, 4));
  EXPECT_EQ(fresh.run(a.n.value()).item<std::int64_t>(), 7);

  const auto variables = list_variables(prefix);
  ASSERT_EQ(variables.size(), 2U);
  EXPECT_EQ(variables[0].name, "n");
  EXPECT_EQ(variables[1].name, "w");
  EXPECT_EQ(variables[1].shape, Shape{3});
}

TEST(Saver, StateFile) {
  TemporaryFolder folder;
  EXPECT_FALSE(get_checkpoint_state(folder.path().string()));
  EXPECT_FALSE(latest_checkpoint(folder.path().string()));
  Saved a;
  a.session.run(a.init);
  a.saver.save(a.session, folder / "m", {.global_step = 1});
  a.saver.save(a.session, folder / "m", {.global_step = 2});
  const auto state = get_checkpoint_state(folder.path().string());
  ASSERT_TRUE(state);
  EXPECT_EQ(state->model_checkpoint_path, folder / "m-2");
  EXPECT_THAT(state->all_model_checkpoint_paths, ElementsAre(folder / "m-1", folder / "m-2"));
  EXPECT_EQ(latest_checkpoint(folder.path().string()), folder / "m-2");
  fs::remove(folder / "m-2.index");
  EXPECT_FALSE(latest_checkpoint(folder.path().string()));
  std::ofstream(folder / "checkpoint") << "model_checkpoint_path: \"m-1";
  EXPECT_EQ(error_of([&] { get_checkpoint_state(folder.path().string()); }).code(),
            Code::kDataLoss);
}

TEST(Saver, RelativePathsLetAFolderMove) {
  TemporaryFolder folder;
  Saved a;
  a.session.run(a.init);
  Saver saver({.name = "relative", .save_relative_paths = true});
  fs::create_directory(folder / "old");
  saver.save(a.session, folder / "old/m", {.global_step = 1});
  fs::rename(folder / "old", folder / "new");
  EXPECT_EQ(latest_checkpoint(folder / "new"), folder / "new/m-1");
}

TEST(Saver, KeepsTheNewest) {
  TemporaryFolder folder;
  Saved a;
  a.session.run(a.init);
  a.saver.set_max_to_keep(2);
  std::ofstream(folder / "m-1.notes") << "not ours";
  for (int step = 1; step <= 4; ++step) {
    a.saver.save(a.session, folder / "m",
                 {.global_step = step, .session_state = {{"x", Tensor::scalar(step)}}});
  }
  EXPECT_THAT(a.saver.last_checkpoints(), ElementsAre(folder / "m-3", folder / "m-4"));
  EXPECT_FALSE(checkpoint_exists(folder / "m-2"));
  EXPECT_TRUE(checkpoint_exists(folder / "m-3"));
  EXPECT_TRUE(fs::exists(folder / "m-1.notes"));
  for (const std::string& name : files_in(folder.path())) {
    EXPECT_FALSE(name.starts_with("m-2.")) << name;
  }
  EXPECT_THAT(find_checkpoints(folder.path().string()),
              ElementsAre(folder / "m-4", folder / "m-3"));
  EXPECT_EQ(Saver::read_session_state(folder / "m-3").at("x").item<int>(), 3);
}

TEST(Saver, MetaGraphGoesOn) {
  TemporaryFolder folder;
  std::string prefix;
  {
    Graph graph;
    GraphScope scope(graph);
    Variable w(std::vector<float>{4}, {.name = "w"});
    Output loss = reduce_sum(square(w), {.name = "loss"});
    Variable step = create_global_step();
    GradientDescentOptimizer(0.25).minimize(loss, {.global_step = step});
    Node* init = global_variables_initializer();
    Saver saver;
    Session session;
    session.run(init);
    prefix = saver.save(session, folder / "m");
  }
  Graph graph;
  GraphScope scope(graph);
  auto saver = import_meta_graph(prefix + ".meta");
  ASSERT_TRUE(saver);
  EXPECT_EQ(global_variables().size(), 2U);
  EXPECT_EQ(trainable_variables().size(), 1U);
  EXPECT_EQ(trainable_variables().front().name(), "w:0");
  const auto& train_ops = graph.collection(graph_keys::kTrainOp);
  ASSERT_EQ(train_ops.size(), 1U);
  Session session;
  saver->restore(session, prefix);
  session.run(std::get<Node*>(train_ops.front()));
  EXPECT_EQ(session.run(graph.output("w/read:0")).to_vector<float>(), std::vector<float>{2});
  EXPECT_EQ(global_step(session, *get_global_step()), 1);
}

TEST(Saver, WrongUse) {
  TemporaryFolder folder;
  Saved a;
  a.session.run(a.init);
  EXPECT_THAT(error_of([&] { a.saver.save(a.session, folder / "none/m"); }).what(),
              HasSubstr("no folder"));
  EXPECT_EQ(
      error_of([&] { a.saver.save(a.session, folder / "m", {.latest_filename = "a/b"}); }).code(),
      Code::kInvalidArgument);
  EXPECT_EQ(error_of([&] { a.saver.save(a.session, folder / "checkpoint"); }).code(),
            Code::kInvalidArgument);
  EXPECT_EQ(error_of([&] { a.saver.restore(a.session, folder / "m"); }).code(), Code::kNotFound);
  Session fresh({.threads = 1});
  EXPECT_EQ(error_of([&] { a.saver.save(fresh, folder / "m"); }).code(), Code::kFailedPrecondition);
  Graph empty;
  GraphScope scope(empty);
  EXPECT_EQ(error_of([] { Saver saver; }).code(), Code::kInvalidArgument);
}

/// Restores `prefix` into a graph whose w has `values`.
Error restore_into(const std::string& prefix, const Operand& initial, const std::string& name) {
  Graph graph;
  GraphScope scope(graph);
  Variable w(initial, {.name = name});
  Saver saver;
  Session session;
  return error_of([&] { saver.restore(session, prefix); });
}

TEST(Saver, AnotherModelsCheckpoint) {
  TemporaryFolder folder;
  Saved a;
  a.session.run(a.init);
  const std::string prefix = a.saver.save(a.session, folder / "m");
  const Error shape = restore_into(prefix, std::vector<float>{1, 2}, "w");
  EXPECT_EQ(shape.code(), Code::kInvalidArgument);
  EXPECT_THAT(shape.what(), HasSubstr("'w'"));
  EXPECT_THAT(shape.what(), HasSubstr("[2]"));
  EXPECT_THAT(shape.what(), HasSubstr("[3]"));
  EXPECT_THAT(shape.what(), HasSubstr(prefix));
  const Error dtype = restore_into(prefix, std::vector<int>{1, 2, 3}, "w");
  EXPECT_EQ(dtype.code(), Code::kInvalidArgument);
  EXPECT_THAT(dtype.what(), HasSubstr("float32"));
  EXPECT_THAT(dtype.what(), HasSubstr("int32"));
  const Error missing = restore_into(prefix, std::vector<float>{1}, "other");
  EXPECT_EQ(missing.code(), Code::kNotFound);
  EXPECT_THAT(missing.what(), HasSubstr("'other'"));
}

TEST(Saver, DamageChangesNoVariable) {
  TemporaryFolder folder;
  Saved a;
  a.session.run(a.init);
  const std::string prefix = a.saver.save(a.session, folder / "m");
  a.session.run(a.bigger);
  const std::string data = prefix + ".data-00000-of-00001";
  const auto expect_refused = [&](const std::string& part) {
    const Error e = error_of([&] { a.saver.restore(a.session, prefix); });
    EXPECT_EQ(e.code(), Code::kDataLoss) << e.what();
    EXPECT_THAT(e.what(), HasSubstr(part));
    EXPECT_THAT(a.session.run(a.w.value()).to_vector<float>(), ElementsAre(2, 3, 4));
  };
  flip_byte(data, 10);
  expect_refused("w");
  flip_byte(data, 10);
  const auto size = fs::file_size(data);
  cut(data, size - 4);
  expect_refused(data);
  cut(data, size);
  flip_byte(prefix + ".index", 3);
  expect_refused(".index");
  flip_byte(prefix + ".index", 3);
  cut(prefix + ".index", fs::file_size(prefix + ".index") / 2);
  expect_refused(".index");
}

TEST(Saver, AFailedSaveLeavesTheLastOne) {
  TemporaryFolder folder;
  Saved a;
  a.session.run(a.init);
  const std::string first = a.saver.save(a.session, folder / "m", {.global_step = 1});
  // The place of the next data file is taken by a folder.
  fs::create_directory(folder / "m-2.data-00000-of-00001");
  std::ofstream(folder / "m-2.data-00000-of-00001/x") << "x";
  EXPECT_NE(error_of([&] { a.saver.save(a.session, folder / "m", {.global_step = 2}); }).code(),
            Code::kOk);
  EXPECT_EQ(latest_checkpoint(folder.path().string()), first);
  a.saver.restore(a.session, first);
}

TEST(Saver, AFileThatCannotGrowLeavesTheLastOne) {
  TemporaryFolder folder;
  Saved a;
  a.session.run(a.init);
  const std::string first = a.saver.save(a.session, folder / "m", {.global_step = 1});
  const auto before = files_in(folder.path());
  // As on a full disk, writes fail in the middle of a file.
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  for (const rlim_t room : {0, 10, 30, 100, 300}) {
    const rlimit small{.rlim_cur = room, .rlim_max = old.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    const Error e = error_of([&] {
      a.saver.save(a.session, folder / "m",
                   {.global_step = 2, .session_state = {{"x", Tensor::scalar(1)}}});
    });
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
    EXPECT_NE(e.code(), Code::kOk) << room;
    EXPECT_EQ(latest_checkpoint(folder.path().string()), first);
    if (!checkpoint_exists(folder / "m-2")) {
      EXPECT_EQ(files_in(folder.path()), before) << room;
    }
  }
  std::signal(SIGXFSZ, old_handler);
  a.saver.restore(a.session, first);
  EXPECT_EQ(a.saver.save(a.session, folder / "m", {.global_step = 2}), folder / "m-2");
}

TEST(Saver, ReadsWhatOthersWrote) {
  ASSAY_SHARED_OR_SKIP(root, "fixtures/tf1/checkpoints");
  const auto state = get_checkpoint_state((root / "dqn-adam-golbin").string());
  ASSERT_TRUE(state);
  EXPECT_EQ(state->all_model_checkpoint_paths.size(), 5U);
  const auto variables = list_variables((root / "mlp-adam-golbin").string());
  EXPECT_EQ(variables.size(), 12U);
  EXPECT_EQ(variables.front().name, "global_step");
}

TEST(CheckpointManagement, MetaGraphFilename) {
  EXPECT_EQ(meta_graph_filename("a/model.ckpt-7"), "a/model.ckpt-7.meta");
  EXPECT_EQ(meta_graph_filename("m-7-\?\?\?\?\?-of-00002"), "m-7.meta");
  EXPECT_EQ(meta_graph_filename("m-7-00001-of-00002", "x"), "m-7.x");
  EXPECT_EQ(meta_graph_filename("-of-1"), "-of-1.meta");
}

}  // namespace
}  // namespace assay::train
