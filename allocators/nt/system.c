/* SPDX-License-Identifier: MIT */
/* The size of the machine, as poolbench/nt/system.h says; sysconf(3) knows it. Threads: any. */
#include <poolbench/nt/system.h>

#include <unistd.h>

#define MIB ((ULONG64)1 << 20)

BOOLEAN PbNtServer = FALSE;

MM_SYSTEMSIZE PbSystemSizeOf(ULONG64 Bytes)
{
    if (Bytes < 512 * MIB)
        return MmSmallSystem;
    return Bytes < 2048 * MIB ? MmMediumSystem : MmLargeSystem;
}

MM_SYSTEMSIZE MmQuerySystemSize(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
    if (pages <= 0 || bytes <= 0)
        return MmSmallSystem;
    return PbSystemSizeOf((ULONG64)pages * (ULONG64)bytes);
}

BOOLEAN MmIsThisAnNtAsSystem(void)
{
    return PbNtServer;
}
