/* SPDX-License-Identifier: MIT */
/* Runs of free pages: the page layer of page_run.h, which says what it is. */
#include "pool/page_run.h"

#include <errno.h>
#include <stdio.h>

enum { RUNS_LEAST = 1 << 20, RUNS_SHARE = 4 /* of RLIMIT_AS */ };

int pb_page_runs_open(struct page_runs *runs, size_t reserve, size_t release_bytes,
                      enum pb_backing backing, char *message, size_t message_size)
{
    int error = pb_pages_open_backed(&runs->arena, reserve, RUNS_LEAST, RUNS_SHARE, backing, NULL,
                                     message, message_size);
    if (error != 0)
        return error;
    size_t pages = runs->arena.reserved_bytes >> PAGE_SHIFT;
    error = pb_pages_open(&runs->map, pages * sizeof *runs->entries);
    if (error != 0) {
        pb_pages_close(&runs->arena);
        return error;
    }
    runs->entries = (struct page_entry *)(void *)runs->map.base;
    runs->count = runs->capacity = 0;
    for (unsigned list = 0; list < PAGE_LISTS; list++)
        runs->heads[list] = PAGE_NONE;
    runs->release_bytes = release_bytes;
    return 0;
}

void pb_page_runs_close(struct page_runs *runs)
{
    pb_pages_close(&runs->map);
    pb_pages_close(&runs->arena);
}

static void *runs_address(const struct page_runs *runs, uint32_t page)
{
    return runs->arena.base + ((size_t)page << PAGE_SHIFT);
}

static unsigned runs_list(uint32_t pages)
{
    return pages < PAGE_LISTS ? pages - 1 : PAGE_LISTS - 1;
}

static void runs_mark(struct page_runs *runs, uint32_t first, uint32_t pages, enum page_state state)
{
    struct page_entry *head = &runs->entries[first];
    struct page_entry *last = &runs->entries[first + pages - 1];
    head->pages = last->pages = pages;
    head->state = last->state = (uint16_t)state;
}

/* Makes a taken run of its own of these pages: only the first says so. */
static void runs_take(struct page_runs *runs, uint32_t first, uint32_t pages)
{
    runs_mark(runs, first, pages, PAGE_INSIDE);
    runs->entries[first].state = PAGE_TAKEN;
}

/* Makes a free run of its own of these pages, first on its list. */
static void runs_file(struct page_runs *runs, uint32_t first, uint32_t pages)
{
    uint32_t *head = &runs->heads[runs_list(pages)];
    runs_mark(runs, first, pages, PAGE_FREE);
    runs->entries[first].next = *head;
    runs->entries[first].previous = PAGE_NONE;
    if (*head != PAGE_NONE)
        runs->entries[*head].previous = first;
    *head = first;
}

static void runs_unlink(struct page_runs *runs, uint32_t first)
{
    const struct page_entry *entry = &runs->entries[first];
    if (entry->previous != PAGE_NONE)
        runs->entries[entry->previous].next = entry->next;
    else
        runs->heads[runs_list(entry->pages)] = entry->next;
    if (entry->next != PAGE_NONE)
        runs->entries[entry->next].previous = entry->previous;
}

/* Files the pages, joined with the free runs before and behind them. */
static void runs_merge(struct page_runs *runs, uint32_t first, uint32_t pages)
{
    uint32_t behind = first + pages;
    if (behind < runs->count && runs->entries[behind].state == PAGE_FREE) {
        pages += runs->entries[behind].pages;
        runs_unlink(runs, behind);
    }
    if (first > 0 && runs->entries[first - 1].state == PAGE_FREE) {
        uint32_t before = runs->entries[first - 1].pages;
        runs_unlink(runs, first - before);
        first -= before;
        pages += before;
    }
    runs_file(runs, first, pages);
}

/* Gives those of the pages that are still held to the system. A page of the system may span
 * several of ours: only whole ones go. */
static size_t runs_release(struct page_runs *runs, uint32_t first, uint32_t pages)
{
    uint32_t step = (uint32_t)BYTES_TO_PAGES(pb_page_bytes());
    uint32_t end = first + pages;
    size_t released = 0;
    while (first < end) {
        uint32_t stop = first;
        while (stop < end && !runs->entries[stop].released)
            stop++;
        uint32_t from = (first + step - 1) / step * step;
        uint32_t to = stop / step * step;
        size_t bytes = from < to ? (size_t)(to - from) << PAGE_SHIFT : 0;
        if (bytes > 0 && pb_pages_release(&runs->arena, runs_address(runs, from), bytes) == 0) {
            released += bytes;
            for (uint32_t page = from; page < to; page++)
                runs->entries[page].released = true;
            runs->released += to - from;
        }
        first = stop + 1;
    }
    return released;
}

/* Has the system give back those of the pages that it has. False if it refuses. */
static bool runs_hold(struct page_runs *runs, uint32_t first, uint32_t pages)
{
    uint32_t end = first + pages;
    while (runs->released > 0 && first < end) {
        uint32_t stop = first;
        while (stop < end && runs->entries[stop].released)
            stop++;
        if (stop > first) {
            size_t bytes = (size_t)(stop - first) << PAGE_SHIFT;
            if (pb_pages_reuse(&runs->arena, runs_address(runs, first), bytes) != 0)
                return false;
            runs->released -= stop - first;
        }
        for (; first < stop; first++)
            runs->entries[first].released = false;
        first++;
    }
    return true;
}

/* The highest place in the free run `first` for so many pages, or PAGE_NONE. */
static uint32_t runs_fit(const struct page_runs *runs, uint32_t first, size_t pages, size_t align)
{
    size_t length = runs->entries[first].pages;
    if (length < pages)
        return PAGE_NONE;
    size_t spare = length - pages;
    uintptr_t at = (uintptr_t)runs_address(runs, first + (uint32_t)spare) >> PAGE_SHIFT;
    size_t back = at & (align - 1);
    return back <= spare ? first + (uint32_t)(spare - back) : PAGE_NONE;
}

/* Takes `pages` at `start` out of the free run `first` and files what is left of it. NULL if the
 * system does not give back what it has of them. */
static void *runs_cut(struct page_runs *runs, uint32_t first, uint32_t start, uint32_t pages)
{
    uint32_t end = first + runs->entries[first].pages;
    if (!runs_hold(runs, start, pages))
        return NULL;
    runs_unlink(runs, first);
    if (start > first)
        runs_file(runs, first, start - first);
    if (end > start + pages)
        runs_file(runs, start + pages, end - start - pages);
    runs_take(runs, start, pages);
    return runs_address(runs, start);
}

/* First fit, from the list of that length upward. */
static void *runs_search(struct page_runs *runs, size_t pages, size_t align)
{
    for (unsigned list = runs_list((uint32_t)pages); list < PAGE_LISTS; list++) {
        uint32_t first = runs->heads[list];
        for (; first != PAGE_NONE; first = runs->entries[first].next) {
            uint32_t start = runs_fit(runs, first, pages, align);
            if (start != PAGE_NONE)
                return runs_cut(runs, first, start, (uint32_t)pages);
        }
    }
    return NULL;
}

/* Takes at least so many fresh pages from the arena, as a free run. */
static bool runs_grow(struct page_runs *runs, size_t pages)
{
    size_t step = BYTES_TO_PAGES(pb_page_bytes());
    const struct page_entry *edge = runs->count > 0 ? &runs->entries[runs->count - 1] : NULL;
    if (edge != NULL && edge->state == PAGE_FREE) {
        if (edge->pages >= pages)
            return false; /* it was found, and the system did not give it back */
        pages -= edge->pages;
    }
    pages = (pages + step - 1) / step * step;
    if (pages > (runs->arena.reserved_bytes - runs->arena.taken_bytes) >> PAGE_SHIFT)
        return false;
    uint32_t count = runs->count + (uint32_t)pages;
    if (count > runs->capacity) {
        size_t bytes = (count - runs->capacity) * sizeof *runs->entries;
        if (pb_pages_take(&runs->map, bytes) == NULL)
            return false;
        runs->capacity = (uint32_t)(runs->map.taken_bytes / sizeof *runs->entries);
    }
    if (pb_pages_take(&runs->arena, pages << PAGE_SHIFT) == NULL)
        return false;
    runs->count = count;
    runs_merge(runs, count - (uint32_t)pages, (uint32_t)pages);
    return true;
}

void *pb_page_runs_take(struct page_runs *runs, size_t pages, size_t align)
{
    size_t most = runs->arena.reserved_bytes >> PAGE_SHIFT;
    if (pages > most || align > most)
        return NULL;
    void *at = runs_search(runs, pages, align);
    if (at == NULL && runs_grow(runs, pages + align - 1))
        at = runs_search(runs, pages, align);
    return at;
}

static uint32_t runs_page(const struct page_runs *runs, const void *at)
{
    return (uint32_t)(((uintptr_t)at - (uintptr_t)runs->arena.base) >> PAGE_SHIFT);
}

void pb_page_runs_split(struct page_runs *runs, void *at, size_t pages)
{
    uint32_t first = runs_page(runs, at);
    uint32_t all = runs->entries[first].pages;
    runs_take(runs, first, (uint32_t)pages);
    runs_take(runs, first + (uint32_t)pages, all - (uint32_t)pages);
}

size_t pb_page_runs_length(const struct page_runs *runs, const void *at)
{
    uint32_t page = runs_page(runs, at);
    if (page >= runs->count || runs->entries[page].state != PAGE_TAKEN)
        return 0;
    return runs->entries[page].pages;
}

void pb_page_runs_give(struct page_runs *runs, void *at)
{
    uint32_t first = runs_page(runs, at);
    uint32_t pages = runs->entries[first].pages;
    runs_mark(runs, first, pages, PAGE_INSIDE);
    if ((size_t)pages << PAGE_SHIFT >= runs->release_bytes)
        (void)runs_release(runs, first, pages); /* what the system does not take stays held */
    runs_merge(runs, first, pages);
}

size_t pb_page_runs_trim(struct page_runs *runs)
{
    size_t released = 0;
    for (unsigned list = 0; list < PAGE_LISTS; list++) {
        uint32_t first = runs->heads[list];
        for (; first != PAGE_NONE; first = runs->entries[first].next)
            released += runs_release(runs, first, runs->entries[first].pages);
    }
    return released;
}

static int runs_fault(char *message, size_t message_size, const char *what, uint32_t page)
{
    snprintf(message, message_size, "page run at page %u: %s", page, what);
    return -EINVAL;
}

/* I3: the lists hold free runs of their lengths, `free` of them in all. */
static int runs_check_lists(const struct page_runs *runs, size_t free, char *message, size_t size)
{
    size_t listed = 0;
    for (unsigned list = 0; list < PAGE_LISTS; list++) {
        uint32_t before = PAGE_NONE;
        for (uint32_t page = runs->heads[list]; page != PAGE_NONE; listed++) {
            if (page >= runs->count || listed > free)
                return runs_fault(message, size, "list leads nowhere", page);
            const struct page_entry *entry = &runs->entries[page];
            if (entry->state != PAGE_FREE || runs_list(entry->pages) != list)
                return runs_fault(message, size, "on a list that is not its own", page);
            if (entry->previous != before)
                return runs_fault(message, size, "list links disagree", page);
            before = page;
            page = entry->next;
        }
    }
    return listed == free ? 0 : runs_fault(message, size, "free runs that no list holds", 0);
}

int pb_page_runs_check(const struct page_runs *runs, size_t *taken, char *message,
                       size_t message_size)
{
    bool before_free = false;
    size_t free = 0;
    for (uint32_t page = 0; page < runs->count; page += runs->entries[page].pages) {
        const struct page_entry *entry = &runs->entries[page];
        bool is_free = entry->state == PAGE_FREE;
        if (entry->pages == 0 || entry->pages > runs->count - page || entry->state == PAGE_INSIDE)
            return runs_fault(message, message_size, "no run begins here", page);
        const struct page_entry *last = entry + entry->pages - 1;
        if (is_free ? last->state != PAGE_FREE || last->pages != entry->pages
                    : last != entry && last->state != PAGE_INSIDE)
            return runs_fault(message, message_size, "its ends disagree", page);
        if (is_free && before_free)
            return runs_fault(message, message_size, "two free runs are neighbours", page);
        before_free = is_free;
        free += is_free;
        *taken += is_free ? 0 : entry->pages;
    }
    return runs_check_lists(runs, free, message, message_size);
}
