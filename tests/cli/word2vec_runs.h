#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/cli/program.h"
#include "tests/support/fixtures.h"

namespace assay::testing {

/// A folder with a text of 128 different words, to train small runs of word2vec in.
class Word2vecRuns : public ::testing::Test {
 protected:
  Word2vecRuns() {
    std::string words;
    std::uint32_t state = 7;
    for (int i = 0; i < 20000; ++i) {
      state = state * 1664525u + 1013904223u;
      const char a = static_cast<char>('a' + (state >> 28));
      const char b = static_cast<char>('a' + ((state >> 24) & 7));
      words += {a, b, ' '};
    }
    text_ = words;
    std::ofstream(path("text.txt"), std::ios::binary) << words;
  }

  std::string path(const std::string& name) const { return folder_ / name; }

  /// A small run of word2vec; `more` comes after.
  std::vector<std::string> train(const std::string& run, std::vector<std::string> more) const {
    std::vector<std::string> all{
        "train",     "word2vec", "--run",        path(run), "--text",  path("text.txt"),
        "--vocab",   "100",      "--dim",        "16",      "--batch", "32",
        "--sampled", "8",        "--save-every", "100"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  static std::vector<std::string> files_in(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      names.push_back(std::filesystem::relative(entry.path(), folder).string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  /// One line on standard error that begins with the program's name.
  static void expect_one_line(const Finished& f) {
    EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), 1) << f.err;
    EXPECT_TRUE(f.err.starts_with("assay: ")) << f.err;
  }

  TemporaryFolder folder_;
  std::string text_;
};

}  // namespace assay::testing
