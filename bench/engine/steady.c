/* SPDX-License-Identifier: MIT */
/* Steady state: steady.h. */
#include "engine/steady.h"

#include <math.h>

static const double SLOPE = 0.01; /* of the mean, a window */

bool pb_steady(const double *rates, size_t n, size_t span)
{
    if (span < 2 || n < span)
        return false;
    const double *last = rates + (n - span);
    double middle = (double)(span - 1) / 2, sum = 0.0, rise = 0.0, run = 0.0;
    for (size_t i = 0; i < span; i++) {
        double x = (double)i - middle;
        sum += last[i];
        rise += x * last[i];
        run += x * x;
    }
    double mean = sum / (double)span;
    return mean > 0.0 && fabs(rise / run) < SLOPE * mean;
}
