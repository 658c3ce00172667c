/* SPDX-License-Identifier: MIT */
/* The timed region: runs one phase of a workload on a team of workers.
 *   WARM  is cut into windows and ends once their rate is steady
 *   RATE  is one call of the loop a worker, nothing else between two clock readings
 *   TAIL  runs the same stream with single steps timed at random: the gaps between them are geometric
 *         with a given mean (a fixed gap would alias with batch refills), drawn beforehand
 *   BODY  runs it in batches between two clock readings
 *   OPEN  runs each step at an intended moment, drawn beforehand, and times it from there on
 * Nothing in a window allocates, locks, reads a file or prints.
 * Source:  methodology 3.1, R6, R13, R16, R17; Tene, "How NOT to Measure Latency", 2015.
 * Threads: the session's owner calls; the workers run. */
#ifndef PB_WINDOW_H
#define PB_WINDOW_H

#include "engine/arena.h"
#include "engine/hist.h"
#include "engine/kind.h"
#include "engine/mark.h"
#include "engine/team.h"
#include "engine/watch.h"
#include "workloads/workload.h"

#define PB_CPU_UNKNOWN (~0u)

/* One worker's window. */
struct pb_window {
    uint64_t go, begun, ended; /* ticks: the common start, the worker's first and last */
    uint64_t steps;            /* executed */
    uint64_t late;             /* OPEN: of them, those whose moment had come before the worker was free */
    uint64_t due_first, due_last; /* OPEN: ticks; the moments of its first step and its last */
    uint64_t over;                /* OPEN: when the last was done */
    unsigned cpu_first, cpu_last; /* where it ran, PB_CPU_UNKNOWN if unknown */
};

/* What a probe reads on each worker right outside a window of RATE or TAIL. Hooks nest: the last to be
 * called before is the first to be called after. */
struct pb_hook {
    void (*before)(void *state);
    void (*after)(void *state);
    size_t state_bytes;
    bool rate_only;             /* TAIL is run without it */
    void (*ready)(void *state); /* before the workers line up; may be NULL, as the two above */
};

enum { PB_HOOKS_MAX = 32 };

/* What one worker sampled in TAIL. */
enum { PB_HELD_MAX = 64 };
struct pb_samples {
    struct pb_hist kinds[PB_KINDS][2]; /* [1]: marked (mark.h) */
    struct {
        uint64_t ns;
        enum pb_kind kind;
    } held[PB_HELD_MAX]; /* without rseq: samples that wait for their batch's verdict */
    unsigned held_n;
    uint64_t hits; /* calls of steps that rseq says were disturbed */
};

/* How the warm-up went; of all phases WARM since the session was made. */
enum { PB_WARM_WINDOWS = 20, PB_WARM_SPAN = 5 };
struct pb_warm_up {
    double rates[PB_WARM_WINDOWS]; /* steps a tick, all workers; of a millisecond at the least */
    unsigned n;
    uint64_t steps;   /* not in a rate yet: they took less than a millisecond */
    double ticks;     /* these took */
    bool near;        /* the last look found the slope small */
    bool steady;      /* by the last `warm_span` of them (steady.h), at two looks in a row; of whole
                         replays, at one */
    bool judged;      /* there were enough of them to tell */
    double ns_a_step; /* of a worker, in the fastest window: the others were disturbed, or not warm;
                         0: unknown */
};

/* When the steps of OPEN are meant to begin. */
struct pb_arrival {
    double rate;  /* steps a second of each worker; 0: OPEN is not run */
    bool poisson; /* gaps are exponential; else all are the same */
};

/* One cell's phases on one heap. The owner zeroes it, fills the first part and calls
 * pb_session_prepare, which takes the second part from the arena. */
struct pb_session {
    const struct pb_workload *workload;
    struct pb_team *team;
    struct pb_worker *workers; /* `n`, with index, count, shared and cursor set; heap and thread too,
                                  before each phase */
    unsigned n;
    uint64_t sample_gap;       /* mean steps between two sampled ones; 0: neither TAIL nor BODY is run */
    uint64_t seed;             /* of the gaps and moments */
    unsigned warm_parts;       /* windows that WARM is cut into, 2..PB_WARM_WINDOWS; less: it is one */
    unsigned warm_span;        /* windows that the verdict on it is about */
    uint64_t batch;            /* steps of a batch of BODY, >= 1; may be set late (pb_batch_steps) */
    struct pb_arrival arrival;
    enum pb_mark_way mark;     /* how a disturbed sample is told */
    uint64_t (*now)(void);     /* the clock of BODY and OPEN, in ticks; NULL: pb_ticks_*. For tests */
    void (*edge)(void *context, bool after); /* optional; called on one worker right before and behind
                                                RATE's window, with no worker in the heap */
    void *edge_context;
    struct pb_watch *watch;    /* optional, prepared for `n`: looks at both sides of RATE's window */
    const struct pb_hook *hooks;
    unsigned hooks_n;

    struct pb_window *windows[PB_PHASES]; /* `n` each */
    struct pb_warm_up warm;
    struct pb_samples *samples;           /* `n`, filled by TAIL; NULL without sampling */
    struct pb_hist *body_hists;           /* `n`, picoseconds a step, filled by BODY; NULL as above */
    struct pb_hist *open_hists;           /* `n`, ns from the intended moment; NULL without arrivals */
    void **hook_states[PB_PHASES];        /* RATE and TAIL: [hook] -> `n` states, state_bytes apart */
    uint32_t **gaps;                      /* [worker] -> its drawn gaps, wrapped */
    uint64_t **moments;                   /* [worker] -> drawn ticks between two moments, 8 bits behind
                                             the point, wrapped */
};

/* Returns 0 or -ENOMEM. */
int pb_session_prepare(struct pb_session *session, struct pb_arena *arena);

/* Steps of a batch that takes `least_ns` where a step takes `ns_a_step` (0: unknown): 8 at least, and
 * whole periods of the stream (0: it has none), so that every batch has its share of each call. */
uint64_t pb_batch_steps(double least_ns, double ns_a_step, uint64_t period);

/* Runs a phase: begin on every worker, line up, at most `limit` steps of its stream on each
 * (UINT64_MAX: all of it), end on every worker. Each worker's tally is that of this phase afterwards.
 * `loop` is what the window runs; BODY runs whole batches alone. Returns 0 or the first job's -errno. */
int pb_session_run(struct pb_session *session, enum pb_phase phase, const struct pb_loop *loop,
                   uint64_t limit);

#endif
