#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "assay/tensor/tensor.h"

namespace assay {

/// The state of an iterator in a form that a checkpoint can hold: tensors by name. Every stage of
/// a pipeline keeps its own under the prefix it is given.
using IteratorState = std::map<std::string, Tensor>;

/// One pass over a dataset. Not thread-safe: its owner calls it from one thread at a time.
class DatasetIterator {
 public:
  virtual ~DatasetIterator() = default;
  /// Puts the components of the next element into `out`, replacing what it held; false at the
  /// end (and again on each later call). The tensors share no memory with later elements.
  virtual bool next(std::vector<Tensor>& out) = 0;
  /// Adds to `state`, under names that start with `prefix`, all that `restore` needs to go on
  /// with the same elements. Throws Unimplemented where a stage cannot (a generator).
  virtual void save(IteratorState& state, const std::string& prefix) const;
  /// Takes over what `save` wrote; called on a new iterator of the same dataset. Throws DataLoss
  /// when `state` does not fit.
  virtual void restore(const IteratorState& state, const std::string& prefix);
};

/// A recipe of elements; what a kVariant tensor points at. Immutable after construction but for
/// counters that reshuffling needs; thread-safe.
class Dataset : public Resource {
 public:
  Dataset(std::vector<DType> output_types, std::vector<PartialShape> output_shapes)
      : output_types_(std::move(output_types)), output_shapes_(std::move(output_shapes)) {}

  /// An iterator at the first element; it keeps what it needs of the dataset alive itself.
  virtual std::unique_ptr<DatasetIterator> make_iterator() const = 0;

  /// One dtype and one shape a component.
  const std::vector<DType>& output_types() const { return output_types_; }
  const std::vector<PartialShape>& output_shapes() const { return output_shapes_; }

 private:
  std::vector<DType> output_types_;
  std::vector<PartialShape> output_shapes_;
};

/// The dataset that element 0 of a kVariant scalar points at; throws InvalidArgument when it is
/// none.
std::shared_ptr<const Dataset> dataset_of(const Tensor& variant);
/// A kVariant scalar that points at `dataset`.
Tensor dataset_tensor(std::shared_ptr<const Dataset> dataset);

/// An iterator as a session keeps it, in its ResourceStore under iterator_resource_name(). All
/// calls are thread-safe.
class IteratorResource : public Resource {
 public:
  IteratorResource(std::string name, std::vector<DType> output_types,
                   std::vector<PartialShape> output_shapes);

  const std::string& name() const { return name_; }
  const std::vector<DType>& output_types() const { return output_types_; }
  const std::vector<PartialShape>& output_shapes() const { return output_shapes_; }

  /// Starts over with `dataset`. Throws InvalidArgument when its element types or shapes are
  /// others than the iterator was made for (component, expected, got).
  void initialize(std::shared_ptr<const Dataset> dataset);
  /// The next element. Throws FailedPrecondition when not initialised, OutOfRange at the end.
  void next(std::vector<Tensor>& out);
  /// False before initialize().
  bool initialized() const;
  /// The state of the iterator now, for a checkpoint; empty when not initialised.
  IteratorState save() const;
  /// Goes on from `state`; to be called after initialize() with an equal dataset.
  void restore(const IteratorState& state);

 private:
  mutable std::mutex mutex_;
  std::string name_;
  std::vector<DType> output_types_;
  std::vector<PartialShape> output_shapes_;
  std::shared_ptr<const Dataset> dataset_;
  std::unique_ptr<DatasetIterator> iterator_;
};

/// Where a session's ResourceStore keeps the iterator of this shared (or node) name.
inline std::string iterator_resource_name(const std::string& name) {
  return "_iterator/" + name;
}

}  // namespace assay
