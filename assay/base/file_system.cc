#include "assay/base/file_system.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace assay {

void fail_errno(int error_number, std::string_view action, std::string_view path) {
  Code code = Code::kUnavailable;
  switch (error_number) {
    case ENOENT:
      code = Code::kNotFound;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = Code::kPermissionDenied;
      break;
    case EEXIST:
      code = Code::kAlreadyExists;
      break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      code = Code::kResourceExhausted;
      break;
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
    case EXDEV:
    case EBUSY:
    case ETXTBSY:
      code = Code::kFailedPrecondition;
      break;
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
      code = Code::kInvalidArgument;
      break;
    default:
      break;
  }
  char buffer[256];
  fail(code, "cannot {} {}: {}", action, path, strerror_r(error_number, buffer, sizeof buffer));
}

std::string read_file(FileSystem& fs, const std::string& path, std::uint64_t max_bytes) {
  const auto file = fs.open_read(path);
  const std::uint64_t size = file->size();
  std::string bytes;
  // Files such as those in /proc say they are empty, so go on until a read finds nothing.
  std::size_t have = 0;
  std::size_t want = static_cast<std::size_t>(std::min(size, max_bytes)) + 1;
  while (true) {
    bytes.resize(want);
    have += file->read_at(have, bytes.data() + have, want - have);
    if (have < want) break;
    if (have > max_bytes) {
      fail(Code::kResourceExhausted, "{} is longer than {} bytes", path, max_bytes);
    }
    want = have * 2;
  }
  if (have > max_bytes) {
    fail(Code::kResourceExhausted, "{} is longer than {} bytes", path, max_bytes);
  }
  bytes.resize(have);
  return bytes;
}

void require_free_space(FileSystem& fs, const std::string& folder, std::uint64_t bytes) {
  const std::uint64_t free = fs.free_space(folder);
  if (free >= bytes) return;
  fail(
      Code::kResourceExhausted,
      "there is not enough room in {}: {} bytes are needed, {} are free; make room there, or write "
      "to another disk",
      folder, bytes, free);
}

std::string temporary_name(const std::string& path) {
  static std::atomic<std::uint64_t> counter{0};
  return fmt::format("{}.tmp{}-{}", path, ::getpid(), counter.fetch_add(1));
}

bool is_temporary_name(std::string_view path) {
  const auto digits = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  constexpr std::string_view kMark = ".tmp";
  const auto mark = path.rfind(kMark);
  if (mark == std::string_view::npos) return false;
  const std::string_view rest = path.substr(mark + kMark.size());
  const auto dash = rest.find('-');
  return dash != std::string_view::npos && digits(rest.substr(0, dash)) &&
         digits(rest.substr(dash + 1));
}

void atomic_write_file(FileSystem& fs, const std::string& path, std::string_view bytes) {
  const std::string temporary = temporary_name(path);
  try {
    const auto file = fs.open_write(temporary);
    file->append(bytes);
    file->sync();
    file->close();
    fs.rename(temporary, path);
  } catch (...) {
    try {
      if (fs.exists(temporary)) fs.remove(temporary);
    } catch (const Error&) {
      // The first error is the one to tell.
    }
    throw;
  }
  fs.sync_directory(parent_directory(path));
}

std::string parent_directory(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  if (slash == 0) return "/";
  return std::string(path.substr(0, slash));
}

std::string join_path(std::string_view folder, std::string_view name) {
  if (folder.empty() || name.starts_with('/')) return std::string(name);
  if (folder.ends_with('/')) return fmt::format("{}{}", folder, name);
  return fmt::format("{}/{}", folder, name);
}

}  // namespace assay
