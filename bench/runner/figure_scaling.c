/* SPDX-License-Identifier: MIT */
/* Scaling: operations per second over threads, a panel for each workload that was run with more
 * than one thread count. The dotted line is what perfect scaling of the fastest start would give.
 * Source: Hoefler and Belli, SC15, rules 11 (bounds) and 12. Template: plots/scaling.gp. */
#include "runner/figure_lines.h"
#include "runner/figure_list.h"
#include "runner/report_text.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { SCALING_PANELS = 6, SCALING_COUNTS = 16, SCALING_COLUMNS = 2 };

/* Pixels. */
enum {
    SCALING_HEAD = 84,
    SCALING_FOOT = 36,
    SCALING_MARGIN = 24,
    SCALING_AXIS = 62,
    SCALING_PLOT = 370,
    SCALING_LABELS = 190,
    SCALING_PANEL_HEAD = 34,
    SCALING_PANEL = 250,
    SCALING_PANEL_FOOT = 48
};

/* The groups that differ in threads alone. */
struct scaling_panel {
    const struct pb_summary_group *groups[SCALING_COUNTS];
    size_t n;
    double low, high; /* of the y axis */
};

struct scaling {
    const struct pb_summary *summary;
    struct scaling_panel panels[SCALING_PANELS];
    size_t n;
    double x_low, x_high;
    struct pb_lines lines;
    struct pb_page page;
};

/* The rate of the fastest allocator at the fewest threads, for each thread. */
static double fastest_start(const struct scaling_panel *panel)
{
    const struct pb_summary_group *first = panel->groups[0];
    double best = NAN;
    for (size_t i = 0; i < first->rows_n; i++) {
        if (!first->rows[i].floor)
            best = fmax(best, first->rows[i].median.value);
    }
    return best / first->first->threads;
}

static void panel_range(struct scaling_panel *panel)
{
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < panel->n; i++) {
        const struct pb_summary_group *group = panel->groups[i];
        for (size_t k = 0; k < group->rows_n; k++) {
            const struct pb_series *series = &group->rows[k].series;
            for (size_t v = 0; pb_lines_draws(&group->rows[k]) && v < series->n; v++) {
                low = fmin(low, series->values[v]);
                high = fmax(high, series->values[v]);
            }
        }
    }
    double ideal = fastest_start(panel) * panel->groups[panel->n - 1]->first->threads;
    panel->low = low / 1.4;
    panel->high = fmax(high, ideal) * 1.25;
}

/* Lines through the medians, bars, and dots where the repetitions are few; of a floor the line. */
static void panel_row(struct scaling *scaling, size_t at, const struct pb_summary_group *group,
                      const struct pb_summary_row *row)
{
    struct pb_lines_point point = {
        .kind = "line",
        .panel = at + 1,
        .variant = pb_lines_find(&scaling->lines, row->alloc),
        .x = group->first->threads,
        .y = row->median.value,
        .low = row->median.low,
        .high = row->median.high,
    };
    if (point.variant == 0)
        return;
    if (row->series.n == 0) {
        point.kind = "failed";
        point.y = scaling->panels[at].low * 1.06;
        point.low = point.high = NAN;
        point.text = pb_status_word(row->status);
        pb_lines_put(&scaling->lines, &scaling->page, &point);
        return;
    }
    if (isnan(point.low))
        point.low = point.high = point.y;
    if (row->floor)
        point.kind = "floor";
    pb_lines_put(&scaling->lines, &scaling->page, &point);
    if (row->floor || row->series.n >= PB_SUMMARY_DOTS_BELOW)
        return;
    point.kind = "block";
    point.variant = 0;
    point.low = point.high = NAN;
    for (size_t i = 0; i < row->series.n; i++) {
        point.y = row->series.values[i];
        pb_lines_put(&scaling->lines, &scaling->page, &point);
    }
}

static void panel_lines(struct scaling *scaling, size_t at)
{
    const struct scaling_panel *panel = &scaling->panels[at];
    double each = fastest_start(panel);
    for (size_t v = 0; v < scaling->lines.n; v++) {
        for (size_t i = 0; i < panel->n; i++) {
            const struct pb_summary_row *row =
                pb_summary_find(panel->groups[i], scaling->lines.variants[v].alloc);
            if (row != NULL)
                panel_row(scaling, at, panel->groups[i], row);
        }
    }
    for (size_t i = 0; i < panel->n && !isnan(each); i++) {
        double threads = panel->groups[i]->first->threads;
        pb_lines_put(&scaling->lines, &scaling->page,
                     &(struct pb_lines_point){
                         "ideal",
                         at + 1,
                         0,
                         threads,
                         each * threads,
                         NAN,
                         NAN,
                         "",
                     });
    }
}

/* A label beside each variant's last figure; a variant that fails at the most threads says so. */
static void panel_labels(struct scaling *scaling, size_t at)
{
    const struct scaling_panel *panel = &scaling->panels[at];
    struct pb_lines_label labels[PB_LINES_VARIANTS];
    size_t n = 0;
    for (size_t v = 0; v < scaling->lines.n; v++) {
        const struct pb_summary_row *last = NULL, *row = NULL;
        for (size_t i = 0; i < panel->n; i++) {
            row = pb_summary_find(panel->groups[i], scaling->lines.variants[v].alloc);
            if (row != NULL && row->series.n > 0)
                last = row;
        }
        if (row == NULL && last == NULL)
            continue;
        bool failed = row != NULL && row->series.n == 0;
        labels[n++] = (struct pb_lines_label){
            .variant = v + 1,
            .y = failed || last == NULL ? panel->low * 1.06 : last->median.value,
            .note = failed ? pb_status_word(row->status) : "",
        };
    }
    pb_lines_labels(
        &scaling->lines, &scaling->page,
        &(struct pb_lines_edge){at + 1, scaling->x_high, panel->low, panel->high, SCALING_PANEL},
        labels, n);
}

/* The thread counts that were measured, as ticks. */
static void page_ticks(struct scaling *scaling)
{
    double counts[SCALING_PANELS * SCALING_COUNTS];
    char texts[SCALING_PANELS * SCALING_COUNTS][16];
    const char *text[SCALING_PANELS * SCALING_COUNTS];
    size_t n = 0;
    for (size_t i = 0; i < scaling->n; i++) {
        for (size_t k = 0; k < scaling->panels[i].n; k++) {
            double threads = scaling->panels[i].groups[k]->first->threads;
            size_t at = 0;
            while (at < n && counts[at] != threads)
                at++;
            if (at < n)
                continue;
            counts[n] = threads;
            snprintf(texts[n], sizeof texts[n], "%.0f", threads);
            text[n] = texts[n];
            n++;
        }
    }
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, counts[i]);
    pb_page_number(&scaling->page, "MOST", most);
    pb_page_number(&scaling->page, "TICKS", (double)n);
    pb_page_numbers(&scaling->page, "TICK", counts, n);
    pb_page_texts(&scaling->page, "TICK_TEXT", text, n);
}

/* Where the panels lie, their ranges and titles. */
static void page_panels(struct scaling *scaling)
{
    static const char *const names[] = {"PANEL_LEFT",   "PANEL_RIGHT", "PANEL_TOP",
                                        "PANEL_BOTTOM", "Y_LOW",       "Y_HIGH"};
    double places[6][SCALING_PANELS];
    char titles[SCALING_PANELS][PB_PAGE_TEXT_MAX];
    const char *title[SCALING_PANELS];
    for (size_t i = 0; i < scaling->n; i++) {
        const struct pb_summary_group *group = scaling->panels[i].groups[0];
        double x = SCALING_MARGIN + SCALING_AXIS +
                   (double)(i % SCALING_COLUMNS) * (SCALING_AXIS + SCALING_PLOT + SCALING_LABELS);
        double y = SCALING_HEAD + SCALING_PANEL_HEAD +
                   (double)(i / SCALING_COLUMNS) *
                       (SCALING_PANEL_HEAD + SCALING_PANEL + SCALING_PANEL_FOOT);
        char name[PB_CELL_NAME_MAX], full[PB_CELL_NAME_MAX];
        places[0][i] = x;
        places[1][i] = x + SCALING_PLOT;
        places[2][i] = y;
        places[3][i] = y + SCALING_PANEL;
        places[4][i] = scaling->panels[i].low;
        places[5][i] = scaling->panels[i].high;
        bool call = strcmp(group->first->dispatch, pb_dispatch_names[PB_DISPATCH_CALL]) == 0;
        snprintf(name, sizeof name, "%.*s%s%s", (int)sizeof name / 2, group->stem,
                 call ? "" : "/dispatch:", call ? "" : group->first->dispatch);
        pb_text_group(name, full, sizeof full);
        pb_text_fit(full, 60, titles[i], sizeof titles[i]);
        title[i] = titles[i];
    }
    pb_page_number(&scaling->page, "PANELS", (double)scaling->n);
    for (size_t i = 0; i < 6; i++)
        pb_page_numbers(&scaling->page, names[i], places[i], scaling->n);
    pb_page_texts(&scaling->page, "PANEL_TITLE", title, scaling->n);
    pb_lines_ticks(&scaling->page, places[4], places[5], scaling->n, scaling->summary->unit);
    pb_page_number(&scaling->page, "X_LOW", scaling->x_low);
    pb_page_number(&scaling->page, "X_HIGH", scaling->x_high);
    pb_page_number(&scaling->page, "UNITS",
                   (double)json_integer_value(json_object_get(
                       json_object_get(scaling->summary->run->header, "machine"), "units")));
}

/* Collects the page's variants and the ranges of its axes. */
static void page_ranges(struct scaling *scaling)
{
    const struct pb_summary_group *groups[SCALING_PANELS * SCALING_COUNTS];
    size_t n = 0;
    scaling->x_low = INFINITY;
    scaling->x_high = 0;
    for (size_t i = 0; i < scaling->n; i++) {
        panel_range(&scaling->panels[i]);
        for (size_t k = 0; k < scaling->panels[i].n; k++) {
            groups[n] = scaling->panels[i].groups[k];
            scaling->x_low = fmin(scaling->x_low, groups[n]->first->threads);
            scaling->x_high = fmax(scaling->x_high, groups[n]->first->threads);
            n++;
        }
    }
    double margin = pow(scaling->x_high / scaling->x_low, 0.06);
    scaling->x_low /= margin;
    scaling->x_high *= margin;
    pb_lines_collect(&scaling->lines, groups, n, scaling->summary);
}

static int scaling_page(struct scaling *scaling, size_t index, const char *out_dir, char *message,
                        size_t size)
{
    char subtitle[256], reading[320], others[80], n[32];
    size_t across = scaling->n < SCALING_COLUMNS ? scaling->n : SCALING_COLUMNS;
    size_t down = (scaling->n + SCALING_COLUMNS - 1) / SCALING_COLUMNS;
    pb_page_repetitions(scaling->summary, n, sizeof n);
    snprintf(subtitle, sizeof subtitle,
             "operations per second of all threads together over threads (both log scale); n = %s; "
             "higher is better",
             n);
    page_ranges(scaling);
    pb_lines_reading(&scaling->lines, others, sizeof others);
    snprintf(
        reading, sizeof reading,
        "marks: medians; bars: 95 %% intervals; grey dots: repetitions; dotted: perfect scaling "
        "of the fastest start; cross: no figure%s",
        others);
    struct pb_page_head head = {
        .run = scaling->summary->run,
        .title = "What do more threads bring?",
        .subtitle = subtitle,
        .reading = reading,
        .columns = PB_LINES_COLUMNS,
        .width = fmax(2 * SCALING_MARGIN +
                          (double)across * (SCALING_AXIS + SCALING_PLOT + SCALING_LABELS),
                      1280),
        .height = SCALING_HEAD + SCALING_FOOT +
                  (double)down * (SCALING_PANEL_HEAD + SCALING_PANEL + SCALING_PANEL_FOOT),
    };
    int error = pb_page_open(&scaling->page, "scaling", index, out_dir, &head, message, size);
    if (error == 0) {
        page_panels(scaling);
        page_ticks(scaling);
        pb_lines_styles(&scaling->lines, &scaling->page);
    }
    for (size_t i = 0; error == 0 && i < scaling->n; i++) {
        panel_lines(scaling, i);
        panel_labels(scaling, i);
    }
    return pb_page_close(&scaling->page, error, message, size);
}

/* The groups from `at` on that differ in threads alone. Returns how many. */
static size_t same_panel(const struct pb_summary *summary, size_t at, struct scaling_panel *panel)
{
    const struct pb_summary_group *first = &summary->groups[at];
    size_t n = 0;
    panel->n = 0;
    for (; at + n < summary->groups_n; n++) {
        const struct pb_summary_group *group = &summary->groups[at + n];
        if (strcmp(group->stem, first->stem) != 0 ||
            strcmp(group->first->dispatch, first->first->dispatch) != 0)
            break;
        if (pb_lines_draws_any(group) && panel->n < SCALING_COUNTS)
            panel->groups[panel->n++] = group;
    }
    return n;
}

static int scaling_next(void *context, const struct pb_summary *summary, size_t *at, size_t index,
                        const char *out_dir, char *message, size_t size)
{
    struct scaling scaling = {.summary = summary};
    (void)context;
    while (*at < summary->groups_n && scaling.n < SCALING_PANELS) {
        *at += same_panel(summary, *at, &scaling.panels[scaling.n]);
        scaling.n += scaling.panels[scaling.n].n > 1;
    }
    if (scaling.n > 0)
        return scaling_page(&scaling, index, out_dir, message, size);
    snprintf(message, size, "no workload was run with more than one thread count");
    return -ENODATA;
}

int pb_figure_scaling(const struct pb_run *run, const char *reference, const char *out_dir,
                      char *message, size_t message_size)
{
    return pb_page_each(run, PB_KEY_RATE, reference, scaling_next, NULL, out_dir, message,
                        message_size);
}
