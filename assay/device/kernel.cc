#include "assay/device/kernel.h"

namespace assay {

Tensor& KernelContext::output(int i, const Shape& shape) {
  const auto k = static_cast<std::size_t>(i);
  Tensor& slot = *outputs_[k];
  if (planned_[k] != 0) {
    ASSAY_CHECK(slot.shape() == shape);
    return slot;
  }
  // The last run's memory serves again when nobody else holds it.
  if (!(slot.shape() == shape && slot.unique())) slot = Tensor(slot.dtype(), shape);
  return slot;
}

void KernelContext::set_output(int i, const Tensor& value) {
  const auto k = static_cast<std::size_t>(i);
  Tensor& slot = *outputs_[k];
  if (planned_[k] == 0) {
    slot = value;
    return;
  }
  ASSAY_CHECK(slot.shape() == value.shape());
  if (slot.raw() != value.raw()) copy_elements(value, slot);
}

}  // namespace assay
