/* SPDX-License-Identifier: MIT */
/* The zone's compiled paths, one a lock kind and one with a delay in it: lock, pop or push, unlock,
 * as the DDK's ExInterlockedAllocateFromZone and ExInterlockedFreeToZone do. An empty zone is
 * extended out of line, with the lock held.
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

/* Takes the lock, whatever its kind, and waits with it. */
void pb_zone_lock_delayed(struct zone_heap *zone, struct pb_lock_slot *slot);

#define ZONE_PATH(name, take, give)                                                                \
    PB_INLINE void *zone_##name##_alloc(struct pb_heap *heap, struct pb_thread *thread,            \
                                        size_t bytes)                                              \
    {                                                                                              \
        struct zone_heap *zone = (struct zone_heap *)(void *)heap;                                 \
        struct pb_lock_slot *slot = (struct pb_lock_slot *)(void *)thread;                         \
        assert(bytes <= heap->block_bytes);                                                        \
        take;                                                                                      \
        void *block = ExAllocateFromZone(&zone->zone);                                             \
        if (PB_UNLIKELY(block == NULL))                                                            \
            block = pb_zone_extend(zone);                                                          \
        if (PB_LIKELY(block != NULL)) {                                                            \
            zone->allocs++;                                                                        \
            zone->requested_bytes += bytes;                                                        \
        }                                                                                          \
        give;                                                                                      \
        return block;                                                                              \
    }                                                                                              \
    PB_INLINE void zone_##name##_free(struct pb_heap *heap, struct pb_thread *thread, void *block, \
                                      size_t bytes)                                                \
    {                                                                                              \
        struct zone_heap *zone = (struct zone_heap *)(void *)heap;                                 \
        struct pb_lock_slot *slot = (struct pb_lock_slot *)(void *)thread;                         \
        take;                                                                                      \
        (void)ExFreeToZone(&zone->zone, block);                                                    \
        zone->frees++;                                                                             \
        zone->requested_bytes -= bytes;                                                            \
        give;                                                                                      \
    }

#define ZONE_PATH_OF(kind)                                                                         \
    ZONE_PATH(kind, kind##_lock(&zone->lock, slot), kind##_unlock(&zone->lock, slot))

PB_LOCK_KINDS(ZONE_PATH_OF)

/* Any kind, and path.h's delay while it is held: chosen at open where one is asked for. */
ZONE_PATH(delayed, pb_zone_lock_delayed(zone, slot), pb_lock_unlock(zone->kind, &zone->lock, slot))

#define PB_HOT_zone(FIXED, ANY, NATIVE)                                                            \
    FIXED(zone_none)                                                                               \
    FIXED(zone_fas)                                                                                \
    FIXED(zone_dec)                                                                                \
    FIXED(zone_ticket) FIXED(zone_mcs) FIXED(zone_clh) FIXED(zone_anderson) FIXED(zone_delayed)

PB_HOT_zone(PB_HOT_DECLARE, PB_HOT_DECLARE, PB_HOT_DECLARE)

#endif
