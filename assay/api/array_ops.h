#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "assay/api/operand.h"

namespace assay {

/// `x` itself, under a new name (op Identity).
Output identity(const Operand& x, const NameOption& options = {},
                std::source_location where = std::source_location::current());
/// `x`, through which no gradient flows.
Output stop_gradient(const Operand& x, const NameOption& options = {},
                     std::source_location where = std::source_location::current());

/// Options of shape and size. Without `optimize`, a node is made even when the answer is known.
struct ShapeOptions {
  DType out_type = DType::kInt32;
  std::string name;
  bool optimize = true;
};
/// The sizes of `x` as an int vector: a Const when they are all known.
Output shape(const Operand& x, const ShapeOptions& options = {},
             std::source_location where = std::source_location::current());
/// The number of elements of `x`.
Output size(const Operand& x, const ShapeOptions& options = {},
            std::source_location where = std::source_location::current());
/// The number of dimensions of `x`, an int32 scalar.
Output rank(const Operand& x, const NameOption& options = {},
            std::source_location where = std::source_location::current());
/// The shapes of several tensors by one node.
std::vector<Output> shape_n(const std::vector<Operand>& xs, const NameOption& options = {},
                            std::source_location where = std::source_location::current());

/// The elements of `x` in another shape; one size may be -1 and is worked out.
Output reshape(const Operand& x, const IntList& shape, const NameOption& options = {},
               std::source_location where = std::source_location::current());
/// `x` with a dimension of size 1 inserted before `axis`.
Output expand_dims(const Operand& x, const Operand& axis, const NameOption& options = {},
                   std::source_location where = std::source_location::current());

/// Options of squeeze: without `axis`, all dimensions of size 1 are dropped.
struct SqueezeOptions {
  std::vector<std::int64_t> axis;
  std::string name;
};
/// `x` without dimensions of size 1 (op Squeeze); negative axes count from the end. Throws
/// InvalidArgument for an axis of another size.
Output squeeze(const Operand& x, const SqueezeOptions& options = {},
               std::source_location where = std::source_location::current());

/// Options of transpose: without `perm` (or an empty one), the dimensions are reversed.
struct TransposeOptions {
  IntList perm;
  std::string name;
};
/// `x` with its dimensions in another order: dimension i of the result is perm[i] of `x` (op
/// Transpose). Throws InvalidArgument when `perm` is no permutation of all dimensions.
Output transpose(const Operand& x, const TransposeOptions& options = {},
                 std::source_location where = std::source_location::current());

/// `x` repeated `multiples[i]` times along dimension i.
Output tile(const Operand& x, const IntList& multiples, const NameOption& options = {},
            std::source_location where = std::source_location::current());

/// Options of pad: the value around `x`.
struct PadOptions {
  Operand constant_values;  ///< zeros when not given
  std::string name;
};
/// `x` with paddings[i][0] elements before and paddings[i][1] after along dimension i; `paddings`
/// is an int matrix.
Output pad(const Operand& x, const Operand& paddings, const PadOptions& options = {},
           std::source_location where = std::source_location::current());

/// The tensors joined along dimension `axis`; they agree in all other sizes.
Output concat(const std::vector<Operand>& values, const Operand& axis,
              const NameOption& options = {.name = "concat"},
              std::source_location where = std::source_location::current());

/// Options of stack and unstack.
struct StackOptions {
  std::int64_t axis = 0;
  std::string name;
};
/// Tensors of one shape along a new dimension. A list of numbers alone makes a Const.
Output stack(const std::vector<Operand>& values, const StackOptions& options = {},
             std::source_location where = std::source_location::current());
/// The tensors that `x` is stacked from along `axis`, whose size must be known.
std::vector<Output> unstack(const Operand& x, const StackOptions& options = {},
                            std::source_location where = std::source_location::current());

/// Options of split.
struct SplitOptions {
  Operand axis = 0;
  std::string name = "split";
};
/// `x` in `num_splits` equal parts along the axis.
std::vector<Output> split(const Operand& x, std::int64_t num_splits,
                          const SplitOptions& options = {},
                          std::source_location where = std::source_location::current());
/// `x` in parts of the given sizes.
std::vector<Output> split(const Operand& x, const std::vector<std::int64_t>& sizes,
                          const SplitOptions& options = {},
                          std::source_location where = std::source_location::current());

/// The block of `x` that begins at `begin` and has the given sizes, -1 taking all that is left.
Output slice(const Operand& x, const IntList& begin, const IntList& size,
             const NameOption& options = {},
             std::source_location where = std::source_location::current());

/// Masks of strided_slice, one bit a dimension, as TensorFlow's.
struct StridedSliceOptions {
  std::int64_t begin_mask = 0;
  std::int64_t end_mask = 0;
  std::int64_t ellipsis_mask = 0;
  std::int64_t new_axis_mask = 0;
  std::int64_t shrink_axis_mask = 0;
  std::string name;
};
/// x[begin:end:strides], an entry for each dimension from the first on (op StridedSlice); the three
/// lists have one length. Throws InvalidArgument for a stride of 0, more entries than dimensions,
/// or a single index that is out of bounds. at() is easier to write.
Output strided_slice(const Operand& x, const IntList& begin, const IntList& end,
                     const IntList& strides, const StridedSliceOptions& options = {},
                     std::source_location where = std::source_location::current());

/// One index of at(): a number (drops the dimension), a range, a new axis, or all that is left.
class Index {
 public:
  /// Element `i`, counted from the end when negative; may be a scalar tensor.
  template <std::integral T>
  Index(T i) : kind_(Kind::kElement), begin_(i) {}
  Index(const Output& i) : kind_(Kind::kElement), begin_(i) {}
  /// [begin:end:step]; an absent Operand means from the start, to the end, or 1.
  static Index range(Operand begin, Operand end, Operand step = {});
  /// Everything of one dimension, `:`.
  static Index all() { return range({}, {}); }
  /// A new dimension of size 1.
  static Index new_axis();
  /// `...`: as many dimensions as are needed, whole.
  static Index ellipsis();

 private:
  friend Output at(const Operand& x, const std::vector<Index>& indices, std::source_location where);
  enum class Kind { kElement, kRange, kNewAxis, kEllipsis };
  Index() = default;
  Kind kind_ = Kind::kRange;
  Operand begin_;
  Operand end_;
  Operand step_;
};
/// `x[...]` as Python writes it: at(x, {0}), at(x, {Index::range(1, 3), Index::all()}).
Output at(const Operand& x, const std::vector<Index>& indices,
          std::source_location where = std::source_location::current());

/// Options of gather.
struct GatherOptions {
  Operand axis;  ///< 0 when not given
  std::int64_t batch_dims = 0;
  std::string name;
};
/// Slices of `params` along `axis` at `indices`, in the shape of the indices. Gathering rows of a
/// resource variable reads no more than these rows.
Output gather(const Operand& params, const Operand& indices, const GatherOptions& options = {},
              std::source_location where = std::source_location::current());
/// The elements or slices of `params` at the index vectors in the last dimension of `indices`.
Output gather_nd(const Operand& params, const Operand& indices, const NameOption& options = {},
                 std::source_location where = std::source_location::current());

/// Options of one_hot.
struct OneHotOptions {
  Operand on_value;
  Operand off_value;
  std::int64_t axis = -1;
  DType dtype = DType::kInvalid;  ///< of the values, else float32
  std::string name;
};
/// A vector of `depth` numbers for each index: on_value (1) there, off_value (0) elsewhere.
Output one_hot(const Operand& indices, const Operand& depth, const OneHotOptions& options = {},
               std::source_location where = std::source_location::current());

/// `x` where `condition` holds, `y` elsewhere (op Select): all of one shape, or the condition a
/// scalar, or a vector that chooses rows.
Output where(const Operand& condition, const Operand& x, const Operand& y,
             const NameOption& options = {},
             std::source_location where = std::source_location::current());

/// The different values of a vector in order of first appearance, and where each element went.
struct UniqueResult {
  Output y;
  Output idx;
};
/// Of a vector [n]: `y` [m] and `idx` int32 [n], where y[idx[i]] = x[i] (op Unique). Throws
/// InvalidArgument when `x` is no vector.
UniqueResult unique(const Operand& x, const NameOption& options = {},
                    std::source_location where = std::source_location::current());

/// The permutation that undoes `x`.
Output invert_permutation(const Operand& x, const NameOption& options = {},
                          std::source_location where = std::source_location::current());

/// The dimensions of `x` in `axes` reversed (op ReverseV2).
Output reverse(const Operand& x, const IntList& axes, const NameOption& options = {},
               std::source_location where = std::source_location::current());

}  // namespace assay
