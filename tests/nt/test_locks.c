/* SPDX-License-Identifier: MIT */
/* Section F, locks: levels that they set and restore, exclusion under load. Their misuse is in
 * test_lock_misuse.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"

#include <sched.h>
#include <stdatomic.h>

enum { THREADS = 4, SPIN_ROUNDS = 4000, QUEUE_ROUNDS = 60, SLEEP_ROUNDS = 1000, LOCKS = 3 };

static void acquire_raises_and_release_restores(void **state)
{
    KSPIN_LOCK lock = 99;
    KIRQL before = 99, outer;
    (void)state;
    KeInitializeSpinLock(&lock);
    assert_int_equal(KeTestSpinLock(&lock), TRUE);
    KeRaiseIrql(APC_LEVEL, &outer);
    KeAcquireSpinLock(&lock, &before);
    assert_int_equal(before, APC_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_int_equal(KeTestSpinLock(&lock), FALSE);
    KeReleaseSpinLock(&lock, before);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    assert_int_equal(KeTestSpinLock(&lock), TRUE);
    assert_int_equal(KeAcquireSpinLockRaiseToDpc(&lock), APC_LEVEL);
    KeReleaseSpinLock(&lock, PASSIVE_LEVEL); /* the level is the caller's to give */
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_int_equal(lock, 0);
}

static void dpc_forms_change_no_level(void **state)
{
    KSPIN_LOCK lock;
    KIRQL before = KeRaiseIrqlToDpcLevel();
    (void)state;
    KeInitializeSpinLock(&lock);
    KeAcquireSpinLockAtDpcLevel(&lock);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_int_equal(KeTryToAcquireSpinLockAtDpcLevel(&lock), FALSE);
    KeReleaseSpinLockFromDpcLevel(&lock);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_int_equal(KeTryToAcquireSpinLockAtDpcLevel(&lock), TRUE);
    assert_int_equal(KeTestSpinLock(&lock), FALSE);
    KeReleaseSpinLockFromDpcLevel(&lock);
    KeLowerIrql(before);
}

static void queued_raises_and_restores(void **state)
{
    KSPIN_LOCK lock;
    KLOCK_QUEUE_HANDLE handle;
    KIRQL outer;
    (void)state;
    KeInitializeSpinLock(&lock);
    KeRaiseIrql(APC_LEVEL, &outer);
    KeAcquireInStackQueuedSpinLock(&lock, &handle);
    assert_int_equal(handle.OldIrql, APC_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_int_equal(KeTestSpinLock(&lock), FALSE);
    KeReleaseInStackQueuedSpinLock(&handle);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    assert_int_equal(lock, 0);
    KeRaiseIrql(DISPATCH_LEVEL, &outer);
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&lock, &handle);
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&handle);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeLowerIrql(PASSIVE_LEVEL);
}

static void queued_locks_nest(void **state)
{
    KSPIN_LOCK locks[LOCKS];
    KLOCK_QUEUE_HANDLE handles[LOCKS];
    (void)state;
    for (unsigned i = 0; i < LOCKS; i++) {
        KeInitializeSpinLock(&locks[i]);
        KeAcquireInStackQueuedSpinLock(&locks[i], &handles[i]);
    }
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&handles[1]); /* in any order */
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&handles[2]);
    KeReleaseInStackQueuedSpinLock(&handles[0]);
    for (unsigned i = 0; i < LOCKS; i++)
        assert_int_equal(KeTestSpinLock(&locks[i]), TRUE);
}

static void a_fast_mutex_raises_to_apc(void **state)
{
    FAST_MUTEX mutex;
    (void)state;
    ExInitializeFastMutex(&mutex);
    ExAcquireFastMutex(&mutex);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    assert_int_equal(ExTryToAcquireFastMutex(&mutex), FALSE);
    ExReleaseFastMutex(&mutex);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_int_equal(ExTryToAcquireFastMutex(&mutex), TRUE);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    ExReleaseFastMutex(&mutex);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    ExAcquireFastMutexUnsafe(&mutex);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    ExReleaseFastMutexUnsafe(&mutex);
}

static void a_guarded_mutex_leaves_the_level(void **state)
{
    KGUARDED_MUTEX mutex;
    (void)state;
    KeInitializeGuardedMutex(&mutex);
    KeAcquireGuardedMutex(&mutex);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    assert_int_equal(KeAreAllApcsDisabled(), TRUE);
    assert_int_equal(KeTryToAcquireGuardedMutex(&mutex), FALSE);
    KeReleaseGuardedMutex(&mutex);
    assert_int_equal(KeAreAllApcsDisabled(), FALSE);
    assert_int_equal(KeTryToAcquireGuardedMutex(&mutex), TRUE);
    assert_int_equal(KeAreAllApcsDisabled(), TRUE);
    KeReleaseGuardedMutex(&mutex);
    KeAcquireGuardedMutexUnsafe(&mutex);
    assert_int_equal(KeAreAllApcsDisabled(), FALSE);
    KeReleaseGuardedMutexUnsafe(&mutex);
}

/* One lock of each kind, and what it guards: plain, so that ThreadSanitizer sees a lock that fails.
 */
static struct bench {
    KSPIN_LOCK spin, queue;
    FAST_MUTEX fast;
    KGUARDED_MUTEX guarded;
    unsigned rounds;
    long counter;
    int inside, overlaps;
} bench;

static void enter(void)
{
    bench.overlaps += bench.inside;
    bench.inside = 1;
    bench.counter++;
    bench.inside = 0;
}

static void with_spin(void *shared, unsigned index)
{
    KIRQL before;
    (void)shared, (void)index;
    for (unsigned i = 0; i < bench.rounds; i++) {
        KeAcquireSpinLock(&bench.spin, &before);
        enter();
        KeReleaseSpinLock(&bench.spin, before);
    }
}

static void with_dpc(void *shared, unsigned index)
{
    KIRQL before = KeRaiseIrqlToDpcLevel();
    (void)shared;
    for (unsigned i = 0; i < bench.rounds; i++) {
        if (index % 2 == 0)
            KeAcquireSpinLockAtDpcLevel(&bench.spin);
        else
            while (!KeTryToAcquireSpinLockAtDpcLevel(&bench.spin))
                sched_yield();
        enter();
        KeReleaseSpinLockFromDpcLevel(&bench.spin);
    }
    KeLowerIrql(before);
}

static void with_queue(void *shared, unsigned index)
{
    KLOCK_QUEUE_HANDLE handle;
    (void)shared, (void)index;
    for (unsigned i = 0; i < bench.rounds; i++) {
        KeAcquireInStackQueuedSpinLock(&bench.queue, &handle);
        enter();
        KeReleaseInStackQueuedSpinLock(&handle);
    }
}

static void with_fast(void *shared, unsigned index)
{
    (void)shared, (void)index;
    for (unsigned i = 0; i < bench.rounds; i++) {
        if (i % 2 == 0 || !ExTryToAcquireFastMutex(&bench.fast))
            ExAcquireFastMutex(&bench.fast);
        enter();
        ExReleaseFastMutex(&bench.fast);
    }
}

static void with_guarded(void *shared, unsigned index)
{
    (void)shared, (void)index;
    for (unsigned i = 0; i < bench.rounds; i++) {
        if (i % 2 == 0 || !KeTryToAcquireGuardedMutex(&bench.guarded))
            KeAcquireGuardedMutex(&bench.guarded);
        enter();
        KeReleaseGuardedMutex(&bench.guarded);
    }
}

/* Few rounds for the queue, which hands over in order: to a thread without a processor, too. */
static void all_exclude(void **state)
{
    static const struct {
        void (*work)(void *, unsigned);
        unsigned threads, rounds;
    } loads[] = {{with_spin, THREADS, SPIN_ROUNDS},  {with_dpc, THREADS, SPIN_ROUNDS},
                 {with_queue, 2, 10 * QUEUE_ROUNDS}, {with_queue, THREADS, QUEUE_ROUNDS},
                 {with_fast, THREADS, SLEEP_ROUNDS}, {with_guarded, THREADS, SLEEP_ROUNDS}};
    (void)state;
    KeInitializeSpinLock(&bench.spin);
    KeInitializeSpinLock(&bench.queue);
    ExInitializeFastMutex(&bench.fast);
    KeInitializeGuardedMutex(&bench.guarded);
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        bench.rounds = loads[i].rounds;
        bench.counter = 0;
        nt_run_threads(loads[i].threads, loads[i].work, NULL);
        assert_int_equal(bench.counter, loads[i].threads * loads[i].rounds);
        assert_int_equal(bench.overlaps, 0);
    }
    assert_int_equal(bench.spin, 0);
    assert_int_equal(bench.queue, 0);
}

/* Waiters that stand in line while the lock is held are served in their order. */
static struct line {
    KSPIN_LOCK lock;
    KLOCK_QUEUE_HANDLE first;
    _Atomic unsigned standing;
    unsigned order[THREADS], served;
} line;

/* The first holds the lock until all stand in line; the others join one after the other, each when
 * the word shows that the one before is in it. */
static void stand_in_line(void *shared, unsigned index)
{
    KLOCK_QUEUE_HANDLE handle;
    (void)shared;
    while (atomic_load(&line.standing) != index)
        sched_yield();
    if (index == 0) {
        KeAcquireInStackQueuedSpinLock(&line.lock, &handle);
        ULONG_PTR last = line.lock;
        for (unsigned next = 1; next < THREADS; next++) {
            atomic_store(&line.standing, next);
            while (__atomic_load_n(&line.lock, __ATOMIC_RELAXED) == last)
                sched_yield();
            last = __atomic_load_n(&line.lock, __ATOMIC_RELAXED);
        }
    } else {
        KeAcquireInStackQueuedSpinLock(&line.lock, &handle);
    }
    line.order[line.served++] = index;
    KeReleaseInStackQueuedSpinLock(&handle);
}

static void queued_is_first_in_first_out(void **state)
{
    (void)state;
    KeInitializeSpinLock(&line.lock);
    line.served = 0;
    atomic_store(&line.standing, 0);
    nt_run_threads(THREADS, stand_in_line, NULL);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(line.order[i], i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("F: KeAcquireSpinLock raises to DISPATCH, KeReleaseSpinLock restores",
                acquire_raises_and_release_restores),
        nt_test_free("F: in free mode too", acquire_raises_and_release_restores),
        nt_test("F: the AtDpcLevel forms change no level", dpc_forms_change_no_level),
        nt_test("F: the in-stack queued lock raises and restores", queued_raises_and_restores),
        nt_test_free("F: in free mode too", queued_raises_and_restores),
        nt_test("F: queued locks nest and are left in any order", queued_locks_nest),
        nt_test("F: a fast mutex raises to APC", a_fast_mutex_raises_to_apc),
        nt_test("F: a guarded mutex disables APCs, level unchanged",
                a_guarded_mutex_leaves_the_level),
        nt_test("F: every lock excludes", all_exclude),
        nt_test_free("F: every lock excludes in free mode", all_exclude),
        nt_test("F: the queued lock is handed on in order", queued_is_first_in_first_out),
    };
    return cmocka_run_group_tests_name("locks", tests, NULL, NULL);
}
