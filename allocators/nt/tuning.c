/* SPDX-License-Identifier: MIT */
/* The rule of tuning.h, which says what it is. Integers only: equal figures give equal depths on
 * every machine. Where no list is idle (min_activity 0), one without allocations is calm.
 * Threads: pure. */
#include "nt/tuning.h"

enum { TUNING_WHOLE = 10000 }; /* miss_target is per so many */

/* What a list in use gains: its share of misses of the room that is left, within bounds. */
static uint64_t tuning_step(const struct pb_tuning *tuning, uint64_t room, uint64_t allocates,
                            uint64_t misses)
{
    uint64_t step = misses * room / allocates;
    if (step > tuning->max_step)
        step = tuning->max_step;
    return step > 1 ? step : 1;
}

unsigned pb_tuning_depth(const struct pb_tuning *tuning, unsigned depth, unsigned maximum,
                         uint64_t allocates, uint64_t misses)
{
    uint64_t next = depth, loss = 0;
    if (misses > allocates) /* the two were not read at one moment */
        misses = allocates;
    if (allocates < tuning->min_activity) {
        loss = tuning->decay_idle;
    } else {
        for (; allocates > UINT32_MAX; allocates >>= 1) /* a ratio is all that is wanted of them */
            misses >>= 1;
        if (allocates == 0 || misses * TUNING_WHOLE < tuning->miss_target * allocates)
            loss = 1;
        else
            next += tuning_step(tuning, depth < maximum ? maximum - depth : 0, allocates, misses);
    }
    next = next > loss ? next - loss : 0;
    if (next < tuning->floor)
        next = tuning->floor;
    return next < maximum ? (unsigned)next : maximum;
}
