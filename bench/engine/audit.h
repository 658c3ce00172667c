/* SPDX-License-Identifier: MIT */
/* The audit: a heap that stands in front of another and checks every block that passes, while the
 * workload runs its stream through it untimed. It answers three questions:
 *   is it right?    no NULL, no block handed out twice or overlapping another (a bit for each byte of
 *                   the address space in use, exact), aligned, payload intact at free (every byte from
 *                   PB_STAMP_BYTES on is filled at alloc and compared at free)
 *   what does it hold?  exact live bytes of the harness against granted and held of the strategy and RSS
 *                   less a baseline, at checkpoints
 *   where does it put things?  alignment of addresses; cache lines shared by blocks of several threads
 * Its own memory comes from mmap. Speed is no aim.
 * Threads: as the heap underneath; the maps are guarded by one mutex. */
#ifndef PB_AUDIT_H
#define PB_AUDIT_H

#include "allocator.h"

enum pb_fault {
    PB_FAULT_NONE,
    PB_FAULT_EXHAUSTED, /* alloc returned NULL */
    PB_FAULT_TWICE,     /* a block, or part of it, that is live already */
    PB_FAULT_MISALIGNED,
    PB_FAULT_CORRUPT,   /* a payload changed while its owner held it */
    PB_FAULT_UNKNOWN,   /* the workload freed what is not live (a fault of ours) */
    PB_FAULT_NO_BOOKS   /* the audit has no memory for its books (a fault of ours) */
};

enum { PB_AUDIT_ALIGNMENTS = 13 }; /* powers of two 1 .. 4096; the last counts all above */

struct pb_audit_result {
    enum pb_fault fault;   /* the first one */
    char message[200];     /* one line: what, at which address, of which size, which threads */
    uint64_t faults;       /* all of them */
    uint64_t allocs, frees;
    uint64_t live_bytes, live_peak_bytes; /* requested, exact */
    uint64_t requested_total_bytes;
    /* at the checkpoint with the highest RSS, and at that with the highest live bytes */
    uint64_t rss_baseline_bytes, rss_peak_bytes, live_at_rss_peak_bytes, rss_at_live_peak_bytes;
    uint64_t checkpoints;
    struct pb_heap_stats at_live_peak; /* of the heap underneath, at the checkpoint nearest the peak */
    struct pb_heap_stats at_end;       /* after the workload's end (all freed) */
    uint64_t rss_end_bytes;            /* less the baseline, all freed */
    uint64_t alignment[PB_AUDIT_ALIGNMENTS]; /* blocks by the largest power of two that divides the address */
    uint64_t straddling;   /* blocks of at most a line that cross a line */
    uint64_t shared_64, shared_128; /* blocks whose first or last line (of 64, 128 bytes) held a live
                                       block of another thread when they were handed out */
};

struct pb_audit;

/* Makes a heap in front of `inner`; `threads` as inner's. `checkpoint_ops`: operations between two
 * readings of RSS and stats. The baseline of RSS is taken here. Returns 0 or -ENOMEM. */
int pb_audit_open(struct pb_heap *inner, unsigned threads, uint64_t checkpoint_ops,
                  struct pb_audit **audit);
struct pb_heap *pb_audit_heap(struct pb_audit *audit);

/* What was found so far; call with no thread inside. */
void pb_audit_finish(struct pb_audit *audit, struct pb_audit_result *result);
void pb_audit_close(struct pb_audit *audit); /* inner stays open */

/* Resident anonymous bytes of the process from /proc/self/statm, an arena's (arena.h) not among them;
 * 0 if unreadable. */
uint64_t pb_resident_bytes(void);

#endif
