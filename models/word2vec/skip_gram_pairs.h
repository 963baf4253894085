#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "assay/base/philox.h"

namespace assay::word2vec {

/// The pairs (centre, target) of the skip-gram model, in the notes' order: for each word of the
/// text a window drawn from 1..`window`, then the words before it in the window, then those after
/// it. At the text's end it starts again, with new windows. Windows come from Philox by the word's
/// place, so a position is a few numbers and any position can be reached without drawing.
class SkipGramPairs {
 public:
  using Text = std::shared_ptr<const std::vector<std::int32_t>>;

  /// Where the next pair stands: pass over the text, centre, and target among the centre's.
  struct Position {
    std::int64_t pass = 0;
    std::int64_t center = 0;
    std::int64_t target = 0;
    friend bool operator==(const Position&, const Position&) = default;
  };

  /// Throws InvalidArgument unless the text has two words at least and `window` >= 1.
  SkipGramPairs(Text text, std::int64_t window, std::uint64_t seed);

  /// The next `count` pairs.
  void next(std::int64_t count, std::int32_t* centers, std::int32_t* targets);
  /// Goes on to the first pair of the next centre.
  void skip_center() { advance_center(); }
  /// Passes over `count` pairs.
  void skip(std::int64_t count);
  /// How many pairs pass number `pass` over the text has.
  std::int64_t pairs_in_pass(std::int64_t pass) const;

  const Position& position() const { return position_; }
  /// Goes to `position`, one that position() once gave. Throws InvalidArgument when the text has
  /// no such place.
  void set_position(const Position& position);

 private:
  std::int64_t size() const { return static_cast<std::int64_t>(text_->size()); }
  /// The window drawn for a centre.
  std::int64_t window_at(std::int64_t pass, std::int64_t center) const;
  void load_center();
  void advance_center();

  Text text_;
  std::int64_t window_;
  std::uint64_t seed_;
  Position position_;
  // Of the centre at position_: its first and its last target.
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  // The block of random numbers that window_at() looked at last.
  mutable std::int64_t block_pass_ = -1;
  mutable std::int64_t block_index_ = -1;
  mutable Philox::Block block_{};
};

}  // namespace assay::word2vec
