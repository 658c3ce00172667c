/* SPDX-License-Identifier: MIT */
/* The audit's inside, shared by audit.c (the heap, the checkpoints) and audit_books.c (who holds
 * what).
 * Threads: every function here is called with audit->lock held. */
#ifndef PB_AUDIT_INTERNAL_H
#define PB_AUDIT_INTERNAL_H

#include "engine/audit.h"
#include "engine/audit_map.h"

#include <pthread.h>

struct pb_audit {
    struct pb_heap heap; /* what the workload sees */
    struct pb_allocator ops;
    struct pb_heap *inner;
    pthread_mutex_t lock;
    struct pb_arena arena; /* everything here, this struct too */
    struct pb_audit_set held;
    struct pb_audit_map blocks, lines, quiet;
    pthread_t *owners; /* the threads seen so far; the index is the owner's number */
    unsigned owners_n, owners_max, threads;
    uint64_t checkpoint_ops, operations;
    int statm;
    uint64_t live_at_peak; /* at the checkpoint with the most live bytes */
    struct pb_audit_result result;
};

/* Notes a fault; the first one keeps its message. */
__attribute__((format(printf, 3, 4))) void
pb_audit_fault(struct pb_audit *audit, enum pb_fault what, const char *format, ...);

/* The number of the calling thread, by the order of first calls. */
unsigned pb_audit_self(struct pb_audit *audit);

/* Judges a block that the heap behind has just handed out, and enters it. Returns 1 if it is sound,
 * 0 if it is not the workload's alone, -ENOMEM when the books are full. */
int pb_audit_admit(struct pb_audit *audit, uintptr_t at, size_t bytes, size_t alignment);

/* Judges a block that the workload gives back, and takes it out. Returns its size, or 0 if the heap
 * behind must not get it. */
size_t pb_audit_dismiss(struct pb_audit *audit, uintptr_t at, size_t bytes);

/* Enters again a block that pb_audit_dismiss has just taken out. */
void pb_audit_restore(struct pb_audit *audit, uintptr_t at, size_t bytes);

#endif
