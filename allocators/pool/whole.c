/* SPDX-License-Identifier: MIT */
/* Whole pages: whole.h says what they are. */
#include "pool/whole.h"

#include "pool/block.h"
#include "pool/verify.h"

#include <poolbench/nt/bugcheck.h>

size_t pb_pool_whole_bytes(const struct pool_space *space, const void *block, size_t pages,
                           size_t *granted)
{
    const unsigned char *last = (const unsigned char *)block + ((pages - 1) << PAGE_SHIFT);
    size_t usable = pages << PAGE_SHIFT;
    *granted = usable;
    if (pages > 1 && (pool_page_kind(space, last) & POOL_PAGE_BLOCKS) != 0) {
        size_t start = pool_page_kind(space, last) & POOL_PAGE_START;
        usable = ((pages - 1) << PAGE_SHIFT) + (start << space->shape.shift);
        *granted = usable + space->shape.granule;
    }
    return usable;
}

/* The granule of the last page at which its tail begins, or 0: there is none worth listing. */
static unsigned whole_tail(const struct pool_space *space, size_t bytes, size_t pages)
{
    if (!space->shape.tail_reuse || pages < 2)
        return 0;
    size_t used = bytes - ((pages - 1) << PAGE_SHIFT);
    unsigned start = (unsigned)((used + space->shape.granule - 1) >> space->shape.shift);
    return start + 1 + space->shape.least_listed <= space->shape.page_granules ? start : 0;
}

/* Makes the tail: its first header, and a free block that is the rest of the page. */
static void whole_list_tail(struct pool_space *space, void *page, unsigned start)
{
    const bool wide = space->shape.wide;
    struct pool_hold hold;
    struct pool_descriptor *descriptor = pool_next_descriptor(space);
    struct pool_header *header = pool_behind(page, start, space->shape.shift);
    struct pool_header *rest = pool_behind(header, 1, space->shape.shift);
    pool_page_set(space, page, POOL_PAGE_BLOCKS | start);
    pool_guard_lock(space->mode, &descriptor->guard, &hold);
    pool_set_previous(header, 0, descriptor->index, wide);
    pool_set_size(header, 1, pool_type_used(space->type), wide);
    header->tag = POOL_TAG_NONE;
    pool_set_previous(rest, 1, descriptor->index, wide);
    unsigned granules = space->shape.page_granules - start - 1;
    if (pool_link_in(space, descriptor, rest, granules, false, wide))
        pool_set_listed(descriptor, granules, true);
    pool_guard_unlock(space->mode, &descriptor->guard, &hold);
}

/* Whether the table knows the allocation from now on; if not, the page map says that it does not.
 */
static bool whole_track(struct pool_space *space, const struct pool_big_entry *entry)
{
    bool tracked = pb_pool_big_insert(space->big, entry);
    pool_page_set(space, (const void *)entry->va, tracked ? POOL_PAGE_BIG : POOL_PAGE_UNTRACKED);
    return tracked;
}

void *pb_pool_whole_allocate(struct pool_space *space, const struct pool_request *request)
{
    size_t bytes = request->bytes + (request->bytes == 0);
    size_t pages = BYTES_TO_PAGES(bytes);
    size_t align = request->alignment > PAGE_SIZE ? request->alignment >> PAGE_SHIFT : 1;
    unsigned tail = whole_tail(space, bytes, pages);
    size_t granted = pages << PAGE_SHIFT;
    if (tail != 0)
        granted -= (size_t)(space->shape.page_granules - tail - 1) << space->shape.shift;
    unsigned char *at = pb_pool_pages_take(space, pages, align, granted);
    if (at == NULL && pb_pool_drain(space))
        at = pb_pool_pages_take(space, pages, align, granted);
    if (at == NULL) {
        pool_count_failure(space);
        return NULL;
    }
    if (tail != 0)
        whole_list_tail(space, at + ((pages - 1) << PAGE_SHIFT), tail);
    /* nobody is charged for whole pages */
    struct pool_big_entry entry = {
        (uintptr_t)at, pool_tag_stored(request->tag),
        (request->type & POOL_TYPE_KEPT & ~(unsigned)POOL_TYPE_CHARGED) | space->type, pages};
    if (!whole_track(space, &entry))
        entry.tag = POOL_TAG_BIG;
    if (space->tags != NULL)
        pb_pool_tags_allocated(space->tags, entry.tag, space->class == POOL_PAGED, granted);
    return at;
}

/* What the page layer knows of an allocation that the table had no room for. */
static bool whole_untracked(struct pool_space *space, const void *block,
                            struct pool_big_entry *entry)
{
    struct pool_hold hold;
    if (pool_page_kind(space, block) != POOL_PAGE_UNTRACKED)
        return false;
    pool_guard_lock(space->mode, &space->guard, &hold);
    size_t pages = pb_pool_pages_run(space, block);
    pool_guard_unlock(space->mode, &space->guard, &hold);
    *entry = (struct pool_big_entry){(uintptr_t)block, POOL_TAG_BIG, space->type, pages};
    return pages != 0;
}

bool pb_pool_whole_inspect(struct pool_space *space, const void *block, struct pool_block *found)
{
    struct pool_big_entry entry;
    if (!pb_pool_big_find(space->big, block, &entry) && !whole_untracked(space, block, &entry)) {
        if (pool_page_kind(space, block) != POOL_PAGE_NONE)
            KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_INSIDE_BLOCK, (uintptr_t)block, 0, 0);
        else
            KeBugCheckEx(BAD_POOL_HEADER, BAD_HEADER_UNTRACKED, (uintptr_t)block, 0, 0);
        return false;
    }
    *found = (struct pool_block){
        .class = space->class, .type = entry.type, .tag = entry.tag, .big = true};
    found->usable = pb_pool_whole_bytes(space, block, entry.pages, &found->granted);
    return true;
}

/* Looks whether blocks still use the tail in the last page: *keep pages, 0 or 1. If none does, the
 * page is no longer one of blocks; else nothing is changed yet: while the tail's first header is in
 * use nobody can take the page for a free one. False: the tail is corrupt. */
static bool whole_end_tail(struct pool_space *space, void *page, size_t *keep,
                           struct pool_fault *fault)
{
    const bool wide = space->shape.wide;
    unsigned start = pool_page_kind(space, page) & POOL_PAGE_START;
    struct pool_hold hold;
    struct pool_header *header = pool_behind(page, start, space->shape.shift);
    struct pool_header *next = pool_behind(header, 1, space->shape.shift);
    unsigned index = pool_index(header, wide);
    *fault = (struct pool_fault){BAD_POOL_CALLER, BAD_CALLER_HEADER, (uintptr_t)header, index, 0};
    if (index - space->first >= space->pools)
        return false;
    fault->code = 0;
    struct pool_descriptor *descriptor = &space->descriptors[index];
    pool_guard_lock(space->mode, &descriptor->guard, &hold);
    if (space->shape.verify && !pb_pool_verify_used(space, descriptor, header, fault))
        goto out_unlock;
    unsigned rest = space->shape.page_granules - start - 1;
    *keep = pool_type(next, wide) != POOL_TYPE_FREE || pool_size(next, wide) != rest;
    if (*keep == 0) {
        pool_unlist(space, descriptor, next, rest, wide);
        pool_page_set(space, page, POOL_PAGE_NONE);
    }
out_unlock:
    pool_guard_unlock(space->mode, &descriptor->guard, &hold);
    return fault->code == 0;
}

/* Makes a page like any other of one whose tail was kept, and which the page layer has for a run of
 * its own by now: the user's part, a block that is freed, begins it. Its blocks may all have been
 * freed meanwhile. If they are corrupt, that part stays in use. */
static void whole_keep_tail(struct pool_space *space, void *page)
{
    const bool wide = space->shape.wide;
    unsigned start = pool_page_kind(space, page) & POOL_PAGE_START;
    unsigned index = pool_index(pool_behind(page, start, space->shape.shift), wide);
    struct pool_descriptor *descriptor = &space->descriptors[index];
    struct pool_hold hold;
    struct pool_fault fault = {.code = 0};
    void *freed = NULL;
    pool_guard_lock(space->mode, &descriptor->guard, &hold);
    pool_set_previous(page, 0, index, wide);
    pool_set_size(page, start + 1, pool_type_used(space->type), wide);
    pool_tell_next(descriptor, page, start + 1, space->shape.shift);
    pool_page_set(space, page, POOL_PAGE_BLOCKS);
    descriptor->TotalPages++;
    if (!space->shape.verify || pb_pool_verify_used(space, descriptor, page, &fault))
        freed = pool_coalesce(space, descriptor, page, start + 1, wide);
    pool_guard_unlock(space->mode, &descriptor->guard, &hold);
    if (freed != NULL)
        pb_pool_page_free(space, freed);
    if (fault.code != 0)
        pb_pool_report(&fault);
}

/* Of two threads that take an allocation out, one gets it. */
static bool whole_remove(struct pool_space *space, const void *block, struct pool_big_entry *entry)
{
    uint16_t seen = POOL_PAGE_UNTRACKED;
    if (pb_pool_big_remove(space->big, block, entry))
        return true;
    /* relaxed: which of two callers is told is all that matters */
    return whole_untracked(space, block, entry) &&
           atomic_compare_exchange_strong_explicit(pool_page_entry(space, block), &seen,
                                                   POOL_PAGE_BIG, memory_order_relaxed,
                                                   memory_order_relaxed);
}

bool pb_pool_whole_release(struct pool_space *space, void *block, const struct pool_block *found)
{
    struct pool_big_entry entry;
    struct pool_fault fault;
    size_t keep = 0;
    if (!whole_remove(space, block, &entry)) {
        KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE, 0, found->tag, (uintptr_t)block);
        return false;
    }
    unsigned char *last = (unsigned char *)block + ((entry.pages - 1) << PAGE_SHIFT);
    if (entry.pages > 1 && (pool_page_kind(space, last) & POOL_PAGE_BLOCKS) != 0 &&
        !whole_end_tail(space, last, &keep, &fault)) {
        (void)whole_track(space, &entry); /* as it was */
        pb_pool_report(&fault);
        return false;
    }
    pool_page_set(space, block, POOL_PAGE_NONE);
    pb_pool_pages_give(space, block, entry.pages, keep, found->granted);
    if (keep != 0)
        whole_keep_tail(space, last);
    if (space->tags != NULL)
        pb_pool_tags_freed(space->tags, found->tag, space->class == POOL_PAGED, found->granted);
    return true;
}
