/* SPDX-License-Identifier: MIT */
/* Memory: what the strategy holds against what the workload has, from the audit pass.
 * Source:  Johnstone and Wilson, "The Memory Fragmentation Problem: Solved?", ISMM 1998 (measures
 *          2, 3 and 4 of use over live bytes); Maas et al., ISMM 2021 (realized fragmentation).
 * Layout:  live  bytes requested and not freed, exact, counted by the audit
 *          granted, held  what the strategy says it rounded that up to, and took from the system
 *          rss  resident anonymous bytes less the baseline, read at checkpoints
 * I1       the audit touches every byte of every block, so live bytes are resident
 * Cost     none in a timed window: a pass of its own */
#include "probes/probe.h"

#include <math.h>

enum {
    LIVE_PEAK,
    RSS_PEAK,
    RSS_OVER_LIVE,
    RSS_AT_LIVE_PEAK,
    REALIZED,
    HELD_PEAK,
    HELD_OVER_LIVE,
    GRANTED_AT_PEAK,
    CACHED_AT_PEAK,
    INTERNAL,
    EXTERNAL,
    RSS_END,
    RESIDUAL,
};

static const struct pb_metric metrics[] = {
    [LIVE_PEAK] = {"live_peak_bytes", "bytes", 0, "most bytes that the workload had at once"},
    [RSS_PEAK] = {"rss_peak_bytes", "bytes", -1, "most resident bytes of the strategy"},
    [RSS_OVER_LIVE] = {"rss_over_live", "1", -1, "resident peak over live peak"},
    [RSS_AT_LIVE_PEAK] = {"rss_at_live_peak", "1", -1, "resident over live bytes at the live peak"},
    [REALIZED] = {"realized", "1", -1, "resident over live bytes at the resident peak"},
    [HELD_PEAK] = {"held_peak_bytes", "bytes", -1,
                   "most bytes taken from the system, by its stats"},
    [HELD_OVER_LIVE] = {"held_over_live", "1", -1, "held peak over live peak"},
    [GRANTED_AT_PEAK] = {"granted_at_peak", "bytes", -1,
                         "live bytes as rounded up, at the live peak"},
    [CACHED_AT_PEAK] = {"cached_at_peak", "bytes", 0, "free bytes in caches at the live peak"},
    [INTERNAL] = {"internal", "1", -1, "share of granted bytes that nobody asked for"},
    [EXTERNAL] = {"external", "1", -1, "share of held bytes that are granted to nobody"},
    [RSS_END] = {"rss_end_bytes", "bytes", -1, "resident bytes after everything was freed"},
    [RESIDUAL] = {"residual", "1", -1, "resident bytes at the end over their peak"},
    {NULL, NULL, 0, NULL},
};

static double known(uint64_t value)
{
    return value == PB_STAT_UNKNOWN ? NAN : (double)value;
}

/* part / whole, NAN where either is unknown or the whole is nothing. */
static double ratio(double part, double whole)
{
    return whole > 0.0 ? part / whole : NAN;
}

static void report(const struct pb_observation *o, const void *rate, const void *tail,
                   double *values)
{
    (void)rate;
    (void)tail;
    for (size_t i = 0; metrics[i].key != NULL; i++)
        values[i] = NAN;
    const struct pb_audit_result *a = o->audit;
    if (a == NULL)
        return;
    const struct pb_heap_stats *peak = &a->at_live_peak;
    double live = (double)a->live_peak_bytes, rss = (double)a->rss_peak_bytes;
    double granted = known(peak->granted_bytes);
    values[LIVE_PEAK] = live;
    values[RSS_PEAK] = rss;
    values[RSS_OVER_LIVE] = ratio(rss, live);
    values[RSS_AT_LIVE_PEAK] = ratio((double)a->rss_at_live_peak_bytes, live);
    values[REALIZED] = ratio(rss, (double)a->live_at_rss_peak_bytes);
    values[HELD_PEAK] = fmax(known(a->at_end.held_peak_bytes), known(peak->held_bytes));
    values[HELD_OVER_LIVE] = ratio(values[HELD_PEAK], live);
    values[GRANTED_AT_PEAK] = granted;
    values[CACHED_AT_PEAK] = known(peak->cached_bytes);
    values[INTERNAL] = 1.0 - ratio(known(peak->requested_bytes), granted);
    values[EXTERNAL] = 1.0 - ratio(granted, known(peak->held_bytes));
    values[RSS_END] = (double)a->rss_end_bytes;
    values[RESIDUAL] = ratio((double)a->rss_end_bytes, rss);
}

const struct pb_probe pb_probe_memory = {
    .name = "memory",
    .summary = "resident, held and granted bytes against exact live bytes",
    .source = "Johnstone and Wilson, ISMM 1998",
    .metrics = metrics,
    .report = report,
};
