#include "assay/runtime/session.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "assay/compiler/compile.h"
#include "assay/device/entropy.h"
#include "assay/runtime/program.h"

namespace assay {

using runtime::Program;

namespace {

// More than any machine has; a slip of the pen would ask for millions.
constexpr int kMaxThreads = 4096;

// A number as the tensor's dtype; nothing of it is dropped silently but a float's low digits.
Tensor number_as(const Output& target, double number) {
  if (!target) invalid_argument("a feed is no node at all (a default Output)");
  const DType dtype = base_dtype(target.dtype());
  const auto check = [&](bool fits) {
    if (fits) return;
    throw Error(Code::kInvalidArgument,
                fmt::format("feed of {}, tensor '{}': expected {}, got the number {}",
                            target.node->label(), target.name(), dtype_name(dtype), number),
                target.node->name(), target.node->place());
  };
  if (dtype == DType::kBool) {
    check(number == 0 || number == 1);
    return Tensor::scalar(number != 0);
  }
  return dispatch_numeric(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>) {
      // The bounds as powers of two, which a double holds.
      const double limit = std::ldexp(1.0, std::numeric_limits<T>::digits);
      check(number >= (std::is_signed_v<T> ? -limit : 0) && number < limit &&
            number == std::floor(number));
    } else {
      check(!std::isfinite(number) || std::isfinite(static_cast<T>(number)));
    }
    return Tensor::scalar(static_cast<T>(number));
  });
}

}  // namespace

Feed::Feed(Output target, double number) : target(target), value(number_as(target, number)) {}

/// What a session shares with its callables.
class SessionState {
 public:
  SessionState(Graph& graph, int threads) : graph(graph), pool(threads) {}

  std::shared_ptr<Program> program_for(const CallableOptions& options,
                                       const std::vector<const Tensor*>& feeds);
  std::vector<Tensor> run(Program& program, const Tensor* const* feeds) {
    if (program.exclusive()) {
      const std::unique_lock lock(running);
      return program.run(feeds, pool);
    }
    const std::shared_lock lock(running);
    return program.run(feeds, pool);
  }

  Graph& graph;
  ThreadPool pool;
  ResourceStore resources;
  std::shared_mutex running;  // held shared by runs that only read

 private:
  using Key = std::vector<std::int64_t>;
  struct Kept {
    std::shared_ptr<Program> program;
    std::int64_t used = 0;  // the time of the last use, in uses
  };
  // Ever new shapes or fetches would else fill the memory.
  static constexpr std::size_t kMaxPrograms = 256;

  void forget_oldest();

  std::mutex compiling_;
  std::map<Key, Kept> programs_;
  std::int64_t uses_ = 0;
};

namespace {

void check_feed(const Output& target, const Tensor& value) {
  const auto wrong = [&](std::string expected, std::string got) {
    throw Error(Code::kInvalidArgument,
                fmt::format("feed of {}, tensor '{}': expected {}, got {}", target.node->label(),
                            target.name(), expected, got),
                target.node->name(), target.node->place());
  };
  const DType dtype = base_dtype(target.dtype());
  if (!value.defined()) wrong(dtype_name(dtype), "an undefined tensor");
  // An op that Assay does not know yields kInvalid: what is fed decides.
  if (dtype != DType::kInvalid && value.dtype() != dtype)
    wrong(dtype_name(dtype), dtype_name(value.dtype()));
  if (!target.shape().is_compatible_with(PartialShape(value.shape()))) {
    wrong("shape " + target.shape().str(), "shape " + value.shape().str());
  }
}

void check_same_graph(const Graph& graph, const Node* node, const char* what) {
  if (node == nullptr) invalid_argument("a {} is no node at all (a default Output)", what);
  if (&node->graph() != &graph) {
    throw Error(
        Code::kInvalidArgument,
        fmt::format("{} {} belongs to another graph than the session's", what, node->label()),
        node->name(), node->place());
  }
}

std::int64_t id_of(const Output& output) {
  return (static_cast<std::int64_t>(output.node->id()) << 20) + output.index;
}

}  // namespace

std::shared_ptr<Program> SessionState::program_for(const CallableOptions& options,
                                                   const std::vector<const Tensor*>& feeds) {
  Key key;
  for (std::size_t k = 0; k < feeds.size(); ++k) {
    key.push_back(id_of(options.feeds[k]));
    key.push_back(static_cast<std::int64_t>(feeds[k]->dtype()));
    key.push_back(feeds[k]->rank());
    for (const std::int64_t size : feeds[k]->shape().dims()) key.push_back(size);
  }
  key.push_back(-1);
  for (const Output& fetch : options.fetches) key.push_back(id_of(fetch));
  key.push_back(-1);
  for (const Node* target : options.targets) key.push_back(target->id());
  const std::lock_guard lock(compiling_);
  const auto kept = programs_.find(key);
  if (kept != programs_.end()) {
    kept->second.used = ++uses_;
    return kept->second.program;
  }
  compiler::Request request{options.feeds, {}, {}, options.fetches, options.targets};
  for (std::size_t k = 0; k < feeds.size(); ++k) {
    check_feed(options.feeds[k], *feeds[k]);
    request.feed_dtypes.push_back(feeds[k]->dtype());
    request.feed_shapes.push_back(feeds[k]->shape());
  }
  auto program = std::make_shared<Program>(compiler::compile(request, resources, pool), resources);
  programs_[key] = {program, ++uses_};
  if (programs_.size() > kMaxPrograms) forget_oldest();
  return program;
}

void SessionState::forget_oldest() {
  programs_.erase(
      std::min_element(programs_.begin(), programs_.end(),
                       [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
}

struct Callable::Impl {
  static constexpr std::size_t kMaxEntries = 16;
  // A program with the fed shapes it was compiled for.
  struct Entry {
    std::vector<DType> dtypes;
    std::vector<Shape> shapes;
    std::shared_ptr<Program> program;
  };

  std::shared_ptr<Program> find(const std::vector<const Tensor*>& feeds) {
    const std::lock_guard lock(mutex);
    for (auto entry = entries.begin(); entry != entries.end(); ++entry) {
      bool same = true;
      for (std::size_t k = 0; same && k < feeds.size(); ++k) {
        same = feeds[k]->dtype() == entry->dtypes[k] && feeds[k]->shape() == entry->shapes[k];
      }
      if (!same) continue;
      std::rotate(entries.begin(), entry, std::next(entry));
      return entries.front().program;
    }
    Entry entry;
    for (const Tensor* feed : feeds) {
      entry.dtypes.push_back(feed->dtype());
      entry.shapes.push_back(feed->shape());
    }
    entry.program = state->program_for(options, feeds);
    if (entries.size() == kMaxEntries) entries.pop_back();
    entries.insert(entries.begin(), entry);
    return entry.program;
  }

  std::shared_ptr<SessionState> state;
  CallableOptions options;
  std::mutex mutex;
  std::vector<Entry> entries;  // the last used first
};

std::vector<Tensor> Callable::operator()(const std::vector<Tensor>& feeds) const {
  if (impl_ == nullptr) fail(Code::kFailedPrecondition, "this callable was not made by a session");
  const auto& expected = impl_->options.feeds;
  if (feeds.size() != expected.size()) {
    std::string names;
    for (const Output& feed : expected) names += (names.empty() ? "'" : ", '") + feed.name() + "'";
    invalid_argument("the callable takes {} value{} ({}), got {}", expected.size(),
                     expected.size() == 1 ? "" : "s", names.empty() ? "nothing is fed" : names,
                     feeds.size());
  }
  std::vector<const Tensor*> pointers;
  pointers.reserve(feeds.size());
  for (std::size_t k = 0; k < feeds.size(); ++k) {
    if (feeds[k].dtype() != base_dtype(expected[k].dtype())) check_feed(expected[k], feeds[k]);
    pointers.push_back(&feeds[k]);
  }
  const auto program = impl_->find(pointers);
  return impl_->state->run(*program, pointers.data());
}

Session::Session(SessionOptions options) {
  Graph& graph = options.graph != nullptr ? *options.graph : current_graph();
  if (options.threads < 0 || options.threads > kMaxThreads) {
    invalid_argument("a session's threads must be 0 (one a processor) to {}, got {}", kMaxThreads,
                     options.threads);
  }
  const int threads = options.threads > 0
                          ? options.threads
                          : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  state_ = std::make_shared<SessionState>(graph, threads);
  if (options.entropy) session_entropy(state_->resources)->set(*options.entropy);
}

Session::~Session() = default;

Graph& Session::graph() const {
  return state_->graph;
}
int Session::threads() const {
  return state_->pool.num_threads();
}
std::uint64_t Session::entropy() const {
  return session_entropy(state_->resources)->bits();
}
ResourceStore& Session::resources() const {
  return state_->resources;
}

void Session::exclusive(const std::function<void(ResourceStore&)>& fn) {
  const std::unique_lock lock(state_->running);
  fn(state_->resources);
}

Callable Session::make_callable(CallableOptions options) {
  for (const Output& o : options.feeds) check_same_graph(graph(), o.node, "feed");
  for (const Output& o : options.fetches) check_same_graph(graph(), o.node, "fetch");
  for (const Node* n : options.targets) check_same_graph(graph(), n, "target");
  Callable callable;
  callable.impl_ = std::make_shared<Callable::Impl>();
  callable.impl_->state = state_;
  callable.impl_->options = std::move(options);
  return callable;
}

namespace {

CallableOptions split_feeds(const Graph& graph, const std::vector<Feed>& feeds,
                            const std::vector<Output>& fetches, const std::vector<Node*>& targets,
                            std::vector<const Tensor*>& values) {
  CallableOptions options;
  options.fetches = fetches;
  options.targets = targets;
  for (const Feed& feed : feeds) {
    check_same_graph(graph, feed.target.node, "feed");
    check_feed(feed.target, feed.value);
    options.feeds.push_back(feed.target);
    values.push_back(&feed.value);
  }
  for (const Output& fetch : fetches) check_same_graph(graph, fetch.node, "fetch");
  for (const Node* target : targets) check_same_graph(graph, target, "target");
  return options;
}

}  // namespace

std::vector<Tensor> Session::run(const std::vector<Feed>& feeds, const std::vector<Output>& fetches,
                                 const std::vector<Node*>& targets) {
  std::vector<const Tensor*> values;
  const CallableOptions options = split_feeds(graph(), feeds, fetches, targets, values);
  return state_->run(*state_->program_for(options, values), values.data());
}

std::string Session::describe_program(const std::vector<Feed>& feeds,
                                      const std::vector<Output>& fetches,
                                      const std::vector<Node*>& targets) {
  std::vector<const Tensor*> values;
  const CallableOptions options = split_feeds(graph(), feeds, fetches, targets, values);
  return state_->program_for(options, values)->str();
}

}  // namespace assay
