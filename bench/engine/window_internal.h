/* SPDX-License-Identifier: MIT */
/* What the files of the windows share: window.c runs phases, window_sampled.c has TAIL and BODY,
 * window_open.c has OPEN, window_warm.c has WARM. */
#ifndef PB_WINDOW_INTERNAL_H
#define PB_WINDOW_INTERNAL_H

#include "engine/window.h"

enum { PB_LINE_BYTES = 128 };

/* What one run of a phase needs; read by all workers. */
struct pb_phase_run {
    struct pb_session *session;
    enum pb_phase phase;
    const struct pb_loop *loop;
    uint64_t limit;
    uint64_t ns_multiplier; /* of a tick, 32 bits behind the point */
};

/* What a window runs: at most `steps` steps; sets what of `window` is its own. Returns those
 * executed. */
typedef uint64_t pb_window_fn(const struct pb_phase_run *run, struct pb_worker *worker,
                              uint64_t steps, struct pb_window *window);
pb_window_fn pb_window_warm, pb_window_sampled, pb_window_batches, pb_window_open;

/* WARM: `steps` of all `workers` took so many ticks. A look is at `span` rates; steady after
 * `looks` (1 or 2) in a row that find them so. */
void pb_warm_add(struct pb_warm_up *warm, unsigned workers, uint64_t steps, double ticks,
                 unsigned span, unsigned looks);

/* Return 0 or -ENOMEM. */
int pb_prepare_sampling(struct pb_session *session, struct pb_arena *arena);
int pb_prepare_open(struct pb_session *session, struct pb_arena *arena);

static inline uint64_t pb_run_ns(const struct pb_phase_run *run, uint64_t ticks)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)(((wide)ticks * run->ns_multiplier + (UINT64_C(1) << 31)) >> 32);
}

#endif
