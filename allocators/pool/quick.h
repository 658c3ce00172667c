/* SPDX-License-Identifier: MIT */
/* The common case of both calls, straight and inlined into its caller: blocks of 16-byte granules,
 * one pool, its spin lock uncontended, nothing that checks, waits or counts by tag (space->quick).
 * It does what engine.c does, in the same order, by the same steps of lists.h and block.h; whatever
 * is not common goes on there. Source, layout, locks: engine.h, space.h. Threads: any. May include:
 * pool/. */
#ifndef PB_POOL_QUICK_H
#define PB_POOL_QUICK_H

#include "pool/block.h"

#include <string.h>

/* Under the guard: cuts a block out of the first free one of `size` granules; there is one. */
PB_INLINE struct pool_header *pool_quick_cut(struct pool_space *space,
                                             struct pool_descriptor *descriptor, size_t size,
                                             const struct pool_want *want)
{
    LIST_ENTRY *head = pool_head(descriptor, size);
    struct pool_header *header = pool_header_before(RemoveHeadList(head), true);
    bool emptied = IsListEmpty(head);
    descriptor->TotalBytes += (size_t)want->granules << pool_shift(space, true);
    descriptor->RunningAllocs++;
    /* as pool_lead: twice, so that one of what is left before and what is left behind is known to
     * be 0 */
    if (PB_LIKELY(pool_previous(header, true) != 0))
        return pool_carve(space, descriptor, header, size, emptied, size - want->granules, want,
                          true);
    return pool_carve(space, descriptor, header, size, emptied, 0, want, true);
}

/* What stands in a new block, whose header says what it is. */
PB_INLINE void *pool_quick_finish(struct pool_header *header)
{
    void *user = pool_user(header, true);
    memset(user, 0, 16); /* two pointers: no links are shown */
    return user;
}

/* Makes a new block of one that came from a lookaside list. `type`: PoolType of the block. */
PB_INLINE void *pool_quick_renew(void *user, unsigned granules, unsigned type, uint32_t tag)
{
    struct pool_header *header = pool_header_before(user, true);
    pool_set_size(header, granules, type, true);
    header->tag = tag;
    return pool_quick_finish(header);
}

/* Takes the guard, and finds the size of the free block to cut. POOL_PAGE_WIDE or more, and the
 * guard is free: the first list that seems to have a block has none. */
PB_INLINE size_t pool_quick_find(struct pool_space *space, struct pool_descriptor *descriptor,
                                 size_t granules, struct pool_hold *hold)
{
    size_t size = pool_search(descriptor, granules + space->shape.search_ahead);
    if (PB_UNLIKELY(size >= POOL_PAGE_WIDE))
        return size;
    pool_guard_lock_plain(&descriptor->guard, hold);
    if (PB_LIKELY(!IsListEmpty(pool_head(descriptor, size))))
        return size;
    pool_guard_unlock_plain(&descriptor->guard, hold);
    return POOL_PAGE_WIDE;
}

/* A block, cut from what was found; gives the guard back. */
PB_INLINE void *pool_quick_carve(struct pool_space *space, struct pool_descriptor *descriptor,
                                 size_t size, const struct pool_want *want,
                                 const struct pool_hold *hold)
{
    struct pool_header *header = pool_quick_cut(space, descriptor, size, want);
    pool_guard_unlock_plain(&descriptor->guard, hold);
    return pool_quick_finish(header);
}

/* Granules of a plain block in use, by its address; 0 for whatever else the address is. */
PB_INLINE unsigned pool_quick_granules(const struct pool_space *space, const void *block)
{
    size_t offset = (uintptr_t)block - (uintptr_t)space->base;
    if (PB_UNLIKELY(offset >= space->reserved || offset % POOL_HEADER_WIDE != 0 ||
                    BYTE_OFFSET(block) == 0))
        return 0;
    /* relaxed: as pool_page_kind */
    unsigned kind = atomic_load_explicit(&space->map[offset >> PAGE_SHIFT], memory_order_relaxed);
    if (PB_UNLIKELY(kind != POOL_PAGE_BLOCKS))
        return 0;
    const struct pool_header *header = pool_header_before(block, true);
    unsigned half = pool_size_half(header);
    unsigned type = half >> pool_size_bits(true);
    /* free is 0, cached has its bit, charged has its bit in type - 1: all three are seen there */
    if (PB_UNLIKELY(((type - 1) & (POOL_TYPE_CACHED | POOL_TYPE_CHARGED)) != 0 ||
                    pool_index(header, true) - space->first >= space->pools))
        return 0;
    return half & pool_size_mask(true);
}

/* Joins a block of `size` granules with its neighbours. */
PB_INLINE void pool_quick_join(struct pool_descriptor *descriptor, struct pool_header *header,
                               size_t size)
{
    struct pool_hold hold;
    pool_guard_lock_plain(&descriptor->guard, &hold);
    descriptor->TotalBytes -= size << pool_shift(descriptor->space, true);
    descriptor->RunningDeAllocs++;
    void *page = pool_coalesce(descriptor->space, descriptor, header, size, true);
    pool_guard_unlock_plain(&descriptor->guard, &hold);
    if (PB_UNLIKELY(page != NULL))
        pb_pool_page_free(descriptor->space, page);
}

#endif
