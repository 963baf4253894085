#include "models/word2vec/dictionary_text.h"

#include <gtest/gtest.h>

namespace assay::word2vec {
namespace {

std::string clean(std::string_view text, std::size_t piece = 1 << 20) {
  DictionaryCleaner cleaner;
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    cleaner.feed(text.substr(at, piece), out);
  }
  cleaner.finish(out);
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

constexpr std::string_view kEntries = R"(
00-database-info
   This file was converted from the original database.

Abdication \Ab`di*ca"tion\, n. [L. abdicatio: cf. F.
   abdication.]
   The act of abdicating; the renunciation of a high office,
   by its holder.
   [1913 Webster]

Abditive \Ab"di*tive\, a. [L. abditivus, fr. abdere to hide.]
   Having the quality of hiding. [R.] --Bailey.
   [1913 Webster]

Abdomen \Ab*do"men\, n.
   1. (Anat.) The belly, or that part of the body between the
      thorax and the pelvis (see {Ab*dom"i*nal ring}).

            A general breach with their church.
                                                  --Sir T.
                                                  Browne.

   Syn: belly, paunch.
        [WordNet 1.5 +PJC]
)";

TEST(DictionaryText, KeepsProseAndDropsMarks) {
  EXPECT_EQ(clean(kEntries),
            "Abdication The act of abdicating the renunciation of a high office by its holder "
            "Abditive Having the quality of hiding "
            "Abdomen The belly or that part of the body between the thorax and the pelvis see "
            "Abdominal ring A general breach with their church belly paunch");
}

TEST(DictionaryText, PiecesMayEndAnywhere) {
  const std::string whole = clean(kEntries);
  for (const std::size_t piece : {1u, 2u, 3u, 7u, 64u}) EXPECT_EQ(clean(kEntries, piece), whole);
}

TEST(DictionaryText, BrokenMarksLoseNoText) {
  EXPECT_EQ(clean("Word \\Word\\, n.\n   An open [bracket and {brace stay.\n"),
            "Word An open bracket and brace stay");
  EXPECT_EQ(clean("Word \\Word\\, n.\n   A back\\slash, (a parenthesis"),
            "Word A back slash a parenthesis");
}

TEST(DictionaryText, ListsAndReferencesAreNoProse) {
  EXPECT_EQ(clean("Unbaked \\Unbaked\\\n   See {baked}.\n\n"
                  "Unbagged \\Unbagged\\\n   Unbagged\n   Unbaked\n   Unbaptized\n   Unbarbered\n"
                  "   Unbated\n\nSight \\Sight\\, n.\n   See how short\n   it is, or be\n   it "
                  "longer,\n   it is prose.\n"),
            "Sight See how short it is or be it longer it is prose");
}

TEST(DictionaryText, TellsADictionaryFromProse) {
  EXPECT_TRUE(looks_like_dictionary(kEntries));
  EXPECT_TRUE(looks_like_dictionary("a [1913 Webster] b [1913 Webster] c [1913 Webster]"));
  EXPECT_FALSE(looks_like_dictionary("He quoted [1913 Webster] once."));
  EXPECT_FALSE(looks_like_dictionary(""));
}

}  // namespace
}  // namespace assay::word2vec
