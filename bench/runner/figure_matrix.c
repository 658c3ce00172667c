/* SPDX-License-Identifier: MIT */
/* Matrix: variants by groups, each cell the ratio to the reference as a number on a colour; in
 * brackets where no difference is shown, and the status in words where there is no figure. Source:
 * the diverging scale RdBu of Brewer, ColorBrewer 2.0. Template: plots/matrix.gp. */
#include "runner/figure_lines.h"
#include "runner/figure_list.h"
#include "runner/report_text.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { MATRIX_COLUMNS = 10, MATRIX_HEAD_LINES = 5, MATRIX_SCALE = 9 };

/* Pixels. */
enum {
    MATRIX_HEAD = 92,
    MATRIX_FOOT = 36,
    MATRIX_MARGIN = 24,
    MATRIX_NAMES = 190,
    MATRIX_CELL_WIDTH = 98,
    MATRIX_CELL_HEIGHT = 27,
    MATRIX_LINE = 15,
    MATRIX_LEGEND = 62
};

struct matrix {
    const struct pb_summary *summary;
    const struct pb_summary_group *groups[MATRIX_COLUMNS];
    size_t n;
    struct pb_lines lines; /* the rows */
    struct pb_page page;
};

static void data_row(struct pb_page *page, const char *kind, double x, double y, unsigned fill,
                     unsigned ink, const char *text)
{
    fprintf(page->tsv, "%s\t", kind);
    pb_page_field(page, x, '\t');
    pb_page_field(page, y, '\t');
    fprintf(page->tsv, "%u\t%u\t", fill, ink);
    pb_page_field_text(page, text, '\n');
}

static void cell_put(struct matrix *matrix, size_t x, size_t y,
                     const struct pb_summary_group *group, const struct pb_summary_row *row)
{
    const unsigned white = 0xffffff, grey = 0xf1f2f4, ink_soft = 0x5c636d;
    char number[32], text[64];
    unsigned ink, fill;
    if (row == NULL || (row->series.n == 0 && row->status != PB_OK)) {
        data_row(&matrix->page, "cell", (double)x, (double)y, row == NULL ? white : grey, ink_soft,
                 row == NULL ? "\xe2\x80\x93" : pb_status_word(row->status));
        return;
    }
    if (row == group->reference) {
        data_row(&matrix->page, "cell", (double)x, (double)y, pb_style_heat(1, &ink), 0, "1");
        return;
    }
    if (row->ratio.n == 0) {
        data_row(&matrix->page, "cell", (double)x, (double)y, grey, ink_soft, "no pair");
        return;
    }
    fill = pb_style_heat(row->ratio.value, &ink);
    pb_text_number(row->ratio.value, number, sizeof number);
    bool shown = row->sign == '+' || row->sign == '-';
    snprintf(text, sizeof text, shown ? "%s%s%s" : "(%s)%s%s", number,
             row->status != PB_OK ? " " : "", pb_status_word(row->status));
    if (!shown && fabs(log(row->ratio.value)) < log(1.25))
        ink = ink_soft; /* on a light fill alone */
    data_row(&matrix->page, "cell", (double)x, (double)y, fill, ink, text);
}

/* The most lines that a column's head takes. */
static unsigned head_lines(const struct matrix *matrix)
{
    unsigned most = 1;
    for (size_t i = 0; i < matrix->n; i++) {
        unsigned lines = 1;
        for (const char *at = matrix->groups[i]->title; (at = strstr(at, ", ")) != NULL; at++)
            lines++;
        most = lines > most ? lines : most;
    }
    return most < MATRIX_HEAD_LINES ? most : MATRIX_HEAD_LINES;
}

/* The parts of a group's title, one below the other, the last one lowest. */
static void head_put(struct matrix *matrix, size_t x)
{
    const char *part[MATRIX_HEAD_LINES], *title = matrix->groups[x]->title;
    size_t length[MATRIX_HEAD_LINES], n = 0;
    while (*title != '\0' && n < MATRIX_HEAD_LINES) {
        const char *end = strstr(title, ", ");
        part[n] = title;
        length[n] =
            end != NULL && n + 1 < MATRIX_HEAD_LINES ? (size_t)(end - title) : strlen(title);
        title += length[n] + (title[length[n]] == ',' ? 2 : 0);
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        char whole[PB_CELL_NAME_MAX], text[PB_PAGE_TEXT_MAX];
        snprintf(whole, sizeof whole, "%.*s", (int)length[i], part[i]);
        pb_text_fit(whole, i == 0 ? 13 : 15, text, sizeof text); /* the first one is bold */
        double y = -0.8 - (double)((n - 1 - i) * MATRIX_LINE) / MATRIX_CELL_HEIGHT;
        data_row(&matrix->page, i == 0 ? "head" : "subhead", (double)x, y, 0, 0, text);
    }
}

/* The colours' meaning, below the cells. */
static void legend_put(struct matrix *matrix)
{
    static const struct {
        double ratio;
        const char *text;
    } steps[MATRIX_SCALE] = {{0.25, "1/4"},    {0.354, "1/2.8"}, {0.5, "1/2"},
                             {0.707, "1/1.4"}, {1, "1x"},        {1.414, "1.4"},
                             {2, "2"},         {2.83, "2.8"},    {4, "4"}};
    for (size_t i = 0; i < MATRIX_SCALE; i++) {
        unsigned ink, fill = pb_style_heat(steps[i].ratio, &ink);
        data_row(&matrix->page, "scale", (double)i, 0, fill, ink, steps[i].text);
    }
}

static void page_layout(struct matrix *matrix, double top, double heads)
{
    double right = MATRIX_MARGIN + MATRIX_NAMES + (double)(matrix->n * MATRIX_CELL_WIDTH);
    double bottom = top + (double)(matrix->lines.n * MATRIX_CELL_HEIGHT);
    pb_page_number(&matrix->page, "COLUMNS", (double)matrix->n);
    pb_page_number(&matrix->page, "ROWS", (double)matrix->lines.n);
    pb_page_number(&matrix->page, "SCALE", MATRIX_SCALE);
    pb_page_number(&matrix->page, "CELLS_LEFT", MATRIX_MARGIN + MATRIX_NAMES);
    pb_page_number(&matrix->page, "CELLS_RIGHT", right);
    pb_page_number(&matrix->page, "CELLS_TOP", top - heads);
    pb_page_number(&matrix->page, "HEAD_ROWS", heads / MATRIX_CELL_HEIGHT);
    pb_page_number(&matrix->page, "CELLS_BOTTOM", bottom);
}

static void page_cells(struct matrix *matrix)
{
    for (size_t x = 0; x < matrix->n; x++)
        head_put(matrix, x);
    for (size_t y = 0; y < matrix->lines.n; y++) {
        const char *alloc = matrix->lines.variants[y].alloc;
        char name[PB_PAGE_TEXT_MAX];
        pb_page_label(alloc, name, sizeof name);
        data_row(&matrix->page, "name", 0, (double)y, 0, 0, name);
        for (size_t x = 0; x < matrix->n; x++)
            cell_put(matrix, x, y, matrix->groups[x], pb_summary_find(matrix->groups[x], alloc));
    }
    legend_put(matrix);
}

static int matrix_page(struct matrix *matrix, size_t index, const char *out_dir, char *message,
                       size_t size)
{
    char subtitle[512], than[PB_PAGE_TEXT_MAX], n[32];
    double heads = head_lines(matrix) * MATRIX_LINE, top = MATRIX_HEAD + heads;
    pb_page_repetitions(matrix->summary, n, sizeof n);
    pb_lines_collect(&matrix->lines, matrix->groups, matrix->n, matrix->summary);
    pb_page_label(matrix->summary->reference, than, sizeof than);
    snprintf(subtitle, sizeof subtitle,
             "ns per operation over that of %s (ratio of paired blocks, n = %s); lower is "
             "better: blue is faster, red is slower",
             than, n);
    struct pb_page_head head = {
        .run = matrix->summary->run,
        .title = "Which strategy suits which workload?",
        .subtitle = subtitle,
        .reading = "in brackets: no difference shown (95 % interval, A/A noise, 2 %); words: the "
                   "cell has no figure; a dash: not in the matrix; colours end at 1/4 and 4",
        .columns = "kind\tcolumn\trow\tfill\tink\ttext",
        .width = fmax(2 * MATRIX_MARGIN + MATRIX_NAMES + (double)(matrix->n * MATRIX_CELL_WIDTH),
                      PB_PAGE_WIDTH_LEAST),
        .height =
            top + (double)(matrix->lines.n * MATRIX_CELL_HEIGHT) + MATRIX_LEGEND + MATRIX_FOOT,
    };
    int error = pb_page_open(&matrix->page, "matrix", index, out_dir, &head, message, size);
    if (error == 0) {
        page_layout(matrix, top, heads);
        page_cells(matrix);
    }
    return pb_page_close(&matrix->page, error, message, size);
}

static int matrix_next(void *context, const struct pb_summary *summary, size_t *at, size_t index,
                       const char *out_dir, char *message, size_t size)
{
    struct matrix matrix = {.summary = summary};
    (void)context;
    int error =
        pb_page_compared(summary, at, matrix.groups, MATRIX_COLUMNS, &matrix.n, message, size);
    return error != 0 ? error : matrix_page(&matrix, index, out_dir, message, size);
}

int pb_figure_matrix(const struct pb_run *run, const char *reference, const char *out_dir,
                     char *message, size_t message_size)
{
    return pb_page_each(run, PB_KEY_TIME, reference, matrix_next, NULL, out_dir, message,
                        message_size);
}
