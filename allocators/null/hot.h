/* SPDX-License-Identifier: MIT */
/* The null strategy's fast path: a stack of free blocks for each thread. Its depth is not kept: it
 * is what was put less what was taken, so that alloc and free each move one count of their own, of
 * which one is a counter that stats wants anyway. Only the owner moves them; they are atomics
 * because stats reads them from elsewhere. `put` is stored with release, so that who reads it first
 * (acquire) finds `taken` as far as it was by then, or further; everything else is relaxed. On
 * x86-64 all are plain loads and stores. Threads: each passes its own state. May touch: nothing
 * else. */
#ifndef PB_NULL_HOT_H
#define PB_NULL_HOT_H

#include <assert.h>
#include <hot.h> /* the contract's: in quotes it would be this file */
#include <stdatomic.h>

/* The stack is empty where put == taken, full where put - taken == capacity. Its owner is handed
 * the block it touched last, as by any good allocator: the floor is the cost of the call, not of a
 * cold block. */
struct pb_null_thread {
    _Atomic uint64_t taken; /* by alloc alone: the allocations made */
    _Atomic uint64_t put;   /* by free and by the reserve, less what the reserve took */
    uint64_t capacity;
    unsigned index;
    void *slots[]; /* the oldest first */
};

/* The stack is empty, or full: trade half a stack with the reserve. Out of line. */
void *pb_null_refill(struct pb_heap *heap, struct pb_null_thread *thread);
void pb_null_spill(struct pb_heap *heap, struct pb_null_thread *thread, void *block);

PB_INLINE void *null_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    struct pb_null_thread *t = (struct pb_null_thread *)(void *)thread;
    uint64_t taken = atomic_load_explicit(&t->taken, memory_order_relaxed);
    uint64_t depth = atomic_load_explicit(&t->put, memory_order_relaxed) - taken;
    assert(bytes <= heap->block_bytes);
    (void)bytes;
    if (PB_UNLIKELY(depth == 0))
        return pb_null_refill(heap, t);
    atomic_store_explicit(&t->taken, taken + 1, memory_order_relaxed);
    return t->slots[depth - 1];
}

PB_INLINE void null_free(struct pb_heap *heap, struct pb_thread *thread, void *block, size_t bytes)
{
    struct pb_null_thread *t = (struct pb_null_thread *)(void *)thread;
    uint64_t put = atomic_load_explicit(&t->put, memory_order_relaxed);
    uint64_t depth = put - atomic_load_explicit(&t->taken, memory_order_relaxed);
    (void)bytes;
    if (PB_UNLIKELY(depth == t->capacity)) {
        pb_null_spill(heap, t, block);
        return;
    }
    t->slots[depth] = block;
    atomic_store_explicit(&t->put, put + 1, memory_order_release);
}

PB_HOT_DECLARE(null)
#define PB_HOT_null(FIXED, ANY, NATIVE) FIXED(null)

#endif
