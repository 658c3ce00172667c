/* SPDX-License-Identifier: MIT */
/* A bank: one heap of a fixed-size strategy for each size class, and one for what is larger.
 * Source:  bank.h.
 * Layout:  | head, class heaps, threads by index |; a thread is a mapping of its own (bank_hot.h)
 * I1       a block of up to PB_BANK_LARGEST bytes came from the heap of its class and goes back
 *          there: the size that free is given decides, hence PB_CAP_SIZED_FREE
 * I2       all class heaps are of one strategy with one set of options, hence of one path
 * Locks    none but for the list of threads, which attach, detach and stats share
 * Cost     a byte looked up; nothing is written for a request that a class serves
 * Counters are sums over the classes and `larger`. What was requested is not known: a class knows
 * its own size alone. Classes that stand on one backing all report what that holds: it is counted
 * once. */
#include "bank_hot.h"
#include "nt/colour.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(struct pb_bank_thread) <= PB_COLOUR_FIRST, "no colour of a class's is ours");

struct pb_bank {
    struct pb_heap head;
    unsigned threads_n;
    struct pb_heap *heaps[PB_BANK_CLASSES];
    struct pb_heap *backing; /* behind every class, or NULL; not ours */
    struct pb_heap *larger;  /* not ours */
    struct pb_thread *const *larger_threads;
    unsigned char class_of[PB_BANK_GRAINS];
    pthread_mutex_t mutex;                    /* guards what follows */
    uint64_t gone_fallthrough, gone_reallocs; /* of threads that were detached */
    struct pb_bank_thread *threads[];         /* by index, NULL where none is attached */
};

static struct pb_bank *bank_of(struct pb_heap *heap)
{
    return (struct pb_bank *)(void *)heap;
}

static struct pb_bank_thread *thread_of(struct pb_thread *thread)
{
    return (struct pb_bank_thread *)(void *)thread;
}

static size_t bank_bytes(unsigned threads)
{
    return sizeof(struct pb_bank) + threads * sizeof(struct pb_bank_thread *);
}

size_t pb_bank_class_bytes(unsigned index)
{
    if (index < 8)
        return (index + 1) * (size_t)PB_BANK_GRAIN;
    size_t doubling = (size_t)128 << (index - 8) / 4;
    return doubling + doubling / 4 * ((index - 8) % 4 + 1);
}

unsigned pb_bank_class(size_t bytes)
{
    unsigned index = 0;
    while (pb_bank_class_bytes(index) < bytes)
        index++;
    return index;
}

/* Relaxed: only the thread itself writes; a reader elsewhere wants no more than a recent value. */
static void count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static uint64_t counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

PB_NOINLINE void *pb_bank_larger_alloc(struct pb_bank_thread *thread, size_t bytes)
{
    count(&thread->fallthrough);
    return thread->larger->alloc(thread->larger, thread->larger_thread, bytes);
}

PB_NOINLINE void pb_bank_larger_free(struct pb_bank_thread *thread, void *block, size_t bytes)
{
    thread->larger->free(thread->larger, thread->larger_thread, block, bytes);
}

#define BANK_DEFINE(p) PB_HOT_DEFINE(bank_##p)
#define BANK_ROW(p)    {&pb_hot_##p, &pb_hot_bank_##p},

PB_HOT_ALL(BANK_DEFINE, PB_BANK_NO_PATH, PB_BANK_NO_PATH)
BANK_DEFINE(table)

/* A strategy's path, and the bank's made of it. */
static const struct {
    const struct pb_hot *of, *bank;
} paths[] = {PB_HOT_ALL(BANK_ROW, PB_BANK_NO_PATH, PB_BANK_NO_PATH){NULL, NULL}};

static const struct pb_hot *bank_path(const struct pb_hot *of)
{
    for (size_t i = 0; paths[i].of != NULL; i++)
        if (paths[i].of == of)
            return paths[i].bank;
    return &pb_hot_bank_table;
}

static void close_classes(struct pb_bank *bank)
{
    for (unsigned i = 0; i < PB_BANK_CLASSES; i++)
        if (bank->heaps[i] != NULL)
            bank->heaps[i]->ops->close(bank->heaps[i]);
}

static int open_classes(struct pb_bank *bank, const struct pb_allocator *ops,
                        struct pb_heap_config config)
{
    int error = 0;
    config.expected_blocks = 0;
    for (unsigned i = 0; i < PB_BANK_CLASSES && error == 0; i++) {
        config.block_bytes = pb_bank_class_bytes(i);
        error = ops->open(&config, &bank->heaps[i]);
    }
    return error;
}

int pb_bank_open(const struct pb_allocator *ops, const struct pb_heap_config *config,
                 struct pb_heap *larger, struct pb_thread *const *larger_threads,
                 struct pb_heap **out)
{
    struct pb_bank *bank = pb_pages_map(bank_bytes(config->threads));
    if (bank == NULL)
        return -ENOMEM;
    bank->threads_n = config->threads;
    bank->backing = config->backing;
    bank->larger = larger;
    bank->larger_threads = larger_threads;
    pthread_mutex_init(&bank->mutex, NULL);
    for (unsigned i = 0; i < PB_BANK_GRAINS; i++)
        bank->class_of[i] = (unsigned char)pb_bank_class(i * (size_t)PB_BANK_GRAIN);
    int error = open_classes(bank, ops, *config);
    if (error != 0)
        goto out_close;
    const struct pb_hot *hot = bank_path(bank->heaps[0]->hot);
    bank->head = (struct pb_heap){&pb_allocator_bank, hot, hot->alloc, hot->free, 0};
    *out = &bank->head;
    return 0;

out_close:
    close_classes(bank);
    pthread_mutex_destroy(&bank->mutex);
    pb_pages_unmap(bank, bank_bytes(bank->threads_n));
    return error;
}

static void bank_close(struct pb_heap *heap)
{
    struct pb_bank *bank = bank_of(heap);
    close_classes(bank);
    pthread_mutex_destroy(&bank->mutex);
    pb_pages_unmap(bank, bank_bytes(bank->threads_n));
}

static void detach_classes(struct pb_bank_thread *thread)
{
    for (unsigned i = 0; i < PB_BANK_CLASSES; i++) {
        struct pb_bank_class *c = &thread->classes[i];
        if (c->thread != NULL)
            c->heap->ops->detach(c->heap, c->thread);
    }
}

static int bank_attach(struct pb_heap *heap, unsigned index, struct pb_thread **out)
{
    struct pb_bank *bank = bank_of(heap);
    struct pb_bank_thread *thread = pb_pages_map(sizeof *thread);
    if (thread == NULL)
        return -ENOMEM;
    int error = 0;
    memcpy(thread->class_of, bank->class_of, sizeof thread->class_of);
    thread->index = index;
    thread->larger = bank->larger;
    thread->larger_thread = bank->larger_threads[index];
    for (unsigned i = 0; i < PB_BANK_CLASSES && error == 0; i++) {
        struct pb_bank_class *c = &thread->classes[i];
        c->heap = bank->heaps[i];
        error = c->heap->ops->attach(c->heap, index, &c->thread);
    }
    if (error != 0)
        goto out_detach;
    pthread_mutex_lock(&bank->mutex);
    bank->threads[index] = thread;
    pthread_mutex_unlock(&bank->mutex);
    *out = (struct pb_thread *)(void *)thread;
    return 0;

out_detach:
    detach_classes(thread);
    pb_pages_unmap(thread, sizeof *thread);
    return error;
}

static void bank_detach(struct pb_heap *heap, struct pb_thread *thread)
{
    struct pb_bank *bank = bank_of(heap);
    struct pb_bank_thread *t = thread_of(thread);
    pthread_mutex_lock(&bank->mutex);
    bank->threads[t->index] = NULL;
    bank->gone_fallthrough += counted(&t->fallthrough);
    bank->gone_reallocs += counted(&t->reallocs);
    pthread_mutex_unlock(&bank->mutex);
    detach_classes(t);
    pb_pages_unmap(t, sizeof *t);
}

static bool larger_realloc_serves(const struct pb_bank_thread *t, size_t old_bytes, size_t bytes)
{
    return old_bytes > PB_BANK_LARGEST && bytes > PB_BANK_LARGEST &&
           t->larger->ops->realloc != NULL;
}

/* In place within a class, by `larger` above the largest, else copied. */
static void *bank_realloc(struct pb_heap *heap, struct pb_thread *thread, void *block,
                          size_t old_bytes, size_t bytes)
{
    struct pb_bank_thread *t = thread_of(thread);
    if (old_bytes <= PB_BANK_LARGEST && bytes <= PB_BANK_LARGEST &&
        pb_bank_class_of(t, old_bytes) == pb_bank_class_of(t, bytes)) {
        count(&t->reallocs);
        return block;
    }
    if (larger_realloc_serves(t, old_bytes, bytes))
        return t->larger->ops->realloc(t->larger, t->larger_thread, block, old_bytes, bytes);
    void *moved = heap->alloc(heap, thread, bytes);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, old_bytes < bytes ? old_bytes : bytes);
    heap->free(heap, thread, block, old_bytes);
    return moved;
}

static size_t bank_trim(struct pb_heap *heap)
{
    struct pb_bank *bank = bank_of(heap);
    size_t bytes = 0;
    for (unsigned i = 0; i < PB_BANK_CLASSES; i++)
        if (bank->heaps[i]->ops->trim != NULL)
            bytes += bank->heaps[i]->ops->trim(bank->heaps[i]);
    if (bank->larger->ops->trim != NULL)
        bytes += bank->larger->ops->trim(bank->larger);
    return bytes;
}

/* The counters that a heap with a backing passes on from it. */
static const size_t of_backing[] = {
    offsetof(struct pb_heap_stats, held_bytes),
    offsetof(struct pb_heap_stats, held_peak_bytes),
    offsetof(struct pb_heap_stats, os_calls),
    offsetof(struct pb_heap_stats, refills),
    offsetof(struct pb_heap_stats, lock_contended),
    offsetof(struct pb_heap_stats, lock_acquisitions),
};

static uint64_t *counter_at(struct pb_heap_stats *stats, size_t offset)
{
    return (uint64_t *)(void *)((char *)stats + offset);
}

static void forget_backing(struct pb_heap_stats *stats)
{
    for (size_t i = 0; i < sizeof of_backing / sizeof *of_backing; i++)
        *counter_at(stats, of_backing[i]) = PB_STAT_UNKNOWN;
}

static void add_heap(struct pb_heap *heap, struct pb_heap_stats *sum, bool without_backing)
{
    struct pb_heap_stats one;
    pb_stats_unknown(&one);
    heap->ops->stats(heap, &one);
    if (without_backing)
        forget_backing(&one);
    pb_stats_add(sum, &one);
}

/* What a heap with a backing says of it (of_backing) is the backing's; here that is said once. */
static void add_backing(struct pb_heap *backing, struct pb_heap_stats *sum)
{
    struct pb_heap_stats all, below;
    pb_stats_unknown(&all);
    backing->ops->stats(backing, &all);
    pb_stats_unknown(&below);
    for (size_t i = 0; i < sizeof of_backing / sizeof *of_backing; i++)
        *counter_at(&below, of_backing[i]) = *counter_at(&all, of_backing[i]);
    pb_stats_add(sum, &below);
}

static void bank_stats(struct pb_heap *heap, struct pb_heap_stats *stats)
{
    struct pb_bank *bank = bank_of(heap);
    for (unsigned i = 0; i < PB_BANK_CLASSES; i++)
        add_heap(bank->heaps[i], stats, bank->backing != NULL);
    if (bank->backing != NULL)
        add_backing(bank->backing, stats);
    add_heap(bank->larger, stats, false);
    stats->requested_bytes = PB_STAT_UNKNOWN;
    if (bank->backing != NULL)
        stats->granted_bytes = PB_STAT_UNKNOWN; /* one backing behind blocks of many sizes */
    pthread_mutex_lock(&bank->mutex);
    stats->fallthrough = bank->gone_fallthrough;
    uint64_t reallocs = bank->gone_reallocs;
    for (unsigned i = 0; i < bank->threads_n; i++) {
        stats->fallthrough +=
            bank->threads[i] != NULL ? counted(&bank->threads[i]->fallthrough) : 0;
        reallocs += bank->threads[i] != NULL ? counted(&bank->threads[i]->reallocs) : 0;
    }
    pthread_mutex_unlock(&bank->mutex);
    struct pb_heap_stats own;
    pb_stats_unknown(&own);
    own.native_reallocs = reallocs;
    pb_stats_add(stats, &own);
}

static int check_one(struct pb_heap *heap, size_t class_bytes, char *message, size_t message_size)
{
    char what[200] = "";
    if (heap->ops->check == NULL || heap->ops->check(heap, what, sizeof what) == 0)
        return 0;
    snprintf(message, message_size, "class of %zu bytes: %s", class_bytes, what);
    return -EINVAL;
}

static int bank_check(struct pb_heap *heap, char *message, size_t message_size)
{
    struct pb_bank *bank = bank_of(heap);
    int error = 0;
    for (unsigned i = 0; i < PB_BANK_CLASSES && error == 0; i++)
        error = check_one(bank->heaps[i], pb_bank_class_bytes(i), message, message_size);
    if (error == 0 && bank->larger->ops->check != NULL)
        error = bank->larger->ops->check(bank->larger, message, message_size);
    return error;
}

static int bank_version(struct pb_heap *heap, char *out, size_t size)
{
    struct pb_heap *first = bank_of(heap)->heaps[0];
    return first->ops->version != NULL ? first->ops->version(first, out, size) : -ENOTSUP;
}

/* Of what stands behind every class; `larger` counts none. */
static size_t bank_tags(struct pb_heap *heap, struct pb_tag_row *rows, size_t count)
{
    struct pb_heap *backing = bank_of(heap)->backing;
    return backing != NULL && backing->ops->tags != NULL ? backing->ops->tags(backing, rows, count)
                                                         : 0;
}

static const struct pb_option no_options[] = {{.type = PB_OPTION_END}};

/* No `open`: a bank is opened by pb_bank_open, which takes more. */
const struct pb_allocator pb_allocator_bank = {
    .name = "bank",
    .summary = "size classes of a fixed-size strategy, and a backing for what is larger",
    .source = "Bonwick and Adams, Magazines and Vmem, USENIX 2001, section 4",
    .options = no_options,
    .capabilities = PB_CAP_REMOTE_FREE | PB_CAP_SIZED_FREE,
    .close = bank_close,
    .attach = bank_attach,
    .detach = bank_detach,
    .realloc = bank_realloc,
    .trim = bank_trim,
    .stats = bank_stats,
    .check = bank_check,
    .version = bank_version,
    .tags = bank_tags,
};
