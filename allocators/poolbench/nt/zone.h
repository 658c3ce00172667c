/* SPDX-License-Identifier: MIT */
/* The executive's zones: fixed-size blocks carved from segments that the caller gives, on one
 * singly linked free list. Nothing is locked and nothing is checked after the carving.
 * Source:  Windows NT 4.0 DDK, ExInitializeZone and the routines beside it (obsolete since Windows
 *          2000). Sources disagree on the status for refused arguments (STATUS_UNSUCCESSFUL or
 *          STATUS_INVALID_PARAMETER): here always the latter.
 * Layout:  | segment header | block 0 | block 1 | ... | tail |
 *          a free block's first word links to the next
 * I1       a block is on the free list or with a caller, never both
 * I2       TotalSegmentSize is the sum over segments of header + blocks * BlockSize, without tails
 * IRQL     checked mode: ExInitializeZone above PASSIVE_LEVEL, ExExtendZone above DISPATCH_LEVEL are
 *          IRQL_NOT_LESS_OR_EQUAL (p1 the zone), and STATUS_UNSUCCESSFUL
 * Locks    the caller's; locked and unlocked calls on one zone do not mix
 * Cost     allocate and free O(1); 0 bytes a block; 16 bytes and a tail a segment. Never shrinks */
#ifndef POOLBENCH_NT_ZONE_H
#define POOLBENCH_NT_ZONE_H

#include <poolbench/nt/list.h>

typedef struct ZONE_SEGMENT_HEADER {
    SINGLE_LIST_ENTRY SegmentList;
    PVOID Reserved;
} ZONE_SEGMENT_HEADER, *PZONE_SEGMENT_HEADER;

typedef struct ZONE_HEADER {
    SINGLE_LIST_ENTRY FreeList;
    SINGLE_LIST_ENTRY SegmentList; /* the newest segment first */
    ULONG BlockSize;
    ULONG TotalSegmentSize; /* wraps at 4 GiB */
} ZONE_HEADER, *PZONE_HEADER;

/* Makes a zone of `BlockSize`-byte blocks over one segment, which stays the caller's. The highest
 * block is handed out first. Returns STATUS_SUCCESS (even if not one block fits), or
 * STATUS_INVALID_PARAMETER if the segment or the block size is not a multiple of 8, a block cannot
 * hold a pointer, or the segment is smaller than a block or its own header. */
NTSTATUS ExInitializeZone(PZONE_HEADER Zone, ULONG BlockSize, PVOID InitialSegment,
                          ULONG InitialSegmentSize);

/* Adds a segment under the same conditions; the zone is unchanged on failure. */
NTSTATUS ExExtendZone(PZONE_HEADER Zone, PVOID Segment, ULONG SegmentSize);

/* Returns a block, or NULL if the free list is empty; never grows the zone. */
static inline PVOID ExAllocateFromZone(PZONE_HEADER Zone)
{
    return PopEntryList(&Zone->FreeList);
}

/* Returns the block that was first in the free list before, NULL if the list was empty. */
static inline PVOID ExFreeToZone(PZONE_HEADER Zone, PVOID Block)
{
    PVOID previous = Zone->FreeList.Next;
    PushEntryList(&Zone->FreeList, (PSINGLE_LIST_ENTRY)Block);
    return previous;
}

/* TRUE if every block is handed out; a glance, which needs no lock. */
static inline BOOLEAN ExIsFullZone(const ZONE_HEADER *Zone)
{
    /* relaxed: the answer is old as soon as it is read */
    return (BOOLEAN)(__atomic_load_n(&Zone->FreeList.Next, __ATOMIC_RELAXED) == NULL);
}

/* TRUE if `Object` lies in the segment that the list begins with, taken to be TotalSegmentSize
 * long: right for a zone that was never extended, and only for one. */
static inline BOOLEAN ExIsObjectInFirstZoneSegment(const ZONE_HEADER *Zone, const void *Object)
{
    ULONG_PTR first = (ULONG_PTR)Zone->SegmentList.Next;
    return (BOOLEAN)((ULONG_PTR)Object >= first &&
                     (ULONG_PTR)Object < first + Zone->TotalSegmentSize);
}

/* The same under the caller's spin lock, which guards that zone and nothing else. An exhausted zone
 * is better asked by ExIsFullZone first: then nobody spins for nothing. */
NTSTATUS ExInterlockedExtendZone(PZONE_HEADER Zone, PVOID Segment, ULONG SegmentSize,
                                 PKSPIN_LOCK Lock);
PVOID ExInterlockedAllocateFromZone(PZONE_HEADER Zone, PKSPIN_LOCK Lock);
PVOID ExInterlockedFreeToZone(PZONE_HEADER Zone, PVOID Block, PKSPIN_LOCK Lock);

#endif
