#include "models/word2vec/corpus.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>
#include <sstream>

#include "assay/base/byte_source.h"
#include "assay/base/crc32c.h"
#include "assay/base/error.h"
#include "assay/base/file_system.h"
#include "models/word2vec/dictionary_text.h"

namespace assay::word2vec {
namespace {

// How much of a text is looked at to tell a dictionary from prose.
constexpr std::size_t kSniff = 1 << 16;

/// Words by the order in which they first occur, in one block of memory, with their counts.
class WordTable {
 public:
  WordTable() : slots_(1 << 16, -1) {}

  std::int32_t add(std::string_view word, std::uint64_t hash) {
    std::size_t at = hash & (slots_.size() - 1);
    while (slots_[at] >= 0) {
      const Entry& entry = entries_[static_cast<std::size_t>(slots_[at])];
      if (entry.hash == hash && text(entry) == word) {
        const std::int32_t id = slots_[at];
        ++entries_[static_cast<std::size_t>(id)].count;
        return id;
      }
      at = (at + 1) & (slots_.size() - 1);
    }
    const auto id = static_cast<std::int32_t>(entries_.size());
    slots_[at] = id;
    entries_.push_back({hash, letters_.size(), static_cast<std::uint32_t>(word.size()), 1});
    letters_ += word;
    if (entries_.size() * 2 > slots_.size()) grow();
    return id;
  }

  std::size_t size() const { return entries_.size(); }
  std::string_view word(std::size_t id) const { return text(entries_[id]); }
  std::int64_t count(std::size_t id) const { return entries_[id].count; }

 private:
  struct Entry {
    std::uint64_t hash;
    std::size_t begin;
    std::uint32_t length;
    std::int64_t count;
  };

  std::string_view text(const Entry& entry) const {
    return std::string_view(letters_).substr(entry.begin, entry.length);
  }

  void grow() {
    std::vector<std::int32_t> wider(slots_.size() * 2, -1);
    for (std::size_t id = 0; id < entries_.size(); ++id) {
      std::size_t at = entries_[id].hash & (wider.size() - 1);
      while (wider[at] >= 0) at = (at + 1) & (wider.size() - 1);
      wider[at] = static_cast<std::int32_t>(id);
    }
    slots_ = std::move(wider);
  }

  std::string letters_;
  std::vector<Entry> entries_;
  std::vector<std::int32_t> slots_;
};

/// Cuts a text into words as its pieces come.
class Tokenizer {
 public:
  Tokenizer(const std::string& path, WordTable& table, std::vector<std::int32_t>& ids)
      : path_(path), table_(table), ids_(ids), ids_before_(ids.size()) {}

  /// Holds the start of the text back until it is known whether it is a dictionary.
  void feed(std::string_view piece) {
    if (sniffing_) {
      start_ += piece;
      if (start_.size() >= kSniff) start_reading();
    } else {
      read(piece);
    }
  }

  void finish() {
    if (sniffing_) start_reading();
    if (dictionary_) {
      plain_.clear();
      dictionary_->finish(plain_);
      split(plain_);
    }
    end_word();
    if (ids_.size() == ids_before_) invalid_argument("text '{}' has no words", path_);
  }

 private:
  static constexpr std::uint64_t kHashStart = 0xcbf29ce484222325;  // FNV-1a, 64 bits
  static constexpr std::uint64_t kHashPrime = 0x100000001b3;
  // A longer run of letters is no word of any language; it is cut there.
  static constexpr std::size_t kLongestWord = 256;

  void start_reading() {
    sniffing_ = false;
    if (looks_like_dictionary(std::string_view(start_).substr(0, kSniff))) dictionary_.emplace();
    read(start_);
    start_.clear();
    start_.shrink_to_fit();
  }

  void read(std::string_view piece) {
    if (piece.find('\0') != std::string_view::npos) {
      invalid_argument(
          "text '{}' has NUL bytes: it is a binary file or UTF-16; give plain text, "
          "gzip or zip",
          path_);
    }
    if (!dictionary_) return split(piece);
    plain_.clear();
    dictionary_->feed(piece, plain_);
    split(plain_);
  }

  void split(std::string_view text) {
    for (const char c : text) {
      const auto lower = static_cast<unsigned char>(c | 0x20);
      if (lower - unsigned{'a'} < 26u && word_.size() < kLongestWord) {
        word_ += static_cast<char>(lower);
        hash_ = (hash_ ^ lower) * kHashPrime;
      } else {
        end_word();
      }
    }
  }

  void end_word() {
    if (word_.empty()) return;
    // FNV leaves little in the high bits of short words; mix them down.
    ids_.push_back(table_.add(word_, hash_ ^ (hash_ >> 32)));
    word_.clear();
    hash_ = kHashStart;
  }

  const std::string& path_;
  WordTable& table_;
  std::vector<std::int32_t>& ids_;
  std::size_t ids_before_;
  bool sniffing_ = true;
  std::string start_;
  std::optional<DictionaryCleaner> dictionary_;
  std::string plain_;
  std::string word_;
  std::uint64_t hash_ = kHashStart;
};

}  // namespace

std::int32_t Vocabulary::find(std::string_view word) const {
  const auto at = std::find(words.begin(), words.end(), word);
  return at == words.end() ? -1 : static_cast<std::int32_t>(at - words.begin());
}

std::uint32_t Vocabulary::checksum() const {
  std::string all;
  for (std::size_t i = 0; i < words.size(); ++i) all += fmt::format("{} {}\n", words[i], counts[i]);
  return crc32c::value(all);
}

Corpus read_corpus(const std::vector<std::string>& files, std::int64_t vocab_size) {
  if (vocab_size < 2) invalid_argument("a vocabulary of {} words; give at least 2", vocab_size);
  Corpus corpus;
  WordTable table;
  for (const std::string& path : files) {
    Tokenizer tokenizer(path, table, corpus.ids);
    const auto source = open_bytes(path);
    std::vector<char> piece(kSniff);
    while (const std::size_t size = source->read(piece.data(), piece.size())) {
      tokenizer.feed({piece.data(), size});
    }
    tokenizer.finish();
  }
  if (corpus.ids.size() < 2) {
    invalid_argument("the text has fewer than two words; skip-gram needs neighbours");
  }
  corpus.distinct = static_cast<std::int64_t>(table.size());
  if (vocab_size > corpus.distinct + 1) {
    invalid_argument(
        "a vocabulary of {} is larger than the text's: it has {} different words and UNK; give "
        "--vocab {} or less",
        vocab_size, corpus.distinct, corpus.distinct + 1);
  }

  std::vector<std::int32_t> order(table.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return table.count(static_cast<std::size_t>(a)) > table.count(static_cast<std::size_t>(b));
  });
  order.resize(static_cast<std::size_t>(vocab_size - 1));
  std::vector<std::int32_t> id_of(table.size(), 0);
  corpus.vocabulary.words.emplace_back("UNK");
  corpus.vocabulary.counts.push_back(static_cast<std::int64_t>(corpus.ids.size()));
  for (const std::int32_t entry : order) {
    const auto at = static_cast<std::size_t>(entry);
    id_of[at] = static_cast<std::int32_t>(corpus.vocabulary.words.size());
    corpus.vocabulary.words.emplace_back(table.word(at));
    corpus.vocabulary.counts.push_back(table.count(at));
    corpus.vocabulary.counts.front() -= table.count(at);
  }
  for (std::int32_t& id : corpus.ids) id = id_of[static_cast<std::size_t>(id)];
  return corpus;
}

void write_vocabulary(const Vocabulary& vocabulary, const std::string& path) {
  std::string text;
  for (std::size_t i = 0; i < vocabulary.words.size(); ++i) {
    text += fmt::format("{}\t{}\n", vocabulary.words[i], vocabulary.counts[i]);
  }
  atomic_write_file(posix_file_system(), path, text);
}

Vocabulary read_vocabulary(const std::string& path) {
  std::istringstream in(read_file(posix_file_system(), path));
  Vocabulary vocabulary;
  for (std::string line; std::getline(in, line);) {
    const auto tab = line.find('\t');
    std::int64_t count = -1;
    if (tab != std::string::npos) {
      std::from_chars(line.data() + tab + 1, line.data() + line.size(), count);
    }
    if (tab == 0 || count < 0) {
      fail(Code::kDataLoss, "'{}' is no list of words: its line {} is not 'word TAB count'", path,
           vocabulary.words.size() + 1);
    }
    vocabulary.words.push_back(line.substr(0, tab));
    vocabulary.counts.push_back(count);
  }
  if (vocabulary.words.empty()) fail(Code::kDataLoss, "'{}' is empty", path);
  return vocabulary;
}

}  // namespace assay::word2vec
