/* SPDX-License-Identifier: MIT */
/* Section F, locks: what checked mode finds of their misuse, and that nothing is changed then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"

static void twice_by_one_thread(void **state)
{
    KSPIN_LOCK lock, queued;
    KLOCK_QUEUE_HANDLE handle, again;
    KIRQL before, inner = 99;
    (void)state;
    KeInitializeSpinLock(&lock);
    KeInitializeSpinLock(&queued);
    KeAcquireSpinLock(&lock, &before);
    expect_bugcheck(KeAcquireSpinLock(&lock, &inner), SPIN_LOCK_ALREADY_OWNED, &lock);
    assert_int_equal(inner, DISPATCH_LEVEL);
    expect_bugcheck(KeAcquireSpinLockAtDpcLevel(&lock), SPIN_LOCK_ALREADY_OWNED, &lock);
    assert_int_equal(KeTryToAcquireSpinLockAtDpcLevel(&lock), FALSE); /* a try may fail */
    KeReleaseSpinLock(&lock, before);
    KeAcquireInStackQueuedSpinLock(&queued, &handle);
    expect_bugcheck(KeAcquireInStackQueuedSpinLock(&queued, &again), SPIN_LOCK_ALREADY_OWNED,
                    &queued);
    expect_bugcheck(KeAcquireInStackQueuedSpinLockAtDpcLevel(&queued, &again),
                    SPIN_LOCK_ALREADY_OWNED, &queued);
    expect_bugcheck(KeReleaseInStackQueuedSpinLock(&again), SPIN_LOCK_NOT_OWNED, &queued);
    KeReleaseInStackQueuedSpinLock(&handle);
    assert_int_equal(queued, 0);
}

static void released_by_nobody(void **state)
{
    KSPIN_LOCK lock;
    KLOCK_QUEUE_HANDLE handle;
    KIRQL before = KeRaiseIrqlToDpcLevel();
    (void)state;
    KeInitializeSpinLock(&lock);
    expect_bugcheck(KeReleaseSpinLock(&lock, before), SPIN_LOCK_NOT_OWNED, &lock);
    expect_bugcheck(KeReleaseSpinLockFromDpcLevel(&lock), SPIN_LOCK_NOT_OWNED, &lock);
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&lock, &handle);
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&handle);
    expect_bugcheck(KeReleaseInStackQueuedSpinLockFromDpcLevel(&handle), SPIN_LOCK_NOT_OWNED,
                    &lock);
    expect_bugcheck(KeReleaseInStackQueuedSpinLock(&handle), SPIN_LOCK_NOT_OWNED, &lock);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeLowerIrql(before);
}

struct lent {
    KSPIN_LOCK plain, queued;
    KLOCK_QUEUE_HANDLE handle;
};

static void release_anothers(void *shared, unsigned index)
{
    struct lent *lent = shared;
    KIRQL before = KeRaiseIrqlToDpcLevel();
    (void)index;
    KeReleaseSpinLockFromDpcLevel(&lent->plain);
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&lent->handle);
    KeLowerIrql(before);
}

static void released_by_another(void **state)
{
    struct lent lent;
    KIRQL before;
    (void)state;
    KeInitializeSpinLock(&lent.plain);
    KeInitializeSpinLock(&lent.queued);
    KeAcquireSpinLock(&lent.plain, &before);
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&lent.queued, &lent.handle);
    nt_run_threads(1, release_anothers, &lent);
    assert_int_equal(nt_seen.n, 2);
    assert_int_equal(nt_seen.code, SPIN_LOCK_NOT_OWNED);
    assert_int_equal(nt_seen.p[0], (ULONG_PTR)&lent.queued);
    nt_forget();
    assert_int_equal(KeTestSpinLock(&lent.plain), FALSE);
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&lent.handle);
    KeReleaseSpinLock(&lent.plain, before);
}

static void levels_of_callers(void **state)
{
    KSPIN_LOCK lock;
    KLOCK_QUEUE_HANDLE handle;
    KIRQL before, inner;
    (void)state;
    KeInitializeSpinLock(&lock);
    expect_bugcheck(KeAcquireSpinLockAtDpcLevel(&lock), IRQL_NOT_GREATER_OR_EQUAL, DISPATCH_LEVEL);
    expect_bugcheck(KeReleaseSpinLockFromDpcLevel(&lock), IRQL_NOT_GREATER_OR_EQUAL,
                    DISPATCH_LEVEL);
    expect_bugcheck((void)KeTryToAcquireSpinLockAtDpcLevel(&lock), IRQL_NOT_GREATER_OR_EQUAL,
                    DISPATCH_LEVEL);
    expect_bugcheck(KeAcquireInStackQueuedSpinLockAtDpcLevel(&lock, &handle),
                    IRQL_NOT_GREATER_OR_EQUAL, DISPATCH_LEVEL);
    expect_bugcheck(KeReleaseSpinLock(&lock, PASSIVE_LEVEL), IRQL_NOT_GREATER_OR_EQUAL,
                    DISPATCH_LEVEL);
    KeRaiseIrql(CLOCK_LEVEL, &before);
    expect_bugcheck(KeAcquireSpinLock(&lock, &inner), IRQL_NOT_LESS_OR_EQUAL, &lock);
    assert_int_equal(nt_seen.p[1], CLOCK_LEVEL);
    expect_bugcheck(KeAcquireInStackQueuedSpinLock(&lock, &handle), IRQL_NOT_LESS_OR_EQUAL, &lock);
    assert_int_equal(lock, 0);
    KeLowerIrql(before);
}

static void a_release_never_raises(void **state)
{
    KSPIN_LOCK lock;
    KLOCK_QUEUE_HANDLE handle;
    KIRQL before;
    (void)state;
    KeInitializeSpinLock(&lock);
    KeAcquireSpinLock(&lock, &before);
    expect_bugcheck(KeReleaseSpinLock(&lock, CLOCK_LEVEL), IRQL_NOT_LESS_OR_EQUAL, CLOCK_LEVEL);
    assert_int_equal(KeTestSpinLock(&lock), FALSE);
    KeReleaseSpinLock(&lock, before);
    KeAcquireInStackQueuedSpinLock(&lock, &handle);
    handle.OldIrql = CLOCK_LEVEL;
    expect_bugcheck(KeReleaseInStackQueuedSpinLock(&handle), IRQL_NOT_LESS_OR_EQUAL, CLOCK_LEVEL);
    assert_int_equal(KeTestSpinLock(&lock), FALSE);
    handle.OldIrql = before;
    KeReleaseInStackQueuedSpinLock(&handle);
    assert_int_equal(lock, 0);
}

/* More queued locks than the thread keeps account of. */
static void many_queued_locks(void **state)
{
    enum { MANY = 20 };
    KSPIN_LOCK locks[MANY];
    KLOCK_QUEUE_HANDLE handles[MANY];
    KIRQL before = KeRaiseIrqlToDpcLevel();
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        KeInitializeSpinLock(&locks[i]);
        KeAcquireInStackQueuedSpinLockAtDpcLevel(&locks[i], &handles[i]);
    }
    for (unsigned i = 0; i < MANY; i++)
        KeReleaseInStackQueuedSpinLockFromDpcLevel(&handles[i]);
    for (unsigned i = 0; i < MANY; i++) { /* none is taken for held */
        KeAcquireInStackQueuedSpinLockAtDpcLevel(&locks[i], &handles[i]);
        KeReleaseInStackQueuedSpinLockFromDpcLevel(&handles[i]);
        assert_int_equal(nt_seen.n, 0);
    }
    expect_bugcheck(KeReleaseInStackQueuedSpinLockFromDpcLevel(&handles[0]), SPIN_LOCK_NOT_OWNED,
                    &locks[0]);
    KeLowerIrql(before);
}

static void mutexes_sleep(void **state)
{
    FAST_MUTEX fast;
    KGUARDED_MUTEX guarded;
    KIRQL before;
    (void)state;
    ExInitializeFastMutex(&fast);
    KeInitializeGuardedMutex(&guarded);
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    expect_bugcheck(ExAcquireFastMutex(&fast), IRQL_NOT_LESS_OR_EQUAL, &fast);
    assert_int_equal(nt_seen.p[1], DISPATCH_LEVEL);
    expect_bugcheck(ExAcquireFastMutexUnsafe(&fast), IRQL_NOT_LESS_OR_EQUAL, &fast);
    expect_bugcheck((void)ExTryToAcquireFastMutex(&fast), IRQL_NOT_LESS_OR_EQUAL, &fast);
    expect_bugcheck(ExReleaseFastMutex(&fast), IRQL_NOT_LESS_OR_EQUAL, &fast);
    expect_bugcheck(KeAcquireGuardedMutex(&guarded), IRQL_NOT_LESS_OR_EQUAL, &guarded);
    expect_bugcheck(KeAcquireGuardedMutexUnsafe(&guarded), IRQL_NOT_LESS_OR_EQUAL, &guarded);
    expect_bugcheck((void)KeTryToAcquireGuardedMutex(&guarded), IRQL_NOT_LESS_OR_EQUAL, &guarded);
    expect_bugcheck(KeReleaseGuardedMutex(&guarded), IRQL_NOT_LESS_OR_EQUAL, &guarded);
    KeLowerIrql(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("F: a lock acquired twice is SPIN_LOCK_ALREADY_OWNED", twice_by_one_thread),
        nt_test("F: a lock not held and released is SPIN_LOCK_NOT_OWNED", released_by_nobody),
        nt_test("F: a lock of another thread's and released is SPIN_LOCK_NOT_OWNED",
                released_by_another),
        nt_test("F: spin locks <= DISPATCH, AtDpcLevel forms at DISPATCH", levels_of_callers),
        nt_test("F: a release to a higher level is IRQL_NOT_LESS_OR_EQUAL and releases nothing",
                a_release_never_raises),
        nt_test("F: however many queued locks a thread held, none is taken for held afterwards",
                many_queued_locks),
        nt_test("F: mutexes <= APC", mutexes_sleep),
    };
    return cmocka_run_group_tests_name("lock_misuse", tests, NULL, NULL);
}
