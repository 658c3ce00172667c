/* SPDX-License-Identifier: MIT */
/* A run in the formats of other programs, from its records. One row of a table is one format. A
 * value that is not finite never leaves, nor does a repetition that did not end well: what is left
 * out is counted.
 * Threads: any, one stream each. May touch: the stream, or the file or folder it is given. */
#ifndef PB_EXPORT_H
#define PB_EXPORT_H

#include "runner/run_cells.h"

struct pb_export_job {
    const struct pb_run *run;
    const struct pb_run_cells *cells;
    FILE *out;
    const char *folder; /* one file a distribution goes here, where the format has one; else NULL */
    const char *mark;   /* pb_run_checks: not "", every name says so */
    size_t left_out;    /* values, histograms or repetitions that could not go out */
};

struct pb_exporter {
    const char *name;
    const char *what; /* one line */
    bool split;       /* one distribution a file: -o names a folder */
    int (*write)(
        struct pb_export_job *job); /* 0; -ENODATA: nothing to write; -ENOMEM; -EIO; -errno */
};

/* By index, NULL behind the last; by name, NULL if there is none. */
const struct pb_exporter *pb_exporter_at(size_t i);
const struct pb_exporter *pb_exporter_find(const char *name);

/* Writes a run's cells that match `filter` (NULL: all) to `path` (NULL: to `out`): a file, whole or
 * not at all; of a format that splits, a folder, made if it is not there. A run of a debug or
 * sanitizer's build is refused, unless `any_build`: then its names end with "/build:debug".
 * *left_out counts. Returns 0; -ENODATA if there is nothing to write (then nothing was), -EINVAL
 * for the filter or a path that is empty, -EPERM for the build, -ENOMEM, -errno; with one line. */
int pb_export(const struct pb_run *run, const struct pb_exporter *exporter, const char *filter,
              bool any_build, const char *path, FILE *out, size_t *left_out, char *message,
              size_t message_size);

/* --- for the formats -------------------------------------------------------------------------- */

enum { PB_EXPORT_NAME_MAX = PB_CELL_NAME_MAX };

/* The cell's name, with the job's mark. */
void pb_export_marked(const struct pb_export_job *job, const struct pb_rep *rep, char *out,
                      size_t size);

/* The same with every '/' that is none between "key:value" parts, and every character that a
 * terminal or a parser may mind, replaced by '_'. */
void pb_export_name(const struct pb_export_job *job, const struct pb_rep *rep, char *out,
                    size_t size);

/* Digits of a real number in every text format. */
enum { PB_EXPORT_DIGITS = 12 };

/* Writes a document and its end of line. Returns 0 or -EIO. */
int pb_export_json(struct pb_export_job *job, const json_t *all);

/* The metrics of the run's header: calls `each` with key, unit, better and help of each, in the
 * order of their keys, until one returns not 0; returns that. */
typedef int pb_export_metric_fn(void *context, const char *key, const json_t *facts);
int pb_export_metrics(const struct pb_run *run, pb_export_metric_fn *each, void *context);

/* Seconds since 1970 of "2026-11-21T09:00:00Z", 0 for anything else. */
double pb_export_seconds(const char *utc);

int pb_export_gb(struct pb_export_job *job);
int pb_export_gb_medians(struct pb_export_job *job);
int pb_export_csv(struct pb_export_job *job);
int pb_export_markdown(struct pb_export_job *job);
int pb_export_hgrm(struct pb_export_job *job);
int pb_export_hlog(struct pb_export_job *job);
int pb_export_bmf(struct pb_export_job *job);
int pb_export_openmetrics(struct pb_export_job *job);

#endif
