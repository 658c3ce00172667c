/* SPDX-License-Identifier: MIT */
/* The counters of a heap as a table (allocator.h): records, sums and tests are made from the rows,
 * so that a counter is named in one place.
 * Threads: pure functions. May touch: only what it is given. */
#include "allocator.h"

#include <string.h>

#define AT(field) #field, offsetof(struct pb_heap_stats, field)

const struct pb_stat_row pb_stat_rows[] = {
    {AT(requested_bytes), "bytes"},
    {AT(granted_bytes), "bytes"},
    {AT(held_bytes), "bytes"},
    {AT(held_peak_bytes), "bytes"},
    {AT(cached_bytes), "bytes"},
    {AT(allocs), "1"},
    {AT(frees), "1"},
    {AT(hits), "1"},
    {AT(misses), "1"},
    {AT(overflows), "1"},
    {AT(refills), "1"},
    {AT(os_calls), "1"},
    {AT(lock_acquisitions), "1"},
    {AT(lock_contended), "1"},
    {AT(fallthrough), "1"},
    {AT(native_reallocs), "1"},
    {NULL, 0, NULL},
};

_Static_assert(sizeof pb_stat_rows / sizeof *pb_stat_rows - 1 ==
                   sizeof(struct pb_heap_stats) / sizeof(uint64_t),
               "every counter has a row");

static uint64_t *counter(struct pb_heap_stats *stats, const struct pb_stat_row *row)
{
    return (uint64_t *)(void *)((unsigned char *)stats + row->offset);
}

void pb_stats_unknown(struct pb_heap_stats *stats)
{
    for (const struct pb_stat_row *row = pb_stat_rows; row->name != NULL; row++)
        *counter(stats, row) = PB_STAT_UNKNOWN;
}

void pb_stats_add(struct pb_heap_stats *into, const struct pb_heap_stats *from)
{
    struct pb_heap_stats more = *from;
    for (const struct pb_stat_row *row = pb_stat_rows; row->name != NULL; row++) {
        uint64_t *sum = counter(into, row), term = *counter(&more, row);
        if (term == PB_STAT_UNKNOWN)
            continue;
        *sum = *sum == PB_STAT_UNKNOWN ? term : *sum + term;
    }
}
