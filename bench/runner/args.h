/* SPDX-License-Identifier: MIT */
/* The command line from tables: verbs and their options. Parsing, --help and the manual page are
 * made from the same rows, so they cannot disagree. Source: getopt_long(3), GNU coding
 * standards 4.8. Threads: one. May touch: standard output (help), standard error (what is wrong).
 */
#ifndef PB_ARGS_H
#define PB_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct pb_args;

struct pb_flag {
    const char *verbs; /* those that have it, separated by spaces; "*" for all */
    const char *name;  /* "memory-limit" */
    int letter;        /* 'n', or 0 */
    const char *arg;   /* what its argument is called; NULL: it has none */
    const char *help;  /* one line */
    const char *group; /* heading in the help */
};

struct pb_verb {
    const char *name;
    const char *args;                       /* "MATRIX", "RUN [FIGURE...]" */
    int least, most;                        /* how many of them */
    const char *summary;                    /* one line; NULL: hidden */
    const char *about;                      /* paragraphs for the help, or NULL */
    int (*run)(const struct pb_args *args); /* returns the exit code */
};

struct pb_program {
    const char *name, *version, *summary;
    const struct pb_verb *verbs; /* ends with a NULL name */
    const struct pb_flag *flags; /* ends with a NULL name */
    const char *exits;           /* what the exit codes mean, lines "CODE what" */
};

enum { PB_ARGS_MAX = 64 };

struct pb_args {
    const struct pb_program *program;
    const struct pb_verb *verb;
    size_t given_n;
    struct {
        const struct pb_flag *flag;
        const char *value; /* "" without an argument */
    } given[PB_ARGS_MAX];
    int rest_n;
    char **rest; /* what is not an option */
};

/* Runs the verb that the command line names. Returns its exit code; 0 for --help, --version and
 * --help-man; 2 with one line on standard error for what is wrong. */
int pb_args_main(const struct pb_program *program, int argc, char **argv);

/* The value given last, NULL if the option was not given ("" for one without an argument). */
const char *pb_args_value(const struct pb_args *args, const char *name);

/* Whether a verb has that option. */
bool pb_args_has(const struct pb_flag *flag, const struct pb_verb *verb);

/* Pages of help. */
void pb_args_help(const struct pb_program *program, const struct pb_verb *verb, FILE *out);
void pb_args_man(const struct pb_program *program, FILE *out);

/* How many single edits make `b` of `a`: insertions, deletions, replacements (Levenshtein 1966). */
size_t pb_args_distance(const char *a, const char *b);

#endif
