/* SPDX-License-Identifier: MIT */
/* SLIST of the 32-bit profiles: a lock-free stack whose head is 8 bytes, as on x86. Its entries lie
 * in one arena and are linked by their offsets in it, which are never 0.
 * Source:  WDK, wdm.h (the x86 layout: Next, Depth, Sequence); R. K. Treiber, "Systems Programming:
 *          Coping with Parallelism", IBM RJ 5118, 1986. Differs: Next is an offset, not an address.
 * Layout:  head  | Next 32 | Depth 16 | Sequence 16 |  low to high; entry  | Next 32 |
 * Push: Depth + 1, Sequence + 1. Pop: Depth - 1. Flush: empty, Sequence kept. Depth wraps at 65536.
 *
 * Ordering. The exchange releases what the pusher wrote, its link included, to who reads the head
 * (acquire) or exchanges it.
 *
 * ABA. Between reading a head and exchanging it the first entry can be popped and pushed again with
 * another link behind it. Each push changes Sequence, so the exchange fails, unless exactly a
 * multiple of 65536 pushes went by meanwhile and the first entry and the depth are those again.
 * x86 NT lives with that, and so do we: the popper would have to be held up between two
 * instructions for so many calls, to the very number.
 *
 * Reclamation. A popper may read the link of an entry that another popped and whose owner writes to
 * it. The arena stays mapped as long as any list over it lives, and what was given back to the
 * system reads as zero; but in a file without room on its disk that read can fault, so it is
 * pb_fixup_load32. What it read is not used: the head has changed, and the exchange fails. The load
 * is one instruction that the race detector does not see, as a load of memory that may be another's
 * is a race by C's rules.
 *
 * Threads: any. May touch: the head and entries. */
#ifndef PB_POOL_SLIST8_H
#define PB_POOL_SLIST8_H

#include "nt/fixup.h"

#include <poolbench/nt/types.h>

enum { SLIST8_DEPTH_SHIFT = 32, SLIST8_SEQUENCE_SHIFT = 48 };

PB_INLINE USHORT pool_slist8_depth(const uint64_t *head)
{
    /* relaxed: the figure is old as soon as it is read */
    return (USHORT)(__atomic_load_n(head, __ATOMIC_RELAXED) >> SLIST8_DEPTH_SHIFT);
}

/* The parts of a head, put together; each is cut to its bits. */
PB_INLINE uint64_t pool_slist8_head(uint32_t next, uint64_t depth, uint64_t sequence)
{
    return next | (uint64_t)(uint16_t)depth << SLIST8_DEPTH_SHIFT |
           sequence << SLIST8_SEQUENCE_SHIFT;
}

/* What the head becomes by a push of the entry at `offset`, and by a pop behind which `next` is. */
PB_INLINE uint64_t pool_slist8_pushed(uint64_t seen, uint32_t offset)
{
    return pool_slist8_head(offset, (seen >> SLIST8_DEPTH_SHIFT) + 1,
                            (seen >> SLIST8_SEQUENCE_SHIFT) + 1);
}

PB_INLINE uint64_t pool_slist8_popped(uint64_t seen, uint32_t next)
{
    return pool_slist8_head(next, (seen >> SLIST8_DEPTH_SHIFT) - 1, seen >> SLIST8_SEQUENCE_SHIFT);
}

PB_INLINE void pool_slist8_push(uint64_t *head, unsigned char *base, void *entry)
{
    uint32_t offset = (uint32_t)((unsigned char *)entry - base);
    uint64_t seen = __atomic_load_n(head, __ATOMIC_RELAXED); /* the exchange orders */
    uint64_t next;
    do {
        /* relaxed: the exchange publishes it */
        __atomic_store_n((uint32_t *)entry, (uint32_t)seen, __ATOMIC_RELAXED);
        next = pool_slist8_pushed(seen, offset);
    } while (PB_UNLIKELY(!__atomic_compare_exchange_n(head, &seen, next, false, __ATOMIC_ACQ_REL,
                                                      __ATOMIC_RELAXED)));
}

/* The first entry, or NULL. */
PB_INLINE void *pool_slist8_pop(uint64_t *head, unsigned char *base)
{
    uint64_t seen = __atomic_load_n(head, __ATOMIC_ACQUIRE); /* the entry's link is read next */
    uint64_t next;
    unsigned char *entry;
    do {
        if (PB_UNLIKELY((uint32_t)seen == 0))
            return NULL;
        entry = base + (uint32_t)seen;
        next = pool_slist8_popped(seen, pb_fixup_load32((const uint32_t *)(void *)entry));
    } while (PB_UNLIKELY(!__atomic_compare_exchange_n(head, &seen, next, false, __ATOMIC_ACQ_REL,
                                                      __ATOMIC_ACQUIRE)));
    return entry;
}

/* Empties the list: the offset of what was its first entry, or 0. */
static inline uint32_t pool_slist8_flush(uint64_t *head)
{
    uint64_t seen = __atomic_load_n(head, __ATOMIC_RELAXED); /* the exchange orders */
    while (!__atomic_compare_exchange_n(head, &seen,
                                        pool_slist8_head(0, 0, seen >> SLIST8_SEQUENCE_SHIFT),
                                        false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        continue;
    return (uint32_t)seen;
}

#endif
