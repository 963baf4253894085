#pragma once

#include <string>
#include <string_view>

#include "assay/base/file_system.h"
#include "assay/tensor/tensor.h"

namespace assay::format {

/// Decodes NumPy's .npy format, versions 1 to 3: booleans, integers, floats and complex numbers,
/// either byte order, C or Fortran order. `what` names the source in messages. Throws DataLoss
/// for damage, Unimplemented for other element types (such as objects).
Tensor npy_from_bytes(std::string_view bytes, std::string_view what);

/// Encodes a tensor as .npy, version 1, C order, as NumPy itself writes it. Throws Unimplemented
/// for types that NumPy lacks (string, bfloat16, resource).
std::string npy_to_bytes(const Tensor& tensor);

/// The tensor in a .npy file. Throws NotFound, and what npy_from_bytes() throws, with the path.
Tensor read_npy(const std::string& path, FileSystem& fs = posix_file_system());

/// The file is there whole or not at all.
void write_npy(const std::string& path, const Tensor& tensor, FileSystem& fs = posix_file_system());

}  // namespace assay::format
