/* SPDX-License-Identifier: MIT */
/* What guards a pool: a spin lock of nt/lock.h, or a mutex. Whoever takes it is at DISPATCH_LEVEL
 * while it is held, if the mode says so (nonpaged pool: NT's queued spin lock raises; paged pool's
 * guarded mutex does not). A queue lock's node lies in the hold, on the caller's stack.
 * The mode is the same for every guard of a class and is kept apart from the guard: a waiter must
 * not read the line that the holder writes.
 * Layout:  as struct pb_lock, the mutex in place of the lock's first line
 * Source:  ReactOS, expool (which lock guards which pool); nt/lock.h for the locks themselves.
 * Threads: any. May include: nt/. */
#ifndef PB_POOL_GUARD_H
#define PB_POOL_GUARD_H

#include "nt/lock.h"
#include "pool/options.h"

#include <poolbench/nt/irql.h>

union pool_guard {
    struct pb_lock lock; /* no slots: `hold` serves */
    pthread_mutex_t mutex;
};
_Static_assert(sizeof(pthread_mutex_t) <= PB_LOCK_LINE, "the counters are behind the mutex");

/* In pool_mode.lock, beside a kind that is a lock: each holder waits as path.h's knob says. Such a
 * guard is not of the plain kind. */
enum { POOL_LOCK_DELAYED = 0x80 };

struct pool_mode {
    unsigned char lock;   /* enum pool_lock_option, POOL_LOCK_DELAYED */
    unsigned char raises; /* to DISPATCH_LEVEL */
};

/* From the guard's lock to its unlock. */
struct pool_hold {
    ck_spinlock_mcs_context_t node;
    KIRQL irql;
};

/* Returns 0 or -errno. */
int pb_pool_guard_init(struct pool_mode mode, union pool_guard *guard);
void pb_pool_guard_fini(struct pool_mode mode, union pool_guard *guard);

/* The same for every kind but the one below, which is inline. */
void pb_pool_guard_lock(struct pool_mode mode, union pool_guard *guard, struct pool_hold *hold);
void pb_pool_guard_unlock(struct pool_mode mode, union pool_guard *guard, struct pool_hold *hold);

PB_INLINE bool pool_guard_plain(struct pool_mode mode)
{
    return mode.lock == POOL_LOCK_FAS && mode.raises;
}

/* The plain kind. */
PB_INLINE void pool_guard_lock_plain(union pool_guard *guard, struct pool_hold *hold)
{
    hold->irql = pb_irql;
    pb_irql = DISPATCH_LEVEL;
    fas_lock(&guard->lock, NULL);
}

PB_INLINE void pool_guard_unlock_plain(union pool_guard *guard, const struct pool_hold *hold)
{
    fas_unlock(&guard->lock, NULL);
    pb_irql = hold->irql;
}

PB_INLINE void pool_guard_lock(struct pool_mode mode, union pool_guard *guard,
                               struct pool_hold *hold)
{
    if (PB_UNLIKELY(!pool_guard_plain(mode))) {
        pb_pool_guard_lock(mode, guard, hold);
        return;
    }
    pool_guard_lock_plain(guard, hold);
}

PB_INLINE void pool_guard_unlock(struct pool_mode mode, union pool_guard *guard,
                                 struct pool_hold *hold)
{
    if (PB_UNLIKELY(!pool_guard_plain(mode))) {
        pb_pool_guard_unlock(mode, guard, hold);
        return;
    }
    pool_guard_unlock_plain(guard, hold);
}

#endif
