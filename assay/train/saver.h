#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "assay/api/variable.h"
#include "assay/runtime/session.h"
#include "assay/train/checkpoint_management.h"

namespace assay::train {

struct SaverOptions {
  /// The variables to save, under their own names; empty: all global (and saveable) variables.
  std::vector<Variable> var_list = {};
  /// Or: by the name each has in the checkpoint. Not together with var_list.
  std::map<std::string, Variable> names = {};
  /// Reshape what is read to the variable's shape instead of refusing another one.
  bool reshape = false;
  /// Newest checkpoints to keep; 0 keeps all.
  int max_to_keep = 5;
  /// Of those that fall out of max_to_keep, keep one for every so many hours.
  double keep_checkpoint_every_n_hours = 10000;
  /// The name scope of the Saver's nodes; "" takes "save".
  std::string name = {};
  /// Without variables: save() and restore() do nothing, instead of an error here.
  bool allow_empty = false;
  /// Eight digits in the file names.
  bool pad_step_number = false;
  /// Paths in the state file relative to its folder, so that the folder can be moved.
  bool save_relative_paths = false;
  /// What the filename placeholder holds when nothing is fed.
  std::string filename = "model";
};

struct SaveOptions {
  /// Appended to the path as "-STEP".
  std::optional<std::int64_t> global_step = {};
  /// The state file's name; "" takes "checkpoint".
  std::string latest_filename = {};
  std::string meta_graph_suffix = "meta";
  bool write_meta_graph = true;
  bool write_state = true;
  /// What else the run needs to go on (iterators, epochs): kept in a bundle of its own beside
  /// the checkpoint, which TensorFlow does not look at.
  std::map<std::string, Tensor> session_state = {};
};

/// The nodes' names by which a saver is found in a graph (SaverDef).
struct SaverNodes {
  std::string filename_tensor_name;
  std::string save_tensor_name;
  std::string restore_op_name;
};

/// Saves and restores variables (tf.train.Saver): TensorFlow's nodes, its V2 bundle, its state
/// file. A checkpoint is written beside, synchronised and renamed into place, then the .meta
/// file, then the state file: whatever interrupts it, the last good checkpoint stays.
/// One thread at a time.
class Saver {
 public:
  /// Adds the nodes to the current graph. Throws InvalidArgument when there is nothing to save or
  /// a name occurs twice.
  explicit Saver(const SaverOptions& options = {},
                 std::source_location where = std::source_location::current());
  /// A saver for nodes that are in `graph` already: an imported one.
  Saver(Graph& graph, SaverNodes nodes, int max_to_keep = 5,
        double keep_checkpoint_every_n_hours = 10000);

  /// Writes PATH.index, PATH.data-00000-of-00001, PATH.meta and the state file; returns the
  /// prefix PATH, with "-STEP" when a step is given. Throws InvalidArgument for a folder that is
  /// not there or a state file's name with a '/', FailedPrecondition for a variable that is not
  /// initialised, ResourceExhausted or another code for what the disk says; old checkpoints are
  /// then untouched.
  std::string save(Session& session, const std::string& path, const SaveOptions& options = {});

  /// Restores all variables of the saver; they need no initialisation before. Checks the whole
  /// index first. Throws NotFound when there is no such checkpoint, or when it lacks a variable;
  /// InvalidArgument for another dtype or shape (variable, expected, got, file); DataLoss for a
  /// damaged file (tensor, file). A failed restore changes no variable.
  void restore(Session& session, const std::string& prefix) const;

  /// The session state saved beside a checkpoint; empty when there is none.
  static std::map<std::string, Tensor> read_session_state(const std::string& prefix);

  /// The prefixes of the checkpoints that this saver wrote and still keeps, oldest first.
  std::vector<std::string> last_checkpoints() const;
  /// Takes charge of checkpoints written before (each with its time, seconds since 1970; 0: now).
  void set_last_checkpoints_with_time(std::vector<std::pair<std::string, double>> checkpoints);
  /// Takes charge of those of `prefixes` that are there.
  void recover_last_checkpoints(const std::vector<std::string>& prefixes);
  void set_max_to_keep(int max_to_keep) { max_to_keep_ = max_to_keep; }

  const SaverNodes& nodes() const { return nodes_; }
  /// The encoded SaverDef.
  std::string to_bytes() const;

 private:
  struct Entry {
    std::string name;
    DType dtype;
    PartialShape shape;
    std::string place;
  };

  void check_against(const std::string& prefix) const;
  void record(const std::string& prefix);
  void delete_old(const std::string& meta_graph_suffix);

  Graph* graph_ = nullptr;
  SaverNodes nodes_;
  std::vector<Entry> entries_;
  bool empty_ = false;
  bool reshape_ = false;
  int max_to_keep_ = 5;
  double keep_every_n_hours_ = 10000;
  bool pad_step_number_ = false;
  bool save_relative_paths_ = false;
  double next_preserved_ = 0;
  std::vector<std::pair<std::string, double>> last_checkpoints_;
  std::vector<std::pair<std::string, double>> to_delete_;
};

/// The graph, its collections and the saver as an encoded MetaGraphDef. `saver` may be null.
std::string export_meta_graph(const Graph& graph, const Saver* saver = nullptr);
/// The same into a file, written whole or not at all.
void export_meta_graph_to(const std::string& filename, const Graph& graph,
                          const Saver* saver = nullptr);

struct ImportMetaGraphOptions {
  /// Names get this prefix.
  std::string import_scope = {};
  bool clear_devices = false;
};

/// Adds a .meta file's nodes and collections to the current graph; returns its saver, if it has
/// one. Throws NotFound, DataLoss for a file that is no MetaGraphDef, and what importing a
/// GraphDef throws.
std::optional<Saver> import_meta_graph(const std::string& filename,
                                       const ImportMetaGraphOptions& options = {});

}  // namespace assay::train
