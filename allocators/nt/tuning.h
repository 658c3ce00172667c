/* SPDX-License-Identifier: MIT */
/* The rule by which a lookaside list's depth follows its use, once a period. NT documents the shape
 * (each second; more allocations, more entries kept; idle lists shrink; 4 to 256) and not the
 * constants: those are ours, and options.
 *     A, M    allocations and misses since the list was looked at last
 *     idle    A < min_activity: depth - decay_idle
 *     calm    M / A < miss_target: depth - 1
 *     else    depth + M / A * (maximum - depth), at least 1, at most max_step
 *     then    not below floor, not above the list's MaximumDepth
 * A lowered depth frees nothing at once: the surplus leaves by later frees that find the list full.
 * Source:  Windows Internals, 6th ed., 2012, "Look-Aside Lists"; WDK, "Using Lookaside Lists".
 * Threads: pure. May include: option.h. */
#ifndef PB_NT_TUNING_H
#define PB_NT_TUNING_H

#include "option.h"

struct pb_tuning {
    uint64_t period_ms;
    uint64_t min_activity; /* allocations a period */
    uint64_t decay_idle;   /* entries */
    uint64_t miss_target;  /* per 10,000 */
    uint64_t max_step;     /* entries */
    uint64_t floor;        /* entries */
};

/* The rows of an option table for a `struct pb_tuning tuning` in the struct `type`. */
#define PB_TUNING_ROW(record, option, member, value, of, least, most, text)                        \
    {.name = option,                                                                               \
     .type = PB_OPTION_UINT,                                                                       \
     .offset = offsetof(record, tuning.member),                                                    \
     .unit = of,                                                                                   \
     .standard = value,                                                                            \
     .min = least,                                                                                 \
     .max = most,                                                                                  \
     .help = text},
#define PB_TUNING_ROWS(type)                                                                       \
    PB_TUNING_ROW(type, "tune_period", period_ms, "1000", "ms", 1, 3600000,                        \
                  "time between two adjustments of depth")                                         \
    PB_TUNING_ROW(type, "tune_min_activity", min_activity, "25", "allocations", 0, 1000000000,     \
                  "a list with fewer allocations in a period is idle")                             \
    PB_TUNING_ROW(type, "tune_decay_idle", decay_idle, "10", "blocks", 0, 32768,                   \
                  "what an idle list's depth loses")                                               \
    PB_TUNING_ROW(type, "tune_miss_target", miss_target, "50", "per 10000", 0, 10000,              \
                  "a list that misses less often than this loses one of depth")                    \
    PB_TUNING_ROW(type, "tune_max_step", max_step, "30", "blocks", 1, 32768,                       \
                  "the most that depth grows by")                                                  \
    PB_TUNING_ROW(type, "tune_floor", floor, "4", "blocks", 1, 32768, "depth never falls below")

/* The next depth of a list. */
unsigned pb_tuning_depth(const struct pb_tuning *tuning, unsigned depth, unsigned maximum,
                         uint64_t allocates, uint64_t misses);

#endif
