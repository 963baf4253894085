#include "assay/train/restore_newest.h"

#include <algorithm>

#include "assay/base/log.h"

namespace assay::train {

namespace {

// Reads of a checkpoint that the disk refuses.
constexpr int kReads = 3;
// Listings of a folder where another process deletes what was listed.
constexpr int kLooks = 10;

/// Sets a damaged checkpoint aside; where that cannot be done it stays.
std::string set_aside(const std::string& prefix, FileSystem& fs) {
  try {
    return set_aside_checkpoint(prefix, fs);
  } catch (const Error& e) {
    log_warning("the damaged checkpoint '{}' cannot be renamed: {}", prefix, e.message());
    return "";
  }
}

bool is_listed(const std::string& prefix, const std::string& dir, FileSystem& fs) {
  try {
    const auto state = get_checkpoint_state(dir, {}, fs);
    if (!state) return false;
    const auto& all = state->all_model_checkpoint_paths;
    return state->model_checkpoint_path == prefix ||
           std::find(all.begin(), all.end(), prefix) != all.end();
  } catch (const Error&) {
    return false;
  }
}

/// Whether a damaged X.index was a checkpoint once, and not somebody's file of that name.
bool was_checkpoint(const std::string& prefix, const std::string& dir, FileSystem& fs) {
  for (const std::string& path : checkpoint_files(prefix, fs)) {
    const std::string_view suffix = std::string_view(path).substr(prefix.size());
    if (suffix.starts_with(".data-") || suffix == ".meta") return true;
  }
  return is_listed(prefix, dir, fs);
}

enum class Outcome { kRestored, kGone, kDamaged };

/// Tries one checkpoint; `message` says what is damaged.
Outcome try_restore(const Saver& saver, Session& session, const std::string& prefix,
                    const RestoreOptions& options, RestoredNewest& result, std::string& message) {
  FileSystem& fs = saver.file_system();
  for (int attempt = 1;; ++attempt) {
    try {
      // Read first: no variable changes when it is damaged.
      result.session_state = Saver::read_session_state(prefix, fs);
      result.report = saver.restore(session, prefix, options);
      result.prefix = prefix;
      return Outcome::kRestored;
    } catch (const Error& e) {
      switch (e.code()) {
        case Code::kNotFound:
          // Either deleted since it was listed, or it lacks a variable.
          if (checkpoint_exists(prefix, fs)) throw;
          return Outcome::kGone;
        case Code::kUnavailable:
          // The disk may give it in a moment. That it does not is no damage to the checkpoint.
          if (attempt == kReads) throw;
          break;
        case Code::kDataLoss:
          message = e.message();
          if (attempt > 1)
            return checkpoint_exists(prefix, fs) ? Outcome::kDamaged : Outcome::kGone;
          break;
        default:
          throw;
      }
    }
  }
}

/// One pass over the folder's checkpoints. False when some were deleted before they were read, and
/// none could be restored: the folder is worth another look.
bool try_all(const Saver& saver, Session& session, const std::string& dir,
             const RestoreNewestOptions& options, RestoredNewest& result) {
  FileSystem& fs = saver.file_system();
  bool any_gone = false;
  const auto candidates =
      options.name.empty() ? find_checkpoints(dir, fs) : find_checkpoints(dir, options.name, fs);
  for (const std::string& prefix : candidates) {
    const auto known = [&](const auto& damaged) { return damaged.prefix == prefix; };
    if (std::any_of(result.damaged.begin(), result.damaged.end(), known)) continue;
    std::string message;
    switch (try_restore(saver, session, prefix, options.restore, result, message)) {
      case Outcome::kRestored:
        if (!result.damaged.empty()) log_warning("going on from the older checkpoint '{}'", prefix);
        return true;
      case Outcome::kGone:
        any_gone = true;
        break;
      case Outcome::kDamaged:
        if (!was_checkpoint(prefix, dir, fs)) {
          log_warning("'{}.index' is passed over, it is no checkpoint: {}", prefix, message);
          break;
        }
        const std::string moved = options.set_aside ? set_aside(prefix, fs) : "";
        log_warning("the checkpoint '{}' is damaged: {}{}", prefix, message,
                    moved.empty() ? "" : fmt::format("; it is '{}' now", moved));
        result.damaged.push_back({prefix, message, moved});
        break;
    }
  }
  return !any_gone;
}

}  // namespace

RestoredNewest restore_newest_sound(const Saver& saver, Session& session,
                                    const std::string& checkpoint_dir,
                                    const RestoreNewestOptions& options) {
  // What went wrong with a save is no damage to what is restored here.
  saver.wait();
  RestoredNewest result;
  for (int look = 0; look < kLooks; ++look) {
    if (try_all(saver, session, checkpoint_dir, options, result)) break;
  }
  if (!result.prefix.empty()) return result;
  if (result.damaged.empty()) {
    fail(Code::kNotFound, "there is no checkpoint under '{}'", checkpoint_dir);
  }
  // The warnings have said it of each.
  fail(Code::kDataLoss,
       "none of the {} checkpoints under '{}' can be restored (the newest: {}); move the folder "
       "away "
       "to begin anew",
       result.damaged.size(), checkpoint_dir, result.damaged.front().message);
}

}  // namespace assay::train
