/* SPDX-License-Identifier: MIT */
/* The index: results/index.sqlite, made from the records of runs and from nothing else (the schema
 * is results/index.sql). It is there for questions across runs; no figure that poolbench prints
 * comes from it, and deleting it loses nothing.
 * Threads: one. Two processes may refresh at once: one waits for the other. May touch: the index, the
 * lock of the folder results/. */
#ifndef PB_INDEX_H
#define PB_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct pb_index_counts {
    size_t runs;      /* in the index now */
    size_t read;      /* read, or read again */
    size_t unchanged; /* were as before */
    size_t gone;      /* their records are not there any more */
    size_t refused;   /* damaged, or of another schema: not in the index */
};

/* Brings the index up to date: reads `runs` (as store.h finds them), or with n 0 all that lie in
 * results/, where they changed since. `rebuild`: from nothing, but for the names of runs that lie
 * elsewhere; so too an index of another version. What a run is refused for is one
 * line in `notices`, and the others are read. Returns 0; -ENOENT for a run of `runs` that is not
 * there, -EEXIST for a file of that name which is not ours, -EBADMSG for a damaged index, -errno;
 * with one line. */
int pb_index_refresh(const char *const *runs, size_t n, bool rebuild, FILE *list, FILE *notices,
                     struct pb_index_counts *counts, char *message, size_t message_size);

/* Where it lies. */
void pb_index_path(char *out, size_t size);

/* --- its parts -------------------------------------------------------------------------------- */

struct sqlite3;

/* What is known of a file of records without reading it. */
struct pb_index_stamp {
    long long bytes, mtime_ns;
    char crc[9]; /* of its last whole line, "" if there is none */
};

/* index_run.c: takes a run out, or (again) in. The caller has begun the transaction and ends it.
 * Return 0; -EINVAL with one line for records that are refused; -EIO with one line for the index.
 */
int pb_index_drop(struct sqlite3 *db, const char *folder, char *message, size_t message_size);
int pb_index_read(struct sqlite3 *db, const char *folder, const char *path,
                  const struct pb_index_stamp *stamp, bool *torn, char *message,
                  size_t message_size);

#endif
