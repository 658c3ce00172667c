/* SPDX-License-Identifier: MIT */
/* What one median would hide: two modes, outliers. Threads: any; every function is pure. */
#ifndef PB_STATS_MODES_H
#define PB_STATS_MODES_H

#include <stdbool.h>
#include <stddef.h>

enum { PB_MODES_LEAST = 6 /* values; with fewer nothing is said */ };

#define PB_MODES_APART                                                                             \
    0.05 /* of the lower mode: modes that are closer are not worth two figures                     \
          */

struct pb_modes {
    bool two;
    double low, high; /* the medians of the two groups */
    size_t low_n, high_n;
    double gap, critical; /* the statistic (infinite without spread), and what it had to exceed */
};

/* Whether positive x[0..n) is of two groups. See modes.c for the rule and why. Returns 0, also with
 * `two` false; -EINVAL (n == 0); -EDOM for values that are not finite or not positive; -ENOMEM. */
int pb_modes(const double *x, size_t n, struct pb_modes *out);

/* Counts values with |x - median| > 14.826 times the median absolute deviation (the plain one, not
 * that of pb_mad; ten standard deviations of normal noise), and sets flags[i] where `flags` is not
 * NULL. If more than half are equal, every other value is one. Nothing is dropped for it. Source:
 * Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993; the threshold is hyperfine's.
 * Returns 0; -EINVAL (n == 0); -EDOM; -ENOMEM. */
int pb_outliers(const double *x, size_t n, bool *flags, size_t *count);

#endif
