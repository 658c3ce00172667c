/* SPDX-License-Identifier: MIT */
/* Pool, as a strategy: the executive's pool behind the contract, one kind of memory a heap, with
 * every switch as an option. engine.h and space.h say what it is, its source, layout, invariants,
 * locks and cost; front.h has the rules of the calls.
 * Plain heaps (no quota, special pool or limit) call the pool itself; the others go by the rules
 * of front.h. The rule of the IRQL holds for both.
 * Differs: a profile of 32 bits aligns blocks to 8, as it does on NT, not to the contract's 16.
 * Layout   heap | head, settings | a line pair of counters a thread, by index |   one mapping
 * I1       allocs - frees, summed over threads, is the number of blocks in use
 * Locks    none of its own; a thread's counters are written by that thread alone
 * Memory   pages stay mapped until close, but for special pool's. Free pages stay held, as NT's
 *          nonpaged pool keeps them, but for what trim finds and, where the option `release` says
 *          so, runs of that length
 * Paths    a miss is an allocation that no P or L list had a block for; where no list serves its
 *          size, one that the free lists had none for. An overflow: no P or L list took the block
 * Cost     two counters a call, beyond the pool's own */
#include "nt/fixup.h"
#include "nt/pages.h"
#include "pool/heap.h"
#include "pool/hot.h"
#include "pool/strategy_refuses.h"
#include "pool/strategy_tags.h"

#include <poolbench/nt/page.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

extern const struct pb_allocator pb_allocator_pool;

static const enum pool_class heap_classes[] = {POOL_NONPAGED, POOL_NONPAGED_NX, POOL_PAGED};
static const unsigned heap_types[] = {NonPagedPool, NonPagedPoolNx, PagedPool};

PB_HOT_TABLE(pool)

static size_t pool_alignment(const struct pb_heap *heap)
{
    return ((const struct pool_heap *)(const void *)heap)->front->shape.alignment;
}

/* In place where the block holds the new size and is not more than twice as long. A block of
 * special pool always moves: what lies around it is a pattern. */
static bool stays(const struct pool_heap *heap, size_t usable, size_t bytes)
{
    return heap->front->options.special == POOL_SPECIAL_OFF && bytes <= usable &&
           bytes > usable / 2;
}

static void *pool_realloc(struct pb_heap *heap, struct pb_thread *thread, void *block,
                          size_t old_bytes, size_t bytes)
{
    struct pool_heap *pool = heap_of(heap);
    size_t usable = pb_front_usable(pool->front, block, NULL);
    if (usable == 0)
        return NULL;
    void *moved = stays(pool, usable, bytes) ? block : pb_pool_alloc(heap, thread, bytes);
    if (moved == NULL && bytes <= usable)
        moved = block; /* a shrink cannot fail */
    if (moved == NULL)
        return NULL;
    count(&thread_of(thread)->reallocs, 1);
    if (moved == block) {
        count(&thread_of(thread)->requested, (uint64_t)bytes - old_bytes);
        return block;
    }
    memcpy(moved, block, old_bytes < bytes ? old_bytes : bytes);
    pb_pool_free(heap, thread, block, old_bytes);
    return moved;
}

static void adjust(void *context, const struct pb_tuning *tuning)
{
    pb_pool_tune(context, tuning);
}

static size_t heap_bytes(unsigned threads)
{
    return sizeof(struct pool_heap) + threads * sizeof(struct pool_thread);
}

/* What a heap's options add to a pool: a process to charge, a tuner, a handler of faults. */
static int add_parts(struct pool_heap *heap, const struct pool_options *options)
{
    if (options->quota != 0) {
        heap->owner = PbCreateProcess(SIZE_MAX, SIZE_MAX);
        if (heap->owner == NULL)
            return -ENOMEM;
    }
    /* See strategy_refuses.c; the page layer of paged memory has it installed too. */
    int error = options->special != POOL_SPECIAL_OFF ? pb_fixup_install() : 0;
    if (error != 0 || options->tune == 0)
        return error;
    heap->job = (struct pb_tuner_job){.adjust = adjust, .context = heap->pool};
    error = pb_tuner_start(&heap->job, &options->tuning);
    heap->tuned = error == 0;
    return error;
}

static void pool_close(struct pb_heap *heap)
{
    struct pool_heap *pool = heap_of(heap);
    if (pool->tuned)
        pb_tuner_stop(&pool->job);
    pb_front_close(pool->front);
    if (pool->owner != NULL)
        PbEndProcess(pool->owner);
    pb_pages_unmap(pool, heap_bytes(pool->threads_n));
}

static int pool_open(const struct pb_heap_config *config, struct pb_heap **heap)
{
    const struct pool_options *options = config->options;
    char message[256] = "";
    if (options->lock == POOL_LOCK_NONE && config->threads > 1)
        return -EINVAL;
    struct pool_heap *pool = pb_pages_map(heap_bytes(config->threads));
    if (pool == NULL)
        return -ENOMEM;
    pool->head = (struct pb_heap){&pb_allocator_pool, &pb_hot_pool, pb_pool_alloc, pb_pool_free, 0};
    pool->type = heap_types[options->type];
    pool->level = pb_front_level(pool->type);
    pool->plain = options->quota == 0 && options->special == POOL_SPECIAL_OFF &&
                  options->nonpaged_limit == 0 && options->paged_limit == 0;
    pool->threads_n = config->threads;
    int error = pb_pool_heap_front(options, 1u << heap_classes[options->type], &pool->front,
                                   message, sizeof message);
    if (error != 0) {
        pb_pages_unmap(pool, heap_bytes(config->threads));
        return error;
    }
    pool->pool = pool->front->pool;
    pool->class = pb_pool_class(pool->pool, pool->type);
    pool->used = pool_type_used(pool->type);
    for (unsigned i = 0; i < config->threads; i++) {
        pool->threads[i].tag = pb_pool_worker_tag(i);
        pool->threads[i].mark = pool_mark(pool->used, pool->threads[i].tag, true);
    }
    if (pool->plain && pool->pool->spaces[pool->class]->common) {
        pool->common = pool->pool->spaces[pool->class];
        pool->below = (KIRQL)(pool->level + 1);
    }
    error = add_parts(pool, options);
    if (error != 0) {
        pool_close(&pool->head);
        return error;
    }
    *heap = &pool->head;
    return 0;
}

static int pool_attach(struct pb_heap *heap, unsigned index, struct pb_thread **thread)
{
    *thread = (struct pb_thread *)(void *)&heap_of(heap)->threads[index];
    return 0;
}

static void pool_detach(struct pb_heap *heap, struct pb_thread *thread)
{
    (void)heap,
        (void)thread; /* counters are the heap's, and serve the next thread of their index */
}

static size_t pool_trim(struct pb_heap *heap)
{
    return pb_pool_trim(heap_of(heap)->pool);
}

static uint64_t counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void sum_threads(const struct pool_heap *heap, struct pb_heap_stats *stats)
{
    stats->allocs = stats->frees = stats->requested_bytes = stats->native_reallocs = 0;
    for (unsigned i = 0; i < heap->threads_n; i++) {
        const struct pool_thread *thread = &heap->threads[i];
        stats->allocs += counted(&thread->allocs);
        stats->frees += counted(&thread->frees);
        stats->requested_bytes += counted(&thread->requested);
        stats->native_reallocs += counted(&thread->reallocs);
    }
    if (stats->requested_bytes > INT64_MAX) /* a free was seen, and not its allocation */
        stats->requested_bytes = 0;
}

static void pool_stats(struct pb_heap *heap, struct pb_heap_stats *stats)
{
    struct pool_heap *pool = heap_of(heap);
    const struct pool_shape *shape = &pool->front->shape;
    struct pool_counts counts;
    uint64_t special = (uint64_t)pb_front_special_count(pool->front) << PAGE_SHIFT;
    pb_pool_counts(pool->pool, pool->class, &counts);
    sum_threads(pool, stats);
    stats->granted_bytes = counts.total_bytes - counts.cached_bytes + special;
    stats->held_bytes = counts.held_bytes + special;
    stats->held_peak_bytes = counts.held_peak_bytes + special;
    stats->cached_bytes = counts.cached_bytes;
    stats->refills = counts.pages_taken;
    stats->os_calls = counts.os_calls;
    stats->lock_acquisitions = counts.lock_acquisitions;
    stats->lock_contended = counts.lock_contended;
    if (!shape->processor_lists && !shape->shared_lists)
        return;
    stats->hits = counts.list_hits;
    stats->misses = counts.list_allocates - counts.list_hits;
    stats->overflows = counts.list_frees - counts.list_free_hits;
}

static int pool_check(struct pb_heap *heap, char *message, size_t message_size)
{
    return pb_front_check(heap_of(heap)->front, message, message_size);
}

static int pool_version(struct pb_heap *heap, char *out, size_t size)
{
    struct pool_heap *pool = heap_of(heap);
    char profile[64], notes[256] = "";
    (void)pb_option_print(pb_option_find(pb_pool_option_table, "profile"), &pool->front->options,
                          profile, sizeof profile);
    pb_pool_notes(pool->pool, notes, sizeof notes);
    snprintf(out, size, "profile %s%s%s", profile, notes[0] != '\0' ? "; " : "", notes);
    return 0;
}

static size_t pool_tags(struct pb_heap *heap, struct pb_tag_row *rows, size_t count)
{
    return pb_pool_heap_tags(heap_of(heap)->front, rows, count);
}

const struct pb_allocator pb_allocator_pool = {
    .name = "pool",
    .summary = "blocks with headers, exact-fit lists, coalescing, lookaside lists a processor",
    .source = "Windows NT executive pool: Russinovich et al., Windows Internals, 6th ed., 2012",
    .options = pb_pool_option_table,
    .option_bytes = sizeof(struct pool_options),
    .capabilities = PB_CAP_REMOTE_FREE | PB_CAP_STAYS_MAPPED | PB_CAP_BACKING | PB_CAP_PATHS,
    .unavailable = pb_pool_heap_refuses,
    .open = pool_open,
    .close = pool_close,
    .attach = pool_attach,
    .detach = pool_detach,
    .realloc = pool_realloc,
    .aligned = pb_pool_aligned,
    .alignment = pool_alignment,
    .trim = pool_trim,
    .stats = pool_stats,
    .check = pool_check,
    .version = pool_version,
    .tags = pool_tags,
};
