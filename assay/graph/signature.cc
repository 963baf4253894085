#include "assay/graph/signature.h"

#include <algorithm>
#include <limits>

#include "assay/graph/similar.h"

namespace assay {
namespace {

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : ", ") + w;
  return out;
}

std::string type_names(const std::vector<DType>& types) {
  std::vector<std::string> names;
  for (DType t : types) names.push_back(dtype_name(t));
  return join(names);
}

template <typename T>
bool contains(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// Matches one node's inputs and attributes with the op's signature.
class Resolver {
 public:
  Resolver(const OpDef& def, const std::vector<Output>& inputs, AttrMap& attrs, AttrPolicy policy)
      : def_(def), inputs_(inputs), attrs_(attrs), policy_(policy) {}

  std::vector<DType> run() {
    check_given_attrs();
    resolve_counts();
    std::size_t next = 0;
    for (std::size_t a = 0; a < def_.input_args.size(); ++a) {
      match_arg(def_.input_args[a], next, counts_[a]);
      next += counts_[a];
    }
    for (const AttrDef& attr : def_.attr_defs) finish_attr(attr);
    return outputs();
  }

 private:
  void check_given_attrs() {
    for (auto& [name, value] : attrs_) {
      normalise(value);
      const AttrDef* attr = def_.find_attr(name);
      if (attr != nullptr) {
        check_kind(*attr, value);
      } else if (policy_ == AttrPolicy::kStrict && !name.starts_with("_")) {
        SimilarNames near(name);
        for (const AttrDef& known : def_.attr_defs) near.consider(known.name);
        invalid_argument("op {} has no attribute '{}'{}", def_.name, name, near.hint());
      }
    }
  }

  // GraphDef cannot tell empty lists of different kinds; one form for all.
  static void normalise(AttrValue& value) {
    const bool empty = std::visit(
        [](const auto& v) {
          if constexpr (requires {
                          v.empty();
                          v.front();
                        } &&
                        !std::is_same_v<std::decay_t<decltype(v)>, std::string>) {
            return v.empty();
          } else {
            return false;
          }
        },
        value);
    if (empty) value = EmptyList{};
  }

  void check_kind(const AttrDef& attr, const AttrValue& value) const {
    const bool list = attr.kind.starts_with("list(");
    if (list && std::holds_alternative<EmptyList>(value)) return;
    const std::string kind = attr_kind(value);
    if (kind == attr.kind) return;
    invalid_argument("attribute '{}' should be of kind {}, but is {} {}", attr.name, attr.kind,
                     kind, attr_str(value));
  }

  std::string signature_text() const {
    std::vector<std::string> texts(def_.inputs.begin(), def_.inputs.end());
    return texts.empty() ? "no inputs" : fmt::format("inputs ({})", join(texts));
  }

  [[noreturn]] void wrong_count() const {
    std::vector<std::string> got;
    for (const Output& o : inputs_) {
      if (got.size() == 8) {
        got.push_back("...");
        break;
      }
      got.push_back(describe_output(o));
    }
    invalid_argument("takes {}, but got {}{}{}", signature_text(), inputs_.size(),
                     got.empty() ? "" : ": ", join(got));
  }

  // The attribute that says how many tensors an argument has, or null for a single tensor.
  static const std::string* count_attr(const ArgDef& arg) {
    if (!arg.number_attr.empty()) return &arg.number_attr;
    if (!arg.type_list_attr.empty()) return &arg.type_list_attr;
    return nullptr;
  }

  std::optional<std::int64_t> given_count(const ArgDef& arg) const {
    const std::string* name = count_attr(arg);
    if (name == nullptr) return 1;
    const auto it = attrs_.find(*name);
    if (it == attrs_.end()) return std::nullopt;
    if (const auto* n = std::get_if<std::int64_t>(&it->second)) return *n;
    if (const auto* types = std::get_if<std::vector<DType>>(&it->second)) {
      return static_cast<std::int64_t>(types->size());
    }
    return 0;
  }

  void resolve_counts() {
    const auto total = static_cast<std::int64_t>(inputs_.size());
    counts_.assign(def_.input_args.size(), 0);
    std::int64_t known = 0;
    std::int64_t sharing = 0;  // arguments that the one unknown count is shared by
    const std::string* unknown = nullptr;
    for (std::size_t a = 0; a < counts_.size(); ++a) {
      const ArgDef& arg = def_.input_args[a];
      const std::optional<std::int64_t> n = given_count(arg);
      if (n) {
        if (*n < 0 || *n > total - known) wrong_count();
        counts_[a] = static_cast<std::size_t>(*n);
        known += *n;
        continue;
      }
      const std::string* name = count_attr(arg);
      if (unknown != nullptr && *unknown != *name) {
        invalid_argument("needs the attribute '{}' or '{}': the inputs alone do not tell them",
                         *unknown, *name);
      }
      unknown = name;
      ++sharing;
    }
    if (unknown == nullptr) {
      if (known != total) wrong_count();
      return;
    }
    if ((total - known) % sharing != 0) wrong_count();
    const std::int64_t each = (total - known) / sharing;
    for (std::size_t a = 0; a < counts_.size(); ++a) {
      const std::string* name = count_attr(def_.input_args[a]);
      if (name != nullptr && *name == *unknown) counts_[a] = static_cast<std::size_t>(each);
    }
  }

  void match_arg(const ArgDef& arg, std::size_t first, std::size_t count) {
    if (!arg.number_attr.empty() && !attrs_.contains(arg.number_attr)) {
      attrs_[arg.number_attr] = static_cast<std::int64_t>(count);
    }
    std::vector<DType> listed;
    if (!arg.type_list_attr.empty()) {
      if (const auto it = attrs_.find(arg.type_list_attr); it != attrs_.end()) {
        if (const auto* types = std::get_if<std::vector<DType>>(&it->second)) listed = *types;
      }
    }
    const bool given_list = !listed.empty();
    for (std::size_t i = 0; i < count; ++i) {
      const Output& input = inputs_[first + i];
      if (!input) invalid_argument("input '{}' is absent", arg.name);
      const DType type = input.dtype();
      if (arg.is_ref && type != DType::kInvalid && !is_ref(type)) {
        invalid_argument("input '{}' must be a variable's reference, but {} is {}", arg.name,
                         describe_output(input), dtype_name(type));
      }
      const DType base = base_dtype(type);
      if (arg.type != DType::kInvalid) {
        if (base != DType::kInvalid && base != arg.type) {
          invalid_argument("input '{}' must be {}, but {} is {}", arg.name, dtype_name(arg.type),
                           describe_output(input), dtype_name(type));
        }
      } else if (!arg.type_attr.empty()) {
        match_type_attr(arg, input, base);
      } else if (given_list) {
        if (base != DType::kInvalid && base != listed[i]) {
          invalid_argument("input '{}' number {} must be {} as attribute '{}' says, but {} is {}",
                           arg.name, i, dtype_name(listed[i]), arg.type_list_attr,
                           describe_output(input), dtype_name(type));
        }
      } else {
        listed.push_back(base);
      }
    }
    if (!arg.type_list_attr.empty() && !given_list) {
      attrs_[arg.type_list_attr] = listed.empty() ? AttrValue(EmptyList{}) : AttrValue(listed);
    }
  }

  void match_type_attr(const ArgDef& arg, const Output& input, DType base) {
    if (base == DType::kInvalid) return;  // made by an op that is not known
    const auto it = attrs_.find(arg.type_attr);
    if (it == attrs_.end()) {
      const AttrDef* attr = def_.find_attr(arg.type_attr);
      if (!attr->allowed_types.empty() && !contains(attr->allowed_types, base)) {
        invalid_argument("input '{}' must be one of {}, but {} is {}", arg.name,
                         type_names(attr->allowed_types), describe_output(input), dtype_name(base));
      }
      attrs_[arg.type_attr] = base;
      from_.push_back({arg.type_attr, arg.name, input});
      return;
    }
    const auto* wanted = std::get_if<DType>(&it->second);
    if (wanted != nullptr && *wanted == base) return;
    std::string because = fmt::format("as attribute '{}' says", arg.type_attr);
    for (const Inferred& f : from_) {
      if (f.attr != arg.type_attr) continue;
      because = f.arg == arg.name
                    ? fmt::format("like {}", describe_output(f.input))
                    : fmt::format("like input '{}', {}", f.arg, describe_output(f.input));
    }
    invalid_argument("input '{}' must be {} {}, but {} is {}", arg.name,
                     wanted == nullptr ? "?" : dtype_name(*wanted), because, describe_output(input),
                     dtype_name(base));
  }

  void finish_attr(const AttrDef& attr) {
    auto it = attrs_.find(attr.name);
    if (it == attrs_.end()) {
      if (!attr.default_value) {
        invalid_argument("needs the attribute '{}' of kind {}", attr.name, attr.kind);
      }
      attrs_[attr.name] = *attr.default_value;
      return;
    }
    check_allowed(attr, it->second);
  }

  void check_allowed(const AttrDef& attr, const AttrValue& value) const {
    const auto check_type = [&](DType t) {
      // kInvalid stands for what an unknown op yields; nothing can be said about it here.
      if (t == DType::kInvalid || attr.allowed_types.empty()) return;
      if (contains(attr.allowed_types, t)) return;
      invalid_argument("attribute '{}' must be one of {}, but is {}", attr.name,
                       type_names(attr.allowed_types), dtype_name(t));
    };
    const auto check_string = [&](const std::string& s) {
      if (attr.allowed_strings.empty() || contains(attr.allowed_strings, s)) return;
      invalid_argument("attribute '{}' must be one of {}, but is {}", attr.name,
                       join(attr.allowed_strings), attr_str(s));
    };
    if (const auto* t = std::get_if<DType>(&value)) check_type(*t);
    if (const auto* types = std::get_if<std::vector<DType>>(&value)) {
      for (DType t : *types) check_type(t);
    }
    if (const auto* s = std::get_if<std::string>(&value)) check_string(*s);
    if (const auto* strings = std::get_if<std::vector<std::string>>(&value)) {
      for (const std::string& s : *strings) check_string(s);
    }
    if (!attr.minimum) return;
    if (const auto* n = std::get_if<std::int64_t>(&value)) {
      if (*n < *attr.minimum) {
        invalid_argument("attribute '{}' must be at least {}, but is {}", attr.name, *attr.minimum,
                         *n);
      }
      return;
    }
    const auto length = std::visit(
        [](const auto& v) -> std::int64_t {
          if constexpr (requires {
                          v.size();
                          v.front();
                        }) {
            return static_cast<std::int64_t>(v.size());
          } else {
            return 0;
          }
        },
        value);
    if (length < *attr.minimum) {
      invalid_argument("attribute '{}' must have at least {} items, but has {}", attr.name,
                       *attr.minimum, length);
    }
  }

  std::vector<DType> outputs() const {
    std::vector<DType> types;
    for (const ArgDef& arg : def_.output_args) {
      if (!arg.type_list_attr.empty()) {
        const AttrValue& value = attrs_.find(arg.type_list_attr)->second;
        if (const auto* list = std::get_if<std::vector<DType>>(&value)) {
          types.insert(types.end(), list->begin(), list->end());
        }
        check_output_count(static_cast<std::int64_t>(types.size()), arg.type_list_attr);
        continue;
      }
      DType type = arg.type;
      if (!arg.type_attr.empty()) {
        const auto* held = std::get_if<DType>(&attrs_.find(arg.type_attr)->second);
        type = held == nullptr ? DType::kInvalid : *held;
      }
      if (arg.is_ref && type != DType::kInvalid) type = ref_dtype(type);
      std::int64_t count = 1;
      if (!arg.number_attr.empty()) {
        const auto* n = std::get_if<std::int64_t>(&attrs_.find(arg.number_attr)->second);
        count = n == nullptr ? 0 : *n;
        check_output_count(count, arg.number_attr);
      }
      types.insert(types.end(), static_cast<std::size_t>(count), type);
    }
    return types;
  }

  static void check_output_count(std::int64_t count, const std::string& attr) {
    if (count >= 0 && count <= kMaxOutputs) return;
    invalid_argument("attribute '{}' asks for {} outputs; at most {} are possible", attr, count,
                     kMaxOutputs);
  }

  struct Inferred {
    std::string attr;
    std::string arg;
    Output input;
  };

  const OpDef& def_;
  const std::vector<Output>& inputs_;
  AttrMap& attrs_;
  AttrPolicy policy_;
  std::vector<std::size_t> counts_;
  std::vector<Inferred> from_;
};

}  // namespace

std::string describe_output(const Output& output) {
  if (!output) return "(none)";
  const std::string place = output.node->place();
  return place.empty() ? fmt::format("'{}'", output.input_name())
                       : fmt::format("'{}' ({})", output.input_name(), place);
}

std::vector<DType> resolve_signature(const OpDef& def, const std::vector<Output>& inputs,
                                     AttrMap& attrs, AttrPolicy policy) {
  return Resolver(def, inputs, attrs, policy).run();
}

namespace {

// An argument and which of its tensors.
struct ArgPlace {
  const ArgDef* arg = nullptr;
  std::int64_t index = 0;
};

ArgPlace place_of_input(const Node& node, int i) {
  if (node.def() == nullptr) return {};
  std::int64_t before = 0;
  for (const ArgDef& arg : node.def()->input_args) {
    std::int64_t count = 1;
    if (!arg.number_attr.empty()) {
      count = node.attr<std::int64_t>(arg.number_attr);
    } else if (!arg.type_list_attr.empty()) {
      count = static_cast<std::int64_t>(node.attr<std::vector<DType>>(arg.type_list_attr).size());
    }
    if (i < before + count) return {&arg, i - before};
    before += count;
  }
  return {};
}

}  // namespace

const ArgDef* input_arg(const Node& node, int i) {
  return place_of_input(node, i).arg;
}

DType declared_input_dtype(const Node& node, int i) {
  const auto [arg, index] = place_of_input(node, i);
  if (arg == nullptr) return DType::kInvalid;
  if (!arg->type_list_attr.empty()) {
    return node.attr<std::vector<DType>>(arg->type_list_attr).at(static_cast<std::size_t>(index));
  }
  return arg->type_attr.empty() ? arg->type : node.attr<DType>(arg->type_attr);
}

}  // namespace assay
