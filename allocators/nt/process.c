/* SPDX-License-Identifier: MIT */
/* Processes as the pools know them: whom quota is charged to.
 * Source:  poolbench/nt/process.h. NT has a third counter, of the page file, which pool that has no
 *          place in one is not charged to here, and raises limits by itself while there is memory,
 *          which is not done.
 * Layout:  a table, so that whether a pointer is a process can be said of any pointer
 * I1       charged bytes never exceed the limit, not for a moment: a charge is one compare-exchange
 * I2       a process that was ended lives until nothing is charged to it and nobody refers to it;
 *          each place that may be the last one tries to bury it, and one succeeds
 * Locks    latch, around making and burying
 * Cost     a compare-exchange and the look at the peak a charge, an atomic subtraction a return
 * Threads: any. */
#include "nt/latch.h"
#include "nt/process_internal.h"

#include <poolbench/nt/bugcheck.h>
#include <poolbench/nt/status.h>

#include <stdatomic.h>

enum { PROCESS_MAX = 4096 };

struct process_quota {
    _Atomic size_t used, peak;
    size_t limit;
};

struct EPROCESS {
    _Atomic uint32_t life; /* odd: lives; one more when it is made and when it is buried */
    atomic_bool ended;
    struct process_quota quota[2]; /* by the paged bit */
    struct EPROCESS *next;         /* among the buried */
} PB_CACHE_ALIGNED;

#define PROCESS_UNLIMITED                                                                          \
    {                                                                                              \
        .life = 1, .quota = { {.limit = SIZE_MAX}, {.limit = SIZE_MAX} }                           \
    }
static struct EPROCESS process_system = PROCESS_UNLIMITED;
static struct EPROCESS process_program = PROCESS_UNLIMITED;
const PEPROCESS PsInitialSystemProcess = &process_system;

static struct EPROCESS process_table[PROCESS_MAX];
static struct {
    struct pb_latch latch;
    size_t fresh; /* of the table, those from here on were never used */
    struct EPROCESS *buried;
} processes;

static _Thread_local PEPROCESS process_current = &process_program;

static bool process_permanent(PEPROCESS process)
{
    return process == &process_system || process == &process_program;
}

bool pb_process_valid(PEPROCESS process)
{
    if (process_permanent(process))
        return true;
    uintptr_t offset = (uintptr_t)process - (uintptr_t)process_table;
    if (offset >= sizeof process_table || offset % sizeof *process_table != 0)
        return false;
    /* acquire: whoever sees it alive sees its limits */
    return (atomic_load_explicit(&process->life, memory_order_acquire) & 1) != 0;
}

/* False after a bugcheck. */
static bool process_checked(PEPROCESS process)
{
    if (pb_process_valid(process))
        return true;
    KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_QUOTA, 0, 0, (ULONG_PTR)process);
    return false;
}

static struct process_quota *process_quota(PEPROCESS process, POOL_TYPE type)
{
    return &process->quota[(unsigned)type & 1];
}

PEPROCESS PsGetCurrentProcess(void)
{
    return process_current;
}

PEPROCESS PbEnterProcess(PEPROCESS Process)
{
    PEPROCESS before = process_current;
    if (process_checked(Process))
        process_current = Process;
    return before;
}

static struct EPROCESS *process_slot(void)
{
    struct EPROCESS *slot = NULL;
    pb_latch_lock(&processes.latch);
    if (processes.buried != NULL) {
        slot = processes.buried;
        processes.buried = slot->next;
    } else if (processes.fresh < PROCESS_MAX) {
        slot = &process_table[processes.fresh++];
    }
    pb_latch_unlock(&processes.latch);
    return slot;
}

PEPROCESS PbCreateProcess(SIZE_T PagedLimit, SIZE_T NonPagedLimit)
{
    const size_t limits[2] = {NonPagedLimit, PagedLimit};
    struct EPROCESS *process = process_slot();
    if (process == NULL)
        return NULL;
    /* relaxed: nobody knows of it before the last line */
    for (unsigned i = 0; i < 2; i++) {
        atomic_store_explicit(&process->quota[i].used, 0, memory_order_relaxed);
        atomic_store_explicit(&process->quota[i].peak, 0, memory_order_relaxed);
        process->quota[i].limit = limits[i];
    }
    atomic_store_explicit(&process->ended, false, memory_order_relaxed);
    /* release: with the acquire of pb_process_valid */
    atomic_fetch_add_explicit(&process->life, 1, memory_order_release);
    return process;
}

/* Buries a process that was ended, if nothing keeps it. Sequentially consistent, as are the
 * charges: either a charge sees that the process was ended and is undone, or the charge is seen
 * here. `life` is that of a moment at which the caller knew it to live: if it is another by now,
 * somebody else buried it. */
static void process_bury(PEPROCESS process, uint32_t life)
{
    if ((life & 1) == 0 || !atomic_load_explicit(&process->ended, memory_order_seq_cst) ||
        atomic_load_explicit(&process->quota[0].used, memory_order_seq_cst) != 0 ||
        atomic_load_explicit(&process->quota[1].used, memory_order_seq_cst) != 0)
        return;
    if (!atomic_compare_exchange_strong_explicit(&process->life, &life, life + 1,
                                                 memory_order_seq_cst, memory_order_seq_cst))
        return;
    pb_latch_lock(&processes.latch);
    process->next = processes.buried;
    processes.buried = process;
    pb_latch_unlock(&processes.latch);
}

/* Acquire: what follows is about this life. */
static uint32_t process_life(PEPROCESS process)
{
    return atomic_load_explicit(&process->life, memory_order_acquire);
}

void PbEndProcess(PEPROCESS Process)
{
    if (!process_checked(Process))
        return;
    uint32_t life = process_life(Process);
    if (process_permanent(Process) ||
        atomic_exchange_explicit(&Process->ended, true, memory_order_seq_cst)) {
        KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_QUOTA, 0, 0, (ULONG_PTR)Process);
        return;
    }
    process_bury(Process, life);
}

SIZE_T PbProcessQuota(PEPROCESS Process, POOL_TYPE PoolType, PSIZE_T Peak)
{
    if (!process_checked(Process))
        return 0;
    struct process_quota *quota = process_quota(Process, PoolType);
    /* relaxed: figures of some moment */
    if (Peak != NULL)
        *Peak = atomic_load_explicit(&quota->peak, memory_order_relaxed);
    return atomic_load_explicit(&quota->used, memory_order_relaxed);
}

/* Relaxed: a figure, that nothing else hangs on. */
static void quota_raise_peak(struct process_quota *quota, size_t used)
{
    size_t peak = atomic_load_explicit(&quota->peak, memory_order_relaxed);
    while (peak < used &&
           !atomic_compare_exchange_weak_explicit(&quota->peak, &peak, used, memory_order_relaxed,
                                                  memory_order_relaxed))
        continue;
}

NTSTATUS PsChargeProcessPoolQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG_PTR Amount)
{
    if (!process_checked(Process))
        return STATUS_INVALID_PARAMETER;
    if (Process == &process_system)
        return STATUS_SUCCESS;
    uint32_t life = process_life(Process);
    struct process_quota *quota = process_quota(Process, PoolType);
    size_t used = atomic_load_explicit(&quota->used, memory_order_relaxed); /* confirmed below */
    do
        if (used > quota->limit || Amount > quota->limit - used)
            return STATUS_QUOTA_EXCEEDED;
    while (!atomic_compare_exchange_weak_explicit(&quota->used, &used, used + Amount,
                                                  memory_order_seq_cst, memory_order_relaxed));
    if (PB_UNLIKELY(atomic_load_explicit(&Process->ended, memory_order_seq_cst))) {
        atomic_fetch_sub_explicit(&quota->used, Amount, memory_order_seq_cst);
        process_bury(Process, life);
        return STATUS_QUOTA_EXCEEDED;
    }
    quota_raise_peak(quota, used + Amount);
    return STATUS_SUCCESS;
}

void PsChargePoolQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG_PTR Amount)
{
    NTSTATUS status = PsChargeProcessPoolQuota(Process, PoolType, Amount);
    if (!NT_SUCCESS(status))
        ExRaiseStatus(status);
}

void PsReturnPoolQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG_PTR Amount)
{
    if (!process_checked(Process) || Process == &process_system)
        return;
    uint32_t life = process_life(Process);
    struct process_quota *quota = process_quota(Process, PoolType);
    size_t used = atomic_load_explicit(&quota->used, memory_order_relaxed); /* confirmed below */
    do
        if (Amount > used) {
            KeBugCheckEx(QUOTA_UNDERFLOW, (ULONG_PTR)Process, (unsigned)PoolType & 1, used, Amount);
            return;
        }
    while (!atomic_compare_exchange_weak_explicit(&quota->used, &used, used - Amount,
                                                  memory_order_seq_cst, memory_order_relaxed));
    if (PB_UNLIKELY(atomic_load_explicit(&Process->ended, memory_order_seq_cst)))
        process_bury(Process, life);
}
