/* SPDX-License-Identifier: MIT */
/* The executive's linked lists: LIST_ENTRY, circular and doubly linked through a head that belongs
 * to the ring, and SINGLE_LIST_ENTRY, a stack. Nothing is checked and nothing is locked; an entry
 * that was removed keeps its own links. Source: Windows Driver Kit documentation, "Singly and
 * Doubly Linked Lists", and the page of each routine. Threads: the caller's lock. */
#ifndef POOLBENCH_NT_LIST_H
#define POOLBENCH_NT_LIST_H

#include <poolbench/nt/irql.h>

typedef struct LIST_ENTRY {
    struct LIST_ENTRY *Flink;
    struct LIST_ENTRY *Blink;
} LIST_ENTRY, *PLIST_ENTRY;

typedef struct SINGLE_LIST_ENTRY {
    struct SINGLE_LIST_ENTRY *Next;
} SINGLE_LIST_ENTRY, *PSINGLE_LIST_ENTRY;

/* The record of `type` whose member named `field` lies at `address`. */
#define CONTAINING_RECORD(address, type, field)                                                    \
    ((type *)(void *)((unsigned char *)(address)-offsetof(type, field)))

static inline void InitializeListHead(PLIST_ENTRY ListHead)
{
    ListHead->Flink = ListHead->Blink = ListHead;
}

/* TRUE if there is no entry; only Flink is looked at. */
static inline BOOLEAN IsListEmpty(const LIST_ENTRY *ListHead)
{
    return (BOOLEAN)(ListHead->Flink == ListHead);
}

static inline void InsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY Entry)
{
    PLIST_ENTRY first = ListHead->Flink;
    Entry->Flink = first;
    Entry->Blink = ListHead;
    first->Blink = Entry;
    ListHead->Flink = Entry;
}

static inline void InsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY Entry)
{
    PLIST_ENTRY last = ListHead->Blink;
    Entry->Flink = ListHead;
    Entry->Blink = last;
    last->Flink = Entry;
    ListHead->Blink = Entry;
}

/* Returns TRUE if the list is empty afterwards: the entry's neighbours were one and the same node.
 */
static inline BOOLEAN RemoveEntryList(PLIST_ENTRY Entry)
{
    PLIST_ENTRY next = Entry->Flink;
    PLIST_ENTRY previous = Entry->Blink;
    previous->Flink = next;
    next->Blink = previous;
    return (BOOLEAN)(next == previous);
}

/* Returns the first entry, or the head itself if the list is empty; never NULL. */
static inline PLIST_ENTRY RemoveHeadList(PLIST_ENTRY ListHead)
{
    PLIST_ENTRY first = ListHead->Flink;
    PLIST_ENTRY next = first->Flink;
    next->Blink = ListHead;
    ListHead->Flink = next;
    return first;
}

/* Returns the last entry, or the head itself if the list is empty; never NULL. */
static inline PLIST_ENTRY RemoveTailList(PLIST_ENTRY ListHead)
{
    PLIST_ENTRY last = ListHead->Blink;
    (void)RemoveEntryList(last);
    return last;
}

/* Appends a ring that has no head; `ListToAppend` is its first entry. */
static inline void AppendTailList(PLIST_ENTRY ListHead, PLIST_ENTRY ListToAppend)
{
    PLIST_ENTRY last = ListHead->Blink;
    ListHead->Blink->Flink = ListToAppend;
    ListHead->Blink = ListToAppend->Blink;
    ListToAppend->Blink->Flink = ListHead;
    ListToAppend->Blink = last;
}

/* The head is written in one piece, for those who look at it without the lock (ExIsFullZone);
 * relaxed: they learn nothing else by it. */
static inline void PushEntryList(PSINGLE_LIST_ENTRY ListHead, PSINGLE_LIST_ENTRY Entry)
{
    Entry->Next = ListHead->Next;
    __atomic_store_n(&ListHead->Next, Entry, __ATOMIC_RELAXED);
}

/* Returns the entry pushed last, or NULL. */
static inline PSINGLE_LIST_ENTRY PopEntryList(PSINGLE_LIST_ENTRY ListHead)
{
    PSINGLE_LIST_ENTRY first = ListHead->Next;
    if (first != NULL)
        __atomic_store_n(&ListHead->Next, first->Next, __ATOMIC_RELAXED); /* as above */
    return first;
}

/* What both links of an entry are after an interlocked call removed it in checked mode. */
#define PB_LIST_POISON ((ULONG_PTR)0x0BADD0FF)

/* The same under a spin lock that guards that list and nothing else, at any IRQL (the lock is taken
 * with the level raised to HIGH_LEVEL). Never mixed with the calls above on one list. Insert and
 * push return what was first (last) before, NULL if the list was empty; remove and pop return the
 * entry, NULL if there is none. */
PLIST_ENTRY ExInterlockedInsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry,
                                        PKSPIN_LOCK Lock);
PLIST_ENTRY ExInterlockedInsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry,
                                        PKSPIN_LOCK Lock);
PLIST_ENTRY ExInterlockedRemoveHeadList(PLIST_ENTRY ListHead, PKSPIN_LOCK Lock);
PSINGLE_LIST_ENTRY ExInterlockedPushEntryList(PSINGLE_LIST_ENTRY ListHead,
                                              PSINGLE_LIST_ENTRY ListEntry, PKSPIN_LOCK Lock);
PSINGLE_LIST_ENTRY ExInterlockedPopEntryList(PSINGLE_LIST_ENTRY ListHead, PKSPIN_LOCK Lock);

#endif
