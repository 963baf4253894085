#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "assay/base/file_system.h"
#include "assay/cli/checkpoints.h"
#include "assay/cli/commands.h"
#include "assay/format/npy.h"
#include "assay/graph/similar.h"
#include "assay/tensor/statistics.h"
#include "assay/train/checkpoint_check.h"
#include "assay/train/saver.h"

namespace assay::cli {

namespace {

using format::CheckpointEntry;
using format::CheckpointReader;
using train::StoredPart;

Json shape_json(const Shape& shape) {
  Json dims = Json::array();
  for (const std::int64_t d : shape.dims()) dims.push_back(d);
  return dims;
}

/// JSON has no NaN and no infinity: they are strings.
Json number_json(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

/// Integers exactly.
Json exact_json(long double value, DType dtype) {
  if (is_floating(dtype) || is_complex(dtype)) return static_cast<double>(value);
  if (value < 0) return static_cast<std::int64_t>(value);
  return static_cast<std::uint64_t>(value);
}

std::string exact_str(long double value, DType dtype) {
  if (is_floating(dtype) || is_complex(dtype)) return fmt::format("{:.9g}", double(value));
  return exact_json(value, dtype).dump();
}

/// The element as JSON: numbers as they are, a complex one as a pair.
Json element_json(const Tensor& t, std::int64_t i) {
  switch (t.dtype()) {
    case DType::kString:
      return t.data<std::string>()[i];
    case DType::kBool:
      return t.data<bool>()[i];
    case DType::kInt64:
      return t.data<std::int64_t>()[i];
    case DType::kUInt64:
      return t.data<std::uint64_t>()[i];
    case DType::kComplex64: {
      const auto v = t.data<std::complex<float>>()[i];
      return Json::array({number_json(v.real()), number_json(v.imag())});
    }
    case DType::kComplex128: {
      const auto v = t.data<std::complex<double>>()[i];
      return Json::array({number_json(v.real()), number_json(v.imag())});
    }
    default: {
      const double value = element_as_double(t, i);
      if (is_floating(t.dtype())) return number_json(value);
      return static_cast<std::int64_t>(value);
    }
  }
}

/// The end of a data file's name, which is what tells them apart.
std::string short_file(const std::string& file, const std::string& prefix) {
  return file.starts_with(prefix + ".") ? file.substr(prefix.size() + 1) : file;
}

Json place_json(const StoredPart& part) {
  Json place = {{"file", nullptr}, {"offset", nullptr}, {"bytes", part.size}};
  if (!part.file.empty()) place["file"] = part.file;
  if (part.offset) place["offset"] = *part.offset;
  return place;
}

/// One tensor with the parts that hold its values.
struct Listed {
  const CheckpointEntry* entry = nullptr;
  std::vector<StoredPart> parts;
  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const StoredPart& p : parts) sum += p.size;
    return sum;
  }
};

std::map<std::string, Listed> list_tensors(const CheckpointReader& reader) {
  std::map<std::string, Listed> all;
  for (const auto& [name, entry] : reader.entries()) all[name].entry = &entry;
  for (StoredPart& part : train::stored_parts(reader)) {
    all[part.name].parts.push_back(std::move(part));
  }
  return all;
}

Json tensor_json(const std::string& name, const Listed& t) {
  Json one = {{"name", name},
              {"dtype", dtype_name(t.entry->dtype)},
              {"shape", shape_json(t.entry->shape)},
              {"bytes", t.bytes()}};
  if (t.entry->slices.empty()) {
    const Json place = place_json(t.parts.front());
    one["file"] = place["file"];
    one["offset"] = place["offset"];
    return one;
  }
  Json slices = Json::array();
  for (const StoredPart& part : t.parts) {
    Json slice = {{"slice", part.slice->str()}};
    slice.update(place_json(part));
    slices.push_back(std::move(slice));
  }
  one["slices"] = std::move(slices);
  return one;
}

void print_tensors(const std::map<std::string, Listed>& tensors, const CheckpointReader& reader,
                   bool reserved) {
  Table table("<<<>><");
  table.add({"name", "dtype", "shape", "size", "offset", "file"});
  const bool one_file = reader.files().size() == (reader.version() == 2 ? 2U : 1U);
  const auto place = [&](std::vector<std::string>& row, const StoredPart& part) {
    row.push_back(bytes_str(part.size));
    row.push_back(part.offset ? std::to_string(*part.offset) : "");
    row.push_back(one_file ? "" : short_file(part.file, reader.prefix()));
  };
  for (const auto& [name, t] : tensors) {
    if (name.starts_with(train::kReservedPrefix) != reserved) continue;
    std::vector<std::string> row{printable(name), dtype_name(t.entry->dtype), t.entry->shape.str()};
    if (t.entry->slices.empty()) {
      place(row, t.parts.front());
      table.add(std::move(row));
      continue;
    }
    row.insert(row.end(), {bytes_str(t.bytes()), "", ""});
    table.add(std::move(row));
    for (const StoredPart& part : t.parts) {
      std::vector<std::string> line{"  slice " + part.slice->str(), "",
                                    part.slice->shape_in(part.shape).str()};
      place(line, part);
      table.add(std::move(line));
    }
  }
  table.print("  ");
}

int show_all(const CheckpointReader& reader, bool json) {
  const auto tensors = list_tensors(reader);
  std::uint64_t bytes = 0;
  std::int64_t variables = 0;
  for (const auto& [name, t] : tensors) {
    bytes += t.bytes();
    if (!name.starts_with(train::kReservedPrefix)) ++variables;
  }
  const auto files = reader.files();
  if (json) {
    Json own = Json::array();
    Json rest = Json::array();
    for (const auto& [name, t] : tensors) {
      (name.starts_with(train::kReservedPrefix) ? rest : own).push_back(tensor_json(name, t));
    }
    print_json({{"prefix", reader.prefix()},
                {"format", reader.version()},
                {"files", files},
                {"bytes", bytes},
                {"tensors", std::move(own)},
                {"run_state", std::move(rest)}});
    return 0;
  }
  const auto data_files = static_cast<std::int64_t>(files.size()) - (reader.version() == 2 ? 1 : 0);
  fmt::print("{}: {}, {} in {} (V{})\n", printable(reader.prefix()), count_str(variables, "tensor"),
             bytes_str(bytes), count_str(data_files, "data file"), reader.version());
  for (const std::string& file : files) {
    if (!posix_file_system().exists(file)) fmt::print("missing: {}\n", printable(file));
  }
  if (variables > 0) print_tensors(tensors, reader, false);
  if (variables < static_cast<std::int64_t>(tensors.size())) {
    fmt::print("what else the run needs ({}):\n",
               count_str(static_cast<std::int64_t>(tensors.size()) - variables, "tensor"));
    print_tensors(tensors, reader, true);
  }
  return 0;
}

Json string_stats_json(const Tensor& t) {
  std::uint64_t bytes = 0;
  std::uint64_t longest = 0;
  std::uint64_t shortest = t.num_elements() == 0 ? 0 : UINT64_MAX;
  std::int64_t empty = 0;
  for (const std::string& s : t.span<std::string>()) {
    bytes += s.size();
    longest = std::max<std::uint64_t>(longest, s.size());
    shortest = std::min<std::uint64_t>(shortest, s.size());
    if (s.empty()) ++empty;
  }
  return {{"count", t.num_elements()},
          {"empty", empty},
          {"shortest", shortest},
          {"longest", longest},
          {"bytes", bytes}};
}

int show_stats(const std::string& name, const Tensor& t, bool json) {
  Json out = {{"name", name}, {"dtype", dtype_name(t.dtype())}, {"shape", shape_json(t.shape())}};
  if (t.dtype() == DType::kString) {
    const Json stats = string_stats_json(t);
    if (json) {
      out["stats"] = stats;
      print_json(out);
      return 0;
    }
    fmt::print("{} {}{}\n", printable(name), dtype_name(t.dtype()), t.shape().str());
    for (const auto& [key, value] : stats.items()) fmt::print("  {:<9} {}\n", key, value.dump());
    return 0;
  }
  const TensorStatistics s = tensor_statistics(t);
  const bool any = s.finite > 0;
  if (json) {
    out["stats"] = {{"count", s.count},
                    {"min", any ? exact_json(s.min, t.dtype()) : Json()},
                    {"max", any ? exact_json(s.max, t.dtype()) : Json()},
                    {"mean", any ? Json(s.mean) : Json()},
                    {"std", any ? Json(s.stddev) : Json()},
                    {"nan", s.nan},
                    {"inf", s.inf},
                    {"zeros", s.zeros}};
    print_json(out);
    return 0;
  }
  fmt::print("{} {}{}{}\n", printable(name), dtype_name(t.dtype()), t.shape().str(),
             is_complex(t.dtype()) ? ", absolute values" : "");
  Table table("<>");
  table.add({"", ""});
  table.add({"count", std::to_string(s.count)});
  table.add({"min", any ? exact_str(s.min, t.dtype()) : "-"});
  table.add({"max", any ? exact_str(s.max, t.dtype()) : "-"});
  table.add({"mean", any ? fmt::format("{:.9g}", s.mean) : "-"});
  table.add({"std", any ? fmt::format("{:.9g}", s.stddev) : "-"});
  table.add({"zeros", std::to_string(s.zeros)});
  table.add({"NaN", std::to_string(s.nan)});
  table.add({"Inf", std::to_string(s.inf)});
  table.print("  ", false);
  return 0;
}

int show_values(const std::string& name, const Tensor& t, const ShowFlags& flags) {
  if (!flags.json) {
    fmt::print("{} {}\n", printable(name), t.str(flags.values));
    return 0;
  }
  Json values = Json::array();
  const std::int64_t shown = std::min(t.num_elements(), flags.values);
  for (std::int64_t i = 0; i < shown; ++i) values.push_back(element_json(t, i));
  print_json({{"name", name},
              {"dtype", dtype_name(t.dtype())},
              {"shape", shape_json(t.shape())},
              {"values", std::move(values)},
              {"shortened", shown < t.num_elements()}});
  return 0;
}

int show_npy(const std::string& name, const Tensor& t, const ShowFlags& flags) {
  format::write_npy(flags.npy, t);
  if (flags.json) {
    print_json({{"name", name},
                {"dtype", dtype_name(t.dtype())},
                {"shape", shape_json(t.shape())},
                {"file", flags.npy}});
  } else {
    fmt::print("{} {}{} is in {}\n", printable(name), dtype_name(t.dtype()), t.shape().str(),
               flags.npy);
  }
  return 0;
}

/// The name in the checkpoint; a ":0" at the end is passed over, as everywhere.
std::string find_name(const CheckpointReader& reader, const std::string& name) {
  if (reader.find(name) != nullptr) return name;
  const std::string plain = name.ends_with(":0") ? name.substr(0, name.size() - 2) : name;
  if (reader.find(plain) != nullptr) return plain;
  SimilarNames similar(plain);
  for (const auto& [known, entry] : reader.entries()) similar.consider(known);
  fail(Code::kNotFound, "the checkpoint '{}' holds no tensor '{}'{}", reader.prefix(), name,
       similar.hint());
}

}  // namespace

int show_command(const ShowFlags& flags) {
  if (flags.tensor.empty() && (flags.stats || !flags.npy.empty())) {
    throw UsageError(fmt::format("{} needs --tensor NAME", flags.stats ? "--stats" : "--npy"));
  }
  if (flags.stats && !flags.npy.empty()) throw UsageError("give one of --stats and --npy");
  const auto reader = CheckpointReader::open(checkpoint_prefix_of(flags.prefix));
  if (flags.tensor.empty()) return show_all(*reader, flags.json);
  const std::string name = find_name(*reader, flags.tensor);
  const Tensor value = reader->read(name);
  if (flags.stats) return show_stats(name, value, flags.json);
  if (!flags.npy.empty()) return show_npy(name, value, flags);
  return show_values(name, value, flags);
}

}  // namespace assay::cli
