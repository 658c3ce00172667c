/* SPDX-License-Identifier: MIT */
/* Two modes, outliers: modes.h.
 * Why:     a page cache, a placement or a frequency that is one way in some processes and another way
 *          in the rest gives two levels, and a median of either or of neither. What is looked for
 * is a gap: the largest between neighbours that leaves a fifth of the values (two at least) on
 *          either side, over the mean absolute deviation from the medians of the two sides. A
 * fifth, so that stragglers are outliers and no mode. Hartigan's dip, the usual test, sees nothing
 *          in a dozen values, and two clusters of a mixture fit any skewed sample
 * Source:  own rule; the thresholds are the 99 % quantiles of the statistic in 40,000 simulated sets
 *          of each of five distributions with one mode, of which the largest counts
 *          (tests/golden/modes_critical.py), so that fewer than about 1 set in 100 without two
 * modes is called bimodal. They fall with n as long as a fifth of it is the same count
 * Threads: any; pure
 * Cost     a sorted copy, O(n log n), and O(n^2) for the deviations of every split */
#include "stats/modes.h"

#include "stats/order.h"
#include "stats/stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OUTLIER 14.826

static double critical_value(size_t n)
{
    static const struct {
        size_t from;
        double value;
    } table[] = {{46, 1.51}, {41, 1.70}, {36, 1.93}, {31, 2.20},  {26, 2.63},
                 {21, 3.40}, {16, 4.45}, {11, 6.82}, {10, 11.32}, {9, 12.07},
                 {8, 13.04}, {7, 14.48}, {6, 17.13}};
    size_t at = 0;
    while (n < table[at].from)
        at++;
    return table[at].value;
}

/* A sorted copy in the first half of 2n doubles, malloc'ed. */
static int sorted_twice(const double *x, size_t n, double **out)
{
    int rc = pb_check_finite(x, n);
    if (rc)
        return rc;
    double *room = n <= (size_t)1 << 30 ? malloc(2 * n * sizeof *room) : NULL;
    if (!room)
        return -ENOMEM;
    memcpy(room, x, n * sizeof *room);
    pb_sort(room, n);
    *out = room;
    return 0;
}

/* The sum of the distances of sorted x from its median. */
static double deviations(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n / 2; i++)
        sum += x[n - 1 - i] - x[i];
    return sum;
}

/* The statistic of the split into sorted x[0..k) and the rest. */
static double gap_at(const double *x, size_t n, size_t k)
{
    double gap = x[k] - x[k - 1];
    double spread = (deviations(x, k) + deviations(x + k, n - k)) / (double)n;
    return gap > 0 ? gap / spread : 0; /* without spread it is infinite */
}

int pb_modes(const double *x, size_t n, struct pb_modes *out)
{
    struct pb_modes modes = {.two = false};
    size_t least = (n + 4) / 5 > 2 ? (n + 4) / 5 : 2, split = 0;
    double *sorted = NULL;
    int rc = sorted_twice(x, n, &sorted);
    if (rc)
        return rc;
    if (!(sorted[0] > 0))
        rc = -EDOM;
    for (size_t k = least; !rc && n >= PB_MODES_LEAST && k + least <= n; k++) {
        double gap = gap_at(sorted, n, k);
        split = gap > modes.gap ? k : split;
        modes.gap = fmax(gap, modes.gap);
    }
    if (split > 0) {
        modes.critical = critical_value(n);
        modes.low = pb_median_sorted(sorted, split);
        modes.high = pb_median_sorted(sorted + split, n - split);
        modes.low_n = split;
        modes.high_n = n - split;
        modes.two = modes.gap > modes.critical && modes.high >= modes.low * (1 + PB_MODES_APART);
    }
    if (!rc)
        *out = modes;
    free(sorted);
    return rc;
}

int pb_outliers(const double *x, size_t n, bool *flags, size_t *count)
{
    double *sorted = NULL;
    size_t found = 0;
    int rc = sorted_twice(x, n, &sorted);
    if (rc)
        return rc;
    double median = pb_median_sorted(sorted, n), *gaps = sorted + n;
    for (size_t i = 0; i < n; i++)
        gaps[i] = fabs(x[i] - median);
    pb_sort(gaps, n);
    double limit = OUTLIER * pb_median_sorted(gaps, n);
    for (size_t i = 0; i < n; i++) {
        bool out = fabs(x[i] - median) > limit;
        found += out;
        if (flags)
            flags[i] = out;
    }
    *count = found;
    free(sorted);
    return 0;
}
