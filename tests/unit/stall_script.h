/* SPDX-License-Identifier: MIT */
/* For tests of windows: a clock that moves when it is read and when a step is run, and a workload
 * of which one
 * step a second stalls. Include after cmocka. Threads: one worker. */
#ifndef PB_TEST_STALL_SCRIPT_H
#define PB_TEST_STALL_SCRIPT_H

#include "window_script.h"

static uint64_t fake_ns;  /* the clock */
static uint64_t stall_at; /* the next step from then on takes 10 ms; UINT64_MAX: never */

/* A reading takes 2 us: a wait is short. */
static inline uint64_t fake_now(void)
{
    fake_ns += 2 * US;
    return pb_clock_ticks((double)fake_ns);
}

/* 1 us, and one a second 10 ms. */
static inline uint64_t fake_step(void)
{
    uint64_t ns = US;
    if (fake_ns >= stall_at) {
        stall_at += 1000 * MS;
        ns = 10 * MS;
    }
    fake_ns += ns;
    return ns;
}

static inline uint64_t stalling_run(struct pb_worker *worker, uint64_t steps)
{
    struct script *script = worker->cursor;
    for (uint64_t i = 0; i < steps; i++)
        fake_step();
    script->done += steps;
    return steps;
}

static inline uint64_t stalling_timed(struct pb_worker *worker, struct pb_timing *timing)
{
    struct script *script = worker->cursor;
    script->done++;
    *timing = (struct pb_timing){.made = PB_TIMED_ALLOC,
                                 .alloc_ticks = pb_clock_ticks((double)fake_step())};
    return 1;
}

static const struct pb_loop stalling = {NULL, stalling_run, stalling_timed};

#endif
