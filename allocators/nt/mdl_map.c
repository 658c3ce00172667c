/* SPDX-License-Identifier: MIT */
/* Second mappings of described memory. mremap(2) with an old size of 0 maps the pages of a shared
 * mapping once more and refuses private ones: those are not mapped, and no copy is passed off for a
 * mapping, as what is stored through one address would not be seen through the other. It is called
 * for each page: it looks no further than the mapping that its page lies in, and locking cuts
 * mappings in pieces.
 * Source:  WDK, MmMapLockedPagesSpecifyCache; mremap(2).
 * I1       the table has every mapping that was made here and not released: address -> bytes
 * Locks    one mutex guards the table; no system call is made with it held
 * Cost     a system call a page to map, one to unmap */
#include "nt/mdl.h"
#include "nt/vatable.h"

#include <poolbench/nt/status.h>

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct pb_vatable made;

static int note_made(const void *at, size_t bytes)
{
    pthread_mutex_lock(&mutex);
    int error = pb_vatable_reserve(&made, 1);
    if (error == 0)
        pb_vatable_insert(&made, (uintptr_t)at)->value = bytes;
    pthread_mutex_unlock(&mutex);
    return error;
}

/* Its bytes; 0 if it is none of ours. */
static size_t forget_made(const void *at)
{
    size_t bytes = 0;
    pthread_mutex_lock(&mutex);
    struct pb_vatable_entry *entry = pb_vatable_find(&made, (uintptr_t)at);
    if (entry != NULL) {
        bytes = entry->value;
        pb_vatable_remove(&made, entry);
    }
    pthread_mutex_unlock(&mutex);
    return bytes;
}

/* Address space of its own for a mapping, at `wanted` if that is not NULL. */
static unsigned char *reserve(void *wanted, size_t bytes)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    if (wanted != NULL)
        flags |= MAP_FIXED_NOREPLACE;
    void *at = mmap(wanted, bytes, PROT_NONE, flags, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    if (wanted == NULL || at == wanted)
        return at;
    (void)munmap(at, bytes); /* a system before 4.17 took the address for a hint */
    return NULL;
}

/* Maps `bytes` from `from` (whole system pages) a second time. NULL if that cannot be. */
static unsigned char *alias(unsigned char *from, size_t bytes, void *wanted, bool read_only)
{
    size_t page = pb_page_bytes();
    unsigned char *to = reserve(wanted, bytes);
    if (to == NULL)
        return NULL;
    for (size_t i = 0; i < bytes; i += page)
        if (mremap(from + i, 0, page, MREMAP_MAYMOVE | MREMAP_FIXED, to + i) == MAP_FAILED)
            goto out_unmap;
    if (read_only && mprotect(to, bytes, PROT_READ) != 0)
        goto out_unmap;
    if (note_made(to, bytes) == 0)
        return to;
out_unmap:
    (void)munmap(to, bytes);
    return NULL;
}

/* The described bytes, mapped again; NULL. */
static PVOID map_again(PMDL mdl, PVOID wanted, ULONG priority)
{
    unsigned char *at = MmGetMdlVirtualAddress(mdl);
    size_t mask = pb_page_bytes() - 1, skip = (uintptr_t)at & mask;
    size_t bytes = (skip + mdl->ByteCount + mask) & ~mask;
    if (bytes == 0)
        return NULL;
    unsigned char *to = alias(at - skip, bytes, wanted, (priority & MdlMappingNoWrite) != 0);
    return to != NULL ? to + skip : NULL;
}

static PVOID map_for_user(PMDL mdl, PVOID wanted, ULONG priority)
{
    PVOID at = map_again(mdl, wanted, priority);
    if (at == NULL)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    return at;
}

/* Whether the descriptor's state lets it be mapped. */
static bool may_map(PMDL mdl, KPROCESSOR_MODE mode)
{
    const int pages = MDL_PAGES_LOCKED | MDL_PARTIAL | MDL_SOURCE_IS_NONPAGED_POOL;
    if (pb_irql_above(mode == KernelMode ? DISPATCH_LEVEL : APC_LEVEL, mdl))
        return false;
    if ((mdl->MdlFlags & pages) == 0 && PbNtChecked) {
        pb_mdl_violation(MDL_MAPPED_NOT_LOCKED, mdl, pages);
        return false;
    }
    if (mode == KernelMode && (mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) != 0 && PbNtChecked) {
        pb_mdl_violation(MDL_MAPPED_ALREADY, mdl, MDL_MAPPED_TO_SYSTEM_VA);
        return false;
    }
    return true;
}

PVOID MmMapLockedPagesSpecifyCache(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode,
                                   MEMORY_CACHING_TYPE CacheType, PVOID RequestedAddress,
                                   ULONG BugCheckOnFailure, ULONG Priority)
{
    const int has_address = MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL;
    PMDL mdl = MemoryDescriptorList;
    (void)CacheType;
    if (!may_map(mdl, AccessMode))
        return NULL;
    if (AccessMode != KernelMode)
        return map_for_user(mdl, RequestedAddress, Priority);
    if ((mdl->MdlFlags & has_address) != 0)
        return mdl->MappedSystemVa;
    PVOID at = map_again(mdl, NULL, Priority);
    if (at == NULL) {
        if (BugCheckOnFailure)
            KeBugCheckEx(NO_MORE_SYSTEM_PTES, 0, pb_mdl_pages(mdl), 0, 0);
        return NULL;
    }
    mdl->MappedSystemVa = at;
    bool partial = (mdl->MdlFlags & MDL_PARTIAL) != 0;
    pb_mdl_set(mdl, MDL_MAPPED_TO_SYSTEM_VA | (partial ? MDL_PARTIAL_HAS_BEEN_MAPPED : 0));
    return at;
}

PVOID MmMapLockedPages(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode)
{
    ULONG bugcheck = (MemoryDescriptorList->MdlFlags & MDL_MAPPING_CAN_FAIL) == 0;
    return MmMapLockedPagesSpecifyCache(MemoryDescriptorList, AccessMode, MmCached, NULL, bugcheck,
                                        HighPagePriority);
}

void MmUnmapLockedPages(PVOID BaseAddress, PMDL MemoryDescriptorList)
{
    PMDL mdl = MemoryDescriptorList;
    const int parent = MDL_PARENT_MAPPED_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL;
    bool system = BaseAddress == mdl->MappedSystemVa;
    if (pb_irql_above(DISPATCH_LEVEL, BaseAddress))
        return;
    if (system && (mdl->MdlFlags & parent) != 0)
        return; /* not a mapping of its own */
    unsigned char *at =
        (unsigned char *)BaseAddress - ((uintptr_t)BaseAddress & (pb_page_bytes() - 1));
    size_t bytes = forget_made(at);
    if (bytes == 0) {
        KeBugCheckEx(SYSTEM_PTE_MISUSE, 0, (ULONG_PTR)BaseAddress, (ULONG_PTR)mdl, 0);
        return;
    }
    (void)munmap(at, bytes); /* fails only for what was never mapped */
    if (system) {
        pb_mdl_clear(mdl, MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED);
        mdl->MappedSystemVa = NULL;
    }
}

void MmPrepareMdlForReuse(PMDL Mdl)
{
    if ((Mdl->MdlFlags & MDL_PARTIAL_HAS_BEEN_MAPPED) != 0)
        MmUnmapLockedPages(Mdl->MappedSystemVa, Mdl);
}

PVOID MmGetSystemAddressForMdl(PMDL Mdl)
{
    if ((Mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL)) != 0)
        return Mdl->MappedSystemVa;
    return MmMapLockedPages(Mdl, KernelMode);
}

PVOID MmGetSystemAddressForMdlSafe(PMDL Mdl, ULONG Priority)
{
    if ((Mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL)) != 0)
        return Mdl->MappedSystemVa;
    return MmMapLockedPagesSpecifyCache(Mdl, KernelMode, MmCached, NULL, FALSE, Priority);
}
