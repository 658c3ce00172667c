/* SPDX-License-Identifier: MIT */
/* Figures of a run, each of them an answer to a question: data (NAME.tsv), a gnuplot script that
 * can be edited and run again (NAME.gp), and what it draws (NAME.svg, NAME.png). The script is the
 * figure's own head, plots/house.gp and plots/NAME.gp. A figure is one file, figure_NAME.c, one
 * template and one row of the table in figures.c. Threads: one. Touches: the folder it is given. */
#ifndef PB_FIGURES_H
#define PB_FIGURES_H

#include "runner/run.h"

#include <stdio.h>

struct pb_figure {
    const char *name;
    const char *question;

    /* Writes the figure's pages: NAME, NAME-2, ... `reference`: a variant's label; NULL: the run's
     * own. Returns 0; -ENODATA when the run has nothing for it; -ENOENT when gnuplot is not there
     * (data and script are written all the same); another -errno. One line in `message` with each.
     */
    int (*write)(const struct pb_run *run, const char *reference, const char *out_dir,
                 char *message, size_t message_size);
};

const struct pb_figure *pb_figure_at(size_t index); /* NULL past the end */

/* Writes the figures of those names (NULL-terminated; none: all) into `out_dir`, which is made if
 * it is not there, and a line about each to `log`. A figure without data is said and passed over.
 * Returns 0; -EINVAL for an unknown name, before anything is written; -ENOENT without gnuplot;
 * -errno, with one line in `message`. */
int pb_figures(const struct pb_run *run, const char *const *names, const char *reference,
               const char *out_dir, FILE *log, char *message, size_t message_size);

#endif
