/* SPDX-License-Identifier: MIT */
/* Levels and spin locks of poolbench/nt/irql.h.
 * Source:  WDK, "Managing Hardware Priorities", "Introduction to Spin Locks", "Queued Spin Locks";
 *          J. M. Mellor-Crummey and M. L. Scott, "Algorithms for Scalable Synchronization", ACM
 *          TOCS 9(1), 1991. The plain lock is Concurrency Kit's fas.
 * Layout:  plain   | fas 32 | owner 32 |   the owner's number in checked mode, else 0
 *          queued  the last waiter's handle, 0 if free. In a handle's Lock the two low bits say
 *          whether it waits or owns, as NT's do
 * I1       a word is 0 if and only if the lock is free
 * I2       a bugcheck is called with no lock held that the call took, and the call then changes
 *          nothing: what it should have taken is not taken, what it should have left is not left
 * Locks    these. Level and held queued locks are the thread's own
 * Cost     plain: one exchange and one store a pair, and the level; queued: one exchange to take,
 *          one compare-exchange or store to leave, waiters spin each on its own line */
#include "nt/lock.h"
#include "nt/spin.h"

#include <stdatomic.h>

BOOLEAN PbNtChecked =
#if defined(PB_CHECK) && PB_CHECK >= 1
    TRUE;
#else
    FALSE;
#endif

_Thread_local KIRQL pb_irql;

enum { QUEUE_WAIT = 1, QUEUE_OWNER = 2, QUEUE_FLAGS = 3, HELD_MOST = 16 };

struct spin {
    ck_spinlock_fas_t lock;
    uint32_t owner; /* 0: nobody, or not known */
} __attribute__((may_alias));
_Static_assert(sizeof(struct spin) == sizeof(KSPIN_LOCK), "lock and owner share the word");

/* In checked mode: the queued locks that the thread holds, and how many more it does. While there
 * are such, a lock that is not among the known ones may be one of them. */
static _Thread_local struct {
    unsigned known, more;
    PKSPIN_LOCK locks[HELD_MOST];
} held;

/* Numbers of threads, from 1. */
static uint32_t own_number(void)
{
    static _Atomic uint32_t last;
    static _Thread_local uint32_t own;
    if (own == 0)
        own = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1; /* only unique */
    return own;
}

/* FALSE after a bugcheck: the thread is above `most`, the highest level that the call is for. */
static BOOLEAN is_at_most(KIRQL most, const volatile void *subject)
{
    if (pb_irql <= most)
        return TRUE;
    KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)subject, pb_irql, 0, 0);
    return FALSE;
}

static BOOLEAN is_at_least(KIRQL least)
{
    if (pb_irql >= least)
        return TRUE;
    KeBugCheckEx(IRQL_NOT_GREATER_OR_EQUAL, least, pb_irql, 0, 0);
    return FALSE;
}

void KeRaiseIrql(KIRQL NewIrql, PKIRQL OldIrql)
{
    *OldIrql = pb_irql;
    if (NewIrql < pb_irql)
        KeBugCheckEx(IRQL_NOT_GREATER_OR_EQUAL, NewIrql, pb_irql, 0, 0);
    else
        pb_irql = NewIrql;
}

KIRQL KeRaiseIrqlToDpcLevel(void)
{
    KIRQL before;
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    return before;
}

/* FALSE after a bugcheck: that would be to raise. */
static BOOLEAN may_lower(KIRQL level)
{
    if (level <= pb_irql)
        return TRUE;
    KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, level, pb_irql, 0, 0);
    return FALSE;
}

void KeLowerIrql(KIRQL NewIrql)
{
    if (may_lower(NewIrql))
        pb_irql = NewIrql;
}

void pb_paged_code(void)
{
    (void)is_at_most(APC_LEVEL, __builtin_return_address(0));
}

/* Raises without a check: to DISPATCH_LEVEL from a higher level is to stay there. */
static KIRQL raise_to(KIRQL level)
{
    KIRQL before = pb_irql;
    if (before < level)
        pb_irql = level;
    return before;
}

static struct spin *spin_of(PKSPIN_LOCK lock)
{
    return (struct spin *)(void *)lock;
}

/* relaxed, here and where it is written: the number is the reader's own only if it wrote it */
static BOOLEAN has_spin(PKSPIN_LOCK lock)
{
    return (BOOLEAN)(__atomic_load_n(&spin_of(lock)->owner, __ATOMIC_RELAXED) == own_number());
}

/* FALSE after a bugcheck: to spin would be for ever. */
static BOOLEAN may_spin(PKSPIN_LOCK lock)
{
    if (!has_spin(lock))
        return TRUE;
    KeBugCheckEx(SPIN_LOCK_ALREADY_OWNED, (ULONG_PTR)lock, 0, 0, 0);
    return FALSE;
}

/* FALSE after a bugcheck: the lock is another thread's, or nobody's. */
static BOOLEAN may_release(PKSPIN_LOCK lock)
{
    if (has_spin(lock))
        return TRUE;
    KeBugCheckEx(SPIN_LOCK_NOT_OWNED, (ULONG_PTR)lock, 0, 0, 0);
    return FALSE;
}

static void sign(PKSPIN_LOCK lock)
{
    if (PbNtChecked)
        __atomic_store_n(&spin_of(lock)->owner, own_number(), __ATOMIC_RELAXED);
}

static void spin_take(PKSPIN_LOCK lock)
{
    PB_LOCK_BEFORE_LOCK(lock);
    ck_spinlock_fas_lock(&spin_of(lock)->lock);
    PB_LOCK_AFTER_LOCK(lock);
    sign(lock);
}

static void spin_leave(PKSPIN_LOCK lock)
{
    if (PbNtChecked)
        __atomic_store_n(&spin_of(lock)->owner, 0, __ATOMIC_RELAXED);
    PB_LOCK_BEFORE_UNLOCK(lock);
    ck_spinlock_fas_unlock(&spin_of(lock)->lock);
    PB_LOCK_AFTER_UNLOCK(lock);
}

void KeInitializeSpinLock(PKSPIN_LOCK SpinLock)
{
    __atomic_store_n(SpinLock, 0, __ATOMIC_RELAXED); /* whoever publishes the lock orders */
}

KIRQL KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock)
{
    if (PbNtChecked && (!is_at_most(DISPATCH_LEVEL, SpinLock) || !may_spin(SpinLock)))
        return pb_irql;
    KIRQL before = raise_to(DISPATCH_LEVEL);
    spin_take(SpinLock);
    return before;
}

void KeAcquireSpinLock(PKSPIN_LOCK SpinLock, PKIRQL OldIrql)
{
    *OldIrql = KeAcquireSpinLockRaiseToDpc(SpinLock);
}

void KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql)
{
    if (PbNtChecked && (!is_at_least(DISPATCH_LEVEL) || !may_release(SpinLock)))
        return;
    if (!may_lower(NewIrql))
        return;
    spin_leave(SpinLock);
    pb_irql = NewIrql;
}

void KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    if (!PbNtChecked || (is_at_least(DISPATCH_LEVEL) && may_spin(SpinLock)))
        spin_take(SpinLock);
}

void KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock)
{
    if (!PbNtChecked || (is_at_least(DISPATCH_LEVEL) && may_release(SpinLock)))
        spin_leave(SpinLock);
}

BOOLEAN KeTryToAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    if (PbNtChecked && !is_at_least(DISPATCH_LEVEL))
        return FALSE;
    if (!ck_spinlock_fas_trylock(&spin_of(SpinLock)->lock))
        return FALSE;
    PB_LOCK_BEFORE_LOCK(SpinLock); /* told afterwards: a try that failed is no event */
    PB_LOCK_AFTER_LOCK(SpinLock);
    sign(SpinLock);
    return TRUE;
}

BOOLEAN KeTestSpinLock(PKSPIN_LOCK SpinLock)
{
    /* relaxed: the answer is old as soon as it is read */
    return (BOOLEAN)(__atomic_load_n(SpinLock, __ATOMIC_RELAXED) == 0);
}

BOOLEAN pb_interlock(PKSPIN_LOCK lock, PKIRQL before)
{
    if (PbNtChecked && !may_spin(lock))
        return FALSE;
    *before = raise_to(HIGH_LEVEL);
    spin_take(lock);
    return TRUE;
}

void pb_interlock_end(PKSPIN_LOCK lock, KIRQL before)
{
    spin_leave(lock);
    pb_irql = before;
}

/* Where the thread keeps that it holds a queued lock, or the end. */
static unsigned find_held(PKSPIN_LOCK lock)
{
    unsigned i = 0;
    while (i < held.known && held.locks[i] != lock)
        i++;
    return i;
}

static BOOLEAN may_queue(PKSPIN_LOCK lock)
{
    if (find_held(lock) == held.known)
        return TRUE;
    KeBugCheckEx(SPIN_LOCK_ALREADY_OWNED, (ULONG_PTR)lock, 0, 0, 0);
    return FALSE;
}

static PKSPIN_LOCK queue_lock(PKSPIN_LOCK_QUEUE handle)
{
    return (PKSPIN_LOCK)((ULONG_PTR)handle->Lock & ~(ULONG_PTR)QUEUE_FLAGS);
}

static BOOLEAN may_dequeue(PKSPIN_LOCK_QUEUE handle)
{
    PKSPIN_LOCK lock = queue_lock(handle);
    if (((ULONG_PTR)handle->Lock & QUEUE_OWNER) != 0 &&
        (held.more != 0 || find_held(lock) < held.known))
        return TRUE;
    KeBugCheckEx(SPIN_LOCK_NOT_OWNED, (ULONG_PTR)lock, 0, 0, 0);
    return FALSE;
}

static void note_held(PKSPIN_LOCK lock)
{
    if (!PbNtChecked)
        return;
    if (held.known < HELD_MOST)
        held.locks[held.known++] = lock;
    else
        held.more++;
}

static void note_left(PKSPIN_LOCK lock)
{
    if (!PbNtChecked)
        return;
    unsigned i = find_held(lock);
    if (i < held.known)
        held.locks[i] = held.locks[--held.known];
    else if (held.more != 0)
        held.more--;
}

static PKSPIN_LOCK flagged(PKSPIN_LOCK lock, ULONG_PTR flag)
{
    return (PKSPIN_LOCK)((ULONG_PTR)lock | flag);
}

static void queue_take(PKSPIN_LOCK lock, PKSPIN_LOCK_QUEUE handle)
{
    handle->Next = NULL;
    handle->Lock = flagged(lock, QUEUE_WAIT);
    /* release: the handle is whole before it is seen; acquire: what the last holder wrote */
    ULONG_PTR last = __atomic_exchange_n(lock, (ULONG_PTR)handle, __ATOMIC_ACQ_REL);
    if (last == 0) {
        handle->Lock = flagged(lock, QUEUE_OWNER);
    } else {
        /* release: as above, for the holder, who reaches the handle this way */
        __atomic_store_n(&((PKSPIN_LOCK_QUEUE)last)->Next, handle, __ATOMIC_RELEASE);
        /* acquire: pairs with the store by which the holder hands the lock over */
        while (((ULONG_PTR)__atomic_load_n(&handle->Lock, __ATOMIC_ACQUIRE) & QUEUE_WAIT) != 0)
            ck_pr_stall();
    }
    note_held(lock);
}

static void queue_leave(PKSPIN_LOCK_QUEUE handle)
{
    PKSPIN_LOCK lock = queue_lock(handle);
    ULONG_PTR last = (ULONG_PTR)handle;
    /* acquire: pairs with the waiter's store, so that its handle is written to after that */
    PKSPIN_LOCK_QUEUE next = __atomic_load_n(&handle->Next, __ATOMIC_ACQUIRE);
    note_left(lock);
    handle->Lock = lock; /* neither waits nor owns */
    /* release: the next holder's exchange sees all that was written under the lock */
    if (next == NULL &&
        __atomic_compare_exchange_n(lock, &last, 0, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        return;
    while (next == NULL) { /* somebody is in line and about to say so */
        ck_pr_stall();
        next = __atomic_load_n(&handle->Next, __ATOMIC_ACQUIRE);
    }
    __atomic_store_n(&next->Lock, flagged(lock, QUEUE_OWNER), __ATOMIC_RELEASE);
}

void KeAcquireInStackQueuedSpinLock(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    LockHandle->OldIrql = pb_irql;
    LockHandle->LockQueue.Lock = SpinLock;
    if (PbNtChecked && (!is_at_most(DISPATCH_LEVEL, SpinLock) || !may_queue(SpinLock)))
        return;
    (void)raise_to(DISPATCH_LEVEL);
    queue_take(SpinLock, &LockHandle->LockQueue);
}

void KeReleaseInStackQueuedSpinLock(PKLOCK_QUEUE_HANDLE LockHandle)
{
    if (PbNtChecked && (!is_at_least(DISPATCH_LEVEL) || !may_dequeue(&LockHandle->LockQueue)))
        return;
    if (!may_lower(LockHandle->OldIrql))
        return;
    queue_leave(&LockHandle->LockQueue);
    pb_irql = LockHandle->OldIrql;
}

void KeAcquireInStackQueuedSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    LockHandle->OldIrql = pb_irql;
    LockHandle->LockQueue.Lock = SpinLock;
    if (!PbNtChecked || (is_at_least(DISPATCH_LEVEL) && may_queue(SpinLock)))
        queue_take(SpinLock, &LockHandle->LockQueue);
}

void KeReleaseInStackQueuedSpinLockFromDpcLevel(PKLOCK_QUEUE_HANDLE LockHandle)
{
    if (!PbNtChecked || (is_at_least(DISPATCH_LEVEL) && may_dequeue(&LockHandle->LockQueue)))
        queue_leave(&LockHandle->LockQueue);
}
