#include "assay/runtime/program.h"

#include <algorithm>
#include <new>

#include "assay/compiler/kernel_choice.h"
#include "assay/device/cpu/fused_loop.h"

namespace assay::runtime {
namespace {

using compiler::Instr;
using compiler::InstrId;
using compiler::InstrKind;
using compiler::Storage;
using compiler::Value;
using compiler::ValueId;

// Copies a value that must outlive a later write, or leave the program.
class SnapshotKernel : public Kernel {
 public:
  void run(KernelContext& ctx) override {
    Tensor& out = ctx.output(0, ctx.input(0).shape());
    copy_elements(ctx.input(0), out);
  }
};

// Shares a part of its input's memory, or all of it under another shape, where the memory is known
// only while running.
class ViewKernel : public Kernel {
 public:
  ViewKernel(std::int64_t first_element, Shape shape)
      : first_element_(first_element), shape_(shape) {}
  void run(KernelContext& ctx) override {
    ctx.set_output(0, ctx.input(0).part(first_element_, shape_));
  }

 private:
  std::int64_t first_element_;
  Shape shape_;
};

// Copies parts into a joined tensor.
class JoinKernel : public Kernel {
 public:
  JoinKernel(Shape shape, std::vector<std::int64_t> parts)
      : shape_(shape), parts_(std::move(parts)) {}
  void run(KernelContext& ctx) override {
    Tensor& out = ctx.output(0, shape_);
    for (std::size_t k = 0; k < parts_.size(); ++k) {
      const Tensor& part = ctx.input(static_cast<int>(k));
      Tensor place = out.part(parts_[k], part.shape());
      copy_elements(part, place);
    }
  }

 private:
  Shape shape_;
  std::vector<std::int64_t> parts_;
};

// Kernels of pure ops may be handed arena memory; what they yield must not share it unknown to the
// planner.
OutputPlace place_of(const Instr& instr, const Value& value) {
  if (value.storage == Storage::kPlanned || value.placed) return OutputPlace::kPlanned;
  const bool pure = instr.kind == InstrKind::kNode && instr.effect == Effect::kNone;
  return pure && value.alias_of < 0 ? OutputPlace::kOwned : OutputPlace::kShared;
}

std::unique_ptr<Kernel> make_fused(const Instr& instr) {
  const compiler::FusedChain& chain = *instr.fused;
  FusedLoop loop;
  loop.output_shapes = chain.output_shapes;
  loop.outer = chain.outer;
  loop.inner = chain.inner;
  for (std::size_t k = 0; k < chain.inputs.size(); ++k) {
    const auto& layout = chain.inputs[k];
    loop.inputs.push_back({layout.outer_stride, layout.inner_stride,
                           static_cast<int>(dtype_size(chain.input_dtypes[k]))});
  }
  for (const auto& op : chain.ops) {
    loop.operations.push_back({op.loop, op.inputs, static_cast<int>(dtype_size(op.result)), -1});
  }
  for (std::size_t k = 0; k < chain.outputs.size(); ++k) {
    loop.operations[static_cast<std::size_t>(chain.outputs[k])].output = static_cast<int>(k);
  }
  return make_fused_kernel(std::move(loop));
}

}  // namespace

struct Program::Frame {
  explicit Frame(std::int64_t arena_size)
      : arena(Buffer::allocate(static_cast<std::size_t>(std::max<std::int64_t>(arena_size, 64)))) {}
  ~Frame() {
    slots.clear();
    arena->unref();
  }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  Buffer* arena;
  std::vector<Tensor> slots;  // by value
  std::vector<Tensor*> args;  // parallel to Program::args_
};

Program::Program(compiler::Ir ir, ResourceStore& resources) : ir_(std::move(ir)) {
  for (const InstrId i : ir_.order) bind_step(i, resources);
  idle_.push_back(make_frame());
}

Program::~Program() = default;

// The slot whose tensor holds `v`: a view of the same shape needs none of its own.
int Program::slot_of(ValueId v) const {
  while (ir_.value(v).storage == Storage::kView) {
    const Value& value = ir_.value(v);
    // A reference is the variable itself, whatever is known of its shape.
    const bool same = value.variable != nullptr ||
                      (value.alias_offset == 0 && value.shape == ir_.value(value.alias_of).shape);
    if (!same) break;
    v = value.alias_of;
  }
  return v;
}

void Program::bind_step(InstrId i, ResourceStore& resources) {
  const Instr& instr = ir_.instr(i);
  switch (instr.kind) {
    case InstrKind::kView: {
      for (const ValueId v : instr.outputs) {
        const Value& value = ir_.value(v);
        if (value.storage != Storage::kView || slot_of(v) != v) continue;
        if (ir_.value(ir_.root(v)).storage == Storage::kPlanned) continue;
        const auto size = static_cast<std::int64_t>(dtype_size(value.dtype));
        add_step(std::make_unique<ViewKernel>(value.alias_offset / size, value.shape.to_shape()),
                 instr, {slot_of(value.alias_of)}, {v});
      }
      return;
    }
    case InstrKind::kJoin: {
      std::vector<ValueId> inputs;
      std::vector<std::int64_t> parts;
      for (std::size_t k = 0; k < instr.inputs.size(); ++k) {
        // A tensor that is a part twice, or of two joins, is computed in one place only.
        const Value& part = ir_.value(instr.inputs[k]);
        const auto offset = instr.parts[k] * static_cast<std::int64_t>(dtype_size(part.dtype));
        if (part.placed && part.alias_of == instr.outputs[0] && part.alias_offset == offset)
          continue;
        inputs.push_back(instr.inputs[k]);
        parts.push_back(instr.parts[k]);
      }
      if (inputs.empty()) return;
      const Shape shape = ir_.value(instr.outputs[0]).shape.to_shape();
      add_step(std::make_unique<JoinKernel>(shape, std::move(parts)), instr, inputs, instr.outputs);
      return;
    }
    case InstrKind::kSnapshot:
      add_step(std::make_unique<SnapshotKernel>(), instr, instr.inputs, instr.outputs);
      return;
    case InstrKind::kFused:
      add_step(make_fused(instr), instr, instr.inputs, instr.outputs);
      return;
    case InstrKind::kNode:
      break;
  }
  exclusive_ = exclusive_ || instr.effect == Effect::kWrites || instr.effect == Effect::kState;
  std::vector<PartialShape> shapes;
  std::vector<const Tensor*> values;
  for (const ValueId v : instr.inputs) {
    shapes.push_back(ir_.value(v).shape);
    values.push_back(ir_.value(v).is_constant() ? &ir_.value(v).constant : nullptr);
  }
  const KernelFactory factory = compiler::require_kernel(*instr.node);
  try {
    add_step(factory.make(KernelInit{*instr.node, shapes, values, &resources}), instr, instr.inputs,
             instr.outputs);
  } catch (const Error& error) {
    if (!error.node().empty()) throw;
    throw Error(error.code(), fmt::format("{}: {}", instr.node->label(), error.message()),
                instr.node->name(), instr.node->place());
  } catch (const std::bad_alloc&) {
    throw Error(Code::kResourceExhausted, fmt::format("{}: out of memory", instr.node->label()),
                instr.node->name(), instr.node->place());
  }
}

void Program::add_step(std::unique_ptr<Kernel> kernel, const Instr& instr,
                       const std::vector<ValueId>& inputs, const std::vector<ValueId>& outputs) {
  Step step;
  step.kernel = kernel.get();
  step.node = instr.node;
  kernels_.push_back(std::move(kernel));
  step.first_input = static_cast<unsigned>(args_.size());
  step.num_inputs = static_cast<unsigned>(inputs.size());
  add_checks(step, instr, inputs);
  for (const ValueId v : inputs) {
    args_.push_back(slot_of(v));
    places_.push_back(OutputPlace::kShared);
  }
  step.first_output = static_cast<unsigned>(args_.size());
  step.num_outputs = static_cast<unsigned>(outputs.size());
  for (const ValueId v : outputs) {
    args_.push_back(slot_of(v));
    places_.push_back(place_of(instr, ir_.value(v)));
  }
  steps_.push_back(step);
}

// One check a run and variable is enough until something may have given it another shape: then what
// comes later looks again.
void Program::add_checks(Step& step, const Instr& instr, const std::vector<ValueId>& inputs) {
  step.first_check = static_cast<unsigned>(checks_.size());
  const bool may_be_unset =
      instr.kind == InstrKind::kNode && instr.node->def()->allows_uninitialized;
  for (const ValueId v : inputs) {
    ValueId at = v;
    while (ir_.value(at).variable == nullptr && ir_.value(at).alias_of >= 0)
      at = ir_.value(at).alias_of;
    const Value& declared = ir_.value(at);
    if (declared.variable == nullptr) continue;
    const InstrId producer = ir_.value(ir_.root(at)).producer;
    Check check{&declared.variable->value, declared.dtype, declared.shape, declared.variable_name,
                producer >= 0 ? ir_.instr(producer).node : nullptr};
    if (may_be_unset) {
      if (instr.effect != Effect::kWrites) continue;
      std::erase_if(checked_, [&](const Check& c) { return c.value == check.value; });
      continue;
    }
    const auto same = [&](const Check& c) { return c.same_as(check); };
    if (std::ranges::any_of(checked_, same)) continue;
    checked_.push_back(check);
    checks_.push_back(std::move(check));
    ++step.num_checks;
  }
}

void Program::report_variable(const Check& check) {
  const std::string place = check.node != nullptr && !check.node->place().empty()
                                ? fmt::format(" ({})", check.node->place())
                                : "";
  if (!check.value->defined()) {
    fail(Code::kFailedPrecondition,
         "variable '{}'{} is not initialised: run global_variables_initializer() or restore a "
         "checkpoint first",
         check.variable, place);
  }
  invalid_argument(
      "variable '{}'{} was given a value of another type or shape: expected {}{}, got "
      "{}{}",
      check.variable, place, dtype_name(check.dtype), check.shape.str(),
      dtype_name(check.value->dtype()), check.value->shape().str());
}

std::unique_ptr<Program::Frame> Program::make_frame() const {
  auto frame = std::make_unique<Frame>(ir_.arena_size);
  frame->slots.resize(ir_.values.size());
  for (std::size_t k = 0; k < ir_.values.size(); ++k) {
    const Value& value = ir_.values[k];
    switch (value.storage) {
      case Storage::kConstant:
        frame->slots[k] = value.constant;
        break;
      case Storage::kPlanned:
        frame->slots[k] = Tensor(value.dtype, value.shape.to_shape(), frame->arena,
                                 static_cast<std::size_t>(value.offset));
        break;
      case Storage::kView: {
        const auto v = static_cast<ValueId>(k);
        if (slot_of(v) != v) break;
        std::int64_t offset = 0;
        ValueId at = v;
        for (; ir_.value(at).alias_of >= 0; at = ir_.value(at).alias_of)
          offset += ir_.value(at).alias_offset;
        if (ir_.value(at).storage != Storage::kPlanned) break;
        frame->slots[k] = Tensor(value.dtype, value.shape.to_shape(), frame->arena,
                                 static_cast<std::size_t>(ir_.value(at).offset + offset));
        break;
      }
      case Storage::kDynamic:
        frame->slots[k] = Tensor(value.dtype, Shape{0});
        break;
      case Storage::kFeed:
      case Storage::kVariable:
      case Storage::kUnset:
        break;
    }
  }
  frame->args.reserve(args_.size());
  for (const int slot : args_) {
    const Value& value = ir_.value(slot);
    frame->args.push_back(value.variable != nullptr && value.storage == Storage::kVariable
                              ? &value.variable->value
                              : &frame->slots[static_cast<std::size_t>(slot)]);
  }
  return frame;
}

std::unique_ptr<Program::Frame> Program::take_frame() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto frame = std::move(idle_.back());
      idle_.pop_back();
      return frame;
    }
  }
  return make_frame();
}

void Program::give_back(std::unique_ptr<Frame> frame) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(frame));
}

std::vector<Tensor> Program::run(const Tensor* const* feeds, ThreadPool& pool) {
  auto frame = take_frame();
  for (std::size_t k = 0; k < ir_.feeds.size(); ++k) {
    frame->slots[static_cast<std::size_t>(ir_.feeds[k])] = *feeds[k];
  }
  const Step* at = nullptr;
  try {
    for (const Step& step : steps_) {
      at = &step;
      for (unsigned c = 0; c < step.num_checks; ++c) {
        const Check& check = checks_[step.first_check + c];
        if (!check.holds()) [[unlikely]]
          report_variable(check);
      }
      ParallelContext context({frame->args.data() + step.first_input, step.num_inputs},
                              {frame->args.data() + step.first_output, step.num_outputs},
                              {places_.data() + step.first_output, step.num_outputs}, pool);
      step.kernel->run(context);
    }
  } catch (const Error& error) {
    report(*at, error);
  } catch (const std::bad_alloc&) {
    report(*at, Error(Code::kResourceExhausted, "out of memory"));
  }
  std::vector<Tensor> results;
  results.reserve(ir_.fetches.size());
  for (std::size_t k = 0; k < ir_.fetches.size(); ++k) {
    const ValueId v = slot_of(ir_.fetches[k]);
    results.push_back(frame->slots[static_cast<std::size_t>(v)]);
  }
  // The caller owns what it fetched and fed alone.
  for (const ValueId v : ir_.fetches) {
    const ValueId slot = slot_of(v);
    if (ir_.value(slot).storage == Storage::kDynamic) {
      frame->slots[static_cast<std::size_t>(slot)] = Tensor(ir_.value(slot).dtype, Shape{0});
    }
  }
  for (const ValueId v : ir_.feeds) frame->slots[static_cast<std::size_t>(v)] = Tensor();
  give_back(std::move(frame));
  return results;
}

void Program::report(const Step& step, const Error& error) const {
  // An error that names its node already comes from a program inside (a dataset's function).
  if (step.node == nullptr || !error.node().empty()) throw error;
  throw Error(error.code(), fmt::format("{}: {}", step.node->label(), error.message()),
              step.node->name(), step.node->place());
}

}  // namespace assay::runtime
