/* SPDX-License-Identifier: MIT */
/* Zones: making and extending one. zone.h says what a zone is; its other calls are there, inline,
 * as they are macros in the NT headers. */
#include "zone/zone.h"

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

NTSTATUS ExInitializeZone(PZONE_HEADER Zone, ULONG BlockSize, PVOID InitialSegment,
                          ULONG InitialSegmentSize)
{
    if (!zone_accepts(BlockSize, InitialSegment, InitialSegmentSize))
        return STATUS_INVALID_PARAMETER;
    *Zone = (ZONE_HEADER){.BlockSize = BlockSize};
    zone_carve(Zone, InitialSegment, InitialSegmentSize);
    return STATUS_SUCCESS;
}

NTSTATUS ExExtendZone(PZONE_HEADER Zone, PVOID Segment, ULONG SegmentSize)
{
    if (!zone_accepts(Zone->BlockSize, Segment, SegmentSize))
        return STATUS_INVALID_PARAMETER;
    zone_carve(Zone, Segment, SegmentSize);
    return STATUS_SUCCESS;
}
