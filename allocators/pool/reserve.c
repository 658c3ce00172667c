/* SPDX-License-Identifier: MIT */
/* The must-succeed reserve: reserve.h says what it is and where it comes from. */
#include "pool/reserve.h"
#include "nt/latch.h"

#include <poolbench/nt/page.h>

#include <stdio.h>
#include <string.h>

enum { RESERVE_GRANULE = 16, RESERVE_PER_PAGE = 4096 / RESERVE_GRANULE };

/* The block that begins at a granule. Of one that was freed, type and tag stay. */
struct reserve_start {
    uint32_t granules; /* 0: none begins here */
    uint32_t tag;
    unsigned type;
};

struct pool_reserve {
    struct pb_pages pages;
    unsigned char *base;
    uint32_t granules; /* all of them */
    struct pb_latch latch PB_CACHE_ALIGNED;
    /* guarded by latch */
    struct reserve_start *map;
    uint32_t granules_free;
};

/* Locked if the system lets it; touched in any case, so that no page is missing when it is needed.
 */
static int reserve_pages(struct pool_reserve *reserve, size_t bytes)
{
    char message[1];
    int error = pb_pages_open_backed(&reserve->pages, bytes, bytes, 1, PB_BACKING_LOCKED, NULL,
                                     message, sizeof message);
    if (error != 0)
        return error;
    reserve->base = pb_pages_take(&reserve->pages, bytes);
    if (reserve->base == NULL) {
        pb_pages_close(&reserve->pages);
        return -ENOMEM;
    }
    memset(reserve->base, 0, bytes);
    return 0;
}

struct pool_reserve *pb_pool_reserve_open(size_t pages)
{
    if (pages > UINT32_MAX / RESERVE_PER_PAGE)
        return NULL;
    struct pool_reserve *reserve = pb_pages_map(sizeof *reserve);
    if (reserve == NULL || pages == 0)
        return reserve;
    reserve->granules = (uint32_t)(pages * RESERVE_PER_PAGE);
    reserve->granules_free = reserve->granules;
    reserve->map = pb_pages_map(reserve->granules * sizeof *reserve->map);
    if (reserve->map == NULL)
        goto out_reserve;
    if (reserve_pages(reserve, pages * PAGE_SIZE) != 0)
        goto out_map;
    return reserve;

out_map:
    pb_pages_unmap(reserve->map, reserve->granules * sizeof *reserve->map);
out_reserve:
    pb_pages_unmap(reserve, sizeof *reserve);
    return NULL;
}

void pb_pool_reserve_close(struct pool_reserve *reserve)
{
    if (reserve == NULL)
        return;
    if (reserve->granules > 0) {
        pb_pages_close(&reserve->pages);
        pb_pages_unmap(reserve->map, reserve->granules * sizeof *reserve->map);
    }
    pb_pages_unmap(reserve, sizeof *reserve);
}

/* Where so many free granules begin, or the number of all. `whole`: at a page; else within one. */
static uint32_t reserve_fit(const struct pool_reserve *reserve, uint32_t wanted, bool whole)
{
    uint32_t run = 0;
    for (uint32_t at = 0; at < reserve->granules;) {
        const bool edge = at % RESERVE_PER_PAGE == 0;
        if (reserve->map[at].granules != 0) {
            at += reserve->map[at].granules;
            run = 0;
            continue;
        }
        if (edge && !whole)
            run = 0;
        at++;
        if (run == 0 && whole && !edge)
            continue;
        if (++run == wanted)
            return at - wanted;
    }
    return reserve->granules;
}

void *pb_pool_reserve_allocate(struct pool_reserve *reserve, size_t bytes, uint32_t tag,
                               unsigned type)
{
    const bool whole = bytes >= PAGE_SIZE;
    const size_t unit = whole ? PAGE_SIZE : RESERVE_GRANULE;
    if (bytes > (size_t)reserve->granules * RESERVE_GRANULE)
        return NULL;
    size_t rounded = ((bytes > 0 ? bytes : 1) + unit - 1) / unit * unit;
    uint32_t granules = (uint32_t)(rounded / RESERVE_GRANULE);
    pb_latch_lock(&reserve->latch);
    uint32_t at = reserve_fit(reserve, granules, whole);
    if (at < reserve->granules) {
        reserve->map[at] = (struct reserve_start){granules, tag, type};
        reserve->granules_free -= granules;
    }
    pb_latch_unlock(&reserve->latch);
    return at < reserve->granules ? reserve->base + (size_t)at * RESERVE_GRANULE : NULL;
}

static size_t reserve_offset(const struct pool_reserve *reserve, const void *p)
{
    return (size_t)((uintptr_t)p - (uintptr_t)reserve->base); /* of one below: above all of it */
}

bool pb_pool_reserve_owns(const struct pool_reserve *reserve, const void *p)
{
    return reserve_offset(reserve, p) < (size_t)reserve->granules * RESERVE_GRANULE;
}

/* The block that begins at `p`, or NULL. Latch held. */
static struct reserve_start *reserve_start_of(const struct pool_reserve *reserve, const void *p)
{
    size_t offset = reserve_offset(reserve, p);
    if (!pb_pool_reserve_owns(reserve, p) || offset % RESERVE_GRANULE != 0)
        return NULL;
    struct reserve_start *start = &reserve->map[offset / RESERVE_GRANULE];
    return start->granules != 0 ? start : NULL;
}

bool pb_pool_reserve_find(const struct pool_reserve *reserve, const void *p,
                          struct pool_reserve_block *block)
{
    struct pool_reserve *own = (struct pool_reserve *)reserve; /* for its latch */
    pb_latch_lock(&own->latch);
    const struct reserve_start *start = reserve_start_of(reserve, p);
    if (start != NULL)
        *block = (struct pool_reserve_block){.type = start->type,
                                             .tag = start->tag,
                                             .bytes = start->granules * (size_t)RESERVE_GRANULE};
    pb_latch_unlock(&own->latch);
    return start != NULL;
}

/* Whether a block lies over an address at which none begins; the tag of one that began there
 * before. Latch held. */
static bool reserve_inside(const struct pool_reserve *reserve, const void *p, uint32_t *tag)
{
    size_t index = reserve_offset(reserve, p) / RESERVE_GRANULE;
    if (!pb_pool_reserve_owns(reserve, p))
        return false;
    *tag = reserve->map[index].tag;
    for (size_t at = index + 1; at-- > 0;)
        if (reserve->map[at].granules != 0)
            return at + reserve->map[at].granules > index;
    return false;
}

bool pb_pool_reserve_free(struct pool_reserve *reserve, void *p)
{
    bool inside = false;
    uint32_t tag = 0;
    pb_latch_lock(&reserve->latch);
    struct reserve_start *start = reserve_start_of(reserve, p);
    if (start != NULL) {
        reserve->granules_free += start->granules;
        start->granules = 0;
    } else {
        inside = reserve_inside(reserve, p, &tag);
    }
    pb_latch_unlock(&reserve->latch);
    if (start != NULL)
        return true;
    if (inside)
        KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_INSIDE_BLOCK, (ULONG_PTR)p, 0, 0);
    else
        KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE, 0, tag, (ULONG_PTR)p);
    return false;
}

size_t pb_pool_reserve_count_free_bytes(const struct pool_reserve *reserve)
{
    struct pool_reserve *own = (struct pool_reserve *)reserve; /* for its latch */
    pb_latch_lock(&own->latch);
    size_t bytes = reserve->granules_free * (size_t)RESERVE_GRANULE;
    pb_latch_unlock(&own->latch);
    return bytes;
}

static bool reserve_placed(const struct pool_reserve *reserve, uint32_t at, uint32_t granules)
{
    if (granules > reserve->granules - at)
        return false;
    if (granules > RESERVE_PER_PAGE)
        return at % RESERVE_PER_PAGE == 0 && granules % RESERVE_PER_PAGE == 0;
    return at % RESERVE_PER_PAGE + granules <= RESERVE_PER_PAGE;
}

int pb_pool_reserve_check(const struct pool_reserve *reserve, char *message, size_t message_size)
{
    uint32_t granted = 0, end = 0;
    for (uint32_t at = 0; at < reserve->granules; at++) {
        uint32_t granules = reserve->map[at].granules;
        if (granules == 0)
            continue;
        if (at < end || !reserve_placed(reserve, at, granules)) {
            (void)snprintf(message, message_size, "reserve: a block of %zu bytes at %zu: %s",
                           granules * (size_t)RESERVE_GRANULE, at * (size_t)RESERVE_GRANULE,
                           at < end ? "another lies over it" : "it crosses a page");
            return -EINVAL;
        }
        granted += granules;
        end = at + granules;
    }
    if (granted + reserve->granules_free == reserve->granules)
        return 0;
    (void)snprintf(message, message_size, "reserve: %zu bytes granted and %zu free, of %zu",
                   granted * (size_t)RESERVE_GRANULE,
                   reserve->granules_free * (size_t)RESERVE_GRANULE,
                   reserve->granules * (size_t)RESERVE_GRANULE);
    return -EINVAL;
}
