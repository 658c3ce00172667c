/* SPDX-License-Identifier: MIT */
/* Sequential stopping by looks that were declared before the run: blocks are added until every
 * primary ratio is known well enough, and only at those counts is anybody asked. Intervals of 99 %
 * pay for looking more than once. Source: Armitage, McPherson and Rowe, "Repeated significance
 * tests on accumulating data", 1969 (why looking often misleads); the looks and the target are
 * reference values of the suite's method. Threads: any; every function is pure. */
#ifndef PB_STATS_LOOKS_H
#define PB_STATS_LOOKS_H

#include <stdbool.h>
#include <stddef.h>

#define PB_LOOKS_CONFIDENCE 0.99
#define PB_LOOKS_HALF_WIDTH 0.02 /* of the ratio, the default target */

enum { PB_LOOKS_REASON_MAX = 160 };

/* One primary comparison so far: n pairs of positive values, in block order. `name` is for the
 * reason only. A pair that was not tried and has no values (its cell cannot run here) holds nobody
 * up. */
struct pb_looks_pair {
    const char *name;
    const double *variant, *reference;
    size_t n;
    bool tried; /* it is to have values: without any, as where every process crashed, it waits */
};

enum pb_looks_answer {
    PB_LOOKS_CONTINUE, /* to the next look */
    PB_LOOKS_PRECISE,  /* stop: every ratio is within the target */
    PB_LOOKS_LAST      /* stop: there is no further look */
};

struct pb_looks_decision {
    enum pb_looks_answer answer;
    unsigned next;    /* blocks at the next look; 0 when it stops */
    double widest;    /* the largest relative half-width; NAN while an interval, or a pair, lacks */
    size_t widest_at; /* the pair that has it, or that lacks its interval */
    char reason[PB_LOOKS_REASON_MAX]; /* one line, for `stopped_by` and `looks` of the record */
};

/* The look after `blocks`, at most `most` (0: the last that is declared); 0: none. pb_looks_next(0,
 * 0) is the first. The looks are 11, 16, 23, 32, 45; one that `most` cuts off is replaced by
 * `most`, so that a run of 20 looks at 11, 16 and 20. */
unsigned pb_looks_next(unsigned blocks, unsigned most);

/* Whether to go on after `blocks` complete blocks. `half_width`: the target, relative to the ratio,
 * in (0, 1); `most`: as above. Between two looks the answer is to go on, whatever the values say;
 * where nothing is compared nothing is known, and it never is that all is precise.
 * Returns 0; -EINVAL for a target that is none; -EDOM for values that have no ratio; -ENOMEM. */
int pb_looks_decide(const struct pb_looks_pair *pairs, size_t pairs_n, unsigned blocks,
                    unsigned most, double half_width, struct pb_looks_decision *decision);

#endif
