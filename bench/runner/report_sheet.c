/* SPDX-License-Identifier: MIT */
/* The cells of a report's tables as text. The columns are a table: a column more is a row more. On
 * a narrow terminal the least needed columns are left out by name, never cut; a status, and at last
 * the variant too, stands on a line of its own then. See report_sheet.h. */
#include "runner/report_sheet.h"

#include "runner/report_text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { INTERVAL_DIGITS_MAX = 9, KEPT = 2 };

#define NO_WIDTH 1e-8 /* of the value: what rounding leaves */

/* What a cell is made from. */
struct place {
    const struct pb_summary *summary;
    const struct pb_summary_group *group;
    const struct pb_summary_row *row;
};

static void cell_variant(const struct place *at, char *out)
{
    pb_text_clean(at->row->alloc, out, PB_SHEET_CELL_MAX);
}

/* The median; of two modes both instead. */
static void cell_value(const struct place *at, char *out)
{
    const struct pb_summary_row *row = at->row;
    char low[64], high[64];
    pb_text_value(row->modes.two ? row->modes.low : row->median.value, at->summary->unit, low,
                  sizeof low);
    pb_text_value(row->modes.high, at->summary->unit, high, sizeof high);
    snprintf(out, PB_SHEET_CELL_MAX, "%s%s%s", low, row->modes.two ? " or " : "",
             row->modes.two ? high : "");
}

static void cell_ratio(const struct place *at, char *out)
{
    bool self = at->row == at->group->reference && at->row->series.n > 0;
    pb_text_number(self && !at->group->streams_differ ? 1 : at->row->ratio.value, out,
                   PB_SHEET_CELL_MAX);
}

static void cell_interval(const struct place *at, char *out)
{
    if (at->row == at->group->reference && at->row->series.n > 0)
        snprintf(out, PB_SHEET_CELL_MAX, "reference");
    else
        pb_report_interval(&at->row->ratio, out, PB_SHEET_CELL_MAX);
}

static void cell_sign(const struct place *at, char *out)
{
    snprintf(out, PB_SHEET_CELL_MAX, "%c", at->row->sign);
}

/* A percentile in whole ns; what the clock cannot resolve is shown as such. */
static void cell_percentile(const struct place *at, const struct pb_series *series, char *out)
{
    double value = pb_series_median(series);
    bool below = value <= at->summary->resolution;
    if (isnan(value))
        snprintf(out, PB_SHEET_CELL_MAX, "-");
    else
        snprintf(out, PB_SHEET_CELL_MAX, "%s%.0f", below ? "<=" : "",
                 below ? at->summary->resolution : value);
}

static void cell_p99_alloc(const struct place *at, char *out)
{
    cell_percentile(at, &at->row->p99_alloc, out);
}

static void cell_p99_free(const struct place *at, char *out)
{
    cell_percentile(at, &at->row->p99_free, out);
}

static void cell_median(int error, struct pb_series *series, const char *unit, char *out)
{
    pb_text_value(error == 0 ? pb_series_median(series) : NAN, unit, out, PB_SHEET_CELL_MAX);
    pb_series_free(series);
}

static void cell_rss(const struct place *at, char *out)
{
    struct pb_series series = {0};
    cell_median(pb_summary_series(at->row, PB_KEY_RSS, &series), &series, "bytes", out);
}

static void cell_lean(const struct place *at, char *out)
{
    struct pb_series series = {0};
    cell_median(pb_summary_lean(at->row, &series), &series, "1", out);
}

/* Page faults beside a time: of a median above 0 part of it is the system's. */
static void cell_faults(const struct place *at, char *out)
{
    struct pb_series series = {0};
    bool found = pb_summary_series(at->row, PB_KEY_FAULTS, &series) == 0;
    double median = found ? pb_series_median(&series) : NAN;
    if (median <= 0)
        snprintf(out, PB_SHEET_CELL_MAX, "0");
    else
        pb_text_number(median, out, PB_SHEET_CELL_MAX);
    pb_series_free(&series);
}

static void cell_n(const struct place *at, char *out)
{
    snprintf(out, PB_SHEET_CELL_MAX, "%zu", at->row->series.n);
}

static void cell_status(const struct place *at, char *out)
{
    const struct pb_summary_row *row = at->row;
    const char *word = pb_status_word(row->status);
    int used;
    if (row->status == PB_OK || row->counts[row->status] == row->reps_n)
        used = snprintf(out, PB_SHEET_CELL_MAX, "%s", word);
    else
        used = snprintf(out, PB_SHEET_CELL_MAX, "%s %zu of %zu", word, row->counts[row->status],
                        row->reps_n);
    if (row->disturbed > 0)
        snprintf(out + used, PB_SHEET_CELL_MAX - (size_t)used, "%s%zu of %zu disturbed",
                 used > 0 ? ", " : "", row->disturbed, row->counts[PB_OK]);
}

/* `dispensable`: left out first where it is highest; 0 never; those up to KEPT only where variants
 * have a line of their own. The value's head is the metric. */
static const struct {
    const char *head;
    void (*cell)(const struct place *at, char *out);
    bool left;
    unsigned dispensable;
} columns[PB_COLUMNS] = {
    [PB_COLUMN_VARIANT] = {"variant", cell_variant, true, 0},
    [PB_COLUMN_VALUE] = {NULL, cell_value, false, 0},
    [PB_COLUMN_RATIO] = {"ratio", cell_ratio, false, 0},
    [PB_COLUMN_INTERVAL] = {"95 % interval", cell_interval, true, 1},
    [PB_COLUMN_SIGN] = {" ", cell_sign, true, 0},
    [PB_COLUMN_P99_ALLOC] = {"p99 alloc ns", cell_p99_alloc, false, 3},
    [PB_COLUMN_P99_FREE] = {"p99 free ns", cell_p99_free, false, 7},
    [PB_COLUMN_RSS] = {"peak RSS", cell_rss, false, 5},
    [PB_COLUMN_LEAN] = {"RSS/live", cell_lean, false, 4},
    [PB_COLUMN_FAULTS] = {"faults", cell_faults, false, 6},
    [PB_COLUMN_N] = {"n", cell_n, false, 2},
    [PB_COLUMN_STATUS] = {"status", cell_status, true, 8},
};

bool pb_report_no_width(const struct pb_estimate *estimate)
{
    return estimate->high - estimate->low <= NO_WIDTH * fabs(estimate->value);
}

void pb_report_interval(const struct pb_estimate *estimate, char *out, size_t size)
{
    char low[32], high[32];
    if (estimate->n == 0 || isnan(estimate->low) || isnan(estimate->high)) {
        snprintf(out, size, "-");
        return;
    }
    if (pb_report_no_width(estimate)) {
        snprintf(out, size, "no spread");
        return;
    }
    pb_text_number(estimate->low, low, sizeof low);
    pb_text_number(estimate->high, high, sizeof high);
    for (int digits = 3; strcmp(low, high) == 0 && digits <= INTERVAL_DIGITS_MAX; digits++) {
        snprintf(low, sizeof low, "%.*f", digits, estimate->low);
        snprintf(high, sizeof high, "%.*f", digits, estimate->high);
    }
    snprintf(out, size, "[%s, %s]", low, high);
}

/* The A/A ratio of a group. */
static size_t limits_noise(const struct pb_summary_group *group, char *out, size_t size)
{
    char ratio[32], interval[64], name[PB_VARIANT_MAX];
    if (group->twin == NULL || group->twin->ratio.n == 0)
        return (size_t)snprintf(out, size, "A/A not measured");
    pb_text_number(group->twin->ratio.value, ratio, sizeof ratio);
    pb_report_interval(&group->twin->ratio, interval, sizeof interval);
    pb_summary_base(group->twin->alloc, name, sizeof name);
    return (size_t)snprintf(out, size, "A/A of %s %s %s", name, ratio, interval);
}

void pb_report_limits(const struct pb_summary *summary, const struct pb_summary_group *group,
                      char *out, size_t size)
{
    const struct pb_summary_row *empty = pb_summary_empty(summary, group);
    char value[32];
    size_t used = limits_noise(group, out, size);
    if (group->null != NULL && group->null->series.n > 0 && used < size) {
        pb_text_value(group->null->median.value, summary->unit, value, sizeof value);
        used += (size_t)snprintf(out + used, size - used, "; floor: null %s", value);
    }
    if (empty != NULL && used < size) {
        pb_text_value(empty->median.value, summary->unit, value, sizeof value);
        snprintf(out + used, size - used, "; empty loop %s", value);
    }
}

static void sheet_heads(struct pb_sheet *sheet)
{
    const struct pb_summary *summary = sheet->job->summary;
    bool time = strcmp(summary->metric, PB_KEY_TIME) == 0;
    for (int c = 0; c < PB_COLUMNS; c++) {
        if (columns[c].head != NULL)
            snprintf(sheet->heads[c], PB_SHEET_CELL_MAX, "%s", columns[c].head);
        else if (time)
            snprintf(sheet->heads[c], PB_SHEET_CELL_MAX, "%s/op", summary->unit);
        else
            snprintf(sheet->heads[c], PB_SHEET_CELL_MAX, "%.60s [%.20s]", summary->metric,
                     summary->unit);
        sheet->widths[c] = pb_text_width(sheet->heads[c]);
        sheet->shown[c] = !sheet->empty[c];
    }
}

/* Whether any repetition that the tables are made from had a page fault in its window. */
static bool any_faults(const struct pb_run *run)
{
    for (size_t i = 0; i < run->reps_n; i++)
        if (pb_rep_metric(&run->reps[i], PB_KEY_FAULTS) > 0)
            return true;
    return false;
}

bool pb_sheet_left(int column)
{
    return columns[column].left;
}

int pb_sheet_open(struct pb_sheet *sheet, const struct pb_report_job *job)
{
    const struct pb_summary *summary = job->summary;
    size_t rows = 0;
    *sheet = (struct pb_sheet){.job = job};
    for (size_t i = 0; i < summary->groups_n; i++)
        rows += summary->groups[i].rows_n;
    sheet->cells = calloc(rows + 1, sizeof *sheet->cells);
    if (sheet->cells == NULL)
        return -ENOMEM;
    sheet->empty[PB_COLUMN_FAULTS] = !any_faults(summary->run);
    sheet_heads(sheet);
    for (size_t i = 0; i < summary->groups_n; i++) {
        for (size_t k = 0; k < summary->groups[i].rows_n; k++) {
            struct place at = {summary, &summary->groups[i], &summary->groups[i].rows[k]};
            for (int c = 0; c < PB_COLUMNS; c++) {
                char *cell = sheet->cells[sheet->rows_n][c];
                columns[c].cell(&at, cell);
                size_t width = pb_text_width(cell);
                sheet->widths[c] = width > sheet->widths[c] ? width : sheet->widths[c];
            }
            sheet->rows_n++;
        }
    }
    return 0;
}

static size_t sheet_width(const struct pb_sheet *sheet)
{
    size_t width = 0;
    for (int c = 0; c < PB_COLUMNS; c++)
        width += sheet->shown[c] ? PB_SHEET_GAP + sheet->widths[c] : 0;
    return width;
}

/* Leaves out columns, the most dispensable first, down to those that are `least` so. Returns
 * whether the rest fits. */
static bool leave_out(struct pb_sheet *sheet, size_t limit, unsigned least)
{
    while (sheet_width(sheet) > limit) {
        int drop = -1;
        for (int c = 0; c < PB_COLUMNS; c++) {
            if (sheet->shown[c] && columns[c].dispensable >= least &&
                (drop < 0 || columns[c].dispensable > columns[drop].dispensable))
                drop = c;
        }
        if (drop < 0)
            return false;
        sheet->shown[drop] = false;
    }
    return true;
}

/* Gives the variant's column what the others leave of `limit`. */
static void cut_variants(struct pb_sheet *sheet, size_t limit, size_t wanted)
{
    size_t *width = &sheet->widths[PB_COLUMN_VARIANT];
    size_t room = *width + limit - sheet_width(sheet);
    *width = wanted < room ? wanted : room;
    for (size_t i = 0; i < sheet->rows_n; i++) {
        char whole[PB_SHEET_CELL_MAX], *cell = sheet->cells[i][PB_COLUMN_VARIANT];
        memcpy(whole, cell, sizeof whole);
        pb_text_fit_middle(whole, *width, cell, PB_SHEET_CELL_MAX);
    }
}

static void sheet_fit(struct pb_sheet *sheet, size_t limit)
{
    size_t *width = &sheet->widths[PB_COLUMN_VARIANT], wanted = *width;
    *width = wanted < PB_SHEET_VARIANT_WIDTH ? wanted : PB_SHEET_VARIANT_WIDTH;
    if (leave_out(sheet, limit, KEPT + 1)) {
        cut_variants(sheet, limit, wanted);
        return;
    }
    for (int c = 0; c < PB_COLUMNS; c++)
        sheet->shown[c] = c != PB_COLUMN_VARIANT && !sheet->empty[c];
    sheet->folded = true;
    leave_out(sheet, limit, 1);
}

void pb_sheet_fit(struct pb_sheet *sheet, size_t limit, char *left_out, size_t size)
{
    size_t used = 0;
    left_out[0] = '\0';
    if (limit > 0)
        sheet_fit(sheet, limit);
    for (int c = 0; c < PB_COLUMNS; c++) {
        if (!sheet->shown[c] && !sheet->empty[c] && c != PB_COLUMN_VARIANT &&
            c != PB_COLUMN_STATUS && used < size)
            used += (size_t)snprintf(left_out + used, size - used, "%s%s", used > 0 ? ", " : "",
                                     columns[c].head);
    }
}
