# Run at every build (cmake -P): writes OUT, a header with what was built, and only when that has changed.
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD
                OUTPUT_VARIABLE hash OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
execute_process(COMMAND git -C ${SOURCE} status --porcelain --untracked-files=no
                OUTPUT_VARIABLE changes OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(changes STREQUAL "")
  set(dirty 0)
else()
  set(dirty 1)
endif()
file(CONFIGURE OUTPUT ${OUT} @ONLY CONTENT [[/* Written at build time: what was built, and how. */
#ifndef PB_BUILD_FACTS_H
#define PB_BUILD_FACTS_H
#define PB_VERSION   "@VERSION@"
#define PB_GIT_HASH  "@hash@"
#define PB_GIT_DIRTY @dirty@
#define PB_CFLAGS    "@FLAGS@"
#endif
]])
