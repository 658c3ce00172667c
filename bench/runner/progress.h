/* SPDX-License-Identifier: MIT */
/* How far a run is, on standard error: a bar with a time estimate on a terminal, one line a block
 * or half minute elsewhere. It is drawn between repetitions only, never while a window is open. The
 * estimate is made of measured medians, and of the plan's nominal times in proportion where a cell
 * has not run yet. Threads: one. May touch: standard error. */
#ifndef PB_PROGRESS_H
#define PB_PROGRESS_H

#include "runner/plan.h"

struct pb_progress {
    const struct pb_plan *plan;
    bool quiet, terminal, drawn;
    size_t total, done;
    unsigned block;
    double said;                      /* when a plain line was last written */
    float *seconds;                   /* [cell][block], as measured */
    unsigned *measured, *left;        /* [cell] */
    double *median;                   /* [cell] */
    double nominal_sum, measured_sum; /* over what was measured */
};

/* `todo`: repetitions of each cell that will run. Returns 0 or -ENOMEM. */
int pb_progress_open(struct pb_progress *progress, const struct pb_plan *plan, const unsigned *todo,
                     bool quiet);
void pb_progress_close(struct pb_progress *progress);

/* Before a repetition, and behind it. */
void pb_progress_show(struct pb_progress *progress, const struct pb_plan_slot *slot);
void pb_progress_took(struct pb_progress *progress, const struct pb_plan_slot *slot,
                      double seconds);

/* Seconds of a cell's repetition: as measured, else in proportion to the plan's nominal time. */
double pb_progress_estimate(const struct pb_progress *progress, size_t cell);

/* One line about a cell, above the bar. */
__attribute__((format(printf, 2, 3))) void pb_progress_say(struct pb_progress *progress,
                                                           const char *format, ...);

#endif
