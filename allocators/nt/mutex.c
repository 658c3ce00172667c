/* SPDX-License-Identifier: MIT */
/* The sleeping mutexes and guarded regions of poolbench/nt/irql.h, over pthread's. A Linux mutex of
 * the default kind holds nothing that would have to be destroyed.
 * Source:  WDK, "Fast Mutexes and Guarded Mutexes", KeEnterGuardedRegion.
 * I1       OldIrql of a fast mutex is written and read by its holder alone
 * I2       after a bugcheck (checked mode: above APC_LEVEL) a call changes nothing
 * Threads: any. Cost: as pthread_mutex_lock; a level or a count beside it. */
#include <poolbench/nt/irql.h>

static _Thread_local ULONG regions; /* guarded ones that the thread is in */

/* FALSE after a bugcheck: nobody may sleep at that level. */
static BOOLEAN may_sleep(const void *mutex)
{
    if (!PbNtChecked || pb_irql <= APC_LEVEL)
        return TRUE;
    KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)mutex, pb_irql, 0, 0);
    return FALSE;
}

void ExInitializeFastMutex(PFAST_MUTEX FastMutex)
{
    (void)pthread_mutex_init(&FastMutex->Mutex, NULL);
    FastMutex->OldIrql = PASSIVE_LEVEL;
}

void ExAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    if (!may_sleep(FastMutex))
        return;
    KIRQL before = pb_irql;
    pb_irql = APC_LEVEL;
    (void)pthread_mutex_lock(&FastMutex->Mutex);
    FastMutex->OldIrql = before;
}

void ExReleaseFastMutex(PFAST_MUTEX FastMutex)
{
    if (!may_sleep(FastMutex))
        return;
    KIRQL before = FastMutex->OldIrql;
    (void)pthread_mutex_unlock(&FastMutex->Mutex);
    KeLowerIrql(before);
}

BOOLEAN ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    if (!may_sleep(FastMutex) || pthread_mutex_trylock(&FastMutex->Mutex) != 0)
        return FALSE;
    FastMutex->OldIrql = pb_irql;
    pb_irql = APC_LEVEL;
    return TRUE;
}

void ExAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    if (may_sleep(FastMutex))
        (void)pthread_mutex_lock(&FastMutex->Mutex);
}

void ExReleaseFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    if (may_sleep(FastMutex))
        (void)pthread_mutex_unlock(&FastMutex->Mutex);
}

void KeInitializeGuardedMutex(PKGUARDED_MUTEX Mutex)
{
    (void)pthread_mutex_init(&Mutex->Mutex, NULL);
}

void KeAcquireGuardedMutex(PKGUARDED_MUTEX Mutex)
{
    if (!may_sleep(Mutex))
        return;
    KeEnterGuardedRegion();
    (void)pthread_mutex_lock(&Mutex->Mutex);
}

void KeReleaseGuardedMutex(PKGUARDED_MUTEX Mutex)
{
    if (!may_sleep(Mutex))
        return;
    (void)pthread_mutex_unlock(&Mutex->Mutex);
    KeLeaveGuardedRegion();
}

BOOLEAN KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX Mutex)
{
    if (!may_sleep(Mutex) || pthread_mutex_trylock(&Mutex->Mutex) != 0)
        return FALSE;
    KeEnterGuardedRegion();
    return TRUE;
}

void KeAcquireGuardedMutexUnsafe(PKGUARDED_MUTEX Mutex)
{
    if (may_sleep(Mutex))
        (void)pthread_mutex_lock(&Mutex->Mutex);
}

void KeReleaseGuardedMutexUnsafe(PKGUARDED_MUTEX Mutex)
{
    if (may_sleep(Mutex))
        (void)pthread_mutex_unlock(&Mutex->Mutex);
}

void KeEnterGuardedRegion(void)
{
    if (may_sleep(NULL))
        regions++;
}

void KeLeaveGuardedRegion(void)
{
    if (may_sleep(NULL))
        regions--;
}

BOOLEAN KeAreAllApcsDisabled(void)
{
    return (BOOLEAN)(regions > 0 || pb_irql >= APC_LEVEL);
}
