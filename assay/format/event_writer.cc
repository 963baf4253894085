#include "assay/format/event_writer.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "assay/format/event_reader.h"
#include "assay/format/proto_io.h"

namespace assay::format {

namespace {

constexpr std::string_view kStem = "events.out.tfevents.";

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  std::string host = name;
  for (char& c : host) {
    if (c == '/') c = '_';
  }
  return host;
}

/// The second in the name of an event file, 0 when it has none.
std::int64_t second_of(const std::string& path) {
  const auto at = path.rfind(kStem);
  std::int64_t second = 0;
  if (at == std::string::npos) return 0;
  const char* begin = path.data() + at + kStem.size();
  std::from_chars(begin, path.data() + path.size(), second);
  return std::max<std::int64_t>(0, second);
}

/// A new file whose name comes after those of all event files in the folder: readers go by names,
/// also where the clock has gone back or several are made in one second.
std::unique_ptr<WritableFile> open_last(const std::string& folder, std::int64_t second,
                                        const std::string& host_and_suffix, FileSystem& fs) {
  constexpr int kMostOfOneSecond = 1000;
  const auto there = list_event_files(folder, fs);
  const std::string last = there.empty() ? "" : there.back();
  for (second = std::max(second, second_of(last));; ++second) {
    const std::string name = fmt::format("{}{:010}.{}", kStem, second, host_and_suffix);
    for (int i = 0; i < kMostOfOneSecond; ++i) {
      const std::string path = join_path(folder, i == 0 ? name : fmt::format("{}.{:03}", name, i));
      if (path <= last) continue;
      try {
        return fs.open_write(path, WriteMode::kCreateNew);
      } catch (const Error& e) {
        if (e.code() != Code::kAlreadyExists) throw;
      }
    }
  }
}

}  // namespace

EventWriter::EventWriter(const std::string& folder, const EventWriterOptions& options) {
  FileSystem& fs = options.file_system != nullptr ? *options.file_system : posix_file_system();
  const double time = options.wall_time.value_or(now_seconds());
  fs.make_directories(folder);
  auto file =
      open_last(folder, static_cast<std::int64_t>(time),
                (options.host.empty() ? host_name() : options.host) + options.filename_suffix, fs);
  writer_ = std::make_unique<RecordWriter>(std::move(file));
  proto::Event version;
  version.set_wall_time(time);
  version.set_file_version("brain.Event:2");
  write(version);
  flush();
}

void EventWriter::write(const proto::Event& event) {
  if (event.wall_time() != 0) {
    writer_->write(to_binary(event));
    return;
  }
  proto::Event timed = event;
  timed.set_wall_time(now_seconds());
  writer_->write(to_binary(timed));
}

}  // namespace assay::format
