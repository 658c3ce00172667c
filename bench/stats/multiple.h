/* SPDX-License-Identifier: MIT */
/* p-values adjusted for their number. Threads: any; every function is pure. */
#ifndef PB_STATS_MULTIPLE_H
#define PB_STATS_MULTIPLE_H

#include <stddef.h>

/* Holm: adjusted[i] <= alpha for all tests that are rejected while the chance of any false
 * rejection
 * is at most alpha, whatever depends on what. Source: Holm, "A simple sequentially rejective
 * multiple test procedure", 1979. `adjusted` may be `p`. Returns 0; -EINVAL for a p outside of
 * [0, 1]; -ENOMEM. */
int pb_holm(const double *p, size_t n, double *adjusted);

/* Benjamini-Hochberg: of the rejected at alpha at most the share alpha is false, on average.
 * Source: Benjamini and Hochberg, "Controlling the false discovery rate", 1995. As pb_holm. */
int pb_benjamini_hochberg(const double *p, size_t n, double *adjusted);

#endif
