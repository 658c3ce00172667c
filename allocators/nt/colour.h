/* SPDX-License-Identifier: MIT */
/* Colours: where in its page a structure begins. Mappings begin at pages, so the first lines of all
 * threads' states, and those of the 28 heaps of a bank, would fall into one and the same set of the
 * first-level cache (address bits 6 to 11) and push each other out, or be taken for one another by
 * a way predictor: measured on Zen 5, 15 ns instead of 3 for a pair of calls, by the luck of where
 * the system put the mappings. A colour puts them apart.
 * Source:  Bonwick, "The Slab Allocator", USENIX 1994, section 4.1, "Slab coloring".
 * Threads: any. May include: nt/pages.h. */
#ifndef PB_NT_COLOUR_H
#define PB_NT_COLOUR_H

#include "nt/pages.h"

/* The first 1 KiB of the page is left to the states that all classes share (a bank's). */
enum { PB_COLOUR_FIRST = 1024, PB_COLOUR_STEP = 128, PB_COLOURS = 24, PB_COLOUR_ROOM = 4096 };

/* Bytes, a multiple of two lines and less than PB_COLOUR_ROOM, to leave free before the state of
 * thread `index` of a heap of `block_bytes`. (The multiplier spreads: Knuth, TAOCP 3, section 6.4.)
 */
static inline size_t pb_colour(size_t block_bytes, unsigned index)
{
    uint32_t spread = (uint32_t)(block_bytes / 16 + 5 * index) * 2654435761u;
    return PB_COLOUR_FIRST + (size_t)((uint64_t)spread * PB_COLOURS >> 32) * PB_COLOUR_STEP;
}

/* The colour of what lies at `at`, for what belongs to it and is mapped elsewhere. */
static inline size_t pb_colour_of(const void *at)
{
    return (uintptr_t)at & (PB_COLOUR_ROOM - PB_COLOUR_STEP);
}

/* As pb_pages_map and pb_pages_unmap, at that colour: aligned to 128, not to the page. Both are
 * given the same three values. */
static inline void *pb_colour_map(size_t bytes, size_t block_bytes, unsigned index)
{
    unsigned char *at = pb_pages_map(PB_COLOUR_ROOM + bytes);
    return at != NULL ? at + pb_colour(block_bytes, index) : NULL;
}

static inline void pb_colour_unmap(void *at, size_t bytes, size_t block_bytes, unsigned index)
{
    pb_pages_unmap((unsigned char *)at - pb_colour(block_bytes, index), PB_COLOUR_ROOM + bytes);
}

#endif
