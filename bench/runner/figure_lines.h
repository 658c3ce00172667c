/* SPDX-License-Identifier: MIT */
/* What figures of many lines share: which variants stand in the foreground, their styles as the
 * script wants them, and labels at the lines' ends that do not lie on one another. Threads: one
 * page each. */
#ifndef PB_FIGURE_LINES_H
#define PB_FIGURE_LINES_H

#include "runner/figure_page.h"
#include "runner/figure_style.h"

enum {
    PB_LINES_VARIANTS = 48,
    PB_LINES_PANELS = 8,
    PB_LINES_FOCUS = 8 /* coloured lines in a panel; the others are thin and grey */
};

/* The columns of the data, for pb_page_head. */
#define PB_LINES_COLUMNS "kind\tpanel\tvariant\tx\ty\tlow\thigh\tcolour\tpoint\ttext"

struct pb_lines_variant {
    const char *alloc;
    size_t rank;
    bool floor, focus;
    unsigned tier; /* whose turn it is for the focus: the least first */
    double score;  /* mean ln of how much worse than the best of a group */
    size_t groups;
};

struct pb_lines {
    struct pb_lines_variant variants[PB_LINES_VARIANTS];
    size_t n;
};

/* Whether a row is drawn as a line: `floor` is not, `null` is. */
bool pb_lines_draws(const struct pb_summary_row *row);

/* Whether the group has a figure of an allocator: floors alone compare nothing. */
bool pb_lines_draws_any(const struct pb_summary_group *group);

/* Collects the variants of some groups that are drawn, registry order. In focus: the house's
 * strategies, their variants, the reference (which always has a place), the process's mallocs; the
 * best first within each. `null` never: it is a thin dotted line. */
void pb_lines_collect(struct pb_lines *lines, const struct pb_summary_group *const *groups,
                      size_t n, const struct pb_summary *summary);

/* The variant's number in the data, from 1; 0 if it is none of them. */
size_t pb_lines_find(const struct pb_lines *lines, const char *alloc);

/* What the caption says of the lines that are not in focus: "", or parts that begin with "; ". */
void pb_lines_reading(const struct pb_lines *lines, char *out, size_t size);

/* Writes VARIANTS, COLOUR, DASH, THICK and DRAW, the order in which to draw: grey
 * ones first, those in focus from FRONT on. */
void pb_lines_styles(const struct pb_lines *lines, struct pb_page *page);

/* A row of the data. `variant` counts from 1; 0: none, drawn grey. */
struct pb_lines_point {
    const char *kind;
    size_t panel, variant;
    double x, y, low, high;
    const char *text;
};
void pb_lines_put(const struct pb_lines *lines, struct pb_page *page,
                  const struct pb_lines_point *point);

/* Writes the ticks of the panels' log axes: Y_TICK, Y_TICK_TEXT, and for each panel Y_FIRST and
 * Y_LAST, its part of them. `unit`: "1/s" or "ns". n <= PB_LINES_PANELS. */
void pb_lines_ticks(struct pb_page *page, const double *lows, const double *highs, size_t n,
                    const char *unit);

/* A label at a line's end, wished beside `y`. */
struct pb_lines_label {
    size_t variant;
    double y;
    const char *note; /* "" or why the line ends here */
};

/* Writes the labels of a panel: rows `swatch` and `label`, at x, on a log axis from low to high of
 * `height` pixels. Where there is not room for all, grey lines go without one. */
struct pb_lines_edge {
    size_t panel;
    double x, low, high, height;
};
void pb_lines_labels(const struct pb_lines *lines, struct pb_page *page,
                     const struct pb_lines_edge *edge, struct pb_lines_label *labels, size_t n);

#endif
