/* SPDX-License-Identifier: MIT */
/* The cold side of a lookaside heap, which strategy.c makes and books.c reads: who is attached,
 * what those counted that are gone, and the tuner's job. Threads: the mutex guards what it says.
 * May touch: hot.h, nt/tuner.h. */
#ifndef PB_LOOKASIDE_BOOKS_H
#define PB_LOOKASIDE_BOOKS_H

#include "lookaside/hot.h"
#include "nt/tuner.h"

#include <pthread.h>

enum lookaside_scope { SCOPE_LIST, SCOPE_THREAD, SCOPE_PERCPU };

struct pb_lookaside_books {
    struct pb_tuner_job job; /* tune=adaptive: started with the heap */
    pthread_mutex_t mutex;
    /* guarded by mutex */
    uint64_t last_allocates, last_misses; /* scope=list: at the last adjustment */
    uint64_t gone_allocates, gone_frees, gone_misses, gone_overflows, gone_failures;
    struct pb_lookaside_thread *threads[]; /* by index, NULL where none is attached */
};

/* Counters are read one by one: a recent value of each. */
static inline uint64_t pb_lookaside_counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* The lists that a heap has: each P, then the one list or L. NULL past the end. */
static inline GENERAL_LOOKASIDE *pb_lookaside_list_at(struct pb_lookaside *lookaside, unsigned i)
{
    if (i < lookaside->processors_n)
        return &lookaside->processors[i];
    return i == lookaside->processors_n ? &lookaside->list : NULL;
}

/* The slots `stats` and `check` of the strategy (allocator.h). */
void pb_lookaside_stats(struct pb_heap *heap, struct pb_heap_stats *stats);
int pb_lookaside_check(struct pb_heap *heap, char *message, size_t message_size);

/* One period's adjustment; a pb_tuner_fn, `context` is the heap. */
void pb_lookaside_adjust(void *context, const struct pb_tuning *tuning);

#endif
