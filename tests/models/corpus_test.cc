#include "models/word2vec/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>

#include "assay/base/error.h"
#include "tests/support/fixtures.h"

namespace assay::word2vec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CorpusTest : public ::testing::Test {
 protected:
  std::string file(const std::string& name, std::string_view text) {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  /// The message of the error that reading gives.
  std::string refusal(const std::vector<std::string>& files, std::int64_t vocab, Code code) {
    try {
      read_corpus(files, vocab);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), code) << e.what();
      return e.message();
    }
    ADD_FAILURE() << "nothing was thrown";
    return {};
  }

  testing::TemporaryFolder folder_;
};

TEST_F(CorpusTest, WordsByFrequencyThenFirstOccurrence) {
  const Corpus c = read_corpus({file("a", "The cat, the dog: THE end of a dog-day. cat")}, 5);
  EXPECT_THAT(c.vocabulary.words, ElementsAre("UNK", "the", "cat", "dog", "end"));
  EXPECT_THAT(c.vocabulary.counts, ElementsAre(3, 3, 2, 2, 1));
  EXPECT_EQ(c.distinct, 7);
  EXPECT_THAT(c.ids, ElementsAre(1, 2, 1, 3, 1, 4, 0, 0, 3, 0, 2));
}

TEST_F(CorpusTest, PackedAndPlainTextsAreTheSame) {
  const std::string text = "one two three two one two\n";
  const std::string packed = folder_ / "t.txt.gz";
  gzFile gz = gzopen(packed.c_str(), "wb");
  gzwrite(gz, text.data(), static_cast<unsigned>(text.size()));
  gzclose(gz);
  const Corpus plain = read_corpus({file("t", text)}, 4);
  const Corpus unpacked = read_corpus({packed}, 4);
  EXPECT_EQ(plain.ids, unpacked.ids);
  EXPECT_EQ(plain.vocabulary.checksum(), unpacked.vocabulary.checksum());
}

TEST_F(CorpusTest, SeveralFilesAreOneText) {
  const Corpus c = read_corpus({file("a", "x y"), file("b", "y z")}, 4);
  EXPECT_THAT(c.vocabulary.words, ElementsAre("UNK", "y", "x", "z"));
  EXPECT_THAT(c.ids, ElementsAre(2, 1, 1, 3));
}

TEST_F(CorpusTest, BadTextsAreRefusedByName) {
  EXPECT_THAT(refusal({folder_ / "none"}, 5, Code::kNotFound), HasSubstr("none"));
  EXPECT_THAT(refusal({file("empty", "")}, 5, Code::kInvalidArgument), HasSubstr("empty"));
  EXPECT_THAT(refusal({file("digits", "12 34 56")}, 5, Code::kInvalidArgument),
              HasSubstr("no words"));
  EXPECT_THAT(refusal({file("binary", std::string_view("ab\0cd", 5))}, 5, Code::kInvalidArgument),
              HasSubstr("NUL"));
  EXPECT_THAT(refusal({file("small", "a b a")}, 5, Code::kInvalidArgument),
              HasSubstr("2 different words"));
  EXPECT_THAT(refusal({file("one", "word")}, 2, Code::kInvalidArgument),
              HasSubstr("fewer than two words"));
  refusal({(folder_.path()).string()}, 5, Code::kFailedPrecondition);
}

TEST_F(CorpusTest, VocabularyReadsBack) {
  const Corpus c = read_corpus({file("a", "b a b c b a")}, 3);
  const std::string path = folder_ / "vocab.tsv";
  write_vocabulary(c.vocabulary, path);
  const Vocabulary back = read_vocabulary(path);
  EXPECT_EQ(back.words, c.vocabulary.words);
  EXPECT_EQ(back.counts, c.vocabulary.counts);
  EXPECT_EQ(back.find("a"), 2);
  EXPECT_EQ(back.find("z"), -1);
  EXPECT_THROW(read_vocabulary(file("bad", "no tab here\n")), Error);
}

}  // namespace
}  // namespace assay::word2vec
