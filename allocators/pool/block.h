/* SPDX-License-Identifier: MIT */
/* Blocks: how they are cut and joined. Inline: the inner part of engine.c. Everything here is done
 * under the descriptor's guard. May include: pool/links.h. */
#ifndef PB_POOL_BLOCK_H
#define PB_POOL_BLOCK_H

#include "pool/links.h"

/* Tells the block behind `header`, if the page has one, the size before it. */
PB_INLINE void pool_tell_next(const struct pool_descriptor *descriptor,
                              const struct pool_header *header, size_t granules, unsigned shift)
{
    struct pool_header *next = pool_behind(header, granules, shift);
    if (PB_LIKELY(BYTE_OFFSET(next) != 0))
        pool_set_first(next, (unsigned)granules | descriptor->place);
}

/* What is wanted of the lists. */
struct pool_want {
    unsigned granules;
    unsigned align; /* granules, a power of two */
    uint64_t mark;  /* of the block: header.h */
};

/* engine.c: a block of 16-byte granules from the lists or a new page, whatever it takes; NULL. */
struct pool_header *pb_pool_carve(struct pool_space *space, struct pool_want want);

/* engine.c: frees such a block past the lookaside lists. False after a bugcheck: it is not freed.
 */
bool pb_pool_give_back(struct pool_space *space, struct pool_header *header);

/* Cuts a block out of the unlinked free one of `size` granules (up to a page), `lead` granules
 * behind its start, writes its header, and lists what is left before and behind. `emptied`: what
 * pool_unlink returned. */
PB_INLINE struct pool_header *pool_carve(const struct pool_space *space,
                                         struct pool_descriptor *descriptor,
                                         struct pool_header *header, size_t size, bool emptied,
                                         size_t lead, const struct pool_want *want, bool wide)
{
    const unsigned shift = pool_shift(space, wide);
    size_t granules = want->granules;
    size_t rest = size - lead - granules;
    unsigned half;
    if (PB_LIKELY(lead > 0)) {
        bool listed = pool_link_in(space, descriptor, header, lead, false, wide);
        pool_relisted(descriptor, size, emptied, lead, listed);
        header = pool_behind(header, lead, shift);
        half = (unsigned)lead | descriptor->place;
    } else {
        half = pool_previous_half(header);
        if (emptied && rest == 0)
            pool_set_listed(descriptor, size, false);
    }
    pool_set_whole(header, half, granules, want->mark);
    if (rest > 0) {
        struct pool_header *behind = pool_behind(header, granules, shift);
        pool_set_first(behind, want->granules | descriptor->place);
        bool listed = pool_link_in(space, descriptor, behind, rest, false, wide);
        pool_relisted(descriptor, size, emptied && lead == 0, rest, listed);
        pool_tell_next(descriptor, behind, rest, shift);
    } else {
        pool_tell_next(descriptor, header, granules, shift);
    }
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
                              struct pool_header *header, size_t size, bool wide)
{
    const unsigned shift = pool_shift(space, wide);
    size_t before = pool_previous(header, wide);
    bool emptied = false;
    struct pool_header *next = pool_behind(header, size, shift);
    /* in a joined block it tells a second free; but not behind a block of one granule, for then the
     * links of the joined block lie here: such a second free can go unseen, as on NT */
    pool_set_size(header, size, POOL_TYPE_FREE, wide);
    if (PB_LIKELY(BYTE_OFFSET(next) != 0) && PB_UNLIKELY(pool_type(next, wide) == POOL_TYPE_FREE)) {
        size_t more = pool_size(next, wide);
        pool_unlist(space, descriptor, next, more, wide);
        size += more;
        next = pool_behind(next, more, shift);
    }
    if (PB_LIKELY(before != 0)) {
        struct pool_header *previous = pool_before(header, before, shift);
        if (PB_LIKELY(pool_type(previous, wide) == POOL_TYPE_FREE)) {
            emptied = pool_unlink(space, descriptor, previous, before, wide);
            size += before;
            header = previous;
        }
    }
    if (PB_UNLIKELY(size == pool_page_granules(space, wide))) {
        if (emptied)
            pool_set_listed(descriptor, before, false);
        descriptor->TotalPages--;
        return header;
    }
    bool listed = pool_link_in(space, descriptor, header, size, true, wide);
    pool_relisted(descriptor, before, emptied, size, listed);
    if (PB_LIKELY(BYTE_OFFSET(next) != 0))
        pool_set_first(next, (unsigned)size | descriptor->place);
    return NULL;
}

#endif
