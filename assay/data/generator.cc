#include "assay/data/generator.h"

#include <memory>

#include "assay/api/constant.h"
#include "assay/device/entropy.h"
#include "assay/device/random_state.h"
#include "assay/graph/random_nodes.h"
#include "assay/graph/scope.h"
#include "assay/runtime/session.h"

namespace assay::data {
namespace {

/// Where code stands cannot be saved: how many elements it gave is, and a generator that is started
/// anew runs up to there.
class GeneratorIterator : public DatasetIterator {
 public:
  explicit GeneratorIterator(NextElement next) : next_(std::move(next)) {}
  bool next(std::vector<Tensor>& out) override {
    if (next_ == nullptr) return false;
    auto element = next_();
    if (!element) {
      next_ = nullptr;
      return false;
    }
    ++given_;
    out = std::move(*element);
    return true;
  }
  void save(IteratorState& state, const std::string& prefix) const override {
    state[prefix + "/given"] = Tensor::scalar<std::int64_t>(given_);
    state[prefix + "/at_end"] = Tensor::scalar<bool>(next_ == nullptr);
  }
  void restore(const IteratorState& state, const std::string& prefix) override {
    const auto given = state.find(prefix + "/given");
    const auto ended = state.find(prefix + "/at_end");
    if (given == state.end() || given->second.dtype() != DType::kInt64 ||
        given->second.num_elements() != 1 || ended == state.end() ||
        ended->second.dtype() != DType::kBool || ended->second.num_elements() != 1) {
      fail(Code::kDataLoss, "the saved iterator does not say where its generator was");
    }
    const std::int64_t count = *given->second.data<std::int64_t>();
    std::vector<Tensor> passed_over;
    while (given_ < count) {
      if (next(passed_over)) continue;
      fail(Code::kFailedPrecondition,
           "the data has changed since the checkpoint: then the generator gave {} elements and "
           "more, now it ends after {}. Give the same data to go on where it was, or begin a new "
           "run",
           count, given_);
    }
    if (!*ended->second.data<bool>()) return;
    if (next(passed_over)) {
      fail(Code::kFailedPrecondition,
           "the data has changed since the checkpoint: then the generator ended after {} elements, "
           "now it goes on. Give the same data to go on where it was, or begin a new run",
           count);
    }
  }

 private:
  NextElement next_;
  std::int64_t given_ = 0;
};

/// A traced graph with what running it needs, shared by all elements of a dataset.
struct Runner {
  std::shared_ptr<Graph> graph;
  Session session;
  Callable call;
  Runner(std::shared_ptr<Graph> g, const std::vector<Output>& inputs,
         const std::vector<Output>& outputs)
      : graph(std::move(g)), session({.graph = graph.get(), .threads = 1}) {
    call = session.make_callable({.feeds = inputs, .fetches = outputs});
  }
};

}  // namespace

IteratorFactory generator_iterators(Generator generator) {
  return [generator = std::move(generator)] {
    return std::make_unique<GeneratorIterator>(generator());
  };
}

TracedFunction trace_function(Graph& outer, const GraphFunction& function,
                              const std::string& node_name, const std::vector<DType>& types,
                              const std::vector<PartialShape>& shapes) {
  auto graph = std::make_shared<Graph>(outer.registry());
  graph->set_seed(outer.seed());
  set_seed_policy(*graph, seed_policy(outer));
  set_seed_scope(*graph, seed_scope(outer) + node_name + "/");
  std::vector<Output> inputs;
  std::vector<Output> outputs;
  {
    GraphScope scope(*graph);
    for (std::size_t i = 0; i < types.size(); ++i) {
      PlaceholderOptions options;
      if (shapes[i].has_rank()) options.shape = Dims(shapes[i]);
      options.name = "arg" + std::to_string(i);
      inputs.push_back(placeholder(types[i], options));
    }
    outputs = function(inputs);
  }
  if (outputs.empty()) invalid_argument("a dataset's function must yield at least one tensor");
  add_function_graph(outer, graph);
  TracedFunction traced;
  for (const Output& output : outputs) {
    if (!output || &output.graph() != graph.get()) {
      invalid_argument(
          "a dataset's function may yield only tensors made from its arguments: '{}' is of the "
          "graph around it",
          output ? output.name() : std::string("(none)"));
    }
    traced.types.push_back(base_dtype(output.dtype()));
    traced.shapes.push_back(output.shape());
  }
  traced.factory = [graph, inputs, outputs](ResourceStore& resources, const std::string& node) {
    auto runner = std::make_shared<Runner>(graph, inputs, outputs);
    share_entropy(runner->session.resources(), session_entropy(resources), node);
    return ElementTransform{
        .apply = [runner](const Element& element) { return runner->call(element); },
        .save =
            [runner](IteratorState& state, const std::string& prefix) {
              save_random_state(runner->session.resources(), state, prefix);
            },
        .restore =
            [runner](const IteratorState& state, const std::string& prefix) {
              restore_random_state(runner->session.resources(), state, prefix);
            }};
  };
  return traced;
}

}  // namespace assay::data
