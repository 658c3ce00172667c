/* SPDX-License-Identifier: MIT */
/* The pool's blocks: how they are listed, cut and joined. Inline: they are the inner part of
 * pool.c. Everything here is done with the pool's lock held, but for pool_search. */
#ifndef PB_POOL_BLOCK_H
#define PB_POOL_BLOCK_H

#include "pool/pool.h"

/* Relaxed: the bit is a hint to readers without the lock, who look again with it. */
static inline void pool_set_listed(struct pool_heap *pool, unsigned index, bool listed)
{
    _Atomic uint64_t *word = &pool->listed[index / 64];
    uint64_t bits = atomic_load_explicit(word, memory_order_relaxed);
    uint64_t bit = (uint64_t)1 << index % 64;
    uint64_t changed = listed ? bits | bit : bits & ~bit;
    if (changed != bits)
        atomic_store_explicit(word, changed, memory_order_relaxed);
}

/* The first list from `index` up that seems to have an entry, or POOL_PAGE. Without the lock. */
static inline unsigned pool_search(const struct pool_heap *pool, unsigned index)
{
    uint64_t skip = ~(uint64_t)0 << index % 64;
    for (unsigned word = index / 64; word < POOL_MAP_WORDS; word++) {
        /* relaxed: a hint, see pool_set_listed */
        uint64_t bits = atomic_load_explicit(&pool->listed[word], memory_order_relaxed) & skip;
        if (bits != 0)
            return word * 64 + (unsigned)__builtin_ctzll(bits);
        skip = ~(uint64_t)0;
    }
    return POOL_PAGE;
}

static inline PLIST_ENTRY pool_entry(POOL_HEADER *header)
{
    return (PLIST_ENTRY)(void *)(header + 1);
}

static inline bool pool_links_hold(POOL_HEADER *header)
{
    const LIST_ENTRY *entry = pool_entry(header);
    return header->BlockSize == 1 || (entry->Flink->Blink == entry && entry->Blink->Flink == entry);
}

/* Makes a free block of a header whose sizes are set. A freed block goes to the head of its list,
 * the remainder of a split to the tail. */
static inline void pool_list(struct pool_heap *pool, POOL_HEADER *header, bool freed)
{
    header->PoolType = POOL_TYPE_FREE;
    if (header->BlockSize == 1)
        return; /* nothing but a header: waits for a neighbour to join */
    unsigned index = header->BlockSize - 1u;
    if (freed)
        InsertHeadList(&pool->ListHeads[index], pool_entry(header));
    else
        InsertTailList(&pool->ListHeads[index], pool_entry(header));
    pool_set_listed(pool, index, true);
}

static inline void pool_unlist(struct pool_heap *pool, POOL_HEADER *header)
{
    if (header->BlockSize != 1 && RemoveEntryList(pool_entry(header)))
        pool_set_listed(pool, header->BlockSize - 1u, false);
}

/* Tells the block behind `header`, if the page has one, the size before it. */
static inline void pool_tell_next(POOL_HEADER *header)
{
    POOL_HEADER *next = header + header->BlockSize;
    if (BYTE_OFFSET(next) != 0)
        next->PreviousSize = header->BlockSize;
}

/* A piece of a block that is being cut up. */
static inline void pool_size(POOL_HEADER *header, unsigned previous, unsigned granules)
{
    header->PreviousSize = (UCHAR)previous;
    header->PoolIndex = 0;
    header->BlockSize = (UCHAR)granules;
}

/* Cuts `granules` out of the unlisted free block of `size` (up to a page), `lead` granules behind
 * its start, and lists what is left before and behind. */
static inline POOL_HEADER *pool_carve(struct pool_heap *pool, POOL_HEADER *header, unsigned size,
                                      unsigned lead, unsigned granules)
{
    unsigned rest = size - lead - granules;
    unsigned previous = header->PreviousSize;
    if (lead > 0) {
        pool_size(header, previous, lead);
        pool_list(pool, header, false);
        header += lead;
        previous = lead;
    }
    pool_size(header, previous, granules);
    header->PoolType = POOL_TYPE_NONPAGED;
    if (rest > 0) {
        pool_size(header + granules, granules, rest);
        pool_list(pool, header + granules, false);
        pool_tell_next(header + granules);
    } else {
        pool_tell_next(header);
    }
    return header;
}

/* How far into a free block a block is cut. Unaligned: the front if the free block is first in its
 * page, the end otherwise. Aligned: the first place whose user area is a multiple of `align`. */
static inline unsigned pool_lead(const POOL_HEADER *header, unsigned granules, unsigned align)
{
    if (align == 1)
        return header->PreviousSize == 0 ? 0 : header->BlockSize - granules;
    unsigned user = (unsigned)(BYTE_OFFSET(header) / POOL_GRANULE) + 1;
    return (align - user % align) % align;
}

/* Joins the block with a free one behind it, then with a free one before it, and lists the result
 * or gives the page back. */
static inline void pool_coalesce(struct pool_heap *pool, POOL_HEADER *header)
{
    unsigned size = header->BlockSize;
    POOL_HEADER *next = header + size;
    header->PoolType = POOL_TYPE_FREE; /* inside a joined block, it tells a second free */
    if (BYTE_OFFSET(next) != 0 && next->PoolType == POOL_TYPE_FREE) {
        pool_unlist(pool, next);
        size += next->BlockSize;
    }
    if (header->PreviousSize != 0) {
        POOL_HEADER *previous = header - header->PreviousSize;
        if (previous->PoolType == POOL_TYPE_FREE) {
            pool_unlist(pool, previous);
            size += previous->BlockSize;
            header = previous;
        }
    }
    if (size == POOL_PAGE) {
        pool->TotalPages--;
        pb_page_runs_give(&pool->runs, header);
        return;
    }
    header->BlockSize = (UCHAR)size;
    pool_list(pool, header, true);
    pool_tell_next(header);
}

#endif
