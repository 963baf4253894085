#include "assay/graph/attr.h"

#include <cmath>
#include <type_traits>

namespace assay {
namespace {

bool same(const Tensor& a, const Tensor& b) {
  return a.identical(b);
}
bool same(float a, float b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

bool same(const std::shared_ptr<const FunctionAttr>& a,
          const std::shared_ptr<const FunctionAttr>& b) {
  if (a == b) return true;
  if (a == nullptr || b == nullptr || a->name != b->name || a->attrs.size() != b->attrs.size()) {
    return false;
  }
  for (auto i = a->attrs.begin(), j = b->attrs.begin(); i != a->attrs.end(); ++i, ++j) {
    if (i->first != j->first || !attr_equal(i->second, j->second)) return false;
  }
  return true;
}

template <typename T>
bool same(const T& a, const T& b) {
  return a == b;
}

template <typename T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const T& x = a[i];
    const T& y = b[i];
    if (!same(x, y)) return false;
  }
  return true;
}

std::string text(const std::string& s) {
  constexpr std::size_t kShown = 80;
  std::string out = "\"";
  for (std::size_t i = 0; i < s.size() && i < kShown; ++i) {
    const auto c = static_cast<unsigned char>(s[i]);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += s[i];
    } else if (c == '\n') {
      out += "\\n";
    } else if (c < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += s[i];
    }
  }
  return out + (s.size() > kShown ? "\"..." : "\"");
}
std::string text(std::int64_t v) {
  return fmt::format("{}", v);
}
std::string text(float v) {
  return fmt::format("{}", v);
}
std::string text(bool v) {
  return v ? "true" : "false";
}
std::string text(DType v) {
  return dtype_name(v);
}
std::string text(const PartialShape& v) {
  return v.str();
}
std::string text(const Tensor& v) {
  return v.str();
}
std::string text(const EmptyList&) {
  return "[]";
}
std::string text(const std::shared_ptr<const FunctionAttr>& v) {
  return v == nullptr ? "<no function>" : v->name;
}
template <typename T>
std::string text(const std::vector<T>& v) {
  constexpr std::size_t kShown = 16;
  std::string out = "[";
  for (std::size_t i = 0; i < v.size() && i < kShown; ++i) {
    const T& x = v[i];
    out += (i > 0 ? "," : "") + text(x);
  }
  return out + (v.size() > kShown ? ",...]" : "]");
}

}  // namespace

bool attr_equal(const AttrValue& a, const AttrValue& b) {
  if (a.index() != b.index()) return false;
  return std::visit([&](const auto& x) { return same(x, std::get<std::decay_t<decltype(x)>>(b)); },
                    a);
}

std::string attr_str(const AttrValue& value) {
  return std::visit([](const auto& x) { return text(x); }, value);
}

std::string attr_kind(const AttrValue& value) {
  static constexpr const char* kKinds[] = {
      "string",     "int",         "float",        "bool",      "type",        "shape",
      "tensor",     "list",        "list(string)", "list(int)", "list(float)", "list(bool)",
      "list(type)", "list(shape)", "list(tensor)", "func",      "list(func)"};
  static_assert(std::size(kKinds) == std::variant_size_v<AttrValue>);
  return kKinds[value.index()];
}

}  // namespace assay
