#include "assay/format/v1_reader.h"

#include <algorithm>

#include "assay/format/proto/checkpoint.pb.h"
#include "assay/format/proto_io.h"
#include "assay/format/tensor_proto.h"

namespace assay::format {

namespace {

/// The version that we can read; TensorFlow never wrote another.
constexpr int kVersion = 1;
constexpr std::size_t kDigits = 5;
constexpr std::string_view kOf = "-of-";
constexpr std::size_t kSuffix = 1 + kDigits + kOf.size() + kDigits;  // "-ddddd-of-ddddd"

bool all_digits(std::string_view text) {
  return text.size() == kDigits && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// True when `name` is `stem` + "-ddddd-of-ddddd".
bool is_shard_of(std::string_view name, std::string_view stem) {
  if (!name.starts_with(stem)) return false;
  name.remove_prefix(stem.size());
  if (name.size() != kSuffix || name[0] != '-') return false;
  name.remove_prefix(1);
  return all_digits(name.substr(0, kDigits)) && name.substr(kDigits, kOf.size()) == kOf &&
         all_digits(name.substr(kDigits + kOf.size()));
}

/// `pattern` with a question mark for any character.
bool matches(std::string_view name, std::string_view pattern) {
  return std::equal(name.begin(), name.end(), pattern.begin(), pattern.end(),
                    [](char c, char p) { return p == '?' || p == c; });
}

/// How many values the list holds that `dtype` uses; -1 when it uses none.
std::int64_t count_values(const proto::TensorProto& m, DType dtype) {
  switch (dtype) {
    case DType::kFloat:
      return m.float_val_size();
    case DType::kDouble:
      return m.double_val_size();
    case DType::kInt64:
      return m.int64_val_size();
    case DType::kBool:
      return m.bool_val_size();
    case DType::kComplex64:
      return m.scomplex_val_size() % 2 == 0 ? m.scomplex_val_size() / 2 : -1;
    case DType::kComplex128:
      return m.dcomplex_val_size() % 2 == 0 ? m.dcomplex_val_size() / 2 : -1;
    case DType::kHalf:
    case DType::kBFloat16:
      return m.half_val_size();
    case DType::kString:
      return m.string_val_size();
    case DType::kUInt32:
      return m.uint32_val_size();
    case DType::kUInt64:
      return m.uint64_val_size();
    case DType::kResource:
    case DType::kVariant:
      return -1;
    default:
      return m.int_val_size();
  }
}

/// Throws when `files` are not all of "-00000-of-N" to "-(N-1)-of-N".
void check_whole(const std::string& prefix, const std::vector<std::string>& files) {
  const std::string& last = files.back();
  const std::string_view name = last;
  if (!is_shard_of(name, name.substr(0, name.size() - std::min(name.size(), kSuffix)))) return;
  const std::string_view count = name.substr(name.size() - kDigits);
  if (std::any_of(files.begin(), files.end(),
                  [&](const std::string& f) { return !f.ends_with(count); }) ||
      fmt::format("{:0{}}", files.size(), kDigits) != count) {
    fail(Code::kDataLoss,
         "the checkpoint '{}' is not whole: {} of the {} files such as {} are there", prefix,
         files.size(), count, last);
  }
}

}  // namespace

std::vector<std::string> V1Reader::find_files(const std::string& prefix, FileSystem& fs) {
  const auto info = fs.stat(prefix);
  if (info && !info->is_directory) return {prefix};
  const std::string folder = parent_directory(prefix);
  if (!fs.is_directory(folder)) return {};
  const auto slash = prefix.rfind('/');
  const std::string start = slash == std::string::npos ? "" : prefix.substr(0, slash + 1);
  const std::string stem = prefix.substr(start.size());
  if (stem.empty()) return {};
  const bool pattern = stem.find('?') != std::string::npos;
  std::vector<std::string> files;
  for (const std::string& name : fs.list(folder)) {
    if (pattern ? matches(name, stem) : is_shard_of(name, stem)) files.push_back(start + name);
  }
  return files;
}

V1Reader::V1Reader(const std::string& prefix, const std::vector<std::string>& files, FileSystem& fs)
    : CheckpointReader(prefix) {
  check_whole(prefix, files);
  for (const std::string& file : files) {
    tables_.push_back(std::make_unique<TableReader>(fs.open_read(file)));
    add_table(static_cast<int>(tables_.size()) - 1);
  }
  // One part that is the whole tensor is no part.
  for (auto& [name, entry] : entries_) {
    if (entry.slices.size() != 1 || !entry.slices[0].is_full(entry.shape)) continue;
    const Part& part = parts_[name][0];
    entry.slices.clear();
    entry.shard = part.shard;
    entry.offset = tables_[static_cast<std::size_t>(part.shard)]->block_offset(
        encode_slice_key(name, part.slice));
  }
}

std::vector<std::string> V1Reader::files() const {
  std::vector<std::string> all;
  for (const auto& table : tables_) all.push_back(table->path());
  return all;
}

void V1Reader::add_table(int shard) {
  const TableReader& table = *tables_[static_cast<std::size_t>(shard)];
  const auto refuse = [&](std::string_view why) {
    fail(Code::kDataLoss, "{} is no checkpoint of TensorFlow's V1 format, or damaged: {}",
         table.path(), why);
  };
  proto::SavedTensorSlices message;
  const bool found = table.get("", [&](std::string_view, std::string_view value) {
    parse_binary(value, message, table.path() + ": its list of tensors");
  });
  if (!found) refuse("it has no list of tensors");
  const proto::SavedTensorSliceMeta& meta = message.meta();
  if (meta.versions().min_consumer() > kVersion) {
    fail(Code::kUnimplemented, "{} needs a reader of version {} or later, this one is {}",
         table.path(), meta.versions().min_consumer(), kVersion);
  }
  for (const proto::SavedSliceMeta& tensor : meta.tensor()) {
    const std::string& name = tensor.name();
    const auto bad = [&](std::string_view why) {
      refuse(fmt::format("its list of tensors says of '{}' that {}", name, why));
    };
    if (name.empty() || name[0] == '\0') bad("it has no name");
    const auto dtype = static_cast<DType>(tensor.type());
    if (dtype_size(dtype) == 0) bad("it has no type");
    Shape shape;
    std::vector<TensorSlice> slices;
    try {
      shape = shape_from_proto(tensor.shape(), "its shape");
      for (const auto& slice : tensor.slice()) {
        slices.push_back(TensorSlice::from_proto(slice));
        slices.back().shape_in(shape);
      }
    } catch (const Error& e) {
      bad(e.message());
    }
    if (slices.empty()) bad("it has no values");
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(static_cast<std::uint64_t>(shape.num_elements()), dtype_size(dtype),
                               &bytes)) {
      bad("it is impossibly large");
    }
    CheckpointEntry& entry = entries_[name];
    if (entry.dtype == DType::kInvalid) {
      entry.dtype = dtype;
      entry.shape = shape;
      if (dtype != DType::kString) entry.size = bytes;
    } else if (entry.dtype != dtype || entry.shape != shape) {
      bad("it has another type or shape than before");
    }
    for (TensorSlice& slice : slices) {
      parts_[name].push_back({shard, slice});
      entry.slices.push_back(std::move(slice));
    }
  }
}

Tensor V1Reader::read_whole(const std::string& name, const CheckpointEntry& entry) const {
  return read_values(name, entry, parts_.at(name).front());
}

Shape V1Reader::check_part(const std::string& /*name*/, const CheckpointEntry& entry,
                           std::size_t part) const {
  return entry.slices[part].shape_in(entry.shape);
}

Tensor V1Reader::read_part(const std::string& name, const CheckpointEntry& entry,
                           std::size_t part) const {
  return read_values(name, entry, parts_.at(name)[part]);
}

Tensor V1Reader::read_values(const std::string& name, const CheckpointEntry& entry,
                             const Part& part) const {
  if (entry.dtype == DType::kVariant || entry.dtype == DType::kResource) {
    fail(Code::kUnimplemented, "'{}' in the checkpoint '{}' is a {}: its value cannot be read",
         name, prefix(), dtype_name(entry.dtype));
  }
  const TableReader& table = *tables_[static_cast<std::size_t>(part.shard)];
  const std::string key = encode_slice_key(name, part.slice);
  const auto damaged = [&](std::string_view why) {
    fail(Code::kDataLoss, "'{}' in the checkpoint '{}' is damaged: {} ({}, the block at {})", name,
         prefix(), why, table.path(), table.block_offset(key));
  };
  const Shape shape = part.slice.shape_in(entry.shape);
  proto::SavedTensorSlices message;
  bool found = false;
  try {
    found = table.get(key, [&](std::string_view, std::string_view value) {
      parse_binary(value, message, "the entry of its values");
    });
  } catch (const Error& e) {
    if (e.code() != Code::kDataLoss) throw;
    damaged(e.message());
  }
  if (!found) damaged("its values are missing");
  if (message.data().name() != name) damaged("its values are of another tensor");
  // Only the values are stored: type and shape are known.
  proto::TensorProto& data = *message.mutable_data()->mutable_data();
  const std::int64_t values = count_values(data, entry.dtype);
  if (values != shape.num_elements() || !data.tensor_content().empty()) {
    damaged(fmt::format("{} values for the shape {}", values, shape.str()));
  }
  data.set_dtype(static_cast<proto::DataType>(entry.dtype));
  shape_to_proto(shape, *data.mutable_tensor_shape());
  return tensor_from_proto(data, name, INT64_MAX);
}

}  // namespace assay::format
