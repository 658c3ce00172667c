/* SPDX-License-Identifier: MIT */
/* Memory descriptor lists: which pages a buffer lies on, so that they can be locked in memory and
 * mapped a second time.
 * What a user program can have of it: locking is mlock(2), counted by page because mlock does not
 * nest; where RLIMIT_MEMLOCK refuses, pages are brought in and counted but may leave memory
 * (PbMdlLockedPages tells). A locked page may still be migrated by the system, so frame numbers are
 * those of the moment, and they are 0 where /proc/self/pagemap hides them (no CAP_SYS_ADMIN):
 * PbMdlHasFrames tells. A second mapping exists for shared mappings alone (a memfd, a file: paged
 * pool is one): private anonymous memory, nonpaged pool too, has none, and nothing is copied.
 * A child of fork has none of its parent's locks.
 * Source: WDK, "Using MDLs" and the page of each routine; "Bug Check 0xC4" for the checks.
 * IRQL: <= DISPATCH_LEVEL; memory that is not resident is locked at <= APC_LEVEL.
 * Threads: any; one descriptor is one thread's at a time. */
#ifndef POOLBENCH_NT_MDL_H
#define POOLBENCH_NT_MDL_H

#include <poolbench/nt/bugcheck.h>
#include <poolbench/nt/page.h>
#include <poolbench/nt/process.h>

typedef ULONG_PTR PFN_NUMBER, *PPFN_NUMBER; /* a physical address divided by PAGE_SIZE */
typedef struct IRP *PIRP;                   /* there are none here */

/* The frame numbers follow, one a page. */
typedef struct MDL {
    struct MDL *Next;
    CSHORT Size; /* bytes, frame numbers included; 0 where 16 bits do not hold it */
    CSHORT MdlFlags;
    PEPROCESS Process; /* whose pages are locked; NULL if none are */
    PVOID MappedSystemVa;
    PVOID StartVa; /* of the first page */
    ULONG ByteCount;
    ULONG ByteOffset; /* into the first page */
} MDL, *PMDL;
_Static_assert(sizeof(MDL) == 48, "as on x64");

#define MDL_MAPPED_TO_SYSTEM_VA     0x0001
#define MDL_PAGES_LOCKED            0x0002
#define MDL_SOURCE_IS_NONPAGED_POOL 0x0004
#define MDL_ALLOCATED_FIXED_SIZE    0x0008
#define MDL_PARTIAL                 0x0010
#define MDL_PARTIAL_HAS_BEEN_MAPPED 0x0020
#define MDL_IO_PAGE_READ            0x0040
#define MDL_WRITE_OPERATION         0x0080
#define MDL_PARENT_MAPPED_SYSTEM_VA 0x0100
#define MDL_FREE_EXTRA_PTES         0x0200
#define MDL_IO_SPACE                0x0800
#define MDL_NETWORK_HEADER          0x1000
#define MDL_MAPPING_CAN_FAIL        0x2000

typedef enum LOCK_OPERATION { IoReadAccess, IoWriteAccess, IoModifyAccess } LOCK_OPERATION;

typedef CHAR KPROCESSOR_MODE;
typedef enum MODE { KernelMode, UserMode, MaximumMode } MODE;

typedef enum MEMORY_CACHING_TYPE {
    MmNonCached = 0,
    MmCached = 1,
    MmWriteCombined = 2
} MEMORY_CACHING_TYPE; /* memory that the system caches stays cached, whatever is asked for */

typedef enum MM_PAGE_PRIORITY {
    LowPagePriority = 0,
    NormalPagePriority = 16,
    HighPagePriority = 32
} MM_PAGE_PRIORITY;
#define MdlMappingNoWrite   0x80000000u /* may be OR-ed to a priority: the mapping is read-only */
#define MdlMappingNoExecute 0x40000000u /* taken; a mapping has the rights of the memory itself */

/* Bugchecks of these routines beside those of bugcheck.h. */
enum {
    TARGET_MDL_TOO_SMALL = 0x40, /* IoBuildPartialMdl: p1 source, p2 target, p3 address, p4 bytes */
    SYSTEM_PTE_MISUSE = 0xDA     /* MmUnmapLockedPages: p1 0, p2 an address that it never mapped */
};

/* In checked mode, p1 of DRIVER_VERIFIER_DETECTED_VIOLATION; p2 the descriptor, p3 its flags. */
enum pb_mdl_violation {
    MDL_UNLOCKED_NOT_LOCKED =
        0x7C, /* else PROCESS_HAS_LOCKED_PAGES: p1 1, p2 MDL, p3 pages locked */
    MDL_UNLOCKED_NONPAGED = 0x7D,
    MDL_LOCKED_WRONG_FLAGS = 0xB0, /* locked, partial or nonpaged already: p4 the flags */
    MDL_MAPPED_ALREADY = 0xB2,
    MDL_MAPPED_NOT_LOCKED = 0xB3,
    MDL_UNLOCKED_PARTIAL = 0xB4,
    MDL_FREED_MAPPED = 0xB8
};

static inline ULONG MmGetMdlByteCount(const MDL *Mdl)
{
    return Mdl->ByteCount;
}

static inline ULONG MmGetMdlByteOffset(const MDL *Mdl)
{
    return Mdl->ByteOffset;
}

static inline PVOID MmGetMdlBaseVa(const MDL *Mdl)
{
    return Mdl->StartVa;
}

/* The address that the descriptor was made for. */
static inline PVOID MmGetMdlVirtualAddress(const MDL *Mdl)
{
    return (UCHAR *)Mdl->StartVa + Mdl->ByteOffset;
}

/* A frame number for each page; valid once pages are locked or known to be nonpaged. */
static inline PPFN_NUMBER MmGetMdlPfnArray(PMDL Mdl)
{
    return (PPFN_NUMBER)(void *)(Mdl + 1);
}

/* Bytes that a descriptor of that buffer needs, frame numbers included. */
static inline SIZE_T MmSizeOfMdl(const void *Base, SIZE_T Length)
{
    return sizeof(MDL) + ADDRESS_AND_SIZE_TO_SPAN_PAGES(Base, Length) * sizeof(PFN_NUMBER);
}

/* Fills the head of a descriptor in the caller's memory of MmSizeOfMdl bytes. Any IRQL. */
static inline void MmInitializeMdl(PMDL MemoryDescriptorList, PVOID BaseVa, SIZE_T Length)
{
    SIZE_T size = MmSizeOfMdl(BaseVa, Length);
    MemoryDescriptorList->Next = NULL;
    MemoryDescriptorList->Size = (CSHORT)(USHORT)(size <= UINT16_MAX ? size : 0);
    MemoryDescriptorList->MdlFlags = 0;
    MemoryDescriptorList->Process = NULL;
    MemoryDescriptorList->MappedSystemVa = NULL;
    MemoryDescriptorList->StartVa = PAGE_ALIGN(BaseVa);
    MemoryDescriptorList->ByteCount = (ULONG)Length;
    MemoryDescriptorList->ByteOffset = (ULONG)BYTE_OFFSET(BaseVa);
}

/* A descriptor of `Length` bytes at `VirtualAddress`, which is not looked at: nothing is locked.
 * Up to 23 pages from a lookaside list, above from nonpaged pool, tag "Mdl ". `Length` at most 4
 * GiB less a page. `Irp` must be NULL. `SecondaryBuffer` says how an IRP would chain descriptors
 * and is not looked at: who chains them does so by `Next`. `ChargeQuota` is reserved. NULL: no
 * memory, too long, or an IRP. The caller's, until IoFreeMdl. */
PMDL IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer, BOOLEAN ChargeQuota,
                   PIRP Irp);

/* Releases a partial descriptor's mapping and frees this one descriptor, not those behind `Next`.
 * Pages are not unlocked. */
void IoFreeMdl(PMDL Mdl);

/* Makes `TargetMdl`, which has room for the pages, describe `Length` bytes at `VirtualAddress` of
 * `SourceMdl`'s buffer (0: up to its end), with the source's frames, and its mapping if it has one.
 * TARGET_MDL_TOO_SMALL if the pages do not fit or the bytes are none of the source's. The target is
 * not unlocked; it must not be used once the source was. */
void IoBuildPartialMdl(PMDL SourceMdl, PMDL TargetMdl, PVOID VirtualAddress, ULONG Length);

/* Brings the pages in, for reading or for writing too (IoWriteAccess, IoModifyAccess), locks them
 * and fills in the frame numbers. Raises STATUS_ACCESS_VIOLATION if the rights are missing or the
 * addresses are not the program's, in either mode; STATUS_INSUFFICIENT_RESOURCES if there is no
 * memory to count the locks. A page can be locked by several descriptors, a descriptor once. Pages
 * that somebody else has locked (the nonpaged pool) are left to them. */
void MmProbeAndLockPages(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode,
                         LOCK_OPERATION Operation);

/* Releases the system mapping and the locks; a page's last descriptor lets it go. */
void MmUnlockPages(PMDL MemoryDescriptorList);

/* Describes memory that is resident anyway, and uses its own address as the system's. */
void MmBuildMdlForNonPagedPool(PMDL MemoryDescriptorList);

/* Releases the mapping of a partial descriptor, which may then be built anew. */
void MmPrepareMdlForReuse(PMDL Mdl);

/* A second mapping of the described bytes, with the same offset into its first page and the rights
 * of the memory itself. KernelMode: it is the descriptor's, and `RequestedAddress` is not looked
 * at; failure is NULL, or the bugcheck NO_MORE_SYSTEM_PTES if `BugCheckOnFailure`. UserMode: the
 * caller's, at `RequestedAddress` (a page's, or NULL); failure raises
 * STATUS_INSUFFICIENT_RESOURCES. Fails for memory that is not a shared mapping, and where the
 * address space or RLIMIT_MEMLOCK (locked pages count again) is used up. */
PVOID MmMapLockedPagesSpecifyCache(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode,
                                   MEMORY_CACHING_TYPE CacheType, PVOID RequestedAddress,
                                   ULONG BugCheckOnFailure, ULONG Priority);

/* The same, cached; bugchecks on failure unless the descriptor has MDL_MAPPING_CAN_FAIL. */
PVOID MmMapLockedPages(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode);

void MmUnmapLockedPages(PVOID BaseAddress, PMDL MemoryDescriptorList);

/* The descriptor's system mapping, made at the first call and the same at every later one. The
 * first form bugchecks on failure, the Safe one returns NULL. */
PVOID MmGetSystemAddressForMdl(PMDL Mdl);
PVOID MmGetSystemAddressForMdlSafe(PMDL Mdl, ULONG Priority);

/* Whether every frame number of the descriptor is a real one. */
BOOLEAN PbMdlHasFrames(PMDL Mdl);

/* How many of its pages cannot leave memory now: all of them unless RLIMIT_MEMLOCK was met. */
SIZE_T PbMdlLockedPages(const MDL *Mdl);

#endif
