/* SPDX-License-Identifier: MIT */
/* The layout that hist.c counts in and hist_codec.c writes: which counter a value has, and which
 * values a counter stands for. 256 counters of width 1, then 128 for each further power of two.
 * Threads: pure functions. */
#ifndef PB_HIST_LAYOUT_H
#define PB_HIST_LAYOUT_H

#include "engine/hist.h"

enum {
    PB_HIST_DIGITS = 2,
    PB_HIST_LOWEST = 1,
    PB_HIST_SUB_BITS = 8, /* 2^8 sub-buckets: the power of two at or above 2 * 10^digits */
    PB_HIST_HALF = 1 << (PB_HIST_SUB_BITS - 1),
    PB_HIST_TOP_BITS = 42 /* of the highest value */
};
#define PB_HIST_HIGHEST UINT64_C(3600000000000)

_Static_assert(PB_HIST_HIGHEST >> (PB_HIST_TOP_BITS - 1) == 1, "bits of the highest value");
_Static_assert(PB_HIST_COUNTS == (PB_HIST_TOP_BITS - PB_HIST_SUB_BITS + 2) * PB_HIST_HALF,
               "a counter for every index");

static inline size_t pb_hist_index(uint64_t value)
{
    unsigned bits = 64u - (unsigned)__builtin_clzll(value | ((1u << PB_HIST_SUB_BITS) - 1u));
    unsigned bucket = bits - PB_HIST_SUB_BITS;
    return (size_t)(bucket + 1) * PB_HIST_HALF + (size_t)(value >> bucket) - PB_HIST_HALF;
}

/* The lowest and the highest value that counter `index` stands for. */
static inline uint64_t pb_hist_lower_edge(size_t index)
{
    if (index < 2 * PB_HIST_HALF)
        return index;
    return (uint64_t)(index % PB_HIST_HALF + PB_HIST_HALF) << (index / PB_HIST_HALF - 1);
}

static inline uint64_t pb_hist_upper_edge(size_t index)
{
    if (index < 2 * PB_HIST_HALF)
        return index;
    return pb_hist_lower_edge(index) + (UINT64_C(1) << (index / PB_HIST_HALF - 1)) - 1;
}

#endif
