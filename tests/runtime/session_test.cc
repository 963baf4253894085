#include "assay/runtime/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <thread>

#include "assay/graph/scope.h"
#include "tests/support/test_ops.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::TestGraph;

template <typename F>
Error error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(Code::kOk, "");
}

class SessionTest : public ::testing::Test {
 protected:
  TestGraph g;
  SessionOptions options{.graph = &g.graph(), .threads = 1};
};

TEST_F(SessionTest, RunsAFedGraph) {
  const Output x = g.placeholder("x");
  const Output y = g.op("Add", {g.op("Mul", {x, x}), g.number(1)});
  Session session(options);
  EXPECT_EQ(session.run(y, {{x, Tensor::of<float>({1, 2, 3})}}).to_vector<float>(),
            (std::vector<float>{2, 5, 10}));
  EXPECT_EQ(session.run(y, {{x, 3}}).item<float>(), 10);
}

TEST_F(SessionTest, AnyTensorCanBeFedAndFetched) {
  const Output x = g.placeholder("x");
  const Output square = g.op("Mul", {x, x});
  const Output y = g.op("Add", {square, g.number(1)});
  Session session(options);
  const auto values = session.run({{square, 5}}, {square, y, y});
  EXPECT_EQ(values[0].item<float>(), 5);
  EXPECT_EQ(values[1].item<float>(), 6);
  EXPECT_EQ(values[2].item<float>(), 6);
}

TEST_F(SessionTest, VariablesKeepTheirValueBetweenRuns) {
  const Output w = g.variable("w", {2});
  Node* init = g.node("Assign", {w, g.floats({1, 2})});
  Node* add = g.node("AssignAdd", {w, g.floats({10, 10})});
  const Output read = g.op("Identity", {w}, {}, "w/read");
  Session session(options);
  session.run(init);
  session.run(add);
  session.run(add);
  EXPECT_EQ(session.run(read).to_vector<float>(), (std::vector<float>{21, 22}));
  EXPECT_EQ(session.run(w).to_vector<float>(), (std::vector<float>{21, 22}));
}

TEST_F(SessionTest, AReadComesBeforeAWrite) {
  const Output w = g.variable("w", {1});
  Node* init = g.node("Assign", {w, g.floats({1})});
  // Made before the read, so that only the rule orders them.
  Node* add = g.node("AssignAdd", {w, g.floats({10})});
  const Output read = g.op("Identity", {w});
  const Output twice = g.op("Add", {read, read});
  Session session(options);
  session.run(init);
  const auto values = session.run({}, {read, twice, w}, {add});
  EXPECT_EQ(values[0].to_vector<float>(), (std::vector<float>{1}));
  EXPECT_EQ(values[1].to_vector<float>(), (std::vector<float>{2}));
  EXPECT_EQ(values[2].to_vector<float>(), (std::vector<float>{1}));
  EXPECT_EQ(session.run(read).to_vector<float>(), (std::vector<float>{11}));
}

TEST_F(SessionTest, AControlEdgePutsTheReadAfterTheWrite) {
  const Output w = g.variable("w", {1});
  Node* init = g.node("Assign", {w, g.floats({1})});
  Node* add = g.node("AssignAdd", {w, g.floats({10})});
  Output read;
  {
    const ControlDependencies after(g.graph(), {add});
    read = g.op("Identity", {w});
  }
  Session session(options);
  session.run(init);
  EXPECT_EQ(session.run(read).to_vector<float>(), (std::vector<float>{11}));
  EXPECT_EQ(session.run(add->output()).to_vector<float>(), (std::vector<float>{21}));
}

TEST_F(SessionTest, AViewTakenBeforeAWriteKeepsTheOldValue) {
  const Output w = g.variable("w", {1});
  Node* init = g.node("Assign", {w, g.floats({1})});
  const Output before = g.op("Identity", {w}, {}, "before");
  Node* add = g.node("AssignAdd", {w, g.floats({10})});
  Output late;
  {
    const ControlDependencies after(g.graph(), {add});
    late = g.op("Add", {before, w}, {}, "late");  // 1 + 11
  }
  Session session(options);
  session.run(init);
  EXPECT_EQ(session.run(late).to_vector<float>(), (std::vector<float>{12}));
}

TEST_F(SessionTest, FetchedValuesAreTheCallersOwn) {
  const Output w = g.variable("w", {1});
  Node* init = g.node("Assign", {w, g.floats({1})});
  Node* add = g.node("AssignAdd", {w, g.floats({10})});
  Session session(options);
  session.run(init);
  Tensor first = session.run(w);
  session.run(add);
  EXPECT_EQ(first.to_vector<float>(), (std::vector<float>{1}));
  first.data<float>()[0] = 99;
  EXPECT_EQ(session.run(w).to_vector<float>(), (std::vector<float>{11}));
  const Output c = g.floats({7});
  session.run(c).data<float>()[0] = 99;
  EXPECT_EQ(session.run(c).to_vector<float>(), (std::vector<float>{7}));
}

TEST_F(SessionTest, NamesAVariableThatIsNotInitialised) {
  const Output w = g.variable("weights/W", {1});
  const Output y = g.op("Add", {w, g.floats({1})});
  Session session(options);
  const Error e = error_of([&] { session.run(y); });
  EXPECT_EQ(e.code(), Code::kFailedPrecondition);
  EXPECT_THAT(e.what(), HasSubstr("'weights/W'"));
}

TEST_F(SessionTest, NamesAWrongFeed) {
  const Output x = g.placeholder("x", {-1, 3});
  const Output y = g.op("Add", {x, x});
  Session session(options);
  Error e = error_of([&] { session.run(y, {{x, Tensor::of<double>({1, 2, 3}, Shape{1, 3})}}); });
  EXPECT_EQ(e.code(), Code::kInvalidArgument);
  EXPECT_THAT(e.what(), HasSubstr("tensor 'x:0': expected float32, got float64"));
  e = error_of([&] { session.run(y, {{x, Tensor::of<float>({1, 2})}}); });
  EXPECT_THAT(e.what(), HasSubstr("expected shape [?,3], got shape [2]"));
  e = error_of([&] { session.run(y); });
  EXPECT_THAT(e.what(), HasSubstr("Placeholder 'x': must be fed a value of float32[?,3]"));
  e = error_of([&] { session.run({{x, Tensor()}}, {y}); });
  EXPECT_THAT(e.what(), HasSubstr("undefined"));
}

TEST_F(SessionTest, NumbersAreFedOnlyWhereTheyFit) {
  const AttrMap attrs = {{"dtype", int32}, {"shape", PartialShape{}}};
  const Output n = g.op("Placeholder", {}, attrs, "n");
  const Output y = g.op("Identity", {n});
  Session session(options);
  EXPECT_EQ(session.run(y, {{n, -2147483648.0}}).item<std::int32_t>(), -2147483648LL);
  for (const double wrong : {0.5, 2147483648.0, -2147483649.0, std::nan("")}) {
    const Error e = error_of([&] { session.run(y, {{n, wrong}}); });
    EXPECT_EQ(e.code(), Code::kInvalidArgument);
    EXPECT_THAT(e.what(), HasSubstr("tensor 'n:0': expected int32, got the number"));
  }
  EXPECT_EQ(error_of([&] { Feed(Output(), 1); }).code(), Code::kInvalidArgument);

  const auto of = [&](DType dtype) {
    return g.op("Placeholder", {}, {{"dtype", dtype}, {"shape", PartialShape{}}});
  };
  EXPECT_EQ(error_of([&] { Feed(of(boolean), 0.5); }).code(), Code::kInvalidArgument);
  EXPECT_TRUE(Feed(of(boolean), 1).value.item<bool>());
  EXPECT_EQ(error_of([&] { Feed(of(float32), 1e300); }).code(), Code::kInvalidArgument);
  EXPECT_EQ(Feed(of(float64), 1e300).value.item<double>(), 1e300);
  EXPECT_TRUE(std::isinf(Feed(of(float32), INFINITY).value.item<float>()));
  const std::uint64_t large = (std::uint64_t{1} << 63) + 1;
  EXPECT_EQ(Feed(of(DType::kUInt64), large).value.item<std::uint64_t>(), large);
}

// Feeds of ever new shapes must not fill the memory with programs.
TEST_F(SessionTest, ProgramsNotUsedForLongAreForgotten) {
  const Output x = g.placeholder("x", {-1});
  const Output y = g.op("Live", {x});
  Session session(options);
  const Callable call = session.make_callable({.feeds = {x}, .fetches = {y}});
  const auto sum_of = [&](std::int64_t n) {
    const Tensor ones = Tensor::of<float>(std::vector<float>(static_cast<std::size_t>(n), 1));
    EXPECT_EQ(call({ones}).front().num_elements(), n);
    EXPECT_EQ(session.run(y, {{x, ones}}).num_elements(), n);
  };
  for (std::int64_t n = 1; n <= 2000; ++n) {
    sum_of(n);
    sum_of(1);  // in use all along
  }
  EXPECT_GT(testing::LiveKernel::alive, 1);
  EXPECT_LE(testing::LiveKernel::alive, 300);
  const int made = testing::LiveKernel::made;
  sum_of(1);
  sum_of(2000);
  EXPECT_EQ(testing::LiveKernel::made, made);
}

TEST_F(SessionTest, AnErrorInAKernelNamesTheNode) {
  const Output y = g.op("Failing", {g.placeholder("x")}, {}, "scope/bad");
  Session session(options);
  const Error e = error_of([&] { session.run(y, {{y.node->input(0), 1}}); });
  EXPECT_EQ(e.node(), "scope/bad");
  EXPECT_THAT(e.what(), HasSubstr("Failing 'scope/bad': this op always fails"));
  EXPECT_EQ(session.run(g.number(2)).item<float>(), 2) << "the session goes on";
}

TEST_F(SessionTest, NamesACycle) {
  const Output x = g.placeholder("x");
  const Output a = g.op("Add", {x, x}, {}, "a");
  const Output b = g.op("Add", {a, x}, {}, "b");
  a.node->replace_input(1, b);
  Session session(options);
  const Error e = error_of([&] { session.run(b, {{x, 1}}); });
  EXPECT_EQ(e.code(), Code::kInvalidArgument);
  EXPECT_THAT(e.what(), HasSubstr("cycle"));
  EXPECT_THAT(e.what(), HasSubstr("'a'"));
}

TEST_F(SessionTest, AnUnknownOpMattersOnlyWhereItIsNeeded) {
  Node* unknown = g.graph().add_imported_node({.op = "Conv9D", .name = "odd"}, "", {float32});
  const Output y = g.op("Add", {g.number(1), g.number(2)});
  const Output bad = g.op("Add", {unknown->output(), y});
  Session session(options);
  EXPECT_EQ(session.run(y).item<float>(), 3);
  const Error e = error_of([&] { session.run(bad); });
  EXPECT_EQ(e.code(), Code::kUnimplemented);
  EXPECT_THAT(e.what(), HasSubstr("Conv9D 'odd'"));
}

TEST_F(SessionTest, StateOpsRunOnceARunAndSurviveAcrossPrograms) {
  const Output c = g.op("Counter", {});
  const Output d = g.op("Add", {c, g.number(100)});
  Session session(options);
  EXPECT_EQ(session.run(c).item<float>(), 1);
  const auto both = session.run({c, d});
  EXPECT_EQ(both[0].item<float>(), 2);
  EXPECT_EQ(both[1].item<float>(), 102);
  Session other(options);
  EXPECT_EQ(other.run(c).item<float>(), 1);
}

TEST_F(SessionTest, WaitsForEffectsBehindPureNodes) {
  const Output w = g.variable("w", {1});
  Node* init = g.node("Assign", {w, g.floats({1})});
  Node* group = nullptr;
  {
    const ControlDependencies after(g.graph(), {init});
    const Output pure = g.op("Add", {g.placeholder("never_fed"), g.number(1)});
    const ControlDependencies pure_too(g.graph(), {pure.node});
    group = g.node("NoOp", {}, {}, "group");
  }
  Session session(options);
  session.run(group);
  EXPECT_EQ(session.run(w).to_vector<float>(), (std::vector<float>{1}));
}

TEST_F(SessionTest, ShapesThatDependOnDataAreAllocatedWhileRunning) {
  const Output x = g.placeholder("x", {-1});
  const Output kept = g.op("Positive", {x});
  const Output doubled = g.op("Add", {g.op("Identity", {kept}), kept});
  Session session(options);
  const auto callable = session.make_callable({.feeds = {x}, .fetches = {doubled}});
  EXPECT_EQ(callable({Tensor::of<float>({1, -1, 3})})[0].to_vector<float>(),
            (std::vector<float>{2, 6}));
  EXPECT_EQ(callable({Tensor::of<float>({-1, -1, 3})})[0].to_vector<float>(),
            (std::vector<float>{6}));
  EXPECT_EQ(callable({Tensor::of<float>({-1, -1, -3})})[0].num_elements(), 0);
}

TEST_F(SessionTest, CallablesFollowTheShapesTheyAreGiven) {
  const Output x = g.placeholder("x");
  const auto n = g.op("Length", {x});
  Session session(options);
  const auto callable = session.make_callable({.feeds = {x}, .fetches = {n}});
  for (const int size : {1, 3, 2, 3, 1}) {
    EXPECT_EQ(callable({Tensor::zeros(float32, Shape{size})})[0].item<std::int32_t>(), size);
  }
  EXPECT_THROW(callable({}), Error);
  EXPECT_THROW(callable({Tensor::scalar(1.0)}), Error);
  EXPECT_THROW(Callable()({}), Error);
}

TEST_F(SessionTest, FusedChainsGiveTheBitsOfSingleOps) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(-2, 2);
  const auto tensor = [&](const Shape& shape) {
    Tensor t(float32, shape);
    for (float& v : t.span<float>()) v = uniform(random);
    return t;
  };
  // Full, row, column and scalar inputs in one chain, longer than a block.
  const Output x = g.placeholder("x");
  const Output row = g.placeholder("row");
  const Output column = g.placeholder("column");
  const Output one = g.op("Mul", {x, row});
  const Output two = g.op("Add", {one, column});
  const Output three = g.op("Mul", {g.op("Add", {two, g.number(0.5F)}), x});
  const std::vector<Feed> feeds{
      {x, tensor({70, 1300})}, {row, tensor({1300})}, {column, tensor({70, 1})}};
  Session session(options);
  const std::string program = session.describe_program(feeds, {three});
  EXPECT_THAT(program, HasSubstr("fused    Mul Add Add Mul"));
  const Tensor fused = session.run(feeds, {three})[0];
  // One op a run, what came before being fed: nothing to fuse.
  const auto only = [&](Output y, std::vector<Feed> inputs) {
    EXPECT_THAT(session.describe_program(inputs, {y}), Not(HasSubstr("fused")));
    return session.run(inputs, {y})[0];
  };
  const Tensor first = only(one, {feeds[0], feeds[1]});
  const Tensor second = only(two, {{one, first}, feeds[2]});
  const Output half = three.node->input(0);
  const Tensor third = only(half, {{two, second}});
  EXPECT_TRUE(fused.identical(only(three, {{half, third}, feeds[0]})));
  // Values on the way leave the chain where somebody else wants them.
  const auto all = session.run(feeds, {three, one, two, half});
  EXPECT_TRUE(all[0].identical(fused));
  EXPECT_TRUE(all[1].identical(first));
  EXPECT_TRUE(all[2].identical(second));
  EXPECT_TRUE(all[3].identical(third));
  options.threads = 2;
  Session threads(options);
  EXPECT_TRUE(fused.identical(threads.run(feeds, {three})[0]));
}

TEST_F(SessionTest, SillyNumbersOfThreadsAreRefused) {
  for (const int threads : {-1, 4097, 1 << 30}) {
    const Error e = error_of([&] { Session({.graph = &g.graph(), .threads = threads}); });
    EXPECT_EQ(e.code(), Code::kInvalidArgument);
    EXPECT_NE(e.message().find(std::to_string(threads)), std::string::npos) << e.message();
  }
  EXPECT_GE(Session({.graph = &g.graph()}).threads(), 1);
}

TEST_F(SessionTest, ConstantsAreFoldedAndCommonWorkIsShared) {
  const Output x = g.placeholder("x");
  const Output c = g.op("Mul", {g.number(3), g.op("Add", {g.number(1), g.number(1)})});
  const Output a = g.op("Add", {x, c}, {}, "first");
  const Output b = g.op("Add", {x, c}, {}, "second");
  const Output y = g.op("Mul", {a, b}, {}, "product");
  Session session(options);
  const std::string program = session.describe_program({{x, 1}}, {y});
  EXPECT_THAT(program, Not(HasSubstr("'second'")));
  EXPECT_EQ(session.run(y, {{x, 1}}).item<float>(), 49);
}

TEST_F(SessionTest, ReadingRunsMayGoSideBySide) {
  const Output w = g.variable("w", {1000});
  Node* init = g.node("Assign", {w, g.constant(Tensor::zeros(float32, Shape{1000}))});
  const Output x = g.placeholder("x");
  const Output y = g.op("Add", {w, x});
  Node* add = g.node("AssignAdd", {w, g.op("Fill", {g.ints({1000}), g.number(1)})});
  Session session(options);
  session.run(init);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        if (t == 0) {
          session.run(add);
          continue;
        }
        // Never half of an update: all elements agree.
        const Tensor value = session.run(y, {{x, t}});
        for (const float v : value.span<float>()) wrong += v != value.data<float>()[0] ? 1 : 0;
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(session.run(w).data<float>()[999], 200);
}

TEST_F(SessionTest, RefusesNodesOfAnotherGraph) {
  TestGraph other;
  const Output y = other.number(1);
  Session session(options);
  EXPECT_THAT(error_of([&] { session.run(y); }).what(), HasSubstr("another graph"));
  EXPECT_THAT(error_of([&] { session.run(Output{}); }).what(), HasSubstr("no node"));
}

}  // namespace
}  // namespace assay
