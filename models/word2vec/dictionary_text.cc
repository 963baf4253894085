#include "models/word2vec/dictionary_text.h"

#include <algorithm>

namespace assay::word2vec {
namespace {

// A paragraph of a dictionary is a few lines; a longer one is cut, so that a text that only looks
// like a dictionary does not pile up in memory.
constexpr std::size_t kLongestParagraph = 1 << 16;

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_letter(char c) {
  return is_upper(c) || is_lower(c);
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/// Reads one paragraph from left to right, leaving out what is not English prose.
class ParagraphCleaner {
 public:
  ParagraphCleaner(std::string_view text, std::string& out) : text_(text), out_(out) {}

  void run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (at_ == 0 || text_[at_ - 1] == '\n') skip_line_label();
      if (at_ >= text_.size()) break;
      if (c != text_[at_]) continue;
      if (c == '[') {
        skip_brackets();
      } else if (c == '\\') {
        skip_pronunciation();
      } else if (c == '{' || c == '}') {
        braces_ = c == '{';
        ++at_;
        // A brace joins nothing: "{Abdominal ring}(Anat.)" is three words.
        end_word();
      } else if (c == '(') {
        skip_label();
      } else if (c == '-' && peek(1) == '-' && is_citation_start(peek(2))) {
        skip_citation();
      } else if (is_letter(c)) {
        word_ += c;
        ++at_;
      } else if (braces_ && (c == '*' || c == '"' || c == '`')) {
        ++at_;  // marks of syllables and stress inside a word
      } else {
        end_word();
        ++at_;
      }
    }
    end_word();
  }

 private:
  char peek(std::size_t ahead) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  static bool is_citation_start(char c) { return is_upper(c) || is_digit(c); }

  void end_word() {
    const bool lone = word_.size() == 1 && word_ != "a" && word_ != "A" && word_ != "i" &&
                      word_ != "I" && word_ != "o" && word_ != "O";
    if (!word_.empty() && !lone) {
      out_ += word_;
      out_ += ' ';
    }
    word_.clear();
  }

  /// "Syn:", "Note:" and their like at the start of a line name what follows.
  void skip_line_label() {
    std::size_t end = at_;
    while (end < text_.size() && (text_[end] == ' ' || text_[end] == '\t')) ++end;
    for (const std::string_view label : {"Syn:", "Note:", "Ant:", "Defn:", "Usage:"}) {
      if (text_.substr(end).starts_with(label)) {
        end_word();
        at_ = end + label.size();
        return;
      }
    }
  }

  /// Skips "[...]" with all brackets inside; a bracket that never closes is only itself.
  void skip_brackets() {
    end_word();
    int depth = 0;
    for (std::size_t i = at_; i < text_.size(); ++i) {
      if (text_[i] == '[') ++depth;
      if (text_[i] == ']' && --depth == 0) {
        at_ = i + 1;
        return;
      }
    }
    ++at_;
  }

  /// Skips `\pro*nun"ci*a`tion\` and the parts of speech that stand between it and the line's end.
  void skip_pronunciation() {
    end_word();
    const std::size_t close = text_.find('\\', at_ + 1);
    if (close == std::string_view::npos) {
      ++at_;
      return;
    }
    at_ = close + 1;
    while (at_ < text_.size() && text_[at_] != '\n') {
      if (text_[at_] == '[') {
        skip_brackets();
      } else {
        ++at_;
      }
    }
  }

  /// Skips "(Zool.)", "(Law & Eccl.)", "(a)": a field or a number, not a remark.
  void skip_label() {
    end_word();
    constexpr std::size_t kLongest = 40;
    const std::size_t close = text_.find(')', at_ + 1);
    if (close != std::string_view::npos && close - at_ <= kLongest && close > at_ + 1) {
      const std::string_view inside = text_.substr(at_ + 1, close - at_ - 1);
      const bool field = is_upper(inside.front()) && inside.back() == '.';
      if (field || inside.size() == 1) {
        at_ = close + 1;
        return;
      }
    }
    ++at_;
  }

  /// Skips "--Sir T. Browne." and "--1 Cor. iv. 9.": capitalised words, numbers and initials, up
  /// to the first longer word with a full stop.
  void skip_citation() {
    end_word();
    at_ += 2;
    while (at_ < text_.size()) {
      while (at_ < text_.size() && is_space(text_[at_])) ++at_;
      std::size_t end = at_;
      while (end < text_.size() && !is_space(text_[end]) && text_[end] != '[') ++end;
      const std::string_view token = text_.substr(at_, end - at_);
      if (token.empty()) return;
      const bool roman = token.find_first_not_of("ivxlc.,") == std::string_view::npos;
      const bool part = is_upper(token.front()) || is_digit(token.front()) ||
                        token.front() == '(' || token.front() == '&' || roman || token == "of" ||
                        token == "and" || token == "de" || token == "the";
      if (!part) return;
      at_ = end;
      if (token.back() == '.' && token.size() > 4) return;
    }
  }

  std::string_view text_;
  std::string& out_;
  std::string word_;
  std::size_t at_ = 0;
  bool braces_ = false;
};

/// True for a list: many lines, nearly all of one word. It has no sentence to learn from, and
/// hundreds of rare words in a row are all UNK, which drives a model apart.
bool is_word_list(std::string_view paragraph) {
  constexpr int kLines = 5;
  int lines = 0;
  int lone = 0;
  while (!paragraph.empty()) {
    const auto end = std::min(paragraph.find('\n'), paragraph.size());
    std::string_view line = paragraph.substr(0, end);
    paragraph.remove_prefix(std::min(end + 1, paragraph.size()));
    while (!line.empty() && is_space(line.front())) line.remove_prefix(1);
    while (!line.empty() && is_space(line.back())) line.remove_suffix(1);
    ++lines;
    if (line.find(' ') == std::string_view::npos) ++lone;
  }
  return lines >= kLines && lone * 10 >= lines * 8;
}

/// True for an entry that only names another: "Unbaked See baked".
bool is_reference(std::string_view words) {
  constexpr std::ptrdiff_t kMostWords = 6;
  return std::count(words.begin(), words.end(), ' ') <= kMostWords &&
         (words.starts_with("See ") || words.find(" See ") != std::string_view::npos);
}

}  // namespace

bool looks_like_dictionary(std::string_view start) {
  if (start.find("\n00-database") != std::string_view::npos || start.starts_with("00-database")) {
    return true;
  }
  int marks = 0;
  for (const std::string_view mark : {"[1913 Webster]", "[WordNet 1.5"}) {
    for (auto at = start.find(mark); at != std::string_view::npos && marks < 3;
         at = start.find(mark, at + 1)) {
      ++marks;
    }
  }
  return marks >= 3;
}

void DictionaryCleaner::feed(std::string_view piece, std::string& out) {
  while (true) {
    const auto newline = piece.find('\n');
    line_ += piece.substr(0, newline);
    if (newline == std::string_view::npos) {
      if (line_.size() > kLongestParagraph) end_line(out);
      return;
    }
    end_line(out);
    piece.remove_prefix(newline + 1);
  }
}

void DictionaryCleaner::finish(std::string& out) {
  end_line(out);
  clean_paragraph(out);
}

void DictionaryCleaner::end_line(std::string& out) {
  const bool blank = std::all_of(line_.begin(), line_.end(), is_space);
  // An entry starts at the margin with its word and, in backslashes, how it is spoken.
  const bool entry =
      !blank && !is_space(line_.front()) && std::count(line_.begin(), line_.end(), '\\') >= 2;
  in_entries_ = in_entries_ || entry;
  if (blank || entry) clean_paragraph(out);
  if (!blank && in_entries_) {
    paragraph_ += line_;
    paragraph_ += '\n';
  }
  line_.clear();
  if (paragraph_.size() > kLongestParagraph) clean_paragraph(out);
}

void DictionaryCleaner::clean_paragraph(std::string& out) {
  if (!is_word_list(paragraph_)) {
    std::string words;
    ParagraphCleaner(paragraph_, words).run();
    if (!is_reference(words)) out += words;
  }
  paragraph_.clear();
}

}  // namespace assay::word2vec
