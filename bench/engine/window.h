/* SPDX-License-Identifier: MIT */
/* The timed region: runs one phase of a workload on a team of workers. RATE is one call of the loop a
 * worker, nothing else between two clock readings. TAIL runs the same stream with single steps timed
 * at random: the gaps between them are geometric with a given mean (a fixed gap would alias with batch
 * refills), drawn beforehand. Nothing in a window allocates, locks, reads a file or prints.
 * Threads: the session's owner calls; the workers run. */
#ifndef PB_WINDOW_H
#define PB_WINDOW_H

#include "engine/arena.h"
#include "engine/hist.h"
#include "engine/team.h"
#include "engine/watch.h"
#include "workloads/workload.h"

#define PB_CPU_UNKNOWN (~0u)

/* One worker's window. */
struct pb_window {
    uint64_t go, begun, ended; /* ticks: the common start, the worker's first and last */
    uint64_t steps;            /* executed */
    unsigned cpu_first, cpu_last; /* where it ran, PB_CPU_UNKNOWN if unknown */
};

/* What a probe reads on each worker right outside a window of RATE or TAIL. Hooks nest: the last to be
 * called before is the first to be called after. */
struct pb_hook {
    void (*before)(void *state);
    void (*after)(void *state);
    size_t state_bytes;
    void (*ready)(void *state); /* before the workers line up; may be NULL, as the two above */
};

enum { PB_HOOKS_MAX = 32 };

/* One cell's phases on one heap. The owner zeroes it, fills the first part and calls
 * pb_session_prepare, which takes the second part from the arena. */
struct pb_session {
    const struct pb_workload *workload;
    struct pb_team *team;
    struct pb_worker *workers; /* `n`, with index, count, shared and cursor set; heap and thread too,
                                  before each phase */
    unsigned n;
    uint64_t sample_gap;       /* mean steps between two sampled ones; 0: TAIL is not run */
    uint64_t seed;             /* of the gaps */
    void (*edge)(void *context, bool after); /* optional; called on one worker right before and behind
                                                RATE's window, with no worker in the heap */
    void *edge_context;
    struct pb_watch *watch;    /* optional, prepared for `n`: looks at both sides of RATE's window */
    const struct pb_hook *hooks;
    unsigned hooks_n;

    struct pb_window *windows[PB_PHASE_TAIL + 1]; /* `n` each */
    struct pb_hist *alloc_hists, *free_hists;     /* `n` each, filled by TAIL; NULL without sampling */
    void **hook_states[PB_PHASE_TAIL + 1];        /* RATE and TAIL: [hook] -> `n` states, state_bytes apart */
    uint32_t **gaps;                              /* [worker] -> its drawn gaps, wrapped */
};

/* Returns 0 or -ENOMEM. */
int pb_session_prepare(struct pb_session *session, struct pb_arena *arena);

/* Runs a phase: begin on every worker, line up, at most `limit` steps of its stream on each
 * (UINT64_MAX: all of it), end on every worker. Each worker's tally is that of this phase afterwards.
 * `loop` is what the window runs. Returns 0 or the first job's -errno. */
int pb_session_run(struct pb_session *session, enum pb_phase phase, const struct pb_loop *loop,
                   uint64_t limit);

#endif
