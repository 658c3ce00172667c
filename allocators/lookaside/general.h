/* SPDX-License-Identifier: MIT */
/* The parts that the executive's lookaside lists of every kind are made of. list.c and list_ex.c
 * put the public calls together from them; general.c says what a list is and how it is guarded.
 * Threads: any, but to make and delete. May touch: lookaside/list.h, nt/. */
#ifndef PB_LOOKASIDE_GENERAL_H
#define PB_LOOKASIDE_GENERAL_H

#include "lookaside/list.h"

#include <poolbench/nt/status.h>

#define PB_GENERAL_MARK ((ULONG_PTR)0x656469736b6f6f4cu)

/* A cached entry in checked mode. */
struct pb_general_entry {
    SLIST_ENTRY *link;
    ULONG_PTR mark;
} __attribute__((may_alias));

typedef void pb_general_return_fn(pb_general *list, PVOID entry);

/* Everything but the two routines and the chain. Raises if the list is not aligned. */
void pb_general_make(pb_general *list, ULONG type, SIZE_T size, ULONG tag, USHORT depth);

/* Has the lock behind the record guard the list, from the beginning: not for LOOKASIDE_LIST_EX,
 * which has none. */
void pb_general_lock_init(pb_general *list);
PVOID pb_general_pop_locked(pb_general *list);
void pb_general_push_locked(pb_general *list, PVOID entry);

PB_INLINE bool pb_general_is_locked(const pb_general *list)
{
    return PB_UNLIKELY((list->Future[0] & PB_LOOKASIDE_LOCKED) != 0);
}

/* Appends the list to the chain of its kind. */
void pb_general_enter(pb_general *list);

/* Gives every entry to `give_back`. Delete also takes the list out of its chain. */
void pb_general_drain(pb_general *list, pb_general_return_fn *give_back);
void pb_general_delete(pb_general *list, pb_general_return_fn *give_back);

/* What checked mode finds wrong with a free. False after a bugcheck. */
bool pb_general_check_free(const pb_general *list, const void *entry);

/* Whether the thread may use a list of that type at its level. */
PB_INLINE bool pb_general_level(const void *list, ULONG type)
{
    if (PB_LIKELY(!PbNtChecked))
        return true;
    KIRQL most = (type & PagedPool) != 0 ? APC_LEVEL : DISPATCH_LEVEL;
    if (KeGetCurrentIrql() <= most)
        return true;
    KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)list, KeGetCurrentIrql(), 0, 0);
    return false;
}

static inline bool pb_general_carries_mark(const pb_general *list)
{
    return list->Size >= sizeof(struct pb_general_entry);
}

static inline ULONG_PTR pb_general_mark(const pb_general *list)
{
    return (ULONG_PTR)list ^ PB_GENERAL_MARK;
}

/* By the entry's owner of the moment; relaxed, as only a second, wrong owner would race with that.
 */
static inline void pb_general_set_mark(const pb_general *list, PVOID entry, ULONG_PTR mark)
{
    if (pb_general_carries_mark(list))
        __atomic_store_n(&((struct pb_general_entry *)entry)->mark, mark, __ATOMIC_RELAXED);
}

PB_INLINE bool pb_general_may_free(const pb_general *list, const void *entry)
{
    if (PB_UNLIKELY((ULONG_PTR)entry % _Alignof(SLIST_ENTRY) != 0))
        ExRaiseDatatypeMisalignment();
    return PB_LIKELY(!PbNtChecked) || pb_general_check_free(list, entry);
}

/* An entry of the list; or NULL, and a miss is counted. */
PB_INLINE PVOID pb_general_pop(pb_general *list)
{
    pb_general_count(&list->TotalAllocates);
    PVOID entry =
        pb_general_is_locked(list) ? pb_general_pop_locked(list) : pb_slist_pop(&list->ListHead);
    if (PB_UNLIKELY(entry == NULL))
        pb_general_count(&list->AllocateMisses);
    else if (PB_UNLIKELY(PbNtChecked))
        pb_general_set_mark(list, entry, 0);
    return entry;
}

/* Whether the list took the entry; if not, an overflow is counted. */
PB_INLINE bool pb_general_push(pb_general *list, PVOID entry)
{
    pb_general_count(&list->TotalFrees);
    if (PB_UNLIKELY(pb_general_full(&list->ListHead, &list->Depth))) {
        pb_general_count(&list->FreeMisses);
        return false;
    }
    if (PB_UNLIKELY(PbNtChecked))
        pb_general_set_mark(list, entry, pb_general_mark(list));
    if (pb_general_is_locked(list))
        pb_general_push_locked(list, entry);
    else
        (void)pb_slist_push(&list->ListHead, entry);
    return true;
}

#endif
