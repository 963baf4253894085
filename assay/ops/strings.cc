#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "assay/base/file_system.h"
#include "assay/device/kernel.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

class StringJoin : public Kernel {
 public:
  explicit StringJoin(const KernelInit& init) : separator_(init.attr<std::string>("separator")) {}
  void run(KernelContext& ctx) override {
    Shape shape;
    for (int i = 0; i < ctx.num_inputs(); ++i) {
      const Shape& s = ctx.input(i).shape();
      if (s.is_scalar()) continue;
      if (!shape.is_scalar() && shape != s) {
        invalid_argument("inputs must have one shape or be scalars, got {} and {}", shape.str(),
                         s.str());
      }
      shape = s;
    }
    auto* out = ctx.out<std::string>(0, shape);
    for (std::int64_t k = 0; k < shape.num_elements(); ++k) {
      std::string joined;
      for (int i = 0; i < ctx.num_inputs(); ++i) {
        if (i > 0) joined += separator_;
        joined += ctx.in<std::string>(i)[ctx.input(i).shape().is_scalar() ? 0 : k];
      }
      out[k] = std::move(joined);
    }
  }

 private:
  std::string separator_;
};

class AsString : public Kernel {
 public:
  explicit AsString(const KernelInit& init) {
    const auto dtype = init.attr<DType>("T");
    const auto precision = init.attr<std::int64_t>("precision");
    const auto width = init.attr<std::int64_t>("width");
    const auto fill = init.attr<std::string>("fill");
    const bool scientific = init.attr<bool>("scientific");
    const bool shortest = init.attr<bool>("shortest");
    if (!is_floating(dtype) && (scientific || shortest || precision >= 0)) {
      invalid_argument("precision, scientific and shortest are for floating types, not {}",
                       dtype_name(dtype));
    }
    if (scientific && shortest) invalid_argument("either scientific or shortest");
    constexpr std::int64_t kMost = 1000;
    if (precision > kMost || width > kMost) {
      invalid_argument("precision and width must be at most {}, got {} and {}", kMost, precision,
                       width);
    }
    if (fill.size() > 1 || (fill.size() == 1 && std::strchr(" +-0#", fill[0]) == nullptr)) {
      invalid_argument("fill must be one of ' ', '+', '-', '0', '#', got '{}'", fill);
    }
    format_ = "%" + fill;
    if (width > -1) format_ += std::to_string(width);
    if (precision > -1) format_ += "." + std::to_string(precision);
    format_ += is_floating(dtype) ? (shortest ? "g" : scientific ? "e" : "f") : "lld";
  }

  void run(KernelContext& ctx) override {
    const Tensor& input = ctx.input(0);
    auto* out = ctx.out<std::string>(0, input.shape());
    const std::int64_t n = input.num_elements();
    if (input.dtype() == DType::kBool) {
      for (std::int64_t i = 0; i < n; ++i) out[i] = input.data<bool>()[i] ? "true" : "false";
      return;
    }
    dispatch_numeric(input.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const T* x = input.data<T>();
      for (std::int64_t i = 0; i < n; ++i) {
        if constexpr (std::is_integral_v<T>) {
          out[i] = print(static_cast<long long>(x[i]));
        } else {
          out[i] = print(static_cast<double>(x[i]));
        }
      }
    });
  }

 private:
  template <typename V>
  std::string print(V value) const {
    // Room for the largest double and the most digits behind the point.
    char text[1500];
    const int n = std::snprintf(text, sizeof text, format_.c_str(), value);
    return std::string(text, static_cast<std::size_t>(std::max(n, 0)));
  }

  std::string format_;
};

template <typename T>
T parse_number(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  std::string_view s = text;
  while (!s.empty() && blank(s.front())) s.remove_prefix(1);
  while (!s.empty() && blank(s.back())) s.remove_suffix(1);
  if (s.starts_with('+')) s.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (s.empty() || error != std::errc() || end != s.data() + s.size()) {
    invalid_argument("'{}' is no {}", text, dtype_name(dtype_of<T>));
  }
  return value;
}

template <typename T>
void string_to_number(KernelContext& ctx) {
  const Tensor& input = ctx.input(0);
  T* out = ctx.out<T>(0, input.shape());
  for (std::int64_t i = 0; i < input.num_elements(); ++i) {
    out[i] = parse_number<T>(input.data<std::string>()[i]);
  }
}

class DecodeRaw : public Kernel {
 public:
  explicit DecodeRaw(const KernelInit& init)
      : dtype_(init.attr<DType>("out_type")), little_(init.attr<bool>("little_endian")) {}

  void run(KernelContext& ctx) override {
    const Tensor& input = ctx.input(0);
    const auto strings = input.span<std::string>();
    const std::size_t size = dtype_size(dtype_);
    const std::size_t length = strings.empty() ? 0 : strings[0].size();
    for (const std::string& s : strings) {
      if (s.size() != length) {
        invalid_argument("all strings must have one length, got {} and {} bytes", length, s.size());
      }
    }
    if (length % size != 0) {
      invalid_argument("{} bytes are no whole number of {}", length, dtype_name(dtype_));
    }
    Shape shape = input.shape();
    shape.add_dim(static_cast<std::int64_t>(length / size));
    auto* out = static_cast<char*>(ctx.output(0, shape).raw());
    for (const std::string& s : strings) {
      std::memcpy(out, s.data(), length);
      if (!little_) {
        const std::size_t part = is_complex(dtype_) ? size / 2 : size;
        for (std::size_t i = 0; i < length; i += part) std::reverse(out + i, out + i + part);
      }
      if (dtype_ == DType::kBool) {
        for (std::size_t i = 0; i < length; ++i) out[i] = out[i] != 0 ? 1 : 0;
      }
      out += length;
    }
  }

 private:
  DType dtype_;
  bool little_;
};

const std::string& scalar_text(const Tensor& t) {
  if (t.num_elements() != 1) invalid_argument("expected one string, got {}", t.shape().str());
  return t.data<std::string>()[0];
}

void read_contents(KernelContext& ctx) {
  const auto file = posix_file_system().open_read(scalar_text(ctx.input(0)));
  std::string contents(static_cast<std::size_t>(file->size()), '\0');
  contents.resize(file->read_at(0, contents.data(), contents.size()));
  ctx.out<std::string>(0, Shape{})[0] = std::move(contents);
}

void write_file(KernelContext& ctx) {
  const std::string& path = scalar_text(ctx.input(0));
  FileSystem& fs = posix_file_system();
  const std::string folder = parent_directory(path);
  if (!folder.empty()) fs.make_directories(folder);
  const auto file = fs.open_write(path);
  file->append(scalar_text(ctx.input(1)));
  file->close();
}

void join_shape(ShapeContext& c) {
  PartialShape shape = PartialShape::scalar();
  for (int i = 0; i < c.num_inputs(); ++i) {
    if (!c.input(i).has_rank()) {
      c.set_output(0, PartialShape());
      return;
    }
    if (c.input(i).rank() == 0) continue;
    if (shape.rank() == 0) {
      shape = c.input(i);
      continue;
    }
    const auto merged = shape.merge(c.input(i));
    if (!merged) {
      c.mismatch("inputs must have one shape or be scalars: {} and {}", shape.str(),
                 c.describe_input(i));
    }
    shape = *merged;
  }
  c.set_output(0, shape);
}

void decode_shape(ShapeContext& c) {
  if (!c.input(0).has_rank()) return;
  std::vector<std::int64_t> dims = c.input(0).dims();
  dims.push_back(-1);
  c.set_output(0, PartialShape(std::move(dims)));
}

void write_shape(ShapeContext& c) {
  c.with_rank(0, 0);
  c.with_rank(1, 0);
}

}  // namespace

void register_strings(OpRegistry& registry) {
  registry.add({.name = "StringJoin",
                .doc = "Joins strings element by element.",
                .inputs = {"inputs: N * string"},
                .outputs = {"output: string"},
                .attrs = {"N: int", "separator: string = ''"},
                .shape = join_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, make_kernel<StringJoin>}}});
  registry.add({.name = "AsString",
                .doc = "Numbers as text, as printf writes them.",
                .inputs = {"input: T"},
                .outputs = {"output: string"},
                .attrs = {"T: {int8, int16, int32, int64, complex64, complex128, float, double, "
                          "bool}",
                          "precision: int = -1", "scientific: bool = false",
                          "shortest: bool = false", "width: int = -1", "fill: string = ''"},
                .shape = shapes::unchanged,
                .not_differentiable = true,
                .kernels = {{int8, make_kernel<AsString>},
                            {int16, make_kernel<AsString>},
                            {int32, make_kernel<AsString>},
                            {int64, make_kernel<AsString>},
                            {float32, make_kernel<AsString>},
                            {float64, make_kernel<AsString>},
                            {boolean, make_kernel<AsString>}}});
  registry.add({.name = "StringToNumber",
                .doc = "Reads each string as a number.",
                .inputs = {"string_tensor: string"},
                .outputs = {"output: out_type"},
                .attrs = {"out_type: {float, double, int32, int64} = DT_FLOAT"},
                .shape = shapes::unchanged,
                .not_differentiable = true,
                .kernel_attr = "out_type",
                .kernels = {{float32, function_kernel<string_to_number<float>>},
                            {float64, function_kernel<string_to_number<double>>},
                            {int32, function_kernel<string_to_number<std::int32_t>>},
                            {int64, function_kernel<string_to_number<std::int64_t>>}}});
  registry.add({.name = "DecodeRaw",
                .doc = "The bytes of strings as numbers, along a new last dimension.",
                .inputs = {"bytes: string"},
                .outputs = {"output: out_type"},
                .attrs = {"out_type: "
                          "{half,float,double,int32,uint16,uint8,int16,int8,int64,complex64,"
                          "complex128,bool}",
                          "little_endian: bool = true"},
                .shape = decode_shape,
                .not_differentiable = true,
                .kernel_attr = "out_type",
                .kernels = {{DType::kInvalid, make_kernel<DecodeRaw>}}});
  registry.add({.name = "ReadFile",
                .doc = "A whole file as a string.",
                .inputs = {"filename: string"},
                .outputs = {"contents: string"},
                .effect = Effect::kReads,
                .shape = shapes::scalar,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, function_kernel<read_contents>}}});
  registry.add({.name = "WriteFile",
                .doc = "Writes a string to a file, making its folder if need be.",
                .inputs = {"filename: string", "contents: string"},
                .effect = Effect::kWrites,
                .shape = write_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, function_kernel<write_file>}}});
}

}  // namespace assay
