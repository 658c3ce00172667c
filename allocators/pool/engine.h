/* SPDX-License-Identifier: MIT */
/* The pool proper: blocks with headers in pages, free lists, whole pages, lookaside lists in front.
 * It knows no caller's rules (IRQL, quota, tags that must be given, limits, raising): front.c does.
 * A struct pool is one set of pools with everything they need; the executive has one, and each heap
 * of the strategy has one of its own.
 * Source:  the classic pool manager of NT (to Windows 10 1803), as documented in Windows Internals,
 *          by ReactOS (expool) and by Mandt, "Kernel Pool Exploitation on Windows 7", 2011.
 * Layout, invariants, locks and cost: space.h, header.h.
 * Threads: any, but for open, close, check, trim. May include: nt/, pool/. */
#ifndef PB_POOL_ENGINE_H
#define PB_POOL_ENGINE_H

#include "pool/options.h"

#include <poolbench/nt/pool.h>
#include <poolbench/nt/process.h>

#include <stdbool.h>

struct pool;

enum pool_class { POOL_NONPAGED, POOL_NONPAGED_NX, POOL_PAGED, POOL_CLASSES };

/* The class that a POOL_TYPE's bits ask for; a profile without NX serves nonpaged. */
enum pool_class pb_pool_class(const struct pool *pool, unsigned type);

/* Classes whose arenas are made: a bit each; the strategy wants one, the executive all three (made at
 * first use). `message`: one line where the error is not -ENOMEM. Returns 0 or -errno. */
int pb_pool_open(const struct pool_options *options, unsigned classes, struct pool **pool,
                 char *message, size_t message_size);
void pb_pool_close(struct pool *pool);

/* What is asked for. */
struct pool_request {
    size_t bytes;
    unsigned type;      /* POOL_TYPE bits without the caller's flags; 8 = charged to `owner` */
    uint32_t tag;       /* 0 is stored as "None" */
    unsigned alignment; /* bytes, a power of two up to 1 GiB; 0: the profile's */
    PEPROCESS owner;    /* written into the block if type has 8: x64 header, else its last pointer */
};

/* A block, or NULL. Lookaside lists are asked for requests of profile alignment only. Counts the tag.
 * No lock is held and IRQL is the caller's when this returns or bugchecks. */
void *pb_pool_allocate(struct pool *pool, const struct pool_request *request);

/* What a live block is. */
struct pool_block {
    enum pool_class class;
    unsigned type;  /* POOL_TYPE bits that it was allocated with */
    uint32_t tag;
    size_t granted; /* bytes, header included; whole pages for big ones */
    size_t usable;  /* bytes from the block's address on */
    PEPROCESS owner; /* NULL if not charged */
    bool big;
};

/* Looks the block up. False after a bugcheck (not a block, header corrupt, free already). */
bool pb_pool_inspect(struct pool *pool, const void *block, struct pool_block *found);

/* Frees a block that inspect found. Counts the tag. False after a bugcheck: then it is as it was. */
bool pb_pool_release(struct pool *pool, void *block, const struct pool_block *found);

/* Both of them in one, for who has no rules to look at in between. */
bool pb_pool_free_block(struct pool *pool, void *block);

/* Counters for stats, probes and tests: a snapshot, of each part at a moment of its own. What is
 * cached is never more than what is in use, hits never more than what was asked for. */
struct pool_counts {
    uint64_t running_allocs, running_frees; /* slow path, NT's RunningAllocs and RunningDeAllocs */
    uint64_t failures;                      /* requests for which there was no page */
    uint64_t total_pages, total_big_pages;
    uint64_t total_bytes;                   /* in use, headers included, cached blocks included */
    uint64_t list_allocates, list_hits, list_frees, list_free_hits;
    uint64_t cached_blocks, cached_bytes;   /* in P and L lists and pending frees */
    uint64_t pages_taken, os_calls;
    uint64_t lock_acquisitions, lock_contended;
    uint64_t held_bytes, held_peak_bytes, locked_bytes;
};
void pb_pool_counts(const struct pool *pool, enum pool_class class, struct pool_counts *counts);

/* Gives lists' blocks, pending frees and free pages back; bytes that the system got. */
size_t pb_pool_trim(struct pool *pool);

/* One period's adjustment of the depths of P and L lists; called by the tuner. */
void pb_pool_tune(struct pool *pool, const struct pb_tuning *tuning);

/* Every invariant. Returns 0, or -EINVAL and one line. */
int pb_pool_check(struct pool *pool, char *message, size_t message_size);

/* NULL where the option is off. */
struct pool_tags *pb_pool_tags(struct pool *pool);

/* What is wrong, of the machine, with what was asked: "nonpaged pool: 8 MiB of 64 MiB locked: ..."
 * for `describe` and the record; an empty line if nothing. */
void pb_pool_notes(const struct pool *pool, char *out, size_t size);

#endif
