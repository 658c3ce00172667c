/* SPDX-License-Identifier: MIT */
/* Watch: gaps | taken | sentinel | the window | sentinel | taken | gaps, so that what tells most of
 * the window's own time is nearest to it.
 * May touch: its places in the arena, two small files of /proc; never the strategy's memory.
 * Cost     1 ms of gaps, 1.1 ms of sentinel a side on a quiet machine; 1 and 3 ms at most */
#include "engine/watch.h"

#include <errno.h>
#include <sched.h>

static const double gaps_ns = 1e6;

int pb_watch_prepare(struct pb_watch *watch, unsigned workers, bool oversubscribed,
                     struct pb_arena *arena)
{
    *watch = (struct pb_watch){.workers = workers, .apart = !oversubscribed};
    watch->cpus = pb_arena_take(arena, workers * sizeof *watch->cpus, _Alignof(unsigned));
    if (watch->cpus == NULL || pb_sentinel_prepare(&watch->sentinel, workers, arena) != 0)
        return -ENOMEM;
    for (int side = 0; side < PB_WATCH_SIDES; side++) {
        struct pb_watch_side *s = &watch->sides[side];
        s->pairs = pb_arena_take(arena, workers * sizeof *s->pairs, _Alignof(struct pb_pingpong));
        s->gaps = pb_arena_take(arena, workers * sizeof *s->gaps, _Alignof(struct pb_gaps));
        if (s->pairs == NULL || s->gaps == NULL)
            return -ENOMEM;
    }
    return 0;
}

static void take(struct pb_watch *watch, int side, unsigned index)
{
    if (index == 0)
        pb_taken_read(watch->cpus, watch->workers, &watch->sides[side].taken);
}

void pb_watch_before(struct pb_watch *watch, struct pb_team *team, unsigned index)
{
    struct pb_watch_side *side = &watch->sides[PB_WATCH_BEFORE];
    watch->cpus[index] = (unsigned)sched_getcpu();
    pb_team_line_up(team);
    if (watch->apart)
        pb_gaps_measure(gaps_ns, &side->gaps[index]);
    take(watch, PB_WATCH_BEFORE, index);
    if (watch->apart)
        pb_sentinel_run(&watch->sentinel, team, index, side->pairs);
}

void pb_watch_after(struct pb_watch *watch, struct pb_team *team, unsigned index)
{
    struct pb_watch_side *side = &watch->sides[PB_WATCH_AFTER];
    if (watch->apart)
        pb_sentinel_run(&watch->sentinel, team, index, side->pairs);
    take(watch, PB_WATCH_AFTER, index);
    if (watch->apart)
        pb_gaps_measure(gaps_ns, &side->gaps[index]);
}

bool pb_watch_slowest(const struct pb_watch *watch, int side, struct pb_pingpong *slowest)
{
    const struct pb_pingpong *pairs = watch->sides[side].pairs;
    if (!watch->apart || watch->workers < 2)
        return false;
    *slowest = pairs[0];
    for (unsigned k = 1; k < watch->workers - 1; k++)
        if (pairs[k].one_way_ns > slowest->one_way_ns)
            *slowest = pairs[k];
    return true;
}
