/* SPDX-License-Identifier: MIT */
/* What becomes of a corrupt structure or a broken rule: the executive stops the machine with a code
 * and four parameters (KeBugCheckEx). Here a hook is called; the standard one writes one line with
 * the code's name, what its first parameter says and the four parameters, and aborts. A test's hook
 * may return or leave by longjmp: it is called with no lock of the executive held, and the routine
 * that found the fault then abandons what it was doing, leaves its structures as they were and, if
 * it allocates, returns NULL.
 * Source: Windows Driver Kit documentation, "Bug Check Code Reference" (codes and parameters).
 * Threads: any. */
#ifndef POOLBENCH_NT_BUGCHECK_H
#define POOLBENCH_NT_BUGCHECK_H

#include <poolbench/nt/types.h>

enum {
    IRQL_NOT_GREATER_OR_EQUAL = 0x09,  /* p1 the new level, p2 the present one */
    IRQL_NOT_LESS_OR_EQUAL = 0x0A,     /* p1 address or new level, p2 the present level */
    SPIN_LOCK_ALREADY_OWNED = 0x0F,    /* p1 the lock; checked mode */
    SPIN_LOCK_NOT_OWNED = 0x10,        /* p1 the lock; checked mode */
    BAD_POOL_HEADER = 0x19,            /* p1 says which: enum pb_bad_pool_header */
    KMODE_EXCEPTION_NOT_HANDLED = 0x1E, /* p1 the status; raised and no handler on the thread */
    QUOTA_UNDERFLOW = 0x21,            /* more given back than was charged: p1 process, p2 1 if paged,
                                          p3 bytes charged, p4 bytes given back */
    MUST_SUCCEED_POOL_EMPTY = 0x41,    /* p1 bytes, p2 nonpaged pages in use, p3 requests above a
                                          page, p4 pages free */
    PROCESS_HAS_LOCKED_PAGES = 0x76,   /* an MDL unlocked that was not locked: p2 it */
    NO_MORE_SYSTEM_PTES = 0x3F,        /* an MDL could not be mapped: p2 pages */
    BAD_POOL_CALLER = 0xC2,            /* p1 says which: enum pb_bad_pool_caller */
    DRIVER_VERIFIER_DETECTED_VIOLATION = 0xC4, /* checked mode: p1 enum pb_mdl_violation, or
                                                  BAD_CALLER_DOUBLE_FREE: p2 a lookaside list, p3
                                                  its tag, p4 the entry */
    /* The next two are a line and not a call of the hook: the fault is then passed on as a signal.
     * p1 the address, p2 1 if it was written, p3 the instruction */
    PAGE_FAULT_IN_FREED_SPECIAL_POOL = 0xCC,
    PAGE_FAULT_BEYOND_END_OF_ALLOCATION = 0xCD
};

/* First parameter of BAD_POOL_HEADER. */
enum pb_bad_pool_header {
    BAD_HEADER_LINKS = 0x3,         /* free-list links disagree: p2 the head or entry, p3, p4 links */
    BAD_HEADER_SIZES = 0x5,         /* adjacent headers disagree: p2 header, p3 size, p4 previous */
    BAD_HEADER_PREVIOUS_PAGE = 0x6, /* the previous block would lie in another page */
    BAD_HEADER_NOT_FIRST = 0x7,     /* PreviousSize 0, but not at the page's start */
    BAD_HEADER_SIZE_ZERO = 0x8,
    BAD_HEADER_NEXT_PAGE = 0x9,     /* the next block would lie in another page */
    BAD_HEADER_WALK = 0xA,          /* a block not met when walking its page */
    BAD_HEADER_OVERRUN = 0x20,      /* special pool: the pattern around a block changed, p2 block, p3
                                       where, p4 what is there; or a header behind or before did */
    BAD_HEADER_AFTER_FREE = 0x21,   /* written to after it was freed */
    BAD_HEADER_UNTRACKED = 0x23     /* p2 a page of the pool at which nothing big begins: freed
                                       already, never allocated, or inside a big allocation */
};

/* First parameter of BAD_POOL_CALLER. */
enum pb_bad_pool_caller {
    BAD_CALLER_ZERO_BYTES = 0x00, /* checked mode: a request of 0 bytes */
    BAD_CALLER_HEADER = 0x01,     /* header corrupt at free (also 2, 4) */
    BAD_CALLER_DOUBLE_FREE = 0x07, /* p3 the tag, p4 the address */
    BAD_CALLER_ALLOC_IRQL = 0x08, /* p2 the level, p3 pool type, p4 bytes */
    BAD_CALLER_FREE_IRQL = 0x09,  /* p2 the level, p3 pool type, p4 address */
    BAD_CALLER_TAG = 0x0A,        /* p2 address, p3 the block's tag, p4 the tag given */
    BAD_CALLER_QUOTA = 0x0D,      /* p2 address, p3 tag, p4 what should be a process */
    BAD_CALLER_NOT_POOL = 0x46,   /* p2 an address that no pool gave */
    BAD_CALLER_NOT_CONTIGUOUS = 0x60, /* p2 an address MmAllocateContiguousMemory never gave */
    BAD_CALLER_INSIDE_BLOCK = 0x99,   /* p2 an address inside a block */
    BAD_CALLER_MUST_SUCCEED = 0x9A,   /* must-succeed pool is no longer supported: p2 type, p3 bytes */
    BAD_CALLER_TAG_ZERO = 0x9B,   /* p2 type, p3 bytes, p4 the tag */
    BAD_CALLER_TAG_BIG = 0x9C,
    BAD_CALLER_TAG_NO_LETTER = 0x9D
};

typedef void pb_bugcheck_fn(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4);

extern pb_bugcheck_fn *pb_bugcheck_hook; /* never NULL; set before any thread */
pb_bugcheck_fn pb_bugcheck_abort;        /* the standard hook; does not return */
pb_bugcheck_fn pb_bugcheck_tell; /* writes its line alone; async-signal-safe */

/* Calls the hook; returns if that does. NT's own never does. */
void KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR P1, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4);
void KeBugCheck(ULONG BugCheckCode);

/* The name of a code ("BAD_POOL_HEADER"), or NULL. */
const char *pb_bugcheck_name(uint32_t code);

#endif
