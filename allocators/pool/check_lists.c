/* SPDX-License-Identifier: MIT */
/* The lookaside lists, walked: each block is of the list's size, and lies in one list, once. To see
 * that, the walk turns each block's mark of a cached block over, and the walk back restores it: a
 * block that is met twice is met turned. Threads: none may be in the pool. */
#include "pool/space.h"
#include "pool/verify.h"

#include <errno.h>
#include <stdio.h>

/* The user area of a list's first block, and of the one behind a block; NULL: none. */
static void *list_first(const struct pool_space *space, const union pool_list *list)
{
    const SLIST_HEADER *head = &list->general.ListHead;
    if (space->shape.wide)
        return pb_slist_first(head);
    return (uint32_t)head->Alignment != 0 ? space->base + (uint32_t)head->Alignment : NULL;
}

static void *list_next(const struct pool_space *space, const void *user)
{
    if (space->shape.wide)
        return ((const SLIST_ENTRY *)user)->Next;
    uint32_t offset = *(const uint32_t *)user;
    return offset != 0 ? space->base + offset : NULL;
}

static const char *list_block_fault(const struct pool_space *space, const void *user,
                                    unsigned granules, bool marked)
{
    const bool wide = space->shape.wide;
    const struct pool_header *header = pool_header_before(user, wide);
    if (!pool_in_blocks(space, user) || BYTE_OFFSET(user) == 0 ||
        ((uintptr_t)header & (space->shape.granule - 1u)) != 0)
        return "leads to no block";
    if (pool_type(header, wide) == POOL_TYPE_FREE || pool_size(header, wide) != granules)
        return "leads to a block that is free, or not of its size";
    return (pool_type(header, wide) & POOL_TYPE_CACHED) == (marked ? POOL_TYPE_CACHED : 0)
               ? NULL
               : "leads to a block twice, or to one that another list has too";
}

static void list_turn(const struct pool_space *space, void *user)
{
    const bool wide = space->shape.wide;
    struct pool_header *header = pool_header_before(user, wide);
    pool_set_size(header, pool_size(header, wide), pool_type(header, wide) ^ POOL_TYPE_CACHED,
                  wide);
}

/* Turns the marks of a list's blocks, which are as `marked` says, up to `most` of them; returns how
 * many there were, and what is wrong with the one behind. */
static unsigned list_walk(const struct pool_space *space, const union pool_list *list, bool marked,
                          unsigned most, const char **what)
{
    unsigned count = 0;
    unsigned granules = list->general.Size >> space->shape.shift;
    for (void *user = list_first(space, list); user != NULL && count < most;
         user = list_next(space, user), count++) {
        *what = list_block_fault(space, user, granules, marked);
        if (*what != NULL)
            return count;
        list_turn(space, user);
    }
    return count;
}

int pb_pool_lists_check(struct pool_space *space, char *message, size_t message_size)
{
    const struct pool_lists *lists = &space->lists;
    const bool marked = space->shape.checked;
    const char *what = NULL;
    const char *ignored;
    union pool_list *list, *bad = NULL;
    unsigned met = 0;
    size_t n = 0;
    for (; what == NULL && (list = pb_pool_lists_at(lists, n)) != NULL; n++) {
        unsigned depth = pool_list_depth(list, space->shape.wide);
        met = list_walk(space, list, marked, UINT32_MAX, &what);
        if (what == NULL && met != depth)
            what = "does not hold as many blocks as it says";
        bad = what != NULL ? list : NULL;
    }
    while (n-- > 0) {
        list = pb_pool_lists_at(lists, n);
        (void)list_walk(space, list, !marked, list == bad ? met : UINT32_MAX, &ignored);
    }
    if (bad == NULL)
        return 0;
    snprintf(message, message_size, "lookaside list of %u bytes: %s", bad->general.Size, what);
    return -EINVAL;
}
