/* SPDX-License-Identifier: MIT */
/* What is true of the front as a whole (front.h): blocks in use, whether all structures hold.
 * Threads: live any, check alone. */
#include "pool/front.h"

#include "nt/pages.h"

/* By tags: exact, every allocation being counted. */
static bool live_by_tags(const struct pool_front *front, size_t *live)
{
    if (front->tags == NULL || pb_pool_tags_uncounted(front->tags) != 0)
        return false;
    unsigned count = pb_pool_tags_read(front->tags, NULL, 0);
    *live = 0;
    if (count == 0)
        return true;
    SYSTEM_POOLTAG *rows = pb_pages_map(count * sizeof *rows);
    if (rows == NULL)
        return false;
    unsigned there = pb_pool_tags_read(front->tags, rows, count);
    for (unsigned i = 0; i < there && i < count; i++) {
        /* a tag with more frees than allocations has nothing live */
        LONG paged = (LONG)(rows[i].PagedAllocs - rows[i].PagedFrees);
        LONG nonpaged = (LONG)(rows[i].NonPagedAllocs - rows[i].NonPagedFrees);
        *live += (paged > 0 ? (size_t)paged : 0) + (nonpaged > 0 ? (size_t)nonpaged : 0);
    }
    pb_pages_unmap(rows, count * sizeof *rows);
    return true;
}

/* By the pool's counters, which concurrent calls may have lost some of: what went out slowly and
 * has not come back so, once the lists are empty. */
static size_t live_by_counts(struct pool_front *front)
{
    uint64_t live = 0;
    (void)pb_pool_trim(front->pool);
    for (unsigned class = 0; class < POOL_CLASSES; class ++) {
        struct pool_counts counts;
        pb_pool_counts(front->pool, (enum pool_class) class, &counts);
        live += counts.running_allocs - counts.running_frees;
    }
    size_t reserved = atomic_load_explicit(&front->reserved, memory_order_relaxed);
    return (size_t)live + reserved + pb_front_special_count(front);
}

size_t pb_front_live(struct pool_front *front)
{
    size_t live;
    return live_by_tags(front, &live) ? live : live_by_counts(front);
}

int pb_front_check(struct pool_front *front, char *message, size_t message_size)
{
    int error = pb_pool_check(front->pool, message, message_size);
    if (error == 0 && front->reserve != NULL)
        error = pb_pool_reserve_check(front->reserve, message, message_size);
    return error;
}
