# cmake --install BUILD [--prefix DIR]: libpoolbench.a with <poolbench/ntmm.h>, for pkg-config and find_package.
# The programs run from the build folder, beside the matrices and traces that they read.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS pb_allocators EXPORT poolbenchTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/allocators/poolbench DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT poolbenchTargets NAMESPACE poolbench::
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/poolbench)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/poolbenchConfig.cmake.in
  ${PROJECT_BINARY_DIR}/poolbenchConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/poolbench)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/poolbenchConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/poolbenchConfig.cmake
  ${PROJECT_BINARY_DIR}/poolbenchConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/poolbench)
# at install time, so that --prefix is what the file says
install(CODE "set(PC_IN [[${CMAKE_CURRENT_LIST_DIR}/poolbench.pc.in]])
set(PROJECT_VERSION ${PROJECT_VERSION})
set(CMAKE_INSTALL_LIBDIR ${CMAKE_INSTALL_LIBDIR})
set(CMAKE_INSTALL_INCLUDEDIR ${CMAKE_INSTALL_INCLUDEDIR})")
install(CODE [[
get_filename_component(CMAKE_INSTALL_PREFIX "${CMAKE_INSTALL_PREFIX}" ABSOLUTE)
set(pc "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig/poolbench.pc")
configure_file("${PC_IN}" "${pc}" @ONLY)
message(STATUS "Installing: ${pc}")
]])
