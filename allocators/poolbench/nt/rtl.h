/* SPDX-License-Identifier: MIT */
/* Run-time library: memory operations. Three conventions of comparing meet here: RtlCompareMemory
 * counts bytes, RtlEqualMemory says yes or no, C's memcmp orders. RtlFillMemory takes length before
 * fill, C's memset fill before length. There is no Rtl name for memchr: use C's.
 * IRQL: any, on resident memory.
 * Source: WDK, the page of each routine. Threads: any; the caller orders access to the memory. */
#ifndef POOLBENCH_NT_RTL_H
#define POOLBENCH_NT_RTL_H

#include <poolbench/nt/types.h>

#include <string.h>

/* Bytes from the start on that are equal: `Length` if all are. */
SIZE_T RtlCompareMemory(const void *Source1, const void *Source2, SIZE_T Length);

/* TRUE if all bytes are equal. */
static inline BOOLEAN RtlEqualMemory(const void *Source1, const void *Source2, SIZE_T Length)
{
    return (BOOLEAN)(memcmp(Source1, Source2, Length) == 0);
}

/* The two do not overlap. */
static inline void RtlCopyMemory(PVOID Destination, const void *Source, SIZE_T Length)
{
    (void)memcpy(Destination, Source, Length);
}

/* The two may overlap. */
static inline void RtlMoveMemory(PVOID Destination, const void *Source, SIZE_T Length)
{
    (void)memmove(Destination, Source, Length);
}

static inline void RtlFillMemory(PVOID Destination, SIZE_T Length, UCHAR Fill)
{
    (void)memset(Destination, Fill, Length);
}

static inline void RtlZeroMemory(PVOID Destination, SIZE_T Length)
{
    (void)memset(Destination, 0, Length);
}

/* For secrets: is done even if nobody reads the memory again. Returns `Pointer`. */
PVOID RtlSecureZeroMemory(PVOID Pointer, SIZE_T Length);

/* As RtlCopyMemory, but past the caches, for memory that is not read again soon: on x86-64, and 8
 * bytes or more; else as RtlCopyMemory. What was written is in order with later stores. */
void RtlCopyMemoryNonTemporal(PVOID Destination, const void *Source, SIZE_T Length);

/* Byte by byte where a processor made a difference (Alpha); elsewhere, and here, other names. */
#define RtlCopyBytes(Destination, Source, Length) RtlCopyMemory(Destination, Source, Length)
#define RtlFillBytes(Destination, Length, Fill)   RtlFillMemory(Destination, Length, Fill)
#define RtlZeroBytes(Destination, Length)         RtlZeroMemory(Destination, Length)

#endif
