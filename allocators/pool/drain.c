/* SPDX-License-Identifier: MIT */
/* Delayed frees, done: the whole stack under one hold of the descriptor's guard; pages that become
 * free are collected and given back behind it. Source, layout: pending.h. Threads: any. */
#include "pool/block.h"
#include "pool/pending.h"
#include "pool/verify.h"

#include <poolbench/nt/bugcheck.h>

/* Where the next of a chain of free pages is kept, behind the header that a free page begins with.
 */
static void **drain_next(void *page, bool wide)
{
    return (void **)pool_user(page, wide);
}

/* Frees blocks of the stack until one is corrupt; what is left of it comes back. 0 also where the
 * links no longer tell: one that was written to, and that of a block freed twice, which its second
 * push wrote over. */
PB_INLINE uint64_t drain_blocks(struct pool_space *space, struct pool_descriptor *descriptor,
                                uint64_t stack, void **pages, struct pool_fault *fault, bool wide)
{
    while (pool_pending_depth(stack) > 0) {
        size_t offset = (size_t)pool_pending_offset(stack) << pool_shift(space, wide);
        struct pool_header *header = (struct pool_header *)(void *)(space->base + offset);
        if (PB_UNLIKELY(space->shape.verify) && !pool_in_blocks(space, header)) {
            *fault = (struct pool_fault){BAD_POOL_HEADER, BAD_HEADER_AFTER_FREE, (uintptr_t)header,
                                         0, 0};
            return 0;
        }
        stack = *pool_pending_link(header, wide);
        if (PB_UNLIKELY(space->shape.verify) &&
            !pb_pool_verify_used(space, descriptor, header, fault))
            return fault->code == BAD_POOL_CALLER ? 0 : stack;
        unsigned size = pool_size(header, wide);
        descriptor->TotalBytes -= (size_t)size << pool_shift(space, wide);
        descriptor->RunningDeAllocs++;
        void *page = pool_coalesce(space, descriptor, header, size, wide);
        if (PB_UNLIKELY(page != NULL)) {
            *drain_next(page, wide) = *pages;
            *pages = page;
        }
    }
    return 0;
}

/* Frees a whole stack, and only then tells what was corrupt: the hook may not come back. */
static void drain_stack(struct pool_space *space, struct pool_descriptor *descriptor,
                        uint64_t stack)
{
    const bool wide = space->shape.wide;
    struct pool_hold hold;
    struct pool_fault fault = {.code = 0};
    void *pages = NULL;
    pool_guard_lock(space->mode, &descriptor->guard, &hold);
    uint64_t rest = wide ? drain_blocks(space, descriptor, stack, &pages, &fault, true)
                         : drain_blocks(space, descriptor, stack, &pages, &fault, false);
    pool_guard_unlock(space->mode, &descriptor->guard, &hold);
    while (pages != NULL) {
        void *page = pages;
        pages = *drain_next(page, wide);
        pb_pool_page_free(space, page);
    }
    if (PB_LIKELY(fault.code == 0))
        return;
    if (pool_pending_depth(rest) > 0)
        drain_stack(space, descriptor, rest);
    pb_pool_report(&fault);
}

bool pb_pool_drain_one(struct pool_space *space, struct pool_descriptor *descriptor)
{
    uint64_t stack = pool_pending_take(&descriptor->pending);
    if (pool_pending_depth(stack) == 0)
        return false;
    drain_stack(space, descriptor, stack);
    return true;
}

bool pb_pool_drain(struct pool_space *space)
{
    bool any = false;
    if (!space->shape.delayed_frees)
        return false;
    for (unsigned pool = 0; pool < space->pools; pool++)
        any |= pb_pool_drain_one(space, &space->descriptors[space->first + pool]);
    return any;
}

uint64_t pb_pool_pending_bytes(const struct pool_space *space,
                               const struct pool_descriptor *descriptor)
{
    /* relaxed: a figure for a snapshot */
    uint64_t stack = atomic_load_explicit(&descriptor->pending, memory_order_relaxed);
    return (uint64_t)pool_pending_granules(stack) << space->shape.shift;
}
