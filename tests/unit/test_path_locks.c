/* SPDX-License-Identifier: MIT */
/* The causal knob inside locks: waits against the acquisitions that a strategy counts. Nothing
 * waits here: a wait is counted.
 * Threads: one, and those of a heap that is shared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zone/hot.h" /* first: the fixture has names that it has parameters of */

#include "path_fixture.h"

#include <pthread.h>

enum { THREADS = 3, ROUNDS = 100, HELD = 8 };

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

static void *share(void *argument)
{
    const unsigned index = (unsigned)(uintptr_t)argument;
    struct pb_thread *own;
    void *held[HELD];
    if (heap->ops->attach(heap, index, &own) != 0)
        return NULL;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < HELD; i++)
            held[i] = heap->alloc(heap, own, BLOCK);
        for (unsigned i = 0; i < HELD; i++)
            heap->free(heap, own, held[i], BLOCK);
    }
    heap->ops->detach(heap, own);
    return argument;
}

static void it_is_so_with_threads(void **state)
{
    static const char *const variants[] = {"zone", "zone:lock=clh", "zone:lock=mcs",
                                           "pool:lists=off,shared_lists=off",
                                           "pool:lists=off,shared_lists=off,lock=mutex"};
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        pthread_t ids[THREADS];
        char message[200] = "";
        assert_true(open_unattached(variants[i], BLOCK, THREADS, 0, LOCK_NS));
        for (unsigned t = 0; t < THREADS; t++)
            assert_int_equal(pthread_create(&ids[t], NULL, share, (void *)(uintptr_t)t), 0);
        for (unsigned t = 0; t < THREADS; t++)
            assert_int_equal(pthread_join(ids[t], NULL), 0);
        const uint64_t waits = lock_waits;
        assert_true(waits >= 2 * HELD * ROUNDS * THREADS);
        assert_int_equal(waits, stats_now().lock_acquisitions);
        assert_int_equal(heap->ops->check(heap, message, sizeof message), 0);
        close_detached();
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_acquisition_of_a_lock_is_one_wait),
        cmocka_unit_test(it_is_so_with_threads),
        cmocka_unit_test(it_is_so_behind_a_bank),
        cmocka_unit_test(a_zone_waits_in_every_dispatch),
        cmocka_unit_test(a_locked_list_waits_once_a_hit),
        cmocka_unit_test(without_a_lock_there_is_nothing_to_delay),
        cmocka_unit_test(a_list_that_hits_takes_no_lock),
    };
    return cmocka_run_group_tests(tests, count_waits, NULL);
}
