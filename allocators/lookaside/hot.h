/* SPDX-License-Identifier: MIT */
/* The lookaside's fast paths. scope=list is NT's: one SLIST that all threads share, bounded by
 * Depth. scope=thread is a stack of addresses of the thread's own: no atomic exchange, nothing
 * written into a free block. A miss or an overflow goes out of line, to the backing.
 * NT counts into the list itself, plainly, and loses counts where processors collide; here a thread
 * counts into lines of its own. The counters are atomics that only the owner writes, and relaxed: a
 * reader wants no more than a recent value.
 * Threads: each passes its own state. May touch: nt/slist.h. */
#ifndef PB_LOOKASIDE_HOT_H
#define PB_LOOKASIDE_HOT_H

#include "nt/slist.h"

#include <hot.h> /* the contract's: in quotes it would be this file */

typedef struct GENERAL_LOOKASIDE {
    SLIST_HEADER ListHead;
    USHORT Depth;        /* entries that the list takes */
    USHORT MaximumDepth; /* the most that Depth may be set to */
    ULONG Size;          /* bytes of an entry */
} GENERAL_LOOKASIDE;

/* The heap. What is written at every operation of scope=list lies on the first line of `list`. */
struct pb_lookaside {
    struct pb_heap base;
    struct pb_heap *backing;
    struct pb_thread *const *backing_threads;
    unsigned threads_n;
    struct pb_lookaside_books *books; /* cold: see strategy.c */
    GENERAL_LOOKASIDE list PB_CACHE_ALIGNED;
} PB_CACHE_ALIGNED;

struct pb_lookaside_thread {
    _Atomic uint64_t cached; /* scope=thread: entries in the stack below */
    uint64_t depth;          /* scope=thread: its capacity */
    _Atomic uint64_t TotalAllocates, TotalFrees;
    _Atomic uint64_t AllocateMisses, FreeMisses; /* these and `failures` out of line only */
    struct pb_heap *backing;
    struct pb_thread *backing_thread;
    _Atomic uint64_t failures; /* allocations that the backing refused */
    size_t entry_bytes;
    unsigned index;
    void *stack[];
};

/* Out of line: allocate from the backing, free to it. */
void *pb_lookaside_miss(struct pb_lookaside_thread *thread);
void pb_lookaside_overflow(struct pb_lookaside_thread *thread, void *block);

PB_INLINE void pb_lookaside_count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

PB_INLINE void *lookaside_list_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    struct pb_lookaside *lookaside = (struct pb_lookaside *)(void *)heap;
    struct pb_lookaside_thread *t = (struct pb_lookaside_thread *)(void *)thread;
    assert(bytes <= heap->block_bytes);
    (void)bytes;
    pb_lookaside_count(&t->TotalAllocates);
    void *block = ExInterlockedPopEntrySList(&lookaside->list.ListHead, NULL);
    if (PB_UNLIKELY(block == NULL))
        return pb_lookaside_miss(t);
    return block;
}

/* The depth is tested before the push and apart from it, as NT does: threads that free at the same
 * moment may each find room, so the list can be deeper than Depth by as many as there are threads.
 */
PB_INLINE void lookaside_list_free(struct pb_heap *heap, struct pb_thread *thread, void *block,
                                   size_t bytes)
{
    struct pb_lookaside *lookaside = (struct pb_lookaside *)(void *)heap;
    struct pb_lookaside_thread *t = (struct pb_lookaside_thread *)(void *)thread;
    (void)bytes;
    pb_lookaside_count(&t->TotalFrees);
    if (PB_UNLIKELY(ExQueryDepthSList(&lookaside->list.ListHead) >= lookaside->list.Depth))
        pb_lookaside_overflow(t, block);
    else
        (void)ExInterlockedPushEntrySList(&lookaside->list.ListHead, block, NULL);
}

PB_INLINE void *lookaside_thread_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    struct pb_lookaside_thread *t = (struct pb_lookaside_thread *)(void *)thread;
    uint64_t cached = atomic_load_explicit(&t->cached, memory_order_relaxed);
    assert(bytes <= heap->block_bytes);
    (void)heap, (void)bytes;
    pb_lookaside_count(&t->TotalAllocates);
    if (PB_UNLIKELY(cached == 0))
        return pb_lookaside_miss(t);
    atomic_store_explicit(&t->cached, cached - 1, memory_order_relaxed);
    return t->stack[cached - 1];
}

PB_INLINE void lookaside_thread_free(struct pb_heap *heap, struct pb_thread *thread, void *block,
                                     size_t bytes)
{
    struct pb_lookaside_thread *t = (struct pb_lookaside_thread *)(void *)thread;
    uint64_t cached = atomic_load_explicit(&t->cached, memory_order_relaxed);
    (void)heap, (void)bytes;
    pb_lookaside_count(&t->TotalFrees);
    if (PB_UNLIKELY(cached == t->depth)) {
        pb_lookaside_overflow(t, block);
        return;
    }
    t->stack[cached] = block;
    atomic_store_explicit(&t->cached, cached + 1, memory_order_relaxed);
}

PB_HOT_DECLARE(lookaside_list)
PB_HOT_DECLARE(lookaside_thread)
#define PB_HOT_lookaside(FIXED, ANY, NATIVE) FIXED(lookaside_list) FIXED(lookaside_thread)

#endif
