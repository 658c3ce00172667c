/* SPDX-License-Identifier: MIT */
/* The report for people: aligned columns for a terminal, or Markdown. See report_internal.h. */
#include "runner/report_sheet.h"

#include "runner/report_text.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH_MIN = 24, NOTE_WIDTH_MIN = 28 };

/* --- terminal -------------------------------------------------------------------------------- */

#define ESC_BOLD "\033[1m"
#define ESC_DIM  "\033[2m"
#define ESC_END  "\033[0m"

static const char *cell_colour(int column, const char *text)
{
    if (column == PB_COLUMN_STATUS && text[0] != '\0')
        return "\033[1;31m";
    if (column != PB_COLUMN_SIGN)
        return NULL;
    return text[0] == '+' ? "\033[32m" : text[0] == '-' ? "\033[31m" : NULL;
}

static void print_cells(const struct pb_sheet *sheet, pb_sheet_cell *cells, const char *colour)
{
    FILE *out = sheet->job->out;
    int last = PB_COLUMNS - 1;
    while (last > 0 && (!sheet->shown[last] || cells[last][strspn(cells[last], " ")] == '\0'))
        last--;
    for (int c = 0; c <= last; c++) {
        if (!sheet->shown[c])
            continue;
        const char *paint = NULL;
        if (sheet->job->options->colour)
            paint = colour != NULL ? colour : cell_colour(c, cells[c]);
        int pad = (int)(sheet->widths[c] - pb_text_width(cells[c]));
        fprintf(out, "%*s%s%s%s%*s", pb_sheet_left(c) ? PB_SHEET_GAP : PB_SHEET_GAP + pad, "",
                paint != NULL ? paint : "", cells[c], paint != NULL ? ESC_END : "",
                pb_sheet_left(c) && c < last ? pad : 0, "");
    }
    fputc('\n', out);
}

/* The columns of the terminal as this report keeps to them; 0: no limit. */
static size_t line_width(const struct pb_report_job *job)
{
    unsigned width = job->options->width;
    return width > 0 && width < WIDTH_MIN ? WIDTH_MIN : width;
}

/* The width of a section's heads; 0 where it has no notes. */
static size_t heads_width(const struct pb_notes *notes, enum pb_note_section section)
{
    size_t width = 0;
    for (size_t i = 0; i < notes->n; i++) {
        size_t head = pb_text_width(notes->notes[i].head);
        if (notes->notes[i].section == section)
            width = head > width ? head : width;
    }
    return width;
}

/* The notes of a section, heads in a column, or above their notes where that leaves too little; a
 * head is printed where it changes. */
static void print_notes(const struct pb_report_job *job, enum pb_note_section section,
                        const char *title)
{
    const struct pb_notes *notes = job->notes;
    size_t limit = line_width(job), heads = heads_width(notes, section);
    size_t left = title != NULL ? PB_SHEET_GAP : 0, at = left + heads + PB_SHEET_GAP;
    bool above = limit > 0 && at + NOTE_WIDTH_MIN > limit;
    const char *before = "";
    at = above ? left + PB_SHEET_GAP : at;
    if (heads > 0 && title != NULL) {
        fputc('\n', job->out);
        pb_text_wrap(job->out, title, 0, 0, limit);
        fputc('\n', job->out);
    }
    for (size_t i = 0; i < notes->n; i++) {
        const struct pb_note *note = &notes->notes[i];
        if (note->section != section)
            continue;
        const char *head = strcmp(note->head, before) == 0 ? "" : note->head;
        bool own_line = above && head[0] != '\0';
        fprintf(job->out, "%*s", (int)left, "");
        pb_text_wrap(job->out, head, left, left, above ? limit : 0);
        fprintf(job->out, "%s%*s", own_line ? "\n" : "",
                (int)(own_line ? at : at - left - pb_text_width(head)), "");
        pb_text_wrap(job->out, note->text, at, at, limit);
        fputc('\n', job->out);
        before = note->head;
    }
}

/* A row, with its variant above and its status below where they have no column. */
static void print_row(const struct pb_sheet *sheet, pb_sheet_cell *cells)
{
    FILE *out = sheet->job->out;
    size_t limit = line_width(sheet->job);
    const char *status = cells[PB_COLUMN_STATUS];
    if (sheet->folded) {
        fprintf(out, "%*s", PB_SHEET_GAP, "");
        pb_text_wrap(out, cells[PB_COLUMN_VARIANT], PB_SHEET_GAP, PB_SHEET_GAP, limit);
        fputc('\n', out);
    }
    print_cells(sheet, cells, NULL);
    if (sheet->shown[PB_COLUMN_STATUS] || status[0] == '\0')
        return;
    const char *paint = sheet->job->options->colour ? cell_colour(PB_COLUMN_STATUS, status) : NULL;
    fprintf(out, "%*s%s", 2 * PB_SHEET_GAP, "", paint != NULL ? paint : "");
    pb_text_wrap(out, status, 2 * PB_SHEET_GAP, 2 * PB_SHEET_GAP, limit);
    fprintf(out, "%s\n", paint != NULL ? ESC_END : "");
}

static void print_groups(const struct pb_sheet *sheet)
{
    const struct pb_summary *summary = sheet->job->summary;
    bool colour = sheet->job->options->colour;
    size_t limit = line_width(sheet->job);
    FILE *out = sheet->job->out;
    pb_sheet_cell(*cells)[PB_COLUMNS] = sheet->cells;
    for (size_t i = 0; i < summary->groups_n; i++) {
        char limits[PB_REPORT_LIMITS_MAX];
        pb_report_limits(summary, &summary->groups[i], limits, sizeof limits);
        fprintf(out, "\n%s", colour ? ESC_BOLD : "");
        pb_text_wrap(out, summary->groups[i].title, 0, 0, limit);
        fprintf(out, "%s\n%*s", colour ? ESC_END : "", PB_SHEET_GAP, "");
        pb_text_wrap(out, limits, PB_SHEET_GAP, PB_SHEET_GAP, limit);
        fputc('\n', out);
        print_cells(sheet, (pb_sheet_cell *)sheet->heads, ESC_DIM);
        for (size_t k = 0; k < summary->groups[i].rows_n; k++)
            print_row(sheet, *cells++);
    }
}

int pb_report_table(const struct pb_report_job *job)
{
    static const char left_out_head[] = "left out for width: ";
    struct pb_sheet sheet;
    char left_out[256];
    int error = pb_sheet_open(&sheet, job);
    if (error != 0)
        goto out;
    pb_sheet_fit(&sheet, line_width(job), left_out, sizeof left_out);
    print_notes(job, PB_NOTE_HEADER, NULL);
    if (left_out[0] != '\0') {
        fputs(left_out_head, job->out);
        pb_text_wrap(job->out, left_out, sizeof left_out_head - 1, PB_SHEET_GAP, line_width(job));
        fputc('\n', job->out);
    }
    print_groups(&sheet);
    print_notes(job, PB_NOTE_FAILURE, "Cells without a figure in some repetitions");
    print_notes(job, PB_NOTE_WARNING, "Warnings");
    print_notes(job, PB_NOTE_SWITCHES, "What one option changes");
    print_notes(job, PB_NOTE_WORDS, "In words");
out:
    free(sheet.cells);
    return error;
}

/* --- Markdown -------------------------------------------------------------------------------- */

static void markdown_row(const struct pb_sheet *sheet, pb_sheet_cell *cells)
{
    FILE *out = sheet->job->out;
    for (int c = 0; c < PB_COLUMNS; c++) {
        if (sheet->empty[c])
            continue;
        fputs(c == 0 ? "| " : " | ", out);
        pb_text_markdown(out, cells[c]);
    }
    fputs(" |\n", out);
}

static void markdown_notes(const struct pb_report_job *job, enum pb_note_section section,
                           const char *title)
{
    bool first = true;
    for (size_t i = 0; i < job->notes->n; i++) {
        const struct pb_note *note = &job->notes->notes[i];
        if (note->section != section)
            continue;
        if (first)
            fprintf(job->out, "\n%s\n\n", title);
        first = false;
        fputs("- **", job->out);
        pb_text_markdown(job->out, note->head);
        fputs("**: ", job->out);
        pb_text_markdown(job->out, note->text);
        fputc('\n', job->out);
    }
}

static void markdown_groups(const struct pb_sheet *sheet)
{
    const struct pb_summary *summary = sheet->job->summary;
    FILE *out = sheet->job->out;
    pb_sheet_cell(*cells)[PB_COLUMNS] = sheet->cells;
    for (size_t i = 0; i < summary->groups_n; i++) {
        char limits[PB_REPORT_LIMITS_MAX];
        pb_report_limits(summary, &summary->groups[i], limits, sizeof limits);
        fputs("\n## ", out);
        pb_text_markdown(out, summary->groups[i].title);
        fputs("\n\n", out);
        pb_text_markdown(out, limits);
        fputs("\n\n", out);
        markdown_row(sheet, (pb_sheet_cell *)sheet->heads);
        for (int c = 0; c < PB_COLUMNS; c++)
            fputs(sheet->empty[c] ? "" : pb_sheet_left(c) ? "|---" : "|---:", out);
        fputs("|\n", out);
        for (size_t k = 0; k < summary->groups[i].rows_n; k++)
            markdown_row(sheet, *cells++);
    }
}

int pb_report_markdown(const struct pb_report_job *job)
{
    struct pb_sheet sheet;
    int error = pb_sheet_open(&sheet, job);
    if (error == 0) {
        markdown_notes(job, PB_NOTE_HEADER, "# poolbench report");
        markdown_groups(&sheet);
        markdown_notes(job, PB_NOTE_FAILURE, "## Cells without a figure in some repetitions");
        markdown_notes(job, PB_NOTE_WARNING, "## Warnings");
        markdown_notes(job, PB_NOTE_SWITCHES, "## What one option changes");
        markdown_notes(job, PB_NOTE_WORDS, "## In words");
    }
    free(sheet.cells);
    return error;
}
