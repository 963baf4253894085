#include <new>

#include "assay/compiler/kernel_choice.h"
#include "assay/compiler/passes.h"
#include "assay/device/kernel.h"
#include "assay/graph/shape_context.h"

namespace assay::compiler {
namespace {

// Folding may not turn a small graph into a huge program.
constexpr std::int64_t kMaxFoldedBytes = 16 << 20;

// Infers the shapes of one instruction's outputs from its inputs as they are known now.
void infer(Ir& ir, Instr& instr) {
  const Node& node = *instr.node;
  if (node.def()->shape == nullptr) return;
  std::vector<PartialShape> inputs;
  for (const ValueId v : instr.inputs) inputs.push_back(ir.value(v).shape);
  const auto value_of = [&](int i) -> const Tensor* {
    const Value& value = ir.value(instr.inputs[static_cast<std::size_t>(i)]);
    return value.is_constant() ? &value.constant : nullptr;
  };
  const auto shape_value_of = [&](int i) -> PartialShape {
    const Value& value = ir.value(instr.inputs[static_cast<std::size_t>(i)]);
    if (value.shape.rank() != 1 || value.shape.dim(0) < 0) return {};
    return PartialShape::unknown_of_rank(static_cast<int>(value.shape.dim(0)));
  };
  ShapeContext context(node, std::move(inputs), value_of, shape_value_of);
  try {
    node.def()->shape(context);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", node.label(), error.message()), node.name(),
                node.place());
  }
  for (std::size_t i = 0; i < instr.outputs.size(); ++i) {
    Value& value = ir.value(instr.outputs[i]);
    const auto merged = value.shape.merge(context.outputs()[i]);
    // A feed may replace what the graph inferred from; then the newer inference is right.
    value.shape = merged ? *merged : context.outputs()[i];
  }
}

bool foldable(const Ir& ir, const Instr& instr) {
  const OpDef& def = *instr.node->def();
  if (instr.outputs.empty()) return false;
  // Handles of variables and iterators are resolved once, here.
  if (instr.inputs.empty() && ir.value(instr.outputs[0]).dtype == DType::kResource &&
      def.effect == Effect::kReads) {
    return true;
  }
  if (def.is_stateful() || !instr.after.empty()) return false;
  std::int64_t bytes = 0;
  for (const ValueId v : instr.outputs) {
    const Value& value = ir.value(v);
    if (dtype_size(value.dtype) == 0) return false;
    // Of unknown size only when computed from constants alone, which are small.
    if (!value.shape.is_fully_defined()) continue;
    const std::int64_t elements = value.shape.num_elements();
    if (elements > kMaxFoldedBytes) return false;
    bytes += elements * static_cast<std::int64_t>(dtype_size(value.dtype));
  }
  if (bytes > kMaxFoldedBytes) return false;
  for (const ValueId v : instr.inputs) {
    const Value& value = ir.value(v);
    if (!(def.shape_only ? value.shape.is_fully_defined() : value.is_constant())) return false;
  }
  return !instr.inputs.empty() || def.effect == Effect::kNone;
}

void fold(Ir& ir, Instr& instr, ResourceStore& resources, ThreadPool& pool) {
  const Node& node = *instr.node;
  const KernelFactory factory = choose_kernel(node);
  if (!factory) return;  // binding reports it
  std::vector<Tensor> inputs;
  std::vector<PartialShape> shapes;
  for (const ValueId v : instr.inputs) {
    const Value& value = ir.value(v);
    shapes.push_back(value.shape);
    if (value.is_constant()) {
      inputs.push_back(value.constant);
    } else {
      Tensor dataless(value.dtype, Shape{0});
      dataless.set_shape(value.shape.to_shape());
      inputs.push_back(std::move(dataless));
    }
  }
  std::vector<Tensor*> input_pointers;
  std::vector<const Tensor*> input_values;
  for (Tensor& t : inputs) {
    input_pointers.push_back(&t);
    input_values.push_back(&t);
  }
  std::vector<Tensor> outputs(instr.outputs.size());
  std::vector<Tensor*> output_pointers;
  for (Tensor& t : outputs) output_pointers.push_back(&t);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    outputs[i] = Tensor(ir.value(instr.outputs[i]).dtype, Shape{0});
  }
  const std::vector<OutputPlace> places(outputs.size(), OutputPlace::kShared);
  try {
    const KernelInit init{node, shapes, input_values, &resources};
    const auto kernel = factory.make(init);
    ParallelContext context(input_pointers, output_pointers, places, pool);
    kernel->run(context);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", node.label(), error.message()), node.name(),
                node.place());
  } catch (const std::bad_alloc&) {
    throw Error(Code::kResourceExhausted, fmt::format("{}: out of memory", node.label()),
                node.name(), node.place());
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    Value& value = ir.value(instr.outputs[i]);
    value.shape = outputs[i].shape();
    value.constant = std::move(outputs[i]);
  }
  instr.kind = InstrKind::kView;
  instr.inputs.clear();
}

}  // namespace

void fold_constants(Ir& ir, ResourceStore& resources, ThreadPool& pool) {
  for (Instr& instr : ir.instrs) {
    if (instr.dead || instr.kind != InstrKind::kNode) continue;
    infer(ir, instr);
    if (foldable(ir, instr)) fold(ir, instr, resources, pool);
  }
}

}  // namespace assay::compiler
