/* SPDX-License-Identifier: MIT */
/* p-values adjusted for their number: multiple.h. Both walk the sorted values once and keep what
 * was the largest (Holm, upwards) or smallest (Benjamini-Hochberg, downwards) so far. */
#include "stats/multiple.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

struct ranked {
    double p;
    size_t at;
};

static int by_p(const void *left, const void *right)
{
    double a = ((const struct ranked *)left)->p, b = ((const struct ranked *)right)->p;
    return (a > b) - (a < b);
}

/* The values in rising order, malloc'ed. */
static int rank_all(const double *p, size_t n, struct ranked **out)
{
    for (size_t i = 0; i < n; i++)
        if (!(p[i] >= 0 && p[i] <= 1))
            return -EINVAL;
    if (n > SIZE_MAX / sizeof **out - 1)
        return -ENOMEM;
    struct ranked *ranked = malloc((n + 1) * sizeof *ranked);
    if (!ranked)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        ranked[i] = (struct ranked){p[i], i};
    qsort(ranked, n, sizeof *ranked, by_p);
    *out = ranked;
    return 0;
}

int pb_holm(const double *p, size_t n, double *adjusted)
{
    struct ranked *ranked;
    double most = 0;
    int rc = rank_all(p, n, &ranked);
    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fmin(1, (double)(n - i) * ranked[i].p));
        adjusted[ranked[i].at] = most;
    }
    free(ranked);
    return 0;
}

int pb_benjamini_hochberg(const double *p, size_t n, double *adjusted)
{
    struct ranked *ranked;
    double least = 1;
    int rc = rank_all(p, n, &ranked);
    if (rc)
        return rc;
    for (size_t i = n; i-- > 0;) {
        least = fmin(least, (double)n / (double)(i + 1) * ranked[i].p);
        adjusted[ranked[i].at] = least;
    }
    free(ranked);
    return 0;
}
