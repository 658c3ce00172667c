/* SPDX-License-Identifier: MIT */
/* Blocks: how they are cut and joined. Inline: the inner part of engine.c. Everything here is done
 * under the descriptor's guard. May include: pool/links.h. */
#ifndef PB_POOL_BLOCK_H
#define PB_POOL_BLOCK_H

#include "pool/links.h"

/* Tells the block behind `header`, if the page has one, the size before it. */
PB_INLINE void pool_tell_next(const struct pool_space *space,
                              const struct pool_descriptor *descriptor,
                              const struct pool_header *header, unsigned granules, bool wide)
{
    struct pool_header *next = pool_behind(header, granules, pool_shift(space, wide));
    if (BYTE_OFFSET(next) != 0)
        pool_set_previous(next, granules, descriptor->index, wide);
}

/* What is wanted of the lists. */
struct pool_want {
    unsigned granules;
    unsigned align; /* granules, a power of two */
    unsigned type;  /* PoolType of the block */
};

/* engine.c: a block of 16-byte granules from the lists or a new page, whatever it takes; NULL. */
struct pool_header *pb_pool_carve(struct pool_space *space, struct pool_want want);

/* engine.c: frees such a block past the lookaside lists. False after a bugcheck: it is not freed.
 */
bool pb_pool_give_back(struct pool_space *space, struct pool_header *header);

/* Cuts a block out of the unlinked free one of `size` granules (up to a page), `lead` granules
 * behind its start, and lists what is left before and behind. `emptied`: what pool_unlink returned.
 */
PB_INLINE struct pool_header *pool_carve(const struct pool_space *space,
                                         struct pool_descriptor *descriptor,
                                         struct pool_header *header, unsigned size, bool emptied,
                                         unsigned lead, const struct pool_want *want, bool wide)
{
    const unsigned shift = pool_shift(space, wide);
    unsigned granules = want->granules;
    unsigned rest = size - lead - granules;
    if (lead > 0) {
        bool listed = pool_link_in(space, descriptor, header, lead, false, wide);
        pool_relisted(descriptor, size, emptied, lead, listed);
        emptied = false;
        header = pool_behind(header, lead, shift);
        pool_set_previous(header, lead, descriptor->index, wide);
    }
    pool_set_size(header, granules, want->type, wide);
    if (rest > 0) {
        struct pool_header *behind = pool_behind(header, granules, shift);
        pool_set_previous(behind, granules, descriptor->index, wide);
        bool listed = pool_link_in(space, descriptor, behind, rest, false, wide);
        pool_relisted(descriptor, size, emptied, rest, listed);
        emptied = false;
        pool_tell_next(space, descriptor, behind, rest, wide);
    } else {
        pool_tell_next(space, descriptor, header, granules, wide);
    }
    if (emptied) /* and nothing is left of it */
        pool_set_listed(descriptor, size - 1, false);
    return header;
}

/* How far into a free block a block is cut. Unaligned: the front if the free block is first in its
 * page, the end otherwise. Aligned: the first place whose user area is a multiple of `align`; only
 * with granules of one header. */
PB_INLINE unsigned pool_lead(const struct pool_space *space, const struct pool_header *header,
                             unsigned size, const struct pool_want *want, bool wide)
{
    if (PB_LIKELY(want->align == 1))
        return pool_previous(header, wide) == 0 ? 0 : size - want->granules;
    unsigned user = (unsigned)(BYTE_OFFSET(header) >> pool_shift(space, wide)) + 1;
    return -user & (want->align - 1);
}

/* Joins a block in use, of `size` granules, with a free one behind it, then with a free one before
 * it, and lists the result. Returns NULL; or the page, if it is free as a whole: then it is on no
 * list. */
PB_INLINE void *pool_coalesce(const struct pool_space *space, struct pool_descriptor *descriptor,
                              struct pool_header *header, unsigned size, bool wide)
{
    const unsigned shift = pool_shift(space, wide);
    unsigned before = pool_previous(header, wide);
    bool emptied = false;
    struct pool_header *next = pool_behind(header, size, shift);
    /* in a joined block it tells a second free; but not behind a block of one granule, for then the
     * links of the joined block lie here: such a second free can go unseen, as on NT */
    pool_set_size(header, size, POOL_TYPE_FREE, wide);
    if (BYTE_OFFSET(next) != 0 && pool_type(next, wide) == POOL_TYPE_FREE) {
        unsigned more = pool_size(next, wide);
        pool_unlist(space, descriptor, next, more, wide);
        size += more;
    }
    if (before != 0) {
        struct pool_header *previous = pool_before(header, before, shift);
        if (pool_type(previous, wide) == POOL_TYPE_FREE) {
            emptied = pool_unlink(space, descriptor, previous, before, wide);
            size += before;
            header = previous;
        }
    }
    if (PB_UNLIKELY(size == pool_page_granules(space, wide))) {
        if (emptied)
            pool_set_listed(descriptor, before - 1, false);
        descriptor->TotalPages--;
        return header;
    }
    bool listed = pool_link_in(space, descriptor, header, size, true, wide);
    pool_relisted(descriptor, before, emptied, size, listed);
    pool_tell_next(space, descriptor, header, size, wide);
    return NULL;
}

#endif
