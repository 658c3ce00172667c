/* SPDX-License-Identifier: MIT */
/* The interlocked calls of poolbench/nt/list.h. In checked mode the links of an entry that was
 * removed are poisoned, so that whoever still follows them is found; else they are left as they
 * were, as on a free build. A call that ends in a bugcheck changes nothing and returns NULL.
 * Source: WDK, ExInterlockedInsertHeadList and the pages of the others. Threads: any, at any IRQL.
 */
#include <poolbench/nt/list.h>

#include "nt/spin.h"

PLIST_ENTRY ExInterlockedInsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry,
                                        PKSPIN_LOCK Lock)
{
    KIRQL before;
    if (!pb_interlock(Lock, &before))
        return NULL;
    PLIST_ENTRY first = ListHead->Flink;
    InsertHeadList(ListHead, ListEntry);
    pb_interlock_end(Lock, before);
    return first != ListHead ? first : NULL;
}

PLIST_ENTRY ExInterlockedInsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry,
                                        PKSPIN_LOCK Lock)
{
    KIRQL before;
    if (!pb_interlock(Lock, &before))
        return NULL;
    PLIST_ENTRY last = ListHead->Blink;
    InsertTailList(ListHead, ListEntry);
    pb_interlock_end(Lock, before);
    return last != ListHead ? last : NULL;
}

PLIST_ENTRY ExInterlockedRemoveHeadList(PLIST_ENTRY ListHead, PKSPIN_LOCK Lock)
{
    KIRQL before;
    if (!pb_interlock(Lock, &before))
        return NULL;
    PLIST_ENTRY first = RemoveHeadList(ListHead); /* the head, which stays whole, if it is empty */
    pb_interlock_end(Lock, before);
    if (first == ListHead)
        return NULL;
    if (PbNtChecked)
        first->Flink = first->Blink = (PLIST_ENTRY)PB_LIST_POISON;
    return first;
}

PSINGLE_LIST_ENTRY ExInterlockedPushEntryList(PSINGLE_LIST_ENTRY ListHead,
                                              PSINGLE_LIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    KIRQL before;
    if (!pb_interlock(Lock, &before))
        return NULL;
    PSINGLE_LIST_ENTRY first = ListHead->Next;
    PushEntryList(ListHead, ListEntry);
    pb_interlock_end(Lock, before);
    return first;
}

PSINGLE_LIST_ENTRY ExInterlockedPopEntryList(PSINGLE_LIST_ENTRY ListHead, PKSPIN_LOCK Lock)
{
    KIRQL before;
    if (!pb_interlock(Lock, &before))
        return NULL;
    PSINGLE_LIST_ENTRY first = PopEntryList(ListHead);
    pb_interlock_end(Lock, before);
    if (PbNtChecked && first != NULL)
        first->Next = (PSINGLE_LIST_ENTRY)PB_LIST_POISON;
    return first;
}
