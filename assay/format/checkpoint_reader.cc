#include "assay/format/checkpoint_reader.h"

#include <algorithm>

#include "assay/format/bundle_reader.h"
#include "assay/format/v1_reader.h"

namespace assay::format {

namespace {

/// A tensor in more parts than this is no tensor that anybody saved.
constexpr std::size_t kMaxParts = 10000;

/// Names in the checkpoint that share the last part of `name`, for a message.
std::string alike(const std::map<std::string, CheckpointEntry>& entries, const std::string& name) {
  const std::string last = name.substr(name.rfind('/') + 1);
  std::string found;
  int count = 0;
  for (const auto& [other, entry] : entries) {
    if (other.substr(other.rfind('/') + 1) != last) continue;
    found += (count == 0 ? "; it has '" : ", '") + other + "'";
    if (++count == 3) break;
  }
  return found;
}

bool overlap(const TensorSlice& a, const TensorSlice& b) {
  for (std::size_t i = 0; i < a.extents.size(); ++i) {
    const auto& x = a.extents[i];
    const auto& y = b.extents[i];
    if (x.length < 0 || y.length < 0) continue;
    if (x.start >= y.start + y.length || y.start >= x.start + x.length) return false;
  }
  return true;
}

TensorSlice whole_of(const Shape& shape) {
  TensorSlice all;
  all.extents.resize(static_cast<std::size_t>(shape.rank()));
  return all;
}

}  // namespace

std::unique_ptr<CheckpointReader> CheckpointReader::open(const std::string& prefix,
                                                         FileSystem& fs) {
  if (!BundleReader::exists(prefix, fs)) {
    const auto files = V1Reader::find_files(prefix, fs);
    if (!files.empty()) return std::make_unique<V1Reader>(prefix, files, fs);
  }
  // Says what is missing when there is nothing at all.
  return std::make_unique<BundleReader>(prefix, fs);
}

bool CheckpointReader::exists(const std::string& prefix, FileSystem& fs) {
  return BundleReader::exists(prefix, fs) || !V1Reader::find_files(prefix, fs).empty();
}

const CheckpointEntry* CheckpointReader::find(const std::string& name) const {
  const auto it = entries_.find(name);
  return it == entries_.end() ? nullptr : &it->second;
}

const CheckpointEntry& CheckpointReader::at(const std::string& name) const {
  const CheckpointEntry* entry = find(name);
  if (entry == nullptr) {
    fail(Code::kNotFound, "the checkpoint '{}' holds no tensor '{}'{}", prefix_, name,
         alike(entries_, name));
  }
  return *entry;
}

Tensor CheckpointReader::read(const std::string& name) const {
  const CheckpointEntry& entry = at(name);
  if (entry.slices.empty()) return read_whole(name, entry);
  return read_slice(name, whole_of(entry.shape));
}

Tensor CheckpointReader::read_slice(const std::string& name, const TensorSlice& slice) const {
  const CheckpointEntry& entry = at(name);
  Shape shape;
  try {
    shape = slice.shape_in(entry.shape);
  } catch (const Error& e) {
    fail(e.code(), "'{}' in the checkpoint '{}': {}", name, prefix_, e.message());
  }
  if (entry.slices.empty()) {
    Tensor whole = read_whole(name, entry);
    if (shape == entry.shape) return whole;
    Tensor part(entry.dtype, shape);
    copy_overlap(entry.shape, whole_of(entry.shape), whole, slice, part);
    return part;
  }
  const auto missing = [&](std::string_view why) {
    fail(Code::kDataLoss, "'{}' in the checkpoint '{}' is damaged: {}", name, prefix_, why);
  };
  // Only the parts that have something of the slice are read. Sizes first: nothing is allocated
  // that they cannot fill. They need not cover the whole tensor: one shard of several holds only
  // its own.
  if (entry.slices.size() > kMaxParts) missing(fmt::format("{} slices", entry.slices.size()));
  std::vector<std::size_t> parts;
  std::int64_t stored = 0;
  for (std::size_t i = 0; i < entry.slices.size(); ++i) {
    if (!overlap(entry.slices[i], slice)) continue;
    for (const std::size_t other : parts) {
      if (overlap(entry.slices[i], entry.slices[other])) {
        missing(fmt::format("its slices {} and {} overlap", entry.slices[other].str(),
                            entry.slices[i].str()));
      }
    }
    const std::int64_t n = check_part(name, entry, i).num_elements();
    if (__builtin_add_overflow(stored, n, &stored)) stored = INT64_MAX;
    parts.push_back(i);
  }
  if (stored < shape.num_elements()) missing("its slices do not cover it");
  Tensor out(entry.dtype, shape);
  std::int64_t copied = 0;
  for (const std::size_t i : parts) {
    copied += copy_overlap(entry.shape, entry.slices[i], read_part(name, entry, i), slice, out);
  }
  if (copied != shape.num_elements()) missing("its slices do not cover it");
  return out;
}

void CheckpointReader::verify() const {
  for (const auto& [name, entry] : entries_) {
    if (entry.dtype == DType::kVariant || entry.dtype == DType::kResource) continue;
    if (entry.slices.empty()) {
      read_whole(name, entry);
      continue;
    }
    for (std::size_t i = 0; i < entry.slices.size(); ++i) {
      check_part(name, entry, i);
      read_part(name, entry, i);
    }
  }
}

}  // namespace assay::format
