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

/// Asks whoever takes a state over to begin its random numbers anew, by the seeds it was made with,
/// and to keep the rest. `state` may be that of an iterator or of a session.
void ask_for_new_streams(IteratorState& state);
bool asks_for_new_streams(const IteratorState& state);

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
  /// when `state` does not fit. What draws random numbers honours asks_for_new_streams().
  virtual void restore(const IteratorState& state, const std::string& prefix);
};

/// A recipe of elements; what a kVariant tensor points at. Immutable after construction but for
/// counters that outlive an iterator (the seeds of passes, random numbers of a map); thread-safe.
class Dataset : public Resource {
 public:
  Dataset(std::vector<DType> output_types, std::vector<PartialShape> output_shapes)
      : output_types_(std::move(output_types)), output_shapes_(std::move(output_shapes)) {}

  /// An iterator at the first element; it keeps what it needs of the dataset alive itself.
  virtual std::unique_ptr<DatasetIterator> make_iterator() const = 0;

  /// One dtype and one shape a component.
  const std::vector<DType>& output_types() const { return output_types_; }
  const std::vector<PartialShape>& output_shapes() const { return output_shapes_; }

  /// The datasets that this one takes its elements from.
  virtual std::vector<const Dataset*> inputs() const { return {}; }
  /// Of a source: what tells its data from other data, for people too ("100 elements, checksum
  /// 5f0c7a11"); "" when it cannot say. May read all of it, so it is asked for once.
  virtual std::string fingerprint() const { return {}; }
  /// Adds the dataset's own counters to `state`, under names that start with `prefix`, and takes
  /// them over again.
  virtual void save_counters(IteratorState&, const std::string& /*prefix*/) const {}
  virtual void restore_counters(const IteratorState&, const std::string& /*prefix*/) const {}

  /// The name of its node, which its state is kept under, and how messages call it. REQUIRES: not
  /// shared yet.
  void set_node(std::string name, std::string label);
  const std::string& node_name() const { return node_name_; }
  const std::string& label() const { return label_; }
  /// fingerprint(), read once.
  const std::string& data() const;

 private:
  std::string node_name_;
  std::string label_ = "a dataset";
  mutable std::once_flag data_read_;
  mutable std::string data_;
  std::vector<DType> output_types_;
  std::vector<PartialShape> output_shapes_;
};

/// Adds the counters of `dataset` and of all that it is made from to `state`. A stage that takes
/// elements on a thread of its own does it again for its inputs while that thread stands still.
void save_dataset_counters(const Dataset& dataset, IteratorState& state);
/// Takes them over again. Throws DataLoss when `state` does not fit.
void restore_dataset_counters(const Dataset& dataset, const IteratorState& state);

/// The dataset that element 0 of a kVariant scalar points at; throws InvalidArgument when it is
/// none.
std::shared_ptr<const Dataset> dataset_of(const Tensor& variant);
/// A kVariant scalar that points at `dataset`.
Tensor dataset_tensor(std::shared_ptr<const Dataset> dataset);

/// An iterator as a session keeps it, in its ResourceStore under iterator_resource_name(). All
/// calls are thread-safe.
class IteratorResource : public Resource {
 public:
  /// `name` is for messages; every dataset must yield elements of these types and shapes.
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
  /// The state of the iterator now, for a checkpoint; empty when not initialised. When a stage
  /// cannot save itself, which a warning tells once, it is how the pass began.
  IteratorState save() const;
  /// Goes on from `state`; to be called after initialize() with an equal dataset. False when
  /// `state` is only how the pass began: it begins again in the same order, and the caller passes
  /// over what it had given. Throws FailedPrecondition when a source's data is not what it was
  /// (which, then, now), DataLoss when the state is of another pipeline; initialize() it again
  /// then.
  bool restore(const IteratorState& state);

 private:
  mutable std::mutex mutex_;
  std::string name_;
  std::vector<DType> output_types_;
  std::vector<PartialShape> output_shapes_;
  std::shared_ptr<const Dataset> dataset_;
  std::unique_ptr<DatasetIterator> iterator_;
  IteratorState start_;  // the dataset's counters when its pass began
  mutable bool warned_ = false;
};

/// Where a session's ResourceStore keeps the iterator of this shared (or node) name.
inline std::string iterator_resource_name(const std::string& name) {
  return "_iterator/" + name;
}

}  // namespace assay
