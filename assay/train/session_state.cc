#include "assay/train/session_state.h"

#include <vector>

#include "assay/device/dataset.h"
#include "assay/device/random_state.h"

namespace assay::train {

namespace {

// Keys: "_random/NODE" for a stream, "_iterator/NAME|KEY" for what an iterator keeps under KEY.
constexpr char kSeparator = '|';

bool is_stream(const std::string& name) {
  return name.starts_with(random_resource_name(""));
}

Tensor stream_tensor(const Philox& state) {
  std::vector<std::int64_t> words;
  for (const std::uint32_t w : state.counter()) words.push_back(w);
  for (const std::uint32_t w : state.key()) words.push_back(w);
  return Tensor::of(words);
}

Philox stream_of(const std::string& name, const Tensor& state) {
  if (state.dtype() != int64 || state.num_elements() != 6) {
    fail(Code::kDataLoss, "the saved state of the random stream '{}' is {}{}, expected int64[6]",
         name, dtype_name(state.dtype()), state.shape().str());
  }
  const auto* w = state.data<std::int64_t>();
  const auto word = [&](int i) { return static_cast<std::uint32_t>(w[i]); };
  return Philox(Philox::Block{word(0), word(1), word(2), word(3)}, Philox::Key{word(4), word(5)});
}

}  // namespace

std::map<std::string, Tensor> save_session_state(const ResourceStore& resources) {
  std::map<std::string, Tensor> state;
  for (const std::string& name : resources.names()) {
    if (const auto stream = resources.find<RandomResource>(name)) {
      state[name] = stream_tensor(stream->philox().state());
    } else if (const auto iterator = resources.find<IteratorResource>(name)) {
      try {
        for (const auto& [key, value] : iterator->save()) state[name + kSeparator + key] = value;
      } catch (const Error& e) {
        if (e.code() != Code::kUnimplemented) throw;
      }
    }
  }
  return state;
}

void restore_random_streams(ResourceStore& resources, const std::map<std::string, Tensor>& state) {
  for (const auto& [name, value] : state) {
    if (!is_stream(name)) continue;
    const Philox stream = stream_of(name, value);
    resources
        .get_or_create<RandomResource>(name, [] { return std::make_shared<RandomResource>(1, 1); })
        ->philox()
        .set_state(stream);
  }
}

bool restore_iterators(ResourceStore& resources, const std::map<std::string, Tensor>& state) {
  bool all = true;
  for (const std::string& name : resources.names()) {
    const auto iterator = resources.find<IteratorResource>(name);
    if (iterator == nullptr || !iterator->initialized()) continue;
    const std::string prefix = name + kSeparator;
    IteratorState own;
    for (const auto& [key, value] : state) {
      if (key.starts_with(prefix)) own[key.substr(prefix.size())] = value;
    }
    if (own.empty()) {
      all = false;
    } else {
      iterator->restore(own);
    }
  }
  return all;
}

}  // namespace assay::train
