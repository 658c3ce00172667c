/* SPDX-License-Identifier: MIT */
/* The page layer below nonpaged pool: runs of 4 KiB pages inside one reservation.
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

#include "nt/pages.h"

#include <poolbench/nt/page.h>

#include <stdbool.h>

enum page_state {
    PAGE_INSIDE, /* neither a run's first nor last page, or a mark out of date */
    PAGE_FREE,
    PAGE_TAKEN /* the first of a run that was handed out */
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

/* Reserves `reserve` bytes of address space on `backing`, less where there is less. Returns 0 or
 * -ENOMEM, or -errno and one line. */
int pb_page_runs_open(struct page_runs *runs, size_t reserve, size_t release_bytes,
                      enum pb_backing backing, char *message, size_t message_size);
void pb_page_runs_close(struct page_runs *runs);

/* A run of `pages` >= 1 whose address is a multiple of `align` pages (a power of two). NULL when
 * the reservation is used up or the system refuses. */
void *pb_page_runs_take(struct page_runs *runs, size_t pages, size_t align);

/* Takes back the run that starts at `at`. */
void pb_page_runs_give(struct page_runs *runs, void *at);

/* Makes two runs of the taken one that starts at `at`: the first of `pages`. */
void pb_page_runs_split(struct page_runs *runs, void *at, size_t pages);

/* Pages of the taken run that starts at `at`, a page taken from the arena once; 0 if none does. */
size_t pb_page_runs_length(const struct page_runs *runs, const void *at);

/* Gives every free page to the system; returns the bytes. */
size_t pb_page_runs_trim(struct page_runs *runs);

/* I1, I2, I3; adds the pages of taken runs to *taken. Returns 0, or -EINVAL and one line. */
int pb_page_runs_check(const struct page_runs *runs, size_t *taken, char *message,
                       size_t message_size);

#endif
