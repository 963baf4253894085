#include "assay/format/event_reader.h"

#include "assay/format/proto_io.h"

namespace assay::format {

bool EventReader::next(proto::Event& event) {
  const std::uint64_t at = reader_.offset();
  const RecordReader::Status status = reader_.read(record_);
  truncated_ = status == RecordReader::Status::kTruncated;
  if (status != RecordReader::Status::kRecord) return false;
  event.Clear();
  parse_binary(record_, event, fmt::format("{}: the record at {}", path(), at));
  return true;
}

std::vector<std::string> list_event_files(const std::string& folder, FileSystem& fs) {
  std::vector<std::string> paths;
  for (const std::string& name : fs.list(folder)) {
    if (name.find("tfevents") == std::string::npos) continue;
    std::string path = join_path(folder, name);
    if (!fs.is_directory(path)) paths.push_back(std::move(path));
  }
  return paths;
}

}  // namespace assay::format
