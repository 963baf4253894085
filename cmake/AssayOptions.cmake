# Compile options shared by every target of this project, and the function that declares a layer.

find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(fmt REQUIRED)
find_package(leveldb REQUIRED)
find_package(ZLIB REQUIRED)
find_library(SNAPPY_LIBRARY snappy REQUIRED)
find_package(DNNL MODULE REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
# Debian's own config file of libzip asks for its command-line tools.
find_path(LIBZIP_INCLUDE_DIR zip.h REQUIRED)
find_library(LIBZIP_LIBRARY zip REQUIRED)
find_path(HWY_INCLUDE_DIR hwy/highway.h REQUIRED)
find_library(HWY_LIBRARY hwy REQUIRED)

# How everything here is compiled. Users of an installed Assay do not inherit these.
add_library(assay_options INTERFACE)
# AVX2 is the baseline; AVX-512 is chosen at run time by the files that have it. Contraction of
# a*b+c is off, so that the same program gives the same bits whatever the compiler fuses.
target_compile_options(assay_options INTERFACE -march=x86-64-v3 -ffp-contract=off -fno-math-errno
                                               -Wall -Wextra
                                               # Clang, which only fuzzing needs, warns of other things.
                                               $<$<CXX_COMPILER_ID:GNU>:-Werror>
                                               $<$<CXX_COMPILER_ID:Clang>:-Wno-unknown-warning-option>
                                               -Wno-missing-field-initializers
                                               # GCC 12 sees overlaps in std::string (bug 105651) and
                                               # empty std::optionals read (bug 80635) that are not there.
                                               -Wno-restrict -Wno-maybe-uninitialized)
if(ASSAY_SANITIZE)
  target_compile_options(assay_options INTERFACE -fsanitize=${ASSAY_SANITIZE}
                                                 -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(assay_options INTERFACE -fsanitize=${ASSAY_SANITIZE})
  if(ASSAY_SANITIZE STREQUAL "thread")
    # protobuf's headers add members to their classes under __SANITIZE_THREAD__, which the library as
    # installed does not have; the C++ library's own needs of the macro are met by name.
    target_compile_options(assay_options INTERFACE -U__SANITIZE_THREAD__ -D_GLIBCXX_TSAN=1)
  endif()
endif()

# assay_layer(NAME DIR USES layer... LINK library...): a library of every source in DIR, which may
# link, and so include, only the layers it USES.
function(assay_layer name)
  cmake_parse_arguments(L "" "" "SOURCES;USES;LINK;PRIVATE_LINK" ${ARGN})
  if(NOT L_SOURCES)  # so far only headers
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${name}_headers_only.cc "")
    set(L_SOURCES ${CMAKE_CURRENT_BINARY_DIR}/${name}_headers_only.cc)
  endif()
  add_library(assay_${name} STATIC ${L_SOURCES})
  add_library(assay::${name} ALIAS assay_${name})
  set_target_properties(assay_${name} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON)
  target_compile_features(assay_${name} PUBLIC cxx_std_20)
  target_include_directories(assay_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                                  $<BUILD_INTERFACE:${ASSAY_GENERATED_DIR}>
                                                  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  foreach(used ${L_USES})
    target_link_libraries(assay_${name} PUBLIC assay_${used})
  endforeach()
  target_link_libraries(assay_${name} PUBLIC ${L_LINK} PRIVATE $<BUILD_INTERFACE:assay_options>
                                             ${L_PRIVATE_LINK})
  set_property(GLOBAL APPEND PROPERTY ASSAY_LAYERS assay_${name})
endfunction()
