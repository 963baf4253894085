#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay {

/// Collects the names that look most like a wanted one, for "did you mean" in messages.
class SimilarNames {
 public:
  explicit SimilarNames(std::string_view wanted) : wanted_(wanted) {}
  /// Keeps the name if it is among the three nearest; letters' case counts nothing, and names above
  /// 256 bytes are passed over.
  void consider(std::string_view candidate);
  /// At most three, nearest first.
  std::vector<std::string> best() const;
  /// "; did you mean 'a' or 'b'?", or "" when nothing is near.
  std::string hint() const;

 private:
  struct Found {
    int distance;
    std::string name;
  };
  std::string wanted_;
  std::vector<Found> found_;
};

}  // namespace assay
