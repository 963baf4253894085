// The step of word2vec_step_bench in libtorch, to compare with: the same sizes, sparse gradients,
// plain gradient descent. Not part of the build; Debian's libtorch-dev is enough:
//   g++ -O3 -std=c++17 bench/peers/libtorch_word2vec.cc -o /tmp/libtorch_word2vec
//       -I/usr/include/torch/csrc/api/include -ltorch -ltorch_cpu -lc10
//   /tmp/libtorch_word2vec [THREADS]
// Prints the median of nine rounds, in microseconds a step.
#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <unordered_set>
#include <vector>

namespace {

constexpr std::int64_t kVocab = 50000;
constexpr std::int64_t kDim = 128;
constexpr std::int64_t kBatch = 128;
constexpr std::int64_t kSampled = 64;
constexpr std::size_t kBatches = 64;

/// Words as frequent as Zipf's law has them.
class Words {
 public:
  std::int64_t next() {
    const auto word = static_cast<std::int64_t>(std::exp(uniform_(random_) * log_range_)) - 1;
    return std::min(word, kVocab - 1);
  }
  torch::Tensor batch() {
    torch::Tensor ids = torch::empty({kBatch}, torch::kInt64);
    auto view = ids.accessor<std::int64_t, 1>();
    for (std::int64_t i = 0; i < kBatch; ++i) view[i] = next();
    return ids;
  }
  /// The logarithm of how often a word is expected among samples drawn in so many tries.
  float log_expected(std::int64_t word, std::int64_t tries) const {
    const auto w = static_cast<double>(word);
    const double p = std::log((w + 2) / (w + 1)) / log_range_;
    return static_cast<float>(std::log(-std::expm1(static_cast<double>(tries) * std::log1p(-p))));
  }

 private:
  std::mt19937_64 random_{1};
  std::uniform_real_distribution<double> uniform_;
  double log_range_ = std::log(kVocab + 1.0);
};

struct Net {
  torch::Tensor table(std::int64_t width) {
    return (torch::rand({kVocab, width}) / std::sqrt(static_cast<double>(kDim)))
        .requires_grad_(true);
  }

  void step(const torch::Tensor& center, const torch::Tensor& target) {
    // The true words first, then different sampled ones, so that one lookup serves both.
    torch::Tensor ids = torch::empty({kBatch + kSampled}, torch::kInt64);
    torch::Tensor correction = torch::empty({kBatch + kSampled, 1});
    auto id = ids.accessor<std::int64_t, 1>();
    auto log_count = correction.accessor<float, 2>();
    ids.slice(0, 0, kBatch).copy_(target);
    std::unordered_set<std::int64_t> drawn;
    std::int64_t tries = 0;
    while (static_cast<std::int64_t>(drawn.size()) < kSampled) {
      ++tries;
      const std::int64_t word = words.next();
      const auto place = kBatch + static_cast<std::int64_t>(drawn.size());
      if (drawn.insert(word).second) id[place] = word;
    }
    for (std::int64_t i = 0; i < kBatch + kSampled; ++i) {
      log_count[i][0] = words.log_expected(id[i], tries);
    }
    const auto look_up = [](const torch::Tensor& table, const torch::Tensor& which) {
      return torch::embedding(table, which, -1, false, /*sparse=*/true);
    };
    const torch::Tensor h = look_up(embed, center);
    const torch::Tensor w = look_up(weight, ids);
    const torch::Tensor b = look_up(bias, ids) - correction;
    const torch::Tensor true_logits =
        (h * w.slice(0, 0, kBatch)).sum(1, true) + b.slice(0, 0, kBatch);
    const torch::Tensor sampled_logits =
        torch::matmul(h, w.slice(0, kBatch).t()) + b.slice(0, kBatch).t();
    const torch::Tensor loss =
        (torch::softplus(-true_logits).sum() + torch::softplus(sampled_logits).sum()) / kBatch;
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
  }

  Words words;
  torch::Tensor embed = table(kDim);
  torch::Tensor weight = table(kDim);
  torch::Tensor bias = table(1);
  torch::optim::SGD optimizer{std::vector<torch::Tensor>{embed, weight, bias}, 1.0};
};

}  // namespace

int main(int argc, char** argv) {
  torch::set_num_threads(argc > 1 ? std::atoi(argv[1]) : 1);
  torch::manual_seed(1);
  Net net;
  std::vector<std::array<torch::Tensor, 2>> batches;
  for (std::size_t i = 0; i < kBatches; ++i)
    batches.push_back({net.words.batch(), net.words.batch()});
  std::vector<double> rounds;
  for (int round = 0; round < 10; ++round) {
    const auto start = std::chrono::steady_clock::now();
    constexpr int kSteps = 128;
    for (std::size_t i = 0; i < kSteps; ++i) {
      net.step(batches[i % kBatches][0], batches[i % kBatches][1]);
    }
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    if (round > 0) rounds.push_back(took.count() / kSteps);  // the first one warms up
  }
  std::sort(rounds.begin(), rounds.end());
  std::printf("libtorch word2vec step, %d threads: median %.0f us, min %.0f us\n",
              torch::get_num_threads(), rounds[rounds.size() / 2], rounds.front());
}
