#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "assay/base/file_system.h"
#include "assay/cli/commands.h"
#include "assay/device/entropy.h"
#include "assay/format/npy.h"
#include "assay/graph/graph_def.h"
#include "assay/graph/graph_files.h"
#include "assay/runtime/session.h"

namespace assay::cli {
namespace {

struct RunFlags {
  std::string graph;
  std::vector<std::string> init;
  std::vector<std::string> feeds;
  std::vector<std::string> fetches;
  std::vector<std::string> targets;
  std::int64_t repeat = 0;  // 0: not given
  int threads = 0;
  std::optional<std::uint64_t> entropy;
  bool stats = false;
  std::string out;
};

/// The node of "name", or of the output "name:0".
Node* node_named(const Graph& graph, const std::string& name) {
  if (Node* node = graph.find_node(name)) return node;
  return graph.output(name).node;
}

/// A number as a scalar of `dtype`; throws UsageError that repeats the flag.
Tensor number_as(const std::string& text, DType dtype, const std::string& flag) {
  if (dtype == DType::kBool) {
    if (text == "true" || text == "1") return Tensor::scalar<bool>(true);
    if (text == "false" || text == "0") return Tensor::scalar<bool>(false);
    throw UsageError(fmt::format("--feed {}: a bool is true or false", flag));
  }
  const auto refuse_size = [&] {
    throw UsageError(fmt::format("--feed {}: '{}' does not fit {}", flag, text, dtype_name(dtype)));
  };
  const auto parse = [&](auto value) {
    const char* begin = text.data();
    const char* const end = begin + text.size();
    // from_chars knows no plus sign; "+-1" stays the mistake that it is.
    if (text.size() > 1 && text[0] == '+' && text[1] != '-') ++begin;
    const auto [stop, error] = std::from_chars(begin, end, value);
    if ((error != std::errc() && error != std::errc::result_out_of_range) || stop != end) {
      throw UsageError(fmt::format("--feed {}: '{}' is neither a .npy file nor a number of type {}",
                                   flag, text, dtype_name(dtype)));
    }
    if (error == std::errc::result_out_of_range) {
      // Of a floating number this says "too small" as well; strtod rounds such a one to 0.
      if constexpr (std::is_floating_point_v<decltype(value)>) {
        const double rounded = std::strtod(text.c_str(), nullptr);
        if (std::abs(rounded) < 1) return static_cast<decltype(value)>(rounded);
      }
      refuse_size();
    }
    return value;
  };
  const auto parse_small = [&](auto zero) {
    const auto wide = parse(float{});
    const decltype(zero) value(wide);
    if (std::isfinite(wide) && !std::isfinite(static_cast<float>(value))) refuse_size();
    return Tensor::scalar(value);
  };
  if (dtype == DType::kHalf) return parse_small(Half());
  if (dtype == DType::kBFloat16) return parse_small(BFloat16());
  if (!is_floating(dtype) && !is_integer(dtype)) {
    const bool unknown = dtype == DType::kInvalid;
    throw UsageError(fmt::format(
        "--feed {}: {}; give a .npy file", flag,
        unknown ? std::string("the type of the tensor is not known, since its op is not")
                : fmt::format("a number cannot be given where {} is wanted", dtype_name(dtype))));
  }
  return dispatch_numeric(dtype,
                          [&](auto zero) { return Tensor::scalar(parse(decltype(zero){})); });
}

Feed parse_feed(const Graph& graph, const std::string& flag) {
  const auto equals = flag.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw UsageError(fmt::format("--feed {}: expected NAME=FILE.npy or NAME=NUMBER", flag));
  }
  const Output target = graph.output(flag.substr(0, equals));
  const std::string value = flag.substr(equals + 1);
  const DType dtype = base_dtype(target.dtype());
  if (dtype == DType::kString) return {target, Tensor::scalar<std::string>(value)};
  if (value.ends_with(".npy")) return {target, format::read_npy(value)};
  return {target, number_as(value, dtype, flag)};
}

bool is_number(const Tensor& t) {
  return t.shape().is_scalar() && (is_floating(t.dtype()) || is_integer(t.dtype()));
}

/// Nine digits: enough to tell any two float32 apart.
std::string scalar_str(const Tensor& t) {
  switch (t.dtype()) {
    case DType::kBool:
      return *t.data<bool>() ? "true" : "false";
    case DType::kHalf:
      return fmt::format("{:.9g}", static_cast<float>(*t.data<Half>()));
    case DType::kBFloat16:
      return fmt::format("{:.9g}", static_cast<float>(*t.data<BFloat16>()));
    default:
      return dispatch_numeric(t.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const T value = *t.data<T>();
        if constexpr (std::is_floating_point_v<T>) {
          return fmt::format("{:.9g}", value);
        } else if constexpr (std::is_signed_v<T>) {
          return fmt::format("{}", static_cast<std::int64_t>(value));
        } else {
          return fmt::format("{}", static_cast<std::uint64_t>(value));
        }
      });
  }
}

void print_values(const std::vector<std::string>& names, const std::vector<Tensor>& values) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Tensor& t = values[i];
    fmt::print("{} = {}\n", names[i], is_number(t) ? scalar_str(t) : t.str(64));
  }
}

/// "fc1__MatMul.0.npy" of "fc1/MatMul:0".
std::string file_of(const std::string& name) {
  std::string file;
  for (const char c : name) {
    if (c == '/') {
      file += "__";
    } else {
      file += c == ':' ? '.' : c;
    }
  }
  return file + ".npy";
}

void print_stats(std::vector<double> microseconds) {
  std::sort(microseconds.begin(), microseconds.end());
  const std::size_t n = microseconds.size();
  const double median = (microseconds[(n - 1) / 2] + microseconds[n / 2]) / 2;
  fmt::print("runs {}  median {:.2f} us  min {:.2f} us\n", n, median, microseconds.front());
}

/// The file of a SavedModel's folder; other paths as they are.
std::string graph_path(const std::string& path) {
  FileSystem& files = posix_file_system();
  if (!files.is_directory(path)) return path;
  for (const char* name : {"saved_model.pb", "saved_model.pbtxt"}) {
    const std::string model = join_path(path, name);
    if (files.exists(model)) return model;
  }
  throw UsageError(fmt::format(
      "'{}' is a folder without a SavedModel; name a graph (.pb, .pbtxt, .meta)", path));
}

/// Runs a piece of the graph; what was not ready for it, a variable or an iterator, is told with
/// the flag that helps.
template <typename Piece>
void with_hint(Piece&& piece) {
  try {
    piece();
  } catch (const Error& e) {
    if (e.code() != Code::kFailedPrecondition) throw;
    fail(e.code(), "{} (--init NAME runs an initializer first)", e.message());
  }
}

int run_graph(const RunFlags& flags) {
  if (flags.fetches.empty() && flags.targets.empty() && flags.init.empty()) {
    throw UsageError(
        "nothing to run: give --fetch NAME or --target NAME (assay inspect lists the "
        "graph's placeholders)");
  }
  Graph graph;
  const std::string path = graph_path(flags.graph);
  const proto::GraphDef def = load_graph_def(path);
  import_graph_def(def, graph, {.source = path});

  std::vector<Feed> feeds;
  for (const std::string& feed : flags.feeds) feeds.push_back(parse_feed(graph, feed));
  std::vector<Output> fetches;
  for (const std::string& name : flags.fetches) fetches.push_back(graph.output(name));
  for (std::size_t k = 0; k < fetches.size() && !flags.out.empty(); ++k) {
    if (base_dtype(fetches[k].dtype()) != DType::kString) continue;
    throw UsageError(
        fmt::format("--out: '{}' is a string, which .npy files do not hold; fetch it without --out",
                    flags.fetches[k]));
  }
  std::vector<Node*> targets;
  for (const std::string& name : flags.targets) targets.push_back(node_named(graph, name));
  std::vector<Node*> inits;
  for (const std::string& name : flags.init) inits.push_back(node_named(graph, name));

  Session session({.graph = &graph, .threads = flags.threads, .entropy = flags.entropy});
  if (!inits.empty()) with_hint([&] { session.run(feeds, {}, inits); });
  if (fetches.empty() && targets.empty()) return 0;

  CallableOptions prepared{.feeds = {}, .fetches = fetches, .targets = targets};
  std::vector<Tensor> fed;
  for (const Feed& feed : feeds) {
    prepared.feeds.push_back(feed.target);
    fed.push_back(feed.value);
  }
  const Callable call = session.make_callable(std::move(prepared));
  const std::int64_t repeat = std::max<std::int64_t>(1, flags.repeat);
  std::vector<double> times;
  std::vector<Tensor> values;
  for (std::int64_t i = 1; i <= repeat; ++i) {
    const auto start = std::chrono::steady_clock::now();
    with_hint([&] { values = call(fed); });
    const auto end = std::chrono::steady_clock::now();
    if (flags.stats) {
      times.push_back(std::chrono::duration<double, std::micro>(end - start).count());
    } else if (flags.repeat > 0) {
      for (std::size_t k = 0; k < values.size(); ++k) {
        const bool is_bool = values[k].shape().is_scalar() && values[k].dtype() == DType::kBool;
        if (!is_number(values[k]) && !is_bool) continue;
        fmt::print("run {}  {} = {}\n", i, flags.fetches[k], scalar_str(values[k]));
      }
    }
  }
  if (!flags.out.empty()) {
    posix_file_system().make_directories(flags.out);
    for (std::size_t k = 0; k < values.size(); ++k) {
      format::write_npy(join_path(flags.out, file_of(flags.fetches[k])), values[k]);
    }
  } else if (flags.repeat == 0 && !flags.stats) {
    print_values(flags.fetches, values);
  }
  if (flags.stats) print_stats(std::move(times));
  return 0;
}

/// "0xc0ffee", as the log writes it, or a whole number.
std::uint64_t entropy_of(const std::string& text) {
  if (const auto bits = parse_entropy(text)) return *bits;
  std::uint64_t bits = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, bits);
  if (error == std::errc() && stop == end) return bits;
  throw UsageError(fmt::format(
      "--entropy: expected up to 16 digits after 0x or a whole number below 2^64, got '{}'", text));
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "run", "Run a GraphDef (.pb, .pbtxt) or a .meta file: feed, fetch, print or save");
  auto flags = std::make_shared<RunFlags>();
  command->add_option("GRAPH", flags->graph, "GraphDef, MetaGraphDef or SavedModel, binary or text")
      ->required()
      ->type_name("");
  const auto many = [&](const char* name, std::vector<std::string>& values, const char* help,
                        const char* type) {
    command->add_option(name, values, help)
        ->type_name(type)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  };
  many("--init", flags->init, "Node to run once before, with the same feeds", "NAME");
  many("--feed", flags->feeds,
       "Value of a tensor: a .npy file, a number of the tensor's type, or text for a string",
       "NAME=VALUE");
  many("--fetch", flags->fetches, "Tensor whose value is wanted", "NAME");
  many("--target", flags->targets, "Node to run for its effect", "NAME");
  command->add_option("--repeat", flags->repeat, "Run so many times, printing scalars each time")
      ->type_name("N")
      ->check(whole_number(1, std::int64_t{1} << 40));
  command->add_option("--threads", flags->threads, "Threads for arithmetic [one a processor]")
      ->type_name("N")
      ->check(whole_number(1, 4096));
  command
      ->add_option("--entropy",
                   "What random ops without a seed draw from, as a run before told it [drawn]")
      ->type_name("0x...|N")
      ->each([flags](const std::string& text) { flags->entropy = entropy_of(text); });
  command->add_flag("--stats", flags->stats, "Print how long runs took instead of values");
  command->add_option("--out", flags->out, "Folder for what was fetched, as .npy files")
      ->type_name("DIR");
  command->callback([&action, flags] { action = [flags] { return run_graph(*flags); }; });
}

}  // namespace assay::cli
