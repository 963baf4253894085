#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace assay::testing {

/// What a finished process left.
struct Finished {
  int code = -1;    ///< exit code; -1 when a signal ended it
  int signal = 0;   ///< the signal that ended it
  std::string out;  ///< standard output
  std::string err;  ///< standard error
};

/// A running program whose output is collected in files.
class Process {
 public:
  /// Starts `command`, the program first. Throws std::runtime_error.
  explicit Process(const std::vector<std::string>& command);
  /// Kills it when it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void send(int signal) const;
  /// What it has written to standard output so far.
  std::string output() const;
  /// Waits until `text` is in standard output; false when it ends or time is up before.
  bool wait_for(const std::string& text, std::chrono::seconds limit = std::chrono::seconds(60));
  /// Waits for its end; kills it when time is up.
  Finished finish(std::chrono::seconds limit = std::chrono::seconds(60));

 private:
  bool ended();
  pid_t pid_ = -1;
  int status_ = 0;
  bool reaped_ = false;
  std::string folder_;
};

/// Runs the `assay` program to its end.
Finished assay(const std::vector<std::string>& arguments);
/// The command line of the `assay` program.
std::vector<std::string> assay_command(const std::vector<std::string>& arguments);

}  // namespace assay::testing
