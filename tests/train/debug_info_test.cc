// Saver's option save_debug_info: where the nodes were made, beside the .meta file.

#include <gtest/gtest.h>

#include "assay/api/constant.h"
#include "assay/api/variable.h"
#include "assay/base/memory_file_system.h"
#include "assay/graph/debug_info.h"
#include "assay/graph/scope.h"
#include "assay/train/checkpoint_copy.h"
#include "assay/train/saver.h"

namespace assay::train {
namespace {

TEST(SaverDebugInfo, IsWrittenCopiedAndDeletedWithTheCheckpoint) {
  MemoryFileSystem disk;
  disk.make_directories("run");
  Graph graph;
  GraphScope scope(graph);
  const Variable w(constant(1.0F), {.name = "w"});
  const int line = __LINE__ - 1;
  Session session;
  session.run(w.initializer());
  Saver saver({.max_to_keep = 1, .file_system = &disk});
  saver.save(session, "run/m", {.global_step = 1});
  EXPECT_FALSE(disk.exists("run/m-1.debug"));
  saver.save(session, "run/m", {.global_step = 2, .save_debug_info = true});
  ASSERT_TRUE(disk.exists("run/m-2.debug"));
  const auto places = places_of(read_debug_info("run/m-2.debug", disk));
  EXPECT_EQ(places.at("w"), "debug_info_test.cc:" + std::to_string(line));

  copy_checkpoint("run/m-2", "copy/m", {}, disk);
  EXPECT_EQ(read_file(disk, "copy/m.debug"), read_file(disk, "run/m-2.debug"));
  copy_checkpoint("run/m-2", "copy/m", {.overwrite = true, .meta = false}, disk);
  EXPECT_FALSE(disk.exists("copy/m.debug"));

  saver.save(session, "run/m", {.global_step = 3, .save_debug_info = true, .async = true});
  saver.wait();
  EXPECT_FALSE(disk.exists("run/m-2.debug"));
  EXPECT_TRUE(disk.exists("run/m-3.debug"));
  saver.save(session, "run/m",
             {.global_step = 4, .write_meta_graph = false, .save_debug_info = true});
  EXPECT_FALSE(disk.exists("run/m-4.debug"));
}

}  // namespace
}  // namespace assay::train
