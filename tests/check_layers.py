#!/usr/bin/env python3
"""Fails when an include goes up through the layers, a header lacks #pragma once, or a file is too long.

Usage: check_layers.py [SOURCE_DIR]
"""

import pathlib
import re
import sys

# Lowest first, as in assay/CMakeLists.txt: a layer may include itself and what stands before it.
LAYERS = ["base", "tensor", "format", "graph", "device", "ops", "autodiff", "compiler", "runtime",
          "api", "data", "summary", "train", "cli"]
# Op files reach these through the registry alone.
WITHOUT_OPS = {"autodiff", "compiler", "runtime"}
MAX_LINES = 800
FOLDERS = ["assay", "models", "examples", "tests", "bench", "fuzz"]
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]assay/([a-z_]+)/([^">]+)[">]')


def layer_mistakes(path, layer, number, line):
    match = INCLUDE.match(line)
    if match is None:
        return []
    other = match.group(1)
    if other not in LAYERS:
        return [f"{path}:{number}: includes the unknown layer '{other}'"]
    if LAYERS.index(other) > LAYERS.index(layer):
        return [f"{path}:{number}: {layer} includes {other}, which stands above it"]
    if other == "ops" and layer in WITHOUT_OPS:
        return [f"{path}:{number}: {layer} includes ops; it must use the registry"]
    return []


def file_mistakes(root, file):
    path = file.relative_to(root)
    lines = file.read_text(encoding="utf-8").splitlines()
    mistakes = []
    if len(lines) > MAX_LINES:
        mistakes.append(f"{path}: {len(lines)} lines; at most {MAX_LINES} are allowed")
    # Highway includes its *-inl.h once for each instruction set.
    once = file.suffix == ".h" and not file.name.endswith("-inl.h")
    if once and not any(line.strip() == "#pragma once" for line in lines):
        mistakes.append(f"{path}: has no #pragma once")
    if path.parts[0] == "assay" and len(path.parts) > 2:
        layer = path.parts[1]
        if layer not in LAYERS:
            mistakes.append(f"{path}: lies in the unknown layer '{layer}'")
        else:
            for number, line in enumerate(lines, 1):
                mistakes += layer_mistakes(path, layer, number, line)
    return mistakes


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    files = [f for folder in FOLDERS for pattern in ("*.h", "*.cc")
             for f in sorted((root / folder).rglob(pattern))]
    if not any(f.is_relative_to(root / "assay") for f in files):
        sys.exit(f"{root}: no sources under assay/")
    mistakes = [m for f in files for m in file_mistakes(root, f)]
    for mistake in mistakes:
        print(mistake)
    print(f"{len(files)} files, {len(mistakes)} mistakes")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
