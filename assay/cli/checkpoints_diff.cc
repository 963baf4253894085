#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "assay/base/file_system.h"
#include "assay/cli/checkpoints.h"
#include "assay/cli/commands.h"
#include "assay/format/checkpoint_reader.h"
#include "assay/tensor/statistics.h"
#include "assay/train/checkpoint_check.h"
#include "assay/train/saver.h"

namespace assay::cli {

namespace {

using format::CheckpointReader;

/// A tensor that both have, with dtype and shape of both.
struct Compared {
  std::string name;
  std::string a;  ///< what it is in the first: its dtype or shape, where they differ
  std::string b;
  TensorDifference difference = {};
  DType dtype = DType::kInvalid;
};

struct CheckpointDiff {
  std::vector<std::string> only_in_a;
  std::vector<std::string> only_in_b;
  std::vector<Compared> dtype_differs;
  std::vector<Compared> shape_differs;
  std::vector<Compared> values;      ///< compared element by element
  std::vector<std::string> skipped;  ///< resources and variants, which have no value

  std::int64_t identical() const {
    return std::count_if(values.begin(), values.end(),
                         [](const Compared& c) { return c.difference.identical; });
  }
  bool equal() const {
    return only_in_a.empty() && only_in_b.empty() && dtype_differs.empty() &&
           shape_differs.empty() && identical() == static_cast<std::int64_t>(values.size());
  }
  /// The tensor with the largest difference, of variables that are no counters if one of them
  /// differs; null when no numbers differ.
  const Compared* largest() const {
    const auto rank = [](const Compared& c) {
      return c.name.starts_with(train::kReservedPrefix) ? 0 : is_integer(c.dtype) ? 1 : 2;
    };
    const Compared* found = nullptr;
    for (const Compared& c : values) {
      const double apart = c.difference.largest.value_or(0);
      if (!(apart > 0)) continue;
      if (found == nullptr || rank(c) > rank(*found) ||
          (rank(c) == rank(*found) && apart > *found->difference.largest)) {
        found = &c;
      }
    }
    return found;
  }
};

CheckpointDiff compare(const CheckpointReader& a, const CheckpointReader& b, bool variables_only) {
  CheckpointDiff diff;
  const auto wanted = [&](const std::string& name) {
    return !variables_only || !name.starts_with(train::kReservedPrefix);
  };
  for (const auto& [name, entry] : a.entries()) {
    if (!wanted(name)) continue;
    const auto* other = b.find(name);
    if (other == nullptr) {
      diff.only_in_a.push_back(name);
    } else if (entry.dtype != other->dtype) {
      diff.dtype_differs.push_back({name, dtype_name(entry.dtype), dtype_name(other->dtype)});
    } else if (entry.shape != other->shape) {
      diff.shape_differs.push_back({name, entry.shape.str(), other->shape.str()});
    } else if (train::has_no_value(entry.dtype)) {
      diff.skipped.push_back(name);
    } else {
      diff.values.push_back(
          {name, {}, {}, compare_tensors(a.read(name), b.read(name)), entry.dtype});
    }
  }
  for (const auto& [name, entry] : b.entries()) {
    if (wanted(name) && a.find(name) == nullptr) diff.only_in_b.push_back(name);
  }
  return diff;
}

Json largest_json(const TensorDifference& d) {
  if (!d.largest) return nullptr;
  if (std::isinf(*d.largest)) return "inf";
  return *d.largest;
}

Json pairs_json(const std::vector<Compared>& pairs) {
  Json all = Json::array();
  for (const Compared& c : pairs) all.push_back({{"name", c.name}, {"a", c.a}, {"b", c.b}});
  return all;
}

Json diff_json(const CheckpointReader& a, const CheckpointReader& b, const CheckpointDiff& diff) {
  Json tensors = Json::array();
  for (const Compared& c : diff.values) {
    tensors.push_back({{"name", c.name},
                       {"identical", c.difference.identical},
                       {"different_elements", c.difference.different},
                       {"largest_difference", largest_json(c.difference)}});
  }
  Json largest = nullptr;
  if (const Compared* c = diff.largest()) {
    largest = {{"name", c->name}, {"difference", largest_json(c->difference)}};
  }
  return {{"a", a.prefix()},
          {"b", b.prefix()},
          {"equal", diff.equal()},
          {"only_in_a", diff.only_in_a},
          {"only_in_b", diff.only_in_b},
          {"dtype_differs", pairs_json(diff.dtype_differs)},
          {"shape_differs", pairs_json(diff.shape_differs)},
          {"not_compared", diff.skipped},
          {"largest", std::move(largest)},
          {"tensors", std::move(tensors)}};
}

void print_diff(const CheckpointReader& a, const CheckpointReader& b, const CheckpointDiff& diff) {
  fmt::print("A: {}\nB: {}\n", printable(a.prefix()), printable(b.prefix()));
  for (const std::string& name : diff.only_in_a) fmt::print("only in A: {}\n", printable(name));
  for (const std::string& name : diff.only_in_b) fmt::print("only in B: {}\n", printable(name));
  for (const Compared& c : diff.dtype_differs) {
    fmt::print("dtype: {} is {} in A, {} in B\n", printable(c.name), c.a, c.b);
  }
  for (const Compared& c : diff.shape_differs) {
    fmt::print("shape: {} is {} in A, {} in B\n", printable(c.name), c.a, c.b);
  }
  for (const std::string& name : diff.skipped) {
    fmt::print("not compared: {} has no value that can be read\n", printable(name));
  }
  Table table("<>>");
  table.add({"name", "elements that differ", "largest difference"});
  for (const Compared& c : diff.values) {
    const TensorDifference& d = c.difference;
    if (d.identical) continue;
    // -0 and 0, or two NaN of different bits.
    table.add({printable(c.name), d.different == 0 ? "bits only" : std::to_string(d.different),
               d.largest ? fmt::format("{:.6g}", *d.largest) : "-"});
  }
  const std::int64_t identical = diff.identical();
  const auto differing = static_cast<std::int64_t>(diff.values.size()) - identical;
  if (differing > 0) table.print();
  std::string line = fmt::format("{} identical to the bit", count_str(identical, "tensor"));
  const auto also = [&](std::size_t count, const char* what) {
    if (count > 0) line += fmt::format(", {} {}", count, what);
  };
  also(static_cast<std::size_t>(differing), "with other values");
  if (const Compared* c = diff.largest()) {
    line += fmt::format(" (by up to {:.6g}, in {})", *c->difference.largest, printable(c->name));
  }
  also(diff.dtype_differs.size(), "of another dtype");
  also(diff.shape_differs.size(), "of another shape");
  also(diff.only_in_a.size(), "only in A");
  also(diff.only_in_b.size(), "only in B");
  fmt::print("{}: {}\n", diff.equal() ? "equal" : "different", line);
}

}  // namespace

int diff_command(const DiffFlags& flags) {
  try {
    const auto a = CheckpointReader::open(checkpoint_prefix_of(flags.a));
    const auto b = CheckpointReader::open(checkpoint_prefix_of(flags.b));
    const CheckpointDiff diff = compare(*a, *b, flags.variables_only);
    if (flags.json) {
      print_json(diff_json(*a, *b, diff));
    } else {
      print_diff(*a, *b, diff);
    }
    return diff.equal() ? 0 : kExitFailure;
  } catch (const Error& e) {
    // As diff and cmp do: 1 is for scripts that ask whether two are equal.
    throw UsageError(e.message());
  }
}

}  // namespace assay::cli
