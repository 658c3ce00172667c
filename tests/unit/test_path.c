/* SPDX-License-Identifier: MIT */
/* Which way a call took, and the causal knob: marks and waits against counts that are known by
 * construction or that the strategy keeps itself. Nothing waits here: a wait is counted.
 * Threads: one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "path.h"
#include "registry.h"
#include "skip.h"
#include "zone/hot.h"

#include <errno.h>
#include <stdio.h>

enum { BLOCK = 64, MANY = 500, SLOW_NS = 7, LOCK_NS = 11 };

static struct pb_opened opened;
static struct pb_heap *heap;
static struct pb_thread *thread;
static uint64_t slow_waits, lock_waits;
static void *blocks[MANY];

static void counting_wait(uint64_t ns)
{
    slow_waits += ns == SLOW_NS;
    lock_waits += ns == LOCK_NS;
    assert_true(ns == SLOW_NS || ns == LOCK_NS);
}

/* False, with the reason told, where the variant cannot run here. `bytes` 0: mixed sizes. */
static bool open_delayed(const char *text, size_t bytes, uint64_t slow_ns, uint64_t lock_ns)
{
    struct pb_variant variant;
    const struct pb_heap_request request = {bytes, 1, 0};
    char message[200] = "";
    pb_path_delays = (struct pb_path_delays){slow_ns, lock_ns};
    slow_waits = lock_waits = 0;
    assert_int_equal(pb_variant_parse(text, &variant, message, sizeof message), 0);
    int error = pb_variant_open(&variant, &request, &opened, message, sizeof message);
    if (error == -ENOTSUP)
        print_message("skip: %s: %s\n", text, message);
    if (error == -ENOTSUP)
        return false;
    assert_int_equal(error, 0);
    heap = opened.heap;
    assert_int_equal(heap->ops->attach(heap, 0, &thread), 0);
    return true;
}

static void close_delayed(void)
{
    heap->ops->detach(heap, thread);
    pb_variant_close(&opened);
    pb_path_delays = (struct pb_path_delays){0, 0};
}

static struct pb_heap_stats stats_now(void)
{
    struct pb_heap_stats stats;
    pb_stats_unknown(&stats);
    heap->ops->stats(heap, &stats);
    return stats;
}

/* A call as a timed loop makes it; the way it took. */
static unsigned take(unsigned i, size_t bytes)
{
    pb_path_taken = 0;
    blocks[i] = heap->alloc(heap, thread, bytes);
    assert_non_null(blocks[i]);
    return pb_path_taken;
}

static unsigned give(unsigned i, size_t bytes)
{
    pb_path_taken = 0;
    heap->free(heap, thread, blocks[i], bytes);
    return pb_path_taken;
}

static size_t mixed(unsigned i)
{
    return 16 + i * 37 % 1500;
}

/* Allocates many of mixed sizes or of one, and frees them in another order. */
static void churn(size_t bytes)
{
    for (unsigned i = 0; i < MANY; i++)
        (void)take(i, bytes != 0 ? bytes : mixed(i));
    for (unsigned i = 0; i < MANY; i++) {
        unsigned at = i * 7 % MANY;
        (void)give(at, bytes != 0 ? bytes : mixed(at));
    }
}

/* --- delays inside locks ---------------------------------------------------------------------- */

static void each_acquisition_of_a_lock_is_one_wait(void **state)
{
    static const char *const variants[] = {
        "pool:lists=off,shared_lists=off",
        "pool:lists=off,shared_lists=off,straight=off",
        "pool:lists=off,shared_lists=off,lock=dec",
        "pool:lists=off,shared_lists=off,lock=ticket",
        "pool:lists=off,shared_lists=off,lock=mcs",
        "pool:lists=off,shared_lists=off,lock=mutex",
        "pool:lists=off,shared_lists=off,nonpaged_pools=4",
        "pool:lists=off,shared_lists=off,delayed_frees=on",
        "pool:lists=off,shared_lists=off,type=paged",
        "pool:list_depth=0",
        "pool:profile=win8_86,lists=off,shared_lists=off",
        "zone:lock=fas",
        "zone:lock=dec",
        "zone:lock=ticket",
        "zone:lock=mcs",
        "zone:lock=clh",
        "zone:lock=anderson",
        "lookaside:depth=4,backing=pool:list_depth=0",
    };
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        if (!open_delayed(variants[i], BLOCK, 0, LOCK_NS))
            continue;
        churn(BLOCK);
        const uint64_t waits = lock_waits; /* to ask for counters is to wait as well */
        const uint64_t acquisitions = stats_now().lock_acquisitions;
        if (waits != acquisitions || waits < MANY)
            fail_msg("%s: %llu waits, %llu acquisitions", variants[i], (unsigned long long)waits,
                     (unsigned long long)acquisitions);
        assert_int_equal(slow_waits, 0);
        close_delayed();
    }
}

static void it_is_so_behind_a_bank(void **state)
{
    static const char *const variants[] = {"zone", "zone:lock=mcs",
                                           "pool:lists=off,shared_lists=off"};
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        assert_true(open_delayed(variants[i], 0, 0, LOCK_NS));
        churn(0);
        const uint64_t waits = lock_waits;
        assert_true(waits >= 2 * MANY);
        assert_int_equal(waits, stats_now().lock_acquisitions);
        close_delayed();
    }
}

static void a_zone_waits_in_every_dispatch(void **state)
{
    (void)state;
    assert_true(open_delayed("zone:lock=ticket", BLOCK, 0, LOCK_NS));
    assert_ptr_equal(heap->hot, &pb_hot_zone_delayed);
    zone_delayed_free(heap, thread, zone_delayed_alloc(heap, thread, BLOCK), BLOCK);
    assert_int_equal(lock_waits, 2);
    pb_zone_delayed_free(heap, thread, pb_zone_delayed_alloc(heap, thread, BLOCK), BLOCK);
    assert_int_equal(lock_waits, 4);
    heap->free(heap, thread, heap->alloc(heap, thread, BLOCK), BLOCK);
    assert_int_equal(lock_waits, 6);
    close_delayed();
}

/* NT 4's lists count no acquisitions: a hit takes its list's lock, and no other. */
static void a_locked_list_waits_once_a_hit(void **state)
{
    (void)state;
    assert_true(open_delayed("pool:profile=nt4", BLOCK, 0, LOCK_NS));
    (void)take(0, BLOCK);
    (void)give(0, BLOCK);
    lock_waits = 0;
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(take(0, BLOCK), 0);
        assert_int_equal(lock_waits, 2 * i + 1);
        assert_int_equal(give(0, BLOCK), 0);
        assert_int_equal(lock_waits, 2 * i + 2);
    }
    close_delayed();
}

static void without_a_lock_there_is_nothing_to_delay(void **state)
{
    static const char *const variants[] = {"null",
                                           "floor:kind=empty",
                                           "floor:kind=lock",
                                           "floor:kind=chain,links=1",
                                           "zone:lock=none",
                                           "pool:lock=none,lists=off,shared_lists=off",
                                           "lookaside:scope=thread,backing=malloc",
                                           "malloc"};
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        if (!open_delayed(variants[i], BLOCK, 0, LOCK_NS))
            continue;
        churn(BLOCK);
        assert_int_equal(lock_waits, 0);
        close_delayed();
    }
}

static void a_list_that_hits_takes_no_lock(void **state)
{
    static const char *const variants[] = {"pool", "lookaside", "lookaside:scope=thread",
                                           "lookaside:scope=percpu"};
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        if (!open_delayed(variants[i], BLOCK, 0, LOCK_NS))
            continue;
        (void)take(0, BLOCK);
        (void)give(0, BLOCK);
        unsigned hits = 0;
        lock_waits = 0;
        for (unsigned n = 0; n < MANY; n++) { /* another processor's list may be empty */
            const uint64_t before = lock_waits;
            const unsigned way = take(0, BLOCK) | give(0, BLOCK);
            assert_true(way != 0 || lock_waits == before);
            hits += way == 0;
        }
        assert_true(hits > MANY / 2);
        close_delayed();
    }
}

/* --- delays in slow paths, and the marks ------------------------------------------------------ */

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

static int count_waits(void **state)
{
    (void)state;
    pb_path_wait = counting_wait;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_acquisition_of_a_lock_is_one_wait),
        cmocka_unit_test(it_is_so_behind_a_bank),
        cmocka_unit_test(a_zone_waits_in_every_dispatch),
        cmocka_unit_test(a_locked_list_waits_once_a_hit),
        cmocka_unit_test(without_a_lock_there_is_nothing_to_delay),
        cmocka_unit_test(a_list_that_hits_takes_no_lock),
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
