/* SPDX-License-Identifier: MIT */
/* A run at work, shared by the runner's own files: what begins one (runner.c), its blocks
 * (runner_blocks.c), the looks between them (runner_looks.c), a repetition's child
 * (runner_child.c),
 * and what takes a run up again (runner_resume.c). Threads: one. */
#ifndef PB_RUNNER_INTERNAL_H
#define PB_RUNNER_INTERNAL_H

#include "runner/disturb.h"
#include "runner/layout.h"
#include "runner/matrix.h"
#include "runner/plan.h"
#include "runner/progress.h"
#include "runner/runner.h"
#include "runner/spawn.h"
#include "runner/store.h"
#include "stats/looks.h"

#include <limits.h>

/* What is known of one cell in one block. All of it is in the records, so that a run that is taken
 * up knows as much as one that was never interrupted. */
struct pb_work_slot {
    bool recorded, again; /* it has a record; one is made all the same, and supersedes it */
    bool disturbed,
        earlier; /* earlier: an earlier process made it, so this one does not repeat it */
    enum pb_status status;
    unsigned attempt; /* 1, and one more each time that it was repeated for being disturbed */
    double value;     /* of the primary metric, NAN without */
};

struct pb_work {
    struct pb_matrix *matrix;
    struct pb_topology *topology;
    struct pb_plan *plan;
    struct pb_store store;
    struct pb_interrupts interrupts;
    struct pb_progress progress;
    struct pb_layouts layouts;  /* the programs that are started for repetitions */
    char poolmon[PATH_MAX];     /* where children that count by tag have their table; "": not yet */
    struct pb_work_slot *slots; /* [cell][block] */
    bool *settled;              /* [cell]: it said that it cannot run here; once is enough */
    size_t others[PB_STATUSES]; /* records of what is not in this plan, by status */
    struct pb_disturb disturb;
    size_t disturbed, repeated;       /* records, superseded ones among them */
    json_t *looks;                    /* at how many blocks, for the last line */
    char looked[PB_LOOKS_REASON_MAX]; /* what was found at the last of them */
    const char *stopped_by;      /* "blocks", "target", "looks" or "budget"; NULL: nothing yet */
    bool part;                   /* of something that is not taken up */
    unsigned session;            /* of the processes that worked at the run: 0, 1, ... */
    double began;                /* this process's part of the run: the budget is its own */
    unsigned blocks_begun;       /* by this process, of those with something never measured */
    size_t made, first_made;     /* repetitions by this process; those that had none before */
    bool passed_over;            /* a block that only repeats did not fit into the budget */
    char absent[PB_MESSAGE_MAX]; /* the first cell that a child found unavailable, and its reason */
    char message[PB_MESSAGE_MAX];
};

/* Nothing in it yet. `program` is started for each repetition. */
void pb_work_open(struct pb_work *s, const char *program);
void pb_work_close(struct pb_work *s);

/* Reads the matrix, applies the options, looks at the machine and plans. Returns an exit code, with
 * one line in the message unless it is good. */
int pb_work_prepare(struct pb_work *s, const char *path, const json_t *options);

struct pb_work_slot *pb_work_at(const struct pb_work *s, const struct pb_plan_slot *slot);

/* Keeps what a record means for the rest of the run. */
void pb_work_note(struct pb_work *s, const struct pb_plan_slot *slot, const json_t *line);

/* Whether a repetition has still to be made; and whether one that was disturbed is to be repeated:
 * by the process that made it, as later its block is another time. */
bool pb_work_is_todo(const struct pb_work *s, const struct pb_plan_slot *slot);
bool pb_work_is_repeated(const struct pb_work *s, const struct pb_plan_slot *slot);

/* Whether anything is left that a run without a budget would do. */
bool pb_work_is_left(struct pb_work *s);

/* Repetitions by status, those that count. */
void pb_work_count(const struct pb_work *s, size_t counts[PB_STATUSES]);

/* Of a new run, for one that has begun goes on: whether the options of its target say something
 * beside each other, and something can be held against it. Returns an exit code, with one line in
 * the message unless it is good. */
int pb_work_check_target(struct pb_work *s, const json_t *options);

/* Whether the run stops behind `blocks` blocks: what stops it, or NULL. What was found at a look is
 * kept for the last line. */
const char *pb_work_look(struct pb_work *s, unsigned blocks);

/* Runs a cell in a child. Returns 0; -EINTR; -errno where the machine has no more of what a child
 * takes. Another error of starting it is an outcome too. */
int pb_work_child(struct pb_work *s, const struct pb_plan_slot *slot, struct pb_outcome *outcome);

/* All blocks, or those that the looks and the budget leave. Returns 0; -EINTR; -errno when a
 * repetition cannot be run or written, with one line in the message. */
int pb_work_blocks(struct pb_work *s);

/* Everything that is to be done, then the last line. Returns an exit code; what is to be said is
 * said. */
int pb_work_run(struct pb_work *s, bool quiet);

/* The exit code of a run that is done: whether cells failed, or could not run here. */
int pb_work_verdict(const struct pb_work *s);

/* Prints the message; returns the code. */
int pb_work_complain(const struct pb_work *s, int code);

#endif
