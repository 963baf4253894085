# What `cmake --install` lays down: headers, the layers as static libraries, the same code as one
# shared library, and the files that find_package(assay) reads.
include(CMakePackageConfigHelpers)

get_property(layers GLOBAL PROPERTY ASSAY_LAYERS)

# Every layer in one shared library, from the objects that the static ones are made of.
set(objects)
foreach(layer ${layers})
  list(APPEND objects $<TARGET_OBJECTS:${layer}>)
endforeach()
add_library(assay_shared SHARED ${objects})
set_target_properties(assay_shared PROPERTIES OUTPUT_NAME assay EXPORT_NAME shared
                                              VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
target_compile_features(assay_shared PUBLIC cxx_std_20)
target_include_directories(assay_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(assay_shared PUBLIC fmt::fmt protobuf::libprotobuf Threads::Threads)
target_link_libraries(assay_shared PRIVATE leveldb::leveldb ${SNAPPY_LIBRARY} ZLIB::ZLIB
                                           ${LIBZIP_LIBRARY} DNNL::dnnl ${HWY_LIBRARY})
if(ASSAY_SANITIZE)
  target_link_options(assay_shared PRIVATE -fsanitize=${ASSAY_SANITIZE})
endif()

add_library(assay_static INTERFACE)
set_target_properties(assay_static PROPERTIES EXPORT_NAME static)
target_link_libraries(assay_static INTERFACE assay_train)

install(TARGETS ${layers} assay_static assay_shared EXPORT assay_targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(EXPORT assay_targets NAMESPACE assay:: FILE assayTargets.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/assay)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/assay DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h" PATTERN "cli" EXCLUDE)
install(DIRECTORY ${ASSAY_GENERATED_DIR}/assay/format DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/assay
        FILES_MATCHING PATTERN "*.pb.h")
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/assayConfig.cmake.in
  ${PROJECT_BINARY_DIR}/assayConfig.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/assay)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/assayConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/assayConfig.cmake ${PROJECT_BINARY_DIR}/assayConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/FindDNNL.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/assay)
if(TARGET assay_cli)
  install(TARGETS assay_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
