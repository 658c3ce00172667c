/* SPDX-License-Identifier: MIT */
/* Tags of the strategy's heaps: each worker allocates under a tag of its own, so that what was
 * never freed names who allocated it. With tags=on they are counted, and where PB_POOLMON names a
 * file, in a table there (tags_file.h). Threads: any. May include: pool/. */
#ifndef PB_POOL_STRATEGY_TAGS_H
#define PB_POOL_STRATEGY_TAGS_H

#include "pool/front.h"

/* 'w000', 'w001', ... of the thread attached as `index`; behind 'w999' comes 'x000'. */
uint32_t pb_pool_worker_tag(unsigned index);

/* pb_front_open for a heap. Where a table cannot be made in its file, tags are counted without one.
 */
int pb_pool_heap_front(const struct pool_options *options, unsigned classes,
                       struct pool_front **front, char *message, size_t message_size);

/* The contract's slot `tags`, of the heap's front. */
size_t pb_pool_heap_tags(const struct pool_front *front, struct pb_tag_row *rows, size_t count);

#endif
