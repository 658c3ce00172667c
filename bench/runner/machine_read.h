/* SPDX-License-Identifier: MIT */
/* Files of the machine, read below a root so that a test can give a recorded tree: lines, fields,
 * and what the cgroups allow. What cannot be read is empty. Source: proc(5); the kernel's
 * Documentation/ABI and admin-guide/cgroup-v1, cgroup-v2. Threads: any. May touch: reads below the
 * root. */
#ifndef PB_MACHINE_READ_H
#define PB_MACHINE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* NULL if it cannot be opened. */
FILE *pb_read_open(const char *root, const char *path);

/* The first line, without its end; "" if it cannot be read. Returns whether it could. */
bool pb_read_line(const char *root, const char *path, char *out, size_t size);

/* Keeps the word in brackets of "always [madvise] never", if there is one. */
void pb_read_choose(char *text);

/* What is behind "key : value" in a line, cut at its end, or NULL. Changes the line. */
char *pb_read_value(char *line, const char *key);

/* The same of a file's first such line; "" if there is none. */
bool pb_read_field(const char *root, const char *path, const char *key, char *out, size_t size);

/* Whether a word stands in a list with spaces. */
bool pb_read_has_word(const char *list, const char *word);

/* Calls `each` for every name in a folder that does not begin with a dot, in order. */
void pb_read_folder(const char *root, const char *path,
                    void (*each)(void *context, const char *name), void *context);

/* The tightest that our cgroup and those above it set, in either version: processors' worth of time
 * (`bytes` false), or bytes. INFINITY where there is no limit; false where no cgroup tells. */
bool pb_read_cgroup(const char *root, bool bytes, double *limit);

/* A row of /proc/self/limits, its soft limit as text: "8388608", "unlimited"; "" if not told. */
void pb_read_rlimit(const char *root, const char *name, char *out, size_t size);

#endif
