#pragma once

#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "assay/graph/graph.h"

namespace assay::summary {

/// Where a summary is collected and how its tag is grouped.
struct SummaryOptions {
  /// The collections that the summary joins.
  std::vector<std::string> collections = {graph_keys::kSummaries};
  /// A prefix of the tag, which TensorBoard groups by.
  std::string family = {};
};

/// A summary of one number; yields the bytes of a Summary (tf.summary.scalar). `tensor` is a
/// scalar. The tag is the node's name; characters that names may not have become '_'.
Output scalar(std::string_view name, Output tensor, const SummaryOptions& options = {},
              std::source_location where = std::source_location::current());

/// A summary of how values are distributed, in TensorFlow's buckets (tf.summary.histogram).
/// `values` has any shape; running it throws InvalidArgument when one is not finite.
Output histogram(std::string_view name, Output values, const SummaryOptions& options = {},
                 std::source_location where = std::source_location::current());

/// Options of merge; by default the merged summary joins no collection.
struct MergeOptions {
  std::vector<std::string> collections = {};
  std::string name = {};
};

/// All values of several summaries in one (tf.summary.merge); running it throws InvalidArgument
/// when a tag occurs twice.
Output merge(const std::vector<Output>& inputs, const MergeOptions& options = {},
             std::source_location where = std::source_location::current());

/// merge() of all summaries in the current graph's collection `key` whose names begin with
/// `scope`; an absent Output when there are none (tf.summary.merge_all).
Output merge_all(const std::string& key = graph_keys::kSummaries, std::string_view scope = {},
                 const std::string& name = {},
                 std::source_location where = std::source_location::current());

/// `name` with every character but letters, digits and "-_./" replaced by '_', and no leading
/// slashes: what a tag becomes.
std::string clean_tag(std::string_view name);

}  // namespace assay::summary
