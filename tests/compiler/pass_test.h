#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "assay/compiler/passes.h"
#include "assay/graph/gradient.h"
#include "assay/graph/graph.h"
#include "assay/graph/scope.h"

namespace assay::compiler {

/// A small graph of real ops, and the passes run on it one after the other.
class PassTest : public ::testing::Test {
 protected:
  PassTest() : b(graph) {}

  Output placeholder(const Shape& shape, DType dtype = float32) {
    const Output p =
        b.op("Placeholder", {}, {{"dtype", dtype}, {"shape", PartialShape(shape)}}, "x");
    feeds_.push_back(p);
    feed_dtypes_.push_back(dtype);
    feed_shapes_.push_back(shape);
    return p;
  }
  Output variable(const Shape& shape, const std::string& name = "v") {
    return b.op("VariableV2", {}, {{"dtype", float32}, {"shape", PartialShape(shape)}}, name);
  }
  Output handle(const Shape& shape, const std::string& name = "r") {
    return b.op("VarHandleOp", {}, {{"dtype", float32}, {"shape", PartialShape(shape)}}, name);
  }
  Output read(Output resource) { return b.op("ReadVariableOp", {resource}, {{"dtype", float32}}); }
  Output floats(std::vector<float> values) { return b.constant(Tensor::of(values)); }
  Output number(float value) { return b.constant(Tensor::scalar(value)); }

  /// All placeholders made so far are fed.
  Request request(std::vector<Output> fetches, std::vector<Node*> targets = {}) const {
    return {feeds_, feed_dtypes_, feed_shapes_, std::move(fetches), std::move(targets)};
  }
  Ir built(const std::vector<Output>& fetches, const std::vector<Node*>& targets = {}) {
    return build(request(fetches, targets), resources);
  }
  Ir folded(const std::vector<Output>& fetches, const std::vector<Node*>& targets = {}) {
    Ir ir = built(fetches, targets);
    fold_constants(ir, resources, pool);
    return ir;
  }
  Ir shared(const std::vector<Output>& fetches, const std::vector<Node*>& targets = {}) {
    Ir ir = folded(fetches, targets);
    share_common(ir);
    remove_dead(ir);
    return ir;
  }
  Ir simplified(const std::vector<Output>& fetches, const std::vector<Node*>& targets = {}) {
    Ir ir = shared(fetches, targets);
    simplify(ir);
    remove_dead(ir);
    return ir;
  }
  Ir ordered(const std::vector<Output>& fetches, const std::vector<Node*>& targets = {}) {
    Ir ir = simplified(fetches, targets);
    order_effects(ir);
    return ir;
  }
  Ir bypassed(const std::vector<Output>& fetches, const std::vector<Node*>& targets = {}) {
    Ir ir = ordered(fetches, targets);
    bypass_views(ir);
    remove_dead(ir);
    return ir;
  }
  Ir fused(const std::vector<Output>& fetches, const std::vector<Node*>& targets = {}) {
    Ir ir = bypassed(fetches, targets);
    fuse_elementwise(ir);
    return ir;
  }
  Ir placed(const std::vector<Output>& fetches, const std::vector<Node*>& targets = {}) {
    Ir ir = fused(fetches, targets);
    place_parts(ir);
    return ir;
  }
  Ir scheduled(const std::vector<Output>& fetches, const std::vector<Node*>& targets = {}) {
    Ir ir = placed(fetches, targets);
    schedule(ir);
    verify(ir, "schedule");
    return ir;
  }
  Ir planned(const std::vector<Output>& fetches, const std::vector<Node*>& targets = {}) {
    Ir ir = scheduled(fetches, targets);
    plan_memory(ir);
    verify(ir, "plan_memory");
    return ir;
  }

  /// The living instruction that came from `node`, or -1.
  static InstrId find(const Ir& ir, const Node* node) {
    for (InstrId i = 0; i < static_cast<InstrId>(ir.instrs.size()); ++i) {
      if (!ir.instr(i).dead && ir.instr(i).node == node) return i;
    }
    return -1;
  }
  static InstrId find(const Ir& ir, Output output) { return find(ir, output.node); }
  /// The living instructions of a kind.
  static std::vector<InstrId> of_kind(const Ir& ir, InstrKind kind) {
    std::vector<InstrId> found;
    for (InstrId i = 0; i < static_cast<InstrId>(ir.instrs.size()); ++i) {
      if (!ir.instr(i).dead && ir.instr(i).kind == kind) found.push_back(i);
    }
    return found;
  }
  /// The living instructions that run a kernel for an op of this name.
  static int count(const Ir& ir, const std::string& op) {
    int n = 0;
    for (const Instr& i : ir.instrs) {
      n += !i.dead && i.kind == InstrKind::kNode && i.node->op() == op ? 1 : 0;
    }
    return n;
  }
  /// Where an instruction stands in the order.
  static std::ptrdiff_t position(const Ir& ir, InstrId i) {
    return std::ranges::find(ir.order, i) - ir.order.begin();
  }
  static bool waits_for(const Ir& ir, InstrId later, InstrId first) {
    return std::ranges::find(ir.instr(later).after, first) != ir.instr(later).after.end();
  }

  Graph graph;
  NodeBuilder b;
  ResourceStore resources;
  ThreadPool pool{1};

 private:
  std::vector<Output> feeds_;
  std::vector<DType> feed_dtypes_;
  std::vector<Shape> feed_shapes_;
};

}  // namespace assay::compiler
