/* SPDX-License-Identifier: MIT */
/* What a lookaside list of the executive asks of the pool: whether its release had locks in them,
 * and a block that an SLIST can hold. The profiles of 32 bits align blocks to 8, as their SLISTs
 * did; ours have entries aligned to 16 in every profile. Apart from that it is
 * ExAllocatePoolWithTag, and freed the same way.
 * Threads: any. May include: poolbench/nt/. */
#ifndef PB_NT_ENTRY_H
#define PB_NT_ENTRY_H

#include <poolbench/nt/pool.h>

/* Whether the executive is, or is configured to be, of a release whose lookaside lists each have a
 * lock (NT 4). False before either. */
BOOLEAN pb_pool_lists_are_locked(void);

PVOID pb_pool_entry(POOL_TYPE type, SIZE_T bytes, ULONG tag);

#endif
