/* SPDX-License-Identifier: MIT */
/* The lines of a run, as results/README.md has them. All return new references. Threads: one. */
#ifndef PB_RECORD_H
#define PB_RECORD_H

#include "runner/matrix.h"
#include "runner/plan.h"
#include "runner/spawn.h"

/* The first line. `options`: what the command line changed. */
json_t *pb_record_run(const char *run, const struct pb_matrix *matrix, const json_t *options,
                      const struct pb_topology *topology);

/* Where a repetition stands in its run, and what chance gave it. */
struct pb_record_place {
    unsigned block, order, session, layout, attempt;
    struct pb_plan_setup setup;
};

/* A repetition. `outcome` is what became of the child; NULL for a cell that the plan marks. An
 * answer that is no result is a failure: a result has a status and a reason and, if ok, a wall_ns
 * above 0.
 */
json_t *pb_record_rep(const char *run, const struct pb_plan_cell *cell,
                      const struct pb_record_place *place, const struct pb_outcome *outcome);

/* The last line. `counts`: repetitions on disk by status, without those that a later one
 * supersedes.
 */
json_t *pb_record_end(const char *run, bool done, const size_t counts[PB_STATUSES]);

#endif
