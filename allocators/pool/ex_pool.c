/* SPDX-License-Identifier: MIT */
/* The Ex routines of the pool: what each caller's flags mean, in terms of front.h.
 * Source:  WDK, the page of each routine. Threads: any. */
#include "pool/executive.h"

#include "nt/entry.h"

#include <poolbench/nt/slist.h>
#include <poolbench/nt/status.h>

#define TAG_NONE 0x656E6F4Eu /* "None" */

static void *allocate(const struct pool_ask *ask)
{
    struct pool_front *front = pb_executive();
    if (__builtin_expect(front != NULL, 1))
        return pb_front_allocate(front, ask);
    if ((ask->flags & POOL_ASK_RAISE) != 0)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    return NULL;
}

static unsigned raise_of(POOL_TYPE type)
{
    return (type & POOL_RAISE_IF_ALLOCATION_FAILURE) != 0 ? POOL_ASK_RAISE : 0;
}

PVOID ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    const struct pool_ask ask = {.bytes = NumberOfBytes,
                                 .type = PoolType & POOL_BITS,
                                 .tag = Tag,
                                 .flags = raise_of(PoolType)};
    return allocate(&ask);
}

PVOID pb_pool_entry(POOL_TYPE type, SIZE_T bytes, ULONG tag)
{
    const struct pool_ask ask = {.bytes = bytes,
                                 .type = type & POOL_BITS,
                                 .tag = tag,
                                 .alignment = _Alignof(SLIST_ENTRY),
                                 .flags = raise_of(type)};
    return allocate(&ask);
}

PVOID ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes)
{
    return ExAllocatePoolWithTag(PoolType, NumberOfBytes, TAG_NONE);
}

PVOID ExAllocatePoolWithQuotaTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    bool fails = (PoolType & POOL_QUOTA_FAIL_INSTEAD_OF_RAISE) != 0;
    const struct pool_ask ask = {.bytes = NumberOfBytes,
                                 .type = PoolType & POOL_BITS,
                                 .tag = Tag,
                                 .flags = POOL_ASK_QUOTA | (fails ? 0 : POOL_ASK_RAISE),
                                 .owner = PsGetCurrentProcess()};
    return allocate(&ask);
}

PVOID ExAllocatePoolWithQuota(POOL_TYPE PoolType, SIZE_T NumberOfBytes)
{
    return ExAllocatePoolWithQuotaTag(PoolType, NumberOfBytes, TAG_NONE);
}

/* Adds to the request what a priority says. False: there is no such priority. */
static bool add_priority(struct pool_ask *ask, EX_POOL_PRIORITY priority)
{
    static const enum pool_water waters[] = {POOL_WATER_LOW, POOL_WATER_NORMAL, POOL_WATER_NONE};
    unsigned level = (unsigned)priority / 16, special = (unsigned)priority % 16;
    if (level >= sizeof waters / sizeof *waters || (special != 0 && special != 8 && special != 9))
        return false;
    ask->water = waters[level];
    if (special != 0)
        ask->flags |= POOL_ASK_SPECIAL;
    if (special == 9)
        ask->flags |= POOL_ASK_UNDERRUN;
    return true;
}

PVOID ExAllocatePoolWithTagPriority(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag,
                                    EX_POOL_PRIORITY Priority)
{
    struct pool_ask ask = {.bytes = NumberOfBytes,
                           .type = PoolType & POOL_BITS,
                           .tag = Tag,
                           .flags = raise_of(PoolType)};
    (void)add_priority(&ask, Priority); /* one that is not there adds nothing */
    return allocate(&ask);
}

#define POOL_FLAG_KINDS (POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED)
#define POOL_FLAG_REQUIRED                                                                         \
    (POOL_FLAG_USE_QUOTA | POOL_FLAG_UNINITIALIZED | POOL_FLAG_SESSION | POOL_FLAG_CACHE_ALIGNED | \
     POOL_FLAG_RAISE_ON_FAILURE | POOL_FLAG_KINDS)

static unsigned type_of(POOL_FLAGS flags)
{
    unsigned type = (flags & POOL_FLAG_PAGED) != 0 ? POOL_BIT_PAGED : 0;
    if ((flags & POOL_FLAG_NON_PAGED) != 0)
        type |= POOL_BIT_NX;
    if ((flags & POOL_FLAG_SESSION) != 0)
        type |= POOL_BIT_SESSION;
    if ((flags & POOL_FLAG_CACHE_ALIGNED) != 0)
        type |= POOL_BIT_CACHE_ALIGNED;
    return type;
}

/* The request that flags stand for. False: they, or the tag, are not allowed. */
static bool ask_of(POOL_FLAGS flags, SIZE_T bytes, ULONG tag, struct pool_ask *ask)
{
    const uint64_t kinds = flags & POOL_FLAG_KINDS;
    *ask = (struct pool_ask){.bytes = bytes, .type = type_of(flags), .tag = tag};
    if ((flags & POOL_FLAG_RAISE_ON_FAILURE) != 0)
        ask->flags |= POOL_ASK_RAISE;
    if ((flags & POOL_FLAG_UNINITIALIZED) == 0)
        ask->flags |= POOL_ASK_ZERO;
    if ((flags & POOL_FLAG_SPECIAL_POOL) != 0)
        ask->flags |= POOL_ASK_SPECIAL;
    if ((flags & POOL_FLAG_USE_QUOTA) != 0) {
        ask->flags |= POOL_ASK_QUOTA;
        ask->owner = PsGetCurrentProcess();
    }
    return tag != 0 && kinds != 0 && (kinds & (kinds - 1)) == 0 &&
           (flags & UINT32_MAX & ~POOL_FLAG_REQUIRED) == 0;
}

/* One extended parameter. False: it is required, and unknown or wrong. */
static bool add_parameter(struct pool_ask *ask, PCPOOL_EXTENDED_PARAMETER parameter)
{
    bool known =
        parameter->Type == PoolExtendedParameterPriority && add_priority(ask, parameter->Priority);
    return known || parameter->Optional != 0;
}

PVOID ExAllocatePool3(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag,
                      PCPOOL_EXTENDED_PARAMETER ExtendedParameters, ULONG ExtendedParametersCount)
{
    struct pool_ask ask;
    bool allowed = ask_of(Flags, NumberOfBytes, Tag, &ask) &&
                   (ExtendedParameters != NULL || ExtendedParametersCount == 0);
    for (ULONG i = 0; allowed && i < ExtendedParametersCount; i++)
        allowed = add_parameter(&ask, &ExtendedParameters[i]);
    if (allowed)
        return allocate(&ask);
    if ((ask.flags & POOL_ASK_RAISE) != 0)
        ExRaiseStatus(STATUS_INVALID_PARAMETER);
    return NULL;
}

PVOID ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag)
{
    return ExAllocatePool3(Flags, NumberOfBytes, Tag, NULL, 0);
}

void ExFreePoolWithTag(PVOID P, ULONG Tag)
{
    struct pool_front *front = pb_executive();
    if (__builtin_expect(front != NULL, 1))
        (void)pb_front_free(front, P, Tag);
}

void ExFreePool(PVOID P)
{
    ExFreePoolWithTag(P, 0);
}

/* No extended parameter of a free is known; only an optional one can be passed over. */
void ExFreePool2(PVOID P, ULONG Tag, PCPOOL_EXTENDED_PARAMETER ExtendedParameters,
                 ULONG ExtendedParametersCount)
{
    for (ULONG i = 0; ExtendedParameters != NULL && i < ExtendedParametersCount; i++)
        if (ExtendedParameters[i].Optional == 0)
            return;
    ExFreePoolWithTag(P, Tag);
}

SIZE_T ExQueryPoolBlockSize(PVOID PoolBlock, PBOOLEAN QuotaCharged)
{
    struct pool_front *front = pb_executive();
    bool charged = false;
    size_t bytes = front != NULL ? pb_front_usable(front, PoolBlock, &charged) : 0;
    if (QuotaCharged != NULL)
        *QuotaCharged = charged;
    return bytes;
}
