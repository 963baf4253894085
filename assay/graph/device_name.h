#pragma once

#include <string>
#include <string_view>

namespace assay {

/// A device as TF prints it: "/cpu:0" becomes "/device:CPU:0", "/job:w/gpu:1" becomes
/// "/job:w/device:GPU:1". Throws InvalidArgument for what is no device.
std::string canonical_device(std::string_view device);

/// `outer` with the fields that `inner` sets replaced by inner's (tf.device scopes nest so).
std::string merge_devices(std::string_view outer, std::string_view inner);

}  // namespace assay
