/* SPDX-License-Identifier: MIT */
/* Latency: the tail of single calls, timed at random in the TAIL window.
 * Source:  Tene, "How NOT to Measure Latency", 2015; Hoefler and Belli, SC 2015, rule 8.
 * Layout:  the same seven metrics for alloc and for free, in two runs of one table
 * I1       a percentile is published only where at least 10 samples lie beyond it
 * I2       no percentile is finer than the clock's quantum; the clock's own cost is taken off
 *          means, never off percentiles
 * Cost     two fenced readings of the clock a sample, outside the RATE window */
#include "probes/probe.h"

#include <math.h>

enum { P50, P90, P99, P999, MAX, MEAN, SAMPLES, EACH };
enum { BEYOND = 10 }; /* samples that must lie beyond a percentile */

static const unsigned permille[] = {[P50] = 500, [P90] = 900, [P99] = 990, [P999] = 999};

static const struct pb_metric metrics[] = {
    {"alloc_p50", "ns", -1, "half of the sampled allocations took at most this"},
    {"alloc_p90", "ns", -1, "90 % of the sampled allocations took at most this"},
    {"alloc_p99", "ns", -1, "99 % of the sampled allocations took at most this"},
    {"alloc_p999", "ns", -1, "99.9 % of the sampled allocations took at most this"},
    {"alloc_max", "ns", -1, "the longest sampled allocation, interruptions included"},
    {"alloc_mean", "ns", -1, "mean of the sampled allocations less the clock's own cost"},
    {"alloc_samples", "1", 0, "allocations that were timed"},
    {"free_p50", "ns", -1, "half of the sampled frees took at most this"},
    {"free_p90", "ns", -1, "90 % of the sampled frees took at most this"},
    {"free_p99", "ns", -1, "99 % of the sampled frees took at most this"},
    {"free_p999", "ns", -1, "99.9 % of the sampled frees took at most this"},
    {"free_max", "ns", -1, "the longest sampled free, interruptions included"},
    {"free_mean", "ns", -1, "mean of the sampled frees less the clock's own cost"},
    {"free_samples", "1", 0, "frees that were timed"},
    {NULL, NULL, 0, NULL},
};

static double percentile(const struct pb_hist *hist, unsigned per_mille, double quantum_ns)
{
    if (hist->n * (1000 - per_mille) < BEYOND * 1000)
        return NAN;
    return fmax((double)pb_hist_value_at(hist, per_mille / 1000.0), quantum_ns);
}

static void report_one(const struct pb_hist *hist, double *values)
{
    const struct pb_clock *clock = pb_clock_open();
    for (int i = 0; i < EACH; i++)
        values[i] = NAN;
    if (hist == NULL)
        return;
    values[SAMPLES] = (double)hist->n;
    if (hist->n == 0)
        return;
    for (int i = P50; i <= P999; i++)
        values[i] = percentile(hist, permille[i], clock->quantum_ns);
    values[MAX] = (double)hist->max;
    values[MEAN] = fmax(hist->sum / (double)hist->n - clock->overhead_ns, 0.0);
}

static void report(const struct pb_observation *o, const void *rate, const void *tail,
                   double *values)
{
    (void)rate;
    (void)tail;
    report_one(o->alloc_hist, values);
    report_one(o->free_hist, values + EACH);
}

const struct pb_probe pb_probe_latency = {
    .name = "latency",
    .summary = "percentiles of single calls, sampled at random",
    .source = "Tene, 2015; HdrHistogram",
    .metrics = metrics,
    .report = report,
};
