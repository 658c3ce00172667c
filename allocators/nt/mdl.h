/* SPDX-License-Identifier: MIT */
/* What mdl.c and mdl_map.c share, and what the executive needs of them.
 * Threads: as poolbench/nt/mdl.h says. May include: nt/. */
#ifndef PB_NT_MDL_H
#define PB_NT_MDL_H

#include "nt/resident.h"

#include <poolbench/nt/mdl.h>

/* Gives the cached descriptors back to the pool and ends their lookaside list; the next
 * IoAllocateMdl begins anew. For the executive's reset, before the pool ends. No other thread may
 * be in it. */
void pb_mdl_reset(void);

static inline void pb_mdl_set(PMDL mdl, int flags)
{
    mdl->MdlFlags = (CSHORT)(mdl->MdlFlags | flags);
}

static inline void pb_mdl_clear(PMDL mdl, int flags)
{
    mdl->MdlFlags = (CSHORT)(mdl->MdlFlags & ~flags);
}

static inline SIZE_T pb_mdl_pages(const MDL *mdl)
{
    return ADDRESS_AND_SIZE_TO_SPAN_PAGES(MmGetMdlVirtualAddress(mdl), mdl->ByteCount);
}

/* In checked mode; whether the caller goes on or not is its own matter. */
static inline void pb_mdl_violation(enum pb_mdl_violation which, const MDL *mdl, int flags)
{
    if (PbNtChecked)
        KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, which, (ULONG_PTR)mdl,
                     (USHORT)mdl->MdlFlags, (USHORT)flags);
}

#endif
