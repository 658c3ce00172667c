/* SPDX-License-Identifier: MIT */
/* The verb selftest: the whole instrument is tried on differences that are known beforehand, none,
 * 3 % and 10 %, and beside a busy neighbour. What it prints is what a verdict of this program is
 * worth on
 * this machine. Threads: one, and a process that spins. May touch: standard output and error; the
 * folder that its runs go to. */
#ifndef PB_SELFTEST_H
#define PB_SELFTEST_H

#include "runner/args.h"

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
