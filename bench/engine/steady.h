/* SPDX-License-Identifier: MIT */
/* Whether a warm-up is over (methodology R6): the slope of the rate over its last windows is small.
 * Source:  fio's steadystate=lat_slope; Georges et al., OOPSLA 2007, on what a steady state is.
 * Threads: pure. */
#ifndef PB_STEADY_H
#define PB_STEADY_H

#include <stdbool.h>
#include <stddef.h>

/* True if there are at least `span` rates and the line of least squares through the last `span` of
 * them (>= 2) changes by less than 1 % of their mean from one to the next. */
bool pb_steady(const double *rates, size_t n, size_t span);

#endif
