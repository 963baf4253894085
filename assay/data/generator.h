#pragma once

#include <vector>

#include "assay/data/dataset.h"

namespace assay::data {

/// Iterators that call a generator's functions; their position cannot be saved.
IteratorFactory generator_iterators(Generator generator);

/// A graph function made callable on tensors.
struct TracedFunction {
  ElementFunctionFactory factory;
  std::vector<DType> types;
  std::vector<PartialShape> shapes;
};

/// Builds `function` in a graph of its own, with the seed of `outer`; `node_name` is that of the
/// node to be made of it. Throws InvalidArgument when it yields nothing or a tensor of another
/// graph.
TracedFunction trace_function(Graph& outer, const GraphFunction& function,
                              const std::string& node_name, const std::vector<DType>& types,
                              const std::vector<PartialShape>& shapes);

}  // namespace assay::data
