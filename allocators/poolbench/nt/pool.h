/* SPDX-License-Identifier: MIT */
/* The executive's pool: variable-size memory in two kinds, resident (nonpaged) and pageable (paged).
 * IRQL: paged memory is allocated and freed at APC_LEVEL or below, nonpaged at DISPATCH_LEVEL or
 * below; else BAD_POOL_CALLER 8 or 9. Content is not zeroed, but for ExAllocatePool2. Requests of a
 * page and more are page aligned; smaller ones are aligned to 8 or 16 bytes by profile and do not
 * cross a page. A request of 0 bytes gives the smallest block (in checked mode BAD_POOL_CALLER 0).
 * Failure is NULL, unless the call or its flags say that it raises: then
 * STATUS_INSUFFICIENT_RESOURCES, or STATUS_QUOTA_EXCEEDED where quota refused.
 * The pool begins with the options that PbNtConfigure was given, at its first use.
 * Source: WDK, the page of each routine; Windows Internals, 6th ed., 2012. Threads: any. */
#ifndef POOLBENCH_NT_POOL_H
#define POOLBENCH_NT_POOL_H

#include <poolbench/nt/irql.h>
#include <poolbench/nt/pool_type.h>

#define PROTECTED_POOL 0x80000000u /* in a tag: must be freed with the same tag */

PVOID ExAllocatePool(POOL_TYPE PoolType, SIZE_T NumberOfBytes); /* tag "None" */

/* `Tag`: 1 to 4 characters 0x20 to 0x7E, the first in the lowest byte: 'derF' in source is "Fred". */
PVOID ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);

/* Charged to the current process, header and owner's pointer included, unless it is a page or more.
 * Raise on failure unless `PoolType` has POOL_QUOTA_FAIL_INSTEAD_OF_RAISE. */
PVOID ExAllocatePoolWithQuota(POOL_TYPE PoolType, SIZE_T NumberOfBytes);
PVOID ExAllocatePoolWithQuotaTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);

/* Fails early: low priority when less than the option `low_water` of the pool's limit is free,
 * normal when less than `normal_water` is. Special pool where the priority says so. */
PVOID ExAllocatePoolWithTagPriority(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag,
                                    EX_POOL_PRIORITY Priority);

/* Zeroed unless POOL_FLAG_UNINITIALIZED. Tag 0, an unknown required flag or not exactly one kind of
 * pool: NULL, or STATUS_INVALID_PARAMETER raised with POOL_FLAG_RAISE_ON_FAILURE. */
PVOID ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag);

/* Extended parameters: an array, each of one type. Priority is the one there is; an unknown optional
 * parameter is ignored, an unknown required one makes the call fail. */
typedef enum POOL_EXTENDED_PARAMETER_TYPE {
    PoolExtendedParameterInvalidType = 0,
    PoolExtendedParameterPriority = 1,
    PoolExtendedParameterSecurePool = 2,
    PoolExtendedParameterNumaNode = 3
} POOL_EXTENDED_PARAMETER_TYPE;

typedef struct POOL_EXTENDED_PARAMETER {
    struct {
        ULONG64 Type : 8;
        ULONG64 Optional : 1;
        ULONG64 Reserved : 55;
    };
    union {
        ULONG64 Reserved2;
        PVOID Reserved3;
        EX_POOL_PRIORITY Priority;
    };
} POOL_EXTENDED_PARAMETER;
typedef const POOL_EXTENDED_PARAMETER *PCPOOL_EXTENDED_PARAMETER;

PVOID ExAllocatePool3(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag,
                      PCPOOL_EXTENDED_PARAMETER ExtendedParameters, ULONG ExtendedParametersCount);

void ExFreePool(PVOID P);
void ExFreePool2(PVOID P, ULONG Tag, PCPOOL_EXTENDED_PARAMETER ExtendedParameters,
                 ULONG ExtendedParametersCount);

/* `Tag` 0: not checked. A protected block must be freed with its tag; another's tag is
 * BAD_POOL_CALLER 0xA. */
void ExFreePoolWithTag(PVOID P, ULONG Tag);

/* Bytes that the block holds for its owner: at least what was asked for. */
SIZE_T ExQueryPoolBlockSize(PVOID PoolBlock, PBOOLEAN QuotaCharged);

/* Sets options of the executive ("profile=xp,link_checks=off,paged_pools=4"; `poolbench describe
 * pool` prints them all), over their defaults. Before the first use of any pool routine, or after
 * PbNtReset. Returns 0; -EBUSY if the executive has begun; or -EINVAL (`options` NULL, or one given
 * twice, too), -ENOENT, -ERANGE, and one line in `message` that says what is wrong and what is allowed. */
int PbNtConfigure(const char *options, char *message, size_t message_size);

/* Ends the executive: every block dies, the tables are empty, the next use begins anew, with the
 * default options unless PbNtConfigure sets others. Blocks that were never freed are counted into
 * *leaked, if that is not NULL. No other thread may be in it. */
void PbNtReset(size_t *leaked);

/* Walks every structure of the pools. Returns 0, or -EINVAL and one line. No other thread may be in
 * the executive. */
int PbNtCheck(char *message, size_t message_size);

/* What a driver's author sees in poolmon: a row a tag, counted since the executive began. */
typedef struct SYSTEM_POOLTAG {
    union {
        UCHAR Tag[4];
        ULONG TagUlong;
    };
    ULONG PagedAllocs;
    ULONG PagedFrees;
    SIZE_T PagedUsed; /* bytes, headers included */
    ULONG NonPagedAllocs;
    ULONG NonPagedFrees;
    SIZE_T NonPagedUsed;
} SYSTEM_POOLTAG, *PSYSTEM_POOLTAG;
_Static_assert(sizeof(SYSTEM_POOLTAG) == 0x28, "as on x64");

/* Writes up to `Count` rows and returns how many tags there are. */
ULONG PbQueryPoolTags(PSYSTEM_POOLTAG Rows, ULONG Count);

/* The same of another process: `File` is where its PB_POOLMON had the table made. *Found is how many
 * tags there are. Returns 0; -EINVAL if the file is no such table; or -errno. */
int PbReadPoolTags(const char *File, PSYSTEM_POOLTAG Rows, ULONG Count, PULONG Found);

#endif
