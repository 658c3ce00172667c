/* SPDX-License-Identifier: MIT */
/* Gaps: a thread that does nothing but read the clock sees every moment in which it did not run, as
 * a step between two readings that is longer than reading takes; whoever took it (another thread,
 * an interrupt, the hypervisor), and whether the kernel knows of it or not.
 * Source: the idea of jHiccup (Gil Tene); methodology 3.4. Threads: any, on what it passes. */
#ifndef PB_GAPS_H
#define PB_GAPS_H

#include <stdint.h>

struct pb_gaps {
    uint64_t spun;           /* ticks from the first reading to the last */
    uint64_t total, longest; /* ticks in gaps */
    uint64_t n;
    uint64_t run_wait_ns; /* of the same time: waited for a processor, UINT64_MAX if not known */
};

/* Reads `now` over and over until `ticks` have passed; each step of more than `threshold` is a gap.
 * Fills all of *gaps but run_wait_ns. */
void pb_gaps_spin(uint64_t (*now)(void), uint64_t ticks, uint64_t threshold, struct pb_gaps *gaps);

/* The same on the clock, for `ns` and a threshold of 1 us, with run_wait_ns. Reads files before and
 * behind. */
void pb_gaps_measure(double ns, struct pb_gaps *gaps);

/* Ticks in gaps that waiting for a processor does not explain; all of them where that is not known.
 */
double pb_gaps_unexplained_ns(const struct pb_gaps *gaps);

#endif
