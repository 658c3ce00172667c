/* SPDX-License-Identifier: MIT */
/* Sentinel: how long a cache line takes from one worker's processing unit to another's. A quiet
 * machine gives tens of nanoseconds, again and again; many times that says that a unit was taken
 * away, which the guest's own clocks may hide (methodology R15).
 * Threads: each function says whose. May touch: a line for each pair. */
#ifndef PB_SENTINEL_H
#define PB_SENTINEL_H

#include "engine/arena.h"
#include "engine/team.h"

/* What a pair made of it. */
struct pb_pingpong {
    double one_way_ns;  /* mean of half an exchange. Where the time ran out, the time over the
                           exchanges  done, at least one: never less than a stuck partner cost */
    unsigned exchanges; /* done: the line went there and back */
};

/* Measures two processing units: starts two threads, each bound by `bind` (as in pb_team_open; may
 * be NULL), that pass a line to and fro until `exchanges` are done or `limit_ns` is over. Returns 0
 * and *result; what bind returned; -EAGAIN. Any thread; some 100 us besides. */
int pb_pingpong_pair(pb_job_fn *bind, void *context, unsigned exchanges, double limit_ns,
                     struct pb_pingpong *result);

/* The same among the workers of a team: pair k is worker k and its neighbour k + 1; even pairs
 * first, all at once, then odd ones, so that the time does not grow with the workers. */
struct pb_sentinel {
    unsigned workers;
    struct pb_sentinel_line *lines; /* one a pair */
};

/* Returns 0 or -ENOMEM. The owner, before the workers start. */
int pb_sentinel_prepare(struct pb_sentinel *sentinel, unsigned workers, struct pb_arena *arena);

/* By every worker of the team, or by none: lines up, then passes lines. `pairs` has workers - 1
 * places. With one worker there is no pair and nothing happens. At most 3 ms. */
void pb_sentinel_run(struct pb_sentinel *sentinel, struct pb_team *team, unsigned index,
                     struct pb_pingpong *pairs);

#endif
