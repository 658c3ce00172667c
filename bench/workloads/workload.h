/* SPDX-License-Identifier: MIT */
/* The contract of a workload: what the threads do. From a seed it makes one op stream for each worker,
 * identical for every strategy. Everything is drawn in setup; a window allocates nothing, locks
 * nothing of ours, reads no file, prints nothing.
 *
 * A cell runs phases one after another on the same workers: AUDIT (untimed, every block checked
 * through a decorated heap), WARM, RATE (timed as a whole, no sample taken), TAIL (the same stream
 * again with single operations sampled), BODY (its first part in timed batches) and OPEN (its first
 * part, each step at a moment drawn beforehand). Each phase is: begin on every worker, line up, run,
 * end on every worker. Every phase executes the same stream from its start, so the hashes of those
 * that execute all of it agree.
 *
 * May include: allocator.h, engine/{arena,clock,rng}.h, trace/trace.h. Never probes, never another
 * workload. */
#ifndef PB_WORKLOAD_H
#define PB_WORKLOAD_H

#include "allocator.h"
#include "engine/arena.h"
#include "hot.h"

enum pb_phase {
    PB_PHASE_AUDIT, PB_PHASE_WARM, PB_PHASE_RATE, PB_PHASE_TAIL, PB_PHASE_BODY, PB_PHASE_OPEN, PB_PHASES
};

/* What a worker did, from its own loop counters; summed over workers in the record. */
struct pb_tally {
    uint64_t allocs, frees, reallocs; /* calls that succeeded */
    uint64_t exhausted;               /* allocations that returned NULL */
    uint64_t damaged;                 /* blocks whose stamp was not what was written */
    uint64_t hash;                    /* sum of pb_op_hash over the operations executed */
    uint64_t waits;                   /* times the worker had to wait for another worker */
};

/* One worker in one phase. */
struct pb_worker {
    unsigned index, count;
    enum pb_phase phase;
    struct pb_heap *heap;
    struct pb_thread *thread;
    void *shared;  /* what setup made for the whole cell */
    void *cursor;  /* the worker's own, on lines of its own; setup made it */
    struct pb_tally tally;
} PB_CACHE_ALIGNED;

/* Clock ticks of the calls that one timed step made, and the ways they took. */
enum { PB_TIMED_ALLOC = 1, PB_TIMED_FREE = 2 };
struct pb_timing {
    unsigned made; /* PB_TIMED_* */
    uint64_t alloc_ticks, free_ticks;
    unsigned alloc_path, free_path; /* PB_PATH_*: what the strategy noted (path.h), and REMOTE where
                                       the workload knows that another worker allocated the block */
};

/* Executes up to `steps` steps of the stream from the cursor; returns those executed (fewer only when
 * an allocation failed or the stream ended). */
typedef uint64_t pb_run_fn(struct pb_worker *worker, uint64_t steps);

/* Executes one step, timing each call it makes with pb_ticks_begin and pb_ticks_end. Returns as run. */
typedef uint64_t pb_timed_fn(struct pb_worker *worker, struct pb_timing *timing);

/* The loops compiled for one path and one dispatch (loops.h). */
struct pb_loop {
    const struct pb_hot *hot; /* NULL ends a table */
    pb_run_fn *run;
    pb_timed_fn *timed;
};

enum pb_dispatch { PB_DISPATCH_CALL, PB_DISPATCH_INLINE, PB_DISPATCH_TABLE, PB_DISPATCHES };
extern const char *const pb_dispatch_names[]; /* "call", "inline", "table", NULL */

enum pb_workload_flag {
    PB_WORKLOAD_MIXED_SIZES = 1 << 0, /* fixed-size strategies need a bank */
    PB_WORKLOAD_REMOTE_FREE = 1 << 1, /* blocks are freed by other workers, when there are any */
    PB_WORKLOAD_OWN_THREADS = 1 << 2, /* the data say how many workers (a trace); the axis is ignored */
    PB_WORKLOAD_MANY_BLOCKS = 1 << 3, /* more than one live block a worker */
    PB_WORKLOAD_STEPS_WAIT = 1 << 4   /* steps wait for other workers, when there are any: how long one
                                         takes is not the strategy's alone */
};

/* What setup is given and what it returns. */
struct pb_case {
    const void *options;     /* parsed; every workload's table has its own */
    unsigned workers;        /* in; OWN_THREADS: setup sets it */
    uint64_t seed;
    double scale;            /* multiplies the number of steps; > 0 */
    bool oversubscribed;     /* workers share processing units: who waits must yield */
    struct pb_arena *arena;  /* takes everything from here */
    /* out */
    void *shared;
    void **cursors;          /* `workers` of them */
    size_t block_bytes;      /* the one size requested, 0 = mixed */
    size_t expected_blocks;  /* most live blocks over all workers */
    uint64_t live_peak_bytes; /* most live requested bytes, 0 = not known beforehand */
    uint64_t period; /* steps after which work of another kind comes round again, as a batch's frees;
                        0: each step does its own */
};

struct pb_workload {
    const char *name;
    const char *summary;  /* one line: what the threads do and what it stresses */
    const char *source;   /* paper or program, with the provenance of the default parameters */
    const char *reading;  /* how to read the result, and what it does not say */
    const char *step;     /* what one step is: "one allocation and its free" */
    unsigned step_calls;   /* allocations, frees and reallocs that a step makes on its worker */
    unsigned step_workers; /* workers that share a step (each counts it); 1, or 2 for a handoff */
    const struct pb_option *options;
    size_t option_bytes;
    unsigned flags;

    /* Optional. Whether options that are each in range fit together; a plan asks before anything
     * runs. Returns 0, or -EINVAL with one line: which do not, and what to do. */
    int (*check)(const void *options, char *message, size_t message_size);

    /* Optional. Why this many workers cannot run it, in `reason`; true if they cannot. */
    bool (*unsuitable)(const void *options, unsigned workers, char *reason, size_t reason_size);

    /* How many workers the data ask for (OWN_THREADS only). Reads and checks all of the data: what
     * is wrong with them is said here, at the plan. Returns 0 or -errno with one line. */
    int (*workers)(const void *options, unsigned *workers, char *message, size_t message_size);

    /* Draws everything. Returns 0, -ENOMEM, or -EINVAL with one line. */
    int (*setup)(struct pb_case *c, char *message, size_t message_size);

    /* Steps of a worker's whole stream. */
    uint64_t (*steps)(const struct pb_worker *worker);

    /* Optional; untimed, on the worker. begin: cursor to the start, initial live set. end: frees what
     * is live (these calls do not count). Both go through worker->heap->alloc and free. A block that
     * cannot be allocated counts as exhausted. */
    void (*begin)(struct pb_worker *worker);
    void (*end)(struct pb_worker *worker);

    /* The loops for the heap's path and a dispatch, or NULL if that path has no such loop. */
    const struct pb_loop *(*loop)(const struct pb_heap *heap, enum pb_dispatch dispatch);
};

/* bench/workloads/registry.c; order of workloads.def. NULL past the end. */
const struct pb_workload *pb_workload_at(size_t index);
const struct pb_workload *pb_workload_find(const char *name);

/* --- what every workload does to a block ----------------------------------------------------- */

enum { PB_STAMP_BYTES = 8 }; /* a workload writes at most the first 8 bytes of a block */

/* Makes the compiler believe that `p` and what it points to are used. */
#define PB_PUBLISH(p) __asm__ volatile("" : : "r"(p) : "memory")

/* Writes `stamp` into the block (its low byte where the block is smaller). */
PB_INLINE void pb_stamp(void *block, size_t bytes, uint64_t stamp)
{
    if (PB_LIKELY(bytes >= PB_STAMP_BYTES))
        *(volatile uint64_t *)block = stamp;
    else
        *(volatile unsigned char *)block = (unsigned char)stamp;
    PB_PUBLISH(block);
}

/* 0 if the block still holds `stamp`, else 1. */
PB_INLINE uint64_t pb_stamp_lost(const void *block, size_t bytes, uint64_t stamp)
{
    if (PB_LIKELY(bytes >= PB_STAMP_BYTES))
        return *(const volatile uint64_t *)block != stamp;
    return *(const volatile unsigned char *)block != (unsigned char)stamp;
}

enum pb_op { PB_OP_ALLOC = 1, PB_OP_FREE, PB_OP_REALLOC };

/* One operation of a worker as a number; their sum over the operations executed, in any order, is the
 * stream hash. (The finaliser of MurmurHash3, Appleby 2011.) */
PB_INLINE uint64_t pb_op_hash(enum pb_op op, unsigned worker, uint64_t slot, uint64_t bytes)
{
    /* two products, as the fields do not fit beside each other: slots of up to 48 bits */
    uint64_t x = ((uint64_t)op | (uint64_t)worker << 2 | slot << 16) * 0x9e3779b97f4a7c15u ^
                 bytes * 0xd6e8feb86659fd93u;
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

#endif
