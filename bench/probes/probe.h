/* SPDX-License-Identifier: MIT */
/* The contract of a probe: something measured. A probe declares its metrics in a table and fills their
 * values from what the cell observed; one that reads the system has hooks on each worker at the edges
 * of a window. May include: allocator.h, engine/. Never a workload or a strategy. */
#ifndef PB_PROBE_H
#define PB_PROBE_H

#include "engine/audit.h"
#include "engine/clock.h"
#include "engine/hist.h"
#include "engine/watch.h"
#include "engine/window.h"
#include "workloads/workload.h"

/* What a cell observed; everything is final. */
struct pb_observation {
    unsigned workers;
    unsigned step_workers; /* workers that share a step, each of which counts it */
    bool makespan; /* workers depend on each other: the time is from the start to the last end */
    const struct pb_window *rate, *tail; /* `workers` each; tail NULL when sampling was off */
    const struct pb_window *open;        /* the same; NULL in a closed loop */
    uint64_t batch;      /* steps of a batch of BODY */
    double batch_ns;     /* that one should take at the least, for the clock's sake */
    struct pb_tally rate_tally, tail_tally;   /* summed over workers */
    double hits; /* timed calls that rseq says were disturbed; NAN where it tells nothing */
    const struct pb_hist *hists[PB_VIEW_N]; /* merged over workers; NULL where nothing was counted */
    bool paths;                               /* hits and misses are told apart */
    const struct pb_warm_up *warm;            /* NULL when the cell is cold */
    uint64_t pretouched_bytes;
    const struct pb_audit_result *audit;          /* NULL when the audit was off */
    const struct pb_watch *watch; /* both sides of the rate window; NULL when nobody looked */
    struct pb_heap_stats stats;                   /* the difference over the rate window for counters,
                                                     the value after it for levels */
    char *warn; /* of `warn_size`: where a probe may leave one line for the reader; may be NULL */
    size_t warn_size;
};

struct pb_metric {
    const char *key;  /* "ns_per_op"; NULL ends a table */
    const char *unit; /* "ns", "bytes", "1", "1/s" */
    int better;       /* -1 lower, 1 higher, 0 neither */
    const char *help; /* one line */
};

struct pb_probe {
    const char *name;
    const char *summary;
    const char *source;
    const struct pb_metric *metrics;
    bool rate_only;      /* the hooks are called around RATE alone, else around TAIL as well */
    size_t worker_bytes; /* of state for each worker and phase, zeroed; 0 = none */

    /* Optional, on the worker, right outside the window of `phase` (RATE or TAIL). `ready` comes
     * before the workers line up, for what takes long; the `after` of the last probe comes first. */
    void (*ready)(void *state);
    void (*before)(void *state);
    void (*after)(void *state);

    /* Fills `values`, one for each metric, NAN where there is nothing to say. `rate` and `tail` are the
     * workers' states of those phases, `worker_bytes` apart. */
    void (*report)(const struct pb_observation *o, const void *rate, const void *tail,
                   double *values);
};

const struct pb_probe *pb_probe_at(size_t index); /* NULL past the end; order of probes.def */
const struct pb_probe *pb_probe_find(const char *name);

#endif
