#include "assay/compiler/kernel_choice.h"

#include "assay/device/kernel.h"

namespace assay::compiler {
namespace {

DType kernel_dtype(const Node& node) {
  const auto* attr = node.find_attr(node.def()->kernel_attr);
  return attr != nullptr && std::holds_alternative<DType>(*attr) ? std::get<DType>(*attr)
                                                                 : DType::kInvalid;
}

}  // namespace

KernelFactory choose_kernel(const Node& node) {
  const DType dtype = kernel_dtype(node);
  for (const KernelEntry& entry : node.def()->kernels) {
    if (entry.dtype == dtype || entry.dtype == DType::kInvalid) return entry.make;
  }
  return {};
}

KernelFactory require_kernel(const Node& node) {
  if (const KernelFactory factory = choose_kernel(node)) return factory;
  std::string there;
  for (const KernelEntry& entry : node.def()->kernels) {
    there += (there.empty() ? "" : ", ") + dtype_name(entry.dtype);
  }
  throw Error(Code::kUnimplemented,
              fmt::format("{}: there is no kernel for {} = {} (there are: {})", node.label(),
                          node.def()->kernel_attr, dtype_name(kernel_dtype(node)), there),
              node.name(), node.place());
}

}  // namespace assay::compiler
