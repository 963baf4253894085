#include <cmath>
#include <unordered_set>

#include "assay/device/kernel.h"
#include "assay/format/histogram.h"
#include "assay/format/proto/event.pb.h"
#include "assay/format/proto_io.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

/// Element `i` of a tensor of numbers.
template <typename T>
double number_at(const Tensor& t, std::int64_t i) {
  const T x = t.data<T>()[i];
  if constexpr (sizeof(T) == 2 && !std::is_integral_v<T>) {
    return static_cast<double>(static_cast<float>(x));
  } else {
    return static_cast<double>(x);
  }
}

void put(KernelContext& ctx, const proto::Summary& summary) {
  ctx.out<std::string>(0, Shape{})[0] = format::to_binary(summary);
}

template <typename T>
void scalar_summary(KernelContext& ctx) {
  const Tensor& tags = ctx.input(0);
  const Tensor& values = ctx.input(1);
  const bool single = tags.num_elements() == 1 && values.num_elements() == 1;
  if (tags.shape() != values.shape() && !(single && tags.rank() <= 1 && values.rank() <= 1)) {
    invalid_argument(
        "tags and values must have one shape, got {} and {}{}", tags.shape().str(),
        values.shape().str(),
        tags.num_elements() == 1 ? fmt::format(" (tag '{}')", tags.data<std::string>()[0]) : "");
  }
  proto::Summary summary;
  for (std::int64_t i = 0; i < tags.num_elements(); ++i) {
    auto* value = summary.add_value();
    value->set_tag(tags.data<std::string>()[i]);
    value->set_simple_value(static_cast<float>(number_at<T>(values, i)));
  }
  put(ctx, summary);
}

template <typename T>
void histogram_summary(KernelContext& ctx) {
  const Tensor& tag = ctx.input(0);
  const Tensor& values = ctx.input(1);
  if (tag.num_elements() != 1 || tag.rank() > 1) {
    invalid_argument("the tag must be a scalar, got {}", tag.shape().str());
  }
  const std::string& name = tag.data<std::string>()[0];
  format::Histogram histogram;
  for (std::int64_t i = 0; i < values.num_elements(); ++i) {
    const double x = number_at<T>(values, i);
    if (!std::isfinite(x)) {
      invalid_argument("{} in the values of histogram '{}'", std::isnan(x) ? "NaN" : "infinity",
                       name);
    }
    histogram.add(x);
  }
  proto::Summary summary;
  auto* value = summary.add_value();
  value->set_tag(name);
  histogram.to_proto(*value->mutable_histo());
  put(ctx, summary);
}

void merge_summary(KernelContext& ctx) {
  proto::Summary merged;
  std::unordered_set<std::string> tags;
  for (int i = 0; i < ctx.num_inputs(); ++i) {
    for (std::int64_t k = 0; k < ctx.input(i).num_elements(); ++k) {
      proto::Summary summary;
      if (!summary.ParseFromString(ctx.in<std::string>(i)[k])) {
        invalid_argument("input {} is no serialised Summary", i);
      }
      for (auto& value : *summary.mutable_value()) {
        if (!value.tag().empty() && !tags.insert(value.tag()).second) {
          invalid_argument("the tag '{}' occurs twice", value.tag());
        }
        *merged.add_value() = std::move(value);
      }
    }
  }
  put(ctx, merged);
}

template <template <typename> class Function>
std::vector<KernelEntry> real_kernels() {
  return {{float32, Function<float>::make},      {float64, Function<double>::make},
          {int32, Function<std::int32_t>::make}, {int64, Function<std::int64_t>::make},
          {uint8, Function<std::uint8_t>::make}, {int16, Function<std::int16_t>::make},
          {int8, Function<std::int8_t>::make},   {uint16, Function<std::uint16_t>::make},
          {DType::kHalf, Function<Half>::make},  {DType::kBFloat16, Function<BFloat16>::make}};
}
template <typename T>
struct ScalarSummary {
  static constexpr KernelFactory make = function_kernel<scalar_summary<T>>;
};
template <typename T>
struct HistogramSummary {
  static constexpr KernelFactory make = function_kernel<histogram_summary<T>>;
};

}  // namespace

void register_summary(OpRegistry& registry) {
  registry.add({.name = "ScalarSummary",
                .doc = "A serialised Summary of numbers with their tags.",
                .inputs = {"tags: string", "values: T"},
                .outputs = {"summary: string"},
                .attrs = {"T: realnumbertype"},
                .shape = shapes::scalar,
                .not_differentiable = true,
                .kernels = real_kernels<ScalarSummary>()});
  registry.add({.name = "HistogramSummary",
                .doc = "A serialised Summary with a histogram of the values.",
                .inputs = {"tag: string", "values: T"},
                .outputs = {"summary: string"},
                .attrs = {"T: realnumbertype = DT_FLOAT"},
                .shape = shapes::scalar,
                .not_differentiable = true,
                .kernels = real_kernels<HistogramSummary>()});
  registry.add({.name = "MergeSummary",
                .doc = "One serialised Summary of several.",
                .inputs = {"inputs: N * string"},
                .outputs = {"summary: string"},
                .attrs = {"N: int >= 1"},
                .shape = shapes::scalar,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, function_kernel<merge_summary>}}});
}

}  // namespace assay
