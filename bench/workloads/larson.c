/* SPDX-License-Identifier: MIT */
/* Larson: a server's heap. Each worker owns a slice of live blocks of mixed sizes and replaces one
 * at a random place, over and over: free it, allocate another of a random size there.
 * Source:  Larson and Krishnan, "Memory Allocation for Long-Running Server Applications", ISMM
 *          1998; 8 to 1000 bytes and 5000 blocks a thread as mimalloc-bench runs it. Differs:
 *          workers live on (none hands its slice to a successor), begin fills the slice in order
 *          and does not age it by random replacements, and sizes include the upper bound.
 * Layout:  a cursor a worker: slots[chunks] {block, bytes, stamp}; draws[DRAWS] {slot, bytes}, made
 *          in setup and wrapped: the loop draws nothing; first[chunks], the sizes begin fills
 * I1       a slot's block is live with that size and stamp, or NULL after a failed allocation
 * I2       while nothing fails, `chunks` blocks are live at every step; allocs == frees == steps
 * Locks    none; workers share nothing
 * Cost     a step adds a 4-byte load in sequence, a slot of 16 bytes at a random place (80 KB in
 *          all by default), a load and a store in blocks, and two operation hashes: slot and size
 *          are data here, so they are summed in the loop. */
#include "workloads/loops.h"

#include "engine/rng.h"
#include "workloads/tools.h"

#include <stdio.h>

enum { DRAWS = 64 * 1024 }; /* a power of two */

struct larson_options {
    uint64_t min, max, chunks, ops;
};

struct larson_draw {
    uint16_t slot, bytes;
};

struct larson_slot {
    unsigned char *block;
    uint32_t bytes, stamp;
};

struct larson_cursor {
    struct pb_stream stream;
    unsigned chunks;
    struct larson_slot *slots;
    const struct larson_draw *draws;
    const uint16_t *first;
};

static const struct pb_option larson_table[] = {
    {.name = "min",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct larson_options, min),
     .unit = "bytes",
     .standard = "8",
     .min = 1,
     .max = 65535,
     .help = "smallest request"},
    {.name = "max",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct larson_options, max),
     .unit = "bytes",
     .standard = "1000",
     .min = 1,
     .max = 65535,
     .help = "largest request"},
    {.name = "chunks",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct larson_options, chunks),
     .unit = "blocks",
     .standard = "5000",
     .min = 1,
     .max = 65536,
     .help = "live blocks of each worker"},
    {.name = "ops",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct larson_options, ops),
     .unit = "steps",
     .standard = "2M",
     .min = 1,
     .max = 1ull << 40,
     .help = "steps of each worker, before the scale"},
    {.type = PB_OPTION_END},
};

/* Frees what the slot holds. */
PB_INLINE void larson_free(struct pb_worker *w, struct pb_tally *tally, unsigned at,
                           pb_free_fn *release, struct pb_timing *timing)
{
    struct larson_slot *slot = &((struct larson_cursor *)w->cursor)->slots[at];
    uint64_t begin = 0;

    if (PB_UNLIKELY(slot->block == NULL))
        return;
    tally->damaged += pb_stamp_lost(slot->block, slot->bytes, slot->stamp);
    tally->hash += pb_op_hash(PB_OP_FREE, w->index, at, slot->bytes);
    if (timing != NULL)
        begin = pb_timed_begin();
    release(w->heap, w->thread, slot->block, slot->bytes);
    if (timing != NULL) {
        timing->free_ticks = pb_timed_end(begin, &timing->free_path);
        timing->made |= PB_TIMED_FREE;
    }
    tally->frees++;
    slot->block = NULL;
}

/* Allocates into the empty slot; false if there is no memory. */
PB_INLINE bool larson_alloc(struct pb_worker *w, struct pb_tally *tally,
                            const struct larson_draw *draw, uint32_t stamp, pb_alloc_fn *alloc,
                            struct pb_timing *timing)
{
    struct larson_slot *slot = &((struct larson_cursor *)w->cursor)->slots[draw->slot];
    uint64_t begin = 0;

    if (timing != NULL)
        begin = pb_timed_begin();
    slot->block = alloc(w->heap, w->thread, draw->bytes);
    if (timing != NULL) {
        timing->alloc_ticks = pb_timed_end(begin, &timing->alloc_path);
        timing->made |= PB_TIMED_ALLOC;
    }
    if (PB_UNLIKELY(slot->block == NULL)) {
        tally->exhausted++;
        return false;
    }
    slot->bytes = draw->bytes;
    slot->stamp = stamp;
    pb_stamp(slot->block, slot->bytes, stamp);
    tally->allocs++;
    tally->hash += pb_op_hash(PB_OP_ALLOC, w->index, draw->slot, draw->bytes);
    return true;
}

PB_INLINE uint64_t larson_steps(struct pb_worker *w, uint64_t steps, pb_alloc_fn *alloc,
                                pb_free_fn *release, struct pb_timing *timing)
{
    struct larson_cursor *c = (struct larson_cursor *)w->cursor;
    const struct larson_draw *draws = c->draws;
    const uint64_t first = c->stream.next, end = first + pb_stream_left(&c->stream, steps);
    struct pb_tally tally = w->tally;
    uint64_t i;

    for (i = first; i < end; i++) {
        const struct larson_draw *draw = &draws[i % DRAWS];
        larson_free(w, &tally, draw->slot, release, timing);
        if (PB_UNLIKELY(!larson_alloc(w, &tally, draw, (uint32_t)i, alloc, timing)))
            break;
    }
    c->stream.next = i;
    w->tally = tally;
    return i - first;
}

PB_INLINE uint64_t body_run(struct pb_worker *w, uint64_t steps, pb_alloc_fn *alloc,
                            pb_free_fn *release)
{
    return larson_steps(w, steps, alloc, release, NULL);
}

PB_INLINE uint64_t body_timed(struct pb_worker *w, struct pb_timing *timing, pb_alloc_fn *alloc,
                              pb_free_fn *release)
{
    timing->made = 0;
    return larson_steps(w, 1, alloc, release, timing);
}

PB_LOOPS_MIXED

static int larson_draw(struct pb_case *c, unsigned worker)
{
    const struct larson_options *o = (const struct larson_options *)c->options;
    struct larson_cursor *cursor = (struct larson_cursor *)c->cursors[worker];
    struct larson_draw *draws = pb_arena_take(c->arena, DRAWS * sizeof(*draws), 128);
    uint16_t *first = pb_arena_take(c->arena, o->chunks * sizeof(*first), 128);
    const uint64_t sizes = o->max - o->min + 1;
    struct pb_rng rng;

    cursor->slots = pb_arena_take(c->arena, o->chunks * sizeof(struct larson_slot), 128);
    if (draws == NULL || first == NULL || cursor->slots == NULL)
        return -ENOMEM;
    pb_rng_seed(&rng, c->seed, worker);
    for (unsigned i = 0; i < o->chunks; i++)
        first[i] = (uint16_t)(o->min + pb_rng_below(&rng, sizes));
    for (unsigned i = 0; i < DRAWS; i++) {
        draws[i].slot = (uint16_t)pb_rng_below(&rng, o->chunks);
        draws[i].bytes = (uint16_t)(o->min + pb_rng_below(&rng, sizes));
    }
    cursor->stream.total = pb_stream_scaled(o->ops, c->scale);
    cursor->chunks = (unsigned)o->chunks;
    cursor->draws = draws;
    cursor->first = first;
    return 0;
}

static int larson_check(const void *options, char *message, size_t message_size)
{
    const struct larson_options *o = (const struct larson_options *)options;

    if (o->min <= o->max)
        return 0;
    snprintf(message, message_size, "min=%llu is above max=%llu; lower min or raise max",
             (unsigned long long)o->min, (unsigned long long)o->max);
    return -EINVAL;
}

static int larson_setup(struct pb_case *c, char *message, size_t message_size)
{
    const struct larson_options *o = (const struct larson_options *)c->options;
    int error = larson_check(o, message, message_size);

    if (error == 0)
        error = pb_cursors_make(c, sizeof(struct larson_cursor));
    for (unsigned i = 0; error == 0 && i < c->workers; i++)
        error = larson_draw(c, i);
    c->shared = NULL;
    c->block_bytes = 0;
    c->expected_blocks = c->workers * (size_t)o->chunks;
    c->live_peak_bytes = 0;
    return error;
}

static void larson_begin(struct pb_worker *w)
{
    struct larson_cursor *c = (struct larson_cursor *)w->cursor;

    c->stream.next = 0;
    for (unsigned i = 0; i < c->chunks; i++) {
        struct larson_slot *slot = &c->slots[i];
        slot->bytes = c->first[i];
        slot->stamp = i;
        slot->block = w->heap->alloc(w->heap, w->thread, slot->bytes);
        if (slot->block != NULL)
            pb_stamp(slot->block, slot->bytes, slot->stamp);
        else
            w->tally.exhausted++;
    }
}

static void larson_end(struct pb_worker *w)
{
    struct larson_cursor *c = (struct larson_cursor *)w->cursor;

    for (unsigned i = 0; i < c->chunks; i++) {
        struct larson_slot *slot = &c->slots[i];
        if (slot->block == NULL)
            continue;
        w->tally.damaged += pb_stamp_lost(slot->block, slot->bytes, slot->stamp);
        w->heap->free(w->heap, w->thread, slot->block, slot->bytes);
        slot->block = NULL;
    }
}

const struct pb_workload pb_workload_larson = {
    .name = "larson",
    .summary = "each worker replaces random blocks of a live set of mixed sizes: a server's heap",
    .source = "Larson and Krishnan, ISMM 1998; 8 to 1000 bytes, 5000 blocks a thread as in "
              "mimalloc-bench",
    .reading =
        "ns per op is a free and an allocation at a random place of a set larger than the first "
        "cache. Here threads live on: the original's bleeding (a new thread frees what its "
        "predecessor allocated) is not part of it, and sizes are uniform as in no real program.",
    .step = "one free and one allocation",
    .step_calls = 2,
    .step_workers = 1,
    .options = larson_table,
    .option_bytes = sizeof(struct larson_options),
    .flags = PB_WORKLOAD_MIXED_SIZES | PB_WORKLOAD_MANY_BLOCKS,
    .check = larson_check,
    .setup = larson_setup,
    .steps = pb_stream_steps,
    .begin = larson_begin,
    .end = larson_end,
    .loop = body_loop,
};
