#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace assay::word2vec {

/// Takes a piece of a text; pieces come in order and may end anywhere, in the middle of a word too.
using TextSink = std::function<void(std::string_view piece)>;

/// Feeds the bytes of the text in the file `path` to `sink`: plain, gzip (`.gz`, dictd's `.dz`) or
/// a zip archive (every file in it, in order, parted by a newline), told apart by their first
/// bytes. Throws NotFound, PermissionDenied or InvalidArgument (a folder, an empty file, a zip
/// with a password) or DataLoss (cut short, wrong checksum); each message names the file.
void read_text(const std::string& path, const TextSink& sink);

}  // namespace assay::word2vec
