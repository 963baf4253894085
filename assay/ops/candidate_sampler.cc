#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "assay/base/philox.h"
#include "assay/device/kernel.h"
#include "assay/device/random_state.h"
#include "assay/device/unigram_weights.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"
#include "assay/ops/unigram_table.h"

namespace assay {
namespace {

/// Which values a draw without repeats has met; memory is kept between draws, forgetting is free.
/// Grows with what is drawn, not with what an attribute promises.
class MetValues {
 public:
  explicit MetValues(std::int64_t expected) {
    constexpr std::int64_t kFirst = 4096;
    allocate(std::bit_ceil(static_cast<std::size_t>(std::min(expected, kFirst)) * kRoom));
  }

  void clear() {
    used_ = 0;
    if (++round_ == 0) {
      std::fill_n(slots_, mask_ + 1, Slot{});
      round_ = 1;
    }
  }
  /// False when `value` was there already.
  bool insert(std::int64_t value) {
    if (!put(value)) return false;
    if (++used_ * kRoom > mask_ + 1) grow();
    return true;
  }

 private:
  static constexpr std::size_t kRoom = 4;  // slots a value
  struct Slot {
    std::int64_t value = 0;
    std::uint32_t round = 0;
  };

  // A tensor's memory: when there is not so much, that is an Error everywhere.
  void allocate(std::size_t slots) {
    static_assert(sizeof(Slot) == 2 * sizeof(std::int64_t));
    memory_ = Tensor::zeros(int64, Shape{2 * static_cast<std::int64_t>(slots)});
    slots_ = static_cast<Slot*>(memory_.raw());
    mask_ = slots - 1;
  }
  bool put(std::int64_t value) {
    std::size_t at =
        static_cast<std::size_t>((static_cast<std::uint64_t>(value) * 0x9E3779B97F4A7C15U) >> 32) &
        mask_;
    for (;; at = (at + 1) & mask_) {
      Slot& slot = slots_[at];
      if (slot.round != round_) {
        slot = {value, round_};
        return true;
      }
      if (slot.value == value) return false;
    }
  }
  void grow() {
    const Tensor before = memory_;
    const auto* slots = static_cast<const Slot*>(before.raw());
    const std::size_t n = mask_ + 1;
    allocate(2 * n);
    for (std::size_t i = 0; i < n; ++i) {
      if (slots[i].round == round_) put(slots[i].value);
    }
  }

  Tensor memory_;
  Slot* slots_ = nullptr;
  std::size_t mask_ = 0;
  std::size_t used_ = 0;
  std::uint32_t round_ = 0;
};

/// 1 - e^x for x <= 0, to a float's precision, without branches or calls so that loops over it
/// become vector code.
inline float one_minus_exp(float exponent) {
  constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer
  const double x = exponent;
  const double shifted = x * 1.4426950408889634 + kRound;
  const double n = shifted - kRound;
  const double r = x - n * 0.6931471805599453;
  double p = 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = (p * r + 1.0) * r;  // e^r - 1, with the precision of r itself
  std::int64_t power = std::bit_cast<std::int64_t>(shifted) - 0x4338000000000000;
  power = power < -1022 ? -1022 : power;
  const double scale = std::bit_cast<double>((power + 1023) << 52);
  return static_cast<float>(-(scale * p + (scale - 1.0)));
}

/// log(1 - p) in float, as expected counts use it.
inline float log_of_rest(float p) {
  return std::log1p(-p);
}

class UniformRange {
 public:
  UniformRange(std::int64_t range, const KernelInit&)
      : range_(range),
        probability_(static_cast<float>(1.0 / static_cast<double>(range))),
        log_rest_(log_of_rest(probability_)) {}
  void begin_draw(const std::int64_t*, std::int64_t) {}
  void end_draw(const std::int64_t*, std::int64_t) {}
  std::int64_t sample(PhiloxStream& words) const {
    return static_cast<std::int64_t>(words.uniform64(static_cast<std::uint64_t>(range_)));
  }
  float probability(std::int64_t) const { return probability_; }
  float log_rest(std::int64_t) const { return log_rest_; }

 private:
  std::int64_t range_;
  float probability_;
  float log_rest_;
};

/// P(k) = log((k + 2) / (k + 1)) / log(range + 1): Zipf's law, for classes sorted by frequency.
class LogUniformRange {
 public:
  LogUniformRange(std::int64_t range, const KernelInit&)
      : range_(range), log_range_(std::log1p(static_cast<double>(range))) {
    constexpr std::int64_t kTableSize = 1 << 17;
    const auto n = static_cast<std::size_t>(std::min(range, kTableSize));
    table_.resize(n);
    for (std::size_t k = 0; k < n; ++k) {
      const float p = compute(static_cast<std::int64_t>(k));
      table_[k] = {p, log_of_rest(p)};
    }
  }
  void begin_draw(const std::int64_t*, std::int64_t) {}
  void end_draw(const std::int64_t*, std::int64_t) {}
  std::int64_t sample(PhiloxStream& words) const {
    const auto value = static_cast<std::int64_t>(std::exp(words.next_double() * log_range_)) - 1;
    // Beyond the range only by rounding; the division that would bring it back is rarely made.
    return value < range_ ? value : value % range_;
  }
  float probability(std::int64_t value) const {
    return in_table(value) ? table_[static_cast<std::size_t>(value)].probability : compute(value);
  }
  float log_rest(std::int64_t value) const {
    return in_table(value) ? table_[static_cast<std::size_t>(value)].log_rest
                           : log_of_rest(compute(value));
  }

 private:
  struct Entry {
    float probability;
    float log_rest;
  };
  bool in_table(std::int64_t value) const {
    return static_cast<std::uint64_t>(value) < table_.size();
  }
  float compute(std::int64_t value) const {
    const auto v = static_cast<double>(value);
    return static_cast<float>(std::log((v + 2.0) / (v + 1.0)) / log_range_);
  }

  std::int64_t range_;
  double log_range_;
  std::vector<Entry> table_;
};

class LearnedRange {
 public:
  LearnedRange(std::int64_t range, const KernelInit& init) {
    if (range >= std::numeric_limits<std::int32_t>::max()) {
      invalid_argument("range_max must be below 2^31 - 1, got {}", range);
    }
    weights_ = init.resources->get_or_create<UnigramWeights>(
        unigram_resource_name(init.node.name()),
        [&] { return std::make_shared<UnigramWeights>(range); });
    if (weights_->range() != range) {
      fail(Code::kFailedPrecondition, "the restored weights are of {} classes, range_max is {}",
           weights_->range(), range);
    }
  }
  void begin_draw(const std::int64_t* true_classes, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
      if (true_classes[i] < 0 || true_classes[i] >= weights_->range()) {
        invalid_argument("true class {} is not in [0, {})", true_classes[i], weights_->range());
      }
    }
  }
  void end_draw(const std::int64_t* true_classes, std::int64_t n) {
    const std::int64_t room = std::numeric_limits<std::int32_t>::max() - weights_->total();
    for (std::int64_t i = 0; i < std::min(n, room); ++i) weights_->add(true_classes[i]);
  }
  std::int64_t sample(PhiloxStream& words) const {
    return weights_->at(
        static_cast<std::int32_t>(words.uniform(static_cast<std::uint32_t>(weights_->total()))));
  }
  float probability(std::int64_t value) const {
    return static_cast<float>(weights_->weight(value)) / static_cast<float>(weights_->total());
  }
  float log_rest(std::int64_t value) const { return log_of_rest(probability(value)); }

 private:
  std::shared_ptr<UnigramWeights> weights_;
};

class FixedRange {
 public:
  FixedRange(std::int64_t range, const KernelInit& init) {
    const UnigramSource source{
        .vocab_file = init.attr<std::string>("vocab_file"),
        .unigrams = init.attr<std::vector<float>>("unigrams"),
        .distortion = init.attr<float>("distortion"),
        .num_reserved_ids = init.attr<std::int64_t>("num_reserved_ids"),
        .num_shards = init.attr<std::int64_t>("num_shards"),
        .shard = init.attr<std::int64_t>("shard"),
    };
    table_ = init.resources->get_or_create<UnigramTable>(unigram_table_name(init.node.name()), [&] {
      return std::make_shared<UnigramTable>(range, source);
    });
    const auto sampled = init.attr<std::int64_t>("num_sampled");
    if (init.attr<bool>("unique") && sampled > table_->num_possible()) {
      invalid_argument("{} different samples cannot be drawn from {} classes with a weight above 0",
                       sampled, table_->num_possible());
    }
  }
  void begin_draw(const std::int64_t*, std::int64_t) {}
  void end_draw(const std::int64_t*, std::int64_t) {}
  std::int64_t sample(PhiloxStream& words) const { return table_->sample(words); }
  float probability(std::int64_t value) const { return table_->probability(value); }
  float log_rest(std::int64_t value) const { return log_of_rest(probability(value)); }

 private:
  std::shared_ptr<UnigramTable> table_;
};

// TensorFlow keeps the number in 32 bits.
std::int64_t checked_num_sampled(const KernelInit& init) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  const auto num_sampled = init.attr<std::int64_t>("num_sampled");
  if (num_sampled > kMost) {
    invalid_argument("num_sampled must be at most {}, got {}", kMost, num_sampled);
  }
  return num_sampled;
}

void check_true_classes(const Tensor& true_classes, std::int64_t num_true) {
  if (true_classes.rank() != 2 || true_classes.dim(1) != num_true) {
    invalid_argument("true_classes must be a matrix of {} columns, got {}", num_true,
                     true_classes.shape().str());
  }
}

// TensorFlow's generous reserve, so that the streams stay in step.
Philox reserve(RandomResource& state, std::int64_t num_sampled) {
  return state.philox().reserve_words(2048 * num_sampled);
}

template <typename Range>
class CandidateSampler : public Kernel {
 public:
  explicit CandidateSampler(const KernelInit& init)
      : num_true_(init.attr<std::int64_t>("num_true")),
        num_sampled_(checked_num_sampled(init)),
        unique_(init.attr<bool>("unique")),
        range_(init.attr<std::int64_t>("range_max"), init),
        state_(random_state(init)),
        met_(unique_ ? checked(num_sampled_, init.attr<std::int64_t>("range_max")) : 1) {}

  void run(KernelContext& ctx) override {
    const Tensor& true_classes = ctx.input(0);
    check_true_classes(true_classes, num_true_);
    const std::int64_t* trues = true_classes.data<std::int64_t>();
    const std::int64_t num_trues = true_classes.num_elements();
    range_.begin_draw(trues, num_trues);
    auto* sampled = ctx.out<std::int64_t>(0, Shape{num_sampled_});
    auto* true_counts = ctx.out<float>(1, true_classes.shape());
    auto* sampled_counts = ctx.out<float>(2, Shape{num_sampled_});
    PhiloxStream words(reserve(*state_, num_sampled_));
    const std::int64_t tries = draw(words, sampled);
    count(sampled, num_sampled_, tries, sampled_counts);
    count(trues, num_trues, tries, true_counts);
    range_.end_draw(trues, num_trues);
  }

 private:
  static std::int64_t checked(std::int64_t num_sampled, std::int64_t range) {
    if (num_sampled > range) {
      invalid_argument("{} different samples cannot be drawn from {} classes", num_sampled, range);
    }
    return num_sampled;
  }

  std::int64_t draw(PhiloxStream& words, std::int64_t* sampled) {
    if (!unique_) {
      for (std::int64_t i = 0; i < num_sampled_; ++i) sampled[i] = range_.sample(words);
      return num_sampled_;
    }
    met_.clear();
    std::int64_t tries = 0;
    for (std::int64_t i = 0; i < num_sampled_;) {
      if (++tries == std::numeric_limits<std::int32_t>::max()) {
        invalid_argument("{} tries gave only {} different samples of the {} wanted", tries, i,
                         num_sampled_);
      }
      const std::int64_t value = range_.sample(words);
      if (met_.insert(value)) sampled[i++] = value;
    }
    return tries;
  }

  /// How often a value is expected among the samples: p times their number, or, drawn without
  /// repeats, the chance to be met in as many tries as it took.
  void count(const std::int64_t* values, std::int64_t n, std::int64_t tries, float* out) const {
    if (tries == num_sampled_) {
      const auto times = static_cast<float>(num_sampled_);
      for (std::int64_t i = 0; i < n; ++i) out[i] = range_.probability(values[i]) * times;
      return;
    }
    const auto times = static_cast<float>(tries);
    for (std::int64_t i = 0; i < n; ++i) out[i] = times * range_.log_rest(values[i]);
    for (std::int64_t i = 0; i < n; ++i) out[i] = one_minus_exp(out[i]);
  }

  std::int64_t num_true_;
  std::int64_t num_sampled_;
  bool unique_;
  Range range_;
  std::shared_ptr<RandomResource> state_;
  MetValues met_;  // kept between runs: a node with state runs alone
};

/// Every class is sampled, and expected, once.
class AllCandidateSampler : public Kernel {
 public:
  explicit AllCandidateSampler(const KernelInit& init)
      : num_true_(init.attr<std::int64_t>("num_true")),
        num_sampled_(checked_num_sampled(init)),
        state_(random_state(init)) {}

  void run(KernelContext& ctx) override {
    const Tensor& true_classes = ctx.input(0);
    check_true_classes(true_classes, num_true_);
    auto* sampled = ctx.out<std::int64_t>(0, Shape{num_sampled_});
    auto* true_counts = ctx.out<float>(1, true_classes.shape());
    auto* sampled_counts = ctx.out<float>(2, Shape{num_sampled_});
    reserve(*state_, num_sampled_);
    std::iota(sampled, sampled + num_sampled_, 0);
    std::fill_n(true_counts, true_classes.num_elements(), 1.0F);
    std::fill_n(sampled_counts, num_sampled_, 1.0F);
  }

 private:
  std::int64_t num_true_;
  std::int64_t num_sampled_;
  std::shared_ptr<RandomResource> state_;
};

class ComputeAccidentalHits : public Kernel {
 public:
  explicit ComputeAccidentalHits(const KernelInit& init)
      : num_true_(init.attr<std::int64_t>("num_true")) {}
  void run(KernelContext& ctx) override {
    const Tensor& trues = ctx.input(0);
    const Tensor& sampled = ctx.input(1);
    check_true_classes(trues, num_true_);
    if (sampled.rank() != 1) {
      invalid_argument("sampled_candidates must be a vector, got {}", sampled.shape().str());
    }
    std::unordered_map<std::int64_t, std::int64_t> position;
    for (std::int64_t k = 0; k < sampled.num_elements(); ++k) {
      position[sampled.data<std::int64_t>()[k]] = k;
    }
    std::vector<std::pair<std::int32_t, std::int64_t>> hits;
    for (std::int64_t i = 0; i < trues.num_elements(); ++i) {
      const auto it = position.find(trues.data<std::int64_t>()[i]);
      if (it != position.end()) hits.emplace_back(i / num_true_, it->second);
    }
    const Shape shape{static_cast<std::int64_t>(hits.size())};
    auto* indices = ctx.out<std::int32_t>(0, shape);
    auto* ids = ctx.out<std::int64_t>(1, shape);
    auto* weights = ctx.out<float>(2, shape);
    for (std::size_t k = 0; k < hits.size(); ++k) {
      indices[k] = hits[k].first;
      ids[k] = hits[k].second;
      weights[k] = -std::numeric_limits<float>::max();
    }
  }

 private:
  std::int64_t num_true_;
};

void sampler_shape(ShapeContext& c) {
  const PartialShape trues = c.with_rank(0, 2);
  const auto num_true = c.attr<std::int64_t>("num_true");
  if (!merge_dims(trues[1], num_true)) {
    c.mismatch("true_classes must have {} columns: {}", num_true, c.describe_input(0));
  }
  const PartialShape sampled{c.attr<std::int64_t>("num_sampled")};
  c.set_output(0, sampled);
  c.set_output(1, PartialShape{trues[0], num_true});
  c.set_output(2, sampled);
}

void hits_shape(ShapeContext& c) {
  c.with_rank(0, 2);
  c.with_rank(1, 1);
  c.set_all_outputs(PartialShape{-1});
}

OpSpec sampler_spec(std::string name, std::string doc, KernelFactory make,
                    const std::vector<std::string>& more_attrs = {"range_max: int >= 1"}) {
  std::vector<std::string> attrs = {"num_true: int >= 1", "num_sampled: int >= 1", "unique: bool"};
  attrs.insert(attrs.end(), more_attrs.begin(), more_attrs.end());
  attrs.insert(attrs.end(), {"seed: int = 0", "seed2: int = 0"});
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"true_classes: int64"},
          .outputs = {"sampled_candidates: int64", "true_expected_count: float",
                      "sampled_expected_count: float"},
          .attrs = std::move(attrs),
          .effect = Effect::kState,
          .shape = sampler_shape,
          .not_differentiable = true,
          .kernels = {{DType::kInvalid, make}},
          .blocks_a_value = 512};
}

}  // namespace

void register_candidate_sampler(OpRegistry& registry) {
  registry.add(sampler_spec("UniformCandidateSampler", "Class numbers drawn uniformly.",
                            make_kernel<CandidateSampler<UniformRange>>));
  registry.add(sampler_spec("LogUniformCandidateSampler",
                            "Class numbers drawn by Zipf's law: small numbers more often.",
                            make_kernel<CandidateSampler<LogUniformRange>>));
  registry.add(sampler_spec("LearnedUnigramCandidateSampler",
                            "Class numbers drawn as often as they were true classes so far.",
                            make_kernel<CandidateSampler<LearnedRange>>));
  registry.add(sampler_spec("ThreadUnsafeUnigramCandidateSampler",
                            "LearnedUnigramCandidateSampler under TensorFlow's second name.",
                            make_kernel<CandidateSampler<LearnedRange>>));
  registry.add(sampler_spec(
      "FixedUnigramCandidateSampler", "Class numbers drawn by weights from a file or a list.",
      make_kernel<CandidateSampler<FixedRange>>,
      {"range_max: int >= 1", "vocab_file: string = ''", "distortion: float = 1.0",
       "num_reserved_ids: int = 0", "num_shards: int >= 1 = 1", "shard: int >= 0 = 0",
       "unigrams: list(float) = []"}));
  registry.add(sampler_spec("AllCandidateSampler", "All class numbers.",
                            make_kernel<AllCandidateSampler>, {}));
  registry.add({.name = "ComputeAccidentalHits",
                .doc = "Where samples are true classes: row, sample and a weight that removes it.",
                .inputs = {"true_classes: int64", "sampled_candidates: int64"},
                .outputs = {"indices: int32", "ids: int64", "weights: float"},
                .attrs = {"num_true: int", "seed: int = 0", "seed2: int = 0"},
                .shape = hits_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, make_kernel<ComputeAccidentalHits>}}});
}

}  // namespace assay
