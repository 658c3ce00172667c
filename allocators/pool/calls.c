/* SPDX-License-Identifier: MIT */
/* The strategy's calls. The shortest way is a lookaside list's hit; where that cannot be, each goes
 * on by a jump to a function that does the rest and counts for itself, so that the shortest way
 * saves no registers: blocks cut and joined, then whatever is not common (quick.h), then what the
 * caller's
 * rules decide (front.h). Threads: as in strategy.c. May touch: the pool, the thread's counters. */
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
    const struct pool_want want = {pool_granules(heap->common, bytes, true), 1, heap->used};
    struct pool_header *header = pb_pool_carve(heap->common, want);
    if (header == NULL)
        return NULL;
    count_alloc(thread, bytes);
    return pool_quick_finish(header, thread_of(thread)->tag);
}

static PB_NOINLINE void *allocate_cut(struct pool_heap *heap, struct pb_thread *thread,
                                      size_t bytes)
{
    struct pool_space *space = heap->common;
    void *block = NULL;
    if (PB_LIKELY(space->quick != NULL))
        block = pool_quick_carve(space, pool_granules(space, bytes, true), heap->used,
                                 thread_of(thread)->tag);
    if (PB_UNLIKELY(block == NULL))
        return allocate_searched(heap, thread, bytes);
    count_alloc(thread, bytes);
    return block;
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

PB_NOINLINE void *pb_pool_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    struct pool_heap *pool = heap_of(heap);
    struct pool_space *space = pool->common;
    if (PB_UNLIKELY(space == NULL || bytes > POOL_LARGEST_WIDE || pb_irql > pool->level))
        return allocate_uncommon(pool, thread, bytes);
    unsigned granules = pool_granules(space, bytes, true);
    if (granules > space->lists.sizes)
        return allocate_cut(pool, thread, bytes);
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

static PB_NOINLINE void free_joined(struct pool_heap *pool, void *block)
{
    pool_quick_join(pool->common, pool_header_before(block, true));
}

PB_INLINE void free_past_lists(struct pool_heap *pool, struct pb_thread *thread, void *block,
                               size_t bytes)
{
    if (PB_UNLIKELY(pool->common->quick == NULL)) {
        free_checked(pool, thread, block, bytes);
        return;
    }
    count_free(thread, bytes); /* first: what follows is a jump */
    free_joined(pool, block);
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
        free_past_lists(heap, thread, block, bytes);
}

PB_NOINLINE void pb_pool_free(struct pb_heap *heap, struct pb_thread *thread, void *block,
                              size_t bytes)
{
    struct pool_heap *pool = heap_of(heap);
    struct pool_space *space = pool->common;
    unsigned granules = 0;
    if (PB_LIKELY(space != NULL && pb_irql <= pool->level))
        granules = pool_quick_granules(space, block);
    if (PB_UNLIKELY(granules == 0)) {
        free_uncommon(pool, thread, block, bytes);
        return;
    }
    if (granules > space->lists.sizes) {
        free_past_lists(pool, thread, block, bytes);
        return;
    }
    union pool_list *list = pool_list_known(&space->lists, granules);
    if (PB_UNLIKELY(list == NULL) && space->lists.processors != NULL)
        free_uncommon(pool, thread, block, bytes);
    else if (PB_UNLIKELY(list == NULL) ||
             PB_UNLIKELY(!pool_list_try_give(&space->lists, list, block, true)))
        free_overflowing(pool, thread, block, bytes);
    else
        count_free(thread, bytes);
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
