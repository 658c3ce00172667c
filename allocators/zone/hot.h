/* SPDX-License-Identifier: MIT */
/* The zone's compiled paths, one a lock kind: lock, pop or push, unlock, as the DDK's
 * ExInterlockedAllocateFromZone and ExInterlockedFreeToZone do. An empty zone is extended out of
 * line, with the lock held.
 * Layout:  what a pair of calls writes lies on the lock's second line, and on no other.
 * Threads: each with its own slot; pb_thread is that slot. May include: nt/, zone.h. */
#ifndef PB_ZONE_HOT_H
#define PB_ZONE_HOT_H

#include "nt/lock.h"
#include <poolbench/nt/zone.h>

#include <assert.h>

struct zone_heap {
    struct pb_heap head;
    enum pb_lock_kind kind;
    unsigned threads;
    struct pb_lock_slot *stats_slot; /* what stats brings to the lock */
    struct pb_lock lock PB_CACHE_ALIGNED;
    /* guarded, and hot; no two that one call changes lie side by side, or compilers would join
     * their stores into one that the next call's load cannot be forwarded from */
    uint64_t requested_bytes;
    ZONE_HEADER zone;
    uint64_t allocs, frees;
    /* guarded, touched when a segment is added */
    struct pb_pages pages;
    size_t first_bytes, segment_bytes; /* the first segment's length and the others' */
    uint64_t segments;
    uint64_t carved; /* blocks over all segments */
};
_Static_assert(offsetof(struct zone_heap, pages) - offsetof(struct zone_heap, lock) ==
                   2 * PB_LOCK_LINE,
               "lock, free list and counters fill two lines");

extern const struct pb_allocator pb_allocator_zone;

/* Adds a segment to an empty zone and takes a block from it; NULL when there is no more memory. The
 * lock is held. */
void *pb_zone_extend(struct zone_heap *zone);

#define ZONE_PATH(lock_kind)                                                                       \
    PB_INLINE void *zone_##lock_kind##_alloc(struct pb_heap *heap, struct pb_thread *thread,       \
                                             size_t bytes)                                         \
    {                                                                                              \
        struct zone_heap *zone = (struct zone_heap *)(void *)heap;                                 \
        struct pb_lock_slot *slot = (struct pb_lock_slot *)(void *)thread;                         \
        assert(bytes <= heap->block_bytes);                                                        \
        lock_kind##_lock(&zone->lock, slot);                                                       \
        void *block = ExAllocateFromZone(&zone->zone);                                             \
        if (PB_UNLIKELY(block == NULL))                                                            \
            block = pb_zone_extend(zone);                                                          \
        if (PB_LIKELY(block != NULL)) {                                                            \
            zone->allocs++;                                                                        \
            zone->requested_bytes += bytes;                                                        \
        }                                                                                          \
        lock_kind##_unlock(&zone->lock, slot);                                                     \
        return block;                                                                              \
    }                                                                                              \
    PB_INLINE void zone_##lock_kind##_free(struct pb_heap *heap, struct pb_thread *thread,         \
                                           void *block, size_t bytes)                              \
    {                                                                                              \
        struct zone_heap *zone = (struct zone_heap *)(void *)heap;                                 \
        struct pb_lock_slot *slot = (struct pb_lock_slot *)(void *)thread;                         \
        lock_kind##_lock(&zone->lock, slot);                                                       \
        (void)ExFreeToZone(&zone->zone, block);                                                    \
        zone->frees++;                                                                             \
        zone->requested_bytes -= bytes;                                                            \
        lock_kind##_unlock(&zone->lock, slot);                                                     \
    }

PB_LOCK_KINDS(ZONE_PATH)

#define PB_HOT_zone(FIXED, ANY, NATIVE)                                                            \
    FIXED(zone_none)                                                                               \
    FIXED(zone_fas)                                                                                \
    FIXED(zone_dec)                                                                                \
    FIXED(zone_ticket) FIXED(zone_mcs) FIXED(zone_clh) FIXED(zone_anderson)

PB_HOT_zone(PB_HOT_DECLARE, PB_HOT_DECLARE, PB_HOT_DECLARE)

#endif
