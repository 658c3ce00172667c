/* SPDX-License-Identifier: MIT */
/* Histogram: counting, merging and quantiles in the layout of hist_layout.h. A counter is at most
 * 1/128 of its values wide, which is the 0.78 % of hist.h.
 * Threads: one writer; no atomics. May touch: nothing but the histogram. */
#include "engine/hist_layout.h"

#include <math.h>
#include <string.h>

void pb_hist_clear(struct pb_hist *hist)
{
    memset(hist, 0, sizeof *hist);
    hist->min = UINT64_MAX;
}

void pb_hist_record(struct pb_hist *hist, uint64_t ns)
{
    hist->counts[pb_hist_index(ns < PB_HIST_HIGHEST ? ns : PB_HIST_HIGHEST)]++;
    hist->n++;
    hist->sum += (double)ns;
    if (ns < hist->min)
        hist->min = ns;
    if (ns > hist->max)
        hist->max = ns;
}

void pb_hist_merge(struct pb_hist *into, const struct pb_hist *from)
{
    for (size_t i = 0; i < PB_HIST_COUNTS; i++)
        into->counts[i] += from->counts[i];
    into->n += from->n;
    into->sum += from->sum;
    if (from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
}

uint64_t pb_hist_value_at(const struct pb_hist *hist, double quantile)
{
    if (hist->n == 0)
        return 0;
    /* 0.07 * 100 is a little above 7: take off what the product may be off by */
    double exact = fmin(fmax(quantile, 0.0), 1.0) * (double)hist->n;
    double rank = fmax(ceil(exact - exact * 0x1p-51), 1.0);
    double below = 0.0;
    size_t last = 0;
    for (size_t i = 0; i < PB_HIST_COUNTS && below < rank; i++) {
        below += (double)hist->counts[i];
        last = i;
    }
    return pb_hist_upper_edge(last);
}
