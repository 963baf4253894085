#pragma once

#include <string>
#include <vector>

#include "assay/format/proto/event.pb.h"
#include "assay/format/record_io.h"

namespace assay::format {

/// Reads the events of one file, in order. Thread-compatible.
class EventReader {
 public:
  /// Throws NotFound when there is no such file; an empty one has no events.
  explicit EventReader(const std::string& path, FileSystem& fs = posix_file_system())
      : reader_(path, fs) {}

  /// The next event; false at the end, and where the file is cut short: a writer may be at work,
  /// and next() later goes on. Throws DataLoss for damage.
  bool next(proto::Event& event);
  /// True when the last next() stopped inside an event.
  bool truncated() const { return truncated_; }
  std::uint64_t offset() const { return reader_.offset(); }
  const std::string& path() const { return reader_.path(); }

 private:
  RecordReader reader_;
  std::string record_;
  bool truncated_ = false;
};

/// Paths of the event files in a folder (names that contain "tfevents"), sorted.
std::vector<std::string> list_event_files(const std::string& folder,
                                          FileSystem& fs = posix_file_system());

}  // namespace assay::format
