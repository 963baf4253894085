#include "assay/graph/op_parse.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

namespace assay {
namespace {

[[noreturn]] void bad(std::string_view text, std::string_view why) {
  fail(Code::kInternal, "malformed op text '{}': {}", text, why);
}

// The types of "numbertype" and "realnumbertype" (tensorflow/core/framework/types.h, 1.15).
const std::vector<DType>& real_number_types() {
  static const std::vector<DType> types = {DType::kFloat, DType::kDouble,   DType::kInt32,
                                           DType::kUInt8, DType::kInt16,    DType::kInt8,
                                           DType::kInt64, DType::kBFloat16, DType::kUInt16,
                                           DType::kHalf,  DType::kUInt32,   DType::kUInt64};
  return types;
}

const std::vector<DType>& number_types() {
  static const std::vector<DType> types = {
      DType::kFloat,  DType::kDouble,    DType::kInt32,  DType::kUInt8,      DType::kInt16,
      DType::kInt8,   DType::kComplex64, DType::kInt64,  DType::kQInt8,      DType::kQUInt8,
      DType::kQInt32, DType::kBFloat16,  DType::kUInt16, DType::kComplex128, DType::kHalf,
      DType::kUInt32, DType::kUInt64};
  return types;
}

const std::vector<DType>& quantized_types() {
  static const std::vector<DType> types = {DType::kQInt8, DType::kQUInt8, DType::kQInt16,
                                           DType::kQUInt16, DType::kQInt32};
  return types;
}

// The types a word of an attribute's type set stands for; empty when it is none.
std::vector<DType> types_of_word(std::string_view word) {
  if (word == "numbertype" || word == "numerictype") return number_types();
  if (word == "realnumbertype" || word == "realnumerictype") return real_number_types();
  if (word == "quantizedtype") return quantized_types();
  if (word == "float") return {DType::kFloat};
  if (word == "double") return {DType::kDouble};
  if (word == "half") return {DType::kHalf};
  const DType t = dtype_from_name(word);
  if (t != DType::kInvalid) return {t};
  return {};
}

// Reads one text from left to right; whitespace between tokens does not matter.
class Reader {
 public:
  explicit Reader(std::string_view text) : all_(text), rest_(text) { skip(); }

  bool done() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }

  bool take(std::string_view token) {
    if (rest_.substr(0, token.size()) != token) return false;
    rest_.remove_prefix(token.size());
    skip();
    return true;
  }
  void expect(std::string_view token) {
    if (!take(token)) bad(all_, fmt::format("expected '{}' before '{}'", token, rest_));
  }
  std::string word() {
    std::size_t n = 0;
    while (n < rest_.size() &&
           (std::isalnum(static_cast<unsigned char>(rest_[n])) || rest_[n] == '_'))
      ++n;
    if (n == 0) bad(all_, fmt::format("expected a name before '{}'", rest_));
    std::string out(rest_.substr(0, n));
    rest_.remove_prefix(n);
    skip();
    return out;
  }
  // A number's or constant's letters, up to a separator.
  std::string scalar() {
    std::size_t n = 0;
    while (n < rest_.size() && rest_[n] != ',' && rest_[n] != ']' && rest_[n] != '}' &&
           rest_[n] != ' ')
      ++n;
    if (n == 0) bad(all_, fmt::format("expected a value before '{}'", rest_));
    std::string out(rest_.substr(0, n));
    rest_.remove_prefix(n);
    skip();
    return out;
  }
  std::string quoted() {
    const char quote = peek();
    if (quote != '"' && quote != '\'') bad(all_, "expected a quoted string");
    std::string out;
    std::size_t i = 1;
    for (; i < rest_.size() && rest_[i] != quote; ++i) {
      if (rest_[i] == '\\' && i + 1 < rest_.size()) {
        ++i;
        out += rest_[i] == 'n' ? '\n' : rest_[i];
      } else {
        out += rest_[i];
      }
    }
    if (i >= rest_.size()) bad(all_, "a quoted string has no end");
    rest_.remove_prefix(i + 1);
    skip();
    return out;
  }
  std::int64_t integer() {
    const std::string s = scalar();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
    if (error != std::errc() || end != s.data() + s.size()) bad(all_, "expected an integer: " + s);
    return value;
  }
  float number() {
    std::string s = scalar();
    float value = 0;
    const char* begin = s.data();
    const auto [end, error] = std::from_chars(begin, begin + s.size(), value);
    if (error != std::errc() || end != begin + s.size()) bad(all_, "expected a number: " + s);
    return value;
  }
  std::string_view text() const { return all_; }

 private:
  void skip() {
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_.front())))
      rest_.remove_prefix(1);
  }
  std::string_view all_;
  std::string_view rest_;
};

// "{ unknown_rank: true }", "{}", "{ dim { size: 2 } dim { size: -1 } }".
PartialShape read_shape(Reader& r) {
  r.expect("{");
  if (r.take("}")) return PartialShape::scalar();
  if (r.take("unknown_rank")) {
    r.expect(":");
    r.expect("true");
    r.expect("}");
    return PartialShape::unknown();
  }
  std::vector<std::int64_t> dims;
  while (r.take("dim")) {
    r.expect("{");
    r.expect("size");
    r.expect(":");
    dims.push_back(r.integer());
    r.expect("}");
  }
  r.expect("}");
  return PartialShape(dims);
}

DType read_type(Reader& r) {
  const std::string name = r.scalar();
  const std::vector<DType> types = types_of_word(name);
  if (types.size() != 1) bad(r.text(), "unknown dtype " + name);
  return types.front();
}

bool read_bool(Reader& r) {
  if (r.take("true")) return true;
  if (!r.take("false")) bad(r.text(), "expected true or false");
  return false;
}

template <typename Item>
AttrValue read_list(Reader& r, Item item) {
  std::vector<decltype(item(r))> values;
  r.expect("[");
  while (!r.take("]")) {
    values.push_back(item(r));
    if (!r.take(",") && r.peek() != ']') bad(r.text(), "expected , or ] in a list");
  }
  if (values.empty()) return EmptyList{};
  return values;
}

AttrValue read_value(Reader& r, const std::string& kind) {
  const auto integer = [](Reader& x) { return x.integer(); };
  const auto number = [](Reader& x) { return x.number(); };
  const auto quoted = [](Reader& x) { return x.quoted(); };
  if (kind == "int") return r.integer();
  if (kind == "float") return r.number();
  if (kind == "bool") return read_bool(r);
  if (kind == "string") return r.quoted();
  if (kind == "type") return read_type(r);
  if (kind == "shape") return read_shape(r);
  if (kind == "list(int)") return read_list(r, integer);
  if (kind == "list(float)") return read_list(r, number);
  if (kind == "list(bool)") return read_list(r, read_bool);
  if (kind == "list(string)") return read_list(r, quoted);
  if (kind == "list(type)") return read_list(r, read_type);
  if (kind == "list(shape)") return read_list(r, read_shape);
  bad(r.text(), "no default can be written for an attribute of kind " + kind);
}

void read_type_set(Reader& r, AttrDef& attr) {
  do {
    if (r.peek() == '}') break;
    const std::string word = r.word();
    const std::vector<DType> types = types_of_word(word);
    if (types.empty()) bad(r.text(), "unknown dtype " + word);
    attr.allowed_types.insert(attr.allowed_types.end(), types.begin(), types.end());
  } while (r.take(","));
  r.expect("}");
}

// The kind without "list()"; fills the allowed values.
std::string read_base_kind(Reader& r, AttrDef& attr) {
  if (r.take("{")) {
    if (r.peek() != '"' && r.peek() != '\'') {
      read_type_set(r, attr);
      return "type";
    }
    do {
      if (r.peek() == '}') break;
      attr.allowed_strings.push_back(r.quoted());
    } while (r.take(","));
    r.expect("}");
    return "string";
  }
  const std::string word = r.word();
  for (const char* kind : {"string", "int", "float", "bool", "type", "shape", "tensor", "func"}) {
    if (word == kind) return word;
  }
  if (word.ends_with("type")) {
    attr.allowed_types = types_of_word(word);
    if (!attr.allowed_types.empty()) return "type";
  }
  bad(r.text(), "unknown kind " + word);
}

void check_arg(const OpDef& def, ArgDef& arg) {
  const auto need = [&](const std::string& attr, std::string_view kind) {
    const AttrDef* found = def.find_attr(attr);
    if (found == nullptr || found->kind != kind) {
      fail(Code::kInternal, "op {}: argument '{}' needs an attribute '{}' of kind {}", def.name,
           arg.name, attr, kind);
    }
  };
  if (!arg.number_attr.empty()) need(arg.number_attr, "int");
  if (arg.type_attr.empty()) return;
  const AttrDef* attr = def.find_attr(arg.type_attr);
  if (attr != nullptr && attr->kind == "list(type)" && arg.number_attr.empty()) {
    arg.type_list_attr = std::move(arg.type_attr);
    arg.type_attr.clear();
    return;
  }
  need(arg.type_attr, "type");
}

}  // namespace

ArgDef parse_arg(std::string_view text) {
  Reader r(text);
  ArgDef arg;
  arg.name = r.word();
  r.expect(":");
  std::string type = r.word();
  if (type == "Ref" && r.take("(")) {
    arg.is_ref = true;
    type = r.word();
  }
  if (r.take("*")) {
    arg.number_attr = type;
    type = r.word();
    if (type == "Ref" && r.take("(")) {
      arg.is_ref = true;
      type = r.word();
      r.expect(")");
    }
  } else if (arg.is_ref) {
    r.expect(")");
  }
  const std::vector<DType> types = types_of_word(type);
  if (types.size() == 1) {
    arg.type = types.front();
  } else {
    arg.type_attr = type;
  }
  if (!r.done()) bad(text, "something follows the type");
  return arg;
}

AttrDef parse_attr(std::string_view text) {
  Reader r(text);
  AttrDef attr;
  attr.name = r.word();
  r.expect(":");
  // "list(int)" against a plain kind that begins with "list" (there is none).
  if (r.take("list")) {
    r.expect("(");
    attr.kind = "list(" + read_base_kind(r, attr) + ")";
    r.expect(")");
  } else {
    attr.kind = read_base_kind(r, attr);
  }
  if (r.take(">=")) attr.minimum = r.integer();
  if (r.take("=")) attr.default_value = read_value(r, attr.kind);
  if (!r.done()) bad(text, "something follows the attribute");
  return attr;
}

OpDef parse_op(const OpSpec& spec) {
  OpDef def;
  static_cast<OpSpec&>(def) = spec;
  if (spec.name.empty()) fail(Code::kInternal, "an op without a name");
  try {
    for (const std::string& text : spec.attrs) def.attr_defs.push_back(parse_attr(text));
    for (const std::string& text : spec.inputs) def.input_args.push_back(parse_arg(text));
    for (const std::string& text : spec.outputs) def.output_args.push_back(parse_arg(text));
  } catch (const Error& e) {
    fail(Code::kInternal, "op {}: {}", spec.name, e.message());
  }
  for (ArgDef& arg : def.input_args) check_arg(def, arg);
  for (ArgDef& arg : def.output_args) check_arg(def, arg);
  return def;
}

}  // namespace assay
