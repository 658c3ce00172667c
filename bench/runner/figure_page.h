/* SPDX-License-Identifier: MIT */
/* A page of a figure: its data, its script, and what gnuplot makes of them. Names are written into
 * scripts in single quotes only, in which gnuplot expands nothing (in double quotes a backtick runs
 * a command), and gnuplot is started without a shell. Threads: one page each. */
#ifndef PB_FIGURE_PAGE_H
#define PB_FIGURE_PAGE_H

#include "runner/report_summary.h"

#include <stdio.h>

enum { PB_PAGE_NAME_MAX = 64, PB_PAGE_LABEL_WIDTH = 24, PB_PAGE_TEXT_MAX = 128 };

struct pb_page {
    const char *figure, *out_dir;
    char base[PB_PAGE_NAME_MAX]; /* "forest", "forest-2" */
    FILE *tsv, *gp;
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

/* Appends the house's and the figure's template, closes both files and lets gnuplot draw. `error`:
 * what went wrong before; then the files are only closed. Returns 0; -ENOENT without gnuplot;
 * another -errno; one line with each. */
int pb_page_close(struct pb_page *page, int error, char *message, size_t message_size);

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
