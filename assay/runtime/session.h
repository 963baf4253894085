#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "assay/device/resource_store.h"
#include "assay/graph/graph.h"
#include "assay/tensor/tensor.h"

namespace assay {

/// What is fed to which tensor. Any tensor may be fed, not only placeholders.
struct Feed {
  Output target;
  Tensor value;
  /// Dtype and shape are compared when it is run, not here.
  Feed(Output target, Tensor value) : target(target), value(std::move(value)) {}
  /// A number, converted to the target's dtype (a scalar). Throws InvalidArgument when the dtype
  /// cannot hold it: a fraction as an integer, what is neither 0 nor 1 as a bool, a finite number
  /// beyond a float's range.
  Feed(Output target, double number);
  /// The same; exact for 64-bit integers.
  template <std::integral T>
  Feed(Output target, T number) : target(target), value(integer_as(target, number)) {}

 private:
  template <std::integral T>
  static Tensor integer_as(Output target, T number) {
    if constexpr (!std::same_as<T, bool>) {
      const DType dtype = target ? base_dtype(target.dtype()) : DType::kInvalid;
      if (dtype == DType::kInt64 && std::in_range<std::int64_t>(number)) {
        return Tensor::scalar(static_cast<std::int64_t>(number));
      }
      if (dtype == DType::kUInt64 && std::in_range<std::uint64_t>(number)) {
        return Tensor::scalar(static_cast<std::uint64_t>(number));
      }
    }
    return Feed(target, static_cast<double>(number)).value;
  }
};

/// How a session works.
struct SessionOptions {
  /// Null: the thread's current graph.
  Graph* graph = nullptr;
  /// Threads for arithmetic; 0: one for each processor. Results do not depend on it.
  int threads = 0;
  /// What random ops without a seed draw from: a session with the same graph and the same entropy
  /// draws the same numbers. Nothing: drawn from the system when first needed, and logged.
  std::optional<std::uint64_t> entropy = std::nullopt;
};

/// What a callable is made for.
struct CallableOptions {
  std::vector<Output> feeds;
  std::vector<Output> fetches;
  std::vector<Node*> targets;
};

class SessionState;

/// A run prepared once: no look-ups on a call but a comparison of the fed shapes. Copyable;
/// thread-safe; keeps the session's state alive.
class Callable {
 public:
  Callable() = default;
  /// Values in the order of the feeds; returns the fetched ones. Throws InvalidArgument for a
  /// wrong number, dtype or shape (name, expected, got).
  std::vector<Tensor> operator()(const std::vector<Tensor>& feeds = {}) const;

 private:
  friend class Session;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// Runs a graph: keeps its variables, random states and iterators, and the programs compiled for
/// what was asked. Thread-safe: runs that only read go side by side, runs that write run alone.
class Session {
 public:
  /// Throws InvalidArgument for a negative number of threads. The graph must outlive the session.
  explicit Session(SessionOptions options = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// What the options said, or chose: the graph, and how many threads there are.
  Graph& graph() const;
  int threads() const;
  /// What random ops without a seed draw from; drawn now when it was not needed so far.
  std::uint64_t entropy() const;

  /// Runs what `fetches` and `targets` need, with `feeds` in place of the tensors named. Errors
  /// name the node and its place: FailedPrecondition (variable not initialised), InvalidArgument
  /// (feed of another dtype or shape; placeholder not fed), OutOfRange (end of an iterator).
  std::vector<Tensor> run(const std::vector<Feed>& feeds, const std::vector<Output>& fetches,
                          const std::vector<Node*>& targets = {});
  std::vector<Tensor> run(const std::vector<Output>& fetches) { return run({}, fetches, {}); }
  Tensor run(Output fetch, const std::vector<Feed>& feeds = {}) {
    return std::move(run(feeds, {fetch}, {}).front());
  }
  void run(Node* target, const std::vector<Feed>& feeds = {}) { run(feeds, {}, {target}); }

  /// Prepares a run of `options.fetches` and `options.targets`, which takes the values of
  /// `options.feeds` in their order.
  Callable make_callable(CallableOptions options);

  /// The session's variables, random states and iterators.
  ResourceStore& resources() const;

  /// Calls `fn` with them while no run is under way and none can begin: what it reads is of one
  /// moment, and it may write too. It must not run anything in this session: that would wait for
  /// ever. What it throws goes through.
  void exclusive(const std::function<void(ResourceStore&)>& fn);

  /// The program for this request with the shapes of `feeds`, as text: one line a step.
  std::string describe_program(const std::vector<Feed>& feeds, const std::vector<Output>& fetches,
                               const std::vector<Node*>& targets = {});

 private:
  std::shared_ptr<SessionState> state_;
};

}  // namespace assay
