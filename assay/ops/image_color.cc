#include <cmath>

#include "assay/device/kernel.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

template <typename T>
float to_float(T value) {
  return static_cast<float>(value);
}
template <typename T>
T from_float(float value) {
  return static_cast<T>(value);
}

/// Images are [..., height, width, channels].
void contrast_shape(ShapeContext& c) {
  c.set_output(0, c.with_rank_at_least(0, 3));
}

void color_shape(ShapeContext& c) {
  const PartialShape in = c.with_rank_at_least(0, 1);
  if (in.has_rank() && !merge_dims(in.dim(in.rank() - 1), 3)) {
    c.mismatch("the last dimension of {} must be 3", c.describe_input(0));
  }
  c.set_output(0, in);
}

/// Moves every value away from its channel's mean by a factor.
template <typename T>
void adjust_contrast(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  if (x.rank() < 3)
    invalid_argument("images of height, width and channels are needed, got {}", x.shape().str());
  if (ctx.input(1).num_elements() != 1) invalid_argument("contrast_factor must be one number");
  const float factor = *ctx.in<float>(1);
  const std::int64_t channels = x.dim(x.rank() - 1);
  const std::int64_t pixels = x.dim(x.rank() - 2) * x.dim(x.rank() - 3);
  const std::int64_t images = ops::product(x.shape(), 0, x.rank() - 3);
  T* out = ctx.out<T>(0, x.shape());
  for (std::int64_t i = 0; i < images; ++i) {
    const T* image = x.data<T>() + i * pixels * channels;
    T* to = out + i * pixels * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      double sum = 0;
      for (std::int64_t p = 0; p < pixels; ++p) sum += to_float(image[p * channels + c]);
      const auto mean = static_cast<float>(sum / static_cast<double>(pixels));
      for (std::int64_t p = 0; p < pixels; ++p) {
        const float value = to_float(image[p * channels + c]);
        to[p * channels + c] = from_float<T>((value - mean) * factor + mean);
      }
    }
  }
}

/// A colour as hue in [0, 6), saturation and value.
struct Hsv {
  float h;
  float s;
  float v;
};

Hsv to_hsv(float r, float g, float b) {
  const float high = std::max({r, g, b});
  const float range = high - std::min({r, g, b});
  Hsv color{0, high > 0 ? range / high : 0, high};
  if (range > 0) {
    if (high == r) {
      color.h = (g - b) / range;
    } else if (high == g) {
      color.h = 2 + (b - r) / range;
    } else {
      color.h = 4 + (r - g) / range;
    }
    if (color.h < 0) color.h += 6;
  }
  return color;
}

void to_rgb(const Hsv& color, float* rgb) {
  // Each channel is a trapezoid of the hue, a third of the circle from the next.
  const float dr = std::clamp(std::fabs(color.h - 3) - 1, 0.0F, 1.0F);
  const float dg = std::clamp(2 - std::fabs(color.h - 2), 0.0F, 1.0F);
  const float db = std::clamp(2 - std::fabs(color.h - 4), 0.0F, 1.0F);
  const float grey = (1 - color.s) * color.v;
  rgb[0] = grey + color.s * color.v * dr;
  rgb[1] = grey + color.s * color.v * dg;
  rgb[2] = grey + color.s * color.v * db;
}

void check_colors(const Tensor& x) {
  if (x.rank() < 1 || x.dim(x.rank() - 1) != 3) {
    invalid_argument("the last dimension must be 3, got {}", x.shape().str());
  }
}

/// Calls `change(hsv)` for each pixel of an RGB image.
template <typename T, typename Change>
void change_colors(KernelContext& ctx, Change&& change) {
  const Tensor& x = ctx.input(0);
  check_colors(x);
  if (ctx.input(1).num_elements() != 1) invalid_argument("the second input must be one number");
  const T* from = x.data<T>();
  T* to = ctx.out<T>(0, x.shape());
  for (std::int64_t i = 0; i < x.num_elements(); i += 3) {
    Hsv color = to_hsv(to_float(from[i]), to_float(from[i + 1]), to_float(from[i + 2]));
    change(color);
    float rgb[3];
    to_rgb(color, rgb);
    for (int c = 0; c < 3; ++c) to[i + c] = from_float<T>(rgb[c]);
  }
}

template <typename T>
void adjust_hue(KernelContext& ctx) {
  change_colors<T>(ctx, [delta = *ctx.in<float>(1)](Hsv& color) {
    color.h = std::fmod(color.h + 6 * delta, 6.0F);
    if (color.h < 0) color.h += 6;
  });
}

template <typename T>
void adjust_saturation(KernelContext& ctx) {
  change_colors<T>(ctx, [scale = *ctx.in<float>(1)](Hsv& color) {
    color.s = std::clamp(color.s * scale, 0.0F, 1.0F);
  });
}

template <typename T>
void hsv_to_rgb(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  check_colors(x);
  const T* from = x.data<T>();
  T* to = ctx.out<T>(0, x.shape());
  for (std::int64_t i = 0; i < x.num_elements(); i += 3) {
    float rgb[3];
    to_rgb({6 * to_float(from[i]), to_float(from[i + 1]), to_float(from[i + 2])}, rgb);
    for (int c = 0; c < 3; ++c) to[i + c] = from_float<T>(rgb[c]);
  }
}

OpSpec adjust_spec(std::string name, std::string doc, std::string second, ShapeFn shape,
                   std::vector<KernelEntry> kernels) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"images: T", std::move(second)},
          .outputs = {"output: T"},
          .attrs = {"T: {half, float} = DT_FLOAT"},
          .shape = shape,
          .not_differentiable = true,
          .kernels = std::move(kernels)};
}

}  // namespace

void register_image_color(OpRegistry& registry) {
  registry.add(adjust_spec("AdjustContrastv2",
                           "Images with each value's distance from its channel's mean scaled.",
                           "contrast_factor: float", contrast_shape,
                           {{float32, function_kernel<adjust_contrast<float>>},
                            {DType::kHalf, function_kernel<adjust_contrast<Half>>}}));
  registry.add(adjust_spec("AdjustHue", "RGB images with the hue turned by a part of the circle.",
                           "delta: float", color_shape,
                           {{float32, function_kernel<adjust_hue<float>>},
                            {DType::kHalf, function_kernel<adjust_hue<Half>>}}));
  registry.add(adjust_spec("AdjustSaturation", "RGB images with the saturation scaled.",
                           "scale: float", color_shape,
                           {{float32, function_kernel<adjust_saturation<float>>},
                            {DType::kHalf, function_kernel<adjust_saturation<Half>>}}));
  registry.add({.name = "HSVToRGB",
                .doc = "Colours of hue, saturation and value as red, green and blue.",
                .inputs = {"images: T"},
                .outputs = {"output: T"},
                .attrs = {"T: {half, bfloat16, float, double} = DT_FLOAT"},
                .shape = color_shape,
                .not_differentiable = true,
                .kernels = {{float32, function_kernel<hsv_to_rgb<float>>},
                            {float64, function_kernel<hsv_to_rgb<double>>},
                            {DType::kHalf, function_kernel<hsv_to_rgb<Half>>}}});
}

}  // namespace assay
