#include "assay/format/bundle_files.h"

#include <leveldb/options.h>
#include <leveldb/table_builder.h>

#include "assay/format/leveldb_files.h"
#include "assay/format/proto_io.h"

namespace assay::format {

namespace {

/// The data files of a prefix, finished or replacing, whatever their number.
std::vector<std::string> data_files_of(FileSystem& fs, const std::string& prefix) {
  const auto slash = prefix.rfind('/');
  const std::string start = slash == std::string::npos ? "" : prefix.substr(0, slash + 1);
  const std::string stem = prefix.substr(start.size()) + ".data-";
  const std::size_t plain = std::string("00000-of-00001").size();
  std::vector<std::string> files;
  for (const std::string& name : fs.list(parent_directory(prefix))) {
    if (!name.starts_with(stem)) continue;
    std::string number = name.substr(stem.size());
    if (number.ends_with(kReplacingSuffix)) {
      number.resize(number.size() - std::string(kReplacingSuffix).size());
    }
    if (number.size() == plain && number.find_first_not_of("0123456789-of") == std::string::npos) {
      files.push_back(start + name);
    }
  }
  return files;
}

}  // namespace

std::string data_file_name(const std::string& prefix, int shard, int num_shards) {
  return fmt::format("{}.data-{:05}-of-{:05}", prefix, shard, num_shards);
}

std::string bundle_index(const std::map<std::string, proto::BundleEntryProto>& entries,
                         int num_shards, bool big_endian) {
  // TensorFlow's options for its copy of this table format.
  leveldb::Options options;
  options.compression = leveldb::kNoCompression;
  options.block_size = 262144;
  options.block_restart_interval = 16;
  LevelDbSink sink;
  leveldb::TableBuilder builder(options, &sink);
  proto::BundleHeaderProto header;
  header.set_num_shards(num_shards);
  header.set_endianness(big_endian ? proto::BundleHeaderProto::BIG
                                   : proto::BundleHeaderProto::LITTLE);
  header.mutable_version()->set_producer(1);
  builder.Add("", to_binary(header));
  for (const auto& [key, entry] : entries) builder.Add(key, to_binary(entry));
  const leveldb::Status status = builder.Finish();
  ASSAY_CHECK(status.ok());
  return sink.bytes();
}

void complete_replacement(FileSystem& fs, const std::string& prefix) {
  const std::string index = prefix + ".index";
  const std::string new_index = index + kReplacingSuffix;
  const std::string folder = parent_directory(prefix);
  const bool counts = fs.exists(new_index) && fs.exists(index);
  if (!counts && fs.exists(new_index)) fs.remove(new_index);
  bool renamed = false;
  for (const std::string& file : data_files_of(fs, prefix)) {
    if (!file.ends_with(kReplacingSuffix)) continue;
    if (!counts) {
      // The checkpoint that it was to replace was deleted, or it does not count yet.
      fs.remove(file);
      continue;
    }
    fs.rename(file, file.substr(0, file.size() - std::string(kReplacingSuffix).size()));
    renamed = true;
  }
  if (!counts) return;
  if (renamed) fs.sync_directory(folder);
  fs.rename(new_index, index);
  fs.sync_directory(folder);
}

void publish_bundle(FileSystem& fs, const std::string& prefix,
                    const std::vector<std::string>& data_files, const std::string& index_file) {
  const std::string index = prefix + ".index";
  const std::string folder = parent_directory(prefix);
  const int n = static_cast<int>(data_files.size());
  complete_replacement(fs, prefix);
  const bool replaces = fs.exists(index);
  // Two files cannot be replaced in one step, but one can appear: the new index under a name of
  // its own is what makes the new checkpoint count.
  const std::string suffix = replaces ? kReplacingSuffix : "";
  const auto placed = [&](int i) { return data_file_name(prefix, i, n) + suffix; };
  int done = 0;
  try {
    for (; done < n; ++done) fs.rename(data_files[static_cast<std::size_t>(done)], placed(done));
    // A reader that finds the index must find the data, also after a power cut.
    fs.sync_directory(folder);
    fs.rename(index_file, index + suffix);
  } catch (...) {
    // Nothing counts yet: all back to where it was.
    try {
      while (done-- > 0) fs.rename(placed(done), data_files[static_cast<std::size_t>(done)]);
    } catch (const Error&) {
      // The first error is the one to tell.
    }
    throw;
  }
  fs.sync_directory(folder);
  if (replaces) complete_replacement(fs, prefix);
  // What an older checkpoint of another number of files, or of none, left.
  const std::string of = data_file_name(prefix, 0, n).substr(prefix.size() + 11);
  for (const std::string& file : data_files_of(fs, prefix)) {
    if (!file.ends_with(of)) fs.remove(file);
  }
}

}  // namespace assay::format
