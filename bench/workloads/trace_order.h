/* SPDX-License-Identifier: MIT */
/* What a replay shares between its workers, and how they keep the recorded order (for trace.c).
 * Layout:  shared: objects[slot] {base, bytes, stamp, posted}, as many as were alive at once;
 *          a cursor a worker: its events (trace/trace.h), and its progress on a line of its own
 * I1       a worker executes its events in order, each at most once
 * I2       progress of a worker <= the order of its first event not executed (END: none left)
 * Order    two waits keep the recorded order where it matters.
 *          chain: an event whose slot another worker touched last waits until that event is posted;
 *          a slot's other events follow in their worker's own order.
 *          window: event number o waits until every worker's progress is at least o - window, so
 *          that the live set is the recorded one to within `window` events.
 * Locks    none. posted: release after the call and the object's fields are done, acquire before
 *          they are read. progress: release, acquire; published every 64 events, and exactly before
 *          a wait and when a call of run returns. stopped: a worker that cannot go on sets it, and
 *          every wait ends.
 * No deadlock  Take the event with the smallest order o not executed, of worker w. Its predecessor
 *          in the chain has a smaller order, so it is executed, and it was posted before its worker
 *          did anything else: the chain wait ends. Every other worker v has only events behind o
 *          left. If v waits or is outside run, its progress is exact, so above o; if it executes,
 *          then within 64 events it publishes a progress above o, waits, or returns: the window
 *          wait ends. So w executes o. This takes that every worker gets to run (waits yield where
 *          units are short) and that none leaves a stream unfinished while others still run theirs,
 *          except through a failed allocation, which sets stopped, or end, which does too. */
#ifndef PB_TRACE_ORDER_H
#define PB_TRACE_ORDER_H

#include "trace/trace.h"
#include "workloads/tools.h"

#include <stdatomic.h>

#define TRACE_END UINT32_MAX

enum { TRACE_PUBLISH_EVERY = 64 };

struct trace_object {
    unsigned char *base; /* what the heap returned; NULL: nothing here */
    uint64_t shift;      /* the object begins that far behind base */
    uint32_t bytes;      /* of the object */
    uint32_t extra;      /* bytes requested beyond that */
    uint32_t stamp;
    _Atomic uint32_t posted; /* the last event that another worker may wait for */
};

struct trace_cursor {
    struct pb_stream stream;
    const struct pb_trace_event *events;
    struct trace_shared *shared;
    uint64_t limit; /* orders up to here are inside the window, as read last */
    uint64_t phase; /* 1, 2, ... */
    size_t anyway;  /* what the worker's heap aligns every block to */
    struct {
        _Atomic uint32_t order;
    } PB_CACHE_ALIGNED progress;
} PB_CACHE_ALIGNED;

struct trace_shared {
    struct pb_trace trace;
    struct trace_object *objects;
    struct trace_cursor **cursors;
    unsigned workers;
    uint64_t window;
    bool yields;
    _Atomic uint32_t stopped PB_CACHE_ALIGNED;
    _Atomic uint64_t ended PB_CACHE_ALIGNED; /* calls of end that came to the barrier, all phases */
};

static void trace_publish(struct trace_cursor *c)
{
    const uint64_t next = c->stream.next;
    const uint32_t order = next < c->stream.total ? c->events[next].order : TRACE_END;

    /* release: whoever sees it sees the effects of all events before it */
    atomic_store_explicit(&c->progress.order, order, memory_order_release);
}

/* Reads everyone's progress and moves the limit. */
static void trace_look(struct trace_cursor *c)
{
    const struct trace_shared *s = c->shared;
    uint32_t least = TRACE_END;

    for (unsigned i = 0; i < s->workers; i++) {
        /* acquire: pairs with trace_publish */
        const uint32_t order =
            atomic_load_explicit(&s->cursors[i]->progress.order, memory_order_acquire);
        if (s->cursors[i] != c && order < least)
            least = order;
    }
    c->limit = least + s->window;
}

/* Whether the event's predecessor in its slot has been executed and the event is in the window. */
static bool trace_ready(struct trace_cursor *c, const struct pb_trace_event *e)
{
    const struct trace_object *object = &c->shared->objects[e->slot];

    /* acquire: the object as the other worker left it */
    if (e->after != 0 && atomic_load_explicit(&object->posted, memory_order_acquire) < e->after)
        return false;
    if (e->order > c->limit)
        trace_look(c);
    return e->order <= c->limit;
}

/* Waits for the event's turn; false if a worker has stopped. */
static PB_NOINLINE bool trace_wait(struct pb_worker *w, const struct pb_trace_event *e)
{
    struct trace_cursor *c = (struct trace_cursor *)w->cursor;
    unsigned spins = 0;

    if (trace_ready(c, e))
        return true;
    w->tally.waits++;
    trace_publish(c);
    while (!trace_ready(c, e)) {
        /* relaxed: nothing is read because of it but the wait's end */
        if (atomic_load_explicit(&c->shared->stopped, memory_order_relaxed) != 0)
            return false;
        pb_wait_turn(&spins, c->shared->yields);
    }
    return true;
}

static void trace_stop(struct trace_cursor *c)
{
    atomic_store_explicit(&c->shared->stopped, 1, memory_order_relaxed); /* as the load above */
}

#endif
