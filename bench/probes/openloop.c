/* SPDX-License-Identifier: MIT */
/* Open loop: latency of steps that arrive at moments drawn beforehand, from the moment that each
 * was meant to begin to its end. A stall delays all that arrive while it lasts, and is charged to
 * each: a closed loop sends nothing meanwhile, and leaves out the samples that would have been bad.
 * Source:  Tene, "How NOT to Measure Latency", 2015; methodology R17.
 * Layout:  one histogram of all workers, from the OPEN window, which runs behind RATE on a warm heap
 * I1       a percentile is published only where at least 10 samples lie beyond it, and is never finer
 *          than the clock
 * I2       where the workers cannot keep up, open_rate_share is below 1 and latencies grow
 *          with the length of the window: such a cell says that the rate is too high, not a latency
 * Cost     a worker that waits reads the clock, and yields where workers share processors */
#include "probes/percentile.h"
#include "probes/probe.h"

#include <math.h>

enum { RATE_LEAST = 100 /* steps of a worker */ };
enum { P50, P90, P99, P999, MAX, SAMPLES, RATE, RATE_SHARE, LATE_SHARE };

static const struct pb_metric metrics[] = {
    [P50] = {"open_p50", "ns", -1, "half of the steps ended at most this after they were due"},
    [P90] = {"open_p90", "ns", -1, "90 % of the steps ended at most this after they were due"},
    [P99] = {"open_p99", "ns", -1, "99 % of the steps ended at most this after they were due"},
    [P999] = {"open_p999", "ns", -1, "99.9 % of the steps ended at most this after they were due"},
    [MAX] = {"open_max", "ns", -1, "the latest step, interruptions included"},
    [SAMPLES] = {"open_samples", "1", 0, "steps of the open loop, each timed"},
    [RATE] = {"open_rate", "1/s", 1,
              "steps a second of a worker that were done, from when the first was due"},
    [RATE_SHARE] = {"open_rate_share", "1", 1,
                    "time of the schedule over the time it took: below 1 if not kept up"},
    [LATE_SHARE] = {"open_late_share", "1", -1, "steps that were due before their worker was free"},
    {NULL, NULL, 0, NULL},
};

/* From the moment that the first step was due: by the schedule to that of the last, and in fact to
 * its end. Of so few steps the last one's own time would weigh. */
static void put_rates(const struct pb_observation *o, double *values)
{
    double gaps = 0.0, intended = 0.0, taken = 0.0;
    for (unsigned i = 0; i < o->workers; i++) {
        const struct pb_window *w = &o->open[i];
        if (w->steps < RATE_LEAST)
            return;
        gaps += (double)(w->steps - 1);
        intended += pb_clock_ns(w->due_last - w->due_first);
        taken += pb_clock_ns(w->over - w->due_first);
    }
    values[RATE] = taken > 0.0 ? gaps / taken * 1e9 : NAN;
    values[RATE_SHARE] = taken > 0.0 ? intended / taken : NAN;
}

static void report(const struct pb_observation *o, const void *rate, const void *tail,
                   double *values)
{
    static const unsigned permille[] = {[P50] = 500, [P90] = 900, [P99] = 990, [P999] = 999};
    const struct pb_hist *hist = o->hists[PB_VIEW_OPEN];
    (void)rate;
    (void)tail;
    for (size_t i = 0; metrics[i].key != NULL; i++)
        values[i] = NAN;
    if (hist == NULL || o->open == NULL || hist->n == 0)
        return;
    for (int i = P50; i <= P999; i++)
        values[i] = pb_percentile(hist, permille[i], pb_clock_resolution_ns());
    double steps = 0.0, late = 0.0;
    for (unsigned i = 0; i < o->workers; i++) {
        steps += (double)o->open[i].steps;
        late += (double)o->open[i].late;
    }
    values[MAX] = (double)hist->max;
    values[SAMPLES] = (double)hist->n;
    put_rates(o, values);
    values[LATE_SHARE] = steps > 0.0 ? late / steps : NAN;
}

const struct pb_probe pb_probe_openloop = {
    .name = "openloop",
    .summary = "latency from the moment that a step was due, at a given rate",
    .source = "Tene, 2015",
    .metrics = metrics,
    .report = report,
};
