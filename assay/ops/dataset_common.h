#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "assay/device/dataset.h"
#include "assay/device/kernel.h"
#include "assay/device/resource_store.h"
#include "assay/graph/op_def.h"
#include "assay/graph/shape_context.h"

namespace assay {

/// An iterator made from one of a dataset's; `DatasetT` is the dataset's class, kept alive.
template <typename DatasetT>
class IteratorOf : public DatasetIterator {
 public:
  explicit IteratorOf(std::shared_ptr<const DatasetT> dataset) : dataset_(std::move(dataset)) {}

 protected:
  const DatasetT& dataset() const { return *dataset_; }

 private:
  std::shared_ptr<const DatasetT> dataset_;
};

class Places;

/// A dataset that a pipeline may have at several places, as TensorFlow's iterators have prefixes.
class PlacedDataset {
 public:
  virtual ~PlacedDataset() = default;
  /// The same dataset at a place of its own, over inputs at theirs (Places::of()), with counters
  /// that nobody has moved; null when it has neither inputs nor counters. Thread-safe.
  virtual std::shared_ptr<Dataset> at_place(Places& /*places*/) const { return nullptr; }
};

/// Makes of the datasets that nodes gave, which may be the inputs of several others, a pipeline
/// whose datasets are at one place each: what one branch draws never depends on how far another
/// one is. Equal datasets begin equal at all their places. Not thread-safe.
class Places {
 public:
  /// `resources` are those of the session that has the iterator.
  explicit Places(ResourceStore& resources) : resources_(resources) {}

  /// `dataset` and all that it is made from, at a new place. Its first place has the node's name,
  /// the next ones "NODE#2", "NODE#3" and so on. Throws InvalidArgument beyond 65536 places.
  std::shared_ptr<const Dataset> of(const std::shared_ptr<const Dataset>& dataset);
  ResourceStore& resources() const { return resources_; }

 private:
  ResourceStore& resources_;
  std::map<std::string, std::int64_t> places_;  // by node
  std::int64_t count_ = 0;
};

/// Where `state` has the counters of the dataset that save_counters() kept under `prefix`, of which
/// one is `name`: checkpoints of earlier versions have one place for all those of a node.
std::string saved_place(const IteratorState& state, const std::string& prefix,
                        const std::string& name);

/// Starts `iterator` over with `dataset` at places of its own; see IteratorResource::initialize().
void initialize(IteratorResource& iterator, const std::shared_ptr<const Dataset>& dataset,
                ResourceStore& resources);

/// A dataset whose iterators keep it alive.
template <typename Self>
class DatasetBase : public Dataset,
                    public PlacedDataset,
                    public std::enable_shared_from_this<Self> {
 public:
  using Dataset::Dataset;

 protected:
  std::shared_ptr<const Self> self() const { return this->shared_from_this(); }
};

/// The value of scalar input `i`; throws InvalidArgument that names it when it is none.
std::int64_t scalar_input(const KernelContext& ctx, int i, const char* name);
/// The same for a bool.
bool bool_input(const KernelContext& ctx, int i, const char* name);

/// A kernel whose output is a scalar that points at a dataset, which it gives the node's name.
class DatasetKernel : public Kernel {
 public:
  explicit DatasetKernel(const KernelInit& init)
      : node_name_(init.node.name()), label_(init.node.label()) {}
  void run(KernelContext& ctx) final {
    const std::shared_ptr<Dataset> dataset = make(ctx);
    dataset->set_node(node_name_, label_);
    ctx.set_output(0, dataset_tensor(dataset));
  }

 private:
  virtual std::shared_ptr<Dataset> make(KernelContext& ctx) = 0;

  std::string node_name_;
  std::string label_;
};

/// The kernel of a dataset that a function without attributes makes.
template <std::shared_ptr<Dataset> (*Make)(KernelContext&)>
class FunctionDatasetKernel : public DatasetKernel {
 public:
  using DatasetKernel::DatasetKernel;

 private:
  std::shared_ptr<Dataset> make(KernelContext& ctx) override { return Make(ctx); }
};

/// `dataset_kernel<make_range>`: its factory.
template <std::shared_ptr<Dataset> (*Make)(KernelContext&)>
inline constexpr KernelFactory dataset_kernel = make_kernel<FunctionDatasetKernel<Make>>;

/// The attributes that every dataset op has.
std::vector<DType> output_types(const KernelInit& init);
/// The shapes of an element's components.
std::vector<PartialShape> output_shapes(const KernelInit& init);

/// Shape function: a scalar out; inputs from the second on are scalars too.
void dataset_shape(ShapeContext& c);
/// Shape function: a scalar out.
void source_dataset_shape(ShapeContext& c);

/// Iterator states. Reading throws DataLoss when there is no such entry or it is of another type.
void save_int(IteratorState& state, const std::string& name, std::int64_t value);
std::int64_t restore_int(const IteratorState& state, const std::string& name);
/// The same, not negative.
std::int64_t restore_count(const IteratorState& state, const std::string& name);
/// The same for a string, and for the tensors of an element.
void save_text(IteratorState& state, const std::string& name, std::string value);
std::string restore_text(const IteratorState& state, const std::string& name);
void save_element(IteratorState& state, const std::string& name,
                  const std::vector<Tensor>& element);
/// An element of `dataset`: its types and shapes are checked.
std::vector<Tensor> restore_element(const IteratorState& state, const std::string& name,
                                    const Dataset& dataset);
/// Saves `iterator`, which may be null, under `name`; restores it into a new one of `dataset`.
void save_input(IteratorState& state, const std::string& name, const DatasetIterator* iterator);
std::unique_ptr<DatasetIterator> restore_input(const IteratorState& state, const std::string& name,
                                               const Dataset& dataset);

}  // namespace assay
