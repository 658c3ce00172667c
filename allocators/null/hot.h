/* SPDX-License-Identifier: MIT */
/* The null strategy's fast path: a ring of free blocks for each thread. Only the owner moves `head`
 * and `tail`; they are atomics because stats reads them from elsewhere, and relaxed, which on every
 * processor we know is a plain load or store, because a reader wants no more than a recent value.
 * Threads: each passes its own state. May touch: nothing else. */
#ifndef PB_NULL_HOT_H
#define PB_NULL_HOT_H

#include <assert.h>
#include <hot.h> /* the contract's: in quotes it would be this file */
#include <stdatomic.h>

/* Counts run on for ever; a slot is found by the count modulo the capacity, a power of two. The
 * ring is empty where head == tail, full where tail - head == capacity. Allocations are what head
 * advanced, frees what tail advanced, less what the exchange with the reserve moved: nothing else
 * is counted. */
struct pb_null_thread {
    _Atomic uint64_t head; /* blocks taken from the ring, ever */
    _Atomic uint64_t tail; /* blocks put into it, ever */
    uint64_t capacity, mask;
    _Atomic uint64_t exchanged_out; /* of head: blocks that went to the reserve */
    _Atomic uint64_t exchanged_in;  /* of tail: blocks that came from the reserve */
    unsigned index;
    void *slots[];
};

/* The ring is empty, or full: trade half a ring with the reserve. Out of line. */
void *pb_null_refill(struct pb_heap *heap, struct pb_null_thread *thread);
void pb_null_spill(struct pb_heap *heap, struct pb_null_thread *thread, void *block);

PB_INLINE void *null_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    struct pb_null_thread *t = (struct pb_null_thread *)(void *)thread;
    uint64_t head = atomic_load_explicit(&t->head, memory_order_relaxed);
    assert(bytes <= heap->block_bytes);
    (void)bytes;
    if (PB_UNLIKELY(head == atomic_load_explicit(&t->tail, memory_order_relaxed)))
        return pb_null_refill(heap, t);
    atomic_store_explicit(&t->head, head + 1, memory_order_relaxed);
    return t->slots[head & t->mask];
}

PB_INLINE void null_free(struct pb_heap *heap, struct pb_thread *thread, void *block, size_t bytes)
{
    struct pb_null_thread *t = (struct pb_null_thread *)(void *)thread;
    uint64_t tail = atomic_load_explicit(&t->tail, memory_order_relaxed);
    (void)bytes;
    if (PB_UNLIKELY(tail - atomic_load_explicit(&t->head, memory_order_relaxed) == t->capacity)) {
        pb_null_spill(heap, t, block);
        return;
    }
    t->slots[tail & t->mask] = block;
    atomic_store_explicit(&t->tail, tail + 1, memory_order_relaxed);
}

PB_HOT_DECLARE(null)
#define PB_HOT_null(FIXED, ANY, NATIVE) FIXED(null)

#endif
