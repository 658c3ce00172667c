/* SPDX-License-Identifier: MIT */
/* Handoff: pairs of workers; the even one allocates, the odd one frees. No block is freed by the
 * thread that allocated it: the path that thread caches are worst at.
 * Source:  xmalloc-test (Lever and Boreham, CITI TR 00-5, 2000) with producers and consumers, as in
 *          Kuszmaul's SuperMalloc (ISMM 2015); 64 bytes. Differs: a ring a pair in place of one
 *          locked list, so that the harness's own queue costs little, and batches of 64 in place of
 *          4096.
 * Layout:  a ring a pair of depth x batch pointers, and two counts, each on lines of its own.
 *          published: blocks handed over, written by the producer alone.
 *          returned: places given back, written by the consumer alone.
 *          Both only grow, over all phases; their owners keep the place in the ring beside them.
 * I1       returned <= published <= returned + depth x batch
 * I2       a count is published at whole batches, before its owner waits, and when a call of run
 *          returns: neither side can wait for what the other has made and not told
 * I3       a phase ends with published == returned: the consumer's end frees what is left
 * Locks    none. published: release after pointers and contents are written, acquire before they
 *          are read. returned: release after a place was read, acquire before it is overwritten.
 *          left, the phase that a side has left: release after its last count, acquire before that
 *          count is read a last time.
 * Steps    both workers of a pair run one step a block, so a worker's time for a step is the time
 *          for a block handed over.
 * Cost     a step adds a store or a load in the ring and a store or a compare in the block; a batch
 *          adds a release store and, where the other side is behind, a miss on its count. */
#include "workloads/loops.h"

#include "workloads/tools.h"

#include <stdatomic.h>
#include <stdio.h>

struct handoff_options {
    uint64_t size, batch, depth, ops;
};

struct handoff_side {
    _Atomic uint64_t count; /* published or returned */
    _Atomic uint64_t left;  /* the last phase whose stream this side has left */
} PB_CACHE_ALIGNED;

struct handoff_ring {
    struct handoff_side producer, consumer;
    void **blocks;
};

/* Both kinds of worker have the same cursor. */
struct handoff_cursor {
    struct pb_stream stream;
    size_t bytes;
    struct handoff_ring *ring;
    struct handoff_side *own, *other;
    uint64_t length; /* of the ring: depth x batch */
    uint64_t ahead;  /* what may be done beyond the other's count: length or 0 */
    uint64_t batch;
    uint64_t made;     /* blocks produced or taken over all phases */
    uint64_t seen;     /* the other side's count, as read last */
    uint64_t place;    /* made % length */
    uint64_t in_batch; /* of this phase's current batch */
    uint64_t phase;    /* 1, 2, ... */
    uint64_t op_hash;
    bool yields, exhausted;
};

static const struct pb_option handoff_table[] = {
    {.name = "size",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct handoff_options, size),
     .unit = "bytes",
     .standard = "64",
     .min = 1,
     .max = 1u << 20,
     .help = "size of every request"},
    {.name = "batch",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct handoff_options, batch),
     .unit = "blocks",
     .standard = "64",
     .min = 1,
     .max = 4096,
     .help = "blocks handed over at a time"},
    {.name = "depth",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct handoff_options, depth),
     .unit = "batches",
     .standard = "16",
     .min = 1,
     .max = 1024,
     .help = "batches that a producer may be ahead"},
    {.name = "ops",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct handoff_options, ops),
     .unit = "steps",
     .standard = "4M",
     .min = 1,
     .max = 1ull << 40,
     .help = "blocks of each pair, before the scale"},
    {.type = PB_OPTION_END},
};

/* How many of `wanted` steps can follow now: to the end of the batch, the ring and what the other
 * side allows. */
static uint64_t handoff_room(struct handoff_cursor *c, uint64_t wanted)
{
    const uint64_t batch = c->batch - c->in_batch, wrap = c->length - c->place;
    const uint64_t allowed = c->seen + c->ahead - c->made;
    uint64_t room = batch < wrap ? batch : wrap;

    room = allowed < room ? allowed : room;
    return wanted < room ? wanted : room;
}

/* Publishes what was made. */
static void handoff_publish(struct handoff_cursor *c)
{
    /* release: pointers and contents (producer), or the reads of the places (consumer), come first
     */
    atomic_store_explicit(&c->own->count, c->made, memory_order_release);
}

/* Says that this side does nothing more in this phase. */
static void handoff_leave(struct handoff_cursor *c)
{
    handoff_publish(c);
    /* release: the count that was published last comes first */
    atomic_store_explicit(&c->own->left, c->phase, memory_order_release);
}

/* Steps that may still be executed: none once memory was exhausted. */
static uint64_t handoff_left(const struct handoff_cursor *c, uint64_t steps)
{
    return c->exhausted ? 0 : pb_stream_left(&c->stream, steps);
}

/* The producer has no memory: the consumer must not wait for what does not come. */
static PB_NOINLINE void handoff_exhaust(struct pb_worker *w)
{
    struct handoff_cursor *c = (struct handoff_cursor *)w->cursor;

    w->tally.exhausted++;
    c->exhausted = true;
    handoff_leave(c);
}

/* Waits until at least one step can follow; false if the other side has left and none will. */
static PB_NOINLINE bool handoff_wait(struct handoff_cursor *c, uint64_t *waits)
{
    unsigned spins = 0;

    for (;;) {
        /* acquire: if it has left, the count read next is its last */
        const bool left = atomic_load_explicit(&c->other->left, memory_order_acquire) >= c->phase;
        /* acquire: what the other side did before it published is visible */
        c->seen = atomic_load_explicit(&c->other->count, memory_order_acquire);
        if (c->seen + c->ahead != c->made)
            return true;
        if (left)
            return false;
        if (spins == 0) {
            handoff_publish(c);
            ++*waits;
        }
        pb_wait_turn(&spins, c->yields);
    }
}

/* Counts `n` steps in the batch; a whole one is published. */
PB_INLINE void handoff_advance(struct handoff_cursor *c, uint64_t n)
{
    c->made += n;
    c->place = c->place + n == c->length ? 0 : c->place + n;
    c->in_batch += n;
    c->stream.next += n;
    if (c->in_batch == c->batch) {
        c->in_batch = 0;
        handoff_publish(c);
    }
}

/* Fills `n` places; returns how many it could. */
PB_INLINE uint64_t handoff_produce(struct pb_worker *w, uint64_t n, pb_alloc_fn *alloc)
{
    const struct handoff_cursor *c = (const struct handoff_cursor *)w->cursor;
    struct pb_heap *heap = w->heap;
    struct pb_thread *thread = w->thread;
    void **blocks = c->ring->blocks + c->place;
    const size_t bytes = c->bytes;
    const uint64_t stamp = c->made;
    uint64_t i;

    for (i = 0; i < n; i++) {
        void *block = alloc(heap, thread, bytes);
        if (PB_UNLIKELY(block == NULL))
            break;
        pb_stamp(block, bytes, stamp + i);
        blocks[i] = block;
    }
    w->tally.allocs += i;
    return i;
}

PB_INLINE void handoff_consume(struct pb_worker *w, uint64_t n, pb_free_fn *release)
{
    const struct handoff_cursor *c = (const struct handoff_cursor *)w->cursor;
    struct pb_heap *heap = w->heap;
    struct pb_thread *thread = w->thread;
    void **blocks = c->ring->blocks + c->place;
    const size_t bytes = c->bytes;
    const uint64_t stamp = c->made;
    uint64_t lost = 0;

    for (uint64_t i = 0; i < n; i++) {
        lost += pb_stamp_lost(blocks[i], bytes, stamp + i);
        release(heap, thread, blocks[i], bytes);
    }
    w->tally.frees += n;
    w->tally.damaged += lost;
}

PB_INLINE uint64_t body_run(struct pb_worker *w, uint64_t steps, pb_alloc_fn *alloc,
                            pb_free_fn *release)
{
    struct handoff_cursor *c = (struct handoff_cursor *)w->cursor;
    const bool produces = w->index % 2 == 0;
    const uint64_t wanted = handoff_left(c, steps);
    uint64_t done = 0;

    while (done < wanted) {
        const uint64_t room = handoff_room(c, wanted - done);
        uint64_t n = room;
        if (PB_UNLIKELY(room == 0)) {
            if (!handoff_wait(c, &w->tally.waits))
                break;
            continue;
        }
        if (produces)
            n = handoff_produce(w, room, alloc);
        else
            handoff_consume(w, room, release);
        handoff_advance(c, n);
        done += n;
        if (PB_UNLIKELY(n < room)) {
            handoff_exhaust(w);
            break;
        }
    }
    handoff_publish(c);
    w->tally.hash += done * c->op_hash;
    return done;
}

PB_INLINE uint64_t body_timed(struct pb_worker *w, struct pb_timing *timing, pb_alloc_fn *alloc,
                              pb_free_fn *release)
{
    struct handoff_cursor *c = (struct handoff_cursor *)w->cursor;
    const bool produces = w->index % 2 == 0;
    uint64_t begin;

    timing->made = 0;
    if (handoff_left(c, 1) == 0 || (handoff_room(c, 1) == 0 && !handoff_wait(c, &w->tally.waits)))
        return 0;
    void **place = c->ring->blocks + c->place;
    if (!produces)
        w->tally.damaged += pb_stamp_lost(*place, c->bytes, c->made);
    begin = pb_timed_begin();
    if (produces)
        *place = alloc(w->heap, w->thread, c->bytes);
    else
        release(w->heap, w->thread, *place, c->bytes);
    timing->alloc_ticks = timing->free_ticks = pb_timed_end(begin, &timing->alloc_path);
    timing->free_path = timing->alloc_path | PB_PATH_REMOTE; /* the producer is another worker */
    if (produces && PB_UNLIKELY(*place == NULL)) {
        handoff_exhaust(w);
        return 0;
    }
    if (produces)
        pb_stamp(*place, c->bytes, c->made);
    timing->made = produces ? PB_TIMED_ALLOC : PB_TIMED_FREE;
    w->tally.allocs += produces;
    w->tally.frees += !produces;
    w->tally.hash += c->op_hash;
    handoff_advance(c, 1);
    handoff_publish(c);
    return 1;
}

PB_LOOPS_FIXED

static bool handoff_unsuitable(const void *options, unsigned workers, char *reason,
                               size_t reason_size)
{
    (void)options;
    if (workers % 2 == 0 && workers > 0)
        return false;
    snprintf(reason, reason_size, "handoff runs pairs of a producer and a consumer; %u is odd",
             workers);
    return true;
}

static int handoff_pair(struct pb_case *c, unsigned pair)
{
    const struct handoff_options *o = (const struct handoff_options *)c->options;
    struct handoff_ring *ring = pb_arena_take(c->arena, sizeof(*ring), 128);

    if (ring == NULL)
        return -ENOMEM;
    ring->blocks = pb_arena_take(c->arena, o->batch * o->depth * sizeof(void *), 128);
    if (ring->blocks == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < 2; i++) {
        const unsigned index = 2 * pair + i;
        struct handoff_cursor *cursor = (struct handoff_cursor *)c->cursors[index];
        cursor->stream.total = pb_stream_scaled(o->ops, c->scale);
        cursor->bytes = (size_t)o->size;
        cursor->ring = ring;
        cursor->own = i == 0 ? &ring->producer : &ring->consumer;
        cursor->other = i == 0 ? &ring->consumer : &ring->producer;
        cursor->length = o->batch * o->depth;
        cursor->ahead = i == 0 ? cursor->length : 0;
        cursor->batch = o->batch;
        cursor->op_hash = pb_op_hash(i == 0 ? PB_OP_ALLOC : PB_OP_FREE, index, 0, cursor->bytes);
        cursor->yields = c->oversubscribed;
    }
    return 0;
}

static int handoff_setup(struct pb_case *c, char *message, size_t message_size)
{
    const struct handoff_options *o = (const struct handoff_options *)c->options;
    int error;

    if (handoff_unsuitable(o, c->workers, message, message_size))
        return -EINVAL;
    error = pb_cursors_make(c, sizeof(struct handoff_cursor));
    for (unsigned i = 0; error == 0 && i < c->workers / 2; i++)
        error = handoff_pair(c, i);
    c->shared = NULL;
    c->block_bytes = (size_t)o->size;
    c->expected_blocks = (size_t)(c->workers / 2 * o->batch * o->depth);
    c->live_peak_bytes = 0;
    return error;
}

static void handoff_begin(struct pb_worker *w)
{
    struct handoff_cursor *c = (struct handoff_cursor *)w->cursor;

    c->stream.next = c->in_batch = 0;
    c->exhausted = false;
    c->phase++;
}

/* The producer says that no more comes, the consumer that it takes no more; then the consumer frees
 * what is left until the producer has said so too. */
static void handoff_end(struct pb_worker *w)
{
    struct handoff_cursor *c = (struct handoff_cursor *)w->cursor;
    uint64_t waits = 0;

    handoff_leave(c);
    while (w->index % 2 != 0 && handoff_wait(c, &waits)) {
        for (; c->made < c->seen; c->made++) {
            w->heap->free(w->heap, w->thread, c->ring->blocks[c->place], c->bytes);
            c->place = c->place + 1 == c->length ? 0 : c->place + 1;
        }
        handoff_publish(c);
    }
}

const struct pb_workload pb_workload_handoff = {
    .name = "handoff",
    .summary = "pairs of workers: one allocates, the other frees: remote frees and nothing else",
    .source =
        "xmalloc-test, Lever and Boreham, CITI TR 00-5, 2000, as in SuperMalloc; a bounded ring a "
        "pair",
    .reading =
        "ns per op is the time for one block to be allocated here and freed there; the slower "
        "side sets it, and waits counts who waited. Beside `pair` it shows what a remote free "
        "costs. It does not show memory growth: the ring bounds the live set.",
    .step = "one block handed over: its allocation on the producer, its free on the consumer",
    .step_calls = 1,
    .step_workers = 2,
    .options = handoff_table,
    .option_bytes = sizeof(struct handoff_options),
    .flags = PB_WORKLOAD_REMOTE_FREE | PB_WORKLOAD_MANY_BLOCKS | PB_WORKLOAD_STEPS_WAIT,
    .unsuitable = handoff_unsuitable,
    .setup = handoff_setup,
    .steps = pb_stream_steps,
    .begin = handoff_begin,
    .end = handoff_end,
    .loop = body_loop,
};
