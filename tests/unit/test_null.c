/* SPDX-License-Identifier: MIT */
/* The null strategy: stacks, exchange with the reserve, counters, and what its check finds.
 * Threads: one, which plays several. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "null/hot.h"
#include "registry.h"

#include <string.h>

enum { BLOCK = 64, STACK = 64 };

struct fixture {
    struct pb_opened opened;
    struct pb_heap *heap;
    struct pb_thread *a, *b;
};

static void open_null(struct fixture *f, size_t expected)
{
    struct pb_variant variant;
    struct pb_heap_request request = {BLOCK, 2, expected};
    char message[200] = "";
    assert_int_equal(pb_variant_parse("null", &variant, message, sizeof message), 0);
    assert_int_equal(pb_variant_open(&variant, &request, &f->opened, message, sizeof message), 0);
    f->heap = f->opened.heap;
    assert_int_equal(f->heap->ops->attach(f->heap, 0, &f->a), 0);
    assert_int_equal(f->heap->ops->attach(f->heap, 1, &f->b), 0);
}

static void close_null(struct fixture *f)
{
    char message[200] = "";
    assert_int_equal(f->heap->ops->check(f->heap, message, sizeof message), 0);
    f->heap->ops->detach(f->heap, f->a);
    f->heap->ops->detach(f->heap, f->b);
    assert_int_equal(f->heap->ops->check(f->heap, message, sizeof message), 0);
    pb_variant_close(&f->opened);
}

static struct pb_heap_stats stats_of(const struct fixture *f)
{
    struct pb_heap_stats stats;
    pb_stats_unknown(&stats);
    f->heap->ops->stats(f->heap, &stats);
    return stats;
}

static void a_thread_begins_with_a_full_stack(void **state)
{
    struct fixture f;
    (void)state;
    open_null(&f, 0);
    struct pb_heap_stats stats = stats_of(&f);
    assert_int_equal(stats.requested_bytes, 0);
    assert_int_equal(stats.allocs, 0);
    assert_int_equal(stats.cached_bytes, 2 * STACK * BLOCK);
    assert_int_equal(stats.held_bytes, 2 * STACK * BLOCK);
    close_null(&f);
}

static void the_stack_grows_with_what_is_expected(void **state)
{
    struct fixture f;
    (void)state;
    open_null(&f, 1000);
    assert_int_equal(stats_of(&f).cached_bytes, 2 * 512 * BLOCK);
    close_null(&f);
}

static void pairs_get_the_block_touched_last_and_ask_nobody(void **state)
{
    struct fixture f;
    void *first = NULL;
    (void)state;
    open_null(&f, 0);
    struct pb_heap_stats before = stats_of(&f);
    for (unsigned i = 0; i <= STACK; i++) {
        void *block = null_alloc(f.heap, f.a, BLOCK);
        first = i == 0 ? block : first;
        assert_ptr_equal(block, first);
        assert_int_equal(stats_of(&f).requested_bytes, BLOCK);
        null_free(f.heap, f.a, block, BLOCK);
    }
    struct pb_heap_stats after = stats_of(&f);
    assert_int_equal(after.requested_bytes, 0);
    assert_int_equal(after.allocs, STACK + 1);
    assert_int_equal(after.frees, STACK + 1);
    assert_int_equal(after.refills, before.refills);
    assert_int_equal(after.os_calls, before.os_calls);
    close_null(&f);
}

static void blocks_freed_by_another_thread_come_back_round(void **state)
{
    struct fixture f;
    (void)state;
    open_null(&f, 0);
    for (unsigned i = 0; i < 100 * STACK; i++) {
        void *block = null_alloc(f.heap, f.a, BLOCK);
        assert_non_null(block);
        memset(block, 1, BLOCK);
        null_free(f.heap, f.b, block, BLOCK);
    }
    struct pb_heap_stats stats = stats_of(&f);
    assert_int_equal(stats.requested_bytes, 0);
    assert_true(stats.held_bytes <= 4 * STACK * BLOCK); /* went round instead of growing */
    close_null(&f);
}

static void more_than_the_stack_holds_is_made_and_kept(void **state)
{
    static void *blocks[1000];
    struct fixture f;
    (void)state;
    open_null(&f, 0);
    for (unsigned i = 0; i < 1000; i++)
        assert_non_null(blocks[i] = null_alloc(f.heap, f.a, BLOCK));
    struct pb_heap_stats stats = stats_of(&f);
    assert_int_equal(stats.requested_bytes, 1000 * BLOCK);
    assert_int_equal(stats.granted_bytes, 1000 * BLOCK);
    for (unsigned i = 0; i < 1000; i++)
        null_free(f.heap, f.a, blocks[i], BLOCK);
    assert_int_equal(stats_of(&f).granted_bytes, 0);
    assert_int_equal(stats_of(&f).held_bytes, stats.held_bytes);
    close_null(&f);
}

static void detaching_caches_nothing_and_loses_no_block(void **state)
{
    struct fixture f;
    (void)state;
    open_null(&f, 0);
    null_free(f.heap, f.a, null_alloc(f.heap, f.a, BLOCK), BLOCK);
    f.heap->ops->detach(f.heap, f.a);
    f.heap->ops->detach(f.heap, f.b);
    struct pb_heap_stats stats = stats_of(&f);
    assert_int_equal(stats.cached_bytes, 0);
    assert_int_equal(stats.requested_bytes, 0);
    uint64_t held = stats.held_bytes;
    assert_int_equal(f.heap->ops->attach(f.heap, 0, &f.a), 0);
    assert_int_equal(f.heap->ops->attach(f.heap, 1, &f.b), 0);
    assert_int_equal(stats_of(&f).held_bytes, held); /* the stacks are filled from the reserve */
    close_null(&f);
}

static void check_finds_a_block_that_is_free_twice(void **state)
{
    struct fixture f;
    char message[200] = "";
    (void)state;
    open_null(&f, 0);
    struct pb_null_thread *stack = (struct pb_null_thread *)(void *)f.a;
    void *kept = stack->slots[1];
    stack->slots[1] = stack->slots[0];
    assert_int_not_equal(f.heap->ops->check(f.heap, message, sizeof message), 0);
    assert_non_null(strstr(message, "free twice"));
    stack->slots[1] = (unsigned char *)kept + 8;
    assert_int_not_equal(f.heap->ops->check(f.heap, message, sizeof message), 0);
    assert_non_null(strstr(message, "outside"));
    stack->slots[1] = kept;
    close_null(&f);
}

static void check_finds_a_stack_that_claims_more_than_there_is(void **state)
{
    struct fixture f;
    char message[200] = "";
    (void)state;
    open_null(&f, 0);
    struct pb_null_thread *stack = (struct pb_null_thread *)(void *)f.a;
    stack->put++;
    assert_int_not_equal(f.heap->ops->check(f.heap, message, sizeof message), 0);
    assert_non_null(strstr(message, "more than its capacity"));
    stack->put--;
    close_null(&f);
}

static void a_full_stack_gives_its_oldest_blocks_to_the_reserve(void **state)
{
    struct fixture f;
    (void)state;
    open_null(&f, 0);
    void *own = null_alloc(f.heap, f.b, BLOCK);
    null_free(f.heap, f.a, own, BLOCK); /* a's stack is full: half of it goes */
    assert_int_equal(stats_of(&f).cached_bytes, (2 * STACK - STACK / 2) * BLOCK);
    assert_ptr_equal(null_alloc(f.heap, f.a, BLOCK), own); /* the newest stayed */
    null_free(f.heap, f.b, own, BLOCK);
    assert_int_equal(stats_of(&f).allocs, 2); /* what the reserve took is no allocation */
    assert_int_equal(stats_of(&f).frees, 2);
    close_null(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_begins_with_a_full_stack),
        cmocka_unit_test(the_stack_grows_with_what_is_expected),
        cmocka_unit_test(pairs_get_the_block_touched_last_and_ask_nobody),
        cmocka_unit_test(blocks_freed_by_another_thread_come_back_round),
        cmocka_unit_test(more_than_the_stack_holds_is_made_and_kept),
        cmocka_unit_test(detaching_caches_nothing_and_loses_no_block),
        cmocka_unit_test(check_finds_a_block_that_is_free_twice),
        cmocka_unit_test(check_finds_a_stack_that_claims_more_than_there_is),
        cmocka_unit_test(a_full_stack_gives_its_oldest_blocks_to_the_reserve),
    };
    return cmocka_run_group_tests_name("null", tests, NULL, NULL);
}
