/* SPDX-License-Identifier: MIT */
/* The bitmaps of page_bitmap.h, which says what they are. */
#include "pool/page_bitmap.h"

#include <poolbench/nt/page.h>

#include <errno.h>
#include <stdio.h>

enum { BITMAP_LEAST = 1 << 20, BITMAP_SHARE = 4 /* of RLIMIT_AS */ };

static bool bit_get(const uint64_t *words, size_t bit)
{
    return words[bit / 64] >> bit % 64 & 1;
}

static void bit_set(uint64_t *words, size_t bit)
{
    words[bit / 64] |= (uint64_t)1 << bit % 64;
}

static void bit_clear(uint64_t *words, size_t bit)
{
    words[bit / 64] &= ~((uint64_t)1 << bit % 64);
}

/* The first bit from `from` on that is `value`, or `end`. */
static size_t bit_find(const uint64_t *words, size_t from, size_t end, bool value)
{
    uint64_t skip = ~(uint64_t)0 << from % 64;
    for (size_t word = from / 64; word * 64 < end; word++) {
        uint64_t bits = (value ? words[word] : ~words[word]) & skip;
        if (bits != 0) {
            size_t bit = word * 64 + (size_t)__builtin_ctzll(bits);
            return bit < end ? bit : end;
        }
        skip = ~(uint64_t)0;
    }
    return end;
}

int pb_page_bitmap_open(struct page_bitmap *bitmap, size_t reserve, enum pb_backing backing,
                        const char *dir, char *message, size_t message_size)
{
    int error = pb_pages_open_backed(&bitmap->arena, reserve, BITMAP_LEAST, BITMAP_SHARE, backing,
                                     dir, message, message_size);
    if (error != 0)
        return error;
    size_t words = ((bitmap->arena.reserved_bytes >> PAGE_SHIFT) + 63) / 64;
    bitmap->map_bytes = 3 * words * sizeof *bitmap->taken;
    bitmap->taken = pb_pages_map(bitmap->map_bytes);
    if (bitmap->taken == NULL) {
        pb_pages_close(&bitmap->arena);
        return -ENOMEM;
    }
    bitmap->last = bitmap->taken + words;
    bitmap->gone = bitmap->last + words;
    bitmap->count = bitmap->hint = 0;
    return 0;
}

void pb_page_bitmap_close(struct page_bitmap *bitmap)
{
    pb_pages_unmap(bitmap->taken, bitmap->map_bytes);
    pb_pages_close(&bitmap->arena);
}

static unsigned char *bitmap_address(const struct page_bitmap *bitmap, size_t page)
{
    return bitmap->arena.base + (page << PAGE_SHIFT);
}

static size_t bitmap_page(const struct page_bitmap *bitmap, const void *at)
{
    return ((uintptr_t)at - (uintptr_t)bitmap->arena.base) >> PAGE_SHIFT;
}

/* The first clear run of `pages` from the hint on, at a multiple of `align`; `count` if there is
 * none. A run may end behind the pages that were taken from the arena if it reaches their end. */
static size_t bitmap_search(const struct page_bitmap *bitmap, size_t pages, size_t align)
{
    size_t origin = (uintptr_t)bitmap->arena.base >> PAGE_SHIFT;
    size_t first = bitmap->hint;
    for (;;) {
        first = bit_find(bitmap->taken, first, bitmap->count, false);
        first += -(origin + first) & (align - 1);
        if (first >= bitmap->count)
            return first;
        size_t end = first + pages < bitmap->count ? first + pages : bitmap->count;
        size_t stop = bit_find(bitmap->taken, first, end, true);
        if (stop == end)
            return first;
        first = stop;
    }
}

/* Takes pages from the arena so that `end` of them are there. */
static bool bitmap_grow(struct page_bitmap *bitmap, size_t end)
{
    size_t step = BYTES_TO_PAGES(pb_page_bytes());
    if (end <= bitmap->count)
        return true;
    end = (end + step - 1) / step * step;
    if (end > bitmap->arena.reserved_bytes >> PAGE_SHIFT ||
        pb_pages_take(&bitmap->arena, (end - bitmap->count) << PAGE_SHIFT) == NULL)
        return false;
    bitmap->count = end;
    return true;
}

/* Has the system give back those of the pages that it has. */
static bool bitmap_hold(struct page_bitmap *bitmap, size_t first, size_t end)
{
    for (;;) {
        first = bit_find(bitmap->gone, first, end, true);
        if (first == end)
            return true;
        size_t stop = bit_find(bitmap->gone, first, end, false);
        if (pb_pages_reuse(&bitmap->arena, bitmap_address(bitmap, first),
                           (stop - first) << PAGE_SHIFT) != 0)
            return false;
        for (; first < stop; first++)
            bit_clear(bitmap->gone, first);
    }
}

void *pb_page_bitmap_take(struct page_bitmap *bitmap, size_t pages, size_t align)
{
    size_t most = bitmap->arena.reserved_bytes >> PAGE_SHIFT;
    if (pages > most || align > most)
        return NULL;
    size_t first = bitmap_search(bitmap, pages, align);
    if (first > most || !bitmap_grow(bitmap, first + pages) ||
        !bitmap_hold(bitmap, first, first + pages))
        return NULL;
    for (size_t page = first; page < first + pages; page++)
        bit_set(bitmap->taken, page);
    bit_set(bitmap->last, first + pages - 1);
    if (pages == 1 && align == 1)
        bitmap->hint = first + 1;
    return bitmap_address(bitmap, first);
}

size_t pb_page_bitmap_length(const struct page_bitmap *bitmap, const void *at)
{
    size_t page = bitmap_page(bitmap, at);
    if (page >= bitmap->count || !bit_get(bitmap->taken, page))
        return 0;
    if (page > 0 && bit_get(bitmap->taken, page - 1) && !bit_get(bitmap->last, page - 1))
        return 0; /* inside a run */
    return bit_find(bitmap->last, page, bitmap->count, true) + 1 - page;
}

/* Discards pages: their content is gone, and so is their memory. A page of the system may span
 * several of ours: only whole ones go, and what the system does not take stays held. */
static void bitmap_discard(struct page_bitmap *bitmap, size_t first, size_t end)
{
    size_t step = BYTES_TO_PAGES(pb_page_bytes());
    size_t from = (first + step - 1) / step * step;
    size_t to = end / step * step;
    if (from >= to || pb_pages_release(&bitmap->arena, bitmap_address(bitmap, from),
                                       (to - from) << PAGE_SHIFT) != 0)
        return;
    for (size_t page = from; page < to; page++)
        bit_set(bitmap->gone, page);
}

void pb_page_bitmap_give(struct page_bitmap *bitmap, void *at)
{
    size_t first = bitmap_page(bitmap, at);
    size_t end = bit_find(bitmap->last, first, bitmap->count, true) + 1;
    bitmap_discard(bitmap, first, end);
    bit_clear(bitmap->last, end - 1);
    for (size_t page = first; page < end; page++)
        bit_clear(bitmap->taken, page);
    if (first < bitmap->hint)
        bitmap->hint = first;
}

void pb_page_bitmap_split(struct page_bitmap *bitmap, void *at, size_t pages)
{
    bit_set(bitmap->last, bitmap_page(bitmap, at) + pages - 1);
}

static int bitmap_fault(char *message, size_t message_size, const char *what, size_t page)
{
    snprintf(message, message_size, "page bitmap at page %zu: %s", page, what);
    return -EINVAL;
}

int pb_page_bitmap_check(const struct page_bitmap *bitmap, size_t *taken, char *message,
                         size_t message_size)
{
    for (size_t page = 0; page < bitmap->count; page++) {
        bool used = bit_get(bitmap->taken, page);
        bool last = bit_get(bitmap->last, page);
        bool next = page + 1 < bitmap->count && bit_get(bitmap->taken, page + 1);
        if (last && !used)
            return bitmap_fault(message, message_size, "a free page ends a run", page);
        if (used && !last && !next)
            return bitmap_fault(message, message_size, "a run has no end", page);
        if (!used && page < bitmap->hint)
            return bitmap_fault(message, message_size, "free, and below the hint", page);
        if (used && bit_get(bitmap->gone, page))
            return bitmap_fault(message, message_size, "in use, and given to the system", page);
        *taken += used;
    }
    return 0;
}
