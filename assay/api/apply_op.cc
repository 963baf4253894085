#include "assay/api/apply_op.h"

#include <map>
#include <memory>

#include "assay/api/place_error.h"
#include "assay/api/variable.h"

namespace assay {

namespace {

/// Of an operand that is in a graph.
const Node& node_of(const Operand& x) {
  return x.is_output() ? *x.output().node : *x.variable()->ref().node;
}

}  // namespace

Graph& graph_of(const std::vector<const Operand*>& values) {
  Graph* graph = nullptr;
  const Operand* first = nullptr;
  for (const Operand* v : values) {
    Graph* of = v->graph();
    if (of == nullptr) continue;
    if (graph != nullptr && graph != of) {
      internal::invalid_here(
          "tensors of two different graphs were given to one operation: '{}' ({}) and '{}' ({})",
          node_of(*first).name(), node_of(*first).place(), node_of(*v).name(), node_of(*v).place());
    }
    if (graph == nullptr) first = v;
    graph = of;
  }
  return graph != nullptr ? *graph : current_graph();
}

OpScope::OpScope(const std::source_location& where, const std::string& name,
                 std::string_view default_name, std::initializer_list<const Operand*> values)
    : place_(where), graph_(&graph_of(values)) {
  graph_scope_.emplace(*graph_);
  scope_.emplace(*graph_, name.empty() ? default_name : std::string_view(name));
}

namespace {
std::vector<const Operand*> pointers(const std::vector<Operand>& values) {
  std::vector<const Operand*> all;
  for (const Operand& v : values) all.push_back(&v);
  return all;
}
}  // namespace

OpScope::OpScope(const std::source_location& where, const std::string& name,
                 std::string_view default_name, const std::vector<Operand>& values)
    : place_(where), graph_(&graph_of(pointers(values))) {
  graph_scope_.emplace(*graph_);
  scope_.emplace(*graph_, name.empty() ? default_name : std::string_view(name));
}

namespace {

/// Turns the arguments of one call into inputs, deciding types from left to right.
class ArgConverter {
 public:
  explicit ArgConverter(const OpDef& def) : def_(def) {}

  std::vector<Output> inputs;

  void add(const ArgDef& arg, const OpArg& value) {
    const bool is_list = !arg.number_attr.empty() || !arg.type_list_attr.empty();
    try {
      if (const auto* list = std::get_if<std::vector<Operand>>(&value)) {
        if (!is_list) internal::invalid_here("got a list of tensors");
        add_list(arg, *list);
      } else if (is_list) {
        internal::invalid_here("expected a list of tensors");
      } else if (const auto* ints = std::get_if<IntList>(&value)) {
        inputs.push_back(convert_to_tensor(*ints, arg.name, int_type(arg)));
        note_type(arg, inputs.back());
      } else {
        inputs.push_back(convert(arg, std::get<Operand>(value), arg.name));
        note_type(arg, inputs.back());
      }
    } catch (const Error& e) {
      if (!e.node().empty()) throw;
      throw Error(e.code(), fmt::format("{}: argument '{}': {}", def_.name, arg.name, e.message()),
                  "", e.where());
    }
  }

 private:
  DType decided_type(const ArgDef& arg) const {
    if (arg.type != DType::kInvalid) return arg.type;
    const auto it = types_.find(arg.type_attr);
    return it == types_.end() ? DType::kInvalid : it->second;
  }

  /// The default of the argument's type attribute; what an undecided constant takes if it can.
  DType preferred_type(const ArgDef& arg) const {
    const AttrDef* attr = def_.find_attr(arg.type_attr);
    if (attr == nullptr || !attr->default_value) return DType::kInvalid;
    const DType* type = std::get_if<DType>(&*attr->default_value);
    return type == nullptr ? DType::kInvalid : *type;
  }

  DType int_type(const ArgDef& arg) const {
    return arg.type_attr.empty() || decided_type(arg) != DType::kInvalid ? decided_type(arg)
                                                                         : DType::kInvalid;
  }

  Output convert(const ArgDef& arg, const Operand& value, const std::string& name) const {
    if (arg.is_ref) {
      if (value.is_variable() && !value.variable()->is_resource()) return value.variable()->ref();
      if (value.is_output() && is_ref(value.output().dtype())) return value.output();
      internal::invalid_here("expected a variable that can be changed (not a resource variable)");
    }
    const DType type = decided_type(arg);
    if (type != DType::kInvalid || !value.is_constant()) {
      // Types that disagree are reported by Graph::add_node, which names nodes and places.
      return convert_to_tensor(value, name, value.is_constant() ? type : DType::kInvalid);
    }
    const DType preferred = preferred_type(arg);
    if (preferred != DType::kInvalid && preferred != value.dtype() && takes(value, preferred)) {
      return convert_to_tensor(value, name, preferred);
    }
    return convert_to_tensor(value, name);
  }

  static bool takes(const Operand& value, DType type) {
    try {
      convert_constant(value.constant(), type);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  void add_list(const ArgDef& arg, const std::vector<Operand>& list) {
    DType type = decided_type(arg);
    if (type == DType::kInvalid && !arg.number_attr.empty()) {
      for (const Operand& v : list) {
        if (type == DType::kInvalid && v.is_tensor()) type = v.dtype();
      }
      if (type == DType::kInvalid) type = preferred_type(arg);
    }
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string name = fmt::format("{}_{}", arg.name, i);
      const Operand& v = list[i];
      const bool number_list = !arg.number_attr.empty();
      inputs.push_back(arg.is_ref
                           ? convert(arg, v, name)
                           : convert_to_tensor(
                                 v, name, v.is_constant() && number_list ? type : DType::kInvalid));
      if (number_list) note_type(arg, inputs.back());
    }
  }

  void note_type(const ArgDef& arg, const Output& value) {
    if (!arg.type_attr.empty()) types_.try_emplace(arg.type_attr, base_dtype(value.dtype()));
  }

  const OpDef& def_;
  std::map<std::string, DType> types_;
};

}  // namespace

Node* apply_op(std::string_view op, const std::string& name, const std::vector<OpArg>& args,
               AttrMap attrs) {
  std::vector<const Operand*> values;
  for (const OpArg& a : args) {
    if (const auto* one = std::get_if<Operand>(&a)) {
      values.push_back(one);
    } else if (const auto* list = std::get_if<std::vector<Operand>>(&a)) {
      for (const Operand& v : *list) values.push_back(&v);
    } else if (const auto* ints = std::get_if<IntList>(&a)) {
      values.push_back(&ints->tensor());
      for (const Operand& v : ints->entries()) values.push_back(&v);
    }
  }
  Graph& graph = graph_of(values);
  const OpDef* def = graph.registry().find(op);
  if (def == nullptr) fail(Code::kNotFound, "there is no op {}", op);
  if (args.size() != def->input_args.size()) {
    internal::invalid_here("{} takes {} arguments, got {}", op, def->input_args.size(),
                           args.size());
  }
  GraphScope graph_scope(graph);
  NameScope scope(graph, name.empty() ? op : std::string_view(name));
  ArgConverter converter(*def);
  for (std::size_t i = 0; i < args.size(); ++i) converter.add(def->input_args[i], args[i]);
  NodeSpec spec;
  spec.op = std::string(op);
  spec.name = scope.full();
  spec.inputs = std::move(converter.inputs);
  spec.attrs = std::move(attrs);
  // A node that changes variables is placed with them.
  std::vector<std::unique_ptr<ColocateWith>> with_variables;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const bool single = std::holds_alternative<Operand>(args[i]);
    if (def->input_args[i].is_ref && single) {
      with_variables.push_back(std::make_unique<ColocateWith>(graph, spec.inputs[i].node));
    }
  }
  return graph.add_node(std::move(spec));
}

Output apply_op(const std::source_location& where, std::string_view op, const std::string& name,
                const std::vector<OpArg>& args, AttrMap attrs) {
  PlaceScope place(where);
  return apply_op(op, name, args, std::move(attrs))->output();
}

}  // namespace assay
