#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "assay/format/checkpoint_reader.h"
#include "assay/format/table_reader.h"

namespace assay::format {

/// Reads a checkpoint in TensorFlow's V1 format, which it wrote before 0.12: one table, or several
/// that each hold some of the parts (docs/formats/checkpoint.md). Thread-safe.
class V1Reader : public CheckpointReader {
 public:
  /// The file PREFIX, the files PREFIX-ddddd-of-ddddd, or those that a PREFIX with question marks
  /// stands for; empty when there is none.
  static std::vector<std::string> find_files(const std::string& prefix, FileSystem& fs);

  /// Throws DataLoss when a file is damaged or no such table.
  V1Reader(const std::string& prefix, const std::vector<std::string>& files, FileSystem& fs);

  int version() const override { return 1; }
  std::vector<std::string> files() const override;

 protected:
  Tensor read_whole(const std::string& name, const CheckpointEntry& entry) const override;
  Shape check_part(const std::string& name, const CheckpointEntry& entry,
                   std::size_t part) const override;
  Tensor read_part(const std::string& name, const CheckpointEntry& entry,
                   std::size_t part) const override;

 private:
  /// Where the values of a part are.
  struct Part {
    int shard = 0;
    TensorSlice slice;  // as its key spells it
  };

  void add_table(int shard);
  Tensor read_values(const std::string& name, const CheckpointEntry& entry, const Part& part) const;

  std::vector<std::unique_ptr<TableReader>> tables_;
  std::map<std::string, std::vector<Part>> parts_;  // as many as the entry has, or 1
};

}  // namespace assay::format
