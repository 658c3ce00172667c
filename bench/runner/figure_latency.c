/* SPDX-License-Identifier: MIT */
/* Latency: how long one call takes at each percentile, on an axis that gives every further nine the
 * same room, alloc and free apart. Lines are the merged histograms of the repetitions and end where
 * fewer than ten samples lie beyond; bands are the least and the most of the repetitions. Source:
 * Tene, "How NOT to Measure Latency"; HdrHistogram's percentile plot. Template: plots/latency.gp.
 */
#include "runner/figure_lines.h"
#include "runner/figure_list.h"
#include "runner/report_text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LATENCY_GROUPS = 3,  /* a page */
    LATENCY_KINDS = 2,   /* alloc, free */
    LATENCY_DECADE = 16, /* points for each further nine */
    LATENCY_POINTS = 8 * LATENCY_DECADE
};

/* Pixels. */
enum {
    LATENCY_HEAD = 84,
    LATENCY_FOOT = 36,
    LATENCY_MARGIN = 24,
    LATENCY_AXIS = 66,
    LATENCY_PLOT = 360,
    LATENCY_LABELS = 190,
    LATENCY_PANEL_HEAD = 34,
    LATENCY_PANEL = 280,
    LATENCY_PANEL_FOOT = 50
};

static const char *const kinds[LATENCY_KINDS] = {"alloc", "free"};

/* The values at the grid of percentiles, one variant in one panel. */
struct curve {
    size_t n; /* points; 0: nothing was sampled */
    double value[LATENCY_POINTS], low[LATENCY_POINTS], high[LATENCY_POINTS];
};

struct latency {
    const struct pb_summary *summary;
    const struct pb_summary_group *groups[LATENCY_GROUPS];
    size_t n;
    struct pb_lines lines;
    struct curve (*curves)[LATENCY_KINDS][PB_LINES_VARIANTS]; /* of each group */
    double x_high;
    double low[LATENCY_GROUPS], high[LATENCY_GROUPS]; /* of the y axes */
    struct pb_hist *one, *merged;                     /* room to work in */
    struct pb_page page;
};

/* 1 / (1 - p) of grid point i. */
static double grid(size_t i)
{
    return pow(10, (double)i / LATENCY_DECADE);
}

/* The grid's points with enough samples beyond them. */
static size_t grid_points(const struct pb_hist *hist)
{
    size_t n = 0;
    while (n < LATENCY_POINTS && (double)hist->n / grid(n) > PB_SAMPLES_BEYOND - 1e-6)
        n++;
    return n;
}

/* 1 ns at least: a log axis has no zero. */
static double grid_value(const struct pb_hist *hist, size_t i)
{
    double value = (double)pb_hist_value_at(hist, i == 0 ? 0 : 1 - 1 / grid(i));
    return fmax(value, 1);
}

/* Merges the repetitions of a row and takes their band. */
static void curve_fill(struct latency *latency, const struct pb_summary_row *row, const char *kind,
                       struct curve *curve)
{
    for (size_t i = 0; i < LATENCY_POINTS; i++)
        curve->low[i] = curve->high[i] = NAN;
    pb_hist_clear(latency->merged);
    for (size_t i = 0; i < row->reps_n; i++) {
        if (row->reps[i]->status != PB_OK || pb_rep_hist(row->reps[i], kind, latency->one) != 0)
            continue;
        pb_hist_merge(latency->merged, latency->one);
        for (size_t k = grid_points(latency->one); k-- > 0;) {
            double value = grid_value(latency->one, k);
            curve->low[k] = fmin(curve->low[k], value);
            curve->high[k] = fmax(curve->high[k], value);
        }
    }
    curve->n = latency->merged->n > 0 ? grid_points(latency->merged) : 0;
    for (size_t i = 0; i < curve->n; i++)
        curve->value[i] = grid_value(latency->merged, i);
}

static void page_curves(struct latency *latency)
{
    latency->x_high = grid(LATENCY_DECADE);
    for (size_t g = 0; g < latency->n; g++) {
        latency->low[g] = INFINITY;
        latency->high[g] = 0;
        for (size_t v = 0; v < latency->lines.n; v++) {
            const struct pb_summary_row *row =
                pb_summary_find(latency->groups[g], latency->lines.variants[v].alloc);
            for (size_t k = 0; row != NULL && k < LATENCY_KINDS; k++) {
                struct curve *curve = &latency->curves[g][k][v];
                curve_fill(latency, row, kinds[k], curve);
                if (curve->n == 0)
                    continue;
                latency->x_high = fmax(latency->x_high, grid(curve->n - 1));
                latency->low[g] = fmin(latency->low[g], curve->value[0]);
                latency->high[g] = fmax(latency->high[g], curve->value[curve->n - 1]);
                for (size_t i = 0; i < curve->n; i++)
                    latency->high[g] = fmax(latency->high[g], curve->high[i]);
            }
        }
        latency->low[g] /= 1.25;
        latency->high[g] *= 1.25;
    }
}

static void curve_put(struct latency *latency, size_t panel, size_t v, const struct curve *curve)
{
    struct pb_lines_point point = {.kind = "line", .panel = panel, .variant = v + 1};
    for (size_t i = 0; i < curve->n; i++) {
        point.x = grid(i);
        point.y = curve->value[i];
        point.low = curve->low[i];
        point.high = curve->high[i];
        pb_lines_put(&latency->lines, &latency->page, &point);
    }
    point.kind = "end";
    if (!latency->lines.variants[v].floor)
        pb_lines_put(&latency->lines, &latency->page, &point);
}

static void panel_put(struct latency *latency, size_t group, size_t kind)
{
    struct pb_lines_label labels[PB_LINES_VARIANTS];
    size_t n = 0, panel = group * LATENCY_KINDS + kind + 1;
    for (size_t v = 0; v < latency->lines.n; v++) {
        const struct pb_summary_row *row =
            pb_summary_find(latency->groups[group], latency->lines.variants[v].alloc);
        const struct curve *curve = &latency->curves[group][kind][v];
        if (row == NULL || (curve->n == 0 && row->status == PB_OK))
            continue;
        if (curve->n > 0)
            curve_put(latency, panel, v, curve);
        labels[n++] = (struct pb_lines_label){
            .variant = v + 1,
            .y = curve->n > 0 ? curve->value[curve->n - 1] : latency->low[group] * 1.01,
            .note = curve->n > 0 ? "" : pb_status_word(row->status),
        };
    }
    pb_lines_labels(&latency->lines, &latency->page,
                    &(struct pb_lines_edge){panel, latency->x_high, latency->low[group],
                                            latency->high[group], LATENCY_PANEL},
                    labels, n);
}

/* 0, 90, 99, 99.9, ...: the nines. */
static void page_ticks(struct latency *latency)
{
    static const char *const texts[] = {"0",     "90",     "99",      "99.9",
                                        "99.99", "99.999", "99.9999", "99.99999"};
    double ticks[8];
    size_t n = 0;
    while (n < 8 && pow(10, (double)n) <= latency->x_high * 1.001) {
        ticks[n] = pow(10, (double)n);
        n++;
    }
    pb_page_number(&latency->page, "TICKS", (double)n);
    pb_page_numbers(&latency->page, "TICK", ticks, n);
    pb_page_texts(&latency->page, "TICK_TEXT", texts, n);
    pb_page_number(&latency->page, "X_HIGH", latency->x_high);
    pb_page_number(&latency->page, "RESOLUTION", latency->summary->resolution);
}

static void page_panels(struct latency *latency)
{
    enum { PANELS = LATENCY_GROUPS * LATENCY_KINDS };
    static const char *const names[] = {"PANEL_LEFT",   "PANEL_RIGHT", "PANEL_TOP",
                                        "PANEL_BOTTOM", "Y_LOW",       "Y_HIGH"};
    double places[6][PANELS];
    char titles[PANELS][2 * PB_PAGE_TEXT_MAX];
    const char *title[PANELS];
    size_t n = latency->n * LATENCY_KINDS;
    for (size_t i = 0; i < n; i++) {
        size_t group = i / LATENCY_KINDS, kind = i % LATENCY_KINDS;
        char name[PB_PAGE_TEXT_MAX];
        places[0][i] = LATENCY_MARGIN + LATENCY_AXIS +
                       (double)kind * (LATENCY_AXIS + LATENCY_PLOT + LATENCY_LABELS);
        places[1][i] = places[0][i] + LATENCY_PLOT;
        places[2][i] = LATENCY_HEAD + LATENCY_PANEL_HEAD +
                       (double)group * (LATENCY_PANEL_HEAD + LATENCY_PANEL + LATENCY_PANEL_FOOT);
        places[3][i] = places[2][i] + LATENCY_PANEL;
        places[4][i] = latency->low[group];
        places[5][i] = latency->high[group];
        pb_text_fit(latency->groups[group]->title, 60, name, sizeof name);
        snprintf(titles[i], sizeof titles[i], "%s: %s", name, kinds[kind]);
        title[i] = titles[i];
    }
    pb_page_number(&latency->page, "PANELS", (double)n);
    for (size_t i = 0; i < 6; i++)
        pb_page_numbers(&latency->page, names[i], places[i], n);
    pb_page_texts(&latency->page, "PANEL_TITLE", title, n);
    pb_lines_ticks(&latency->page, places[4], places[5], n, "ns");
}

static int latency_page(struct latency *latency, size_t index, const char *out_dir, char *message,
                        size_t size)
{
    char subtitle[256], reading[320], others[80], n[32];
    pb_page_repetitions(latency->summary, n, sizeof n);
    snprintf(subtitle, sizeof subtitle,
             "time of one call (log scale) over its percentile (each nine has the same room); "
             "calls sampled at random, n = %s repetitions; lower is better",
             n);
    pb_lines_collect(&latency->lines, latency->groups, latency->n, latency->summary);
    pb_lines_reading(&latency->lines, others, sizeof others);
    snprintf(reading, sizeof reading,
             "lines: merged repetitions, to where 10 samples lie beyond; bands: their least and "
             "most; below %.0f ns the clock says nothing%s",
             latency->summary->resolution, others);
    page_curves(latency);
    struct pb_page_head head = {
        .run = latency->summary->run,
        .title = "How long does one call take, from the typical to the worst?",
        .subtitle = subtitle,
        .reading = reading,
        .columns = PB_LINES_COLUMNS,
        .width =
            2 * LATENCY_MARGIN + LATENCY_KINDS * (LATENCY_AXIS + LATENCY_PLOT + LATENCY_LABELS),
        .height = LATENCY_HEAD + LATENCY_FOOT +
                  (double)latency->n * (LATENCY_PANEL_HEAD + LATENCY_PANEL + LATENCY_PANEL_FOOT),
    };
    int error = pb_page_open(&latency->page, "latency", index, out_dir, &head, message, size);
    if (error == 0) {
        page_panels(latency);
        page_ticks(latency);
        pb_lines_styles(&latency->lines, &latency->page);
    }
    for (size_t i = 0; error == 0 && i < latency->n * LATENCY_KINDS; i++)
        panel_put(latency, i / LATENCY_KINDS, i % LATENCY_KINDS);
    return pb_page_close(&latency->page, error, message, size);
}

/* Whether calls of an allocator were sampled in any repetition of the group. */
static bool was_sampled(const struct pb_summary_group *group)
{
    for (size_t i = 0; i < group->rows_n; i++) {
        const struct pb_summary_row *row = &group->rows[i];
        if (!row->floor && (row->p99_alloc.n > 0 || row->p99_free.n > 0))
            return true;
    }
    return false;
}

static int latency_next(void *context, const struct pb_summary *summary, size_t *at, size_t index,
                        const char *out_dir, char *message, size_t size)
{
    struct latency *latency = context;
    latency->summary = summary;
    latency->n = 0;
    for (; *at < summary->groups_n && latency->n < LATENCY_GROUPS; ++*at) {
        if (was_sampled(&summary->groups[*at]))
            latency->groups[latency->n++] = &summary->groups[*at];
    }
    memset(latency->curves, 0, LATENCY_GROUPS * sizeof *latency->curves);
    if (latency->n > 0)
        return latency_page(latency, index, out_dir, message, size);
    snprintf(message, size, "no repetition has enough sampled calls (sampling was off?)");
    return -ENODATA;
}

int pb_figure_latency(const struct pb_run *run, const char *reference, const char *out_dir,
                      char *message, size_t message_size)
{
    struct latency latency = {0};
    int error = -ENOMEM;
    latency.curves = calloc(LATENCY_GROUPS, sizeof *latency.curves);
    latency.one = calloc(1, sizeof *latency.one);
    latency.merged = calloc(1, sizeof *latency.merged);
    if (latency.curves != NULL && latency.one != NULL && latency.merged != NULL)
        error = pb_page_each(run, PB_KEY_TIME, reference, latency_next, &latency, out_dir, message,
                             message_size);
    else
        snprintf(message, message_size, "no memory for the percentiles");
    free(latency.merged);
    free(latency.one);
    free(latency.curves);
    return error;
}
