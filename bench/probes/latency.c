/* SPDX-License-Identifier: MIT */
/* Latency: the tail of single calls, timed at random in the TAIL window, whole and by the way that
 * a call took.
 * Source:  Tene, "How NOT to Measure Latency", 2015; Hoefler and Belli, SC 2015, rule 8.
 * Layout:  a metric is a row of two tables: what of which histogram it is, and what it is called
 * I1       a percentile is published only where at least 10 samples lie beyond it
 * I2       no percentile is finer than the clock tells; the clock's own cost is taken off
 *          means, never off percentiles
 * I3       clean is what nothing disturbed (mark.h); it stands beside the whole, never in its place
 * Cost     two fenced readings of the clock a sample, outside the RATE window */
#include "probes/percentile.h"
#include "probes/probe.h"

#include <math.h>

enum figure { P50, P90, P99, P999, MAX, MEAN, SAMPLES, SHARE };

/* What a metric is of: a figure of a histogram; SHARE: of the samples of another one, with which
 * it is there. */
struct row {
    enum figure figure;
    enum pb_view_index of, whole;
};

#define SIDE(whole)                                                                                \
    {P50, whole, whole}, {P90, whole, whole}, {P99, whole, whole}, {P999, whole, whole},           \
        {MAX, whole, whole}, {MEAN, whole, whole},                                                 \
    {                                                                                              \
        SAMPLES, whole, whole                                                                      \
    }
#define CLEAN(of, whole)                                                                           \
    {P99, of, whole},                                                                              \
    {                                                                                              \
        P999, of, whole                                                                            \
    }
#define WAY(of, whole)                                                                             \
    {P50, of, whole}, {P99, of, whole},                                                            \
    {                                                                                              \
        SHARE, of, whole                                                                           \
    }

static const struct row rows[] = {
    SIDE(PB_VIEW_ALLOC),
    SIDE(PB_VIEW_FREE),
    CLEAN(PB_VIEW_ALLOC_CLEAN, PB_VIEW_ALLOC),
    CLEAN(PB_VIEW_FREE_CLEAN, PB_VIEW_FREE),
    WAY(PB_VIEW_ALLOC_MISS, PB_VIEW_ALLOC),
    {SHARE, PB_VIEW_ALLOC_OS, PB_VIEW_ALLOC},
    WAY(PB_VIEW_FREE_REMOTE, PB_VIEW_FREE),
    WAY(PB_VIEW_FREE_OVERFLOW, PB_VIEW_FREE),
    {SHARE, PB_VIEW_FREE_OS, PB_VIEW_FREE},
};

enum { ROWS = sizeof rows / sizeof *rows, MARKED = ROWS, MARKED_SHARE, PREEMPTED_SHARE };

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
    {"alloc_clean_p99", "ns", -1,
     "99 % of the allocations that nothing disturbed took at most this"},
    {"alloc_clean_p999", "ns", -1, "the same of 99.9 %"},
    {"free_clean_p99", "ns", -1, "99 % of the frees that nothing disturbed took at most this"},
    {"free_clean_p999", "ns", -1, "the same of 99.9 %"},
    {"alloc_miss_p50", "ns", -1, "half of the allocations that the first level missed"},
    {"alloc_miss_p99", "ns", -1, "99 % of them"},
    {"alloc_miss_share", "1", -1,
     "of the sampled allocations; those that went on to the system apart"},
    {"alloc_os_share", "1", -1, "sampled allocations that took memory from the system"},
    {"free_remote_p50", "ns", -1, "half of the frees of what another worker had allocated"},
    {"free_remote_p99", "ns", -1, "99 % of them"},
    {"free_remote_share", "1", 0, "of the sampled frees"},
    {"free_overflow_p50", "ns", -1, "half of the frees that the first level had no room for"},
    {"free_overflow_p99", "ns", -1, "99 % of them"},
    {"free_overflow_share", "1", -1,
     "of the sampled frees; those that went on to the system apart"},
    {"free_os_share", "1", -1, "sampled frees that gave memory to the system"},
    [MARKED] = {"marked_samples", "1", -1, "timed calls that something disturbed"},
    [MARKED_SHARE] = {"marked_share", "1", -1, "of all timed calls"},
    [PREEMPTED_SHARE] = {"preempted_share", "1", -1,
                         "timed calls within whose step rseq saw the thread disturbed, of all"},
    {NULL, NULL, 0, NULL},
};

_Static_assert(sizeof metrics / sizeof *metrics == PREEMPTED_SHARE + 2, "a name for every row");

static double share_of(const struct pb_hist *of, const struct pb_hist *whole)
{
    if (whole == NULL || whole->n == 0)
        return NAN;
    return of != NULL ? (double)of->n / (double)whole->n : 0.0;
}

static double value_of(const struct row *row, const struct pb_observation *o)
{
    static const unsigned permille[] = {[P50] = 500, [P90] = 900, [P99] = 990, [P999] = 999};
    const struct pb_hist *hist = o->hists[row->of];
    if (pb_view_rows[row->of].by_path && !o->paths)
        return NAN;
    if (row->figure == SHARE)
        return share_of(hist, o->hists[row->whole]);
    if (hist == NULL)
        return NAN;
    if (row->figure == SAMPLES)
        return (double)hist->n;
    if (hist->n == 0)
        return NAN;
    if (row->figure == MAX)
        return (double)hist->max;
    if (row->figure == MEAN)
        return fmax(hist->sum / (double)hist->n - pb_clock_open()->overhead_ns, 0.0);
    return pb_percentile(hist, permille[row->figure], pb_clock_resolution_ns());
}

static void report(const struct pb_observation *o, const void *rate, const void *tail,
                   double *values)
{
    (void)rate;
    (void)tail;
    for (size_t i = 0; i < ROWS; i++)
        values[i] = value_of(&rows[i], o);
    double all = 0.0, clean = 0.0;
    for (int i = PB_VIEW_ALLOC; i <= PB_VIEW_FREE; i++) {
        all += o->hists[i] != NULL ? (double)o->hists[i]->n : 0.0;
        clean += o->hists[i + 2] != NULL ? (double)o->hists[i + 2]->n : 0.0;
    }
    values[MARKED] = all > 0.0 ? all - clean : NAN;
    values[MARKED_SHARE] = all > 0.0 ? (all - clean) / all : NAN;
    values[PREEMPTED_SHARE] = all > 0.0 ? o->hits / all : NAN;
}

const struct pb_probe pb_probe_latency = {
    .name = "latency",
    .summary = "percentiles of single calls, sampled at random",
    .source = "Tene, 2015; HdrHistogram",
    .metrics = metrics,
    .report = report,
};
