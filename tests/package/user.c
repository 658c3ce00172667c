/* SPDX-License-Identifier: MIT */
/* A user's program: it knows the installed library and nothing else of poolbench. Pool by tag, a
 * zone over memory of the pool, a lookaside list. Exit 0 if all does what NT says. */
#include <poolbench/ntmm.h>

#include <stdio.h>

enum { BLOCK = 64, SEGMENT = 4096, TAG = 0x72657355 }; /* "User" */

static int say(const char *what)
{
    fprintf(stderr, "user: %s\n", what);
    return 1;
}

static int use_zone(PVOID segment)
{
    ZONE_HEADER zone;
    if (!NT_SUCCESS(ExInitializeZone(&zone, BLOCK, segment, SEGMENT)))
        return say("the zone refuses its segment");
    unsigned char *first = ExAllocateFromZone(&zone), *second = ExAllocateFromZone(&zone);
    if (first - second != BLOCK)
        return say("a zone's blocks do not descend");
    if (ExFreeToZone(&zone, second) == NULL || ExIsFullZone(&zone))
        return say("a zone lost a block");
    return 0;
}

static int use_lookaside(void)
{
    static NPAGED_LOOKASIDE_LIST list;
    ExInitializeNPagedLookasideList(&list, NULL, NULL, 0, BLOCK, TAG, 0);
    PVOID entry = ExAllocateFromNPagedLookasideList(&list);
    if (entry == NULL)
        return say("no entry");
    ExFreeToNPagedLookasideList(&list, entry);
    if (ExAllocateFromNPagedLookasideList(&list) != entry)
        return say("a lookaside list is not a stack");
    ExFreeToNPagedLookasideList(&list, entry);
    ExDeleteNPagedLookasideList(&list);
    return 0;
}

int main(void)
{
    SYSTEM_POOLTAG row;
    size_t leaked;
    PVOID segment = ExAllocatePoolWithTag(NonPagedPool, SEGMENT, TAG);
    if (segment == NULL || BYTE_OFFSET(segment) != 0)
        return say("a page is not page aligned");
    if (use_zone(segment) != 0 || use_lookaside() != 0)
        return 1;
    ExFreePoolWithTag(segment, TAG);
    if (PbDiscardInitSection(use_zone) != 0 || MmPageEntireDriver(use_zone) == NULL)
        return say("a program without sections is not known, or has some");
    MmResetDriverPaging(use_zone);
    if (PbQueryPoolTags(&row, 1) < 1)
        return say("nothing was counted");
    PbNtReset(&leaked);
    if (leaked != 0)
        return say("a block was lost");
    puts("pool, zone and lookaside list do what they should");
    return 0;
}
