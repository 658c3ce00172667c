/* SPDX-License-Identifier: MIT */
/* Estimators and their intervals. Every function is pure; none allocates more than it says. A NAN
 * in
 * the input is a fault of the caller. Sources with each. Threads: any. */
#ifndef PB_STATS_H
#define PB_STATS_H

#include <stdbool.h>
#include <stddef.h>

/* A point with an interval. low and high are NAN when n is too small for the confidence asked. */
struct pb_estimate {
    double value, low, high;
    double confidence; /* the exact coverage of [low, high] under the assumptions; 0 if there is
                          none */
    size_t n;
};

/* Median of x[0..n) with the order-statistic interval of at least `confidence` (0.95); needs n >= 6
 * for
 * 0.95. Source: Hahn and Meeker, "Statistical Intervals", 1991, 5.2; Le Boudec, "Performance
 * Evaluation", 2010, theorem 2.1. Sorts a copy; returns 0 or -ENOMEM or -EINVAL (n == 0). */
int pb_median(const double *x, size_t n, double confidence, struct pb_estimate *out);

/* Quantile of type 7 of x[0..n) (Hyndman and Fan 1996); 0 <= q <= 1. x must be sorted. */
double pb_quantile_sorted(const double *x, size_t n, double q);

/* Ratio of paired positive values a[i] / b[i]: exp of the Hodges-Lehmann estimate (median of the
 * Walsh averages) of d = ln a - ln b, with the interval from inverting the exact Wilcoxon
 * signed-rank test
 * (normal approximation above n = 50). Source: Hollander, Wolfe and Chicken, "Nonparametric
 * Statistical Methods", 3rd ed. 2014, 3.1-3.3. */
int pb_paired_ratio(const double *a, const double *b, size_t n, double confidence,
                    struct pb_estimate *out);

/* Difference of paired values a[i] - b[i]: the Hodges-Lehmann estimate of its centre, with interval
 * and source as above, in the values' unit. Returns 0; -EINVAL (n == 0, or a confidence that is
 * none); -EDOM for values that are not finite; -ENOMEM. */
int pb_paired_difference(const double *a, const double *b, size_t n, double confidence,
                         struct pb_estimate *out);

/* Median absolute deviation times 1.4826. Source: Hampel, "The influence curve and its role in robust
 * estimation", 1974. */
int pb_mad(const double *x, size_t n, double *out);

/* Whether a quantile of `samples` values may be published: at least PB_SAMPLES_BEYOND of them lie
 * beyond it. Of a run one p99 is taken, and pb_median over the runs gives its interval: the calls
 * inside a run are not independent. Source: Le Boudec 2010, 2.2 (autocorrelated samples). */
bool pb_quantile_holds(double samples, double q);
enum { PB_SAMPLES_BEYOND = 10 };

/* The rate of several windows: all work over all time, which is the harmonic mean of rates where
 * the
 * work is equal. work[i] >= 0, seconds[i] > 0. Source: Hoefler and Belli, SC15, rule 3. Returns 0;
 * -EINVAL (n == 0); -EDOM. */
int pb_rate(const double *work, const double *seconds, size_t n, double *rate);

/* The exact two-sided p-value of the signed-rank test that the median of d is 0 (ties and zeros by
 * mid-ranks and dropping). Source: as pb_paired_ratio. */
int pb_signed_rank_p(const double *d, size_t n, double *p);

/* Ratio of two samples without pairs, a over b, all positive: exp of the Hodges-Lehmann estimate (median
 * of the n m differences) of the shift ln a - ln b, with the interval from inverting the exact
 * Mann-Whitney test (normal approximation where n or m is above 50). out->n is the smaller of n and m.
 * Samples of two sessions differ by the drift between them too, which no interval from within can tell.
 * Source: Hollander, Wolfe and Chicken, as above, 4.1-4.3. Returns 0; -EINVAL (an empty sample, or a
 * confidence that is none); -EDOM for values that are not positive and finite; -ENOMEM. */
int pb_unpaired_ratio(const double *a, size_t n, const double *b, size_t m, double confidence,
                      struct pb_estimate *out);

/* The exact two-sided p-value of the Mann-Whitney test that a and b do not differ; an equal pair counts
 * against a difference, so that ties make p larger, never smaller. Returns as above. */
int pb_rank_sum_p(const double *a, size_t n, const double *b, size_t m, double *p);

/* The smallest p that samples of these sizes can reach: 2 / C(n + m, n). */
double pb_rank_sum_least_p(size_t n, size_t m);

#endif
