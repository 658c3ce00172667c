/* SPDX-License-Identifier: MIT */
/* What a lookaside heap says of itself: its counters, whether its structures agree, and the
 * adjustment of its depths. Invariants: strategy.c.
 * Threads: as allocator.h says; an adjustment at any time. May touch: the heap, pages of its own.
 */
#include "lookaside/books.h"
#include "nt/pages.h"

#include <errno.h>
#include <stdio.h>

static struct pb_lookaside *lookaside_of(struct pb_heap *heap)
{
    return (struct pb_lookaside *)(void *)heap;
}

/* Counters over all threads there are and were. */
struct lookaside_sums {
    uint64_t allocates, frees, misses, overflows, failures, stacked;
};

/* Under the mutex. */
static struct lookaside_sums sum_locked(const struct pb_lookaside *lookaside)
{
    const struct pb_lookaside_books *books = lookaside->books;
    struct lookaside_sums sums = {books->gone_allocates, books->gone_frees,    books->gone_misses,
                                  books->gone_overflows, books->gone_failures, 0};
    for (unsigned i = 0; i < lookaside->threads_n; i++) {
        const struct pb_lookaside_thread *t = books->threads[i];
        if (t == NULL)
            continue;
        sums.allocates += pb_lookaside_counted(&t->TotalAllocates);
        sums.frees += pb_lookaside_counted(&t->TotalFrees);
        sums.misses += pb_lookaside_counted(&t->AllocateMisses);
        sums.overflows += pb_lookaside_counted(&t->FreeMisses);
        sums.failures += pb_lookaside_counted(&t->failures);
        sums.stacked += pb_lookaside_counted(&t->cached);
    }
    return sums;
}

static struct lookaside_sums sum_threads(struct pb_lookaside *lookaside)
{
    pthread_mutex_lock(&lookaside->books->mutex);
    struct lookaside_sums sums = sum_locked(lookaside);
    pthread_mutex_unlock(&lookaside->books->mutex);
    return sums;
}

static uint64_t listed(struct pb_lookaside *lookaside)
{
    const GENERAL_LOOKASIDE *list;
    uint64_t entries = 0;
    for (unsigned i = 0; (list = pb_lookaside_list_at(lookaside, i)) != NULL; i++)
        entries += pb_slist_depth(&list->ListHead);
    return entries;
}

/* What a live block takes in the backing, headers included: every block behind this list has one
 * size, so the mean is exact (but for what a backing pads to align). Unknown where the backing is,
 * or has other users (a bank forgets it).
 */
static uint64_t granted_of(const struct pb_heap_stats *behind, uint64_t live)
{
    if (behind->granted_bytes == PB_STAT_UNKNOWN || behind->allocs == PB_STAT_UNKNOWN ||
        behind->frees == PB_STAT_UNKNOWN)
        return PB_STAT_UNKNOWN;
    uint64_t blocks = behind->allocs - behind->frees;
    return blocks == 0 ? 0 : behind->granted_bytes / blocks * live;
}

/* Every request has the heap's size, so what was requested is known: live blocks times that. What
 * is held, and the locks and calls of the system for it, are the backing's. A hit is an allocation
 * that some list served, P and L alike. */
void pb_lookaside_stats(struct pb_heap *heap, struct pb_heap_stats *stats)
{
    struct pb_lookaside *lookaside = lookaside_of(heap);
    struct lookaside_sums sums = sum_threads(lookaside);
    struct pb_heap_stats behind;
    pb_stats_unknown(&behind);
    lookaside->backing->ops->stats(lookaside->backing, &behind);
    stats->allocs = sums.allocates - sums.failures;
    stats->frees = sums.frees;
    stats->hits = sums.allocates - sums.misses;
    stats->misses = sums.misses;
    stats->overflows = sums.overflows;
    stats->requested_bytes = (stats->allocs - stats->frees) * heap->block_bytes;
    stats->granted_bytes = granted_of(&behind, stats->allocs - stats->frees);
    stats->cached_bytes = (sums.stacked + listed(lookaside)) * lookaside->list.Size;
    stats->held_bytes = behind.held_bytes;
    stats->held_peak_bytes = behind.held_peak_bytes;
    stats->os_calls = behind.os_calls;
    stats->refills = behind.refills;
    stats->lock_acquisitions = behind.lock_acquisitions;
    stats->lock_contended = behind.lock_contended;
}

/* All threads count for the one list, each for itself; its own words are shown what they counted.
 */
static void adjust_list(struct pb_lookaside *lookaside, const struct pb_tuning *tuning)
{
    struct pb_lookaside_books *books = lookaside->books;
    GENERAL_LOOKASIDE *list = &lookaside->list;
    struct lookaside_sums sums = sum_locked(lookaside);
    unsigned depth =
        pb_tuning_depth(tuning, __atomic_load_n(&list->Depth, __ATOMIC_RELAXED), list->MaximumDepth,
                        sums.allocates - books->last_allocates, sums.misses - books->last_misses);
    __atomic_store_n(&list->Depth, (USHORT)depth, __ATOMIC_RELAXED); /* any recent value does */
    list->LastTotalAllocates = (ULONG)books->last_allocates;
    list->LastAllocateMisses = (ULONG)books->last_misses;
    list->TotalAllocates = (ULONG)sums.allocates;
    list->AllocateMisses = (ULONG)sums.misses;
    list->TotalFrees = (ULONG)sums.frees;
    list->FreeMisses = (ULONG)sums.overflows;
    books->last_allocates = sums.allocates;
    books->last_misses = sums.misses;
}

/* Each stack by its own counts. */
static void adjust_stacks(struct pb_lookaside *lookaside, const struct pb_tuning *tuning)
{
    for (unsigned i = 0; i < lookaside->threads_n; i++) {
        struct pb_lookaside_thread *t = lookaside->books->threads[i];
        if (t == NULL)
            continue;
        uint64_t allocates = pb_lookaside_counted(&t->TotalAllocates);
        uint64_t misses = pb_lookaside_counted(&t->AllocateMisses);
        unsigned depth =
            pb_tuning_depth(tuning, (unsigned)pb_lookaside_counted(&t->depth), t->capacity,
                            allocates - t->last_allocates, misses - t->last_misses);
        atomic_store_explicit(&t->depth, depth, memory_order_relaxed); /* as of a list */
        t->last_allocates = allocates;
        t->last_misses = misses;
    }
}

/* Each P, and L, by its own counts. */
static void adjust_processors(struct pb_lookaside *lookaside, const struct pb_tuning *tuning)
{
    GENERAL_LOOKASIDE *list;
    for (unsigned i = 0; (list = pb_lookaside_list_at(lookaside, i)) != NULL; i++)
        pb_general_adjust((pb_general *)(void *)list, tuning);
}

void pb_lookaside_adjust(void *context, const struct pb_tuning *tuning)
{
    static void (*const by_scope[])(struct pb_lookaside *, const struct pb_tuning *) = {
        adjust_list, adjust_stacks, adjust_processors};
    struct pb_lookaside *lookaside = context;
    pthread_mutex_lock(&lookaside->books->mutex);
    by_scope[lookaside->scope](lookaside, tuning);
    pthread_mutex_unlock(&lookaside->books->mutex);
}

/* The blocks that pb_lookaside_check has seen: a hash table, half empty. */
struct lookaside_seen {
    const void **slots;
    size_t slots_n; /* a power of two */
    const char *wrong;
};

static void see(struct lookaside_seen *seen, const void *block)
{
    size_t at = ((uintptr_t)block >> 4) * 0x9e3779b97f4a7c15u;
    for (at &= seen->slots_n - 1; seen->slots[at] != NULL; at = (at + 1) & (seen->slots_n - 1))
        if (seen->slots[at] == block)
            seen->wrong = "a block is cached twice";
        else if (seen->wrong != NULL)
            return;
    seen->slots[at] = block;
}

/* An entry that came a second time would lead back to itself: a list that ends has no entry twice.
 */
static void see_list(struct lookaside_seen *seen, const GENERAL_LOOKASIDE *list)
{
    size_t depth = pb_slist_depth(&list->ListHead), n = 0;
    PSLIST_ENTRY entry = pb_slist_first(&list->ListHead);
    for (; entry != NULL && n <= depth && seen->wrong == NULL; entry = entry->Next, n++) {
        if ((uintptr_t)entry % _Alignof(SLIST_ENTRY) != 0)
            seen->wrong = "an entry of the list is not aligned";
        else
            see(seen, entry);
    }
    if (seen->wrong == NULL && (entry != NULL || n != depth))
        seen->wrong = "the list is longer or shorter than its depth says";
    if (seen->wrong == NULL && __atomic_load_n(&list->Depth, __ATOMIC_RELAXED) > list->MaximumDepth)
        seen->wrong = "Depth is above MaximumDepth";
}

/* A stack may be deeper than its depth when the tuner has lowered that. */
static void see_stacks(struct lookaside_seen *seen, const struct pb_lookaside *lookaside)
{
    for (unsigned i = 0; i < lookaside->threads_n; i++) {
        const struct pb_lookaside_thread *t = lookaside->books->threads[i];
        uint64_t n = t != NULL ? pb_lookaside_counted(&t->cached) : 0;
        if (t != NULL && (n > t->capacity || pb_lookaside_counted(&t->depth) > t->capacity)) {
            seen->wrong = "a stack is deeper than its depth may be";
            return;
        }
        for (uint64_t k = 0; k < n && seen->wrong == NULL; k++)
            see(seen, t->stack[k]);
    }
}

static const char *find_wrong(struct pb_lookaside *lookaside, struct lookaside_seen *seen)
{
    struct lookaside_sums sums = sum_threads(lookaside);
    const GENERAL_LOOKASIDE *list;
    for (unsigned i = 0; (list = pb_lookaside_list_at(lookaside, i)) != NULL; i++)
        see_list(seen, list);
    see_stacks(seen, lookaside);
    if (seen->wrong == NULL && sums.frees > sums.allocates - sums.failures)
        seen->wrong = "more blocks were freed than allocated";
    return seen->wrong;
}

int pb_lookaside_check(struct pb_heap *heap, char *message, size_t message_size)
{
    struct pb_lookaside *lookaside = lookaside_of(heap);
    struct pb_heap *backing = lookaside->backing;
    size_t cached = sum_threads(lookaside).stacked + listed(lookaside);
    struct lookaside_seen seen = {.slots_n = 64};
    while (seen.slots_n < 2 * cached)
        seen.slots_n *= 2;
    seen.slots = pb_pages_map(seen.slots_n * sizeof *seen.slots);
    if (seen.slots == NULL)
        return 0; /* no memory to look with */
    const char *wrong = find_wrong(lookaside, &seen);
    pb_pages_unmap(seen.slots, seen.slots_n * sizeof *seen.slots);
    if (wrong != NULL) {
        snprintf(message, message_size, "lookaside: %s", wrong);
        return -EINVAL;
    }
    return backing->ops->check != NULL ? backing->ops->check(backing, message, message_size) : 0;
}
