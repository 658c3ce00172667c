/* SPDX-License-Identifier: MIT */
/* Nonpaged and paged lookaside lists: the calls of poolbench/nt/lookaside.h for them. In front of
 * the pool unless the owner gives routines. general.c says how a list works. Threads: any, but to
 * initialize and delete. May touch: the pool by its public calls. */
#include "lookaside/general.h"

#include "nt/entry.h"

static void make_general(pb_general *list, PALLOCATE_FUNCTION allocate, PFREE_FUNCTION free,
                         ULONG type, SIZE_T size, ULONG tag, USHORT depth)
{
    if (!pb_general_level(list, type))
        return;
    pb_general_make(list, type, size, tag, depth);
    list->Allocate = allocate != NULL ? allocate : ExAllocatePoolWithTag;
    list->Free = free != NULL ? free : ExFreePool;
    if (pb_pool_lists_are_locked())
        pb_general_lock_init(list);
    pb_general_enter(list);
}

PB_INLINE PVOID allocate_general(pb_general *list)
{
    if (!pb_general_level(list, list->Type))
        return NULL;
    PVOID entry = pb_general_pop(list);
    if (PB_LIKELY(entry != NULL))
        return entry;
    if (list->Allocate == ExAllocatePoolWithTag) /* aligned as an entry has to be */
        return pb_pool_entry((POOL_TYPE)list->Type, list->Size, list->Tag);
    return list->Allocate((POOL_TYPE)list->Type, list->Size, list->Tag);
}

PB_INLINE void free_general(pb_general *list, PVOID entry)
{
    if (pb_general_may_free(list, entry) && !pb_general_push(list, entry))
        list->Free(entry);
}

static void return_general(pb_general *list, PVOID entry)
{
    list->Free(entry);
}

/* The record lies at the start of each public type. The pointer is converted, not the member taken:
 * a list is aligned to 16, though the type of its member asks for more. */
static pb_general *of_nonpaged(PNPAGED_LOOKASIDE_LIST list)
{
    return (pb_general *)(void *)list;
}

static pb_general *of_paged(PPAGED_LOOKASIDE_LIST list)
{
    return (pb_general *)(void *)list;
}

void ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                     PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag,
                                     USHORT Depth)
{
    make_general(of_nonpaged(Lookaside), Allocate, Free, NonPagedPool | Flags, Size, Tag, Depth);
}

void ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                    PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag,
                                    USHORT Depth)
{
    make_general(of_paged(Lookaside), Allocate, Free, PagedPool | Flags, Size, Tag, Depth);
}

PVOID ExAllocateFromNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside)
{
    return allocate_general(of_nonpaged(Lookaside));
}

void ExFreeToNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry)
{
    free_general(of_nonpaged(Lookaside), Entry);
}

PVOID ExAllocateFromPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside)
{
    return allocate_general(of_paged(Lookaside));
}

void ExFreeToPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry)
{
    free_general(of_paged(Lookaside), Entry);
}

void ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside)
{
    pb_general_delete(of_nonpaged(Lookaside), return_general);
}

void ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside)
{
    pb_general_delete(of_paged(Lookaside), return_general);
}
