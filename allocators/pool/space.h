/* SPDX-License-Identifier: MIT */
/* The pool's state. A pool is up to three spaces (nonpaged, nonpaged not executable, paged), each
 * an arena with a page layer and one or several descriptors: the pools proper, with free lists and
 * blocks. A page of blocks belongs to one descriptor, whose number (PoolIndex) is in every header.
 * Source:  engine.h; ReactOS, pool.h (POOL_DESCRIPTOR's members). Differs: whether a list is empty
 *          is read, without the lock, from a bitmap beside the lists and not from the list heads (a
 *          race in C); big allocations are counted by the page layer.
 * Layout:  page | header, block | header, block | ... |  in granules of 8, 16 or 32 bytes
 *          a free block that is long enough has its links behind its header
 * I1       from the page's start, BlockSize leads from header to header, to the page's end
 * I2       PreviousSize is the BlockSize of the block below in the page, 0 in the first
 * I3       no two free blocks are neighbours
 * I4       a free block of b granules is on list b - 1; without room for links, on no list
 * I5       no page is one free block: it goes back to the page layer
 * I6       the page map names each page of blocks and the first page of each big allocation
 * Locks    a descriptor's guard for its blocks' headers, lists and counters, but for `listed`,
 *          which is read without it, and what header.h says; the page layer's guard for that and
 *          for the counts of big allocations. Neither is taken under the other
 * Cost     a header and the rounding to granules a block. Allocate: a search of 4 to 8 words and
 *          one lock; free: one lock, at most two unlinks; lookaside hits: one compare-exchange
 * Threads: any. May include: nt/, pool/. */
#ifndef PB_POOL_SPACE_H
#define PB_POOL_SPACE_H

#include "pool/big.h"
#include "pool/engine.h"
#include "pool/guard.h"
#include "pool/lists.h"
#include "pool/page_bitmap.h"
#include "pool/page_run.h"
#include "pool/profile.h"
#include "pool/tags.h"

#include <poolbench/nt/list.h>

enum {
    POOL_PAGE_GRANULES = 512, /* at most: granules of 8 bytes */
    POOL_PAGE_WIDE = 256,     /* granules of 16 bytes */
    POOL_LARGEST_WIDE = 4096 - 32,
    POOL_MAP_WORDS = POOL_PAGE_GRANULES / 64 + 1
};

/* The links of a narrow free block: arena offsets of other blocks' links; 0 is the list's head. */
struct pool_link {
    uint32_t next, previous;
};

/* One pool: NT's POOL_DESCRIPTOR. A processor that compares only the low 12 bits of addresses at
 * first takes a load for one of what was just stored at the same place of another page, and waits.
 * So what every call writes lies in the middle of a page: first blocks of pages, their links, and
 * the heads of the lists of long blocks, which most splits and joins write, lie elsewhere. */
struct pool_descriptor {
    union {
        LIST_ENTRY wide[POOL_PAGE_WIDE];
        struct pool_link narrow[POOL_PAGE_GRANULES];
    } heads PB_CACHE_ALIGNED; /* guarded: NT's ListHeads */
    unsigned char apart[PAGE_SIZE / 2];
    union pool_guard guard PB_CACHE_ALIGNED;
    /* guarded, and hot; no two that one call changes lie side by side: compilers would join their
     * stores into one that the next call's load cannot be forwarded from */
    uint64_t TotalBytes; /* in use, headers and cached blocks included */
    uint64_t TotalPages;
    uint64_t RunningAllocs;
    uint64_t pages_taken; /* since open */
    uint64_t RunningDeAllocs;
    unsigned index; /* const: PoolIndex of its blocks */
    unsigned place; /* const: the same in its place in a header's first half */
    /* bit b of the map: the list of blocks of b granules has an entry. Written under the guard,
     * read without. The word behind those of a page's granules ends a search: const, its last bit
     * is set. */
    _Atomic uint64_t listed[POOL_MAP_WORDS] PB_CACHE_ALIGNED;
    _Atomic uint64_t pending PB_CACHE_ALIGNED; /* delayed frees: pending.h */
    struct pool_space *space;                  /* const: whose it is */
};

/* Big allocations; under the page layer's guard. */
struct pool_big_counts {
    uint64_t allocs, frees, pages, bytes;
};

/* What a page is: its entry in the page map. Written by who has just taken the page or is about to
 * give it back; read by who frees an address in it. */
enum {
    POOL_PAGE_NONE = 0,        /* free, or inside a big allocation */
    POOL_PAGE_BLOCKS = 0x4000, /* plus the granule at which its first block begins: 0, or more in
                                  the last page of a big allocation whose tail is reused */
    POOL_PAGE_START = 0x3FFF,
    POOL_PAGE_BIG = 0x8000,      /* first of a big allocation */
    POOL_PAGE_UNTRACKED = 0x8001 /* the same, of one that the big-page table had no room for */
};

struct pool_space {
    /* const after open */
    struct pool_shape shape;
    struct pool_lists lists;
    enum pool_class class;
    unsigned type;         /* POOL_TYPE bits that every block here has: 1 or 512 */
    struct pool_mode mode; /* of every guard */
    unsigned first, pools; /* descriptors first..first + pools - 1 have blocks */
    unsigned char *base;
    size_t reserved;       /* bytes of arena */
    _Atomic uint16_t *map; /* a page each */
    struct pool_descriptor *descriptors;
    bool common;                   /* quick.h serves it */
    struct pool_descriptor *quick; /* the one whose blocks quick.h may cut and join, or NULL */
    struct pool_tags *tags; /* the pool's; NULL: off */
    struct pool_big *big;   /* the pool's */
    /* written by every call where there are several descriptors */
    _Atomic unsigned turn PB_CACHE_ALIGNED;
    _Atomic uint64_t failures; /* requests that got NULL */
    union pool_guard guard PB_CACHE_ALIGNED; /* of all below */
    struct pool_big_counts big_counts;
    struct page_runs runs;     /* nonpaged */
    struct page_bitmap bitmap; /* paged */
    size_t map_writable;       /* bytes of `map` that can be written; behind them it reads as zero */
};

/* Where a class's addresses lie; 0 bytes: the class is not open. */
struct pool_range {
    uintptr_t base;
    size_t bytes;
};

struct pool {
    bool wide;
    struct pool_range ranges[POOL_CLASSES];
    struct pool_space *spaces[POOL_CLASSES];
    struct pool_space *by_type[4]; /* by type & 1 | (type & 512) >> 8 */
    struct pool_options options;
    struct pool_tags *tags;
    struct pool_big *big;
    bool listless; /* lists were asked for, and the processor cannot do them */
};

PB_INLINE unsigned pool_shift(const struct pool_space *space, bool wide)
{
    return wide ? 4 : space->shape.shift;
}

PB_INLINE unsigned pool_page_granules(const struct pool_space *space, bool wide)
{
    return wide ? POOL_PAGE_WIDE : space->shape.page_granules;
}

PB_INLINE unsigned pool_least_listed(const struct pool_space *space, bool wide)
{
    return wide ? 2 : space->shape.least_listed;
}

/* Granules of a request of 0..largest bytes, header included; 0 counts as 1. */
PB_INLINE unsigned pool_granules(const struct pool_space *space, size_t bytes, bool wide)
{
    unsigned shift = pool_shift(space, wide);
    return (unsigned)((bytes + (bytes == 0) + pool_header_bytes(wide) + (1u << shift) - 1) >>
                      shift);
}

/* The page map's entry for an address in the arena. Relaxed: it was written before the block's
 * address was given out; for any other address it is a guess. */
PB_INLINE _Atomic uint16_t *pool_page_entry(const struct pool_space *space, const void *at)
{
    return &space->map[((uintptr_t)at - (uintptr_t)space->base) >> PAGE_SHIFT];
}

PB_INLINE unsigned pool_page_kind(const struct pool_space *space, const void *at)
{
    return atomic_load_explicit(pool_page_entry(space, at), memory_order_relaxed);
}

PB_INLINE void pool_page_set(const struct pool_space *space, const void *at, unsigned kind)
{
    atomic_store_explicit(pool_page_entry(space, at), (uint16_t)kind, memory_order_relaxed);
}

PB_INLINE bool pool_in_arena(const struct pool_space *space, const void *at)
{
    return (uintptr_t)at - (uintptr_t)space->base < space->reserved;
}

/* The index in by_type of a POOL_TYPE. */
PB_INLINE unsigned pool_type_slot(unsigned type)
{
    return (type & POOL_TYPE_PAGED) | (type & NonPagedPoolNx) >> 8;
}

/* The space that an address lies in, or NULL. */
PB_INLINE struct pool_space *pool_space_of(const struct pool *pool, const void *at)
{
    for (unsigned class = 0; class < POOL_CLASSES; class ++)
        if ((uintptr_t)at - pool->ranges[class].base < pool->ranges[class].bytes)
            return pool->spaces[class];
    return NULL;
}

/* The descriptor that serves the next request: they take turns. Relaxed, and not one step: two
 * callers that get the same one do no harm. */
PB_INLINE struct pool_descriptor *pool_next_descriptor(struct pool_space *space)
{
    if (space->pools == 1)
        return &space->descriptors[space->first];
    unsigned turn = atomic_load_explicit(&space->turn, memory_order_relaxed);
    unsigned next = turn + 1 < space->pools ? turn + 1 : 0;
    atomic_store_explicit(&space->turn, next, memory_order_relaxed);
    return &space->descriptors[space->first + turn];
}

/* Relaxed: a statistic. */
PB_INLINE void pool_count_failure(struct pool_space *space)
{
    atomic_fetch_add_explicit(&space->failures, 1, memory_order_relaxed);
}

/* space.c */
int pb_pool_space_open(struct pool *pool, enum pool_class class, struct pool_space **space,
                       char *message, size_t message_size);
void pb_pool_space_close(struct pool_space *space);

/* Sets of P lists, and of the tags' counters. */
unsigned pb_pool_processors(const struct pool_options *options);

/* The page layer: a run of pages whose address is a multiple of `align` pages, or NULL; `big`:
 * bytes to count for a big allocation, 0 for a page of blocks. */
void *pb_pool_pages_take(struct pool_space *space, size_t pages, size_t align, size_t big);

/* Gives a run back, of which `keep` pages at the end stay taken. */
void pb_pool_pages_give(struct pool_space *space, void *at, size_t pages, size_t keep, size_t big);

/* Pages of the taken run that begins at `at`, or 0. Under the guard, or with no other thread. */
size_t pb_pool_pages_run(const struct pool_space *space, const void *at);

/* Gives a free page of blocks back. */
void pb_pool_page_free(struct pool_space *space, void *page);

/* engine.c: joins a block with its neighbours, past lists and delayed frees. False after a
 * bugcheck.
 */
bool pb_pool_free_now(struct pool_space *space, struct pool_header *header);

/* drain.c: does the delayed frees of a descriptor, of all. Whether there were any. */
bool pb_pool_drain_one(struct pool_space *space, struct pool_descriptor *descriptor);
bool pb_pool_drain(struct pool_space *space);

/* Bytes that wait in a descriptor's delayed frees. */
uint64_t pb_pool_pending_bytes(const struct pool_space *space,
                               const struct pool_descriptor *descriptor);

#endif
