/* SPDX-License-Identifier: MIT */
/* A floor that stalls: every so often one allocation, whichever comes first, does not return for a
 * while. What an open loop must see and a closed loop hides (methodology R17).
 * Source:  Tene, "How NOT to Measure Latency", 2013 (coordinated omission).
 * Layout:  heap | head, options, when the next stall is due |;  thread | the block | a mapping each
 * I1       a thread has one block, and gets it whether or not it gave it back
 * Locks    none: who moves `due` on has the stall
 * Cost     a reading of the clock an allocation; the stall spins, so that the system has no part in
 *          it */
#include "doubles/doubles.h"

#include "hot.h"
#include "nt/pages.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

enum { NS_PER_MS = 1000 * 1000, BLOCK_MAX = 1 << 30 };

struct stall_options {
    uint64_t every, length;
};

static const struct pb_option stall_options[] = {
    {.name = "every",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct stall_options, every),
     .unit = "ms",
     .standard = "1000",
     .min = 1,
     .max = 3600 * 1000,
     .help = "from one stall to the next, and from the opening to the first"},
    {.name = "length",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct stall_options, length),
     .unit = "ms",
     .standard = "10",
     .min = 1,
     .max = 10 * 1000,
     .help = "that the allocation takes"},
    {.type = PB_OPTION_END},
};

struct stall_heap {
    struct pb_heap base;
    uint64_t every_ns, length_ns;
    _Atomic uint64_t due PB_CACHE_ALIGNED; /* on the clock; who moves it on has the stall */
};

static uint64_t stall_clock_monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t (*pb_stall_clock)(void) = stall_clock_monotonic;
_Atomic uint64_t pb_stalls;

static struct stall_heap *heap_of(struct pb_heap *heap)
{
    return (struct stall_heap *)(void *)heap;
}

static void *stall_alloc(struct pb_heap *base, struct pb_thread *thread, size_t bytes)
{
    struct stall_heap *heap = heap_of(base);
    const uint64_t now = pb_stall_clock();
    /* relaxed, all: a time guards nothing */
    uint64_t due = atomic_load_explicit(&heap->due, memory_order_relaxed);
    (void)bytes;
    if (now < due ||
        !atomic_compare_exchange_strong_explicit(&heap->due, &due, now + heap->every_ns,
                                                 memory_order_relaxed, memory_order_relaxed))
        return thread;
    atomic_fetch_add_explicit(&pb_stalls, 1, memory_order_relaxed);
    while (pb_stall_clock() - now < heap->length_ns)
        ;
    return thread;
}

static void stall_free(struct pb_heap *base, struct pb_thread *thread, void *block, size_t bytes)
{
    (void)base, (void)thread, (void)block, (void)bytes;
}

static const struct pb_hot stall_hot = {"stall", stall_alloc, stall_free};

static int stall_open(const struct pb_heap_config *config, struct pb_heap **out)
{
    const struct stall_options *options = config->options;
    if (config->block_bytes == 0 || config->block_bytes > BLOCK_MAX)
        return -EINVAL;
    struct stall_heap *heap = pb_pages_map(sizeof *heap);
    if (heap == NULL)
        return -ENOMEM;
    heap->base = (struct pb_heap){&pb_double_stall, &stall_hot, stall_alloc, stall_free,
                                  config->block_bytes};
    heap->every_ns = options->every * NS_PER_MS;
    heap->length_ns = options->length * NS_PER_MS;
    atomic_init(&heap->due, pb_stall_clock() + heap->every_ns);
    *out = &heap->base;
    return 0;
}

static void stall_close(struct pb_heap *base)
{
    pb_pages_unmap(base, sizeof(struct stall_heap));
}

/* The thread's state is its block. */
static int stall_attach(struct pb_heap *base, unsigned index, struct pb_thread **out)
{
    (void)index;
    *out = pb_pages_map(base->block_bytes);
    return *out != NULL ? 0 : -ENOMEM;
}

static void stall_detach(struct pb_heap *base, struct pb_thread *thread)
{
    pb_pages_unmap(thread, base->block_bytes);
}

static void stall_stats(struct pb_heap *base, struct pb_heap_stats *stats)
{
    (void)base, (void)stats;
}

const struct pb_allocator pb_double_stall = {
    .name = "stall",
    .summary = "one block a thread, and now and then an allocation that takes long",
    .source = "poolbench",
    .options = stall_options,
    .option_bytes = sizeof(struct stall_options),
    .capabilities = PB_CAP_FIXED_SIZE | PB_CAP_ONE_BLOCK,
    .open = stall_open,
    .close = stall_close,
    .attach = stall_attach,
    .detach = stall_detach,
    .stats = stall_stats,
};
