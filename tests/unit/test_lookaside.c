/* SPDX-License-Identifier: MIT */
/* The lookaside over a backing of the test's own that maps and unmaps each block: counts are exact,
 * the depth holds, everything goes back, and poppers survive blocks that vanish.
 * Threads: one, and four in the last test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lookaside/hot.h"
#include "registry.h"

#include <errno.h>
#include <pthread.h>
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

static void *mapped_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
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

static void mapped_free(struct pb_heap *heap, struct pb_thread *thread, void *block, size_t bytes)
{
    (void)heap, (void)thread, (void)bytes;
    munmap(block, PAGE);
    mapped.live--;
}

static const struct pb_hot mapped_hot = {"mapped", mapped_alloc, mapped_free};
static const struct pb_option no_options[] = {{.type = PB_OPTION_END}};
static const struct pb_allocator mapped_ops;

static int mapped_open(const struct pb_heap_config *config, struct pb_heap **heap)
{
    (void)config;
    mapped.heap = (struct pb_heap){&mapped_ops, &mapped_hot, mapped_alloc, mapped_free, 0};
    mapped.live = mapped.allocs = mapped.small = 0;
    mapped.refuses = false;
    *heap = &mapped.heap;
    return 0;
}

static void mapped_close(struct pb_heap *heap)
{
    (void)heap;
}

static int mapped_attach(struct pb_heap *heap, unsigned index, struct pb_thread **thread)
{
    (void)index;
    *thread = (struct pb_thread *)(void *)heap;
    return 0;
}

static void mapped_detach(struct pb_heap *heap, struct pb_thread *thread)
{
    (void)heap, (void)thread;
}

static void mapped_stats(struct pb_heap *heap, struct pb_heap_stats *stats)
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

static void open_lookaside(struct fixture *f, const char *options, size_t block_bytes, unsigned n)
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
        skip();
    assert_int_equal(pb_variant_open(&variant, &request, &f->opened, message, sizeof message), 0);
    f->heap = f->opened.heap;
    f->n = n;
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(f->heap->ops->attach(f->heap, i, &f->threads[i]), 0);
}

static void check_lookaside(const struct fixture *f)
{
    char message[200] = "";
    if (f->heap->ops->check(f->heap, message, sizeof message) != 0)
        fail_msg("%s", message);
}

static void close_lookaside(struct fixture *f)
{
    check_lookaside(f);
    for (unsigned i = 0; i < f->n; i++)
        f->heap->ops->detach(f->heap, f->threads[i]);
    pb_variant_close(&f->opened);
    assert_int_equal(mapped.live, 0);
}

static struct pb_heap_stats stats_of(const struct fixture *f)
{
    struct pb_heap_stats stats;
    pb_stats_unknown(&stats);
    f->heap->ops->stats(f->heap, &stats);
    return stats;
}

static void *take(struct fixture *f)
{
    void *block = f->heap->alloc(f->heap, f->threads[0], BLOCK);
    assert_non_null(block);
    memset(block, 0xab, BLOCK);
    return block;
}

static void give(struct fixture *f, void *block)
{
    f->heap->free(f->heap, f->threads[0], block, BLOCK);
}

static const char *const scopes[] = {",scope=list,depth=4", ",scope=thread,depth=4"};

static void opening_allocates_no_entry(void **state)
{
    struct fixture f;
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        open_lookaside(&f, scopes[k], BLOCK, 2);
        assert_int_equal(mapped.allocs, 0);
        assert_int_equal(stats_of(&f).cached_bytes, 0);
        close_lookaside(&f);
    }
}

static void blocks_come_back_last_in_first_out_up_to_the_depth(void **state)
{
    struct fixture f;
    void *blocks[BLOCKS];
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        open_lookaside(&f, scopes[k], BLOCK, 1);
        for (unsigned i = 0; i < BLOCKS; i++)
            blocks[i] = take(&f);
        for (unsigned i = 0; i < BLOCKS; i++)
            give(&f, blocks[i]);
        assert_int_equal(mapped.live, 4);
        assert_int_equal(stats_of(&f).cached_bytes, 4 * BLOCK);
        for (unsigned i = 4; i-- > 0;)
            assert_ptr_equal(take(&f), blocks[i]);
        for (unsigned i = 0; i < 4; i++)
            give(&f, blocks[i]);
        close_lookaside(&f);
    }
}

static void every_count_is_exact(void **state)
{
    struct fixture f;
    void *blocks[BLOCKS];
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        open_lookaside(&f, scopes[k], BLOCK, 1);
        for (unsigned round = 0; round < 3; round++) {
            for (unsigned i = 0; i < BLOCKS; i++)
                blocks[i] = take(&f);
            struct pb_heap_stats middle = stats_of(&f);
            assert_int_equal(middle.requested_bytes, BLOCKS * BLOCK);
            assert_int_equal(middle.granted_bytes, BLOCKS * PAGE); /* as the backing grants */
            for (unsigned i = 0; i < BLOCKS; i++)
                give(&f, blocks[i]);
        }
        struct pb_heap_stats stats = stats_of(&f);
        assert_int_equal(stats.allocs, 3 * BLOCKS);
        assert_int_equal(stats.frees, 3 * BLOCKS);
        assert_int_equal(stats.misses, BLOCKS + 2 * (BLOCKS - 4));
        assert_int_equal(stats.hits, 2 * 4);
        assert_int_equal(stats.overflows, 3 * (BLOCKS - 4));
        assert_int_equal(stats.granted_bytes, 0);
        assert_int_equal(stats.held_bytes, 4 * PAGE); /* the backing's */
        close_lookaside(&f);
    }
}

static void a_block_that_the_backing_refuses_is_null_and_not_counted(void **state)
{
    struct fixture f;
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        open_lookaside(&f, scopes[k], BLOCK, 1);
        mapped.refuses = true;
        assert_null(f.heap->alloc(f.heap, f.threads[0], BLOCK));
        struct pb_heap_stats stats = stats_of(&f);
        assert_int_equal(stats.allocs, 0);
        assert_int_equal(stats.misses, 1);
        assert_int_equal(stats.requested_bytes, 0);
        close_lookaside(&f);
    }
}

static void trim_and_detach_give_everything_to_the_backing(void **state)
{
    struct fixture f;
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        open_lookaside(&f, scopes[k], BLOCK, 1);
        void *a = take(&f), *b = take(&f);
        give(&f, a);
        give(&f, b);
        assert_int_equal(mapped.live, 2);
        assert_int_equal(f.heap->ops->trim(f.heap), 2 * BLOCK);
        assert_int_equal(mapped.live, 0);
        give(&f, take(&f));
        f.heap->ops->detach(f.heap, f.threads[0]);
        assert_int_equal(mapped.live, k == 0 ? 1 : 0); /* the list is everybody's, a stack is not */
        assert_int_equal(stats_of(&f).allocs, 3);
        f.n = 0;
        close_lookaside(&f);
    }
}

static void a_block_shorter_than_a_link_gets_room_for_one(void **state)
{
    struct fixture f;
    (void)state;
    open_lookaside(&f, "", 1, 1);
    void *block = f.heap->alloc(f.heap, f.threads[0], 1);
    assert_int_equal(mapped.small, 0);
    assert_int_equal(stats_of(&f).requested_bytes, 1);
    assert_int_equal(stats_of(&f).granted_bytes, PAGE);
    f.heap->free(f.heap, f.threads[0], block, 1);
    close_lookaside(&f);
}

static void expect_finding(struct fixture *f, const char *words)
{
    char message[200] = "";
    assert_int_equal(f->heap->ops->check(f->heap, message, sizeof message), -EINVAL);
    if (strstr(message, words) == NULL)
        fail_msg("'%s' lacks '%s'", message, words);
}

static void check_finds_what_is_wrong_with_a_list(void **state)
{
    struct fixture f;
    (void)state;
    open_lookaside(&f, scopes[0], BLOCK, 1);
    struct pb_lookaside *lookaside = (struct pb_lookaside *)(void *)f.heap;
    SLIST_ENTRY *a = take(&f), *b = take(&f);
    give(&f, a);
    give(&f, b);
    a->Next = b; /* b, a, b, a, ... */
    expect_finding(&f, "twice");
    a->Next = NULL;
    lookaside->list.ListHead.Head.low++;
    expect_finding(&f, "longer or shorter");
    lookaside->list.ListHead.Head.low -= 2;
    expect_finding(&f, "longer or shorter");
    lookaside->list.ListHead.Head.low++;
    close_lookaside(&f);
}

static void check_finds_what_is_wrong_with_a_stack(void **state)
{
    struct fixture f;
    (void)state;
    open_lookaside(&f, scopes[1], BLOCK, 1);
    struct pb_lookaside_thread *t = (struct pb_lookaside_thread *)(void *)f.threads[0];
    void *a = take(&f), *b = take(&f);
    give(&f, a);
    give(&f, b);
    t->stack[1] = a;
    expect_finding(&f, "twice");
    t->stack[1] = b;
    t->cached = 5;
    expect_finding(&f, "deeper");
    t->cached = 2;
    t->TotalFrees += 3;
    expect_finding(&f, "more blocks were freed");
    t->TotalFrees -= 3;
    close_lookaside(&f);
}

struct worker {
    struct fixture *f;
    unsigned index;
    long lost; /* blocks whose stamp another thread changed */
};

/* Keeps some blocks and gives them back in bursts that overflow the list, so that blocks which
 * others are about to pop are unmapped. */
static void *burst(void *argument)
{
    struct worker *w = argument;
    struct pb_thread *thread = w->f->threads[w->index];
    uint64_t *blocks[4];
    for (unsigned step = 0; step < STRESS_STEPS; step++) {
        for (unsigned i = 0; i < 4; i++) {
            blocks[i] = lookaside_list_alloc(w->f->heap, thread, BLOCK);
            if (blocks[i] != NULL)
                *blocks[i] = (uint64_t)w->index << 32 | step;
        }
        for (unsigned i = 0; i < 4; i++) {
            if (blocks[i] == NULL)
                continue;
            w->lost += *blocks[i] != ((uint64_t)w->index << 32 | step);
            lookaside_list_free(w->f->heap, thread, blocks[i], BLOCK);
        }
    }
    return NULL;
}

static void four_threads_share_a_list_whose_blocks_are_unmapped(void **state)
{
    struct fixture f;
    struct worker workers[STRESS_THREADS];
    pthread_t threads[STRESS_THREADS];
    (void)state;
    open_lookaside(&f, ",depth=3", BLOCK, STRESS_THREADS);
    for (unsigned i = 0; i < STRESS_THREADS; i++) {
        workers[i] = (struct worker){&f, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, burst, &workers[i]), 0);
    }
    for (unsigned i = 0; i < STRESS_THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < STRESS_THREADS; i++)
        assert_int_equal(workers[i].lost, 0);
    struct pb_heap_stats stats = stats_of(&f);
    assert_int_equal(stats.allocs, stats.frees);
    assert_int_equal(stats.allocs, STRESS_THREADS * STRESS_STEPS * 4);
    assert_int_equal(stats.cached_bytes, (uint64_t)mapped.live * BLOCK);
    assert_true(mapped.live <= 3 + STRESS_THREADS);
    close_lookaside(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_allocates_no_entry),
        cmocka_unit_test(blocks_come_back_last_in_first_out_up_to_the_depth),
        cmocka_unit_test(every_count_is_exact),
        cmocka_unit_test(a_block_that_the_backing_refuses_is_null_and_not_counted),
        cmocka_unit_test(trim_and_detach_give_everything_to_the_backing),
        cmocka_unit_test(a_block_shorter_than_a_link_gets_room_for_one),
        cmocka_unit_test(check_finds_what_is_wrong_with_a_list),
        cmocka_unit_test(check_finds_what_is_wrong_with_a_stack),
        cmocka_unit_test(four_threads_share_a_list_whose_blocks_are_unmapped),
    };
    return cmocka_run_group_tests_name("lookaside", tests, NULL, NULL);
}
