#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "assay/base/fault_file_system.h"
#include "assay/base/memory_file_system.h"
#include "assay/format/bundle_merge.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/bundle_writer.h"
#include "tests/support/errors.h"

namespace assay::format {
namespace {

using Fault = FaultyFileSystem::Fault;
using Tensors = std::map<std::string, Tensor>;
using testing::code_of;
using testing::error_of;

Tensors some_tensors(float first) {
  Tensors tensors;
  tensors["f"] = Tensor::of<float>({first, 2.5, -3, 4, 5, 6}, {2, 3});
  tensors["a/string"] = Tensor::of<std::string>({"", "x", std::string(30, 'y')});
  tensors["b"] = Tensor::of<bool>({true, false});
  tensors["empty"] = Tensor::zeros(DType::kFloat, Shape{0, 4});
  tensors["no strings"] = Tensor::zeros(DType::kString, Shape{0});
  tensors["half"] = Tensor::of<Half>({Half(1.5F)});
  tensors["complex"] = Tensor::scalar(std::complex<double>(1, -2));
  tensors["step"] = Tensor::scalar(std::int64_t{7});
  return tensors;
}

/// With one that goes to the system from where it is, between others that go through our buffer.
Tensors large_tensors(float first) {
  Tensors tensors = some_tensors(first);
  tensors["large"] = Tensor::zeros(DType::kFloat, Shape{20'000});
  tensors["large"].data<float>()[19'999] = first;
  return tensors;
}

void save(FileSystem& fs, const std::string& prefix, const Tensors& tensors) {
  BundleWriter writer(prefix, fs);
  for (const auto& [name, tensor] : tensors) writer.add(name, tensor);
  writer.finish();
}

Tensors load(FileSystem& fs, const std::string& prefix) {
  const BundleReader reader(prefix, fs);
  Tensors tensors;
  for (const auto& [name, entry] : reader.entries()) tensors[name] = reader.read(name);
  return tensors;
}

bool same(const Tensors& a, const Tensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.identical(y.second);
  });
}

/// Which files a killed writer may leave.
bool only_temporary(const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return is_temporary_name(name) || name.starts_with("older.") || name == "p.index" ||
           name == "p.data-00000-of-00001";
  });
}

int steps_of_save(bool replace, const Tensors& tensors) {
  MemoryFileSystem disk;
  disk.make_directories("d");
  if (replace) save(disk, "d/p", some_tensors(0));
  FaultyFileSystem fs(disk);
  save(fs, "d/p", tensors);
  return fs.steps();
}

enum class Power { kStays, kLosesBytes, kLosesBytesAndNames };

/// The process is gone at every write, fsync, rename and removal of a save, and with it, in two of
/// three cases, the power.
TEST(BundleFaults, KilledAtEveryStep) {
  const Tensors old_tensors = some_tensors(1);
  const Tensors new_tensors = large_tensors(2);
  int seen_old = 0;
  int seen_new = 0;
  for (const bool replace : {false, true}) {
    const int steps = steps_of_save(replace, new_tensors);
    EXPECT_GT(steps, replace ? 16 : 12);
    for (const auto power : {Power::kStays, Power::kLosesBytes, Power::kLosesBytesAndNames}) {
      for (int step = 0; step < steps; ++step) {
        MemoryFileSystem disk;
        disk.make_directories("d");
        save(disk, "d/older", old_tensors);
        if (replace) save(disk, "d/p", old_tensors);
        FaultyFileSystem fs(disk);
        fs.set_fault(step, Fault::kKill);
        EXPECT_EQ(code_of([&] { save(fs, "d/p", new_tensors); }), Code::kAborted);
        SCOPED_TRACE(fmt::format("replace {} power {} step {}: {}", replace,
                                 static_cast<int>(power), step, fs.log().back()));
        if (power != Power::kStays) disk.cut_power(power == Power::kLosesBytesAndNames);
        EXPECT_TRUE(same(load(disk, "d/older"), old_tensors));
        if (replace || disk.exists("d/p.index")) {
          const Tensors found = load(disk, "d/p");
          const bool is_new = same(found, new_tensors);
          EXPECT_TRUE(is_new || (replace && same(found, old_tensors)));
          ++(is_new ? seen_new : seen_old);
        }
        // And the next save works, whatever was left.
        save(disk, "d/p", new_tensors);
        EXPECT_TRUE(same(load(disk, "d/p"), new_tensors));
        EXPECT_TRUE(only_temporary(disk.list("d")));
      }
    }
  }
  EXPECT_GT(seen_old, 20);
  EXPECT_GT(seen_new, 5);
}

/// A second kill, while the next save tidies up after the first.
TEST(BundleFaults, KilledTwice) {
  const Tensors old_tensors = some_tensors(1);
  const Tensors middle = some_tensors(2);
  const Tensors last = some_tensors(3);
  const int steps = steps_of_save(true, middle);
  for (int first = 0; first < steps; ++first) {
    for (int second = 0; second < steps + 4; ++second) {
      MemoryFileSystem disk;
      save(disk, "p", old_tensors);
      FaultyFileSystem fs(disk);
      fs.set_fault(first, Fault::kKill);
      EXPECT_EQ(code_of([&] { save(fs, "p", middle); }), Code::kAborted);
      fs.set_fault(second, Fault::kKill);
      code_of([&] { save(fs, "p", last); });
      const Tensors found = load(disk, "p");
      EXPECT_TRUE(same(found, old_tensors) || same(found, middle) || same(found, last))
          << first << " " << second;
      save(disk, "p", last);
      EXPECT_TRUE(same(load(disk, "p"), last));
      EXPECT_TRUE(only_temporary(disk.list(".")));
    }
  }
}

/// Every kind of failure at every step, and failures after a part of the bytes is written: told
/// with the file and the reason, without harm, and what can be tidied up is.
TEST(BundleFaults, EveryFailureAtEveryStep) {
  const Tensors old_tensors = some_tensors(1);
  const Tensors new_tensors = large_tensors(2);
  for (const bool replace : {false, true}) {
    const int steps = steps_of_save(replace, new_tensors);
    for (const auto fault : {Fault::kFail, Fault::kShortWrite}) {
      for (const int number : {EIO, ENOSPC, EROFS, EMFILE}) {
        for (int step = 0; step < steps; ++step) {
          MemoryFileSystem disk;
          disk.make_directories("d");
          if (replace) save(disk, "d/p", old_tensors);
          FaultyFileSystem fs(disk);
          fs.set_fault(step, fault, number);
          const Error e = error_of([&] { save(fs, "d/p", new_tensors); });
          SCOPED_TRACE(fmt::format("replace {} step {}: {}", replace, step, e.message()));
          EXPECT_NE(e.code(), Code::kOk);
          EXPECT_TRUE(e.message().ends_with(std::strerror(number)));
          // The folder when it is made or synced, a file of the checkpoint otherwise.
          EXPECT_NE(e.message().find(" d"), std::string::npos);
          bool is_new = false;
          if (disk.exists("d/p.index")) {
            const Tensors found = load(disk, "d/p");
            is_new = same(found, new_tensors);
            EXPECT_TRUE(is_new || (replace && same(found, old_tensors)));
          } else {
            EXPECT_FALSE(replace);
          }
          if (!is_new) {
            EXPECT_EQ(disk.list("d").size(), replace ? 2U : 0U);
          }
          // Only that call failed: training goes on, and so does the next save.
          save(fs, "d/p", new_tensors);
          EXPECT_TRUE(same(load(disk, "d/p"), new_tensors));
          EXPECT_EQ(disk.list("d").size(), 2U);
        }
      }
    }
  }
}

TEST(BundleFaults, ReadingFails) {
  MemoryFileSystem disk;
  save(disk, "p", some_tensors(1));
  FaultyFileSystem fs(disk);
  fs.count_reads(true);
  load(fs, "p");
  const int steps = fs.steps();
  EXPECT_GT(steps, 8);
  for (const int number : {EIO, EMFILE}) {
    for (int step = 0; step < steps; ++step) {
      fs.set_fault(step, Fault::kFail, number);
      const Error e = error_of([&] { load(fs, "p"); });
      EXPECT_EQ(e.code(), number == EIO ? Code::kUnavailable : Code::kResourceExhausted);
      EXPECT_NE(e.message().find("p."), std::string::npos) << e.message();
      EXPECT_NE(e.message().find(std::strerror(number)), std::string::npos) << e.message();
    }
  }
}

TEST(BundleFaults, RoomIsAskedForFirst) {
  MemoryFileSystem disk;
  FaultyFileSystem fs(disk);
  const Tensor large = Tensor::zeros(DType::kFloat, Shape{1'000'000});
  fs.set_free_space(4'000'000);
  {
    BundleWriter writer("p", fs);
    EXPECT_EQ(writer.stored_bytes(large), 4'000'000U);
    EXPECT_EQ(writer.stored_bytes(Tensor::of<std::string>({"", std::string(200, 'x')})), 207U);
    const int before = fs.steps();
    const Error e = error_of([&] { writer.reserve(writer.stored_bytes(large)); });
    EXPECT_EQ(e.code(), Code::kResourceExhausted);
    EXPECT_NE(e.message().find("4000000 are free"), std::string::npos) << e.message();
    EXPECT_EQ(code_of([&] { writer.add("large", large); }), Code::kResourceExhausted);
    EXPECT_EQ(fs.steps(), before);
    writer.add("small", Tensor::scalar(1.0F));
    writer.finish();
  }
  EXPECT_EQ(load(disk, "p").size(), 1U);
  fs.set_free_space(4'100'000);
  BundleWriter writer("q", fs);
  writer.reserve(writer.stored_bytes(large));
  fs.set_free_space(0);  // it is ours
  writer.add("large", large);
  writer.finish();
}

void put(FileSystem& fs, const std::string& path, std::string_view bytes) {
  const auto file = fs.open_write(path);
  file->append(bytes);
  file->close();
}

/// Every bit of both files, alone.
TEST(BundleFaults, EveryFlippedBitIsNoticed) {
  MemoryFileSystem disk;
  const Tensors tensors = some_tensors(1);
  save(disk, "p", tensors);
  const std::string data_path = "p.data-00000-of-00001";
  const std::string index = read_file(disk, "p.index");
  const std::string data = read_file(disk, data_path);
  const BundleReader sound("p", disk);
  for (std::size_t i = 0; i < data.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string wrong = data;
      wrong[i] = static_cast<char>(wrong[i] ^ (1 << bit));
      put(disk, data_path, wrong);
      // The tensor whose byte it is is named, with file and place; the others can be read.
      for (const auto& [name, entry] : sound.entries()) {
        const bool here = i >= entry.offset && i < entry.offset + entry.size;
        const BundleReader reader("p", disk);
        const Error e = error_of([&, &n = name] { reader.read(n); });
        ASSERT_EQ(e.code(), here ? Code::kDataLoss : Code::kOk) << name << " " << i;
        if (!here) continue;
        EXPECT_NE(e.message().find(fmt::format("'{}'", name)), std::string::npos) << e.message();
        EXPECT_NE(e.message().find(
                      fmt::format("({}, {} bytes at {})", data_path, entry.size, entry.offset)),
                  std::string::npos)
            << e.message();
      }
    }
  }
  put(disk, data_path, data);
  // Without effect: the footer's padding, and the list of filters, which is not read.
  std::size_t unseen = 0;
  for (std::size_t i = 0; i < index.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string wrong = index;
      wrong[i] = static_cast<char>(wrong[i] ^ (1 << bit));
      put(disk, "p.index", wrong);
      Tensors found;
      const Error e = error_of([&] { found = load(disk, "p"); });
      ASSERT_TRUE(e.code() == Code::kDataLoss || (e.code() == Code::kOk && same(found, tensors)))
          << i << " " << e.message();
      if (e.code() == Code::kDataLoss) {
        EXPECT_NE(e.message().find("p.index"), std::string::npos) << e.message();
      } else {
        ++unseen;
      }
    }
  }
  EXPECT_LT(unseen, 8 * 60U);
}

TEST(BundleFaults, EveryCutIsNoticed) {
  MemoryFileSystem disk;
  const Tensors tensors = some_tensors(1);
  save(disk, "p", tensors);
  for (const char* path : {"p.index", "p.data-00000-of-00001"}) {
    const std::string bytes = read_file(disk, path);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      put(disk, path, bytes.substr(0, n));
      const Error e = error_of([&] { load(disk, "p"); });
      ASSERT_EQ(e.code(), Code::kDataLoss) << path << " " << n;
      EXPECT_NE(e.message().find(path), std::string::npos) << e.message();
    }
    // Bytes that follow are no part of the data; an index must end where it says.
    put(disk, path, bytes + "more");
    EXPECT_EQ(code_of([&] { load(disk, "p"); }),
              path == std::string("p.index") ? Code::kDataLoss : Code::kOk);
    put(disk, path, bytes);
  }
}

}  // namespace
}  // namespace assay::format
