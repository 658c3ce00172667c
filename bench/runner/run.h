/* SPDX-License-Identifier: MIT */
/* A run on disk, read back: results/RUN/records.jsonl as results/README.md describes it. Tables,
 * figures and resume read runs through this alone. Threads: any, one run each. */
#ifndef PB_RUN_H
#define PB_RUN_H

#include "runner/cell.h"

#include <jansson.h>

/* One repetition: one line of kind "rep". Strings belong to the run. */
struct pb_rep {
    const char *name;  /* "larson/alloc:pool/size:64/threads:2" */
    const char *cell;  /* 16 hex digits */
    const char *alloc; /* the variant's label, with "@aa" for the twin */
    const char *workload;
    const char
        *group; /* the name without its alloc part: the cells that are compared with one another */
    unsigned block, order, threads;
    enum pb_status status;
    const char *reason;
    const char *dispatch, *pin;
    json_t *json; /* the whole line, borrowed */
};

struct pb_run {
    char *folder;
    json_t *header;    /* the line of kind "run" */
    json_t *end;       /* the last line of kind "end", NULL without one */
    size_t superseded; /* repetitions that a later one of their cell and block takes the place of */
    bool complete;     /* it has a line of kind "end" with status "done" */
    bool torn;         /* the last line was cut off and dropped */
    size_t reps_n;
    struct pb_rep *reps; /* in file order; of several of a cell in one block, the last alone */
};

/* Loads results/RUN (a folder, or a name under results/). Returns 0; -ENOENT; -EINVAL with
 * "FILE:LINE: what; what to do" when a line other than the last is damaged. */
int pb_run_load(const char *folder, struct pb_run **run, char *message, size_t message_size);
void pb_run_free(struct pb_run *run);

/* One line of kind "rep" by itself: everything but its group; the line stays the caller's and must
 * outlive it. Returns 0, or -EINVAL where a field is missing. */
int pb_rep_of_line(json_t *line, struct pb_rep *rep);

/* A metric of a repetition, NAN if it has none. */
double pb_rep_metric(const struct pb_rep *rep, const char *key);

/* A histogram of a repetition ("alloc", "free"). Returns 0, -ENOENT, -EINVAL. */
int pb_rep_hist(const struct pb_rep *rep, const char *which, struct pb_hist *hist);

/* How many of its values are a nanosecond: 1, of picoseconds 1000, 0 for a unit that is unknown. */
double pb_rep_hist_per_ns(const struct pb_rep *rep, const char *which);

/* What measured the run beside the work: a sanitizer's name, "debug", or "" for a build whose
 * figures may be published. */
const char *pb_run_checks(const struct pb_run *run);

#endif
