/* SPDX-License-Identifier: MIT */
/* The report as JSON. Every measured number stands in an object that says what it is: unit, n,
 * estimator, and an interval with its coverage, or why there is none, or that all runs gave the
 * same (methodology R1). results/report.schema.json is the rule, and a test holds every report to
 * it. What does not apply is an absent key; a number that is not finite is none. See
 * report_internal.h.
 */
#include "runner/report_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_DIGITS = 9 };

static const char over_runs[] = "median over runs";
static const char over_blocks[] = "Hodges-Lehmann ratio over paired blocks";

/* Metrics that are counted and not timed. One of them is deterministic if every run of a cell gave
 * the same number; a time never is, even where the clock's steps make it so. */
static const char *const counted[] = {
    "live_peak_bytes",
    "held_peak_bytes",
    "held_over_live",
    "granted_at_peak",
    "cached_at_peak",
    "internal",
    "external",
    "aligned_16",
    "aligned_32",
    "aligned_64",
    "aligned_4096",
    "alignment_min",
    "straddle_share",
    "shared_64",
    "shared_128",
    "alloc_samples",
    "free_samples",
    "allocs",
    "frees",
    "hits",
    "misses",
    "overflows",
    "refills",
    "os_calls",
    "hit_rate",
    "lock_acquisitions",
    "fallthrough",
    "fallthrough_share",
    "native_reallocs",
    "cached_bytes",
    "minor_faults",
    "major_faults",
    "rss_peak_bytes",
    "rss_over_live",
    "rss_at_live_peak",
    "rss_end_bytes",
    "realized",
    "residual",
};

static bool is_counted(const char *metric)
{
    for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++)
        if (strcmp(counted[i], metric) == 0)
            return true;
    return false;
}

/* Whether all values are the same, of two at least. */
static bool all_agree(const struct pb_series *series)
{
    for (size_t i = 1; i < series->n; i++)
        if (series->values[i] < series->values[0] || series->values[i] > series->values[0])
            return false;
    return series->n > 1;
}

/* --- one number ------------------------------------------------------------------------------ */

/* The value of a quantity with its unit, n and estimator; NULL without a finite value. */
static json_t *quantity(const struct pb_estimate *e, const char *unit, const char *estimator)
{
    if (e->n == 0 || !isfinite(e->value))
        return NULL;
    return json_pack("{s:f, s:s, s:I, s:s}", "value", e->value, "unit", unit, "n", (json_int_t)e->n,
                     "estimator", estimator);
}

/* The same with its interval, or with why it has none. */
static json_t *measure(const struct pb_estimate *e, const char *unit, const char *estimator)
{
    json_t *object = quantity(e, unit, estimator);
    if (object != NULL && isfinite(e->low) && isfinite(e->high)) {
        json_object_set_new(object, "interval", json_pack("[f, f]", e->low, e->high));
        json_object_set_new(object, "confidence", json_real(e->confidence));
    } else if (object != NULL) {
        json_object_set_new(object, "no_interval", json_string("too few values for 95 %"));
    }
    return object;
}

/* The median over runs; deterministic if it is counted and all agree. */
static json_t *measure_series(const struct pb_series *series, const char *metric, const char *unit)
{
    struct pb_estimate median = {.n = 0};
    if (series->n == 0 || pb_median(series->values, series->n, PB_SUMMARY_CONFIDENCE, &median) != 0)
        return NULL;
    if (!is_counted(metric) || !all_agree(series))
        return measure(&median, unit, over_runs);
    json_t *object = quantity(&median, unit, "every run");
    if (object != NULL)
        json_object_set_new(object, "deterministic", json_true());
    return object;
}

/* A percentile, one a run; where the clock cannot resolve it, an upper limit. */
static json_t *measure_percentile(const struct pb_summary *summary, const struct pb_series *series)
{
    struct pb_estimate median = {.n = 0};
    if (series->n == 0 || pb_median(series->values, series->n, PB_SUMMARY_CONFIDENCE, &median) != 0)
        return NULL;
    bool below = median.value <= summary->resolution;
    median.value = fmax(median.value, summary->resolution);
    median.low = fmax(median.low, isnan(median.low) ? NAN : summary->resolution);
    median.high = fmax(median.high, isnan(median.high) ? NAN : summary->resolution);
    json_t *object = measure(&median, "ns", "median over runs, one a run");
    if (object != NULL && below)
        json_object_set_new(object, "at_most", json_true());
    return object;
}

/* Operations of all runs over the time of all: what a rate of several runs is. */
static json_t *measure_rate(const struct pb_summary_row *row)
{
    struct pb_estimate all = {.n = row->series.n, .low = NAN, .high = NAN};
    double *work = calloc(2 * all.n + 1, sizeof *work), *seconds = work + all.n;
    size_t n = 0;
    if (work == NULL)
        return NULL;
    for (size_t i = 0; i < row->reps_n; i++) {
        double rate = pb_rep_metric(row->reps[i], PB_KEY_RATE);
        const json_t *ops = json_object_get(row->reps[i]->json, "ops");
        double steps = json_number_value(json_object_get(ops, "steps"));
        if (row->reps[i]->status != PB_OK || !(rate > 0 && steps > 0) || n == all.n)
            continue;
        work[n] = steps;
        seconds[n++] = steps / rate;
    }
    int error = n == all.n && n > 0 ? pb_rate(work, seconds, n, &all.value) : -ENOENT;
    free(work);
    json_t *object = error == 0 ? quantity(&all, "1/s", "all operations over all time") : NULL;
    if (object != NULL)
        json_object_set_new(object, "no_interval", json_string("see the median beside it"));
    return object;
}

/* --- rows and groups ------------------------------------------------------------------------- */

/* Sets a key, if there is something to set. */
static void set(json_t *object, const char *key, json_t *value)
{
    if (value != NULL)
        json_object_set_new(object, key, value);
}

static const char *metric_unit(const struct pb_summary *summary, const char *metric)
{
    const json_t *metrics = json_object_get(summary->run->header, "metrics");
    const json_t *unit = json_object_get(json_object_get(metrics, metric), "unit");
    return json_is_string(unit) ? json_string_value(unit) : "1";
}

static void set_metric(json_t *object, const struct pb_summary *summary,
                       const struct pb_summary_row *row, const char *metric)
{
    struct pb_series series = {0};
    if (pb_summary_series(row, metric, &series) == 0)
        set(object, metric, measure_series(&series, metric, metric_unit(summary, metric)));
    pb_series_free(&series);
}

/* The absolute values of a row: its metric, and what is said beside it. */
static json_t *json_measures(const struct pb_summary *summary, const struct pb_summary_row *row)
{
    static const char *const beside[] = {PB_KEY_LIVE, PB_KEY_RSS, PB_KEY_LEAN, PB_KEY_FAULTS};
    json_t *object = json_object();
    set_metric(object, summary, row, summary->metric);
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++)
        set_metric(object, summary, row, beside[i]);
    for (const struct pb_percentile *p = pb_percentiles; p->key != NULL; p++)
        set(object, p->key, measure_percentile(summary, pb_percentile_series(row, p)));
    if (strcmp(summary->metric, PB_KEY_RATE) == 0)
        set(object, "ops_per_s_of_all", measure_rate(row));
    return object;
}

static json_t *json_comparison(const struct pb_summary *summary,
                               const struct pb_summary_group *group,
                               const struct pb_summary_row *row)
{
    json_t *object = json_pack("{s:s}", "reference", summary->reference);
    set(object, "ratio", measure(&row->ratio, "1", over_blocks));
    set(object, "bootstrap", measure(&row->bootstrap, "1", "the same by BCa bootstrap of blocks"));
    if (isfinite(row->p)) {
        set(object, "p", json_real(row->p));
        set(object, "p_adjusted", json_real(row->adjusted));
        set(object, "family", json_integer((json_int_t)(row->floor ? 1 : group->family)));
        set(object, "adjusted_by",
            json_string(row->floor             ? "none"
                        : summary->exploratory ? "Benjamini-Hochberg"
                                               : "Holm"));
    }
    return object;
}

static json_t *json_row(const struct pb_summary *summary, const struct pb_summary_group *group,
                        const struct pb_summary_row *row)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:{s:I, s:I, s:I, s:I}, s:o}", "alloc", row->alloc,
                  "verdict", pb_verdict_word(row->verdict), "status", pb_status_names[row->status],
                  "reason", row->reason, "counts", "repetitions", (json_int_t)row->reps_n, "ok",
                  (json_int_t)row->counts[PB_OK], "disturbed", (json_int_t)row->disturbed,
                  "outliers", (json_int_t)row->outliers, "measures", json_measures(summary, row));
    if (row->ratio.n > 0)
        set(object, "comparison", json_comparison(summary, group, row));
    if (row->modes.two)
        set(object, "modes",
            json_pack("[o, o]", measure(&row->mode[0], summary->unit, "median of the lower runs"),
                      measure(&row->mode[1], summary->unit, "median of the upper runs")));
    return object;
}

static json_t *json_group(const struct pb_summary *summary, const struct pb_summary_group *group)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < group->rows_n; i++)
        json_array_append_new(rows, json_row(summary, group, &group->rows[i]));
    json_t *object =
        json_pack("{s:s, s:s, s:i, s:s, s:s, s:o}", "group", group->name, "workload",
                  group->first->workload, "threads", (int)group->first->threads, "dispatch",
                  group->first->dispatch, "pin", group->first->pin, "variants", rows);
    if (group->twin != NULL)
        set(object, "aa_ratio", measure(&group->twin->ratio, "1", over_blocks));
    if (group->null != NULL)
        set(object, "floor", measure(&group->null->median, summary->unit, over_runs));
    return object;
}

static json_t *json_notes(const struct pb_notes *notes, enum pb_note_section section)
{
    json_t *list = json_array();
    for (size_t i = 0; i < notes->n; i++) {
        if (notes->notes[i].section == section)
            json_array_append_new(list, json_pack("{s:s, s:s}", "about", notes->notes[i].head,
                                                  "text", notes->notes[i].text));
    }
    return list;
}

int pb_report_json(const struct pb_report_job *job)
{
    static const char *const sections[PB_NOTE_SECTIONS] = {
        [PB_NOTE_HEADER] = "about",     [PB_NOTE_WARNING] = "warnings",
        [PB_NOTE_FAILURE] = "failures", [PB_NOTE_SWITCHES] = "switches",
        [PB_NOTE_WORDS] = "words",
    };
    const struct pb_summary *summary = job->summary;
    json_t *groups = json_array();
    for (size_t i = 0; i < summary->groups_n; i++)
        json_array_append_new(groups, json_group(summary, &summary->groups[i]));
    json_t *report = json_pack("{s:i, s:s, s:s, s:s, s:i, s:s, s:o}", "v", 1, "run",
                               pb_run_text(summary->run, NULL, "run"), "metric", summary->metric,
                               "unit", summary->unit, "better", summary->better, "reference",
                               summary->reference, "groups", groups);
    for (int i = 0; report != NULL && i < PB_NOTE_SECTIONS; i++)
        json_object_set_new(report, sections[i], json_notes(job->notes, (enum pb_note_section)i));
    int error = report == NULL ? -ENOMEM : 0;
    if (error == 0 &&
        json_dumpf(report, job->out, JSON_INDENT(2) | JSON_REAL_PRECISION(JSON_DIGITS)) != 0)
        error = -EIO;
    fputc('\n', job->out);
    json_decref(report);
    return error;
}
