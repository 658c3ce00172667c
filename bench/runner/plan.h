/* SPDX-License-Identifier: MIT */
/* A plan: the cells that a matrix spans, and the order in which they run. Each block holds every
 * cell once, in a permutation of its own that the seed decides (methodology R19); the same matrix,
 * seed and machine give the same plan. A cell that cannot run here stays in the plan with its
 * reason and is recorded once: more threads than the machine has units, what a strategy cannot do,
 * a library that is missing. What is wrong whatever the machine refuses the whole plan. Threads:
 * one. May touch, to read only: the traces, all of each; the files of libraries; the matrix, for a
 * place in it. */
#ifndef PB_PLAN_H
#define PB_PLAN_H

#include "runner/cell.h"
#include "runner/matrix.h"

#include <stdio.h>

struct pb_plan_cell {
    struct pb_cell_spec spec;
    char name[PB_CELL_NAME_MAX];
    char id[17]; /* of workload, all its options, variant, threads, pin, memory and dispatch */
    enum pb_status mark; /* PB_OK: it runs; PB_SKIPPED, PB_UNAVAILABLE: it does not */
    char reason[256];
    double estimate; /* seconds a repetition, nominal */
};

struct pb_plan_slot {
    unsigned block;
    size_t cell;
};

/* What differs between two processes of one cell beside the code's placement (methodology R5). */
struct pb_plan_setup {
    uint64_t seed;    /* for what the child draws itself */
    size_t env_bytes; /* padding of its environment */
};

struct pb_plan {
    size_t cells_n;
    struct pb_plan_cell *cells;
    unsigned blocks;
    uint64_t seed;
    size_t order_n; /* marked cells are in block 0 only */
    struct pb_plan_slot *order;
    unsigned layouts;      /* placements of the code that there are (layout.h); 1 unless set */
    unsigned first_layout; /* block 0's, before it is folded into those that there are */
};

/* Makes the plan. `filter`: a POSIX extended regular expression on names, or NULL. Returns 0;
 * -ENOENT (nothing matched); -ENOMEM; or -EINVAL, each with one line. -EINVAL is
 *     a malformed filter or pin list; an entry without axes.alloc; a name that is too long;
 *     a trace that cannot be read to its end, or is malformed: "trace: FILE:LINE: what";
 *     options of a workload that do not fit together, in a cell that excludes and filter keep;
 *     more threads than units without oversubscribe, if the command line's --threads asks for them.
 * What a file's axes ask for in threads is marked as skipped instead, so that a matrix runs
 * everywhere; a trace oversubscribes, as its threads are data. */
int pb_plan_make(const struct pb_matrix *matrix, const struct pb_topology *topology,
                 const char *filter, struct pb_plan **plan, char *message, size_t message_size);
void pb_plan_free(struct pb_plan *plan);

/* The placement of the code that all cells of a block run in: they rotate over the blocks. */
unsigned pb_plan_layout(const struct pb_plan *plan, unsigned block);

/* Of a repetition, the same for each attempt at it. */
struct pb_plan_setup pb_plan_setup(const struct pb_plan *plan, const struct pb_plan_slot *slot);

/* The plan as JSON Lines: the run, every cell, every repetition in its order with its placement and
 * setup. The same matrix, seed and machine give the same bytes. Returns 0 or -ENOMEM. */
int pb_plan_manifest(const struct pb_plan *plan, FILE *out);

/* Cells, what cannot run and why, repetitions, estimated time and disk, for people; and why there
 * will be no ratios, if so. */
void pb_plan_print(const struct pb_plan *plan, const struct pb_matrix *matrix, FILE *out);

/* Marks a cell that cannot run on this machine, with the reason. Returns 0; -EINVAL for a malformed
 * variant or pin list; -E2BIG for a cell that is marked because its threads do not fit, which is
 * the caller's to accept or to refuse; both with the reason in `message`. */
int pb_plan_judge(struct pb_plan_cell *cell, const struct pb_workload *workload,
                  const void *options, const struct pb_topology *topology, char *message,
                  size_t message_size);

/* --- shared by the plan's own files ------------------------------------------------------------
 */

/* Draws the order and the first layout. Returns 0 or -ENOMEM. */
int pb_plan_order(struct pb_plan *plan);

#endif
