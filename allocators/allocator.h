/* SPDX-License-Identifier: MIT */
/* The contract between a strategy and whoever uses it: the harness, a bank, a lookaside's backing.
 *
 * heap    an open instance of a strategy with its options settled
 * thread  a heap's state for one attached thread; only that thread may pass it
 * block   what alloc returned and free has not yet had back
 * variant a strategy with options, written `zone:lock=ticket,segment=64k`
 *
 * A strategy is one const struct pb_allocator, `pb_allocator_NAME`, the only symbol of its folder
 * that the registry needs. null/ is the one to copy. Mutable state lives in heaps and threads alone.
 * A strategy takes memory from pages.h (or from its `backing`), never from malloc, so that it can be
 * measured under any malloc; it never prints and never ends the process.
 * Errors: 0 or -errno; alloc returns NULL. May include: option.h, libc. */
#ifndef PB_ALLOCATOR_H
#define PB_ALLOCATOR_H

#include "option.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pb_allocator;
struct pb_heap;
struct pb_thread; /* each strategy defines its own; opaque to everyone else */

/* `bytes` >= 1. Returns a block of at least `bytes`, aligned to pb_heap_alignment (to the power of two
 * below `bytes` if that is less), or NULL when memory is exhausted. A fixed-size heap ignores `bytes`
 * after asserting bytes <= block_bytes. */
typedef void *pb_alloc_fn(struct pb_heap *heap, struct pb_thread *thread, size_t bytes);

/* `bytes` is the value given to alloc. `block` is never NULL. */
typedef void pb_free_fn(struct pb_heap *heap, struct pb_thread *thread, void *block, size_t bytes);

/* What a strategy can and cannot do; the harness refuses impossible pairs with a reason. */
enum pb_capability {
    PB_CAP_FIXED_SIZE = 1 << 0,  /* one block size a heap; mixed sizes are served through bank.h */
    PB_CAP_REMOTE_FREE = 1 << 1, /* a thread may free what another allocated */
    PB_CAP_SIZED_FREE = 1 << 2,  /* free relies on the size given back */
    PB_CAP_STAYS_MAPPED = 1 << 3, /* an address once handed out stays readable until close */
    PB_CAP_BACKING = 1 << 4,     /* may stand behind a bank or a lookaside */
    PB_CAP_LIBRARY = 1 << 5,     /* is the process's malloc, in a child with that library preloaded */
    PB_CAP_ONE_BLOCK = 1 << 6,   /* a floor: one live block a thread, never written by others */
    PB_CAP_PATHS = 1 << 7,       /* its slow sites say which way a call took (path.h) */
    PB_CAP_OWN_RSEQ = 1 << 8     /* uses its threads' rseq area itself: nobody else may */
};

/* The compiled path that a variant takes. hot.h of each strategy lists its paths. */
struct pb_hot {
    const char *name;   /* "zone_fas" */
    pb_alloc_fn *alloc; /* out of line: what dispatch=call calls directly and dispatch=table by pointer */
    pb_free_fn *free;
};

/* How a heap is opened. The caller owns everything it points to until close. */
struct pb_heap_config {
    const void *options;     /* the strategy's option struct, parsed and in range */
    size_t block_bytes;      /* PB_CAP_FIXED_SIZE: the size of every block; else 0 */
    unsigned threads;        /* threads that may be attached at the same time, >= 1 */
    size_t expected_blocks;  /* live blocks that the caller expects over all threads; a hint, 0 = unknown */
    struct pb_heap *backing; /* an open heap that outlives this one, or NULL; set where the strategy's
                                option table has a row named "backing" */
    struct pb_thread *const *backing_threads; /* `threads` attached threads of backing, by index */
};

/* Counters since open, summed over threads. What a strategy cannot know stays PB_STAT_UNKNOWN. */
#define PB_STAT_UNKNOWN UINT64_MAX
struct pb_heap_stats {
    uint64_t requested_bytes; /* live, as asked for */
    uint64_t granted_bytes;   /* live, as rounded up, headers included */
    uint64_t held_bytes;      /* taken from the system or from backing, now */
    uint64_t held_peak_bytes; /* the most that held_bytes has been */
    uint64_t cached_bytes;    /* free blocks parked in front of the backing (lookaside lists, stacks) */
    uint64_t allocs, frees;
    uint64_t hits;            /* allocations that the first level served */
    uint64_t misses;          /* allocations that went to the next level */
    uint64_t overflows;       /* frees that the first level refused */
    uint64_t refills;         /* times that a level was filled anew (segment, page, batch) */
    uint64_t os_calls;        /* calls of the system made for memory */
    uint64_t lock_acquisitions;
    uint64_t lock_contended;  /* acquisitions that had to wait */
    uint64_t fallthrough;     /* a bank: requests above its largest class, served by its backing */
    uint64_t native_reallocs; /* reallocs done in place or by the strategy itself */
};

/* One row a counter: the name used in records and tables, where it lies, its unit, and whether an
 * enclosing heap adds it up. Ends with a NULL name. */
struct pb_stat_row {
    const char *name;
    size_t offset;
    const char *unit;
};
extern const struct pb_stat_row pb_stat_rows[];

/* Sets every counter to PB_STAT_UNKNOWN. */
void pb_stats_unknown(struct pb_heap_stats *stats);

/* Adds `from` into `into`, counter by counter; unknown + known = known. */
void pb_stats_add(struct pb_heap_stats *into, const struct pb_heap_stats *from);

/* What was allocated under one tag (pool tags), in one kind of memory, since open. */
struct pb_tag_row {
    uint32_t tag; /* four characters, the first in the lowest byte */
    bool paged;
    uint64_t allocs, frees;
    uint64_t bytes; /* live, headers included */
};

/* A strategy. Slots marked optional may be NULL. */
struct pb_allocator {
    const char *name;
    const char *summary;             /* one line: the idea */
    const char *source;              /* paper or document, year */
    const struct pb_option *options; /* ends with PB_OPTION_END */
    size_t option_bytes;             /* size of the struct that `options` describes; 0 = none */
    unsigned capabilities;           /* enum pb_capability */

    /* Optional. Why this variant cannot run here (a library missing, a processor feature absent, more
     * threads than it can have), as one line in `reason`. Returns true if it cannot. Any thread. */
    bool (*unavailable)(const struct pb_heap_config *config, char *reason, size_t reason_size);

    /* Opens a heap. Returns 0 and *heap, or -ENOMEM, -EINVAL. One thread. */
    int (*open)(const struct pb_heap_config *config, struct pb_heap **heap);

    /* Gives everything back. All threads are detached; live blocks die with the heap. One thread. */
    void (*close)(struct pb_heap *heap);

    /* Makes the state of the calling thread; `index` < config.threads, unique among attached threads.
     * Called by the thread itself, after it is bound, so that first touch places its memory; for
     * heaps that other heaps are built on, the caller may attach on a thread's behalf before it
     * starts. Any thread; concurrent calls are allowed. */
    int (*attach)(struct pb_heap *heap, unsigned index, struct pb_thread **thread);

    /* Ends a thread's state; what it caches goes back to the heap. Any thread, once nobody uses it. */
    void (*detach)(struct pb_heap *heap, struct pb_thread *thread);

    /* Optional. Returns `block` resized (moved if need be, contents kept), or NULL and the old block
     * stays. Where absent, callers allocate, copy and free. */
    void *(*realloc)(struct pb_heap *heap, struct pb_thread *thread, void *block, size_t old_bytes,
                     size_t bytes);

    /* Optional. As alloc, aligned to `alignment` (a power of two). Freed with free and `bytes`. */
    void *(*aligned)(struct pb_heap *heap, struct pb_thread *thread, size_t alignment, size_t bytes);

    /* Optional. What alloc aligns to, a power of two, where that is not PB_ALIGNMENT (an allocator of
     * 32-bit machines, rebuilt). Who needs more asks `aligned`, which such a strategy has. */
    size_t (*alignment)(const struct pb_heap *heap);

    /* Optional. Gives free memory back to the system or the backing; returns bytes given back.
     * No other thread may be in the heap. */
    size_t (*trim)(struct pb_heap *heap);

    /* Fills `stats` (already PB_STAT_UNKNOWN). Exact when no thread is in the heap, else approximate.
     * One thread at a time; others may be in the heap. */
    void (*stats)(struct pb_heap *heap, struct pb_heap_stats *stats);

    /* Optional. Walks every structure and returns 0, or -EINVAL with one line on what is inconsistent.
     * No other thread may be in the heap. */
    int (*check)(struct pb_heap *heap, char *message, size_t message_size);

    /* Optional. The version of what really answers, and how that was verified ("5.3.0 (mallctl)"). */
    int (*version)(struct pb_heap *heap, char *out, size_t size);

    /* Optional. Writes up to `count` rows, one a tag and kind that has allocations, in no order, and
     * returns how many there are; 0 where the options have it count none. A block is counted from
     * alloc to free of the heap that owns it: what a front has cached is live in its backing until
     * trim. Exact when no thread is in the heap, else approximate. Any thread. */
    size_t (*tags)(struct pb_heap *heap, struct pb_tag_row *rows, size_t count);
};

/* The head of every heap; a strategy's own struct begins with it. Set by open, const afterwards. */
struct pb_heap {
    const struct pb_allocator *ops;
    const struct pb_hot *hot;
    pb_alloc_fn *alloc; /* = hot->alloc; dispatch=table goes through these two */
    pb_free_fn *free;
    size_t block_bytes; /* the config's; 0 where any size is served */
};

enum { PB_ALIGNMENT = 16 };

/* What alloc of this heap aligns to. */
static inline size_t pb_heap_alignment(const struct pb_heap *heap)
{
    return heap->ops->alignment != NULL ? heap->ops->alignment(heap) : PB_ALIGNMENT;
}

#endif
