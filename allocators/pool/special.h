/* SPDX-License-Identifier: MIT */
/* Special pool: each allocation alone on a page whose neighbours are inaccessible, at the page's end
 * (an overrun faults at once) or its start (an underrun does); the rest of the page is filled with a
 * pattern that is looked at when the block is freed. A freed page stays inaccessible for a while:
 * the last `quarantine` frees, so that a use after free faults. Such faults, outside of PB_TRY, are
 * told as PAGE_FAULT_BEYOND_END_OF_ALLOCATION or PAGE_FAULT_IN_FREED_SPECIAL_POOL and passed on.
 * Source:  WDK, "Special Pool". The block is aligned to 16 (overrun: up to 15 pattern bytes lie
 *          between its end and the page's end, and are checked).
 * Threads: any; one mutex-like spin lock of its own. May include: nt/. */
#ifndef PB_POOL_SPECIAL_H
#define PB_POOL_SPECIAL_H

#include <poolbench/nt/bugcheck.h>
#include <poolbench/nt/pool.h>

#include <stdbool.h>

struct pool_special;

/* Room for `pages` allocations at a time (address space: twice that and one page). NULL: none. */
struct pool_special *pb_pool_special_open(size_t pages, unsigned quarantine);
void pb_pool_special_close(struct pool_special *special);

/* NULL when bytes >= PAGE_SIZE, or there is no room: the caller takes ordinary pool. */
void *pb_pool_special_allocate(struct pool_special *special, unsigned type, size_t bytes,
                               uint32_t tag, bool underrun);

/* Whether `p` lies in the special pool's range, allocated or not. */
bool pb_pool_special_owns(const struct pool_special *special, const void *p);

/* What a block is: false if no block starts at `p`. */
struct pool_special_block {
    unsigned type;
    uint32_t tag;
    size_t bytes;
};
bool pb_pool_special_find(const struct pool_special *special, const void *p,
                          struct pool_special_block *block);

/* Frees. Bugchecks: BAD_POOL_HEADER 0x20 when the pattern changed, BAD_POOL_CALLER 7 when it is free
 * already, 0x99 when `p` is inside a block; then nothing is freed, and it returns false. */
bool pb_pool_special_free(struct pool_special *special, void *p);

size_t pb_pool_special_count(const struct pool_special *special); /* blocks in use */

#endif
