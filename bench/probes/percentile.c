/* SPDX-License-Identifier: MIT */
/* Percentiles of histograms: percentile.h. */
#include "probes/percentile.h"

#include <math.h>

enum { BEYOND = 10 };

double pb_percentile(const struct pb_hist *hist, unsigned per_mille, double least)
{
    unsigned beyond = per_mille < 500 ? per_mille : 1000 - per_mille;
    if (hist->n * beyond < BEYOND * 1000)
        return NAN;
    return fmax((double)pb_hist_value_at(hist, per_mille / 1000.0), least);
}
