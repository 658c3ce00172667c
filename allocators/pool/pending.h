/* SPDX-License-Identifier: MIT */
/* Delayed frees: blocks that were freed wait on a stack, without the pool's lock, until there are
 * 32 of them; who pushes the 32nd takes all and joins them with their neighbours under one lock.
 * Source:  Mandt, "Kernel Pool Exploitation on Windows 7", 2011 (PendingFrees, PendingFreeDepth).
 *          Differs: depth and bytes lie in the head, so that they are exact.
 * Layout:  head | granules waiting 18 | depth 10 | first block's offset in granules 36 |
 *          a waiting block's links: the head as it was before, whose offset is the next block
 * The head is pushed to and emptied as a whole, never popped: an entry's link is read only by who
 * took it off, so there is no ABA, and nothing can be gone that is read.
 * Threads: any. May include: pool/header.h. */
#ifndef PB_POOL_PENDING_H
#define PB_POOL_PENDING_H

#include "pool/header.h"

enum {
    PENDING_BATCH = 32,
    PENDING_FULL = 512, /* of the longest blocks, 511 granules, no more fit in the head's counts */
    PENDING_DEPTH_SHIFT = 18,
    PENDING_OFFSET_SHIFT = 28,
    PENDING_DEPTH_MASK = (1 << (PENDING_OFFSET_SHIFT - PENDING_DEPTH_SHIFT)) - 1,
    PENDING_GRANULES_MASK = (1 << PENDING_DEPTH_SHIFT) - 1
};

_Static_assert(PENDING_FULL <= PENDING_DEPTH_MASK, "the depth does not reach the offset");
_Static_assert(PENDING_FULL * 511 <= PENDING_GRANULES_MASK, "the sum does not reach the depth");

PB_INLINE unsigned pool_pending_depth(uint64_t head)
{
    return (unsigned)(head >> PENDING_DEPTH_SHIFT) & PENDING_DEPTH_MASK;
}

PB_INLINE unsigned pool_pending_granules(uint64_t head)
{
    return (unsigned)head & PENDING_GRANULES_MASK;
}

PB_INLINE uint64_t pool_pending_offset(uint64_t head)
{
    return head >> PENDING_OFFSET_SHIFT;
}

/* The link of a waiting block lies in its user area, which holds 8 bytes at least. */
PB_INLINE uint64_t *pool_pending_link(struct pool_header *header, bool wide)
{
    return (uint64_t *)pool_user(header, wide);
}

/* Returns how many wait now; 0: the stack is full and took nothing. It is emptied from
 * PENDING_BATCH on by each thread that pushes, so that only hundreds of threads, held up between
 * the two, fill it. `offset`: the header's, in granules. */
PB_INLINE unsigned pool_pending_push(_Atomic uint64_t *head, struct pool_header *header,
                                     uint64_t offset, unsigned granules, bool wide)
{
    uint64_t seen = atomic_load_explicit(head, memory_order_relaxed); /* the exchange orders */
    uint64_t next;
    do {
        if (PB_UNLIKELY(pool_pending_depth(seen) >= PENDING_FULL))
            return 0;
        *pool_pending_link(header, wide) = seen;
        next = offset << PENDING_OFFSET_SHIFT |
               (uint64_t)(pool_pending_depth(seen) + 1) << PENDING_DEPTH_SHIFT |
               (pool_pending_granules(seen) + granules);
        /* release: who takes the stack sees the link and what the block's owner wrote */
    } while (PB_UNLIKELY(!atomic_compare_exchange_weak_explicit(
        head, &seen, next, memory_order_release, memory_order_relaxed)));
    return pool_pending_depth(next);
}

/* Empties the stack and returns its head as it was; depth 0: there is nothing. */
PB_INLINE uint64_t pool_pending_take(_Atomic uint64_t *head)
{
    return atomic_exchange_explicit(head, 0, memory_order_acquire); /* as above */
}

#endif
