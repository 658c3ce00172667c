/* SPDX-License-Identifier: MIT */
/* The physical floors: what a pair of calls costs if it does nothing, or nothing but a bare lock
 * pair, or one bare 16-byte exchange, each way; and a cost that is known beforehand, a chain of
 * multiplications. A thread is given its one block again and again.
 * Threads: each passes its own state; lock and word are shared.
 * May touch: Concurrency Kit, nt/cas16.h. */
#ifndef PB_FLOOR_HOT_H
#define PB_FLOOR_HOT_H

#include "nt/cas16.h"

#include <ck_spinlock.h>
#include <hot.h> /* the contract's: in quotes it would be this file */

/* Only one of `lock` and `word` is used by a heap; each has a line of its own. */
struct pb_floor {
    struct pb_heap base;
    uint64_t links;   /* kind=chain: multiplications an allocation */
    uint64_t nothing; /* 0, which the compiler does not know */
    ck_spinlock_fas_t lock PB_CACHE_ALIGNED;
    struct pb_word16 word PB_CACHE_ALIGNED;
} PB_CACHE_ALIGNED;

/* Odd, so that no chain ends in 0; Knuth's, of the LCG in MMIX. */
#define PB_FLOOR_FACTOR 0x5851f42d4c957f2du

struct pb_floor_thread {
    void *block;
    uint64_t product; /* kind=chain: where its links so far have come to; 1 at first */
};

PB_INLINE void *pb_floor_block(struct pb_thread *thread)
{
    return ((struct pb_floor_thread *)(void *)thread)->block;
}

PB_INLINE void *floor_empty_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    (void)heap, (void)bytes;
    return pb_floor_block(thread);
}

PB_INLINE void floor_empty_free(struct pb_heap *heap, struct pb_thread *thread, void *block,
                                size_t bytes)
{
    (void)heap, (void)thread, (void)block, (void)bytes;
}

PB_INLINE void pb_floor_lock_pair(struct pb_heap *heap)
{
    struct pb_floor *floor = (struct pb_floor *)(void *)heap;
    ck_spinlock_fas_lock(&floor->lock);
    ck_spinlock_fas_unlock(&floor->lock);
}

PB_INLINE void *floor_lock_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    (void)bytes;
    pb_floor_lock_pair(heap);
    return pb_floor_block(thread);
}

PB_INLINE void floor_lock_free(struct pb_heap *heap, struct pb_thread *thread, void *block,
                               size_t bytes)
{
    (void)thread, (void)block, (void)bytes;
    pb_floor_lock_pair(heap);
}

/* One exchange, as a list head's: a count in one half, an address in the other. It is not tried
 * again if another thread came first: the price of one is what is asked. */
PB_INLINE void pb_floor_exchange(struct pb_heap *heap, struct pb_thread *thread)
{
    struct pb_floor *floor = (struct pb_floor *)(void *)heap;
    struct pb_value16 seen, next;
    /* relaxed: the halves guard nothing */
    seen.low = atomic_load_explicit(&floor->word.low, memory_order_relaxed);
    seen.high = atomic_load_explicit(&floor->word.high, memory_order_relaxed);
    next.low = seen.low + 1;
    next.high = (uintptr_t)thread;
    (void)pb_cas16(&floor->word, seen, next);
}

PB_INLINE void *floor_cas_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    (void)bytes;
    pb_floor_exchange(heap, thread);
    return pb_floor_block(thread);
}

PB_INLINE void floor_cas_free(struct pb_heap *heap, struct pb_thread *thread, void *block,
                              size_t bytes)
{
    (void)block, (void)bytes;
    pb_floor_exchange(heap, thread);
}

/* Each link waits for the one before it, also across calls, and the pointer waits for the last: the
 * call costs its links, whatever surrounds it. */
PB_INLINE void *floor_chain_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    const struct pb_floor *floor = (const struct pb_floor *)(void *)heap;
    struct pb_floor_thread *t = (struct pb_floor_thread *)(void *)thread;
    uint64_t product = t->product;
    (void)bytes;
    for (uint64_t left = floor->links; left > 0; left--) {
        product *= PB_FLOOR_FACTOR;
        __asm__ volatile("" : "+r"(product)); /* one at a time: not folded into a power */
    }
    t->product = product;
    return (unsigned char *)t->block + (product & floor->nothing);
}

PB_INLINE void floor_chain_free(struct pb_heap *heap, struct pb_thread *thread, void *block,
                                size_t bytes)
{
    (void)heap, (void)thread, (void)block, (void)bytes;
}

PB_HOT_DECLARE(floor_empty)
PB_HOT_DECLARE(floor_lock)
PB_HOT_DECLARE(floor_cas)
PB_HOT_DECLARE(floor_chain)
#define PB_HOT_floor(FIXED, ANY, NATIVE)                                                           \
    FIXED(floor_empty) FIXED(floor_lock) FIXED(floor_cas) FIXED(floor_chain)

#endif
