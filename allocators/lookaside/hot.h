/* SPDX-License-Identifier: MIT */
/* The lookaside's fast paths. scope=list is NT's general list: one SLIST that all threads share,
 * bounded by Depth. scope=percpu is the pair that NT's pool has in front of it: a list P for each
 * processor, and behind these one list L that all share. scope=thread is a stack of addresses of
 * the thread's own: no atomic exchange, nothing written into a free block. What P misses or
 * refuses, and what goes to the backing, is out of line. NT counts into the list itself, plainly,
 * and loses counts where processors collide; here a thread counts into lines of its own, exactly.
 * The counters are atomics that only the owner writes, and relaxed: a reader wants no more than a
 * recent value. P and L are counted NT's way as well, as each is tuned by its own counts, and P's
 * line is at hand. Threads: each passes its own state. May touch: nt/slist.h, nt/processor.h. */
#ifndef PB_LOOKASIDE_HOT_H
#define PB_LOOKASIDE_HOT_H

#include "lookaside/list.h"
#include "nt/processor.h"

#include <hot.h> /* the contract's: in quotes it would be this file */

/* The heap. What is written at every operation of scope=list lies on the first line of `list`, and
 * so it is with each P. */
struct pb_lookaside {
    struct pb_heap base;
    struct pb_heap *backing;
    struct pb_thread *const *backing_threads;
    struct pb_lookaside_books *books; /* cold: see books.h */
    GENERAL_LOOKASIDE *processors;    /* scope=percpu: P, by processor number and mask */
    unsigned processors_mask;
    unsigned processors_n; /* mask + 1, or 0 */
    unsigned threads_n;
    unsigned scope;         /* enum lookaside_scope */
    bool shared;            /* scope=percpu: there is L */
    GENERAL_LOOKASIDE list; /* scope=list: the list; scope=percpu: L; else only Depth and Size */
} PB_CACHE_ALIGNED;

struct pb_lookaside_thread {
    _Atomic uint64_t cached; /* scope=thread: entries in the stack below */
    _Atomic uint64_t depth;  /* scope=thread: how many it takes now; written by the tuner */
    _Atomic uint64_t TotalAllocates, TotalFrees;
    _Atomic uint64_t AllocateMisses, FreeMisses; /* these and `failures` out of line only */
    struct pb_heap *backing;
    struct pb_thread *backing_thread;
    _Atomic uint64_t failures; /* allocations that the backing refused */
    size_t entry_bytes;
    uint64_t last_allocates, last_misses; /* scope=thread: at the last adjustment; the tuner's */
    unsigned index;
    unsigned capacity; /* of the stack: the most that depth can be */
    bool realigns; /* the backing aligns to less than an entry has to be: it is asked for more */
    void *stack[];
};

/* Out of line: allocate from the backing, free to it. */
void *pb_lookaside_miss(struct pb_lookaside_thread *thread);
void pb_lookaside_overflow(struct pb_lookaside_thread *thread, void *block);

/* Out of line: `here`, a P, had none or takes none. L is asked, then the backing. */
void *pb_lookaside_percpu_miss(struct pb_lookaside *lookaside, struct pb_lookaside_thread *thread,
                               GENERAL_LOOKASIDE *here);
void pb_lookaside_percpu_overflow(struct pb_lookaside *lookaside,
                                  struct pb_lookaside_thread *thread, GENERAL_LOOKASIDE *here,
                                  void *block);

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
    void *block = pb_slist_pop(&lookaside->list.ListHead);
    if (PB_UNLIKELY(block == NULL))
        return pb_lookaside_miss(t);
    return block;
}

PB_INLINE void lookaside_list_free(struct pb_heap *heap, struct pb_thread *thread, void *block,
                                   size_t bytes)
{
    struct pb_lookaside *lookaside = (struct pb_lookaside *)(void *)heap;
    struct pb_lookaside_thread *t = (struct pb_lookaside_thread *)(void *)thread;
    (void)bytes;
    pb_lookaside_count(&t->TotalFrees);
    if (PB_UNLIKELY(pb_general_full(&lookaside->list.ListHead, &lookaside->list.Depth)))
        pb_lookaside_overflow(t, block);
    else
        (void)pb_slist_push(&lookaside->list.ListHead, block);
}

/* The P of the processor that the thread is on, as far as that can be known: a thread that is moved
 * meanwhile uses another's, which is as good, only slower. */
PB_INLINE GENERAL_LOOKASIDE *pb_lookaside_here(const struct pb_lookaside *lookaside)
{
    return &lookaside->processors[pb_processor() & lookaside->processors_mask];
}

PB_INLINE void *lookaside_percpu_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    struct pb_lookaside *lookaside = (struct pb_lookaside *)(void *)heap;
    struct pb_lookaside_thread *t = (struct pb_lookaside_thread *)(void *)thread;
    GENERAL_LOOKASIDE *here = pb_lookaside_here(lookaside);
    assert(bytes <= heap->block_bytes);
    (void)bytes;
    pb_lookaside_count(&t->TotalAllocates);
    pb_general_count(&here->TotalAllocates);
    void *block = pb_slist_pop(&here->ListHead);
    if (PB_UNLIKELY(block == NULL))
        return pb_lookaside_percpu_miss(lookaside, t, here);
    return block;
}

PB_INLINE void lookaside_percpu_free(struct pb_heap *heap, struct pb_thread *thread, void *block,
                                     size_t bytes)
{
    struct pb_lookaside *lookaside = (struct pb_lookaside *)(void *)heap;
    struct pb_lookaside_thread *t = (struct pb_lookaside_thread *)(void *)thread;
    GENERAL_LOOKASIDE *here = pb_lookaside_here(lookaside);
    (void)bytes;
    pb_lookaside_count(&t->TotalFrees);
    pb_general_count(&here->TotalFrees);
    if (PB_UNLIKELY(pb_general_full(&here->ListHead, &here->Depth)))
        pb_lookaside_percpu_overflow(lookaside, t, here, block);
    else
        (void)pb_slist_push(&here->ListHead, block);
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
    if (PB_UNLIKELY(cached >= atomic_load_explicit(&t->depth, memory_order_relaxed))) {
        pb_lookaside_overflow(t, block); /* relaxed: any depth that the tuner set fits the stack */
        return;
    }
    t->stack[cached] = block;
    atomic_store_explicit(&t->cached, cached + 1, memory_order_relaxed);
}

PB_HOT_DECLARE(lookaside_list)
PB_HOT_DECLARE(lookaside_thread)
PB_HOT_DECLARE(lookaside_percpu)
#define PB_HOT_lookaside(FIXED, ANY, NATIVE)                                                       \
    FIXED(lookaside_list)                                                                          \
    FIXED(lookaside_thread) FIXED(lookaside_percpu)

#endif
