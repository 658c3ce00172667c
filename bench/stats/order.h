/* SPDX-License-Identifier: MIT */
/* What the estimators of this folder share: sorting and the check of inputs. Threads: any. */
#ifndef PB_STATS_ORDER_H
#define PB_STATS_ORDER_H

#include <stddef.h>

/* Sorts x ascending, in place. */
void pb_sort(double *x, size_t n);

/* Returns 0, -EDOM for a NAN or an infinity, -EINVAL for no value at all. */
int pb_check_finite(const double *x, size_t n);

/* The largest c <= most such that the interval from the c-th smallest to the c-th largest of the
 * sorted values holds the truth at least so often; 0: none. `coverage` falls with c >= 1. */
size_t pb_largest_cut(double (*coverage)(const void *null, size_t c), const void *null, size_t most,
                      double confidence);

/* The median of sorted x, n >= 1. */
double pb_median_sorted(const double *x, size_t n);

#endif
