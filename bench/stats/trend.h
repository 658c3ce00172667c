/* SPDX-License-Identifier: MIT */
/* Whether values change with their place in a series. Threads: any; every function is pure. */
#ifndef PB_STATS_TREND_H
#define PB_STATS_TREND_H

#include "stats/stats.h"

/* The slope of y over x: the median of the slopes between every two points, with the interval that
 * inverts Kendall's test (counted up to n = 50, normal above). x must rise. Source: Theil 1950; Sen,
 * "Estimates of the regression coefficient based on Kendall's tau", 1968; Hollander, Wolfe and
 * Chicken, "Nonparametric Statistical Methods", 3rd ed. 2014, 9.2-9.3. Returns 0; -EINVAL (n < 2, x
 * that does not rise, a confidence that is none); -EDOM for values that are not finite; -ENOMEM. */
int pb_slope(const double *x, const double *y, size_t n, double confidence,
             struct pb_estimate *out);

struct pb_runs {
    size_t above, below; /* the median; values equal to it are left out */
    size_t runs;         /* stretches on one side of it */
    double p;            /* two-sided and exact: twice the smaller tail, at most 1 */
};

/* Whether d[0..n) stays on one side of its median longer, or shorter, than chance. Source: Wald and
 * Wolfowitz, "On a test whether two samples are from the same population", 1940; the distribution
 * of the runs as in Gibbons and Chakraborti, "Nonparametric Statistical Inference", 2010, 3.2.
 * Returns 0; -EINVAL (n == 0); -EDOM; -ENOMEM. */
int pb_runs_test(const double *d, size_t n, struct pb_runs *out);

/* The autocorrelation at lag 1, and the bound 2 / sqrt(n) that chance stays within about 95 % of
 * the
 * time. 0 without spread. Source: Box and Jenkins, "Time Series Analysis", 1970, 2.1. Returns as
 * pb_runs_test; -EINVAL for n < 2. */
int pb_lag1(const double *d, size_t n, double *r, double *bound);

#endif
