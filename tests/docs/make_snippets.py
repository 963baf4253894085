#!/usr/bin/env python3
"""Turns the C++ snippets of a guide into a test program.

Each ```cpp block of GUIDE is the body of one test; a ```text block right after it is what the
snippet prints. Usage: make_snippets.py GUIDE OUT.cc
"""

import re
import sys

HEAD = """// Made from {guide} by tests/docs/make_snippets.py.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <tuple>

#include "assay/assay.h"
#include "tests/support/fixtures.h"

namespace {{

class {suite} : public ::testing::Test {{
 protected:
  void SetUp() override {{ std::filesystem::current_path(folder_.path()); }}
  void TearDown() override {{ std::filesystem::current_path("/"); }}
  assay::testing::TemporaryFolder folder_;
  assay::Graph graph_;
  assay::GraphScope scope_{{graph_}};
}};
"""


def main():
    guide, out = sys.argv[1:]
    with open(guide, encoding="utf-8") as file:
        text = file.read()
    file_name = guide.rsplit("/", 1)[-1]
    suite = file_name.split(".")[0].capitalize()
    parts = [HEAD.format(guide=file_name, suite=suite)]
    pattern = re.compile(r"^```cpp\n(.*?)^```\n(?:\n?^```text\n(.*?)^```\n)?", re.M | re.S)
    for number, match in enumerate(pattern.finditer(text), 1):
        heading = re.findall(r"^##+ (.*)$", text[: match.start()], re.M)
        words = re.findall(r"[A-Za-z0-9]+", heading[-1] if heading else "Start")
        line = text.count("\n", 0, match.start()) + 2
        name = "".join(w.capitalize() for w in words) + str(number)
        parts.append(f"\nTEST_F({suite}, {name}) {{\n  ::testing::internal::CaptureStdout();\n  {{\n")
        parts.append(f'#line {line} "{guide}"\n{match.group(1)}')
        parts.append("  }\n  const std::string printed = ::testing::internal::GetCapturedStdout();\n")
        if match.group(2) is not None:
            parts.append(f'  EXPECT_EQ(printed, R"text({match.group(2)})text");\n')
        parts.append("}\n")
    parts.append("\n}  // namespace\n")
    with open(out, "w", encoding="utf-8") as file:
        file.write("".join(parts))


main()
