#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "assay/base/file_system.h"
#include "assay/cli/checkpoints.h"
#include "assay/format/checkpoint_reader.h"
#include "assay/train/checkpoint_listing.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/run_dir.h"

namespace assay::cli {

namespace {

/// How many columns a text takes: bytes that go on a UTF-8 letter take none.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

/// "m-7" of "m-7.index", "m-7.data-00000-of-00001" and "m-7.meta", if there is such a checkpoint.
std::optional<std::string> prefix_of_file(const std::string& path) {
  std::string prefix = path;
  for (const char* mark : {".index", ".meta"}) {
    if (path.ends_with(mark)) prefix = path.substr(0, path.size() - std::string(mark).size());
  }
  const auto data = path.rfind(".data-");
  if (data != std::string::npos && path.find('/', data) == std::string::npos) {
    prefix = path.substr(0, data);
  }
  if (prefix == path || !format::CheckpointReader::exists(prefix)) return std::nullopt;
  return prefix;
}

}  // namespace

void print_json(const Json& document) {
  fmt::print("{}\n", document.dump(2, ' ', false, Json::error_handler_t::replace));
}

void Table::print(const std::string& indent, bool header) const {
  std::vector<std::size_t> widths(alignment_.size());
  std::vector<bool> used(alignment_.size());
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    for (std::size_t i = 0; i < rows_[r].size(); ++i) {
      widths[i] = std::max(widths[i], width_of(rows_[r][i]));
      used[i] = used[i] || (r > 0 && !rows_[r][i].empty());
    }
  }
  for (std::size_t r = header ? 0 : 1; r < rows_.size(); ++r) {
    const auto& row = rows_[r];
    std::string line = indent;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (!used[i]) continue;
      const std::string fill(widths[i] - width_of(row[i]), ' ');
      line += alignment_[i] == '>' ? fill + row[i] : row[i] + fill;
      line += "  ";
    }
    const auto end = line.find_last_not_of(' ');
    fmt::print("{}\n", end == std::string::npos ? "" : line.substr(0, end + 1));
  }
}

std::string printable(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || u == 0x7f) {
      out += fmt::format("\\x{:02x}", u);
    } else {
      out += c;
    }
  }
  return out;
}

std::string count_str(std::int64_t count, const std::string& what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string checkpoints_folder(const std::string& path) {
  FileSystem& files = posix_file_system();
  const auto info = files.stat(path);
  if (!info) fail(Code::kNotFound, "there is no folder '{}'", path);
  if (!info->is_directory) {
    fail(Code::kNotFound, "'{}' is a file; name a run folder or a folder of checkpoints", path);
  }
  if (!train::is_run_dir(path)) return path;
  const std::string folder = train::checkpoint_dir(path);
  if (!files.is_directory(folder)) {
    fail(Code::kNotFound, "the run '{}' has saved no checkpoint yet", path);
  }
  return folder;
}

std::string checkpoint_prefix_of(const std::string& path) {
  FileSystem& files = posix_file_system();
  if (files.is_directory(path)) {
    const std::string variables = join_path(path, "variables/variables");
    if (format::CheckpointReader::exists(variables)) return variables;
    for (const auto& c : train::list_checkpoints(checkpoints_folder(path))) {
      if (c.newest) return c.facts.prefix;
    }
    fail(Code::kNotFound, "the folder '{}' holds no checkpoint", path);
  }
  if (format::CheckpointReader::exists(path)) {
    // The file m-7.meta is no V1 checkpoint, and so on.
    if (const auto prefix = prefix_of_file(path)) return *prefix;
    return path;
  }
  if (const auto prefix = prefix_of_file(path)) return *prefix;
  fail(Code::kNotFound, "there is no checkpoint '{}'", path);
}

}  // namespace assay::cli
