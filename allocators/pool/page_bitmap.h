/* SPDX-License-Identifier: MIT */
/* The page layer below paged pool: a bit for each 4 KiB page of one reservation.
 * Source:  the shape of NT's paged pool page allocator, as documented by ReactOS (ARM3, pool): the
 *          first clear run from a hint; the hint moves up by 1-page requests only, and down by any
 *          free; a second bitmap marks each run's last page, so that a free needs no size; freed
 *          pages are discarded, and are zero when they are taken again. Differs: alignment beyond a
 *          page is ours, and a third bitmap knows what the system has.
 * Layout:  arena | page 0 | page 1 | ... |    words | taken | last | gone |
 * I1       a run is bits of `taken` up to the first bit of `last`
 * I2       no page below the hint is free
 * Locks    the owner's
 * Cost     3 bits a page; a search is linear in the words from the hint on */
#ifndef PB_PAGE_BITMAP_H
#define PB_PAGE_BITMAP_H

#include "nt/pages.h"

#include <stdbool.h>

struct page_bitmap {
    struct pb_pages arena;
    uint64_t *taken, *last; /* one mapping, with `gone` */
    uint64_t *gone;         /* free pages that the system has */
    size_t map_bytes;
    size_t count; /* pages taken from the arena */
    size_t hint;
};

/* Reserves `reserve` bytes on `backing`, less where there is less; `dir`: pb_pages_open_backed.
 * Returns 0, -ENOMEM, or -errno and one line. */
int pb_page_bitmap_open(struct page_bitmap *bitmap, size_t reserve, enum pb_backing backing,
                        const char *dir, char *message, size_t message_size);
void pb_page_bitmap_close(struct page_bitmap *bitmap);

/* As the calls of page_run.h. */
void *pb_page_bitmap_take(struct page_bitmap *bitmap, size_t pages, size_t align);
void pb_page_bitmap_give(struct page_bitmap *bitmap, void *at);
void pb_page_bitmap_split(struct page_bitmap *bitmap, void *at, size_t pages);
size_t pb_page_bitmap_length(const struct page_bitmap *bitmap, const void *at);
int pb_page_bitmap_check(const struct page_bitmap *bitmap, size_t *taken, char *message,
                         size_t message_size);

#endif
