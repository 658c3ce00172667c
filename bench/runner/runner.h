/* SPDX-License-Identifier: MIT */
/* The run: one child after another in the plan's order, each recorded before the next one starts. A
 * cell that goes wrong is a record; what ends a run early leaves it resumable. Exit codes are those
 * of the program: 0 good, 1 a regression, 2 usage, 3 some cells failed, 4 another machine or one
 * that lacks what is
 * needed (a library, disk, descriptors), 5 nothing matched, 130 interrupted. Threads: one. May
 * touch: the folder of its run, standard error; SIGXFSZ, which is ignored from then on. */
#ifndef PB_RUNNER_H
#define PB_RUNNER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum pb_exit {
    PB_EXIT_GOOD = 0,
    PB_EXIT_REGRESSION = 1,
    PB_EXIT_USAGE = 2,
    PB_EXIT_FAILED = 3,
    PB_EXIT_MACHINE = 4,
    PB_EXIT_NOTHING = 5,
    PB_EXIT_INTERRUPTED = 130
};

/* Of what could not be opened or written: the machine's fault, or the command line's. */
int pb_exit_of(int error);

/* What the command line asks for. */
struct pb_request {
    const char *matrix; /* a name or a path */
    json_t *options; /* key of pb_matrix_override, or "filter" -> text; "set" -> array of texts */
    const char *out; /* the run's folder, NULL: a new one under results */
    const char *program; /* started for each repetition with the argument "child" (layout.h) */
    bool quiet;
    bool part;   /* of something that is not taken up: no word of resume */
    bool strict; /* a machine that doctor warns of is refused */
    bool json;   /* the dry run's output: the manifest */
};

/* Each returns an exit code; what went wrong is one line on standard error. `folder` (of `size`)
 * gets the run's folder, "" if there is none. */
int pb_runner_run(const struct pb_request *request, char *folder, size_t size);

/* Taking a run up again. */
struct pb_taking_up {
    const char *run;     /* a name or a folder */
    const char *program; /* as above */
    bool quiet;
    bool retry_failed; /* what failed, crashed, timed out, ran out of memory or was corrupt, too */
};

/* What was unavailable is tried again, in a run that is done too; what was measured is not. */
int pb_runner_resume(const struct pb_taking_up *how, char *folder, size_t size);

/* The dry run: prints the plan. */
int pb_runner_plan(const struct pb_request *request, FILE *out);

#endif
