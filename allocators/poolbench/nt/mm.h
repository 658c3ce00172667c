/* SPDX-License-Identifier: MIT */
/* Services of the memory manager: what an address is, whether a caller's buffer may be touched, and
 * memory that is contiguous or uncached in the machine. A user program has poor counterparts of the
 * latter two; what this machine and this user are refused, pb_mm_limits says.
 * Source: WDK, the page of each routine. Threads: any. */
#ifndef POOLBENCH_NT_MM_H
#define POOLBENCH_NT_MM_H

#include <poolbench/nt/bugcheck.h>
#include <poolbench/nt/page.h>

/* The last byte that a program can have, and the first address above it. */
#if defined(__x86_64__)
#define MM_HIGHEST_USER_ADDRESS ((PVOID)(ULONG_PTR)0x00007FFFFFFFEFFF)
#else
#define MM_HIGHEST_USER_ADDRESS ((PVOID)(ULONG_PTR)0x0000FFFFFFFFFFFF)
#endif
#define MM_USER_PROBE_ADDRESS ((ULONG_PTR)MM_HIGHEST_USER_ADDRESS + 1)

/* The physical address of a byte, 0 if its page is not in memory or the system does not tell
 * (/proc/self/pagemap without CAP_SYS_ADMIN). Stale at once unless the page is locked, and then
 * still when the system migrates it. Any IRQL. */
PHYSICAL_ADDRESS MmGetPhysicalAddress(PVOID BaseAddress);

/* TRUE if the byte's page is in memory now (mincore): FALSE for one that is not mapped, was never
 * touched or is paged out. For a file's page it is the page cache that counts. A page without
 * rights counts as it lies in memory. Stale at once. IRQL <= DISPATCH_LEVEL. */
BOOLEAN MmIsAddressValid(PVOID VirtualAddress);

/* Checks a caller's buffer: `Length` 0 is always good; an address that is not a multiple of
 * `Alignment` (1, 2, 4, 8, 16) raises STATUS_DATATYPE_MISALIGNMENT; a range that wraps or leaves
 * the program's addresses STATUS_ACCESS_VIOLATION. ProbeForRead never reads: what it lets pass may
 * fault. ProbeForWrite reads and writes back one byte in each page, not atomically: another
 * thread's write to that byte between may be lost; a page that cannot be written raises
 * STATUS_ACCESS_VIOLATION. IRQL <= APC_LEVEL. */
void ProbeForRead(const volatile void *Address, SIZE_T Length, ULONG Alignment);
void ProbeForWrite(volatile void *Address, SIZE_T Length, ULONG Alignment);

/* Nonpaged memory on frames that follow each other, page aligned, or NULL. Up to a page: a page of
 * the nonpaged pool. Above: nonpaged pool whose frames happen to be contiguous, then one huge page
 * (vm.nr_hugepages), then transparent huge pages; more than one only if the frame numbers can be
 * read and follow each other. No address can be asked for: memory whose last byte lies above
 * `HighestAcceptableAddress` is given back, and so it is if that is below 2^52 - 1 and the frame
 * numbers are hidden. IRQL <= DISPATCH_LEVEL; above APC_LEVEL only the pool is tried. */
PVOID MmAllocateContiguousMemory(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS HighestAcceptableAddress);

/* BAD_POOL_CALLER 0x60 for an address that the routine above never gave. */
void MmFreeContiguousMemory(PVOID BaseAddress);

/* Whole pages, zeroed, locked as far as RLIMIT_MEMLOCK lets them, not contiguous; NULL on failure
 * or for 0 bytes. A proxy: no program can map memory uncached, so it is ordinary memory, and its
 * user goes past the cache by pb_nt_store and pb_nt_load. A figure made with it is labelled
 * PB_NONCACHED_LABEL. Freed with the same number of bytes, else BAD_POOL_CALLER 0x46.
 * IRQL <= APC_LEVEL. */
#define PB_NONCACHED_LABEL "NT stores, not uncached"
PVOID MmAllocateNonCachedMemory(SIZE_T NumberOfBytes);
void MmFreeNonCachedMemory(PVOID BaseAddress, SIZE_T NumberOfBytes);

/* Whether the three below go past the cache on this processor, or are plain loads and stores. */
static inline BOOLEAN pb_nt_available(void)
{
#if defined(__x86_64__)
    return TRUE;
#else
    return FALSE;
#endif
}

/* Writes a word past the caches (movnti): weakly ordered, pb_nt_fence puts it before what follows.
 */
static inline void pb_nt_store(volatile ULONG64 *at, ULONG64 value)
{
#if defined(__x86_64__)
    __asm__ volatile("movnti %1, %0" : "=m"(*at) : "r"(value));
#else
    *at = value;
#endif
}

/* Reads a word from memory: its line is thrown out of the caches first (clflush; one line at a time
 * gains nothing by clflushopt). */
static inline ULONG64 pb_nt_load(const volatile ULONG64 *at)
{
#if defined(__x86_64__)
    __asm__ volatile("clflush %0\n\tmfence" : : "m"(*at) : "memory");
#endif
    return *at;
}

static inline void pb_nt_fence(void)
{
#if defined(__x86_64__)
    __asm__ volatile("sfence" : : : "memory");
#else
    __atomic_thread_fence(__ATOMIC_RELEASE); /* orders the plain stores alike */
#endif
}

/* Whether `Length` bytes at `Address` lie below MM_USER_PROBE_ADDRESS and do not wrap; 0 bytes do.
 */
static inline BOOLEAN pb_mm_user_range(const volatile void *Address, SIZE_T Length)
{
    ULONG_PTR first = (ULONG_PTR)Address;
    return (BOOLEAN)(Length == 0 ||
                     (first < MM_USER_PROBE_ADDRESS && Length <= MM_USER_PROBE_ADDRESS - first));
}

/* What a routine cannot do here and now: in any program, on this machine, or for this user. */
struct pb_mm_limit {
    const char *routine;
    const char *what; /* one line; valid until the thread's next call of pb_mm_limits */
};

enum { PB_MM_LIMITS_MAX = 16 };

/* Looks (a few system calls) and writes up to PB_MM_LIMITS_MAX rows; returns how many. */
unsigned pb_mm_limits(struct pb_mm_limit limits[PB_MM_LIMITS_MAX]);

#endif
