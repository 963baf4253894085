#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "assay/base/file_system.h"
#include "assay/format/proto/event.pb.h"

namespace assay::format {

/// The points of a run, tag by tag, as one sequence, whatever number of event files the run was
/// interrupted into. A start record (SessionLog START) of step S makes the points of step S and
/// later ones that came before it void: those steps were done again. So TensorBoard reads them
/// (event_accumulator.py). Thread-compatible.
class EventHistory {
 public:
  /// One value of a tag.
  struct Point {
    std::int64_t step = 0;
    double wall_time = 0;              ///< seconds since 1970
    std::optional<float> scalar = {};  ///< absent for histograms, images, ...
  };
  /// All points of a tag that are not void, in the order of the files.
  struct Series {
    std::string type;  ///< "scalar", "histogram", "image", "audio", "tensor" or a plugin's name
    std::vector<Point> points;
  };

  /// The next event.
  void add(const proto::Event& event);
  /// The events of a file. What a killed writer left half written at its end is passed over; where
  /// the file is damaged, the rest of it is, and `problems()` says so. Throws what the file system
  /// says.
  void add_file(const std::string& path, FileSystem& fs = posix_file_system());

  /// By tag; a tag whose points are all void is left out.
  const std::map<std::string, Series>& series() const { return series_; }
  /// How many points were void.
  std::int64_t dropped() const { return dropped_; }
  std::int64_t files() const { return files_; }
  std::int64_t starts() const { return starts_; }
  /// One line for each file that is damaged.
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  void drop_from(std::int64_t step);

  std::map<std::string, Series> series_;
  std::int64_t dropped_ = 0;
  std::int64_t files_ = 0;
  std::int64_t starts_ = 0;
  std::vector<std::string> problems_;
};

/// The history of all event files in a folder, in the order of their names.
EventHistory read_event_folder(const std::string& folder, FileSystem& fs = posix_file_system());

/// "scalar", "histogram", ...: what kind of value it is.
std::string summary_type(const proto::Summary::Value& value);

}  // namespace assay::format
