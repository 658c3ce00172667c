/* SPDX-License-Identifier: MIT */
/* Pair: allocate, write one word, free, over and over. The shortest path of a strategy and nothing
 * else: after the first step every request is served by the block that was just given back.
 * Source:  the loop of malloc-test (Lever and Boreham, CITI TR 00-5, 2000) with one live block; 64
 *          bytes as in xmalloc-test, which comes from it.
 * Layout:  a cursor a worker: place, size, the blocks beside
 * I1       allocs == frees == steps; a block never outlives its step. The blocks that stay live
 *          beside are no steps: they come before the loop and go behind it
 * I2       nothing is drawn: the stream, and so the hash, is the same for every seed
 * Locks    none; workers share nothing
 * Cost     a step adds a store, a load and a compare to the two calls. The hash is computed behind
 *          the loop: a step is always the same two operations, so n steps are n times their sum. */
#include "workloads/loops.h"

#include "workloads/tools.h"

struct pair_options {
    uint64_t size, live, ops;
};

struct pair_cursor {
    struct pb_stream stream;
    size_t bytes;
    unsigned live;
    void **beside; /* [live] */
};

static const struct pb_option pair_table[] = {
    {.name = "size",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct pair_options, size),
     .unit = "bytes",
     .standard = "64",
     .min = 1,
     .max = 1u << 20,
     .help = "size of every request"},
    {.name = "live",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct pair_options, live),
     .unit = "blocks",
     .standard = "0",
     .min = 0,
     .max = 65536,
     .help = "blocks of each worker's that stay live beside, so that no page becomes empty: more "
             "than pools take turns, of half a page at most"},
    {.name = "ops",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct pair_options, ops),
     .unit = "steps",
     .standard = "4M",
     .min = 1,
     .max = 1ull << 40,
     .help = "steps of each worker, before the scale"},
    {.type = PB_OPTION_END},
};

static void pair_count(struct pb_worker *w, uint64_t steps, uint64_t damaged, bool exhausted)
{
    const struct pair_cursor *cursor = (const struct pair_cursor *)w->cursor;
    const uint64_t step = pb_op_hash(PB_OP_ALLOC, w->index, 0, cursor->bytes) +
                          pb_op_hash(PB_OP_FREE, w->index, 0, cursor->bytes);

    w->tally.allocs += steps;
    w->tally.frees += steps;
    w->tally.exhausted += exhausted;
    w->tally.damaged += damaged;
    w->tally.hash += steps * step;
}

PB_INLINE uint64_t body_run(struct pb_worker *w, uint64_t steps, pb_alloc_fn *alloc,
                            pb_free_fn *release)
{
    struct pair_cursor *cursor = (struct pair_cursor *)w->cursor;
    struct pb_heap *heap = w->heap;
    struct pb_thread *thread = w->thread;
    const size_t bytes = cursor->bytes;
    const uint64_t first = cursor->stream.next,
                   end = first + pb_stream_left(&cursor->stream, steps);
    uint64_t i, damaged = 0;

    for (i = first; i < end; i++) {
        void *block = alloc(heap, thread, bytes);
        if (PB_UNLIKELY(block == NULL))
            break;
        pb_stamp(block, bytes, i);
        damaged += pb_stamp_lost(block, bytes, i);
        release(heap, thread, block, bytes);
    }
    cursor->stream.next = i;
    pair_count(w, i - first, damaged, i < end);
    return i - first;
}

PB_INLINE uint64_t body_timed(struct pb_worker *w, struct pb_timing *timing, pb_alloc_fn *alloc,
                              pb_free_fn *release)
{
    struct pair_cursor *cursor = (struct pair_cursor *)w->cursor;
    const size_t bytes = cursor->bytes;
    const uint64_t i = cursor->stream.next;
    uint64_t begin, damaged;
    void *block;

    timing->made = 0;
    if (pb_stream_left(&cursor->stream, 1) == 0)
        return 0;
    begin = pb_timed_begin();
    block = alloc(w->heap, w->thread, bytes);
    timing->alloc_ticks = pb_timed_end(begin, &timing->alloc_path);
    if (block == NULL) {
        pair_count(w, 0, 0, true);
        return 0;
    }
    pb_stamp(block, bytes, i);
    damaged = pb_stamp_lost(block, bytes, i);
    begin = pb_timed_begin();
    release(w->heap, w->thread, block, bytes);
    timing->free_ticks = pb_timed_end(begin, &timing->free_path);
    timing->made = PB_TIMED_ALLOC | PB_TIMED_FREE;
    cursor->stream.next = i + 1;
    pair_count(w, 1, damaged, false);
    return 1;
}

PB_LOOPS_FIXED

static int pair_setup(struct pb_case *c, char *message, size_t message_size)
{
    const struct pair_options *options = (const struct pair_options *)c->options;
    const int error = pb_cursors_make(c, sizeof(struct pair_cursor));

    (void)message;
    (void)message_size;
    if (error != 0)
        return error;
    for (unsigned i = 0; i < c->workers; i++) {
        struct pair_cursor *cursor = (struct pair_cursor *)c->cursors[i];
        cursor->stream.total = pb_stream_scaled(options->ops, c->scale);
        cursor->bytes = (size_t)options->size;
        cursor->live = (unsigned)options->live;
        cursor->beside = pb_arena_take(c->arena, cursor->live * sizeof(void *) + 1, sizeof(void *));
        if (cursor->beside == NULL)
            return -ENOMEM;
    }
    c->shared = NULL;
    c->block_bytes = (size_t)options->size;
    c->expected_blocks = c->workers * (1 + options->live);
    c->live_peak_bytes = c->expected_blocks * options->size;
    return 0;
}

/* A floor has one block and no page that could become empty: nothing is live beside it. */
static void pair_begin(struct pb_worker *w)
{
    struct pair_cursor *cursor = (struct pair_cursor *)w->cursor;
    const bool one = (w->heap->ops->capabilities & PB_CAP_ONE_BLOCK) != 0;

    cursor->stream.next = 0;
    for (unsigned i = 0; i < cursor->live && !one; i++) {
        cursor->beside[i] = w->heap->alloc(w->heap, w->thread, cursor->bytes);
        if (cursor->beside[i] != NULL)
            pb_stamp(cursor->beside[i], cursor->bytes, i);
        else
            w->tally.exhausted++;
    }
}

static void pair_end(struct pb_worker *w)
{
    struct pair_cursor *cursor = (struct pair_cursor *)w->cursor;

    for (unsigned i = 0; i < cursor->live; i++) {
        if (cursor->beside[i] == NULL)
            continue;
        w->tally.damaged += pb_stamp_lost(cursor->beside[i], cursor->bytes, i);
        w->heap->free(w->heap, w->thread, cursor->beside[i], cursor->bytes);
        cursor->beside[i] = NULL;
    }
}

const struct pb_workload pb_workload_pair = {
    .name = "pair",
    .summary = "each worker allocates a block, writes a word and frees it: the shortest path",
    .source =
        "malloc-test, Lever and Boreham, CITI TR 00-5, 2000, with one live block; 64 bytes as "
        "in xmalloc-test",
    .reading =
        "ns per op is the cost of one allocation and its free when the block is still in the "
        "nearest cache. It says nothing about memory use, reuse order or misses.",
    .step = "one allocation and its free",
    .step_calls = 2,
    .step_workers = 1,
    .options = pair_table,
    .option_bytes = sizeof(struct pair_options),
    .flags = 0,
    .setup = pair_setup,
    .steps = pb_stream_steps,
    .begin = pair_begin,
    .end = pair_end,
    .loop = body_loop,
};
