/* SPDX-License-Identifier: MIT */
/* Floor: what the hardware asks for the least that a strategy could do: nothing, a lock pair or one
 * 16-byte compare-exchange for each call. A strategy that locks cannot be faster than kind=lock,
 * one with a lock-free list not faster than kind=cas. And kind=chain: a cost that is known
 * beforehand, `links` multiplications that wait for each other (3 cycles each on current x86), for
 * slowdowns that are planted: links=1100 is 10 % slower than links=1000, links=1030 3 %, but for
 * the few cycles of the calls themselves.
 * Source:  poolbench; the lock is Concurrency Kit's fas, the exchange an SLIST's (nt/slist.h).
 * Layout:  heap | head | lock | word |  a line each;   thread | state | block |  one mapping
 * I1       a thread has one block, and gets it whether or not it gave it back
 * Locks    the floor's own guards nothing; it is what is measured
 * Cost     as named; the block is returned by one load. Nothing is counted. */
#include "floor/hot.h"
#include "nt/pages.h"

#include <errno.h>
#include <stdio.h>

enum floor_kind { FLOOR_EMPTY, FLOOR_LOCK, FLOOR_CAS, FLOOR_CHAIN };
enum {
    BLOCK_OFFSET = 128,
    FLOOR_BLOCK_MAX = 1 << 30
}; /* the block's own lines, behind the thread's */

struct floor_options {
    uint64_t kind, links;
};

static const char *const kind_names[] = {"empty", "lock", "cas", "chain", NULL};

static const struct pb_option floor_options[] = {
    {.name = "kind",
     .type = PB_OPTION_CHOICE,
     .offset = offsetof(struct floor_options, kind),
     .standard = "empty",
     .choices = kind_names,
     .help = "what each call does: nothing, a bare lock pair, a bare 16-byte exchange; chain: an "
             "allocation multiplies `links` times, a free does nothing"},
    {.name = "links",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct floor_options, links),
     .unit = "multiplications",
     .standard = "256",
     .min = 1,
     .max = 1000 * 1000,
     .help = "kind=chain: how many, each waiting for the one before it; 1100 is 10 % slower than "
             "1000"},
    {.type = PB_OPTION_END},
};

PB_HOT_DEFINE(floor_empty)
PB_HOT_DEFINE(floor_lock)
PB_HOT_DEFINE(floor_cas)
PB_HOT_DEFINE(floor_chain)

static const struct pb_hot *const kind_paths[] = {&pb_hot_floor_empty, &pb_hot_floor_lock,
                                                  &pb_hot_floor_cas, &pb_hot_floor_chain};

extern const struct pb_allocator pb_allocator_floor;

static bool floor_unavailable(const struct pb_heap_config *config, char *reason, size_t reason_size)
{
    const struct floor_options *options = config->options;
    if (options->kind != FLOOR_CAS || pb_cas16_present())
        return false;
    snprintf(reason, reason_size,
             "kind=cas needs a 16-byte compare-exchange, which this processor or build lacks");
    return true;
}

static int floor_open(const struct pb_heap_config *config, struct pb_heap **out)
{
    const struct floor_options *options = config->options;
    if (config->block_bytes == 0 || config->block_bytes > FLOOR_BLOCK_MAX)
        return -EINVAL;
    struct pb_floor *floor = pb_pages_map(sizeof *floor);
    if (floor == NULL)
        return -ENOMEM;
    const struct pb_hot *hot = kind_paths[options->kind];
    floor->base =
        (struct pb_heap){&pb_allocator_floor, hot, hot->alloc, hot->free, config->block_bytes};
    floor->links = options->links;
    ck_spinlock_fas_init(&floor->lock);
    *out = &floor->base;
    return 0;
}

static void floor_close(struct pb_heap *heap)
{
    pb_pages_unmap(heap, sizeof(struct pb_floor));
}

static int floor_attach(struct pb_heap *heap, unsigned index, struct pb_thread **out)
{
    (void)index;
    struct pb_floor_thread *t = pb_pages_map(BLOCK_OFFSET + heap->block_bytes);
    if (t == NULL)
        return -ENOMEM;
    t->block = (unsigned char *)t + BLOCK_OFFSET;
    t->product = 1;
    *out = (struct pb_thread *)(void *)t;
    return 0;
}

static void floor_detach(struct pb_heap *heap, struct pb_thread *thread)
{
    pb_pages_unmap(thread, BLOCK_OFFSET + heap->block_bytes);
}

/* To count would be to cost: all stays unknown. */
static void floor_stats(struct pb_heap *heap, struct pb_heap_stats *stats)
{
    (void)heap, (void)stats;
}

const struct pb_allocator pb_allocator_floor = {
    .name = "floor",
    .summary =
        "the least that the hardware asks: nothing, a lock pair, an exchange; or a known cost",
    .source = "poolbench; Concurrency Kit, spinlock/fas.h; Intel SDM, CMPXCHG16B",
    .options = floor_options,
    .option_bytes = sizeof(struct floor_options),
    .capabilities = PB_CAP_FIXED_SIZE | PB_CAP_ONE_BLOCK,
    .unavailable = floor_unavailable,
    .open = floor_open,
    .close = floor_close,
    .attach = floor_attach,
    .detach = floor_detach,
    .stats = floor_stats,
};
