#include "assay/summary/summary.h"

#include "assay/base/error.h"
#include "assay/graph/gradient.h"
#include "assay/graph/scope.h"

namespace assay::summary {

namespace {

bool legal(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '/';
}

void collect(Output value, const std::vector<std::string>& collections) {
  for (const std::string& key : collections) value.graph().add_to_collection(key, value);
}

/// The node `op`(tag, tensor) in a scope of its own, as TF's summary_scope names it.
Output summarize(const char* op, const char* tag_name, std::string_view name, Output tensor,
                 const SummaryOptions& options) {
  if (!tensor) invalid_argument("summary '{}': the tensor to summarize is not set", name);
  const std::string clean = clean_tag(name);
  if (clean.empty()) invalid_argument("a summary of '{}' needs a name", tensor.name());
  const std::string family = clean_tag(options.family);
  Graph& graph = tensor.graph();
  NameScope scope(graph, family.empty() ? clean : family + "/" + clean);
  std::string tag = scope.full().substr(0, scope.full().size() - 1);
  if (!family.empty()) tag = family + "/" + tag;
  NodeBuilder b(graph);
  const Output tags = b.constant(Tensor::scalar(tag), tag_name);
  const Output value = b.op(op, {tags, tensor}, {}, scope.full());
  collect(value, options.collections);
  return value;
}

}  // namespace

std::string clean_tag(std::string_view name) {
  std::string clean;
  for (const char raw : name) {
    const auto c = static_cast<unsigned char>(raw);
    if (legal(c)) {
      clean += raw;
    } else if ((c & 0xC0U) != 0x80U) {  // one '_' for a whole UTF-8 character
      clean += '_';
    }
  }
  return clean.substr(std::min(clean.find_first_not_of('/'), clean.size()));
}

Output scalar(std::string_view name, Output tensor, const SummaryOptions& options,
              std::source_location where) {
  PlaceScope place(where);
  return summarize("ScalarSummary", "tags", name, tensor, options);
}

Output histogram(std::string_view name, Output values, const SummaryOptions& options,
                 std::source_location where) {
  PlaceScope place(where);
  return summarize("HistogramSummary", "tag", name, values, options);
}

Output merge(const std::vector<Output>& inputs, const MergeOptions& options,
             std::source_location where) {
  PlaceScope place(where);
  if (inputs.empty()) invalid_argument("summary::merge needs at least one summary");
  Graph& graph = inputs.front().graph();
  const std::string name = clean_tag(options.name);
  NameScope scope(graph, name.empty() ? "Merge" : name);
  NodeBuilder b(graph);
  const Output value = b.op("MergeSummary", inputs, {}, name);
  collect(value, options.collections);
  return value;
}

Output merge_all(const std::string& key, std::string_view scope, const std::string& name,
                 std::source_location where) {
  PlaceScope place(where);
  std::vector<Output> inputs;
  for (const CollectionItem& item : current_graph().collection(key)) {
    const auto* output = std::get_if<Output>(&item);
    if (output != nullptr && output->name().starts_with(scope)) inputs.push_back(*output);
  }
  if (inputs.empty()) return {};
  return merge(inputs, {.name = name});
}

}  // namespace assay::summary
