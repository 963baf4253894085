#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "assay/graph/graph.h"
#include "assay/tensor/tensor.h"

namespace assay::proto {
class Event;
}

namespace assay::summary {

/// What a session log says.
enum class SessionStatus {
  kStart = 1,  ///< events of this and later steps in earlier files are void
  kStop = 2,
  kCheckpoint = 3,
};

/// What a FileWriter writes first, and how often it flushes.
struct FileWriterOptions {
  /// Written at once, as by add_graph() and add_meta_graph().
  const Graph* graph = nullptr;
  /// The file is flushed at least every so many seconds while events come.
  double flush_secs = 120;
  /// Appended to the file's name.
  std::string filename_suffix = {};
};

/// Writes events into a new event file of a folder, which TensorBoard reads
/// (tf.summary.FileWriter): events.out.tfevents.SECONDS.HOST. A thread of its own writes; a call
/// only hands over, so that a training step never waits for the disk. An error of that thread is
/// thrown by the next call, then the writer is closed. Thread-safe.
class FileWriter {
 public:
  /// Makes the folder if need be and the file in it. Throws what the file system says.
  explicit FileWriter(const std::string& logdir, const FileWriterOptions& options = {});
  /// Writes what is left; an error then goes to standard error.
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  /// What running a summary op gave: the bytes of a Summary.
  void add_summary(const Tensor& summary, std::optional<std::int64_t> global_step = {});
  void add_summary(std::string_view summary, std::optional<std::int64_t> global_step = {});
  /// The graph as it is now, with the shapes known.
  void add_graph(const Graph& graph, std::optional<std::int64_t> global_step = {});
  /// An encoded MetaGraphDef.
  void add_meta_graph(std::string meta_graph_def, std::optional<std::int64_t> global_step = {});
  /// Start, stop or checkpoint of the run.
  void add_session_log(SessionStatus status, std::optional<std::int64_t> global_step = {},
                       const std::string& checkpoint_path = {}, const std::string& message = {});
  /// Any event; its time is kept.
  void add_event(const proto::Event& event);

  /// Waits until all that was added is in the file, where other programs see it.
  void flush();
  /// flush(), then closes the file. May be called again; adding opens no new file. REQUIRES: no
  /// other call is under way.
  void close();
  /// Goes on in a new file after close(); nothing when still open. REQUIRES: as for close().
  void reopen();

  /// How long the file was at the end of the last flush().
  std::uint64_t bytes() const;
  const std::string& logdir() const;
  /// The path of the file being written, or written last.
  std::string path() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::summary
