/* SPDX-License-Identifier: MIT */
/* The executive's lookaside lists: what is common to the kinds of poolbench/nt/lookaside.h.
 * Source:  WDK, "Using Lookaside Lists" and the page of each routine; ReactOS,
 *          ntoskrnl/ex/lookas.c, for what the pages leave open (the chains, the order of deletion)
 * Layout:  list   | GENERAL_LOOKASIDE, its fields named as NT's | a lock, which NT 4 alone uses |
 *          entry  | link 8 | mark 8, in checked mode | stale data |      while it is cached
 *          chains   all nonpaged lists, all paged lists, in the order of their making
 * I1       an entry is in one list, once, or an owner's
 * I2       a list is in the chain of its kind from its making to its deletion
 * Locks    none to allocate and free, but of a list made in a profile whose lists have locks (NT
 *          4): the one behind its record, a spin lock or a fast mutex; the chain's spin lock to
 *          make, delete and adjust. The owner's routines are called with none held
 * Cost     a 16-byte exchange and a plain count a call; a lock instead of the exchange
 *
 * A fixed list (Depth given) has that for its MaximumDepth too, and PB_LOOKASIDE_FIXED in
 * Future[0]; it is in its chain like any other. Of a Depth above PB_LOOKASIDE_DEPTH_MOST it gets
 * that.
 *
 * Checked mode. IRQL: IRQL_NOT_LESS_OR_EQUAL (list, level). Double free:
 * DRIVER_VERIFIER_DETECTED_VIOLATION (BAD_CALLER_DOUBLE_FREE, list, tag, entry), and nothing is
 * freed. A cached entry carries a mark made from the list's address. One that comes with the mark,
 * or is too short for it, is looked for in the list. What that finds counts only if the list's head
 * did not change meanwhile, as else the walk may have followed some owner's data; after a few tries
 * under such traffic the entry is let through. So a right free is never reported, and a wrong one
 * is reported as long as the entry is still in the list and the list is not under heavy traffic.
 * Threads: any. May touch: nt/. */
#include "lookaside/general.h"
#include "path.h"

enum { WALK_TRIES = 8 };

struct chain {
    LIST_ENTRY head;
    KSPIN_LOCK lock;
};

/* By the paged bit of a list's type. */
static struct chain chains[] = {
    {.head = {&chains[0].head, &chains[0].head}},
    {.head = {&chains[1].head, &chains[1].head}},
};

static struct chain *chain_of(const pb_general *list)
{
    return &chains[list->Type & PagedPool];
}

void pb_general_enter(pb_general *list)
{
    struct chain *chain = chain_of(list);
    KIRQL before = KeAcquireSpinLockRaiseToDpc(&chain->lock);
    InsertTailList(&chain->head, &list->ListEntry);
    KeReleaseSpinLock(&chain->lock, before);
}

static void leave_chain(pb_general *list)
{
    struct chain *chain = chain_of(list);
    KIRQL before = KeAcquireSpinLockRaiseToDpc(&chain->lock);
    (void)RemoveEntryList(&list->ListEntry);
    KeReleaseSpinLock(&chain->lock, before);
}

void pb_general_adjust_chains(const struct pb_tuning *tuning)
{
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        KIRQL before = KeAcquireSpinLockRaiseToDpc(&chains[i].lock);
        PLIST_ENTRY at = chains[i].head.Flink;
        for (; at != &chains[i].head; at = at->Flink) {
            pb_general *list =
                (pb_general *)CONTAINING_RECORD(at, GENERAL_LOOKASIDE_POOL, ListEntry);
            if ((list->Future[0] & PB_LOOKASIDE_FIXED) == 0)
                pb_general_adjust(list, tuning);
        }
        KeReleaseSpinLock(&chains[i].lock, before);
    }
}

void pb_general_make(pb_general *list, ULONG type, SIZE_T size, ULONG tag, USHORT depth)
{
    bool fixed = depth != 0;
    if (depth > PB_LOOKASIDE_DEPTH_MOST)
        depth = PB_LOOKASIDE_DEPTH_MOST;
    if ((ULONG_PTR)list % _Alignof(pb_general) != 0)
        ExRaiseDatatypeMisalignment();
    ExInitializeSListHead(&list->ListHead);
    list->Depth = fixed ? depth : PB_LOOKASIDE_DEPTH;
    list->MaximumDepth = fixed ? depth : PB_LOOKASIDE_MAXIMUM_DEPTH;
    list->TotalAllocates = list->AllocateMisses = 0;
    list->TotalFrees = list->FreeMisses = 0;
    list->Type = type;
    list->Tag = tag;
    list->Size = size < LOOKASIDE_MINIMUM_BLOCK_SIZE ? LOOKASIDE_MINIMUM_BLOCK_SIZE : (ULONG)size;
    list->LastTotalAllocates = list->LastAllocateMisses = 0;
    list->Future[0] = fixed ? PB_LOOKASIDE_FIXED : 0;
    list->Future[1] = 0;
}

/* Whether `entry` is on the way from `first`, of at most `depth` entries. */
static bool leads_to(uint64_t first, unsigned depth, const void *entry)
{
    uintptr_t at = (uintptr_t)first;
    while (depth-- > 0 && at != 0 && at != PB_FIXUP_POISON && at != (uintptr_t)entry)
        at = (uintptr_t)pb_fixup_load((void *const *)at); /* may be anybody's by now */
    return at == (uintptr_t)entry;
}

/* Whether the list has the entry. */
static bool is_listed(const pb_general *list, const void *entry)
{
    for (unsigned i = 0; i < WALK_TRIES; i++) {
        struct pb_value16 before = pb_slist_read(&list->ListHead);
        bool found = leads_to(before.high, before.low & PB_SLIST_DEPTH_MASK, entry);
        struct pb_value16 after = pb_slist_read(&list->ListHead);
        /* A push would have changed Sequence, pops alone Depth. */
        if (before.low == after.low && before.high == after.high)
            return found;
    }
    return false;
}

static bool is_free_already(const pb_general *list, const void *entry)
{
    const struct pb_general_entry *marked = entry;
    if (PB_FIXUP == 0) /* then a walk could fault */
        return false;
    if (pb_general_carries_mark(list) &&
        __atomic_load_n(&marked->mark, __ATOMIC_RELAXED) != pb_general_mark(list))
        return false;
    return is_listed(list, entry);
}

bool pb_general_check_free(const pb_general *list, const void *entry)
{
    if (!pb_general_level(list, list->Type))
        return false;
    if (!is_free_already(list, entry))
        return true;
    KeBugCheckEx(DRIVER_VERIFIER_DETECTED_VIOLATION, BAD_CALLER_DOUBLE_FREE, (ULONG_PTR)list,
                 list->Tag, (ULONG_PTR)entry);
    return false;
}

/* What the lock behind the record was taken with. The record is the first member of either type. */
static KIRQL lock_list(pb_general *list)
{
    KIRQL before = pb_irql;
    if ((list->Type & PagedPool) != 0)
        ExAcquireFastMutex(&((PPAGED_LOOKASIDE_LIST)(void *)list)->Lock__ObsoleteButDoNotDelete);
    else
        KeAcquireSpinLock(&((PNPAGED_LOOKASIDE_LIST)(void *)list)->Lock__ObsoleteButDoNotDelete,
                          &before);
    return before;
}

static void unlock_list(pb_general *list, KIRQL before)
{
    if ((list->Type & PagedPool) != 0)
        ExReleaseFastMutex(&((PPAGED_LOOKASIDE_LIST)(void *)list)->Lock__ObsoleteButDoNotDelete);
    else
        KeReleaseSpinLock(&((PNPAGED_LOOKASIDE_LIST)(void *)list)->Lock__ObsoleteButDoNotDelete,
                          before);
}

/* Relaxed, all: the lock orders them. Atomic, as depth and the first entry are looked at without.
 */
static void set_head(PSLIST_HEADER head, uint64_t low, const void *first)
{
    __atomic_store_n(&head->Alignment, low, __ATOMIC_RELAXED);
    __atomic_store_n(&head->Region, (uintptr_t)first, __ATOMIC_RELAXED);
}

void pb_general_lock_init(pb_general *list)
{
    if ((list->Type & PagedPool) != 0)
        ExInitializeFastMutex(&((PPAGED_LOOKASIDE_LIST)(void *)list)->Lock__ObsoleteButDoNotDelete);
    else
        KeInitializeSpinLock(&((PNPAGED_LOOKASIDE_LIST)(void *)list)->Lock__ObsoleteButDoNotDelete);
    list->Future[0] |= PB_LOOKASIDE_LOCKED;
}

PVOID pb_general_pop_locked(pb_general *list)
{
    KIRQL before = lock_list(list);
    pb_path_locked();
    struct pb_value16 seen = pb_slist_read(&list->ListHead);
    PSLIST_ENTRY first = pb_slist_entry(seen.high);
    if (first != NULL)
        set_head(&list->ListHead, pb_slist_deeper(seen.low, PB_SLIST_DEPTH_MASK),
                 __atomic_load_n(&first->Next, __ATOMIC_RELAXED));
    unlock_list(list, before);
    return first;
}

void pb_general_push_locked(pb_general *list, PVOID entry)
{
    KIRQL before = lock_list(list);
    pb_path_locked();
    struct pb_value16 seen = pb_slist_read(&list->ListHead);
    __atomic_store_n(&((PSLIST_ENTRY)entry)->Next, pb_slist_entry(seen.high), __ATOMIC_RELAXED);
    set_head(&list->ListHead, pb_slist_next_sequence(pb_slist_deeper(seen.low, 1)), entry);
    unlock_list(list, before);
}

void pb_general_drain(pb_general *list, pb_general_return_fn *give_back)
{
    PSLIST_ENTRY entry = pb_slist_flush(&list->ListHead);
    while (entry != NULL) {
        PSLIST_ENTRY next = entry->Next;
        if (PbNtChecked)
            pb_general_set_mark(list, entry, 0);
        give_back(list, entry);
        entry = next;
    }
}

void pb_general_delete(pb_general *list, pb_general_return_fn *give_back)
{
    if (!pb_general_level(list, list->Type))
        return;
    pb_general_drain(list, give_back);
    leave_chain(list);
}
