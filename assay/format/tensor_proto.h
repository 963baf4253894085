#pragma once

#include <cstdint>
#include <string_view>

#include "assay/format/proto/tensor.pb.h"
#include "assay/tensor/tensor.h"

namespace assay::format {

/// A short TensorProto may stand for a huge tensor, as its last value repeats: what it may grow to.
inline constexpr std::int64_t kMaxDecodedBytes = std::int64_t{1} << 33;

/// Decodes either form, `tensor_content` or typed values. `what` names the source in messages.
/// Throws InvalidArgument when dtype, shape and values contradict each other, ResourceExhausted
/// above `max_bytes`, Unimplemented for variants.
Tensor tensor_from_proto(const proto::TensorProto& message, std::string_view what,
                         std::int64_t max_bytes = kMaxDecodedBytes);

/// Which of the two forms to write.
enum class TensorEncoding {
  kPython,  ///< as TensorFlow's make_tensor_proto: content for several numbers, values otherwise
  kValues,  ///< typed values always
};

/// Encodes a tensor. Throws Unimplemented for variants.
void tensor_to_proto(const Tensor& tensor, proto::TensorProto& message,
                     TensorEncoding encoding = TensorEncoding::kPython);
proto::TensorProto tensor_to_proto(const Tensor& tensor,
                                   TensorEncoding encoding = TensorEncoding::kPython);

/// Throws InvalidArgument for an unknown rank or size, a negative size or too high a rank.
Shape shape_from_proto(const proto::TensorShapeProto& message, std::string_view what);
/// Throws InvalidArgument for a size below -1.
PartialShape partial_shape_from_proto(const proto::TensorShapeProto& message,
                                      std::string_view what);
/// Writes the sizes; an unknown one as -1, an unknown rank as such.
void shape_to_proto(const Shape& shape, proto::TensorShapeProto& message);
void shape_to_proto(const PartialShape& shape, proto::TensorShapeProto& message);

}  // namespace assay::format
