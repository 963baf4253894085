#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "assay/api/random_ops.h"
#include "assay/api/variable_scope.h"
#include "assay/base/file_system.h"
#include "assay/data/dataset.h"
#include "assay/format/proto_io.h"
#include "assay/graph/debug_info.h"
#include "assay/graph/graph_files.h"
#include "assay/graph/scope.h"
#include "assay/train/saver.h"
#include "assay/train/session_state.h"
#include "tests/cli/program.h"
#include "tests/support/fixtures.h"

namespace assay::testing {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class SeedsCommandTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }
  static Json seeds_json(const std::string& path) {
    const Finished f = assay({"seeds", path, "--json"});
    EXPECT_EQ(f.code, 0) << f.err;
    EXPECT_EQ(f.err, "");
    return Json::parse(f.out);
  }
  static Json op(const Json& d, const std::string& name) {
    for (const Json& one : d["ops"]) {
      if (one["name"] == name) return one;
    }
    ADD_FAILURE() << "no op " << name << " in " << d.dump(2);
    return {};
  }

  TemporaryFolder folder_;
  Graph graph_;
  GraphScope scope_{graph_};
};

TEST_F(SeedsCommandTest, ABareGraph) {
  random_uniform({2}, {.name = "fresh"});
  random_uniform({2}, {.seed = 4, .name = "own"});
  set_random_seed(9);
  random_normal({2}, {.name = "counted"});
  data::Dataset::range(9).shuffle(9);
  set_random_seed(9, SeedPolicy::by_name);
  random_uniform({2}, {.name = "named"});
  write_graph_file(to_graph_def(graph_), path("graph.pbtxt"));
  const Finished f = assay({"seeds", path("graph.pbtxt")});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(f.err, "");
  const std::int64_t counted = graph_.find_node("counted/RandomStandardNormal")->id();
  const std::int64_t named = graph_.find_node("named/RandomUniform")->attr<std::int64_t>("seed2");
  const std::string number = std::to_string(named);
  const auto pad = [&](const std::string& text) {
    return std::string(number.size() - text.size(), ' ') + text;
  };
  const std::string shuffled = std::to_string(graph_.find_node("seed")->id());
  EXPECT_EQ(f.out, "5 random ops in " + path("graph.pbtxt") +
                       "\n\n"
                       "name                          op                        seed  " +
                       pad("seed2") +
                       "  from                    place  drawn\n"
                       "fresh/RandomUniform           RandomUniform                -  " +
                       pad("-") +
                       "  entropy                 -          -\n"
                       "own/RandomUniform             RandomUniform         87654321  " +
                       pad("4") +
                       "  op seed                 -          -\n"
                       "counted/RandomStandardNormal  RandomStandardNormal         9  " +
                       pad(std::to_string(counted)) +
                       "  graph seed, node count  -          -\n"
                       "ShuffleDataset                ShuffleDataset               9  " +
                       pad(shuffled) +
                       "  graph seed, node count  -          -\n"
                       "named/RandomUniform           RandomUniform                9  " +
                       number + "  graph seed, name        -          -\n");

  const Json json = seeds_json(path("graph.pbtxt"));
  EXPECT_EQ(json["ops"].size(), 5U);
  EXPECT_EQ(json["checkpoint"], nullptr);
  EXPECT_EQ(op(json, "named/RandomUniform")["seed2"], named);
  EXPECT_EQ(op(json, "own/RandomUniform")["from"], "op seed");
  EXPECT_EQ(op(json, "fresh/RandomUniform")["place"], nullptr);

  // The same graph with the places beside it.
  write_graph_file(to_graph_def(graph_), path("graph.pb"));
  atomic_write_file(posix_file_system(), path("graph.debug"),
                    format::to_binary(to_debug_info(graph_)));
  EXPECT_THAT(op(seeds_json(path("graph.pb")), "ShuffleDataset")["place"].get<std::string>(),
              StartsWith("seeds_test.cc:"));
}

TEST_F(SeedsCommandTest, ACheckpointSaysHowMuchWasDrawn) {
  const Output fresh = random_uniform({3}, {.name = "fresh"});
  random_uniform({3}, {.name = "never"});
  const Output mixed = random_shuffle(random_uniform({9}, {.seed = 1}), {.name = "mixed"});
  const auto iterator = data::Dataset::range(9).shuffle(4).make_initializable_iterator();
  const Output next = iterator.get_next().at(0);
  const Variable w = get_variable("w", {2, 2});
  Session session({.entropy = 7});
  session.run(w.initializer());
  session.run(iterator.initializer());
  for (int i = 0; i < 5; ++i) session.run(next);
  for (int i = 0; i < 2; ++i) session.run(fresh);
  session.run(mixed);
  train::Saver saver;
  const std::string prefix = saver.save(session, path("m"),
                                        {.global_step = 3,
                                         .save_debug_info = true,
                                         .session_state = train::save_session_state(session)});
  for (const std::string& name : {prefix, prefix + ".meta", std::string(folder_.path())}) {
    const Json json = seeds_json(name);
    EXPECT_EQ(json["checkpoint"], prefix);
    EXPECT_EQ(json["step"], 3);
    EXPECT_EQ(json["entropy"], "0x0000000000000007");
    EXPECT_EQ(op(json, "fresh/RandomUniform")["drawn"], Json({{"blocks", 1536}, {"values", 6}}));
    EXPECT_EQ(op(json, "never/RandomUniform")["drawn"], nullptr);
    EXPECT_EQ(op(json, "mixed")["drawn"], Json({{"blocks", 2}}));
    EXPECT_EQ(op(json, "ShuffleDataset")["drawn"], Json({{"blocks", 1}, {"elements", 5}}));
    EXPECT_EQ(op(json, "w/Initializer/random_uniform/RandomUniform")["drawn"]["values"], 4);
    EXPECT_THAT(op(json, "mixed")["place"].get<std::string>(), StartsWith("seeds_test.cc:"));
  }
  const Finished f = assay({"seeds", prefix});
  EXPECT_THAT(f.out, HasSubstr(", drawn up to step 3\nentropy: 0x0000000000000007\n"));
  EXPECT_THAT(f.out, HasSubstr("5 elements\n"));
  EXPECT_THAT(f.out, HasSubstr("2 blocks\n"));
  EXPECT_THAT(f.out, HasSubstr("6 values\n"));
}

TEST_F(SeedsCommandTest, ElementsOfAShuffleAreThoseOfAllItsPlaces) {
  const data::Dataset shuffled = data::Dataset::range(9).shuffle(4);
  const auto iterator =
      data::Dataset::zip({shuffled, shuffled.batch(2)}).make_initializable_iterator();
  const auto next = iterator.get_next();
  const Variable w = get_variable("w", {2});
  Session session({.entropy = 7});
  session.run(w.initializer());
  session.run(iterator.initializer());
  for (int i = 0; i < 3; ++i) session.run(next);
  train::Saver saver;
  const std::string prefix =
      saver.save(session, path("places"),
                 {.global_step = 3, .session_state = train::save_session_state(session)});
  EXPECT_EQ(op(seeds_json(prefix), "ShuffleDataset")["drawn"]["elements"], 3 + 3 * 2);
}

TEST_F(SeedsCommandTest, ARunOfWord2vec) {
  std::ofstream text(path("text.txt"));
  for (int i = 0; i < 2000; ++i) text << static_cast<char>('a' + i * i % 23 % 7) << i % 3 << "x ";
  text.close();
  const Finished trained =
      assay({"train", "word2vec", "--run", path("run"), "--text", path("text.txt"), "--vocab", "5",
             "--dim", "4", "--batch", "8", "--sampled", "2", "--steps", "10"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Json json = seeds_json(path("run"));
  EXPECT_EQ(json["step"], 10);
  std::ifstream in(path("run/run.json"));
  EXPECT_EQ(json["entropy"], Json::parse(in)["entropy"]);
  for (const Json& one : json["ops"]) {
    EXPECT_EQ(one["from"], "graph seed, node count") << one.dump();
    EXPECT_EQ(one["seed"], 1) << one.dump();
    EXPECT_TRUE(one["place"].is_string()) << one.dump();
    EXPECT_TRUE(one["drawn"].is_object()) << one.dump();
  }
  const auto sampler = std::find_if(json["ops"].begin(), json["ops"].end(), [](const Json& one) {
    return one["op"] == "LogUniformCandidateSampler";
  });
  ASSERT_NE(sampler, json["ops"].end());
  EXPECT_EQ((*sampler)["drawn"]["values"], 20);
  EXPECT_THAT((*sampler)["place"].get<std::string>(), StartsWith("skip_gram.cc:"));
}

TEST_F(SeedsCommandTest, WhatCannotBeListed) {
  const auto expect = [&](const std::string& name, const std::string& text) {
    const Finished f = assay({"seeds", path(name)});
    EXPECT_EQ(f.code, 1) << f.out;
    EXPECT_THAT(f.err, StartsWith("assay: "));
    EXPECT_THAT(f.err, HasSubstr(text));
    EXPECT_EQ(f.out, "");
  };
  expect("none", "there is no graph, run folder or checkpoint '" + path("none") + "'");
  std::ofstream(path("damaged.pb")) << "\xff\xff\xff";
  expect("damaged.pb", "damaged.pb");
  expect("", "holds no checkpoint");
  const Variable w = get_variable("w", {2});
  Session session;
  session.run(w.initializer());
  train::Saver().save(session, path("m"), {.write_meta_graph = false});
  expect("m", "was saved without its graph");
  EXPECT_EQ(assay({"seeds"}).code, 2);

  write_graph_file(to_graph_def(graph_), path("graph.pb"));
  std::ofstream(path("graph.debug")) << "\xff\xff no places";
  expect("graph.pb", "graph.debug");
}

TEST_F(SeedsCommandTest, TensorFlowsGraph) {
  ASSAY_SHARED_OR_SKIP(meta,
                       "fixtures/tf1/checkpoints/word2vec-nce-graph-xiangshiyin/model.ckpt.meta");
  const Json json = seeds_json(meta.string());
  EXPECT_GT(json["ops"].size(), 0U);
  for (const Json& one : json["ops"]) EXPECT_EQ(one["place"], nullptr);
}

}  // namespace
}  // namespace assay::testing
