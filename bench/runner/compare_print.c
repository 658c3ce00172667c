/* SPDX-License-Identifier: MIT */
/* A comparison as a table, Markdown, CSV (RFC 4180) and JSON: compare.h. Figures for programs are
 * in base units with nine digits; what does not apply is an empty field or an absent key. */
#include "runner/compare.h"

#include "runner/report_text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 7, CELL_MAX = PB_CELL_NAME_MAX, GAP = 2, NAME_LEAST = 16, DIGITS = 9 };

static const char *const heads[COLUMNS] = {"cell",          "base", "new", "new/base",
                                           "95 % interval", "n",    ""};

static const char *direction(const struct pb_compare_metric *metric)
{
    if (metric->better == 0)
        return "neither is better";
    return metric->better < 0 ? "lower is better" : "higher is better";
}

/* "20261121-172113-fcadca pool, git 0123456789ab, 2026-11-21T17:21:13Z". */
static void side_text(const struct pb_compare_side *side, char *out, size_t size)
{
    const struct pb_run *run = side->run;
    snprintf(out, size, "%s%s%s, git %.12s, %s", pb_run_text(run, NULL, "run"),
             side->variant != NULL ? " " : "", side->variant != NULL ? side->variant : "",
             pb_run_text(run, "suite", "git"), pb_run_text(run, NULL, "t_utc"));
}

/* --- table and Markdown ---------------------------------------------------------------------- */

typedef char line[COLUMNS][CELL_MAX];

static void make_line(const struct pb_compare_row *row, bool paired, line out)
{
    const char *unit = row->metric->unit;
    pb_text_clean(row->name, out[0], CELL_MAX);
    pb_text_value(row->base_median.value, unit, out[1], CELL_MAX);
    pb_text_value(row->new_median.value, unit, out[2], CELL_MAX);
    pb_text_number(row->ratio.value, out[3], CELL_MAX);
    pb_report_interval(&row->ratio, out[4], CELL_MAX);
    if (paired)
        snprintf(out[5], CELL_MAX, "%zu", row->base_n);
    else
        snprintf(out[5], CELL_MAX, "%zu+%zu", row->base_n, row->new_n);
    if (row->why[0] != '\0')
        snprintf(out[6], CELL_MAX, "%s", row->why);
    else
        snprintf(out[6], CELL_MAX, "%c %s%s%s", row->sign, row->verdict,
                 row->unjudged[0] != '\0' ? "; not judged: " : "", row->unjudged);
}

static size_t widest(size_t least, const char *text)
{
    size_t width = pb_text_width(text);
    return width > least ? width : least;
}

/* Widths of the columns; the name's gives way. */
static void fit(const struct pb_compare *c, unsigned limit, size_t widths[COLUMNS])
{
    size_t others = 0;
    line text;
    for (size_t k = 0; k < COLUMNS; k++)
        widths[k] = pb_text_width(heads[k]);
    for (size_t i = 0; i < c->rows_n; i++) {
        make_line(&c->rows[i], c->paired, text);
        for (size_t k = 0; k < COLUMNS; k++)
            widths[k] = widest(widths[k], text[k]);
    }
    for (size_t k = 1; k < COLUMNS; k++)
        others += GAP + widths[k];
    if (limit > 0 && others + widths[0] > limit)
        widths[0] = limit > others + NAME_LEAST ? limit - others : NAME_LEAST;
}

static void table_line(FILE *out, const char (*text)[CELL_MAX], const size_t widths[COLUMNS])
{
    char name[CELL_MAX];
    pb_text_fit_middle(text[0], widths[0], name, sizeof name);
    fprintf(out, "%s%*s", name, (int)(widths[0] - pb_text_width(name)), "");
    for (size_t k = 1; k + 1 < COLUMNS; k++)
        fprintf(out, "%*s%s", (int)(GAP + widths[k] - pb_text_width(text[k])), "", text[k]);
    fprintf(out, "%*s%s\n", text[COLUMNS - 1][0] != '\0' ? GAP : 0, "", text[COLUMNS - 1]);
}

static void table_heads(FILE *out, const size_t widths[COLUMNS])
{
    line text;
    for (size_t k = 0; k < COLUMNS; k++)
        snprintf(text[k], CELL_MAX, "%s", heads[k]);
    table_line(out, (const char(*)[CELL_MAX])text, widths);
}

static void table_notes(const struct pb_compare *c, unsigned width, FILE *out)
{
    char head[CELL_MAX];
    for (size_t i = 0; i < c->notes.n; i++) {
        pb_text_clean(c->notes.notes[i].head, head, sizeof head);
        fprintf(out, "%s%s  ", i == 0 ? "\n" : "", head);
        pb_text_wrap(out, c->notes.notes[i].text, pb_text_width(head) + GAP, GAP, width);
        fputc('\n', out);
    }
}

static void print_sides(const struct pb_compare *c, FILE *out)
{
    const struct pb_compare_side *sides[] = {&c->base, &c->fresh};
    static const char *const names[] = {"base", "new "};
    for (int i = 0; i < 2; i++) {
        char raw[CELL_MAX], text[CELL_MAX];
        side_text(sides[i], raw, sizeof raw);
        pb_text_clean(raw, text, sizeof text);
        fprintf(out, "%s  %s\n", names[i], text);
    }
    fprintf(out, "ratio new over base, %s\n",
            c->paired ? "paired by block of one run" : "between sessions, without pairs");
}

static int print_table(const struct pb_compare *c, unsigned width, FILE *out)
{
    size_t widths[COLUMNS];
    line text;
    char gate[256];
    fit(c, width, widths);
    print_sides(c, out);
    for (size_t i = 0; i < c->rows_n; i++) {
        const struct pb_compare_row *row = &c->rows[i];
        if (i == 0 || row->metric != c->rows[i - 1].metric) {
            fprintf(out, "\n%s (%s, %s)\n", row->metric->key, row->metric->unit,
                    direction(row->metric));
            table_heads(out, widths);
        }
        make_line(row, c->paired, text);
        table_line(out, (const char(*)[CELL_MAX])text, widths);
    }
    table_notes(c, width, out);
    if (c->gated > 0) {
        pb_compare_gate_text(c, gate, sizeof gate);
        fprintf(out, "\n%s\n", gate);
    }
    return 0;
}

static int print_markdown(const struct pb_compare *c, FILE *out)
{
    line text;
    char gate[256];
    for (size_t i = 0; i < c->rows_n; i++) {
        const struct pb_compare_row *row = &c->rows[i];
        if (i == 0 || row->metric != c->rows[i - 1].metric) {
            fprintf(out, "%s### %s (%s, %s)\n\n", i == 0 ? "" : "\n", row->metric->key,
                    row->metric->unit, direction(row->metric));
            for (size_t k = 0; k < COLUMNS; k++)
                fprintf(out, "| %s ", heads[k]);
            fputs("|\n|---|--:|--:|--:|--:|--:|---|\n", out);
        }
        make_line(row, c->paired, text);
        for (size_t k = 0; k < COLUMNS; k++) {
            fputs("| ", out);
            pb_text_markdown(out, text[k]);
            fputc(' ', out);
        }
        fputs("|\n", out);
    }
    fputc('\n', out);
    for (size_t i = 0; i < c->notes.n; i++) {
        fputs("- ", out);
        pb_text_markdown(out, c->notes.notes[i].head);
        fputs(": ", out);
        pb_text_markdown(out, c->notes.notes[i].text);
        fputc('\n', out);
    }
    if (c->gated > 0) {
        pb_compare_gate_text(c, gate, sizeof gate);
        fprintf(out, "- %s\n", gate);
    }
    return 0;
}

/* --- CSV and JSON ---------------------------------------------------------------------------- */

enum { NUMBERS = 15 };

static const char *const number_keys[NUMBERS] = {
    "base",     "base_low",  "base_high",  "new",        "new_low",     "new_high",
    "ratio",    "ratio_low", "ratio_high", "judged_low", "judged_high", "judged_confidence",
    "aa_noise", "threshold", "p_adjusted"};

/* In the order of number_keys; NAN where one does not apply. */
static void row_numbers(const struct pb_compare_row *row, double values[NUMBERS])
{
    const struct pb_estimate *estimates[] = {&row->base_median, &row->new_median, &row->ratio};
    bool judged = row->asked > 0;
    for (size_t i = 0; i < 3; i++) {
        *values++ = estimates[i]->value;
        *values++ = estimates[i]->low;
        *values++ = estimates[i]->high;
    }
    *values++ = row->judged.low;
    *values++ = row->judged.high;
    *values++ = judged ? row->asked : (double)NAN;
    *values++ = row->noise > 0 ? exp(row->noise) : (double)NAN;
    *values++ = row->metric->factor > 0 ? row->metric->factor : (double)NAN;
    *values = row->adjusted;
}

static void csv_text(FILE *out, const char *text)
{
    pb_text_csv(out, text);
    fputc(',', out);
}

static int print_csv(const struct pb_compare *c, FILE *out)
{
    fputs("name,base_cell,new_cell,base_alloc,new_alloc,metric,unit,better,base_n,new_n,", out);
    for (size_t i = 0; i < NUMBERS; i++)
        fprintf(out, "%s,", number_keys[i]);
    fputs("verdict,why,base_disturbed,new_disturbed,unjudged\r\n", out);
    for (size_t i = 0; i < c->rows_n; i++) {
        const struct pb_compare_row *row = &c->rows[i];
        double values[NUMBERS];
        csv_text(out, row->name);
        csv_text(out, row->base->cell);
        csv_text(out, row->fresh->cell);
        csv_text(out, row->base->alloc);
        csv_text(out, row->fresh->alloc);
        csv_text(out, row->metric->key);
        csv_text(out, row->metric->unit);
        fprintf(out, "%d,%zu,%zu,", row->metric->better, row->base_n, row->new_n);
        row_numbers(row, values);
        for (size_t k = 0; k < NUMBERS; k++) {
            if (isfinite(values[k]))
                fprintf(out, "%.*g", DIGITS, values[k]);
            fputc(',', out);
        }
        csv_text(out, row->verdict);
        csv_text(out, row->why);
        fprintf(out, "%zu,%zu,", row->base_disturbed, row->new_disturbed);
        pb_text_csv(out, row->unjudged);
        fputs("\r\n", out);
    }
    return 0;
}

static json_t *json_row(const struct pb_compare_row *row)
{
    double values[NUMBERS];
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:s, s:s, s:s, s:I, s:I}",
                  "name", row->name, "base_cell", row->base->cell, "new_cell", row->fresh->cell,
                  "base_alloc", row->base->alloc, "new_alloc", row->fresh->alloc, "metric",
                  row->metric->key, "unit", row->metric->unit, "better", row->metric->better,
                  "base_n", (json_int_t)row->base_n, "new_n", (json_int_t)row->new_n, "verdict",
                  row->verdict, "why", row->why, "unjudged", row->unjudged, "base_disturbed",
                  (json_int_t)row->base_disturbed, "new_disturbed", (json_int_t)row->new_disturbed);
    row_numbers(row, values);
    for (size_t i = 0; object != NULL && i < NUMBERS; i++)
        if (isfinite(values[i]))
            json_object_set_new(object, number_keys[i], json_real(values[i]));
    return object;
}

static json_t *json_side(const struct pb_compare_side *side)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s}", "run", pb_run_text(side->run, NULL, "run"), "folder",
                  side->run->folder, "git", pb_run_text(side->run, "suite", "git"), "t_utc",
                  pb_run_text(side->run, NULL, "t_utc"));
    if (object != NULL && side->variant != NULL)
        json_object_set_new(object, "variant", json_string(side->variant));
    return object;
}

static int print_json(const struct pb_compare *c, FILE *out)
{
    json_t *rows = json_array(), *notes = json_array();
    for (size_t i = 0; i < c->rows_n; i++)
        json_array_append_new(rows, json_row(&c->rows[i]));
    for (size_t i = 0; i < c->notes.n; i++)
        json_array_append_new(notes, json_pack("{s:s, s:s}", "about", c->notes.notes[i].head,
                                               "text", c->notes.notes[i].text));
    json_t *all = json_pack(
        "{s:o, s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "base",
        json_side(&c->base), "new", json_side(&c->fresh), "paired", c->paired, "judged",
        (json_int_t)c->family, "gated", (json_int_t)c->gated, "regressions",
        (json_int_t)c->regressions, "unjudged", (json_int_t)c->unjudged, "needs_blocks",
        (json_int_t)c->needs, "only_in_base", (json_int_t)c->only_base, "only_in_new",
        (json_int_t)c->only_new, "lost", (json_int_t)c->lost, "notes", notes, "rows", rows);
    int error = all == NULL ? -ENOMEM : 0;
    if (error == 0 && json_dumpf(all, out, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS)) != 0)
        error = -EIO;
    fputc('\n', out);
    json_decref(all);
    return error;
}

int pb_compare_print(const struct pb_compare *compare, enum pb_report_format format, unsigned width,
                     FILE *out)
{
    int error = 0;
    switch (format) {
    case PB_REPORT_TABLE:
        error = print_table(compare, width, out);
        break;
    case PB_REPORT_MARKDOWN:
        error = print_markdown(compare, out);
        break;
    case PB_REPORT_CSV:
        error = print_csv(compare, out);
        break;
    case PB_REPORT_JSON:
        error = print_json(compare, out);
        break;
    }
    if (error == 0 && (fflush(out) != 0 || ferror(out)))
        error = -EIO;
    return error;
}
