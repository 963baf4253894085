#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "assay/api/variable.h"
#include "assay/runtime/session.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/restore_report.h"
#include "assay/train/retention.h"
#include "assay/train/saver_nodes.h"

namespace assay::train {

/// What a bundle keeps besides variables is under names that begin so; TensorFlow restores
/// variables by name and never asks for them.
inline constexpr const char* kReservedPrefix = "_assay/";

/// What a Saver saves, under which names, and which checkpoints it keeps.
struct SaverOptions {
  /// The variables to save, under their own names; empty: all global (and saveable) variables.
  /// The parts of a partitioned variable are saved as parts of one tensor.
  std::vector<Variable> var_list = {};
  /// Or: by the name each has in the checkpoint. Not together with var_list.
  std::map<std::string, Variable> names = {};
  /// With `names`: partitioned variables, by the name of the whole (PartitionedVariable::parts()).
  std::map<std::string, std::vector<Variable>> names_of_parts = {};
  /// Reshape what is read to the variable's shape instead of refusing another one.
  bool reshape = false;
  /// One data file for each device that variables are on.
  bool sharded = false;
  /// Newest checkpoints to keep; 0 keeps all.
  int max_to_keep = 5;
  /// Of those that fall out of max_to_keep, keep one for every so many hours; 10000 or more: none.
  double keep_checkpoint_every_n_hours = 10000;
  /// The name scope of the Saver's nodes; "" takes "save".
  std::string name = {};
  /// TensorFlow's option; as there, it changes nothing: all is read before anything is assigned.
  bool restore_sequentially = false;
  /// Without variables: save() and restore() do nothing, instead of an error here.
  bool allow_empty = false;
  /// The format to write. V1 can be read, but not written: Unimplemented.
  CheckpointVersion write_version = CheckpointVersion::kV2;
  /// Eight digits in the file names.
  bool pad_step_number = false;
  /// Paths in the state file relative to its folder, so that the folder can be moved.
  bool save_relative_paths = false;
  /// What the filename placeholder holds when nothing is fed.
  std::string filename = "model";
  /// What else to keep: the best by a metric, one of so many steps. `last` and `every_seconds` are
  /// taken from max_to_keep and keep_checkpoint_every_n_hours.
  RetentionRules keep = {};
  /// Where checkpoints are; null: the machine's own files. Must outlive the saver.
  FileSystem* file_system = nullptr;
};

/// A number, or a variable or tensor that holds it (`global_step` of Saver::save).
class StepNumber {
 public:
  StepNumber() = default;
  /// A variable's or tensor's value is read by get(), in the session that saves; InvalidArgument
  /// unless it is one integer.
  template <std::integral T>
  StepNumber(T number) : value_(static_cast<std::int64_t>(number)) {}
  StepNumber(const Variable& variable) : value_(variable.state()->snapshot()) {}
  StepNumber(const Output& tensor) : value_(tensor) {}

  /// The number; nothing when none was given.
  std::optional<std::int64_t> get(Session& session) const;

 private:
  std::variant<std::monostate, std::int64_t, Output> value_;
};

/// What one save() writes besides the variables, and whether it waits.
struct SaveOptions {
  /// Appended to the path as "-STEP".
  StepNumber global_step = {};
  /// The state file's name; "" takes "checkpoint".
  std::string latest_filename = {};
  std::string meta_graph_suffix = "meta";
  bool write_meta_graph = true;
  /// Writes PATH.debug too: where each node of the .meta file's graph was made (TensorFlow's
  /// GraphDebugInfo).
  bool save_debug_info = false;
  bool write_state = true;
  /// Leaves attributes that have the op's default out of the .meta file.
  bool strip_default_attrs = false;
  /// What else the run needs to go on (random streams, iterators, epochs): kept in the same
  /// bundle, each key under "_assay/".
  std::map<std::string, Tensor> session_state = {};
  /// What the checkpoint is judged by, by name; kept as "_assay/metric/NAME".
  std::map<std::string, double> metrics = {};
  /// Returns once a copy of the variables is taken; a thread of the saver's own writes it.
  bool async = false;
};

/// Saves and restores variables (tf.train.Saver): TensorFlow's nodes, its V2 bundle, its state
/// file. A checkpoint is written beside, synchronised and renamed into place, then the .meta
/// file, then the state file: whatever interrupts it, the last good checkpoint stays. The nodes go
/// into the .meta file; saving and restoring do not run them unless they do more than move
/// variables. One thread at a time.
class Saver {
 public:
  /// Adds the nodes to the current graph. Throws InvalidArgument when there is nothing to save or
  /// a name occurs twice.
  explicit Saver(const SaverOptions& options = {},
                 std::source_location where = std::source_location::current());
  /// A saver for nodes that are in `graph` already: an imported one. Of `options`, those count
  /// that make no nodes.
  Saver(Graph& graph, SaverNodes nodes, const SaverOptions& options = {});
  /// Waits for a save under way; an error of it that nobody was told is printed.
  ~Saver();
  Saver(Saver&&) noexcept;
  Saver& operator=(Saver&&) noexcept;

  /// Writes PATH.index, PATH.data-00000-of-00001, PATH.meta and the state file; returns the
  /// prefix PATH, with "-STEP" when a step is given. Throws InvalidArgument for a folder that is
  /// not there or a state file's name with a '/', FailedPrecondition for a variable that is not
  /// initialised, ResourceExhausted or another code for what the disk says; old checkpoints are
  /// then untouched.
  ///
  /// With `async`, it returns after a copy of the variables is taken. One such save is under way
  /// at a time: a second one first waits for it. What went wrong is thrown by the next save(),
  /// restore() or wait().
  std::string save(Session& session, const std::string& path, const SaveOptions& options = {});

  /// Returns when no save is under way; throws what went wrong with it.
  void wait() const;

  /// Restores all variables of the saver; they need no initialisation before. Reads everything,
  /// with checksums, and compares it with the graph; only then are variables changed, all at once:
  /// a failed restore changes none. Throws NotFound when there is no such checkpoint, or when it
  /// lacks a variable; InvalidArgument for another dtype or shape (variable, expected, got, file);
  /// DataLoss for a damaged file (tensor, file, place). Returns what matched and what did not.
  RestoreReport restore(Session& session, const std::string& prefix,
                        const RestoreOptions& options = {}) const;

  /// The session state saved in a checkpoint, by the keys it was given with; empty when there is
  /// none.
  static std::map<std::string, Tensor> read_session_state(
      const std::string& prefix, FileSystem& file_system = posix_file_system());

  /// The prefixes of the newest checkpoints, as the state file lists them, oldest first.
  std::vector<std::string> last_checkpoints() const;
  /// Takes charge of checkpoints written before, oldest first. Their age is not known: they are
  /// forgotten when others are newer, but never deleted. Of these and the two below, those without
  /// a Saver's mark that the state file does not list are passed over: they are not ours.
  void set_last_checkpoints(const std::vector<std::string>& prefixes);
  /// The same, each with its time, seconds since 1970.
  void set_last_checkpoints_with_times(std::vector<std::pair<std::string, double>> checkpoints);
  /// Takes charge of those of `prefixes` that are there.
  void recover_last_checkpoints(const std::vector<std::string>& prefixes);
  /// As SaverOptions::max_to_keep, from the next save on.
  void set_max_to_keep(int max_to_keep);
  /// What is kept, max_to_keep and keep_checkpoint_every_n_hours included.
  void set_retention(const RetentionRules& rules);
  RetentionRules retention() const;

  FileSystem& file_system() const;
  const SaverNodes& nodes() const;
  /// The encoded SaverDef; empty for a saver without variables.
  std::string to_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What goes into a MetaGraphDef.
struct ExportMetaGraphOptions {
  /// The saver that goes with the graph; null: none.
  const Saver* saver = nullptr;
  /// The collections; all when absent.
  std::optional<std::vector<std::string>> collection_list = {};
  /// Only what is under this name scope, which is left out of the names. Inputs from outside are
  /// marked as unbound.
  std::string export_scope = {};
  /// Drops the nodes' devices.
  bool clear_devices = false;
  /// Leaves out nodes of other savers.
  bool clear_extraneous_savers = false;
  bool strip_default_attrs = false;
  /// Text instead of bytes, for people.
  bool as_text = false;
};

/// The graph, its collections and the saver as an encoded MetaGraphDef.
std::string export_meta_graph(const Graph& graph, const ExportMetaGraphOptions& options = {});
/// The same with the saver as the only option; null: none.
inline std::string export_meta_graph(const Graph& graph, const Saver* saver) {
  return export_meta_graph(graph, ExportMetaGraphOptions{.saver = saver});
}
/// The same into a file, written whole or not at all.
void export_meta_graph_to(const std::string& filename, const Graph& graph,
                          const ExportMetaGraphOptions& options = {},
                          FileSystem& file_system = posix_file_system());

/// How import_meta_graph() names and places the nodes.
struct ImportMetaGraphOptions {
  /// Names get this prefix.
  std::string import_scope = {};
  /// Drops the nodes' devices.
  bool clear_devices = false;
  /// Where the file is, and the saver's checkpoints; null: the machine's own files.
  FileSystem* file_system = nullptr;
};

/// Adds a .meta file's nodes and collections to the current graph; returns its saver, if it has
/// one. Bytes or text. Throws NotFound, DataLoss for a file that is no MetaGraphDef, and what
/// importing a GraphDef throws.
std::optional<Saver> import_meta_graph(const std::string& filename,
                                       const ImportMetaGraphOptions& options = {});
/// The same from an encoded MetaGraphDef; `source` is what messages call it.
std::optional<Saver> import_meta_graph_bytes(const std::string& bytes,
                                             const ImportMetaGraphOptions& options = {},
                                             const std::string& source = "the MetaGraphDef");

}  // namespace assay::train
