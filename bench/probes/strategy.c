/* SPDX-License-Identifier: MIT */
/* Strategy: what the strategy counted itself during the RATE window, as its stats say. Counts of
 * one stream are exact and repeat where threads do not race; they explain a timing.
 * Source:  allocator.h, struct pb_heap_stats.
 * Layout:  counters are differences over the window, cached_bytes the level after it
 * I1       a counter that the strategy does not keep is NAN, never 0
 * Cost     the strategy's own, in its loops */
#include "probes/probe.h"

#include <math.h>
#include <string.h>

enum {
    ALLOCS,
    FREES,
    HITS,
    MISSES,
    OVERFLOWS,
    REFILLS,
    OS_CALLS,
    LOCK_ACQUISITIONS,
    LOCK_CONTENDED,
    FALLTHROUGH,
    NATIVE_REALLOCS,
    CACHED,
    HIT_RATE,
    CONTENDED_SHARE,
    FALLTHROUGH_SHARE,
};

static const struct pb_metric metrics[] = {
    [ALLOCS] = {"allocs", "1", 0, "allocations that the strategy counted"},
    [FREES] = {"frees", "1", 0, "frees that the strategy counted"},
    [HITS] = {"hits", "1", 1, "allocations that the first level served"},
    [MISSES] = {"misses", "1", -1, "allocations that went to the next level"},
    [OVERFLOWS] = {"overflows", "1", -1, "frees that the first level refused"},
    [REFILLS] = {"refills", "1", -1, "times that a level was filled anew"},
    [OS_CALLS] = {"os_calls", "1", -1, "calls of the system made for memory"},
    [LOCK_ACQUISITIONS] = {"lock_acquisitions", "1", -1, "locks taken"},
    [LOCK_CONTENDED] = {"lock_contended", "1", -1, "locks that had to be waited for"},
    [FALLTHROUGH] = {"fallthrough", "1", -1, "requests above a bank's largest class"},
    [NATIVE_REALLOCS] = {"native_reallocs", "1", 1, "reallocs that the strategy did itself"},
    [CACHED] = {"cached_bytes", "bytes", 0, "free bytes in caches after the window"},
    [HIT_RATE] = {"hit_rate", "1", 1, "hits over hits and misses"},
    [CONTENDED_SHARE] = {"contended_share", "1", -1, "waited-for locks over locks taken"},
    [FALLTHROUGH_SHARE] = {"fallthrough_share", "1", -1, "fallthrough over allocations"},
    {NULL, NULL, 0, NULL},
};

static const size_t offsets[] = {
    [ALLOCS] = offsetof(struct pb_heap_stats, allocs),
    [FREES] = offsetof(struct pb_heap_stats, frees),
    [HITS] = offsetof(struct pb_heap_stats, hits),
    [MISSES] = offsetof(struct pb_heap_stats, misses),
    [OVERFLOWS] = offsetof(struct pb_heap_stats, overflows),
    [REFILLS] = offsetof(struct pb_heap_stats, refills),
    [OS_CALLS] = offsetof(struct pb_heap_stats, os_calls),
    [LOCK_ACQUISITIONS] = offsetof(struct pb_heap_stats, lock_acquisitions),
    [LOCK_CONTENDED] = offsetof(struct pb_heap_stats, lock_contended),
    [FALLTHROUGH] = offsetof(struct pb_heap_stats, fallthrough),
    [NATIVE_REALLOCS] = offsetof(struct pb_heap_stats, native_reallocs),
    [CACHED] = offsetof(struct pb_heap_stats, cached_bytes),
};

static double counter(const struct pb_heap_stats *stats, size_t offset)
{
    uint64_t value;
    memcpy(&value, (const unsigned char *)stats + offset, sizeof value);
    return value == PB_STAT_UNKNOWN ? NAN : (double)value;
}

static double share(double part, double whole)
{
    return whole > 0.0 ? part / whole : NAN;
}

static void report(const struct pb_observation *o, const void *rate, const void *tail,
                   double *values)
{
    (void)rate;
    (void)tail;
    for (size_t i = ALLOCS; i <= CACHED; i++)
        values[i] = counter(&o->stats, offsets[i]);
    values[HIT_RATE] = share(values[HITS], values[HITS] + values[MISSES]);
    values[CONTENDED_SHARE] = share(values[LOCK_CONTENDED], values[LOCK_ACQUISITIONS]);
    values[FALLTHROUGH_SHARE] = share(values[FALLTHROUGH], values[ALLOCS]);
}

const struct pb_probe pb_probe_strategy = {
    .name = "strategy",
    .summary = "the strategy's own counters over the timed window",
    .source = "struct pb_heap_stats",
    .metrics = metrics,
    .report = report,
};
