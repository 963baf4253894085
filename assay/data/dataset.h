#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "assay/api/operand.h"
#include "assay/data/iterator.h"
#include "assay/device/dataset_functions.h"

namespace assay::data {

/// The components of one element.
using Element = std::vector<Tensor>;

/// Gives one element after the other; nothing at the end.
using NextElement = std::function<std::optional<Element>()>;

/// Starts a pass over a generator's elements.
using Generator = std::function<NextElement()>;

/// Builds the graph that turns the components of one element into those of another.
using GraphFunction = std::function<std::vector<Output>(const std::vector<Output>&)>;

/// Options of Dataset::shuffle.
struct ShuffleOptions {
  /// With the graph's seed it gives the order, as for random ops.
  std::optional<std::int64_t> seed;
  /// Another order in each pass.
  bool reshuffle_each_iteration = true;
};

/// Options of Dataset::batch.
struct BatchOptions {
  /// Leave out a last batch that is smaller; the batches' first size is then known statically.
  bool drop_remainder = false;
};

/// A sequence of elements, each of one or more tensors, described in the graph (tf.data.Dataset).
/// A small value; every call makes nodes in the current graph and returns a new dataset. An
/// iterator made from it gives the elements. The order, and every bit, are the same however many
/// threads there are.
class Dataset {
 public:
  using Where = std::source_location;

  /// No dataset at all; defined() is false.
  Dataset() = default;
  bool defined() const { return static_cast<bool>(variant_); }

  /// One element: the tensors as they are.
  static Dataset from_tensors(const std::vector<Operand>& components,
                              Where where = Where::current());
  /// As many elements as the tensors have slices along their first dimension, which must agree.
  static Dataset from_tensor_slices(const std::vector<Operand>& components,
                                    Where where = Where::current());
  /// Elements that C++ code makes: `generator` is called for each pass. `shapes` may be left out
  /// or partial; what each element has is checked. Calls never overlap but come from any thread.
  /// A checkpoint keeps how many elements it gave; a resumed run starts it anew and passes over so
  /// many. So it must give the same elements whenever it is started, and long passes are better
  /// made by from_iterators().
  static Dataset from_generator(Generator generator, std::vector<DType> types,
                                std::vector<PartialShape> shapes = {},
                                Where where = Where::current());
  /// The same from an iterator class of one's own, which may save and restore its position.
  static Dataset from_iterators(IteratorFactory factory, std::vector<DType> types,
                                std::vector<PartialShape> shapes = {},
                                Where where = Where::current());
  /// int64 scalars 0, 1, ... below `stop`.
  static Dataset range(const Operand& stop, Where where = Where::current());
  /// int64 scalars `start`, `start + step`, ... before `stop`.
  static Dataset range(const Operand& start, const Operand& stop, const Operand& step = 1,
                       Where where = Where::current());
  /// The components of several datasets' elements side by side; ends with the shortest.
  static Dataset zip(const std::vector<Dataset>& datasets, Where where = Where::current());

  /// Elements in random order: each is drawn from the next `buffer_size` ones.
  Dataset shuffle(const Operand& buffer_size, const ShuffleOptions& options = {},
                  Where where = Where::current()) const;
  /// Elements stacked `batch_size` at a time. Shapes within a batch must agree.
  Dataset batch(const Operand& batch_size, const BatchOptions& options = {},
                Where where = Where::current()) const;
  /// All elements `count` times; -1 for ever.
  Dataset repeat(const Operand& count = -1, Where where = Where::current()) const;
  /// The first `count` elements; -1 all.
  Dataset take(const Operand& count, Where where = Where::current()) const;
  /// All but the first `count` elements; -1 none.
  Dataset skip(const Operand& count, Where where = Where::current()) const;
  /// These elements, then those of `other`, which has the same types.
  Dataset concatenate(const Dataset& other, Where where = Where::current()) const;
  /// Up to `buffer_size` elements made ahead of time by a thread; -1 lets Assay choose.
  Dataset prefetch(const Operand& buffer_size, Where where = Where::current()) const;

  /// Elements turned by a graph of their own, which `function` builds from placeholders: it uses
  /// tensors of the surrounding graph in no way (throws InvalidArgument).
  Dataset map(const GraphFunction& function, Where where = Where::current()) const;
  /// Elements turned by C++ code that gives tensors of these types. What the code itself keeps
  /// between calls is in no checkpoint: let it depend on the element alone.
  Dataset map(ElementFunction function, std::vector<DType> types,
              std::vector<PartialShape> shapes = {}, Where where = Where::current()) const;
  /// The elements for which a graph gives true, a bool scalar.
  Dataset filter(const std::function<Output(const std::vector<Output>&)>& predicate,
                 Where where = Where::current()) const;
  /// The elements for which C++ code gives true.
  Dataset filter(std::function<bool(const Element&)> predicate,
                 Where where = Where::current()) const;

  /// An iterator that starts when, and whenever, its initializer() is run.
  Iterator make_initializable_iterator(const std::string& shared_name = {},
                                       Where where = Where::current()) const;
  /// An iterator that starts by itself, once in each session.
  Iterator make_one_shot_iterator(Where where = Where::current()) const;

  const std::vector<DType>& output_types() const { return types_; }
  const std::vector<PartialShape>& output_shapes() const { return shapes_; }
  /// The kVariant scalar that stands for the dataset in the graph.
  const Output& variant() const { return variant_; }

 protected:
  Dataset(Output variant, std::vector<DType> types, std::vector<PartialShape> shapes)
      : variant_(variant), types_(std::move(types)), shapes_(std::move(shapes)) {}

 private:
  /// The attributes output_types and output_shapes.
  AttrMap structure() const;
  Dataset counted(const char* op, const Operand& count) const;
  Dataset mapped(const char* op, ElementFunctionFactory factory, std::vector<DType> types,
                 std::vector<PartialShape> shapes) const;

  Output variant_;
  std::vector<DType> types_;
  std::vector<PartialShape> shapes_;
};

/// The lines of text files, plain or gzip, without their ends: string scalars.
class TextLineDataset : public Dataset {
 public:
  explicit TextLineDataset(const Operand& filenames, Where where = Where::current());
};

}  // namespace assay::data
