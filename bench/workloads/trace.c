/* SPDX-License-Identifier: MIT */
/* Trace: replays what a real program asked of its allocator, with its threads, sizes, lifetimes.
 * Source:  the order-keeping replay of glibc's trace_run; the traces: bench/traces/README.md
 * Layout:  trace_order.h
 * I1       between two events of a slot its object is live with that size and stamp, or NULL
 * I2       at the end of a stream that did not fail, allocs - frees objects are live: the program's
 *          own survivors; end frees them, and that does not count
 * Locks    none; trace_order.h has the order and why nothing deadlocks
 * Calls    calloc is an allocation and a memset, for every strategy alike. An alignment above the
 *          heap's own uses its `aligned`; where it has none, the request grows by the alignment,
 *          and `base` keeps what was returned. realloc uses the heap's `realloc`; where it has
 *          none, it allocates, copies and frees. A size of 0 counts as 1. In the AUDIT phase only
 *          the first 8 bytes of what the heap returned are written: the rest is the auditor's.
 * Timing   a timed step reports the call of an a, z, m or f, without waits and without the memset;
 *          a realloc is neither an allocation nor a free and reports nothing.
 * Cost     an event is 16 bytes read in sequence, an object 32 bytes at its slot; a branch over the
 *          kinds that is as hard to predict as the program was; an operation hash. */
#include "workloads/loops.h"

#include "workloads/trace_order.h"

#include <string.h>

struct trace_options {
    char file[PB_OPTION_TEXT_MAX];
    uint64_t window;
};

static const struct pb_option trace_table[] = {
    {.name = "file",
     .type = PB_OPTION_TEXT,
     .offset = offsetof(struct trace_options, file),
     .standard = "sqlite",
     .help = "a shipped trace (sqlite, redis), or the path of one"},
    {.name = "window",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct trace_options, window),
     .unit = "events",
     .standard = "4096",
     .min = 1,
     .max = 1u << 30,
     .help = "events that a thread may run ahead of the slowest"},
    {.type = PB_OPTION_END},
};

/* --- one event ------------------------------------------------------------------------------- */

/* What surrounds an event: the worker, its heap's calls, and where ticks go (NULL: untimed). */
struct trace_call {
    struct pb_worker *w;
    pb_alloc_fn *alloc;
    pb_free_fn *release;
    struct pb_timing *timing;
    size_t most; /* bytes of an object that may be zeroed or copied */
};

PB_INLINE uint64_t trace_lost(const struct trace_object *o, size_t bytes)
{
    return pb_stamp_lost(o->base + o->shift, bytes, o->stamp);
}

PB_INLINE void trace_put(struct trace_object *o, const struct pb_trace_event *e,
                         unsigned char *base, uint64_t shift, uint32_t extra)
{
    o->base = base;
    o->shift = shift;
    o->bytes = e->bytes;
    o->extra = extra;
    o->stamp = e->order;
    pb_stamp(base + shift, e->bytes, e->order);
}

PB_INLINE bool trace_alloc(struct trace_call call, struct trace_object *o,
                           const struct pb_trace_event *e)
{
    struct pb_heap *heap = call.w->heap;
    const size_t alignment = (size_t)1 << e->alignment_log2;
    const bool aligned = alignment > ((const struct trace_cursor *)call.w->cursor)->anyway;
    const bool native = aligned && heap->ops->aligned != NULL;
    /* a block may be aligned less than its heap's if it is shorter than that */
    const size_t extra =
        aligned ? (native ? 0 : alignment) : (e->bytes < alignment ? alignment - e->bytes : 0);
    uint64_t begin = 0, shift = 0;
    unsigned char *base;

    if (call.timing != NULL)
        begin = pb_timed_begin();
    if (PB_UNLIKELY(native))
        base = heap->ops->aligned(heap, call.w->thread, alignment, e->bytes);
    else
        base = call.alloc(heap, call.w->thread, e->bytes + extra);
    if (call.timing != NULL) {
        call.timing->alloc_ticks = pb_timed_end(begin, &call.timing->alloc_path);
        call.timing->made = PB_TIMED_ALLOC;
    }
    if (PB_UNLIKELY(base == NULL))
        return false;
    if (PB_UNLIKELY(aligned && !native && call.most > PB_STAMP_BYTES))
        shift = -(uint64_t)(uintptr_t)base & (alignment - 1);
    if (e->op == PB_TRACE_ZEROED)
        memset(base, 0, e->bytes < call.most ? e->bytes : call.most);
    trace_put(o, e, base, shift, (uint32_t)extra);
    call.w->tally.allocs++;
    return true;
}

PB_INLINE bool trace_realloc(struct trace_call call, struct trace_object *o,
                             const struct pb_trace_event *e)
{
    struct pb_heap *heap = call.w->heap;
    const size_t kept = o->bytes < e->bytes ? o->bytes : e->bytes;
    unsigned char *base, *old = o->base + o->shift;

    if (heap->ops->realloc != NULL && o->extra == 0) {
        base = heap->ops->realloc(heap, call.w->thread, old, o->bytes, e->bytes);
        if (PB_UNLIKELY(base == NULL))
            return false;
    } else {
        base = call.alloc(heap, call.w->thread, e->bytes);
        if (PB_UNLIKELY(base == NULL))
            return false;
        memcpy(base, old, kept < call.most ? kept : call.most);
        call.release(heap, call.w->thread, o->base, (size_t)o->bytes + o->extra);
    }
    call.w->tally.damaged += pb_stamp_lost(base, kept, o->stamp);
    call.w->tally.reallocs++;
    trace_put(o, e, base, 0, 0);
    return true;
}

PB_INLINE void trace_free(struct trace_call call, struct trace_object *o,
                          const struct pb_trace_event *e)
{
    uint64_t begin = 0;

    call.w->tally.damaged += trace_lost(o, o->bytes);
    if (call.timing != NULL)
        begin = pb_timed_begin();
    call.release(call.w->heap, call.w->thread, o->base, (size_t)o->bytes + o->extra);
    if (call.timing != NULL) {
        call.timing->free_ticks = pb_timed_end(begin, &call.timing->free_path);
        /* the slot's event before a free allocated the object, or resized it last: what its freer
         * resized counts as local, whoever allocated it, as a resize may have moved it */
        call.timing->free_path |= e->after != 0 ? PB_PATH_REMOTE : 0u;
        call.timing->made = PB_TIMED_FREE;
    }
    o->base = NULL;
    call.w->tally.frees++;
}

/* Executes an event whose turn it is; false if there is no memory for it. */
PB_INLINE bool trace_event(struct trace_call call, struct trace_object *o,
                           const struct pb_trace_event *e)
{
    enum pb_op op = PB_OP_ALLOC;
    bool done = true;

    if (e->op == PB_TRACE_FREE) {
        op = PB_OP_FREE;
        trace_free(call, o, e);
    } else if (e->op == PB_TRACE_REALLOC) {
        op = PB_OP_REALLOC;
        done = trace_realloc(call, o, e);
    } else {
        done = trace_alloc(call, o, e);
    }
    if (PB_UNLIKELY(!done))
        return false;
    call.w->tally.hash += pb_op_hash(op, call.w->index, e->slot, e->bytes);
    return true;
}

PB_INLINE uint64_t trace_steps(struct trace_call call, uint64_t steps)
{
    struct pb_worker *w = call.w;
    struct trace_cursor *c = (struct trace_cursor *)w->cursor;
    struct trace_object *objects = c->shared->objects;
    const uint64_t first = c->stream.next, end = first + pb_stream_left(&c->stream, steps);

    for (; c->stream.next < end; c->stream.next++) {
        const struct pb_trace_event *e = &c->events[c->stream.next];
        struct trace_object *o = &objects[e->slot];
        if (PB_UNLIKELY(c->stream.next % TRACE_PUBLISH_EVERY == 0))
            trace_publish(c);
        if (PB_UNLIKELY(e->after != 0 || e->order > c->limit) && !trace_wait(w, e))
            break;
        if (PB_UNLIKELY(!trace_event(call, o, e))) {
            w->tally.exhausted++;
            trace_stop(c);
            break;
        }
        if (e->posts)
            /* release: the call and the object's fields come first */
            atomic_store_explicit(&o->posted, e->order, memory_order_release);
    }
    trace_publish(c);
    return c->stream.next - first;
}

/* --- the loops ------------------------------------------------------------------------------- */

static size_t trace_most(const struct pb_worker *w)
{
    return w->phase == PB_PHASE_AUDIT ? PB_STAMP_BYTES : SIZE_MAX;
}

PB_INLINE uint64_t body_run(struct pb_worker *w, uint64_t steps, pb_alloc_fn *alloc,
                            pb_free_fn *release)
{
    return trace_steps((struct trace_call){w, alloc, release, NULL, trace_most(w)}, steps);
}

PB_INLINE uint64_t body_timed(struct pb_worker *w, struct pb_timing *timing, pb_alloc_fn *alloc,
                              pb_free_fn *release)
{
    timing->made = 0;
    return trace_steps((struct trace_call){w, alloc, release, timing, trace_most(w)}, 1);
}

PB_LOOPS_MIXED

/* --- setup ----------------------------------------------------------------------------------- */

static int trace_scan(const struct trace_options *options, char *path,
                      struct pb_trace_summary *summary, char *message, size_t message_size)
{
    int error = pb_trace_find(options->file, path, PB_TRACE_PATH_MAX, message, message_size);

    if (error == 0)
        error = pb_trace_scan(path, UINT64_MAX, summary, message, message_size);
    return error == -ENOMEM || error == 0 ? error : -EINVAL;
}

/* Reads the whole file, so that a fault anywhere in it is found while planning and not in a child:
 * once for each choice of options (tens of milliseconds for a shipped trace). */
static int trace_workers(const void *options, unsigned *workers, char *message, size_t message_size)
{
    char path[PB_TRACE_PATH_MAX];
    struct pb_trace_summary summary;
    const int error =
        trace_scan((const struct trace_options *)options, path, &summary, message, message_size);

    if (error == 0)
        *workers = summary.threads;
    return error;
}

/* Compiles the trace, or its first part if the scale is below 1; a longer one there is not. */
static int trace_load(struct pb_case *c, struct trace_shared *s, char *message, size_t message_size)
{
    char path[PB_TRACE_PATH_MAX];
    struct pb_trace_summary summary;
    int error =
        trace_scan((const struct trace_options *)c->options, path, &summary, message, message_size);

    if (error != 0)
        return error;
    s->workers = summary.threads;
    if (c->scale < 1.0) {
        const uint64_t part = pb_stream_scaled(summary.events, c->scale);
        error = pb_trace_scan(path, part, &summary, message, message_size);
    }
    if (error == 0)
        error = pb_trace_compile(path, &summary, c->arena, &s->trace, message, message_size);
    return error == -ENOMEM || error == 0 ? error : -EINVAL;
}

static int trace_setup(struct pb_case *c, char *message, size_t message_size)
{
    const struct trace_options *options = (const struct trace_options *)c->options;
    struct trace_shared *s = pb_arena_take(c->arena, sizeof(*s), 128);
    int error = s != NULL ? trace_load(c, s, message, message_size) : -ENOMEM;

    if (error != 0)
        return error;
    const struct pb_trace_summary *summary = &s->trace.summary;
    c->workers = s->workers;
    error = pb_cursors_make(c, sizeof(struct trace_cursor));
    s->objects = pb_arena_take(c->arena, summary->slots * sizeof(*s->objects), 128);
    s->cursors = pb_arena_take(c->arena, s->workers * sizeof(*s->cursors), 128);
    if (error != 0 || s->objects == NULL || s->cursors == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < s->workers; i++) {
        struct trace_cursor *cursor = (struct trace_cursor *)c->cursors[i];
        cursor->stream.total = summary->thread_events[i];
        cursor->events = i < summary->threads ? s->trace.events[i] : NULL;
        cursor->shared = s;
        s->cursors[i] = cursor;
    }
    s->window = options->window;
    s->yields = c->oversubscribed;
    c->shared = s;
    c->block_bytes = 0;
    c->expected_blocks = summary->slots;
    c->live_peak_bytes = summary->live_peak_bytes;
    return 0;
}

static void trace_begin(struct pb_worker *w)
{
    struct trace_cursor *c = (struct trace_cursor *)w->cursor;
    struct trace_shared *s = c->shared;

    /* relaxed: the workers line up before any runs */
    for (uint32_t i = w->index; i < s->trace.summary.slots; i += s->workers)
        atomic_store_explicit(&s->objects[i].posted, 0, memory_order_relaxed);
    atomic_store_explicit(&s->stopped, 0, memory_order_relaxed);
    c->stream.next = c->limit = 0;
    c->phase++;
    c->anyway = pb_heap_alignment(w->heap);
    trace_publish(c);
}

/* Once every worker has left its stream nobody touches an object any more: each frees its share. */
static void trace_end(struct pb_worker *w)
{
    struct trace_cursor *c = (struct trace_cursor *)w->cursor;
    struct trace_shared *s = c->shared;
    unsigned spins = 0;

    if (c->stream.next < c->stream.total)
        trace_stop(c);
    /* release: what this worker did to objects; acquire: what the others did. The count only grows,
     * so a worker that goes on to the next phase cannot be missed. */
    atomic_fetch_add_explicit(&s->ended, 1, memory_order_release);
    while (atomic_load_explicit(&s->ended, memory_order_acquire) < c->phase * s->workers)
        pb_wait_turn(&spins, s->yields);
    for (uint32_t i = w->index; i < s->trace.summary.slots; i += s->workers) {
        struct trace_object *o = &s->objects[i];
        if (o->base == NULL)
            continue;
        w->tally.damaged += trace_lost(o, o->bytes);
        w->heap->free(w->heap, w->thread, o->base, (size_t)o->bytes + o->extra);
        o->base = NULL;
    }
}

const struct pb_workload pb_workload_trace = {
    .name = "trace",
    .summary = "replays a recorded program with its threads, sizes, lifetimes and order",
    .source = "traces of real programs (bench/traces/README.md); replay as glibc's trace_run",
    .reading =
        "ns per op is the time of the whole replay over all its events, waits for other workers "
        "included: the recorded order is kept where objects cross threads. The program's own work "
        "between "
        "calls, and so its cache misses, are not in it. Scales above 1 replay once.",
    .step = "one recorded event: an allocation, a realloc or a free",
    .step_calls = 1,
    .step_workers = 1,
    .options = trace_table,
    .option_bytes = sizeof(struct trace_options),
    .flags = PB_WORKLOAD_MIXED_SIZES | PB_WORKLOAD_REMOTE_FREE | PB_WORKLOAD_OWN_THREADS |
             PB_WORKLOAD_STEPS_WAIT | PB_WORKLOAD_MANY_BLOCKS,
    .workers = trace_workers,
    .setup = trace_setup,
    .steps = pb_stream_steps,
    .begin = trace_begin,
    .end = trace_end,
    .loop = body_loop,
};
