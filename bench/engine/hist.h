/* SPDX-License-Identifier: MIT */
/* A histogram in HdrHistogram's layout with two decimal digits over 1 ns .. 3600 s: each count is
 * within 0.78 % of its value. One a thread and kind of operation, no atomics; merged after the run.
 * Minimum, maximum and sum are kept exactly beside it. What is finer is counted in another unit, which
 * who publishes it names (kind.h).
 * Source: HdrHistogram, V2 encoding (HdrHistogram_c 0.11, hdr_histogram_log.c).
 * Threads: one writer; merge and encode when it has stopped. */
#ifndef PB_HIST_H
#define PB_HIST_H

#include <stddef.h>
#include <stdint.h>

enum { PB_HIST_COUNTS = 4608 }; /* enough for every index; hist.c asserts it against the layout */

struct pb_hist {
    uint64_t n, min, max; /* ns; min is UINT64_MAX while n is 0 */
    double sum;           /* ns */
    uint64_t counts[PB_HIST_COUNTS];
};

void pb_hist_clear(struct pb_hist *hist);
void pb_hist_record(struct pb_hist *hist, uint64_t ns); /* above the range: counted in the last */
void pb_hist_merge(struct pb_hist *into, const struct pb_hist *from);

/* The smallest value such that at least `quantile` (0..1) of the samples are at or below it: the upper
 * edge of its bucket. 0 for an empty histogram. */
uint64_t pb_hist_value_at(const struct pb_hist *hist, double quantile);

/* The base64 text of the HdrHistogram V2 compressed encoding ("HISTF..."). Returns the length without
 * the terminator, or -ENOSPC. `size` of PB_HIST_TEXT_MAX always suffices. */
enum { PB_HIST_TEXT_MAX = 64 * 1024 };
int pb_hist_encode(const struct pb_hist *hist, char *out, size_t size);

/* Reads such a text back (two digits, lowest 1). min, max and sum are then those of the buckets.
 * Returns 0 or -EINVAL. */
int pb_hist_decode(struct pb_hist *hist, const char *text);

#endif
