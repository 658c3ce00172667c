/* SPDX-License-Identifier: MIT */
/* A page of a figure: its data, its script, and what gnuplot makes of them. Names are written into
 * scripts in single quotes only, in which gnuplot expands nothing (in double quotes a backtick runs
 * a command), and gnuplot is started without a shell. Threads: one page each. */
#ifndef PB_FIGURE_PAGE_H
#define PB_FIGURE_PAGE_H

#include "runner/report_summary.h"

#include <stdio.h>

enum { PB_PAGE_NAME_MAX = 64, PB_PAGE_LABEL_WIDTH = 24, PB_PAGE_TEXT_MAX = 128 };

/* Pixels that the texts above the panels need. */
enum { PB_PAGE_WIDTH_LEAST = 1060 };

struct pb_page {
    const char *figure, *out_dir;
    char base[PB_PAGE_NAME_MAX]; /* "forest", "forest-2" */
    FILE *tsv, *gp;              /* in memory until pb_page_close */
    char *tsv_text, *gp_text;
    size_t tsv_size, gp_size;
    char title[512], description[1024];
};

/* What every page has: the question, what is shown in which unit and what is better, how to read
 * the marks, the columns of the data (tab-separated), and the size in pixels. */
struct pb_page_head {
    const struct pb_run *run;
    const char *title, *subtitle, *reading, *columns;
    double width, height;
};

/* Opens page `index` (from 0) of a figure; writes the script's head, the footer too, and the first
 * line of the data. Returns 0 or -errno with one line. pb_page_close in any case. */
int pb_page_open(struct pb_page *page, const char *figure, size_t index, const char *out_dir,
                 const struct pb_page_head *head, char *message, size_t message_size);

/* Variables of the script: a number, a text, arrays (n >= 1). */
void pb_page_number(struct pb_page *page, const char *name, double value);
void pb_page_numbers(struct pb_page *page, const char *name, const double *values, size_t n);
void pb_page_text(struct pb_page *page, const char *name, const char *text);
void pb_page_texts(struct pb_page *page, const char *name, const char *const *texts, size_t n);

/* Fields of the data: each ends with a tab or the line. NAN is written as NaN. */
void pb_page_field(struct pb_page *page, double value, char end);
void pb_page_field_text(struct pb_page *page, const char *text, char end);

/* Appends the house's and the figure's template, writes both files and lets gnuplot draw. `error`:
 * what went wrong before; then nothing is written. Returns 0; -ENOENT without gnuplot; another
 * -errno; one line with each. */
int pb_page_close(struct pb_page *page, int error, char *message, size_t message_size);

/* Writes a whole file. Returns 0; -errno, never -ENOENT, with one line that names the file and the
 * reason; then the file is taken away, for a part of it is none. */
int pb_page_save(const char *path, const char *text, size_t size, char *message,
                 size_t message_size);

/* Draws page `index` from the groups of a summary from `*at` on, and moves `*at` behind them.
 * Returns -ENODATA if none of them is for this figure, else as pb_page_close. */
typedef int pb_page_next(void *context, const struct pb_summary *summary, size_t *at, size_t index,
                         const char *out_dir, char *message, size_t message_size);

/* Digests the run for `metric` and draws page after page. Returns as the `write` of figures.h. */
int pb_page_each(const struct pb_run *run, const char *metric, const char *reference,
                 pb_page_next *next, void *context, const char *out_dir, char *message,
                 size_t message_size);

/* Takes the groups from `*at` on in which something is compared with a figure of the reference,
 * `most` at most. Returns 0 or -ENODATA with one line. */
int pb_page_compared(const struct pb_summary *summary, size_t *at,
                     const struct pb_summary_group **groups, size_t most, size_t *n, char *message,
                     size_t message_size);

/* Takes away what an earlier drawing left of the pages from `index` on. */
void pb_page_forget(const char *figure, size_t index, const char *out_dir);

/* Writes "NAME.svg, NAME-2.svg": the pages in `out_dir` that are drawn. */
void pb_page_drawn(const char *figure, const char *out_dir, char *out, size_t size);

/* A variant's label as figures show it. */
void pb_page_label(const char *alloc, char *out, size_t size);

/* "6" or "4 to 6": the repetitions of a page's rows. */
void pb_page_repetitions(const struct pb_summary *summary, char *out, size_t size);

/* figure_draw.c: gnuplot on BASE.gp in `out_dir`, then BASE.svg named by `title` and `description`
 * instead of by gnuplot. Returns as pb_page_close. */
int pb_figure_draw(const char *out_dir, const char *base, const char *title,
                   const char *description, char *message, size_t message_size);

#endif
