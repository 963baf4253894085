#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "assay/tensor/tensor.h"

namespace assay::testing {

/// Reads a little-endian .npy file of numbers (version 1, C order); for recorded values in tests.
inline Tensor read_npy_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (bytes.size() < 10 || bytes.substr(1, 5) != "NUMPY") {
    throw std::runtime_error("no .npy file: " + path.string());
  }
  const std::size_t length =
      static_cast<unsigned char>(bytes[8]) + 256U * static_cast<unsigned char>(bytes[9]);
  const std::string header = bytes.substr(10, length);
  const auto after = [&](const std::string& key) {
    return header.substr(header.find("'" + key + "':") + key.size() + 3);
  };
  std::string descr = after("descr");
  descr = descr.substr(descr.find('\'') + 1);
  descr = descr.substr(0, descr.find('\''));
  DType dtype = DType::kInvalid;
  for (const auto& [name, t] : {std::pair{"<f4", float32},
                                {"<f8", float64},
                                {"<f2", DType::kHalf},
                                {"<i4", int32},
                                {"<i8", int64},
                                {"|u1", uint8},
                                {"<u2", uint16},
                                {"|b1", boolean},
                                {"|i1", int8},
                                {"<i2", int16}}) {
    if (descr == name) dtype = t;
  }
  if (dtype == DType::kInvalid) throw std::runtime_error("unknown dtype " + descr);
  Shape shape;
  std::string dims = after("shape");
  dims = dims.substr(dims.find('(') + 1);
  dims = dims.substr(0, dims.find(')'));
  for (std::size_t at = 0; at < dims.size();) {
    if (dims[at] < '0' || dims[at] > '9') {
      ++at;
      continue;
    }
    char* end = nullptr;
    shape.add_dim(std::strtoll(dims.c_str() + at, &end, 10));
    at = static_cast<std::size_t>(end - dims.c_str());
  }
  Tensor t(dtype, shape);
  if (bytes.size() - 10 - length != t.num_bytes()) {
    throw std::runtime_error("wrong size: " + path.string());
  }
  std::memcpy(t.raw(), bytes.data() + 10 + length, t.num_bytes());
  return t;
}

}  // namespace assay::testing
