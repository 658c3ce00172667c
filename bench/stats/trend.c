/* SPDX-License-Identifier: MIT */
/* Theil-Sen slope with its exact interval, runs test, autocorrelation: trend.h.
 * Why:     without a trend every order of y is equally likely, so the number of falling pairs is
 *          that of the inversions of a random permutation: counted, not assumed, up to n = 50
 * Threads: any; every function is pure
 * Cost     slope: n^2 / 2 slopes in memory, sorted; counting: n^3 / 2 additions up to n = 50, 20
 *          KiB of stack; runs: O(n log n) */
#include "stats/trend.h"

#include "stats/order.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXACT = 50, INVERSIONS = EXACT * (EXACT - 1) / 2 };

/* Inversions of a random permutation of n. */
struct inversions {
    size_t n;
    double at_most[INVERSIONS + 1]; /* P(inversions <= k), for n <= EXACT */
};

/* A permutation of m is one of m - 1 with m put in at one of m places, which adds 0 .. m - 1. */
static void count_inversions(struct inversions *null)
{
    double share[INVERSIONS + 1] = {1}, *next = null->at_most, sum = 0;
    for (size_t m = 2; m <= null->n; m++) {
        for (size_t k = 0; k <= m * (m - 1) / 2; k++) {
            next[k] = 0;
            for (size_t add = 0; add < m && add <= k; add++)
                next[k] += share[k - add] / (double)m;
        }
        memcpy(share, next, (m * (m - 1) / 2 + 1) * sizeof *share);
    }
    for (size_t k = 0; k <= INVERSIONS; k++) {
        sum += k <= null->n * (null->n - 1) / 2 ? share[k] : 0;
        null->at_most[k] = sum;
    }
}

/* How often the c-th smallest to the c-th largest slope, c >= 1, hold the true one: they miss it if
 * fewer than c slopes lie on one side of it. */
static double coverage(const void *law, size_t c)
{
    const struct inversions *null = law;
    double n = (double)null->n, mean = n * (n - 1) / 4, variance = n * (n - 1) * (2 * n + 5) / 72;
    if (null->n <= EXACT)
        return 1 - 2 * null->at_most[c - 1];
    return 1 - erfc((mean - (double)c + 0.5) / sqrt(2 * variance));
}

static void estimate_slope(double *slopes, size_t count, double confidence, struct pb_estimate *out)
{
    struct inversions null = {.n = out->n};
    if (null.n <= EXACT)
        count_inversions(&null);
    pb_sort(slopes, count);
    size_t cut = pb_largest_cut(coverage, &null, count / 2, confidence);
    out->value = pb_median_sorted(slopes, count);
    out->low = cut ? slopes[cut - 1] : NAN;
    out->high = cut ? slopes[count - cut] : NAN;
    out->confidence = cut ? coverage(&null, cut) : 0;
}

int pb_slope(const double *x, const double *y, size_t n, double confidence, struct pb_estimate *out)
{
    size_t count = 0;
    int rc = 0;
    if (n < 2 || !(confidence > 0 && confidence < 1))
        return -EINVAL;
    if (pb_check_finite(x, n) || pb_check_finite(y, n))
        return -EDOM;
    if (n > (size_t)1 << 30)
        return -ENOMEM;
    double *slopes = malloc(n * (n - 1) / 2 * sizeof *slopes);
    if (!slopes)
        return -ENOMEM;
    for (size_t i = 0; i < n && !rc; i++) {
        for (size_t j = i + 1; j < n && !rc; j++) {
            double slope = (y[j] - y[i]) / (x[j] - x[i]);
            rc = !(x[j] > x[i]) ? -EINVAL : !isfinite(slope) ? -EDOM : 0;
            slopes[count++] = slope;
        }
    }
    if (!rc) {
        struct pb_estimate estimate = {.n = n};
        estimate_slope(slopes, count, confidence, &estimate);
        *out = estimate;
    }
    free(slopes);
    return rc;
}

/* --- runs ------------------------------------------------------------------------------------ */

/* ln of n over k from that of n over k - 1. */
static double log_choose_next(double before, size_t n, size_t k)
{
    return k > n ? -INFINITY : before + log((double)(n - k + 1) / (double)k);
}

/* The chance of at most `runs`, and of at least so many, in an order of a and b things, both above
 * 0: of 2k runs 2 C(a-1, k-1) C(b-1, k-1), of 2k + 1 runs C(a-1, k) C(b-1, k-1) and the same with a
 * and b changed, of C(a+b, a). */
static void runs_tails(size_t a, size_t b, size_t runs, double *at_most, double *at_least)
{
    double all = 0, here_a = 0, here_b = 0;
    for (size_t k = 1; k <= a; k++)
        all = log_choose_next(all, a + b, k);
    *at_most = *at_least = 0;
    for (size_t k = 1; k <= a && k <= b; k++) {
        double next_a = log_choose_next(here_a, a - 1, k),
               next_b = log_choose_next(here_b, b - 1, k);
        double even = 2 * exp(here_a + here_b - all);
        double odd = exp(next_a + here_b - all) + exp(here_a + next_b - all);
        *at_most += (2 * k <= runs ? even : 0) + (2 * k + 1 <= runs ? odd : 0);
        *at_least += (2 * k >= runs ? even : 0) + (2 * k + 1 >= runs ? odd : 0);
        here_a = next_a;
        here_b = next_b;
    }
}

int pb_runs_test(const double *d, size_t n, struct pb_runs *out)
{
    struct pb_estimate median;
    struct pb_runs runs = {.p = 1};
    int side = 0;
    int rc = pb_median(d, n, 0.5, &median);
    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++) {
        int now = (d[i] > median.value) - (d[i] < median.value);
        if (now == 0)
            continue;
        *(now > 0 ? &runs.above : &runs.below) += 1;
        runs.runs += now != side;
        side = now;
    }
    if (runs.above > 0 && runs.below > 0) {
        double at_most, at_least;
        runs_tails(runs.above, runs.below, runs.runs, &at_most, &at_least);
        runs.p = fmin(1, 2 * fmin(at_most, at_least));
    }
    *out = runs;
    return 0;
}

int pb_lag1(const double *d, size_t n, double *r, double *bound)
{
    double mean = 0, squares = 0, products = 0;
    if (n < 2)
        return -EINVAL;
    int rc = pb_check_finite(d, n);
    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++)
        mean += d[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        squares += (d[i] - mean) * (d[i] - mean);
        products += i > 0 ? (d[i] - mean) * (d[i - 1] - mean) : 0;
    }
    if (!isfinite(squares))
        return -EDOM;
    *r = squares > 0 ? products / squares : 0;
    *bound = 2 / sqrt((double)n);
    return 0;
}
