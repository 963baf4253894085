#include "assay/train/saver_restore.h"

#include <fmt/ranges.h>

#include <map>
#include <regex>
#include <set>

#include "assay/device/resource_store.h"
#include "assay/format/checkpoint_reader.h"
#include "assay/graph/similar.h"
#include "assay/train/saver.h"

namespace assay::train {

namespace {

using Reader = format::CheckpointReader;

// std::regex recurses with the length of what it matches.
constexpr std::size_t kMaxNameForRegex = 1024;

/// What the names of a checkpoint are in the graph, and the other way round.
class NameMap {
 public:
  NameMap(const Reader& reader, const RestoreOptions& options) : prefix_(reader.prefix()) {
    for (const auto& [from, to] : options.rename) {
      if (reader.find(from) == nullptr) {
        reader.at(from);  // throws, with names that are alike
      }
      add(from, to);
    }
    std::vector<std::pair<std::regex, std::string>> rules;
    for (const auto& [pattern, to] : options.rename_regex) {
      try {
        rules.emplace_back(std::regex(pattern), to);
      } catch (const std::regex_error& e) {
        invalid_argument("rename: '{}' is no regular expression: {}", pattern, e.what());
      }
    }
    for (const auto& [stored, unused] : reader.entries()) {
      if (stored.starts_with(kReservedPrefix) || stored_.contains(stored)) continue;
      add(stored, renamed(stored, rules));
    }
  }

  /// The checkpoint's name of what the graph calls `name`; null when it has none.
  const std::string* find(const std::string& name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &found->second;
  }
  const std::map<std::string, std::string>& by_name() const { return by_name_; }

 private:
  static std::string renamed(const std::string& stored,
                             const std::vector<std::pair<std::regex, std::string>>& rules) {
    if (stored.size() > kMaxNameForRegex) return stored;
    for (const auto& [pattern, to] : rules) {
      std::smatch match;
      if (std::regex_match(stored, match, pattern)) return match.format(to);
    }
    return stored;
  }

  void add(const std::string& stored, const std::string& name) {
    const auto [there, added] = by_name_.emplace(name, stored);
    if (!added) {
      invalid_argument("rename: both '{}' and '{}' of '{}' would be '{}'", there->second, stored,
                       prefix_, name);
    }
    stored_.insert(stored);
  }

  const std::string& prefix_;
  std::map<std::string, std::string> by_name_;
  std::set<std::string> stored_;
};

bool fits(const SavedTensor& t, const Shape& stored, std::string& expected) {
  if (const auto part = format::parse_shape_and_slice(t.slice)) {
    expected = part->full_shape.str();
    return part->full_shape == stored;
  }
  expected = t.shape.str();
  if (!t.reshape) return t.shape.is_compatible_with(PartialShape(stored));
  return !t.shape.is_fully_defined() || t.shape.to_shape().num_elements() == stored.num_elements();
}

RestoreReport compare(const Reader& reader, const NameMap& names,
                      const std::vector<SavedTensor>& tensors) {
  RestoreReport report;
  report.prefix = reader.prefix();
  std::set<std::string> seen;
  std::set<std::string> used;
  for (const SavedTensor& t : tensors) {
    // The parts of one tensor are one line of the report.
    if (!seen.insert(t.name).second) continue;
    const std::string* stored = names.find(t.name);
    if (stored == nullptr) {
      SimilarNames similar(t.name);
      for (const auto& [name, unused] : names.by_name()) similar.consider(name);
      report.missing.push_back({t.name, similar.best()});
      continue;
    }
    used.insert(*stored);
    const auto& entry = reader.at(*stored);
    RestoreReport::Differs differs{t.name, *stored, t.node->place(), dtype_name(t.dtype),
                                   dtype_name(entry.dtype)};
    if (entry.dtype != t.dtype) {
      report.dtype_differs.push_back(std::move(differs));
    } else if (!fits(t, entry.shape, differs.expected)) {
      differs.got = entry.shape.str();
      report.shape_differs.push_back(std::move(differs));
    } else {
      report.matched.push_back({t.name, *stored});
    }
  }
  for (const auto& [name, stored] : names.by_name()) {
    if (!used.contains(stored)) report.unused.push_back(stored);
  }
  return report;
}

void refuse(const RestoreReport& report, bool ignore_missing) {
  const auto first = [&](const std::vector<RestoreReport::Differs>& list, std::size_t others) {
    const RestoreReport::Differs& d = list.front();
    invalid_argument("'{}' does not fit the graph: the variable '{}'{} is {}, the file's is {}{}",
                     report.prefix, d.variable, d.place.empty() ? "" : " (" + d.place + ")",
                     d.expected, d.got, others == 0 ? "" : fmt::format("; {} more differ", others));
  };
  const std::size_t shapes = report.shape_differs.size();
  const std::size_t dtypes = report.dtype_differs.size();
  if (!report.missing.empty() && !ignore_missing) {
    std::vector<std::string> lacking;
    for (const auto& m : report.missing) {
      lacking.push_back(m.nearest.empty() ? fmt::format("'{}'", m.variable)
                                          : fmt::format("'{}' (near it: {})", m.variable,
                                                        fmt::join(m.nearest, ", ")));
    }
    fail(Code::kNotFound,
         "'{}' does not fit the graph: it lacks the variable{} {}; is it of another model? "
         "RestoreOptions can rename, or leave out what is missing",
         report.prefix, lacking.size() == 1 ? "" : "s", fmt::join(lacking, ", "));
  }
  if (dtypes > 0) first(report.dtype_differs, dtypes + shapes - 1);
  if (shapes > 0) first(report.shape_differs, shapes - 1);
}

/// Reads the tensors that variables ask for; one that several parts are of, once.
class ValueReader {
 public:
  explicit ValueReader(const Reader& reader) : reader_(reader) {}

  Tensor read(const std::string& stored, const std::string& slice) {
    const auto part = format::parse_shape_and_slice(slice);
    if (!part) return reader_.read(stored);
    const auto& entry = reader_.at(stored);
    if (!entry.slices.empty()) return reader_.read_slice(stored, part->slice);
    if (name_ != stored) {
      whole_ = reader_.read(stored);
      name_ = stored;
    }
    format::TensorSlice all;
    all.extents.resize(static_cast<std::size_t>(entry.shape.rank()));
    Tensor out(entry.dtype, part->slice.shape_in(entry.shape));
    format::copy_overlap(entry.shape, all, whole_, part->slice, out);
    return out;
  }

 private:
  const Reader& reader_;
  std::string name_;
  Tensor whole_;
};

void assign(const SavedTensor& t, Tensor value, ResourceStore& resources) {
  const auto variable = resources.get_or_create<VariableResource>(
      t.resource, [] { return std::make_shared<VariableResource>(); });
  if (t.reshape && t.shape.is_fully_defined()) {
    value = value.reshaped(t.shape.to_shape());
  } else if (t.reshape && variable->value.defined() &&
             variable->value.num_elements() == value.num_elements()) {
    value = value.reshaped(variable->value.shape());
  }
  variable->value = std::move(value);
}

}  // namespace

RestoreReport restore_variables(Session& session, const std::vector<SavedTensor>& tensors,
                                const std::string& prefix, const RestoreOptions& options,
                                FileSystem& fs) {
  const auto opened = Reader::open(prefix, fs);
  const Reader& reader = *opened;
  const NameMap names(reader, options);
  RestoreReport report = compare(reader, names, tensors);
  if (options.dry_run) return report;
  refuse(report, options.ignore_missing);
  std::vector<std::pair<const SavedTensor*, Tensor>> values;
  ValueReader source(reader);
  for (const SavedTensor& t : tensors) {
    const std::string* stored = names.find(t.name);
    if (stored != nullptr) values.emplace_back(&t, source.read(*stored, t.slice));
  }
  // Variables without the session state that belongs to them would be a mixture: that is read too.
  for (const auto& [name, unused] : reader.entries()) {
    if (name.starts_with(kReservedPrefix)) reader.read(name);
  }
  session.exclusive([&](ResourceStore& resources) {
    for (auto& [t, value] : values) assign(*t, std::move(value), resources);
  });
  return report;
}

}  // namespace assay::train
