#include "assay/format/event_writer.h"

#include <unistd.h>

#include <chrono>

#include "assay/format/proto_io.h"

namespace assay::format {

namespace {

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

}  // namespace

EventWriter::EventWriter(const std::string& folder, const EventWriterOptions& options) {
  FileSystem& fs = options.file_system != nullptr ? *options.file_system : posix_file_system();
  const double time = options.wall_time.value_or(now_seconds());
  fs.make_directories(folder);
  const std::string name =
      fmt::format("events.out.tfevents.{:010}.{}{}", static_cast<std::int64_t>(time),
                  options.host.empty() ? host_name() : options.host, options.filename_suffix);
  std::unique_ptr<WritableFile> file;
  constexpr int kMostOfOneSecond = 1000;
  for (int i = 0; file == nullptr; ++i) {
    const std::string path = join_path(folder, i == 0 ? name : fmt::format("{}.{}", name, i));
    try {
      file = fs.open_write(path, WriteMode::kCreateNew);
    } catch (const Error& e) {
      if (e.code() != Code::kAlreadyExists || i == kMostOfOneSecond) throw;
    }
  }
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
