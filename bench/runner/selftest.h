/* SPDX-License-Identifier: MIT */
/* The verb selftest: runs, their records and the report's verdicts are tried on differences that
 * are known beforehand, none, 3 % and 10 %, and beside a busy neighbour. What it prints is what a
 * verdict of a report is worth on this machine. It does not go through what stands on the same
 * estimates: a comparison of two runs and its gate (compare.h), the looks of a run with a target
 * (stats/looks.h).
 * Threads: one, and a process that spins. May touch: standard output and error; the
 * folder that its runs go to. */
#ifndef PB_SELFTEST_H
#define PB_SELFTEST_H

#include "runner/args.h"

#include <stdbool.h>
#include <stddef.h>

/* Runs the experiments and prints the table. Returns an exit code: 0 all of them as they should be;
 * 3 one of them was not; what pb_runner_run returns where a run could not be made. */
int pb_selftest(const struct pb_args *args);

/* --- the judges, which only read
 * ------------------------------------------------------------------
 */

/* What an experiment found over its comparisons. */
struct pb_selftest_tally {
    size_t comparisons; /* those that have an interval */
    size_t counted;     /* of them, those that did what the experiment counts */
    double least, most; /* ratios */
    double widest;      /* the widest interval: its ends' ratio less 1 */
};

struct pb_summary;

#define PB_SELFTEST_ALPHA 0.05 /* that a sound instrument is beyond a bound, at the most */

/* The least number that is exceeded with a chance of PB_SELFTEST_ALPHA at the most where each of n
 * goes wrong with the chance `rate`, in (0, 1), and for itself: the binomial distribution's. */
size_t pb_selftest_wrong(size_t n, double rate);

/* Whether a planted slowdown whose sign is `calm` in quiet and `loud` beside a busy neighbour was
 * judged as it should be: found in quiet; beside the neighbour found, or not shown, or not said,
 * but not turned round and not called the same. */
bool pb_selftest_busy_holds(char calm, char loud);

/* A/A: twins that differ from their reference by the rule of every comparison. What the twins
 * themselves say of the noise is left out of the rule here, as it would excuse them. */
void pb_selftest_count_twins(const struct pb_summary *summary, struct pb_selftest_tally *tally);

/* Planted: comparisons of `alloc` that the summary gives this sign. */
void pb_selftest_count_sign(const struct pb_summary *summary, const char *alloc, char sign,
                            struct pb_selftest_tally *tally);

/* Planted: comparisons whose interval for `alloc` holds the true ratio. */
void pb_selftest_count_covered(const struct pb_summary *summary, const char *alloc, double truth,
                               struct pb_selftest_tally *tally);

/* The true ratio of a chain of `links` to one of `reference` links, from the times of two chains: a
 * line through (half, t_half) and (reference, t_reference), whose intercept is the cost of the
 * call, which is not planted. */
double pb_selftest_truth(double half, double t_half, double reference, double t_reference,
                         double links);

#endif
