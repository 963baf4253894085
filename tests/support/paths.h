#pragma once

#include <string>

namespace assay::testing {

/// The folder of the sources, of this build, and the program that it makes. They differ from one
/// checkout to the next, so only paths.cc knows them: a compiler cache serves all others.
std::string source_dir();
std::string binary_dir();
std::string assay_program();

}  // namespace assay::testing
