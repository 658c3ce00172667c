/* SPDX-License-Identifier: MIT */
/* What may be said of a comparison: one pure function from the estimate to the word. Source:
 * Hoefler and Belli, "Scientific Benchmarking of Parallel Computing Systems", SC15, rule 7;
 * Schuirmann, "A comparison of the two one-sided tests procedure and the power approach", 1987
 * (equivalence).
 * Threads: any; every function is pure. */
#ifndef PB_STATS_VERDICT_H
#define PB_STATS_VERDICT_H

#include "stats/stats.h"

#include <stdbool.h>

#define PB_VERDICT_ALPHA          0.05
#define PB_VERDICT_LEAST_EFFECT   0.02 /* a smaller difference never counts */
#define PB_VERDICT_DELTA          0.02 /* ratios in [1/(1+delta), 1+delta] are the same */
#define PB_EQUIVALENCE_CONFIDENCE (1 - 2 * PB_VERDICT_ALPHA) /* two one-sided tests at alpha */

enum pb_verdict {
    PB_VERDICT_UNKNOWN, /* cannot be said: too few pairs for an interval */
    PB_VERDICT_NONE,    /* no difference shown */
    PB_VERDICT_SAME,    /* the same within delta: shown, not assumed */
    PB_VERDICT_BETTER,
    PB_VERDICT_WORSE,
    PB_VERDICTS
};

/* A comparison. Ratios are variant / reference. */
struct pb_comparison {
    struct pb_estimate ratio;  /* with its interval of 1 - PB_VERDICT_ALPHA */
    struct pb_estimate narrow; /* the same with PB_EQUIVALENCE_CONFIDENCE */
    double p;                  /* that the ratio is 1, adjusted for the family */
    double bound;              /* |ln ratio| that noise reaches: the A/A interval's far end */
    double delta;              /* see PB_VERDICT_DELTA */
    int better;                /* -1 lower, 1 higher, 0 neither: then only NONE, SAME, UNKNOWN */
};

/* The verdict. In this order: no interval, unknown; the interval `narrow` inside delta, and `bound`
 * too (what the reference's own twin may differ by cannot be ruled out of the variant), the same:
 * of this comparison by itself, which no family adjusts; p at most PB_VERDICT_ALPHA, 1 outside of
 * the interval and |ln ratio| above both the bound and the least effect, better or worse; else none
 * shown. */
enum pb_verdict pb_verdict(const struct pb_comparison *comparison);

/* Whether all of an interval lies inside [1/(1+delta), 1+delta]: of one with
 * PB_EQUIVALENCE_CONFIDENCE that is the equivalence test at PB_VERDICT_ALPHA. Source: Schuirmann
 * 1987; on the logarithm, as of bioequivalence. False without an interval. */
bool pb_equivalent(const struct pb_estimate *narrow, double delta);

/* Whether 1 lies outside of the interval and |ln ratio| is above both `bound` and the least effect.
 * False without an interval. */
bool pb_differs(const struct pb_estimate *ratio, double bound);

/* '+', '-', '=', '~', and ' ' for what cannot be said. */
char pb_verdict_sign(enum pb_verdict verdict);

/* "better", "worse", "same", "no difference shown", "" for what cannot be said. */
const char *pb_verdict_word(enum pb_verdict verdict);

#endif
