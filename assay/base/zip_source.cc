#include "assay/base/zip_source.h"

#include <zip.h>

#include <algorithm>
#include <string_view>

namespace assay {

namespace {

class ZipSource : public ByteSource {
 public:
  explicit ZipSource(const std::string& path) : path_(path) {
    int error = 0;
    archive_.reset(zip_open(path.c_str(), ZIP_RDONLY, &error));
    if (!archive_) {
      zip_error_t reason;
      zip_error_init_with_code(&reason, error);
      const std::string text = zip_error_strerror(&reason);
      zip_error_fini(&reason);
      fail(Code::kDataLoss, "{} is cut short or damaged, no zip archive: {}", path_, text);
    }
    const zip_uint64_t index = only_file();
    zip_stat_t info;
    zip_stat_init(&info);
    if (zip_stat_index(archive_.get(), index, 0, &info) == 0 && (info.valid & ZIP_STAT_SIZE) != 0) {
      size_ = info.size;
    }
    member_.reset(zip_fopen_index(archive_.get(), index, 0));
    if (!member_) {
      const std::string text = zip_strerror(archive_.get());
      const int code = zip_error_code_zip(zip_get_error(archive_.get()));
      const bool unsupported =
          code == ZIP_ER_COMPNOTSUPP || code == ZIP_ER_ENCRNOTSUPP || code == ZIP_ER_NOPASSWD;
      fail(unsupported ? Code::kUnimplemented : Code::kDataLoss, "cannot unpack {}: {}", path_,
           text);
    }
  }

  std::size_t read(char* out, std::size_t n) override {
    if (n == 0) return 0;
    const zip_int64_t got = zip_fread(member_.get(), out, n);
    if (got < 0) {
      fail(Code::kDataLoss, "{} is damaged: {} after {} bytes", path_,
           zip_file_strerror(member_.get()), done_);
    }
    done_ += static_cast<std::uint64_t>(got);
    return static_cast<std::size_t>(got);
  }
  double progress() const override {
    if (size_ == 0) return 1.0;
    return std::min(1.0, static_cast<double>(done_) / static_cast<double>(size_));
  }
  const std::string& path() const override { return path_; }

 private:
  struct CloseArchive {
    void operator()(zip_t* archive) const { zip_discard(archive); }
  };
  struct CloseMember {
    void operator()(zip_file_t* file) const { zip_fclose(file); }
  };

  zip_uint64_t only_file() const {
    zip_int64_t found = -1;
    int files = 0;
    const zip_int64_t entries = zip_get_num_entries(archive_.get(), 0);
    for (zip_int64_t i = 0; i < entries; ++i) {
      const char* name = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), 0);
      if (name != nullptr && std::string_view(name).ends_with('/')) continue;
      found = i;
      ++files;
    }
    if (files != 1) {
      if (files == 0) invalid_argument("{} is a zip archive without a file in it", path_);
      invalid_argument("{} holds {} files, not one: unpack it and name the one you mean", path_,
                       files);
    }
    return static_cast<zip_uint64_t>(found);
  }

  std::string path_;
  std::unique_ptr<zip_t, CloseArchive> archive_;
  std::unique_ptr<zip_file_t, CloseMember> member_;
  std::uint64_t size_ = 0;
  std::uint64_t done_ = 0;
};

}  // namespace

std::unique_ptr<ByteSource> open_zip(const std::string& path) {
  return std::make_unique<ZipSource>(path);
}

}  // namespace assay
