/* SPDX-License-Identifier: MIT */
/* The pool's invariants, walked: every page's blocks, then every list. Links are followed only to
 * places that can be free blocks, so that a corrupt pool is reported and not tripped over. */
#include "pool/pool.h"

#include <errno.h>
#include <stdio.h>

/* What the walk counts, to be held against the pool's own counters. */
struct pool_census {
    uint64_t listable;      /* free blocks of two granules or more */
    uint64_t allocs, bytes; /* live */
    uint64_t block_pages, big_pages;
    char *message;
    size_t message_size;
};

static int check_fault(const struct pool_census *census, const char *what, const void *at)
{
    snprintf(census->message, census->message_size, "%s at %p", what, at);
    return -EINVAL;
}

/* I1, I2, I3, I5 for one page. */
static int check_page(struct pool_census *census, const POOL_HEADER *page)
{
    unsigned before = 0;
    bool before_free = false;
    for (unsigned at = 0; at < POOL_PAGE; at += before) {
        const POOL_HEADER *header = page + at;
        bool is_free = header->PoolType == POOL_TYPE_FREE;
        if (header->BlockSize == 0 || header->BlockSize > POOL_PAGE - at)
            return check_fault(census, "BlockSize does not lead to the page's end", header);
        if (header->PreviousSize != before)
            return check_fault(census, "PreviousSize is not the size of the block below", header);
        if (!is_free && header->PoolType != POOL_TYPE_NONPAGED)
            return check_fault(census, "PoolType unknown", header);
        if (is_free && before_free)
            return check_fault(census, "two free blocks are neighbours", header);
        before = header->BlockSize;
        before_free = is_free;
        census->listable += is_free && before > 1;
        census->allocs += !is_free;
        census->bytes += is_free ? 0 : (uint64_t)before * POOL_GRANULE;
    }
    census->block_pages++;
    return 0;
}

static int check_pages(struct pool_census *census, const struct page_runs *runs)
{
    int error = 0;
    for (uint32_t page = 0; page < runs->count && error == 0; page += runs->entries[page].pages) {
        const struct page_entry *entry = &runs->entries[page];
        if (entry->state == PAGE_BLOCKS) {
            const void *at = runs->arena.base + ((size_t)page << PAGE_SHIFT);
            error = check_page(census, at);
        } else if (entry->state == PAGE_BIG) {
            census->allocs++;
            census->bytes += (uint64_t)entry->pages << PAGE_SHIFT;
            census->big_pages += entry->pages;
        }
    }
    return error;
}

/* Whether a link leads to where a free block of that list can be. */
static bool check_link(const struct pool_heap *pool, const LIST_ENTRY *entry, unsigned index)
{
    const struct page_entry *page = pb_page_runs_find(&pool->runs, entry);
    if (page == NULL || page->state != PAGE_BLOCKS || (uintptr_t)entry % POOL_GRANULE != 0 ||
        BYTE_OFFSET(entry) == 0)
        return false;
    const POOL_HEADER *header = (const POOL_HEADER *)(const void *)entry - 1;
    return header->PoolType == POOL_TYPE_FREE && header->BlockSize == index + 1;
}

/* I4 for one list; adds its entries to `listed`. */
static int check_list(const struct pool_census *census, const struct pool_heap *pool,
                      unsigned index, uint64_t *listed)
{
    const LIST_ENTRY *head = &pool->ListHeads[index];
    const LIST_ENTRY *before = head;
    /* relaxed: nobody else is in the heap */
    uint64_t bits = atomic_load_explicit(&pool->listed[index / 64], memory_order_relaxed);
    if ((bits >> index % 64 & 1) != (head->Flink != head))
        return check_fault(census, "bitmap disagrees with list", head);
    for (const LIST_ENTRY *entry = head->Flink; entry != head; entry = entry->Flink) {
        if (!check_link(pool, entry, index))
            return check_fault(census, "list leads to what is no free block of its size", entry);
        if (*listed == census->listable)
            return check_fault(census, "list holds more than there is", entry);
        if (entry->Blink != before)
            return check_fault(census, "list links disagree", entry);
        before = entry;
        (*listed)++;
    }
    return head->Blink == before ? 0 : check_fault(census, "list links disagree", head);
}

static int check_totals(const struct pool_census *census, const struct pool_heap *pool,
                        uint64_t listed)
{
    if (listed != census->listable)
        return check_fault(census, "free blocks that no list holds", pool);
    if (pool->RunningAllocs - pool->RunningDeAllocs != census->allocs ||
        pool->TotalBytes != census->bytes)
        return check_fault(census, "counters disagree with the blocks in use", pool);
    if (pool->TotalPages != census->block_pages || pool->TotalBigPages != census->big_pages)
        return check_fault(census, "counters disagree with the pages in use", pool);
    return 0;
}

int pb_pool_check(struct pb_heap *heap, char *message, size_t message_size)
{
    const struct pool_heap *pool = (const struct pool_heap *)(void *)heap;
    struct pool_census census = {.message = message, .message_size = message_size};
    uint64_t listed = 0;
    int error = pb_page_runs_check(&pool->runs, message, message_size);
    if (error == 0)
        error = check_pages(&census, &pool->runs);
    for (unsigned index = 0; index < POOL_PAGE && error == 0; index++)
        error = check_list(&census, pool, index, &listed);
    return error != 0 ? error : check_totals(&census, pool, listed);
}
