/* SPDX-License-Identifier: MIT */
/* SLIST, inline: what the public calls of poolbench/nt/slist.h do, for paths that fold them in.
 * Source:  WDK, "Singly and Doubly Linked Lists" and ExInterlockedPushEntrySList; R. K. Treiber,
 *          "Systems Programming: Coping with Parallelism", IBM RJ 5118, 1986.
 * Layout:  16 bytes aligned to 16: | Depth 16, Sequence 48 | first entry 64 |. NT keeps flags in
 *          the second word's four low bits; here they are 0, as every entry is aligned to 16.
 * Push: Depth + 1, Sequence + 1. Pop: Depth - 1. Flush: Depth 0. Depth wraps at 65536.
 *
 * Ordering. A head is read low half first (acquire), then its high half (acquire), then the link of
 * the entry that it names; the compare-exchange is a full barrier. So what a pusher wrote into an
 * entry, its link included, is seen by who pops it.
 * The public types are plain words, as NT's are. That is sound because each access here to a word
 * that another thread may reach meanwhile is an __atomic builtin of that word's natural size and
 * alignment, the 16-byte exchange, or pb_fixup_load (one load instruction, volatile): none can be
 * torn, repeated or moved by the compiler. A program reads a popped or flushed entry's Next
 * plainly: the entry is its own by then, and the exchange orders the read behind the push.
 *
 * ABA. Between reading a head and exchanging it an entry can be popped and pushed again, with
 * another link. Each push adds 1 to Sequence, so the head differs and the exchange fails, unless
 * exactly a multiple of 2^48 pushes went by. A head read torn, half before and half after another's
 * exchange, is no head that is there at the exchange, which compares both halves.
 *
 * Reclamation. A popper reads the link of an entry that others may meanwhile have popped and given
 * back to a system that unmaps it. That load may fault; it is done by pb_fixup_load, which then
 * returns PB_FIXUP_POISON. It is never used: the entry was in the list when the head was read and
 * was not when the load faulted; if it is first again at the exchange it was pushed meanwhile, so
 * Sequence differs and the exchange fails. Whoever pops must have called pb_fixup_install, or keep
 * every page that held an entry mapped while any popper lives.
 *
 * Threads: any, but for pb_slist_init. May touch: the list and its entries. */
#ifndef PB_NT_SLIST_H
#define PB_NT_SLIST_H

#include "nt/cas16.h"
#include "nt/fixup.h"
#include <poolbench/nt/slist.h>

#include <assert.h>

enum { PB_SLIST_DEPTH_MASK = 0xffff };

PB_INLINE struct pb_value16 pb_slist_read(const SLIST_HEADER *head)
{
    struct pb_value16 seen;
    seen.low = __atomic_load_n(&head->Alignment, __ATOMIC_ACQUIRE);
    seen.high = __atomic_load_n(&head->Region, __ATOMIC_ACQUIRE);
    return seen;
}

/* Exchanges the head for `next` if it is `seen`. The word's type serves for its address alone: the
 * exchange goes through a type that may alias any. */
PB_INLINE bool pb_slist_exchange(PSLIST_HEADER head, struct pb_value16 seen, struct pb_value16 next)
{
    return pb_cas16((struct pb_word16 *)(void *)head, seen, next);
}

PB_INLINE PSLIST_ENTRY pb_slist_entry(uint64_t high)
{
    return (PSLIST_ENTRY)(uintptr_t)high;
}

/* Depth changes without carrying into Sequence. */
PB_INLINE uint64_t pb_slist_deeper(uint64_t low, unsigned by)
{
    return (low & ~(uint64_t)PB_SLIST_DEPTH_MASK) | ((low + by) & PB_SLIST_DEPTH_MASK);
}

PB_INLINE uint64_t pb_slist_next_sequence(uint64_t low)
{
    return low + PB_SLIST_DEPTH_MASK + 1;
}

/* Empties the head, which is aligned to 16. One thread. */
static inline void pb_slist_init(PSLIST_HEADER head)
{
    assert((uintptr_t)head % _Alignof(SLIST_HEADER) == 0);
    __atomic_store_n(&head->Alignment, 0, __ATOMIC_RELAXED); /* whoever publishes the head orders */
    __atomic_store_n(&head->Region, 0, __ATOMIC_RELAXED);
}

/* Entries in the list, modulo 65536. */
PB_INLINE USHORT pb_slist_depth(const SLIST_HEADER *head)
{
    /* relaxed: the figure is old as soon as it is read */
    return (USHORT)__atomic_load_n(&head->Alignment, __ATOMIC_RELAXED);
}

/* The first entry, or NULL; a glance, not a pop. */
PB_INLINE PSLIST_ENTRY pb_slist_first(const SLIST_HEADER *head)
{
    return pb_slist_entry(__atomic_load_n(&head->Region, __ATOMIC_ACQUIRE)); /* as a read head's */
}

/* Returns the entry that was first, or NULL. */
PB_INLINE PSLIST_ENTRY pb_slist_push(PSLIST_HEADER head, PSLIST_ENTRY entry)
{
    struct pb_value16 seen, next;
    assert((uintptr_t)entry % _Alignof(SLIST_ENTRY) == 0);
    do {
        seen = pb_slist_read(head);
        next.low = pb_slist_next_sequence(pb_slist_deeper(seen.low, 1));
        next.high = (uintptr_t)entry;
        /* relaxed: the exchange publishes it; atomic: a slow popper may still read this link */
        __atomic_store_n(&entry->Next, pb_slist_entry(seen.high), __ATOMIC_RELAXED);
    } while (PB_UNLIKELY(!pb_slist_exchange(head, seen, next)));
    return pb_slist_entry(seen.high);
}

/* Returns the first entry, which keeps its link, or NULL. */
PB_INLINE PSLIST_ENTRY pb_slist_pop(PSLIST_HEADER head)
{
    struct pb_value16 seen, next;
    do {
        seen = pb_slist_read(head);
        if (PB_UNLIKELY(seen.high == 0))
            return NULL;
        next.low = pb_slist_deeper(seen.low, PB_SLIST_DEPTH_MASK);
        next.high = (uintptr_t)pb_fixup_load((void *const *)(uintptr_t)seen.high);
    } while (PB_UNLIKELY(!pb_slist_exchange(head, seen, next)));
    return pb_slist_entry(seen.high);
}

/* Empties the list and returns what was its first entry, the others linked behind it, or NULL.
 * Sequence is kept. */
static inline PSLIST_ENTRY pb_slist_flush(PSLIST_HEADER head)
{
    struct pb_value16 seen, next;
    do {
        seen = pb_slist_read(head);
        next.low = seen.low & ~(uint64_t)PB_SLIST_DEPTH_MASK;
        next.high = 0;
    } while (PB_UNLIKELY(!pb_slist_exchange(head, seen, next)));
    return pb_slist_entry(seen.high);
}

#endif
