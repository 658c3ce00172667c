/* SPDX-License-Identifier: MIT */
/* Order statistics: median with its exact interval, quantile, median absolute deviation.
 * Source:  Hahn and Meeker, "Statistical Intervals", 1991, 5.2; Le Boudec, "Performance
 *          Evaluation", 2010, theorem 2.1; Hyndman and Fan, "Sample Quantiles", 1996, type 7.
 * Threads  any; every function is pure
 * Cost     O(n log n), one copy of the input */
#include "stats/stats.h"

#include "stats/order.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void pb_sort(double *x, size_t n)
{
    if (n > 1)
        qsort(x, n, sizeof(*x), by_value);
}

int pb_check_finite(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return -EDOM;
    return n ? 0 : -EINVAL;
}

size_t pb_largest_cut(double (*coverage)(const void *null, size_t c), const void *null, size_t most,
                      double confidence)
{
    size_t low = 0, high = most;
    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;
        if (coverage(null, middle) >= confidence)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

double pb_median_sorted(const double *x, size_t n)
{
    return n % 2 ? x[n / 2] : 0.5 * x[n / 2 - 1] + 0.5 * x[n / 2];
}

double pb_quantile_sorted(const double *x, size_t n, double q)
{
    if (n == 0 || !(q >= 0 && q <= 1))
        return NAN;
    double at = (double)(n - 1) * q;
    size_t below = (size_t)at;
    if (below + 1 >= n)
        return x[n - 1];
    double part = at - (double)below;
    return x[below] + part * (x[below + 1] - x[below]);
}

/* A sorted copy of finite x. */
static int sorted_copy(const double *x, size_t n, double **copy)
{
    int rc = pb_check_finite(x, n);
    if (rc)
        return rc;
    if (n > (size_t)1 << 30) /* counts of values fit an int */
        return -ENOMEM;
    double *made = malloc(n * sizeof(*made));
    if (!made)
        return -ENOMEM;
    memcpy(made, x, n * sizeof(*made));
    pb_sort(made, n);
    *copy = made;
    return 0;
}

/* The largest k >= 1 for which ranks k .. n+1-k hold the median with at least `confidence`; 0:
 * none. They miss it if fewer than k values lie on one side of it: 2 P(Bin(n, 1/2) <= k-1).
 * *coverage gets what is left. The binomial term is kept as mantissa x 2^exponent: 2^-n underflows
 * from n = 1075. */
static size_t median_rank(size_t n, double confidence, double *coverage)
{
    double mantissa = 1, below = 0;
    int exponent = 0;
    size_t rank = 0;
    for (size_t k = 1; k <= n / 2; k++) {
        below += ldexp(mantissa, exponent - (int)n);
        if (!(1 - 2 * below >= confidence))
            break;
        rank = k;
        *coverage = 1 - 2 * below;
        int shift = 0;
        mantissa = frexp(mantissa * (double)(n - k + 1) / (double)k, &shift);
        exponent += shift;
    }
    return rank;
}

int pb_median(const double *x, size_t n, double confidence, struct pb_estimate *out)
{
    double *sorted = NULL;
    if (!(confidence > 0 && confidence < 1))
        return -EINVAL;
    int rc = sorted_copy(x, n, &sorted);
    if (rc)
        return rc;
    struct pb_estimate estimate = {.low = NAN, .high = NAN, .n = n};
    estimate.value = pb_median_sorted(sorted, n);
    size_t rank = median_rank(n, confidence, &estimate.confidence);
    if (rank) {
        estimate.low = sorted[rank - 1];
        estimate.high = sorted[n - rank];
    }
    *out = estimate;
    free(sorted);
    return 0;
}

bool pb_quantile_holds(double samples, double q)
{
    return samples * (1 - q) >= PB_SAMPLES_BEYOND - 1e-6; /* 1 - 0.99 is not quite 0.01 */
}

int pb_rate(const double *work, const double *seconds, size_t n, double *rate)
{
    double all_work = 0, all_seconds = 0;
    if (n == 0)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        if (!(work[i] >= 0 && seconds[i] > 0))
            return -EDOM;
        all_work += work[i];
        all_seconds += seconds[i];
    }
    if (!isfinite(all_work / all_seconds) || !isfinite(all_seconds))
        return -EDOM;
    *rate = all_work / all_seconds;
    return 0;
}

/* 1.4826: for normal noise the result estimates the standard deviation. */
int pb_mad(const double *x, size_t n, double *out)
{
    double *sorted = NULL;
    int rc = sorted_copy(x, n, &sorted);
    if (rc)
        return rc;
    double median = pb_median_sorted(sorted, n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = fabs(sorted[i] - median);
    pb_sort(sorted, n);
    *out = 1.4826 * pb_median_sorted(sorted, n);
    free(sorted);
    return 0;
}
