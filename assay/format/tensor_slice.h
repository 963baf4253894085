#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "assay/format/proto/tensor.pb.h"
#include "assay/tensor/tensor.h"

namespace assay::format {

/// A box inside a tensor: where it begins and how long it is along each axis.
struct TensorSlice {
  /// Where the box lies along one axis, in elements.
  struct Extent {
    std::int64_t start = 0;
    std::int64_t length = -1;  ///< -1: the whole axis
    bool operator==(const Extent&) const = default;
  };
  std::vector<Extent> extents;

  /// "0,5:-": axis 0 from 0, 5 long; axis 1 whole. Throws InvalidArgument.
  static TensorSlice parse(std::string_view text);
  /// The text that parse() reads.
  std::string str() const;
  /// The shape of the box in a tensor of shape `full`; throws InvalidArgument when it does not
  /// lie inside.
  Shape shape_in(const Shape& full) const;
  bool is_full(const Shape& full) const { return shape_in(full) == full; }

  /// From and to the message that a bundle's index keeps.
  static TensorSlice from_proto(const proto::TensorSliceProto& message);
  void to_proto(proto::TensorSliceProto& message) const;
  bool operator==(const TensorSlice&) const = default;
};

/// What the inputs `shape_and_slices` of SaveV2 and RestoreV2 say: "20 10 0,5:-".
struct ShapeAndSlice {
  Shape full_shape;
  TensorSlice slice;
};

/// nullopt for "", which means the whole tensor. Throws InvalidArgument.
std::optional<ShapeAndSlice> parse_shape_and_slice(std::string_view text);

/// The key of a slice in a bundle's index: '\0', the name and the extents, in a coding that sorts.
std::string encode_slice_key(std::string_view name, const TensorSlice& slice);

/// What a slice's key in a bundle's index says: the tensor's name and the box.
struct SliceKey {
  std::string name;
  TensorSlice slice;
};

/// The inverse; throws DataLoss.
SliceKey decode_slice_key(std::string_view key);

/// Copies the part that two boxes of one tensor have in common, from the elements of the first to
/// those of the second; returns how many elements. REQUIRES: same dtype; each tensor has the
/// shape of its box in `full`.
std::int64_t copy_overlap(const Shape& full, const TensorSlice& from_slice, const Tensor& from,
                          const TensorSlice& to_slice, Tensor& to);

}  // namespace assay::format
