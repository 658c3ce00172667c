/* SPDX-License-Identifier: MIT */
/* SLIST: the executive's lock-free stack, with the names and results of the Windows Driver Kit.
 * Source:  WDK, "Singly and Doubly Linked Lists" and ExInterlockedPushEntrySList; R. K. Treiber,
 *          "Systems Programming: Coping with Parallelism", IBM RJ 5118, 1986.
 * Layout:  16 bytes aligned to 16: | Depth 16, Sequence 48 | first entry 64 |. NT keeps flags in
 *          the second word's four low bits; here they are 0, as every entry is aligned to 16.
 * Push: Depth + 1, Sequence + 1. Pop: Depth - 1. Flush: Depth 0. Depth wraps at 65536.
 *
 * Ordering. A head is read low half first (acquire), then its high half (acquire), then the link of
 * the entry that it names; the compare-exchange is a full barrier. So what a pusher wrote into an
 * entry, its link included, is seen by who pops it.
 *
 * ABA. Between reading a head and exchanging it an entry can be popped and pushed again, with
 * another link. Each push adds 1 to Sequence, so the head differs and the exchange fails, unless
 * exactly a multiple of 2^48 pushes went by. A head read torn, half before and half after another's
 * exchange, is no head that is there at the exchange, which compares both halves.
 *
 * Reclamation. A popper reads the link of an entry that others may meanwhile have popped and given
 * back to a system that unmaps it. That load may fault; it is done by pb_fixup_load, which then
 * returns PB_FIXUP_POISON. It is never used: the entry was in the list when the head was read and
 * was not when the load faulted; if it is first again at the exchange it was pushed meanwhile, so
 * Sequence differs and the exchange fails. Whoever pops must have called pb_fixup_install, or keep
 * every page that held an entry mapped while any popper lives.
 *
 * Threads: any, but for ExInitializeSListHead. May touch: the list and its entries. */
#ifndef PB_NT_SLIST_H
#define PB_NT_SLIST_H

#include "nt/cas16.h"
#include "nt/fixup.h"
#include "nt/types.h"

#include <assert.h>

typedef struct SLIST_ENTRY {
    _Alignas(16) struct SLIST_ENTRY *_Atomic Next;
} SLIST_ENTRY, *PSLIST_ENTRY;

typedef struct SLIST_HEADER {
    struct pb_word16
        Head; /* low: Depth in the 16 low bits, Sequence above; high: the first entry */
} SLIST_HEADER, *PSLIST_HEADER;

_Static_assert(sizeof(SLIST_HEADER) == 16 && _Alignof(SLIST_HEADER) == 16, "as on x64");

enum { PB_SLIST_DEPTH_MASK = 0xffff };

PB_INLINE struct pb_value16 pb_slist_read(const SLIST_HEADER *ListHead)
{
    struct pb_value16 seen;
    seen.low = atomic_load_explicit(&ListHead->Head.low, memory_order_acquire);
    seen.high = atomic_load_explicit(&ListHead->Head.high, memory_order_acquire);
    return seen;
}

PB_INLINE PSLIST_ENTRY pb_slist_entry(uint64_t high)
{
    return (PSLIST_ENTRY)(uintptr_t)high;
}

/* Depth changes without carrying into Sequence. */
PB_INLINE uint64_t pb_slist_deeper(uint64_t low, unsigned by)
{
    return (low & ~(uint64_t)PB_SLIST_DEPTH_MASK) | ((low + by) & PB_SLIST_DEPTH_MASK);
}

PB_INLINE uint64_t pb_slist_next_sequence(uint64_t low)
{
    return low + PB_SLIST_DEPTH_MASK + 1;
}

/* Empties the head. Aligned to 16; on NT a misaligned one raises STATUS_DATATYPE_MISALIGNMENT. */
static inline void ExInitializeSListHead(PSLIST_HEADER ListHead)
{
    assert((uintptr_t)ListHead % _Alignof(SLIST_HEADER) == 0);
    atomic_store_explicit(&ListHead->Head.low, 0, memory_order_relaxed); /* one thread has it */
    atomic_store_explicit(&ListHead->Head.high, 0, memory_order_relaxed);
}

/* Entries in the list, modulo 65536. */
PB_INLINE USHORT ExQueryDepthSList(const SLIST_HEADER *ListHead)
{
    /* relaxed: the figure is old as soon as it is read */
    return (USHORT)atomic_load_explicit(&ListHead->Head.low, memory_order_relaxed);
}

/* The first entry, or NULL; a glance, not a pop. */
PB_INLINE PSLIST_ENTRY FirstEntrySList(const SLIST_HEADER *ListHead)
{
    return pb_slist_entry(pb_slist_read(ListHead).high);
}

/* Returns the entry that was first, or NULL. `Lock` is ignored, as where NT is lock-free. */
PB_INLINE PSLIST_ENTRY ExInterlockedPushEntrySList(PSLIST_HEADER ListHead, PSLIST_ENTRY ListEntry,
                                                   PVOID Lock)
{
    struct pb_value16 seen, next;
    (void)Lock;
    assert((uintptr_t)ListEntry % _Alignof(SLIST_ENTRY) == 0);
    do {
        seen = pb_slist_read(ListHead);
        next.low = pb_slist_next_sequence(pb_slist_deeper(seen.low, 1));
        next.high = (uintptr_t)ListEntry;
        /* relaxed: the exchange publishes it */
        atomic_store_explicit(&ListEntry->Next, pb_slist_entry(seen.high), memory_order_relaxed);
    } while (PB_UNLIKELY(!pb_cas16(&ListHead->Head, seen, next)));
    return pb_slist_entry(seen.high);
}

/* Returns the first entry, which keeps its link, or NULL. `Lock` is ignored. */
PB_INLINE PSLIST_ENTRY ExInterlockedPopEntrySList(PSLIST_HEADER ListHead, PVOID Lock)
{
    struct pb_value16 seen, next;
    (void)Lock;
    do {
        seen = pb_slist_read(ListHead);
        if (PB_UNLIKELY(seen.high == 0))
            return NULL;
        next.low = pb_slist_deeper(seen.low, PB_SLIST_DEPTH_MASK);
        next.high = (uintptr_t)pb_fixup_load((void *const *)(uintptr_t)seen.high);
    } while (PB_UNLIKELY(!pb_cas16(&ListHead->Head, seen, next)));
    return pb_slist_entry(seen.high);
}

/* Empties the list and returns what was its first entry, the others linked behind it, or NULL.
 * Sequence is kept. */
static inline PSLIST_ENTRY ExInterlockedFlushSList(PSLIST_HEADER ListHead)
{
    struct pb_value16 seen, next;
    do {
        seen = pb_slist_read(ListHead);
        next.low = seen.low & ~(uint64_t)PB_SLIST_DEPTH_MASK;
        next.high = 0;
    } while (PB_UNLIKELY(!pb_cas16(&ListHead->Head, seen, next)));
    return pb_slist_entry(seen.high);
}

#endif
