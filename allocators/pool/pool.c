/* SPDX-License-Identifier: MIT */
/* The pool's calls: allocate, free, resize, and what is checked first. pool.h says what the pool
 * is, block.h how blocks are cut and joined. */
#include "nt/bugcheck.h"
#include "pool/block.h"
#include "pool/hot.h"

#include <string.h>

/* What was found corrupt: a bugcheck's arguments; code 0 = nothing. */
struct pool_fault {
    uint32_t code;
    uint64_t p1, p2, p3, p4;
};

/* First parameters of the two bugchecks. */
enum {
    FAULT_LINKS = 3,         /* 0x19: free-list links disagree */
    FAULT_SIZES = 5,         /* 0x19: adjacent headers disagree on a size */
    FAULT_PREVIOUS_PAGE = 6, /* 0x19: the previous block would lie in another page */
    FAULT_NOT_FIRST = 7,     /* 0x19: PreviousSize 0, but not at the page's start */
    FAULT_SIZE_ZERO = 8,     /* 0x19 */
    FAULT_NEXT_PAGE = 9,     /* 0x19: the next block would lie in another page */
    FAULT_DOUBLE_FREE = 7,   /* 0xC2 */
    FAULT_NOT_IN_POOL = 0x46 /* 0xC2: not an address that the pool gave */
};

static struct pool_heap *pool_of(struct pb_heap *heap)
{
    return (struct pool_heap *)(void *)heap;
}

PB_INLINE void pool_lock(struct pool_heap *pool, struct pb_thread *thread)
{
    pb_lock_lock(pool->kind, &pool->lock, (struct pb_lock_slot *)(void *)thread);
}

PB_INLINE void pool_unlock(struct pool_heap *pool, struct pb_thread *thread)
{
    pb_lock_unlock(pool->kind, &pool->lock, (struct pb_lock_slot *)(void *)thread);
}

static void pool_report(const struct pool_fault *fault)
{
    pb_bugcheck(fault->code, fault->p1, fault->p2, fault->p3, fault->p4);
}

void pb_pool_init(struct pool_heap *pool)
{
    for (unsigned index = 0; index < POOL_PAGE; index++)
        InitializeListHead(&pool->ListHeads[index]);
}

static void pool_count_alloc(struct pool_heap *pool, size_t granted, size_t bytes)
{
    pool->requested_bytes += bytes;
    pool->TotalBytes += granted;
    pool->RunningAllocs++;
}

static void pool_count_free(struct pool_heap *pool, size_t granted, size_t bytes)
{
    pool->requested_bytes -= bytes;
    pool->TotalBytes -= granted;
    pool->RunningDeAllocs++;
}

/* What is wanted of the lists. */
struct pool_request {
    unsigned granules, align; /* both in granules; align is a power of two */
    size_t bytes;
};

/* Takes the head of a list; NULL if another thread was faster, or the list is corrupt. */
static POOL_HEADER *pool_take(struct pool_heap *pool, struct pb_thread *thread, unsigned index,
                              const struct pool_request *request)
{
    POOL_HEADER *header = NULL;
    struct pool_fault fault = {.code = 0};
    pool_lock(pool, thread);
    PLIST_ENTRY head = &pool->ListHeads[index];
    if (!IsListEmpty(head)) {
        header = (POOL_HEADER *)(void *)head->Flink - 1;
        if (pool->checks && !pool_links_hold(header)) {
            fault = (struct pool_fault){BAD_POOL_HEADER, FAULT_LINKS, (uintptr_t)head,
                                        (uintptr_t)head->Flink, (uintptr_t)head->Blink};
            header = NULL;
        }
    }
    if (PB_LIKELY(header != NULL)) {
        unsigned lead = pool_lead(header, request->granules, request->align);
        pool_unlist(pool, header);
        header = pool_carve(pool, header, index + 1, lead, request->granules);
        pool_count_alloc(pool, (size_t)request->granules * POOL_GRANULE, request->bytes);
    }
    pool_unlock(pool, thread);
    if (PB_UNLIKELY(fault.code != 0))
        pool_report(&fault);
    return header;
}

/* Takes a page and carves the block out of it. */
static PB_NOINLINE POOL_HEADER *pool_take_page(struct pool_heap *pool, struct pb_thread *thread,
                                               const struct pool_request *request)
{
    pool_lock(pool, thread);
    POOL_HEADER *header = pb_page_runs_take(&pool->runs, 1, 1, PAGE_BLOCKS);
    pool_unlock(pool, thread);
    if (header == NULL)
        return NULL;
    memset(header, 0, sizeof *header); /* the page fault is taken without the lock */
    pool_lock(pool, thread);
    header = pool_carve(pool, header, POOL_PAGE, request->align - 1, request->granules);
    pool->TotalPages++;
    pool->pages_taken++;
    pool_count_alloc(pool, (size_t)request->granules * POOL_GRANULE, request->bytes);
    pool_unlock(pool, thread);
    return header;
}

static void *pool_alloc_block(struct pool_heap *pool, struct pb_thread *thread,
                              const struct pool_request *request)
{
    POOL_HEADER *header = NULL;
    unsigned index = pool_search(pool, request->granules + request->align - 2);
    while (index < POOL_PAGE && header == NULL) {
        header = pool_take(pool, thread, index, request);
        if (PB_UNLIKELY(header == NULL))
            index = pool_search(pool, index + 1);
    }
    if (PB_UNLIKELY(header == NULL))
        header = pool_take_page(pool, thread, request);
    if (PB_UNLIKELY(header == NULL))
        return NULL;
    header->PoolTag = POOL_TAG_NONE;
    memset(header + 1, 0, sizeof(LIST_ENTRY)); /* NT shows nobody its links either */
    return header + 1;
}

static PB_NOINLINE void *pool_alloc_pages(struct pool_heap *pool, struct pb_thread *thread,
                                          size_t bytes, size_t align)
{
    size_t pages = BYTES_TO_PAGES(bytes);
    pool_lock(pool, thread);
    void *at = pb_page_runs_take(&pool->runs, pages, align, PAGE_BIG);
    if (at != NULL) {
        pool->TotalBigPages += pages;
        pool_count_alloc(pool, pages << PAGE_SHIFT, bytes);
    }
    pool_unlock(pool, thread);
    return at;
}

void *pb_pool_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    if (PB_UNLIKELY(bytes > POOL_LARGEST))
        return pool_alloc_pages(pool_of(heap), thread, bytes, 1);
    const struct pool_request request = {pb_pool_granules(bytes), 1, bytes};
    return pool_alloc_block(pool_of(heap), thread, &request);
}

void *pb_pool_aligned(struct pb_heap *heap, struct pb_thread *thread, size_t alignment,
                      size_t bytes)
{
    if (alignment <= POOL_GRANULE)
        return pb_pool_alloc(heap, thread, bytes);
    if (alignment < PAGE_SIZE && bytes <= POOL_LARGEST) {
        const struct pool_request request = {pb_pool_granules(bytes),
                                             (unsigned)(alignment / POOL_GRANULE), bytes};
        if (request.granules + request.align <= POOL_PAGE)
            return pool_alloc_block(pool_of(heap), thread, &request);
    }
    size_t pages = alignment > PAGE_SIZE ? alignment >> PAGE_SHIFT : 1;
    return pool_alloc_pages(pool_of(heap), thread, bytes > 0 ? bytes : 1, pages);
}

/* What is wrong with the block behind or before `header`, whose own sizes were found in range. */
static unsigned pool_inspect_neighbours(POOL_HEADER *header)
{
    POOL_HEADER *next = header + header->BlockSize;
    POOL_HEADER *previous = header - header->PreviousSize;
    if (BYTE_OFFSET(next) != 0) {
        if (next->PreviousSize != header->BlockSize)
            return FAULT_SIZES;
        if (next->PoolType == POOL_TYPE_FREE && !pool_links_hold(next))
            return FAULT_LINKS;
    }
    if (previous != header) {
        if (previous->BlockSize != header->PreviousSize)
            return FAULT_SIZES;
        if (previous->PoolType == POOL_TYPE_FREE && !pool_links_hold(previous))
            return FAULT_LINKS;
    }
    return 0;
}

static unsigned pool_inspect_header(POOL_HEADER *header)
{
    unsigned at = (unsigned)(BYTE_OFFSET(header) / POOL_GRANULE);
    if (header->BlockSize == 0)
        return FAULT_SIZE_ZERO;
    if (at + header->BlockSize > POOL_PAGE)
        return FAULT_NEXT_PAGE;
    if (header->PreviousSize > at)
        return FAULT_PREVIOUS_PAGE;
    if (header->PreviousSize == 0 && at != 0)
        return FAULT_NOT_FIRST;
    return pool_inspect_neighbours(header);
}

/* What is wrong with a block that is about to be freed. The lock is held. */
static struct pool_fault pool_inspect(const struct pool_heap *pool, POOL_HEADER *header)
{
    const struct page_entry *page = pb_page_runs_find(&pool->runs, header);
    uint64_t at = (uintptr_t)header;
    if (page == NULL || page->state != PAGE_BLOCKS || at % POOL_GRANULE != 0)
        return (struct pool_fault){BAD_POOL_CALLER, FAULT_NOT_IN_POOL, at + POOL_GRANULE, 0, 0};
    if (header->PoolType == POOL_TYPE_FREE)
        return (struct pool_fault){BAD_POOL_CALLER, FAULT_DOUBLE_FREE, 0, header->PoolTag,
                                   at + POOL_GRANULE};
    unsigned kind = pool_inspect_header(header);
    return (struct pool_fault){kind != 0 ? BAD_POOL_HEADER : 0, kind, at, header->BlockSize,
                               header->PreviousSize};
}

static PB_NOINLINE void pool_free_pages(struct pool_heap *pool, struct pb_thread *thread,
                                        void *block, size_t bytes)
{
    pool_lock(pool, thread);
    const struct page_entry *run = pb_page_runs_find(&pool->runs, block);
    bool ours = run != NULL && run->state == PAGE_BIG;
    if (ours) {
        size_t pages = run->pages;
        pool->TotalBigPages -= pages;
        pool_count_free(pool, pages << PAGE_SHIFT, bytes);
        pb_page_runs_give(&pool->runs, block);
    }
    pool_unlock(pool, thread);
    if (PB_UNLIKELY(!ours))
        pb_bugcheck(BAD_POOL_CALLER, FAULT_NOT_IN_POOL, (uintptr_t)block, 0, 0);
}

void pb_pool_free(struct pb_heap *heap, struct pb_thread *thread, void *block, size_t bytes)
{
    struct pool_heap *pool = pool_of(heap);
    if (PB_UNLIKELY(BYTE_OFFSET(block) == 0)) {
        pool_free_pages(pool, thread, block, bytes);
        return;
    }
    POOL_HEADER *header = (POOL_HEADER *)block - 1;
    struct pool_fault fault = {.code = 0};
    pool_lock(pool, thread);
    if (pool->checks)
        fault = pool_inspect(pool, header);
    if (PB_LIKELY(fault.code == 0)) {
        pool_count_free(pool, (size_t)header->BlockSize * POOL_GRANULE, bytes);
        pool_coalesce(pool, header);
    }
    pool_unlock(pool, thread);
    if (PB_UNLIKELY(fault.code != 0))
        pool_report(&fault);
}

/* What a block can hold; the caller owns it. */
static size_t pool_capacity(const struct pool_heap *pool, const void *block)
{
    if (BYTE_OFFSET(block) == 0)
        return (size_t)pb_page_runs_entry(&pool->runs, block)->pages << PAGE_SHIFT;
    const POOL_HEADER *header = (const POOL_HEADER *)block - 1;
    return (header->BlockSize - 1u) * (size_t)POOL_GRANULE;
}

static void *pool_resize_in_place(struct pool_heap *pool, struct pb_thread *thread, void *block,
                                  size_t growth)
{
    pool_lock(pool, thread);
    pool->requested_bytes += growth; /* modulo 2^64: a shrink wraps */
    pool->reallocs++;
    pool_unlock(pool, thread);
    return block;
}

/* In place where the block holds the new size and is not more than twice as long. */
void *pb_pool_realloc(struct pb_heap *heap, struct pb_thread *thread, void *block, size_t old_bytes,
                      size_t bytes)
{
    struct pool_heap *pool = pool_of(heap);
    size_t capacity = pool_capacity(pool, block);
    if (bytes <= capacity && bytes > capacity / 2)
        return pool_resize_in_place(pool, thread, block, bytes - old_bytes);
    void *moved = pb_pool_alloc(heap, thread, bytes);
    if (moved == NULL) /* a shrink cannot fail */
        return bytes <= capacity ? pool_resize_in_place(pool, thread, block, bytes - old_bytes)
                                 : NULL;
    memcpy(moved, block, old_bytes < bytes ? old_bytes : bytes);
    pb_pool_free(heap, thread, block, old_bytes);
    return pool_resize_in_place(pool, thread, moved, 0);
}
