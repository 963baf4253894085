#include "assay/train/restore_newest.h"

#include <fmt/ranges.h>

#include "assay/base/log.h"

namespace assay::train {

namespace {

/// Sets a damaged checkpoint aside; where that cannot be done it stays.
std::string set_aside(const std::string& prefix, FileSystem& fs) {
  try {
    return set_aside_checkpoint(prefix, fs);
  } catch (const Error& e) {
    log_warning("the damaged checkpoint '{}' cannot be renamed: {}", prefix, e.message());
    return "";
  }
}

}  // namespace

RestoredNewest restore_newest_sound(const Saver& saver, Session& session,
                                    const std::string& checkpoint_dir,
                                    const RestoreOptions& options) {
  FileSystem& fs = saver.file_system();
  const auto candidates = find_checkpoints(checkpoint_dir, fs);
  if (candidates.empty()) {
    fail(Code::kNotFound, "there is no checkpoint under '{}'", checkpoint_dir);
  }
  RestoredNewest result;
  for (const std::string& prefix : candidates) {
    for (int attempt = 0;; ++attempt) {
      try {
        // Read first: no variable changes when it is damaged.
        result.session_state = Saver::read_session_state(prefix, fs);
        result.report = saver.restore(session, prefix, options);
        result.prefix = prefix;
        if (!result.damaged.empty()) {
          log_warning("going on from the older checkpoint '{}'", prefix);
        }
        return result;
      } catch (const Error& e) {
        if (e.code() != Code::kDataLoss) throw;
        if (attempt == 0) continue;
        const std::string moved = set_aside(prefix, fs);
        log_warning("the checkpoint '{}' is damaged: {}{}", prefix, e.message(),
                    moved.empty() ? "" : fmt::format("; it is '{}' now", moved));
        result.damaged.push_back({prefix, e.message(), moved});
        break;
      }
    }
  }
  std::vector<std::string> messages;
  for (const auto& d : result.damaged) messages.push_back(d.message);
  fail(Code::kDataLoss,
       "none of the {} checkpoints under '{}' can be restored ({}); move the folder away to begin "
       "anew",
       messages.size(), checkpoint_dir, fmt::join(messages, "; "));
}

}  // namespace assay::train
