/* SPDX-License-Identifier: MIT */
/* The report for programs: CSV (RFC 4180), one row a cell, and JSON. Values are in base units with
 * nine digits; what does not apply is an empty field or an absent key. See report_internal.h. */
#include "runner/report_internal.h"

#include "runner/report_text.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { EXPORT_DIGITS = 9, EXPORT_NUMBERS = 14 };

static const char *const number_keys[EXPORT_NUMBERS] = {
    "median",       "median_low",  "median_high",    "ratio",         "ratio_low",
    "ratio_high",   "aa_ratio",    "aa_low",         "aa_high",       "floor",
    "p99_alloc_ns", "p99_free_ns", "rss_peak_bytes", "rss_over_live",
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
    }
    *values++ = group->null != NULL ? group->null->median.value : NAN;
    *values++ = pb_series_median(&row->p99_alloc);
    *values++ = pb_series_median(&row->p99_free);
    *values++ = median_of(row, PB_KEY_RSS);
    *values = median_of(row, PB_KEY_LEAN);
}

/* The word for a sign. */
static const char *sign_word(char sign)
{
    switch (sign) {
    case '+':
        return "better";
    case '-':
        return "worse";
    case '~':
        return "no difference shown";
    default:
        return "";
    }
}

static void csv_text(FILE *out, const char *text)
{
    fputc(',', out);
    pb_text_csv(out, text);
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
    csv_text(out, summary->reference);
    csv_text(out, sign_word(row->sign));
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
    fputs(",reference,verdict,status,reason\r\n", job->out);
    for (size_t i = 0; i < summary->groups_n; i++) {
        for (size_t k = 0; k < summary->groups[i].rows_n; k++)
            csv_row(job->out, summary, &summary->groups[i], &summary->groups[i].rows[k]);
    }
    return 0;
}

/* --- JSON ------------------------------------------------------------------------------------ */

static json_t *json_row(const struct pb_summary_group *group, const struct pb_summary_row *row)
{
    double values[EXPORT_NUMBERS];
    json_t *object = json_pack("{s:s, s:I, s:I, s:s, s:s, s:s}", "alloc", row->alloc, "n",
                               (json_int_t)row->series.n, "repetitions", (json_int_t)row->reps_n,
                               "verdict", sign_word(row->sign), "status",
                               pb_status_names[row->status], "reason", row->reason);
    row_numbers(group, row, values);
    for (size_t i = 0; object != NULL && i < EXPORT_NUMBERS; i++) {
        if (isfinite(values[i]))
            json_object_set_new(object, number_keys[i], json_real(values[i]));
    }
    return object;
}

static json_t *json_group(const struct pb_summary_group *group)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < group->rows_n; i++)
        json_array_append_new(rows, json_row(group, &group->rows[i]));
    return json_pack("{s:s, s:s, s:i, s:s, s:s, s:o}", "group", group->name, "workload",
                     group->first->workload, "threads", (int)group->first->threads, "dispatch",
                     group->first->dispatch, "pin", group->first->pin, "variants", rows);
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
        json_array_append_new(groups, json_group(&summary->groups[i]));
    json_t *report =
        json_pack("{s:s, s:s, s:s, s:i, s:s, s:o}", "run", pb_run_text(summary->run, NULL, "run"),
                  "metric", summary->metric, "unit", summary->unit, "better", summary->better,
                  "reference", summary->reference, "groups", groups);
    for (int i = 0; report != NULL && i < PB_NOTE_SECTIONS; i++)
        json_object_set_new(report, sections[i], json_notes(job->notes, (enum pb_note_section)i));
    int error = report == NULL ? -ENOMEM : 0;
    if (error == 0 &&
        json_dumpf(report, job->out, JSON_INDENT(2) | JSON_REAL_PRECISION(EXPORT_DIGITS)) != 0)
        error = -EIO;
    fputc('\n', job->out);
    json_decref(report);
    return error;
}
