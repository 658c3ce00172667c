/* SPDX-License-Identifier: MIT */
/* The null strategy's fast path: a ring of free blocks for each thread. Only the owner moves
 * `first` and `end`; they are atomics because stats reads them from elsewhere, and relaxed, which
 * on every processor we know is a plain load or store, because a reader wants no more than a recent
 * value. Threads: each passes its own state. May touch: nothing else. */
#ifndef PB_NULL_HOT_H
#define PB_NULL_HOT_H

#include <assert.h>
#include <hot.h> /* the contract's: in quotes it would be this file */
#include <stdatomic.h>

/* Counts run on for ever; a slot is found by the count modulo the capacity, a power of two. The
 * ring is empty where first == end, full where end - first == capacity. The owner takes and puts at
 * the end, so that it is handed the block it touched last, as any good allocator does: the floor is
 * the cost of the call, not of a cold block. The exchange with the reserve moves the oldest. */
struct pb_null_thread {
    _Atomic uint64_t first; /* moved out of line only */
    _Atomic uint64_t end;
    uint64_t capacity, mask;
    _Atomic uint64_t allocs; /* frees are these less what is live: nothing else is counted */
    unsigned index;
    void *slots[];
};

/* The ring is empty, or full: trade half a ring with the reserve. Out of line. */
void *pb_null_refill(struct pb_heap *heap, struct pb_null_thread *thread);
void pb_null_spill(struct pb_heap *heap, struct pb_null_thread *thread, void *block);

PB_INLINE void *null_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    struct pb_null_thread *t = (struct pb_null_thread *)(void *)thread;
    uint64_t end = atomic_load_explicit(&t->end, memory_order_relaxed);
    assert(bytes <= heap->block_bytes);
    (void)bytes;
    if (PB_UNLIKELY(end == atomic_load_explicit(&t->first, memory_order_relaxed)))
        return pb_null_refill(heap, t);
    atomic_store_explicit(&t->end, end - 1, memory_order_relaxed);
    atomic_store_explicit(&t->allocs, atomic_load_explicit(&t->allocs, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    return t->slots[(end - 1) & t->mask];
}

PB_INLINE void null_free(struct pb_heap *heap, struct pb_thread *thread, void *block, size_t bytes)
{
    struct pb_null_thread *t = (struct pb_null_thread *)(void *)thread;
    uint64_t end = atomic_load_explicit(&t->end, memory_order_relaxed);
    (void)bytes;
    if (PB_UNLIKELY(end - atomic_load_explicit(&t->first, memory_order_relaxed) == t->capacity)) {
        pb_null_spill(heap, t, block);
        return;
    }
    t->slots[end & t->mask] = block;
    atomic_store_explicit(&t->end, end + 1, memory_order_relaxed);
}

PB_HOT_DECLARE(null)
#define PB_HOT_null(FIXED, ANY, NATIVE) FIXED(null)

#endif
