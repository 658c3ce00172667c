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

/* Under the guard: cuts a block out of the free one at the head of a list, which is not empty. */
PB_INLINE struct pool_header *pool_quick_cut(struct pool_space *space,
                                             struct pool_descriptor *descriptor, unsigned list,
                                             const struct pool_want *want)
{
    struct pool_header *header = pool_header_before(descriptor->heads.wide[list].Flink, true);
    unsigned size = list + 1;
    bool emptied = pool_unlink(space, descriptor, header, size, true);
    /* as pool_lead: twice, so that one of what is left before and what is left behind is known to
     * be 0 */
    if (PB_LIKELY(pool_previous(header, true) != 0))
        header =
            pool_carve(space, descriptor, header, size, emptied, size - want->granules, want, true);
    else
        header = pool_carve(space, descriptor, header, size, emptied, 0, want, true);
    descriptor->TotalBytes += (size_t)want->granules << pool_shift(space, true);
    descriptor->RunningAllocs++;
    return header;
}

/* What stands in a new block. */
PB_INLINE void *pool_quick_finish(struct pool_header *header, uint32_t tag)
{
    void *user = pool_user(header, true);
    header->tag = tag;
    memset(user, 0, 16); /* two pointers: no links are shown */
    return user;
}

/* Makes a new block of one that came from a lookaside list. `type`: PoolType of the block. */
PB_INLINE void *pool_quick_renew(void *user, unsigned granules, unsigned type, uint32_t tag)
{
    struct pool_header *header = pool_header_before(user, true);
    pool_set_size(header, granules, type, true);
    return pool_quick_finish(header, tag);
}

/* A block from the free lists; NULL if the first list that seems to have one has none. `type`:
 * PoolType. The request is plain: at most POOL_LARGEST_WIDE bytes, no alignment, nobody charged. */
PB_INLINE void *pool_quick_carve(struct pool_space *space, unsigned granules, unsigned type,
                                 uint32_t tag)
{
    const struct pool_want want = {granules, 1, type};
    struct pool_descriptor *descriptor = space->quick;
    struct pool_hold hold;
    unsigned list = pool_search(descriptor, granules - 1 + space->shape.search_ahead, true);
    if (PB_UNLIKELY(list >= POOL_PAGE_WIDE))
        return NULL;
    pool_guard_lock_plain(&descriptor->guard, &hold);
    if (PB_UNLIKELY(IsListEmpty(&descriptor->heads.wide[list]))) {
        pool_guard_unlock_plain(&descriptor->guard, &hold);
        return NULL;
    }
    struct pool_header *header = pool_quick_cut(space, descriptor, list, &want);
    pool_guard_unlock_plain(&descriptor->guard, &hold);
    return pool_quick_finish(header, tag);
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

/* Joins a block of this pool with its neighbours. */
PB_INLINE void pool_quick_join(struct pool_space *space, struct pool_header *header)
{
    struct pool_descriptor *descriptor = space->quick;
    struct pool_hold hold;
    pool_guard_lock_plain(&descriptor->guard, &hold);
    unsigned size = pool_size(header, true);
    descriptor->TotalBytes -= (size_t)size << pool_shift(space, true);
    descriptor->RunningDeAllocs++;
    void *page = pool_coalesce(space, descriptor, header, size, true);
    pool_guard_unlock_plain(&descriptor->guard, &hold);
    if (PB_UNLIKELY(page != NULL))
        pb_pool_page_free(space, page);
}

#endif
