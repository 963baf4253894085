#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "assay/device/elementwise.h"
#include "assay/device/resource_store.h"
#include "assay/graph/graph.h"
#include "assay/tensor/tensor.h"

namespace assay::compiler {

using ValueId = int;
using InstrId = int;

/// Where a value's memory comes from.
enum class Storage {
  kUnset,     ///< not decided yet
  kFeed,      ///< the caller's tensor
  kConstant,  ///< known when compiled
  kVariable,  ///< the variable's own tensor
  kPlanned,   ///< a place in the frame's arena
  kDynamic,   ///< allocated while running: the shape depends on data, or the value is fetched
  kView,      ///< the memory of `alias_of`, from `alias_offset` bytes on
};

/// One tensor of a program.
struct Value {
  DType dtype = DType::kInvalid;  ///< never a ref type
  PartialShape shape;
  Tensor constant;        ///< defined when the value is known
  InstrId producer = -1;  ///< -1: a feed
  int output_index = 0;
  /// The value whose memory this one shares, or -1. For ops that hand their input on.
  ValueId alias_of = -1;
  std::int64_t alias_offset = 0;
  /// Set when the value is a variable's own storage.
  std::shared_ptr<VariableResource> variable;
  std::string variable_name;
  bool fetched = false;
  bool placed = false;  ///< computed right where `alias_of` has it
  Storage storage = Storage::kUnset;
  std::int64_t offset = 0;  ///< in the arena, for kPlanned

  bool is_constant() const { return constant.defined(); }
};

/// A chain of element-wise ops run as one loop: registers count inputs first, then
/// the ops' results in order.
struct FusedChain {
  /// One function of the chain; its result is the register after those before it.
  struct Op {
    const Node* node = nullptr;
    ElementwiseLoop loop = nullptr;
    DType result = DType::kInvalid;
    std::vector<int> inputs;  ///< registers
  };
  /// How an input lies in the domain: steps for the next row and the next element.
  struct Layout {
    std::int64_t outer_stride = 0;
    int inner_stride = 0;
  };
  /// The domain: `outer` rows of `inner` elements, of every op's result.
  std::int64_t outer = 1;
  std::int64_t inner = 0;
  std::vector<Layout> inputs;
  std::vector<DType> input_dtypes;
  std::vector<Op> ops;
  std::vector<int> outputs;  ///< the ops whose results leave the chain
  std::vector<Shape> output_shapes;
};

/// What an instruction does.
enum class InstrKind {
  kNode,      ///< runs the node's kernel
  kView,      ///< nothing: its output shares its input's memory
  kSnapshot,  ///< copies its input
  kFused,     ///< runs a FusedChain
  kJoin,      ///< copies those inputs to their part of the output that are not computed there
};

/// One instruction of a program being compiled.
struct Instr {
  InstrKind kind = InstrKind::kNode;
  const Node* node = nullptr;  ///< what it came from; the last of a fused chain
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::vector<InstrId> after;  ///< instructions that run first, beside the inputs' producers
  bool dead = false;
  std::shared_ptr<FusedChain> fused;
  std::vector<std::int64_t> parts;  ///< of a join: the first element of each input in the output
  Effect effect = Effect::kNone;
};

/// A program on its way from the graph to steps.
struct Ir {
  std::vector<Value> values;
  std::vector<Instr> instrs;
  std::vector<ValueId> feeds;    ///< in the order of the request
  std::vector<ValueId> fetches;  ///< in the order of the request
  std::vector<InstrId> targets;  ///< kept alive whatever they yield
  std::vector<InstrId> order;    ///< set by schedule()
  std::int64_t arena_size = 0;

  /// The instruction that yields `v`. REQUIRES: there is one.
  Instr& producer_of(ValueId v) {
    return instrs[static_cast<std::size_t>(values[static_cast<std::size_t>(v)].producer)];
  }
  /// By number. REQUIRES: in range; not checked.
  Value& value(ValueId v) { return values[static_cast<std::size_t>(v)]; }
  const Value& value(ValueId v) const { return values[static_cast<std::size_t>(v)]; }
  Instr& instr(InstrId i) { return instrs[static_cast<std::size_t>(i)]; }
  const Instr& instr(InstrId i) const { return instrs[static_cast<std::size_t>(i)]; }
  /// The value that owns the memory `v` shares.
  ValueId root(ValueId v) const {
    while (value(v).alias_of >= 0) v = value(v).alias_of;
    return v;
  }
  /// For each value, the living instructions that read it.
  std::vector<std::vector<InstrId>> consumers() const;
};

/// What a program is compiled for.
struct Request {
  std::vector<Output> feeds;
  std::vector<DType> feed_dtypes;  ///< of what is fed: an unknown op's output has no dtype itself
  std::vector<Shape> feed_shapes;
  std::vector<Output> fetches;
  std::vector<Node*> targets;
};

/// One line an instruction: for people and tests.
std::string to_string(const Ir& ir);

}  // namespace assay::compiler
