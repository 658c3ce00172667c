/* SPDX-License-Identifier: MIT */
/* The report for people: aligned columns for a terminal, or Markdown. See report_internal.h. */
#include "runner/report_sheet.h"

#include "runner/report_text.h"

#include <stdlib.h>
#include <string.h>

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
    while (last > 0 && (!sheet->shown[last] || cells[last][0] == '\0'))
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

/* The notes of a section, heads in a column; a head is printed where it changes. */
static void print_notes(const struct pb_report_job *job, enum pb_note_section section,
                        const char *title)
{
    const struct pb_notes *notes = job->notes;
    const char *before = "";
    size_t width = 0;
    bool first = true;
    for (size_t i = 0; i < notes->n; i++) {
        size_t head = pb_text_width(notes->notes[i].head);
        if (notes->notes[i].section == section)
            width = head > width ? head : width;
    }
    for (size_t i = 0; i < notes->n; i++) {
        const struct pb_note *note = &notes->notes[i];
        if (note->section != section)
            continue;
        if (first && title != NULL)
            fprintf(job->out, "\n%s\n", title);
        first = false;
        const char *head = strcmp(note->head, before) == 0 ? "" : note->head;
        fprintf(job->out, "%s%s%*s  %s\n", title != NULL ? "  " : "", head,
                (int)(width - pb_text_width(head)), "", note->text);
        before = note->head;
    }
}

static void print_groups(const struct pb_sheet *sheet)
{
    const struct pb_summary *summary = sheet->job->summary;
    bool colour = sheet->job->options->colour;
    FILE *out = sheet->job->out;
    pb_sheet_cell(*cells)[PB_COLUMNS] = sheet->cells;
    for (size_t i = 0; i < summary->groups_n; i++) {
        char title[PB_SHEET_CELL_MAX], limits[256];
        pb_text_fit(summary->groups[i].title, PB_SHEET_CELL_MAX / 4 - 1, title, sizeof title);
        pb_report_limits(summary, &summary->groups[i], limits, sizeof limits);
        fprintf(out, "\n%s%s%s\n  %s\n", colour ? ESC_BOLD : "", title, colour ? ESC_END : "",
                limits);
        print_cells(sheet, (pb_sheet_cell *)sheet->heads, ESC_DIM);
        for (size_t k = 0; k < summary->groups[i].rows_n; k++)
            print_cells(sheet, *cells++, NULL);
    }
}

int pb_report_table(const struct pb_report_job *job)
{
    struct pb_sheet sheet;
    char left_out[256];
    unsigned width = job->options->width;
    int error = pb_sheet_open(
        &sheet, job, width > 0 && width < 100 ? PB_SHEET_VARIANT_NARROW : PB_SHEET_VARIANT_WIDTH);
    if (error != 0)
        goto out;
    pb_sheet_fit(&sheet, width, left_out, sizeof left_out);
    print_notes(job, PB_NOTE_HEADER, NULL);
    if (left_out[0] != '\0')
        fprintf(job->out, "left out for width: %s\n", left_out);
    print_groups(&sheet);
    print_notes(job, PB_NOTE_FAILURE, "Cells without a figure in some repetitions");
    print_notes(job, PB_NOTE_WARNING, "Warnings");
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
        char limits[256];
        pb_report_limits(summary, &summary->groups[i], limits, sizeof limits);
        fputs("\n## ", out);
        pb_text_markdown(out, summary->groups[i].title);
        fprintf(out, "\n\n%s\n\n", limits);
        markdown_row(sheet, (pb_sheet_cell *)sheet->heads);
        for (int c = 0; c < PB_COLUMNS; c++)
            fputs(pb_sheet_left(c) ? "|---" : "|---:", out);
        fputs("|\n", out);
        for (size_t k = 0; k < summary->groups[i].rows_n; k++)
            markdown_row(sheet, *cells++);
    }
}

int pb_report_markdown(const struct pb_report_job *job)
{
    struct pb_sheet sheet;
    int error = pb_sheet_open(&sheet, job, PB_SHEET_VARIANT_WIDTH);
    if (error == 0) {
        markdown_notes(job, PB_NOTE_HEADER, "# poolbench report");
        markdown_groups(&sheet);
        markdown_notes(job, PB_NOTE_FAILURE, "## Cells without a figure in some repetitions");
        markdown_notes(job, PB_NOTE_WARNING, "## Warnings");
        markdown_notes(job, PB_NOTE_WORDS, "## In words");
    }
    free(sheet.cells);
    return error;
}
