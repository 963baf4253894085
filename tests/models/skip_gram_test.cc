#include "models/word2vec/skip_gram.h"

#include <gtest/gtest.h>

#include "tests/support/fixtures.h"

namespace assay::word2vec {
namespace {

/// A text in which even words stand beside even ones and odd beside odd.
SkipGramPairs::Text text() {
  std::vector<std::int32_t> ids;
  std::uint32_t state = 1;
  for (int block = 0; block < 200; ++block) {
    for (int i = 0; i < 20; ++i) {
      state = state * 1664525u + 1013904223u;
      ids.push_back(static_cast<std::int32_t>(2 * (state >> 24) % 20 + block % 2));
    }
  }
  return std::make_shared<const std::vector<std::int32_t>>(std::move(ids));
}

const SkipGramOptions kSmall{
    .vocab = 20, .dim = 8, .batch = 16, .window = 2, .sampled = 4, .learning_rate = 0.2, .seed = 5};

TrainOptions steps(std::int64_t n, const std::string& folder = {}) {
  return {.run_dir = folder,
          .model = "word2vec",
          .steps = n,
          .save_every = 50,
          .summary_every = 10,
          .skip_step = 100,
          .print = false};
}

std::vector<float> losses(SkipGram& model, TrainOptions options) {
  std::vector<float> all;
  options.on_step = [&](std::int64_t, float loss) { all.push_back(loss); };
  model.train(options);
  return all;
}

TEST(SkipGram, LossFalls) {
  SkipGram model(kSmall, text());
  const auto all = losses(model, steps(400));
  ASSERT_EQ(all.size(), 400u);
  double first = 0;
  double last = 0;
  for (std::size_t i = 0; i < 50; ++i) {
    first += all[i];
    last += all[350 + i];
  }
  EXPECT_LT(last, 0.7 * first);
}

/// The loss of each step, then every variable.
std::vector<std::string> bits_of(const SkipGramOptions& sizes, std::int64_t n, int threads) {
  SkipGram model(sizes, text());
  TrainOptions options = steps(n);
  options.threads = threads;
  std::vector<std::string> all;
  const auto keep = [&](const Tensor& t) {
    all.emplace_back(static_cast<const char*>(t.raw()), t.num_bytes());
  };
  options.on_step = [&](std::int64_t, float loss) { keep(Tensor::scalar(loss)); };
  model.train(options);
  for (const Variable& v : variables_in(model.graph(), graph_keys::kGlobalVariables)) {
    keep(model.session().run(v.value()));
  }
  return all;
}

TEST(SkipGram, SameBitsOnAnyNumberOfThreads) {
  // The second one is of the size that people train, and its work is shared out.
  for (const auto& [sizes, n] :
       {std::pair{kSmall, std::int64_t{60}},
        std::pair{
            SkipGramOptions{
                .vocab = 5000, .dim = 128, .batch = 512, .window = 3, .sampled = 64, .seed = 5},
            std::int64_t{12}}}) {
    const auto one = bits_of(sizes, n, 1);
    EXPECT_GT(one.size(), static_cast<std::size_t>(n) + 3);
    for (const int threads : {2, 3, 8}) EXPECT_TRUE(bits_of(sizes, n, threads) == one) << threads;
  }
}

TEST(SkipGram, ResumesToTheSameBits) {
  SkipGram whole(kSmall, text());
  const auto expected = losses(whole, steps(120));
  const testing::TemporaryFolder folder;
  SkipGram first(kSmall, text());
  losses(first, steps(70, folder / "run"));
  SkipGram second(kSmall, text());
  const auto rest = losses(second, steps(120, folder / "run"));
  ASSERT_EQ(rest.size(), 50u);
  EXPECT_EQ(rest, std::vector<float>(expected.begin() + 70, expected.end()));
}

TEST(SkipGram, BadSizesAreRefused) {
  for (SkipGramOptions bad :
       {SkipGramOptions{.dim = 0}, SkipGramOptions{.batch = 0},
        SkipGramOptions{.learning_rate = -1}, SkipGramOptions{.vocab = 10, .sampled = 10}}) {
    EXPECT_THROW(SkipGram(bad, text()), Error);
  }
}

}  // namespace
}  // namespace assay::word2vec
