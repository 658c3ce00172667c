/* SPDX-License-Identifier: MIT */
/* Which way a call took, and what a slow way can be made to cost.
 *
 * A strategy's slow sites, and they alone, say so here: the first level's hit notes nothing and
 * costs nothing. Who times calls clears pb_path_taken before a call and reads it behind it; who
 * does not leaves it alone, and the bits gather, to no harm.
 *
 * The causal knob (methodology R26) is a delay planted in a path: what the whole loses, over the
 * delay, is the weight of that path. pb_path_delays is set before a heap is opened and is not
 * changed while one is open: a strategy whose hot path has a lock in it chooses at open the path
 * that asks. One delay of each kind at most:
 *   slow  once a call that its first level could not serve, where it leaves that level. A system
 *         call further down adds none, nor does the backing behind a lookaside's miss
 *   lock  once an acquisition, while the lock is held: of every lock whose acquisitions the
 *         strategy counts and of NT 4's locked lists, not of latches over tables
 * A strategy may take another path where it asks than where it does not, so that a slope begins at
 * a delay of 0 in that path, and not at the cell without a delay.
 * A strategy without such a path or lock (null, floor, a list's hit) has nothing to delay: its
 * slope is 0. A library's code cannot be reached: its cells are skipped.
 *
 * Source:  Curtsinger and Berger, "Coz", SOSP 2015 (the weight of a path is the slope of the whole
 *          over a change of it)
 * Threads: pb_path_taken is each thread's own; delays and the wait are read by all.
 * May include: libc. */
#ifndef PB_PATH_H
#define PB_PATH_H

#include <stdbool.h>
#include <stdint.h>

enum pb_path {
    PB_PATH_MISS = 1 << 0,     /* an allocation that the first level had no block for */
    PB_PATH_OVERFLOW = 1 << 1, /* a free that the first level had no room for */
    PB_PATH_OS = 1 << 2,       /* memory was taken from or given to the system */
    PB_PATH_REMOTE = 1 << 3,   /* a free of what another worker had allocated: a workload knows, and
                                  adds it; no strategy notes it */
    PB_PATH_BEHIND = 1 << 4    /* only within a call: it is behind a first level that missed */
};

struct pb_path_delays {
    uint64_t slow_ns, lock_ns; /* 0: no wait */
    bool in_locks; /* strategies choose the paths that ask, if only to be told not to wait: what a
                      slope over delays in locks begins at */
};

/* Static: one load off the thread pointer, also where the library is linked into a shared object.
 */
extern _Thread_local unsigned pb_path_taken __attribute__((tls_model("initial-exec")));
extern struct pb_path_delays pb_path_delays;

/* Spins for `ns` and one or two readings of the clock: so much more whatever `ns` is, which a slope
 * over several delays does not have in it. A test counts with a function of its own, set before any
 * thread. */
extern void (*pb_path_wait)(uint64_t ns);

/* A site further down a slow path: the way is noted. */
static inline void pb_path_note(unsigned paths)
{
    pb_path_taken |= paths;
}

/* Where a call leaves the first level: the way is noted, and the delay is served, once a call. */
static inline void pb_path_slow(unsigned paths)
{
    if (__builtin_expect(pb_path_delays.slow_ns != 0, 0) && (pb_path_taken & PB_PATH_BEHIND) == 0)
        pb_path_wait(pb_path_delays.slow_ns);
    pb_path_taken |= paths;
}

/* Around the call of a backing that has a first level of its own. */
static inline void pb_path_enter(void)
{
    pb_path_taken |= PB_PATH_BEHIND;
}

static inline void pb_path_leave(void)
{
    pb_path_taken &= ~(unsigned)PB_PATH_BEHIND;
}

/* Whether to choose, at open, the paths that ask within locks. */
static inline bool pb_path_asks_in_locks(void)
{
    return pb_path_delays.in_locks || pb_path_delays.lock_ns != 0;
}

/* Right behind an acquisition, on paths that are slow or were chosen for the delay. */
static inline void pb_path_locked(void)
{
    if (__builtin_expect(pb_path_delays.lock_ns != 0, 0))
        pb_path_wait(pb_path_delays.lock_ns);
}

#endif
