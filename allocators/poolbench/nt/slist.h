/* SPDX-License-Identifier: MIT */
/* SLIST: the executive's lock-free stack. An entry and a header are aligned to 16 bytes; whoever
 * pushes an entry owns its memory again once it was popped or flushed, and may then unmap it: a pop
 * that reads a link from memory that is gone is restarted.
 * Push: Depth + 1, Sequence + 1. Pop: Depth - 1. Flush: empty, Depth 0, Sequence kept. Depth wraps
 * at 65536. A popped entry keeps its link.
 * Threads: any, at any IRQL, but for ExInitializeSListHead. A `Lock` argument is ignored.
 * Needs a processor with a 16-byte compare-exchange: pb_slist_available says whether it has one.
 * Source: WDK, "Singly and Doubly Linked Lists"; wdm.h (the x64 layout). */
#ifndef POOLBENCH_NT_SLIST_H
#define POOLBENCH_NT_SLIST_H

#include <poolbench/nt/irql.h>

typedef struct SLIST_ENTRY {
    _Alignas(16) struct SLIST_ENTRY *Next;
} SLIST_ENTRY, *PSLIST_ENTRY;

typedef union SLIST_HEADER {
    _Alignas(16) struct {
        ULONGLONG Alignment; /* Depth in the 16 low bits, Sequence above */
        ULONGLONG Region;    /* the first entry; four flag bits, 0 here, below */
    };
    struct {
        ULONGLONG Depth : 16;
        ULONGLONG Sequence : 48;
        ULONGLONG Reserved : 4;
        ULONGLONG NextEntry : 60; /* the address, shifted right by 4 */
    } HeaderX64;
} SLIST_HEADER, *PSLIST_HEADER;

_Static_assert(sizeof(SLIST_HEADER) == 16 && _Alignof(SLIST_HEADER) == 16, "as on x64");

BOOLEAN pb_slist_available(void);

/* Empties the head; raises STATUS_DATATYPE_MISALIGNMENT if it is not aligned to 16. */
void ExInitializeSListHead(PSLIST_HEADER ListHead);
#define InitializeSListHead(ListHead) ExInitializeSListHead(ListHead)

/* Entries in the list, modulo 65536. */
USHORT ExQueryDepthSList(const SLIST_HEADER *ListHead);

/* The first entry, or NULL; a glance, not a pop. */
PSLIST_ENTRY FirstEntrySList(const SLIST_HEADER *ListHead);

/* Returns the entry that was first, or NULL. */
PSLIST_ENTRY ExInterlockedPushEntrySList(PSLIST_HEADER ListHead, PSLIST_ENTRY ListEntry,
                                         PKSPIN_LOCK Lock);

/* Returns the first entry, or NULL. */
PSLIST_ENTRY ExInterlockedPopEntrySList(PSLIST_HEADER ListHead, PKSPIN_LOCK Lock);

/* Empties the list and returns what was its first entry, the others linked behind it, or NULL. */
PSLIST_ENTRY ExInterlockedFlushSList(PSLIST_HEADER ListHead);

#endif
