#include <string>

#include "assay/base/byte_source.h"
#include "assay/base/crc32c.h"
#include "assay/base/file_system.h"
#include "assay/graph/op_registry.h"
#include "assay/ops/dataset_common.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

class TextLinesDataset : public DatasetBase<TextLinesDataset> {
 public:
  explicit TextLinesDataset(std::vector<std::string> files)
      : DatasetBase({DType::kString}, {PartialShape::scalar()}), files_(std::move(files)) {}

  std::unique_ptr<DatasetIterator> make_iterator() const override {
    return std::make_unique<Iterator>(self());
  }
  std::string fingerprint() const override {
    constexpr std::size_t kNamed = 4;
    std::string text;
    std::string all;
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < files_.size(); ++i) {
      const auto info = posix_file_system().stat(files_[i]);
      const std::string one = info ? fmt::format("'{}' of {} bytes", files_[i], info->size)
                                   : fmt::format("'{}', missing", files_[i]);
      if (info) bytes += info->size;
      if (i < kNamed) text += (i == 0 ? "" : ", ") + one;
      all += one + "\n";
    }
    if (files_.size() <= kNamed) return text;
    return fmt::format("{} and {} more files, {} bytes in all, checksum of names and sizes {:08x}",
                       text, files_.size() - kNamed, bytes, crc32c::value(all));
  }

 private:
  class Iterator : public IteratorOf<TextLinesDataset> {
   public:
    using IteratorOf::IteratorOf;
    bool next(std::vector<Tensor>& out) override {
      if (!next_line()) return false;
      out.assign(1, Tensor::scalar<std::string>(std::move(line_)));
      return true;
    }
    void save(IteratorState& state, const std::string& prefix) const override {
      save_int(state, prefix + "/file", static_cast<std::int64_t>(file_));
      save_int(state, prefix + "/line", reader_ == nullptr ? 0 : reader_->line_number());
      save_int(state, prefix + "/checksum", checksum_);
    }
    void restore(const IteratorState& state, const std::string& prefix) override {
      const std::int64_t file = restore_count(state, prefix + "/file");
      const std::int64_t line = restore_count(state, prefix + "/line");
      const std::int64_t files = std::ssize(dataset().files_);
      if (file < 0 || file > files || (file == files && line > 0)) {
        fail(Code::kDataLoss, "the saved iterator stands in file {} of {}", file,
             dataset().files_.size());
      }
      file_ = static_cast<std::size_t>(file);
      reader_ = nullptr;
      checksum_ = 0;
      for (std::int64_t i = 0; i < line; ++i) {
        if (!next_line() || file_ != static_cast<std::size_t>(file)) {
          fail(Code::kFailedPrecondition,
               "the data has changed since the checkpoint: '{}' has no line {} any more. Give the "
               "same data to go on where it was, or begin a new run",
               dataset().files_[static_cast<std::size_t>(file)], line);
        }
      }
      if (line > 0 && restore_int(state, prefix + "/checksum") != checksum_) {
        fail(Code::kFailedPrecondition,
             "the data has changed since the checkpoint: the first {} lines of '{}' are others. "
             "Give the same data to go on where it was, or begin a new run",
             line, dataset().files_[static_cast<std::size_t>(file)]);
      }
    }

   private:
    bool next_line() {
      const auto& files = dataset().files_;
      for (; file_ < files.size(); ++file_, reader_ = nullptr) {
        if (reader_ == nullptr) {
          reader_ = std::make_unique<LineReader>(open_bytes(files[file_], {.allow_empty = true}));
          checksum_ = 0;
        }
        if (reader_->next(line_)) {
          checksum_ = crc32c::extend(checksum_, line_.data(), line_.size());
          checksum_ = crc32c::extend(checksum_, "\n", 1);
          return true;
        }
      }
      return false;
    }

    std::size_t file_ = 0;
    std::unique_ptr<LineReader> reader_;
    std::string line_;
    std::uint32_t checksum_ = 0;  // of the lines that reader_ gave
  };

  std::vector<std::string> files_;
};

void text_lines_shape(ShapeContext& c) {
  c.with_rank_at_most(0, 1);
  c.with_rank(1, 0);
  c.with_rank(2, 0);
  c.set_output(0, PartialShape::scalar());
}

std::shared_ptr<Dataset> make_text_lines(KernelContext& ctx) {
  const Tensor& names = ctx.input(0);
  const Tensor& compression = ctx.input(1);
  if (names.rank() > 1) {
    invalid_argument("filenames must be a scalar or a vector, got {}", names.shape().str());
  }
  // What packs a file is seen from its bytes; the argument can only be wrong.
  const auto type = compression.item<std::string>();
  if (!type.empty() && type != "GZIP") {
    invalid_argument("compression_type must be '' or 'GZIP', got '{}'", type);
  }
  return std::make_shared<TextLinesDataset>(names.to_vector<std::string>());
}

}  // namespace

void register_dataset_text(OpRegistry& registry) {
  registry.add({.name = "TextLineDataset",
                .doc = "The lines of text files, one after the other, without their ends.",
                .inputs = {"filenames: string", "compression_type: string", "buffer_size: int64"},
                .outputs = {"handle: variant"},
                .effect = Effect::kState,
                .shape = text_lines_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, dataset_kernel<make_text_lines>}}});
}

}  // namespace assay
