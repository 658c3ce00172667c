/* SPDX-License-Identifier: MIT */
/* Which way a call took, and the causal knob in slow paths: marks and waits against counts that are
 * known by construction or that the strategy keeps itself. Nothing waits here: a wait is counted.
 * Threads: one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "path_fixture.h"

/* A lookaside of depth 4 that was empty: all of n allocations miss, 4 of n frees stay. The pool
 * behind has first levels of its own, which are no second wait. */
static void a_lookaside_waits_once_a_miss_and_once_an_overflow(void **state)
{
    static const char *const variants[] = {"lookaside:depth=4", "lookaside:depth=4,scope=thread",
                                           "lookaside:depth=4,backing=pool:list_depth=0",
                                           "lookaside:depth=4,scope=thread,backing=malloc"};
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        if (!open_delayed(variants[i], BLOCK, SLOW_NS, 0))
            continue;
        for (unsigned n = 0; n < MANY; n++) {
            assert_int_equal(take(n, BLOCK) & ~(unsigned)PB_PATH_OS, PB_PATH_MISS);
            assert_int_equal(slow_waits, n + 1);
        }
        for (unsigned n = 0; n < MANY; n++) {
            const unsigned way = give(n, BLOCK) & ~(unsigned)PB_PATH_OS;
            assert_int_equal(way, n < 4 ? 0 : PB_PATH_OVERFLOW);
            assert_int_equal(slow_waits, MANY + (n < 4 ? 0 : n - 3));
        }
        const struct pb_heap_stats stats = stats_now();
        assert_int_equal(slow_waits, stats.misses + stats.overflows);
        close_delayed();
    }
}

static void a_pool_waits_once_a_miss_and_once_an_overflow(void **state)
{
    static const char *const variants[] = {"pool:list_depth=0", "pool:list_depth=0,straight=off",
                                           "pool:list_depth=0,profile=xp",
                                           "pool:list_depth=0,checked=on"};
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        assert_true(open_delayed(variants[i], BLOCK, SLOW_NS, 0));
        for (unsigned n = 0; n < MANY; n++)
            assert_int_equal(take(n, BLOCK) & ~(unsigned)PB_PATH_OS, PB_PATH_MISS);
        for (unsigned n = 0; n < MANY; n++)
            assert_int_equal(give(n, BLOCK) & ~(unsigned)PB_PATH_OS, PB_PATH_OVERFLOW);
        assert_int_equal(slow_waits, 2 * MANY);
        const struct pb_heap_stats stats = stats_now();
        assert_int_equal(stats.misses, MANY);
        assert_int_equal(stats.overflows, MANY);
        close_delayed();
    }
}

/* Where no list serves a size the free lists are the first level, and a page is behind it. */
static void a_pool_without_lists_misses_once_a_page(void **state)
{
    unsigned missed = 0;
    (void)state;
    assert_true(open_delayed("pool:lists=off,shared_lists=off", BLOCK, SLOW_NS, 0));
    for (unsigned n = 0; n < MANY; n++) {
        const unsigned way = take(n, BLOCK);
        missed += (way & PB_PATH_MISS) != 0;
        if ((way & PB_PATH_OS) != 0)
            assert_true((way & PB_PATH_MISS) != 0);
        assert_int_equal(slow_waits, missed);
    }
    assert_int_equal(missed, stats_now().refills);
    assert_true(missed > 1);
    for (unsigned n = 0; n < MANY; n++)
        assert_int_equal(give(n, BLOCK) & PB_PATH_OVERFLOW, 0);
    assert_int_equal(slow_waits, missed);
    close_delayed();
}

static void a_zone_waits_once_a_segment_that_it_adds(void **state)
{
    unsigned extended = 0;
    (void)state;
    assert_true(open_delayed("zone:segment=4096", BLOCK, SLOW_NS, 0));
    for (unsigned n = 0; n < MANY; n++) {
        const unsigned way = take(n, BLOCK);
        assert_true(way == 0 || way == PB_PATH_OS);
        extended += way == PB_PATH_OS;
        assert_int_equal(slow_waits, extended);
    }
    assert_int_equal(extended + 1, stats_now().refills); /* the first came with the heap */
    assert_true(extended > 1);
    for (unsigned n = 0; n < MANY; n++)
        assert_int_equal(give(n, BLOCK), 0);
    assert_int_equal(slow_waits, extended);
    close_delayed();
}

static void null_has_no_slow_path(void **state)
{
    (void)state;
    assert_true(open_delayed("null", BLOCK, SLOW_NS, LOCK_NS));
    churn(BLOCK);
    assert_int_equal(slow_waits + lock_waits, 0);
    close_delayed();
}

/* Of many that nobody clears (a loop that is not timed) each waits all the same. */
static void what_an_earlier_call_took_does_not_matter(void **state)
{
    (void)state;
    assert_true(open_delayed("pool:list_depth=0", BLOCK, SLOW_NS, 0));
    for (unsigned n = 0; n < MANY; n++)
        heap->free(heap, thread, heap->alloc(heap, thread, BLOCK), BLOCK);
    assert_int_equal(slow_waits, 2 * MANY);
    close_delayed();
}

static void what_the_system_gives_and_takes_is_marked(void **state)
{
    enum { BIG = 64 << 10 };
    (void)state;
    assert_true(open_delayed("pool:release=4096", 0, 0, 0));
    assert_int_equal(take(0, BIG), PB_PATH_OS);
    assert_int_equal(give(0, BIG), PB_PATH_OS);
    close_delayed();
    assert_true(open_delayed("pool", 0, 0, 0));
    assert_int_equal(take(0, BIG), PB_PATH_OS);
    assert_int_equal(give(0, BIG), 0);
    assert_int_equal(take(0, BIG), 0); /* a run that is free and held */
    assert_int_equal(give(0, BIG), 0);
    close_delayed();
    assert_true(open_delayed("pool:special=overrun", 0, 0, 0));
    (void)take(0, BLOCK); /* makes the special pool */
    assert_int_equal(take(1, BLOCK), PB_PATH_OS);
    assert_int_equal(give(1, BLOCK), PB_PATH_OS);
    (void)give(0, BLOCK);
    close_delayed();
}

static void nothing_waits_where_nothing_is_planted(void **state)
{
    static const char *const variants[] = {"pool:list_depth=0", "zone:segment=4096",
                                           "lookaside:depth=4"};
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        if (!open_delayed(variants[i], BLOCK, 0, 0))
            continue;
        churn(BLOCK);
        assert_int_equal(slow_waits + lock_waits, 0);
        close_delayed();
    }
}

/* Every one that marks says so; the others are a floor, or not ours to mark. */
static void who_marks_says_so(void **state)
{
    static const char *const marks[] = {"pool", "zone", "lookaside"};
    unsigned found = 0;
    const struct pb_allocator *ops;
    (void)state;
    for (size_t i = 0; (ops = pb_registry_at(i)) != NULL; i++)
        found += (ops->capabilities & PB_CAP_PATHS) != 0;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        assert_int_not_equal(pb_registry_find(marks[i])->capabilities & PB_CAP_PATHS, 0);
    assert_int_equal(found, sizeof marks / sizeof *marks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lookaside_waits_once_a_miss_and_once_an_overflow),
        cmocka_unit_test(a_pool_waits_once_a_miss_and_once_an_overflow),
        cmocka_unit_test(a_pool_without_lists_misses_once_a_page),
        cmocka_unit_test(a_zone_waits_once_a_segment_that_it_adds),
        cmocka_unit_test(null_has_no_slow_path),
        cmocka_unit_test(what_an_earlier_call_took_does_not_matter),
        cmocka_unit_test(what_the_system_gives_and_takes_is_marked),
        cmocka_unit_test(nothing_waits_where_nothing_is_planted),
        cmocka_unit_test(who_marks_says_so),
    };
    return cmocka_run_group_tests(tests, count_waits, NULL);
}
