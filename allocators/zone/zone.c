/* SPDX-License-Identifier: MIT */
/* Zones: making and extending one, and the calls under a lock. zone.h says what a zone is; its
 * other calls are there, inline, as they are macros in the NT headers. In checked mode the level is
 * looked at: at PASSIVE_LEVEL a zone is made, up to DISPATCH_LEVEL extended; a call that ends in a
 * bugcheck changes nothing. The interlocked calls are for any level at which the lock is used
 * alone. Threads: any for the interlocked calls, else the caller's lock. */
#include <poolbench/nt/zone.h>

#include "nt/spin.h"

enum { ZONE_ALIGNMENT = 8 };

static BOOLEAN zone_accepts(ULONG block, const void *segment, ULONG size)
{
    return (BOOLEAN)((ULONG_PTR)segment % ZONE_ALIGNMENT == 0 && block % ZONE_ALIGNMENT == 0 &&
                     block >= sizeof(PVOID) && block <= size &&
                     size >= sizeof(ZONE_SEGMENT_HEADER));
}

/* Files the segment and pushes its blocks in address order. */
static void zone_carve(PZONE_HEADER zone, PVOID segment, ULONG size)
{
    PZONE_SEGMENT_HEADER header = segment;
    ULONG offset = sizeof *header;
    header->Reserved = NULL;
    PushEntryList(&zone->SegmentList, &header->SegmentList);
    for (; offset <= size - zone->BlockSize; offset += zone->BlockSize) {
        PVOID block = (UCHAR *)segment + offset;
        PushEntryList(&zone->FreeList, (PSINGLE_LIST_ENTRY)block);
    }
    zone->TotalSegmentSize += offset;
}

/* FALSE after a bugcheck: the thread is above `most`. */
static BOOLEAN zone_level(const ZONE_HEADER *zone, KIRQL most)
{
    if (!PbNtChecked || pb_irql <= most)
        return TRUE;
    KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)zone, pb_irql, 0, 0);
    return FALSE;
}

static NTSTATUS zone_extend(PZONE_HEADER zone, PVOID segment, ULONG size)
{
    if (!zone_accepts(zone->BlockSize, segment, size))
        return STATUS_INVALID_PARAMETER;
    zone_carve(zone, segment, size);
    return STATUS_SUCCESS;
}

NTSTATUS ExInitializeZone(PZONE_HEADER Zone, ULONG BlockSize, PVOID InitialSegment,
                          ULONG InitialSegmentSize)
{
    if (!zone_level(Zone, PASSIVE_LEVEL))
        return STATUS_UNSUCCESSFUL;
    if (!zone_accepts(BlockSize, InitialSegment, InitialSegmentSize))
        return STATUS_INVALID_PARAMETER;
    *Zone = (ZONE_HEADER){.BlockSize = BlockSize};
    zone_carve(Zone, InitialSegment, InitialSegmentSize);
    return STATUS_SUCCESS;
}

NTSTATUS ExExtendZone(PZONE_HEADER Zone, PVOID Segment, ULONG SegmentSize)
{
    if (!zone_level(Zone, DISPATCH_LEVEL))
        return STATUS_UNSUCCESSFUL;
    return zone_extend(Zone, Segment, SegmentSize);
}

NTSTATUS ExInterlockedExtendZone(PZONE_HEADER Zone, PVOID Segment, ULONG SegmentSize,
                                 PKSPIN_LOCK Lock)
{
    KIRQL before;
    if (!pb_interlock(Lock, &before))
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = zone_extend(Zone, Segment, SegmentSize);
    pb_interlock_end(Lock, before);
    return status;
}

PVOID ExInterlockedAllocateFromZone(PZONE_HEADER Zone, PKSPIN_LOCK Lock)
{
    return ExInterlockedPopEntryList(&Zone->FreeList, Lock);
}

PVOID ExInterlockedFreeToZone(PZONE_HEADER Zone, PVOID Block, PKSPIN_LOCK Lock)
{
    return ExInterlockedPushEntryList(&Zone->FreeList, (PSINGLE_LIST_ENTRY)Block, Lock);
}
