/* SPDX-License-Identifier: MIT */
/* The strategy's calls. Each begins with what decides where it goes on, and goes on by a jump, to a
 * lookaside list's hit or to blocks cut and joined, and from there to whatever is not common
 * (quick.h) or is by the caller's rules (front.h). Each of these functions does the rest and counts
 * for itself, so that none saves registers for another. Threads: as in strategy.c. May touch: the
 * pool, the thread's counters. */
#include "pool/heap.h"
#include "pool/hot.h"
#include "pool/quick.h"

/* By the caller's rules: what is not plain, and what they refuse. */
static PB_NOINLINE void *allocate_by_rules(struct pool_heap *heap, const struct pool_thread *thread,
                                           size_t bytes, unsigned alignment)
{
    const struct pool_ask ask = {.bytes = bytes,
                                 .type = heap->type,
                                 .tag = thread->tag,
                                 .alignment = alignment,
                                 .flags = heap->owner != NULL ? POOL_ASK_QUOTA : 0,
                                 .owner = heap->owner};
    return pb_front_allocate(heap->front, &ask);
}

PB_INLINE void *allocate(struct pool_heap *heap, const struct pool_thread *thread, size_t bytes,
                         unsigned alignment)
{
    if (PB_UNLIKELY(!heap->plain || pb_irql > heap->level))
        return allocate_by_rules(heap, thread, bytes, alignment);
    const struct pool_request request = {
        .bytes = bytes, .type = heap->type, .tag = thread->tag, .alignment = alignment};
    return pb_pool_allocate(heap->pool, &request);
}

static PB_NOINLINE void *allocate_uncommon(struct pool_heap *heap, struct pb_thread *thread,
                                           size_t bytes)
{
    void *block = allocate(heap, thread_of(thread), bytes, 0);
    if (PB_LIKELY(block != NULL))
        count_alloc(thread, bytes);
    return block;
}

/* The free lists have nothing at once. */
static PB_NOINLINE void *allocate_searched(struct pool_heap *heap, struct pb_thread *thread,
                                           size_t bytes)
{
    const struct pool_want want = {pool_granules(heap->common, bytes, true), 1,
                                   thread_of(thread)->mark};
    struct pool_header *header = pb_pool_carve(heap->common, want);
    if (header == NULL)
        return NULL;
    count_alloc(thread, bytes);
    return pool_quick_finish(header);
}

/* Past the lists, or for what they do not have. */
static PB_NOINLINE void *allocate_cut(struct pool_heap *heap, struct pb_thread *thread,
                                      size_t bytes)
{
    struct pool_space *space = heap->common;
    struct pool_descriptor *descriptor = space->quick;
    struct pool_hold hold;
    if (PB_UNLIKELY(bytes > POOL_LARGEST_WIDE))
        return allocate_uncommon(heap, thread, bytes);
    if (PB_UNLIKELY(descriptor == NULL))
        return allocate_searched(heap, thread, bytes);
    const struct pool_want want = {pool_granules(space, bytes, true), 1, thread_of(thread)->mark};
    size_t size = pool_quick_find(space, descriptor, want.granules, &hold);
    if (PB_UNLIKELY(size >= POOL_PAGE_WIDE))
        return allocate_searched(heap, thread, bytes);
    count_alloc(thread, bytes); /* first: it is certain, and what follows needs the registers */
    return pool_quick_carve(space, descriptor, size, &want, &hold);
}

/* The processor's list is empty, or processors have none. */
static PB_NOINLINE void *allocate_missed(struct pool_heap *heap, struct pb_thread *thread,
                                         size_t bytes)
{
    struct pool_space *space = heap->common;
    unsigned granules = pool_granules(space, bytes, true);
    void *user = pool_lists_take_shared(&space->lists, granules, true);
    if (user == NULL)
        return allocate_cut(heap, thread, bytes);
    count_alloc(thread, bytes);
    return pool_quick_renew(user, granules, heap->used, thread_of(thread)->tag);
}

/* By the processor's list. */
static PB_NOINLINE void *allocate_listed(struct pool_heap *pool, struct pb_thread *thread,
                                         size_t bytes)
{
    struct pool_space *space = pool->common;
    unsigned granules = pool_granules(space, bytes, true);
    union pool_list *list = pool_list_known(&space->lists, granules);
    if (PB_UNLIKELY(list == NULL))
        return space->lists.processors == NULL ? allocate_missed(pool, thread, bytes)
                                               : allocate_uncommon(pool, thread, bytes);
    void *user = pool_list_try_take(&space->lists, list, true);
    if (PB_UNLIKELY(user == NULL))
        return allocate_missed(pool, thread, bytes);
    count_alloc(thread, bytes);
    return pool_quick_renew(user, granules, pool->used, thread_of(thread)->tag);
}

PB_NOINLINE void *pb_pool_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    struct pool_heap *pool = heap_of(heap);
    if (PB_UNLIKELY(pb_irql >= pool->below))
        return allocate_uncommon(pool, thread, bytes);
    if (bytes >= pool->common->lists.beyond)
        return allocate_cut(pool, thread, bytes);
    return allocate_listed(pool, thread, bytes);
}

static PB_NOINLINE void free_uncommon(struct pool_heap *pool, struct pb_thread *thread, void *block,
                                      size_t bytes)
{
    bool ruled = !pool->plain || pb_irql > pool->level;
    if (ruled ? pb_front_free(pool->front, block, 0) : pb_pool_free_block(pool->pool, block))
        count_free(thread, bytes);
}

/* By a pool that checks or delays: a block that is corrupt stays, and is not counted. */
static PB_NOINLINE void free_checked(struct pool_heap *pool, struct pb_thread *thread, void *block,
                                     size_t bytes)
{
    if (pb_pool_give_back(pool->common, pool_header_before(block, true)))
        count_free(thread, bytes);
}

static PB_NOINLINE void free_joined(struct pool_descriptor *descriptor, void *block,
                                    size_t granules)
{
    pool_quick_join(descriptor, pool_header_before(block, true), granules);
}

PB_INLINE void free_past_lists(struct pool_heap *pool, struct pb_thread *thread, void *block,
                               size_t bytes, unsigned granules)
{
    struct pool_descriptor *descriptor = pool->common->quick;
    if (PB_UNLIKELY(descriptor == NULL)) {
        free_checked(pool, thread, block, bytes);
        return;
    }
    count_free(thread, bytes); /* first: what follows is a jump */
    free_joined(descriptor, block, granules);
}

/* The processor's list is full, or processors have none. */
static PB_NOINLINE void free_overflowing(struct pool_heap *heap, struct pb_thread *thread,
                                         void *block, size_t bytes)
{
    struct pool_space *space = heap->common;
    unsigned granules = pool_size(pool_header_before(block, true), true);
    if (pool_lists_give_shared(&space->lists, block, granules, true))
        count_free(thread, bytes);
    else
        free_past_lists(heap, thread, block, bytes, granules);
}

/* By the processor's list. */
static PB_NOINLINE void free_listed(struct pool_heap *pool, struct pb_thread *thread, void *block,
                                    size_t bytes, unsigned granules)
{
    struct pool_space *space = pool->common;
    union pool_list *list = pool_list_known(&space->lists, granules);
    if (PB_UNLIKELY(list == NULL) && space->lists.processors != NULL)
        free_uncommon(pool, thread, block, bytes);
    else if (PB_UNLIKELY(list == NULL) ||
             PB_UNLIKELY(!pool_list_try_give(&space->lists, list, block, true)))
        free_overflowing(pool, thread, block, bytes);
    else
        count_free(thread, bytes);
}

PB_NOINLINE void pb_pool_free(struct pb_heap *heap, struct pb_thread *thread, void *block,
                              size_t bytes)
{
    struct pool_heap *pool = heap_of(heap);
    struct pool_space *space = pool->common;
    unsigned granules = 0;
    if (PB_LIKELY(pb_irql < pool->below))
        granules = pool_quick_granules(space, block);
    if (PB_UNLIKELY(granules == 0))
        free_uncommon(pool, thread, block, bytes);
    else if (granules > space->lists.sizes)
        free_past_lists(pool, thread, block, bytes, granules);
    else
        free_listed(pool, thread, block, bytes, granules);
}

void *pb_pool_aligned(struct pb_heap *heap, struct pb_thread *thread, size_t alignment,
                      size_t bytes)
{
    struct pool_heap *pool = heap_of(heap);
    unsigned least = pool->front->shape.alignment;
    if (alignment > (size_t)1 << 30)
        return NULL;
    void *block =
        allocate(pool, thread_of(thread), bytes, alignment <= least ? 0 : (unsigned)alignment);
    if (block != NULL)
        count_alloc(thread, bytes);
    return block;
}
