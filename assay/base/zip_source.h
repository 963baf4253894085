#pragma once

#include <memory>
#include <string>

#include "assay/base/byte_source.h"

namespace assay {

/// The one file inside a zip archive; throws InvalidArgument when there are none or several.
std::unique_ptr<ByteSource> open_zip(const std::string& path);

}  // namespace assay
