/* SPDX-License-Identifier: MIT */
/* What the workloads share: the head of every cursor, how cursors are made, how a call is timed,
 * and
 * how a worker waits for another. Threads: the makers are setup's, the rest is the worker's. May include: workload.h.
 */
#ifndef PB_WORKLOAD_TOOLS_H
#define PB_WORKLOAD_TOOLS_H

#include "engine/clock.h"
#include "path.h"
#include "workloads/workload.h"

#include <errno.h>
#include <sched.h>

/* Every cursor begins with its place in the worker's stream. */
struct pb_stream {
    uint64_t next, total; /* steps */
};

/* A workload's `steps`. */
static inline uint64_t pb_stream_steps(const struct pb_worker *worker)
{
    const struct pb_stream *stream = (const struct pb_stream *)worker->cursor;
    return stream->total;
}

/* How many of `steps` are left. */
PB_INLINE uint64_t pb_stream_left(const struct pb_stream *stream, uint64_t steps)
{
    const uint64_t left = stream->total - stream->next;
    return steps < left ? steps : left;
}

/* The option `ops` times the scale; at least 1. */
static inline uint64_t pb_stream_scaled(uint64_t ops, double scale)
{
    const double steps = (double)ops * scale + 0.5;
    if (steps < 1.0)
        return 1;
    return steps < 0x1p62 ? (uint64_t)steps : (uint64_t)1 << 62; /* beyond any machine's time */
}

/* Makes one zeroed cursor of `bytes` a worker, each on lines of its own. Returns 0 or -ENOMEM. */
static inline int pb_cursors_make(struct pb_case *c, size_t bytes)
{
    c->cursors = pb_arena_take(c->arena, c->workers * sizeof(void *), sizeof(void *));
    if (c->cursors == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < c->workers; i++) {
        c->cursors[i] = pb_arena_take(c->arena, bytes, 128);
        if (c->cursors[i] == NULL)
            return -ENOMEM;
    }
    return 0;
}

/* The two edges of a timed call: its ticks, and the way that the strategy says it took. What is
 * said is cleared before the first reading and read behind the second: neither is timed. */
PB_INLINE uint64_t pb_timed_begin(void)
{
    pb_path_taken = 0;
    return pb_ticks_begin();
}

PB_INLINE uint64_t pb_timed_end(uint64_t begin, unsigned *path)
{
    const uint64_t ticks = pb_ticks_end() - begin;
    *path = pb_path_taken;
    return ticks;
}

/* One turn of a wait for another worker; `spins` starts at 0. Where there are more workers than
 * processing units the other one may need ours, so the wait yields early; elsewhere only a wait of
 * some milliseconds does. */
static inline void pb_wait_turn(unsigned *spins, bool yields)
{
    if (*spins >= (yields ? 64u : 1u << 20)) {
        sched_yield();
        return;
    }
    ++*spins;
#if defined(__x86_64__)
    __asm__ volatile("pause" : : : "memory");
#elif defined(__aarch64__)
    __asm__ volatile("isb" : : : "memory");
#endif
}

#endif
