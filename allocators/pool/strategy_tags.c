/* SPDX-License-Identifier: MIT */
/* What the strategy does with tags: strategy_tags.h. */
#include "pool/strategy_tags.h"

#include "pool/tags_file.h"

enum { WORKER_LETTERS = 8 }; /* 'w' to '~' */

uint32_t pb_pool_worker_tag(unsigned index)
{
    uint32_t letter = 'w' + index / 1000 % WORKER_LETTERS;
    return letter | ('0' + index / 100 % 10) << 8 | ('0' + index / 10 % 10) << 16 |
           ('0' + index % 10) << 24;
}

int pb_pool_heap_front(const struct pool_options *options, unsigned classes,
                       struct pool_front **front, char *message, size_t message_size)
{
    struct pool_tags_file table;
    if (options->tags == 0 || pb_pool_tags_file_open(&table) != 0)
        return pb_front_open(options, classes, front, message, message_size);
    struct pool_options watched = *options;
    watched.tags_file = table.file + 1;
    int error = pb_front_open(&watched, classes, front, message, message_size);
    (void)pb_pool_tags_file_close(&table, error == 0); /* without a name nobody reads it */
    if (error != 0)
        error = pb_front_open(options, classes, front, message, message_size);
    return error;
}

size_t pb_pool_heap_tags(const struct pool_front *front, struct pb_tag_row *rows, size_t count)
{
    return front->tags != NULL ? pb_pool_tags_rows(front->tags, rows, count) : 0;
}
