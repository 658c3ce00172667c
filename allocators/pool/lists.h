/* SPDX-License-Identifier: MIT */
/* The pool's own lookaside lists: a list for each block size up to 32 (8) granules, in a set for
 * each processor (P) and a set for all (L). A request is served by P, then L, then the pool; a
 * freed block goes to P if that is not full, then L, then the pool.
 * Source:  G. Chappell, "PP_LOOKASIDE_LIST"; ReactOS, expool (what is counted where). Differs: a
 *          counter's carry out of 32 bits is kept, beside the structure; NT 4's lists are guarded
 *          by a lock of this folder's making.
 * Layout:  GENERAL_LOOKASIDE | carries | lock |, 128 bytes a list, 32 lists a set
 *          wide: ListHead is an SLIST_HEADER; narrow: its first 8 bytes are a head of slist8.h
 * I1       a block on a list is in use as the pool sees it: PoolType is not 0, nobody joins it, and
 *          its BlockSize is the list's
 * Cost     a hit is one compare-exchange
 * Threads: any. A thread may be moved to another processor between asking which it is on and using
 *          that processor's list: it then uses a list that others use too, which lists are made
 *          for. Counters are not interlocked: two threads in one list can lose a count, never a
 *          block. May include: nt/, pool/. */
#ifndef PB_POOL_LISTS_H
#define PB_POOL_LISTS_H

#include "nt/lock.h"
#include "nt/processor.h"
#include "nt/slist.h"
#include "path.h"
#include "pool/header.h"
#include "pool/slist8.h"

#include <poolbench/nt/lookaside.h>

struct pool_space;

enum { POOL_LIST_SET_SHIFT = 5, POOL_LIST_SET = 1 << POOL_LIST_SET_SHIFT };

/* Counters of a list; an index into `carry`. */
enum { LIST_ALLOCATES, LIST_ALLOCATE_HITS, LIST_FREES, LIST_FREE_HITS, LIST_COUNTERS };

/* What lies in the 32 bytes that GENERAL_LOOKASIDE's alignment leaves. */
struct pool_list_more {
    unsigned char general[sizeof(GENERAL_LOOKASIDE_POOL)];
    uint32_t carry[LIST_COUNTERS];
    ck_spinlock_fas_t lock;
};

union pool_list {
    GENERAL_LOOKASIDE general;
    struct pool_list_more more;
};
_Static_assert(sizeof(union pool_list) == sizeof(GENERAL_LOOKASIDE), "it fits beside");

struct pool_lists {
    union pool_list *processors; /* `sets` of them; NULL: none */
    union pool_list *shared;     /* one set; NULL: none */
    unsigned char *base;         /* of the arena */
    unsigned sets;
    unsigned sizes; /* 0: no lists at all */
    size_t beyond;  /* bytes of the smallest request that is too large for them; 0: all are */
    bool locked;
    /* NT 4's way, for the profile that asks for it; chosen at open */
    void *(*pop_locked)(union pool_list *list, unsigned char *base);
    void (*push_locked)(union pool_list *list, unsigned char *base, void *entry);
};

/* Adds 1. One instruction where there is one, so that threads which share a processor lose nothing.
 */
PB_INLINE void pool_list_count(union pool_list *list, ULONG *counter, unsigned which)
{
    bool carried;
#if defined(__x86_64__)
    __asm__ volatile("incl %0" : "+m"(*counter), "=@ccz"(carried));
#else
    ULONG next = __atomic_load_n(counter, __ATOMIC_RELAXED) + 1; /* a statistic: orders nothing */
    __atomic_store_n(counter, next, __ATOMIC_RELAXED);
    carried = next == 0;
#endif
    if (PB_UNLIKELY(carried))
        __atomic_fetch_add(&list->more.carry[which], 1, __ATOMIC_RELAXED);
}

PB_INLINE USHORT pool_list_depth(const union pool_list *list, bool wide)
{
    return wide ? pb_slist_depth(&list->general.ListHead)
                : pool_slist8_depth(&list->general.ListHead.Alignment);
}

PB_INLINE void *pool_list_pop(const struct pool_lists *lists, union pool_list *list, bool wide)
{
    if (wide)
        return pb_slist_pop(&list->general.ListHead);
    if (PB_UNLIKELY(lists->locked))
        return lists->pop_locked(list, lists->base);
    return pool_slist8_pop(&list->general.ListHead.Alignment, lists->base);
}

PB_INLINE void pool_list_push(const struct pool_lists *lists, union pool_list *list, void *entry,
                              bool wide)
{
    if (wide)
        (void)pb_slist_push(&list->general.ListHead, (PSLIST_ENTRY)entry);
    else if (PB_UNLIKELY(lists->locked))
        lists->push_locked(list, lists->base, entry);
    else
        pool_slist8_push(&list->general.ListHead.Alignment, lists->base, entry);
}

/* The present processor's list of blocks of 1..sizes granules; NULL where there is none, or only
 * the system would tell which it is. */
PB_INLINE union pool_list *pool_list_known(const struct pool_lists *lists, unsigned granules)
{
    unsigned set = pb_processor_known();
    if (PB_UNLIKELY(lists->processors == NULL || set >= lists->sets))
        return NULL;
    return &lists->processors[(size_t)set << POOL_LIST_SET_SHIFT | (granules - 1)];
}

/* The present processor's list of blocks of so many granules. */
PB_INLINE union pool_list *pool_list_here(const struct pool_lists *lists, unsigned granules)
{
    unsigned set = pb_processor();
    if (PB_UNLIKELY(set >= lists->sets))
        set %= lists->sets;
    return &lists->processors[(size_t)set << POOL_LIST_SET_SHIFT | (granules - 1)];
}

PB_INLINE void *pool_list_try_take(const struct pool_lists *lists, union pool_list *list, bool wide)
{
    pool_list_count(list, &list->general.TotalAllocates, LIST_ALLOCATES);
    void *block = pool_list_pop(lists, list, wide);
    if (PB_LIKELY(block != NULL))
        pool_list_count(list, &list->general.AllocateHits, LIST_ALLOCATE_HITS);
    return block;
}

PB_INLINE bool pool_list_try_give(const struct pool_lists *lists, union pool_list *list,
                                  void *block, bool wide)
{
    pool_list_count(list, &list->general.TotalFrees, LIST_FREES);
    /* relaxed: a tuner may change it; the test is not one step with the push, and need not be */
    if (pool_list_depth(list, wide) >= __atomic_load_n(&list->general.Depth, __ATOMIC_RELAXED))
        return false;
    pool_list_count(list, &list->general.FreeHits, LIST_FREE_HITS);
    pool_list_push(lists, list, block, wide);
    return true;
}

/* The same of the lists that all processors share; behind these there is none, so what they cannot
 * do is a miss, or an overflow, of the call. */
PB_INLINE void *pool_lists_take_shared(const struct pool_lists *lists, unsigned granules, bool wide)
{
    void *block = NULL;
    if (lists->shared != NULL)
        block = pool_list_try_take(lists, &lists->shared[granules - 1], wide);
    if (block == NULL)
        pb_path_slow(PB_PATH_MISS);
    return block;
}

PB_INLINE bool pool_lists_give_shared(const struct pool_lists *lists, void *block,
                                      unsigned granules, bool wide)
{
    if (lists->shared != NULL &&
        pool_list_try_give(lists, &lists->shared[granules - 1], block, wide))
        return true;
    pb_path_slow(PB_PATH_OVERFLOW);
    return false;
}

/* A block of 1..sizes granules that somebody freed, its user area; NULL if there is none. */
PB_INLINE void *pool_lists_take(const struct pool_lists *lists, unsigned granules, bool wide)
{
    void *block = NULL;
    if (PB_LIKELY(lists->processors != NULL))
        block = pool_list_try_take(lists, pool_list_here(lists, granules), wide);
    return PB_LIKELY(block != NULL) ? block : pool_lists_take_shared(lists, granules, wide);
}

/* Whether a list took the block. */
PB_INLINE bool pool_lists_give(const struct pool_lists *lists, void *block, unsigned granules,
                               bool wide)
{
    if (PB_LIKELY(lists->processors != NULL) &&
        PB_LIKELY(pool_list_try_give(lists, pool_list_here(lists, granules), block, wide)))
        return true;
    return pool_lists_give_shared(lists, block, granules, wide);
}

/* Makes the lists of a space whose shape and base are set, with the given depth. `sets` of P lists.
 * Returns 0 or -ENOMEM. */
int pb_pool_lists_open(struct pool_space *space, unsigned sets, unsigned depth);
void pb_pool_lists_close(struct pool_space *space);

/* Every list, one after the other: P's sets, then L. NULL behind the last. */
union pool_list *pb_pool_lists_at(const struct pool_lists *lists, size_t n);

/* Gives every block that lies in a list to `give`. */
void pb_pool_lists_flush(struct pool_space *space,
                         void (*give)(struct pool_space *space, struct pool_header *header));

/* One period's adjustment of every list. */
struct pb_tuning;
void pb_pool_lists_tune(struct pool_space *space, const struct pb_tuning *tuning);

/* Adds the lists' counters, and the bytes of the blocks that lie in them. */
struct pool_counts;
void pb_pool_lists_counts(const struct pool_space *space, struct pool_counts *counts);

/* I1 for every list. Returns 0, or -EINVAL and one line. No other thread may be in the pool. */
int pb_pool_lists_check(struct pool_space *space, char *message, size_t message_size);

#endif
