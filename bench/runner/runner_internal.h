/* SPDX-License-Identifier: MIT */
/* A run at work, shared by the runner's own files: what begins one (runner.c) and what takes one up
 * again (runner_resume.c). Threads: one. */
#ifndef PB_RUNNER_INTERNAL_H
#define PB_RUNNER_INTERNAL_H

#include "runner/layout.h"
#include "runner/matrix.h"
#include "runner/plan.h"
#include "runner/progress.h"
#include "runner/runner.h"
#include "runner/spawn.h"
#include "runner/store.h"

#include <limits.h>

struct pb_work {
    struct pb_matrix *matrix;
    struct pb_topology *topology;
    struct pb_plan *plan;
    struct pb_store store;
    struct pb_interrupts interrupts;
    struct pb_progress progress;
    struct pb_layouts layouts; /* the programs that are started for repetitions */
    char poolmon[PATH_MAX];    /* where children that count by tag have their table; "": not yet */
    bool *done;                /* [cell][block] */
    bool *settled;             /* [cell]: it said that it cannot run here; once is enough */
    bool *stale; /* [cell]: it was unavailable and is tried again; the next record supersedes */
    size_t counts[PB_STATUSES];
    char absent[PB_MESSAGE_MAX]; /* the first cell that a child found unavailable, and its reason */
    char message[PB_MESSAGE_MAX];
};

/* Nothing in it yet. `program` is started for each repetition. */
void pb_work_open(struct pb_work *s, const char *program);
void pb_work_close(struct pb_work *s);

/* Reads the matrix, applies the options, looks at the machine and plans. Returns an exit code, with
 * one line in the message unless it is good. */
int pb_work_prepare(struct pb_work *s, const char *path, const json_t *options);

/* Counts a record, and keeps what it means for the rest of the run. */
void pb_work_note(struct pb_work *s, const struct pb_plan_slot *slot, enum pb_status status);
bool pb_work_is_todo(struct pb_work *s, const struct pb_plan_slot *slot);

/* Runs a cell in a child. Returns 0; -EINTR; -errno where the machine has no more of what a child
 * takes. Another error of starting it is an outcome too. */
int pb_work_child(struct pb_work *s, const struct pb_plan_slot *slot, struct pb_outcome *outcome);

/* Everything that is to be done, then the last line. Returns an exit code; what is to be said is
 * said. */
int pb_work_run(struct pb_work *s, bool quiet);

/* The exit code of a run that is done: whether cells failed, or could not run here. */
int pb_work_verdict(const struct pb_work *s);

/* Prints the message; returns the code. */
int pb_work_complain(const struct pb_work *s, int code);

/* Of what could not be opened or written: the machine's fault, or the command line's. */
int pb_exit_of(int error);

#endif
