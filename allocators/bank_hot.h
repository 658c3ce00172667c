/* SPDX-License-Identifier: MIT */
/* The compiled paths of a bank (bank.h): for each path p that serves one size, bank_p finds the
 * class of a request and folds p's own functions for that class's heap behind it, so that a bank
 * costs one byte looked up and no further call. loops.h compiles the mixed workloads from these.
 * Layout: a thread of a bank holds, for each class, that class's heap and the thread's state there
 * side by side: one line to touch.
 * Threads: as the strategy underneath. May touch: bank.h, the generated hot_all.h. */
#ifndef PB_BANK_HOT_H
#define PB_BANK_HOT_H

#include "bank.h"
#include "hot_all.h"

#include <stdatomic.h>

enum { PB_BANK_GRAINS = PB_BANK_LARGEST / PB_BANK_GRAIN + 1 };

/* Where requests of one class go. */
struct pb_bank_class {
    struct pb_heap *heap;
    struct pb_thread *thread;
};

struct pb_bank_thread {
    unsigned char class_of[PB_BANK_GRAINS]; /* by (bytes + 15) / 16; the thread's own copy */
    struct pb_bank_class classes[PB_BANK_CLASSES] PB_CACHE_ALIGNED;
    struct pb_heap *larger;
    struct pb_thread *larger_thread;
    unsigned index;
    _Atomic uint64_t fallthrough; /* written by this thread, read by stats */
    _Atomic uint64_t reallocs;
};

/* Requests above the largest class; out of line. */
void *pb_bank_larger_alloc(struct pb_bank_thread *thread, size_t bytes);
void pb_bank_larger_free(struct pb_bank_thread *thread, void *block, size_t bytes);

PB_INLINE const struct pb_bank_class *pb_bank_class_of(const struct pb_bank_thread *thread,
                                                       size_t bytes)
{
    return &thread->classes[thread->class_of[(bytes + PB_BANK_GRAIN - 1) / PB_BANK_GRAIN]];
}

#define PB_BANK_PATH(p)                                                                            \
    PB_HOT_DECLARE(bank_##p)                                                                       \
    PB_INLINE void *bank_##p##_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes) \
    {                                                                                              \
        struct pb_bank_thread *t = (struct pb_bank_thread *)(void *)thread;                        \
        (void)heap;                                                                                \
        if (PB_UNLIKELY(bytes > PB_BANK_LARGEST))                                                  \
            return pb_bank_larger_alloc(t, bytes);                                                 \
        const struct pb_bank_class *c = pb_bank_class_of(t, bytes);                                \
        return p##_alloc(c->heap, c->thread, bytes);                                               \
    }                                                                                              \
    PB_INLINE void bank_##p##_free(struct pb_heap *heap, struct pb_thread *thread, void *block,    \
                                   size_t bytes)                                                   \
    {                                                                                              \
        struct pb_bank_thread *t = (struct pb_bank_thread *)(void *)thread;                        \
        (void)heap;                                                                                \
        if (PB_UNLIKELY(bytes > PB_BANK_LARGEST)) {                                                \
            pb_bank_larger_free(t, block, bytes);                                                  \
            return;                                                                                \
        }                                                                                          \
        const struct pb_bank_class *c = pb_bank_class_of(t, bytes);                                \
        p##_free(c->heap, c->thread, block, bytes);                                                \
    }
#define PB_BANK_NO_PATH(p)

PB_HOT_ALL(PB_BANK_PATH, PB_BANK_NO_PATH, PB_BANK_NO_PATH)

/* The path of a fixed-size strategy that has none of its own: through the class heap's pointers. */
PB_INLINE void *table_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    return heap->alloc(heap, thread, bytes);
}

PB_INLINE void table_free(struct pb_heap *heap, struct pb_thread *thread, void *block, size_t bytes)
{
    heap->free(heap, thread, block, bytes);
}

PB_BANK_PATH(table)

#endif
