/* SPDX-License-Identifier: MIT */
/* Runs that have a name, to be compared with later: '@NAME' stands for one wherever a run is asked
 * for. A baseline is a file of one line, results/baselines/NAME.json, meant to be shared: it is not
 * ignored by git, and names the run by its id and by its folder below results/.
 * Threads: one. May touch: that folder. */
#ifndef PB_BASELINE_H
#define PB_BASELINE_H

#include <stddef.h>
#include <stdio.h>

/* Names the run that `run` finds (store.h), or "@NAME". A name that has a run already gets this
 * one; *before (PB_RUN_NAME_MAX bytes) is then that one, else "". Returns 0, with a line where the
 * run is not complete and an empty message else; -EINVAL, -ENOENT, -errno with one line. */
int pb_baseline_set(const char *name, const char *run, char *before, char *message,
                    size_t message_size);
int pb_baseline_remove(const char *name, char *message, size_t message_size);

/* "NAME  RUN  SINCE  FOLDER" of each, in the order of their names; "(not there)" behind a run that
 * is gone. Returns 0; or the first error, with one line, the others listed. */
int pb_baseline_list(FILE *out, char *message, size_t message_size);

/* Of "@NAME" the folder of its run; any other text as it is. Returns 0; -ENOENT where there is no
 * such baseline or no such run, -EINVAL for a file that is damaged and an empty text; with one
 * line. */
int pb_baseline_resolve(const char *text, char *folder, size_t size, char *message,
                        size_t message_size);

#endif
