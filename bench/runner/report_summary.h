/* SPDX-License-Identifier: MIT */
/* A run digested for reading: its cells by comparison group, each with the median of its
 * repetitions, the ratio to the reference over paired blocks, and whether a difference counts.
 * Tables, figures and exports are made from this, so that they agree. Source: Hoefler and Belli,
 * "Scientific Benchmarking of Parallel Computing Systems", SC15, rules 1, 5 and 7; the estimators
 * are those of stats/stats.h. Threads: any, one summary each. */
#ifndef PB_REPORT_SUMMARY_H
#define PB_REPORT_SUMMARY_H

#include "runner/run.h"
#include "stats/modes.h"
#include "stats/verdict.h"

#define PB_SUMMARY_CONFIDENCE   0.95
#define PB_SUMMARY_LEAST_EFFECT PB_VERDICT_LEAST_EFFECT
#define PB_SUMMARY_OVERLAP      0.95 /* below that workers did not contend as the cell says */

enum {
    PB_SUMMARY_BLOCKS_MIN = 6,    /* below that no interval of 95 % exists */
    PB_SUMMARY_DOTS_BELOW = 15,   /* with fewer repetitions, figures show each of them */
    PB_SUMMARY_LIVE_MIN = 1 << 20 /* bytes; of a smaller live set resident memory says nothing */
};

/* The keys of the metrics that are read by name. A run that has not got one shows nothing there. */
#define PB_KEY_TIME        "ns_per_op"
#define PB_KEY_RATE        "ops_per_s"
#define PB_KEY_RSS         "rss_peak_bytes"
#define PB_KEY_LEAN        "rss_over_live"
#define PB_KEY_LIVE        "live_peak_bytes"
#define PB_KEY_OVERLAP     "overlap"
#define PB_KEY_PREEMPTIONS "preemptions"
#define PB_KEY_FAULTS      "minor_faults"
#define PB_KEY_STEADY      "steady"

/* Values of one metric by block, in the order of the blocks. */
struct pb_series {
    size_t n;
    double *values;
    unsigned *blocks;
};

/* A cell: a variant in a group. */
struct pb_summary_row {
    const char *alloc;
    size_t rank;                /* of the strategy in the registry */
    bool floor;                 /* null or floor: no allocator, a limit */
    const struct pb_rep **reps; /* all repetitions, by block */
    size_t reps_n;
    struct pb_series series; /* of the summary's metric, repetitions that are ok */
    size_t counts[PB_STATUSES];
    enum pb_status status; /* PB_OK, or the first other one */
    const char *reason;    /* of that one */
    struct pb_estimate median;
    struct pb_modes modes;        /* of the series */
    struct pb_estimate mode[2];   /* medians of the lower and the upper, where there are two */
    size_t outliers;              /* in the series, which has them still */
    struct pb_estimate ratio;     /* to the reference; n is 0 without pairs */
    struct pb_estimate narrow;    /* the same with PB_EQUIVALENCE_CONFIDENCE */
    struct pb_estimate bootstrap; /* the same by resampled blocks; n is 0 where it was not made */
    double p, adjusted; /* that the ratio is 1, alone and in its family; NAN without pairs */
    enum pb_verdict verdict;
    char sign; /* of the verdict: '+' better, '-' worse, '=' same, '~' no difference shown, ' ' */
    struct pb_series p99_alloc, p99_free, p999_alloc, p999_free; /* ns, one a repetition */
    size_t disturbed; /* of the repetitions that are ok */
};

/* The percentiles of a row. */
struct pb_percentile {
    const char *key, *hist; /* "p99_alloc_ns", "alloc" */
    double quantile;
    size_t series; /* offset in struct pb_summary_row */
};
extern const struct pb_percentile pb_percentiles[]; /* key NULL ends it */

/* The series of a row that it names. */
const struct pb_series *pb_percentile_series(const struct pb_summary_row *row,
                                             const struct pb_percentile *percentile);

/* The cells that are compared with one another. */
struct pb_summary_group {
    const char *name;             /* pb_rep.group */
    char title[PB_CELL_NAME_MAX]; /* "pair, size=64, 2 threads" */
    char stem[PB_CELL_NAME_MAX];  /* the name without dispatch and threads: what is varied over them
                                   */
    const struct pb_rep *first;
    struct pb_summary_row *rows; /* registry order; without the twin */
    size_t rows_n;
    struct pb_summary_row *reference, *null; /* among rows, or NULL */
    struct pb_summary_row *twin;             /* the A/A twin, or NULL */
    double bound; /* |ln ratio| that a difference must exceed: A/A or PB_SUMMARY_LEAST_EFFECT */
    bool streams_differ; /* its cells executed different operations: nothing is compared */
    size_t family; /* comparisons with the reference whose p is adjusted together: all of a table's
                      variants that were tried, but not null and floor, which are limits and stand
                      for themselves */
};

struct pb_summary {
    const struct pb_run *run;
    const char *metric, *unit, *reference;
    int better;        /* -1 lower, 1 higher */
    double resolution; /* ns below which no percentile is real */
    double step;       /* ns: percentiles that differ by no more do not differ */
    bool exploratory;  /* families by Benjamini and Hochberg, else by Holm */
    struct pb_summary_group *groups;
    size_t groups_n;
};

/* Digests `run` for one metric. `reference`: a variant's label; NULL: the run's own. Returns 0,
 * -ENOMEM, -ENOENT for a reference and -EINVAL for a metric that the run has not got, with one
 * line. The run must outlive the summary; pb_summary_free also after a failure. */
int pb_summary_make(const struct pb_run *run, const char *metric, const char *reference,
                    struct pb_summary *summary, char *message, size_t message_size);
void pb_summary_free(struct pb_summary *summary);

/* What the blocks that two series have in common say, where both values are above 0 and have a
 * ratio that is a number. */
struct pb_pairs {
    size_t n;
    double *a, *b, *block; /* one allocation, at a */
};

/* Pairs two series. Returns 0; -ENOENT without a pair; -ENOMEM. Free pairs->a after 0. */
int pb_summary_pairs(const struct pb_series *a, const struct pb_series *b, struct pb_pairs *pairs);

/* Fills ratio, narrow and p (alone) of a comparison a / b. Returns as pb_summary_pairs. */
int pb_summary_compare(const struct pb_series *a, const struct pb_series *b,
                       struct pb_comparison *comparison);

/* Adjusts p for their number as the run's kind asks; NAN stays and does not count. Returns 0 or
 * -ENOMEM. */
int pb_summary_adjust(const struct pb_summary *summary, double *p, size_t n);

/* Compares the rows of a group with its reference: streams, noise, ratios, the family, verdicts.
 * Returns 0 or -ENOMEM. */
int pb_summary_judge(const struct pb_summary *summary, struct pb_summary_group *group);

/* Makes `bootstrap` of every row with PB_BOOTSTRAP_LEAST pairs, a check of its interval by other
 * means. Returns 0 or -ENOMEM. */
int pb_summary_bootstrap(struct pb_summary *summary);

/* The ratio a / b over the blocks that both have. Returns 0; -ENOENT without a pair; -ENOMEM. */
int pb_summary_pair(const struct pb_series *a, const struct pb_series *b,
                    struct pb_estimate *ratio);

/* The difference a - b over the same blocks, in the metric's unit. Returns as pb_summary_pair. */
int pb_summary_gap(const struct pb_series *a, const struct pb_series *b, struct pb_estimate *gap);

/* The values of another metric of a row (not owned by the row: free both arrays). Returns 0,
 * -ENOMEM. */
int pb_summary_series(const struct pb_summary_row *row, const char *metric,
                      struct pb_series *series);
void pb_series_free(struct pb_series *series);

/* Resident over live bytes; empty where the live set is below PB_SUMMARY_LIVE_MIN or unknown. As
 * pb_summary_series. */
int pb_summary_lean(const struct pb_summary_row *row, struct pb_series *series);

/* The median of a series, NAN of an empty one. */
double pb_series_median(const struct pb_series *series);

/* Fills the percentiles of a row; `hist` is room to work in. Returns 0 or -ENOMEM. */
int pb_summary_percentiles(struct pb_summary_row *row, struct pb_hist *hist);
void pb_summary_percentiles_free(struct pb_summary_row *row);

/* More workers than processing units, by design: such cells do not run at the same time. */
bool pb_summary_oversubscribed(const struct pb_rep *rep);

/* Whether the workers of a repetition, meant to run at the same time, did so too little. */
bool pb_summary_overlap_low(const struct pb_rep *rep);

/* The same, or its record names what else disturbed it. */
bool pb_summary_disturbed(const struct pb_rep *rep);

/* So many of the repetitions that are ok that their cell says little. */
static inline bool pb_mostly_disturbed(size_t disturbed, size_t ok)
{
    return 2 * disturbed > ok;
}

/* A label without the twin's "@aa". Returns whether it had it. */
bool pb_summary_base(const char *alloc, char *base, size_t size);

/* The row of that label in a group, or NULL. */
struct pb_summary_row *pb_summary_find(const struct pb_summary_group *group, const char *alloc);

/* The row of the empty loop in the same cells (its dispatch is always inline), or NULL. */
const struct pb_summary_row *pb_summary_empty(const struct pb_summary *summary,
                                              const struct pb_summary_group *group);

/* "fail", "crash", ...: the word for a status in tables and figures; "" for ok. */
const char *pb_status_word(enum pb_status status);

/* Text at a path of the run's header ("machine", "kernel"), "" if it is not there. `section` NULL:
 * at the top. */
const char *pb_run_text(const struct pb_run *run, const char *section, const char *key);

#endif
