/* SPDX-License-Identifier: MIT */
/* What every strategy must keep, as checks that report the first breach in one line instead of
 * asserting: so the same checks can be shown the planted faults of tests/doubles and be asked what
 * they found. A subject is a variant opened for a use, with its threads attached.
 * Threads: one subject is one thread's, but for what a check starts itself.
 * May include: registry.h. */
#ifndef PB_CONFORMANCE_CHECKS_H
#define PB_CONFORMANCE_CHECKS_H

#include "registry.h"

enum { SUBJECT_THREADS = 4, FAULT_BYTES = 256, LIVE = 128 };

struct subject {
    const struct pb_variant *variant;
    struct pb_heap_request request;
    struct pb_opened opened;
    struct pb_heap *heap; /* opened.heap */
    struct pb_thread *threads[SUBJECT_THREADS];
    uint64_t live, live_bytes;
    char fault[FAULT_BYTES]; /* "" as long as there is none */
};

/* Records a breach; the first one stays. Returns -1. */
__attribute__((format(printf, 2, 3))) int breach(struct subject *s, const char *format, ...);

/* Opens `variant` for blocks of `block_bytes` (0: mixed) with all threads attached. Returns 0;
 * -errno with nothing left open. */
int subject_open(struct subject *s, const struct pb_variant *variant, size_t block_bytes,
                 unsigned threads);

/* Checks that what was counted adds up and that nothing stays cached once the threads are gone,
 * then closes. Returns 0 or -1. */
int subject_close(struct subject *s);

/* A check: 0, or -1 with the fault recorded. Each opens what it needs. */
typedef int check_fn(struct subject *s, const struct pb_variant *variant);

check_fn check_single; /* one block at a time: aligned, writable, kept */
check_fn
    check_sizes; /* every size 1..5000: aligned, distinct, payload kept, in any order of frees */
check_fn check_fixed;      /* the same for one size a heap */
check_fn check_resize;     /* realloc, where there is such */
check_fn check_aligned;    /* aligned blocks among others, where there are such; above a page too */
check_fn check_absurd;     /* sizes that no machine has: refused, and nothing changed */
check_fn check_remote;     /* blocks freed by another thread */
check_fn check_churn;      /* four threads at once, passing blocks on where that is allowed */
check_fn check_exhaustion; /* the n-th call of the system refused, for every n */

/* True if the strategy is a floor, whose one block only check_single may see. */
bool is_floor(const struct pb_variant *variant);

/* Live blocks with a pattern in them. */
struct live {
    unsigned char *at;
    size_t bytes;
    unsigned serial; /* of the allocation: two owners of one address differ in it */
};

/* Allocates a block, checks address and alignment against `n` others, and fills it. */
int take_block_if_any(struct subject *s, struct pb_thread *thread, struct live *block, size_t bytes,
                      const struct live *others, size_t n); /* NULL is no breach */
int take_block(struct subject *s, struct pb_thread *thread, struct live *block, size_t bytes,
               const struct live *others, size_t n);

/* The same for a block that is there: `at`, of at least `bytes`. */
int fill_block(struct subject *s, struct live *block, void *at, size_t bytes,
               const struct live *others, size_t n);

/* Checks that the pattern is whole and frees the block. */
int give_block(struct subject *s, struct pb_thread *thread, struct live *block);

/* The same for one of LIVE `blocks`, on the subject's first thread, which the subject counts. An
 * empty slot is given back by doing nothing. */
int take_live(struct subject *s, struct live *blocks, size_t slot, size_t bytes);
int give_live(struct subject *s, struct live *blocks, size_t slot);
int give_all(struct subject *s, struct live *blocks);

/* Checks that the counters agree with what the subject counted, and the heap's own structures. */
int still_sound(struct subject *s);

/* The counter `name` of pb_stat_rows. */
uint64_t stat_of(struct subject *s, const char *name);

#endif
