/* SPDX-License-Identifier: MIT */
/* What the parts of the matrix's reader share: saying what is wrong and where, and turning values
 * of the file into canonical texts. Threads: one reader each. May touch: the file, for a place in
 * it. */
#ifndef PB_MATRIX_READER_H
#define PB_MATRIX_READER_H

#include "runner/matrix.h"

enum { PB_READER_TEXT_MAX = 512 };

struct pb_reader {
    struct pb_matrix *matrix;
    char *message;
    size_t message_size;
};

/* Says what is wrong at a place like "workload[1].size". Returns -EINVAL. */
__attribute__((format(printf, 3, 4))) int
pb_reader_fail(const struct pb_reader *r, const char *where, const char *format, ...);

/* Says that a key is unknown: its place is the key's, not the value's. Returns -EINVAL. */
int pb_reader_fail_key(const struct pb_reader *r, const char *where, const char *key,
                       const char *what, const char *allowed);

/* A scalar as a user would write it, in PB_READER_TEXT_MAX bytes. Returns 0 or -EINVAL. */
int pb_reader_text(const struct pb_reader *r, const char *where, const json_t *value, char *out);

/* Turns one scalar text into its canonical form of PB_READER_TEXT_MAX bytes; `context` says of
 * what. */
typedef int pb_canonical_fn(const void *context, const char *text, char *out, char *message,
                            size_t message_size);

/* A scalar or an array of them to an array of canonical texts; NULL when it failed. */
json_t *pb_reader_values(const struct pb_reader *r, const char *where, const json_t *value,
                         pb_canonical_fn *canonical, const void *context);

/* The axis of that name, or -1; and its values into `slot`. Returns 0 or -EINVAL. */
int pb_axis_find(const char *key);
int pb_reader_axis(const struct pb_reader *r, const char *where, int axis, const json_t *value,
                   json_t **slot);

/* The tables [[workload]], [[include]] and [[exclude]]: whether `key` is one of them, and their
 * entries. Returns 0, -EINVAL or -ENOMEM. */
bool pb_reader_has_entries(const char *key);
int pb_reader_entries(const struct pb_reader *r, const char *key, const json_t *tables);

#endif
