#pragma once

#include <optional>
#include <string>

#include "assay/format/proto/event.pb.h"
#include "assay/format/record_io.h"

namespace assay::format {

/// How an event file is named and dated.
struct EventWriterOptions {
  /// After the host's name in the file's name.
  std::string filename_suffix = {};
  /// Seconds since 1970, for the name and the first event; the clock's when absent.
  std::optional<double> wall_time = {};
  /// The machine's name when empty.
  std::string host = {};
  FileSystem* file_system = nullptr;  ///< the machine's own files when null
};

/// Writes an event file, `events.out.tfevents.SECONDS.HOST` in a folder that is made when it is
/// not there; its first event gives the version, "brain.Event:2". Never an existing file, and
/// always the last by name: where need be ".001", ".002" ... is appended, or the second of the last
/// file is taken when the clock has gone back. Thread-compatible.
class EventWriter {
 public:
  /// Makes the file and writes the version event. Throws what the file system says.
  explicit EventWriter(const std::string& folder, const EventWriterOptions& options = {});

  /// The time is the clock's when the event has none.
  void write(const proto::Event& event);
  /// An encoded Event.
  void write_bytes(std::string_view event) { writer_->write(event); }
  /// Hands all events to the operating system: readers see them.
  void flush() { writer_->flush(); }
  /// Returns when all events are on the disk.
  void sync() { writer_->sync(); }
  void close() { writer_->close(); }
  const std::string& path() const { return writer_->path(); }
  std::uint64_t bytes() const { return writer_->bytes(); }

 private:
  std::unique_ptr<RecordWriter> writer_;
};

}  // namespace assay::format
