#include "assay/format/tensor_slice.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#include "assay/base/error.h"

namespace assay::format {

namespace {

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// The coding of keys: what it encodes sorts as its bytes do.

/// '\0' and '\xff' are escaped; the end is "\0\1".
void put_string(std::string_view text, std::string& out) {
  for (const char c : text) {
    out += c;
    if (c == '\0') out += '\xff';
    if (c == '\xff') out += '\0';
  }
  out.append("\0\1", 2);
}

/// The number of bytes, then the bytes, highest first.
void put_unsigned(std::uint64_t value, std::string& out) {
  const int bytes = (std::bit_width(value) + 7) / 8;
  out += static_cast<char>(bytes);
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
}

/// As many leading bits that differ from the sign bit as there are bytes, then the sign, then the
/// value in two's complement, highest byte first: 7 bits of the number a byte.
void put_signed(std::int64_t value, std::string& out) {
  const std::uint64_t magnitude = static_cast<std::uint64_t>(value < 0 ? ~value : value);
  const int length = std::bit_width(magnitude) / 7 + 1;
  std::array<unsigned char, 10> bytes{};
  const unsigned char fill = value < 0 ? 0xff : 0;
  bytes[0] = bytes[1] = fill;
  for (int i = 0; i < 8; ++i) {
    bytes[static_cast<std::size_t>(i + 2)] =
        static_cast<unsigned char>(static_cast<std::uint64_t>(value) >> (56 - 8 * i));
  }
  const auto first = static_cast<std::size_t>(10 - length);
  const auto header = static_cast<unsigned>(0xffffU << (16 - length)) & 0xffffU;
  bytes[first] ^= static_cast<unsigned char>(header >> 8);
  if (length > 1) bytes[first + 1] ^= static_cast<unsigned char>(header & 0xffU);
  out.append(reinterpret_cast<const char*>(bytes.data() + first), static_cast<std::size_t>(length));
}

class KeyParser {
 public:
  explicit KeyParser(std::string_view key) : rest_(key) {}

  std::string string() {
    std::string out;
    while (true) {
      const char c = byte();
      if (c != '\0' && c != '\xff') {
        out += c;
        continue;
      }
      const char next = byte();
      if (c == '\0' && next == '\1') return out;
      if ((c == '\0' && next != '\xff') || (c == '\xff' && next != '\0')) bad();
      out += c;
    }
  }

  std::uint64_t number() {
    const auto bytes = static_cast<unsigned char>(byte());
    if (bytes > 8) bad();
    std::uint64_t value = 0;
    for (unsigned i = 0; i < bytes; ++i) value = (value << 8) | static_cast<unsigned char>(byte());
    return value;
  }

  std::int64_t signed_number() {
    if (rest_.empty()) bad();
    const bool negative = (static_cast<unsigned char>(rest_[0]) & 0x80U) == 0;
    const unsigned char flip = negative ? 0xff : 0;
    int length = 0;
    for (std::size_t i = 0; i < 2 && length == static_cast<int>(8 * i) && i < rest_.size(); ++i) {
      const auto seen = static_cast<unsigned char>(static_cast<unsigned char>(rest_[i]) ^ flip);
      length += std::countl_one(seen);
    }
    if (length > 10) bad();
    __extension__ unsigned __int128 bits = 0;
    for (int i = 0; i < length; ++i) {
      bits = (bits << 8) | static_cast<unsigned char>(static_cast<unsigned char>(byte()) ^ flip);
    }
    bits &= ((static_cast<decltype(bits)>(1) << (7 * length)) - 1);
    if (bits > static_cast<std::uint64_t>(INT64_MAX)) bad();
    const auto value = static_cast<std::int64_t>(bits);
    return negative ? ~value : value;
  }

  bool at_end() const { return rest_.empty(); }

  [[noreturn]] static void bad() {
    fail(Code::kDataLoss, "the bundle's index is damaged: a slice's key cannot be decoded");
  }

 private:
  char byte() {
    if (rest_.empty()) bad();
    const char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }

  std::string_view rest_;
};

}  // namespace

TensorSlice TensorSlice::parse(std::string_view text) {
  TensorSlice slice;
  for (const std::string_view item : split(text, ':')) {
    if (item == "-") {
      slice.extents.push_back({});
      continue;
    }
    const auto parts = split(item, ',');
    const auto start = parse_number(parts[0]);
    const auto length = parts.size() == 2 ? parse_number(parts[1]) : std::nullopt;
    if (!start || !length || *start < 0 || *length <= 0 || *start > INT64_MAX - *length) {
      invalid_argument("'{}' is no slice; slices look like 0,5:- (start and length, or -)", text);
    }
    slice.extents.push_back({.start = *start, .length = *length});
  }
  return slice;
}

std::string TensorSlice::str() const {
  std::string out;
  for (const Extent& e : extents) {
    if (!out.empty()) out += ':';
    out += e.length < 0 ? "-" : fmt::format("{},{}", e.start, e.length);
  }
  return out;
}

Shape TensorSlice::shape_in(const Shape& full) const {
  if (extents.size() != static_cast<std::size_t>(full.rank())) {
    invalid_argument("the slice {} has {} extents, a tensor of shape {} has {} axes", str(),
                     extents.size(), full.str(), full.rank());
  }
  Shape shape = full;
  for (int i = 0; i < full.rank(); ++i) {
    const Extent& e = extents[static_cast<std::size_t>(i)];
    if (e.length < 0) continue;
    if (e.start < 0 || e.start > full[i] || e.length > full[i] - e.start) {
      invalid_argument("the slice {} does not lie inside the shape {}", str(), full.str());
    }
    shape.set_dim(i, e.length);
  }
  return shape;
}

TensorSlice TensorSlice::from_proto(const proto::TensorSliceProto& message) {
  TensorSlice slice;
  for (const auto& extent : message.extent()) {
    const bool whole =
        extent.has_length_case() == proto::TensorSliceProto::Extent::HAS_LENGTH_NOT_SET;
    if (extent.start() < 0 || (whole && extent.start() != 0) || (!whole && extent.length() <= 0) ||
        (!whole && extent.start() > INT64_MAX - extent.length())) {
      fail(Code::kDataLoss, "a slice has an impossible extent: start {}, length {}", extent.start(),
           extent.length());
    }
    slice.extents.push_back({.start = extent.start(), .length = whole ? -1 : extent.length()});
  }
  return slice;
}

void TensorSlice::to_proto(proto::TensorSliceProto& message) const {
  message.Clear();
  for (const Extent& e : extents) {
    auto& extent = *message.add_extent();
    if (e.length < 0) continue;
    extent.set_start(e.start);
    extent.set_length(e.length);
  }
}

std::optional<ShapeAndSlice> parse_shape_and_slice(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto parts = split(text, ' ');
  if (parts.size() < 2) {
    invalid_argument("'{}' is no shape and slice; those look like 20 10 0,5:-", text);
  }
  std::vector<std::int64_t> dims;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    const auto dim = parse_number(parts[i]);
    if (!dim) invalid_argument("'{}' is no shape and slice; those look like 20 10 0,5:-", text);
    dims.push_back(*dim);
  }
  ShapeAndSlice out{.full_shape = Shape(dims), .slice = TensorSlice::parse(parts.back())};
  out.slice.shape_in(out.full_shape);
  return out;
}

std::string encode_slice_key(std::string_view name, const TensorSlice& slice) {
  std::string key;
  put_unsigned(0, key);
  put_string(name, key);
  put_unsigned(slice.extents.size(), key);
  for (const auto& e : slice.extents) {
    put_signed(e.start, key);
    put_signed(e.length, key);
  }
  return key;
}

SliceKey decode_slice_key(std::string_view key) {
  KeyParser parser(key);
  if (parser.number() != 0) KeyParser::bad();
  SliceKey out;
  out.name = parser.string();
  const std::uint64_t rank = parser.number();
  if (rank > static_cast<std::uint64_t>(kMaxRank)) KeyParser::bad();
  for (std::uint64_t i = 0; i < rank; ++i) {
    TensorSlice::Extent e;
    e.start = parser.signed_number();
    e.length = parser.signed_number();
    if (e.start < 0 || e.length < -1) KeyParser::bad();
    out.slice.extents.push_back(e);
  }
  if (!parser.at_end()) KeyParser::bad();
  return out;
}

std::int64_t copy_overlap(const Shape& full, const TensorSlice& from_slice, const Tensor& from,
                          const TensorSlice& to_slice, Tensor& to) {
  ASSAY_CHECK(from.dtype() == to.dtype());
  const Shape from_shape = from_slice.shape_in(full);
  const Shape to_shape = to_slice.shape_in(full);
  ASSAY_CHECK(from_shape == from.shape() && to_shape == to.shape());
  const int rank = full.rank();
  std::array<std::int64_t, kMaxRank> from_at{};  // where the common box begins in each
  std::array<std::int64_t, kMaxRank> to_at{};
  std::array<std::int64_t, kMaxRank> size{};
  std::int64_t rows = 1;
  for (int i = 0; i < rank; ++i) {
    const auto k = static_cast<std::size_t>(i);
    const auto& a = from_slice.extents[k];
    const auto& b = to_slice.extents[k];
    const std::int64_t a_start = a.length < 0 ? 0 : a.start;
    const std::int64_t b_start = b.length < 0 ? 0 : b.start;
    const std::int64_t begin = std::max(a_start, b_start);
    const std::int64_t end = std::min(a_start + from_shape[i], b_start + to_shape[i]);
    if (end <= begin) return 0;
    from_at[k] = begin - a_start;
    to_at[k] = begin - b_start;
    size[k] = end - begin;
    if (i + 1 < rank) rows *= size[k];
  }
  const std::int64_t row = rank == 0 ? 1 : size[static_cast<std::size_t>(rank - 1)];
  std::array<std::int64_t, kMaxRank> index{};
  for (std::int64_t r = 0; r < rows; ++r) {
    std::int64_t from_offset = 0;
    std::int64_t to_offset = 0;
    for (int i = 0; i < rank; ++i) {
      const auto k = static_cast<std::size_t>(i);
      from_offset = from_offset * from_shape[i] + from_at[k] + index[k];
      to_offset = to_offset * to_shape[i] + to_at[k] + index[k];
    }
    if (from.dtype() == DType::kString) {
      std::copy_n(from.data<std::string>() + from_offset, row, to.data<std::string>() + to_offset);
    } else {
      const auto item = static_cast<std::int64_t>(dtype_size(from.dtype()));
      std::memcpy(static_cast<char*>(to.raw()) + to_offset * item,
                  static_cast<const char*>(from.raw()) + from_offset * item,
                  static_cast<std::size_t>(row * item));
    }
    for (int i = rank - 2; i >= 0; --i) {
      const auto k = static_cast<std::size_t>(i);
      if (++index[k] < size[k]) break;
      index[k] = 0;
    }
  }
  return rows * row;
}

}  // namespace assay::format
