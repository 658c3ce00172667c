/* SPDX-License-Identifier: MIT */
/* The public calls of poolbench/nt/slist.h, out of line over the inline ones of nt/slist.h, which
 * says why they are sound. Where the processor has a fix-up (nt/fixup.h) whoever makes a head puts
 * its handler in front of the others, so that entries may be unmapped under poppers; elsewhere the
 * memory of entries has to stay mapped while a popper lives.
 * Threads: as the header says. May touch: SIGSEGV's and SIGBUS's actions. */
#include "nt/slist.h"

#include <poolbench/nt/status.h>

BOOLEAN pb_slist_available(void)
{
    return (BOOLEAN)pb_cas16_present();
}

void ExInitializeSListHead(PSLIST_HEADER ListHead)
{
    if ((ULONG_PTR)ListHead % _Alignof(SLIST_HEADER) != 0)
        ExRaiseDatatypeMisalignment();
    (void)pb_fixup_install(); /* refused only where there is none */
    pb_slist_init(ListHead);
}

USHORT ExQueryDepthSList(const SLIST_HEADER *ListHead)
{
    return pb_slist_depth(ListHead);
}

PSLIST_ENTRY FirstEntrySList(const SLIST_HEADER *ListHead)
{
    return pb_slist_first(ListHead);
}

PSLIST_ENTRY ExInterlockedPushEntrySList(PSLIST_HEADER ListHead, PSLIST_ENTRY ListEntry,
                                         PKSPIN_LOCK Lock)
{
    (void)Lock;
    return pb_slist_push(ListHead, ListEntry);
}

PSLIST_ENTRY ExInterlockedPopEntrySList(PSLIST_HEADER ListHead, PKSPIN_LOCK Lock)
{
    (void)Lock;
    return pb_slist_pop(ListHead);
}

PSLIST_ENTRY ExInterlockedFlushSList(PSLIST_HEADER ListHead)
{
    return pb_slist_flush(ListHead);
}
