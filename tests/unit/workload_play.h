/* SPDX-License-Identifier: MIT */
/* For tests of workloads: a heap that watches, and a player that runs a phase as a window does
 * (begin, line up, run, line up, end on threads of its own), whole or in segments.
 * The heap puts a header in front of each block. At free it checks the size given back and, where
 * it filled the block, that nothing behind the first 8 bytes was written (PB_PHASE_AUDIT).
 * Threads: its counters are guarded by one mutex; assert on the main thread, after play_phase. A
 * bare heap has neither mutex nor counters, so that ThreadSanitizer sees the workload's own order.
 */
#ifndef PB_TEST_WORKLOAD_PLAY_H
#define PB_TEST_WORKLOAD_PLAY_H

#include "registry.h"
#include "workloads/workload.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLAY_WORKERS = 8, PLAY_HEADER = 64, PLAY_FILL = 0xa5, PLAY_LOG = 4096 };

struct pb_thread {
    unsigned index;
};

/* One call as the heap saw it. */
struct play_call {
    void *block;
    size_t bytes;
    unsigned thread;
    bool frees;
};

struct play_heap {
    struct pb_heap head;
    pthread_mutex_t lock;
    uint64_t budget;        /* allocations until memory is exhausted */
    uint64_t corrupt_every; /* spoils the block allocated before; 0 = never */
    size_t alignment;       /* of every block, where nothing is asked; 16 */
    bool fills;             /* writes a pattern behind the first 8 bytes and checks it at free */
    uint64_t allocs, frees, reallocs, live;
    uint64_t wrong_sizes, overwritten;
    uint64_t foreign;    /* frees by another thread than the one that allocated */
    unsigned char *last; /* allocated last, if it is live */
    struct play_call calls[PLAY_LOG];
    size_t called;
    /* called inside each call that succeeds: the size that is live now (0: a free), and before */
    void (*witness)(void *context, unsigned thread, size_t now, size_t before);
    void *context;
};

struct play_block {
    unsigned char *raw;
    size_t bytes;
    unsigned thread;
};

static inline struct play_block *play_block(void *block)
{
    return (struct play_block *)(void *)((unsigned char *)block - sizeof(struct play_block));
}

static inline void play_note(struct play_heap *h, void *block, size_t bytes, unsigned thread,
                             bool frees)
{
    if (h->called < PLAY_LOG)
        h->calls[h->called++] = (struct play_call){block, bytes, thread, frees};
}

static inline void *play_make(struct play_heap *h, struct pb_thread *thread, size_t alignment,
                              size_t bytes)
{
    unsigned char *raw, *block = NULL;

    pthread_mutex_lock(&h->lock);
    if (h->budget == 0)
        goto out_unlock;
    h->budget--;
    raw = malloc(bytes + 2 * alignment + PLAY_HEADER);
    block = raw + PLAY_HEADER;
    block += -(uintptr_t)block & (alignment - 1);
    block += alignment < 16 && (uintptr_t)block % (2 * alignment) == 0 ? alignment : 0;
    *play_block(block) = (struct play_block){raw, bytes, thread->index};
    if (h->fills && bytes > 8)
        memset(block + 8, PLAY_FILL, bytes - 8);
    h->allocs++;
    h->live++;
    if (h->corrupt_every != 0 && h->allocs % h->corrupt_every == 5 && h->last != NULL)
        *h->last ^= 0x80;
    h->last = block;
    play_note(h, block, bytes, thread->index, false);
out_unlock:
    pthread_mutex_unlock(&h->lock);
    return block;
}

static inline void play_drop(struct play_heap *h, struct pb_thread *thread, void *block,
                             size_t bytes)
{
    struct play_block *b = play_block(block);
    const unsigned char *payload = (const unsigned char *)block;

    pthread_mutex_lock(&h->lock);
    h->wrong_sizes += b->bytes != bytes;
    for (size_t i = 8; h->fills && i < b->bytes; i++) {
        if (payload[i] != PLAY_FILL) {
            h->overwritten++;
            break;
        }
    }
    h->foreign += b->thread != thread->index;
    h->frees++;
    h->live--;
    if (h->last == block)
        h->last = NULL;
    play_note(h, block, bytes, thread->index, true);
    pthread_mutex_unlock(&h->lock);
    free(b->raw);
}

static inline void *play_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    struct play_heap *h = (struct play_heap *)heap;
    void *block = play_make(h, thread, h->alignment, bytes);

    if (block != NULL && h->witness != NULL)
        h->witness(h->context, thread->index, bytes, 0);
    return block;
}

static inline void play_free(struct pb_heap *heap, struct pb_thread *thread, void *block,
                             size_t bytes)
{
    struct play_heap *h = (struct play_heap *)heap;

    if (h->witness != NULL)
        h->witness(h->context, thread->index, 0, bytes);
    play_drop(h, thread, block, bytes);
}

static inline void *play_realloc(struct pb_heap *heap, struct pb_thread *thread, void *block,
                                 size_t old_bytes, size_t bytes)
{
    struct play_heap *h = (struct play_heap *)heap;
    void *fresh = play_make(h, thread, h->alignment, bytes);

    if (fresh == NULL)
        return NULL;
    if (h->witness != NULL)
        h->witness(h->context, thread->index, bytes, old_bytes);
    memcpy(fresh, block, old_bytes < bytes ? old_bytes : bytes);
    play_drop(h, thread, block, old_bytes);
    pthread_mutex_lock(&h->lock);
    h->reallocs++;
    pthread_mutex_unlock(&h->lock);
    return fresh;
}

static inline void *play_aligned(struct pb_heap *heap, struct pb_thread *thread, size_t alignment,
                                 size_t bytes)
{
    struct play_heap *h = (struct play_heap *)heap;
    void *block = play_make(h, thread, alignment, bytes);

    if (block != NULL && h->witness != NULL)
        h->witness(h->context, thread->index, bytes, 0);
    return block;
}

static inline size_t play_alignment(const struct pb_heap *heap)
{
    return ((const struct play_heap *)(const void *)heap)->alignment;
}

/* `rich`: with realloc and aligned. */
static inline void play_heap_init(struct play_heap *h, bool rich)
{
    static const struct pb_allocator plain_ops = {.name = "plain", .alignment = play_alignment};
    static const struct pb_allocator rich_ops = {.name = "rich",
                                                 .realloc = play_realloc,
                                                 .aligned = play_aligned,
                                                 .alignment = play_alignment};

    memset(h, 0, sizeof(*h));
    h->head.ops = rich ? &rich_ops : &plain_ops;
    h->head.alloc = play_alloc;
    h->head.free = play_free;
    h->budget = UINT64_MAX;
    h->alignment = 16;
    pthread_mutex_init(&h->lock, NULL);
}

static inline void *play_bare_alloc(struct pb_heap *h, struct pb_thread *thread, size_t bytes)
{
    (void)h;
    (void)thread;
    return malloc(bytes);
}

static inline void play_bare_free(struct pb_heap *h, struct pb_thread *thread, void *block,
                                  size_t bytes)
{
    (void)h;
    (void)thread;
    (void)bytes;
    free(block);
}

static inline void play_heap_bare(struct play_heap *h)
{
    play_heap_init(h, false);
    h->head.alloc = play_bare_alloc;
    h->head.free = play_bare_free;
}

/* --- the player ------------------------------------------------------------------------------ */

/* A workload set up, on which phases are played. */
struct play {
    const struct pb_workload *workload;
    struct pb_case c;
    struct pb_arena arena;
    struct pb_worker workers[PLAY_WORKERS];
    struct pb_thread threads[PLAY_WORKERS];
    uint64_t options[64];
    char message[200];
    int error; /* of options or setup */
    /* a phase */
    bool segmented;
    uint64_t limit;
    uint64_t steps[PLAY_WORKERS], timed_allocs[PLAY_WORKERS], timed_frees[PLAY_WORKERS];
    pthread_barrier_t line;
    const struct pb_loop *loop;
    void (*timed)(const struct pb_worker *w, const struct pb_timing *timing); /* or NULL */
};

struct play_outcome {
    struct pb_tally tally; /* summed */
    uint64_t steps, timed_allocs, timed_frees;
};

static inline void play_open(struct play *p, const char *workload, const char *options,
                             unsigned workers, uint64_t seed, double scale)
{
    memset(p, 0, sizeof(*p));
    p->workload = pb_workload_find(workload);
    p->limit = UINT64_MAX;
    p->error = pb_option_defaults(p->workload->options, p->options);
    if (p->error == 0)
        p->error = pb_option_parse(p->workload->options, p->options, options, p->message,
                                   sizeof(p->message));
    if (p->error == 0)
        p->error = pb_arena_open(&p->arena, (size_t)64 << 20);
    p->c = (struct pb_case){.options = p->options,
                            .workers = workers,
                            .seed = seed,
                            .scale = scale,
                            .oversubscribed = true,
                            .arena = &p->arena};
    if (p->error == 0)
        p->error = p->workload->setup(&p->c, p->message, sizeof(p->message));
}

static inline void play_close(struct play *p)
{
    pb_arena_close(&p->arena);
}

/* Runs in segments of odd lengths with timed steps between them. */
static inline uint64_t play_segments(struct play *p, struct pb_worker *w, uint64_t steps)
{
    static const uint64_t lengths[] = {7, 100, 1, 64, 33, 500};
    uint64_t done = 0;

    for (unsigned i = 0; done < steps; i++) {
        const uint64_t left = steps - done, length = lengths[i % 6];
        const uint64_t go = length < left ? length : left;
        const uint64_t ran = p->loop->run(w, go);
        struct pb_timing timing = {0};
        done += ran;
        if (ran < go || done == steps || p->loop->timed(w, &timing) == 0)
            break;
        done++;
        if (p->timed != NULL)
            p->timed(w, &timing);
        p->timed_allocs[w->index] += (timing.made & PB_TIMED_ALLOC) != 0;
        p->timed_frees[w->index] += (timing.made & PB_TIMED_FREE) != 0;
    }
    return done;
}

struct play_thread {
    struct play *play;
    unsigned index;
};

static inline void *play_thread(void *argument)
{
    struct play *p = ((struct play_thread *)argument)->play;
    struct pb_worker *w = &p->workers[((struct play_thread *)argument)->index];
    uint64_t steps;

    if (p->workload->begin != NULL)
        p->workload->begin(w);
    steps = p->workload->steps(w);
    steps = steps < p->limit ? steps : p->limit;
    pthread_barrier_wait(&p->line);
    p->steps[w->index] = p->segmented ? play_segments(p, w, steps) : p->loop->run(w, steps);
    pthread_barrier_wait(&p->line);
    if (p->workload->end != NULL)
        p->workload->end(w);
    return NULL;
}

/* Plays one phase on the heap. */
static inline struct play_outcome play_phase(struct play *p, struct play_heap *heap,
                                             enum pb_phase phase, bool segmented)
{
    struct play_outcome out = {0};
    struct play_thread arguments[PLAY_WORKERS];
    pthread_t ids[PLAY_WORKERS];
    const unsigned n = p->c.workers;

    p->segmented = segmented;
    p->loop = p->workload->loop(&heap->head, PB_DISPATCH_TABLE);
    pthread_barrier_init(&p->line, NULL, n);
    for (unsigned i = 0; i < n; i++) {
        p->threads[i].index = i;
        p->workers[i] = (struct pb_worker){.index = i,
                                           .count = n,
                                           .phase = phase,
                                           .heap = &heap->head,
                                           .thread = &p->threads[i],
                                           .shared = p->c.shared,
                                           .cursor = p->c.cursors[i]};
        p->timed_allocs[i] = p->timed_frees[i] = 0;
        arguments[i] = (struct play_thread){p, i};
        pthread_create(&ids[i], NULL, play_thread, &arguments[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        const struct pb_tally *t = &p->workers[i].tally;
        pthread_join(ids[i], NULL);
        out.steps += p->steps[i];
        out.timed_allocs += p->timed_allocs[i];
        out.timed_frees += p->timed_frees[i];
        out.tally.allocs += t->allocs;
        out.tally.frees += t->frees;
        out.tally.reallocs += t->reallocs;
        out.tally.exhausted += t->exhausted;
        out.tally.damaged += t->damaged;
        out.tally.hash += t->hash;
        out.tally.waits += t->waits;
    }
    pthread_barrier_destroy(&p->line);
    return out;
}

#endif
