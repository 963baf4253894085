#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::word2vec {

/// The words a model knows, by id. Id 0 is "UNK", which stands for all other words; the ids after
/// it go from the most to the least frequent word, equally frequent ones as they first occur.
struct Vocabulary {
  std::vector<std::string> words;
  /// How often each occurs in the text.
  std::vector<std::int64_t> counts;

  std::int64_t size() const { return static_cast<std::int64_t>(words.size()); }
  /// The id of `word`, or -1. Looks at every word: for a few look-ups.
  std::int32_t find(std::string_view word) const;
  /// A checksum (crc32c) of words and counts: tells two texts apart.
  std::uint32_t checksum() const;
};

/// A text as ids of its words.
struct Corpus {
  Vocabulary vocabulary;
  std::vector<std::int32_t> ids;
  /// How many different words the text has.
  std::int64_t distinct = 0;
};

/// Reads texts, plain or packed (see open_bytes()), as one: every run of ASCII letters is a word,
/// in lower case. A dictionary (see looks_like_dictionary()) is cleaned first. The vocabulary takes
/// the `vocab_size - 1` most frequent words. Throws what open_bytes() throws, InvalidArgument when
/// a file has NUL bytes or no words, when the text has fewer than two words, or when it has fewer
/// than `vocab_size - 1` different ones.
Corpus read_corpus(const std::vector<std::string>& files, std::int64_t vocab_size);

/// Writes a vocabulary as lines "word TAB count" and reads it back. Reading throws NotFound, or
/// DataLoss for a file that is no such list.
void write_vocabulary(const Vocabulary& vocabulary, const std::string& path);
Vocabulary read_vocabulary(const std::string& path);

}  // namespace assay::word2vec
