/* SPDX-License-Identifier: MIT */
/* Locks under stress: plain counters, each guarded by one of the executive's locks and nothing
 * else, taken by every call that takes it. Two that were inside at once would lose a count.
 * Threads: any. */
#include "nt/stress.h"

#include <poolbench/nt/irql.h>

/* A counter is two words apart, so that a thread that is stopped between them is seen inside. */
struct guarded {
    uint64_t first;
    unsigned char between[256];
    uint64_t second;
};

static KSPIN_LOCK spin, queued;
static FAST_MUTEX fast;
static KGUARDED_MUTEX guarded;

enum { LOCK_SPIN, LOCK_QUEUED, LOCK_FAST, LOCK_GUARDED, LOCKS };
static const char *const lock_names[LOCKS] = {"spin lock", "queued spin lock", "fast mutex",
                                              "guarded mutex"};

static struct guarded counters[LOCKS];
static uint64_t counted[STRESS_THREADS_MOST][LOCKS];

/* What is done inside. A planted fault loses a count, as two threads inside at once would. */
static void count(struct stress_worker *worker, unsigned lock)
{
    uint64_t first = ++counters[lock].first;
    if (++counters[lock].second != first)
        stress_found(FOUND_BROKEN, "%s: two threads are inside", lock_names[lock]);
    if (stress_plant(worker, PLANT_LOCK)) {
        counters[lock].first--;
        counters[lock].second--;
    }
    counted[worker->index][lock]++;
}

static void spin_plain(struct stress_worker *worker)
{
    KIRQL before;
    KeAcquireSpinLock(&spin, &before);
    count(worker, LOCK_SPIN);
    KeReleaseSpinLock(&spin, before);
}

static void spin_raise(struct stress_worker *worker)
{
    KIRQL before = KeAcquireSpinLockRaiseToDpc(&spin);
    count(worker, LOCK_SPIN);
    KeReleaseSpinLock(&spin, before);
}

static void spin_at_dpc(struct stress_worker *worker)
{
    KIRQL before = KeRaiseIrqlToDpcLevel();
    KeAcquireSpinLockAtDpcLevel(&spin);
    count(worker, LOCK_SPIN);
    KeReleaseSpinLockFromDpcLevel(&spin);
    KeLowerIrql(before);
}

static void spin_try(struct stress_worker *worker)
{
    KIRQL before = KeRaiseIrqlToDpcLevel();
    if (KeTryToAcquireSpinLockAtDpcLevel(&spin)) {
        count(worker, LOCK_SPIN);
        KeReleaseSpinLockFromDpcLevel(&spin);
    } else {
        stress_refused(worker);
    }
    KeLowerIrql(before);
}

static void queue(struct stress_worker *worker)
{
    KLOCK_QUEUE_HANDLE handle;
    KeAcquireInStackQueuedSpinLock(&queued, &handle);
    count(worker, LOCK_QUEUED);
    KeReleaseInStackQueuedSpinLock(&handle);
}

static void queue_at_dpc(struct stress_worker *worker)
{
    KLOCK_QUEUE_HANDLE handle;
    KIRQL before = KeRaiseIrqlToDpcLevel();
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&queued, &handle);
    count(worker, LOCK_QUEUED);
    KeReleaseInStackQueuedSpinLockFromDpcLevel(&handle);
    KeLowerIrql(before);
}

static void mutex_fast(struct stress_worker *worker)
{
    ExAcquireFastMutex(&fast);
    count(worker, LOCK_FAST);
    ExReleaseFastMutex(&fast);
}

static void mutex_fast_try(struct stress_worker *worker)
{
    if (ExTryToAcquireFastMutex(&fast)) {
        count(worker, LOCK_FAST);
        ExReleaseFastMutex(&fast);
    } else {
        stress_refused(worker);
    }
}

/* The Unsafe forms want a thread that takes no APCs. */
static void mutex_fast_unsafe(struct stress_worker *worker)
{
    KIRQL before;
    KeRaiseIrql(APC_LEVEL, &before);
    ExAcquireFastMutexUnsafe(&fast);
    count(worker, LOCK_FAST);
    ExReleaseFastMutexUnsafe(&fast);
    KeLowerIrql(before);
}

static void mutex_guarded(struct stress_worker *worker)
{
    KeAcquireGuardedMutex(&guarded);
    count(worker, LOCK_GUARDED);
    KeReleaseGuardedMutex(&guarded);
}

static void mutex_guarded_try(struct stress_worker *worker)
{
    if (KeTryToAcquireGuardedMutex(&guarded)) {
        count(worker, LOCK_GUARDED);
        KeReleaseGuardedMutex(&guarded);
    } else {
        stress_refused(worker);
    }
}

static void mutex_guarded_unsafe(struct stress_worker *worker)
{
    KeEnterGuardedRegion();
    KeAcquireGuardedMutexUnsafe(&guarded);
    count(worker, LOCK_GUARDED);
    KeReleaseGuardedMutexUnsafe(&guarded);
    KeLeaveGuardedRegion();
}

static void (*const ways[])(struct stress_worker *worker) = {
    spin_plain,     spin_raise,        spin_at_dpc,   spin_try,          mutex_fast,
    mutex_fast_try, mutex_fast_unsafe, mutex_guarded, mutex_guarded_try, mutex_guarded_unsafe};
static void (*const queues[])(struct stress_worker *worker) = {queue, queue_at_dpc};

static void leave(const char *what)
{
    if (KeGetCurrentIrql() != PASSIVE_LEVEL || KeAreAllApcsDisabled())
        stress_found(FOUND_BROKEN, "%s left the thread at another level", what);
}

static void turn(struct stress_worker *worker, const struct stress_actor *actor)
{
    ways[stress_below(worker, sizeof ways / sizeof *ways)](worker);
    leave(actor->name);
}

/* Waiters of a queue stand in line behind threads that are not running: seldom. */
static void turn_queue(struct stress_worker *worker, const struct stress_actor *actor)
{
    queues[stress_below(worker, 2)](worker);
    leave(actor->name);
}

static const struct stress_actor actors[] = {{"spin locks, mutexes", 60, turn, NULL, NULL},
                                             {"queued spin locks", 3, turn_queue, NULL, NULL}};

static void open(void)
{
    KeInitializeSpinLock(&spin);
    KeInitializeSpinLock(&queued);
    ExInitializeFastMutex(&fast);
    KeInitializeGuardedMutex(&guarded);
}

static void check(void)
{
    for (unsigned lock = 0; lock < LOCKS; lock++) {
        uint64_t sum = 0;
        for (unsigned i = 0; i < stress_run.threads; i++)
            sum += counted[i][lock];
        if (counters[lock].first != sum || counters[lock].second != sum)
            stress_found(FOUND_LOST, "%s: %llu of %llu counts are there", lock_names[lock],
                         (unsigned long long)counters[lock].first, (unsigned long long)sum);
    }
    if (!KeTestSpinLock(&spin) || !KeTestSpinLock(&queued))
        stress_found(FOUND_STRUCTURE, "a spin lock is held, and nobody holds it");
}

const struct stress_part stress_locks = {open, check, NULL, actors, sizeof actors / sizeof *actors};
