#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/api/math_ops.h"
#include "assay/api/partitioned_variable.h"
#include "assay/base/memory_file_system.h"
#include "assay/train/optimizers.h"
#include "assay/train/saver.h"
#include "tests/support/errors.h"

namespace assay::train {
namespace {

using assay::testing::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SaverPartitioned : public ::testing::Test {
 protected:
  SaverPartitioned() { disk_.make_directories("run"); }

  /// Saves w, 5 rows of 2 with the values 0, 1, ..., in so many parts.
  std::string save(std::int64_t parts, bool resource) {
    Graph graph;
    GraphScope scope(graph);
    std::vector<float> values(10);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    get_partitioned_variable(
        "w", {5, 2}, fixed_size_partitioner(parts),
        {.initial_value = Tensor::of(values, {5, 2}), .use_resource = resource});
    Saver saver({.file_system = &disk_});
    Session session({.threads = 1});
    session.run(global_variables_initializer());
    return saver.save(session, "run/m");
  }
  /// The values restored into so many parts.
  std::vector<float> restore(const std::string& prefix, std::int64_t parts, bool resource) {
    Graph graph;
    GraphScope scope(graph);
    const auto w = get_partitioned_variable("w", {5, 2}, fixed_size_partitioner(parts),
                                            {.use_resource = resource});
    const Output all = w.as_tensor();
    Saver saver({.file_system = &disk_});
    Session session({.threads = 1});
    const RestoreReport report = saver.restore(session, prefix);
    EXPECT_EQ(report.matched.size(), 1U);
    EXPECT_TRUE(report.unused.empty());
    return session.run(all).to_vector<float>();
  }

  MemoryFileSystem disk_;
};

TEST_F(SaverPartitioned, AnyPartsIntoAnyOthers) {
  for (const bool resource : {false, true}) {
    for (const int from : {1, 2, 3, 5}) {
      const std::string prefix = save(from, resource);
      const auto variables = list_variables(prefix, disk_);
      ASSERT_EQ(variables.size(), 1U);
      EXPECT_EQ(variables[0].name, "w");
      EXPECT_EQ(variables[0].shape, (Shape{5, 2}));
      for (const int to : {1, 2, 4, 5}) {
        EXPECT_THAT(restore(prefix, to, resource), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9))
            << from << " to " << to;
      }
    }
  }
}

TEST_F(SaverPartitioned, WholeIntoPartsAndBack) {
  const std::string prefix = save(3, false);
  Graph graph;
  GraphScope scope(graph);
  const Variable w = get_variable("w", {5, 2});
  Saver saver({.file_system = &disk_});
  Session session({.threads = 1});
  saver.restore(session, prefix);
  EXPECT_EQ(session.run(w.value()).to_vector<float>()[9], 9);
  saver.save(session, "run/whole");
  EXPECT_THAT(restore("run/whole", 2, false), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
}

TEST_F(SaverPartitioned, AnotherFullShapeIsRefused) {
  const std::string prefix = save(3, false);
  Graph graph;
  GraphScope scope(graph);
  get_partitioned_variable("w", {6, 2}, fixed_size_partitioner(2));
  Saver saver({.file_system = &disk_});
  Session session({.threads = 1});
  const Error e = error_of([&] { saver.restore(session, prefix); });
  EXPECT_EQ(e.code(), Code::kInvalidArgument);
  EXPECT_THAT(e.what(), HasSubstr("[6,2]"));
  EXPECT_THAT(e.what(), HasSubstr("[5,2]"));
}

TEST_F(SaverPartitioned, SlotsOfPartsArePartsToo) {
  Graph graph;
  GraphScope scope(graph);
  const auto w = get_partitioned_variable("w", {4}, fixed_size_partitioner(2),
                                          {.initializer = ones_initializer()});
  AdagradOptimizer(0.5).minimize(reduce_sum(w.as_tensor()));
  Saver saver({.file_system = &disk_});
  Session session({.threads = 1});
  session.run(global_variables_initializer());
  const auto variables = list_variables(saver.save(session, "run/m"), disk_);
  ASSERT_EQ(variables.size(), 2U);
  EXPECT_EQ(variables[0].name, "w");
  EXPECT_EQ(variables[1].name, "w/Adagrad");
  EXPECT_EQ(variables[1].shape, Shape{4});
  // The .meta file keeps where each part lies.
  Graph other;
  GraphScope other_scope(other);
  import_meta_graph_bytes(export_meta_graph(graph, &saver));
  ASSERT_EQ(global_variables().size(), 4U);
  EXPECT_EQ(global_variables()[1].state()->save_slice()->spec(), "4 2,2");
}

TEST_F(SaverPartitioned, UnderAnotherName) {
  Graph graph;
  GraphScope scope(graph);
  const auto w = get_partitioned_variable("w", {4}, fixed_size_partitioner(2),
                                          {.initializer = ones_initializer()});
  Saver saver({.names_of_parts = {{"v", w.parts()}}, .file_system = &disk_});
  Session session({.threads = 1});
  session.run(global_variables_initializer());
  const auto variables = list_variables(saver.save(session, "run/m"), disk_);
  ASSERT_EQ(variables.size(), 1U);
  EXPECT_EQ(variables[0].name, "v");
}

}  // namespace
}  // namespace assay::train
