#include <map>
#include <set>

#include "assay/base/file_system.h"
#include "assay/device/kernel.h"
#include "assay/format/bundle_merge.h"
#include "assay/format/bundle_writer.h"
#include "assay/format/checkpoint_reader.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

constexpr int kFixedInputs = 3;  // prefix, tensor_names, shape_and_slices

const std::string& text_of(const Tensor& t, const char* what) {
  if (t.num_elements() != 1) invalid_argument("{} must be a scalar, got {}", what, t.shape().str());
  return t.data<std::string>()[0];
}

/// Checks the names and slices against the number of tensors; returns the names.
const std::string* names_of(const KernelContext& ctx, std::int64_t tensors) {
  for (const int i : {1, 2}) {
    const Tensor& t = ctx.input(i);
    if (t.rank() != 1 || t.dim(0) != tensors) {
      invalid_argument("{} must be a vector of {} strings, got {}",
                       i == 1 ? "tensor_names" : "shape_and_slices", tensors, t.shape().str());
    }
  }
  return ctx.in<std::string>(1);
}

void save(KernelContext& ctx) {
  const std::string& prefix = text_of(ctx.input(0), "prefix");
  const std::int64_t n = ctx.num_inputs() - kFixedInputs;
  const std::string* names = names_of(ctx, n);
  format::BundleWriter writer(prefix);
  for (std::int64_t i = 0; i < n; ++i) {
    const Tensor& tensor = ctx.input(static_cast<int>(i) + kFixedInputs);
    const auto part = format::parse_shape_and_slice(ctx.in<std::string>(2)[i]);
    if (!part) {
      writer.add(names[i], tensor);
      continue;
    }
    const Shape shape = part->slice.shape_in(part->full_shape);
    if (shape != tensor.shape()) {
      invalid_argument("tensor '{}' has shape {}, its slice '{}' {}", names[i],
                       tensor.shape().str(), ctx.in<std::string>(2)[i], shape.str());
    }
    writer.add_slice(names[i], part->full_shape, part->slice, tensor);
  }
  writer.finish();
}

class Restore : public Kernel {
 public:
  explicit Restore(const KernelInit& init) : dtypes_(init.attr<std::vector<DType>>("dtypes")) {}

  void run(KernelContext& ctx) override {
    const std::string& prefix = text_of(ctx.input(0), "prefix");
    const std::string* names = names_of(ctx, static_cast<std::int64_t>(dtypes_.size()));
    const auto opened = format::CheckpointReader::open(prefix);
    const format::CheckpointReader& reader = *opened;
    std::string wrong;
    for (std::size_t i = 0; i < dtypes_.size(); ++i) {
      const DType stored = reader.at(names[i]).dtype;
      if (stored == dtypes_[i]) continue;
      wrong += fmt::format("{}'{}' (expected {}, stored {})", wrong.empty() ? "" : ", ", names[i],
                           dtype_name(dtypes_[i]), dtype_name(stored));
    }
    if (!wrong.empty()) {
      invalid_argument("checkpoint '{}' has tensors of another type: {}", prefix, wrong);
    }
    for (std::size_t i = 0; i < dtypes_.size(); ++i) {
      ctx.set_output(static_cast<int>(i), read(reader, names[i], ctx.in<std::string>(2)[i]));
    }
  }

 private:
  static Tensor read(const format::CheckpointReader& reader, const std::string& name,
                     const std::string& spec) {
    const auto part = format::parse_shape_and_slice(spec);
    if (!part) return reader.read(name);
    const Shape& stored = reader.at(name).shape;
    if (part->full_shape != stored) {
      invalid_argument("tensor '{}' has shape {} in checkpoint '{}', its slice '{}' is of another",
                       name, stored.str(), reader.prefix(), spec);
    }
    return reader.read_slice(name, part->slice);
  }

  std::vector<DType> dtypes_;
};

/// Makes one checkpoint of several and removes those.
class MergeCheckpoints : public Kernel {
 public:
  explicit MergeCheckpoints(const KernelInit& init)
      : delete_old_(init.attr<bool>("delete_old_dirs")) {}

  void run(KernelContext& ctx) override {
    const Tensor& prefixes = ctx.input(0);
    if (prefixes.rank() != 1) {
      invalid_argument("checkpoint_prefixes must be a vector, got {}", prefixes.shape().str());
    }
    const std::string& merged = text_of(ctx.input(1), "destination_prefix");
    const auto parts = prefixes.span<std::string>();
    format::merge_bundles({parts.begin(), parts.end()}, merged);
    if (delete_old_) remove_folders({parts.begin(), parts.end()}, parent_directory(merged));
  }

 private:
  /// Removes the folders that the merged were alone in.
  static void remove_folders(const std::vector<std::string>& parts, const std::string& keep) {
    FileSystem& fs = posix_file_system();
    std::set<std::string> folders;
    for (const std::string& part : parts) folders.insert(parent_directory(part));
    folders.erase(keep);
    for (const std::string& folder : folders) {
      if (fs.list(folder).empty()) fs.remove(folder);
    }
  }

  bool delete_old_;
};

void sharded_filename(KernelContext& ctx) {
  ctx.out<std::string>(0, Shape{})[0] =
      fmt::format("{}-{:05}-of-{:05}", text_of(ctx.input(0), "basename"),
                  ctx.input(1).item<std::int32_t>(), ctx.input(2).item<std::int32_t>());
}

void sharded_filespec(KernelContext& ctx) {
  ctx.out<std::string>(0, Shape{})[0] =
      fmt::format("{}-{}-of-{:05}", text_of(ctx.input(0), "basename"), std::string(5, '?'),
                  ctx.input(1).item<std::int32_t>());
}

void check_names(const ShapeContext& c, std::int64_t tensors) {
  c.with_rank(0, 0);
  for (const int i : {1, 2}) {
    const PartialShape names = c.with_rank(i, 1);
    if (!merge_dims(names[0], tensors)) {
      c.mismatch("{} tensors need as many names and slices: {}", tensors, c.describe_input(i));
    }
  }
}

void save_shape(ShapeContext& c) {
  check_names(c, c.num_inputs() - kFixedInputs);
}

void restore_shape(ShapeContext& c) {
  check_names(c, c.num_outputs());
  const Tensor* slices = c.input_value(2);
  for (int i = 0; i < c.num_outputs(); ++i) {
    c.set_output(i, PartialShape());
    if (slices == nullptr) continue;
    const auto part = format::parse_shape_and_slice(slices->data<std::string>()[i]);
    if (part) c.set_output(i, part->slice.shape_in(part->full_shape));
  }
}

void merge_shape(ShapeContext& c) {
  c.with_rank(0, 1);
  c.with_rank(1, 0);
}

void scalars_shape(ShapeContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i) c.with_rank(i, 0);
  c.set_output(0, PartialShape::scalar());
}

}  // namespace

void register_save_restore(OpRegistry& registry) {
  registry.add({.name = "SaveV2",
                .doc = "Writes tensors to a checkpoint.",
                .inputs = {"prefix: string", "tensor_names: string", "shape_and_slices: string",
                           "tensors: dtypes"},
                .attrs = {"dtypes: list(type)"},
                .effect = Effect::kWrites,
                .shape = save_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, function_kernel<save>}}});
  registry.add({.name = "RestoreV2",
                .doc = "Reads tensors from a checkpoint.",
                .inputs = {"prefix: string", "tensor_names: string", "shape_and_slices: string"},
                .outputs = {"tensors: dtypes"},
                .attrs = {"dtypes: list(type)"},
                .effect = Effect::kReads,
                .shape = restore_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, make_kernel<Restore>}}});
  registry.add({.name = "MergeV2Checkpoints",
                .doc = "Makes one checkpoint of several.",
                .inputs = {"checkpoint_prefixes: string", "destination_prefix: string"},
                .attrs = {"delete_old_dirs: bool = true"},
                .effect = Effect::kWrites,
                .shape = merge_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, make_kernel<MergeCheckpoints>}}});
  registry.add({.name = "ShardedFilename",
                .doc = "The name of one file of several: 'basename-00001-of-00003'.",
                .inputs = {"basename: string", "shard: int32", "num_shards: int32"},
                .outputs = {"filename: string"},
                .shape = scalars_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, function_kernel<sharded_filename>}}});
  registry.add({.name = "ShardedFilespec",
                .doc = "The pattern of the names of several files, question marks for the number.",
                .inputs = {"basename: string", "num_shards: int32"},
                .outputs = {"filename: string"},
                .shape = scalars_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, function_kernel<sharded_filespec>}}});
}

}  // namespace assay
