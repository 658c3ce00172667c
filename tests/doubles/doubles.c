/* SPDX-License-Identifier: MIT */
/* A simple sound allocator with one planted fault at a time (doubles.h).
 * Source:  poolbench.
 * Layout:  heap  | head, mutex, counters, free lists by class |  one mapping; blocks in the arena
 *          block | class, bytes asked for, link | payload, a power of two |
 *          aligned to more than 16: within a payload, behind a header of class ALIGNED that links
 *          to the block
 * I1       a block is live or in the free list of its class
 * I2       live + free == carved                                    (faulty_check)
 * Locks    mutex guards everything: a double is right before it is fast
 * Cost     a lock a call; 32 bytes a block, sizes rounded up to a power of two */
#include "doubles/doubles.h"

#include "hot.h"
#include "nt/pages.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum {
    CLASSES = 33,
    ALIGNED = CLASSES,
    SMALLEST = 16,
    CHUNK_BYTES = 1 << 16,
    LEAST_BYTES = 1 << 20,
    ADDRESS_SHARE = 2
};
static const size_t ADDRESS_BYTES = (size_t)4 << 30, HUGE_BYTES = SIZE_MAX / 4;

/* A mode, and what alloc does in it once it is due; the fault of others lies elsewhere. */
/* clang-format off */
#define FAULT_MODES(X)                                                                             \
    X(sound, sound_alloc) X(null_after, fault_null) X(twice, fault_twice)                          \
    X(overlap, fault_overlap) X(neighbour, fault_neighbour) X(misaligned, fault_misaligned)        \
    X(crash, fault_crash) X(hang, fault_hang) X(leak, sound_alloc)                                 \
    X(aligned_inside, sound_alloc) X(aligned_page, sound_alloc) X(aligned_free, sound_alloc)       \
    X(huge_wraps, fault_wraps) X(huge_counts, fault_counts) X(huge_harms, fault_harms)
/* clang-format on */

#define FAULT_MODE(name, alloc)  FAULT_##name,
#define FAULT_NAME(name, alloc)  #name,
#define FAULT_ALLOC(name, alloc) alloc,
enum fault { FAULT_MODES(FAULT_MODE) };
static const char *const fault_names[] = {FAULT_MODES(FAULT_NAME) NULL};

struct faulty_options {
    uint64_t mode;
    uint64_t after;
};

static const struct pb_option faulty_options[] = {
    {.name = "mode",
     .type = PB_OPTION_CHOICE,
     .offset = offsetof(struct faulty_options, mode),
     .standard = "sound",
     .choices = fault_names,
     .help = "the planted fault"},
    {.name = "after",
     .type = PB_OPTION_UINT,
     .offset = offsetof(struct faulty_options, after),
     .unit = "allocations",
     .standard = "100",
     .min = 0,
     .max = UINT64_MAX,
     .help = "allocations that are sound before the fault"},
    {.type = PB_OPTION_END},
};

/* In front of each payload. */
struct faulty_block {
    _Alignas(16) uint64_t class;
    uint64_t bytes;
    struct faulty_block *next; /* in its free list; ALIGNED: the block that this payload lies in */
};

struct faulty_heap {
    struct pb_heap base;
    struct faulty_options options;
    size_t mapped_bytes;
    pthread_mutex_t mutex;
    /* guarded by mutex */
    struct pb_pages pages;
    unsigned char *chunk; /* what is left of it */
    size_t chunk_left;
    struct faulty_block *lists[CLASSES];
    uint64_t allocs, frees, carved, requested, granted;
    void *victim; /* a live block, to do harm to */
    size_t victim_bytes;
    void *forged;            /* what a fault returned: no block of ours */
    unsigned char threads[]; /* what a thread's state points to */
};

static struct faulty_heap *heap_of(struct pb_heap *heap)
{
    return (struct faulty_heap *)(void *)heap;
}

static struct faulty_block *block_of(void *payload)
{
    return (struct faulty_block *)payload - 1;
}

static uint64_t class_of(size_t bytes)
{
    uint64_t class = 4;
    while (class < CLASSES && ((size_t)1 << class) < bytes)
        class ++;
    return class;
}

/* Cuts a new block off the chunk, or gives a large one pages of its own. */
static struct faulty_block *carve(struct faulty_heap *heap, uint64_t class)
{
    size_t bytes = sizeof(struct faulty_block) + ((size_t)1 << class);
    if (bytes > CHUNK_BYTES)
        return pb_pages_take(&heap->pages, bytes);
    if (heap->chunk_left < bytes) {
        heap->chunk = pb_pages_take(&heap->pages, CHUNK_BYTES);
        heap->chunk_left = heap->chunk != NULL ? CHUNK_BYTES : 0;
    }
    if (heap->chunk_left < bytes)
        return NULL;
    struct faulty_block *block = (struct faulty_block *)(void *)heap->chunk;
    heap->chunk += bytes;
    heap->chunk_left -= bytes;
    return block;
}

static void *sound_alloc(struct faulty_heap *heap, size_t bytes)
{
    uint64_t class = class_of(bytes);
    if (class >= CLASSES)
        return NULL;
    struct faulty_block *block = heap->lists[class];
    if (block != NULL) {
        heap->lists[class] = block->next;
    } else {
        block = carve(heap, class);
        if (block == NULL)
            return NULL;
        heap->carved++;
    }
    block->class = class;
    block->bytes = bytes;
    heap->allocs++;
    heap->requested += bytes;
    heap->granted += sizeof *block + ((size_t)1 << class);
    return block + 1;
}

static void sound_free(struct faulty_heap *heap, void *payload)
{
    struct faulty_block *block = block_of(payload);
    if (block->class == ALIGNED)
        block = block->next;
    block->next = heap->lists[block->class];
    heap->lists[block->class] = block;
    heap->frees++;
    heap->requested -= block->bytes;
    heap->granted -= sizeof *block + ((size_t)1 << block->class);
}

static void *fault_null(struct faulty_heap *heap, size_t bytes)
{
    (void)heap, (void)bytes;
    return NULL;
}

static void *fault_twice(struct faulty_heap *heap, size_t bytes)
{
    if (heap->victim == NULL || heap->forged != NULL ||
        (size_t)1 << block_of(heap->victim)->class < bytes)
        return sound_alloc(heap, bytes);
    return heap->forged = heap->victim;
}

static void *fault_overlap(struct faulty_heap *heap, size_t bytes)
{
    if (heap->victim == NULL || heap->forged != NULL || heap->victim_bytes < 2 * SMALLEST)
        return sound_alloc(heap, bytes);
    return heap->forged = (unsigned char *)heap->victim + SMALLEST;
}

static void *fault_neighbour(struct faulty_heap *heap, size_t bytes)
{
    if (heap->victim != NULL)
        ((volatile unsigned char *)heap->victim)[heap->victim_bytes - 1]++;
    return sound_alloc(heap, bytes);
}

/* The front of a block that is long enough stays unused. */
static void *fault_misaligned(struct faulty_heap *heap, size_t bytes)
{
    size_t due = SMALLEST;
    while (due > bytes)
        due /= 2;
    unsigned char *payload = sound_alloc(heap, bytes + due);
    if (payload == NULL || heap->forged != NULL || due < 2)
        return payload;
    return heap->forged = payload + due / 2;
}

static void *fault_crash(struct faulty_heap *heap, size_t bytes)
{
    static volatile uintptr_t nowhere = 16;
    *(volatile uint64_t *)nowhere = 1; /* NOLINT: a wild store is what is wanted */
    return sound_alloc(heap, bytes);
}

static void *fault_hang(struct faulty_heap *heap, size_t bytes)
{
    while (heap != NULL)
        (void)pause();
    return sound_alloc(heap, bytes);
}

static void *fault_wraps(struct faulty_heap *heap, size_t bytes)
{
    return sound_alloc(heap, bytes > HUGE_BYTES ? bytes + SMALLEST * sizeof(void *) : bytes);
}

static void *fault_counts(struct faulty_heap *heap, size_t bytes)
{
    heap->requested += bytes > HUGE_BYTES ? bytes : 0;
    return sound_alloc(heap, bytes);
}

static void *fault_harms(struct faulty_heap *heap, size_t bytes)
{
    return bytes > HUGE_BYTES ? fault_neighbour(heap, bytes) : sound_alloc(heap, bytes);
}

typedef void *fault_fn(struct faulty_heap *heap, size_t bytes);
static fault_fn *const fault_allocs[] = {FAULT_MODES(FAULT_ALLOC)};

static bool is_due(const struct faulty_heap *heap, enum fault mode)
{
    return heap->options.mode == mode && heap->allocs >= heap->options.after;
}

/* A payload's first address that is so aligned and has room for a header before it. */
static unsigned char *align_payload(void *payload, size_t alignment)
{
    unsigned char *least = (unsigned char *)payload + sizeof(struct faulty_block);
    return least + ((0 - (uintptr_t)least) & (alignment - 1));
}

/* Cuts the block out of a longer one. The lock is held. */
static void *cut_aligned(struct faulty_heap *heap, size_t alignment, size_t bytes)
{
    size_t room = 2 * alignment + sizeof(struct faulty_block); /* may be half an alignment on */
    if (bytes > HUGE_BYTES || alignment > HUGE_BYTES)
        return NULL;
    if (is_due(heap, FAULT_aligned_inside) && heap->victim != NULL && heap->victim_bytes > room)
        return heap->forged = align_payload(heap->victim, alignment);
    unsigned char *payload = sound_alloc(heap, bytes + room);
    if (payload == NULL)
        return NULL;
    unsigned char *at = align_payload(payload, alignment);
    if (is_due(heap, FAULT_aligned_page) && alignment > pb_page_bytes())
        at += alignment / 2;
    block_of(payload)->bytes = bytes;
    heap->requested -= room;
    *block_of(at) = (struct faulty_block){.class = ALIGNED, .next = block_of(payload)};
    return at;
}

static void *faulty_aligned(struct pb_heap *base, struct pb_thread *thread, size_t alignment,
                            size_t bytes)
{
    struct faulty_heap *heap = heap_of(base);
    if (alignment <= SMALLEST)
        return base->alloc(base, thread, bytes);
    pthread_mutex_lock(&heap->mutex);
    void *payload = cut_aligned(heap, alignment, bytes);
    pthread_mutex_unlock(&heap->mutex);
    return payload;
}

static void *faulty_alloc(struct pb_heap *base, struct pb_thread *thread, size_t bytes)
{
    struct faulty_heap *heap = heap_of(base);
    (void)thread;
    pthread_mutex_lock(&heap->mutex);
    bool due = heap->allocs >= heap->options.after;
    void *payload = due ? fault_allocs[heap->options.mode](heap, bytes) : sound_alloc(heap, bytes);
    if (payload != NULL && payload != heap->forged) {
        heap->victim = payload;
        heap->victim_bytes = bytes;
    }
    pthread_mutex_unlock(&heap->mutex);
    return payload;
}

static void faulty_free(struct pb_heap *base, struct pb_thread *thread, void *payload, size_t bytes)
{
    struct faulty_heap *heap = heap_of(base);
    (void)thread, (void)bytes;
    pthread_mutex_lock(&heap->mutex);
    bool leaks = heap->options.mode == FAULT_leak && heap->allocs > heap->options.after;
    bool other = is_due(heap, FAULT_aligned_free) && heap->victim != NULL &&
                 payload != heap->forged && block_of(payload)->class == ALIGNED;
    payload = other ? heap->victim : payload;
    if (payload == heap->victim)
        heap->victim = NULL;
    if (payload != heap->forged && !leaks)
        sound_free(heap, payload);
    pthread_mutex_unlock(&heap->mutex);
}

static const struct pb_hot faulty_hot = {"faulty", faulty_alloc, faulty_free};

static int faulty_open(const struct pb_heap_config *config, struct pb_heap **out)
{
    size_t bytes = sizeof(struct faulty_heap) + config->threads;
    struct faulty_heap *heap = pb_pages_map(bytes);
    if (heap == NULL)
        return -ENOMEM;
    heap->base = (struct pb_heap){pb_doubles[0], &faulty_hot, faulty_alloc, faulty_free, 0};
    heap->options = *(const struct faulty_options *)config->options;
    heap->mapped_bytes = bytes;
    int error = pb_pages_open_within(&heap->pages, ADDRESS_BYTES, LEAST_BYTES, ADDRESS_SHARE);
    if (error != 0) {
        pb_pages_unmap(heap, bytes);
        return error;
    }
    pthread_mutex_init(&heap->mutex, NULL);
    *out = &heap->base;
    return 0;
}

static void faulty_close(struct pb_heap *base)
{
    struct faulty_heap *heap = heap_of(base);
    pthread_mutex_destroy(&heap->mutex);
    pb_pages_close(&heap->pages);
    pb_pages_unmap(heap, heap->mapped_bytes);
}

static int faulty_attach(struct pb_heap *base, unsigned index, struct pb_thread **out)
{
    *out = (struct pb_thread *)(void *)&heap_of(base)->threads[index];
    return 0;
}

static void faulty_detach(struct pb_heap *base, struct pb_thread *thread)
{
    (void)base, (void)thread;
}

static void faulty_stats(struct pb_heap *base, struct pb_heap_stats *stats)
{
    struct faulty_heap *heap = heap_of(base);
    pthread_mutex_lock(&heap->mutex);
    stats->allocs = heap->allocs;
    stats->frees = heap->frees;
    stats->requested_bytes = heap->requested;
    stats->granted_bytes = heap->granted;
    stats->held_bytes = heap->pages.held_bytes;
    stats->held_peak_bytes = heap->pages.held_peak_bytes;
    stats->os_calls = heap->pages.os_calls;
    pthread_mutex_unlock(&heap->mutex);
}

static int faulty_check(struct pb_heap *base, char *message, size_t message_size)
{
    struct faulty_heap *heap = heap_of(base);
    uint64_t free_blocks = 0;
    pthread_mutex_lock(&heap->mutex);
    for (uint64_t class = 0; class < CLASSES; class ++)
        for (const struct faulty_block *block = heap->lists[class]; block != NULL;
             block = block->next)
            free_blocks++;
    bool adds_up = free_blocks + (heap->allocs - heap->frees) == heap->carved;
    pthread_mutex_unlock(&heap->mutex);
    if (adds_up)
        return 0;
    snprintf(message, message_size, "faulty: live and free blocks are not all blocks");
    return -EINVAL;
}

static const struct pb_allocator faulty = {
    .name = "faulty",
    .summary = "a sound allocator with one planted fault",
    .source = "poolbench",
    .options = faulty_options,
    .option_bytes = sizeof(struct faulty_options),
    .capabilities = PB_CAP_REMOTE_FREE | PB_CAP_STAYS_MAPPED,
    .open = faulty_open,
    .close = faulty_close,
    .attach = faulty_attach,
    .detach = faulty_detach,
    .aligned = faulty_aligned,
    .stats = faulty_stats,
    .check = faulty_check,
};

const struct pb_allocator *const pb_doubles[] = {&faulty, &pb_double_stall, NULL};
