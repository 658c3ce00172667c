/* SPDX-License-Identifier: MIT */
/* A lookaside list's own business: what the calls of poolbench/nt/lookaside.h and the strategy's
 * heaps do to a GENERAL_LOOKASIDE. The public types are the same record at two alignments; here
 * both are reached as one type that may alias, aligned to 16 as a list of the WDK's is promised to
 * be. Counters are plain words, as NT's are, and written without a locked instruction: load, add,
 * store, each atomic and relaxed, so that there is no data race and no tear; two processors that
 * count at once may lose a count, and one that was stopped between load and store may set a count
 * back. Threads: any. May touch: nt/slist.h, nt/tuning.h. */
#ifndef PB_LOOKASIDE_LIST_H
#define PB_LOOKASIDE_LIST_H

#include "nt/slist.h"
#include "nt/tuning.h"

#include <poolbench/nt/lookaside.h>

typedef struct pb_general {
    PB_GENERAL_LOOKASIDE_FIELDS
} __attribute__((may_alias)) pb_general;
_Static_assert(sizeof(pb_general) == sizeof(GENERAL_LOOKASIDE_POOL), "the same record");

/* SLIST's Depth wraps at 65536: a list that is never asked to hold more than half of that cannot be
 * taken for an empty one, however many threads overshoot. */
enum { PB_LOOKASIDE_DEPTH_MOST = 32768 };

/* Bits of Future[0]: the depth is the owner's and is never adjusted; the lock behind the record
 * guards the list, as in NT 4. */
enum { PB_LOOKASIDE_FIXED = 1, PB_LOOKASIDE_LOCKED = 2 };

PB_INLINE void pb_general_count(ULONG *counter)
{
    /* relaxed: a count orders nothing */
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

/* Whether the list takes no more. Depth is tested before a push and apart from it, as NT does:
 * those who free at the same moment may each find room, so a list can be deeper than Depth by as
 * many as there are threads. */
PB_INLINE bool pb_general_full(const SLIST_HEADER *head, const USHORT *depth)
{
    /* relaxed: the tuner may change it at any time, and an old value does as well */
    return pb_slist_depth(head) >= __atomic_load_n(depth, __ATOMIC_RELAXED);
}

/* One period's adjustment. One thread a list at a time; others may use the list. */
void pb_general_adjust(pb_general *list, const struct pb_tuning *tuning);

/* One period's adjustment of every list of the executive's two chains. */
void pb_general_adjust_chains(const struct pb_tuning *tuning);

#endif
