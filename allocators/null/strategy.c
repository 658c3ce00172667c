/* SPDX-License-Identifier: MIT */
/* Null: hands out blocks that were there before. It allocates nothing, so what it costs is what the
 * harness and the call cost: the floor of every figure. A strategy whose blocks lie better in the
 * cache can come in below it where the touching of blocks weighs more. The strategy to copy.
 * Source:  poolbench; the stack of block addresses is a magazine (Bonwick and Adams 2001), but what
 *          leaves it for the reserve is the oldest.
 * Layout:  heap   | head, lock, reserve | threads by index |          one mapping
 *          thread | taken, put, capacity | slot 0 | slot 1 | ... |    one mapping, coloured
 *          blocks | block 0 | block 1 | ... |  in the arena, `stride` apart; the first word of a
 *                 block in the reserve links to the next
 * I1       a block is in one stack, or in the reserve, or a caller's, never in two  (null_check)
 * I2       stacks + reserve <= carved; what is missing is live                      (null_check)
 * Locks    lock (fas) guards the reserve, the arena and the list of threads; no stack is moved
 *          under it but by its owner. Held for half a stack at most.
 * Cost     alloc and free O(1): a comparison, a load or a store, and one count moved; 8 bytes of
 *          stack a prefilled block
 */
#include "nt/colour.h"
#include "nt/lock.h"
#include "null/hot.h"

#include <stdio.h>
#include <string.h>

/* A stack holds STACK_MIN to STACK_MAX blocks, which lie multiples of STRIDE apart. The arena asks
 * for ADDRESS_BYTES of address space but contents itself with less, so that the 28 heaps of a bank
 * leave room under RLIMIT_AS. */
enum {
    STACK_MIN = 64,
    STACK_MAX = 1 << 20,
    STRIDE = 16,
    LEAST_BYTES = 1 << 20,
    ADDRESS_SHARE = 64
};
static const size_t ADDRESS_BYTES = (size_t)16 << 30;

struct null_free_block {
    struct null_free_block *next;
};

struct null_heap {
    struct pb_heap base;
    unsigned threads_n;
    size_t stride;
    size_t prefill; /* blocks that a thread begins with: the capacity of its stack */
    struct pb_lock lock PB_CACHE_ALIGNED;
    /* guarded by lock */
    struct null_free_block *reserve;
    uint64_t reserved;    /* blocks in it */
    uint64_t carved;      /* blocks ever made */
    uint64_t refills;     /* stacks filled from the reserve */
    uint64_t gone_allocs; /* of threads that were detached */
    struct pb_pages pages;
    struct pb_null_thread *threads[]; /* by index, NULL where none is attached */
};

extern const struct pb_allocator pb_allocator_null;
PB_HOT_DEFINE(null)

static struct null_heap *heap_of(struct pb_heap *heap)
{
    return (struct null_heap *)(void *)heap;
}

static size_t heap_bytes(unsigned threads)
{
    return sizeof(struct null_heap) + threads * sizeof(struct pb_null_thread *);
}

static size_t thread_bytes(size_t capacity)
{
    return sizeof(struct pb_null_thread) + capacity * sizeof(void *);
}

static uint64_t read_counter(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* relaxed: only the owner writes it */
static void add_counter(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_store_explicit(counter, read_counter(counter) + more, memory_order_relaxed);
}

/* fas brings nothing of the thread's: any caller locks, attached or not. */
static void lock_heap(struct null_heap *heap)
{
    fas_lock(&heap->lock, NULL);
}

static void unlock_heap(struct null_heap *heap)
{
    fas_unlock(&heap->lock, NULL);
}

static size_t prefill_of(const struct pb_heap_config *config)
{
    size_t share = config->expected_blocks / config->threads, blocks = STACK_MIN;
    while (blocks < share && blocks < STACK_MAX)
        blocks *= 2;
    return blocks;
}

static int null_open(const struct pb_heap_config *config, struct pb_heap **out)
{
    int error = -ENOMEM;
    if (config->block_bytes == 0 || config->block_bytes > ADDRESS_BYTES)
        return -EINVAL;
    struct null_heap *heap = pb_pages_map(heap_bytes(config->threads));
    if (heap == NULL)
        return -ENOMEM;
    heap->base = (struct pb_heap){&pb_allocator_null, &pb_hot_null, pb_hot_null.alloc,
                                  pb_hot_null.free, config->block_bytes};
    heap->threads_n = config->threads;
    heap->stride = (config->block_bytes + STRIDE - 1) / STRIDE * STRIDE;
    heap->prefill = prefill_of(config);
    error = fas_init(&heap->lock, config->threads);
    if (error != 0)
        goto out_unmap;
    error = pb_pages_open_within(&heap->pages, ADDRESS_BYTES, LEAST_BYTES, ADDRESS_SHARE);
    if (error != 0)
        goto out_lock;
    *out = &heap->base;
    return 0;

out_lock:
    pb_lock_fini(&heap->lock);
out_unmap:
    pb_pages_unmap(heap, heap_bytes(config->threads));
    return error;
}

/* In the reverse order of open. */
static void null_close(struct pb_heap *base)
{
    struct null_heap *heap = heap_of(base);
    pb_pages_close(&heap->pages);
    pb_lock_fini(&heap->lock);
    pb_pages_unmap(heap, heap_bytes(heap->threads_n));
}

/* Puts a block into the reserve. Lock held. */
static void reserve_put(struct null_heap *heap, void *block)
{
    struct null_free_block *entry = block;
    entry->next = heap->reserve;
    heap->reserve = entry;
    heap->reserved++;
}

/* Makes new blocks, `blocks` or as many as there is memory for, and touches them by linking them
 * into the reserve. Lock held. */
static void reserve_carve(struct null_heap *heap, size_t blocks)
{
    unsigned char *at = NULL;
    for (; blocks > 0 && at == NULL; blocks = at == NULL ? blocks / 2 : blocks)
        at = pb_pages_take(&heap->pages, blocks * heap->stride);
    for (size_t i = blocks; i-- > 0;)
        reserve_put(heap, at + i * heap->stride);
    heap->carved += blocks;
}

/* Blocks in a stack. With its owner at work perhaps fewer, never more: acquire, paired with the
 * release of put, so that taken is read as it was then or later. */
static uint64_t stack_depth(const struct pb_null_thread *t)
{
    uint64_t put = atomic_load_explicit(&t->put, memory_order_acquire);
    uint64_t taken = read_counter(&t->taken);
    return put > taken ? put - taken : 0;
}

/* Moves up to `blocks` from the reserve onto the thread's stack; returns how many. Lock held. */
static uint64_t stack_fill(struct null_heap *heap, struct pb_null_thread *t, uint64_t blocks)
{
    uint64_t depth = stack_depth(t), moved = 0;
    if (heap->reserved < blocks)
        reserve_carve(heap, blocks - heap->reserved);
    for (; moved < blocks && heap->reserve != NULL; moved++) {
        t->slots[depth + moved] = heap->reserve;
        heap->reserve = heap->reserve->next;
        heap->reserved--;
    }
    add_counter(&t->put, moved);
    heap->refills++;
    return moved;
}

/* Moves the stack's `blocks` oldest into the reserve. Lock held. */
static void stack_empty(struct null_heap *heap, struct pb_null_thread *t, uint64_t blocks)
{
    uint64_t kept = stack_depth(t) - blocks;
    for (uint64_t i = 0; i < blocks; i++)
        reserve_put(heap, t->slots[i]);
    memmove(t->slots, t->slots + blocks, kept * sizeof *t->slots);
    add_counter(&t->put, 0 - blocks); /* modulo 2^64: less */
}

PB_NOINLINE void *pb_null_refill(struct pb_heap *base, struct pb_null_thread *thread)
{
    struct null_heap *heap = heap_of(base);
    lock_heap(heap);
    uint64_t moved = stack_fill(heap, thread, thread->capacity / 2);
    unlock_heap(heap);
    if (moved == 0)
        return NULL;
    return null_alloc(base, (struct pb_thread *)(void *)thread, base->block_bytes);
}

PB_NOINLINE void pb_null_spill(struct pb_heap *base, struct pb_null_thread *thread, void *block)
{
    struct null_heap *heap = heap_of(base);
    lock_heap(heap);
    stack_empty(heap, thread, thread->capacity / 2);
    unlock_heap(heap);
    null_free(base, (struct pb_thread *)(void *)thread, block, base->block_bytes);
}

static int null_attach(struct pb_heap *base, unsigned index, struct pb_thread **out)
{
    struct null_heap *heap = heap_of(base);
    struct pb_null_thread *t = pb_colour_map(thread_bytes(heap->prefill), base->block_bytes, index);
    if (t == NULL)
        return -ENOMEM;
    t->capacity = heap->prefill;
    t->index = index;
    lock_heap(heap);
    if (stack_fill(heap, t, t->capacity) == 0)
        goto out_unmap;
    heap->threads[index] = t;
    unlock_heap(heap);
    *out = (struct pb_thread *)(void *)t;
    return 0;

out_unmap:
    unlock_heap(heap);
    pb_colour_unmap(t, thread_bytes(heap->prefill), base->block_bytes, index);
    return -ENOMEM;
}

static void null_detach(struct pb_heap *base, struct pb_thread *thread)
{
    struct null_heap *heap = heap_of(base);
    struct pb_null_thread *t = (struct pb_null_thread *)(void *)thread;
    lock_heap(heap);
    stack_empty(heap, t, stack_depth(t));
    heap->gone_allocs += read_counter(&t->taken);
    heap->threads[t->index] = NULL;
    unlock_heap(heap);
    pb_colour_unmap(t, thread_bytes(t->capacity), base->block_bytes, t->index);
}

/* Blocks in all stacks, and allocations made. Lock held. */
static uint64_t sum_stacks(const struct null_heap *heap, uint64_t *allocs)
{
    uint64_t stacked = 0;
    *allocs = heap->gone_allocs;
    for (unsigned i = 0; i < heap->threads_n; i++) {
        if (heap->threads[i] == NULL)
            continue;
        stacked += stack_depth(heap->threads[i]);
        *allocs += read_counter(&heap->threads[i]->taken);
    }
    return stacked;
}

/* Live is what is in no stack and not in the reserve, and every request has the heap's size. */
static void null_stats(struct pb_heap *base, struct pb_heap_stats *stats)
{
    struct null_heap *heap = heap_of(base);
    lock_heap(heap);
    heap->lock.acquisitions--; /* this one is not the load's */
    uint64_t stacked = sum_stacks(heap, &stats->allocs);
    uint64_t held = heap->carved - heap->reserved;
    uint64_t live = held > stacked ? held - stacked : 0; /* with threads at work: a block may have
                                                            moved from one stack to another between
                                                            the readings, and be counted twice */
    stats->frees = stats->allocs > live ? stats->allocs - live : 0;
    stats->requested_bytes = live * base->block_bytes;
    stats->granted_bytes = live * heap->stride;
    stats->held_bytes = heap->pages.held_bytes;
    stats->held_peak_bytes = heap->pages.held_peak_bytes;
    stats->cached_bytes = stacked * heap->stride;
    stats->refills = heap->refills;
    stats->os_calls = heap->pages.os_calls;
    stats->lock_acquisitions = heap->lock.acquisitions;
    stats->lock_contended = heap->lock.contended;
    unlock_heap(heap);
}

/* What null_check has seen: one bit a stride of the arena. */
struct null_map {
    const struct null_heap *heap;
    unsigned char *bits;
    size_t bytes;
    const char *wrong;
};

static void map_mark(struct null_map *map, const void *block)
{
    size_t at = (size_t)((const unsigned char *)block - map->heap->pages.base);
    size_t grain = at / STRIDE;
    if (at >= map->heap->pages.taken_bytes || at % STRIDE != 0)
        map->wrong = "a free block lies outside the arena";
    else if ((map->bits[grain / 8] >> grain % 8 & 1) != 0)
        map->wrong = "a block is free twice";
    else
        map->bits[grain / 8] = (unsigned char)(map->bits[grain / 8] | 1u << grain % 8);
}

static void map_threads(struct null_map *map)
{
    for (unsigned i = 0; i < map->heap->threads_n && map->wrong == NULL; i++) {
        const struct pb_null_thread *t = map->heap->threads[i];
        uint64_t n = t != NULL ? stack_depth(t) : 0;
        if (t != NULL && n > t->capacity)
            map->wrong = "a stack holds more than its capacity";
        for (uint64_t k = 0; k < n && map->wrong == NULL; k++)
            map_mark(map, t->slots[k]);
    }
}

static void map_reserve(struct null_map *map)
{
    uint64_t n = 0;
    const struct null_free_block *entry = map->heap->reserve;
    for (; entry != NULL && map->wrong == NULL; entry = entry->next, n++)
        map_mark(map, entry); /* a circle meets a marked block */
    if (map->wrong == NULL && n != map->heap->reserved)
        map->wrong = "the reserve holds other than it counts";
}

static int null_check(struct pb_heap *base, char *message, size_t message_size)
{
    struct null_heap *heap = heap_of(base);
    struct null_map map = {.heap = heap, .bytes = heap->pages.taken_bytes / STRIDE / 8 + 1};
    uint64_t allocs;
    map.bits = pb_pages_map(map.bytes);
    if (map.bits == NULL)
        return 0; /* no memory to look with */
    lock_heap(heap);
    map_threads(&map);
    map_reserve(&map);
    if (map.wrong == NULL && sum_stacks(heap, &allocs) + heap->reserved > heap->carved)
        map.wrong = "stacks and reserve hold more blocks than there are";
    unlock_heap(heap);
    pb_pages_unmap(map.bits, map.bytes);
    if (map.wrong == NULL)
        return 0;
    snprintf(message, message_size, "null: %s", map.wrong);
    return -EINVAL;
}

static const struct pb_option null_options[] = {{.type = PB_OPTION_END}};

const struct pb_allocator pb_allocator_null = {
    .name = "null",
    .summary = "hands out blocks laid out beforehand: what the harness itself costs",
    .source = "poolbench; compare the magazines of Bonwick and Adams, USENIX 2001",
    .options = null_options,
    .option_bytes = 0,
    .capabilities = PB_CAP_FIXED_SIZE | PB_CAP_REMOTE_FREE | PB_CAP_STAYS_MAPPED,
    .open = null_open,
    .close = null_close,
    .attach = null_attach,
    .detach = null_detach,
    .stats = null_stats,
    .check = null_check,
};
