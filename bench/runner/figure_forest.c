/* SPDX-License-Identifier: MIT */
/* Forest: for each comparison group, every variant's ratio to the reference with its interval, the
 * paired blocks it is made of, and the group's noise. Source: Lewis and Clarke, "Forest plots:
 * trying to see the wood and the trees", BMJ 322, 2001. Template: plots/forest.gp. */
#include "runner/figure_list.h"
#include "runner/figure_page.h"
#include "runner/figure_style.h"
#include "runner/report_text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FOREST_PANELS = 8, FOREST_ROWS = 64, FOREST_COLUMNS = 2 };

/* Pixels. */
enum {
    FOREST_HEAD = 84,
    FOREST_FOOT = 36,
    FOREST_ROW = 19,
    FOREST_PANEL_HEAD = 48,
    FOREST_PANEL_FOOT = 30,
    FOREST_NAMES = 190,
    FOREST_PLOT = 280,
    FOREST_FIGURES = 150,
    FOREST_MARGIN = 24
};

/* A ratio further out is drawn at the edge as an arrow head: what lies round 1 must stay readable.
 */
static const double widest = 8;

/* One page: the panels and what their axes share. */
struct forest {
    const struct pb_summary *summary;
    const struct pb_summary_group *groups[FOREST_PANELS];
    size_t n;
    double span; /* the axis runs from 1 / span to span */
    bool beyond; /* an estimate or an interval does not end within it */
    struct pb_page page;
};

/* The rows of a panel from the best to the worst; those without a figure last. */
static int row_order(const void *left, const void *right)
{
    const struct pb_summary_row *a = *(const struct pb_summary_row *const *)left;
    const struct pb_summary_row *b = *(const struct pb_summary_row *const *)right;
    bool a_empty = a->series.n == 0, b_empty = b->series.n == 0;
    if (a_empty || b_empty)
        return a_empty && b_empty ? strverscmp(a->alloc, b->alloc) : a_empty - b_empty;
    double left_ratio = a->ratio.n > 0 ? a->ratio.value : 1; /* the reference has none */
    double right_ratio = b->ratio.n > 0 ? b->ratio.value : 1;
    return (left_ratio > right_ratio) - (left_ratio < right_ratio);
}

static size_t sorted_rows(const struct pb_summary_group *group,
                          const struct pb_summary_row *rows[FOREST_ROWS])
{
    size_t n = group->rows_n < FOREST_ROWS ? group->rows_n : FOREST_ROWS;
    for (size_t i = 0; i < n; i++)
        rows[i] = &group->rows[i];
    qsort(rows, n, sizeof *rows, row_order);
    return n;
}

/* The farthest from 1 that any estimate of the page reaches, a little more. */
static double page_span(struct forest *forest)
{
    double far = log(1.25);
    for (size_t i = 0; i < forest->n; i++) {
        for (size_t k = 0; k < forest->groups[i]->rows_n; k++) {
            const struct pb_estimate *ratio = &forest->groups[i]->rows[k].ratio;
            if (ratio->n == 0)
                continue;
            far = fmax(far, fabs(log(ratio->value)) * 1.05);
            if (!isnan(ratio->low))
                far = fmax(far, fmax(fabs(log(ratio->low)), fabs(log(ratio->high))) * 1.05);
        }
    }
    forest->beyond = far > log(widest) * 1.05;
    return fmin(exp(far), widest);
}

static void page_ticks(struct pb_page *page, double span)
{
    static const struct {
        double up_to; /* span */
        size_t n;
        double at[7];
        const char *text[7];
    } sets[] = {
        {1.3, 5, {0.8, 0.9, 1, 1.1, 1.25}, {"0.8", "0.9", "1x", "1.1", "1.25"}},
        {1.7, 5, {1 / 1.5, 0.8, 1, 1.25, 1.5}, {"0.67", "0.8", "1x", "1.25", "1.5"}},
        {2.9, 5, {0.5, M_SQRT1_2, 1, M_SQRT2, 2}, {"0.5", "0.71", "1x", "1.41", "2"}},
        {9, 7, {0.125, 0.25, 0.5, 1, 2, 4, 8}, {"1/8", "1/4", "1/2", "1x", "2", "4", "8"}},
    };
    size_t i = 0;
    while (i + 1 < sizeof sets / sizeof sets[0] && span > sets[i].up_to)
        i++;
    pb_page_number(page, "TICKS", (double)sets[i].n);
    pb_page_numbers(page, "TICK", sets[i].at, sets[i].n);
    pb_page_texts(page, "TICK_TEXT", sets[i].text, sets[i].n);
}

/* Where the panels lie: two columns, each line of panels as high as its longest. Returns the
 * height. */
static double page_places(const struct forest *forest, double places[5][FOREST_PANELS])
{
    double top = FOREST_HEAD;
    for (size_t i = 0; i < forest->n; i += FOREST_COLUMNS) {
        size_t rows = 0;
        for (size_t k = i; k < i + FOREST_COLUMNS && k < forest->n; k++)
            rows = forest->groups[k]->rows_n > rows ? forest->groups[k]->rows_n : rows;
        for (size_t k = i; k < i + FOREST_COLUMNS && k < forest->n; k++) {
            double x =
                FOREST_MARGIN + (double)(k - i) * (FOREST_NAMES + FOREST_PLOT + FOREST_FIGURES);
            size_t own = forest->groups[k]->rows_n;
            places[0][k] = x;
            places[1][k] = x + FOREST_NAMES;
            places[2][k] = x + FOREST_NAMES + FOREST_PLOT;
            places[3][k] = top + FOREST_PANEL_HEAD;
            places[4][k] = top + FOREST_PANEL_HEAD + (double)(own * FOREST_ROW);
        }
        top += FOREST_PANEL_HEAD + (double)(rows * FOREST_ROW) + FOREST_PANEL_FOOT;
    }
    return top + FOREST_FOOT;
}

static void data_row(struct pb_page *page, const char *kind, size_t panel, double row,
                     const struct pb_estimate *at, const struct pb_style *style, const char *text)
{
    pb_page_field_text(page, kind, '\t');
    pb_page_field(page, (double)panel, '\t');
    pb_page_field(page, row, '\t');
    pb_page_field(page, at->value, '\t');
    pb_page_field(page, at->low, '\t');
    pb_page_field(page, at->high, '\t');
    fprintf(page->tsv, "%u\t%d\t", style->rgb, style->point);
    pb_page_field_text(page, text, '\n');
}

static void figure_text(const struct pb_summary_group *group, const struct pb_summary_row *row,
                        char *out, size_t size)
{
    char ratio[32], low[32], high[32];
    const char *word = pb_status_word(row->status);
    if (row == group->reference) {
        snprintf(out, size, "1.00 reference");
        return;
    }
    if (row->ratio.n == 0) {
        snprintf(out, size, "%s", word[0] != '\0' ? word : "no pair");
        return;
    }
    pb_text_number(row->ratio.value, ratio, sizeof ratio);
    pb_text_number(row->ratio.low, low, sizeof low);
    pb_text_number(row->ratio.high, high, sizeof high);
    if (isnan(row->ratio.low))
        snprintf(out, size, "%s%s%s", ratio, word[0] != '\0' ? " " : " no interval", word);
    else
        snprintf(out, size, "%s [%s, %s]%s%s", ratio, low, high, word[0] != '\0' ? " " : "", word);
}

/* A grey dot for each paired block, below the bar that would hide it. */
static void block_dots(struct forest *forest, size_t panel, double at,
                       const struct pb_summary_row *row, const struct pb_summary_row *reference)
{
    const struct pb_series *a = &row->series, *b = &reference->series;
    struct pb_style style = {PB_STYLE_GREY, 1, 7};
    if (a->n >= PB_SUMMARY_DOTS_BELOW)
        return;
    for (size_t i = 0, k = 0; i < a->n; i++) {
        while (k < b->n && b->blocks[k] < a->blocks[i])
            k++;
        if (k == b->n || b->blocks[k] != a->blocks[i] || !(a->values[i] > 0 && b->values[k] > 0))
            continue;
        double ratio = a->values[i] / b->values[k];
        if (fabs(log(ratio)) < log(forest->span))
            data_row(&forest->page, "block", panel, at + 0.3,
                     &(struct pb_estimate){.value = ratio, .low = NAN, .high = NAN}, &style, "");
    }
}

/* An arrow head at the axis's end for what goes on beyond it. */
static void beyond_mark(struct forest *forest, size_t panel, double at, bool right,
                        const struct pb_style *style)
{
    struct pb_estimate edge = {right ? forest->span : 1 / forest->span, NAN, NAN, 0, 0};
    data_row(&forest->page, "beyond", panel, at, &edge, style,
             right ? "\xe2\x96\xb6" : "\xe2\x97\x80");
}

static void row_marks(struct forest *forest, size_t panel, double at,
                      const struct pb_summary_group *group, const struct pb_summary_row *row)
{
    const struct pb_estimate left = {1 / forest->span, NAN, NAN, 0, 0};
    const struct pb_estimate right = {forest->span, NAN, NAN, 0, 0}, one = {1, 1, 1, 0, 0};
    struct pb_style style = pb_style_of(row->alloc);
    struct pb_estimate ratio = row == group->reference ? one : row->ratio;
    char text[PB_PAGE_TEXT_MAX];
    pb_page_label(row->alloc, text, sizeof text);
    data_row(&forest->page, "name", panel, at, &left, &style, text);
    figure_text(group, row, text, sizeof text);
    data_row(&forest->page, "figure", panel, at, &right, &style, text);
    if (row != group->reference && row->ratio.n == 0) {
        data_row(&forest->page, "failed", panel, at, &left, &style, "");
        return;
    }
    if (row != group->reference)
        block_dots(forest, panel, at, row, group->reference);
    if (isnan(ratio.low))
        ratio.low = ratio.high = ratio.value;
    bool beyond_left = ratio.low<left.value, beyond_right = ratio.high> right.value;
    ratio.low = fmin(fmax(ratio.low, left.value), right.value);
    ratio.high = fmax(fmin(ratio.high, right.value), left.value);
    if (ratio.value >= left.value && ratio.value <= right.value)
        data_row(&forest->page, "estimate", panel, at, &ratio, &style, "");
    else if (ratio.low < ratio.high)
        data_row(&forest->page, "interval", panel, at, &ratio, &style, "");
    if (beyond_left)
        beyond_mark(forest, panel, at, false, &style);
    if (beyond_right)
        beyond_mark(forest, panel, at, true, &style);
}

/* "x1.02", "x16.2": what the axis shows of a bound. */
static void factor_text(double factor, char *out, size_t size)
{
    int digits = factor < 9.995 ? 2 : factor < 99.95 ? 1 : 0;
    snprintf(out, size, "x%.*f", digits, factor);
}

static void page_panels(struct forest *forest, double places[5][FOREST_PANELS])
{
    static const char *const names[] = {"PANEL_LABELS", "PANEL_LEFT", "PANEL_RIGHT", "PANEL_TOP",
                                        "PANEL_BOTTOM"};
    double rows[FOREST_PANELS], low[FOREST_PANELS], high[FOREST_PANELS];
    char notes[FOREST_PANELS][2 * PB_PAGE_TEXT_MAX], titles[FOREST_PANELS][PB_PAGE_TEXT_MAX];
    const char *note[FOREST_PANELS], *title[FOREST_PANELS];
    for (size_t i = 0; i < forest->n; i++) {
        const struct pb_summary_group *group = forest->groups[i];
        rows[i] = (double)group->rows_n;
        high[i] = fmin(exp(group->bound), forest->span);
        low[i] = 1 / high[i];
        char than[PB_PAGE_TEXT_MAX], ns[32], factor[32];
        pb_page_label(forest->summary->reference, than, sizeof than);
        factor_text(exp(group->bound), factor, sizeof factor);
        pb_text_number(group->reference->median.value, ns, sizeof ns);
        snprintf(notes[i], sizeof notes[i], "%s: %s ns/op; grey band: %s %s", than, ns,
                 group->bound > log1p(PB_SUMMARY_LEAST_EFFECT) ? "A/A noise" : "least effect",
                 factor);
        pb_text_fit(group->title, 80, titles[i], sizeof titles[i]);
        note[i] = notes[i];
        title[i] = titles[i];
    }
    pb_page_number(&forest->page, "PANELS", (double)forest->n);
    for (size_t i = 0; i < 5; i++)
        pb_page_numbers(&forest->page, names[i], places[i], forest->n);
    pb_page_numbers(&forest->page, "PANEL_ROWS", rows, forest->n);
    pb_page_numbers(&forest->page, "NOISE_LOW", low, forest->n);
    pb_page_numbers(&forest->page, "NOISE_HIGH", high, forest->n);
    pb_page_texts(&forest->page, "PANEL_TITLE", title, forest->n);
    pb_page_texts(&forest->page, "PANEL_NOTE", note, forest->n);
    pb_page_number(&forest->page, "SPAN", forest->span);
}

static int forest_page(struct forest *forest, size_t index, const char *out_dir, char *message,
                       size_t size)
{
    double places[5][FOREST_PANELS];
    char title[256], subtitle[512], reading[256], than[PB_PAGE_TEXT_MAX], n[32];
    pb_page_repetitions(forest->summary, n, sizeof n);
    pb_page_label(forest->summary->reference, than, sizeof than);
    snprintf(title, sizeof title, "Which strategies are faster or slower than %s?", than);
    snprintf(subtitle, sizeof subtitle,
             "ns per operation over that of %s in the same block (ratio, log scale); n = %s; "
             "lower is better: left of 1x is faster",
             than, n);
    forest->span = page_span(forest);
    double height = page_places(forest, places);
    size_t across = forest->n < FOREST_COLUMNS ? forest->n : FOREST_COLUMNS;
    snprintf(reading, sizeof reading,
             "mark: Hodges-Lehmann estimate; bar: 95 %% interval (signed rank); grey dots: the "
             "blocks; cross: no figure%s",
             forest->beyond ? "; arrow head: goes on beyond the axis" : "");
    struct pb_page_head head = {
        .run = forest->summary->run,
        .title = title,
        .subtitle = subtitle,
        .reading = reading,
        .columns = "kind\tpanel\trow\tratio\tlow\thigh\tcolour\tpoint\ttext",
        .width = fmax(2 * FOREST_MARGIN +
                          (double)(across * (FOREST_NAMES + FOREST_PLOT + FOREST_FIGURES)),
                      PB_PAGE_WIDTH_LEAST),
        .height = height,
    };
    int error = pb_page_open(&forest->page, "forest", index, out_dir, &head, message, size);
    if (error == 0) {
        page_panels(forest, places);
        page_ticks(&forest->page, forest->span);
    }
    for (size_t i = 0; error == 0 && i < forest->n; i++) {
        const struct pb_summary_row *rows[FOREST_ROWS];
        size_t n_rows = sorted_rows(forest->groups[i], rows);
        for (size_t k = 0; k < n_rows; k++)
            row_marks(forest, i + 1, (double)k, forest->groups[i], rows[k]);
    }
    return pb_page_close(&forest->page, error, message, size);
}

static int forest_next(void *context, const struct pb_summary *summary, size_t *at, size_t index,
                       const char *out_dir, char *message, size_t size)
{
    struct forest forest = {.summary = summary};
    (void)context;
    int error =
        pb_page_compared(summary, at, forest.groups, FOREST_PANELS, &forest.n, message, size);
    return error != 0 ? error : forest_page(&forest, index, out_dir, message, size);
}

int pb_figure_forest(const struct pb_run *run, const char *reference, const char *out_dir,
                     char *message, size_t message_size)
{
    return pb_page_each(run, PB_KEY_TIME, reference, forest_next, NULL, out_dir, message,
                        message_size);
}
