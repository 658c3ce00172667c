/* SPDX-License-Identifier: MIT */
/* Lookaside: a bounded stack of free blocks of one size in front of a backing that is slower. It
 * allocates nothing when it is opened; blocks come in by being freed.
 * Source:  WDK, "Using Lookaside Lists" and ExAllocateFromNPagedLookasideList; field names from
 *          G. Chappell, "LOOKASIDE_LIST_EX"; the pair P and L from his "KPRCB". Differs: the depth
 *          is the user's and stays, unless tune=adaptive (NT's begins at 4 and is adjusted each
 *          second); counts are kept for each thread.
 * Layout:  heap   | head, backing | list or L | P, by processor | books, threads by index |
 *          thread | cached, totals | stack |          each one mapping, coloured
 *          list   GENERAL_LOOKASIDE, on a line pair of its own
 *          entry  | link to the next entry | stale data |   of a list, while it is cached
 * I1       an entry is in one list or one stack, once, or is a caller's   (pb_lookaside_check)
 * I2       a list's length is its Depth field; a stack's is at most its capacity (the same)
 * I3       an entry of a list is at least a link long; every block is aligned to 16, also where
 *          the backing, a pool of 32 bits, aligns to less unless it is asked for more
 * I4       the tuner's job runs only between open and close
 * Locks    none on the fast paths; mutex guards the list of threads. Reclamation of list entries:
 *          nt/slist.h; the fix-up's handler is installed unless the backing keeps blocks mapped.
 * Cost     scope=list, percpu: one 16-byte exchange a call; scope=thread: two loads and two stores;
 *          all count the call. 0 bytes a block; scope=thread: 8 bytes an entry of depth and thread;
 *          scope=percpu: 128 bytes a processor. tune=adaptive: one thread for all heaps */
#include "lookaside/books.h"
#include "lookaside/options.h"
#include "nt/colour.h"
#include "path.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

PB_HOT_DEFINE(lookaside_list)
PB_HOT_DEFINE(lookaside_thread)
PB_HOT_DEFINE(lookaside_percpu)

static const struct pb_hot *const scope_paths[] = {&pb_hot_lookaside_list, &pb_hot_lookaside_thread,
                                                   &pb_hot_lookaside_percpu};

extern const struct pb_allocator pb_allocator_lookaside;

static struct pb_lookaside *lookaside_of(struct pb_heap *heap)
{
    return (struct pb_lookaside *)(void *)heap;
}

static size_t heap_bytes(unsigned processors, unsigned threads)
{
    return sizeof(struct pb_lookaside) + processors * sizeof(GENERAL_LOOKASIDE) +
           sizeof(struct pb_lookaside_books) + threads * sizeof(struct pb_lookaside_thread *);
}

static unsigned capacity_of(const struct pb_lookaside *lookaside)
{
    return lookaside->scope == SCOPE_THREAD ? lookaside->list.MaximumDepth : 0;
}

static size_t thread_bytes(const struct pb_lookaside *lookaside)
{
    return sizeof(struct pb_lookaside_thread) + capacity_of(lookaside) * sizeof(void *);
}

static bool stays_mapped(const struct pb_heap *backing)
{
    return (backing->ops->capabilities & PB_CAP_STAYS_MAPPED) != 0;
}

static bool lookaside_unavailable(const struct pb_heap_config *config, char *reason,
                                  size_t reason_size)
{
    const struct lookaside_options *options = config->options;
    const char *scope = pb_lookaside_scopes[options->scope];
    if (options->scope == SCOPE_THREAD)
        return false;
    if (!pb_cas16_present()) {
        snprintf(reason, reason_size,
                 "scope=%s needs a 16-byte compare-exchange, which this processor or build lacks",
                 scope);
        return true;
    }
    if (!pb_fixup_present() && !stays_mapped(config->backing)) {
        snprintf(reason, reason_size,
                 "scope=%s needs a backing that keeps blocks mapped on this processor, and %s does "
                 "not",
                 scope, config->backing->ops->name);
        return true;
    }
    return false;
}

static size_t entry_bytes(const struct pb_heap_config *config, uint64_t scope)
{
    if (scope != SCOPE_THREAD && config->block_bytes < sizeof(SLIST_ENTRY))
        return sizeof(SLIST_ENTRY);
    return config->block_bytes;
}

/* Lists P: a power of two, so that a mask finds one, and at least the processors there are. If
 * their numbers have gaps, some share a list. */
static unsigned processors_of(uint64_t scope)
{
    long there_are = sysconf(_SC_NPROCESSORS_CONF);
    unsigned n = 1;
    if (scope != SCOPE_PERCPU)
        return 0;
    while ((long)n < there_are)
        n *= 2;
    return n;
}

static void make_list(GENERAL_LOOKASIDE *list, const struct lookaside_options *options,
                      size_t bytes)
{
    uint64_t most = options->tune == TUNE_OFF ? options->depth : options->max_depth;
    pb_slist_init(&list->ListHead);
    list->MaximumDepth = (USHORT)most;
    list->Depth = (USHORT)(options->depth < most ? options->depth : most);
    list->Size = (ULONG)bytes;
}

/* Lays the parts out in the mapping, which is zeroed. */
static void make_heap(struct pb_lookaside *lookaside, const struct pb_heap_config *config,
                      unsigned processors)
{
    const struct lookaside_options *options = config->options;
    const struct pb_hot *hot = scope_paths[options->scope];
    GENERAL_LOOKASIDE *list, *first = (GENERAL_LOOKASIDE *)(void *)(lookaside + 1);
    lookaside->base =
        (struct pb_heap){&pb_allocator_lookaside, hot, hot->alloc, hot->free, config->block_bytes};
    lookaside->backing = config->backing;
    lookaside->backing_threads = config->backing_threads;
    lookaside->books = (struct pb_lookaside_books *)(void *)(first + processors);
    lookaside->processors = first;
    lookaside->processors_n = processors;
    lookaside->processors_mask = processors - 1;
    lookaside->threads_n = config->threads;
    lookaside->scope = (unsigned)options->scope;
    lookaside->shared = options->shared != 0;
    for (unsigned i = 0; (list = pb_lookaside_list_at(lookaside, i)) != NULL; i++)
        make_list(list, options, entry_bytes(config, options->scope));
    pthread_mutex_init(&lookaside->books->mutex, NULL);
    lookaside->books->job.adjust = pb_lookaside_adjust;
    lookaside->books->job.context = lookaside;
}

/* Without the entries. */
static void unmake_heap(struct pb_lookaside *lookaside)
{
    pthread_mutex_destroy(&lookaside->books->mutex);
    pb_colour_unmap(lookaside, heap_bytes(lookaside->processors_n, lookaside->threads_n),
                    lookaside->base.block_bytes, lookaside->threads_n);
}

static int lookaside_open(const struct pb_heap_config *config, struct pb_heap **out)
{
    const struct lookaside_options *options = config->options;
    unsigned processors = processors_of(options->scope);
    if (config->block_bytes == 0 || config->block_bytes > UINT32_MAX || config->backing == NULL)
        return -EINVAL;
    if (options->scope != SCOPE_THREAD && !stays_mapped(config->backing)) {
        int error = pb_fixup_install();
        if (error != 0)
            return error;
    }
    struct pb_lookaside *lookaside = pb_colour_map(heap_bytes(processors, config->threads),
                                                   config->block_bytes, config->threads);
    if (lookaside == NULL)
        return -ENOMEM;
    make_heap(lookaside, config, processors);
    if (options->tune != TUNE_OFF &&
        pb_tuner_start(&lookaside->books->job, &options->tuning) != 0) {
        unmake_heap(lookaside);
        return -ENOMEM; /* for a thread's stack */
    }
    *out = &lookaside->base;
    return 0;
}

PB_NOINLINE void *pb_lookaside_miss(struct pb_lookaside_thread *thread)
{
    struct pb_heap *backing = thread->backing;
    pb_lookaside_count(&thread->AllocateMisses);
    pb_path_slow(PB_PATH_MISS);
    pb_path_enter();
    void *block = PB_LIKELY(!thread->realigns)
                      ? backing->alloc(backing, thread->backing_thread, thread->entry_bytes)
                      : backing->ops->aligned(backing, thread->backing_thread, PB_ALIGNMENT,
                                              thread->entry_bytes);
    pb_path_leave();
    if (block == NULL)
        pb_lookaside_count(&thread->failures);
    return block;
}

PB_NOINLINE void pb_lookaside_overflow(struct pb_lookaside_thread *thread, void *block)
{
    pb_lookaside_count(&thread->FreeMisses);
    pb_path_slow(PB_PATH_OVERFLOW);
    pb_path_enter();
    thread->backing->free(thread->backing, thread->backing_thread, block, thread->entry_bytes);
    pb_path_leave();
}

PB_NOINLINE void *pb_lookaside_percpu_miss(struct pb_lookaside *lookaside,
                                           struct pb_lookaside_thread *thread,
                                           GENERAL_LOOKASIDE *here)
{
    GENERAL_LOOKASIDE *behind = &lookaside->list;
    pb_general_count(&here->AllocateMisses);
    if (lookaside->shared) {
        pb_general_count(&behind->TotalAllocates);
        void *block = pb_slist_pop(&behind->ListHead);
        if (block != NULL)
            return block;
        pb_general_count(&behind->AllocateMisses);
    }
    return pb_lookaside_miss(thread);
}

PB_NOINLINE void pb_lookaside_percpu_overflow(struct pb_lookaside *lookaside,
                                              struct pb_lookaside_thread *thread,
                                              GENERAL_LOOKASIDE *here, void *block)
{
    GENERAL_LOOKASIDE *behind = &lookaside->list;
    pb_general_count(&here->FreeMisses);
    if (lookaside->shared) {
        pb_general_count(&behind->TotalFrees);
        if (!pb_general_full(&behind->ListHead, &behind->Depth)) {
            (void)pb_slist_push(&behind->ListHead, block);
            return;
        }
        pb_general_count(&behind->FreeMisses);
    }
    pb_lookaside_overflow(thread, block);
}

/* Gives a list's entries to the backing, on the state of its first thread. A list that was never
 * pushed to is left alone: scope=thread runs where there is no exchange for it. */
static size_t drain_list(struct pb_lookaside *lookaside, GENERAL_LOOKASIDE *list)
{
    struct pb_heap *backing = lookaside->backing;
    size_t entries = 0;
    if (pb_slist_first(&list->ListHead) == NULL)
        return 0;
    PSLIST_ENTRY entry = pb_slist_flush(&list->ListHead);
    while (entry != NULL) {
        PSLIST_ENTRY next = entry->Next;
        backing->free(backing, lookaside->backing_threads[0], entry, list->Size);
        entry = next;
        entries++;
    }
    return entries * list->Size;
}

static size_t drain_lists(struct pb_lookaside *lookaside)
{
    GENERAL_LOOKASIDE *list;
    size_t bytes = 0;
    for (unsigned i = 0; (list = pb_lookaside_list_at(lookaside, i)) != NULL; i++)
        bytes += drain_list(lookaside, list);
    return bytes;
}

static size_t drain_stack(struct pb_lookaside_thread *t)
{
    uint64_t entries = pb_lookaside_counted(&t->cached);
    for (uint64_t i = entries; i-- > 0;)
        t->backing->free(t->backing, t->backing_thread, t->stack[i], t->entry_bytes);
    atomic_store_explicit(&t->cached, 0, memory_order_relaxed); /* its owner is not in the heap */
    return entries * t->entry_bytes;
}

static void lookaside_close(struct pb_heap *heap)
{
    struct pb_lookaside *lookaside = lookaside_of(heap);
    pb_tuner_stop(&lookaside->books->job);
    (void)drain_lists(lookaside);
    unmake_heap(lookaside);
}

static int lookaside_attach(struct pb_heap *heap, unsigned index, struct pb_thread **out)
{
    struct pb_lookaside *lookaside = lookaside_of(heap);
    struct pb_lookaside_thread *t =
        pb_colour_map(thread_bytes(lookaside), heap->block_bytes, index);
    if (t == NULL)
        return -ENOMEM;
    t->capacity = capacity_of(lookaside);
    t->depth = t->capacity != 0 ? lookaside->list.Depth : 0;
    t->backing = lookaside->backing;
    t->backing_thread = lookaside->backing_threads[index];
    t->entry_bytes = lookaside->list.Size;
    t->realigns = pb_heap_alignment(lookaside->backing) < PB_ALIGNMENT;
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
    books->gone_allocates += pb_lookaside_counted(&t->TotalAllocates);
    books->gone_frees += pb_lookaside_counted(&t->TotalFrees);
    books->gone_misses += pb_lookaside_counted(&t->AllocateMisses);
    books->gone_overflows += pb_lookaside_counted(&t->FreeMisses);
    books->gone_failures += pb_lookaside_counted(&t->failures);
    pthread_mutex_unlock(&books->mutex);
    pb_colour_unmap(t, thread_bytes(lookaside), heap->block_bytes, t->index);
}

/* Drains to the backing and lets it trim itself; the bytes are those that left the lists. */
static size_t lookaside_trim(struct pb_heap *heap)
{
    struct pb_lookaside *lookaside = lookaside_of(heap);
    size_t bytes = drain_lists(lookaside);
    for (unsigned i = 0; i < lookaside->threads_n; i++)
        if (lookaside->books->threads[i] != NULL)
            bytes += drain_stack(lookaside->books->threads[i]);
    if (lookaside->backing->ops->trim != NULL)
        (void)lookaside->backing->ops->trim(lookaside->backing);
    return bytes;
}

static int lookaside_version(struct pb_heap *heap, char *out, size_t size)
{
    struct pb_heap *backing = lookaside_of(heap)->backing;
    return backing->ops->version != NULL ? backing->ops->version(backing, out, size) : -ENOTSUP;
}

static size_t lookaside_tags(struct pb_heap *heap, struct pb_tag_row *rows, size_t count)
{
    struct pb_heap *backing = lookaside_of(heap)->backing;
    return backing->ops->tags != NULL ? backing->ops->tags(backing, rows, count) : 0;
}

const struct pb_allocator pb_allocator_lookaside = {
    .name = "lookaside",
    .summary = "a bounded stack of free blocks in front of a backing, as NT's lookaside lists",
    .source = "Windows Driver Kit, Using Lookaside Lists",
    .options = pb_lookaside_options,
    .option_bytes = sizeof(struct lookaside_options),
    .capabilities = PB_CAP_FIXED_SIZE | PB_CAP_REMOTE_FREE | PB_CAP_PATHS,
    .unavailable = lookaside_unavailable,
    .open = lookaside_open,
    .close = lookaside_close,
    .attach = lookaside_attach,
    .detach = lookaside_detach,
    .trim = lookaside_trim,
    .stats = pb_lookaside_stats,
    .check = pb_lookaside_check,
    .version = lookaside_version,
    .tags = lookaside_tags,
};
