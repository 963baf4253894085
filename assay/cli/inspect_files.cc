#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

#include "assay/base/byte_source.h"
#include "assay/base/file_system.h"
#include "assay/cli/inspect.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/event_history.h"
#include "assay/format/event_reader.h"
#include "assay/format/npy.h"
#include "assay/format/record_io.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/run_dir.h"

namespace assay::cli {
namespace {

Json shape_json(const Shape& shape) {
  Json dims = Json::array();
  for (const std::int64_t d : shape.dims()) dims.push_back(d);
  return dims;
}

/// What the tags of event files hold.
Json tags_json(const format::EventHistory& history) {
  Json tags = Json::array();
  for (const auto& [name, series] : history.series()) {
    const auto& last = series.points.back();
    Json t = {{"tag", name},
              {"type", series.type},
              {"count", series.points.size()},
              {"first_step", series.points.front().step},
              {"last_step", last.step}};
    if (last.scalar) t["last_value"] = *last.scalar;
    tags.push_back(std::move(t));
  }
  return tags;
}

std::string status_str(proto::SessionLog::SessionStatus status) {
  switch (status) {
    case proto::SessionLog::START:
      return "start";
    case proto::SessionLog::STOP:
      return "stop";
    case proto::SessionLog::CHECKPOINT:
      return "checkpoint";
    default:
      return "unspecified";
  }
}

bool is_prefix_of_checkpoint(const std::string& path) {
  return posix_file_system().exists(path + ".index");
}

/// "model.ckpt-7" of "model.ckpt-7.index" or "model.ckpt-7.data-00000-of-00001"; else nothing.
std::optional<std::string> checkpoint_prefix(const std::string& path) {
  if (is_prefix_of_checkpoint(path)) return path;
  if (path.ends_with(".index")) return path.substr(0, path.size() - 6);
  const auto data = path.rfind(".data-");
  const auto slash = path.rfind('/');
  if (data != std::string::npos && (slash == std::string::npos || data > slash)) {
    return path.substr(0, data);
  }
  return std::nullopt;
}

/// True when the file starts with a record whose length's checksum is right.
bool starts_with_record(const std::string& path) {
  try {
    format::RecordReader reader(path);
    std::string record;
    return reader.read(record) == format::RecordReader::Status::kRecord;
  } catch (const Error& e) {
    if (e.code() != Code::kDataLoss && e.code() != Code::kInvalidArgument) throw;
    return false;
  }
}

/// True when the file's first record is the Event that every event file starts with.
bool starts_with_event(const std::string& path) {
  try {
    format::RecordReader reader(path);
    std::string record;
    proto::Event event;
    return reader.read(record) == format::RecordReader::Status::kRecord &&
           event.ParseFromString(record) && event.file_version().starts_with("brain.Event:");
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

Json describe_checkpoint(const std::string& prefix) {
  const format::BundleReader reader(prefix);
  Json tensors = Json::array();
  std::uint64_t bytes = 0;
  for (const auto& [name, entry] : reader.entries()) {
    Json t = {{"name", name},
              {"dtype", dtype_name(entry.dtype)},
              {"shape", shape_json(entry.shape)},
              {"bytes", entry.size},
              {"shard", entry.shard},
              {"offset", entry.offset}};
    if (!entry.slices.empty()) {
      Json slices = Json::array();
      for (const auto& slice : entry.slices) slices.push_back(slice.str());
      t["slices"] = std::move(slices);
    }
    bytes += entry.size;
    tensors.push_back(std::move(t));
  }
  for (const auto& [key, entry] : reader.slice_entries()) bytes += entry.size;
  Json missing = Json::array();
  for (int shard = 0; shard < reader.num_shards(); ++shard) {
    const std::string path = reader.data_path(shard);
    if (!posix_file_system().exists(path)) missing.push_back(path);
  }
  Json result = {{"kind", "checkpoint"},
                 {"path", prefix},
                 {"shards", reader.num_shards()},
                 {"bytes", bytes},
                 {"tensors", std::move(tensors)}};
  if (!missing.empty()) result["missing"] = std::move(missing);
  return result;
}

Json describe_events(const std::string& path) {
  format::EventReader reader(path);
  proto::Event event;
  std::int64_t count = 0;
  double first_time = 0;
  double last_time = 0;
  std::string version;
  format::EventHistory history;
  std::map<std::string, std::int64_t> others;
  Json log = Json::array();
  while (reader.next(event)) {
    if (count++ == 0) first_time = event.wall_time();
    last_time = event.wall_time();
    history.add(event);
    switch (event.what_case()) {
      case proto::Event::kFileVersion:
        version = event.file_version();
        break;
      case proto::Event::kGraphDef:
        ++others["graphs"];
        break;
      case proto::Event::kMetaGraphDef:
        ++others["meta_graphs"];
        break;
      case proto::Event::kTaggedRunMetadata:
        ++others["run_metadata"];
        break;
      case proto::Event::kLogMessage:
        ++others["log_messages"];
        break;
      case proto::Event::kSessionLog: {
        Json entry = {{"step", event.step()}, {"status", status_str(event.session_log().status())}};
        if (!event.session_log().checkpoint_path().empty()) {
          entry["checkpoint"] = event.session_log().checkpoint_path();
        }
        log.push_back(std::move(entry));
        break;
      }
      case proto::Event::kSummary:
        break;
      default:
        ++others["empty"];
    }
  }
  Json result = {{"kind", "events"},         {"path", path},
                 {"version", version},       {"events", count},
                 {"first_time", first_time}, {"last_time", last_time}};
  for (const auto& [name, number] : others) result[name] = number;
  result["tags"] = tags_json(history);
  if (!log.empty()) result["session_log"] = std::move(log);
  result["truncated"] = reader.truncated();
  return result;
}

Json describe_records(const std::string& path) {
  format::RecordReader reader(path);
  std::string record;
  std::int64_t count = 0;
  std::uint64_t bytes = 0;
  std::uint64_t shortest = 0;
  std::uint64_t longest = 0;
  auto status = reader.read(record);
  for (; status == format::RecordReader::Status::kRecord; status = reader.read(record)) {
    shortest = count == 0 ? record.size() : std::min<std::uint64_t>(shortest, record.size());
    longest = std::max<std::uint64_t>(longest, record.size());
    bytes += record.size();
    ++count;
  }
  return {{"kind", "records"},
          {"path", path},
          {"records", count},
          {"bytes", bytes},
          {"shortest", shortest},
          {"longest", longest},
          {"truncated", status == format::RecordReader::Status::kTruncated}};
}

Json describe_checkpoint_state(const std::string& path) {
  const auto state = train::get_checkpoint_state(parent_directory(path));
  if (!state) fail(Code::kNotFound, "there is no file '{}'", path);
  return {{"kind", "checkpoint_state"},
          {"path", path},
          {"newest", state->model_checkpoint_path},
          {"checkpoints", state->all_model_checkpoint_paths}};
}

Json describe_npy(const std::string& path) {
  const Tensor t = format::read_npy(path);
  return {{"kind", "npy"},
          {"path", path},
          {"dtype", dtype_name(t.dtype())},
          {"shape", shape_json(t.shape())},
          {"value", t.str(16)}};
}

Json describe_folder(const std::string& path) {
  FileSystem& files = posix_file_system();
  for (const char* name : {"saved_model.pb", "saved_model.pbtxt"}) {
    const std::string model = join_path(path, name);
    if (!files.exists(model)) continue;
    Json result = describe_graph(model);
    const std::string variables = join_path(path, "variables/variables");
    if (is_prefix_of_checkpoint(variables))
      result["variables_file"] = describe_checkpoint(variables);
    return result;
  }
  Json result = {{"kind", "folder"}, {"path", path}};
  std::string checkpoints = path;
  if (train::is_run_dir(path)) {
    const train::RunInfo info = train::read_run_info(path);
    result["kind"] = "run";
    result["model"] = info.model;
    Json parameters = Json::object();
    for (const auto& [name, value] : info.parameters)
      parameters[name] = train::parameter_str(value);
    result["parameters"] = std::move(parameters);
    if (info.parent) {
      result["forked_from"] = {{"run", info.parent->run},
                               {"checkpoint", info.parent->checkpoint},
                               {"step", info.parent->step},
                               {"reseeded", info.parent->reseeded}};
    }
    checkpoints = train::checkpoint_dir(path);
  }
  std::vector<std::string> prefixes;
  if (files.is_directory(checkpoints)) prefixes = train::find_checkpoints(checkpoints);
  // The files together are the run's history: steps that were done again after a restart count
  // once.
  const format::EventHistory history = format::read_event_folder(path);
  const auto events = format::list_event_files(path);
  if (result["kind"] == "folder" && prefixes.empty() && events.empty()) {
    fail(Code::kNotFound, "the folder '{}' holds no run.json, checkpoint, event file or SavedModel",
         path);
  }
  result["checkpoints"] = prefixes;
  if (!prefixes.empty()) result["newest"] = describe_checkpoint(prefixes.front());
  result["event_files"] = events;
  if (!events.empty()) {
    result["events"] = {{"starts", history.starts()},
                        {"void_points", history.dropped()},
                        {"damaged", history.problems()},
                        {"tags", tags_json(history)}};
  }
  return result;
}

Json describe(const std::string& path) {
  FileSystem& files = posix_file_system();
  if (const auto prefix = checkpoint_prefix(path)) return describe_checkpoint(*prefix);
  const auto info = files.stat(path);
  if (!info) fail(Code::kNotFound, "there is no file, folder or checkpoint '{}'", path);
  if (info->is_directory) return describe_folder(path);
  if (info->size == 0) invalid_argument("'{}' is empty", path);
  const auto slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name == "checkpoint") return describe_checkpoint_state(path);
  if (name.ends_with(".npy")) return describe_npy(path);
  if (name.find("tfevents") != std::string::npos || starts_with_event(path)) {
    return describe_events(path);
  }
  if (name.ends_with(".tfrecord") || name.ends_with(".tfrecords") || starts_with_record(path)) {
    return describe_records(path);
  }
  try {
    return describe_graph(path);
  } catch (const Error& e) {
    for (const char* ending : {".pb", ".pbtxt", ".meta", ".prototxt"}) {
      if (name.ends_with(ending)) throw;
    }
    if (e.code() != Code::kDataLoss && e.code() != Code::kInvalidArgument) throw;
    invalid_argument(
        "'{}' is damaged or no file that assay knows: run folder, checkpoint, graph, SavedModel, "
        "event file, TFRecord file, .npy",
        path);
  }
}

}  // namespace assay::cli
