#include "assay/format/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include "assay/base/error.h"

namespace assay::format {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxHeader = std::size_t{1} << 20;
/// NumPy lets the values begin at a multiple of this.
constexpr std::size_t kAlignment = 64;

struct NpyType {
  DType dtype;
  std::string_view code;  // kind and size
};

constexpr NpyType kTypes[] = {
    {DType::kFloat, "f4"},     {DType::kDouble, "f8"},     {DType::kHalf, "f2"},
    {DType::kInt8, "i1"},      {DType::kInt16, "i2"},      {DType::kInt32, "i4"},
    {DType::kInt64, "i8"},     {DType::kUInt8, "u1"},      {DType::kUInt16, "u2"},
    {DType::kUInt32, "u4"},    {DType::kUInt64, "u8"},     {DType::kBool, "b1"},
    {DType::kComplex64, "c8"}, {DType::kComplex128, "c16"}};

/// The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::string_view what) : rest_(text), what_(what) {}

  void parse() {
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr") {
        skip_space();
        if (!rest_.starts_with('\'') && !rest_.starts_with('"')) {
          fail(Code::kUnimplemented, "{}: records with fields cannot be read", what_);
        }
        descr = quoted();
      } else if (key == "fortran_order") {
        fortran_order = boolean();
      } else if (key == "shape") {
        shape = tuple();
      } else {
        bad();
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (!descr || !fortran_order || !shape) bad();
  }

  std::optional<std::string_view> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<std::int64_t>> shape;

 private:
  [[noreturn]] void bad() const {
    fail(Code::kDataLoss, "{} is damaged: its .npy header cannot be read", what_);
  }
  void skip_space() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n')) rest_.remove_prefix(1);
  }
  bool accept(char c) {
    skip_space();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) bad();
  }
  std::string_view quoted() {
    skip_space();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) bad();
    const std::size_t end = rest_.find(rest_[0], 1);
    if (end == std::string_view::npos) bad();
    const std::string_view text = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return text;
  }
  bool boolean() {
    skip_space();
    for (const std::string_view word : {"True", "False"}) {
      if (!rest_.starts_with(word)) continue;
      rest_.remove_prefix(word.size());
      return word == "True";
    }
    bad();
  }
  std::vector<std::int64_t> tuple() {
    expect('(');
    std::vector<std::int64_t> dims;
    while (!accept(')')) {
      skip_space();
      std::int64_t value = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
      if (error != std::errc() || value < 0) bad();
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      if (rest_.starts_with('L')) rest_.remove_prefix(1);  // Python 2 wrote long integers so
      dims.push_back(value);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return dims;
  }

  std::string_view rest_;
  std::string_view what_;
};

/// Puts column-major elements in row-major order.
Tensor from_fortran_order(const Tensor& t) {
  const int rank = t.rank();
  if (rank < 2) return t;
  Tensor out(t.dtype(), t.shape());
  const std::size_t item = dtype_size(t.dtype());
  std::vector<std::int64_t> index(static_cast<std::size_t>(rank));
  const auto* from = static_cast<const char*>(t.raw());
  auto* to = static_cast<char*>(out.raw());
  for (std::int64_t i = 0; i < t.num_elements(); ++i) {
    std::int64_t offset = 0;
    for (int axis = rank - 1; axis >= 0; --axis) {
      offset = offset * t.dim(axis) + index[static_cast<std::size_t>(axis)];
    }
    std::memcpy(to + static_cast<std::size_t>(i) * item,
                from + static_cast<std::size_t>(offset) * item, item);
    for (int axis = rank - 1; axis >= 0; --axis) {
      auto& at = index[static_cast<std::size_t>(axis)];
      if (++at < t.dim(axis)) break;
      at = 0;
    }
  }
  return out;
}

}  // namespace

Tensor npy_from_bytes(std::string_view bytes, std::string_view what) {
  if (!bytes.starts_with(kMagic) || bytes.size() < 10) {
    fail(Code::kDataLoss, "{} is no .npy file", what);
  }
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i]));
  };
  const std::size_t version = byte(6);
  if (version < 1 || version > 3) {
    fail(Code::kUnimplemented, "{}: .npy version {} cannot be read", what, version);
  }
  const std::size_t begin = version == 1 ? 10 : 12;
  if (bytes.size() < begin) fail(Code::kDataLoss, "{} is cut short", what);
  std::size_t length = byte(8) | (byte(9) << 8);
  if (version > 1) length |= (byte(10) << 16) | (byte(11) << 24);
  if (length > kMaxHeader || length > bytes.size() - begin) {
    fail(Code::kDataLoss, "{} is damaged or cut short: a header of {} bytes", what, length);
  }
  HeaderParser header(bytes.substr(begin, length), what);
  header.parse();

  std::string_view code = *header.descr;
  const char order = code.empty() ? '\0' : code[0];
  const bool big_endian = order == '>';
  if (order == '<' || order == '>' || order == '|' || order == '=') code.remove_prefix(1);
  const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](const NpyType& t) { return t.code == code; });
  if (type == std::end(kTypes)) {
    fail(Code::kUnimplemented, "{}: values of NumPy type '{}' cannot be read", what, *header.descr);
  }
  Shape shape;
  try {
    shape = Shape(*header.shape);
  } catch (const Error& e) {
    fail(Code::kDataLoss, "{}: {}", what, e.message());
  }
  const std::string_view values = bytes.substr(begin + length);
  const std::size_t item = dtype_size(type->dtype);
  if (static_cast<std::size_t>(shape.num_elements()) > values.size() / item ||
      static_cast<std::size_t>(shape.num_elements()) * item != values.size()) {
    fail(Code::kDataLoss, "{} is damaged or cut short: {} bytes are no {}{}", what, values.size(),
         dtype_name(type->dtype), shape.str());
  }
  Tensor t(type->dtype, shape);
  auto* p = static_cast<char*>(t.raw());
  std::memcpy(p, values.data(), values.size());
  if (big_endian) {
    const std::size_t unit = is_complex(type->dtype) ? item / 2 : item;
    for (char* q = p; q < p + values.size(); q += unit) std::reverse(q, q + unit);
  }
  if (type->dtype == DType::kBool) {
    for (std::size_t i = 0; i < values.size(); ++i) p[i] = static_cast<char>(p[i] != 0);
  }
  return *header.fortran_order ? from_fortran_order(t) : t;
}

std::string npy_to_bytes(const Tensor& tensor) {
  const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](const NpyType& t) { return t.dtype == tensor.dtype(); });
  if (type == std::end(kTypes)) {
    fail(Code::kUnimplemented, "a {} tensor cannot be written as .npy", dtype_name(tensor.dtype()));
  }
  std::string shape;
  for (const std::int64_t d : tensor.shape().dims()) shape += fmt::format("{}, ", d);
  if (tensor.rank() == 1) shape.pop_back();               // "(3,)"
  if (tensor.rank() > 1) shape.resize(shape.size() - 2);  // "(2, 3)"
  std::string header = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                   dtype_size(type->dtype) == 1 ? '|' : '<', type->code, shape);
  const std::size_t begin = kMagic.size() + 4;
  header.append(kAlignment - 1 - (begin + header.size()) % kAlignment, ' ');
  header += '\n';
  std::string out(kMagic);
  out.append("\1\0", 2);
  out += static_cast<char>(header.size() & 0xffU);
  out += static_cast<char>(header.size() >> 8);
  out += header;
  out.append(static_cast<const char*>(tensor.raw()), tensor.num_bytes());
  return out;
}

Tensor read_npy(const std::string& path, FileSystem& fs) {
  return npy_from_bytes(read_file(fs, path), path);
}

void write_npy(const std::string& path, const Tensor& tensor, FileSystem& fs) {
  atomic_write_file(fs, path, npy_to_bytes(tensor));
}

}  // namespace assay::format
