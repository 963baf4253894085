#include "assay/ops/elementwise_op.h"

#include "assay/device/cpu/broadcast.h"
#include "assay/graph/op_parse.h"
#include "assay/graph/shape_context.h"

namespace assay {

std::vector<KernelEntry> elementwise_kernels(const ElementwiseDef& def, const std::string& text) {
  std::vector<KernelEntry> kernels;
  for (const DType dtype : parse_attr(text).allowed_types) {
    if (def.loop(dtype) != nullptr) kernels.push_back({dtype, cpu::elementwise_kernel});
  }
  return kernels;
}

void add_unary(OpRegistry& registry, std::string name, std::string doc, const char* types,
               const ElementwiseDef& def, GradientFn gradient) {
  registry.add({.name = std::move(name),
                .doc = std::move(doc),
                .inputs = {"x: T"},
                .outputs = {"y: T"},
                .attrs = {types},
                .shape = shapes::unchanged,
                .gradient = gradient,
                .not_differentiable = gradient == nullptr,
                .kernels = elementwise_kernels(def, types),
                .in_place = true,
                .elementwise = &def});
}

void add_binary(OpRegistry& registry, std::string name, std::string doc, const char* types,
                const ElementwiseDef& def, GradientFn gradient, const BinaryTraits& traits) {
  registry.add({.name = std::move(name),
                .doc = std::move(doc),
                .inputs = {"x: T", "y: T"},
                .outputs = {"z: T"},
                .attrs = {types},
                .shape = shapes::broadcast,
                .gradient = gradient,
                .not_differentiable = gradient == nullptr,
                .kernels = elementwise_kernels(def, types),
                .sums = traits.sums,
                .right_neutral = traits.right_neutral,
                .left_neutral = traits.left_neutral,
                .in_place = true,
                .elementwise = &def});
}

}  // namespace assay
