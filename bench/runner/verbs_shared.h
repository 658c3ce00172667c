/* SPDX-License-Identifier: MIT */
/* What the files of verbs share, and the verbs that are not in verbs.c. Each verb returns an exit
 * code;
 * what went wrong is one line on standard error. Threads: main. */
#ifndef PB_VERBS_SHARED_H
#define PB_VERBS_SHARED_H

#include "runner/args.h"
#include "runner/run.h"

enum { PB_VERB_MESSAGE_MAX = 1024 };

/* Whether to colour what goes to `out`: --color, then NO_COLOR, FORCE_COLOR, then the terminal. */
bool pb_verb_colour(const char *when, FILE *out);

/* What COLUMNS says goes before what the terminal says; 0: neither says anything. */
unsigned pb_verb_columns(FILE *out);

/* Prints the line and returns `code`. */
int pb_verb_complain(const char *message, int code);

/* enum pb_report_format of --format (NULL: a table), -1 if there is none of that name. */
int pb_verb_format(const char *name);

/* --format and --color: checked before an hour of measuring, not after it. Returns 0 or an exit
 * code. */
int pb_verb_check(const struct pb_args *args);

/* A variant's canonical name; what is none stays as it is, for others to say so. */
const char *pb_verb_variant(const char *text, struct pb_variant *variant);

/* Loads a run: a folder, a name under results, "@NAME" of a baseline, NULL for the newest. Returns
 * 0 or an exit code. */
int pb_verb_load(const char *name, struct pb_run **run);

int pb_verb_compare(const struct pb_args *args);
int pb_verb_baseline(const struct pb_args *args);
int pb_verb_export(const struct pb_args *args);
int pb_verb_index(const struct pb_args *args);

#endif
