/* SPDX-License-Identifier: MIT */
/* Interrupt request levels, and the locks that go with them. A thread's IRQL is a number of its own
 * that the executive's calls check; nothing is masked: a thread at DISPATCH_LEVEL can be preempted,
 * and one that holds a spin lock then stalls those who wait for it.
 * Rules that break are bugchecks: KeRaiseIrql to a lower level IRQL_NOT_GREATER_OR_EQUAL,
 * KeLowerIrql to a higher one IRQL_NOT_LESS_OR_EQUAL. In checked mode (PbNtChecked) also: a routine
 * called above its level (the table "callable at" of the WDK), an AtDpcLevel form or a release below
 * DISPATCH_LEVEL (IRQL_NOT_GREATER_OR_EQUAL), a spin lock acquired twice by one thread
 * (SPIN_LOCK_ALREADY_OWNED) or released by one that has it not (SPIN_LOCK_NOT_OWNED).
 * Source: WDK, "Managing Hardware Priorities", "Introduction to Spin Locks", "Queued Spin Locks",
 * "Fast Mutexes and Guarded Mutexes". Threads: any. */
#ifndef POOLBENCH_NT_IRQL_H
#define POOLBENCH_NT_IRQL_H

#include <poolbench/nt/bugcheck.h>

#include <pthread.h>

typedef UCHAR KIRQL, *PKIRQL;

enum {
    PASSIVE_LEVEL = 0,
    LOW_LEVEL = 0,
    APC_LEVEL = 1,
    DISPATCH_LEVEL = 2,
    CLOCK_LEVEL = 13,
    IPI_LEVEL = 14,
    HIGH_LEVEL = 15
};

/* Checked mode: what a checked build of NT or its Driver Verifier would find is looked for. On by
 * default in builds with PB_CHECK >= 1, else off. Set before any thread. */
extern BOOLEAN PbNtChecked;

/* The calling thread's level; written by the calls below alone. */
extern _Thread_local KIRQL pb_irql;

static inline KIRQL KeGetCurrentIrql(void)
{
    return pb_irql;
}

void KeRaiseIrql(KIRQL NewIrql, PKIRQL OldIrql); /* NewIrql >= the present level */
KIRQL KeRaiseIrqlToDpcLevel(void);               /* returns the level before */
void KeLowerIrql(KIRQL NewIrql);                 /* NewIrql <= the present level */

/* In checked mode: IRQL_NOT_LESS_OR_EQUAL (p2 the level) if the thread is above APC_LEVEL. */
void pb_paged_code(void);
#define PAGED_CODE()                                                                               \
    do {                                                                                           \
        if (PbNtChecked)                                                                           \
            pb_paged_code();                                                                       \
    } while (0)

/* A spin lock: one word. Not recursive. The raising forms: caller <= DISPATCH_LEVEL, which is what
 * the holder is at; the level before is the caller's to keep. The AtDpcLevel forms change no level
 * and are for callers that are at DISPATCH_LEVEL. The two kinds of release do not mix. */
typedef ULONG_PTR KSPIN_LOCK, *PKSPIN_LOCK;

void KeInitializeSpinLock(PKSPIN_LOCK SpinLock);
void KeAcquireSpinLock(PKSPIN_LOCK SpinLock, PKIRQL OldIrql);
KIRQL KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock);
void KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql);
void KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock);
void KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock);
BOOLEAN KeTryToAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock);
BOOLEAN KeTestSpinLock(PKSPIN_LOCK SpinLock); /* TRUE if free at the moment */

/* The same word as a queue: waiters stand in line, each spinning on its own handle, which lies on its
 * stack until the release (Mellor-Crummey and Scott, 1991). One lock is used in one way only. */
typedef struct KSPIN_LOCK_QUEUE {
    struct KSPIN_LOCK_QUEUE *volatile Next;
    PKSPIN_LOCK volatile Lock;
} KSPIN_LOCK_QUEUE, *PKSPIN_LOCK_QUEUE;

typedef struct KLOCK_QUEUE_HANDLE {
    KSPIN_LOCK_QUEUE LockQueue;
    KIRQL OldIrql;
} KLOCK_QUEUE_HANDLE, *PKLOCK_QUEUE_HANDLE;

void KeAcquireInStackQueuedSpinLock(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle);
void KeReleaseInStackQueuedSpinLock(PKLOCK_QUEUE_HANDLE LockHandle);
void KeAcquireInStackQueuedSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle);
void KeReleaseInStackQueuedSpinLockFromDpcLevel(PKLOCK_QUEUE_HANDLE LockHandle);

/* Mutexes that sleep; not recursive; caller <= APC_LEVEL. A fast mutex raises its holder to
 * APC_LEVEL; a guarded one leaves the level and puts the thread into a guarded region. The Unsafe
 * forms do neither. Memory is the caller's; there is nothing to destroy. */
typedef struct FAST_MUTEX {
    pthread_mutex_t Mutex;
    KIRQL OldIrql;
} FAST_MUTEX, *PFAST_MUTEX;

typedef struct KGUARDED_MUTEX {
    pthread_mutex_t Mutex;
} KGUARDED_MUTEX, *PKGUARDED_MUTEX;

void ExInitializeFastMutex(PFAST_MUTEX FastMutex);
void ExAcquireFastMutex(PFAST_MUTEX FastMutex);
void ExReleaseFastMutex(PFAST_MUTEX FastMutex);
BOOLEAN ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex);
void ExAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex);
void ExReleaseFastMutexUnsafe(PFAST_MUTEX FastMutex);

void KeInitializeGuardedMutex(PKGUARDED_MUTEX Mutex);
void KeAcquireGuardedMutex(PKGUARDED_MUTEX Mutex);
void KeReleaseGuardedMutex(PKGUARDED_MUTEX Mutex);
BOOLEAN KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX Mutex);
void KeAcquireGuardedMutexUnsafe(PKGUARDED_MUTEX Mutex);
void KeReleaseGuardedMutexUnsafe(PKGUARDED_MUTEX Mutex);

/* Regions in which a thread takes no APCs; here a count that KeAreAllApcsDisabled reads. They nest. */
void KeEnterGuardedRegion(void);
void KeLeaveGuardedRegion(void);
BOOLEAN KeAreAllApcsDisabled(void); /* TRUE in a guarded region, or at APC_LEVEL and above */

#endif
