#include "assay/format/bundle_merge.h"

#include <map>

#include "assay/format/bundle_files.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/proto/checkpoint.pb.h"
#include "assay/format/proto_io.h"
#include "assay/format/table_reader.h"
#include "assay/format/tensor_proto.h"

namespace assay::format {

namespace {

class Merger {
 public:
  Merger(std::string destination, FileSystem& fs) : destination_(std::move(destination)), fs_(fs) {}

  void add(const std::string& prefix) {
    // It checks all entries.
    const BundleReader reader(prefix, fs_);
    if (indexes_.empty()) {
      big_endian_ = reader.big_endian();
    } else if (reader.big_endian() != big_endian_) {
      invalid_argument("'{}' cannot be merged into '{}': its byte order is another", prefix,
                       destination_);
    }
    indexes_.push_back(reader.index_path());
    const TableReader table(fs_.open_read(reader.index_path()));
    table.for_each([&](std::string_view key, std::string_view value) {
      if (key.empty()) return;
      auto entry = parse_binary<proto::BundleEntryProto>(value, reader.index_path());
      add(std::string(key), std::move(entry), reader);
    });
  }

  void finish() {
    std::vector<std::string> data_files(shards_.size());
    for (const auto& [path, number] : shards_) data_files[static_cast<std::size_t>(number)] = path;
    if (data_files.empty()) invalid_argument("'{}': there is nothing to merge", destination_);
    const std::string temporary = temporary_name(destination_ + ".index");
    try {
      // They are to survive as they are now, whoever wrote them.
      for (const std::string& path : data_files) {
        const auto file = fs_.open_write(path, WriteMode::kAppend);
        file->sync();
        file->close();
      }
      const auto file = fs_.open_write(temporary);
      file->append(bundle_index(entries_, static_cast<int>(data_files.size()), big_endian_));
      file->sync();
      file->close();
      publish_bundle(fs_, destination_, data_files, temporary);
    } catch (...) {
      try {
        if (fs_.exists(temporary)) fs_.remove(temporary);
      } catch (const Error&) {
        // The first error is the one to tell.
      }
      throw;
    }
    for (const std::string& index : indexes_) {
      if (index != destination_ + ".index" && fs_.exists(index)) fs_.remove(index);
    }
  }

 private:
  void add(const std::string& key, proto::BundleEntryProto entry, const BundleReader& reader) {
    const auto found = entries_.find(key);
    if (found != entries_.end()) {
      proto::BundleEntryProto& whole = found->second;
      if (whole.slices().empty() || entry.slices().empty() || whole.dtype() != entry.dtype() ||
          to_binary(whole.shape()) != to_binary(entry.shape())) {
        invalid_argument(
            "'{}' cannot be merged into '{}': '{}' is in another one too, or as a "
            "part of another tensor",
            reader.prefix(), destination_,
            key.starts_with('\0') ? decode_slice_key(key).name : key);
      }
      for (const auto& slice : entry.slices()) *whole.add_slices() = slice;
      return;
    }
    const std::string path = reader.data_path(entry.shard_id());
    if (!fs_.exists(path)) {
      fail(Code::kDataLoss, "the checkpoint '{}' is not whole: its file {} is missing",
           reader.prefix(), path);
    }
    // TensorFlow numbers them as their first entries come.
    entry.set_shard_id(shards_.try_emplace(path, static_cast<int>(shards_.size())).first->second);
    entries_.emplace(key, std::move(entry));
  }

  std::string destination_;
  FileSystem& fs_;
  bool big_endian_ = false;
  std::vector<std::string> indexes_;
  std::map<std::string, int> shards_;
  std::map<std::string, proto::BundleEntryProto> entries_;
};

}  // namespace

void merge_bundles(const std::vector<std::string>& prefixes, const std::string& destination,
                   FileSystem& fs) {
  fs.make_directories(parent_directory(destination));
  Merger merger(destination, fs);
  for (const std::string& prefix : prefixes) merger.add(prefix);
  merger.finish();
}

}  // namespace assay::format
