/* SPDX-License-Identifier: MIT */
/* Who has which byte (stress.h). Every live block has its number in a shadow table, a word for each
 * 8 bytes of its memory, set from 0 and cleared again by compare-exchange: two owners of one byte
 * are seen by the second of them, at once. It is also full of a pattern that nobody else's is.
 * Layout   directory | leaf a 2 MiB piece of address space, mapped when it is first met | a word
 *          each 8 bytes: 0, or the number of who has them
 * All accesses to shadow words are relaxed: the table must not bring an order between threads that
 * the allocators owe, or ThreadSanitizer would not see that they do not.
 * Threads: any. */
#include "nt/stress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    GRAIN = 8,
    LEAF_SHIFT = 21,
    LEAF_WORDS = (1 << LEAF_SHIFT) / GRAIN,
    ADDRESS_BITS = 48,
    SLOTS = 4096,
    SPARE_A_WORKER = 64
};

typedef _Atomic uint32_t shadow_word;

static _Atomic(shadow_word *) *directory;
static struct stress_block *blocks; /* a block's number is its index + 1 */
static size_t blocks_n;
static _Atomic(struct stress_block *) slots[SLOTS];

static void *map(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at != MAP_FAILED)
        return at;
    fprintf(stderr, "nt_stress: there is no memory for the oracle's tables\n");
    exit(2);
}

void stress_oracle_open(void)
{
    size_t share = SLOTS / stress_run.threads + 1 + SPARE_A_WORKER;
    directory = map(((size_t)1 << (ADDRESS_BITS - LEAF_SHIFT)) * sizeof *directory);
    blocks_n = share * stress_run.threads;
    blocks = map(blocks_n * sizeof *blocks);
    for (size_t i = 0; i < blocks_n; i++) {
        struct stress_worker *worker = &stress_run.workers[i % stress_run.threads];
        blocks[i].next = worker->spare;
        worker->spare = &blocks[i];
    }
}

static shadow_word *leaf_of(uintptr_t at)
{
    _Atomic(shadow_word *) *entry = &directory[at >> LEAF_SHIFT];
    /* acquire: who sees a leaf sees it empty */
    shadow_word *leaf = atomic_load_explicit(entry, memory_order_acquire);
    if (leaf != NULL)
        return leaf;
    shadow_word *made = map(LEAF_WORDS * sizeof *made);
    if (atomic_compare_exchange_strong_explicit(entry, &leaf, made, memory_order_acq_rel,
                                                memory_order_acquire))
        return made;
    (void)munmap(made, LEAF_WORDS * sizeof *made);
    return leaf;
}

static shadow_word *word_of(uintptr_t at)
{
    return &leaf_of(at)[(at & (((uintptr_t)1 << LEAF_SHIFT) - 1)) / GRAIN];
}

/* Sets the words of a range from one number to another. Returns the number that was in the way. */
static uint32_t exchange(uintptr_t at, size_t bytes, uint32_t from, uint32_t to)
{
    uintptr_t end = at + bytes;
    for (at &= ~(uintptr_t)(GRAIN - 1); at < end; at += GRAIN) {
        uint32_t seen = from;
        if (!atomic_compare_exchange_strong_explicit(word_of(at), &seen, to, memory_order_relaxed,
                                                     memory_order_relaxed))
            return seen != 0 ? seen : UINT32_MAX;
    }
    return 0;
}

static unsigned char *address_of(const struct stress_block *block)
{
    /* relaxed: the owner's own, or a hint for a report */
    return atomic_load_explicit(&block->at, memory_order_relaxed);
}

__attribute__((noreturn)) static void claimed_twice(const void *at, size_t bytes, uint32_t other)
{
    if (other > blocks_n)
        stress_found(FOUND_DOUBLE, "an entry at %p of %zu bytes is somebody's (%u)", at, bytes,
                     other);
    unsigned char *there = address_of(&blocks[other - 1]);
    stress_found(there == at ? FOUND_DOUBLE : FOUND_OVERLAP,
                 "%zu bytes at %p were given out; those at %p are in use", bytes, at,
                 (void *)there);
}

void stress_hold(void *at, size_t bytes, uint32_t id)
{
    uint32_t other = exchange((uintptr_t)at, bytes, 0, id);
    if (other != 0)
        claimed_twice(at, bytes, other);
}

void stress_unhold(void *at, size_t bytes, uint32_t id)
{
    uint32_t other = exchange((uintptr_t)at, bytes, id, 0);
    if (other != 0)
        stress_found(FOUND_OVERLAP, "%zu bytes at %p are %u's, and %u has part of them", bytes, at,
                     id, other);
}

static uint32_t number_of(const struct stress_block *block)
{
    return (uint32_t)(block - blocks) + 1;
}

static uint64_t pattern(uint64_t key, size_t word)
{
    return key ^ (uint64_t)word * 0x9e3779b97f4a7c15u;
}

static void fill(const struct stress_block *block)
{
    uint64_t *words = (uint64_t *)(void *)address_of(block);
    size_t n = block->bytes / sizeof *words, rest = block->bytes % sizeof *words;
    for (size_t i = 0; i < n; i++)
        words[i] = pattern(block->key, i);
    uint64_t last = pattern(block->key, n);
    memcpy(&words[n], &last, rest);
}

static void look(const struct stress_block *block)
{
    const uint64_t *words = (const uint64_t *)(const void *)address_of(block);
    size_t n = block->bytes / sizeof *words, rest = block->bytes % sizeof *words, bad = 0;
    while (bad < n && words[bad] == pattern(block->key, bad))
        bad++;
    uint64_t last = pattern(block->key, n);
    if (bad == n && memcmp(&words[n], &last, rest) == 0)
        return;
    stress_found(
        FOUND_CORRUPT, "%s: a block of %zu bytes (%zu asked for) at %p changed at byte %zu",
        block->actor->name, block->bytes, block->asked, (const void *)words, bad * sizeof *words);
}

struct stress_block *stress_claim(struct stress_worker *worker, const struct stress_actor *actor,
                                  void *at, size_t asked, size_t bytes)
{
    while (worker->spare == NULL) /* others have what this one lacks: it comes back by a free */
        stress_retire_any(worker);
    struct stress_block *block = worker->spare;
    worker->spare = block->next;
    atomic_store_explicit(&block->at, at, memory_order_relaxed);
    block->actor = actor;
    block->asked = asked;
    block->bytes = bytes;
    block->booked = 0;
    uint64_t name = (uint64_t)worker->index << 48 | ++worker->serial;
    block->key = pb_splitmix64(&name);
    stress_hold(at, bytes, number_of(block));
    fill(block);
    return block;
}

void stress_post(struct stress_worker *worker, struct stress_block *block, unsigned book,
                 size_t bytes)
{
    block->entries[block->booked].book = book;
    block->entries[block->booked++].bytes = bytes;
    worker->books[book].blocks++;
    worker->books[book].bytes += (int64_t)bytes;
}

void stress_retire(struct stress_worker *worker, struct stress_block *block)
{
    look(block);
    for (unsigned i = 0; i < block->booked; i++) {
        struct stress_sum *sum = &worker->books[block->entries[i].book];
        sum->blocks--;
        sum->bytes -= (int64_t)block->entries[i].bytes;
    }
    stress_unhold(address_of(block), block->bytes, number_of(block));
    block->actor->give(worker, block);
    block->next = worker->spare;
    worker->spare = block;
}

static void swap(struct stress_worker *worker, struct stress_block *block)
{
    /* acq_rel: a block's bytes go with it */
    struct stress_block *other =
        atomic_exchange_explicit(&slots[stress_below(worker, SLOTS)], block, memory_order_acq_rel);
    if (other != NULL)
        stress_retire(worker, other);
}

void stress_publish(struct stress_worker *worker, struct stress_block *block)
{
    swap(worker, block);
}

void stress_retire_any(struct stress_worker *worker)
{
    swap(worker, NULL);
}

void stress_retire_all(struct stress_worker *worker)
{
    for (size_t i = worker->index; i < SLOTS; i += stress_run.threads) {
        struct stress_block *block =
            atomic_exchange_explicit(&slots[i], NULL, memory_order_acq_rel); /* as above */
        if (block != NULL)
            stress_retire(worker, block);
    }
}

void stress_check_blocks(void)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct stress_block *block = atomic_load_explicit(&slots[i], memory_order_acquire);
        if (block != NULL)
            look(block);
    }
}

struct stress_block *stress_find(bool (*fits)(const struct stress_block *block))
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct stress_block *block = atomic_load_explicit(&slots[i], memory_order_acquire);
        if (block != NULL && fits(block))
            return block;
    }
    return NULL;
}

struct stress_sum stress_sum(unsigned book)
{
    struct stress_sum sum = {0, 0};
    for (unsigned i = 0; i < stress_run.threads; i++) {
        sum.blocks += stress_run.workers[i].books[book].blocks;
        sum.bytes += stress_run.workers[i].books[book].bytes;
    }
    return sum;
}

void stress_compare(unsigned book, const char *what, int64_t blocks_there, int64_t bytes)
{
    struct stress_sum ours = stress_sum(book);
    if (ours.blocks != blocks_there || ours.bytes != bytes)
        stress_found(FOUND_LOST,
                     "%s: %lld blocks of %lld bytes in use, where %lld of %lld were given out",
                     what, (long long)blocks_there, (long long)bytes, (long long)ours.blocks,
                     (long long)ours.bytes);
}
