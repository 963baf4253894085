#include "assay/graph/similar.h"

#include <algorithm>
#include <cctype>

namespace assay {
namespace {

constexpr std::size_t kKept = 3;
constexpr std::size_t kLongest = 256;  // longer names are not compared: quadratic cost

char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

// Letters to insert, delete, replace or swap; case counts nothing. Gives up above `limit`.
int edit_distance(std::string_view a, std::string_view b, int limit) {
  std::vector<int> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    next[0] = static_cast<int>(i);
    int least = next[0];
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      next[j] = std::min({row[j] + 1, next[j - 1] + 1, row[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
          lower(a[i - 2]) == lower(b[j - 1])) {
        next[j] = std::min(next[j], before[j - 2] + 1);
      }
      least = std::min(least, next[j]);
    }
    if (least > limit) return limit + 1;
    before.swap(row);
    row.swap(next);
  }
  return row[b.size()];
}

std::string_view last_part(std::string_view name) {
  const auto slash = name.rfind('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

}  // namespace

void SimilarNames::consider(std::string_view candidate) {
  if (candidate.size() > kLongest || wanted_.size() > kLongest || wanted_.empty()) return;
  const int limit = 1 + static_cast<int>(wanted_.size()) / 3;
  const auto longer = std::max(candidate.size(), wanted_.size());
  const auto shorter = std::min(candidate.size(), wanted_.size());
  int distance = limit + 1;
  if (static_cast<int>(longer - shorter) <= limit) {
    distance = edit_distance(wanted_, candidate, limit);
  }
  // A name in another scope is near as well: 'loss' for 'train/loss'.
  if (distance > limit && last_part(candidate) == last_part(wanted_)) distance = limit;
  if (distance > limit) return;
  if (found_.size() == kKept && found_.back().distance <= distance) return;
  found_.push_back({distance, std::string(candidate)});
  std::stable_sort(found_.begin(), found_.end(),
                   [](const Found& x, const Found& y) { return x.distance < y.distance; });
  if (found_.size() > kKept) found_.pop_back();
}

std::vector<std::string> SimilarNames::best() const {
  std::vector<std::string> names;
  for (const Found& f : found_) names.push_back(f.name);
  return names;
}

std::string SimilarNames::hint() const {
  if (found_.empty()) return "";
  std::string text = "; did you mean ";
  for (std::size_t i = 0; i < found_.size(); ++i) {
    if (i > 0) text += i + 1 == found_.size() ? " or " : ", ";
    text += "'" + found_[i].name + "'";
  }
  return text + "?";
}

}  // namespace assay
