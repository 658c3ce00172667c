/* SPDX-License-Identifier: MIT */
/* A descriptor's free lists: which there are, how a block is put on one and taken off. Wide blocks
 * are linked by LIST_ENTRY, narrow ones by 32-bit offsets in the arena, 0 being the list's head.
 * Everything here is done under the descriptor's guard, but for pool_search.
 * May include: pool/space.h. */
#ifndef PB_POOL_LINKS_H
#define PB_POOL_LINKS_H

#include "pool/space.h"

/* Relaxed: the bit is a hint to readers without the guard, who look again with it. */
PB_INLINE void pool_set_listed(struct pool_descriptor *descriptor, size_t granules, bool listed)
{
    _Atomic uint64_t *word = &descriptor->listed[granules / 64];
    uint64_t bits = atomic_load_explicit(word, memory_order_relaxed);
    uint64_t bit = (uint64_t)1 << granules % 64;
    if (!listed)
        atomic_store_explicit(word, bits & ~bit, memory_order_relaxed);
    else if ((bits & bit) == 0)
        atomic_store_explicit(word, bits | bit, memory_order_relaxed);
}

/* The size of the smallest free blocks of at least so many granules, a page's at most, that the map
 * has; a page's granules or more if it has none: the word behind the last is never 0. */
PB_INLINE size_t pool_search(const struct pool_descriptor *descriptor, size_t granules)
{
    size_t word = granules / 64;
    /* relaxed: a hint, see pool_set_listed */
    uint64_t bits = atomic_load_explicit(&descriptor->listed[word], memory_order_relaxed);
    bits &= ~(uint64_t)0 << granules % 64;
#pragma GCC unroll 4
    while (bits == 0) /* relaxed: as above */
        bits = atomic_load_explicit(&descriptor->listed[++word], memory_order_relaxed);
    return word * 64 + (unsigned)__builtin_ctzll(bits);
}

/* The list of blocks of so many granules. As a sum: the address of an element is computed anew for
 * each use. */
PB_INLINE PLIST_ENTRY pool_head(struct pool_descriptor *descriptor, size_t granules)
{
    return descriptor->heads.wide + (granules - 1);
}

PB_INLINE PLIST_ENTRY pool_entry(struct pool_header *header)
{
    return (PLIST_ENTRY)pool_user(header, true);
}

PB_INLINE struct pool_link *pool_link(struct pool_header *header)
{
    return (struct pool_link *)pool_user(header, false);
}

/* The links that a narrow link leads to. */
PB_INLINE struct pool_link *pool_link_at(const struct pool_space *space,
                                         struct pool_descriptor *descriptor, unsigned list,
                                         uint32_t offset)
{
    return offset != 0 ? (struct pool_link *)(void *)(space->base + offset)
                       : &descriptor->heads.narrow[list];
}

static inline void pool_narrow_insert(const struct pool_space *space,
                                      struct pool_descriptor *descriptor,
                                      struct pool_header *header, unsigned list, bool head)
{
    struct pool_link *entry = pool_link(header);
    struct pool_link *ends = &descriptor->heads.narrow[list];
    uint32_t offset = (uint32_t)((unsigned char *)entry - space->base);
    entry->next = head ? ends->next : 0;
    entry->previous = head ? 0 : ends->previous;
    pool_link_at(space, descriptor, list, entry->next)->previous = offset;
    pool_link_at(space, descriptor, list, entry->previous)->next = offset;
}

static inline bool pool_narrow_remove(const struct pool_space *space,
                                      struct pool_descriptor *descriptor,
                                      struct pool_header *header, unsigned list)
{
    uint32_t next = pool_link(header)->next;
    uint32_t previous = pool_link(header)->previous;
    pool_link_at(space, descriptor, list, next)->previous = previous;
    pool_link_at(space, descriptor, list, previous)->next = next;
    return next == previous;
}

/* The first block of a list, or NULL. */
PB_INLINE struct pool_header *pool_first(const struct pool_space *space,
                                         const struct pool_descriptor *descriptor, unsigned list,
                                         bool wide)
{
    if (wide) {
        const LIST_ENTRY *head = &descriptor->heads.wide[list];
        return IsListEmpty(head) ? NULL : pool_header_before(head->Flink, true);
    }
    uint32_t offset = descriptor->heads.narrow[list].next;
    return offset == 0 ? NULL : pool_header_before(space->base + offset, false);
}

/* Makes a free block of a header whose PreviousSize is set, and puts it on its list, but for the
 * map. A freed block goes to the head of its list, the remainder of a split to the tail. False: it
 * has no room for links, is nothing but a header, and waits for a neighbour to join. */
PB_INLINE bool pool_link_in(const struct pool_space *space, struct pool_descriptor *descriptor,
                            struct pool_header *header, size_t granules, bool freed, bool wide)
{
    pool_set_size(header, granules, POOL_TYPE_FREE, wide);
    if (PB_UNLIKELY(granules < pool_least_listed(space, wide)))
        return false;
    if (!wide)
        pool_narrow_insert(space, descriptor, header, (unsigned)granules - 1, freed);
    else if (freed)
        InsertHeadList(pool_head(descriptor, granules), pool_entry(header));
    else
        InsertTailList(pool_head(descriptor, granules), pool_entry(header));
    return true;
}

/* Takes a free block off its list, but for the map. True: its list is empty now. */
PB_INLINE bool pool_unlink(const struct pool_space *space, struct pool_descriptor *descriptor,
                           struct pool_header *header, size_t granules, bool wide)
{
    if (PB_UNLIKELY(granules < pool_least_listed(space, wide)))
        return false;
    return wide ? RemoveEntryList(pool_entry(header))
                : pool_narrow_remove(space, descriptor, header, (unsigned)granules - 1);
}

/* The map after a block of `from` granules was unlinked, with what that returned, and one of `to`
 * was linked in, likewise: one store where one word has both. */
PB_INLINE void pool_relisted(struct pool_descriptor *descriptor, size_t from, bool emptied,
                             size_t to, bool listed)
{
    size_t word = to / 64;
    if (PB_UNLIKELY(emptied && (!listed || ((from ^ to) / 64 != 0)))) {
        pool_set_listed(descriptor, from, false);
        emptied = false;
    }
    if (PB_UNLIKELY(!listed))
        return;
    /* relaxed: as pool_set_listed */
    uint64_t bits = atomic_load_explicit(&descriptor->listed[word], memory_order_relaxed);
    if (emptied)
        bits &= ~((uint64_t)1 << from % 64);
    bits |= (uint64_t)1 << to % 64;
    atomic_store_explicit(&descriptor->listed[word], bits, memory_order_relaxed);
}

PB_INLINE void pool_unlist(const struct pool_space *space, struct pool_descriptor *descriptor,
                           struct pool_header *header, size_t granules, bool wide)
{
    if (pool_unlink(space, descriptor, header, granules, wide))
        pool_set_listed(descriptor, granules, false);
}

#endif
