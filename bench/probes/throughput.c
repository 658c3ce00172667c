/* SPDX-License-Identifier: MIT */
/* Throughput: what a step costs in the RATE window, which runs unsampled, and beside it in the TAIL
 * window, whose calls are sampled.
 * Source:  Hoefler and Belli, "Scientific Benchmarking of Parallel Computing Systems", SC 2015,
 *          rules 3 (total work over total time, never a mean of rates) and 10.
 * Layout:  n workers; worker i ran steps_i in len_i = ended_i - begun_i; rate_i = steps_i / len_i.
 *          Independent workers: while all run, sum(rate_i) steps are done in a unit of time. So
 *            ops_per_s = sum(rate_i): each worker's steps, pro rata, over the common window
 *            ns_per_op = n / sum(rate_i): wall time of one worker for one step
 *          Where k workers share a step (a handoff: 2) each counts it: ops_per_s is a k-th.
 *          Makespan (workers wait for each other): with T from go to the last end,
 *            ops_per_s = sum(steps_i) / T
 *            ns_per_op = T / sum(steps_i), wall time an event of the whole replay: how the events
 *            spread over workers is the program's, not a choice of ours
 * I1       the common window lies from the last to begin to the first to end; where there is none,
 *          common_share is 0: the workers were never all together
 * Cost     none in the window: the clock readings at its edges are the engine's */
#include "probes/probe.h"

#include <math.h>

enum {
    NS_PER_OP,
    SAMPLED_NS_PER_OP,
    OPS_PER_S,
    START_SKEW,
    STOP_SKEW,
    COMMON_SHARE,
    SHARE_MIN,
    SHARE_MAX,
};

static const struct pb_metric metrics[] = {
    [NS_PER_OP] = {"ns_per_op", "ns", -1,
                   "wall time of a worker for one step; of a trace, for one event"},
    [SAMPLED_NS_PER_OP] =
        {"sampled_ns_per_op", "ns", -1,
         "the same in the sampled pass, which runs second, on the heap that the first left"},
    [OPS_PER_S] = {"ops_per_s", "1/s", 1, "steps of all workers in a second"},
    [START_SKEW] = {"start_skew_ns", "ns", -1, "from the first worker's start to the last one's"},
    [STOP_SKEW] = {"stop_skew_ns", "ns", -1, "from the first worker's end to the last one's"},
    [COMMON_SHARE] = {"common_share", "1", 1, "time in which all ran, of the longest window"},
    [SHARE_MIN] = {"thread_share_min", "1", 1, "rate of the slowest worker over the mean rate"},
    [SHARE_MAX] = {"thread_share_max", "1", -1, "rate of the fastest worker over the mean rate"},
    {NULL, NULL, 0, NULL},
};

struct edges {
    uint64_t first_begun, last_begun, first_ended, last_ended, longest, steps;
    double rates, rate_min, rate_max; /* steps a tick */
};

static struct edges edges_of(const struct pb_window *w, unsigned n)
{
    struct edges e = {.first_begun = UINT64_MAX, .first_ended = UINT64_MAX, .rate_min = INFINITY};
    for (unsigned i = 0; i < n; i++) {
        uint64_t length = w[i].ended - w[i].begun;
        double rate = (double)w[i].steps / (double)length;
        e.first_begun = w[i].begun < e.first_begun ? w[i].begun : e.first_begun;
        e.last_begun = w[i].begun > e.last_begun ? w[i].begun : e.last_begun;
        e.first_ended = w[i].ended < e.first_ended ? w[i].ended : e.first_ended;
        e.last_ended = w[i].ended > e.last_ended ? w[i].ended : e.last_ended;
        e.longest = length > e.longest ? length : e.longest;
        e.steps += w[i].steps;
        e.rates += rate;
        e.rate_min = fmin(e.rate_min, rate);
        e.rate_max = fmax(e.rate_max, rate);
    }
    return e;
}

/* NAN where no step was run. */
static double ns_per_op(const struct pb_observation *o, const struct pb_window *w,
                        const struct edges *e)
{
    double share = o->makespan ? 1.0 : o->workers; /* what it is the time of */
    double rates = o->makespan ? (double)e->steps / (double)(e->last_ended - w[0].go) : e->rates;
    double ns = share / rates * pb_clock_ns(1);
    return e->steps > 0 && isfinite(e->rates) && isfinite(ns) ? ns : NAN;
}

static void report(const struct pb_observation *o, const void *rate, const void *tail,
                   double *values)
{
    (void)rate;
    (void)tail;
    struct edges e = edges_of(o->rate, o->workers);
    double n = o->workers, share = o->makespan ? 1.0 : n, ns = ns_per_op(o, o->rate, &e);
    double common = e.first_ended > e.last_begun ? (double)(e.first_ended - e.last_begun) : 0.0;
    values[NS_PER_OP] = ns;
    values[SAMPLED_NS_PER_OP] = NAN;
    if (o->tail != NULL) {
        struct edges sampled = edges_of(o->tail, o->workers);
        values[SAMPLED_NS_PER_OP] = ns_per_op(o, o->tail, &sampled);
    }
    values[OPS_PER_S] = share * 1e9 / ns / o->step_workers; /* NAN stays NAN */
    values[START_SKEW] = pb_clock_ns(e.last_begun - e.first_begun);
    values[STOP_SKEW] = pb_clock_ns(e.last_ended - e.first_ended);
    values[COMMON_SHARE] = e.longest > 0 ? common / (double)e.longest : NAN;
    values[SHARE_MIN] = !isnan(ns) ? e.rate_min * n / e.rates : NAN;
    values[SHARE_MAX] = !isnan(ns) ? e.rate_max * n / e.rates : NAN;
}

const struct pb_probe pb_probe_throughput = {
    .name = "throughput",
    .summary = "cost of a step and steps a second, unsampled; evenness of the workers",
    .source = "Hoefler and Belli, SC 2015",
    .metrics = metrics,
    .report = report,
};
