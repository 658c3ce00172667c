/* SPDX-License-Identifier: MIT */
/* Lookaside: a bounded stack of free blocks of one size in front of a backing that is slower. It
 * allocates nothing when it is opened; blocks come in by being freed.
 * Source:  WDK, "Using Lookaside Lists" and ExAllocateFromNPagedLookasideList; field names from
 *          G. Chappell, "LOOKASIDE_LIST_EX". Differs: the depth is the user's and stays (NT's
 *          begins at 4 and is adjusted each second); counts are kept for each thread.
 * Layout:  heap   | head, backing | list | books, threads by index |  one mapping, coloured
 *          thread | cached, totals | stack |                          one mapping, coloured
 *          entry  | link to the next entry | stale data |   scope=list, while it is cached
 * I1       an entry is in the list or in one stack, once, or is a caller's   (lookaside_check)
 * I2       the list's length is its Depth field; a stack's is at most `depth` (lookaside_check)
 * I3       an entry of scope=list is at least a link long and aligned to 16
 * Locks    none on the fast paths; mutex guards the list of threads. Reclamation of list entries:
 *          nt/slist.h; the fix-up's handler is installed unless the backing keeps blocks mapped.
 * Cost     scope=list: one 16-byte exchange a call; scope=thread: two loads and two stores; both
 *          count the call. 0 bytes a block; scope=thread: 8 bytes an entry of depth and thread */
#include "lookaside/hot.h"
#include "nt/colour.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

enum lookaside_scope { SCOPE_LIST, SCOPE_THREAD };
enum { DEPTH_MAX = 32768, LINK_BYTES = sizeof(SLIST_ENTRY) };

struct lookaside_options {
    uint64_t depth;
    uint64_t scope;
    char backing[PB_OPTION_TEXT_MAX];
};

static const char *const scope_names[] = {"list", "thread", NULL};

static const struct pb_option lookaside_options[] = {
    {.name = "depth",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct lookaside_options, depth),
     .unit = "blocks",
     .standard = "256",
     .min = 1,
     .max = DEPTH_MAX,
     .help = "blocks that a list keeps; frees beyond it go to the backing"},
    {.name = "scope",
     .type = PB_OPTION_CHOICE,
     .offset = offsetof(struct lookaside_options, scope),
     .standard = "list",
     .choices = scope_names,
     .help = "one lock-free list that all threads share, as NT's, or a stack a thread"},
    {.name = "backing",
     .type = PB_OPTION_TEXT,
     .offset = offsetof(struct lookaside_options, backing),
     .standard = "pool",
     .help = "the variant that serves what the list cannot"},
    {.type = PB_OPTION_END},
};

/* What is not touched by alloc and free. */
struct pb_lookaside_books {
    pthread_mutex_t mutex;
    /* guarded by mutex */
    uint64_t gone_allocates, gone_frees, gone_misses, gone_overflows, gone_failures;
    struct pb_lookaside_thread *threads[]; /* by index, NULL where none is attached */
};

PB_HOT_DEFINE(lookaside_list)
PB_HOT_DEFINE(lookaside_thread)

static const struct pb_hot *const scope_paths[] = {&pb_hot_lookaside_list,
                                                   &pb_hot_lookaside_thread};

extern const struct pb_allocator pb_allocator_lookaside;

static struct pb_lookaside *lookaside_of(struct pb_heap *heap)
{
    return (struct pb_lookaside *)(void *)heap;
}

static bool is_list(const struct pb_lookaside *lookaside)
{
    return lookaside->base.hot == scope_paths[SCOPE_LIST];
}

static size_t heap_bytes(unsigned threads)
{
    return sizeof(struct pb_lookaside) + sizeof(struct pb_lookaside_books) +
           threads * sizeof(struct pb_lookaside_thread *);
}

static size_t thread_bytes(const struct pb_lookaside *lookaside)
{
    size_t entries = is_list(lookaside) ? 0 : lookaside->list.Depth;
    return sizeof(struct pb_lookaside_thread) + entries * sizeof(void *);
}

static uint64_t counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static bool stays_mapped(const struct pb_heap *backing)
{
    return (backing->ops->capabilities & PB_CAP_STAYS_MAPPED) != 0;
}

static bool lookaside_unavailable(const struct pb_heap_config *config, char *reason,
                                  size_t reason_size)
{
    const struct lookaside_options *options = config->options;
    if (options->scope != SCOPE_LIST)
        return false;
    if (!pb_cas16_present()) {
        snprintf(
            reason, reason_size,
            "scope=list needs a 16-byte compare-exchange, which this processor or build lacks");
        return true;
    }
    if (PB_FIXUP == 0 && !stays_mapped(config->backing)) {
        snprintf(reason, reason_size,
                 "scope=list needs a backing that keeps blocks mapped on this processor, and %s "
                 "does not",
                 config->backing->ops->name);
        return true;
    }
    return false;
}

static size_t entry_bytes(const struct pb_heap_config *config, uint64_t scope)
{
    if (scope == SCOPE_LIST && config->block_bytes < LINK_BYTES)
        return LINK_BYTES;
    return config->block_bytes;
}

static int lookaside_open(const struct pb_heap_config *config, struct pb_heap **out)
{
    const struct lookaside_options *options = config->options;
    size_t bytes = entry_bytes(config, options->scope);
    if (bytes == 0 || bytes > UINT32_MAX || config->backing == NULL)
        return -EINVAL;
    if (options->scope == SCOPE_LIST && !stays_mapped(config->backing)) {
        int error = pb_fixup_install();
        if (error != 0)
            return error;
    }
    struct pb_lookaside *lookaside =
        pb_colour_map(heap_bytes(config->threads), config->block_bytes, config->threads);
    if (lookaside == NULL)
        return -ENOMEM;
    const struct pb_hot *hot = scope_paths[options->scope];
    lookaside->base =
        (struct pb_heap){&pb_allocator_lookaside, hot, hot->alloc, hot->free, config->block_bytes};
    lookaside->backing = config->backing;
    lookaside->backing_threads = config->backing_threads;
    lookaside->threads_n = config->threads;
    lookaside->books = (struct pb_lookaside_books *)(void *)(lookaside + 1);
    pthread_mutex_init(&lookaside->books->mutex, NULL);
    ExInitializeSListHead(&lookaside->list.ListHead);
    lookaside->list.Depth = lookaside->list.MaximumDepth = (USHORT)options->depth;
    lookaside->list.Size = (ULONG)bytes;
    *out = &lookaside->base;
    return 0;
}

PB_NOINLINE void *pb_lookaside_miss(struct pb_lookaside_thread *thread)
{
    pb_lookaside_count(&thread->AllocateMisses);
    void *block =
        thread->backing->alloc(thread->backing, thread->backing_thread, thread->entry_bytes);
    if (block == NULL)
        pb_lookaside_count(&thread->failures);
    return block;
}

PB_NOINLINE void pb_lookaside_overflow(struct pb_lookaside_thread *thread, void *block)
{
    pb_lookaside_count(&thread->FreeMisses);
    thread->backing->free(thread->backing, thread->backing_thread, block, thread->entry_bytes);
}

/* Gives the list's entries to the backing, on the state of its first thread. */
static size_t drain_list(struct pb_lookaside *lookaside)
{
    struct pb_heap *backing = lookaside->backing;
    size_t entries = 0;
    if (!is_list(lookaside))
        return 0;
    PSLIST_ENTRY entry = ExInterlockedFlushSList(&lookaside->list.ListHead);
    while (entry != NULL) {
        PSLIST_ENTRY next = entry->Next;
        backing->free(backing, lookaside->backing_threads[0], entry, lookaside->list.Size);
        entry = next;
        entries++;
    }
    return entries * lookaside->list.Size;
}

static size_t drain_stack(struct pb_lookaside_thread *t)
{
    uint64_t entries = counted(&t->cached);
    for (uint64_t i = entries; i-- > 0;)
        t->backing->free(t->backing, t->backing_thread, t->stack[i], t->entry_bytes);
    atomic_store_explicit(&t->cached, 0, memory_order_relaxed);
    return entries * t->entry_bytes;
}

static void lookaside_close(struct pb_heap *heap)
{
    struct pb_lookaside *lookaside = lookaside_of(heap);
    (void)drain_list(lookaside);
    pthread_mutex_destroy(&lookaside->books->mutex);
    pb_colour_unmap(lookaside, heap_bytes(lookaside->threads_n), heap->block_bytes,
                    lookaside->threads_n);
}

static int lookaside_attach(struct pb_heap *heap, unsigned index, struct pb_thread **out)
{
    struct pb_lookaside *lookaside = lookaside_of(heap);
    struct pb_lookaside_thread *t =
        pb_colour_map(thread_bytes(lookaside), heap->block_bytes, index);
    if (t == NULL)
        return -ENOMEM;
    t->depth = lookaside->list.Depth;
    t->backing = lookaside->backing;
    t->backing_thread = lookaside->backing_threads[index];
    t->entry_bytes = lookaside->list.Size;
    t->index = index;
    pthread_mutex_lock(&lookaside->books->mutex);
    lookaside->books->threads[index] = t;
    pthread_mutex_unlock(&lookaside->books->mutex);
    *out = (struct pb_thread *)(void *)t;
    return 0;
}

static void lookaside_detach(struct pb_heap *heap, struct pb_thread *thread)
{
    struct pb_lookaside *lookaside = lookaside_of(heap);
    struct pb_lookaside_books *books = lookaside->books;
    struct pb_lookaside_thread *t = (struct pb_lookaside_thread *)(void *)thread;
    (void)drain_stack(t);
    pthread_mutex_lock(&books->mutex);
    books->threads[t->index] = NULL;
    books->gone_allocates += counted(&t->TotalAllocates);
    books->gone_frees += counted(&t->TotalFrees);
    books->gone_misses += counted(&t->AllocateMisses);
    books->gone_overflows += counted(&t->FreeMisses);
    books->gone_failures += counted(&t->failures);
    pthread_mutex_unlock(&books->mutex);
    pb_colour_unmap(t, thread_bytes(lookaside), heap->block_bytes, t->index);
}

/* Drains to the backing and lets it trim itself; the bytes are those that left the lists. */
static size_t lookaside_trim(struct pb_heap *heap)
{
    struct pb_lookaside *lookaside = lookaside_of(heap);
    size_t bytes = drain_list(lookaside);
    for (unsigned i = 0; i < lookaside->threads_n; i++)
        if (lookaside->books->threads[i] != NULL)
            bytes += drain_stack(lookaside->books->threads[i]);
    if (lookaside->backing->ops->trim != NULL)
        (void)lookaside->backing->ops->trim(lookaside->backing);
    return bytes;
}

/* Counters over all threads there are and were. */
struct lookaside_sums {
    uint64_t allocates, frees, misses, overflows, failures, stacked;
};

static struct lookaside_sums sum_threads(struct pb_lookaside *lookaside)
{
    struct pb_lookaside_books *books = lookaside->books;
    pthread_mutex_lock(&books->mutex);
    struct lookaside_sums sums = {books->gone_allocates, books->gone_frees,    books->gone_misses,
                                  books->gone_overflows, books->gone_failures, 0};
    for (unsigned i = 0; i < lookaside->threads_n; i++) {
        const struct pb_lookaside_thread *t = books->threads[i];
        if (t == NULL)
            continue;
        sums.allocates += counted(&t->TotalAllocates);
        sums.frees += counted(&t->TotalFrees);
        sums.misses += counted(&t->AllocateMisses);
        sums.overflows += counted(&t->FreeMisses);
        sums.failures += counted(&t->failures);
        sums.stacked += counted(&t->cached);
    }
    pthread_mutex_unlock(&books->mutex);
    return sums;
}

/* What a live block takes in the backing, headers included: every block behind this list has one
 * size, so the mean is exact. Unknown where the backing is, or has other users (a bank forgets it).
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
 * is held, and the locks and calls of the system for it, are the backing's. */
static void lookaside_stats(struct pb_heap *heap, struct pb_heap_stats *stats)
{
    struct pb_lookaside *lookaside = lookaside_of(heap);
    struct lookaside_sums sums = sum_threads(lookaside);
    uint64_t cached = sums.stacked + ExQueryDepthSList(&lookaside->list.ListHead);
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
    stats->cached_bytes = cached * lookaside->list.Size;
    stats->held_bytes = behind.held_bytes;
    stats->held_peak_bytes = behind.held_peak_bytes;
    stats->os_calls = behind.os_calls;
    stats->refills = behind.refills;
    stats->lock_acquisitions = behind.lock_acquisitions;
    stats->lock_contended = behind.lock_contended;
}

/* The blocks that lookaside_check has seen: a hash table, half empty. */
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
static void see_list(struct lookaside_seen *seen, const struct pb_lookaside *lookaside)
{
    size_t depth = ExQueryDepthSList(&lookaside->list.ListHead), n = 0;
    PSLIST_ENTRY entry = FirstEntrySList(&lookaside->list.ListHead);
    for (; entry != NULL && n <= depth && seen->wrong == NULL; entry = entry->Next, n++) {
        if ((uintptr_t)entry % LINK_BYTES != 0)
            seen->wrong = "an entry of the list is not aligned";
        else
            see(seen, entry);
    }
    if (seen->wrong == NULL && (entry != NULL || n != depth))
        seen->wrong = "the list is longer or shorter than its depth says";
}

static void see_stacks(struct lookaside_seen *seen, const struct pb_lookaside *lookaside)
{
    for (unsigned i = 0; i < lookaside->threads_n; i++) {
        const struct pb_lookaside_thread *t = lookaside->books->threads[i];
        uint64_t n = t != NULL ? counted(&t->cached) : 0;
        if (t != NULL && n > t->depth) {
            seen->wrong = "a stack is deeper than its depth";
            return;
        }
        for (uint64_t k = 0; k < n && seen->wrong == NULL; k++)
            see(seen, t->stack[k]);
    }
}

static int lookaside_check(struct pb_heap *heap, char *message, size_t message_size)
{
    struct pb_lookaside *lookaside = lookaside_of(heap);
    struct pb_heap *backing = lookaside->backing;
    struct lookaside_sums sums = sum_threads(lookaside);
    size_t cached = sums.stacked + ExQueryDepthSList(&lookaside->list.ListHead);
    struct lookaside_seen seen = {.slots_n = 64};
    while (seen.slots_n < 2 * cached)
        seen.slots_n *= 2;
    seen.slots = pb_pages_map(seen.slots_n * sizeof *seen.slots);
    if (seen.slots == NULL)
        return 0; /* no memory to look with */
    if (lookaside->list.Depth > lookaside->list.MaximumDepth)
        seen.wrong = "Depth is above MaximumDepth";
    see_list(&seen, lookaside);
    see_stacks(&seen, lookaside);
    if (seen.wrong == NULL && sums.frees > sums.allocates - sums.failures)
        seen.wrong = "more blocks were freed than allocated";
    pb_pages_unmap(seen.slots, seen.slots_n * sizeof *seen.slots);
    if (seen.wrong != NULL) {
        snprintf(message, message_size, "lookaside: %s", seen.wrong);
        return -EINVAL;
    }
    return backing->ops->check != NULL ? backing->ops->check(backing, message, message_size) : 0;
}

static int lookaside_version(struct pb_heap *heap, char *out, size_t size)
{
    struct pb_heap *backing = lookaside_of(heap)->backing;
    return backing->ops->version != NULL ? backing->ops->version(backing, out, size) : -ENOTSUP;
}

const struct pb_allocator pb_allocator_lookaside = {
    .name = "lookaside",
    .summary = "a bounded stack of free blocks in front of a backing, as NT's lookaside lists",
    .source = "Windows Driver Kit, Using Lookaside Lists",
    .options = lookaside_options,
    .option_bytes = sizeof(struct lookaside_options),
    .capabilities = PB_CAP_FIXED_SIZE | PB_CAP_REMOTE_FREE,
    .unavailable = lookaside_unavailable,
    .open = lookaside_open,
    .close = lookaside_close,
    .attach = lookaside_attach,
    .detach = lookaside_detach,
    .trim = lookaside_trim,
    .stats = lookaside_stats,
    .check = lookaside_check,
    .version = lookaside_version,
};
