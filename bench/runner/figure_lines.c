/* SPDX-License-Identifier: MIT */
/* Lines of many variants in one panel. See figure_lines.h. */
#include "runner/figure_lines.h"

#include "registry.h"
#include "runner/report_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_GAP = 13 }; /* pixels between the base lines of two labels */

bool pb_lines_draws(const struct pb_summary_row *row)
{
    return strncmp(row->alloc, "floor", 5) != 0;
}

bool pb_lines_draws_any(const struct pb_summary_group *group)
{
    for (size_t i = 0; i < group->rows_n; i++) {
        if (!group->rows[i].floor && group->rows[i].series.n > 0)
            return true;
    }
    return false;
}

/* The house's strategies, their variants, the process's mallocs, what is unknown (SIZE_MAX). */
static unsigned variant_tier(const struct pb_summary_row *row)
{
    const struct pb_allocator *ops = pb_registry_at(row->rank);
    if (ops == NULL)
        return 3;
    if (strcmp(ops->name, "malloc") == 0)
        return 2;
    return strcmp(ops->name, row->alloc) != 0;
}

static void add_variant(struct pb_lines *lines, const struct pb_summary_row *row)
{
    size_t at = lines->n;
    if (!pb_lines_draws(row) || lines->n == PB_LINES_VARIANTS ||
        pb_lines_find(lines, row->alloc) != 0)
        return;
    while (at > 0 && (lines->variants[at - 1].rank > row->rank ||
                      (lines->variants[at - 1].rank == row->rank &&
                       strverscmp(lines->variants[at - 1].alloc, row->alloc) > 0))) {
        lines->variants[at] = lines->variants[at - 1];
        at--;
    }
    lines->variants[at] = (struct pb_lines_variant){
        .alloc = row->alloc, .rank = row->rank, .floor = row->floor, .tier = variant_tier(row)};
    lines->n++;
}

/* Adds to the scores how much worse each variant of a group is than the group's best. */
static void score_group(struct pb_lines *lines, const struct pb_summary_group *group, int better)
{
    double best = INFINITY;
    for (size_t i = 0; i < group->rows_n; i++) {
        const struct pb_summary_row *row = &group->rows[i];
        if (!row->floor && row->median.value > 0)
            best = fmin(best, -better * log(row->median.value));
    }
    for (size_t i = 0; i < group->rows_n; i++) {
        const struct pb_summary_row *row = &group->rows[i];
        size_t at = pb_lines_find(lines, row->alloc);
        if (at == 0 || !(row->median.value > 0))
            continue;
        lines->variants[at - 1].score += -better * log(row->median.value) - best;
        lines->variants[at - 1].groups++;
    }
}

/* Whether `a` comes into focus before `b`. */
static bool is_before(const struct pb_lines_variant *a, const struct pb_lines_variant *b)
{
    if (a->tier != b->tier)
        return a->tier < b->tier;
    return a->score / (double)a->groups < b->score / (double)b->groups;
}

/* Puts the next variant into focus. Returns whether there was one. */
static bool focus_next(struct pb_lines *lines)
{
    struct pb_lines_variant *next = NULL;
    for (size_t i = 0; i < lines->n; i++) {
        struct pb_lines_variant *v = &lines->variants[i];
        if (!v->focus && !v->floor && v->groups > 0 && (next == NULL || is_before(v, next)))
            next = v;
    }
    if (next != NULL)
        next->focus = true;
    return next != NULL;
}

void pb_lines_collect(struct pb_lines *lines, const struct pb_summary_group *const *groups,
                      size_t n, const struct pb_summary *summary)
{
    size_t focused = 0;
    lines->n = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < groups[i]->rows_n; k++)
            add_variant(lines, &groups[i]->rows[k]);
    }
    for (size_t i = 0; i < n; i++)
        score_group(lines, groups[i], summary->better);
    size_t reference = pb_lines_find(lines, summary->reference);
    if (reference != 0 && !lines->variants[reference - 1].floor) {
        lines->variants[reference - 1].focus = true;
        focused++;
    }
    while (focused < PB_LINES_FOCUS && focus_next(lines))
        focused++;
}

size_t pb_lines_find(const struct pb_lines *lines, const char *alloc)
{
    for (size_t i = 0; i < lines->n; i++) {
        if (strcmp(lines->variants[i].alloc, alloc) == 0)
            return i + 1;
    }
    return 0;
}

void pb_lines_reading(const struct pb_lines *lines, char *out, size_t size)
{
    bool grey = false, floor = false;
    for (size_t i = 0; i < lines->n; i++) {
        floor |= lines->variants[i].floor;
        grey |= !lines->variants[i].floor && !lines->variants[i].focus;
    }
    snprintf(out, size, "%s%s", grey ? "; thin grey: further variants" : "",
             floor ? "; thin dotted: null, the harness alone" : "");
}

/* The style in this figure: what is not in focus is grey, a floor dotted. */
static struct pb_style lines_style(const struct pb_lines *lines, size_t variant)
{
    if (variant == 0)
        return (struct pb_style){PB_STYLE_GREY, 1, 7};
    struct pb_style style = pb_style_of(lines->variants[variant - 1].alloc);
    if (!lines->variants[variant - 1].focus)
        style.rgb = PB_STYLE_GREY;
    if (lines->variants[variant - 1].floor)
        style.dash = 3;
    return style;
}

void pb_lines_styles(const struct pb_lines *lines, struct pb_page *page)
{
    double colours[PB_LINES_VARIANTS], dashes[PB_LINES_VARIANTS], points[PB_LINES_VARIANTS];
    double thick[PB_LINES_VARIANTS], order[PB_LINES_VARIANTS];
    size_t drawn = 0;
    for (size_t i = 0; i < lines->n; i++) {
        struct pb_style style = lines_style(lines, i + 1);
        colours[i] = style.rgb;
        dashes[i] = style.dash;
        points[i] = style.point;
        thick[i] = lines->variants[i].focus ? 1.8 : 0.9;
    }
    for (int focus = 0; focus < 2; focus++) {
        if (focus == 1)
            pb_page_number(page, "FRONT", (double)(drawn < lines->n ? drawn + 1 : lines->n));
        for (size_t i = 0; i < lines->n; i++) {
            if (lines->variants[i].focus == (focus == 1))
                order[drawn++] = (double)(i + 1);
        }
    }
    pb_page_number(page, "VARIANTS", (double)lines->n);
    pb_page_numbers(page, "COLOUR", colours, lines->n);
    pb_page_numbers(page, "DASH", dashes, lines->n);
    pb_page_numbers(page, "POINT", points, lines->n);
    pb_page_numbers(page, "THICK", thick, lines->n);
    pb_page_numbers(page, "DRAW", order, lines->n);
}

void pb_lines_put(const struct pb_lines *lines, struct pb_page *page,
                  const struct pb_lines_point *point)
{
    struct pb_style style = lines_style(lines, point->variant);
    fprintf(page->tsv, "%s\t%zu\t%zu\t", point->kind, point->panel, point->variant);
    pb_page_field(page, point->x, '\t');
    pb_page_field(page, point->y, '\t');
    pb_page_field(page, point->low, '\t');
    pb_page_field(page, point->high, '\t');
    fprintf(page->tsv, "%u\t%d\t", style.rgb, style.point);
    pb_page_field_text(page, point->text != NULL ? point->text : "", '\n');
}

/* "200 M" for a rate, "5 us" for a time in ns. */
static void tick_text(double value, const char *unit, char *out, size_t size)
{
    static const struct {
        double at;
        const char *rate, *time;
    } scales[] = {{1e9, " G", " s"}, {1e6, " M", " ms"}, {1e3, " k", " us"}, {0, "", " ns"}};
    size_t i = 0;
    while (value < scales[i].at * 0.999)
        i++;
    snprintf(out, size, "%.3g%s", scales[i].at > 0 ? value / scales[i].at : value,
             strcmp(unit, "ns") == 0 ? scales[i].time : scales[i].rate);
}

/* The ticks of one axis: the coarsest steps that give three of them. None at the very top, where
 * its text would touch the panel's title. */
static size_t panel_ticks(double low, double high, double *ticks, size_t most)
{
    static const double steps[][7] = {{1}, {1, 2, 5}, {1, 1.5, 2, 3, 4, 5, 7}};
    size_t n = 0;
    double top = high * pow(low / high, 0.03);
    for (size_t set = 0; set < sizeof steps / sizeof steps[0] && n < 3; set++) {
        n = 0;
        for (int decade = (int)floor(log10(low)); decade <= (int)floor(log10(high)); decade++) {
            for (size_t i = 0; i < 7 && steps[set][i] > 0; i++) {
                double tick = steps[set][i] * pow(10, decade);
                if (tick >= low && tick <= top && n < most)
                    ticks[n++] = tick;
            }
        }
    }
    return n;
}

void pb_lines_ticks(struct pb_page *page, const double *lows, const double *highs, size_t n,
                    const char *unit)
{
    enum { EACH = 16 };
    double ticks[PB_LINES_PANELS * EACH], first[PB_LINES_PANELS], last[PB_LINES_PANELS];
    char texts[PB_LINES_PANELS * EACH][24];
    const char *text[PB_LINES_PANELS * EACH];
    size_t all = 0;
    for (size_t i = 0; i < n; i++) {
        first[i] = (double)(all + 1);
        all += panel_ticks(lows[i], highs[i], ticks + all, EACH);
        last[i] = (double)all;
    }
    for (size_t i = 0; i < all; i++) {
        tick_text(ticks[i], unit, texts[i], sizeof texts[i]);
        text[i] = texts[i];
    }
    pb_page_numbers(page, "Y_TICK", ticks, all);
    pb_page_texts(page, "Y_TICK_TEXT", text, all);
    pb_page_numbers(page, "Y_FIRST", first, n);
    pb_page_numbers(page, "Y_LAST", last, n);
}

/* The character that looks like a gnuplot point. */
static const char *point_character(int point)
{
    static const char *const characters[] = {
        [4] = "\xe2\x96\xa1",  [5] = "\xe2\x96\xa0",  [6] = "\xe2\x97\x8b",  [7] = "\xe2\x97\x8f",
        [8] = "\xe2\x96\xb3",  [9] = "\xe2\x96\xb2",  [10] = "\xe2\x96\xbd", [11] = "\xe2\x96\xbc",
        [12] = "\xe2\x97\x87", [13] = "\xe2\x97\x86",
    };
    bool known = point >= 4 && point < (int)(sizeof characters / sizeof characters[0]);
    return known ? characters[point] : "+";
}

/* Takes away labels of grey lines, the last ones first, until there is room for the others. */
static size_t labels_fit(const struct pb_lines *lines, double height, struct pb_lines_label *labels,
                         size_t n)
{
    size_t room = (size_t)(height / LABEL_GAP) + 1;
    for (size_t i = n; i-- > 0 && n > room;) {
        const struct pb_lines_variant *variant = &lines->variants[labels[i].variant - 1];
        if (variant->focus || variant->floor)
            continue;
        memmove(&labels[i], &labels[i + 1], (n - i - 1) * sizeof *labels);
        n--;
    }
    return n;
}

void pb_lines_labels(const struct pb_lines *lines, struct pb_page *page,
                     const struct pb_lines_edge *edge, struct pb_lines_label *labels, size_t n)
{
    n = labels_fit(lines, edge->height, labels, n);
    double places[PB_LINES_VARIANTS], pixels = edge->height / log(edge->high / edge->low);
    for (size_t i = 0; i < n; i++)
        places[i] = log(labels[i].y / edge->low) * pixels;
    pb_style_spread(places, n, LABEL_GAP, 0, edge->height);
    for (size_t i = 0; i < n; i++) {
        size_t variant = labels[i].variant;
        char name[PB_PAGE_TEXT_MAX], text[2 * PB_PAGE_TEXT_MAX];
        pb_page_label(lines->variants[variant - 1].alloc, name, sizeof name);
        snprintf(text, sizeof text, "%s%s%s", name, labels[i].note[0] != '\0' ? ": " : "",
                 labels[i].note);
        struct pb_lines_point point = {
            .kind = "swatch",
            .panel = edge->panel,
            .variant = variant,
            .x = edge->x,
            .y = edge->low * exp(places[i] / pixels),
            .low = NAN,
            .high = NAN,
            .text = lines->variants[variant - 1].floor
                        ? "\xe2\x94\x88" /* dots, as the line */
                        : point_character(lines_style(lines, variant).point),
        };
        pb_lines_put(lines, page, &point);
        point.kind = "label";
        point.text = text;
        pb_lines_put(lines, page, &point);
    }
}
