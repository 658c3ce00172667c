/* SPDX-License-Identifier: MIT */
/* A heap for tests of the audit, sound or with one fault planted, and the audit before it. It hands
 * out memory front to back and never reuses any. Threads: as any heap. */
#ifndef PB_AUDIT_DOUBLE_H
#define PB_AUDIT_DOUBLE_H

#include "engine/audit.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

enum trick {
    SOUND,
    NULL_ONCE,   /* the call returns NULL */
    TWICE,       /* the block of the call before */
    OVERLAP,     /* 16 bytes into the block of the call before */
    OVERLAP_END, /* one byte: the block begins at the last of the one before */
    OVERLAP_LOW, /* begins below the block of the call before and ends in it */
    MISALIGNED,  /* 8 bytes too far */
    SCRIBBLE     /* changes a byte of the block of the call before */
};

/* Hands out memory front to back, `stride` bytes apart (0: as asked, up to 16). Never reuses. */
struct double_heap {
    struct pb_heap head;
    unsigned char *memory, *last;
    size_t size, used, stride;
    enum trick trick;
    unsigned trick_at; /* the call that plays it */
    unsigned calls, frees, attached, detached;
    size_t last_freed_bytes;
    bool realloc_fails, realloc_forgets;
    pthread_mutex_t lock;
};

static inline struct double_heap *double_of(struct pb_heap *heap)
{
    return (struct double_heap *)heap;
}

static inline void *double_at(struct double_heap *d, size_t alignment, size_t bytes)
{
    d->used = (d->used + alignment - 1) & ~(alignment - 1);
    unsigned char *block = d->memory + d->used;
    d->used += d->stride != 0 ? d->stride : bytes;
    return d->used <= d->size ? block : NULL;
}

static inline void *double_play(struct double_heap *d, size_t bytes)
{
    switch (d->trick) {
    case NULL_ONCE:
        return NULL;
    case TWICE:
        return d->last;
    case OVERLAP:
        return d->last + 16;
    case OVERLAP_END:
        return d->last + bytes - 1;
    case OVERLAP_LOW:
        return d->last - 16;
    case MISALIGNED:
        return (unsigned char *)double_at(d, 16, bytes + 8) + 8;
    case SCRIBBLE:
        d->last[20] ^= 1;
        return double_at(d, 16, bytes);
    case SOUND:
        break;
    }
    size_t alignment = 16;
    while (alignment > bytes)
        alignment /= 2;
    return double_at(d, alignment, bytes);
}

static inline void *double_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    struct double_heap *d = double_of(heap);
    (void)thread;
    pthread_mutex_lock(&d->lock);
    enum trick trick = d->trick;
    if (++d->calls != d->trick_at)
        d->trick = SOUND;
    unsigned char *block = double_play(d, bytes);
    d->trick = trick;
    d->last = block;
    pthread_mutex_unlock(&d->lock);
    return block;
}

static inline void double_free(struct pb_heap *heap, struct pb_thread *thread, void *block,
                               size_t bytes)
{
    struct double_heap *d = double_of(heap);
    (void)thread;
    (void)block;
    pthread_mutex_lock(&d->lock);
    d->frees++;
    d->last_freed_bytes = bytes;
    pthread_mutex_unlock(&d->lock);
}

static inline void *double_realloc(struct pb_heap *heap, struct pb_thread *thread, void *block,
                                   size_t old_bytes, size_t bytes)
{
    struct double_heap *d = double_of(heap);
    if (d->realloc_fails)
        return NULL;
    if (bytes <= old_bytes)
        return block;
    void *moved = double_alloc(heap, thread, bytes);
    if (moved != NULL && !d->realloc_forgets)
        memcpy(moved, block, old_bytes);
    return moved;
}

static inline void *double_aligned(struct pb_heap *heap, struct pb_thread *thread, size_t alignment,
                                   size_t bytes)
{
    struct double_heap *d = double_of(heap);
    (void)thread;
    unsigned char *block = double_at(d, alignment, bytes + 16);
    return d->trick == MISALIGNED ? block + 16 : block;
}

static inline int double_attach(struct pb_heap *heap, unsigned index, struct pb_thread **thread)
{
    double_of(heap)->attached += index + 1;
    *thread = NULL;
    return 0;
}

static inline void double_detach(struct pb_heap *heap, struct pb_thread *thread)
{
    (void)thread;
    double_of(heap)->detached++;
}

static inline void double_stats(struct pb_heap *heap, struct pb_heap_stats *stats)
{
    stats->held_bytes = double_of(heap)->used;
}

static const struct pb_hot double_hot = {"double", double_alloc, double_free};
static const struct pb_allocator plain_ops = {
    .name = "double", .attach = double_attach, .detach = double_detach, .stats = double_stats};
static const struct pb_allocator full_ops = {.name = "double",
                                             .attach = double_attach,
                                             .detach = double_detach,
                                             .stats = double_stats,
                                             .realloc = double_realloc,
                                             .aligned = double_aligned};

static inline void double_open(struct double_heap *d, size_t size)
{
    *d = (struct double_heap){.head = {&full_ops, &double_hot, double_alloc, double_free, 0},
                              .size = size,
                              .lock = PTHREAD_MUTEX_INITIALIZER};
    d->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(d->memory, MAP_FAILED);
    madvise(d->memory, size, MADV_NOHUGEPAGE);
}

/* A double and the audit before it. */
struct pair {
    struct double_heap d;
    struct pb_audit *audit;
    struct pb_heap *heap;
    struct pb_audit_result result;
};

static inline void pair_open(struct pair *p, unsigned threads, uint64_t checkpoint_ops)
{
    double_open(&p->d, 16 << 20);
    assert_int_equal(pb_audit_open(&p->d.head, threads, checkpoint_ops, &p->audit), 0);
    p->heap = pb_audit_heap(p->audit);
}

static const struct pb_audit_result *pair_result(struct pair *p)
{
    pb_audit_finish(p->audit, &p->result);
    return &p->result;
}

static inline void pair_close(struct pair *p)
{
    pb_audit_close(p->audit);
    munmap(p->d.memory, p->d.size);
}

static inline void *take(struct pair *p, size_t bytes)
{
    return p->heap->alloc(p->heap, NULL, bytes);
}

static inline void give(struct pair *p, void *block, size_t bytes)
{
    p->heap->free(p->heap, NULL, block, bytes);
}

#endif
