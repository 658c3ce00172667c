/* SPDX-License-Identifier: MIT */
/* Aligned blocks of the profiles whose granule is longer than their header (32 and 8 bytes): a user
 * area 8 bytes behind a multiple of 32 is never aligned to more than 8, so it begins further behind
 * the header, and a second header stands before it that leads back to the first. This is ours: NT
 * has no such blocks.
 * Layout:  | header | ... | 0 | 0 | distance 32 | user area |
 * A user area 8 bytes behind a granule's start has a header of its own; any other has a shadow.
 * Threads: the block's owner. May include: pool/space.h. */
#ifndef PB_POOL_SHADOW_H
#define PB_POOL_SHADOW_H

#include "pool/space.h"

/* Begins the user area at the first multiple of `align` (16 or more) that leaves room for a shadow;
 * that is at most `align` bytes behind the header. */
static inline void *pool_shadow_make(struct pool_header *header, size_t align)
{
    uintptr_t user = ((uintptr_t)header + 2 * POOL_HEADER_NARROW + align - 1) & -align;
    struct pool_header *shadow = pool_header_before((const void *)user, false);
    pool_set_previous(shadow, 0, 0, false);
    pool_set_size(shadow, 0, 0, false);
    shadow->tag = (uint32_t)(user - (uintptr_t)header);
    return (void *)user;
}

/* The header of the block whose user area has a shadow; NULL if what stands there is none. */
static inline struct pool_header *pool_shadow_header(const struct pool_space *space,
                                                     const void *user)
{
    if (space->shape.granule == space->shape.header_bytes ||
        (uintptr_t)user % POOL_HEADER_NARROW != 0)
        return NULL;
    size_t distance = pool_header_before(user, false)->tag;
    uintptr_t header = (uintptr_t)user - distance;
    if (distance > BYTE_OFFSET(user) || (header & (space->shape.granule - 1u)) != 0)
        return NULL;
    return (struct pool_header *)header;
}

#endif
