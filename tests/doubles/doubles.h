/* SPDX-License-Identifier: MIT */
/* Faulty strategies, so that every checker can be shown what it must find. One strategy, `faulty`,
 * whose option `mode` names the fault and `after` the allocation from which on it happens:
 *   sound       none: what the others are but for their fault
 *   null_after  alloc returns NULL
 *   twice       alloc returns a block that is live
 *   overlap     alloc returns an address inside a live block
 *   neighbour   alloc changes the last byte of another live block
 *   misaligned  alloc returns a block that is aligned to half of what it should be
 *   crash       alloc writes where nothing is mapped
 *   hang        alloc does not return
 *   leak        free keeps the block and does not count it
 *   aligned_inside an aligned block lies inside a live one
 *   aligned_page   above a page, a block is aligned to half of what it should be
 *   aligned_free   the free of an aligned block gives back the block allocated last instead
 *   huge_wraps     a request so long that a header makes it wrap is served with a small block
 *   huge_counts    a huge request is refused but counted
 *   huge_harms     a huge request is refused, but changes a live block
 * Any size, any thread. And a sound one, `stall` (stall.c): each `every` ms one allocation takes
 * `length` ms. They have no compiled paths, so they are reached by dispatch=table alone.
 * May include: registry.h. */
#ifndef PB_DOUBLES_H
#define PB_DOUBLES_H

#include "registry.h"

#include <stdatomic.h>

/* For pb_registry_extend; NULL-terminated. */
extern const struct pb_allocator *const pb_doubles[];

extern const struct pb_allocator pb_double_stall;

/* The clock that stalls go by, in ns; a test sets one of its own before any heap is opened. */
extern uint64_t (*pb_stall_clock)(void);
extern _Atomic uint64_t pb_stalls; /* of all heaps, since the start */

#endif
