/* SPDX-License-Identifier: MIT */
/* What the executive says of the machine, for those who size a zone or a list by it: keep a zone's
 * first segment to a page on a small system, and size for the average load, not the worst.
 * Source: WDK, MmQuerySystemSize, MmIsThisAnNtAsSystem. Threads: any. */
#ifndef POOLBENCH_NT_SYSTEM_H
#define POOLBENCH_NT_SYSTEM_H

#include <poolbench/nt/types.h>

typedef enum MM_SYSTEMSIZE {
    MmSmallSystem = 0,
    MmMediumSystem = 1,
    MmLargeSystem = 2
} MM_SYSTEMSIZE;

/* By physical memory. NT's bounds are not documented and grew with its releases; ours: below 512
 * MiB small, below 2 GiB medium. */
MM_SYSTEMSIZE MmQuerySystemSize(void);
MM_SYSTEMSIZE PbSystemSizeOf(ULONG64 Bytes); /* of a machine with so much memory */

/* TRUE on a server: whatever PbNtServer says, which is FALSE until the program sets it. */
BOOLEAN MmIsThisAnNtAsSystem(void);
extern BOOLEAN PbNtServer; /* set before any thread */

#endif
