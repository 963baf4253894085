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
// The last one of ten digits: up to it names sort as seconds do.
constexpr std::int64_t kLastSecond = 9'999'999'999;

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

/// The second in the name of an event file that is named as ours are, with ten digits. Other names
/// (more digits, none) say nothing of when they were made, so they have no say in ours.
std::optional<std::int64_t> second_of(std::string_view name) {
  if (!name.starts_with(kStem)) return std::nullopt;
  name.remove_prefix(kStem.size());
  if (name.find_first_not_of("0123456789") != 10 || name[10] != '.') return std::nullopt;
  std::int64_t second = 0;
  std::from_chars(name.data(), name.data() + 10, second);
  return second;
}

/// A new file whose name comes after those of all event files in the folder: readers go by names,
/// also where the clock has gone back or several are made in one second.
std::unique_ptr<WritableFile> open_last(const std::string& folder, std::int64_t second,
                                        const std::string& host_and_suffix, FileSystem& fs) {
  constexpr int kMostOfOneSecond = 1000;
  std::string last;
  for (const std::string& path : list_event_files(folder, fs)) {
    if (const auto then = second_of(std::string_view(path).substr(path.rfind('/') + 1))) {
      last = path;
      second = std::max(second, *then);
    }
  }
  second = std::clamp<std::int64_t>(second, 0, kLastSecond);
  const auto make = [&](const std::string& stem) -> std::unique_ptr<WritableFile> {
    for (int i = 0; i < kMostOfOneSecond; ++i) {
      const std::string path = i == 0 ? stem : fmt::format("{}.{:03}", stem, i);
      if (path <= last) continue;
      try {
        return fs.open_write(path, WriteMode::kCreateNew);
      } catch (const Error& e) {
        if (e.code() != Code::kAlreadyExists) throw;
      }
    }
    return nullptr;
  };
  // A name of this second may come before the last one; one of the next second does not.
  for (std::int64_t s = second; s <= std::min(second + 1, kLastSecond); ++s) {
    const std::string name = fmt::format("{}{:010}.{}", kStem, s, host_and_suffix);
    if (auto file = make(join_path(folder, name))) return file;
  }
  // There is no next second: what is appended to the last name comes after it.
  std::string stem = last;
  if (stem.size() > 4 && stem[stem.size() - 4] == '.' &&
      stem.find_first_not_of("0123456789", stem.size() - 3) == std::string::npos) {
    stem.resize(stem.size() - 4);
  }
  if (!stem.empty()) {
    if (auto file = make(stem)) return file;
  }
  fail(Code::kFailedPrecondition,
       "no name for a new event file in '{}' comes after '{}'; move that file away", folder, last);
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
