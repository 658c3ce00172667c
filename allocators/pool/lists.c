/* SPDX-License-Identifier: MIT */
/* The pool's lookaside lists, but for their inline paths: lists.h says what they are. */
#include "pool/lists.h"

#include "nt/tuning.h"
#include "pool/space.h"

#include <errno.h>
#include <stdio.h>

enum { LISTS_SET_BYTES = POOL_LIST_SET * sizeof(union pool_list) };

/* NT 4's way, for the profile that asks for it: a spin lock, and a stack under it. The head's form
 * is slist8.h's; depth is read without the lock, so it is stored atomically; relaxed, as it is a
 * hint. Which of the two kinds is called is chosen at open: the undelayed one asks nothing. */
static uint32_t *list_link(unsigned char *base, uint32_t offset)
{
    return (uint32_t *)(void *)(base + offset);
}

PB_INLINE void list_lock(union pool_list *list, bool delayed)
{
    PB_LOCK_BEFORE_LOCK(&list->more.lock);
    ck_spinlock_fas_lock(&list->more.lock);
    PB_LOCK_AFTER_LOCK(&list->more.lock);
    if (delayed)
        pb_path_locked();
}

PB_INLINE void list_unlock(union pool_list *list)
{
    PB_LOCK_BEFORE_UNLOCK(&list->more.lock);
    ck_spinlock_fas_unlock(&list->more.lock);
    PB_LOCK_AFTER_UNLOCK(&list->more.lock);
}

PB_INLINE void *list_pop(union pool_list *list, unsigned char *base, bool delayed)
{
    uint64_t *head = &list->general.ListHead.Alignment;
    void *entry = NULL;
    list_lock(list, delayed);
    uint64_t seen = *head;
    if ((uint32_t)seen != 0) {
        entry = base + (uint32_t)seen;
        __atomic_store_n(head, pool_slist8_popped(seen, *list_link(base, (uint32_t)seen)),
                         __ATOMIC_RELAXED);
    }
    list_unlock(list);
    return entry;
}

PB_INLINE void list_push(union pool_list *list, unsigned char *base, void *entry, bool delayed)
{
    uint64_t *head = &list->general.ListHead.Alignment;
    uint32_t offset = (uint32_t)((unsigned char *)entry - base);
    list_lock(list, delayed);
    uint64_t seen = *head;
    *list_link(base, offset) = (uint32_t)seen;
    __atomic_store_n(head, pool_slist8_pushed(seen, offset), __ATOMIC_RELAXED);
    list_unlock(list);
}

static void *list_pop_locked(union pool_list *list, unsigned char *base)
{
    return list_pop(list, base, false);
}

static void *list_pop_delayed(union pool_list *list, unsigned char *base)
{
    return list_pop(list, base, true);
}

static void list_push_locked(union pool_list *list, unsigned char *base, void *entry)
{
    list_push(list, base, entry, false);
}

static void list_push_delayed(union pool_list *list, unsigned char *base, void *entry)
{
    list_push(list, base, entry, true);
}

static void lists_init_set(const struct pool_space *space, union pool_list *set, unsigned depth)
{
    for (unsigned i = 0; i < space->shape.list_sizes; i++) {
        GENERAL_LOOKASIDE *list = &set[i].general;
        list->Depth = (USHORT)depth;
        list->MaximumDepth =
            (USHORT)(depth > PB_LOOKASIDE_MAXIMUM_DEPTH ? depth : PB_LOOKASIDE_MAXIMUM_DEPTH);
        list->Type = space->type;
        list->Size = (i + 1) << space->shape.shift;
        ck_spinlock_fas_init(&set[i].more.lock);
    }
}

int pb_pool_lists_open(struct pool_space *space, unsigned sets, unsigned depth)
{
    struct pool_lists *lists = &space->lists;
    *lists = (struct pool_lists){.base = space->base, .sets = sets};
    lists->sizes = space->shape.list_sizes;
    if (lists->sizes != 0)
        lists->beyond =
            ((size_t)lists->sizes << space->shape.shift) - space->shape.header_bytes + 1;
    lists->locked = space->shape.list_locks;
    const bool delayed = pb_path_asks_in_locks();
    lists->pop_locked = delayed ? list_pop_delayed : list_pop_locked;
    lists->push_locked = delayed ? list_push_delayed : list_push_locked;
    if (space->shape.processor_lists) {
        lists->processors = pb_pages_map((size_t)sets * LISTS_SET_BYTES);
        if (lists->processors == NULL)
            return -ENOMEM;
    }
    if (space->shape.shared_lists) {
        lists->shared = pb_pages_map(LISTS_SET_BYTES);
        if (lists->shared == NULL) {
            pb_pages_unmap(lists->processors, (size_t)sets * LISTS_SET_BYTES);
            return -ENOMEM;
        }
        lists_init_set(space, lists->shared, depth);
    }
    for (unsigned set = 0; lists->processors != NULL && set < sets; set++)
        lists_init_set(space, &lists->processors[(size_t)set << POOL_LIST_SET_SHIFT], depth);
    return 0;
}

void pb_pool_lists_close(struct pool_space *space)
{
    pb_pages_unmap(space->lists.processors, (size_t)space->lists.sets * LISTS_SET_BYTES);
    pb_pages_unmap(space->lists.shared, LISTS_SET_BYTES);
}

union pool_list *pb_pool_lists_at(const struct pool_lists *lists, size_t n)
{
    size_t set = lists->sizes != 0 ? n / lists->sizes : SIZE_MAX;
    size_t at = set * POOL_LIST_SET + n - set * lists->sizes;
    size_t sets = lists->processors != NULL ? lists->sets : 0;
    if (set < sets)
        return &lists->processors[at];
    return set == sets && lists->shared != NULL ? &lists->shared[at - sets * POOL_LIST_SET] : NULL;
}

void pb_pool_lists_flush(struct pool_space *space,
                         void (*give)(struct pool_space *space, struct pool_header *header))
{
    const bool wide = space->shape.wide;
    union pool_list *list;
    for (size_t n = 0; (list = pb_pool_lists_at(&space->lists, n)) != NULL; n++) {
        void *user;
        while ((user = pool_list_pop(&space->lists, list, wide)) != NULL)
            give(space, pool_header_before(user, wide));
    }
}

/* Relaxed, both: statistics, and a depth that the next free may see or not. */
void pb_pool_lists_tune(struct pool_space *space, const struct pb_tuning *tuning)
{
    union pool_list *list;
    for (size_t n = 0; (list = pb_pool_lists_at(&space->lists, n)) != NULL; n++) {
        GENERAL_LOOKASIDE *general = &list->general;
        ULONG hits = __atomic_load_n(&general->AllocateHits, __ATOMIC_RELAXED);
        ULONG allocates = __atomic_load_n(&general->TotalAllocates, __ATOMIC_RELAXED);
        ULONG asked = allocates - general->LastTotalAllocates;
        ULONG served = hits - general->LastAllocateHits;
        ULONG misses = served < asked ? asked - served : 0; /* a count can be lost */
        unsigned depth =
            pb_tuning_depth(tuning, general->Depth, general->MaximumDepth, asked, misses);
        __atomic_store_n(&general->Depth, (USHORT)depth, __ATOMIC_RELAXED);
        general->LastTotalAllocates = allocates;
        general->LastAllocateHits = hits;
    }
}

static uint64_t list_total(const union pool_list *list, const ULONG *counter, unsigned which)
{
    return (uint64_t)__atomic_load_n(&list->more.carry[which], __ATOMIC_RELAXED) << 32 |
           __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void pb_pool_lists_counts(const struct pool_space *space, struct pool_counts *counts)
{
    const union pool_list *list;
    for (size_t n = 0; (list = pb_pool_lists_at(&space->lists, n)) != NULL; n++) {
        const GENERAL_LOOKASIDE *general = &list->general;
        bool first =
            space->lists.processors == NULL || n < (size_t)space->lists.sets * space->lists.sizes;
        if (first) { /* what P passes on to L was counted there */
            counts->list_allocates += list_total(list, &general->TotalAllocates, LIST_ALLOCATES);
            counts->list_frees += list_total(list, &general->TotalFrees, LIST_FREES);
        }
        counts->list_hits += list_total(list, &general->AllocateHits, LIST_ALLOCATE_HITS);
        counts->list_free_hits += list_total(list, &general->FreeHits, LIST_FREE_HITS);
        unsigned depth = pool_list_depth(list, space->shape.wide);
        counts->cached_blocks += depth;
        counts->cached_bytes += (uint64_t)depth * general->Size;
    }
}
