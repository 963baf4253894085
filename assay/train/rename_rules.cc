#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "assay/graph/similar.h"
#include "assay/train/checkpoint_copy.h"
#include "assay/train/saver.h"

namespace assay::train {

namespace {

// std::regex recurses with the length of what it matches.
constexpr std::size_t kMaxNameForRegex = 1024;
constexpr std::string_view kSeparators = ",;\n";

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

bool is_scope(const std::pair<std::string, std::string>& pair) {
  return pair.first.ends_with('/');
}

/// Where the half of a substitution ends that begins at `at`: its sign's place; npos: nowhere.
std::size_t end_of_half(const std::string& text, std::size_t at, char sign) {
  for (; at < text.size() && text[at] != '\n'; ++at) {
    if (text[at] == sign) return at;
    if (text[at] == '\\' && at + 1 < text.size() && text[at + 1] != '\n') ++at;
  }
  return std::string::npos;
}

/// Whether a substitution begins at `at`. "s/w=t/w" is none, and neither is "s/a/w=t/a/w": where
/// its three signs are not followed by an end, an '=' before the next separator makes it a pair.
bool is_substitution(const std::string& text, std::size_t at) {
  if (at + 1 >= text.size() || text[at] != 's') return false;
  const char sign = text[at + 1];
  if (std::ispunct(static_cast<unsigned char>(sign)) == 0) return false;
  if (std::string_view("=_-.,;\\").find(sign) != std::string_view::npos) return false;
  const std::size_t piece_end = std::min(text.find_first_of(kSeparators, at), text.size());
  const bool has_equals = text.substr(at, piece_end - at).find('=') != std::string::npos;
  const std::size_t middle = end_of_half(text, at + 2, sign);
  const std::size_t last =
      middle == std::string::npos ? middle : end_of_half(text, middle + 1, sign);
  if (last == std::string::npos) return !has_equals;
  std::size_t next = last + 1;
  if (next < text.size() && text[next] == 'g') ++next;
  next = text.find_first_not_of(" \t\r", next);
  const bool ends = next == std::string::npos || kSeparators.find(text[next]) != std::string::npos;
  return ends || !has_equals;
}

/// One half of a substitution, its sign without the backslash before it.
std::string unescaped(const std::string& half, char sign) {
  std::string out;
  for (std::size_t i = 0; i < half.size(); ++i) {
    if (half[i] == '\\' && i + 1 < half.size() && half[i + 1] == sign) ++i;
    out += half[i];
  }
  return out;
}

/// "\1" as "$1".
std::string with_dollars(const std::string& replacement) {
  std::string out = replacement;
  for (std::size_t i = 0; i + 1 < out.size(); ++i) {
    if (out[i] == '\\' && std::isdigit(static_cast<unsigned char>(out[i + 1])) != 0) out[i] = '$';
  }
  return out;
}

}  // namespace

void RenameRules::add_substitution(const std::string& text, std::size_t& at,
                                   const std::string& what) {
  const std::size_t begin = at;
  const char sign = text[at + 1];
  const std::size_t middle = end_of_half(text, at + 2, sign);
  const std::size_t last =
      middle == std::string::npos ? middle : end_of_half(text, middle + 1, sign);
  if (last == std::string::npos) {
    const std::size_t line = std::min(text.find('\n', begin), text.size());
    invalid_argument("{}: '{}' does not end: a substitution is s/pattern/new/", what,
                     text.substr(begin, line - begin));
  }
  at = last + 1;
  Substitution rule;
  if (at < text.size() && text[at] == 'g') {
    rule.everywhere = true;
    ++at;
  }
  rule.text = text.substr(begin, at - begin);
  const auto next = text.find_first_not_of(" \t\r", at);
  if (next != std::string::npos && kSeparators.find(text[next]) == std::string_view::npos) {
    invalid_argument("{}: after '{}' stands '{}'; only g may stand there, then ';' or an end", what,
                     rule.text, text.substr(next, 1));
  }
  const std::string pattern = unescaped(text.substr(begin + 2, middle - begin - 2), sign);
  rule.replacement = with_dollars(unescaped(text.substr(middle + 1, last - middle - 1), sign));
  try {
    rule.pattern = std::regex(pattern);
  } catch (const std::regex_error&) {
    invalid_argument("{}: '{}' is no regular expression", what, pattern);
  }
  substitutions_.push_back(std::move(rule));
}

void RenameRules::add_pair(const std::string& text, const std::string& what) {
  const std::string pair = trimmed(text);
  const auto equals = pair.find('=');
  if (equals == std::string::npos) {
    invalid_argument("{}: '{}' is no rule: expected old=new or s/pattern/new/", what, pair);
  }
  const std::string from = trimmed(pair.substr(0, equals));
  const std::string to = trimmed(pair.substr(equals + 1));
  if (from.empty() || to.empty() || to.find('=') != std::string::npos) {
    invalid_argument("{}: '{}' is no rule: expected old=new with two names", what, pair);
  }
  if (from.ends_with('/') != to.ends_with('/')) {
    invalid_argument("{}: '{}' is no rule: for a scope, both end in '/', for a name none", what,
                     pair);
  }
  for (const auto& [other, unused] : pairs_) {
    if (other == from) invalid_argument("{}: there are two rules for '{}'", what, from);
  }
  pairs_.emplace_back(from, to);
}

RenameRules RenameRules::parse(const std::string& text, const std::string& what) {
  RenameRules rules;
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (std::isspace(static_cast<unsigned char>(c)) != 0 || c == ',' || c == ';') {
      ++at;
    } else if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if (is_substitution(text, at)) {
      rules.add_substitution(text, at, what);
    } else {
      const std::size_t end = std::min(text.find_first_of(kSeparators, at), text.size());
      rules.add_pair(text.substr(at, end - at), what);
      at = end;
    }
  }
  if (rules.pairs_.empty() && rules.substitutions_.empty()) {
    invalid_argument("{}: there is no rule in it: expected old=new or s/pattern/new/", what);
  }
  return rules;
}

std::string RenameRules::substitute(const Substitution& rule, const std::string& name) {
  if (name.size() > kMaxNameForRegex) return name;
  const auto flags = rule.everywhere ? std::regex_constants::format_default
                                     : std::regex_constants::format_first_only;
  return std::regex_replace(name, rule.pattern, rule.replacement, flags);
}

std::optional<std::string> RenameRules::by_pairs(const std::string& name) const {
  const std::pair<std::string, std::string>* found = nullptr;
  for (const auto& pair : pairs_) {
    if (pair.first == name) return pair.second;
    if (!is_scope(pair) || !name.starts_with(pair.first)) continue;
    if (found == nullptr || pair.first.size() > found->first.size()) found = &pair;
  }
  if (found == nullptr) return std::nullopt;
  return found->second + name.substr(found->first.size());
}

std::string RenameRules::apply(const std::string& name) const {
  if (const auto paired = by_pairs(name)) return *paired;
  std::string out = name;
  for (const Substitution& rule : substitutions_) out = substitute(rule, out);
  return out;
}

void RenameRules::check(const std::vector<std::string>& names, const std::string& where) const {
  for (const auto& pair : pairs_) {
    SimilarNames similar(pair.first);
    bool found = false;
    for (const std::string& name : names) {
      if (name.starts_with(kReservedPrefix)) continue;
      found |= is_scope(pair) ? name.starts_with(pair.first) : name == pair.first;
      similar.consider(name);
    }
    if (!found) {
      fail(Code::kNotFound, "the checkpoint '{}' holds no {} '{}'{}", where,
           is_scope(pair) ? "variable under" : "variable", pair.first, similar.hint());
    }
  }
  // A substitution may be about what an earlier one makes.
  std::vector<bool> matched(substitutions_.size());
  for (const std::string& name : names) {
    if (name.starts_with(kReservedPrefix) || name.size() > kMaxNameForRegex || by_pairs(name)) {
      continue;
    }
    std::string out = name;
    for (std::size_t i = 0; i < substitutions_.size(); ++i) {
      if (std::regex_search(out, substitutions_[i].pattern)) matched[i] = true;
      out = substitute(substitutions_[i], out);
    }
  }
  for (std::size_t i = 0; i < matched.size(); ++i) {
    if (matched[i]) continue;
    fail(Code::kNotFound, "'{}' matches no name in the checkpoint '{}'", substitutions_[i].text,
         where);
  }
}

}  // namespace assay::train
