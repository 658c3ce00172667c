/* SPDX-License-Identifier: MIT */
/* Addresses, probes and memory past the cache. Contiguous memory is in mm_contiguous.c.
 * Source:  WDK, the page of each routine; ProbeForRead and ProbeForWrite as documented by ReactOS
 *          (exintrin).
 * Locks    one mutex guards the table of non-cached blocks
 * Cost     MmGetPhysicalAddress three system calls, MmIsAddressValid one, a probe for reading none,
 *          for writing a load and a store a page and one frame of status.h */
#include "nt/mm.h"
#include "nt/vatable.h"

#include <poolbench/nt/status.h>

#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct pb_vatable noncached; /* block -> its bytes, whole pages */

PHYSICAL_ADDRESS MmGetPhysicalAddress(PVOID BaseAddress)
{
    ULONG_PTR frame;
    PHYSICAL_ADDRESS physical = {.QuadPart = 0};
    if (pb_mm_user_range(BaseAddress, 1) && pb_frames(BaseAddress, 1, &frame) == 1)
        physical.QuadPart = (LONGLONG)(frame << PAGE_SHIFT | BYTE_OFFSET(BaseAddress));
    return physical;
}

BOOLEAN MmIsAddressValid(PVOID VirtualAddress)
{
    if (pb_irql_above(DISPATCH_LEVEL, VirtualAddress))
        return FALSE;
    return (BOOLEAN)pb_resident_now(VirtualAddress, 1);
}

/* True if the buffer is there to be probed further. */
static bool probe(const volatile void *address, SIZE_T length, ULONG alignment)
{
    ULONG_PTR at = (ULONG_PTR)address;
    if (pb_irql_above(APC_LEVEL, (const void *)at) || length == 0)
        return false;
    if (alignment != 0 && (at & (alignment - 1)) != 0)
        ExRaiseDatatypeMisalignment();
    if (!pb_mm_user_range(address, length))
        ExRaiseAccessViolation();
    return true;
}

void ProbeForRead(const volatile void *Address, SIZE_T Length, ULONG Alignment)
{
    (void)probe(Address, Length, Alignment);
}

static void rewrite(volatile unsigned char *at)
{
    /* relaxed, and two operations: a race that the routine is documented to have, not a data race
     */
    __atomic_store_n(at, __atomic_load_n(at, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

void ProbeForWrite(volatile void *Address, SIZE_T Length, ULONG Alignment)
{
    volatile BOOLEAN faulted = FALSE;
    if (!probe(Address, Length, Alignment))
        return;
    PB_TRY
    {
        ULONG_PTR at = (ULONG_PTR)Address, last = at + Length - 1;
        for (; at <= last; at = (at & ~(PAGE_SIZE - 1)) + PAGE_SIZE)
            rewrite((volatile unsigned char *)at); /* NOLINT: pages are counted by address */
    }
    PB_EXCEPT
    {
        faulted = TRUE;
    }
    PB_END_TRY
    if (faulted)
        ExRaiseAccessViolation();
}

PVOID MmAllocateNonCachedMemory(SIZE_T NumberOfBytes)
{
    size_t bytes = ROUND_TO_PAGES(NumberOfBytes);
    if (pb_irql_above(APC_LEVEL, NULL) || bytes < NumberOfBytes || bytes == 0)
        return NULL;
    PVOID at = pb_pages_map(bytes);
    if (at == NULL)
        return NULL;
    (void)pb_resident_populate(at, bytes, true);
    if (pb_resident_lock(at, bytes) != 0)
        goto out_unmap;
    pthread_mutex_lock(&mutex);
    int error = pb_vatable_reserve(&noncached, 1);
    if (error == 0)
        pb_vatable_insert(&noncached, (uintptr_t)at)->value = bytes;
    pthread_mutex_unlock(&mutex);
    if (error == 0)
        return at;
    (void)pb_resident_unlock(at, bytes);
out_unmap:
    pb_pages_unmap(at, bytes);
    return NULL;
}

void MmFreeNonCachedMemory(PVOID BaseAddress, SIZE_T NumberOfBytes)
{
    size_t bytes = ROUND_TO_PAGES(NumberOfBytes);
    if (pb_irql_above(APC_LEVEL, BaseAddress))
        return;
    pthread_mutex_lock(&mutex);
    struct pb_vatable_entry *entry = pb_vatable_find(&noncached, (uintptr_t)BaseAddress);
    bool right = entry != NULL && entry->value == bytes;
    if (right)
        pb_vatable_remove(&noncached, entry);
    pthread_mutex_unlock(&mutex);
    if (!right) {
        KeBugCheckEx(BAD_POOL_CALLER, BAD_CALLER_NOT_POOL, (ULONG_PTR)BaseAddress, NumberOfBytes,
                     0);
        return;
    }
    (void)pb_resident_unlock(BaseAddress, bytes);
    pb_pages_unmap(BaseAddress, bytes);
}
