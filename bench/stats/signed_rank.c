/* SPDX-License-Identifier: MIT */
/* Signed ranks: ratio and difference of paired values with their intervals, and the test that a
 * median is 0.
 * Source:  Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", 3rd ed. 2014,
 *          3.1-3.3; zeros are dropped and ties get mid-ranks, as there.
 * Why:     T+ is the sum of the ranks with a positive sign. Without an effect every sign is a fair
 *          coin, so its distribution is counted, not assumed: exact to n = 50, normal above
 * I1       ranks are kept in halves (2 x rank), so that mid-ranks are whole numbers
 * I2       the interval holds what the test at level 1 - confidence does not reject (without ties)
 * Threads: any; every function is pure
 * Cost     paired ratio: n values and n(n+1)/2 Walsh averages in memory, sorted; p: n values,
 *          sorted; counting: n^3 additions up to n = 50, 20 KiB of stack */
#include "stats/stats.h"

#include "stats/order.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum {
    EXACT = 50,                 /* the largest n that is counted */
    SUMS = EXACT * (EXACT + 1), /* the largest sum of its ranks, in halves */
};

/* T+ under the hypothesis of no effect, in halves of a rank. */
struct signed_rank {
    size_t n;
    unsigned ranks[EXACT];
    double mean, variance;
    double at_most[SUMS + 1]; /* P(T+ <= t), for n <= EXACT */
};

static void add_rank(struct signed_rank *null, size_t halves)
{
    if (null->n < EXACT)
        null->ranks[null->n] = (unsigned)halves;
    null->n++;
    null->mean += (double)halves / 2;
    null->variance += (double)halves * (double)halves / 4;
}

/* After the last rank. Counts the choices of signs that give each sum: at most 2^50 in all, so the
 * doubles are exact. */
static void count_sums(struct signed_rank *null)
{
    double *count = null->at_most, all = ldexp(1, (int)null->n), sum = 0;
    size_t reach = 0;
    for (size_t t = 0; t <= SUMS; t++)
        count[t] = t == 0 ? 1 : 0;
    for (size_t i = 0; i < null->n; i++) {
        reach += null->ranks[i];
        for (size_t t = reach; t >= null->ranks[i]; t--)
            count[t] += count[t - null->ranks[i]];
    }
    for (size_t t = 0; t <= SUMS; t++) {
        sum += count[t];
        count[t] = sum / all;
    }
}

/* P(T+ <= t), t >= 0 in halves. The normal curve is read half a rank further (continuity). */
static double at_most(const struct signed_rank *null, double halves)
{
    if (null->n <= EXACT)
        return null->at_most[halves < SUMS ? (size_t)halves : SUMS];
    return 0.5 * erfc((null->mean - halves - 1) / sqrt(2 * null->variance));
}

/* How often the interval from the c-th smallest to the c-th largest Walsh average, c >= 1, holds
 * the median: T+ is the number of positive averages. */
static double coverage(const void *law, size_t c)
{
    const struct signed_rank *null = law;
    return 1 - 2 * at_most(null, 2 * (double)(c - 1));
}

/* d = ln a - ln b, if a, b and a / b are positive and finite. (a or b infinite: a / b is infinite,
 * 0 or NAN.) */
static int log_ratios(const double *a, const double *b, size_t n, double *d)
{
    for (size_t i = 0; i < n; i++) {
        double ratio = a[i] / b[i];
        if (!(b[i] > 0 && ratio > 0 && isfinite(ratio)))
            return -EDOM;
        d[i] = log(a[i]) - log(b[i]);
    }
    return 0;
}

/* Hodges-Lehmann estimate and interval of the centre of d, from its n(n+1)/2 Walsh averages. */
static void estimate_centre(const double *d, double *walsh, double confidence,
                            struct pb_estimate *out)
{
    struct signed_rank null = {.n = 0};
    size_t averages = 0;
    for (size_t i = 0; i < out->n; i++) {
        add_rank(&null, 2 * (i + 1));
        for (size_t j = i; j < out->n; j++)
            walsh[averages++] = 0.5 * (d[i] + d[j]);
    }
    if (null.n <= EXACT)
        count_sums(&null);
    pb_sort(walsh, averages);
    out->value = pb_median_sorted(walsh, averages);
    size_t cut = pb_largest_cut(coverage, &null, averages / 2, confidence);
    out->low = cut ? walsh[cut - 1] : NAN;
    out->high = cut ? walsh[averages - cut] : NAN;
    out->confidence = cut ? coverage(&null, cut) : 0;
}

static int differences(const double *a, const double *b, size_t n, double *d)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = a[i] - b[i];
        if (!isfinite(d[i]))
            return -EDOM;
    }
    return 0;
}

/* The centre of what `gaps` makes of the pairs. */
static int paired_centre(const double *a, const double *b, size_t n, double confidence,
                         int (*gaps)(const double *, const double *, size_t, double *),
                         struct pb_estimate *out)
{
    if (n == 0 || !(confidence > 0 && confidence < 1))
        return -EINVAL;
    if (n > (size_t)1 << 30) /* n(n+3)/2 doubles still are a number of bytes */
        return -ENOMEM;
    double *d = malloc((n + n * (n + 1) / 2) * sizeof(*d));
    if (!d)
        return -ENOMEM;
    int rc = gaps(a, b, n, d);
    if (!rc) {
        struct pb_estimate estimate = {.n = n};
        estimate_centre(d, d + n, confidence, &estimate);
        *out = estimate;
    }
    free(d);
    return rc;
}

int pb_paired_ratio(const double *a, const double *b, size_t n, double confidence,
                    struct pb_estimate *out)
{
    int rc = paired_centre(a, b, n, confidence, log_ratios, out);
    if (rc)
        return rc;
    out->value = exp(out->value);
    out->low = exp(out->low);
    out->high = exp(out->high);
    return 0;
}

int pb_paired_difference(const double *a, const double *b, size_t n, double confidence,
                         struct pb_estimate *out)
{
    return paired_centre(a, b, n, confidence, differences, out);
}

static int by_magnitude(const void *left, const void *right)
{
    double a = fabs(*(const double *)left), b = fabs(*(const double *)right);
    return (a > b) - (a < b);
}

/* Ranks d, sorted by magnitude and without zeros; equal magnitudes share their mean rank. Returns
 * T+ in halves. */
static double rank_magnitudes(const double *d, size_t n, struct signed_rank *null)
{
    double positive = 0;
    for (size_t first = 0, end = 0; first < n; first = end) {
        while (end < n && fabs(d[end]) <= fabs(d[first]))
            end++;
        for (size_t i = first; i < end; i++) {
            add_rank(null, first + end + 1);
            positive += d[i] > 0 ? (double)(first + end + 1) : 0;
        }
    }
    return positive;
}

int pb_signed_rank_p(const double *d, size_t n, double *p)
{
    int rc = pb_check_finite(d, n);
    if (rc)
        return rc;
    if (n > (size_t)1 << 30)
        return -ENOMEM;
    double *kept = malloc(n * sizeof(*kept));
    if (!kept)
        return -ENOMEM;
    struct signed_rank null = {.n = 0};
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (d[i] < 0 || d[i] > 0)
            kept[count++] = d[i];
    qsort(kept, count, sizeof(*kept), by_magnitude);
    double positive = rank_magnitudes(kept, count, &null);
    if (null.n <= EXACT)
        count_sums(&null);
    /* the distribution is symmetric about its mean: the smaller side, twice */
    double two_sided = 2 * at_most(&null, fmin(positive, 2 * null.mean - positive));
    *p = two_sided < 1 ? two_sided : 1;
    free(kept);
    return 0;
}
