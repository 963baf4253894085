#pragma once

#include <array>
#include <cstddef>
#include <source_location>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "assay/graph/graph.h"

namespace assay::data {

class Dataset;

/// Where a session stands in a dataset (tf.data.Iterator). A small value that stands for nodes of
/// the graph; the place itself is kept by each session.
class Iterator {
 public:
  using Where = std::source_location;

  /// Of no dataset; defined() is false.
  Iterator() = default;
  bool defined() const { return static_cast<bool>(resource_); }

  /// An iterator for any dataset of these types and shapes; start it with make_initializer().
  static Iterator from_structure(std::vector<DType> types, std::vector<PartialShape> shapes = {},
                                 const std::string& shared_name = {},
                                 Where where = Where::current());

  /// The node that starts the iterator at the dataset's first element. Throws FailedPrecondition
  /// for an iterator that starts by itself or has no dataset yet.
  Node* initializer() const;
  /// A node that starts the iterator over `dataset`; throws InvalidArgument when its elements are
  /// of other types or shapes.
  Node* make_initializer(const Dataset& dataset, const std::string& name = {},
                         Where where = Where::current()) const;

  /// The components of the next element. Running them yields OutOfRange at the end. Every call
  /// makes a node that takes an element of its own: call it once and use the result.
  std::vector<Output> get_next(const std::string& name = {}, Where where = Where::current()) const;
  /// The same for N components, to be taken apart by std::tie or structured bindings. Throws
  /// InvalidArgument when there are not N.
  template <std::size_t N>
  auto get_next(const std::string& name = {}, Where where = Where::current()) const {
    check_components(N);
    const std::vector<Output> all = get_next(name, where);
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return std::make_tuple(all[I]...);
    }
    (std::make_index_sequence<N>());
  }

  const std::vector<DType>& output_types() const { return types_; }
  const std::vector<PartialShape>& output_shapes() const { return shapes_; }
  /// The kResource scalar that stands for the iterator in the graph.
  const Output& resource() const { return resource_; }
  /// The name under which a session keeps the iterator; see iterator_resource_name().
  std::string resource_name() const;

 private:
  friend class Dataset;
  /// Adds the node of the iterator's string handle, and the iterator to the graph's collection.
  Iterator(Output resource, Node* initializer, std::vector<DType> types,
           std::vector<PartialShape> shapes);
  void check_components(std::size_t wanted) const;

  Output resource_;
  Node* initializer_ = nullptr;
  std::vector<DType> types_;
  std::vector<PartialShape> shapes_;
};

}  // namespace assay::data
