/* SPDX-License-Identifier: MIT */
/* What the files figure_NAME.c define for the table of figures.c; each as pb_figure.write. */
#ifndef PB_FIGURE_LIST_H
#define PB_FIGURE_LIST_H

#include "runner/figures.h"

int pb_figure_forest(const struct pb_run *run, const char *reference, const char *out_dir,
                     char *message, size_t message_size);
int pb_figure_scaling(const struct pb_run *run, const char *reference, const char *out_dir,
                      char *message, size_t message_size);
int pb_figure_latency(const struct pb_run *run, const char *reference, const char *out_dir,
                      char *message, size_t message_size);
int pb_figure_matrix(const struct pb_run *run, const char *reference, const char *out_dir,
                     char *message, size_t message_size);

#endif
