/* SPDX-License-Identifier: MIT */
/* Time in ticks: the TSC where it is invariant, CLOCK_MONOTONIC_RAW elsewhere (then a tick is 1
 * ns).
 * Source: Intel SDM volume 2B, RDTSC ("not a serializing instruction") and LFENCE; AMD APM volume 3.
 * Threads: pb_clock_open once, before any thread; the rest any thread. */
#ifndef PB_CLOCK_H
#define PB_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct pb_clock {
    const char *source; /* "tsc" or "clock_gettime" */
    double ns_per_tick;
    double quantum_ns;       /* the smallest step between two readings, rare accidents aside */
    double overhead_ns;      /* mean of an empty begin/end pair; subtracted from means, never from
                                percentiles */
    uint64_t overhead_ticks; /* its median */
    const char *objection;   /* why the TSC is not the source, "" where it is */
    double disagreement_ppm; /* of its two calibrations; 0 where there were none */
};

/* What there is for and against the TSC. */
struct pb_clock_evidence {
    bool invariant;            /* the processor says constant_tsc, nonstop_tsc and rdtscp */
    const char *kernel_source; /* its clocksource now, "" if it does not say */
    double first, second;      /* ns a tick in two calibrations, one after the other; 0: none */
};

/* Why the TSC is not to be used, or "". */
const char *pb_clock_objection(const struct pb_clock_evidence *evidence);

/* Calibrates against CLOCK_MONOTONIC_RAW (about 20 ms). Returns the one clock; the same at each
 * call. */
const struct pb_clock *pb_clock_open(void);

double pb_clock_ns(uint64_t ticks);
uint64_t pb_clock_ticks(double ns);

/* The least that can be told of a single timed call: the quantum, or the interquartile range of an
 * empty begin/end pair where that is more. No percentile of calls is published below it. */
double pb_clock_resolution_ns(void);

static inline uint64_t pb_ticks_fallback(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#if defined(__x86_64__)
extern bool pb_clock_has_tsc; /* set by pb_clock_open */

/* Before what is timed: nothing of it starts earlier. */
static inline uint64_t pb_ticks_begin(void)
{
    uint32_t low, high;
    if (!pb_clock_has_tsc)
        return pb_ticks_fallback();
    __asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

/* Behind what is timed: all of it has been executed (its stores may still be on their way). */
static inline uint64_t pb_ticks_end(void)
{
    uint32_t low, high, cpu;
    if (!pb_clock_has_tsc)
        return pb_ticks_fallback();
    __asm__ volatile("rdtscp\n\tlfence" : "=a"(low), "=d"(high), "=c"(cpu) : : "memory");
    return (uint64_t)high << 32 | low;
}
#else
static inline uint64_t pb_ticks_begin(void)
{
    return pb_ticks_fallback();
}
static inline uint64_t pb_ticks_end(void)
{
    return pb_ticks_fallback();
}
#endif

#endif
