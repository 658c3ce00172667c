/* SPDX-License-Identifier: MIT */
/* A run as a table for people, or as JSON, CSV or Markdown for what comes next. Every figure
 * carries its unit and n, every ratio its interval and its base, and a cell that did not end well
 * its status: never a hole. Source: results/README.md for what is read. Threads: any, one stream
 * each. */
#ifndef PB_REPORT_H
#define PB_REPORT_H

#include "runner/run.h"

#include <stdio.h>

enum pb_report_format { PB_REPORT_TABLE, PB_REPORT_JSON, PB_REPORT_CSV, PB_REPORT_MARKDOWN };

struct pb_report_options {
    const char *reference; /* label of the variant that ratios refer to; NULL: the run's own */
    const char *metric;    /* NULL: ns_per_op */
    enum pb_report_format format;
    bool colour;    /* the table alone; colour only repeats what a sign says */
    unsigned width; /* columns of the terminal; 0: no limit */
};

/* Whether the run has what the options name. Returns 0; -ENOENT for the reference, -EINVAL for the
 * metric, with one line. */
int pb_report_check(const struct pb_run *run, const struct pb_report_options *options,
                    char *message, size_t message_size);

/* Writes the report. Returns 0; as pb_report_check, having written nothing; -ENOMEM; -EIO. */
int pb_report(const struct pb_run *run, const struct pb_report_options *options, FILE *out);

#endif
