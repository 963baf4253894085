#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "assay/base/file_system.h"
#include "assay/base/log.h"
#include "assay/cli/commands.h"
#include "models/word2vec/neighbors.h"
#include "models/word2vec/run_files.h"

namespace assay::cli {
namespace {

std::string lower_case(std::string word) {
  if (word == "UNK") return word;
  for (char& c : word) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return word;
}

int neighbors(const std::string& run, const std::vector<std::string>& words, std::int64_t count) {
  const auto trained = word2vec::read_vectors(run);
  int code = 0;
  for (const std::string& word : words) {
    const std::int32_t id = trained.vocabulary.find(lower_case(word));
    if (id < 0) {
      fmt::print(stderr, "assay: '{}' is not among the {} words of the vocabulary\n", word,
                 trained.vocabulary.size());
      code = kExitFailure;
      continue;
    }
    fmt::print("{}\n", trained.vocabulary.words[static_cast<std::size_t>(id)]);
    for (const auto& near : word2vec::nearest(trained.vectors, id, count)) {
      fmt::print("  {:6.4f}  {}\n", near.similarity,
                 trained.vocabulary.words[static_cast<std::size_t>(near.id)]);
    }
  }
  return code;
}

int vectors(const std::string& run, const std::string& out) {
  FileSystem& files = posix_file_system();
  if (files.is_directory(out)) throw UsageError(fmt::format("--out {}: this is a folder", out));
  if (!files.is_directory(parent_directory(out))) {
    throw UsageError(fmt::format("--out {}: there is no folder '{}'", out, parent_directory(out)));
  }
  const auto trained = word2vec::read_vectors(run);
  atomic_write_file(posix_file_system(), out,
                    word2vec::vectors_text(trained.vocabulary, trained.vectors));
  fmt::print("{} vectors of {} numbers from {} are in {}\n", trained.vectors.dim(0),
             trained.vectors.dim(1), trained.checkpoint, out);
  return 0;
}

}  // namespace

void add_neighbors(CLI::App& app, Action& action) {
  struct Flags {
    std::string run;
    std::vector<std::string> words;
    std::int64_t count = 8;
  };
  CLI::App* command =
      app.add_subcommand("neighbors", "The words nearest to given ones, with the cosine");
  auto flags = std::make_shared<Flags>();
  command->add_option("DIR", flags->run, "Run folder of word2vec")->required()->type_name("");
  command->add_option("WORD", flags->words, "Words of the vocabulary")
      ->required()
      ->type_name("")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--count", flags->count, "Neighbours of each word")
      ->type_name("N")
      ->check(whole_number(1, std::int64_t{1} << 31))
      ->capture_default_str();
  command->callback([&action, flags] {
    action = [flags] { return neighbors(flags->run, flags->words, flags->count); };
  });
}

void add_vectors(CLI::App& app, Action& action) {
  struct Flags {
    std::string run;
    std::string out;
  };
  CLI::App* command =
      app.add_subcommand("vectors", "Write the word vectors in word2vec's text format");
  auto flags = std::make_shared<Flags>();
  command->add_option("DIR", flags->run, "Run folder of word2vec")->required()->type_name("");
  command->add_option("--out", flags->out, "File to write")->required()->type_name("FILE");
  command->callback(
      [&action, flags] { action = [flags] { return vectors(flags->run, flags->out); }; });
}

}  // namespace assay::cli
