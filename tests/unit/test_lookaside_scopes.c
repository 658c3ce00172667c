/* SPDX-License-Identifier: MIT */
/* The lookaside's scope=percpu, where P stands before L and L before the backing, and tune=adaptive
 * in every scope, by a clock that the test turns. The backing maps and unmaps each block.
 * Threads: one, four in the last tests, and the tuner's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/fake_clock.h"
#include "unit/lookaside_fixture.h"

enum { PERIOD = 1000, MANY = 40 };

static struct pb_lookaside *lookaside_in(const struct fixture *f)
{
    return (struct pb_lookaside *)(void *)f->heap;
}

/* The list P of the processor that the test is kept on. */
static GENERAL_LOOKASIDE *here(const struct fixture *f)
{
    return pb_lookaside_here(lookaside_in(f));
}

static void take_and_give(struct fixture *f, unsigned n)
{
    void *blocks[MANY];
    for (unsigned i = 0; i < n; i++)
        blocks[i] = take(f);
    for (unsigned i = 0; i < n; i++)
        give(f, blocks[i]);
}

static void p_is_asked_first_and_l_behind_it(void **state)
{
    struct fixture f;
    void *blocks[BLOCKS];
    (void)state;
    open_lookaside(&f, ",scope=percpu,depth=3", BLOCK, 1);
    for (unsigned i = 0; i < BLOCKS; i++)
        blocks[i] = take(&f);
    for (unsigned i = 0; i < BLOCKS; i++)
        give(&f, blocks[i]); /* 0, 1, 2 into P; 3, 4, 5 into L; four into the backing */
    assert_int_equal(mapped.live, 6);
    assert_int_equal(pb_slist_depth(&here(&f)->ListHead), 3);
    assert_int_equal(pb_slist_depth(&lookaside_in(&f)->list.ListHead), 3);
    assert_int_equal(stats_of(&f).cached_bytes, 6 * BLOCK);
    static const unsigned order[] = {2, 1, 0, 5, 4, 3};
    for (unsigned i = 0; i < 6; i++)
        assert_ptr_equal(take(&f), blocks[order[i]]);
    for (unsigned i = 0; i < 6; i++)
        give(&f, blocks[i]);
    close_lookaside(&f);
}

static void p_and_l_are_counted_as_nt_counts_the_pair(void **state)
{
    struct fixture f;
    (void)state;
    open_lookaside(&f, ",scope=percpu,depth=3", BLOCK, 1);
    take_and_give(&f, BLOCKS);
    take_and_give(&f, BLOCKS);
    const GENERAL_LOOKASIDE *p = here(&f), *l = &lookaside_in(&f)->list;
    assert_int_equal(p->TotalAllocates, 2 * BLOCKS);
    assert_int_equal(p->AllocateMisses, BLOCKS + BLOCKS - 3);
    assert_int_equal(p->TotalFrees, 2 * BLOCKS);
    assert_int_equal(p->FreeMisses, 2 * (BLOCKS - 3));
    assert_int_equal(l->TotalAllocates, p->AllocateMisses);
    assert_int_equal(l->AllocateMisses, BLOCKS + BLOCKS - 6);
    assert_int_equal(l->TotalFrees, p->FreeMisses);
    assert_int_equal(l->FreeMisses, 2 * (BLOCKS - 6));
    struct pb_heap_stats stats = stats_of(&f);
    assert_int_equal(stats.misses, l->AllocateMisses);
    assert_int_equal(stats.overflows, l->FreeMisses);
    assert_int_equal(stats.hits, 6); /* of P or of L */
    close_lookaside(&f);
}

static void without_l_the_backing_is_next(void **state)
{
    struct fixture f;
    (void)state;
    open_lookaside(&f, ",scope=percpu,depth=3,shared=off", BLOCK, 1);
    take_and_give(&f, BLOCKS);
    assert_int_equal(mapped.live, 3);
    assert_int_equal(pb_slist_depth(&lookaside_in(&f)->list.ListHead), 0);
    assert_int_equal(lookaside_in(&f)->list.TotalAllocates, 0);
    assert_int_equal(lookaside_in(&f)->list.TotalFrees, 0);
    close_lookaside(&f);
}

static void each_list_has_a_line_pair_of_its_own(void **state)
{
    struct fixture f;
    (void)state;
    open_lookaside(&f, ",scope=percpu", BLOCK, 2);
    const struct pb_lookaside *lookaside = lookaside_in(&f);
    assert_int_equal((uintptr_t)lookaside->processors % 128, 0);
    assert_int_equal((uintptr_t)&lookaside->list % 128, 0);
    assert_int_equal(sizeof *lookaside->processors, 128);
    assert_true(lookaside->processors_n >= 1);
    assert_int_equal(lookaside->processors_n & lookaside->processors_mask, 0);
    for (unsigned i = 0; i < lookaside->processors_n; i++)
        assert_int_equal(lookaside->processors[i].Depth, 256);
    close_lookaside(&f);
}

static void trim_empties_p_and_l(void **state)
{
    struct fixture f;
    (void)state;
    open_lookaside(&f, ",scope=percpu,depth=3", BLOCK, 1);
    take_and_give(&f, BLOCKS);
    assert_int_equal(f.heap->ops->trim(f.heap), 6 * BLOCK);
    assert_int_equal(mapped.live, 0);
    assert_int_equal(stats_of(&f).cached_bytes, 0);
    close_lookaside(&f);
}

static void check_finds_what_is_wrong_with_p_and_l(void **state)
{
    struct fixture f;
    (void)state;
    open_lookaside(&f, ",scope=percpu,depth=1", BLOCK, 1);
    take_and_give(&f, 2);
    PSLIST_HEADER p = &here(&f)->ListHead, l = &lookaside_in(&f)->list.ListHead;
    PSLIST_ENTRY in_p = pb_slist_pop(p);
    (void)pb_slist_push(l, in_p); /* in L, and in P again */
    p->Region = (uintptr_t)in_p;
    p->Alignment += 2;
    expect_finding(&f, "twice");
    p->Alignment -= 2;
    p->Region = 0;
    check_lookaside(&f);
    l->Alignment++;
    expect_finding(&f, "longer or shorter");
    l->Alignment--;
    here(&f)->Depth = 2;
    expect_finding(&f, "above MaximumDepth");
    here(&f)->Depth = 1;
    close_lookaside(&f);
}

static const char *const adaptive[] = {
    ",scope=list,depth=4,tune=adaptive",
    ",scope=thread,depth=4,tune=adaptive",
    ",scope=percpu,shared=off,depth=4,tune=adaptive",
};

enum { SCOPES = 3, THREAD = 1, PERCPU = 2 };

static unsigned depth_in(const struct fixture *f, unsigned scope)
{
    if (scope == THREAD)
        return (unsigned)((struct pb_lookaside_thread *)(void *)f->threads[0])->depth;
    return scope == PERCPU ? here(f)->Depth : lookaside_in(f)->list.Depth;
}

static const struct pb_tuning usual = {PERIOD, 25, 10, 50, 30, 4};

static void depth_follows_use_each_period(void **state)
{
    struct fixture f;
    (void)state;
    for (unsigned k = 0; k < SCOPES; k++) {
        open_lookaside(&f, adaptive[k], BLOCK, 1);
        assert_int_equal(depth_in(&f, k), 4);
        take_and_give(&f, MANY);
        fake_clock_advance(PERIOD - 1);
        assert_int_equal(depth_in(&f, k), 4);
        fake_clock_advance(1);
        unsigned depth = pb_tuning_depth(&usual, 4, 256, MANY, MANY);
        assert_true(depth > 4);
        assert_int_equal(depth_in(&f, k), depth);
        take_and_give(&f, MANY);
        assert_int_equal(stats_of(&f).misses, MANY + MANY - 4);
        assert_int_equal(stats_of(&f).cached_bytes, depth * BLOCK);
        fake_clock_advance(PERIOD);
        depth = pb_tuning_depth(&usual, depth, 256, MANY, MANY - 4);
        assert_int_equal(depth_in(&f, k), depth);
        fake_clock_advance(PERIOD); /* idle */
        assert_int_equal(depth_in(&f, k), depth - 10);
        close_lookaside(&f);
    }
}

static void what_is_above_a_lowered_depth_leaves_by_later_frees(void **state)
{
    struct fixture f;
    (void)state;
    for (unsigned k = 0; k < SCOPES; k++) {
        open_lookaside(&f, adaptive[k], BLOCK, 1);
        take_and_give(&f, MANY);
        fake_clock_advance(PERIOD);
        take_and_give(&f, MANY);
        uint64_t cached = stats_of(&f).cached_bytes;
        assert_true(cached > 4 * BLOCK);
        fake_clock_advance(PERIOD);
        for (unsigned i = 0; i < 10; i++)
            fake_clock_advance(PERIOD);
        assert_int_equal(depth_in(&f, k), 4);
        assert_int_equal(stats_of(&f).cached_bytes, cached);
        check_lookaside(&f);
        give(&f, take(&f));
        assert_int_equal(stats_of(&f).cached_bytes, cached - BLOCK);
        take_and_give(&f, MANY);
        assert_int_equal(stats_of(&f).cached_bytes, 4 * BLOCK);
        close_lookaside(&f);
    }
}

static void max_depth_bounds_where_depth_begins_and_goes(void **state)
{
    static const char *const small[] = {
        ",scope=list,tune=adaptive,max_depth=6,tune_floor=1",
        ",scope=thread,tune=adaptive,max_depth=6,tune_floor=1",
        ",scope=percpu,shared=off,tune=adaptive,max_depth=6,tune_floor=1",
    };
    struct fixture f;
    (void)state;
    for (unsigned k = 0; k < SCOPES; k++) {
        open_lookaside(&f, small[k], BLOCK, 1);
        assert_int_equal(depth_in(&f, k), 6); /* of the option depth's 256 */
        take_and_give(&f, MANY);
        fake_clock_advance(PERIOD);
        assert_int_equal(depth_in(&f, k), 6);
        fake_clock_advance(PERIOD);
        assert_int_equal(depth_in(&f, k), 1);
        close_lookaside(&f);
    }
}

static void l_is_tuned_by_its_own_counts(void **state)
{
    struct fixture f;
    (void)state;
    open_lookaside(&f, ",scope=percpu,depth=4,tune=adaptive", BLOCK, 1);
    take_and_give(&f, MANY);
    take_and_give(&f, MANY);
    fake_clock_advance(PERIOD);
    assert_int_equal(here(&f)->Depth, pb_tuning_depth(&usual, 4, 256, 2 * MANY, 2 * MANY - 4));
    assert_int_equal(lookaside_in(&f)->list.Depth,
                     pb_tuning_depth(&usual, 4, 256, 2 * MANY - 4, 2 * MANY - 8));
    assert_int_equal(lookaside_in(&f)->list.LastTotalAllocates, 2 * MANY - 4);
    close_lookaside(&f);
}

static void a_list_shows_what_its_threads_counted(void **state)
{
    struct fixture f;
    (void)state;
    open_lookaside(&f, adaptive[0], BLOCK, 2);
    take_and_give(&f, MANY);
    fake_clock_advance(PERIOD);
    const GENERAL_LOOKASIDE *list = &lookaside_in(&f)->list;
    assert_int_equal(list->TotalAllocates, MANY);
    assert_int_equal(list->AllocateMisses, MANY);
    assert_int_equal(list->TotalFrees, MANY);
    assert_int_equal(list->FreeMisses, MANY - 4);
    close_lookaside(&f);
}

static void a_heap_that_does_not_tune_starts_no_tuner(void **state)
{
    struct fixture f;
    (void)state;
    open_lookaside(&f, ",depth=4", BLOCK, 1);
    assert_int_equal(lookaside_in(&f)->list.MaximumDepth, 4);
    fake_clock_install(); /* refused while a job is started */
    close_lookaside(&f);
    open_lookaside(&f, adaptive[0], BLOCK, 1);
    assert_int_equal(pb_tuner_set_clock(NULL), -EBUSY);
    close_lookaside(&f);
    fake_clock_install();
}

static void four_threads_and_a_tuner_lose_no_block(void **state)
{
    static const char *const options[] = {
        ",scope=list,depth=2,tune=adaptive,tune_period=1,max_depth=5",
        ",scope=thread,depth=2,tune=adaptive,tune_period=1,max_depth=5",
        ",scope=percpu,depth=2,tune=adaptive,tune_period=1,max_depth=5",
        ",scope=percpu,depth=2,shared=off",
        ",scope=percpu,depth=1",
    };
    (void)state;
    assert_int_equal(pb_tuner_set_clock(NULL), 0);
    for (unsigned k = 0; k < sizeof options / sizeof *options; k++) {
        struct fixture f;
        open_lookaside(&f, options[k], BLOCK, STRESS_THREADS);
        assert_int_equal(run_bursts(&f), 0);
        struct pb_heap_stats stats = stats_of(&f);
        assert_int_equal(stats.allocs, stats.frees);
        assert_int_equal(stats.allocs, STRESS_THREADS * STRESS_STEPS * 4);
        assert_int_equal(stats.cached_bytes, (uint64_t)mapped.live * BLOCK);
        close_lookaside(&f);
    }
    fake_clock_install();
}

static int install(void **state)
{
    (void)state;
    fake_clock_install();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stationary_test(p_is_asked_first_and_l_behind_it),
        stationary_test(p_and_l_are_counted_as_nt_counts_the_pair),
        stationary_test(without_l_the_backing_is_next),
        stationary_test(each_list_has_a_line_pair_of_its_own),
        stationary_test(trim_empties_p_and_l),
        stationary_test(check_finds_what_is_wrong_with_p_and_l),
        stationary_test(depth_follows_use_each_period),
        stationary_test(what_is_above_a_lowered_depth_leaves_by_later_frees),
        stationary_test(max_depth_bounds_where_depth_begins_and_goes),
        stationary_test(l_is_tuned_by_its_own_counts),
        stationary_test(a_list_shows_what_its_threads_counted),
        stationary_test(a_heap_that_does_not_tune_starts_no_tuner),
        cmocka_unit_test(four_threads_and_a_tuner_lose_no_block),
    };
    return cmocka_run_group_tests_name("lookaside scopes", tests, install, NULL);
}
