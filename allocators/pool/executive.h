/* SPDX-License-Identifier: MIT */
/* The executive: the one pool that the Ex routines serve, made at their first use. What stands on
 * it (lookaside lists, contiguous memory, the tuner) may ask for its parts here.
 * Threads: any. May include: nt/, pool/. */
#ifndef PB_POOL_EXECUTIVE_H
#define PB_POOL_EXECUTIVE_H

#include "pool/front.h"

/* NULL if it could not be made: then every allocation fails, and standard error was told why, once,
 * until PbNtReset. */
struct pool_front *pb_executive(void);

/* The same if it has begun, else NULL. */
struct pool_front *pb_executive_begun(void);

/* Writes one line a tag and kind of pool that has blocks in use, or more frees than allocations, as
 * poolmon shows them, under a line that says so and one of heads; a line behind them if the table
 * of tags was full; with tags=off how many blocks are in use; nothing if there are none. Returns
 * how many lines are about tags. */
unsigned pb_executive_leaks(int file);

#endif
