/* SPDX-License-Identifier: MIT */
/* The bootstrap over blocks, a check of the exact interval by other means. Threads: any; pure. */
#ifndef PB_STATS_BOOTSTRAP_H
#define PB_STATS_BOOTSTRAP_H

#include "stats/stats.h"

#include <stdint.h>

enum {
    PB_BOOTSTRAP_LEAST = 20,       /* values; with fewer the interval is too narrow */
    PB_BOOTSTRAP_MOST = 1000,      /* values; the sums of pairs are n^2 / 2 */
    PB_BOOTSTRAP_RESAMPLES = 10000 /* the number to use */
};

/* The Hodges-Lehmann centre of d[0..n) with the bias-corrected and accelerated interval from
 * resampled blocks. The same seed gives the same interval on every machine. Source: Efron, "Better
 * bootstrap confidence intervals", 1987; Efron and Tibshirani, "An Introduction to the Bootstrap",
 * 1993, 14.3 and 14.6 (bias by counting half of the ties, acceleration by the jackknife). Returns
 * 0; -EINVAL (fewer than PB_BOOTSTRAP_LEAST or more than PB_BOOTSTRAP_MOST values, fewer than 1000
 * resamples, a confidence that is none); -EDOM for values that are not finite; -ENOMEM. */
int pb_bootstrap_centre(const double *d, size_t n, double confidence, size_t resamples,
                        uint64_t seed, struct pb_estimate *out);

/* The quantile of the standard normal distribution, 0 < p < 1; NAN outside. Source: Wichura,
 * "Algorithm AS 241", 1988 (PPND16, about 16 digits). */
double pb_normal_quantile(double p);

#endif
