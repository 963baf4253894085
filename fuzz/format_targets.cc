#include <google/protobuf/stubs/logging.h>
#include <leveldb/options.h>
#include <leveldb/table_builder.h>

#include <cstring>
#include <map>

#include "assay/base/memory_file_system.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/bundle_writer.h"
#include "assay/format/leveldb_files.h"
#include "assay/format/proto/checkpoint.pb.h"
#include "assay/format/proto_io.h"
#include "assay/format/table_reader.h"
#include "assay/format/tensor_proto.h"
#include "fuzz/targets.h"

namespace assay::fuzz {

namespace {

using format::TableReader;
using Entries = std::map<std::string, std::string>;

void put(FileSystem& fs, const std::string& path, std::string_view bytes) {
  const auto file = fs.open_write(path);
  file->append(bytes);
  file->close();
}

std::size_t take_size(std::string_view& bytes) {
  std::uint16_t size = 0;
  if (bytes.size() < sizeof size) {
    bytes = {};
    return 0;
  }
  std::memcpy(&size, bytes.data(), sizeof size);
  bytes.remove_prefix(sizeof size);
  return std::min<std::size_t>(size, bytes.size());
}

std::string_view take(std::string_view& bytes) {
  const std::size_t size = take_size(bytes);
  const std::string_view piece = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return piece;
}

void give(std::string_view piece, std::string& out) {
  const auto size = static_cast<std::uint16_t>(piece.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof size);
  out.append(piece);
}

/// Input: how many entries (1 byte), their keys and values (2 bytes of length before each). Tables
/// made of them have right checksums, so that what reads the entries is reached.
Entries take_entries(std::string_view& bytes) {
  Entries entries;
  const std::size_t n = bytes.empty() ? 0 : static_cast<unsigned char>(bytes[0]);
  if (!bytes.empty()) bytes.remove_prefix(1);
  for (std::size_t i = 0; i < n && !bytes.empty(); ++i) {
    const std::string_view key = take(bytes);
    entries[std::string(key)] = take(bytes);
  }
  return entries;
}

std::string give_entries(std::string_view table) {
  MemoryFileSystem fs;
  put(fs, "t", table);
  Entries entries;
  TableReader(fs.open_read("t")).for_each([&](std::string_view key, std::string_view value) {
    entries.emplace(key, value);
  });
  std::string out(1, static_cast<char>(entries.size()));
  for (const auto& [key, value] : entries) {
    give(key, out);
    give(value, out);
  }
  return out;
}

std::string table_of(const Entries& entries, leveldb::CompressionType compression) {
  leveldb::Options options;
  options.compression = compression;
  options.block_size = 256;
  format::LevelDbSink sink;
  leveldb::TableBuilder builder(options, &sink);
  for (const auto& [key, value] : entries) builder.Add(key, value);
  ASSAY_CHECK(builder.Finish().ok());
  return sink.bytes();
}

/// The first byte says which of the two inputs follows: the file's own bytes, or its entries.
bool take_is_raw(std::string_view& bytes) {
  const bool raw = !bytes.empty() && bytes[0] == 'r';
  if (!bytes.empty()) bytes.remove_prefix(1);
  return raw;
}

void run_table(std::string_view bytes) {
  MemoryFileSystem fs;
  Entries expected;
  const bool raw = take_is_raw(bytes);
  if (raw) {
    put(fs, "t", bytes);
  } else {
    expected = take_entries(bytes);
    put(fs, "t", table_of(expected, leveldb::kSnappyCompression));
  }
  tolerate([&] {
    const TableReader table(fs.open_read("t"));
    Entries found;
    table.for_each(
        [&](std::string_view key, std::string_view value) { found.emplace(key, value); });
    for (const auto& [key, value] : found) {
      std::string got;
      ASSAY_CHECK(table.get(key, [&](std::string_view, std::string_view v) { got = v; }));
      ASSAY_CHECK(got == value);
    }
    ASSAY_CHECK(raw || found == expected);
  });
}

void read_all(FileSystem& fs) {
  tolerate([&] {
    const auto reader = format::CheckpointReader::open("p", fs);
    for (const auto& [name, entry] : reader->entries()) {
      tolerate([&, &n = name] {
        const Tensor t = reader->read(n);
        ASSAY_CHECK(t.dtype() == reader->at(n).dtype && t.shape() == reader->at(n).shape);
      });
      if (entry.shape.rank() != 1) continue;
      tolerate([&, &n = name] { reader->read_slice(n, format::TensorSlice::parse("1,2")); });
    }
    reader->verify();
  });
}

void run_bundle(std::string_view bytes) {
  MemoryFileSystem fs;
  if (take_is_raw(bytes)) {
    put(fs, "p.index", take(bytes));
  } else {
    put(fs, "p.index", table_of(take_entries(bytes), leveldb::kNoCompression));
  }
  put(fs, "p.data-00000-of-00001", bytes);
  read_all(fs);
}

void run_v1(std::string_view bytes) {
  MemoryFileSystem fs;
  if (take_is_raw(bytes)) {
    put(fs, "p", bytes);
  } else {
    put(fs, "p", table_of(take_entries(bytes), leveldb::kNoCompression));
  }
  read_all(fs);
}

void run_state(std::string_view bytes) {
  tolerate([&] {
    const auto state = format::parse_text<proto::CheckpointState>(bytes, "checkpoint");
    format::to_text(state);
  });
}

std::vector<std::string> bundle_seeds() {
  MemoryFileSystem fs;
  const auto add_all = [](format::BundleWriter& writer) {
    writer.add("a", Tensor::of<float>({1, 2, 3}));
    writer.add("s", Tensor::of<std::string>({"", "x", "yy"}));
    writer.add("z", Tensor::zeros(DType::kInt64, Shape{0, 2}));
    writer.add_slice("v", Shape{4}, format::TensorSlice::parse("0,2"), Tensor::of<double>({1, 2}));
    writer.add_slice("v", Shape{4}, format::TensorSlice::parse("2,2"), Tensor::of<double>({3, 4}));
    writer.finish();
  };
  format::BundleWriter writer("p", fs);
  add_all(writer);
  const std::string index = read_file(fs, "p.index");
  const std::string data = read_file(fs, "p.data-00000-of-00001");
  std::string raw = "r";
  give(index, raw);
  return {raw + data, "e" + give_entries(index) + data};
}

std::vector<std::string> table_seeds() {
  const Entries entries{{"", "header"},
                        {"alpha", std::string(300, 'a')},
                        {"alphabet", "b"},
                        {"beta", std::string("\0\1", 2)}};
  std::vector<std::string> seeds;
  for (const auto compression : {leveldb::kNoCompression, leveldb::kSnappyCompression}) {
    seeds.push_back("r" + table_of(entries, compression));
  }
  seeds.push_back("e" + give_entries(seeds[0].substr(1)));
  return seeds;
}

std::vector<std::string> v1_seeds() {
  Entries entries;
  proto::SavedTensorSlices list;
  const auto add = [&](const std::string& name, const Shape& shape, const std::string& text,
                       const Tensor& values) {
    auto& meta = *list.mutable_meta()->add_tensor();
    meta.set_name(name);
    format::shape_to_proto(shape, *meta.mutable_shape());
    meta.set_type(static_cast<proto::DataType>(values.dtype()));
    const auto slice = format::TensorSlice::parse(text);
    slice.to_proto(*meta.add_slice());
    proto::SavedTensorSlices entry;
    entry.mutable_data()->set_name(name);
    slice.to_proto(*entry.mutable_data()->mutable_slice());
    auto& data = *entry.mutable_data()->mutable_data();
    data = format::tensor_to_proto(values, format::TensorEncoding::kValues);
    data.clear_dtype();
    data.clear_tensor_shape();
    entries[format::encode_slice_key(name, slice)] = format::to_binary(entry);
  };
  add("a", Shape{3}, "-", Tensor::of<float>({1, 2, 3}));
  add("v", Shape{4}, "0,2", Tensor::of<std::int64_t>({1, 2}));
  add("v", Shape{4}, "2,2", Tensor::of<std::int64_t>({3, 4}));
  add("s", Shape{2}, "-", Tensor::of<std::string>({"x", "yy"}));
  entries[""] = format::to_binary(list);
  const std::string table = table_of(entries, leveldb::kNoCompression);
  return {"r" + table, "e" + give_entries(table)};
}

std::vector<std::string> state_seeds() {
  return {
      "model_checkpoint_path: \"model.ckpt-20\"\n"
      "all_model_checkpoint_paths: \"model.ckpt-10\"\n"
      "all_model_checkpoint_paths: \"model.ckpt-20\"\n"
      "all_model_checkpoint_timestamps: 1574000000.25\n"
      "all_model_checkpoint_timestamps: 1574000010.5\n"
      "last_preserved_timestamp: 1573990000\n",
      ""};
}

constexpr Target kTargets[] = {{"bundle", run_bundle, bundle_seeds},
                               {"state", run_state, state_seeds},
                               {"table", run_table, table_seeds},
                               {"v1", run_v1, v1_seeds}};

}  // namespace

std::span<const Target> format_targets() {
  // Every other input is damaged; protobuf would write a line about each.
  google::protobuf::SetLogHandler(nullptr);
  return kTargets;
}

}  // namespace assay::fuzz
