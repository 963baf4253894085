#include <random>

#include "tests/compiler/pass_test.h"

namespace assay::compiler {
namespace {

class PlanMemoryTest : public PassTest {
 protected:
  struct Block {
    ValueId v;
    std::int64_t begin, end;  // bytes
    int first, last;          // positions in the order
  };

  static std::int64_t bytes(const Ir& ir, ValueId v) {
    return ir.value(v).shape.num_elements() *
           static_cast<std::int64_t>(dtype_size(ir.value(v).dtype));
  }

  // The places in the arena and when each is in use, worked out from the order alone.
  static std::vector<Block> blocks(const Ir& ir) {
    std::vector<Block> found;
    for (ValueId v = 0; v < static_cast<ValueId>(ir.values.size()); ++v) {
      const Value& value = ir.value(v);
      if (value.storage != Storage::kPlanned) continue;
      Block block{v, value.offset, value.offset + bytes(ir, v), -1, -1};
      for (std::size_t at = 0; at < ir.order.size(); ++at) {
        const Instr& instr = ir.instr(ir.order[at]);
        const auto touches = [&](ValueId u) { return ir.root(u) == v; };
        if (std::ranges::none_of(instr.inputs, touches) &&
            std::ranges::none_of(instr.outputs, touches)) {
          continue;
        }
        if (block.first < 0) block.first = static_cast<int>(at);
        block.last = static_cast<int>(at);
      }
      if (block.first >= 0) found.push_back(block);
    }
    return found;
  }

  // An op may write its output over an input that it reads element by element, from the first to
  // the last, and that nobody reads later.
  static bool may_share(const Ir& ir, const Block& input, const Block& output) {
    if (input.last != output.first || input.begin != output.begin || input.end != output.end)
      return false;
    const Instr& instr = ir.instr(ir.order[static_cast<std::size_t>(output.first)]);
    if (instr.kind != InstrKind::kFused && !instr.node->def()->in_place) return false;
    for (const ValueId v : instr.inputs) {
      if (ir.root(v) == input.v && bytes(ir, v) != bytes(ir, input.v)) return false;
    }
    return true;
  }

  static void check(const Ir& ir) {
    const auto all = blocks(ir);
    for (const Block& x : all) {
      EXPECT_EQ(x.begin % 64, 0);
      EXPECT_LE(x.end, ir.arena_size);
      for (const Block& y : all) {
        if (x.v == y.v || x.first > y.first) continue;
        const bool apart = x.end <= y.begin || y.end <= x.begin || x.last < y.first;
        ASSERT_TRUE(apart || may_share(ir, x, y)) << "%" << x.v << " and %" << y.v << " overlap\n"
                                                  << to_string(ir);
      }
    }
  }
};

TEST_F(PlanMemoryTest, PlacesAreUsedAgain) {
  Output y = placeholder(Shape{64, 64});
  for (int i = 0; i < 10; ++i) y = b.op("MatMul", {y, y});
  const Ir ir = planned({b.op("Sum", {y, b.ints({0, 1})})});
  check(ir);
  EXPECT_EQ(ir.arena_size, 2 * 64 * 64 * 4);
}

TEST_F(PlanMemoryTest, AnInputThatDiesIsWrittenOver) {
  const Output x = placeholder(Shape{64, 64});
  const Output product = b.op("MatMul", {x, x});
  const Output y = b.op("Relu", {product});
  const Ir ir = planned({b.op("MatMul", {y, y})});
  check(ir);
  EXPECT_EQ(ir.arena_size, 64 * 64 * 4);
}

// The sum needs the first row to the end: it may not be written over the tensor the row lies in.
TEST_F(PlanMemoryTest, APartThatIsReadAgainIsNotWrittenOver) {
  const Output x = placeholder(Shape{8, 4});
  const Output product = b.op("MatMul", {x, placeholder(Shape{4, 4})});
  const Output row = b.op("Slice", {product, b.ints({7, 0}), b.ints({1, 4})});
  const Output y = b.op("Add", {product, row});
  check(planned({b.op("MatMul", {y, y}, {{"transpose_b", true}})}));
  // By parts of as many elements as the result has, but in another order.
  const Output column = b.op("Slice", {product, b.ints({0, 0}), b.ints({2, 4})});
  const Output wide = b.op("Add", {b.op("Reshape", {column, b.ints({8, 1})}),
                                   b.constant(Tensor::zeros(float32, Shape{1, 4}))});
  check(planned({b.op("MatMul", {wide, wide}, {{"transpose_b", true}})}));
}

TEST_F(PlanMemoryTest, WhatLeavesAndWhatDependsOnDataHasNoPlace) {
  const Output x = placeholder(Shape{64});
  const Output some = b.op("Where", {b.op("Greater", {x, number(0)})});
  const Output y = b.op("Exp", {x});
  const Ir ir = planned({y, b.op("Neg", {some})});
  check(ir);
  EXPECT_EQ(ir.value(ir.fetches[0]).storage, Storage::kDynamic);
  EXPECT_EQ(ir.value(ir.instr(find(ir, some)).outputs[0]).storage, Storage::kDynamic);
}

TEST_F(PlanMemoryTest, RandomProgramsShareOnlyWhatMayBeShared) {
  std::mt19937 random(7);
  const auto pick = [&](std::size_t n) { return random() % n; };
  for (int round = 0; round < 60; ++round) {
    std::vector<Output> all = {placeholder(Shape{16, 16}), placeholder(Shape{16, 16})};
    const auto any = [&] {
      return all[all.size() - 1 - pick(std::min<std::size_t>(4, all.size()))];
    };
    for (int k = 0; k < 30; ++k) {
      switch (pick(8)) {
        case 0:
          all.push_back(b.op("MatMul", {any(), any()}));
          break;
        case 1:
          all.push_back(b.op("Add", {any(), any()}));
          break;
        case 2:
          all.push_back(b.op("Relu", {any()}));
          break;
        case 3: {
          const Output row = b.op("Slice", {any(), b.ints({3, 0}), b.ints({1, 16})});
          all.push_back(b.op("Sub", {any(), row}));
          break;
        }
        case 4: {
          Node* split = b.node("Split", {b.constant(Tensor::scalar<std::int32_t>(0)), any()},
                               {{"num_split", std::int64_t{2}}});
          all.push_back(b.op("ConcatV2", {split->output(1), b.op("Neg", {split->output(0)}),
                                          b.constant(Tensor::scalar<std::int32_t>(0))}));
          break;
        }
        case 5:
          all.push_back(b.op("Softmax", {any()}));
          break;
        case 6:
          all.push_back(b.op("Transpose", {any(), b.ints({1, 0})}));
          break;
        default:
          all.push_back(b.op("AddN", {any(), any(), any()}));
          break;
      }
    }
    check(planned({all.back(), any()}));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace assay::compiler
