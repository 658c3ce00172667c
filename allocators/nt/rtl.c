/* SPDX-License-Identifier: MIT */
/* The memory operations of poolbench/nt/rtl.h that are more than a name for C's.
 * Source: WDK, RtlCompareMemory, RtlSecureZeroMemory, RtlCopyMemoryNonTemporal; Intel SDM, MOVNTDQ
 * (aligned, weakly ordered: a fence ends it). Threads: any. */
#include <poolbench/nt/rtl.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

SIZE_T RtlCompareMemory(const void *Source1, const void *Source2, SIZE_T Length)
{
    const UCHAR *a = Source1, *b = Source2;
    SIZE_T equal = 0;
    for (; Length - equal >= sizeof(ULONG64); equal += sizeof(ULONG64)) {
        ULONG64 x, y;
        memcpy(&x, a + equal, sizeof x);
        memcpy(&y, b + equal, sizeof y);
        if (x != y)
            break;
    }
    while (equal < Length && a[equal] == b[equal])
        equal++;
    return equal;
}

PVOID RtlSecureZeroMemory(PVOID Pointer, SIZE_T Length)
{
    explicit_bzero(Pointer, Length);
    return Pointer;
}

#if defined(__SSE2__)

enum { VECTOR = sizeof(__m128i), LEAST = 8 };

/* Plainly up to the first vector's boundary, in vectors, plainly the rest. */
void RtlCopyMemoryNonTemporal(PVOID Destination, const void *Source, SIZE_T Length)
{
    UCHAR *to = Destination;
    const UCHAR *from = Source;
    SIZE_T lead = (0 - (ULONG_PTR)to) % VECTOR;
    if (Length < LEAST || Length < lead + VECTOR) {
        memcpy(Destination, Source, Length);
        return;
    }
    memcpy(to, from, lead);
    to += lead, from += lead, Length -= lead;
    for (; Length >= VECTOR; to += VECTOR, from += VECTOR, Length -= VECTOR)
        _mm_stream_si128((__m128i *)(void *)to,
                         _mm_loadu_si128((const __m128i *)(const void *)from));
    memcpy(to, from, Length);
    _mm_sfence();
}

#else

void RtlCopyMemoryNonTemporal(PVOID Destination, const void *Source, SIZE_T Length)
{
    memcpy(Destination, Source, Length);
}

#endif
