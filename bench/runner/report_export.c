/* SPDX-License-Identifier: MIT */
/* The report for programs as CSV (RFC 4180), one row a cell. Values are in base units with nine
 * digits; what does not apply is an empty field, a percentile that the clock cannot resolve
 * "<=20". JSON: report_json.c. See report_internal.h. */
#include "runner/report_internal.h"

#include "runner/report_text.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { EXPORT_DIGITS = 9, EXPORT_NUMBERS = 15 };

static const char *const number_keys[EXPORT_NUMBERS] = {
    "median",     "median_low", "median_high", "ratio",          "ratio_low",
    "ratio_high", "p_adjusted", "aa_ratio",    "aa_low",         "aa_high",
    "floor",      "mode_low",   "mode_high",   "rss_peak_bytes", "rss_over_live",
};

static double median_of(const struct pb_summary_row *row, const char *key)
{
    struct pb_series series = {0};
    double value = NAN;
    if (pb_summary_series(row, key, &series) == 0)
        value = pb_series_median(&series);
    pb_series_free(&series);
    return value;
}

/* The numbers of a row in the order of number_keys; NAN where one does not apply. */
static void row_numbers(const struct pb_summary_group *group, const struct pb_summary_row *row,
                        double values[EXPORT_NUMBERS])
{
    const struct pb_estimate none = {.value = NAN, .low = NAN, .high = NAN};
    const struct pb_estimate *noise = group->twin != NULL ? &group->twin->ratio : &none;
    const struct pb_estimate *estimates[] = {&row->median, &row->ratio, noise};
    for (size_t i = 0; i < 3; i++) {
        *values++ = estimates[i]->value;
        *values++ = estimates[i]->low;
        *values++ = estimates[i]->high;
        if (estimates[i] == &row->ratio)
            *values++ = row->adjusted;
    }
    *values++ = group->null != NULL ? group->null->median.value : NAN;
    *values++ = row->modes.two ? row->modes.low : NAN;
    *values++ = row->modes.two ? row->modes.high : NAN;
    *values++ = median_of(row, PB_KEY_RSS);
    *values = median_of(row, PB_KEY_LEAN);
}

static void csv_text(FILE *out, const char *text)
{
    fputc(',', out);
    pb_text_csv(out, text);
}

/* The percentiles; never below what the clock resolves. */
static void csv_percentiles(FILE *out, const struct pb_summary *summary,
                            const struct pb_summary_row *row)
{
    for (const struct pb_percentile *p = pb_percentiles; p->key != NULL; p++) {
        double value = pb_series_median(pb_percentile_series(row, p));
        bool below = value <= summary->resolution;
        fputc(',', out);
        if (!isnan(value))
            fprintf(out, "%s%.*g", below ? "<=" : "", EXPORT_DIGITS,
                    below ? summary->resolution : value);
    }
}

static void csv_row(FILE *out, const struct pb_summary *summary,
                    const struct pb_summary_group *group, const struct pb_summary_row *row)
{
    double values[EXPORT_NUMBERS];
    row_numbers(group, row, values);
    pb_text_csv(out, pb_run_text(summary->run, NULL, "run"));
    csv_text(out, group->name);
    csv_text(out, row->alloc);
    csv_text(out, group->first->workload);
    fprintf(out, ",%u", group->first->threads);
    csv_text(out, group->first->dispatch);
    csv_text(out, group->first->pin);
    csv_text(out, summary->metric);
    csv_text(out, summary->unit);
    fprintf(out, ",%zu,%zu", row->series.n, row->reps_n);
    for (size_t i = 0; i < EXPORT_NUMBERS; i++) {
        fputc(',', out);
        if (isfinite(values[i]))
            fprintf(out, "%.*g", EXPORT_DIGITS, values[i]);
    }
    csv_percentiles(out, summary, row);
    csv_text(out, summary->reference);
    csv_text(out, pb_verdict_word(row->verdict));
    csv_text(out, pb_status_names[row->status]);
    csv_text(out, row->reason);
    fputs("\r\n", out);
}

int pb_report_csv(const struct pb_report_job *job)
{
    const struct pb_summary *summary = job->summary;
    fputs("run,group,alloc,workload,threads,dispatch,pin,metric,unit,n,repetitions", job->out);
    for (size_t i = 0; i < EXPORT_NUMBERS; i++)
        fprintf(job->out, ",%s", number_keys[i]);
    for (const struct pb_percentile *p = pb_percentiles; p->key != NULL; p++)
        fprintf(job->out, ",%s", p->key);
    fputs(",reference,verdict,status,reason\r\n", job->out);
    for (size_t i = 0; i < summary->groups_n; i++) {
        for (size_t k = 0; k < summary->groups[i].rows_n; k++)
            csv_row(job->out, summary, &summary->groups[i], &summary->groups[i].rows[k]);
    }
    return 0;
}
