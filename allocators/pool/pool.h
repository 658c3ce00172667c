/* SPDX-License-Identifier: MIT */
/* The executive's pool, x64 profile: variable-size blocks in pages of their own, with headers,
 * 256 free lists and one spin lock; without lookaside lists, tracking, quota or delayed frees.
 * Source:  the classic pool manager of NT (to Windows 10 1803), as documented in Windows Internals,
 *          by ReactOS (expool) and by Mandt, "Kernel Pool Exploitation on Windows 7", 2011.
 *          Differs: whether a list is empty is read, without the lock, from a bitmap beside the
 *          lists and not from the list heads (a race in C); the page layer has no lock of its own;
 *          a block can be aligned to more than its granule; every page is of one type.
 * Layout:  page | header, block | header, block | ... |   in granules of 16 bytes, 256 a page
 *          header | PreviousSize | PoolIndex | BlockSize | PoolType | tag | billed process |
 *          a free block of two granules or more has its LIST_ENTRY behind its header
 * I1       from the page's start, BlockSize leads from header to header, to the page's end
 * I2       PreviousSize is the BlockSize of the block below in the page, 0 in the first
 * I3       no two free blocks are neighbours
 * I4       a free block of b >= 2 granules is on ListHeads[b - 1]; one of 1 granule on no list
 * I5       no page is one free block: it goes back to the page layer
 * Locks    pool->lock guards all but `listed`, which is read without it, and blocks in use
 * Cost     16 bytes a block and the rounding to granules. Allocate: a search of 4 words, one lock;
 *          free: one lock, at most two unlinks; requests above 4064 bytes: whole pages */
#ifndef PB_POOL_H
#define PB_POOL_H

#include "nt/list.h"
#include "nt/lock.h"
#include "pool/page_run.h"

#include <stdatomic.h>

enum {
    POOL_GRANULE = 16,
    POOL_PAGE = 4096 / POOL_GRANULE, /* granules of a page, and free lists */
    POOL_LARGEST = 4096 - 32,        /* bytes; what is larger has pages of its own */
    POOL_MAP_WORDS = POOL_PAGE / 64,
    POOL_TYPE_FREE = 0,
    POOL_TYPE_NONPAGED = 1,    /* NonPagedPool + 1: PoolType of a block in use */
    POOL_TAG_NONE = 0x656E6F4E /* 'None', as NT tags what has no tag */
};

typedef struct POOL_HEADER {
    UCHAR PreviousSize;
    UCHAR PoolIndex;
    UCHAR BlockSize;
    UCHAR PoolType;
    ULONG PoolTag;
    PVOID ProcessBilled; /* unused: there is no quota */
} POOL_HEADER, *PPOOL_HEADER;
_Static_assert(sizeof(POOL_HEADER) == POOL_GRANULE, "a header is a granule");

struct pool_heap {
    struct pb_heap head;
    enum pb_lock_kind kind;
    bool checks;                     /* headers and links are checked before they are believed */
    struct pb_lock_slot *stats_slot; /* what stats brings to the lock */
    struct pb_lock lock PB_CACHE_ALIGNED;
    /* guarded, and hot; no two that one call changes lie side by side: compilers would join their
     * stores into one that the next call's load cannot be forwarded from */
    uint64_t requested_bytes;
    uint64_t TotalPages;
    uint64_t TotalBytes; /* in use: blocks with their headers, whole pages */
    uint64_t TotalBigPages;
    uint64_t RunningAllocs;
    uint64_t RunningDeAllocs;
    /* bit b of the map: ListHeads[b] has an entry. Written under the lock, read without. */
    _Atomic uint64_t listed[POOL_MAP_WORDS] PB_CACHE_ALIGNED;
    /* guarded */
    LIST_ENTRY ListHeads[POOL_PAGE];
    struct page_runs runs;
    uint64_t pages_taken; /* for blocks, since open */
    uint64_t reallocs;
};

extern const struct pb_allocator pb_allocator_pool;

/* Granules of a request of 0..POOL_LARGEST bytes, header included; 0 counts as 1. */
static inline unsigned pb_pool_granules(size_t bytes)
{
    return (unsigned)((bytes + (bytes == 0) + sizeof(POOL_HEADER) + POOL_GRANULE - 1) /
                      POOL_GRANULE);
}

/* pb_pool_alloc and pb_pool_free are the strategy's path (pool/hot.h). These are as the slots of
 * struct pb_allocator say. Alignment above 16: the block is cut out of a longer one, and what is
 * left before and behind it stays free; from a page on, or where that does not fit into a page,
 * whole pages, aligned to 4 KiB or more. */
void *pb_pool_realloc(struct pb_heap *heap, struct pb_thread *thread, void *block, size_t old_bytes,
                      size_t bytes);
void *pb_pool_aligned(struct pb_heap *heap, struct pb_thread *thread, size_t alignment,
                      size_t bytes);
int pb_pool_check(struct pb_heap *heap, char *message, size_t message_size);

/* Empties the lists of a zeroed heap. */
void pb_pool_init(struct pool_heap *pool);

#endif
