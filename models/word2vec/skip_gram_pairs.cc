#include "models/word2vec/skip_gram_pairs.h"

#include <algorithm>

#include "assay/base/error.h"

namespace assay::word2vec {

SkipGramPairs::SkipGramPairs(Text text, std::int64_t window, std::uint64_t seed)
    : text_(std::move(text)), window_(window), seed_(seed) {
  if (text_ == nullptr || text_->size() < 2) {
    invalid_argument("the text has fewer than two words; skip-gram needs neighbours");
  }
  if (window < 1 || window > (std::int64_t{1} << 31)) {
    invalid_argument("a window of {} words; give at least 1", window);
  }
  load_center();
}

std::int64_t SkipGramPairs::window_at(std::int64_t pass, std::int64_t center) const {
  if (window_ == 1) return 1;
  const std::int64_t index = center / 4;
  if (pass != block_pass_ || index != block_index_) {
    // The counter's lower half says where in the text, its upper half which pass over it.
    Philox generator(seed_, static_cast<std::uint64_t>(pass));
    generator.skip(static_cast<std::uint64_t>(index));
    block_ = generator();
    block_pass_ = pass;
    block_index_ = index;
  }
  const std::uint64_t word = block_[static_cast<std::size_t>(center % 4)];
  return 1 + static_cast<std::int64_t>(word * static_cast<std::uint64_t>(window_) >> 32);
}

void SkipGramPairs::load_center() {
  const std::int64_t window = window_at(position_.pass, position_.center);
  begin_ = std::max<std::int64_t>(0, position_.center - window);
  end_ = std::min(size() - 1, position_.center + window);
}

void SkipGramPairs::advance_center() {
  position_.target = 0;
  if (++position_.center == size()) {
    position_.center = 0;
    ++position_.pass;
  }
  load_center();
}

void SkipGramPairs::next(std::int64_t count, std::int32_t* centers, std::int32_t* targets) {
  const std::int32_t* text = text_->data();
  while (count > 0) {
    // Targets are the words begin_..end_ without the centre itself.
    const std::int64_t before = position_.center - begin_;
    const std::int64_t all = end_ - begin_;
    const std::int64_t take = std::min(count, all - position_.target);
    const std::int32_t center = text[position_.center];
    for (std::int64_t i = position_.target; i < position_.target + take; ++i) {
      *centers++ = center;
      *targets++ = text[begin_ + i + (i >= before ? 1 : 0)];
    }
    count -= take;
    position_.target += take;
    if (position_.target == all) advance_center();
  }
}

void SkipGramPairs::skip(std::int64_t count) {
  while (count > 0) {
    if (position_.center == 0 && position_.target == 0) {
      const std::int64_t pass = pairs_in_pass(position_.pass);
      if (count >= pass) {
        count -= pass;
        ++position_.pass;
        load_center();
        continue;
      }
    }
    const std::int64_t all = end_ - begin_;
    const std::int64_t take = std::min(count, all - position_.target);
    count -= take;
    position_.target += take;
    if (position_.target == all) advance_center();
  }
}

std::int64_t SkipGramPairs::pairs_in_pass(std::int64_t pass) const {
  if (window_ == 1) return 2 * size() - 2;
  std::int64_t pairs = 0;
  for (std::int64_t center = 0; center < size(); ++center) {
    const std::int64_t window = window_at(pass, center);
    pairs += std::min(center, window) + std::min(size() - 1 - center, window);
  }
  return pairs;
}

void SkipGramPairs::set_position(const Position& position) {
  if (position.pass < 0 || position.center < 0 || position.center >= size()) {
    invalid_argument("the text has no word {} to go on from", position.center);
  }
  position_ = position;
  load_center();
  if (position.target < 0 || position.target >= end_ - begin_) {
    invalid_argument("word {} of the text has no neighbour {}", position.center, position.target);
  }
}

}  // namespace assay::word2vec
