/* SPDX-License-Identifier: MIT */
/* The bugcheck hook of bugcheck.h. The line goes out by write(2) from a buffer on the stack: the
 * heap that is broken may be the process's own. */
#include "nt/bugcheck.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

pb_bugcheck_fn *pb_bugcheck_hook = pb_bugcheck_abort;

void pb_bugcheck(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4)
{
    pb_bugcheck_hook(code, p1, p2, p3, p4);
}

void pb_bugcheck_abort(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4)
{
    char line[128];
    int length = snprintf(line, sizeof line,
                          "bugcheck 0x%" PRIX32 " (0x%" PRIX64 ", 0x%" PRIX64 ", 0x%" PRIX64
                          ", 0x%" PRIX64 ")\n",
                          code, p1, p2, p3, p4);
    ssize_t written = length > 0 ? write(STDERR_FILENO, line, (size_t)length) : 0;
    (void)written; /* if nobody can be told, the end is the same */
    abort();
}
