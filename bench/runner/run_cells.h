/* SPDX-License-Identifier: MIT */
/* The repetitions of a run by cell. What joins runs and what leaves the program is made from this,
 * so that they agree on which repetitions count. Threads: any, one table each. */
#ifndef PB_RUN_CELLS_H
#define PB_RUN_CELLS_H

#include "runner/run.h"
#include "stats/stats.h"

/* One cell; pointers belong to the run. */
struct pb_cell_reps {
    const char *cell, *name, *alloc, *group;
    const struct pb_rep *const *reps; /* by block */
    size_t n, ok;                     /* repetitions, and those that are ok */
    enum pb_status status;            /* PB_OK, or that of the first repetition that is not */
    const char *reason;               /* of that one, "" */
};

struct pb_run_cells {
    size_t n;
    struct pb_cell_reps *cells; /* by name, numbers in order */
    const struct pb_rep **reps;
    const struct pb_cell_reps **by_cell; /* the same by cell */
};

/* `filter`: a POSIX extended expression on names that cells are to match, NULL: all. The run must
 * outlive the table. Returns 0; -EINVAL with one line for an expression that is none; -ENOMEM. */
int pb_run_cells(const struct pb_run *run, const char *filter, struct pb_run_cells *cells,
                 char *message, size_t message_size);
void pb_run_cells_free(struct pb_run_cells *cells);

/* The cell of that id, or of that group and variant; NULL if there is none. */
const struct pb_cell_reps *pb_run_cells_find(const struct pb_run_cells *cells, const char *cell);
const struct pb_cell_reps *pb_run_cells_variant(const struct pb_run_cells *cells, const char *group,
                                                const char *alloc);

/* A metric of the repetitions that are ok and have it, by block, into values[0 .. cell->n) and
 * blocks (may be NULL). Finite values alone. Returns how many. */
size_t pb_cell_values(const struct pb_cell_reps *cell, const char *key, double *values,
                      unsigned *blocks);

/* Their median with its interval of 95 %. Returns 0; -ENOENT without a value; -ENOMEM. */
int pb_cell_median(const struct pb_cell_reps *cell, const char *key, struct pb_estimate *out);

#endif
