/* SPDX-License-Identifier: MIT */
/* The pool's invariants, walked: every page's blocks, every free list, the lookaside lists and
 * delayed frees, big allocations, the page layer, and the counters against all that. Links are
 * followed only to places that can be free blocks, so that a corrupt pool is reported and not
 * tripped over. Threads: none may be in the pool. */
#include "pool/links.h"
#include "pool/pending.h"
#include "pool/verify.h"
#include "pool/whole.h"

#include <errno.h>
#include <stdio.h>

/* What the walk counts of one descriptor's blocks, to be held against its counters. */
struct check_blocks {
    uint64_t listable; /* free blocks with links */
    uint64_t used, bytes, pages;
};

struct check_census {
    struct check_blocks pools[1 + 16];
    uint64_t bigs, untracked, big_pages, big_bytes;
    char *message;
    size_t message_size;
};

static int check_fault(const struct check_census *census, const char *what, const void *at)
{
    snprintf(census->message, census->message_size, "%s at %p", what, at);
    return -EINVAL;
}

/* A block of a page: its sizes and its state. */
static const char *check_header(const struct pool_space *space, const struct pool_header *header,
                                unsigned before, bool before_free, unsigned left)
{
    const bool wide = space->shape.wide;
    unsigned type = pool_type(header, wide);
    unsigned size = pool_size(header, wide);
    if (size == 0 || size > left)
        return "BlockSize does not lead to the page's end";
    if (pool_previous(header, wide) != before)
        return "PreviousSize is not the size of the block below";
    if (type != POOL_TYPE_FREE && (pool_type_bits(type) & ~(unsigned)POOL_TYPE_KEPT) != 0)
        return "PoolType unknown";
    if (type != POOL_TYPE_FREE &&
        (pool_type_bits(type) & POOL_TYPE_PAGED) != (space->type & POOL_TYPE_PAGED))
        return "PoolType of another pool";
    return type == POOL_TYPE_FREE && before_free ? "two free blocks are neighbours" : NULL;
}

/* I1, I2, I3, I5 for one page, whose first block is at granule `start`. */
static int check_page(struct check_census *census, const struct pool_space *space,
                      const unsigned char *page, unsigned start)
{
    const bool wide = space->shape.wide;
    const unsigned granules = space->shape.page_granules;
    const struct pool_header *first =
        (const struct pool_header *)(const void *)(page + ((size_t)start << space->shape.shift));
    unsigned index = pool_index(first, wide);
    if (index - space->first >= space->pools)
        return check_fault(census, "PoolIndex of no pool", first);
    struct check_blocks *blocks = &census->pools[index];
    unsigned before = 0;
    bool before_free = false;
    for (unsigned at = start; at < granules; at += before) {
        const struct pool_header *header =
            pool_behind((const struct pool_header *)(const void *)page, at, space->shape.shift);
        const char *what = check_header(space, header, before, before_free, granules - at);
        if (what == NULL && pool_index(header, wide) != index)
            what = "PoolIndex is not the page's";
        if (what != NULL)
            return check_fault(census, what, header);
        before = pool_size(header, wide);
        before_free = pool_type(header, wide) == POOL_TYPE_FREE;
        if (before_free && before == granules)
            return check_fault(census, "a free page that was not given back", header);
        if (start != 0 && at == start) { /* a tail's first header is the big allocation's */
            if (before_free || before != 1)
                return check_fault(census, "the tail does not begin with its header", header);
            continue;
        }
        blocks->listable += before_free && before >= space->shape.least_listed;
        blocks->used += !before_free;
        blocks->bytes += before_free ? 0 : (uint64_t)before << space->shape.shift;
    }
    blocks->pages += start == 0;
    return 0;
}

/* A page that the map names; I6. */
static int check_mapped(struct check_census *census, struct pool_space *space,
                        const unsigned char *page, unsigned kind)
{
    size_t run = pb_pool_pages_run(space, page);
    struct pool_big_entry entry;
    size_t granted;
    if ((kind & POOL_PAGE_BIG) == 0) {
        unsigned start = kind & POOL_PAGE_START;
        if (start == 0 ? run != 1 : run != 0)
            return check_fault(census, "a page of blocks that the page layer knows otherwise",
                               page);
        return check_page(census, space, page, start);
    }
    if (run == 0)
        return check_fault(census, "a big allocation that the page layer does not know", page);
    bool tracked = pb_pool_big_find(space->big, page, &entry);
    if (tracked != (kind == POOL_PAGE_BIG))
        return check_fault(census, "page map and big-page table disagree", page);
    if (tracked && entry.pages != run)
        return check_fault(census, "big-page table and page layer disagree", page);
    (void)pb_pool_whole_bytes(space, page, run, &granted);
    census->bigs++;
    census->big_pages += run;
    census->big_bytes += granted;
    census->untracked += !tracked;
    return 0;
}

static int check_pages(struct check_census *census, struct pool_space *space)
{
    int error = 0;
    size_t taken = space->class == POOL_PAGED ? space->bitmap.arena.taken_bytes
                                              : space->runs.arena.taken_bytes;
    for (size_t offset = 0; offset < taken && error == 0; offset += PAGE_SIZE) {
        const unsigned char *page = space->base + offset;
        unsigned kind = pool_page_kind(space, page);
        if (kind != POOL_PAGE_NONE)
            error = check_mapped(census, space, page, kind);
    }
    return error;
}

/* Whether a link leads to where a free block of that list can be. */
static bool check_link(const struct pool_space *space, const void *user, unsigned list)
{
    const bool wide = space->shape.wide;
    const struct pool_header *header = pool_header_before(user, wide);
    return pool_in_blocks(space, user) && BYTE_OFFSET(user) != 0 &&
           ((uintptr_t)header & (space->shape.granule - 1u)) == 0 &&
           pool_type(header, wide) == POOL_TYPE_FREE && pool_size(header, wide) == list + 1;
}

/* The entry behind (before) one; NULL: the head. */
static void *check_step(const struct pool_space *space, const struct pool_descriptor *descriptor,
                        unsigned list, const void *entry, bool back)
{
    if (space->shape.wide) {
        const LIST_ENTRY *head = &descriptor->heads.wide[list];
        const LIST_ENTRY *at = entry != NULL ? (const LIST_ENTRY *)entry : head;
        LIST_ENTRY *to = back ? at->Blink : at->Flink;
        return to != head ? to : NULL;
    }
    const struct pool_link *head = &descriptor->heads.narrow[list];
    const struct pool_link *at = entry != NULL ? (const struct pool_link *)entry : head;
    uint32_t offset = back ? at->previous : at->next;
    return offset != 0 ? space->base + offset : NULL;
}

/* I4 for one list; adds its entries to `listed`. */
static int check_list(const struct check_census *census, const struct pool_space *space,
                      const struct pool_descriptor *descriptor, unsigned list, uint64_t *listed)
{
    uint64_t most = census->pools[descriptor->index].listable;
    const void *before = NULL;
    const void *entry = check_step(space, descriptor, list, NULL, false);
    /* relaxed: nobody else is in the pool */
    uint64_t bits =
        atomic_load_explicit(&descriptor->listed[(list + 1) / 64], memory_order_relaxed);
    if ((bits >> (list + 1) % 64 & 1) != (entry != NULL))
        return check_fault(census, "bitmap disagrees with list", descriptor);
    for (; entry != NULL; entry = check_step(space, descriptor, list, entry, false)) {
        if (!check_link(space, entry, list))
            return check_fault(census, "list leads to what is no free block of its size", entry);
        if (*listed == most)
            return check_fault(census, "list holds more than there is", entry);
        if (check_step(space, descriptor, list, entry, true) != before)
            return check_fault(census, "list links disagree", entry);
        before = entry;
        (*listed)++;
    }
    if (check_step(space, descriptor, list, NULL, true) != before)
        return check_fault(census, "list links disagree", descriptor);
    return 0;
}

static int check_descriptor(const struct check_census *census, const struct pool_space *space,
                            const struct pool_descriptor *descriptor)
{
    const struct check_blocks *blocks = &census->pools[descriptor->index];
    uint64_t listed = 0;
    int error = 0;
    for (unsigned list = 0; list < space->shape.page_granules && error == 0; list++)
        error = check_list(census, space, descriptor, list, &listed);
    if (error != 0)
        return error;
    if (listed != blocks->listable)
        return check_fault(census, "free blocks that no list holds", descriptor);
    if (descriptor->RunningAllocs - descriptor->RunningDeAllocs != blocks->used ||
        descriptor->TotalBytes != blocks->bytes)
        return check_fault(census, "counters disagree with the blocks in use", descriptor);
    if (descriptor->TotalPages != blocks->pages)
        return check_fault(census, "counters disagree with the pages in use", descriptor);
    return 0;
}

/* Delayed frees: blocks in use, as many as the head says. */
static int check_pending(const struct check_census *census, const struct pool_space *space,
                         const struct pool_descriptor *descriptor)
{
    const bool wide = space->shape.wide;
    /* relaxed: nobody else is in the pool */
    uint64_t stack = atomic_load_explicit(&descriptor->pending, memory_order_relaxed);
    while (pool_pending_depth(stack) > 0) {
        struct pool_header *header =
            (struct pool_header *)(void *)(space->base + ((size_t)pool_pending_offset(stack)
                                                          << space->shape.shift));
        if (!pool_in_blocks(space, header) || pool_type(header, wide) == POOL_TYPE_FREE ||
            pool_index(header, wide) != descriptor->index)
            return check_fault(census, "delayed frees lead to no block in use", header);
        uint64_t next = *pool_pending_link(header, wide);
        if (pool_pending_depth(next) + 1 != pool_pending_depth(stack) ||
            pool_pending_granules(next) + pool_size(header, wide) != pool_pending_granules(stack))
            return check_fault(census, "delayed frees are counted wrong", header);
        stack = next;
    }
    return 0;
}

/* The page layer, and big allocations, against its counts. */
static int check_layer(const struct check_census *census, const struct pool_space *space)
{
    const struct pool_big_counts *big = &space->big_counts;
    uint64_t pages = census->big_pages;
    size_t taken = 0;
    int error =
        space->class == POOL_PAGED
            ? pb_page_bitmap_check(&space->bitmap, &taken, census->message, census->message_size)
            : pb_page_runs_check(&space->runs, &taken, census->message, census->message_size);
    if (error != 0)
        return error;
    for (unsigned i = 0; i < space->pools; i++)
        pages += census->pools[space->first + i].pages;
    if (taken != pages)
        return check_fault(census, "pages that are neither of blocks nor big", space);
    if (big->allocs - big->frees != census->bigs || big->pages != census->big_pages ||
        big->bytes != census->big_bytes)
        return check_fault(census, "counters disagree with the big allocations", space);
    return 0;
}

static int check_space(struct pool_space *space, struct check_census *census)
{
    int error = check_pages(census, space);
    for (unsigned i = 0; i < space->pools && error == 0; i++) {
        struct pool_descriptor *descriptor = &space->descriptors[space->first + i];
        error = check_descriptor(census, space, descriptor);
        if (error == 0)
            error = check_pending(census, space, descriptor);
    }
    if (error == 0)
        error = check_layer(census, space);
    if (error == 0)
        error = pb_pool_lists_check(space, census->message, census->message_size);
    return error;
}

int pb_pool_check(struct pool *pool, char *message, size_t message_size)
{
    uint64_t tracked = 0;
    for (unsigned class = 0; class < POOL_CLASSES; class ++) {
        struct check_census census = {.message = message, .message_size = message_size};
        if (pool->spaces[class] == NULL)
            continue;
        int error = check_space(pool->spaces[class], &census);
        if (error != 0)
            return error;
        tracked += census.bigs - census.untracked;
    }
    if (pb_pool_big_count(pool->big) != tracked) {
        snprintf(message, message_size, "big-page table: entries of no allocation");
        return -EINVAL;
    }
    return pb_pool_big_check(pool->big, message, message_size);
}
