/* SPDX-License-Identifier: MIT */
/* Tags of a cell: what a heap that counts by tag (`tags` of allocator.h) counted, from the child
 * into its record. Rows are of all passes of the cell, and are read when every block was freed and
 * the caches in front were emptied: what is live then was never freed.
 * Threads: any. May touch: the result or the record it is given. */
#ifndef PB_RUNNER_TAGS_H
#define PB_RUNNER_TAGS_H

#include "runner/cell.h"

#include <jansson.h>

enum { PB_TAG_TEXT = 5 };

/* Four characters; what cannot be shown is a dot. */
void pb_tag_print(uint32_t tag, char out[PB_TAG_TEXT]);

/* "Nonp", "Paged". */
const char *pb_tag_type(bool paged);

/* By their characters, nonpaged first: below, at or above 0. */
int pb_tag_order(const struct pb_tag_row *a, const struct pb_tag_row *b);
void pb_tags_sort(struct pb_tag_row *rows, size_t n);

/* Whether the variant, or its backing, counts by tag. */
bool pb_tags_counted(const struct pb_variant *variant);

/* Empties the caches of the heap and reads its rows, sorted, into the result, if it counts and the
 * cell's status says that it is sound: ok or failed. No thread is in the heap. */
void pb_tags_read(struct pb_heap *heap, struct pb_cell_result *result);

/* Adds the key "tags" to a record if there are rows, and leaks to its list `warn`. Returns 0, -1
 * without memory. */
int pb_tags_to_json(const struct pb_cell_result *result, json_t *record);

/* The rows of a record. Returns how many it has, of which up to `count` are written; rows that are
 * none (the file may be of another program) do not count. */
size_t pb_tags_from_json(const json_t *record, struct pb_tag_row *rows, size_t count);

#endif
