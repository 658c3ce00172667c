/* SPDX-License-Identifier: MIT */
/* The guards that guard.h does not fold in. */
#include "pool/guard.h"
#include "path.h"

static unsigned guard_kind(struct pool_mode mode)
{
    return mode.lock & ~(unsigned)POOL_LOCK_DELAYED;
}

int pb_pool_guard_init(struct pool_mode mode, union pool_guard *guard)
{
    guard->lock = (struct pb_lock){.acquisitions = 0};
    switch (guard_kind(mode)) {
    case POOL_LOCK_FAS:
        ck_spinlock_fas_init(&guard->lock.word.fas);
        break;
    case POOL_LOCK_DEC:
        ck_spinlock_dec_init(&guard->lock.word.dec);
        break;
    case POOL_LOCK_TICKET:
        ck_spinlock_ticket_init(&guard->lock.word.ticket);
        guard->lock.contended = PB_STAT_UNKNOWN;
        break;
    case POOL_LOCK_MCS:
        ck_spinlock_mcs_init(&guard->lock.word.mcs);
        guard->lock.contended = PB_STAT_UNKNOWN;
        break;
    case POOL_LOCK_MUTEX:
        return -pthread_mutex_init(&guard->mutex, NULL);
    default:
        break;
    }
    return 0;
}

void pb_pool_guard_fini(struct pool_mode mode, union pool_guard *guard)
{
    if (guard_kind(mode) == POOL_LOCK_MUTEX)
        (void)pthread_mutex_destroy(&guard->mutex); /* fails only while it is held */
}

static void guard_lock_mcs(struct pb_lock *lock, struct pool_hold *hold)
{
    PB_LOCK_BEFORE_LOCK(lock);
    ck_spinlock_mcs_lock(&lock->word.mcs, &hold->node);
    PB_LOCK_AFTER_LOCK(lock);
    lock->acquisitions++;
}

static void guard_unlock_mcs(struct pb_lock *lock, struct pool_hold *hold)
{
    PB_LOCK_BEFORE_UNLOCK(lock);
    ck_spinlock_mcs_unlock(&lock->word.mcs, &hold->node);
    PB_LOCK_AFTER_UNLOCK(lock);
}

static void guard_lock_mutex(union pool_guard *guard)
{
    bool waited = pthread_mutex_trylock(&guard->mutex) != 0;
    if (waited)
        (void)pthread_mutex_lock(&guard->mutex); /* a plain mutex that is not ours: cannot fail */
    guard->lock.acquisitions++;
    guard->lock.contended += waited;
}

static void guard_lock_delayed(unsigned kind, union pool_guard *guard, struct pool_hold *hold);
static void guard_unlock_delayed(unsigned kind, union pool_guard *guard, struct pool_hold *hold);

/* What is no kind of its own is a delayed one: the others pay nothing for that. */
PB_INLINE void guard_lock(unsigned kind, union pool_guard *guard, struct pool_hold *hold)
{
    switch (kind) {
    case POOL_LOCK_FAS:
        fas_lock(&guard->lock, NULL);
        break;
    case POOL_LOCK_NONE:
        break;
    case POOL_LOCK_DEC:
        dec_lock(&guard->lock, NULL);
        break;
    case POOL_LOCK_TICKET:
        ticket_lock(&guard->lock, NULL);
        break;
    case POOL_LOCK_MCS:
        guard_lock_mcs(&guard->lock, hold);
        break;
    case POOL_LOCK_MUTEX:
        guard_lock_mutex(guard);
        break;
    default:
        guard_lock_delayed(kind, guard, hold);
        break;
    }
}

PB_INLINE void guard_unlock(unsigned kind, union pool_guard *guard, struct pool_hold *hold)
{
    switch (kind) {
    case POOL_LOCK_FAS:
        fas_unlock(&guard->lock, NULL);
        break;
    case POOL_LOCK_NONE:
        break;
    case POOL_LOCK_DEC:
        dec_unlock(&guard->lock, NULL);
        break;
    case POOL_LOCK_TICKET:
        ticket_unlock(&guard->lock, NULL);
        break;
    case POOL_LOCK_MCS:
        guard_unlock_mcs(&guard->lock, hold);
        break;
    case POOL_LOCK_MUTEX:
        (void)pthread_mutex_unlock(&guard->mutex); /* ours: cannot fail */
        break;
    default:
        guard_unlock_delayed(kind, guard, hold);
        break;
    }
}

static PB_NOINLINE void guard_lock_delayed(unsigned kind, union pool_guard *guard,
                                           struct pool_hold *hold)
{
    guard_lock(kind - POOL_LOCK_DELAYED, guard, hold);
    pb_path_locked();
}

static PB_NOINLINE void guard_unlock_delayed(unsigned kind, union pool_guard *guard,
                                             struct pool_hold *hold)
{
    guard_unlock(kind - POOL_LOCK_DELAYED, guard, hold);
}

void pb_pool_guard_lock(struct pool_mode mode, union pool_guard *guard, struct pool_hold *hold)
{
    hold->irql = pb_irql;
    if (mode.raises)
        pb_irql = DISPATCH_LEVEL;
    guard_lock(mode.lock, guard, hold);
}

void pb_pool_guard_unlock(struct pool_mode mode, union pool_guard *guard, struct pool_hold *hold)
{
    guard_unlock(mode.lock, guard, hold);
    pb_irql = hold->irql;
}
