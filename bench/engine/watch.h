/* SPDX-License-Identifier: MIT */
/* Watch: looks at the machine right before and right behind the RATE window, on the workers and
 * their processing units: the sentinel, a spell of gaps on each worker, and what was taken of their
 * processors in between (methodology R14, R15). Nothing of it runs inside the window.
 * Threads: prepare is the owner's, before the workers start; the edges the workers'. */
#ifndef PB_WATCH_H
#define PB_WATCH_H

#include "engine/accounts.h"
#include "engine/gaps.h"
#include "engine/sentinel.h"

#include <stdbool.h>

enum { PB_WATCH_BEFORE, PB_WATCH_AFTER, PB_WATCH_SIDES };

struct pb_watch {
    unsigned workers;
    bool apart; /* each worker has a unit of its own; else only what was taken is looked at */
    struct pb_sentinel sentinel;
    unsigned *cpus; /* where each worker was before */
    struct pb_watch_side {
        struct pb_pingpong *pairs; /* workers - 1 */
        struct pb_gaps *gaps;      /* `workers` */
        struct pb_taken taken;
    } sides[PB_WATCH_SIDES];
};

/* Returns 0 or -ENOMEM. `oversubscribed`: workers share units. */
int pb_watch_prepare(struct pb_watch *watch, unsigned workers, bool oversubscribed,
                     struct pb_arena *arena);

/* By every worker of the team, on each side of the window. Up to 4 ms each, half of that on a quiet
 * machine. */
void pb_watch_before(struct pb_watch *watch, struct pb_team *team, unsigned index);
void pb_watch_after(struct pb_watch *watch, struct pb_team *team, unsigned index);

/* The slowest pair of a side; false with nothing written where there is none. */
bool pb_watch_slowest(const struct pb_watch *watch, int side, struct pb_pingpong *slowest);

#endif
