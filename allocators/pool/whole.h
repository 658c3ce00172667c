/* SPDX-License-Identifier: MIT */
/* Requests that are larger than a block can be, or aligned to a page and more: whole pages without
 * a header, known to the big-page table by their address. Where the option says so, the rest of the
 * last page serves blocks: a header of one granule, always in use, stands behind the user's bytes,
 * and a free block behind that. When the big allocation is freed before the blocks, its part of
 * that page becomes a free block, and the page one of blocks like any other.
 * Source:  ReactOS, expool (big pages); Mandt, "Kernel Pool Exploitation on Windows 7", 2011 (the
 *          tail). Differs: how the tail is freed is ours, for no source says.
 * Layout:  last page | user's bytes | header of 1 granule | blocks ... |
 * Cost     allocate: one take of the page layer, one insertion into the table. Free: two searches
 *          of the table (what it is; whose it is to free) and the page layer. A tail: the
 *          descriptor's guard, both ways
 * Threads: any. May include: pool/space.h. */
#ifndef PB_POOL_WHOLE_H
#define PB_POOL_WHOLE_H

#include "pool/space.h"

/* As the calls of engine.h, for one space. */
void *pb_pool_whole_allocate(struct pool_space *space, const struct pool_request *request);
bool pb_pool_whole_inspect(struct pool_space *space, const void *block, struct pool_block *found);
bool pb_pool_whole_release(struct pool_space *space, void *block, const struct pool_block *found);

/* Bytes of a big allocation that the user has; *granted: those and the tail's first header. */
size_t pb_pool_whole_bytes(const struct pool_space *space, const void *block, size_t pages,
                           size_t *granted);

#endif
