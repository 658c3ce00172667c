/* SPDX-License-Identifier: MIT */
/* Which way a call took, and what a slow way can be made to cost.
 *
 * A strategy's slow sites, and they alone, call pb_path_note; the first level's hit notes nothing
 * and so costs nothing. The harness clears pb_path_taken before a call that it times and reads it
 * behind it. pb_path_delays is set before a heap is opened and not changed while it is open: the
 * causal knob
 * (methodology R26). Source: Curtsinger and Berger, "Coz", SOSP 2015 (the weight of a path is the
 * slope of the whole over a change of it).
 * Threads: pb_path_taken is each thread's own; the delays are read by all. May include: libc. */
#ifndef PB_PATH_H
#define PB_PATH_H

#include <stdint.h>

enum pb_path {
    PB_PATH_MISS = 1 << 0,     /* an allocation that the first level had no block for */
    PB_PATH_OVERFLOW = 1 << 1, /* a free that the first level had no room for */
    PB_PATH_OS = 1 << 2,       /* memory was taken from or given to the system */
    PB_PATH_REMOTE = 1 << 3    /* a free that went to another thread's or processor's memory */
};

struct pb_path_delays {
    uint64_t slow_ns; /* added to each call that notes MISS, OVERFLOW or OS, once a call */
    uint64_t lock_ns; /* added while a lock of the strategy is held, once an acquisition */
};

extern _Thread_local unsigned pb_path_taken;
extern struct pb_path_delays pb_path_delays;

/* Spins for `ns` on the clock; from a slow site or inside a lock. */
void pb_path_wait(uint64_t ns);

/* A slow site: notes `paths`, and waits where that is asked for. */
static inline void pb_path_note(unsigned paths)
{
    const unsigned slow = PB_PATH_MISS | PB_PATH_OVERFLOW | PB_PATH_OS;
    if (__builtin_expect(pb_path_delays.slow_ns != 0, 0) && (paths & slow) != 0 &&
        (pb_path_taken & slow) == 0)
        pb_path_wait(pb_path_delays.slow_ns);
    pb_path_taken |= paths;
}

#endif
