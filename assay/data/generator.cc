#include "assay/data/generator.h"

#include <memory>

#include "assay/api/constant.h"
#include "assay/graph/scope.h"
#include "assay/runtime/session.h"

namespace assay::data {
namespace {

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
    out = std::move(*element);
    return true;
  }

 private:
  NextElement next_;
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

TracedFunction trace_function(const Graph& outer, const GraphFunction& function,
                              const std::vector<DType>& types,
                              const std::vector<PartialShape>& shapes) {
  auto graph = std::make_shared<Graph>(outer.registry());
  graph->set_seed(outer.seed());
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
  traced.factory = [graph, inputs, outputs] {
    auto runner = std::make_shared<Runner>(graph, inputs, outputs);
    return ElementFunction([runner](const Element& element) { return runner->call(element); });
  };
  return traced;
}

}  // namespace assay::data
