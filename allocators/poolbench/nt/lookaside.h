/* SPDX-License-Identifier: MIT */
/* Lookaside lists: a bounded lock-free stack of free blocks of one size in front of the pool or of
 * routines of the owner's. A list begins empty and allocates nothing. Depth is how many entries it
 * takes now (4 at first), MaximumDepth how far tuning may raise it (256). A list's memory is the
 * caller's, aligned to 16, resident, and initialized before and deleted after all other use.
 * An entry that is in the list has its first 8 bytes overwritten (in checked mode 16, where it is
 * that long); nothing is zeroed.
 * IRQL: nonpaged lists and LOOKASIDE_LIST_EX of nonpaged memory <= DISPATCH_LEVEL, paged <= APC_LEVEL.
 * Counters are plain, as NT's are: concurrent calls may lose counts, never entries. A nonpaged or paged
 * list that is made while the profile is nt4 is guarded by the lock behind its record instead.
 * Source: WDK, "Using Lookaside Lists" and the page of each routine; G. Chappell, "GENERAL_LOOKASIDE"
 * (layout). Threads: any, but for initialize and delete. */
#ifndef POOLBENCH_NT_LOOKASIDE_H
#define POOLBENCH_NT_LOOKASIDE_H

#include <poolbench/nt/list.h>
#include <poolbench/nt/pool_type.h>
#include <poolbench/nt/slist.h>

typedef struct LOOKASIDE_LIST_EX *PLOOKASIDE_LIST_EX;

typedef PVOID ALLOCATE_FUNCTION(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
typedef ALLOCATE_FUNCTION *PALLOCATE_FUNCTION;
typedef void FREE_FUNCTION(PVOID Buffer);
typedef FREE_FUNCTION *PFREE_FUNCTION;
typedef PVOID ALLOCATE_FUNCTION_EX(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag,
                                   PLOOKASIDE_LIST_EX Lookaside);
typedef ALLOCATE_FUNCTION_EX *PALLOCATE_FUNCTION_EX;
typedef void FREE_FUNCTION_EX(PVOID Buffer, PLOOKASIDE_LIST_EX Lookaside);
typedef FREE_FUNCTION_EX *PFREE_FUNCTION_EX;

enum { LOOKASIDE_MINIMUM_BLOCK_SIZE = sizeof(PVOID) };
enum { PB_LOOKASIDE_DEPTH = 4, PB_LOOKASIDE_MAXIMUM_DEPTH = 256 };

/* Lists of the pool count hits, general ones misses, in the same words. */
#define PB_GENERAL_LOOKASIDE_FIELDS                                                                \
    SLIST_HEADER ListHead;                                                                         \
    USHORT Depth;                                                                                  \
    USHORT MaximumDepth;                                                                           \
    ULONG TotalAllocates;                                                                          \
    union {                                                                                        \
        ULONG AllocateMisses;                                                                      \
        ULONG AllocateHits;                                                                        \
    };                                                                                             \
    ULONG TotalFrees;                                                                              \
    union {                                                                                        \
        ULONG FreeMisses;                                                                          \
        ULONG FreeHits;                                                                            \
    };                                                                                             \
    ULONG Type; /* POOL_TYPE, with the flags that are passed on */                                 \
    ULONG Tag;                                                                                     \
    ULONG Size;                                                                                    \
    union {                                                                                        \
        PALLOCATE_FUNCTION Allocate;                                                               \
        PALLOCATE_FUNCTION_EX AllocateEx;                                                          \
    };                                                                                             \
    union {                                                                                        \
        PFREE_FUNCTION Free;                                                                       \
        PFREE_FUNCTION_EX FreeEx;                                                                  \
    };                                                                                             \
    LIST_ENTRY ListEntry; /* in the chain of all lists */                                          \
    ULONG LastTotalAllocates;                                                                      \
    union {                                                                                        \
        ULONG LastAllocateMisses;                                                                  \
        ULONG LastAllocateHits;                                                                    \
    };                                                                                             \
    ULONG Future[2];

typedef struct GENERAL_LOOKASIDE_POOL {
    PB_GENERAL_LOOKASIDE_FIELDS
} GENERAL_LOOKASIDE_POOL, *PGENERAL_LOOKASIDE_POOL;
_Static_assert(sizeof(GENERAL_LOOKASIDE_POOL) == 0x60, "as on x64");

/* The same on a line pair of its own. */
typedef struct GENERAL_LOOKASIDE {
    PB_GENERAL_LOOKASIDE_FIELDS
} __attribute__((aligned(128))) GENERAL_LOOKASIDE, *PGENERAL_LOOKASIDE;
_Static_assert(sizeof(GENERAL_LOOKASIDE) == 0x80, "cache aligned, as since XP");

typedef struct NPAGED_LOOKASIDE_LIST {
    GENERAL_LOOKASIDE L;
    KSPIN_LOCK Lock__ObsoleteButDoNotDelete;
} NPAGED_LOOKASIDE_LIST, *PNPAGED_LOOKASIDE_LIST;

typedef struct PAGED_LOOKASIDE_LIST {
    GENERAL_LOOKASIDE L;
    FAST_MUTEX Lock__ObsoleteButDoNotDelete;
} PAGED_LOOKASIDE_LIST, *PPAGED_LOOKASIDE_LIST;

typedef struct LOOKASIDE_LIST_EX {
    GENERAL_LOOKASIDE_POOL L;
} LOOKASIDE_LIST_EX;

/* `Allocate`, `Free`: NULL for ExAllocatePoolWithTag and ExFreePool. They are called on a miss and
 * on an overflow only, unsynchronized. `Flags`: 0, or POOL_RAISE_IF_ALLOCATION_FAILURE,
 * POOL_NX_ALLOCATION. `Size`: bytes of an entry, at least a pointer's; an entry is aligned to 16.
 * `Depth`: reserved, 0; here a value above 0 is the list's fixed depth, as NT 4 had it, which no
 * tuning changes. IRQL: <= DISPATCH_LEVEL (paged: <= APC_LEVEL). */
void ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                     PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag,
                                     USHORT Depth);
void ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                    PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag,
                                    USHORT Depth);

/* An entry of the list, or a new one; NULL if that fails. Free: into the list, or back. */
PVOID ExAllocateFromNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside);
void ExFreeToNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry);
PVOID ExAllocateFromPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside);
void ExFreeToPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry);

/* Gives every entry back and ends the list. */
void ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside);
void ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside);

#define EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL 1u
#define EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE 2u

/* STATUS_SUCCESS; STATUS_INVALID_PARAMETER_4 (PoolType), _5 (Flags: unknown, or both). RAISE_ON_FAIL
 * adds POOL_RAISE_IF_ALLOCATION_FAILURE, FAIL_NO_RAISE POOL_QUOTA_FAIL_INSTEAD_OF_RAISE to the type
 * that is passed on; the latter needs an `Allocate` of the owner's. */
NTSTATUS ExInitializeLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PALLOCATE_FUNCTION_EX Allocate,
                                     PFREE_FUNCTION_EX Free, POOL_TYPE PoolType, ULONG Flags,
                                     SIZE_T Size, ULONG Tag, USHORT Depth);
PVOID ExAllocateFromLookasideListEx(PLOOKASIDE_LIST_EX Lookaside);
void ExFreeToLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PVOID Entry);
void ExFlushLookasideListEx(PLOOKASIDE_LIST_EX Lookaside); /* gives all back, keeps the list */
void ExDeleteLookasideListEx(PLOOKASIDE_LIST_EX Lookaside);

/* Depth is adjusted once a period over all lists that were initialized with Depth 0, and over the
 * pool's own. The rule's shape is documented (more use, more depth; 4 to 256), its constants are
 * ours: each is an option of PbNtConfigure named tune_*. */
void ExAdjustLookasideDepth(void);

/* Starts and stops the thread that calls it each period. Returns 0 or -errno (-EALREADY). */
int PbStartLookasideTuner(void);
void PbStopLookasideTuner(void);

#endif
