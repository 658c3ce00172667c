/* SPDX-License-Identifier: MIT */
/* A percentile that may be published: with at least 10 samples beyond it (methodology 3.1).
 * Threads: pure. May include: engine/. */
#ifndef PB_PERCENTILE_H
#define PB_PERCENTILE_H

#include "engine/hist.h"

/* At least `least`; NAN where too few samples lie on the shorter side. */
double pb_percentile(const struct pb_hist *hist, unsigned per_mille, double least);

#endif
