// How fast checkpoints are saved and restored, against plain write + fsync and plain read of as
// many bytes on the same disk in the same run. Usage:
//   checkpoint_bench [--bytes=1000000000] [--tensors=200] [--rounds=5] [--dir=.]
// Each round does every measurement once; medians are reported. Results: docs/benchmarks.md.

#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "assay/base/file_system.h"
#include "assay/format/bundle_writer.h"
#include "assay/format/checkpoint_reader.h"

namespace {

using assay::DType;
using assay::Shape;
using assay::Tensor;

constexpr std::size_t kBlock = std::size_t{16} << 20;

struct Options {
  std::uint64_t bytes = 1'000'000'000;
  int tensors = 200;
  int rounds = 5;
  std::string dir = ".";
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const auto value = [&](std::string_view name) -> const char* {
      return arg.starts_with(name) ? argv[i] + name.size() : nullptr;
    };
    if (const char* bytes = value("--bytes=")) {
      options.bytes = std::strtoull(bytes, nullptr, 10);
    } else if (const char* tensors = value("--tensors=")) {
      options.tensors = std::max(1, std::atoi(tensors));
    } else if (const char* rounds = value("--rounds=")) {
      options.rounds = std::max(1, std::atoi(rounds));
    } else if (const char* dir = value("--dir=")) {
      options.dir = dir;
    } else {
      fmt::print(stderr, "unknown option {}; known: --bytes= --tensors= --rounds= --dir=\n", arg);
      std::exit(2);
    }
  }
  return options;
}

void must(bool ok, const char* what) {
  if (ok) return;
  fmt::print(stderr, "{}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

/// What a piece of work took, in seconds. On a busy machine the second says more.
struct Cost {
  double wall = 0;
  double cpu = 0;  // of this process, the kernel's work for it included
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Cost cost_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
          cpu_seconds() - cpu};
}

Cost better(const Cost& a, const Cost& b) {
  return {std::min(a.wall, b.wall), std::min(a.cpu, b.cpu)};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double median(const std::vector<Cost>& costs, double Cost::*part) {
  std::vector<double> values;
  for (const Cost& cost : costs) values.push_back(cost.*part);
  return median(values);
}

/// A line of /proc/self/status in bytes: "VmRSS", "VmHWM" (the highest so far).
std::uint64_t memory(const std::string& what) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with(what + ":")) {
      return std::strtoull(line.c_str() + what.size() + 1, nullptr, 10) * 1024;
    }
  }
  return 0;
}

/// The most memory that `work` takes beyond what there is.
std::uint64_t peak_extra_memory(const std::function<void()>& work) {
  std::ofstream("/proc/self/clear_refs") << "5";  // forgets the highest so far
  const std::uint64_t before = memory("VmRSS");
  work();
  return memory("VmHWM") - before;
}

void plain_write(const std::string& path, const std::map<std::string, Tensor>& tensors) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  must(fd >= 0, "open");
  for (const auto& [name, t] : tensors) {
    const auto* p = static_cast<const char*>(t.raw());
    for (std::size_t left = t.num_bytes(); left > 0;) {
      const ssize_t n = ::write(fd, p, std::min(left, kBlock));
      must(n > 0, "write");
      p += n;
      left -= static_cast<std::size_t>(n);
    }
  }
  must(::fsync(fd) == 0, "fsync");
  must(::close(fd) == 0, "close");
}

void save(const std::string& prefix, const std::map<std::string, Tensor>& tensors) {
  assay::format::BundleWriter writer(prefix);
  std::uint64_t bytes = 0;
  for (const auto& [name, t] : tensors) bytes += writer.stored_bytes(t);
  writer.reserve(bytes);
  for (const auto& [name, t] : tensors) writer.add(name, t);
  writer.finish();
}

/// Into memory that the process has not touched, as large as a tensor each.
void plain_read(const std::string& path, std::size_t piece) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  must(fd >= 0, "open");
  std::vector<char*> pieces;
  for (bool end = false; !end;) {
    pieces.push_back(static_cast<char*>(std::malloc(piece)));
    for (std::size_t have = 0; have < piece;) {
      const ssize_t n = ::read(fd, pieces.back() + have, std::min(piece - have, kBlock));
      must(n >= 0, "read");
      if (n == 0) {
        end = true;
        break;
      }
      have += static_cast<std::size_t>(n);
    }
  }
  ::close(fd);
  for (char* p : pieces) std::free(p);
}

void restore(const std::string& prefix) {
  const auto reader = assay::format::CheckpointReader::open(prefix);
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, entry] : reader->entries()) tensors[name] = reader->read(name);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  // Every large piece of memory comes fresh from the system, for us and for the plain reading.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);

  std::map<std::string, Tensor> tensors;
  const auto each = static_cast<std::int64_t>(options.bytes / sizeof(float)) / options.tensors;
  std::uint32_t state = 1;
  for (int i = 0; i < options.tensors; ++i) {
    Tensor t(DType::kFloat, Shape{each});
    for (float& x : t.span<float>()) {
      state = state * 1664525 + 1013904223;
      x = static_cast<float>(state >> 8);
    }
    tensors[fmt::format("layer_{:03}/kernel", i)] = std::move(t);
  }
  const std::size_t piece = static_cast<std::size_t>(each) * sizeof(float);
  const double total = static_cast<double>(piece) * options.tensors;

  const std::string plain = assay::join_path(options.dir, "checkpoint_bench.plain");
  const std::string prefix = assay::join_path(options.dir, "checkpoint_bench.ckpt");
  const std::string data = prefix + ".data-00000-of-00001";
  std::vector<Cost> write_times;
  std::vector<Cost> save_times;
  std::vector<Cost> read_times;
  std::vector<Cost> restore_times;
  std::vector<double> save_ratios;
  std::vector<double> restore_ratios;
  std::uint64_t extra = 0;
  for (int round = 0; round < options.rounds; ++round) {
    const auto quiet = [&] {
      ::unlink(plain.c_str());
      ::unlink(data.c_str());
      ::unlink((prefix + ".index").c_str());
      ::sync();
    };
    const auto write_once = [&] {
      quiet();
      write_times.push_back(cost_of([&] { plain_write(plain, tensors); }));
    };
    const auto save_once = [&] {
      quiet();
      extra = std::max(extra, peak_extra_memory([&] {
                         save_times.push_back(cost_of([&] { save(prefix, tensors); }));
                       }));
    };
    // Neither always has the disk first.
    if (round % 2 == 0) {
      write_once();
      save_once();
    } else {
      save_once();
      write_once();
      quiet();
      save(prefix, tensors);
    }
    read_times.push_back(cost_of([&] { plain_read(data, piece); }));
    restore_times.push_back(cost_of([&] { restore(prefix); }));
    read_times.back() = better(read_times.back(), cost_of([&] { plain_read(data, piece); }));
    restore_times.back() = better(restore_times.back(), cost_of([&] { restore(prefix); }));
    save_ratios.push_back(write_times.back().wall / save_times.back().wall);
    restore_ratios.push_back(read_times.back().wall / restore_times.back().wall);
    fmt::print("round {}: write {:.3f} s, save {:.3f} s, read {:.3f} s, restore {:.3f} s\n", round,
               write_times.back().wall, save_times.back().wall, read_times.back().wall,
               restore_times.back().wall);
    quiet();
  }
  const auto line = [&](const char* what, const std::vector<Cost>& costs, const char* more) {
    const double wall = median(costs, &Cost::wall);
    fmt::print("{:20} {:6.2f} GB/s, {:.3f} s, {:.3f} s of CPU{}\n", what, total / wall / 1e9, wall,
               median(costs, &Cost::cpu), more);
  };
  fmt::print("{:.2f} GB of float32 in {} tensors, medians of {} rounds\n", total / 1e9,
             options.tensors, options.rounds);
  const auto ratio = [](const std::vector<double>& ratios, int goal) {
    return fmt::format("   {:.0f}% (goal: {}%)", 100 * median(ratios), goal);
  };
  line("plain write + fsync", write_times, "");
  line("save", save_times, ratio(save_ratios, 90).c_str());
  line("plain read", read_times, "");
  line("restore", restore_times, ratio(restore_ratios, 75).c_str());
  fmt::print("peak extra memory of a save: {:.1f} MB (goal: below 64)\n",
             static_cast<double>(extra) / 1e6);
  return 0;
}
