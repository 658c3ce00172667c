/* SPDX-License-Identifier: MIT */
/* The stress test's parts: threads that make random calls of the whole executive for a long time,
 * and an oracle that knows who has which byte.
 *
 * worker   a thread; makes turns, each of an actor drawn by weight
 * actor    an API family: a row of stress_actors with what it does in a turn and how it is checked
 * block    what an allocator gave and has not had back: claimed, filled, booked, in a shared slot
 *          from which any worker takes it to free it
 * book     something whose blocks and bytes are counted on our side, to be compared with theirs
 * round    workers run, then all wait while the main thread checks every structure
 * epoch    rounds under one set of options; at its end everything is freed and must be gone
 * plant    a fault that is made on purpose; the run must find it
 *
 * Threads: what takes a worker is called by that worker; open, check and close by the main thread
 * while all workers wait. */
#ifndef PB_TEST_STRESS_H
#define PB_TEST_STRESS_H

#include "engine/rng.h"

#include <poolbench/nt/bugcheck.h>
#include <poolbench/nt/page.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STRESS_THREADS_MOST = 64,
    STRESS_ACTORS_MOST = 40,
    STRESS_ENTRIES = 3, /* books that a block can stand in */
    STRESS_PROCESSES = 4,
    STRESS_HEAPS = 3,
    STRESS_ZONES = 3,
    STRESS_LOOKASIDES = 6,
    STRESS_TAGS = 16
};

/* What a run can find wrong. */
enum stress_kind {
    FOUND_DOUBLE,    /* a block was handed out while somebody has it */
    FOUND_OVERLAP,   /* a block lies over another */
    FOUND_CORRUPT,   /* a block's bytes changed under its owner */
    FOUND_LOST,      /* our count of blocks or bytes is not theirs */
    FOUND_STRUCTURE, /* an allocator's own check, or a walk, says no */
    FOUND_BUGCHECK,  /* a right call was taken for a wrong one */
    FOUND_BROKEN,    /* a call did not do what it promises */
    FOUND_NOTHING
};

/* Ends the program: what was found, where it stood, and the seed. */
__attribute__((noreturn, format(printf, 2, 3))) void stress_found(enum stress_kind kind,
                                                                  const char *format, ...);

/* Faults that are made on purpose (--plant). */
enum stress_plant {
    PLANT_NONE,
    PLANT_DOUBLE,    /* the pool gives a block that it gave before */
    PLANT_LOST,      /* a free does not reach the pool */
    PLANT_OVERLAP,   /* the pool gives the middle of a block that it gave before */
    PLANT_CORRUPT,   /* a byte behind what was asked for is written to */
    PLANT_HEADER,    /* a block's header is spoiled, at a check */
    PLANT_ZONE,      /* a block does not go back to its zone */
    PLANT_LOOKASIDE, /* nor to its lookaside list */
    PLANT_SLIST,     /* an entry is dropped from an SLIST */
    PLANT_LIST,      /* and from an interlocked list */
    PLANT_LOCK,      /* a guarded counter is changed without its lock */
    PLANT_HEAP,      /* a free does not reach a strategy's heap */
    PLANT_RESIDENT   /* a block of locked pages is not freed */
};

enum stress_book {
    BOOK_TAG,                                /* two a tag: nonpaged, paged */
    BOOK_QUOTA = BOOK_TAG + 2 * STRESS_TAGS, /* two a process */
    BOOK_ZONE = BOOK_QUOTA + 2 * STRESS_PROCESSES,
    BOOK_LOOKASIDE = BOOK_ZONE + STRESS_ZONES,
    BOOK_HEAP = BOOK_LOOKASIDE + STRESS_LOOKASIDES,
    BOOK_SPECIAL = BOOK_HEAP + STRESS_HEAPS,
    BOOK_RESIDENT, /* bytes of pages that are counted as locked */
    STRESS_BOOKS
};

struct stress_sum {
    int64_t blocks, bytes;
};

struct stress_actor;

struct stress_block {
    _Atomic(unsigned char *) at; /* read by whoever meets the block where it should not be */
    size_t asked, bytes;         /* asked for; claimed and filled: from there to the block's end */
    uint64_t key;                /* of its pattern */
    const struct stress_actor *actor;
    struct {
        unsigned book;
        size_t bytes;
    } entries[STRESS_ENTRIES];
    unsigned booked;
    uint32_t tag;
    unsigned which; /* the actor's own: list, zone, heap, kind of pool */
    struct stress_block *next;
};

struct stress_worker {
    unsigned index;
    struct pb_rng rng;
    uint64_t serial;
    struct stress_block *spare;
    struct stress_sum books[STRESS_BOOKS];
    uint64_t turns[STRESS_ACTORS_MOST], refused[STRESS_ACTORS_MOST];
    unsigned actor; /* of the turn */
    uint64_t plants;
    pthread_t thread;
} __attribute__((aligned(128)));

struct stress_actor {
    const char *name;
    unsigned weight;
    void (*turn)(struct stress_worker *worker, const struct stress_actor *actor);
    void (*give)(struct stress_worker *worker, struct stress_block *block); /* frees; NULL: none */
    const void *row;                                                        /* the family's own */
};

/* What belongs together: made for an epoch, checked between rounds. Each may be NULL. */
struct stress_part {
    void (*open)(void);
    void (*check)(void);
    void (*close)(void); /* after the drain: nothing is live */
    const struct stress_actor *actors;
    size_t actors_n;
};
extern const struct stress_part stress_books, stress_pool, stress_lookaside, stress_tuner,
    stress_zone, stress_lists, stress_locks, stress_mm, stress_heaps;

/* The run. Written by the main thread while all workers wait. */
struct stress_run {
    unsigned threads, seconds;
    uint64_t seed;
    const char *profile; /* NULL: they take turns */
    enum stress_plant plant;
    enum stress_kind expected; /* of the plant */
    const char *expected_text; /* what is found says: a pattern of fnmatch */
    uint64_t epoch, round;
    char options[640]; /* of the epoch's executive */
    char poolmon[256]; /* the file with its table of tags */
    struct pb_rng rng; /* the main thread's */
    struct stress_worker *workers;
};
extern struct stress_run stress_run;

/* stress_options.c: the next epoch's options, and everything that is set with them. */
void stress_choose_options(void);

/* stress_oracle.c */
void stress_oracle_open(void);

/* Claims `bytes` at `at` (of which `asked` were asked for) and fills them. Finds doubled and
 * overlapping blocks. */
struct stress_block *stress_claim(struct stress_worker *worker, const struct stress_actor *actor,
                                  void *at, size_t asked, size_t bytes);

/* The same without pattern and block, for entries of lists: `id` is not 0. */
void stress_hold(void *at, size_t bytes, uint32_t id);
void stress_unhold(void *at, size_t bytes, uint32_t id);

/* Enters the block in a book, with so many bytes. */
void stress_post(struct stress_worker *worker, struct stress_block *block, unsigned book,
                 size_t bytes);

/* Puts the block into a slot; what lay there is looked at and freed. */
void stress_publish(struct stress_worker *worker, struct stress_block *block);

/* Looks at a block, takes it out of the books and frees it. */
void stress_retire(struct stress_worker *worker, struct stress_block *block);

void stress_retire_any(struct stress_worker *worker); /* of a slot, if that has one */
void stress_retire_all(struct stress_worker *worker); /* the worker's part of the slots */
void stress_check_blocks(void);                       /* patterns of all that are in slots */
struct stress_block *stress_find(bool (*fits)(const struct stress_block *block));

struct stress_sum stress_sum(unsigned book);

/* Compares a book with what an allocator says. */
void stress_compare(unsigned book, const char *what, int64_t blocks, int64_t bytes);

/* A turn that got nothing: counted; the run goes on. */
static inline void stress_refused(struct stress_worker *worker)
{
    worker->refused[worker->actor]++;
}

static inline uint64_t stress_below(struct stress_worker *worker, uint64_t bound)
{
    return pb_rng_below(&worker->rng, bound);
}

/* Whether this is a turn to do wrong: one in 4 of those that ask. */
static inline bool stress_plant(struct stress_worker *worker, enum stress_plant plant)
{
    return stress_run.plant == plant && ++worker->plants % 4 == 0;
}

#endif
