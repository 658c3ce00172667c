/* SPDX-License-Identifier: MIT */
/* LOOKASIDE_LIST_EX: a list whose routines are given the list, so that they find what its owner
 * keeps around it (CONTAINING_RECORD). Its record is the general one, and nothing more. Threads:
 * any, but to initialize and delete. May touch: the pool by its public calls. */
#include "lookaside/general.h"

#include "nt/entry.h"

enum {
    TYPE_BITS = 1 | 2 | 4 | 32 | 512, /* those of a POOL_TYPE, without a caller's flags */
    TYPE_NONE = 1 | 2                 /* together they are no pool: DontUseThisType */
};

static pb_general *of_ex(PLOOKASIDE_LIST_EX list)
{
    return (pb_general *)(void *)list;
}

static PVOID allocate_from_pool(POOL_TYPE type, SIZE_T bytes, ULONG tag, PLOOKASIDE_LIST_EX list)
{
    (void)list;
    return pb_pool_entry(type, bytes, tag);
}

static void free_to_pool(PVOID block, PLOOKASIDE_LIST_EX list)
{
    (void)list;
    ExFreePool(block);
}

static bool is_pool_type(ULONG type)
{
    return (type & ~(ULONG)TYPE_BITS) == 0 && (type & TYPE_NONE) != TYPE_NONE;
}

/* What flags add to the type that is passed on. By flags: none, RAISE_ON_FAIL, FAIL_NO_RAISE. */
static const ULONG passed_on[] = {0, POOL_RAISE_IF_ALLOCATION_FAILURE,
                                  POOL_QUOTA_FAIL_INSTEAD_OF_RAISE};

/* FAIL_NO_RAISE without a routine of the owner's is not defined by NT; here it is refused, as the
 * pool would take its bit for a charge of quota. */
static bool are_flags(ULONG flags, PALLOCATE_FUNCTION_EX allocate)
{
    return flags < sizeof passed_on / sizeof *passed_on &&
           (flags != EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE || allocate != NULL);
}

NTSTATUS ExInitializeLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PALLOCATE_FUNCTION_EX Allocate,
                                     PFREE_FUNCTION_EX Free, POOL_TYPE PoolType, ULONG Flags,
                                     SIZE_T Size, ULONG Tag, USHORT Depth)
{
    pb_general *list = of_ex(Lookaside);
    ULONG type = (ULONG)PoolType;
    if (!is_pool_type(type))
        return STATUS_INVALID_PARAMETER_4;
    if (!are_flags(Flags, Allocate))
        return STATUS_INVALID_PARAMETER_5;
    if (!pb_general_level(list, type))
        return STATUS_UNSUCCESSFUL;
    pb_general_make(list, type | passed_on[Flags], Size, Tag, Depth);
    list->AllocateEx = Allocate != NULL ? Allocate : allocate_from_pool;
    list->FreeEx = Free != NULL ? Free : free_to_pool;
    pb_general_enter(list);
    return STATUS_SUCCESS;
}

PVOID ExAllocateFromLookasideListEx(PLOOKASIDE_LIST_EX Lookaside)
{
    pb_general *list = of_ex(Lookaside);
    if (!pb_general_level(list, list->Type))
        return NULL;
    PVOID entry = pb_general_pop(list);
    if (PB_LIKELY(entry != NULL))
        return entry;
    return list->AllocateEx((POOL_TYPE)list->Type, list->Size, list->Tag, Lookaside);
}

void ExFreeToLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PVOID Entry)
{
    pb_general *list = of_ex(Lookaside);
    if (pb_general_may_free(list, Entry) && !pb_general_push(list, Entry))
        list->FreeEx(Entry, Lookaside);
}

static void give_back(pb_general *list, PVOID entry)
{
    list->FreeEx(entry, (PLOOKASIDE_LIST_EX)(void *)list);
}

void ExFlushLookasideListEx(PLOOKASIDE_LIST_EX Lookaside)
{
    pb_general *list = of_ex(Lookaside);
    if (pb_general_level(list, list->Type))
        pb_general_drain(list, give_back);
}

void ExDeleteLookasideListEx(PLOOKASIDE_LIST_EX Lookaside)
{
    pb_general_delete(of_ex(Lookaside), give_back);
}
