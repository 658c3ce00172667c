/* SPDX-License-Identifier: MIT */
/* A cell's inside, shared by cell.c (which runs it) and cell_result.c (which judges and reports
 * it). */
#ifndef PB_CELL_INTERNAL_H
#define PB_CELL_INTERNAL_H

#include "engine/window.h"
#include "nt/pages.h"
#include "runner/cell.h"
#include "runner/limit.h"

#include <math.h>

enum { PB_CELL_OPTIONS_MAX = 2048, PB_CELL_REPLAY_SPAN = 2 /* warm replays compared */ };

struct pb_cell {
    const struct pb_cell_spec *spec;
    const struct pb_topology *topology;
    struct pb_cell_result *result;
    struct pb_arena arena;

    const struct pb_workload *workload;
    _Alignas(16) unsigned char options[PB_CELL_OPTIONS_MAX];
    struct pb_case c;
    unsigned n;
    struct pb_placement placement;

    struct pb_variant variant;
    struct pb_opened opened;
    bool heap_open;
    const struct pb_loop *loop, *table;
    struct pb_limit limit;        /* on while the heap is opened, and from warm-up to recheck */
    uint64_t opening_bytes;       /* that opening the heap made resident */
    struct pb_heap_stats at_open; /* of a library: what the process had allocated before */

    struct pb_team *team;
    struct pb_worker *workers;
    struct pb_heap *front; /* what attach_job attaches to: the heap or the audit before it */
    struct pb_hook hooks[PB_HOOKS_MAX];
    unsigned hooks_n;
    struct pb_session session;
    struct pb_watch watch;

    bool audited;         /* ahead of the windows: what memory is told from */
    uint64_t spare_bytes; /* that may be touched without harm to the machine */
    uint64_t pretouched_bytes;
    double batch_ns; /* that a batch of BODY is to take at the least */
    struct pb_audit_result audit;
    struct pb_heap_stats before, after; /* the rate window */
    struct pb_tally tail_tally;
};

/* Ends the cell with a status unless it has one, and lifts its limit. An `oom` that may be the
 * limit's doing says so. Returns -ECANCELED. */
int pb_cell_refuse(struct pb_cell *cell, enum pb_status status, const char *reason);

/* The same where it is the harness that lacks memory: `failed`, and where the user limits it, by
 * how much. */
int pb_cell_refuse_short(struct pb_cell *cell, const char *reason);

/* Leaves one more line for the reader of the record. */
void pb_cell_warn(struct pb_cell *cell, const char *text);

/* Sums the workers' tallies of the phase that has just ended. */
void pb_cell_add_tallies(const struct pb_cell *cell, struct pb_tally *sum);

/* Whether the phase that has just ended, of at most `limit` steps a worker, did what it should.
 * `sum` (may be NULL) gets the tallies. Returns 0, or -ECANCELED with the status set. */
int pb_cell_judge_phase(struct pb_cell *cell, enum pb_phase phase, uint64_t limit,
                        struct pb_tally *sum);
int pb_cell_judge_audit(struct pb_cell *cell, const struct pb_audit_result *audit);

/* What the spec's texts say. */
bool pb_cell_is_cold(const struct pb_cell *cell);
bool pb_cell_is_open(const struct pb_cell *cell);
bool pb_cell_is_trace(const struct pb_cell *cell);

/* Jobs of the team: every worker to its place, and in front of `cell->front` or away from it. */
int pb_cell_verify_binding(struct pb_cell *cell);
int pb_cell_detach_job(void *cell, unsigned index);

/* From the common start of the rate window to its last end. */
double pb_cell_wall_ns(const struct pb_cell *cell);

#endif
