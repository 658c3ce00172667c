/* SPDX-License-Identifier: MIT */
/* For tests of the lookaside strategy: a heap of it over a backing of the test's own, which maps
 * and unmaps each block, so that whatever is touched after it went back is a fault. Include after
 * cmocka. Threads: one, and those of burst. */
#ifndef PB_TEST_LOOKASIDE_FIXTURE_H
#define PB_TEST_LOOKASIDE_FIXTURE_H

#include "lookaside/hot.h"
#include "registry.h"
#include "skip.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, BLOCK = 64, BLOCKS = 10, STRESS_THREADS = 4, STRESS_STEPS = 4000 };

/* The backing: mmap and munmap. */
static struct {
    _Atomic long live, allocs, small;
    _Atomic bool refuses;
    struct pb_heap heap;
} mapped;

static inline void *mapped_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    (void)heap, (void)thread;
    if (mapped.refuses)
        return NULL;
    void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    mapped.small += bytes < 16;
    mapped.live++;
    mapped.allocs++;
    return at;
}

static inline void mapped_free(struct pb_heap *heap, struct pb_thread *thread, void *block,
                               size_t bytes)
{
    (void)heap, (void)thread, (void)bytes;
    munmap(block, PAGE);
    mapped.live--;
}

static const struct pb_hot mapped_hot = {"mapped", mapped_alloc, mapped_free};
static const struct pb_option no_options[] = {{.type = PB_OPTION_END}};
static const struct pb_allocator mapped_ops;

static inline int mapped_open(const struct pb_heap_config *config, struct pb_heap **heap)
{
    (void)config;
    mapped.heap = (struct pb_heap){&mapped_ops, &mapped_hot, mapped_alloc, mapped_free, 0};
    mapped.live = mapped.allocs = mapped.small = 0;
    mapped.refuses = false;
    *heap = &mapped.heap;
    return 0;
}

static inline void mapped_close(struct pb_heap *heap)
{
    (void)heap;
}

static inline int mapped_attach(struct pb_heap *heap, unsigned index, struct pb_thread **thread)
{
    (void)index;
    *thread = (struct pb_thread *)(void *)heap;
    return 0;
}

static inline void mapped_detach(struct pb_heap *heap, struct pb_thread *thread)
{
    (void)heap, (void)thread;
}

static inline void mapped_stats(struct pb_heap *heap, struct pb_heap_stats *stats)
{
    (void)heap;
    stats->held_bytes = (uint64_t)mapped.live * PAGE;
    stats->granted_bytes = (uint64_t)mapped.live * PAGE;
    stats->allocs = (uint64_t)mapped.allocs;
    stats->frees = (uint64_t)(mapped.allocs - mapped.live);
}

static const struct pb_allocator mapped_ops = {
    .name = "mapped",
    .summary = "a mapping a block",
    .source = "the test",
    .options = no_options,
    .capabilities = PB_CAP_REMOTE_FREE | PB_CAP_BACKING,
    .open = mapped_open,
    .close = mapped_close,
    .attach = mapped_attach,
    .detach = mapped_detach,
    .stats = mapped_stats,
};

struct fixture {
    struct pb_opened opened;
    struct pb_heap *heap;
    struct pb_thread *threads[STRESS_THREADS];
    unsigned n;
};

static inline void open_lookaside(struct fixture *f, const char *options, size_t block_bytes,
                                  unsigned n)
{
    static const struct pb_allocator *const more[] = {&mapped_ops, NULL};
    char text[100], message[200] = "";
    struct pb_variant variant;
    struct pb_heap_request request = {block_bytes, n, 0};
    pb_registry_extend(more);
    snprintf(text, sizeof text, "lookaside:backing=mapped%s", options);
    if (pb_variant_parse(text, &variant, message, sizeof message) != 0)
        fail_msg("%s", message);
    if (pb_variant_unavailable(&variant, n, message, sizeof message))
        skip_because(message);
    assert_int_equal(pb_variant_open(&variant, &request, &f->opened, message, sizeof message), 0);
    f->heap = f->opened.heap;
    f->n = n;
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(f->heap->ops->attach(f->heap, i, &f->threads[i]), 0);
}

static inline void check_lookaside(const struct fixture *f)
{
    char message[200] = "";
    if (f->heap->ops->check(f->heap, message, sizeof message) != 0)
        fail_msg("%s", message);
}

static inline void close_lookaside(struct fixture *f)
{
    check_lookaside(f);
    for (unsigned i = 0; i < f->n; i++)
        f->heap->ops->detach(f->heap, f->threads[i]);
    pb_variant_close(&f->opened);
    assert_int_equal(mapped.live, 0);
}

static inline struct pb_heap_stats stats_of(const struct fixture *f)
{
    struct pb_heap_stats stats;
    pb_stats_unknown(&stats);
    f->heap->ops->stats(f->heap, &stats);
    return stats;
}

static inline void *take(struct fixture *f)
{
    void *block = f->heap->alloc(f->heap, f->threads[0], BLOCK);
    assert_non_null(block);
    memset(block, 0xab, BLOCK);
    return block;
}

static inline void give(struct fixture *f, void *block)
{
    f->heap->free(f->heap, f->threads[0], block, BLOCK);
}

static inline void expect_finding(struct fixture *f, const char *words)
{
    char message[200] = "";
    assert_int_equal(f->heap->ops->check(f->heap, message, sizeof message), -EINVAL);
    if (strstr(message, words) == NULL)
        fail_msg("'%s' lacks '%s'", message, words);
}

struct worker {
    struct fixture *f;
    unsigned index;
    long lost; /* blocks whose stamp another thread changed */
};

/* Keeps some blocks and gives them back in bursts that overflow the list, so that blocks which
 * others are about to pop are unmapped. */
static inline void *burst(void *argument)
{
    struct worker *w = argument;
    struct pb_thread *thread = w->f->threads[w->index];
    uint64_t *blocks[4];
    for (unsigned step = 0; step < STRESS_STEPS; step++) {
        for (unsigned i = 0; i < 4; i++) {
            blocks[i] = w->f->heap->alloc(w->f->heap, thread, BLOCK);
            if (blocks[i] != NULL)
                *blocks[i] = (uint64_t)w->index << 32 | step;
        }
        for (unsigned i = 0; i < 4; i++) {
            if (blocks[i] == NULL)
                continue;
            w->lost += *blocks[i] != ((uint64_t)w->index << 32 | step);
            w->f->heap->free(w->f->heap, thread, blocks[i], BLOCK);
        }
    }
    return NULL;
}

/* Runs burst on every thread of the heap; the blocks that came back changed. */
static inline long run_bursts(struct fixture *f)
{
    struct worker workers[STRESS_THREADS];
    pthread_t threads[STRESS_THREADS];
    long lost = 0;
    for (unsigned i = 0; i < STRESS_THREADS; i++) {
        workers[i] = (struct worker){f, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, burst, &workers[i]), 0);
    }
    for (unsigned i = 0; i < STRESS_THREADS; i++) {
        pthread_join(threads[i], NULL);
        lost += workers[i].lost;
    }
    return lost;
}

static cpu_set_t everywhere;

/* A test's setup and teardown: keep its thread on the processor that it is on, so that scope=percpu
 * has one list P for it. */
static inline int stay_here(void **state)
{
    cpu_set_t here;
    (void)state;
    CPU_ZERO(&here);
    CPU_SET((size_t)sched_getcpu(), &here);
    return sched_getaffinity(0, sizeof everywhere, &everywhere) != 0 ||
           sched_setaffinity(0, sizeof here, &here) != 0;
}

static inline int roam(void **state)
{
    (void)state;
    return sched_setaffinity(0, sizeof everywhere, &everywhere) != 0;
}

#define stationary_test(f) cmocka_unit_test_setup_teardown(f, stay_here, roam)

#endif
