/* SPDX-License-Identifier: MIT */
/* The file that the environment's PB_POOLMON names: where a table of tags is made for another
 * process to read. It is made beside that name and takes its place once the table is in it, so that
 * who reads the table before it keeps that. Behind the table stands what the environment's
 * PB_POOLMON_LABEL calls it, if anything.
 * Threads: any. May touch: that file, and those beside it that it makes. */
#ifndef PB_POOL_TAGS_FILE_H
#define PB_POOL_TAGS_FILE_H

#include <stdbool.h>
#include <stddef.h>

enum { POOL_TAGS_PATH_MAX = 4096, POOL_TAGS_LABEL_MAX = 1016 };

struct pool_tags_file {
    int file; /* for a pool's option tags_file */
    const char *path;
    char made[POOL_TAGS_PATH_MAX];
};

/* Returns 0 with an empty file; -ENODATA if the environment names none; -EEXIST if what it names is
 * neither a table of tags nor an empty file, and is left as it is; or -errno. `path` is set but for
 * -ENODATA. */
int pb_pool_tags_file_open(struct pool_tags_file *table);

/* Closes the descriptor; what is mapped stays. `made`: there is a table in the file, which gets its
 * name; else the file is gone. Returns 0, or -errno if it has no name and is gone. */
int pb_pool_tags_file_close(struct pool_tags_file *table, bool made);

/* What a table is called: the label behind it, or "". */
void pb_pool_tags_file_label(int file, char *out, size_t size);

#endif
