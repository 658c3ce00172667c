/* SPDX-License-Identifier: MIT */
/* The strategies' heaps under stress, in variants that the executive's own pool is not: other
 * locks, lists, backings and kinds of memory. Three at a time, others each epoch. Threads: any;
 * each has a state of its own in each heap. */
#include "nt/stress.h"

#include "registry.h"

#include <errno.h>
#include <stdio.h>

/* Locks whose waiters stand in line are left out: with more threads than processors they wait for
 * those that do not run. */
static const char *const texts[] = {"pool",
                                    "pool:lists=off,shared_lists=off",
                                    "pool:lock=dec",
                                    "pool:lock=mutex,profile=vista",
                                    "pool:profile=nt4,lists=off,shared_lists=off",
                                    "pool:profile=win8,type=nx,nonpaged_pools=3",
                                    "pool:type=paged,profile=win8_86,paged_pools=2",
                                    "pool:profile=vista86,link_checks=on,tail_reuse=on",
                                    "pool:quota=on",
                                    "pool:tune=on,tune_period=5",
                                    "pool:release=16k,tail_reuse=on",
                                    "pool:search=next,page_walk=on,lists=off,shared_lists=off",
                                    "zone:lock=fas",
                                    "zone:lock=dec,segment=8k",
                                    "lookaside:scope=list,depth=4",
                                    "lookaside:scope=thread,depth=16",
                                    "lookaside:scope=percpu",
                                    "lookaside:tune=adaptive,tune_period=5",
                                    "lookaside:backing=pool:profile=vista"};

enum { TEXTS = sizeof texts / sizeof *texts, BYTES_MOST = 3000 };

static struct heap {
    const char *text;
    char what[PB_VARIANT_MAX + 8];
    struct pb_variant variant;
    struct pb_opened opened;
    struct pb_thread *threads[STRESS_THREADS_MOST];
    size_t block_bytes; /* 0: any */
    bool is_open;
} heaps[STRESS_HEAPS];

static void turn(struct stress_worker *worker, const struct stress_actor *actor)
{
    unsigned which = (unsigned)stress_below(worker, STRESS_HEAPS);
    struct heap *heap = &heaps[which];
    if (!heap->is_open) {
        stress_refused(worker);
        return;
    }
    size_t bytes =
        heap->block_bytes != 0 ? heap->block_bytes : 1 + stress_below(worker, BYTES_MOST);
    void *at = heap->opened.heap->alloc(heap->opened.heap, heap->threads[worker->index], bytes);
    if (at == NULL)
        stress_found(FOUND_BROKEN, "%s: %zu bytes are refused", heap->text, bytes);
    struct stress_block *block = stress_claim(worker, actor, at, bytes, bytes);
    block->which = which;
    stress_post(worker, block, BOOK_HEAP + which, bytes);
    stress_publish(worker, block);
}

static void give(struct stress_worker *worker, struct stress_block *block)
{
    struct heap *heap = &heaps[block->which];
    void *at = atomic_load_explicit(&block->at, memory_order_relaxed); /* the owner's own */
    if (!stress_plant(worker, PLANT_HEAP))
        heap->opened.heap->free(heap->opened.heap, heap->threads[worker->index], at, block->bytes);
}

static const struct stress_actor actors[] = {{"strategies' heaps", 150, turn, give, NULL}};

static void open_heap(struct heap *heap)
{
    char message[256] = "";
    heap->text = texts[pb_rng_below(&stress_run.rng, TEXTS)];
    (void)snprintf(heap->what, sizeof heap->what, "heap %s", heap->text);
    heap->block_bytes =
        pb_rng_below(&stress_run.rng, 2) != 0 ? 8 + 8 * pb_rng_below(&stress_run.rng, 200) : 0;
    int error = pb_variant_parse(heap->text, &heap->variant, message, sizeof message);
    if (error != 0)
        stress_found(FOUND_BROKEN, "%s: %s", heap->text, message);
    const struct pb_heap_request request = {.block_bytes = heap->block_bytes,
                                            .threads = stress_run.threads};
    error = pb_variant_open(&heap->variant, &request, &heap->opened, message, sizeof message);
    heap->is_open = error == 0;
    if (error == -ENOTSUP)
        return; /* not on this machine */
    if (error != 0)
        stress_found(FOUND_BROKEN, "%s cannot be opened: %s", heap->text, message);
    for (unsigned i = 0; i < stress_run.threads; i++)
        if (heap->opened.heap->ops->attach(heap->opened.heap, i, &heap->threads[i]) != 0)
            stress_found(FOUND_BROKEN, "%s: thread %u cannot be attached", heap->text, i);
}

static void open(void)
{
    for (unsigned i = 0; i < STRESS_HEAPS; i++)
        open_heap(&heaps[i]);
}

static void check(void)
{
    for (unsigned i = 0; i < STRESS_HEAPS; i++) {
        const struct heap *heap = &heaps[i];
        struct pb_heap_stats stats;
        char message[256] = "";
        if (!heap->is_open)
            continue;
        const struct pb_allocator *ops = heap->opened.heap->ops;
        if (ops->check != NULL && ops->check(heap->opened.heap, message, sizeof message) != 0)
            stress_found(FOUND_STRUCTURE, "%s: %s", heap->text, message);
        pb_stats_unknown(&stats);
        ops->stats(heap->opened.heap, &stats);
        int64_t bytes = stats.requested_bytes != PB_STAT_UNKNOWN ? (int64_t)stats.requested_bytes
                                                                 : stress_sum(BOOK_HEAP + i).bytes;
        stress_compare(BOOK_HEAP + i, heap->what, (int64_t)(stats.allocs - stats.frees), bytes);
    }
}

static void close(void)
{
    check();
    for (unsigned i = 0; i < STRESS_HEAPS; i++) {
        struct heap *heap = &heaps[i];
        if (!heap->is_open)
            continue;
        for (unsigned t = 0; t < stress_run.threads; t++)
            heap->opened.heap->ops->detach(heap->opened.heap, heap->threads[t]);
        pb_variant_close(&heap->opened);
        heap->is_open = false;
    }
}

const struct stress_part stress_heaps = {open, check, close, actors, 1};
