# What every target shares: flags, the registries' names, and how a test is declared.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g")

# What decides the code of measured calls, and so stands in every record: calls of malloc go through the
# pointer table, not the PLT, and are never optimised away
set(PB_CODE_FLAGS -fno-plt -fno-builtin-malloc -fno-builtin-free -fno-builtin-calloc
  -fno-builtin-realloc -fno-builtin-aligned_alloc)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND PB_CODE_FLAGS -mcx16) # SLIST heads are exchanged 16 bytes at a time
endif()
# hot loops start on a line of their own, so that their place in the binary weighs less
set(PB_LOOP_FLAGS -falign-functions=64 -falign-loops=64)

add_library(pb_flags INTERFACE)
target_compile_definitions(pb_flags INTERFACE _GNU_SOURCE
  $<$<CONFIG:Debug>:PB_CHECK=2> $<$<NOT:$<CONFIG:Debug>>:PB_CHECK=0>)
target_compile_options(pb_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Wvla -Wformat=2 -Wpointer-arith
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
  # a frame pointer costs a measured call about half a nanosecond; elsewhere stacks matter more
  $<$<CONFIG:Debug>:-fno-omit-frame-pointer>
  ${PB_CODE_FLAGS})
if(PB_WERROR)
  target_compile_options(pb_flags INTERFACE -Werror)
endif()
if(PB_SANITIZE)
  target_compile_options(pb_flags INTERFACE -fsanitize=${PB_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(pb_flags INTERFACE -fsanitize=${PB_SANITIZE})
endif()
target_link_libraries(pb_flags INTERFACE Threads::Threads)

# pb_registry_names(OUT FILE MACRO): the names in the lines MACRO(name) of a .def file;
# a change of the file configures anew.
function(pb_registry_names out file macro)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(STRINGS ${file} lines REGEX "^${macro}\\([a-z0-9_]+\\)")
  set(names "")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^${macro}\\(([a-z0-9_]+)\\).*" "\\1" name "${line}")
    list(APPEND names ${name})
  endforeach()
  set(${out} ${names} PARENT_SCOPE)
endfunction()

# pb_test(NAME LABEL SOURCES... [LIBS ...] [TIMEOUT s] [TARGET name]): one cmocka program, one CTest entry
# LABEL.NAME; TARGET where another label has a test of that name. Exit code 77 is a skip whose reason the program printed.
function(pb_test name label)
  cmake_parse_arguments(T "" "TIMEOUT;TARGET" "SOURCES;LIBS;ARGS" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 60)
  endif()
  if(NOT T_TARGET)
    set(T_TARGET ${name})
  endif()
  add_executable(${T_TARGET} ${T_SOURCES})
  target_include_directories(${T_TARGET} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${T_TARGET} PRIVATE pb_flags ${T_LIBS} cmocka)
  set_target_properties(${T_TARGET} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${label}.${name} COMMAND ${T_TARGET} ${T_ARGS})
  set_tests_properties(${label}.${name} PROPERTIES
    LABELS ${label} TIMEOUT ${T_TIMEOUT} SKIP_RETURN_CODE 77)
endfunction()
