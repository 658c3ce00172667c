/* SPDX-License-Identifier: MIT */
/* Which events the counters probe counts in this process, and what it keeps of one worker's window;
 * here so that a test can choose a kernel and make a window up.
 * Threads: choosing, one, before any worker. */
#ifndef PB_COUNTERS_H
#define PB_COUNTERS_H

#include "engine/perf_events.h"

/* From now on: these events (a text of pb_perf_to_text, "" for none), asked of this kernel; of the
 * groups of the hardware's, which would share its counters, the one whose `turn` it is. Returns 0
 * or -EINVAL. */
int pb_counters_choose(const struct pb_perf_kernel *kernel, const char *events, unsigned turn);

/* A worker's state is a struct pb_perf_counts. */

#endif
