/* SPDX-License-Identifier: MIT */
/* What the stress test's parts know of a block of the executive's pool.
 * Threads: any; stress_lookaside_cached the main thread, while all workers wait. */
#ifndef PB_TEST_STRESS_POOL_H
#define PB_TEST_STRESS_POOL_H

#include "nt/stress.h"

#include <poolbench/nt/pool.h>

/* Tags in use; a tag's two books are BOOK_TAG + 2 * its place here, and one more if paged. */
enum stress_tag {
    TAG_NONE,
    TAG_BIG,
    TAG_TAGGED,
    TAG_QUOTA,
    TAG_PRIORITY,
    TAG_FLAGS,
    TAG_EXTENDED,
    TAG_SEGMENT,
    TAG_BUFFER,
    TAG_CONTIGUOUS,
    TAG_LOOKASIDE,               /* one a list that stands on the pool */
    TAG_MDL = TAG_LOOKASIDE + 3, /* counted by nobody: its list is the MDLs' own */
    TAGS
};
_Static_assert((int)TAGS <= (int)STRESS_TAGS, "each has its books");

extern const ULONG stress_tags[TAGS];

/* What the pool says of a live block. */
struct stress_view {
    size_t usable, granted;
    uint32_t tag;
    bool paged, charged, special;
};
struct stress_view stress_view(const void *at);

/* Whether the address lies in one of the pool's arenas. */
bool stress_in_pool(const void *at);

/* The book of the pool's block. */
unsigned stress_tag_book(const struct stress_view *view);

/* What lies in the lists that stand on the pool: in use for it, and nobody's. */
struct stress_sum stress_lookaside_cached(unsigned book);

/* A level at which memory of that kind can be had. */
KIRQL stress_raise(struct stress_worker *worker, bool paged);

#endif
