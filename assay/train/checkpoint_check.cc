#include "assay/train/checkpoint_check.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "assay/format/bundle_reader.h"
#include "assay/graph/graph_files.h"
#include "assay/train/checkpoint_management.h"

namespace assay::train {

namespace {

/// The file that an entry's `shard` is the number of.
std::string data_file(const std::vector<std::string>& files, int version, int shard) {
  const std::size_t i = static_cast<std::size_t>(shard) + (version == 2 ? 1 : 0);
  return i < files.size() ? files[i] : "";
}

/// Where a part of a tensor lies; null when that is not known.
const format::CheckpointEntry* part_entry(const format::BundleReader* bundle,
                                          const std::string& name,
                                          const format::TensorSlice& slice) {
  if (bundle == nullptr) return nullptr;
  const auto found = bundle->slice_entries().find(format::encode_slice_key(name, slice));
  return found == bundle->slice_entries().end() ? nullptr : &found->second;
}

class Checker {
 public:
  Checker(const std::string& prefix, FileSystem& fs) : fs_(fs) { check_.prefix = prefix; }

  CheckpointCheck run() {
    std::unique_ptr<format::CheckpointReader> reader;
    try {
      reader = format::CheckpointReader::open(check_.prefix, fs_);
    } catch (const Error& e) {
      if (e.code() != Code::kDataLoss) throw;
      const std::string index = check_.prefix + ".index";
      add({.file = fs_.exists(index) ? index : check_.prefix, .message = e.message()});
    }
    if (reader != nullptr) check_values(*reader);
    check_meta();
    return std::move(check_);
  }

 private:
  void add(Damage damage) { check_.damage.push_back(std::move(damage)); }

  void check_values(const format::CheckpointReader& reader) {
    check_.version = reader.version();
    std::set<std::string> missing;
    for (const std::string& file : reader.files()) {
      if (fs_.exists(file)) continue;
      missing.insert(file);
      add({.file = file, .message = fmt::format("the file {} is missing", file)});
    }
    std::set<std::string> bad;
    std::size_t parts = 0;
    const auto all = stored_parts(reader);
    const auto beyond = find_beyond_end(reader, all, missing);
    for (const StoredPart& part : all) {
      if (part.slice) ++parts;
      if (has_no_value(part.dtype)) continue;
      if (missing.contains(part.file) || beyond.contains(&part)) {
        bad.insert(part.name);
        continue;
      }
      try {
        read_part(reader, part);
        check_.bytes += part.size;
      } catch (const Error& e) {
        if (e.code() != Code::kDataLoss) throw;
        bad.insert(part.name);
        add({.file = part.file,
             .tensor = part.name,
             .offset = part.offset,
             .message = e.message()});
      }
    }
    check_.tensors =
        static_cast<std::int64_t>(reader.entries().size()) - static_cast<std::int64_t>(bad.size());
    const auto* bundle = dynamic_cast<const format::BundleReader*>(&reader);
    if (bundle == nullptr || bundle->slice_entries().size() <= parts || !check_.sound()) return;
    // Parts that no tensor lists have checksums as well.
    try {
      reader.verify();
    } catch (const Error& e) {
      if (e.code() != Code::kDataLoss) throw;
      add({.message = e.message()});
    }
  }

  /// The parts that a file is too short for, told as one damage for each file.
  std::set<const StoredPart*> find_beyond_end(const format::CheckpointReader& reader,
                                              const std::vector<StoredPart>& parts,
                                              const std::set<std::string>& missing) {
    struct File {
      std::uint64_t size = 0;
      const StoredPart* first = nullptr;  // of those beyond its end
      std::int64_t count = 0;
    };
    std::set<const StoredPart*> beyond;
    if (reader.version() != 2) return beyond;
    std::map<std::string, File> files;
    for (const std::string& path : reader.files()) {
      const auto info = fs_.stat(path);
      if (info && !missing.contains(path)) files[path].size = info->size;
    }
    for (const StoredPart& part : parts) {
      const auto found = files.find(part.file);
      if (found == files.end() || !part.offset || has_no_value(part.dtype)) continue;
      File& file = found->second;
      if (*part.offset <= file.size && part.size <= file.size - *part.offset) continue;
      beyond.insert(&part);
      if (file.count++ == 0) file.first = &part;
    }
    for (const auto& [path, file] : files) {
      if (file.count == 0) continue;
      const StoredPart& first = *file.first;
      add({.file = path,
           .tensor = first.name,
           .offset = first.offset,
           .message =
               fmt::format("the file {} is cut short: it has {} bytes, and {} do not lie "
                           "inside, from '{}' ({} bytes at {}) on",
                           path, file.size,
                           file.count == 1 ? "the values of one tensor"
                                           : fmt::format("the values of {} tensors", file.count),
                           first.name, first.size, *first.offset)});
    }
    return beyond;
  }

  void check_meta() {
    const std::string path = meta_graph_filename(check_.prefix);
    if (!fs_.exists(path)) return;
    try {
      read_graph_file(path, fs_);
    } catch (const Error& e) {
      if (e.code() != Code::kDataLoss && e.code() != Code::kInvalidArgument) throw;
      add({.file = path, .message = e.message()});
    }
  }

  FileSystem& fs_;
  CheckpointCheck check_;
};

}  // namespace

std::vector<StoredPart> stored_parts(const format::CheckpointReader& reader) {
  const std::vector<std::string> files = reader.files();
  const auto* bundle = dynamic_cast<const format::BundleReader*>(&reader);
  std::vector<StoredPart> all;
  std::vector<std::tuple<int, std::uint64_t, std::uint64_t>> places;
  const auto add = [&](StoredPart part, const format::CheckpointEntry* entry) {
    int shard = 0;
    if (entry != nullptr) {
      shard = entry->shard;
      part.file = data_file(files, reader.version(), shard);
      part.offset = entry->offset;
      part.size = entry->size;
    } else if (files.size() == 1) {
      part.file = files.front();
    }
    places.emplace_back(shard, part.offset.value_or(0), part.size);
    all.push_back(std::move(part));
  };
  for (const auto& [name, entry] : reader.entries()) {
    StoredPart part{.name = name, .dtype = entry.dtype, .shape = entry.shape};
    if (entry.slices.empty()) {
      add(part, &entry);
      continue;
    }
    for (const format::TensorSlice& slice : entry.slices) {
      part.slice = slice;
      const auto elements = static_cast<std::uint64_t>(slice.shape_in(entry.shape).num_elements());
      part.size = entry.dtype == DType::kString ? 0 : elements * dtype_size(entry.dtype);
      add(part, part_entry(bundle, name, slice));
    }
  }
  std::vector<std::size_t> order(all.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return places[a] < places[b]; });
  std::vector<StoredPart> sorted;
  sorted.reserve(all.size());
  for (const std::size_t i : order) sorted.push_back(std::move(all[i]));
  return sorted;
}

Tensor read_part(const format::CheckpointReader& reader, const StoredPart& part) {
  return part.slice ? reader.read_slice(part.name, *part.slice) : reader.read(part.name);
}

bool has_no_value(DType dtype) {
  return dtype == DType::kResource || dtype == DType::kVariant;
}

CheckpointCheck check_checkpoint(const std::string& prefix, FileSystem& file_system) {
  return Checker(prefix, file_system).run();
}

}  // namespace assay::train
