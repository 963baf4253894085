#pragma once

#include <string>
#include <string_view>

namespace assay::word2vec {

/// True when a text that starts with `start` is a dictionary in dictd's format or carries the
/// marks of the Collaborative International Dictionary of English (GCIDE).
bool looks_like_dictionary(std::string_view start);

/// Turns GCIDE as dictd prints it into plain English, a paragraph at a time. Dropped: the notes
/// before the first entry, pronunciations (`\Ab"so*lute\`) with the grammar after them, brackets
/// (`[1913 Webster]`, etymologies), labels (`(Zool.)`), the authors of citations (`--Froude.`),
/// numbers and single letters but a, i, o, lists of words, entries that only refer to another
/// (`See {x}.`). Kept: words in `{braces}`, without their syllable marks.
class DictionaryCleaner {
 public:
  /// Takes the next piece of the dictionary and appends to `out` the plain text of all paragraphs
  /// that end in it.
  void feed(std::string_view piece, std::string& out);
  /// Ends the text; appends what is left.
  void finish(std::string& out);

 private:
  void end_line(std::string& out);
  void clean_paragraph(std::string& out);

  std::string line_;
  std::string paragraph_;
  bool in_entries_ = false;  // the first entry has been seen
};

}  // namespace assay::word2vec
