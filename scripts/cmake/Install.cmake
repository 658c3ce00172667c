# cmake --install BUILD [--prefix DIR]: libpoolbench.a with <poolbench/ntmm.h>, for pkg-config and find_package.
# The programs are not installed: they read matrices, traces and plots in the source tree, whose place is
# compiled in, and so they run from the build folder.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS pb_allocators EXPORT poolbenchTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/allocators/poolbench DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN *.h)
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
# at install time, so that --prefix is what the file says; a folder may have been given as an absolute path
install(CODE "set(PC_IN [[${CMAKE_CURRENT_LIST_DIR}/poolbench.pc.in]])
set(PROJECT_VERSION ${PROJECT_VERSION})
set(PC_LIBDIR [[${CMAKE_INSTALL_LIBDIR}]])
set(PC_INCLUDEDIR [[${CMAKE_INSTALL_INCLUDEDIR}]])")
install(CODE [[
get_filename_component(CMAKE_INSTALL_PREFIX "${CMAKE_INSTALL_PREFIX}" ABSOLUTE)
set(pc "${PC_LIBDIR}/pkgconfig/poolbench.pc")
cmake_path(ABSOLUTE_PATH pc BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}")
foreach(dir IN ITEMS PC_LIBDIR PC_INCLUDEDIR)
  if(NOT IS_ABSOLUTE "${${dir}}")
    set(${dir} "\${prefix}/${${dir}}")
  endif()
endforeach()
configure_file("${PC_IN}" "$ENV{DESTDIR}${pc}" @ONLY)
message(STATUS "Installing: $ENV{DESTDIR}${pc}")
]])
