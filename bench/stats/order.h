/* SPDX-License-Identifier: MIT */
/* What the estimators of this folder share: sorting and the check of inputs. Threads: any. */
#ifndef PB_STATS_ORDER_H
#define PB_STATS_ORDER_H

#include <stddef.h>

/* Sorts x ascending, in place. */
void pb_sort(double *x, size_t n);

/* Returns 0, -EDOM for a NAN or an infinity, -EINVAL for no value at all. */
int pb_check_finite(const double *x, size_t n);

/* The median of sorted x, n >= 1. */
double pb_median_sorted(const double *x, size_t n);

#endif
