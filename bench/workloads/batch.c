/* SPDX-License-Identifier: MIT */
/* Batch: fill n blocks, then free them all in a given order, round after round. With n beyond what
 * the first level keeps (a lookaside's depth, a thread cache's bin) every round goes to the next
 * level, so sweeping n shows where each level ends.
 * Source:  linux-scalability (Lever and Boreham, CITI TR 00-5, 2000: fill, then free in order) and
 *          glibc's bench-malloc-simple (25 to 1600 live blocks); n = 32 is near its first.
 * Layout:  a cursor a worker: place, blocks[n]. order=random: permutations of 0..n-1, shared by
 *          all; a worker draws which of them each round uses, for CHOICES rounds, then wraps, so
 *          that no predictor learns one.
 * Steps    a step is one allocation and its free, counted at the allocation. The drain belongs to
 *          the step that completes the fill: run never returns inside a drain, so where a call of
 *          run ends changes neither operations nor hash. The stream is whole rounds (ops rounded
 *          up).
 * I1       between calls blocks[0..at-1] are live, nothing else
 * I2       at the end of the stream allocs == frees == steps
 * I3       only order=random draws: else the stream is the same for every seed
 * Locks    none; the permutations are const after setup
 * Cost     a step adds a store, a load, a compare and the place in blocks[]; order=random a 16-bit
 *          load. The hash comes from counts: the term of an allocation times their number, and a
 *          sum for each permutation, made in setup.
 * Timing   a timed step times its allocation. Its free comes with the drain and is timed there; the
 *          ticks are handed over with the next timed step, or with this one if it drains. Of the
 *          timed steps of a round one is kept, each with the same probability. */
#include "workloads/loops.h"

#include "engine/rng.h"
#include "workloads/tools.h"

enum batch_order { BATCH_LIFO, BATCH_FIFO, BATCH_RANDOM };
enum { CHOICES = 4096, TABLES_MIN = 16, TABLES_MAX = 256, TABLE_ENTRIES = 64 * 1024 };

struct batch_options {
    uint64_t size, n, order, ops;
};

struct batch_cursor {
    struct pb_stream stream;
    size_t bytes;
    unsigned n, at; /* blocks a round; blocks filled of this one */
    enum batch_order order;
    void **blocks; /* n */
    uint64_t round;
    uint64_t stamp;               /* of blocks[0] in this round: its step */
    const uint16_t *permutations; /* tables x n */
    const uint8_t *choices;       /* CHOICES; NULL unless random */
    const uint64_t *drain_hashes; /* one a permutation; one alone unless random */
    const uint64_t *alloc_hashes; /* [i]: the sum over the first i allocations of a round */
    unsigned timed, kept;         /* timed steps in this round; the one whose free will be timed */
    bool pending;                 /* free_ticks and free_path wait for the next timed step */
    unsigned free_path;
    uint64_t free_ticks;
};

static const char *const batch_orders[] = {"lifo", "fifo", "random", NULL};

static const struct pb_option batch_table[] = {
    {.name = "size",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct batch_options, size),
     .unit = "bytes",
     .standard = "64",
     .min = 1,
     .max = 1u << 20,
     .help = "size of every request"},
    {.name = "n",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct batch_options, n),
     .unit = "blocks",
     .standard = "32",
     .min = 1,
     .max = 65536,
     .help = "blocks allocated before they are freed"},
    {.name = "order",
     .type = PB_OPTION_CHOICE,
     .offset = offsetof(struct batch_options, order),
     .standard = "lifo",
     .choices = batch_orders,
     .help = "order of the frees: last allocated first, first first, or drawn"},
    {.name = "ops",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct batch_options, ops),
     .unit = "steps",
     .standard = "4M",
     .min = 1,
     .max = 1ull << 40,
     .help = "steps of each worker, before the scale; rounded up to whole rounds"},
    {.type = PB_OPTION_END},
};

static unsigned batch_choice(const struct batch_cursor *c)
{
    return c->choices != NULL ? c->choices[c->round % CHOICES] : 0;
}

/* The slot that is freed as number i of a round with that permutation. */
static unsigned batch_slot(const struct batch_cursor *c, unsigned choice, unsigned i)
{
    if (c->order == BATCH_RANDOM)
        return c->permutations[(size_t)choice * c->n + i];
    return c->order == BATCH_LIFO ? c->n - 1 - i : i;
}

/* Fills blocks[at..to-1]; returns how far it came. */
PB_INLINE unsigned batch_fill(struct pb_worker *w, unsigned at, unsigned to, pb_alloc_fn *alloc)
{
    const struct batch_cursor *c = (const struct batch_cursor *)w->cursor;
    struct pb_heap *heap = w->heap;
    struct pb_thread *thread = w->thread;
    void **blocks = c->blocks;
    const size_t bytes = c->bytes;
    const uint64_t stamp = c->stamp;

    for (; at < to; at++) {
        void *block = alloc(heap, thread, bytes);
        if (PB_UNLIKELY(block == NULL))
            break;
        pb_stamp(block, bytes, stamp + at);
        blocks[at] = block;
    }
    return at;
}

/* Frees all of a round in its order; returns the number of stamps lost. */
PB_INLINE uint64_t batch_drain(struct pb_worker *w, pb_free_fn *release)
{
    const struct batch_cursor *c = (const struct batch_cursor *)w->cursor;
    struct pb_heap *heap = w->heap;
    struct pb_thread *thread = w->thread;
    void **blocks = c->blocks;
    const size_t bytes = c->bytes;
    const unsigned n = c->n;
    const uint64_t stamp = c->stamp;
    uint64_t lost = 0;

    if (c->order == BATCH_RANDOM) {
        const uint16_t *order = c->permutations + (size_t)batch_choice(c) * n;
        for (unsigned i = 0; i < n; i++) {
            lost += pb_stamp_lost(blocks[order[i]], bytes, stamp + order[i]);
            release(heap, thread, blocks[order[i]], bytes);
        }
        return lost;
    }
    const unsigned by = c->order == BATCH_LIFO ? ~0u : 1u;
    unsigned slot = c->order == BATCH_LIFO ? n - 1 : 0;
    for (unsigned i = 0; i < n; i++, slot += by) {
        lost += pb_stamp_lost(blocks[slot], bytes, stamp + slot);
        release(heap, thread, blocks[slot], bytes);
    }
    return lost;
}

/* As batch_drain, and times the free of the block that was kept. */
PB_INLINE uint64_t batch_drain_timed(struct pb_worker *w, pb_free_fn *release)
{
    struct batch_cursor *c = (struct batch_cursor *)w->cursor;
    uint64_t lost = 0;

    for (unsigned i = 0; i < c->n; i++) {
        const unsigned slot = batch_slot(c, batch_choice(c), i);
        uint64_t begin = 0;
        lost += pb_stamp_lost(c->blocks[slot], c->bytes, c->stamp + slot);
        if (slot == c->kept)
            begin = pb_timed_begin();
        release(w->heap, w->thread, c->blocks[slot], c->bytes);
        if (slot == c->kept)
            c->free_ticks = pb_timed_end(begin, &c->free_path);
    }
    c->pending = true;
    c->timed = 0;
    return lost;
}

/* The fill is complete: frees the round, counts it and goes to the next one. */
PB_INLINE void batch_finish(struct pb_worker *w, pb_free_fn *release)
{
    struct batch_cursor *c = (struct batch_cursor *)w->cursor;

    if (PB_UNLIKELY(c->timed != 0))
        w->tally.damaged += batch_drain_timed(w, release);
    else
        w->tally.damaged += batch_drain(w, release);
    w->tally.frees += c->n;
    w->tally.hash += c->drain_hashes[batch_choice(c)];
    c->round++;
    c->stamp += c->n;
    c->at = 0;
}

/* Fills up to `to`, counts, and finishes the round if that was its last. Returns steps executed. */
PB_INLINE unsigned batch_advance(struct pb_worker *w, unsigned to, pb_alloc_fn *alloc,
                                 pb_free_fn *release)
{
    struct batch_cursor *c = (struct batch_cursor *)w->cursor;
    const unsigned reached = batch_fill(w, c->at, to, alloc), made = reached - c->at;

    w->tally.hash += c->alloc_hashes[reached] - c->alloc_hashes[c->at];
    c->at = reached;
    c->stream.next += made;
    w->tally.allocs += made;
    w->tally.exhausted += reached < to;
    if (reached == c->n)
        batch_finish(w, release);
    return made;
}

PB_INLINE uint64_t body_run(struct pb_worker *w, uint64_t steps, pb_alloc_fn *alloc,
                            pb_free_fn *release)
{
    struct batch_cursor *c = (struct batch_cursor *)w->cursor;
    const uint64_t wanted = pb_stream_left(&c->stream, steps);
    uint64_t done = 0;

    while (done < wanted) {
        const unsigned room = c->n - c->at;
        const unsigned go = wanted - done < room ? (unsigned)(wanted - done) : room;
        const unsigned made = batch_advance(w, c->at + go, alloc, release);
        done += made;
        if (PB_UNLIKELY(made < go))
            break;
    }
    return done;
}

/* One of the timed steps of a round is kept, each with the same probability (reservoir of one). */
static void batch_keep(struct batch_cursor *c)
{
    uint64_t state = c->stream.next;

    if (pb_splitmix64(&state) % ++c->timed == 0)
        c->kept = c->at;
}

PB_INLINE uint64_t body_timed(struct pb_worker *w, struct pb_timing *timing, pb_alloc_fn *alloc,
                              pb_free_fn *release)
{
    struct batch_cursor *c = (struct batch_cursor *)w->cursor;
    uint64_t begin;

    timing->made = 0;
    if (pb_stream_left(&c->stream, 1) == 0)
        return 0;
    begin = pb_timed_begin();
    void *block = alloc(w->heap, w->thread, c->bytes);
    timing->alloc_ticks = pb_timed_end(begin, &timing->alloc_path);
    if (block == NULL) {
        w->tally.exhausted++;
        return 0;
    }
    pb_stamp(block, c->bytes, c->stamp + c->at);
    c->blocks[c->at] = block;
    batch_keep(c);
    w->tally.hash += c->alloc_hashes[c->at + 1] - c->alloc_hashes[c->at];
    c->at++;
    c->stream.next++;
    w->tally.allocs++;
    if (c->at == c->n)
        batch_finish(w, release);
    timing->made = PB_TIMED_ALLOC | (c->pending ? PB_TIMED_FREE : 0u);
    timing->free_ticks = c->free_ticks;
    timing->free_path = c->free_path;
    c->pending = false;
    return 1;
}

PB_LOOPS_FIXED

/* The permutations, drawn once for all workers; `tables` of them. NULL if the arena is used up. */
static const uint16_t *batch_draw(struct pb_case *c, unsigned n, unsigned tables)
{
    struct pb_rng rng;
    uint16_t *all = pb_arena_take(c->arena, (size_t)n * tables * sizeof(*all), 128);

    if (all == NULL)
        return NULL;
    pb_rng_seed(&rng, c->seed, UINT32_MAX);
    for (unsigned t = 0; t < tables; t++) {
        uint16_t *one = all + (size_t)t * n;
        for (unsigned i = 0; i < n; i++) {
            const unsigned j = (unsigned)pb_rng_below(&rng, i + 1u);
            one[i] = one[j];
            one[j] = (uint16_t)i;
        }
    }
    return all;
}

/* The sum over one drain: which slot is freed at which place. */
static uint64_t batch_drain_hash(const struct batch_cursor *c, unsigned worker, unsigned choice)
{
    uint64_t hash = 0;

    for (unsigned i = 0; i < c->n; i++) {
        const uint64_t slot = batch_slot(c, choice, i);
        hash += pb_op_hash(PB_OP_FREE, worker, slot << 16 ^ i, c->bytes);
    }
    return hash;
}

static int batch_prepare(struct pb_case *c, unsigned worker, unsigned tables)
{
    struct batch_cursor *cursor = (struct batch_cursor *)c->cursors[worker];
    uint64_t *hashes = pb_arena_take(c->arena, tables * sizeof(*hashes), 128);
    uint8_t *choices = cursor->permutations != NULL ? pb_arena_take(c->arena, CHOICES, 128) : NULL;
    struct pb_rng rng;

    uint64_t *allocs = pb_arena_take(c->arena, (cursor->n + 1u) * sizeof(*allocs), 128);

    cursor->blocks = pb_arena_take(c->arena, cursor->n * sizeof(void *), 128);
    if (cursor->blocks == NULL || hashes == NULL || allocs == NULL ||
        (cursor->permutations != NULL && choices == NULL))
        return -ENOMEM;
    pb_rng_seed(&rng, c->seed, worker);
    for (unsigned i = 0; choices != NULL && i < CHOICES; i++)
        choices[i] = (uint8_t)pb_rng_below(&rng, tables);
    for (unsigned t = 0; t < tables; t++)
        hashes[t] = batch_drain_hash(cursor, worker, t);
    cursor->choices = choices;
    cursor->drain_hashes = hashes;
    for (unsigned i = 0; i < cursor->n; i++)
        allocs[i + 1] = allocs[i] + pb_op_hash(PB_OP_ALLOC, worker, i, cursor->bytes);
    cursor->alloc_hashes = allocs;
    return 0;
}

static int batch_setup(struct pb_case *c, char *message, size_t message_size)
{
    const struct batch_options *options = (const struct batch_options *)c->options;
    const unsigned n = (unsigned)options->n;
    const uint64_t ops = pb_stream_scaled(options->ops, c->scale);
    unsigned tables = 1;
    const uint16_t *permutations = NULL;
    int error = pb_cursors_make(c, sizeof(struct batch_cursor));

    (void)message;
    (void)message_size;
    if (error == 0 && options->order == BATCH_RANDOM) {
        tables = TABLE_ENTRIES / n < TABLES_MIN ? TABLES_MIN : TABLE_ENTRIES / n;
        tables = tables > TABLES_MAX ? TABLES_MAX : tables;
        permutations = batch_draw(c, n, tables);
        error = permutations == NULL ? -ENOMEM : 0;
    }
    for (unsigned i = 0; error == 0 && i < c->workers; i++) {
        struct batch_cursor *cursor = (struct batch_cursor *)c->cursors[i];
        cursor->stream.total = (ops + n - 1) / n * n;
        cursor->bytes = (size_t)options->size;
        cursor->n = n;
        cursor->order = (enum batch_order)options->order;
        cursor->permutations = permutations;
        error = batch_prepare(c, i, tables);
    }
    c->shared = NULL;
    c->block_bytes = (size_t)options->size;
    c->expected_blocks = (size_t)c->workers * n;
    c->live_peak_bytes = c->workers * n * options->size;
    c->period = n;
    return error;
}

static void batch_begin(struct pb_worker *w)
{
    struct batch_cursor *c = (struct batch_cursor *)w->cursor;

    c->stream.next = c->round = c->stamp = 0;
    c->at = c->timed = 0;
    c->pending = false;
}

static void batch_end(struct pb_worker *w)
{
    struct batch_cursor *c = (struct batch_cursor *)w->cursor;

    while (c->at > 0)
        w->heap->free(w->heap, w->thread, c->blocks[--c->at], c->bytes);
}

const struct pb_workload pb_workload_batch = {
    .name = "batch",
    .summary = "each worker fills n blocks, then frees them all in a chosen order: depth of caches",
    .source = "linux-scalability, Lever and Boreham, CITI TR 00-5, 2000; glibc bench-malloc-simple "
              "(n 25 to 1600)",
    .reading =
        "ns per op against n: a step up is where a level of the strategy is full. It does not "
        "show fragmentation: sizes are equal and each round ends empty.",
    .step = "one allocation and its free",
    .step_calls = 2,
    .step_workers = 1,
    .options = batch_table,
    .option_bytes = sizeof(struct batch_options),
    .flags = PB_WORKLOAD_MANY_BLOCKS,
    .setup = batch_setup,
    .steps = pb_stream_steps,
    .begin = batch_begin,
    .end = batch_end,
    .loop = body_loop,
};
