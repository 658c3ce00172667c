/* SPDX-License-Identifier: MIT */
/* Whom pool quota is charged to. The threads of a program belong to one process that stands for the
 * program and has no limits; a program that wants limits makes processes of its own and enters them
 * thread by thread. The system process is never charged.
 * Source: WDK, ExAllocatePoolWithQuotaTag; G. Chappell, PsChargePoolQuota. Threads: any. */
#ifndef POOLBENCH_NT_PROCESS_H
#define POOLBENCH_NT_PROCESS_H

#include <poolbench/nt/pool_type.h>

typedef struct EPROCESS *PEPROCESS;

extern const PEPROCESS PsInitialSystemProcess;

PEPROCESS PsGetCurrentProcess(void); /* the calling thread's; never NULL */

/* A process with so many bytes of quota (SIZE_MAX: no limit), or NULL if there is no memory. It ends
 * when PbEndProcess was called and every block charged to it was freed. */
PEPROCESS PbCreateProcess(SIZE_T PagedLimit, SIZE_T NonPagedLimit);
void PbEndProcess(PEPROCESS Process);

/* Makes the calling thread one of `Process`; returns the one before. */
PEPROCESS PbEnterProcess(PEPROCESS Process);

/* Bytes charged now, and the most that were. */
SIZE_T PbProcessQuota(PEPROCESS Process, POOL_TYPE PoolType, PSIZE_T Peak);

/* Charges, or STATUS_QUOTA_EXCEEDED and nothing is charged; gives back. Only the paged bit of
 * `PoolType` counts. The first form raises the status instead. */
void PsChargePoolQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG_PTR Amount);
NTSTATUS PsChargeProcessPoolQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG_PTR Amount);
void PsReturnPoolQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG_PTR Amount);

#endif
