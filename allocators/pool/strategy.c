/* SPDX-License-Identifier: MIT */
/* Pool, as a strategy: the executive's pool behind the contract. pool.h says what it is, its
 * source, layout, invariants, locks and cost.
 * Memory   pages stay mapped until close. Free pages stay held, as NT's nonpaged pool keeps them,
 *          but for what trim finds and, where the option `release` says so, runs of that length */
#include "pool/hot.h"
#include "pool/pool.h"

#include <errno.h>
#include <stdio.h>

struct pool_options {
    uint64_t lock, reserve, release, link_checks;
};

static const char *const pool_locks[] = {PB_LOCK_KINDS(PB_LOCK_CHOICE) NULL};

static const struct pb_option pool_options[] = {
    {.name = "lock",
     .type = PB_OPTION_CHOICE,
     .offset = offsetof(struct pool_options, lock),
     .standard = "fas",
     .choices = pool_locks,
     .help = "spin lock that guards the pool; none is for one thread"},
    {.name = "reserve",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct pool_options, reserve),
     .unit = "bytes",
     .standard = "64G",
     .min = 1 << 20,
     .max = (uint64_t)1 << 40,
     .help = "address space set aside, less where the system has less"},
    {.name = "release",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct pool_options, release),
     .unit = "bytes",
     .standard = "0",
     .min = 0,
     .max = (uint64_t)1 << 40,
     .help = "a freed run of whole pages goes back to the system from this length on; 0: never, as "
             "nonpaged pool"},
    {.name = "link_checks",
     .type = PB_OPTION_FLAG,
     .offset = offsetof(struct pool_options, link_checks),
     .standard = "on",
     .help = "check headers and list links before they are used, and stop on corruption"},
    {.type = PB_OPTION_END}};

PB_HOT_TABLE(pool)

static struct pool_heap *pool_of(struct pb_heap *heap)
{
    return (struct pool_heap *)(void *)heap;
}

static bool pool_unavailable(const struct pb_heap_config *config, char *reason, size_t reason_size)
{
    const struct pool_options *options = config->options;
    if (options->lock != PB_LOCK_none || config->threads <= 1)
        return false;
    snprintf(reason, reason_size, "lock=none is for one thread, not %u", config->threads);
    return true;
}

static int pool_open(const struct pb_heap_config *config, struct pb_heap **heap)
{
    const struct pool_options *options = config->options;
    if (options->lock == PB_LOCK_none && config->threads > 1)
        return -EINVAL;
    struct pool_heap *pool = pb_pages_map(sizeof *pool);
    if (pool == NULL)
        return -ENOMEM;
    pool->head = (struct pb_heap){&pb_allocator_pool, &pb_hot_pool, pb_pool_alloc, pb_pool_free, 0};
    pool->kind = (enum pb_lock_kind)options->lock;
    pool->checks = options->link_checks;
    pb_pool_init(pool);
    int error = pb_lock_init(pool->kind, &pool->lock, config->threads + 1);
    if (error != 0)
        goto out_unmap;
    pool->stats_slot = pb_lock_slot(&pool->lock, config->threads);
    error = pb_page_runs_open(&pool->runs, options->reserve,
                              options->release != 0 ? options->release : SIZE_MAX);
    if (error != 0)
        goto out_lock;
    *heap = &pool->head;
    return 0;

out_lock:
    pb_lock_fini(&pool->lock);
out_unmap:
    pb_pages_unmap(pool, sizeof *pool);
    return error;
}

static void pool_close(struct pb_heap *heap)
{
    struct pool_heap *pool = pool_of(heap);
    pb_page_runs_close(&pool->runs);
    pb_lock_fini(&pool->lock);
    pb_pages_unmap(pool, sizeof *pool);
}

static int pool_attach(struct pb_heap *heap, unsigned index, struct pb_thread **thread)
{
    *thread = (struct pb_thread *)(void *)pb_lock_slot(&pool_of(heap)->lock, index);
    return 0;
}

static void pool_detach(struct pb_heap *heap, struct pb_thread *thread)
{
    (void)heap, (void)thread; /* a slot is the heap's, and serves the next thread of its index */
}

static size_t pool_trim(struct pb_heap *heap)
{
    return pb_page_runs_trim(&pool_of(heap)->runs);
}

static void pool_stats(struct pb_heap *heap, struct pb_heap_stats *stats)
{
    struct pool_heap *pool = pool_of(heap);
    const struct pb_pages *arena = &pool->runs.arena;
    const struct pb_pages *map = &pool->runs.map;
    pb_lock_lock(pool->kind, &pool->lock, pool->stats_slot);
    if (pool->kind != PB_LOCK_none)
        pool->lock.acquisitions--; /* this one is not the load's */
    stats->requested_bytes = pool->requested_bytes;
    stats->granted_bytes = pool->TotalBytes;
    stats->held_bytes = arena->held_bytes + map->held_bytes;
    stats->held_peak_bytes = arena->held_peak_bytes + map->held_bytes; /* the map only grows */
    stats->cached_bytes = 0;
    stats->allocs = pool->RunningAllocs;
    stats->frees = pool->RunningDeAllocs;
    stats->refills = pool->pages_taken;
    stats->os_calls = arena->os_calls + map->os_calls;
    stats->lock_acquisitions = pool->lock.acquisitions;
    stats->lock_contended = pool->lock.contended;
    stats->native_reallocs = pool->reallocs;
    pb_lock_unlock(pool->kind, &pool->lock, pool->stats_slot);
}

const struct pb_allocator pb_allocator_pool = {
    .name = "pool",
    .summary = "variable-size blocks with headers, 256 exact-fit lists, coalescing, one spin lock",
    .source =
        "Windows NT executive pool, x64: Russinovich et al., Windows Internals, 6th ed., 2012",
    .options = pool_options,
    .option_bytes = sizeof(struct pool_options),
    .capabilities = PB_CAP_REMOTE_FREE | PB_CAP_STAYS_MAPPED | PB_CAP_BACKING,
    .unavailable = pool_unavailable,
    .open = pool_open,
    .close = pool_close,
    .attach = pool_attach,
    .detach = pool_detach,
    .realloc = pb_pool_realloc,
    .aligned = pb_pool_aligned,
    .trim = pool_trim,
    .stats = pool_stats,
    .check = pb_pool_check,
};
