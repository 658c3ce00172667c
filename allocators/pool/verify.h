/* SPDX-License-Identifier: MIT */
/* What is looked at before a block's header and links are believed, where the options say so: the
 * header against its neighbours and its page, links against their neighbours (link_checks), and the
 * whole page, block by block (page_walk). A fault is told to the caller, who drops the guard before
 * it bugchecks. Memory outside pages of blocks is not read, whatever stands in a header or link.
 * Source:  WDK, bug checks 0x19 and 0xC2; ReactOS, expool (ExpCheckPoolHeader, ExpCheckPoolLinks).
 * Threads: under the descriptor's guard. May include: pool/space.h. */
#ifndef PB_POOL_VERIFY_H
#define PB_POOL_VERIFY_H

#include "pool/space.h"

/* A bugcheck to be made; code 0: nothing is wrong. */
struct pool_fault {
    uint32_t code;
    uint64_t p1, p2, p3, p4;
};

/* A block that is about to be freed, and what it would be joined with. False: *fault says why not.
 */
bool pb_pool_verify_used(const struct pool_space *space, struct pool_descriptor *descriptor,
                         struct pool_header *header, struct pool_fault *fault);

/* A free block that is about to be taken off list `list`. */
bool pb_pool_verify_free(const struct pool_space *space, struct pool_descriptor *descriptor,
                         struct pool_header *header, unsigned list, struct pool_fault *fault);

/* Makes the bugcheck, with nothing held. */
void pb_pool_report(const struct pool_fault *fault);

/* Whether an address lies in a page of blocks. */
PB_INLINE bool pool_in_blocks(const struct pool_space *space, const void *at)
{
    return pool_in_arena(space, at) &&
           (pool_page_kind(space, at) & ~(unsigned)POOL_PAGE_START) == POOL_PAGE_BLOCKS;
}

#endif
