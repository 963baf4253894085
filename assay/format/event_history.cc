#include "assay/format/event_history.h"

#include <algorithm>

#include "assay/format/event_reader.h"

namespace assay::format {

std::string summary_type(const proto::Summary::Value& value) {
  switch (value.value_case()) {
    case proto::Summary::Value::kSimpleValue:
      return "scalar";
    case proto::Summary::Value::kHisto:
      return "histogram";
    case proto::Summary::Value::kImage:
      return "image";
    case proto::Summary::Value::kAudio:
      return "audio";
    case proto::Summary::Value::kTensor: {
      const auto& plugin = value.metadata().plugin_data().plugin_name();
      return plugin.empty() ? "tensor" : plugin;
    }
    default:
      return "unknown";
  }
}

void EventHistory::drop_from(std::int64_t step) {
  for (auto at = series_.begin(); at != series_.end();) {
    auto& points = at->second.points;
    const auto void_ones = std::remove_if(points.begin(), points.end(),
                                          [&](const Point& p) { return p.step >= step; });
    dropped_ += points.end() - void_ones;
    points.erase(void_ones, points.end());
    at = points.empty() ? series_.erase(at) : std::next(at);
  }
}

void EventHistory::add(const proto::Event& event) {
  if (event.what_case() == proto::Event::kSessionLog &&
      event.session_log().status() == proto::SessionLog::START) {
    ++starts_;
    drop_from(event.step());
  }
  if (event.what_case() != proto::Event::kSummary) return;
  for (const auto& value : event.summary().value()) {
    Series& series = series_[value.tag()];
    if (series.points.empty()) series.type = summary_type(value);
    Point point{.step = event.step(), .wall_time = event.wall_time()};
    if (value.value_case() == proto::Summary::Value::kSimpleValue) {
      point.scalar = value.simple_value();
    }
    series.points.push_back(point);
  }
}

void EventHistory::add_file(const std::string& path, FileSystem& fs) {
  ++files_;
  try {
    EventReader reader(path, fs);
    proto::Event event;
    while (reader.next(event)) add(event);
  } catch (const Error& e) {
    if (e.code() != Code::kDataLoss && e.code() != Code::kInvalidArgument) throw;
    problems_.push_back(e.message());
  }
}

EventHistory read_event_folder(const std::string& folder, FileSystem& fs) {
  EventHistory history;
  for (const std::string& path : list_event_files(folder, fs)) history.add_file(path, fs);
  return history;
}

}  // namespace assay::format
