/* SPDX-License-Identifier: MIT */
/* The file that the environment's PB_POOLMON names: where a table of tags is made for another
 * process to read. It is made beside that name and takes its place once the table is in it, so that
 * who reads the table before it keeps that.
 * Threads: any. May touch: that file, and those beside it that it makes. */
#ifndef PB_POOL_TAGS_FILE_H
#define PB_POOL_TAGS_FILE_H

#include <stdbool.h>

enum { POOL_TAGS_PATH_MAX = 4096 };

struct pool_tags_file {
    int file; /* for a pool's option tags_file */
    const char *path;
    char made[POOL_TAGS_PATH_MAX];
};

/* Returns 0 with an empty file; -ENODATA if the environment names none; or -errno. */
int pb_pool_tags_file_open(struct pool_tags_file *table);

/* Closes the descriptor; what is mapped stays. `made`: there is a table in the file, which gets its
 * name; else the file is gone. Returns 0, or -errno if it has no name and is gone. */
int pb_pool_tags_file_close(struct pool_tags_file *table, bool made);

#endif
