/* SPDX-License-Identifier: MIT */
/* Body: what a step costs in batches, each between two readings of the clock in the BODY window,
 * which runs the first part of the stream again. It is finer than the clock, which single calls are
 * not, and shows how the cost is spread, which the RATE window's one figure does not.
 * Source:  methodology 3.1, R13: never derived from single calls, nor they from it.
 * Layout:  a batch has as many steps as take 50 quanta of the clock or 50 of its own readings, and 8
 *          at least, rounded up to whole periods of the workload (the frees of `batch` come all at
 *          once); a sample is its time over its steps, in picoseconds
 *          Its length comes from the fastest window of the warm-up, and a quarter is added
 * I1       a percentile is published only where at least 10 samples lie beyond it
 * I2       none is where batches took less on average than the clock needs
 * I3       batches of different lengths are different distributions: no histogram of both
 * Cost     two readings a batch, at most 2 % of it, which nothing is taken off for */
#include "probes/percentile.h"
#include "probes/probe.h"

#include <math.h>

enum { P10, P50, P90, BATCHES, STEPS };

static const struct pb_metric metrics[] = {
    [P10] = {"body_p10", "ns", -1, "a step in the fastest 10 % of the batches took at most this"},
    [P50] = {"body_p50", "ns", -1, "a step in half of the batches took at most this"},
    [P90] = {"body_p90", "ns", -1, "a step in 90 % of the batches took at most this"},
    [BATCHES] = {"body_batches", "1", 0, "batches that were timed"},
    [STEPS] = {"body_steps", "1", 0, "steps of a batch; histograms of equal ones alone merge"},
    {NULL, NULL, 0, NULL},
};

/* Whether a batch took as long, on average, as the clock needs: the warm-up, which its length comes
 * from, may have been slower. */
static bool is_fine(const struct pb_observation *o, const struct pb_hist *hist)
{
    if (hist == NULL || hist->n == 0)
        return false;
    return hist->sum / (double)hist->n / 1000.0 * (double)o->batch >= o->batch_ns;
}

static void report(const struct pb_observation *o, const void *rate, const void *tail,
                   double *values)
{
    static const unsigned permille[] = {[P10] = 100, [P50] = 500, [P90] = 900};
    const struct pb_hist *hist = o->hists[PB_VIEW_BODY];
    (void)rate;
    (void)tail;
    bool fine = is_fine(o, hist);
    for (int i = P10; i <= P90; i++)
        values[i] = fine ? pb_percentile(hist, permille[i], 0.0) / 1000.0 : NAN;
    values[BATCHES] = hist != NULL ? (double)hist->n : NAN;
    values[STEPS] = hist != NULL ? (double)o->batch : NAN;
}

const struct pb_probe pb_probe_body = {
    .name = "body",
    .summary = "cost of a step in timed batches: the body of the distribution",
    .source = "methodology 3.1: batches of at least 50 quanta of the clock",
    .metrics = metrics,
    .report = report,
};
