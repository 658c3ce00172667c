/* SPDX-License-Identifier: MIT */
/* A cell: one variant x one workload x its parameters x thread count x pin policy, and its
 * execution in this process. Everything a child does between reading its spec and printing its
 * record is here. */
#ifndef PB_CELL_H
#define PB_CELL_H

#include "engine/hist.h"
#include "engine/kind.h"
#include "placement/placement.h"
#include "probes/probe.h"
#include "registry.h"
#include "runner/setup.h"
#include "workloads/workload.h"

enum { PB_CELL_NAME_MAX = 512, PB_CELL_PARAMS_MAX = 1024, PB_CELL_COUNTERS_MAX = 2048 };

/* What to run; plain text and numbers, so that it crosses to a child and into a record unchanged.
 */
struct pb_cell_spec {
    char variant[PB_VARIANT_MAX]; /* label: "zone:lock=ticket", "jemalloc" */
    bool alias; /* the A/A twin of the reference: same variant, name ends in "@aa" */
    char workload[64];
    char params[PB_CELL_PARAMS_MAX]; /* "size=64,n=32": options of the workload */
    unsigned threads;                /* as asked; OWN_THREADS: what the data say */
    char pin[64];
    char memory[16];  /* placement of memory: default, local, interleave */
    char start[8];    /* "warm", or "cold": timed from the heap's first call on */
    char arrival[32]; /* "closed", or an open loop: "poisson:10000", "fixed:10000" steps
                         a second of each worker, latency from the intended start */
    char delay[32];   /* "none", "slow:NS" or "lock:NS", NS from 0: the causal knob (path.h) */
    enum pb_dispatch dispatch;
    bool oversubscribe;
    uint64_t seed;
    double scale;
    uint64_t sample_gap; /* mean steps between two sampled operations; 0 = off */
    bool audit;
    uint64_t
        memory_limit; /* bytes that the strategy may take, 0: any; the run's, not the cell's own */
    char
        counters[PB_CELL_COUNTERS_MAX]; /* events to count (pb_perf_to_text); the run's, as above */
    unsigned turn;                      /* which of their groups is counted: the block */
};

/* "larson/alloc:pool/size:64/threads:2": the workload, the variant, every workload option that was
 * given, then dispatch and pin where they are not the defaults (call, core), then threads. */
int pb_cell_name(const struct pb_cell_spec *spec, char *out, size_t size);

enum pb_status {
    PB_OK,
    PB_FAILED,
    PB_CRASHED,
    PB_TIMEOUT,
    PB_OOM,
    PB_CORRUPT,
    PB_SKIPPED,
    PB_UNAVAILABLE,
    PB_STATUSES
};
extern const char *const pb_status_names[]; /* "ok", "failed", ..., NULL */

enum { PB_METRICS_MAX = 192 };

/* What came of it. */
struct pb_cell_result {
    enum pb_status status;
    char reason[256]; /* one line, "" when ok */
    unsigned workers;
    uint64_t stream_hash; /* of the operations executed in the rate window */
    struct pb_tally rate, audit;
    char warn[512];      /* what a reader should know, lines with \n between them; "" if nothing */
    char version[128];   /* of the allocator that answered */
    char placement[256]; /* "P#0,P#1" */
    bool oversubscribed, banked;
    double values[PB_METRICS_MAX];    /* in the order of pb_probe_at and their metrics */
    struct pb_hist *hists[PB_VIEW_N]; /* merged over workers (kind.h); NULL where nothing was
                                         counted, or a clean one is what the whole is */
    bool paths;    /* the strategy notes which way a call took: hits and misses are told apart */
    char mark[16]; /* how disturbed samples are told (mark.h); "" when nothing was sampled */
    struct pb_setup setup;      /* of the process; the child sets it */
    uint64_t wall_ns;           /* of the rate window */
    uint64_t steps;             /* in it, all workers */
    struct pb_tag_row *tags;    /* of a heap that counts by tag (tags.h), else NULL */
    size_t tags_n, tags_mapped; /* rows: there are, and have room */
};

/* A cell that is set up: op streams drawn, heap open, workers bound and waiting. Opaque. */
struct pb_cell;

/* Sets a cell up. Returns 0 and *cell; or -ECANCELED with result->status and reason set (skipped,
 * unavailable, failed). `topology` and `result` outlive the cell. Main thread only; the process
 * should do nothing else until pb_cell_close. */
int pb_cell_open(const struct pb_cell_spec *spec, const struct pb_topology *topology,
                 struct pb_cell_result *result, struct pb_cell **cell);

/* Steps of the rate window; one that several workers share is counted once. */
uint64_t pb_cell_steps(const struct pb_cell *cell);

/* The same before anything is opened: from the workload alone. 0 if the cell cannot run. */
uint64_t pb_cell_count_steps(const struct pb_cell_spec *spec, const struct pb_topology *topology);

/* Why such a strategy cannot run such a cell on so many workers, or NULL. */
const char *pb_cell_impossible(const struct pb_cell_spec *spec, const struct pb_workload *workload,
                               unsigned capabilities, unsigned workers);

/* The audit pass, then the warm-up; a cold cell has neither. Returns 0, or -ECANCELED with the
 * status set. */
int pb_cell_warm(struct pb_cell *cell);

/* The rate window; *seconds is its length. Then the others that the cell has: sampled operations
 * and batches, if asked for, or those of an open loop; a cold cell has none. Return as
 * pb_cell_warm. */
int pb_cell_rate(struct pb_cell *cell, double *seconds);
int pb_cell_tail(struct pb_cell *cell);

/* Checks the heap behind the windows: its structures, and another audit pass on it as it is now,
 * short unless the cell is cold. Detaches the workers. Returns as pb_cell_warm. */
int pb_cell_recheck(struct pb_cell *cell);

/* Fills the rest of the result from what was observed; status becomes ok unless it says otherwise.
 */
void pb_cell_finish(struct pb_cell *cell);

/* Stops the workers, closes the heap, frees everything but the result's histograms and tags, which
 * live until pb_cell_result_free. */
void pb_cell_close(struct pb_cell *cell);
void pb_cell_result_free(struct pb_cell_result *result);

/* Index into values of a metric's key, or -1. */
int pb_metric_index(const char *key);

#endif
