/* SPDX-License-Identifier: MIT */
/* Records as lines: one JSON object a line, keys sorted, closed by a CRC-32 of what stands before
 * it. A line is appended by write(2), all of it before the next, and synced, so that a crash can
 * cut off the last line only. Source: results/README.md. Threads: any, one file each. May touch:
 * the file it is given. */
#ifndef PB_JSON_LINE_H
#define PB_JSON_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* 64 bits over a text: FNV-1a (Fowler, Noll, Vo 1991) closed by the finaliser of MurmurHash3
 * (Appleby 2011). Names things; it is no protection against a forger. */
uint64_t pb_hash_text(const char *text, size_t length);

/* The hash of a value's canonical text as 16 hex digits. Returns 0, or -ENOMEM. */
int pb_hash_json(const json_t *value, char out[17]);

/* Appends `object` (at least one key, none of them "crc") as one line to a descriptor opened with
 * O_APPEND, and syncs. Returns 0 or -errno. What a failed write left behind is cut off again; a
 * line that was written and could not be synced stays, whole or torn. */
int pb_line_append(int fd, const json_t *object);

/* Writes all of a text, in more than one write(2) where the first is cut short: the next one tells
 * why. Returns 0 or -errno. */
int pb_write_whole(int fd, const char *text, size_t length);

/* Parses one line (without its end of line) and checks its crc. Returns 0 and a new reference, or
 * -EINVAL. */
int pb_line_parse(const char *line, size_t length, json_t **object);

/* Appends to a message about that line what to do about it. */
void pb_line_remedy(const char *path, size_t number, char *message, size_t message_size);

/* Called for each good line; `number` counts from 1, `object` is borrowed. Not 0 ends the reading.
 */
typedef int pb_line_fn(void *context, json_t *object, size_t number);

struct pb_lines {
    size_t lines;     /* good ones */
    off_t good_bytes; /* up to the end of the last good line */
    bool torn;        /* the last line has no end: it was cut off, and was dropped */
};

/* Reads a file of such lines. Returns 0; -errno when the file cannot be read; -EINVAL with
 * "FILE:LINE: what; what to do" when a line that has its end is damaged; or what `each`
 * returned. */
int pb_lines_read(const char *path, pb_line_fn *each, void *context, struct pb_lines *lines,
                  char *message, size_t message_size);

#endif
