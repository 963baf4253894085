#include "assay/device/random_state.h"

#include <algorithm>
#include <limits>

#include "assay/device/dataset.h"
#include "assay/device/unigram_weights.h"

namespace assay {

namespace {

// What stands before a node's name, after the caller's prefix.
constexpr std::string_view kRandom = "random/";
constexpr std::string_view kUnigram = "unigram/";
constexpr std::string_view kEntropy = "entropy";

Tensor stream_tensor(const Philox& state) {
  std::vector<std::int64_t> words;
  for (const std::uint32_t w : state.counter()) words.push_back(w);
  for (const std::uint32_t w : state.key()) words.push_back(w);
  return Tensor::of(words);
}

Philox stream_of(const std::string& name, const Tensor& state) {
  if (state.dtype() != DType::kInt64 || state.num_elements() != 6) {
    fail(Code::kDataLoss, "the saved random stream '{}' is {}{}, expected int64[6]", name,
         dtype_name(state.dtype()), state.shape().str());
  }
  const auto* w = state.data<std::int64_t>();
  const auto word = [&](int i) { return static_cast<std::uint32_t>(w[i]); };
  return Philox(Philox::Block{word(0), word(1), word(2), word(3)}, Philox::Key{word(4), word(5)});
}

Tensor weights_tensor(const UnigramWeights& weights) {
  Tensor all(DType::kInt32, Shape{weights.range()});
  for (std::int64_t i = 0; i < weights.range(); ++i) {
    all.data<std::int32_t>()[i] = weights.weight(i);
  }
  return all;
}

void restore_weights(ResourceStore& resources, const std::string& node, const Tensor& state) {
  const auto wrong = [&] {
    fail(Code::kDataLoss, "the saved weights of the sampler '{}' are {}{}, no weights", node,
         dtype_name(state.dtype()), state.shape().str());
  };
  if (state.dtype() != DType::kInt32 || state.rank() != 1 || state.num_elements() < 1) wrong();
  std::int64_t sum = 0;
  for (const std::int32_t w : state.span<std::int32_t>()) {
    if (w < 1) wrong();
    sum += w;
    if (sum > std::numeric_limits<std::int32_t>::max()) wrong();
  }
  const auto weights = resources.get_or_create<UnigramWeights>(unigram_resource_name(node), [&] {
    return std::make_shared<UnigramWeights>(state.num_elements());
  });
  if (weights->range() != state.num_elements()) {
    fail(Code::kFailedPrecondition, "the sampler '{}' had {} classes when it was saved, now {}",
         node, state.num_elements(), weights->range());
  }
  weights->set_weights(state.data<std::int32_t>());
}

void restore_entropy(ResourceStore& resources, const Tensor& state) {
  if (state.dtype() != DType::kInt64 || state.num_elements() != 1) {
    fail(Code::kDataLoss, "the saved entropy is {}{}, expected one int64",
         dtype_name(state.dtype()), state.shape().str());
  }
  const auto entropy = session_entropy(resources);
  entropy->set(static_cast<std::uint64_t>(*state.data<std::int64_t>()));
  entropy->bits();  // used there, so of the state to come as well
}

/// Where a stream began: what is drawn moves the lower half of its counter only.
Philox start_of(const Philox& stream) {
  return Philox(Philox::Block{0, 0, stream.counter()[2], stream.counter()[3]}, stream.key());
}

/// What ran in the session before, as if it had not.
void begin_streams_anew(ResourceStore& resources) {
  const std::string streams = random_resource_name("");
  for (const std::string& name : resources.names()) {
    if (!name.starts_with(streams)) continue;
    const auto stream = resources.find<RandomResource>(name);
    if (stream == nullptr) continue;
    stream->philox().set_state(stream->unseeded()
                                   ? session_entropy(resources)->stream(name.substr(streams.size()))
                                   : start_of(stream->philox().state()));
  }
}

/// The same of what samplers learned.
void forget_weights(ResourceStore& resources) {
  for (const std::string& name : resources.names()) {
    if (!name.starts_with(unigram_resource_name(""))) continue;
    const auto learned = resources.find<UnigramWeights>(name);
    if (learned == nullptr) continue;
    const std::vector<std::int32_t> ones(static_cast<std::size_t>(learned->range()), 1);
    learned->set_weights(ones.data());
  }
}

void restore_stream(ResourceStore& resources, const std::string& node, const Tensor& state,
                    bool has_entropy) {
  const Philox stream = stream_of(node, state);
  const bool unseeded = has_entropy && session_entropy(resources)->stream(node) == start_of(stream);
  resources
      .get_or_create<RandomResource>(
          random_resource_name(node),
          [&] { return std::make_shared<RandomResource>(stream, unseeded); })
      ->philox()
      .set_state(stream);
}

}  // namespace

std::shared_ptr<RandomResource> random_state(const KernelInit& init) {
  ASSAY_CHECK(init.resources != nullptr);
  const auto seed = init.attr_or<std::int64_t>("seed", 0);
  const auto seed2 = init.attr_or<std::int64_t>("seed2", 0);
  if (seed == 0 && seed2 == 0) return unseeded_random_state(*init.resources, init.node.name());
  return init.resources->get_or_create<RandomResource>(random_resource_name(init.node.name()), [&] {
    return std::make_shared<RandomResource>(
        Philox(static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(seed2)));
  });
}

std::shared_ptr<RandomResource> unseeded_random_state(ResourceStore& resources,
                                                      const std::string& node) {
  const auto entropy = session_entropy(resources);
  return resources.get_or_create<RandomResource>(random_resource_name(node), [&] {
    return std::make_shared<RandomResource>(entropy->stream(node), /*unseeded=*/true);
  });
}

void save_random_state(const ResourceStore& resources, std::map<std::string, Tensor>& state,
                       const std::string& prefix) {
  const std::string streams = random_resource_name("");
  const std::string weights = unigram_resource_name("");
  if (const auto entropy = resources.find<Entropy>(entropy_resource_name())) {
    if (const auto bits = entropy->used()) {
      state[fmt::format("{}{}", prefix, kEntropy)] =
          Tensor::scalar(static_cast<std::int64_t>(*bits));
    }
  }
  for (const std::string& name : resources.names()) {
    if (name.starts_with(streams)) {
      const auto stream = resources.find<RandomResource>(name);
      if (stream == nullptr) continue;
      state[fmt::format("{}{}{}", prefix, kRandom, name.substr(streams.size()))] =
          stream_tensor(stream->philox().state());
    } else if (name.starts_with(weights)) {
      const auto learned = resources.find<UnigramWeights>(name);
      if (learned == nullptr) continue;
      state[fmt::format("{}{}{}", prefix, kUnigram, name.substr(weights.size()))] =
          weights_tensor(*learned);
    }
  }
}

void restore_random_state(ResourceStore& resources, const std::map<std::string, Tensor>& state,
                          const std::string& prefix) {
  const bool new_streams = asks_for_new_streams(state);
  const auto entropy = state.find(fmt::format("{}{}", prefix, kEntropy));
  const bool has_entropy = entropy != state.end();
  if (!new_streams) {
    // First: the streams in `state` are further on than those that follow from it.
    if (has_entropy) restore_entropy(resources, entropy->second);
    begin_streams_anew(resources);
  }
  forget_weights(resources);
  for (auto at = state.lower_bound(prefix); at != state.end() && at->first.starts_with(prefix);
       ++at) {
    const std::string_view key = std::string_view(at->first).substr(prefix.size());
    if (key.starts_with(kRandom)) {
      if (new_streams) continue;
      restore_stream(resources, std::string(key.substr(kRandom.size())), at->second, has_entropy);
    } else if (key.starts_with(kUnigram)) {
      restore_weights(resources, std::string(key.substr(kUnigram.size())), at->second);
    }
  }
}

}  // namespace assay
