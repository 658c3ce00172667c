/* SPDX-License-Identifier: MIT */
/* What the values of a row look like that its one estimate hides: two modes, outliers, faults, a
 * drift from block to block, an order that is no chance, an interval that the bootstrap does not
 * confirm; and families too large for the blocks there are. See report_internal.h.
 * Why:     each is looked for in every row, so each has a strict level, and its line says of how
 *          many rows: a drift is an interval of 99 % without 0 that adds up to more than the least
 * effect, an order is p below 0.01 */
#include "runner/report_internal.h"

#include "runner/report_text.h"
#include "stats/trend.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAMED_MAX = 4, LINE_MAX = 512, PLACE_MAX = 256 };

#define SHAPE_CONFIDENCE 0.99

/* What is said of a row, in `out`; false if there is nothing to say. */
typedef bool shape_fn(const struct pb_summary *summary, const struct pb_summary_group *group,
                      const struct pb_summary_row *row, char *out, size_t size);

static void with_unit(double value, const char *unit, char *out, size_t size)
{
    char number[64];
    pb_text_value(value, unit, number, sizeof number);
    snprintf(out, size, "%s%s", number, strcmp(unit, "ns") == 0 ? " ns" : "");
}

static bool shape_modes(const struct pb_summary *summary, const struct pb_summary_group *group,
                        const struct pb_summary_row *row, char *out, size_t size)
{
    char low[80], high[80];
    (void)group;
    if (!row->modes.two)
        return false;
    with_unit(row->modes.low, summary->unit, low, sizeof low);
    with_unit(row->modes.high, summary->unit, high, sizeof high);
    snprintf(out, size, "%s (%zu of %zu) and %s (%zu of %zu)", low, row->modes.low_n, row->series.n,
             high, row->modes.high_n, row->series.n);
    return true;
}

static bool shape_outliers(const struct pb_summary *summary, const struct pb_summary_group *group,
                           const struct pb_summary_row *row, char *out, size_t size)
{
    (void)summary;
    (void)group;
    snprintf(out, size, "%zu of %zu", row->outliers, row->series.n);
    return row->outliers > 0 && !row->modes.two;
}

/* ln of the ratio by block. */
static int row_logs(const struct pb_summary_group *group, const struct pb_summary_row *row,
                    struct pb_pairs *pairs)
{
    if (row->ratio.n < PB_SUMMARY_BLOCKS_MIN || group->reference == NULL)
        return -ENOENT;
    int error = pb_summary_pairs(&row->series, &group->reference->series, pairs);
    for (size_t i = 0; error == 0 && i < pairs->n; i++)
        pairs->a[i] = log(pairs->a[i]) - log(pairs->b[i]);
    return error;
}

static bool shape_drift(const struct pb_summary *summary, const struct pb_summary_group *group,
                        const struct pb_summary_row *row, char *out, size_t size)
{
    struct pb_pairs pairs;
    struct pb_estimate slope = {.n = 0};
    (void)summary;
    if (row_logs(group, row, &pairs) != 0)
        return false;
    int error = pb_slope(pairs.block, pairs.a, pairs.n, SHAPE_CONFIDENCE, &slope);
    double blocks = pairs.block[pairs.n - 1] - pairs.block[0];
    free(pairs.a);
    if (error != 0 || !(slope.low > 0 || slope.high < 0) ||
        fabs(slope.value * blocks) <= log1p(PB_SUMMARY_LEAST_EFFECT))
        return false;
    snprintf(out, size, "%+.2f %% a block [%+.2f, %+.2f]", 100 * expm1(slope.value),
             100 * expm1(slope.low), 100 * expm1(slope.high));
    return true;
}

static bool shape_order(const struct pb_summary *summary, const struct pb_summary_group *group,
                        const struct pb_summary_row *row, char *out, size_t size)
{
    struct pb_pairs pairs;
    struct pb_runs runs = {.p = 1};
    double r = 0, bound = 0;
    (void)summary;
    if (row_logs(group, row, &pairs) != 0)
        return false;
    int error = pb_runs_test(pairs.a, pairs.n, &runs);
    if (error == 0)
        error = pb_lag1(pairs.a, pairs.n, &r, &bound);
    free(pairs.a);
    snprintf(out, size, "%zu runs in %zu blocks, p = %.4f, autocorrelation %.2f (chance: %.2f)",
             runs.runs, runs.above + runs.below, runs.p, r, bound);
    return error == 0 && runs.p < 1 - SHAPE_CONFIDENCE;
}

/* Whether the bootstrap would say something else of 1. */
static bool shape_bootstrap(const struct pb_summary *summary, const struct pb_summary_group *group,
                            const struct pb_summary_row *row, char *out, size_t size)
{
    const struct pb_estimate *exact = &row->ratio, *other = &row->bootstrap;
    char intervals[2][64];
    (void)summary;
    (void)group;
    if (other->n == 0)
        return false;
    pb_report_interval(other, intervals[0], sizeof intervals[0]);
    pb_report_interval(exact, intervals[1], sizeof intervals[1]);
    snprintf(out, size, "%s beside %s", intervals[0], intervals[1]);
    return (exact->low > 1 || exact->high < 1) != (other->low > 1 || other->high < 1);
}

static bool shape_faults(const struct pb_summary *summary, const struct pb_summary_group *group,
                         const struct pb_summary_row *row, char *out, size_t size)
{
    struct pb_series series = {0};
    char number[64];
    (void)summary;
    (void)group;
    bool found = pb_summary_series(row, PB_KEY_FAULTS, &series) == 0;
    double median = found ? pb_series_median(&series) : NAN;
    pb_series_free(&series);
    pb_text_number(median, number, sizeof number);
    snprintf(out, size, "%s", number);
    return median > 0;
}

static const struct shape {
    const char *head, *what;
    shape_fn *look;
} shapes[] = {
    {"two modes", "values at two levels, of which one median is neither", shape_modes},
    {"outliers", "values 14.8 median deviations from the median, kept", shape_outliers},
    {"faults", "page faults in the timed window, median", shape_faults},
    {"drift", "the ratio changes from block to block (interval of 99 %)", shape_drift},
    {"order", "blocks that are not independent, and an interval too narrow", shape_order},
    {"bootstrap", "resampled blocks decide otherwise about 1", shape_bootstrap},
};

/* One line: how many rows, and the first few by name. */
static void note_shape(struct pb_notes *notes, const struct pb_summary *summary,
                       const struct shape *shape)
{
    char places[NAMED_MAX * LINE_MAX] = "", what[PLACE_MAX];
    size_t found = 0, rows = 0, used = 0;
    for (size_t i = 0; i < summary->groups_n; i++) {
        const struct pb_summary_group *group = &summary->groups[i];
        for (size_t k = 0; k < group->rows_n; k++) {
            const struct pb_summary_row *row = &group->rows[k];
            rows += row->series.n > 0;
            if (row->series.n == 0 || !shape->look(summary, group, row, what, sizeof what))
                continue;
            if (found++ < NAMED_MAX && used < sizeof places)
                used +=
                    (size_t)snprintf(places + used, sizeof places - used, "%s%.100s in %.160s: %s",
                                     used > 0 ? "; " : "", row->alloc, group->title, what);
        }
    }
    if (found > 0)
        pb_notes_add(notes, PB_NOTE_WARNING, shape->head, "%s: %s%s (%zu of %zu rows)", shape->what,
                     places, found > NAMED_MAX ? "; ..." : "", found, rows);
}

/* The smallest p that n signs can have, times the family, when that is no p to decide with. */
static void note_families(struct pb_notes *notes, const struct pb_summary *summary)
{
    size_t mute = 0, family = 0, blocks = 0;
    for (size_t i = 0; i < summary->groups_n; i++) {
        const struct pb_summary_group *group = &summary->groups[i];
        size_t most = 0;
        for (size_t k = 0; k < group->rows_n; k++)
            most = group->rows[k].ratio.n > most ? group->rows[k].ratio.n : most;
        if (summary->exploratory || most < PB_SUMMARY_BLOCKS_MIN ||
            ldexp(2, -(int)most) * (double)group->family <= PB_VERDICT_ALPHA)
            continue;
        mute++;
        family = group->family > family ? group->family : family;
        blocks = most;
    }
    size_t needed = blocks;
    while (mute > 0 && ldexp(2, -(int)needed) * (double)family > PB_VERDICT_ALPHA)
        needed++;
    if (mute > 0)
        pb_notes_add(notes, PB_NOTE_WARNING, "family",
                     "in %zu table%s no difference can be shown, however large: %zu blocks are too "
                     "few for a family of %zu, %zu would do",
                     mute, mute == 1 ? "" : "s", blocks, family, needed);
}

void pb_notes_shapes(struct pb_notes *notes, const struct pb_summary *summary)
{
    note_families(notes, summary);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        note_shape(notes, summary, &shapes[i]);
}
