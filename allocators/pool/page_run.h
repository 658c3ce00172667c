/* SPDX-License-Identifier: MIT */
/* The page layer below the pool: runs of 4 KiB pages inside one reservation.
 * Source:  the shape of the NT nonpaged pool's page allocator, as documented by ReactOS: four
 *          lists of free runs, first fit upward, pages cut from the end of a run, neighbours
 *          merged. Differs: boundary marks and list links lie in a map beside the pages, not in
 *          them: a free page is never touched. The order in a list (last freed first), the release
 *          of long runs and alignment beyond a page are ours.
 * Layout:  arena | page 0 | page 1 | ... |    map | entry 0 | entry 1 | ... | 16 bytes an entry
 * I1       the runs, free and taken, cover the pages taken from the arena without gap
 * I2       no two free runs are neighbours
 * I3       a free run is on the list of its length: 1, 2, 3, or 4 pages and more
 * Locks    the owner's
 * Cost     O(1) but for the search of the last list, which is linear */
#ifndef PB_PAGE_RUN_H
#define PB_PAGE_RUN_H

#include "nt/page_math.h"
#include "nt/pages.h"

enum page_state {
    PAGE_INSIDE, /* neither a run's first nor last page, or a mark out of date */
    PAGE_FREE,
    PAGE_BLOCKS, /* a run of one page that the pool carves */
    PAGE_BIG     /* a request of its own */
};

enum { PAGE_LISTS = 4 };

/* A page. `state` holds for the first and last page of a run, `pages` for the first page and, in
 * a free run, for the last; the links for a free run's first page; `released` for every page. */
struct page_entry {
    uint32_t pages;
    uint32_t next, previous; /* page numbers in the list, PAGE_NONE at its ends */
    uint16_t state;
    uint16_t released; /* the system has the page back */
};

#define PAGE_NONE UINT32_MAX

struct page_runs {
    struct pb_pages arena, map;
    struct page_entry *entries;
    uint32_t count;    /* pages taken from the arena */
    uint32_t capacity; /* entries that the map has room for */
    uint32_t heads[PAGE_LISTS];
    size_t release_bytes; /* a run given back goes on to the system from this length on */
    size_t released;      /* free pages that the system has */
};

/* Reserves `reserve` bytes of address space, less where there is less. Returns 0 or -ENOMEM. */
int pb_page_runs_open(struct page_runs *runs, size_t reserve, size_t release_bytes);
void pb_page_runs_close(struct page_runs *runs);

/* A run of `pages` >= 1 whose address is a multiple of `align` pages (a power of two), marked
 * PAGE_BLOCKS or PAGE_BIG. NULL when the reservation is used up or the system refuses. */
void *pb_page_runs_take(struct page_runs *runs, size_t pages, size_t align, enum page_state state);

/* Takes back the run that starts at `at`. */
void pb_page_runs_give(struct page_runs *runs, void *at);

/* Gives every free page to the system; returns the bytes. */
size_t pb_page_runs_trim(struct page_runs *runs);

/* The entry of the page that `at` lies in, or NULL if that is no page of the arena. */
static inline const struct page_entry *pb_page_runs_find(const struct page_runs *runs,
                                                         const void *at)
{
    size_t offset = (size_t)((uintptr_t)at - (uintptr_t)runs->arena.base);
    return offset < runs->arena.taken_bytes ? &runs->entries[offset >> PAGE_SHIFT] : NULL;
}

/* The same where `at` is known to lie in the arena. Needs no lock if the run is the caller's. */
static inline const struct page_entry *pb_page_runs_entry(const struct page_runs *runs,
                                                          const void *at)
{
    return &runs->entries[((uintptr_t)at - (uintptr_t)runs->arena.base) >> PAGE_SHIFT];
}

/* I1, I2, I3. Returns 0, or -EINVAL and one line. */
int pb_page_runs_check(const struct page_runs *runs, char *message, size_t message_size);

#endif
