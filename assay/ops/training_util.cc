#include "assay/ops/training_util.h"

namespace assay::training {

Layout layout_of(const OpDef& def, int slots) {
  Layout layout;
  layout.slots = slots;
  for (int i = slots; i < static_cast<int>(def.input_args.size()); ++i) {
    const std::string& name = def.input_args[static_cast<std::size_t>(i)].name;
    if (name == "grad" || name == "delta") {
      layout.grad = i;
    } else if (name == "indices") {
      layout.indices = i;
    } else {
      ASSAY_CHECK(layout.num_hypers < kMaxHypers);
      layout.hypers[static_cast<std::size_t>(layout.num_hypers++)] = i;
    }
  }
  ASSAY_CHECK(layout.grad >= 0);
  return layout;
}

namespace {

int count_variables(const OpDef& def) {
  int n = 0;
  for (const ArgDef& arg : def.input_args) {
    n += arg.is_ref || arg.type == DType::kResource ? 1 : 0;
  }
  return n;
}

PartialShape merge(const ShapeContext& c, const PartialShape& a, const PartialShape& b) {
  const auto merged = a.merge(b);
  if (!merged) {
    c.mismatch("the variable, its slots and the gradient must have one shape: {} and {}", a.str(),
               b.str());
  }
  return *merged;
}

/// Checks variables, slots, gradient and scalars; a reference form gives the variable's shape.
void update_shape(ShapeContext& c) {
  const OpDef& def = *c.node().def();
  const int variables = count_variables(def);
  const Layout layout = layout_of(def, variables);
  PartialShape shape;
  for (int i = 0; i < variables; ++i) {
    shape = merge(
        c, shape,
        def.input_args[static_cast<std::size_t>(i)].is_ref ? c.input(i) : variable_shape(c, i));
  }
  for (int i = 0; i < layout.num_hypers; ++i) {
    // TensorFlow takes a vector of one number for a scalar here.
    const PartialShape& hyper = c.input(layout.hypers[static_cast<std::size_t>(i)]);
    if (hyper.is_fully_defined() && hyper.num_elements() != 1) {
      c.mismatch("expected a scalar, got {}",
                 c.describe_input(layout.hypers[static_cast<std::size_t>(i)]));
    }
  }
  PartialShape grad = c.input(layout.grad);
  if (layout.indices >= 0) {
    const PartialShape indices = c.with_rank(layout.indices, 1);
    if (grad.has_rank() && grad.rank() > 0) {
      if (!merge_dims(grad[0], indices[0])) {
        c.mismatch("the gradient needs one row an index: {} and {}", c.describe_input(layout.grad),
                   c.describe_input(layout.indices));
      }
      grad.set_dim(0, -1);
    }
  }
  shape = merge(c, shape, grad);
  if (c.num_outputs() > 0) c.set_output(0, shape);
}

std::string typed(const std::string& name, const std::string& type) {
  return name.find(':') == std::string::npos ? name + ": " + type : name;
}

void add_form(OpRegistry& registry, const UpdateFamily& f, bool resource, bool sparse) {
  OpSpec spec;
  spec.name =
      fmt::format("{}{}Apply{}", resource ? "Resource" : "", sparse ? "Sparse" : "", f.method);
  spec.doc = f.doc;
  if (sparse) {
    spec.doc.pop_back();
    spec.doc += ", of the rows that indices name.";
  }
  const std::string variable = resource ? "resource" : "Ref(T)";
  spec.inputs.push_back("var: " + variable);
  for (const std::string& slot : f.slots) spec.inputs.push_back(slot + ": " + variable);
  for (const std::string& input : sparse ? f.sparse : f.dense) {
    spec.inputs.push_back(typed(input, input == "indices" ? "Tindices" : "T"));
  }
  if (!resource) spec.outputs = {"out: Ref(T)"};
  spec.attrs = {"T: numbertype"};
  if (sparse) spec.attrs.push_back("Tindices: {int32, int64}");
  spec.attrs.push_back("use_locking: bool = false");
  if (!f.option.empty()) spec.attrs.push_back(f.option);
  spec.effect = Effect::kWrites;
  spec.shape = update_shape;
  spec.not_differentiable = true;
  spec.kernels = f.kernels;
  spec.threads = Threads::kPieces;
  registry.add(std::move(spec));
}

}  // namespace

void add_updates(OpRegistry& registry, const UpdateFamily& f) {
  for (const bool resource : {false, true}) {
    if (!resource && !f.references) continue;
    if (!f.dense.empty()) add_form(registry, f, resource, false);
    if (!f.sparse.empty()) add_form(registry, f, resource, true);
  }
}

}  // namespace assay::training
