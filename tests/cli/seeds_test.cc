#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "assay/api/constant.h"
#include "assay/api/math_ops.h"
#include "assay/api/random_ops.h"
#include "assay/api/stateless_random_ops.h"
#include "assay/api/variable_scope.h"
#include "assay/base/file_system.h"
#include "assay/data/dataset.h"
#include "assay/format/proto_io.h"
#include "assay/graph/debug_info.h"
#include "assay/graph/graph_files.h"
#include "assay/graph/random_nodes.h"
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
  expect("damaged.pb", path("damaged.pb") + " is cut short, damaged, or no GraphDef");
  std::ofstream(path("notes.txt")) << "a text\n";
  expect("notes.txt", path("notes.txt") + " is text, but no GraphDef");
  std::ofstream(path("empty")).flush();
  expect("empty", path("empty") + ": the file is empty; expected a GraphDef");
  expect("", "holds no checkpoint");
  expect("",
         "; give a graph's file (.pb, .pbtxt, .meta), a SavedModel, a checkpoint's prefix or a");
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

TEST_F(SeedsCommandTest, FunctionsOfALibrary) {
  proto::GraphDef def;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"text(
    node { name: "none" op: "NoOp" }
    library {
      function {
        signature { name: "f" input_arg { name: "n" type: DT_INT64 } }
        node_def { name: "own" op: "RandomUniform" input: "nothing_of_the_kind:0"
                   attr { key: "seed" value { i: 87654321 } }
                   attr { key: "seed2" value { i: 5 } } }
        node_def { name: "fresh" op: "RandomStandardNormal" input: "n" }
        node_def { name: "sum" op: "Add" input: "n" input: "n" }
        node_def { name: "unknown" op: "OpOfNobody" attr { key: "seed" value { i: 3 } }
                   attr { key: "seed2" value { i: 4 } } }
        node_def { name: "no_numbers" op: "OpOfNobody" attr { key: "seed" value { s: "x" } }
                   attr { key: "seed2" value { i: 4 } } }
      }
      function {
        signature { name: "g" input_arg { name: "n" type: DT_INT64 } }
        node_def { name: "seed" op: "Const" attr { key: "value" value { tensor {
                   dtype: DT_INT64 tensor_shape {} int64_val: 0 } } } }
        node_def { name: "other" op: "Const" attr { key: "value" value { tensor {
                   dtype: DT_INT64 tensor_shape {} int64_val: 9 } } } }
        node_def { name: "choice" op: "Select"
                   input: "n" input: "other:output:0" input: "seed:output:0" }
        node_def { name: "loop" op: "Identity" input: "loop:output:0" }
        node_def { name: "shuffled" op: "ShuffleDataset"
                   input: "n" input: "n" input: "seed:output:0" input: "choice:output:0" }
        node_def { name: "given" op: "ShuffleDataset"
                   input: "n" input: "n" input: "n" input: "loop" }
        node_def { name: "cut_short" op: "ShuffleDataset" input: "n" }
        node_def { name: "both" op: "Const" attr { key: "value" value { tensor {
                   dtype: DT_INT32 tensor_shape { dim { size: 2 } } int_val: [ 6, 7 ] } } } }
        node_def { name: "huge" op: "Const" attr { key: "value" value { tensor {
                   dtype: DT_INT64 tensor_shape { dim { size: 99999999999 } } int64_val: 1 } } } }
        node_def { name: "stateless" op: "StatelessRandomUniform" input: "n" input: "both" }
        node_def { name: "large" op: "StatelessRandomUniform" input: "n" input: "huge" }
      }
    })text",
      &def));
  write_graph_file(def, path("graph.pb"));
  proto::GraphDebugInfo info;
  info.add_files("/home/me/model.py");
  (*info.mutable_traces())["own@f"].add_file_line_cols()->set_line(12);
  atomic_write_file(posix_file_system(), path("graph.debug"), format::to_binary(info));
  const Json json = seeds_json(path("graph.pb"));
  const auto expect = [&](const char* name, const Json& seed, const Json& seed2, const char* from) {
    const Json one = op(json, name);
    EXPECT_EQ(one["seed"], seed) << name;
    EXPECT_EQ(one["seed2"], seed2) << name;
    EXPECT_EQ(one["from"], from) << name;
    EXPECT_EQ(one["drawn"], nullptr) << name;
  };
  EXPECT_EQ(json["ops"].size(), 8U) << json["ops"].dump(2);
  expect("f/own", 87654321, 5, "op seed");
  expect("f/fresh", 0, 0, "entropy");
  expect("f/unknown", 3, 4, "graph seed");
  expect("g/shuffled", 0, 9, "graph seed");
  expect("g/given", nullptr, nullptr, "computed");
  expect("g/stateless", 6, 7, "op seed");
  expect("g/cut_short", nullptr, nullptr, "computed");
  expect("g/large", nullptr, nullptr, "computed");
  EXPECT_EQ(op(json, "f/own")["place"], "model.py:12");
  EXPECT_EQ(op(json, "f/fresh")["place"], nullptr);
}

TEST_F(SeedsCommandTest, FunctionsOfDatasets) {
  const auto add_noise = [](const std::vector<Output>& x) -> std::vector<Output> {
    return {cast(x[0], float32) + random_uniform({}, {.name = "noise"}) +
            random_uniform({}, {.seed = 5, .name = "random/own"})};
  };
  const data::Dataset noisy = data::Dataset::range(9).map(add_noise);
  const auto fresh = noisy.make_initializable_iterator();
  const auto again = data::Dataset::zip({noisy, noisy}).make_initializable_iterator();
  set_random_seed(7, SeedPolicy::by_name);
  const auto seeded = data::Dataset::range(9).map(add_noise).make_initializable_iterator();
  Session session({.entropy = 7});
  for (const auto& [iterator, count] :
       {std::pair{fresh, 2}, std::pair{again, 1}, std::pair{seeded, 4}}) {
    const Output next = iterator.get_next().at(0);
    session.run(iterator.initializer());
    for (int i = 0; i < count; ++i) session.run(next);
  }
  const Variable w = get_variable("w", {2});
  session.run(w.initializer());
  const std::string prefix = train::Saver().save(
      session, path("m"),
      {.save_debug_info = true, .session_state = train::save_session_state(session)});
  const Json json = seeds_json(prefix);
  const auto expect = [&](const std::string& name, const Json& seed, const Json& seed2,
                          const char* from, int drawn) {
    const Json one = op(json, name);
    EXPECT_EQ(one["seed"], seed) << name;
    EXPECT_EQ(one["seed2"], seed2) << name;
    EXPECT_EQ(one["from"], from) << name;
    EXPECT_EQ(one["op"], nullptr) << name;
    EXPECT_EQ(one["drawn"], Json({{"blocks", 256 * drawn}})) << name;
    EXPECT_THAT(one["place"].get<std::string>(), StartsWith("seeds_test.cc:")) << name;
  };
  const std::string inner = "noise/RandomUniform";
  // Twice in the first iterator, once at each of two places in the second.
  expect("AssayMapDataset/" + inner, nullptr, nullptr, "entropy", 4);
  expect("AssayMapDataset/random/own/RandomUniform", 87654321, 5, "op seed", 4);
  expect("AssayMapDataset_1/" + inner, 7, seed_by_name(7, "AssayMapDataset_1/" + inner),
         "graph seed, name", 4);
  expect("AssayMapDataset_1/random/own/RandomUniform", 7, 5, "graph seed", 4);
}

TEST_F(SeedsCommandTest, ConstantSeedsOfStatelessOps) {
  stateless_random_uniform({2}, constant<std::int64_t>({3, -4}), {.name = "given"});
  stateless_random_uniform({2}, placeholder(int32, PlaceholderOptions{.shape = Dims{2}}),
                           {.name = "fed"});
  write_graph_file(to_graph_def(graph_), path("graph.pb"));
  const Json listed = seeds_json(path("graph.pb"));
  EXPECT_EQ(listed["ops"].size(), 2u);
  for (const Json& one : listed["ops"]) {
    const bool given = one["name"].get<std::string>().starts_with("given");
    EXPECT_EQ(one["seed"], given ? Json(3) : Json());
    EXPECT_EQ(one["seed2"], given ? Json(-4) : Json());
    EXPECT_EQ(one["from"], given ? "op seed" : "computed");
  }
}

TEST_F(SeedsCommandTest, AFullDiskIsSaid) {
  random_uniform({2});
  write_graph_file(to_graph_def(graph_), path("graph.pb"));
  const std::string program = assay_command({}).front();
  const Finished f =
      Process({"/bin/sh", "-c", "'" + program + "' seeds '" + path("graph.pb") + "' > /dev/full"})
          .finish();
  EXPECT_EQ(f.code, 1);
  EXPECT_EQ(f.err, "assay: cannot write to standard output: No space left on device\n");
}

TEST_F(SeedsCommandTest, GraphFilesOfTensorFlow) {
  ASSAY_SHARED_OR_SKIP(frozen, "fixtures/tf1/graphs/frozen-lstm-onnx/frozen.pb");
  const Json json = seeds_json(frozen.string());
  ASSERT_EQ(json["ops"].size(), 1U);
  EXPECT_EQ(json["ops"][0]["name"], "model/dropout/random_uniform/RandomUniform");
  EXPECT_EQ(json["ops"][0]["from"], "entropy");
  EXPECT_EQ(json["checkpoint"], nullptr);
  // A checkpoint of the first format is a file as well.
  ASSAY_SHARED_OR_SKIP(v1, "fixtures/tf1/checkpoints/v1-bnconv-adam-hardmaru/model.ckpt-0");
  EXPECT_EQ(seeds_json(v1.string())["checkpoint"], v1.string());
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
