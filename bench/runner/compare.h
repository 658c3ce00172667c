/* SPDX-License-Identifier: MIT */
/* Two runs held against one another, or two variants of one run: ratios with intervals, and the
 * gate that a build may fail on. Cells are the same by their hash; unlike things are never
 * compared. Variants of one run are paired by block. Two runs are two sessions: their repetitions
 * have no pairs, and the drift of the machine between the sessions is in the ratio.
 * Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979, for many
 * comparisons at once; the estimators are those of stats/stats.h.
 * Threads: any, one comparison each. */
#ifndef PB_COMPARE_H
#define PB_COMPARE_H

#include "runner/report.h"
#include "runner/report_internal.h"
#include "runner/run_cells.h"

enum { PB_COMPARE_METRICS_MAX = 32, PB_METRIC_KEY_MAX = 64 };

/* How much worse a metric may get: a factor on a time, its inverse on a rate. */
struct pb_threshold {
    char metric[PB_METRIC_KEY_MAX]; /* "": every one that is compared */
    double factor;                  /* 1.05 for ">5%" and ">1.05x" */
};

struct pb_gate {
    struct pb_threshold thresholds[PB_COMPARE_METRICS_MAX];
    size_t n; /* 0: nothing fails */
};

/* Adds what `text` says: "[METRIC]>N%" or "[METRIC]>Nx", more of them behind commas. Returns 0, or
 * -EINVAL with one line. */
int pb_gate_add(const char *text, struct pb_gate *gate, char *message, size_t message_size);

/* One side. */
struct pb_compare_side {
    const struct pb_run *run;
    const char *variant; /* its cells alone; NULL: all */
};

struct pb_compare_options {
    const char *const *metrics; /* keys; what the gate names is added */
    size_t metrics_n;           /* 0: ns_per_op */
    const struct pb_gate *gate;
    const char *filter; /* on names of cells, or NULL */
    bool any_machine, any_build;
};

struct pb_compare_metric {
    const char *key, *unit;
    int better;    /* -1 lower, 1 higher, 0 neither: it is shown and not judged */
    double factor; /* of the gate, 0: none */
};

/* One cell and one metric. */
struct pb_compare_row {
    const char *name; /* the cell's; of two variants, the group's */
    const struct pb_compare_metric *metric;
    const struct pb_cell_reps *base, *fresh;
    double *base_values, *new_values; /* of the pairs alone, where there are pairs */
    size_t base_n, new_n;
    struct pb_estimate base_median, new_median;
    struct pb_estimate ratio;  /* new over base at 95 %; n is 0 without */
    struct pb_estimate narrow; /* the same with PB_EQUIVALENCE_CONFIDENCE */
    double p, adjusted;        /* that the ratio is 1, alone and in its table; NAN without ratio */
    struct pb_estimate judged; /* the gate's: at the confidence that Holm asks of it */
    double asked;              /* that confidence, 0: not the gate's */
    double noise;              /* |ln ratio| of the A/A twins at the most, 0 if there are none */
    size_t base_disturbed, new_disturbed; /* of the repetitions that are ok */
    bool due;             /* BASE has figures and NEW has repetitions that are ok: to be compared */
    char sign;            /* of the verdict, as in a report; ' ' too where neither is better */
    const char *verdict;  /* its word, "regression" where the gate fails on it, or "" */
    bool regression;      /* the gate fails on it */
    const char *unjudged; /* why the gate can say nothing of it, "" */
    const char *why;      /* why there is no ratio, "" */
};

struct pb_compare {
    struct pb_compare_side base, fresh;
    struct pb_run_cells base_cells, new_cells;
    bool paired;
    struct pb_compare_metric *metrics;
    size_t metrics_n;
    struct pb_compare_row *rows; /* by metric, then by name */
    size_t rows_n;
    bool has_gate;
    size_t family, gated;       /* rows that have a verdict, and that the gate is to judge */
    size_t only_base, only_new; /* cells without a counterpart */
    size_t lost; /* cells with figures in base that new lacks, or failed in more often;
                    with a gate also those that new has not got */
    size_t regressions;
    size_t unjudged; /* rows of `gated` that cannot fail the gate, whatever they hold */
    size_t needs;    /* blocks that so many comparisons need; 0 if they have them */
    struct pb_notes notes;
};

/* Compares. Returns 0; -EPERM for machines or builds that are refused; -EINVAL for what cannot be
 * compared or was asked wrongly; -ENODATA when no cell is in both, or a variant in none; -ENOMEM;
 * each with one line. pb_compare_free in any case. The runs must outlive it. */
int pb_compare_make(struct pb_compare_side base, struct pb_compare_side fresh,
                    const struct pb_compare_options *options, struct pb_compare *compare,
                    char *message, size_t message_size);
void pb_compare_free(struct pb_compare *compare);

/* Writes it. `width` 0: no limit. Returns 0, -ENOMEM, -EIO. */
int pb_compare_print(const struct pb_compare *compare, enum pb_report_format format, unsigned width,
                     FILE *out);

/* --- its parts -------------------------------------------------------------------------------- */

/* compare_like.c: whether the runs, and then the cells, are alike. Return 0, -EPERM, -EINVAL with
 * one line; what is let pass becomes a note. */
int pb_compare_runs_alike(struct pb_compare *compare, const struct pb_compare_options *options,
                          char *message, size_t message_size);
int pb_compare_cells_alike(const struct pb_compare *compare, char *message, size_t message_size);

/* compare_judge.c: verdicts, regressions and what cannot be judged. Returns 0 or -ENOMEM. */
int pb_compare_judge(struct pb_compare *compare);

/* compare_notes.c: what a reader should know. */
void pb_compare_notes(struct pb_compare *compare);

/* Whether a cell of a side takes part (twins do not), and the cell of NEW that belongs to one of
 * BASE, or NULL. */
bool pb_compare_takes(const struct pb_compare_side *side, const struct pb_cell_reps *cell);
const struct pb_cell_reps *pb_compare_counterpart(const struct pb_compare *compare,
                                                  const struct pb_cell_reps *cell);

/* Whether NEW lost repetitions of a cell that BASE has: some failed, and fewer are ok or more
 * failed than in BASE; or the cell itself (NULL). */
bool pb_compare_lost(const struct pb_cell_reps *base, const struct pb_cell_reps *fresh);

/* "no regression shown in 4 comparisons", "3 of 4 comparisons cannot be judged: ...". */
void pb_compare_gate_text(const struct pb_compare *compare, char *out, size_t size);

/* New over base, paired or not, at a confidence. Returns as the estimators do. */
int pb_compare_ratio(const struct pb_compare *compare, const struct pb_compare_row *row,
                     double confidence, struct pb_estimate *out);

#endif
