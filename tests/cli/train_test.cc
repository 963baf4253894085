#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <regex>

#include "tests/cli/program.h"
#include "tests/cli/word2vec_runs.h"
#include "tests/support/fixtures.h"

namespace assay::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class TrainTest : public Word2vecRuns {};

TEST_F(TrainTest, TrainsAndLeavesARunFolder) {
  const Finished f = assay(train("run", {"--steps", "300"}));
  ASSERT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(f.err, "");
  EXPECT_THAT(f.out, HasSubstr("Average loss at step 300:"));
  EXPECT_THAT(f.out, HasSubstr("words/s"));
  EXPECT_THAT(f.out, Not(HasSubstr("\r")));
  EXPECT_THAT(f.out, HasSubstr("Done: step 300"));
  const auto files = files_in(path("run"));
  for (const char* name :
       {"run.json", "vocab.tsv", "checkpoints/checkpoint", "checkpoints/skip-gram-300.index",
        "checkpoints/skip-gram-300.meta", "checkpoints/skip-gram-300.data-00000-of-00001"}) {
    EXPECT_THAT(files, ::testing::Contains(name));
  }
  EXPECT_THAT(files, ::testing::Contains(HasSubstr("events.out.tfevents.")));

  const Finished again = assay(train("run", {"--steps", "300"}));
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.out, HasSubstr("Nothing to do"));

  const Finished more = assay(train("run", {"--steps", "400"}));
  EXPECT_EQ(more.code, 0) << more.err;
  EXPECT_THAT(more.out, HasSubstr("at step 300"));
  EXPECT_THAT(more.out, HasSubstr("Done: step 400"));

  const Finished near = assay({"neighbors", path("run"), "cd", "BB"});
  EXPECT_EQ(near.code, 0) << near.err;
  EXPECT_TRUE(
      std::regex_search(near.out, std::regex("^cd\n(  -?[01]\\.[0-9]{4}  [a-z]+\n){8}bb\n")))
      << near.out;
  const Finished unknown = assay({"neighbors", path("run"), "zzzz"});
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("'zzzz'"));

  const Finished vectors = assay({"vectors", path("run"), "--out", path("v.txt")});
  EXPECT_EQ(vectors.code, 0) << vectors.err;
  std::ifstream in(path("v.txt"));
  std::string line;
  std::getline(in, line);
  EXPECT_EQ(line, "100 16");
  int lines = 0;
  while (std::getline(in, line)) {
    EXPECT_EQ(std::count(line.begin(), line.end(), ' '), 16);
    ++lines;
  }
  EXPECT_EQ(lines, 100);

  const Finished look = assay({"inspect", path("run")});
  EXPECT_EQ(look.code, 0) << look.err;
  EXPECT_THAT(look.out, HasSubstr("embed_matrix"));
  EXPECT_THAT(look.out, HasSubstr("summaries/loss"));
}

TEST_F(TrainTest, EpochsAreCountedInSteps) {
  // 20000 words: 39998 pairs, 1249 whole batches of 32.
  const Finished f = assay(train("run", {"--epochs", "1"}));
  ASSERT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.out, HasSubstr("Done: step 1249"));
}

TEST_F(TrainTest, ReadsTextFromAZipWhateverItsName) {
  int error = 0;
  zip_t* archive = zip_open(path("text8.zip").c_str(), ZIP_CREATE, &error);
  ASSERT_NE(archive, nullptr);
  zip_file_add(archive, "text8", zip_source_buffer(archive, text_.data(), text_.size(), 0), 0);
  ASSERT_EQ(zip_close(archive), 0);
  fs::rename(path("text8.zip"), path("text8"));
  const Finished f = assay({"train", "word2vec", "--run", path("run"), "--text", path("text8"),
                            "--vocab", "100", "--dim", "8", "--steps", "5"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.out, HasSubstr("20000 words, 128 different"));
}

TEST_F(TrainTest, KilledRunGoesOnFromItsLastCheckpoint) {
  Process first(assay_command(train("run", {"--steps", "100000000"})));
  const std::string checkpoint = path("run") + "/checkpoints/checkpoint";
  for (int i = 0; i < 3000 && !fs::exists(checkpoint); ++i) ::usleep(10000);
  ASSERT_TRUE(fs::exists(checkpoint));
  ::usleep(100000);
  first.send(SIGKILL);
  EXPECT_EQ(first.finish().signal, SIGKILL);

  std::int64_t newest = 0;
  for (const std::string& name : files_in(path("run"))) {
    std::smatch match;
    if (std::regex_match(name, match, std::regex("checkpoints/skip-gram-([0-9]+)\\.index"))) {
      newest = std::max<std::int64_t>(newest, std::stoll(match[1]));
    }
  }
  ASSERT_GT(newest, 0);
  const Finished second = assay(train("run", {"--steps", std::to_string(newest + 50)}));
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_THAT(second.out, HasSubstr("at step " + std::to_string(newest) + "\n"));
  EXPECT_THAT(second.out, HasSubstr("Done: step " + std::to_string(newest + 50)));
}

TEST_F(TrainTest, CtrlCSavesAndSaysHowToResume) {
  Process run(assay_command(train("a run", {"--steps", "100000000"})));
  const std::string checkpoint = path("a run") + "/checkpoints/checkpoint";
  for (int i = 0; i < 3000 && !fs::exists(checkpoint); ++i) ::usleep(10000);
  run.send(SIGINT);
  const Finished f = run.finish();
  EXPECT_EQ(f.code, 130) << f.err;
  std::smatch match;
  ASSERT_TRUE(std::regex_search(f.out, match, std::regex("Stopped at step ([0-9]+) of 100000000")))
      << f.out;
  EXPECT_TRUE(fs::exists(path("a run") + "/checkpoints/skip-gram-" + match[1].str() + ".index"));
  EXPECT_THAT(f.out, HasSubstr("To resume: "));
  EXPECT_THAT(f.out, HasSubstr("--run '" + path("a run") + "'"));
  const Finished on = assay(train("a run", {"--steps", std::to_string(std::stoll(match[1]) + 5)}));
  EXPECT_EQ(on.code, 0) << on.err;
  EXPECT_THAT(on.out, HasSubstr("at step " + match[1].str() + "\n"));
}

TEST_F(TrainTest, CtrlCWhileTheTextIsReadEndsBeforeARunIsMade) {
  // A pipe: reading lasts until the test has sent the signal.
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  Process run(assay_command(train("r", {"--text", path("pipe")})));
  ASSERT_TRUE(run.wait_for("Reading"));
  run.send(SIGINT);
  std::ofstream(path("pipe"), std::ios::binary) << text_;
  const Finished f = run.finish();
  EXPECT_EQ(f.code, 130) << f.err;
  EXPECT_THAT(f.out, HasSubstr("nothing to save yet\nTo begin: "));
  EXPECT_FALSE(fs::exists(path("r")));
}

TEST_F(TrainTest, ARunIsResumedFromAnotherFolder) {
  const auto in_folder = [&](const std::string& folder, const std::string& run,
                             const std::vector<std::string>& more) {
    std::string command = "cd '" + folder + "' && exec '" + assay_program() +
                          "' train word2vec --run '" + path(run) +
                          "' --vocab 100 --dim 8 --batch 32";
    for (const std::string& word : more) command += " '" + word + "'";
    return Process({"/bin/bash", "-c", command}).finish();
  };
  const std::string here = folder_.path().string();
  fs::create_directory(path("sub"));
  fs::create_symlink(path("text.txt"), path("sub/link.txt"));
  Finished f = in_folder(here, "run", {"--text", "text.txt", "--steps", "5"});
  ASSERT_EQ(f.code, 0) << f.err;
  f = in_folder("/", "run", {"--steps", "6"});
  EXPECT_EQ(f.code, 0) << f.err;
  f = in_folder(path("sub"), "run", {"--text", "../text.txt", "--steps", "7"});
  EXPECT_EQ(f.code, 0) << f.err;
  f = in_folder(path("sub"), "run", {"--text", "link.txt", "--steps", "8"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.out, HasSubstr("Done: step 8"));
  std::ofstream(path("other.txt")) << text_;
  f = in_folder(here, "run", {"--text", "other.txt", "--steps", "9"});
  EXPECT_EQ(f.code, 1);
  expect_one_line(f);
  EXPECT_THAT(f.err, HasSubstr("other.txt"));

  // Runs of before kept the name as it was typed.
  std::ifstream in(path("run/run.json"));
  std::string json((std::istreambuf_iterator<char>(in)), {});
  const auto at = json.find(path("text.txt"));
  ASSERT_NE(at, std::string::npos) << json;
  json.replace(at, path("text.txt").size(), "text.txt");
  std::ofstream(path("run/run.json")) << json;
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"--steps", "9"},
        std::vector<std::string>{"--text", "text.txt", "--steps", "10"}}) {
    f = in_folder(here, "run", more);
    EXPECT_EQ(f.code, 0) << f.err;
  }
}

TEST_F(TrainTest, FlagsOfAnotherRunAreRefusedWithBothValues) {
  ASSERT_EQ(assay(train("run", {"--steps", "10"})).code, 0);
  const auto before = files_in(path("run"));
  const Finished f = assay(train("run", {"--steps", "20", "--lr", "0.5", "--seed", "9"}));
  EXPECT_EQ(f.code, 1);
  expect_one_line(f);
  EXPECT_TRUE(std::regex_search(f.err, std::regex("lr.*(1.*0\\.5|0\\.5.*1)"))) << f.err;
  EXPECT_THAT(f.err, HasSubstr("seed"));
  EXPECT_THAT(f.err, HasSubstr("9"));
  EXPECT_EQ(files_in(path("run")), before);
  // Flags that are left out are those of the run.
  const Finished on = assay({"train", "word2vec", "--run", path("run"), "--steps", "12"});
  EXPECT_EQ(on.code, 0) << on.err;
  EXPECT_THAT(on.out, HasSubstr("Done: step 12"));
}

TEST_F(TrainTest, WrongUsageIsOneLineAndExitCode2) {
  for (const std::vector<std::string>& wrong :
       {train("r", {"--dim", "0"}), train("r", {"--lr", "0"}), train("r", {"--lr", "nan"}),
        train("r", {"--steps", "5", "--epochs", "1"}), train("r", {"--steps", "-5"}),
        train("r", {"--nonsense"}), train("r", {"--sampled", "100"}),
        std::vector<std::string>{"train", "word2vec"}, std::vector<std::string>{"train", "lstm"},
        std::vector<std::string>{}, std::vector<std::string>{"frobnicate"},
        std::vector<std::string>{"run"}}) {
    const Finished f = assay(wrong);
    EXPECT_EQ(f.code, 2) << f.err;
    expect_one_line(f);
  }
  EXPECT_FALSE(fs::exists(path("r")));
  EXPECT_THAT(assay({"frobnicate"}).err, HasSubstr("no command 'frobnicate'"));
  EXPECT_THAT(assay({"train", "lstm"}).err, HasSubstr("no command 'lstm'"));
  EXPECT_EQ(assay(train("r", {"--dim", "2147483648"})).code, 2);
  EXPECT_THAT(assay(train("r", {"--dim", "-3"})).err, HasSubstr("--dim: expected a whole number"));
  for (const auto& wrong :
       {train("r", {"--text", ""}), train("r", {"--text", path("\xff.txt")}), train("r\xfe", {}),
        std::vector<std::string>{"train", "word2vec", "--run", ""},
        std::vector<std::string>{"vectors", path("r"), "--out", path(".")},
        std::vector<std::string>{"vectors", path("r"), "--out", path("no/v")}}) {
    const Finished f = assay(wrong);
    EXPECT_EQ(f.code, 2) << f.err;
    expect_one_line(f);
  }
  EXPECT_THAT(assay({"train", "word2vec", "--help"}).out, Not(HasSubstr("INT in")));
  for (const char* command : {"train", "neighbors", "vectors", "run", "inspect", "ops"}) {
    const Finished help = assay({command, "--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.out, HasSubstr("--help"));
  }
}

TEST_F(TrainTest, BadTextsAreOneClearLineAndMakeNoRun) {
  std::ofstream(path("empty.txt"));
  std::ofstream(path("binary"), std::ios::binary).write("ab\0cd ef", 8);
  std::ofstream(path("digits.txt")) << "1 2 3";
  std::ofstream(path("short.gz"), std::ios::binary) << "\x1f\x8b\x08 cut";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"missing.txt", "missing.txt"}, {"empty.txt", "empty"},   {"binary", "NUL"},
      {"digits.txt", "no words"},     {"short.gz", "short.gz"}, {".", "folder"}};
  for (const auto& [name, message] : cases) {
    const Finished f = assay({"train", "word2vec", "--run", path("r"), "--text", path(name)});
    EXPECT_EQ(f.code, 1) << name;
    expect_one_line(f);
    EXPECT_THAT(f.err, HasSubstr(message));
    EXPECT_FALSE(fs::exists(path("r")));
  }
  const Finished f = assay(train("r", {"--vocab", "1000"}));
  EXPECT_EQ(f.code, 1);
  expect_one_line(f);
  EXPECT_THAT(f.err, HasSubstr("128 different words"));
  EXPECT_THAT(f.err, HasSubstr("give --vocab 129 or less"));
  EXPECT_FALSE(fs::exists(path("r")));
  if (::geteuid() != 0) {
    std::ofstream(path("locked.txt")) << text_;
    fs::permissions(path("locked.txt"), fs::perms::none);
    const Finished locked =
        assay({"train", "word2vec", "--run", path("r"), "--text", path("locked.txt")});
    EXPECT_EQ(locked.code, 1);
    expect_one_line(locked);
  }
}

TEST_F(TrainTest, BadRunFoldersAreOneClearLine) {
  std::ofstream(path("file")) << "keep me";
  fs::create_directory(path("other"));
  std::ofstream(path("other") + "/thesis.txt") << "keep me";
  fs::create_directory(path("foreign"));
  std::ofstream(path("foreign") + "/run.json") << R"({"model":"lstm","parameters":{}})";
  fs::create_directory(path("broken"));
  std::ofstream(path("broken") + "/run.json") << R"({"model":)";
  for (const char* name : {"file", "other", "foreign", "broken"}) {
    const Finished f = assay(train(name, {"--steps", "5"}));
    EXPECT_EQ(f.code, 1) << name;
    expect_one_line(f);
    EXPECT_THAT(f.err, HasSubstr(name));
  }
  fs::create_directory(path("partial"));
  std::ofstream(path("partial") + "/run.json")
      << R"({"format":1,"model":"word2vec","parameters":{"vocab":100}})";
  for (const Finished& f :
       {assay(train("partial", {})), assay({"neighbors", path("partial"), "word"})}) {
    EXPECT_EQ(f.code, 1);
    expect_one_line(f);
    EXPECT_THAT(f.err, HasSubstr("partial"));
  }
  EXPECT_EQ(fs::file_size(path("file")), 7u);
  EXPECT_EQ(files_in(path("other")).size(), 1u);
  EXPECT_EQ(files_in(path("foreign")).size(), 1u);
  for (const char* command : {"neighbors", "inspect"}) {
    std::vector<std::string> arguments{command, path("nowhere")};
    if (std::string(command) == "neighbors") arguments.emplace_back("word");
    const Finished f = assay(arguments);
    EXPECT_EQ(f.code, 1);
    expect_one_line(f);
  }
}

TEST_F(TrainTest, ReadOnlyRunFolderIsRefused) {
  if (::geteuid() == 0) {
    // Root writes anywhere but where the system itself does not.
    const Finished f = assay({"train", "word2vec", "--run", "/proc/assay", "--text",
                              path("text.txt"), "--vocab", "100", "--steps", "5"});
    EXPECT_EQ(f.code, 1);
    expect_one_line(f);
    return;
  }
  fs::create_directory(path("locked"));
  fs::permissions(path("locked"), fs::perms::owner_read | fs::perms::owner_exec);
  const Finished f = assay(train("locked", {"--steps", "5"}));
  fs::permissions(path("locked"), fs::perms::owner_all);
  EXPECT_EQ(f.code, 1);
  expect_one_line(f);
}

TEST_F(TrainTest, AnotherTextUnderTheSameNameIsRefused) {
  ASSERT_EQ(assay(train("run", {"--steps", "10"})).code, 0);
  std::ofstream(path("text.txt"), std::ios::app) << " aa";
  const Finished f = assay(train("run", {"--steps", "20"}));
  EXPECT_EQ(f.code, 1);
  expect_one_line(f);
  EXPECT_THAT(f.err, HasSubstr("same text"));
  EXPECT_THAT(f.err, HasSubstr("then 20000 words"));
  EXPECT_THAT(f.err, HasSubstr("now 20001"));
}

// The vocabulary is the same then: only the iterator's own mark tells the texts apart.
TEST_F(TrainTest, TheSameWordsInAnotherOrderAreRefused) {
  ASSERT_EQ(assay(train("run", {"--steps", "10"})).code, 0);
  std::string words = text_;
  auto at = words.size() - 6;
  while (words.compare(at, 3, words, at + 3, 3) == 0) at -= 3;
  std::swap_ranges(words.begin() + static_cast<std::ptrdiff_t>(at),
                   words.begin() + static_cast<std::ptrdiff_t>(at + 3),
                   words.begin() + static_cast<std::ptrdiff_t>(at + 3));
  std::ofstream(path("text.txt"), std::ios::binary) << words;
  const Finished f = assay(train("run", {"--steps", "20"}));
  EXPECT_EQ(f.code, 1);
  expect_one_line(f);
  EXPECT_THAT(f.err, HasSubstr("the text has changed"));
  EXPECT_THAT(f.err, HasSubstr("20000 words (checksum "));
}

TEST_F(TrainTest, DamagedCheckpointFallsBackToTheOneBefore) {
  ASSERT_EQ(assay(train("run", {"--steps", "200"})).code, 0);
  const auto flip = [](const std::string& file, std::uint64_t at) {
    std::fstream io(file, std::ios::in | std::ios::out | std::ios::binary);
    io.seekg(static_cast<std::streamoff>(at));
    const int byte = io.get();
    io.seekp(static_cast<std::streamoff>(at));
    io.put(static_cast<char>(byte ^ 1));
  };
  const std::string stem = "/checkpoints/skip-gram-200";
  const std::string data = stem + ".data-00000-of-00001";
  const std::map<std::string, std::function<void(const std::string&)>> damages{
      {"half",
       [&](const auto& run) { fs::resize_file(run + data, fs::file_size(run + data) / 2); }},
      {"first", [&](const auto& run) { flip(run + data, 0); }},
      {"last", [&](const auto& run) { flip(run + data, fs::file_size(run + data) - 1); }},
      {"index", [&](const auto& run) { flip(run + stem + ".index", 30); }},
      {"gone", [&](const auto& run) { fs::remove(run + data); }}};
  for (const auto& [name, damage] : damages) {
    SCOPED_TRACE(name);
    fs::copy(path("run"), path(name), fs::copy_options::recursive);
    damage(path(name));
    const Finished f = assay(train(name, {"--steps", "250"}));
    EXPECT_EQ(f.code, 0) << f.err;
    EXPECT_THAT(f.out, HasSubstr("at step 100\n"));
    EXPECT_THAT(f.err, HasSubstr("skip-gram-200"));
    EXPECT_THAT(f.out, HasSubstr("Done: step 250"));
  }
}

TEST_F(TrainTest, NeighborsPassOverACheckpointWhoseVectorsAreDamaged) {
  ASSERT_EQ(assay(train("run", {"--steps", "200"})).code, 0);
  fs::resize_file(path("run") + "/checkpoints/skip-gram-200.data-00000-of-00001", 100);
  const Finished near = assay({"neighbors", path("run"), "bb"});
  EXPECT_EQ(near.code, 0) << near.err;
  EXPECT_THAT(near.err, HasSubstr("skip-gram-200"));
}

TEST_F(TrainTest, WhenAllCheckpointsAreDamagedItIsSaidOnceOfEach) {
  ASSERT_EQ(assay(train("run", {"--steps", "200"})).code, 0);
  for (const char* stem : {"skip-gram-100", "skip-gram-200"}) {
    fs::resize_file(path("run/checkpoints/") + stem + ".data-00000-of-00001", 100);
  }
  const Finished f = assay(train("run", {"--steps", "300"}));
  EXPECT_EQ(f.code, 1);
  const std::string last = f.err.substr(f.err.find("assay: none"));
  EXPECT_THAT(last, HasSubstr("none of the 2 checkpoints"));
  EXPECT_THAT(last, HasSubstr("skip-gram-200"));
  EXPECT_THAT(last, Not(HasSubstr("skip-gram-100")));
  const Finished near = assay({"neighbors", path("run"), "bb"});
  EXPECT_EQ(near.code, 1);
  expect_one_line(near);
  EXPECT_THAT(near.err, HasSubstr("are damaged and were set aside"));
  EXPECT_THAT(near.err, HasSubstr("skip-gram-200.damaged"));
}

TEST_F(TrainTest, CheckpointOfAnotherShapeIsRefused) {
  ASSERT_EQ(assay(train("run", {"--steps", "100"})).code, 0);
  ASSERT_EQ(assay(train("wide", {"--steps", "100", "--dim", "24"})).code, 0);
  for (const char* file : {"skip-gram-100.index", "skip-gram-100.data-00000-of-00001"}) {
    fs::copy_file(path("wide") + "/checkpoints/" + file, path("run") + "/checkpoints/" + file,
                  fs::copy_options::overwrite_existing);
  }
  const Finished f = assay(train("run", {"--steps", "150"}));
  EXPECT_EQ(f.code, 1);
  expect_one_line(f);
  EXPECT_THAT(f.err, HasSubstr("[100,24]"));
  EXPECT_THAT(f.err, HasSubstr("[100,16]"));
}

TEST_F(TrainTest, FullDiskWhileSavingKeepsTheLastCheckpoint) {
  ASSERT_EQ(assay(train("run", {"--steps", "100"})).code, 0);
  // Files may not grow beyond 4 kB: what a full disk does to a write.
  const auto on_full_disk = [&](const char* steps) {
    std::string command = "ulimit -f 4; trap '' XFSZ; exec '" + assay_program() + "'";
    for (const std::string& word : train("run", {"--steps", steps})) command += " '" + word + "'";
    return Process({"/bin/bash", "-c", command}).finish();
  };
  // The saves before the last one are tried, and each that fails is one line.
  const Finished periodic = on_full_disk("300");
  EXPECT_EQ(periodic.code, 1) << periodic.out << periodic.err;
  EXPECT_EQ(std::count(periodic.err.begin(), periodic.err.end(), '\n'), 2) << periodic.err;
  EXPECT_THAT(periodic.err, HasSubstr("assay: warning: there is no checkpoint of step 200"));
  EXPECT_THAT(periodic.err, HasSubstr("the same command resumes"));
  const Finished f = on_full_disk("150");
  EXPECT_EQ(f.code, 1) << f.out << f.err;
  expect_one_line(f);
  EXPECT_THAT(f.err, HasSubstr("the same command resumes"));
  EXPECT_THAT(f.err, Not(HasSubstr("unique_ptr.h")));
  const Finished near = assay({"neighbors", path("run"), "bb"});
  EXPECT_EQ(near.code, 0) << near.err;
  const Finished on = assay(train("run", {"--steps", "300"}));
  EXPECT_EQ(on.code, 0) << on.err;
  EXPECT_THAT(on.out, HasSubstr("at step 100\n"));
}

}  // namespace
}  // namespace assay::testing
