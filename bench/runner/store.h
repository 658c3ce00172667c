/* SPDX-License-Identifier: MIT */
/* Where runs lie: the folder of a run, its lock and its lines. One writer a run: the lock is on
 * records.jsonl and ends with the process. Threads: one. May touch: the folder of its run. */
#ifndef PB_STORE_H
#define PB_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PB_RUN_NAME_MAX = 32 };

/* In a run's folder while it goes on: the table of tags of the child at work (poolbench/nt/pool.h,
 * PbReadPoolTags). */
#define PB_STORE_TAGS "poolmon.tags"

struct pb_store {
    char *folder;
    int fd;     /* records.jsonl, locked */
    bool *made; /* created: [i]: the first i bytes of its name are a folder that was not there */
    bool put;   /* created: matrix.toml was not there before */
    bool torn;  /* reopened: the last line is cut off; pb_store_cut drops it */
    off_t good_bytes; /* reopened: up to the end of the last whole line */
    char run[PB_RUN_NAME_MAX];
};

/* The folder that runs lie in: PB_RESULTS_PATH, the source tree's results/, or ./results. */
void pb_store_root(char *out, size_t size);

/* The folder of a run: a path that is one, with or without "/records.jsonl", or a name under the
 * root; NULL or "" finds the newest there. Returns 0, or -ENOENT with one line. */
int pb_store_find(const char *name, char *out, size_t size, char *message, size_t message_size);

/* Whether a run goes on: its records are locked by who writes them. */
bool pb_store_busy(const char *folder);

/* mkdir -p. made[i] (of strlen(path) + 1) is set where the first i bytes of `path` are a folder
 * that was not there. Returns 0 or -errno; what was made stays. */
int pb_store_make_folders(const char *path, bool *made);

/* Makes a new run in `folder` (NULL: a new name under the root) with its matrix.toml. Returns 0; or
 * -EEXIST, -EACCES, -ENOSPC, ... with one line that names the path, and nothing made. What lay in
 * the folder before stays as it was. */
int pb_store_create(const char *folder, const char *matrix_text, struct pb_store *store,
                    char *message, size_t message_size);

/* Takes a new run that cannot begin back: what was made for it, and nothing else. */
void pb_store_discard(struct pb_store *store);

/* Writes matrix.toml, whole or not at all; one that is there with the same text stays. Returns 0;
 * -EEXIST where there is another; -errno; each with one line that names it. */
int pb_store_put_matrix(struct pb_store *store, const char *text, char *message,
                        size_t message_size);

/* Opens a run again and changes nothing in it. Returns 0; -EWOULDBLOCK when another writer has it;
 * -errno; each with one line. */
int pb_store_reopen(const char *folder, struct pb_store *store, char *message, size_t message_size);

/* Drops a last line that was cut off, before the first append. Returns 0, or -errno with one line.
 */
int pb_store_cut(struct pb_store *store, char *message, size_t message_size);
void pb_store_close(struct pb_store *store);

/* Appends a line. Returns 0, or -errno with one line: path, reason, remedy. What was there before
 * stays whole. */
int pb_store_append(struct pb_store *store, const json_t *line, char *message, size_t message_size);

/* What to do where an error (-errno) says that there is no more of something on this machine: disk,
 * descriptors, processes, memory. NULL: it says something else. */
const char *pb_shortage(int error);

/* "PATH: reason; remedy": that of a shortage, or `otherwise` (NULL: none). */
void pb_store_say(const char *path, int error, const char *otherwise, char *message, size_t size);

/* "2026-11-21T09:00:00Z" into `out` (at least 24 bytes). */
void pb_utc_now(char *out, size_t size);

#endif
