/* SPDX-License-Identifier: MIT */
/* Memory descriptor lists: making, locking, dividing. Mapping them is in mdl_map.c.
 * Source:  WDK, "Using MDLs"; ReactOS, as documented (iomdl), for the lookaside list that
 *          descriptors of up to 23 pages come from.
 * Layout:  | MDL | frame number of page 0 | page 1 | ... |
 * I1       MDL_PAGES_LOCKED: every page of the descriptor has one count of resident.h for it
 * Locks    a mutex guards the making of the lookaside list
 * Cost     48 bytes and 8 a page, three words a page in the table of counts. Where the pages lie
 *          together a lock is three system calls, and three more to read the frames; an unlock is
 *          one. Above APC_LEVEL checked mode asks for each page whether it is in memory */
#include "nt/mdl.h"

#include <poolbench/nt/lookaside.h>
#include <poolbench/nt/mm.h>
#include <poolbench/nt/pool.h>
#include <poolbench/nt/status.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { MDL_FIXED_PAGES = 23, MDL_TAG = 0x206C644D }; /* "Mdl " */
enum { MDL_FIXED_BYTES = sizeof(MDL) + MDL_FIXED_PAGES * sizeof(PFN_NUMBER) };

/* Flags of a descriptor that has its pages already. */
enum {
    MDL_HAS_PAGES = MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL | MDL_IO_SPACE
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static NPAGED_LOOKASIDE_LIST fixed; /* descriptors of MDL_FIXED_BYTES */
static atomic_bool ready;

static PNPAGED_LOOKASIDE_LIST fixed_list(void)
{
    /* acquire, release: who sees the flag sees the list */
    if (!atomic_load_explicit(&ready, memory_order_acquire)) {
        pthread_mutex_lock(&mutex);
        if (!atomic_load_explicit(&ready, memory_order_relaxed))
            ExInitializeNPagedLookasideList(&fixed, NULL, NULL, 0, MDL_FIXED_BYTES, MDL_TAG, 0);
        atomic_store_explicit(&ready, true, memory_order_release);
        pthread_mutex_unlock(&mutex);
    }
    return &fixed;
}

void pb_mdl_reset(void)
{
    if (atomic_load_explicit(&ready, memory_order_acquire)) /* no other thread is here */
        ExDeleteNPagedLookasideList(&fixed);
    atomic_store_explicit(&ready, false, memory_order_release);
}

PMDL IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer, BOOLEAN ChargeQuota,
                   PIRP Irp)
{
    (void)SecondaryBuffer, (void)ChargeQuota;
    if (pb_irql_above(DISPATCH_LEVEL, VirtualAddress))
        return NULL;
    if (Irp != NULL || Length > UINT32_MAX - (PAGE_SIZE - 1))
        return NULL;
    SIZE_T size = MmSizeOfMdl(VirtualAddress, Length);
    int flags = size <= MDL_FIXED_BYTES ? MDL_ALLOCATED_FIXED_SIZE : 0;
    PMDL mdl = flags != 0 ? ExAllocateFromNPagedLookasideList(fixed_list())
                          : ExAllocatePoolWithTag(NonPagedPool, size, MDL_TAG);
    if (mdl == NULL)
        return NULL;
    MmInitializeMdl(mdl, VirtualAddress, Length);
    mdl->MdlFlags = (CSHORT)flags;
    return mdl;
}

void IoFreeMdl(PMDL Mdl)
{
    if (pb_irql_above(DISPATCH_LEVEL, Mdl))
        return;
    MmPrepareMdlForReuse(Mdl);
    int mapped = Mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_PARENT_MAPPED_SYSTEM_VA);
    if (mapped == MDL_MAPPED_TO_SYSTEM_VA && PbNtChecked) {
        pb_mdl_violation(MDL_FREED_MAPPED, Mdl, 0);
        return;
    }
    if ((Mdl->MdlFlags & MDL_ALLOCATED_FIXED_SIZE) != 0)
        ExFreeToNPagedLookasideList(fixed_list(), Mdl);
    else
        ExFreePool(Mdl);
}

/* Pages that there is room for behind a descriptor. */
static SIZE_T room_for(const MDL *mdl)
{
    if ((mdl->MdlFlags & MDL_ALLOCATED_FIXED_SIZE) != 0)
        return MDL_FIXED_PAGES;
    if (mdl->Size == 0)
        return SIZE_MAX; /* more than its 16 bits can say */
    return ((USHORT)mdl->Size - sizeof(MDL)) / sizeof(PFN_NUMBER);
}

void IoBuildPartialMdl(PMDL SourceMdl, PMDL TargetMdl, PVOID VirtualAddress, ULONG Length)
{
    const int kept = MDL_ALLOCATED_FIXED_SIZE;
    ULONG_PTR offset = (ULONG_PTR)VirtualAddress - (ULONG_PTR)MmGetMdlVirtualAddress(SourceMdl);
    bool inside = (ULONG_PTR)VirtualAddress >= (ULONG_PTR)MmGetMdlVirtualAddress(SourceMdl) &&
                  offset <= SourceMdl->ByteCount && Length <= SourceMdl->ByteCount - offset;
    ULONG bytes = Length != 0 || !inside ? Length : SourceMdl->ByteCount - (ULONG)offset;
    SIZE_T pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(VirtualAddress, bytes);
    if (!inside || pages > room_for(TargetMdl)) {
        KeBugCheckEx(TARGET_MDL_TOO_SMALL, (ULONG_PTR)SourceMdl, (ULONG_PTR)TargetMdl,
                     (ULONG_PTR)VirtualAddress, Length);
        return;
    }
    int passed = SourceMdl->MdlFlags & (MDL_SOURCE_IS_NONPAGED_POOL | MDL_MAPPED_TO_SYSTEM_VA |
                                        MDL_IO_PAGE_READ | MDL_WRITE_OPERATION);
    if ((passed & MDL_MAPPED_TO_SYSTEM_VA) != 0)
        passed |= MDL_PARENT_MAPPED_SYSTEM_VA;
    TargetMdl->MdlFlags = (CSHORT)((TargetMdl->MdlFlags & kept) | MDL_PARTIAL | passed);
    TargetMdl->Process = SourceMdl->Process;
    TargetMdl->StartVa = PAGE_ALIGN(VirtualAddress);
    TargetMdl->ByteOffset = (ULONG)BYTE_OFFSET(VirtualAddress);
    TargetMdl->ByteCount = bytes;
    TargetMdl->MappedSystemVa =
        SourceMdl->MappedSystemVa != NULL ? (UCHAR *)SourceMdl->MappedSystemVa + offset : NULL;
    SIZE_T first = (SourceMdl->ByteOffset + offset) >> PAGE_SHIFT;
    memcpy(MmGetMdlPfnArray(TargetMdl), MmGetMdlPfnArray(SourceMdl) + first,
           pages * sizeof(PFN_NUMBER));
}

/* Whether the descriptor may be locked by this thread now; else it was a bugcheck, or is locked. */
static bool may_lock(PMDL mdl)
{
    PVOID at = MmGetMdlVirtualAddress(mdl);
    if (pb_irql_above(DISPATCH_LEVEL, at))
        return false;
    bool may_fault = KeGetCurrentIrql() > APC_LEVEL && PbNtChecked &&
                     !pb_resident_now(at, mdl->ByteCount); /* which asks the system page by page */
    if (may_fault && pb_irql_above(APC_LEVEL, at))
        return false;
    if ((mdl->MdlFlags & MDL_HAS_PAGES) == 0)
        return true;
    pb_mdl_violation(MDL_LOCKED_WRONG_FLAGS, mdl, mdl->MdlFlags & MDL_HAS_PAGES);
    return false;
}

void MmProbeAndLockPages(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode,
                         LOCK_OPERATION Operation)
{
    PMDL mdl = MemoryDescriptorList;
    PVOID at = MmGetMdlVirtualAddress(mdl);
    bool write = Operation != IoReadAccess;
    (void)AccessMode; /* there are no addresses but the program's */
    if (!may_lock(mdl))
        return;
    if (!pb_mm_user_range(at, mdl->ByteCount) ||
        pb_resident_populate(at, mdl->ByteCount, write) != 0)
        ExRaiseStatus(STATUS_ACCESS_VIOLATION);
    if (pb_resident_lock(at, mdl->ByteCount) != 0)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    (void)pb_frames(at, pb_mdl_pages(mdl), MmGetMdlPfnArray(mdl));
    mdl->Process = PsGetCurrentProcess();
    pb_mdl_clear(mdl, MDL_WRITE_OPERATION);
    pb_mdl_set(mdl, MDL_PAGES_LOCKED | (write ? MDL_WRITE_OPERATION : 0));
}

/* What a wrong call of MmUnlockPages comes to. */
static void not_locked(PMDL mdl)
{
    bool nonpaged = (mdl->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL) != 0;
    bool partial = (mdl->MdlFlags & MDL_PARTIAL) != 0;
    if (PbNtChecked)
        pb_mdl_violation(partial    ? MDL_UNLOCKED_PARTIAL
                         : nonpaged ? MDL_UNLOCKED_NONPAGED
                                    : MDL_UNLOCKED_NOT_LOCKED,
                         mdl, 0);
    else
        KeBugCheckEx(PROCESS_HAS_LOCKED_PAGES, 1, (ULONG_PTR)mdl, pb_resident_total(), 0);
}

void MmUnlockPages(PMDL MemoryDescriptorList)
{
    PMDL mdl = MemoryDescriptorList;
    PVOID at = MmGetMdlVirtualAddress(mdl);
    if (pb_irql_above(DISPATCH_LEVEL, at))
        return;
    if ((mdl->MdlFlags & MDL_PAGES_LOCKED) == 0) {
        not_locked(mdl);
        return;
    }
    if ((mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) != 0)
        MmUnmapLockedPages(mdl->MappedSystemVa, mdl);
    if (pb_resident_unlock(at, mdl->ByteCount) != 0)
        KeBugCheckEx(PROCESS_HAS_LOCKED_PAGES, 1, (ULONG_PTR)mdl, pb_resident_total(), 0);
    pb_mdl_clear(mdl, MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
    mdl->Process = NULL;
}

void MmBuildMdlForNonPagedPool(PMDL MemoryDescriptorList)
{
    PMDL mdl = MemoryDescriptorList;
    PVOID at = MmGetMdlVirtualAddress(mdl);
    if (pb_irql_above(DISPATCH_LEVEL, at))
        return;
    (void)pb_frames(at, pb_mdl_pages(mdl), MmGetMdlPfnArray(mdl));
    mdl->Process = NULL;
    mdl->MappedSystemVa = at;
    pb_mdl_set(mdl, MDL_SOURCE_IS_NONPAGED_POOL);
}

BOOLEAN PbMdlHasFrames(PMDL Mdl)
{
    SIZE_T pages = pb_mdl_pages(Mdl);
    if ((Mdl->MdlFlags & MDL_HAS_PAGES) == 0 || pages == 0)
        return FALSE;
    for (SIZE_T i = 0; i < pages; i++)
        if (MmGetMdlPfnArray(Mdl)[i] == 0)
            return FALSE;
    return TRUE;
}

SIZE_T PbMdlLockedPages(const MDL *Mdl)
{
    return pb_resident_held(MmGetMdlVirtualAddress(Mdl), Mdl->ByteCount);
}
