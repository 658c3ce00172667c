/* SPDX-License-Identifier: MIT */
/* The checks of verify.h. Each returns the first parameter of BAD_POOL_HEADER that it found, or 0.
 */
#include "pool/verify.h"

#include "pool/links.h"

#include <poolbench/nt/bugcheck.h>

void pb_pool_report(const struct pool_fault *fault)
{
    KeBugCheckEx(fault->code, fault->p1, fault->p2, fault->p3, fault->p4);
}

/* Whether a link can be followed: to the list's head, or to the user area of some block. */
PB_INLINE bool verify_target(const struct pool_space *space, const void *link, const void *head,
                             bool wide)
{
    uintptr_t header = (uintptr_t)link - pool_header_bytes(wide);
    return link == head ||
           (pool_in_blocks(space, link) && (header & (space->shape.granule - 1u)) == 0);
}

PB_INLINE unsigned verify_links_wide(const struct pool_space *space,
                                     const struct pool_descriptor *descriptor,
                                     struct pool_header *header, unsigned list)
{
    const LIST_ENTRY *entry = pool_entry(header);
    const LIST_ENTRY *head = &descriptor->heads.wide[list];
    if (!verify_target(space, entry->Flink, head, true) ||
        !verify_target(space, entry->Blink, head, true))
        return BAD_HEADER_LINKS;
    return entry->Flink->Blink == entry && entry->Blink->Flink == entry ? 0 : BAD_HEADER_LINKS;
}

PB_INLINE unsigned verify_links_narrow(const struct pool_space *space,
                                       struct pool_descriptor *descriptor,
                                       struct pool_header *header, unsigned list)
{
    const struct pool_link *entry = pool_link(header);
    const struct pool_link *head = &descriptor->heads.narrow[list];
    const struct pool_link *next = pool_link_at(space, descriptor, list, entry->next);
    const struct pool_link *previous = pool_link_at(space, descriptor, list, entry->previous);
    uint32_t offset = (uint32_t)((const unsigned char *)entry - space->base);
    if (!verify_target(space, next, head, false) || !verify_target(space, previous, head, false))
        return BAD_HEADER_LINKS;
    return next->previous == offset && previous->next == offset ? 0 : BAD_HEADER_LINKS;
}

PB_INLINE unsigned verify_links(const struct pool_space *space, struct pool_descriptor *descriptor,
                                struct pool_header *header, unsigned granules, bool wide)
{
    if (granules < pool_least_listed(space, wide))
        return 0;
    return wide ? verify_links_wide(space, descriptor, header, granules - 1)
                : verify_links_narrow(space, descriptor, header, granules - 1);
}

/* The granule of its page at which a block's page begins. */
PB_INLINE unsigned verify_start(const struct pool_space *space, const struct pool_header *header)
{
    return pool_page_kind(space, header) & POOL_PAGE_START;
}

PB_INLINE unsigned verify_place(const struct pool_space *space, const struct pool_header *header,
                                bool wide)
{
    return (unsigned)(BYTE_OFFSET(header) >> pool_shift(space, wide));
}

/* The block's own sizes against its page. */
PB_INLINE unsigned verify_sizes(const struct pool_space *space, const struct pool_header *header,
                                bool wide)
{
    unsigned at = verify_place(space, header, wide);
    unsigned before = pool_previous(header, wide);
    unsigned size = pool_size(header, wide);
    unsigned start = verify_start(space, header);
    if (size == 0)
        return BAD_HEADER_SIZE_ZERO;
    if (at + size > pool_page_granules(space, wide))
        return BAD_HEADER_NEXT_PAGE;
    if (before > at - start)
        return BAD_HEADER_PREVIOUS_PAGE;
    return before == 0 && at != start ? BAD_HEADER_NOT_FIRST : 0;
}

/* A neighbour that is free, and so would be joined. */
PB_INLINE unsigned verify_neighbour(const struct pool_space *space,
                                    struct pool_descriptor *descriptor, struct pool_header *header,
                                    bool join, bool wide)
{
    unsigned size = pool_size(header, wide);
    if (!join || pool_type(header, wide) != POOL_TYPE_FREE)
        return 0;
    if (size == 0 || verify_place(space, header, wide) + size > pool_page_granules(space, wide))
        return BAD_HEADER_SIZES;
    return verify_links(space, descriptor, header, size, wide);
}

PB_INLINE unsigned verify_header(const struct pool_space *space, struct pool_descriptor *descriptor,
                                 struct pool_header *header, bool join, bool wide)
{
    const unsigned shift = pool_shift(space, wide);
    unsigned kind = verify_sizes(space, header, wide);
    if (kind != 0)
        return kind;
    unsigned size = pool_size(header, wide);
    unsigned before = pool_previous(header, wide);
    struct pool_header *next = pool_behind(header, size, shift);
    if (BYTE_OFFSET(next) != 0) {
        if (pool_previous(next, wide) != size)
            return BAD_HEADER_SIZES;
        kind = verify_neighbour(space, descriptor, next, join, wide);
    }
    if (kind == 0 && before != 0) {
        struct pool_header *previous = pool_before(header, before, shift);
        if (pool_size(previous, wide) != before)
            return BAD_HEADER_SIZES;
        kind = verify_neighbour(space, descriptor, previous, join, wide);
    }
    return kind;
}

/* Whether the walk from the page's first block on meets the header, and ends where the page does.
 */
static unsigned verify_page(const struct pool_space *space, const struct pool_header *header,
                            bool wide)
{
    unsigned at = verify_start(space, header);
    unsigned place = verify_place(space, header, wide);
    unsigned before = 0;
    bool met = false;
    while (at < pool_page_granules(space, wide)) {
        const struct pool_header *block =
            pool_behind(PAGE_ALIGN(header), at, pool_shift(space, wide));
        if (pool_previous(block, wide) != before)
            return BAD_HEADER_WALK;
        met |= at == place;
        before = pool_size(block, wide);
        if (before == 0)
            return BAD_HEADER_WALK;
        at += before;
    }
    return met && at == pool_page_granules(space, wide) ? 0 : BAD_HEADER_WALK;
}

static bool verify_fault(struct pool_fault *fault, unsigned kind, const struct pool_header *header,
                         bool wide)
{
    uint64_t p3 = pool_size(header, wide);
    uint64_t p4 = pool_previous(header, wide);
    if (kind == BAD_HEADER_LINKS) { /* what lies where links would */
        const uint64_t *links = (const uint64_t *)((uintptr_t)header + pool_header_bytes(wide));
        p3 = wide ? links[0] : (uint32_t)links[0];
        p4 = wide ? links[1] : links[0] >> 32;
    }
    *fault = (struct pool_fault){BAD_POOL_HEADER, kind, (uintptr_t)header, p3, p4};
    return false;
}

PB_INLINE bool verify_used(const struct pool_space *space, struct pool_descriptor *descriptor,
                           struct pool_header *header, struct pool_fault *fault, bool wide)
{
    unsigned kind = 0;
    if (pool_type(header, wide) == POOL_TYPE_FREE) {
        *fault = (struct pool_fault){BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE, 0, header->tag,
                                     (uintptr_t)pool_user(header, wide)};
        return false;
    }
    if (space->shape.page_walk)
        kind = verify_page(space, header, wide);
    if (kind == 0 && space->shape.link_checks)
        kind = verify_header(space, descriptor, header, true, wide);
    return kind == 0 || verify_fault(fault, kind, header, wide);
}

PB_INLINE bool verify_free(const struct pool_space *space, struct pool_descriptor *descriptor,
                           struct pool_header *header, unsigned list, struct pool_fault *fault,
                           bool wide)
{
    unsigned kind = 0;
    if (!verify_target(space, pool_user(header, wide), NULL, wide)) {
        *fault = (struct pool_fault){BAD_POOL_HEADER, BAD_HEADER_LINKS, (uintptr_t)header, list, 0};
        return false;
    }
    if (space->shape.page_walk)
        kind = verify_page(space, header, wide);
    if (kind == 0 && space->shape.link_checks) {
        if (pool_type(header, wide) != POOL_TYPE_FREE)
            kind = BAD_HEADER_AFTER_FREE;
        else if (pool_size(header, wide) != list + 1)
            kind = BAD_HEADER_SIZES;
        else
            kind = verify_header(space, descriptor, header, false, wide);
        if (kind == 0)
            kind = verify_links(space, descriptor, header, list + 1, wide);
    }
    return kind == 0 || verify_fault(fault, kind, header, wide);
}

bool pb_pool_verify_used(const struct pool_space *space, struct pool_descriptor *descriptor,
                         struct pool_header *header, struct pool_fault *fault)
{
    return space->shape.wide ? verify_used(space, descriptor, header, fault, true)
                             : verify_used(space, descriptor, header, fault, false);
}

bool pb_pool_verify_free(const struct pool_space *space, struct pool_descriptor *descriptor,
                         struct pool_header *header, unsigned list, struct pool_fault *fault)
{
    return space->shape.wide ? verify_free(space, descriptor, header, list, fault, true)
                             : verify_free(space, descriptor, header, list, fault, false);
}
