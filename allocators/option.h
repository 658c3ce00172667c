/* SPDX-License-Identifier: MIT */
/* Options as data. A strategy or workload describes each of its options in one row; the parser, the
 * range check, `poolbench describe`, the help texts and the records are all made from the rows.
 * May include: libc. Thread: pure functions, any thread. */
#ifndef PB_OPTION_H
#define PB_OPTION_H

#include <stddef.h>
#include <stdint.h>

enum pb_option_type {
    PB_OPTION_END = 0, /* the row that ends a table */
    PB_OPTION_UINT,    /* uint64_t; accepts 64, 4k, 1M (powers of 1024) */
    PB_OPTION_FLAG,    /* uint64_t 0 or 1; accepts on, off, 1, 0 */
    PB_OPTION_CHOICE,  /* uint64_t index into `choices` */
    PB_OPTION_TEXT     /* char[PB_OPTION_TEXT_MAX] */
};

enum { PB_OPTION_TEXT_MAX = 256 };

struct pb_option {
    const char *name;
    enum pb_option_type type;
    size_t offset;               /* of the value in the plug-in's own option struct */
    const char *unit;            /* "bytes", "blocks", "ns", ...; NULL where there is none */
    const char *standard;        /* the default, as a user would write it */
    uint64_t min, max;           /* PB_OPTION_UINT: inclusive range */
    const char *const *choices;  /* PB_OPTION_CHOICE: NULL-terminated */
    const char *help;            /* one line, no full stop */
};

/* Sets every option of `table` in `values` (a zeroed struct that `table` describes) to its default.
 * Returns 0, or -EINVAL if a default does not parse (a fault of the table; a unit test runs this
 * over every table). */
int pb_option_defaults(const struct pb_option *table, void *values);

/* Sets one option. `key` and `text` are `key_len` and `text_len` bytes, not terminated.
 * Returns 0; -ENOENT unknown key; -EINVAL malformed value; -ERANGE out of range. On failure `values`
 * is untouched and `message` holds one line that names the key, what is wrong and what is allowed. */
int pb_option_set(const struct pb_option *table, void *values, const char *key, size_t key_len,
                  const char *text, size_t text_len, char *message, size_t message_size);

/* Sets options from "key=value,key=value" (may be empty). Same returns as pb_option_set, for the
 * first that fails; -EINVAL for one that is given twice. */
int pb_option_parse(const struct pb_option *table, void *values, const char *text, char *message,
                    size_t message_size);

/* Writes the value of one row as a user would write it. Returns the length, as snprintf does. */
int pb_option_print(const struct pb_option *row, const void *values, char *out, size_t size);

/* The row named `name`, or NULL. */
const struct pb_option *pb_option_find(const struct pb_option *table, const char *name);

#endif
