/* SPDX-License-Identifier: MIT */
/* The lookaside over a backing of the test's own that maps and unmaps each block: counts are exact,
 * the depth holds, everything goes back, and poppers survive blocks that vanish.
 * Threads: one, and four in the last test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/lookaside_fixture.h"

/* In each the one thread's blocks go into one place of depth 4. */
static const char *const scopes[] = {",scope=list,depth=4", ",scope=thread,depth=4",
                                     ",scope=percpu,shared=off,depth=4"};

enum { SCOPES = 3, LIST = 0, STACK = 1 };

static void opening_allocates_no_entry(void **state)
{
    struct fixture f;
    (void)state;
    for (unsigned k = 0; k < SCOPES; k++) {
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
    for (unsigned k = 0; k < SCOPES; k++) {
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
    for (unsigned k = 0; k < SCOPES; k++) {
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
    for (unsigned k = 0; k < SCOPES; k++) {
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
    for (unsigned k = 0; k < SCOPES; k++) {
        open_lookaside(&f, scopes[k], BLOCK, 1);
        void *a = take(&f), *b = take(&f);
        give(&f, a);
        give(&f, b);
        assert_int_equal(mapped.live, 2);
        assert_int_equal(f.heap->ops->trim(f.heap), 2 * BLOCK);
        assert_int_equal(mapped.live, 0);
        give(&f, take(&f));
        f.heap->ops->detach(f.heap, f.threads[0]);
        assert_int_equal(mapped.live,
                         k != STACK ? 1 : 0); /* the list is everybody's, a stack is not */
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

static void check_finds_what_is_wrong_with_a_list(void **state)
{
    struct fixture f;
    (void)state;
    open_lookaside(&f, scopes[LIST], BLOCK, 1);
    struct pb_lookaside *lookaside = (struct pb_lookaside *)(void *)f.heap;
    SLIST_ENTRY *a = take(&f), *b = take(&f);
    give(&f, a);
    give(&f, b);
    a->Next = b; /* b, a, b, a, ... */
    expect_finding(&f, "twice");
    a->Next = NULL;
    lookaside->list.ListHead.Alignment++;
    expect_finding(&f, "longer or shorter");
    lookaside->list.ListHead.Alignment -= 2;
    expect_finding(&f, "longer or shorter");
    lookaside->list.ListHead.Alignment++;
    close_lookaside(&f);
}

static void check_finds_what_is_wrong_with_a_stack(void **state)
{
    struct fixture f;
    (void)state;
    open_lookaside(&f, scopes[STACK], BLOCK, 1);
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

static void four_threads_share_a_list_whose_blocks_are_unmapped(void **state)
{
    struct fixture f;
    (void)state;
    open_lookaside(&f, ",depth=3", BLOCK, STRESS_THREADS);
    assert_int_equal(run_bursts(&f), 0);
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
        stationary_test(opening_allocates_no_entry),
        stationary_test(blocks_come_back_last_in_first_out_up_to_the_depth),
        stationary_test(every_count_is_exact),
        stationary_test(a_block_that_the_backing_refuses_is_null_and_not_counted),
        stationary_test(trim_and_detach_give_everything_to_the_backing),
        stationary_test(a_block_shorter_than_a_link_gets_room_for_one),
        stationary_test(check_finds_what_is_wrong_with_a_list),
        stationary_test(check_finds_what_is_wrong_with_a_stack),
        cmocka_unit_test(four_threads_share_a_list_whose_blocks_are_unmapped),
    };
    return cmocka_run_group_tests_name("lookaside", tests, NULL, NULL);
}
