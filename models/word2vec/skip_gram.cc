#include "models/word2vec/skip_gram.h"

#include <cmath>
#include <span>
#include <tuple>
#include <utility>

#include "assay/api/constant.h"
#include "assay/api/initializers.h"
#include "assay/api/math_ops.h"
#include "assay/api/nn.h"
#include "assay/api/random_ops.h"
#include "assay/api/variable_scope.h"
#include "assay/base/crc32c.h"
#include "assay/graph/scope.h"
#include "assay/summary/summary.h"
#include "assay/train/optimizers.h"

namespace assay::word2vec {
namespace {

void check(const SkipGramOptions& options) {
  for (const auto& [name, value] : {std::pair{"vocab", options.vocab},
                                    {"dim", options.dim},
                                    {"batch", options.batch},
                                    {"window", options.window},
                                    {"sampled", options.sampled}}) {
    if (value < 1) invalid_argument("{} must be at least 1, got {}", name, value);
  }
  if (!(options.learning_rate > 0) || !std::isfinite(options.learning_rate)) {
    invalid_argument("the learning rate must be a positive number, got {}", options.learning_rate);
  }
  if (options.sampled >= options.vocab) {
    invalid_argument("{} sampled words need a vocabulary of more than {} words", options.sampled,
                     options.vocab);
  }
}

/// What tells a text from another.
struct TextMark {
  std::int64_t words = 0;
  std::uint32_t checksum = 0;
  friend bool operator==(const TextMark&, const TextMark&) = default;
};

TextMark mark_of(const std::vector<std::int32_t>& text) {
  return {static_cast<std::int64_t>(text.size()),
          crc32c::extend(0, text.data(), text.size() * sizeof text[0])};
}

std::string mark_str(const TextMark& mark) {
  return fmt::format("{} words (checksum {:08x})", mark.words, mark.checksum);
}

class SkipGramIterator : public DatasetIterator {
 public:
  SkipGramIterator(SkipGramPairs pairs, TextMark mark, std::int64_t batch)
      : pairs_(std::move(pairs)), mark_(mark), batch_(batch) {}

  bool next(std::vector<Tensor>& out) override {
    out.resize(2);
    out[0] = Tensor(DType::kInt32, Shape{batch_});
    out[1] = Tensor(DType::kInt32, Shape{batch_, 1});
    pairs_.next(batch_, out[0].data<std::int32_t>(), out[1].data<std::int32_t>());
    return true;
  }
  void save(IteratorState& state, const std::string& prefix) const override {
    const auto& at = pairs_.position();
    state[prefix + "/position"] = Tensor::of<std::int64_t>({at.pass, at.center, at.target});
    state[prefix + "/text"] = Tensor::of<std::int64_t>({mark_.words, mark_.checksum});
  }
  void restore(const IteratorState& state, const std::string& prefix) override {
    const auto text = numbers(state, prefix + "/text", 2);
    const TextMark then{text[0], static_cast<std::uint32_t>(text[1])};
    if (then != mark_) {
      fail(Code::kFailedPrecondition,
           "the text has changed since the checkpoint: then {}, now {}. Give the same text to go "
           "on where it was, or begin a new run",
           mark_str(then), mark_str(mark_));
    }
    const auto at = numbers(state, prefix + "/position", 3);
    if (asks_for_new_streams(state)) {
      // Another window is drawn for the word under way, so the next one is begun with.
      pairs_.set_position({.pass = at[0], .center = at[1], .target = 0});
      if (at[2] > 0) pairs_.skip_center();
      return;
    }
    pairs_.set_position({.pass = at[0], .center = at[1], .target = at[2]});
  }

 private:
  static std::span<const std::int64_t> numbers(const IteratorState& state, const std::string& name,
                                               std::int64_t count) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.dtype() != DType::kInt64 ||
        found->second.num_elements() != count) {
      fail(Code::kDataLoss, "the checkpoint does not say where in the text it was made");
    }
    return found->second.span<std::int64_t>();
  }

  SkipGramPairs pairs_;
  TextMark mark_;
  std::int64_t batch_;
};

}  // namespace

std::string text_mark(const std::vector<std::int32_t>& text) {
  return mark_str(mark_of(text));
}

data::Dataset skip_gram_dataset(SkipGramPairs::Text text, std::int64_t batch, std::int64_t window,
                                std::uint64_t seed) {
  const SkipGramPairs pairs(text, window, seed);
  const TextMark mark = mark_of(*text);
  return data::Dataset::from_iterators(
      [pairs, mark, batch] { return std::make_unique<SkipGramIterator>(pairs, mark, batch); },
      {DType::kInt32, DType::kInt32}, {{batch}, {batch, 1}});
}

SkipGram::SkipGram(const SkipGramOptions& options, SkipGramPairs::Text text)
    : options_(options), text_(std::move(text)) {
  check(options_);
}

void SkipGram::import_data() {
  set_random_seed(options_.seed);
  NameScope scope("data");
  dataset_ = skip_gram_dataset(text_, options_.batch, options_.window,
                               static_cast<std::uint64_t>(options_.seed));
  iterator_ = dataset_.make_initializable_iterator();
  std::tie(center_, target_) = iterator_.get_next<2>();
}

void SkipGram::create_embedding() {
  NameScope scope("embed");
  embed_matrix_ = get_variable("embed_matrix", {options_.vocab, options_.dim},
                               {.initializer = random_uniform_initializer()});
  embed_ = nn::embedding_lookup(embed_matrix_, center_, {.name = "embedding"});
}

void SkipGram::create_loss() {
  NameScope scope("loss");
  const double stddev = 1 / std::sqrt(static_cast<double>(options_.dim));
  const auto weight =
      get_variable("nce_weight", {options_.vocab, options_.dim},
                   {.initializer = truncated_normal_initializer({.stddev = stddev})});
  const auto bias = get_variable("nce_bias", {.initial_value = zeros({options_.vocab})});
  loss_ = reduce_mean(nn::nce_loss(weight, bias, target_, embed_, options_.sampled, options_.vocab),
                      {.name = "loss"});
}

void SkipGram::create_optimizer() {
  train_op_ = train::GradientDescentOptimizer(options_.learning_rate)
                  .minimize(loss_, {.global_step = global_step()});
}

void SkipGram::create_summaries() {
  NameScope scope("summaries");
  summary::scalar("loss", loss_);
  summary::histogram("histogram loss", loss_);
  summary_op_ = summary::merge_all();
}

}  // namespace assay::word2vec
