#include "assay/device/kernel.h"

namespace assay {

Tensor& KernelContext::output(int i, const Shape& shape) {
  Tensor& slot = *outputs_[static_cast<std::size_t>(i)];
  if (places_[static_cast<std::size_t>(i)] == OutputPlace::kPlanned) {
    if (!(slot.shape() == shape)) [[unlikely]] {
      fail(Code::kInternal,
           "this is a bug in Assay: output {} was planned as {}, the kernel gives {}", i,
           slot.shape().str(), shape.str());
    }
    return slot;
  }
  // What an earlier run left is used again when nobody else holds it.
  if (slot.shape() == shape && slot.unique()) return slot;
  slot = Tensor(slot.dtype(), shape);
  return slot;
}

void KernelContext::set_output(int i, const Tensor& value) {
  Tensor& slot = *outputs_[static_cast<std::size_t>(i)];
  if (places_[static_cast<std::size_t>(i)] == OutputPlace::kShared) {
    slot = value;
    return;
  }
  Tensor& place = output(i, value.shape());
  if (place.raw() != value.raw()) copy_elements(value, place);
}

}  // namespace assay
