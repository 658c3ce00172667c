/* SPDX-License-Identifier: MIT */
/* What the memory manager's files share, and what the executive needs of them.
 * Threads: as poolbench/nt/mm.h says. May include: nt/. */
#ifndef PB_NT_MM_H
#define PB_NT_MM_H

#include "nt/resident.h"

#include <poolbench/nt/mm.h>

#include <sys/mman.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; younger than some C libraries */
#endif

enum { PB_HUGE_BYTES = 2 << 20 }; /* the huge page that is asked for */

/* Frees all contiguous memory, so that its part in the pool ends with the pool. For the executive's
 * reset, before the pool ends. No other thread may be in it. */
void pb_mm_reset(void);

#endif
