/* SPDX-License-Identifier: MIT */
/* Spin locks from Concurrency Kit behind one shape: KIND_init, KIND_lock, KIND_unlock, so that a
 * strategy is compiled once for each kind.
 *
 *     struct pb_lock       the lock itself, on a line of its own
 *     struct pb_lock_slot  what one thread brings (a queue node); lives as long as the lock
 *
 * Kinds: none (no lock: one thread only), fas (fetch-and-store), dec (decrement, as Linux 2.6),
 * ticket (Mellor-Crummey and Scott 1991), mcs (the same paper), clh (Craig 1993; Landin and
 * Hagersten 1994), anderson (Anderson 1990). Source: Concurrency Kit, spinlock/.
 * A lock taken while another thread had it counts as contended, where the kind can tell without a
 * further atomic operation (fas, dec: a first try; ticket, mcs, clh, anderson: not known).
 * ThreadSanitizer does not see into CK's assembly: each lock and unlock is annotated here, as a
 * mutex, which also hides the plain accesses that CK makes to its own nodes.
 *
 * Layout:  | word, slots | pad to a line | acquisitions, contended | what the lock guards |
 *          Waiters spin on the first line and leave the second, which only the holder writes,
 *          alone. Whoever embeds a lock puts PB_CACHE_ALIGNED before it and its hottest guarded
 *          data right behind it. A queue lock's waiters spin on their slots, which are a line pair
 *          each (anderson: on CK's dense array, which shares no line with the count of arrivals).
 *          The slots are a mapping of the lock's own, of the lock's colour (colour.h): those of a
 *          thread in the 28 heaps of a bank would else all fall into one cache set.
 * Cost:    fas: one exchange, one store and one increment for a lock and its unlock. */
#ifndef PB_LOCK_H
#define PB_LOCK_H

#include "hot.h"
#include "nt/colour.h"

#include <ck_spinlock.h>
#include <errno.h>

#define PB_LOCK_KINDS(X) X(none) X(fas) X(dec) X(ticket) X(mcs) X(clh) X(anderson)

#define PB_LOCK_KIND(kind) PB_LOCK_##kind,
enum pb_lock_kind { PB_LOCK_KINDS(PB_LOCK_KIND) };

/* For an option's `choices`: {PB_LOCK_KINDS(PB_LOCK_CHOICE) NULL}, in the order of pb_lock_kind. */
#define PB_LOCK_CHOICE(kind) #kind,

enum { PB_LOCK_LINE = 64 };

struct pb_lock_slot {
    ck_spinlock_mcs_context_t mcs;
    ck_spinlock_clh_t clh_own;
    ck_spinlock_clh_t *clh; /* the node brought next: unlocking trades it for the predecessor's */
    ck_spinlock_anderson_thread_t *anderson; /* where in the array this thread waited */
} PB_CACHE_ALIGNED;

struct pb_lock {
    union {
        ck_spinlock_fas_t fas;
        ck_spinlock_dec_t dec;
        ck_spinlock_ticket_t ticket;
        ck_spinlock_mcs_t mcs;
        ck_spinlock_clh_t *clh;
        ck_spinlock_anderson_t *anderson;
    } word;
    struct pb_lock_slot *slots; /* `threads` of them, then CLH's first node or Anderson's lock */
    size_t mapped_bytes;        /* of the mapping they lie in */
    unsigned char pad[PB_LOCK_LINE - 3 * sizeof(uint64_t)];
    uint64_t acquisitions; /* written under the lock */
    uint64_t contended;    /* written under the lock; PB_STAT_UNKNOWN where the kind cannot tell */
};
/* Behind the slots: what every arrival writes, and, on lines of its own, what waiters spin on. */
struct pb_lock_anderson {
    ck_spinlock_anderson_t lock;
    ck_spinlock_anderson_thread_t waits[] PB_CACHE_ALIGNED; /* one a thread */
};

_Static_assert(offsetof(struct pb_lock, acquisitions) == PB_LOCK_LINE, "counters on a second line");

#if defined(__SANITIZE_THREAD__)
#define PB_LOCK_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PB_LOCK_TSAN 1
#endif
#endif

#ifdef PB_LOCK_TSAN
/* The runtime's own interface, sanitizer/tsan_interface.h, which gcc does not ship. */
void __tsan_mutex_pre_lock(void *lock, unsigned flags);
void __tsan_mutex_post_lock(void *lock, unsigned flags, int recursion);
int __tsan_mutex_pre_unlock(void *lock, unsigned flags);
void __tsan_mutex_post_unlock(void *lock, unsigned flags);
#define PB_LOCK_BEFORE_LOCK(lock)   __tsan_mutex_pre_lock(lock, 0)
#define PB_LOCK_AFTER_LOCK(lock)    __tsan_mutex_post_lock(lock, 0, 0)
#define PB_LOCK_BEFORE_UNLOCK(lock) (void)__tsan_mutex_pre_unlock(lock, 0)
#define PB_LOCK_AFTER_UNLOCK(lock)  __tsan_mutex_post_unlock(lock, 0)
#else
#define PB_LOCK_BEFORE_LOCK(lock)   (void)(lock)
#define PB_LOCK_AFTER_LOCK(lock)    (void)(lock)
#define PB_LOCK_BEFORE_UNLOCK(lock) (void)(lock)
#define PB_LOCK_AFTER_UNLOCK(lock)  (void)(lock)
#endif

/* Maps slots for `threads` threads and `more` bytes behind them, at the colour of the lock. Returns
 * 0 or -ENOMEM. */
static inline int pb_lock_map(struct pb_lock *lock, unsigned threads, size_t more)
{
    size_t bytes = PB_COLOUR_ROOM + threads * sizeof *lock->slots + more;
    unsigned char *at = pb_pages_map(bytes);
    *lock = (struct pb_lock){.mapped_bytes = bytes};
    if (at == NULL)
        return -ENOMEM;
    lock->slots = (struct pb_lock_slot *)(void *)(at + pb_colour_of(lock));
    return 0;
}

/* KIND_init(lock, threads): a free lock for as many threads, each with a slot. Returns 0 or
 * -ENOMEM. Ended by pb_lock_fini. One thread. */
static inline int none_init(struct pb_lock *lock, unsigned threads)
{
    return pb_lock_map(lock, threads, 0);
}

static inline int fas_init(struct pb_lock *lock, unsigned threads)
{
    int error = pb_lock_map(lock, threads, 0);
    ck_spinlock_fas_init(&lock->word.fas);
    return error;
}

static inline int dec_init(struct pb_lock *lock, unsigned threads)
{
    int error = pb_lock_map(lock, threads, 0);
    ck_spinlock_dec_init(&lock->word.dec);
    return error;
}

static inline int ticket_init(struct pb_lock *lock, unsigned threads)
{
    int error = pb_lock_map(lock, threads, 0);
    ck_spinlock_ticket_init(&lock->word.ticket);
    lock->contended = PB_STAT_UNKNOWN;
    return error;
}

static inline int mcs_init(struct pb_lock *lock, unsigned threads)
{
    int error = pb_lock_map(lock, threads, 0);
    ck_spinlock_mcs_init(&lock->word.mcs);
    lock->contended = PB_STAT_UNKNOWN;
    return error;
}

static inline int clh_init(struct pb_lock *lock, unsigned threads)
{
    int error = pb_lock_map(lock, threads, sizeof(ck_spinlock_clh_t));
    if (error == 0)
        ck_spinlock_clh_init(&lock->word.clh, (ck_spinlock_clh_t *)(void *)(lock->slots + threads));
    lock->contended = PB_STAT_UNKNOWN;
    return error;
}

static inline int anderson_init(struct pb_lock *lock, unsigned threads)
{
    struct pb_lock_anderson *anderson;
    int error = pb_lock_map(lock, threads, sizeof *anderson + threads * sizeof *anderson->waits);
    lock->contended = PB_STAT_UNKNOWN;
    if (error == 0) {
        anderson = (struct pb_lock_anderson *)(void *)(lock->slots + threads);
        lock->word.anderson = &anderson->lock;
        ck_spinlock_anderson_init(&anderson->lock, anderson->waits, threads);
    }
    return error;
}

static inline void pb_lock_fini(struct pb_lock *lock)
{
    pb_pages_unmap((unsigned char *)lock->slots - pb_colour_of(lock->slots), lock->mapped_bytes);
    lock->slots = NULL;
}

/* The slot of thread `index`. It outlives the thread and serves the next one of that index, for a
 * CLH node may by then stand in another thread's slot. Called by the thread, which thus touches it
 * first. */
static inline struct pb_lock_slot *pb_lock_slot(struct pb_lock *lock, unsigned index)
{
    struct pb_lock_slot *slot = &lock->slots[index];
    if (slot->clh == NULL)
        slot->clh = &slot->clh_own;
    return slot;
}

/* KIND_lock(lock, slot), KIND_unlock(lock, slot): any thread, with its own slot. */
PB_INLINE void none_lock(struct pb_lock *lock, struct pb_lock_slot *slot)
{
    (void)lock, (void)slot;
}

PB_INLINE void none_unlock(struct pb_lock *lock, struct pb_lock_slot *slot)
{
    (void)lock, (void)slot;
}

PB_INLINE void fas_lock(struct pb_lock *lock, struct pb_lock_slot *slot)
{
    (void)slot;
    PB_LOCK_BEFORE_LOCK(lock);
    if (PB_UNLIKELY(!ck_spinlock_fas_trylock(&lock->word.fas))) {
        ck_spinlock_fas_lock(&lock->word.fas);
        lock->contended++;
    }
    PB_LOCK_AFTER_LOCK(lock);
    lock->acquisitions++;
}

PB_INLINE void fas_unlock(struct pb_lock *lock, struct pb_lock_slot *slot)
{
    (void)slot;
    PB_LOCK_BEFORE_UNLOCK(lock);
    ck_spinlock_fas_unlock(&lock->word.fas);
    PB_LOCK_AFTER_UNLOCK(lock);
}

/* CK's trylock of this kind exchanges, which would make it a second fas: the first try is the
 * decrement with which ck_spinlock_dec_lock begins. */
PB_INLINE void dec_lock(struct pb_lock *lock, struct pb_lock_slot *slot)
{
    bool taken;
    (void)slot;
    PB_LOCK_BEFORE_LOCK(lock);
    ck_pr_dec_uint_zero(&lock->word.dec.value, &taken);
    ck_pr_fence_lock();
    if (PB_UNLIKELY(!taken)) {
        ck_spinlock_dec_lock(&lock->word.dec);
        lock->contended++;
    }
    PB_LOCK_AFTER_LOCK(lock);
    lock->acquisitions++;
}

PB_INLINE void dec_unlock(struct pb_lock *lock, struct pb_lock_slot *slot)
{
    (void)slot;
    PB_LOCK_BEFORE_UNLOCK(lock);
    ck_spinlock_dec_unlock(&lock->word.dec);
    PB_LOCK_AFTER_UNLOCK(lock);
}

PB_INLINE void ticket_lock(struct pb_lock *lock, struct pb_lock_slot *slot)
{
    (void)slot;
    PB_LOCK_BEFORE_LOCK(lock);
    ck_spinlock_ticket_lock(&lock->word.ticket);
    PB_LOCK_AFTER_LOCK(lock);
    lock->acquisitions++;
}

PB_INLINE void ticket_unlock(struct pb_lock *lock, struct pb_lock_slot *slot)
{
    (void)slot;
    PB_LOCK_BEFORE_UNLOCK(lock);
    ck_spinlock_ticket_unlock(&lock->word.ticket);
    PB_LOCK_AFTER_UNLOCK(lock);
}

PB_INLINE void mcs_lock(struct pb_lock *lock, struct pb_lock_slot *slot)
{
    PB_LOCK_BEFORE_LOCK(lock);
    ck_spinlock_mcs_lock(&lock->word.mcs, &slot->mcs);
    PB_LOCK_AFTER_LOCK(lock);
    lock->acquisitions++;
}

PB_INLINE void mcs_unlock(struct pb_lock *lock, struct pb_lock_slot *slot)
{
    PB_LOCK_BEFORE_UNLOCK(lock);
    ck_spinlock_mcs_unlock(&lock->word.mcs, &slot->mcs);
    PB_LOCK_AFTER_UNLOCK(lock);
}

PB_INLINE void clh_lock(struct pb_lock *lock, struct pb_lock_slot *slot)
{
    PB_LOCK_BEFORE_LOCK(lock);
    ck_spinlock_clh_lock(&lock->word.clh, slot->clh);
    PB_LOCK_AFTER_LOCK(lock);
    lock->acquisitions++;
}

PB_INLINE void clh_unlock(struct pb_lock *lock, struct pb_lock_slot *slot)
{
    PB_LOCK_BEFORE_UNLOCK(lock);
    ck_spinlock_clh_unlock(&slot->clh);
    PB_LOCK_AFTER_UNLOCK(lock);
}

PB_INLINE void anderson_lock(struct pb_lock *lock, struct pb_lock_slot *slot)
{
    PB_LOCK_BEFORE_LOCK(lock);
    ck_spinlock_anderson_lock(lock->word.anderson, &slot->anderson);
    PB_LOCK_AFTER_LOCK(lock);
    lock->acquisitions++;
}

PB_INLINE void anderson_unlock(struct pb_lock *lock, struct pb_lock_slot *slot)
{
    PB_LOCK_BEFORE_UNLOCK(lock);
    ck_spinlock_anderson_unlock(lock->word.anderson, slot->anderson);
    PB_LOCK_AFTER_UNLOCK(lock);
}

/* The same for a kind that is known only when the heap is opened: one predictable branch more for
 * fas, a call and a table for the others. */
#define PB_LOCK_CASE_INIT(kind)                                                                    \
    case PB_LOCK_##kind:                                                                           \
        return kind##_init(lock, threads);
#define PB_LOCK_CASE_LOCK(kind)                                                                    \
    case PB_LOCK_##kind:                                                                           \
        kind##_lock(lock, slot);                                                                   \
        break;
#define PB_LOCK_CASE_UNLOCK(kind)                                                                  \
    case PB_LOCK_##kind:                                                                           \
        kind##_unlock(lock, slot);                                                                 \
        break;

static inline int pb_lock_init(enum pb_lock_kind kind, struct pb_lock *lock, unsigned threads)
{
    switch (kind) {
        PB_LOCK_KINDS(PB_LOCK_CASE_INIT)
    }
    return -EINVAL;
}

static inline void pb_lock_lock_any(enum pb_lock_kind kind, struct pb_lock *lock,
                                    struct pb_lock_slot *slot)
{
    switch (kind) {
        PB_LOCK_KINDS(PB_LOCK_CASE_LOCK)
    }
}

static inline void pb_lock_unlock_any(enum pb_lock_kind kind, struct pb_lock *lock,
                                      struct pb_lock_slot *slot)
{
    switch (kind) {
        PB_LOCK_KINDS(PB_LOCK_CASE_UNLOCK)
    }
}

PB_INLINE void pb_lock_lock(enum pb_lock_kind kind, struct pb_lock *lock, struct pb_lock_slot *slot)
{
    if (PB_LIKELY(kind == PB_LOCK_fas))
        fas_lock(lock, slot);
    else
        pb_lock_lock_any(kind, lock, slot);
}

PB_INLINE void pb_lock_unlock(enum pb_lock_kind kind, struct pb_lock *lock,
                              struct pb_lock_slot *slot)
{
    if (PB_LIKELY(kind == PB_LOCK_fas))
        fas_unlock(lock, slot);
    else
        pb_lock_unlock_any(kind, lock, slot);
}

#endif
