#include <algorithm>
#include <cmath>
#include <limits>

#include "assay/graph/shape_context.h"

// Evaluates the small integer arithmetic that shapes, axes and sizes are computed with, while
// the graph is being built. The compiler folds everything else.
namespace assay {
namespace {

constexpr std::int64_t kMaxElements = 4096;  // of a computed value; a Const may be of any size
constexpr int kMaxVisits = 512;              // of nodes, for one question
constexpr int kMaxDepth = 64;
constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::min();

// An int scalar or vector of which some entries may be unknown.
struct Ints {
  bool scalar = false;
  std::vector<std::int64_t> values;

  bool complete() const {
    return std::find(values.begin(), values.end(), kUnknown) == values.end();
  }
};

bool is_index(DType t) {
  return t == DType::kInt32 || t == DType::kInt64;
}

std::optional<Ints> ints_of(const Tensor& t) {
  if (!t.defined() || !is_index(t.dtype()) || t.rank() > 1 || t.num_elements() > kMaxElements) {
    return std::nullopt;
  }
  Ints out{.scalar = t.rank() == 0};
  if (t.dtype() == DType::kInt32) {
    const auto s = t.span<std::int32_t>();
    out.values.assign(s.begin(), s.end());
  } else {
    const auto s = t.span<std::int64_t>();
    out.values.assign(s.begin(), s.end());
  }
  return out;
}

Tensor tensor_of(const Ints& ints, DType dtype) {
  Tensor t(dtype, ints.scalar ? Shape{} : Shape{static_cast<std::int64_t>(ints.values.size())});
  for (std::size_t i = 0; i < ints.values.size(); ++i) {
    if (dtype == DType::kInt32) {
      t.data<std::int32_t>()[i] = static_cast<std::int32_t>(ints.values[i]);
    } else {
      t.data<std::int64_t>()[i] = ints.values[i];
    }
  }
  return t;
}

using IntFn = std::int64_t (*)(std::int64_t, std::int64_t);

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  if (b == 0 || (a == std::numeric_limits<std::int64_t>::min() && b == -1)) return kUnknown;
  const std::int64_t q = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}

// The integer function of a two-argument op; null when it is none. Overflow gives "unknown".
IntFn binary_fn(const std::string& op) {
  if (op == "Add" || op == "AddV2") {
    return [](std::int64_t a, std::int64_t b) {
      std::int64_t r = 0;
      return __builtin_add_overflow(a, b, &r) ? kUnknown : r;
    };
  }
  if (op == "Sub") {
    return [](std::int64_t a, std::int64_t b) {
      std::int64_t r = 0;
      return __builtin_sub_overflow(a, b, &r) ? kUnknown : r;
    };
  }
  if (op == "Mul") {
    return [](std::int64_t a, std::int64_t b) {
      std::int64_t r = 0;
      return __builtin_mul_overflow(a, b, &r) ? kUnknown : r;
    };
  }
  if (op == "FloorDiv") return floor_div;
  if (op == "FloorMod") {
    return [](std::int64_t a, std::int64_t b) {
      const std::int64_t q = floor_div(a, b);
      return q == kUnknown ? kUnknown : a - q * b;
    };
  }
  if (op == "Maximum") return [](std::int64_t a, std::int64_t b) { return std::max(a, b); };
  if (op == "Minimum") return [](std::int64_t a, std::int64_t b) { return std::min(a, b); };
  return nullptr;
}

class Evaluator {
 public:
  Tensor tensor(const Output& output, int depth = 0) {
    if (!enter(depth)) return {};
    const Node& node = *output.node;
    const std::string& op = node.op();
    if (op == "Const") {
      const AttrValue* value = node.find_attr("value");
      const auto* held = value == nullptr ? nullptr : std::get_if<Tensor>(value);
      return held == nullptr ? Tensor() : *held;
    }
    if (op == "Identity") return tensor(node.input(0), depth + 1);
    if (op == "Reshape" || op == "ExpandDims" || op == "Squeeze") {
      if (Tensor t = reshaped(node, depth); t.defined()) return t;
    }
    if (is_index(output.dtype())) {
      const std::optional<Ints> found = ints(output, depth + 1);
      if (found && found->complete()) return tensor_of(*found, output.dtype());
    }
    if (op == "Fill") return fill(node, depth);
    if (op == "Cast") return cast(node, depth);
    if (op == "Range") return range(node, depth);
    if (op == "Pack" || op == "ConcatV2") return joined(node, depth);
    return {};
  }

  // Known entries of an int32 or int64 scalar or vector; nullopt when nothing is known.
  std::optional<Ints> ints(const Output& output, int depth = 0) {
    if (!enter(depth) || !is_index(output.dtype())) return std::nullopt;
    const Node& node = *output.node;
    const std::string& op = node.op();
    std::optional<Ints> found = ints_by_op(node, op, output.index, depth);
    if (!found || static_cast<std::int64_t>(found->values.size()) > kMaxElements)
      return std::nullopt;
    if (output.dtype() == DType::kInt32) {
      for (std::int64_t& v : found->values) {
        if (v != static_cast<std::int32_t>(v)) v = kUnknown;
      }
    }
    return found;
  }

 private:
  bool enter(int depth) { return depth < kMaxDepth && ++visits_ <= kMaxVisits; }

  std::optional<Ints> ints_by_op(const Node& node, const std::string& op, int index, int depth) {
    if (op == "Const") return ints_of(tensor(Output{const_cast<Node*>(&node), 0}, depth + 1));
    if (op == "Identity") return ints(node.input(0), depth + 1);
    if (op == "Shape" || op == "ShapeN") return sizes(node.input(index).shape());
    if (op == "Rank" || op == "Size") return count(node, op == "Size");
    if (op == "Pack") return pack(node, depth);
    if (op == "ConcatV2") return concat(node, depth);
    if (op == "StridedSlice") return strided_slice(node, depth);
    if (op == "Slice") return slice(node, depth);
    if (op == "Gather" || op == "GatherV2") return gather(node, depth);
    if (op == "Range") return int_range(node, depth);
    if (op == "Prod") return product(node, depth);
    if (op == "Fill") return int_fill(node, depth);
    if (op == "Cast") {
      if (is_index(node.input(0).dtype())) return ints(node.input(0), depth + 1);
      return ints_of(cast(node, depth));
    }
    if (op == "Neg") {
      std::optional<Ints> x = ints(node.input(0), depth + 1);
      for (std::size_t i = 0; x && i < x->values.size(); ++i) {
        if (x->values[i] != kUnknown) x->values[i] = -x->values[i];
      }
      return x;
    }
    if (op == "Reshape" || op == "ExpandDims" || op == "Squeeze") {
      std::optional<Ints> x = ints(node.input(0), depth + 1);
      const PartialShape& shape = node.output_shape(0);
      if (!x || !shape.has_rank() || shape.rank() > 1) return std::nullopt;
      x->scalar = shape.rank() == 0;
      if (x->scalar && x->values.size() != 1) return std::nullopt;
      return x;
    }
    if (const IntFn fn = binary_fn(op)) return binary(node, fn, depth);
    return std::nullopt;
  }

  static std::optional<Ints> sizes(const PartialShape& shape) {
    if (!shape.has_rank()) return std::nullopt;
    Ints out;
    for (std::int64_t d : shape.dims()) out.values.push_back(d < 0 ? kUnknown : d);
    return out;
  }

  static std::optional<Ints> count(const Node& node, bool elements) {
    const PartialShape& shape = node.input(0).shape();
    if (!shape.has_rank()) return std::nullopt;
    const std::int64_t n = elements ? shape.num_elements() : shape.rank();
    return Ints{.scalar = true, .values = {n < 0 ? kUnknown : n}};
  }

  std::optional<Ints> pack(const Node& node, int depth) {
    if (node.attr_or<std::int64_t>("axis", 0) != 0 || node.num_inputs() > kMaxVisits)
      return std::nullopt;
    Ints out;
    for (const Output& input : node.inputs()) {
      const std::optional<Ints> x = ints(input, depth + 1);
      if (x && !x->scalar) return std::nullopt;
      if (!x && !(input.shape().has_rank() && input.shape().rank() == 0)) return std::nullopt;
      out.values.push_back(x ? x->values[0] : kUnknown);
    }
    return out;
  }

  std::optional<Ints> concat(const Node& node, int depth) {
    Ints out;
    for (int i = 0; i + 1 < node.num_inputs(); ++i) {
      const Output& input = node.input(i);
      if (const std::optional<Ints> x = ints(input, depth + 1)) {
        if (x->scalar) return std::nullopt;
        out.values.insert(out.values.end(), x->values.begin(), x->values.end());
      } else {
        const PartialShape& shape = input.shape();
        if (!shape.has_rank() || shape.rank() != 1 || shape[0] < 0 || shape[0] > kMaxElements) {
          return std::nullopt;
        }
        out.values.insert(out.values.end(), static_cast<std::size_t>(shape[0]), kUnknown);
      }
      if (static_cast<std::int64_t>(out.values.size()) > kMaxElements) return std::nullopt;
    }
    return out;
  }

  std::optional<Ints> strided_slice(const Node& node, int depth) {
    const std::optional<Ints> x = ints(node.input(0), depth + 1);
    const std::optional<Ints> begin = ints(node.input(1), depth + 1);
    const std::optional<Ints> end = ints(node.input(2), depth + 1);
    const std::optional<Ints> strides = ints(node.input(3), depth + 1);
    if (!x || x->scalar || !begin || !end || !strides) return std::nullopt;
    for (const auto* part : {&begin, &end, &strides}) {
      if ((*part)->values.size() != 1) return std::nullopt;
    }
    const auto mask = [&](const char* name) { return node.attr_or<std::int64_t>(name, 0); };
    if (mask("ellipsis_mask") != 0 || mask("new_axis_mask") != 0) return std::nullopt;
    const auto n = static_cast<std::int64_t>(x->values.size());
    const std::int64_t step = strides->values[0];
    if (step == kUnknown || step == 0) return std::nullopt;
    const auto clamp = [&](std::int64_t at) {
      if (at < 0) at += n;
      return std::clamp<std::int64_t>(at, step > 0 ? 0 : -1, step > 0 ? n : n - 1);
    };
    std::int64_t from = begin->values[0];
    std::int64_t to = end->values[0];
    const bool shrink = (mask("shrink_axis_mask") & 1) != 0;
    if (shrink) {
      if (from == kUnknown || from < -n || from >= n) return std::nullopt;
      const auto at = static_cast<std::size_t>(from < 0 ? from + n : from);
      return Ints{.scalar = true, .values = {x->values[at]}};
    }
    if ((mask("begin_mask") & 1) != 0) {
      from = step > 0 ? 0 : n - 1;
    } else if (from == kUnknown) {
      return std::nullopt;
    } else {
      from = clamp(from);
    }
    if ((mask("end_mask") & 1) != 0) {
      to = step > 0 ? n : -1;
    } else if (to == kUnknown) {
      return std::nullopt;
    } else {
      to = clamp(to);
    }
    Ints out;
    for (std::int64_t i = from; step > 0 ? i < to : i > to;) {
      out.values.push_back(x->values[static_cast<std::size_t>(i)]);
      if (__builtin_add_overflow(i, step, &i)) break;
    }
    return out;
  }

  std::optional<Ints> slice(const Node& node, int depth) {
    const std::optional<Ints> x = ints(node.input(0), depth + 1);
    const std::optional<Ints> begin = ints(node.input(1), depth + 1);
    const std::optional<Ints> size = ints(node.input(2), depth + 1);
    if (!x || x->scalar || !begin || !size || begin->values.size() != 1 ||
        size->values.size() != 1) {
      return std::nullopt;
    }
    const auto n = static_cast<std::int64_t>(x->values.size());
    const std::int64_t from = begin->values[0];
    std::int64_t length = size->values[0];
    if (from < 0 || from > n || length < -1) return std::nullopt;
    if (length == -1) length = n - from;
    if (length > n - from) return std::nullopt;
    const auto first = x->values.begin() + from;
    return Ints{.values = {first, first + length}};
  }

  std::optional<Ints> gather(const Node& node, int depth) {
    const std::optional<Ints> x = ints(node.input(0), depth + 1);
    const std::optional<Ints> at = ints(node.input(1), depth + 1);
    if (!x || x->scalar || !at) return std::nullopt;
    if (node.num_inputs() > 2) {
      const std::optional<Ints> axis = ints(node.input(2), depth + 1);
      if (!axis || axis->values != std::vector<std::int64_t>{0}) return std::nullopt;
    }
    Ints out{.scalar = at->scalar};
    for (std::int64_t i : at->values) {
      if (i < 0 || i >= static_cast<std::int64_t>(x->values.size())) return std::nullopt;
      out.values.push_back(x->values[static_cast<std::size_t>(i)]);
    }
    return out;
  }

  std::optional<Ints> int_range(const Node& node, int depth) {
    std::int64_t v[3];
    for (int i = 0; i < 3; ++i) {
      const std::optional<Ints> x = ints(node.input(i), depth + 1);
      if (!x || x->values.size() != 1 || x->values[0] == kUnknown) return std::nullopt;
      v[i] = x->values[0];
    }
    if (v[2] == 0) return std::nullopt;
    Ints out;
    for (std::int64_t i = v[0]; v[2] > 0 ? i < v[1] : i > v[1];) {
      if (static_cast<std::int64_t>(out.values.size()) >= kMaxElements) return std::nullopt;
      out.values.push_back(i);
      if (__builtin_add_overflow(i, v[2], &i)) break;
    }
    return out;
  }

  std::optional<Ints> product(const Node& node, int depth) {
    const std::optional<Ints> x = ints(node.input(0), depth + 1);
    const std::optional<Ints> axes = ints(node.input(1), depth + 1);
    if (!x || x->scalar || !axes || node.attr_or<bool>("keep_dims", false)) return std::nullopt;
    if (axes->values.size() != 1 || (axes->values[0] != 0 && axes->values[0] != -1))
      return std::nullopt;
    std::int64_t p = 1;
    for (std::int64_t v : x->values) {
      if (v == kUnknown || __builtin_mul_overflow(p, v, &p)) {
        return Ints{.scalar = true, .values = {kUnknown}};
      }
    }
    return Ints{.scalar = true, .values = {p}};
  }

  std::optional<Ints> int_fill(const Node& node, int depth) {
    const std::optional<Ints> dims = ints(node.input(0), depth + 1);
    const std::optional<Ints> value = ints(node.input(1), depth + 1);
    if (!dims || dims->scalar || !value || value->values.size() != 1) return std::nullopt;
    if (dims->values.empty()) return value;
    if (dims->values.size() != 1 || dims->values[0] < 0 || dims->values[0] > kMaxElements)
      return std::nullopt;
    return Ints{.values = std::vector<std::int64_t>(static_cast<std::size_t>(dims->values[0]),
                                                    value->values[0])};
  }

  std::optional<Ints> binary(const Node& node, IntFn fn, int depth) {
    const std::optional<Ints> a = ints(node.input(0), depth + 1);
    const std::optional<Ints> b = ints(node.input(1), depth + 1);
    if (!a || !b) return std::nullopt;
    const std::size_t m = a->values.size();
    const std::size_t n = b->values.size();
    if (m != n && m != 1 && n != 1) return std::nullopt;
    Ints out{.scalar = a->scalar && b->scalar};
    const std::size_t size = m == 1 ? n : m;
    for (std::size_t i = 0; i < size; ++i) {
      const std::int64_t x = a->values[m == 1 ? 0 : i];
      const std::int64_t y = b->values[n == 1 ? 0 : i];
      out.values.push_back(x == kUnknown || y == kUnknown ? kUnknown : fn(x, y));
    }
    return out;
  }

  Tensor reshaped(const Node& node, int depth) {
    const PartialShape& shape = node.output_shape(0);
    if (!shape.is_fully_defined()) return {};
    const Tensor t = tensor(node.input(0), depth + 1);
    if (!t.defined() || t.num_elements() != shape.num_elements()) return {};
    return t.reshaped(shape.to_shape());
  }

  Tensor fill(const Node& node, int depth) {
    const PartialShape& shape = node.output_shape(0);
    if (!shape.is_fully_defined() || shape.num_elements() > kMaxElements) return {};
    const Tensor value = tensor(node.input(1), depth + 1);
    if (!value.defined() || value.num_elements() != 1 || !plain(value.dtype())) return {};
    Tensor out(value.dtype(), shape.to_shape());
    const std::size_t size = dtype_size(value.dtype());
    for (std::int64_t i = 0; i < out.num_elements(); ++i) {
      std::memcpy(static_cast<char*>(out.raw()) + static_cast<std::size_t>(i) * size, value.raw(),
                  size);
    }
    return out;
  }

  static bool plain(DType t) {
    return t != DType::kString && t != DType::kResource && dtype_size(t) > 0;
  }

  static bool castable(DType t) {
    return t == DType::kFloat || t == DType::kDouble || is_index(t) || t == DType::kBool;
  }

  template <typename Body>
  static void with_type(DType t, Body body) {
    switch (t) {
      case DType::kFloat:
        return body(float{});
      case DType::kDouble:
        return body(double{});
      case DType::kInt32:
        return body(std::int32_t{});
      case DType::kInt64:
        return body(std::int64_t{});
      default:
        return body(bool{});
    }
  }

  Tensor cast(const Node& node, int depth) {
    const DType to = base_dtype(node.output_dtype(0));
    const Tensor from = tensor(node.input(0), depth + 1);
    if (!from.defined() || from.num_elements() > kMaxElements || !castable(to) ||
        !castable(from.dtype())) {
      return {};
    }
    if (from.dtype() == to) return from;
    Tensor out(to, from.shape());
    bool representable = true;
    with_type(from.dtype(), [&]<typename From>(From) {
      with_type(to, [&]<typename To>(To) {
        for (std::int64_t i = 0; i < from.num_elements(); ++i) {
          const From x = from.data<From>()[i];
          if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To> &&
                        !std::is_same_v<To, bool>) {
            // Out of range is the kernel's business: such a value stays unknown here.
            representable = representable && std::abs(static_cast<double>(x)) < 2147483648.0;
            out.data<To>()[i] = representable ? static_cast<To>(x) : To{};
          } else {
            out.data<To>()[i] = static_cast<To>(x);
          }
        }
      });
    });
    return representable ? out : Tensor();
  }

  Tensor range(const Node& node, int depth) {
    const DType t = base_dtype(node.output_dtype(0));
    if (!is_floating(t) || !castable(t)) return {};
    Tensor v[3];
    for (int i = 0; i < 3; ++i) {
      v[i] = tensor(node.input(i), depth + 1);
      if (!v[i].defined() || v[i].num_elements() != 1 || v[i].dtype() != t) return {};
    }
    Tensor out;
    with_type(t, [&]<typename T>(T) {
      const T start = v[0].data<T>()[0];
      const T delta = v[2].data<T>()[0];
      const double size =
          std::ceil(std::abs((static_cast<double>(v[1].data<T>()[0]) - start) / delta));
      if (!(size >= 0 && size <= static_cast<double>(kMaxElements))) return;
      out = Tensor(t, Shape{static_cast<std::int64_t>(size)});
      T x = start;
      for (std::int64_t i = 0; i < out.num_elements(); ++i, x = static_cast<T>(x + delta))
        out.data<T>()[i] = x;
    });
    return out;
  }

  // Pack and ConcatV2 along the first axis: the bytes one after the other.
  Tensor joined(const Node& node, int depth) {
    const bool pack = node.op() == "Pack";
    const int parts = pack ? node.num_inputs() : node.num_inputs() - 1;
    const PartialShape& shape = node.output_shape(0);
    const DType t = base_dtype(node.output_dtype(0));
    if (!shape.is_fully_defined() || shape.num_elements() > kMaxElements || !plain(t)) return {};
    if (pack && node.attr_or<std::int64_t>("axis", 0) != 0) return {};
    if (!pack) {
      const std::optional<Ints> axis = ints(node.input(parts), depth + 1);
      if (!axis || axis->values != std::vector<std::int64_t>{0}) return {};
    }
    Tensor out(t, shape.to_shape());
    std::size_t at = 0;
    for (int i = 0; i < parts; ++i) {
      const Tensor part = tensor(node.input(i), depth + 1);
      if (!part.defined() || part.dtype() != t || at + part.num_bytes() > out.num_bytes())
        return {};
      if (part.num_bytes() > 0) {
        std::memcpy(static_cast<char*>(out.raw()) + at, part.raw(), part.num_bytes());
      }
      at += part.num_bytes();
    }
    return at == out.num_bytes() ? out : Tensor();
  }

  int visits_ = 0;
};

}  // namespace

Tensor constant_value(const Output& output) {
  return Evaluator().tensor(output);
}

PartialShape constant_value_as_shape(const Output& output) {
  const std::optional<Ints> found = Evaluator().ints(output);
  if (found && found->scalar && found->values[0] == -1) return PartialShape::unknown();
  if (found && !found->scalar) {
    std::vector<std::int64_t> dims;
    for (std::int64_t v : found->values) dims.push_back(v == kUnknown ? -1 : v);
    if (static_cast<int>(dims.size()) > kMaxRank) {
      invalid_argument("{} holds a shape of rank {}; at most {} is possible", output.name(),
                       dims.size(), kMaxRank);
    }
    return PartialShape(std::move(dims));
  }
  const PartialShape& length = output.shape();
  if (length.has_rank() && length.rank() == 1 && length[0] >= 0 && length[0] <= kMaxRank) {
    return PartialShape::unknown_of_rank(static_cast<int>(length[0]));
  }
  return PartialShape::unknown();
}

}  // namespace assay
