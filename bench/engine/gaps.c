/* SPDX-License-Identifier: MIT */
/* Gaps: the loop that reads the clock, and what it makes of the steps.
 * I1       the last step ends the loop: a gap that lasts beyond the end counts whole
 * Cost     a reading takes some 15 ns, so that a step of 1 us is none of its own */
#include "engine/gaps.h"

#include "engine/accounts.h"
#include "engine/clock.h"

static const double threshold_ns = 1000.0;

static uint64_t clock_now(void)
{
    return pb_ticks_begin();
}

void pb_gaps_spin(uint64_t (*now)(void), uint64_t ticks, uint64_t threshold, struct pb_gaps *gaps)
{
    uint64_t begun = now(), last = begun;
    *gaps = (struct pb_gaps){.run_wait_ns = UINT64_MAX};
    while (last - begun < ticks) {
        uint64_t at = now(), step = at - last;
        last = at;
        if (step <= threshold)
            continue;
        gaps->n++;
        gaps->total += step;
        gaps->longest = step > gaps->longest ? step : gaps->longest;
    }
    gaps->spun = last - begun;
}

void pb_gaps_measure(double ns, struct pb_gaps *gaps)
{
    uint64_t before = pb_run_wait_now();
    pb_gaps_spin(clock_now, pb_clock_ticks(ns), pb_clock_ticks(threshold_ns), gaps);
    uint64_t after = pb_run_wait_now();
    if (before != UINT64_MAX && after != UINT64_MAX)
        gaps->run_wait_ns = after - before;
}

double pb_gaps_unexplained_ns(const struct pb_gaps *gaps)
{
    double lost = pb_clock_ns(gaps->total);
    if (gaps->run_wait_ns == UINT64_MAX)
        return lost;
    return lost > (double)gaps->run_wait_ns ? lost - (double)gaps->run_wait_ns : 0.0;
}
