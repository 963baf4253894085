// How long an asynchronous save keeps training waiting, against one copy of the variables' memory.
// Usage: async_save_bench [--bytes=N] [--tensors=N] [--rounds=N] [--dir=DIR]
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "assay/assay.h"

namespace {

struct Options {
  std::int64_t bytes = 1'000'000'000;
  int tensors = 200;
  int rounds = 5;
  std::string dir = ".";
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const auto value = [&](std::string_view flag) -> const char* {
      return arg.starts_with(flag) ? argv[i] + flag.size() : nullptr;
    };
    if (const char* v = value("--bytes=")) {
      options.bytes = std::atoll(v);
    } else if (const char* v = value("--tensors=")) {
      options.tensors = std::atoi(v);
    } else if (const char* v = value("--rounds=")) {
      options.rounds = std::atoi(v);
    } else if (const char* v = value("--dir=")) {
      options.dir = v;
    } else {
      fmt::print(stderr, "async_save_bench: what is '{}'?\n", arg);
      std::exit(2);
    }
  }
  if (options.bytes < 4 || options.tensors < 1 || options.rounds < 1) {
    fmt::print(stderr, "async_save_bench: numbers must be positive\n");
    std::exit(2);
  }
  return options;
}

template <typename F>
double seconds(F&& f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  const std::int64_t each =
      options.bytes / static_cast<std::int64_t>(sizeof(float)) / options.tensors;
  assay::Graph graph;
  assay::GraphScope scope(graph);
  for (int i = 0; i < options.tensors; ++i) {
    assay::get_variable(fmt::format("layer_{:03}/kernel", i),
                        {.initial_value = assay::fill({each}, static_cast<float>(i))});
  }
  assay::train::Saver saver({.max_to_keep = 1});
  assay::Session session;
  session.run(assay::global_variables_initializer());
  const auto variables = assay::global_variables();
  std::vector<assay::Tensor> values;
  for (const auto& v : variables) values.push_back(session.run(v.value()));

  const std::string dir = options.dir + "/async_save_bench";
  std::filesystem::create_directories(dir);
  std::vector<assay::Tensor> copies(values.size());
  std::vector<double> copying;
  std::vector<double> pauses;
  for (int round = 0; round < options.rounds; ++round) {
    copying.push_back(seconds([&] {
      for (std::size_t i = 0; i < values.size(); ++i) {
        // The first time into fresh memory, then into what is there: as the saver does.
        if (!copies[i].defined()) copies[i] = assay::Tensor(values[i].dtype(), values[i].shape());
        std::memcpy(copies[i].raw(), values[i].raw(), values[i].num_bytes());
      }
    }));
    pauses.push_back(seconds(
        [&] { saver.save(session, dir + "/model", {.global_step = round, .async = true}); }));
    const double writing = seconds([&] { saver.wait(); });
    fmt::print("round {}: copy {:.3f} s, pause {:.3f} s, then written in {:.3f} s\n", round,
               copying.back(), pauses.back(), writing);
  }
  std::filesystem::remove_all(dir);
  fmt::print(
      "{:.2f} GB in {} variables, medians of {} rounds: copy {:.3f} s, pause {:.3f} s: {:.0f}%\n",
      static_cast<double>(each) * sizeof(float) * options.tensors / 1e9, options.tensors,
      options.rounds, median(copying), median(pauses), 100 * median(pauses) / median(copying));
}
