#include "tests/ops/op_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "assay/api/gradient_check.h"
#include "assay/autodiff/gradients.h"
#include "assay/device/elementwise.h"
#include "assay/graph/op_registry.h"
#include "assay/graph/scope.h"
#include "assay/runtime/session.h"

namespace assay::testing {
namespace {

/// Element `i` as a number; text counts as the number it spells, empty text as 0.
double number_at(const Tensor& t, std::int64_t i) {
  switch (t.dtype()) {
    case DType::kString: {
      const std::string& text = t.data<std::string>()[i];
      return text.empty() ? 0 : std::stod(text);
    }
    case DType::kBool:
      return t.data<bool>()[i] ? 1 : 0;
    case DType::kHalf:
      return static_cast<float>(t.data<Half>()[i]);
    case DType::kBFloat16:
      return static_cast<float>(t.data<BFloat16>()[i]);
    case DType::kUInt32:
      return t.data<std::uint32_t>()[i];
    case DType::kUInt64:
      return static_cast<double>(t.data<std::uint64_t>()[i]);
    default:
      return dispatch_numeric(
          t.dtype(), [&](auto zero) { return static_cast<double>(t.data<decltype(zero)>()[i]); });
  }
}

template <typename T>
bool store(Tensor& t, std::int64_t i, double value) {
  if constexpr (std::is_integral_v<T>) {
    if (value != std::floor(value) || value < static_cast<double>(std::numeric_limits<T>::min()) ||
        value > static_cast<double>(std::numeric_limits<T>::max())) {
      return false;
    }
  }
  t.data<T>()[i] = static_cast<T>(value);
  return true;
}

/// Writes the number; false when the dtype cannot hold it.
bool set_number(Tensor& t, std::int64_t i, double value) {
  switch (t.dtype()) {
    case DType::kString:
      t.data<std::string>()[i] = value == 0 ? "" : fmt::format("{}", value);
      return true;
    case DType::kBool:
      t.data<bool>()[i] = value != 0;
      return true;
    case DType::kHalf:
      t.data<Half>()[i] = Half(static_cast<float>(value));
      return true;
    case DType::kBFloat16:
      t.data<BFloat16>()[i] = BFloat16(static_cast<float>(value));
      return true;
    case DType::kUInt32:
      return store<std::uint32_t>(t, i, value);
    case DType::kUInt64:
      return store<std::uint64_t>(t, i, value);
    default:
      return dispatch_numeric(t.dtype(),
                              [&](auto zero) { return store<decltype(zero)>(t, i, value); });
  }
}

std::optional<Tensor> convert(const Tensor& from, DType dtype) {
  Tensor to(dtype, from.shape());
  for (std::int64_t i = 0; i < from.num_elements(); ++i) {
    if (!set_number(to, i, number_at(from, i))) return std::nullopt;
  }
  return to;
}

bool close(const Tensor& got, const Tensor& want, double tolerance, std::string& why) {
  if (got.dtype() != want.dtype() || got.shape() != want.shape()) {
    why = got.str() + " instead of " + want.str();
    return false;
  }
  for (std::int64_t i = 0; i < got.num_elements(); ++i) {
    const double g = number_at(got, i);
    const double w = number_at(want, i);
    const bool same =
        g == w || (std::isnan(g) && std::isnan(w)) ||
        (is_floating(got.dtype()) && std::abs(g - w) <= tolerance * (1 + std::abs(w)));
    if (!same) {
      why = fmt::format("element {}: {} instead of {}; {} instead of {}", i, g, w, got.str(),
                        want.str());
      return false;
    }
  }
  return true;
}

std::string name_of(const OpCase& c) {
  return c.note.empty() ? c.op : c.op + " (" + c.note + ")";
}

/// Graph with the op on inputs that are constants, or placeholders with their feeds.
struct Built {
  Graph graph;
  Node* node = nullptr;
  std::vector<Feed> feeds;
  std::vector<Output> inputs;
  std::vector<Node*> initializers;
};

Output add_constant(Graph& graph, const Tensor& value) {
  return graph
      .add_node({.op = "Const",
                 .name = "",
                 .inputs = {},
                 .attrs = {{"value", value}, {"dtype", value.dtype()}},
                 .control_inputs = {}})
      ->output();
}

Output add_placeholder(Graph& graph, DType dtype, const PartialShape& shape) {
  return graph
      .add_node({.op = "Placeholder",
                 .name = "",
                 .inputs = {},
                 .attrs = {{"dtype", dtype}, {"shape", shape}},
                 .control_inputs = {}})
      ->output();
}

bool takes_variable(const OpDef& def) {
  for (const ArgDef& arg : def.input_args) {
    if (arg.is_ref) return true;
  }
  return false;
}

void build(Built& b, const OpCase& c, const OpDef& def, const std::vector<Tensor>& inputs, bool fed,
           bool fed_all) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& value = inputs[i];
    if (i < def.input_args.size() && def.input_args[i].is_ref) {
      Node* variable = b.graph.add_node(
          {.op = "VariableV2",
           .name = "",
           .inputs = {},
           .attrs = {{"shape", PartialShape(value.shape())}, {"dtype", value.dtype()}},
           .control_inputs = {}});
      const Output constant = add_constant(b.graph, value);
      b.initializers.push_back(b.graph.add_node({.op = "Assign",
                                                 .name = "",
                                                 .inputs = {variable->output(), constant},
                                                 .attrs = {},
                                                 .control_inputs = {}}));
      b.inputs.push_back(variable->output());
    } else if (fed && (fed_all || c.constant_inputs.count(static_cast<int>(i)) == 0)) {
      b.inputs.push_back(add_placeholder(
          b.graph, value.dtype(), fed_all ? PartialShape::unknown() : PartialShape(value.shape())));
      b.feeds.emplace_back(b.inputs.back(), value);
    } else {
      b.inputs.push_back(add_constant(b.graph, value));
    }
  }
  b.node = b.graph.add_node(
      {.op = c.op, .name = "", .inputs = b.inputs, .attrs = c.attrs, .control_inputs = {}});
}

std::vector<Output> outputs_of(Node* node) {
  std::vector<Output> outputs;
  for (int i = 0; i < node->num_outputs(); ++i) outputs.push_back(node->output(i));
  return outputs;
}

void check_values(const OpCase& c, const OpDef& def, const std::vector<Tensor>& inputs,
                  const std::vector<Tensor>& expected, double tolerance) {
  for (const bool fed : {false, true}) {
    if (fed && (inputs.empty() || takes_variable(def))) continue;
    SCOPED_TRACE(fed ? "fed inputs" : "constant inputs");
    Built b;
    build(b, c, def, inputs, fed, fed);
    Session session({.graph = &b.graph, .threads = 2});
    if (!b.initializers.empty()) session.run({}, {}, b.initializers);
    const std::vector<Output> outputs = outputs_of(b.node);
    const std::vector<Tensor> got = session.run(b.feeds, outputs, {b.node});
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_TRUE(outputs[i].shape().is_compatible_with(got[i].shape()))
          << "output " << i << ": inferred " << outputs[i].shape().str() << ", actual "
          << got[i].shape().str();
      if (!expected[i].defined()) continue;
      std::string why;
      EXPECT_TRUE(close(got[i], expected[i], tolerance, why)) << "output " << i << ": " << why;
    }
  }
}

double tolerance_for(DType dtype, double tolerance) {
  if (tolerance == 0) return 0;
  if (dtype == DType::kHalf) return std::max(tolerance, 2e-3);
  if (dtype == DType::kBFloat16) return std::max(tolerance, 2e-2);
  return tolerance;
}

/// The case with the inputs and outputs that the kernel attribute types in another dtype; nothing
/// when that dtype cannot hold them.
struct Converted {
  std::vector<Tensor> inputs;
  std::vector<Tensor> expected;
};

/// For each tensor whether its type follows the attribute; repeated arguments are spread out.
std::vector<bool> follows(const std::vector<ArgDef>& args, const std::string& attr,
                          std::size_t count) {
  std::vector<bool> flags;
  std::size_t fixed = 0;
  for (const ArgDef& arg : args) fixed += arg.number_attr.empty() ? 1U : 0U;
  std::size_t repeated = 0;
  for (const ArgDef& arg : args) repeated += arg.number_attr.empty() ? 0U : 1U;
  const std::size_t each = repeated == 0 ? 0 : (count - fixed) / repeated;
  for (const ArgDef& arg : args) {
    const std::size_t n = arg.number_attr.empty() ? 1 : each;
    flags.insert(flags.end(), n, arg.type_attr == attr);
  }
  flags.resize(count, false);
  return flags;
}

std::optional<Converted> converted(const OpCase& c, const OpDef& def, DType dtype) {
  Converted result{c.inputs, c.expected};
  bool any = false;
  const auto ins = follows(def.input_args, def.kernel_attr, c.inputs.size());
  const auto outs = follows(def.output_args, def.kernel_attr, c.expected.size());
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    if (!ins[i]) continue;
    auto t = convert(c.inputs[i], dtype);
    if (!t) return std::nullopt;
    result.inputs[i] = std::move(*t);
    any = true;
  }
  for (std::size_t i = 0; i < c.expected.size(); ++i) {
    if (!outs[i] || !c.expected[i].defined()) continue;
    auto t = convert(c.expected[i], dtype);
    if (!t) return std::nullopt;
    result.expected[i] = std::move(*t);
  }
  if (!any) return std::nullopt;
  return result;
}

std::vector<DType> dtypes_of(const OpCase& c, const OpDef& def) {
  if (!c.dtypes.empty()) return c.dtypes;
  std::vector<DType> dtypes;
  if (def.elementwise != nullptr) {
    for (const DType t : {float32, float64, int8, int16, int32, int64, uint8, uint16, boolean}) {
      if (def.elementwise->loop(t) != nullptr) dtypes.push_back(t);
    }
  }
  for (const KernelEntry& kernel : def.kernels) {
    if (kernel.dtype != DType::kInvalid) {
      dtypes.push_back(kernel.dtype);
    } else if (def.elementwise == nullptr) {
      dtypes.insert(dtypes.end(), {float32, float64, int32, int64, uint8, int16, boolean, string});
    }
  }
  const AttrDef* attr = def.find_attr(def.kernel_attr);
  std::erase_if(dtypes, [&](DType t) {
    if (attr == nullptr || is_complex(t)) return true;
    const auto& allowed = attr->allowed_types;
    return !allowed.empty() && std::find(allowed.begin(), allowed.end(), t) == allowed.end();
  });
  return dtypes;
}

std::vector<std::string> split_shapes(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size() && !text.empty()) {
    const std::size_t end = std::min(text.find(';', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

void check_shapes(const OpCase& c, const ShapeCase& s) {
  SCOPED_TRACE(s.inputs + " -> " + s.outputs);
  const std::vector<std::string> in = split_shapes(s.inputs);
  ASSERT_EQ(in.size(), c.inputs.size()) << "as many shapes as inputs are needed";
  Graph graph;
  std::vector<Output> inputs;
  for (std::size_t i = 0; i < in.size(); ++i) {
    inputs.push_back(in[i] == "="
                         ? add_constant(graph, c.inputs[i])
                         : add_placeholder(graph, c.inputs[i].dtype(), PartialShape::parse(in[i])));
  }
  std::string got;
  try {
    Node* node = graph.add_node(
        {.op = c.op, .name = "", .inputs = inputs, .attrs = c.attrs, .control_inputs = {}});
    for (int i = 0; i < node->num_outputs(); ++i) {
      got += (i > 0 ? ";" : "") + node->output_shape(i).str();
    }
  } catch (const Error& e) {
    ASSERT_EQ(s.outputs.rfind("error: ", 0), 0U) << e.message();
    EXPECT_NE(e.message().find(s.outputs.substr(7)), std::string::npos) << e.message();
    return;
  }
  EXPECT_EQ(got, s.outputs);
}

/// The case in float64 as a graph, with what depends on what; false when there is nothing to
/// differentiate.
bool build_differentiable(const OpCase& c, const OpDef& def, Built& b, std::vector<Output>& ys,
                          std::vector<Output>& xs) {
  if (def.gradient == nullptr || !c.gradient || takes_variable(def)) return false;
  const auto in_double = converted(c, def, DType::kDouble);
  if (!in_double) return false;
  build(b, c, def, in_double->inputs, true, false);
  for (const Output& y : outputs_of(b.node)) {
    const bool counts = c.gradient_outputs.empty() || c.gradient_outputs.contains(y.index);
    if (counts && is_floating(base_dtype(y.dtype()))) ys.push_back(y);
  }
  for (const Feed& feed : b.feeds) {
    if (feed.value.dtype() == DType::kDouble) xs.push_back(feed.target);
  }
  return !ys.empty() && !xs.empty();
}

void check_gradients(const OpCase& c, const OpDef& def) {
  SCOPED_TRACE("gradient");
  Built b;
  std::vector<Output> ys;
  std::vector<Output> xs;
  if (!build_differentiable(c, def, b, ys, xs)) return;
  const auto expect_small = [&](const std::vector<Output>& functions) {
    const GradientError worst = gradient_error(functions, b.feeds);
    EXPECT_LE(worst.error, c.gradient_tolerance)
        << "by input '" << worst.x.name() << "', element " << worst.element << ": gradients() "
        << worst.symbolic << ", differences " << worst.numeric;
  };
  expect_small(ys);
  if (!c.second_gradient) return;
  SCOPED_TRACE("second gradient");
  // Squares make the first derivative depend on the point even for linear ops.
  std::vector<Output> squares;
  for (const Output& y : ys) {
    squares.push_back(
        b.graph
            .add_node(
                {.op = "Square", .name = "", .inputs = {y}, .attrs = {}, .control_inputs = {}})
            ->output());
  }
  std::vector<Output> first;
  for (const Output& d : dense_gradients(squares, xs)) {
    if (d) first.push_back(d);
  }
  if (!first.empty()) expect_small(first);
}

/// An element-wise op followed by others runs as one loop; it must give the bits of single steps.
void check_fused(const OpCase& c, const OpDef& def) {
  if (def.elementwise == nullptr) return;
  SCOPED_TRACE("fused chain");
  Built b;
  build(b, c, def, c.inputs, true, true);
  Output y = b.node->output();
  if (!is_floating(y.dtype()) && base_dtype(y.dtype()) != DType::kInt32) return;
  const auto add = [&](const char* op, std::vector<Output> inputs) {
    return b.graph
        .add_node(
            {.op = op, .name = "", .inputs = std::move(inputs), .attrs = {}, .control_inputs = {}})
        ->output();
  };
  const Output chain = add("Mul", {add("Neg", {y}), add("Abs", {y})});
  Session session({.graph = &b.graph, .threads = 2});
  const Tensor fused = session.run(chain, b.feeds);
  const Tensor single = session.run(y, b.feeds);
  const Output fed = add_placeholder(b.graph, y.dtype(), single.shape());
  const Tensor negative = session.run(add("Neg", {fed}), {{fed, single}});
  const Tensor absolute = session.run(add("Abs", {fed}), {{fed, single}});
  const Output left = add_placeholder(b.graph, y.dtype(), single.shape());
  const Tensor expected = session.run(add("Mul", {left, fed}), {{left, negative}, {fed, absolute}});
  std::string why;
  EXPECT_TRUE(close(fused, expected, 0, why)) << why;
}

/// Element-wise ops take tensors without elements and scalars.
void check_empty_and_scalar(const OpCase& c, const OpDef& def) {
  if (def.elementwise == nullptr || c.inputs.empty()) return;
  for (const Shape& shape : {Shape{0}, Shape{2, 0, 3}, Shape{}}) {
    SCOPED_TRACE("shape " + shape.str());
    std::vector<Tensor> inputs;
    for (const Tensor& t : c.inputs) {
      Tensor small(t.dtype(), shape);
      if (small.num_elements() == 1) {
        if (t.num_elements() == 0) return;
        set_number(small, 0, number_at(t, 0));
      }
      inputs.push_back(small);
    }
    Built b;
    build(b, c, def, inputs, true, true);
    Session session({.graph = &b.graph, .threads = 2});
    const std::vector<Tensor> got = session.run(b.feeds, outputs_of(b.node));
    for (const Tensor& t : got) EXPECT_EQ(t.shape(), shape);
  }
}

}  // namespace

Tensor numbers(DType dtype, const std::vector<double>& values, const Shape& shape) {
  Tensor t(dtype, shape);
  if (static_cast<std::int64_t>(values.size()) != shape.num_elements()) {
    invalid_argument("{} numbers for shape {}", values.size(), shape.str());
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!set_number(t, static_cast<std::int64_t>(i), values[i])) {
      invalid_argument("{} cannot hold {}", dtype_name(dtype), values[i]);
    }
  }
  return t;
}

void check(const OpCase& c) {
  SCOPED_TRACE(name_of(c));
  const OpDef* def = default_op_registry().find(c.op);
  ASSERT_NE(def, nullptr) << "no such op";
  try {
    const DType own = [&] {
      const auto ins = follows(def->input_args, def->kernel_attr, c.inputs.size());
      for (std::size_t i = 0; i < ins.size(); ++i) {
        if (ins[i]) return c.inputs[i].dtype();
      }
      return DType::kInvalid;
    }();
    check_values(c, *def, c.inputs, c.expected, tolerance_for(own, c.tolerance));
    if (c.other_dtypes) {
      for (const DType dtype : dtypes_of(c, *def)) {
        // Text is joined, not added: it has cases of its own.
        if (dtype == own || dtype == DType::kString) continue;
        const auto other = converted(c, *def, dtype);
        if (!other) continue;
        SCOPED_TRACE(dtype_name(dtype));
        check_values(c, *def, other->inputs, other->expected, tolerance_for(dtype, c.tolerance));
      }
    }
    for (const ShapeCase& s : c.shapes) check_shapes(c, s);
    check_gradients(c, *def);
    check_fused(c, *def);
    check_empty_and_scalar(c, *def);
  } catch (const Error& e) {
    ADD_FAILURE() << name_of(c) << ": " << e.what() << " [" << e.node() << " " << e.where() << "]";
  }
}

bool compares_gradient(const OpCase& c) {
  const OpDef* def = default_op_registry().find(c.op);
  if (def == nullptr) return false;
  Built b;
  std::vector<Output> ys;
  std::vector<Output> xs;
  if (!build_differentiable(c, *def, b, ys, xs)) return false;
  // An element at the least must be there to be varied, and the y must follow.
  const auto elements = [&](const Feed& f) {
    return f.value.dtype() == DType::kDouble && f.value.num_elements() > 0;
  };
  if (std::none_of(b.feeds.begin(), b.feeds.end(), elements)) return false;
  for (const Output& d : dense_gradients(ys, xs)) {
    if (d) return true;
  }
  return false;
}

void check_all(const std::vector<OpCase>& cases) {
  for (const OpCase& c : cases) check(c);
}

void expect_error(const std::string& op, const std::vector<Tensor>& inputs, const AttrMap& attrs,
                  const std::string& words) {
  SCOPED_TRACE(op);
  const OpDef* def = default_op_registry().find(op);
  ASSERT_NE(def, nullptr);
  // Fed, so that the kernel must notice, and constant, so that the shape function may.
  for (const bool fed : {true, false}) {
    const OpCase c{.op = op, .attrs = attrs};
    try {
      Built b;
      build(b, c, *def, inputs, fed, fed);
      Session session({.graph = &b.graph, .threads = 2});
      session.run(b.feeds, outputs_of(b.node), {b.node});
      ADD_FAILURE() << "no error with " << (fed ? "fed" : "constant") << " inputs";
    } catch (const Error& e) {
      if (!fed) continue;
      EXPECT_NE(e.message().find(words), std::string::npos) << e.message();
    }
  }
}

}  // namespace assay::testing
