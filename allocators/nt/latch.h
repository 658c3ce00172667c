/* SPDX-License-Identifier: MIT */
/* A spin lock that is one word (fetch-and-store) and nothing else: for tables that are locked for a
 * few instructions and of which no figure is wanted. Zeroed memory is a free one. The level of the
 * holder is left alone: nothing that asks for it is called with a latch held.
 * Source: Concurrency Kit, spinlock/fas; nt/lock.h for the annotations. Threads: any. */
#ifndef PB_NT_LATCH_H
#define PB_NT_LATCH_H

#include "nt/lock.h"

struct pb_latch {
    ck_spinlock_fas_t word;
};

static inline void pb_latch_lock(struct pb_latch *latch)
{
    PB_LOCK_BEFORE_LOCK(latch);
    ck_spinlock_fas_lock(&latch->word);
    PB_LOCK_AFTER_LOCK(latch);
}

static inline void pb_latch_unlock(struct pb_latch *latch)
{
    PB_LOCK_BEFORE_UNLOCK(latch);
    ck_spinlock_fas_unlock(&latch->word);
    PB_LOCK_AFTER_UNLOCK(latch);
}

#endif
