#include "assay/device/dataset.h"

#include "assay/base/log.h"

namespace assay {

namespace {

// Where the state of the dataset of a node is, before the node's name.
constexpr const char* kDatasets = "dataset/";
constexpr const char* kData = "/data";
// Marks a state that tells only how the pass began.
constexpr const char* kBegin = "begin";
// Asks for new random streams.
constexpr const char* kNewStreams = "new_streams";

template <typename F>
void for_each_dataset(const Dataset& dataset, F&& f) {
  f(dataset, kDatasets + dataset.node_name());
  for (const Dataset* input : dataset.inputs()) for_each_dataset(*input, f);
}

void save_data(const Dataset& dataset, IteratorState& state) {
  for_each_dataset(dataset, [&](const Dataset& d, const std::string& prefix) {
    if (!d.data().empty()) state[prefix + kData] = Tensor::scalar<std::string>(d.data());
  });
}

/// Throws FailedPrecondition when a source has other data than it had.
void check_data(const Dataset& dataset, const IteratorState& state) {
  for_each_dataset(dataset, [&](const Dataset& d, const std::string& prefix) {
    const auto then = state.find(prefix + kData);
    if (then == state.end() || d.data().empty()) return;
    if (then->second.dtype() != DType::kString || then->second.num_elements() != 1) {
      fail(Code::kDataLoss, "what the checkpoint says of the data of {} is no text", d.label());
    }
    const std::string& was = *then->second.data<std::string>();
    if (was == d.data()) return;
    fail(Code::kFailedPrecondition,
         "the data of {} has changed since the checkpoint: then {}; now {}. Give the same data to "
         "go on where it was, or begin a new run",
         d.label(), was, d.data());
  });
}

}  // namespace

void ask_for_new_streams(IteratorState& state) {
  state[kNewStreams] = Tensor::scalar(true);
}

bool asks_for_new_streams(const IteratorState& state) {
  return state.contains(kNewStreams);
}

void Dataset::set_node(std::string name, std::string label) {
  node_name_ = std::move(name);
  label_ = std::move(label);
}

const std::string& Dataset::data() const {
  std::call_once(data_read_, [this] { data_ = fingerprint(); });
  return data_;
}

void save_dataset_counters(const Dataset& dataset, IteratorState& state) {
  for_each_dataset(dataset, [&](const Dataset& d, const std::string& prefix) {
    d.save_counters(state, prefix);
  });
}

void restore_dataset_counters(const Dataset& dataset, const IteratorState& state) {
  for_each_dataset(dataset, [&](const Dataset& d, const std::string& prefix) {
    d.restore_counters(state, prefix);
  });
}

void DatasetIterator::save(IteratorState&, const std::string& prefix) const {
  fail(Code::kUnimplemented, "the dataset stage '{}' cannot be saved", prefix);
}

void DatasetIterator::restore(const IteratorState&, const std::string& prefix) {
  fail(Code::kUnimplemented, "the dataset stage '{}' cannot be restored", prefix);
}

std::shared_ptr<const Dataset> dataset_of(const Tensor& variant) {
  if (variant.dtype() != DType::kVariant || variant.num_elements() != 1) {
    invalid_argument("expected a scalar that holds a dataset, got {}{}",
                     dtype_name(variant.dtype()), variant.shape().str());
  }
  auto dataset = std::dynamic_pointer_cast<const Dataset>(variant.data<ResourceHandle>()->resource);
  if (dataset == nullptr) invalid_argument("expected a dataset, got another variant");
  return dataset;
}

Tensor dataset_tensor(std::shared_ptr<const Dataset> dataset) {
  Tensor t(DType::kVariant, Shape{});
  // Handles are not const-correct; a Dataset has no call that changes it.
  t.data<ResourceHandle>()->resource = std::const_pointer_cast<Dataset>(std::move(dataset));
  return t;
}

IteratorResource::IteratorResource(std::string name, std::vector<DType> output_types,
                                   std::vector<PartialShape> output_shapes)
    : name_(std::move(name)),
      output_types_(std::move(output_types)),
      output_shapes_(std::move(output_shapes)) {}

void IteratorResource::initialize(std::shared_ptr<const Dataset> dataset) {
  const auto& types = dataset->output_types();
  const auto& shapes = dataset->output_shapes();
  if (types.size() != output_types_.size()) {
    invalid_argument("iterator '{}' has {} components, the dataset {}", name_, output_types_.size(),
                     types.size());
  }
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (types[i] != output_types_[i]) {
      invalid_argument("component {} of iterator '{}': expected {}, the dataset gives {}", i, name_,
                       dtype_name(output_types_[i]), dtype_name(types[i]));
    }
    if (!output_shapes_[i].is_compatible_with(shapes[i])) {
      invalid_argument("component {} of iterator '{}': expected shape {}, the dataset gives {}", i,
                       name_, output_shapes_[i].str(), shapes[i].str());
    }
  }
  std::lock_guard lock(mutex_);
  IteratorState start;
  save_dataset_counters(*dataset, start);
  auto iterator = dataset->make_iterator();
  start_ = std::move(start);
  // The old iterator may use the old dataset to its end.
  iterator_ = std::move(iterator);
  dataset_ = std::move(dataset);
}

void IteratorResource::next(std::vector<Tensor>& out) {
  std::lock_guard lock(mutex_);
  if (iterator_ == nullptr) {
    fail(Code::kFailedPrecondition, "iterator '{}' is not initialised: run its initializer first",
         name_);
  }
  if (!iterator_->next(out)) fail(Code::kOutOfRange, "End of sequence");
  if (out.size() != output_types_.size()) {
    invalid_argument("iterator '{}': expected {} components, got {}", name_, output_types_.size(),
                     out.size());
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i].dtype() != output_types_[i] ||
        !output_shapes_[i].is_compatible_with(out[i].shape())) {
      invalid_argument("component {} of iterator '{}': expected {}{}, got {}{}", i, name_,
                       dtype_name(output_types_[i]), output_shapes_[i].str(),
                       dtype_name(out[i].dtype()), out[i].shape().str());
    }
  }
}

bool IteratorResource::initialized() const {
  std::lock_guard lock(mutex_);
  return iterator_ != nullptr;
}

IteratorState IteratorResource::save() const {
  std::lock_guard lock(mutex_);
  IteratorState state;
  if (iterator_ == nullptr) return state;
  save_data(*dataset_, state);
  // The iterators come after: one with a thread says better where its inputs' counters are.
  save_dataset_counters(*dataset_, state);
  try {
    iterator_->save(state, "iterator");
    return state;
  } catch (const Error& e) {
    if (e.code() != Code::kUnimplemented) throw;
    if (!std::exchange(warned_, true)) {
      log_warning(
          "iterator '{}' cannot be saved: {}; a resumed run begins its pass again and passes over "
          "what it had given",
          name_, e.message());
    }
  }
  state = start_;
  save_data(*dataset_, state);
  state[kBegin] = Tensor::scalar(true);
  return state;
}

bool IteratorResource::restore(const IteratorState& state) {
  std::lock_guard lock(mutex_);
  if (dataset_ == nullptr) {
    fail(Code::kFailedPrecondition, "iterator '{}' is not initialised: run its initializer first",
         name_);
  }
  check_data(*dataset_, state);
  if (state.contains(kBegin)) {
    // With new streams the pass begins as initialize() has begun it.
    if (!asks_for_new_streams(state)) start_ = state;
    restore_dataset_counters(*dataset_, start_);
    iterator_ = dataset_->make_iterator();
    return false;
  }
  auto iterator = dataset_->make_iterator();
  iterator->restore(state, "iterator");
  // Making the iterators has moved counters; none has given an element yet.
  restore_dataset_counters(*dataset_, state);
  iterator_ = std::move(iterator);
  return true;
}

}  // namespace assay
