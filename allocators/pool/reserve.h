/* SPDX-License-Identifier: MIT */
/* The must-succeed reserve: some pages, resident from the start, that are given out when everything
 * else has failed. When it is empty too, the caller has no choice left: MUST_SUCCEED_POOL_EMPTY.
 * Source:  Windows NT 4 and 2000 DDK, ExAllocatePool (NonPagedPoolMustSucceed); WDK, bug check 0x41.
 * Layout:  pages | page | page | ... |  contiguous, without headers
 *          map   | what begins at granule 0 | ... |  a granule is 16 bytes
 * I1       a block below a page does not cross a page; one of a page and more is whole pages
 * I2       free bytes + granted bytes = bytes of the reserve
 * Locks    one spin lock of its own
 * Cost     first fit over all granules: it is the last resort, and small. 12 bytes a granule.
 *          Of one size n it gives exactly pages * (4096 / n) blocks, n rounded up to 16, and
 *          pages / (n / 4096) from a page on, n rounded up to pages.
 * Threads: any; open and close one. May include: nt/. */
#ifndef PB_POOL_RESERVE_H
#define PB_POOL_RESERVE_H

#include <poolbench/nt/bugcheck.h>
#include <poolbench/nt/pool.h>

#include <stdbool.h>

struct pool_reserve;

/* With 0 pages: a reserve that is empty. NULL: no memory. */
struct pool_reserve *pb_pool_reserve_open(size_t pages);
void pb_pool_reserve_close(struct pool_reserve *reserve);

/* NULL when there is no room. Aligned to 16, or to the page from a page on. Not zeroed. */
void *pb_pool_reserve_allocate(struct pool_reserve *reserve, size_t bytes, uint32_t tag,
                               unsigned type);

/* Whether `p` lies in the reserve, allocated or not. */
bool pb_pool_reserve_owns(const struct pool_reserve *reserve, const void *p);

/* What a block is: false if no block starts at `p`. */
struct pool_reserve_block {
    unsigned type;
    uint32_t tag;
    size_t bytes; /* granted: whole granules or pages */
};
bool pb_pool_reserve_find(const struct pool_reserve *reserve, const void *p,
                          struct pool_reserve_block *block);

/* Frees. Bugchecks: BAD_POOL_CALLER 0x99 when `p` is inside a block, 7 when it is free already;
 * then nothing is freed, and it returns false. */
bool pb_pool_reserve_free(struct pool_reserve *reserve, void *p);

size_t pb_pool_reserve_count_free_bytes(const struct pool_reserve *reserve);

/* I1 and I2. Returns 0, or -EINVAL and one line. No other thread may be in it. */
int pb_pool_reserve_check(const struct pool_reserve *reserve, char *message, size_t message_size);

#endif
