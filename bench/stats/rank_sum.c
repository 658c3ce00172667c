/* SPDX-License-Identifier: MIT */
/* Rank sums: the ratio of two independent samples with its interval, and the test that they do not
 * differ.
 * Source:  Mann and Whitney, "On a Test of Whether one of Two Random Variables is Stochastically
 *          Larger than the Other", 1947; Hollander, Wolfe and Chicken, "Nonparametric Statistical
 *          Methods", 3rd ed. 2014, 4.1-4.3.
 * Why:     U is the number of pairs (i, j) with a[i] > b[j]. Without an effect every order of the
 *          n + m values is as likely as any other, so its distribution is counted, not assumed:
 *          exact to n = m = 50, normal above
 * I1       the interval holds what the test at level 1 - confidence does not reject; equal values
 *          can only make it wider
 * Threads: any; every function is pure
 * Cost     n m differences in memory, sorted; counting: n m (n m + 1) additions and m (n m + 1)
 *          doubles, 1 MiB at the most */
#include "stats/stats.h"

#include "stats/order.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXACT = 50 /* the largest n and m that are counted */ };

/* U under the hypothesis of no effect. */
struct rank_sum {
    size_t n, m;
    double *at_most; /* P(U <= u) for u = 0 .. n m; NULL: by the normal curve */
};

/* Counts by the recurrence of Mann and Whitney on who holds the largest value: with probability
 * i / (i + j) it is one of the first sample, and then it exceeds all j of the second. Only sums and
 * products of positive numbers: no digits are lost. row[j][u] is P(U = u) of i and j values. */
static int count_orders(struct rank_sum *null)
{
    size_t n = null->n, m = null->m, sums = n * m + 1;
    if (n > EXACT || m > EXACT)
        return 0;
    double *rows = calloc((m + 1) * sums, sizeof *rows);
    if (rows == NULL)
        return -ENOMEM;
    for (size_t j = 0; j <= m; j++)
        rows[j * sums] = 1; /* of no value and j */
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            double *row = rows + j * sums, mine = (double)i / (double)(i + j);
            const double *fewer = row - sums;
            for (size_t u = i * j + 1; u-- > 0;)
                row[u] = mine * (u >= j ? row[u - j] : 0) + (1 - mine) * fewer[u];
        }
    memmove(rows, rows + m * sums, sums * sizeof *rows);
    for (size_t u = 1; u < sums; u++)
        rows[u] += rows[u - 1];
    null->at_most = rows;
    return 0;
}

/* P(U <= u). The normal curve is read half a count further (continuity). */
static double at_most(const struct rank_sum *null, size_t u)
{
    double n = (double)null->n, m = (double)null->m;
    if (null->at_most != NULL)
        return null->at_most[u < null->n * null->m ? u : null->n * null->m];
    return 0.5 * erfc((n * m / 2 - (double)u - 0.5) / sqrt(n * m * (n + m + 1) / 6));
}

/* How often the interval from the c-th smallest to the c-th largest difference holds the shift. */
static double coverage(const void *law, size_t c)
{
    const struct rank_sum *null = law;
    return 1 - 2 * at_most(null, c - 1);
}

/* Whether counts of values stay within what can be allocated. */
static int check_sizes(size_t n, size_t m)
{
    if (n == 0 || m == 0)
        return -EINVAL;
    return n > (size_t)1 << 15 || m > (size_t)1 << 15 ? -ENOMEM : 0;
}

static int logs(const double *x, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++) {
        if (!(x[i] > 0 && isfinite(x[i])))
            return -EDOM;
        out[i] = log(x[i]);
    }
    return 0;
}

/* ln a[i] - ln b[j] of all pairs, sorted. */
static int log_differences(const double *a, size_t n, const double *b, size_t m, double *d)
{
    double *log_a = malloc((n + m) * sizeof *log_a), *log_b = log_a + n;
    int error = log_a != NULL ? logs(a, n, log_a) : -ENOMEM;
    if (error == 0)
        error = logs(b, m, log_b);
    for (size_t i = 0; error == 0 && i < n; i++)
        for (size_t j = 0; j < m; j++)
            d[i * m + j] = log_a[i] - log_b[j];
    if (error == 0)
        pb_sort(d, n * m);
    free(log_a);
    return error;
}

int pb_unpaired_ratio(const double *a, size_t n, const double *b, size_t m, double confidence,
                      struct pb_estimate *out)
{
    struct rank_sum null = {.n = n, .m = m};
    double *d = NULL;
    int error = check_sizes(n, m);
    if (error == 0 && !(confidence > 0 && confidence < 1))
        error = -EINVAL;
    if (error == 0 && (d = malloc(n * m * sizeof *d)) == NULL)
        error = -ENOMEM;
    if (error == 0)
        error = log_differences(a, n, b, m, d);
    if (error == 0)
        error = count_orders(&null);
    if (error == 0) {
        size_t cut = pb_largest_cut(coverage, &null, null.n * null.m / 2, confidence);
        *out = (struct pb_estimate){.value = exp(pb_median_sorted(d, n * m)),
                                    .low = cut > 0 ? exp(d[cut - 1]) : (double)NAN,
                                    .high = cut > 0 ? exp(d[n * m - cut]) : (double)NAN,
                                    .confidence = cut > 0 ? coverage(&null, cut) : 0,
                                    .n = n < m ? n : m};
    }
    free(null.at_most);
    free(d);
    return error;
}

int pb_rank_sum_p(const double *a, size_t n, const double *b, size_t m, double *p)
{
    struct rank_sum null = {.n = n, .m = m};
    size_t above = 0, below = 0;
    int error = check_sizes(n, m);
    if (error == 0)
        error = pb_check_finite(a, n);
    if (error == 0)
        error = pb_check_finite(b, m);
    if (error == 0)
        error = count_orders(&null);
    if (error != 0)
        return error;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++) {
            above += a[i] >= b[j];
            below += a[i] <= b[j];
        }
    /* the distribution is symmetric: the smaller side, twice */
    *p = fmin(1, 2 * at_most(&null, above < below ? above : below));
    free(null.at_most);
    return 0;
}

double pb_rank_sum_least_p(size_t n, size_t m)
{
    /* 2 / C(n + m, n): one order in all those that there are, on either side */
    return fmin(
        1, 2 * exp(lgamma((double)n + 1) + lgamma((double)m + 1) - lgamma((double)(n + m) + 1)));
}
