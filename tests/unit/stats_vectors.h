/* SPDX-License-Identifier: MIT */
/* What the tests of statistics share: the numbers that tests/golden/stats_oracle*.py make too, and
 * how near is near. Include after cmocka.h. Threads: main. */
#ifndef PB_STATS_VECTORS_H
#define PB_STATS_VECTORS_H

#include <math.h>
#include <stddef.h>

/* As in the oracles: exact doubles, in no order. */
__attribute__((unused)) static double sample(size_t i)
{
    return 100 + (double)((i * 7919 + 13) % 1009) / 16;
}

__attribute__((unused)) static double other(size_t i)
{
    return 100 + (double)((i * 10473 + 5) % 997) / 16;
}

/* Equal to 12 digits, or both NAN. */
__attribute__((unused)) static void assert_near(double is, double expect)
{
    if (isnan(is) && isnan(expect))
        return;
    if (!(fabs(is - expect) <= 1e-12 * fmax(1, fabs(expect)))) {
        print_error("is %.17g, expected %.17g\n", is, expect);
        fail();
    }
}

#endif
