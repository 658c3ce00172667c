/* SPDX-License-Identifier: MIT */
/* Workers: threads made once for a cell, bound by a hook, that run one job after another together, and
 * the barrier that lets them begin a window within nanoseconds of each other: the last to arrive
 * names a moment on the clock a little ahead, and all spin until it (methodology R16). Where there are
 * more workers than processing units the spin yields.
 * Threads: pb_team_* is the owner's; pb_barrier_wait the workers'. */
#ifndef PB_TEAM_H
#define PB_TEAM_H

#include <stdbool.h>
#include <stdint.h>

struct pb_team; /* opaque */

/* What a worker runs; returns 0 or -errno. */
typedef int pb_job_fn(void *context, unsigned index);

/* Starts `workers` threads. Each first runs `bind` (may be NULL). `yields`: more workers than
 * processing units. Returns 0 and *team; what bind returned; -EAGAIN. */
int pb_team_open(unsigned workers, bool yields, pb_job_fn *bind, void *context,
                 struct pb_team **team);

/* Runs `job` once on every worker and waits for all. Returns 0 or the first error by index. */
int pb_team_run(struct pb_team *team, pb_job_fn *job, void *context);
void pb_team_close(struct pb_team *team);

/* For jobs: waits for all workers, returns the tick at which all go. */
uint64_t pb_team_line_up(struct pb_team *team);

/* For jobs: one turn of a wait; yields where the team does. */
void pb_team_relax(const struct pb_team *team);

#endif
