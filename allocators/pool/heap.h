/* SPDX-License-Identifier: MIT */
/* A heap of the strategy `pool`: what strategy.c, which opens it, and calls.c, which is called in
 * windows, share. Threads: as in strategy.c. */
#ifndef PB_POOL_HEAP_H
#define PB_POOL_HEAP_H

#include "nt/tuner.h"
#include "pool/front.h"
#include "pool/space.h"

/* Written by one thread, read by stats: relaxed, a reader wants no more than a recent value. */
struct pool_thread {
    _Atomic uint64_t allocs, frees;
    _Atomic uint64_t requested; /* bytes, less those freed: modulo 2^64 */
    _Atomic uint64_t reallocs;
    uint64_t mark; /* of its blocks (header.h); const */
    uint32_t tag;  /* likewise */
} PB_CACHE_ALIGNED;

struct pool_heap {
    struct pb_heap head;
    struct pool *pool;
    struct pool_space *common; /* NULL: its requests are not the common case (quick.h) */
    KIRQL below;               /* `common` serves calls at a level below this; 0 if it is NULL */
    struct pool_front *front;
    unsigned type;         /* POOL_TYPE bits of every request */
    enum pool_class class; /* what serves them: a profile without NX has no such class */
    unsigned used;         /* PoolType of its blocks */
    KIRQL level;           /* the highest that a call may come at */
    bool plain;
    bool tuned;
    PEPROCESS owner; /* whom quota is charged to, or NULL */
    struct pb_tuner_job job;
    unsigned threads_n;
    struct pool_thread threads[] PB_CACHE_ALIGNED;
};

PB_INLINE struct pool_heap *heap_of(struct pb_heap *heap)
{
    return (struct pool_heap *)(void *)heap;
}

PB_INLINE struct pool_thread *thread_of(struct pb_thread *thread)
{
    return (struct pool_thread *)(void *)thread;
}

/* In one instruction where there is one: compilers make three of an atomic load and store. */
PB_INLINE void count(_Atomic uint64_t *counter, uint64_t by)
{
#if defined(__x86_64__)
    __asm__ volatile("addq %1, %0" : "+m"(*(uint64_t *)counter) : "er"(by));
#else
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
                          memory_order_relaxed);
#endif
}

PB_INLINE void count_alloc(struct pb_thread *thread, size_t bytes)
{
    count(&thread_of(thread)->allocs, 1);
    count(&thread_of(thread)->requested, bytes);
}

PB_INLINE void count_free(struct pb_thread *thread, size_t bytes)
{
    count(&thread_of(thread)->frees, 1);
    count(&thread_of(thread)->requested, -(uint64_t)bytes);
}

/* The contract's slot. */
void *pb_pool_aligned(struct pb_heap *heap, struct pb_thread *thread, size_t alignment,
                      size_t bytes);

#endif
