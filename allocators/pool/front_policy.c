/* SPDX-License-Identifier: MIT */
/* What a request meets before the pool, and after it (front.h): levels, tags, limits, the reserve.
 * Source:  WDK, "Bug Check 0xC2: BAD_POOL_CALLER", "Bug Check 0x41: MUST_SUCCEED_POOL_EMPTY".
 * Threads: any. May touch: counters of the pool, to read. */
#include "pool/front.h"

#include "pool/header.h"

#include <poolbench/nt/page.h>

#include <ctype.h>

enum { TAG_BIG = 0x474942 /* "BIG" */ };

static bool has_letter_or_digit(uint32_t tag)
{
    for (unsigned shift = 0; shift < 32; shift += 8) {
        unsigned char c = (unsigned char)(tag >> shift);
        if (c < 0x80 && isalnum(c))
            return true;
    }
    return false;
}

/* The first parameter that a tag deserves, 0 if none. */
static unsigned tag_fault(uint32_t tag)
{
    tag &= ~PROTECTED_POOL;
    if (tag == 0)
        return BAD_CALLER_TAG_ZERO;
    if ((tag & 0xFFFFFF) == TAG_BIG && (tag >> 24 == 0 || tag >> 24 == ' '))
        return BAD_CALLER_TAG_BIG;
    return has_letter_or_digit(tag) ? 0 : BAD_CALLER_TAG_NO_LETTER;
}

static bool refuse(unsigned fault, const struct pool_ask *ask)
{
    KeBugCheckEx(BAD_POOL_CALLER, fault, ask->type, ask->bytes, ask->tag);
    return false;
}

static bool checked_allows(const struct pool_ask *ask)
{
    unsigned fault = tag_fault(ask->tag);
    if (ask->bytes == 0)
        return refuse(BAD_CALLER_ZERO_BYTES, ask);
    return fault == 0 || refuse(fault, ask);
}

bool pb_front_allows(const struct pool_front *front, const struct pool_ask *ask)
{
    KIRQL level = KeGetCurrentIrql();
    if (level > pb_front_level(ask->type)) {
        KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_ALLOC_IRQL, level, ask->type, ask->bytes);
        return false;
    }
    if ((front->options.checked || PbNtChecked) && !checked_allows(ask))
        return false;
    if ((ask->type & POOL_BIT_MUST_SUCCEED) != 0 && !front->serves_must_succeed)
        return refuse(BAD_CALLER_MUST_SUCCEED, ask);
    return true;
}

static uint64_t bytes_in_use(const struct pool_front *front, bool paged)
{
    struct pool_counts counts;
    uint64_t bytes = 0;
    for (unsigned class = 0; class < POOL_CLASSES; class ++) {
        if ((class == POOL_PAGED) != paged)
            continue;
        pb_pool_counts(front->pool, (enum pool_class) class, &counts);
        bytes += counts.total_bytes - counts.cached_bytes; /* what is cached is nobody's */
    }
    return bytes;
}

static uint64_t bytes_granted(const struct pool_shape *shape, size_t bytes)
{
    size_t granule = shape->granule;
    if (bytes > shape->largest)
        return ROUND_TO_PAGES(bytes);
    return (bytes + (bytes == 0) + shape->header_bytes + granule - 1) / granule * granule;
}

bool pb_front_has_room(struct pool_front *front, const struct pool_ask *ask)
{
    bool paged = (ask->type & POOL_BIT_PAGED) != 0;
    const struct pool_options *options = &front->options;
    uint64_t limit = paged ? options->paged_limit : options->nonpaged_limit;
    if (limit == 0)
        return true;
    const uint64_t waters[] = {0, options->normal_water, options->low_water};
    uint64_t used = bytes_in_use(front, paged), room = used < limit ? limit - used : 0;
    if (ask->bytes > room || bytes_granted(&front->shape, ask->bytes) > room)
        return false;
    return room * 100 >= limit * waters[ask->water]; /* a limit is 2^40 at most */
}

static void reserve_is_empty(struct pool_front *front, const struct pool_ask *ask)
{
    uint64_t used = 0, held = 0;
    for (unsigned class = POOL_NONPAGED; class <= POOL_NONPAGED_NX; class ++) {
        struct pool_counts counts;
        pb_pool_counts(front->pool, (enum pool_class) class, &counts);
        used += counts.total_pages + counts.total_big_pages;
        held += counts.held_bytes >> PAGE_SHIFT;
    }
    /* relaxed: a figure for a report */
    uint64_t above = atomic_load_explicit(&front->above_page, memory_order_relaxed);
    KeBugCheckEx(MUST_SUCCEED_POOL_EMPTY, ask->bytes, used, above, held > used ? held - used : 0);
}

void *pb_front_last_resort(struct pool_front *front, const struct pool_ask *ask)
{
    void *block = NULL;
    if (front->reserve != NULL)
        block = pb_pool_reserve_allocate(front->reserve, ask->bytes, pool_tag_stored(ask->tag),
                                         ask->type);
    if (block == NULL)
        reserve_is_empty(front, ask);
    return block;
}
