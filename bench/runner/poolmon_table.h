/* SPDX-License-Identifier: MIT */
/* poolmon's table: rows with what changed in them, sorted and printed in its columns.
 * Source: WDK, "PoolMon Display". Threads: any. May touch: the stream it is given. */
#ifndef PB_POOLMON_TABLE_H
#define PB_POOLMON_TABLE_H

#include "allocator.h"

#include <stdio.h>

struct pb_poolmon_row {
    struct pb_tag_row now; /* freed more often than allocated, its bytes are below 0, modulo 2^64 */
    int64_t allocs, frees, bytes; /* since the snapshot before */
};

/* By tag, the first character first; by a number, the largest first and equal ones by tag; rows
 * without a Per Alloc are the last by that. */
enum pb_poolmon_sort {
    PB_POOLMON_TAG,
    PB_POOLMON_ALLOCS,
    PB_POOLMON_FREES,
    PB_POOLMON_DIFF,
    PB_POOLMON_BYTES,
    PB_POOLMON_PER_ALLOC
};
extern const char *const pb_poolmon_sorts[]; /* "tag", ..., "per-alloc", NULL */

/* Makes `n` rows. `before`, sorted by pb_tags_sort, is the snapshot before; a row that is not in it
 * began at 0. NULL: there is none, and nothing changed. */
void pb_poolmon_compare(const struct pb_tag_row *before, size_t before_n,
                        const struct pb_tag_row *now, size_t n, struct pb_poolmon_row *rows);

void pb_poolmon_sort(struct pb_poolmon_row *rows, size_t n, enum pb_poolmon_sort by);

/* Heads and rows. Columns are as wide as what is in them. */
void pb_poolmon_print(const struct pb_poolmon_row *rows, size_t n, FILE *out);

#endif
