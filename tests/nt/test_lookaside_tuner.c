/* SPDX-License-Identifier: MIT */
/* Section C5, adaptive depth: which lists are adjusted, by what, and when. Time is a clock that the
 * test turns. The rule itself: test_tuning.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/fake_clock.h"
#include "nt/nt_test.h"
#include <poolbench/nt/lookaside.h>

#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum { BLOCKS = 64, BLOCK = 64, PERIOD = 1000 };

/* An owner's memory. */
static struct {
    _Alignas(16) unsigned char memory[BLOCKS][BLOCK];
    PVOID free[BLOCKS];
    unsigned n;
} owner;

static PVOID owner_allocate(POOL_TYPE type, SIZE_T bytes, ULONG tag)
{
    (void)type, (void)bytes, (void)tag;
    return owner.n > 0 ? owner.free[--owner.n] : NULL;
}

static void owner_free(PVOID block)
{
    owner.free[owner.n++] = block;
}

static NPAGED_LOOKASIDE_LIST npaged;
static PAGED_LOOKASIDE_LIST paged;

static void make_lists(USHORT depth)
{
    for (owner.n = 0; owner.n < BLOCKS; owner.n++)
        owner.free[owner.n] = owner.memory[owner.n];
    ExInitializeNPagedLookasideList(&npaged, owner_allocate, owner_free, 0, BLOCK, 0, depth);
    ExInitializePagedLookasideList(&paged, owner_allocate, owner_free, 0, BLOCK, 0, depth);
}

static void end_lists(void)
{
    ExDeleteNPagedLookasideList(&npaged);
    ExDeletePagedLookasideList(&paged);
    assert_int_equal(owner.n, BLOCKS);
}

/* So many blocks out of the nonpaged list and back again, some rounds long. */
static void use(unsigned blocks, unsigned rounds)
{
    PVOID taken[BLOCKS];
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < blocks; i++)
            taken[i] = ExAllocateFromNPagedLookasideList(&npaged);
        for (unsigned i = 0; i < blocks; i++)
            ExFreeToNPagedLookasideList(&npaged, taken[i]);
    }
}

static const struct pb_tuning usual = {PERIOD, 25, 10, 50, 30, 4};

static void the_rule_begins_with_the_documented_defaults(void **state)
{
    struct pb_tuning tuning;
    (void)state;
    pb_tuner_get(&tuning);
    assert_memory_equal(&tuning, &usual, sizeof tuning);
}

static void an_adjustment_follows_allocations_and_misses_since_the_last(void **state)
{
    (void)state;
    make_lists(0);
    use(32, 4); /* 128 allocations, 4 hits a round but the first */
    assert_int_equal(npaged.L.TotalAllocates, 128);
    assert_int_equal(npaged.L.AllocateMisses, 116);
    unsigned expected = pb_tuning_depth(&usual, 4, 256, 128, 116);
    ExAdjustLookasideDepth();
    assert_int_equal(npaged.L.Depth, expected);
    assert_true(expected > 4);
    assert_int_equal(npaged.L.LastTotalAllocates, 128);
    assert_int_equal(npaged.L.LastAllocateMisses, 116);
    assert_int_equal(paged.L.Depth, 4); /* idle, and on the floor */
    use(32, 2);
    expected = pb_tuning_depth(&usual, expected, 256, 64, npaged.L.AllocateMisses - 116);
    ExAdjustLookasideDepth();
    assert_int_equal(npaged.L.Depth, expected);
    end_lists();
}

static void depth_stays_within_4_and_256(void **state)
{
    (void)state;
    make_lists(0);
    for (unsigned i = 0; i < 40; i++) {
        npaged.L.TotalAllocates += 1000;
        npaged.L.AllocateMisses += 1000;
        ExAdjustLookasideDepth();
        assert_true(npaged.L.Depth <= 256);
    }
    assert_int_equal(npaged.L.Depth, 256);
    for (unsigned i = 0; i < 40; i++)
        ExAdjustLookasideDepth();
    assert_int_equal(npaged.L.Depth, 4);
    end_lists();
}

static void a_lowered_depth_frees_nothing_by_itself(void **state)
{
    (void)state;
    make_lists(0);
    npaged.L.Depth = 30;
    use(30, 1);
    assert_int_equal(ExQueryDepthSList(&npaged.L.ListHead), 30);
    for (unsigned i = 0; i < 5; i++) {
        npaged.L.LastTotalAllocates = npaged.L.TotalAllocates; /* idle */
        ExAdjustLookasideDepth();
    }
    assert_int_equal(npaged.L.Depth, 4);
    assert_int_equal(ExQueryDepthSList(&npaged.L.ListHead), 30);
    use(1, 1); /* one leaves, as the list is full when it comes back */
    assert_int_equal(ExQueryDepthSList(&npaged.L.ListHead), 29);
    use(30, 1);
    assert_int_equal(ExQueryDepthSList(&npaged.L.ListHead), 4);
    end_lists();
}

static void a_fixed_list_is_left_alone(void **state)
{
    (void)state;
    make_lists(20);
    use(32, 4);
    ExAdjustLookasideDepth();
    ExAdjustLookasideDepth();
    assert_int_equal(npaged.L.Depth, 20);
    assert_int_equal(paged.L.Depth, 20);
    assert_int_equal(npaged.L.LastTotalAllocates, 0);
    end_lists();
}

static void a_count_that_was_set_back_is_no_use(void **state)
{
    (void)state;
    make_lists(0);
    npaged.L.Depth = 100;
    npaged.L.LastTotalAllocates = 5000;
    npaged.L.TotalAllocates = 4000;
    ExAdjustLookasideDepth();
    assert_int_equal(npaged.L.Depth, 90);
    npaged.L.LastTotalAllocates = UINT32_MAX - 99; /* and one that wrapped is */
    npaged.L.TotalAllocates = 100;
    npaged.L.LastAllocateMisses = UINT32_MAX - 99;
    npaged.L.AllocateMisses = 100;
    ExAdjustLookasideDepth();
    assert_int_equal(npaged.L.Depth, pb_tuning_depth(&usual, 90, 256, 200, 200));
    end_lists();
}

/* What was called by the tuner. */
static struct seen {
    _Atomic unsigned calls;
    uint64_t period_ms;
} first, second;

static void see(void *context, const struct pb_tuning *tuning)
{
    struct seen *seen = context;
    seen->period_ms = tuning->period_ms;
    atomic_fetch_add_explicit(&seen->calls, 1, memory_order_release);
}

static unsigned calls_of(struct seen *seen)
{
    return atomic_load_explicit(&seen->calls, memory_order_acquire);
}

static void what_is_registered_is_adjusted_too(void **state)
{
    static struct seen many[PB_TUNER_REGISTERED];
    unsigned room = 0;
    (void)state;
    while (room < PB_TUNER_REGISTERED && pb_tuner_register(see, &many[room]) == 0)
        room++;
    assert_int_equal(pb_tuner_register(see, &first), -ENOSPC);
    ExAdjustLookasideDepth();
    for (unsigned i = 0; i < room; i++) {
        assert_int_equal(calls_of(&many[i]), 1);
        assert_int_equal(many[i].period_ms, PERIOD);
    }
    for (unsigned i = 1; i < room; i++)
        pb_tuner_unregister(see, &many[i]);
    pb_tuner_unregister(see, &first); /* was not */
    ExAdjustLookasideDepth();
    assert_int_equal(calls_of(&many[0]), 2);
    assert_int_equal(calls_of(&many[1]), 1);
    pb_tuner_unregister(see, &many[0]);
}

static void the_tuner_adjusts_each_period_and_not_before(void **state)
{
    (void)state;
    make_lists(0);
    assert_int_equal(PbStartLookasideTuner(), 0);
    assert_int_equal(PbStartLookasideTuner(), -EALREADY);
    npaged.L.Depth = 100;
    fake_clock_advance(PERIOD - 1);
    assert_int_equal(npaged.L.Depth, 100);
    fake_clock_advance(1);
    assert_int_equal(npaged.L.Depth, 90);
    fake_clock_advance(PERIOD);
    assert_int_equal(npaged.L.Depth, 80);
    fake_clock_advance(10 * PERIOD + 1); /* slept through: not made up for */
    assert_int_equal(npaged.L.Depth, 70);
    PbStopLookasideTuner();
    PbStopLookasideTuner();
    assert_int_equal(npaged.L.Depth, 70);
    assert_int_equal(PbStartLookasideTuner(), 0);
    fake_clock_advance(PERIOD);
    assert_int_equal(npaged.L.Depth, 60);
    PbStopLookasideTuner();
    end_lists();
}

static void a_rule_that_is_set_is_the_tuner_s(void **state)
{
    struct pb_tuning other = usual;
    (void)state;
    make_lists(0);
    other.period_ms = 10;
    other.decay_idle = 1;
    pb_tuner_set(&other);
    npaged.L.Depth = 100;
    assert_int_equal(PbStartLookasideTuner(), 0);
    fake_clock_advance(10);
    assert_int_equal(npaged.L.Depth, 99);
    fake_clock_advance(10);
    assert_int_equal(npaged.L.Depth, 98);
    PbStopLookasideTuner();
    pb_tuner_set(&usual);
    end_lists();
}

static void a_deleted_list_is_not_touched(void **state)
{
    (void)state;
    make_lists(0);
    assert_int_equal(PbStartLookasideTuner(), 0);
    fake_clock_advance(PERIOD);
    end_lists();
    memset(&npaged, 0xa5, sizeof npaged);
    memset(&paged, 0xa5, sizeof paged);
    fake_clock_advance(PERIOD);
    assert_int_equal(npaged.L.Depth, 0xa5a5);
    assert_int_equal(paged.L.LastTotalAllocates, 0xa5a5a5a5);
    PbStopLookasideTuner();
}

static void each_job_has_its_own_period(void **state)
{
    struct pb_tuner_job slow = {.adjust = see, .context = &first};
    struct pb_tuner_job quick = {.adjust = see, .context = &second};
    struct pb_tuning often = usual;
    (void)state;
    often.period_ms = 300;
    first.calls = second.calls = 0;
    assert_int_equal(pb_tuner_start(&slow, &usual), 0);
    assert_int_equal(pb_tuner_start(&quick, &often), 0);
    assert_int_equal(pb_tuner_start(&quick, &often), -EALREADY);
    assert_int_equal(pb_tuner_set_clock(NULL), -EBUSY);
    for (unsigned i = 0; i < 10; i++)
        fake_clock_advance(100);
    assert_int_equal(calls_of(&first), 1);
    assert_int_equal(calls_of(&second), 3);
    assert_int_equal(first.period_ms, 1000);
    assert_int_equal(second.period_ms, 300);
    pb_tuner_stop(&quick);
    fake_clock_advance(1000);
    assert_int_equal(calls_of(&first), 2);
    assert_int_equal(calls_of(&second), 3);
    pb_tuner_stop(&slow);
}

/* The one test that waits: for three calls, however long they take. */
static void the_system_s_clock_serves_as_well(void **state)
{
    struct pb_tuner_job job = {.adjust = see, .context = &first};
    struct pb_tuning often = usual;
    const struct timespec nap = {0, 1000000};
    (void)state;
    assert_int_equal(pb_tuner_set_clock(NULL), 0);
    often.period_ms = 1;
    first.calls = 0;
    assert_int_equal(pb_tuner_start(&job, &often), 0);
    while (calls_of(&first) < 3)
        nanosleep(&nap, NULL);
    pb_tuner_stop(&job);
    unsigned calls = calls_of(&first);
    nanosleep(&nap, NULL);
    assert_int_equal(calls_of(&first), calls);
    often.period_ms = 3600000; /* and a stop does not wait for it */
    assert_int_equal(pb_tuner_start(&job, &often), 0);
    pb_tuner_stop(&job);
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
        nt_test("C5: period 1 s, floor 4, miss target 0.5 %",
                the_rule_begins_with_the_documented_defaults),
        nt_test("C5: A and M are counted since the last adjustment",
                an_adjustment_follows_allocations_and_misses_since_the_last),
        nt_test("C5: the depth stays within 4 and 256", depth_stays_within_4_and_256),
        nt_test("C5, H4: a lowered depth frees nothing; the surplus leaves by later frees",
                a_lowered_depth_frees_nothing_by_itself),
        nt_test("C2, C5: a fixed depth is not tuned", a_fixed_list_is_left_alone),
        nt_test("C3, C5: a lost count is not taken for use", a_count_that_was_set_back_is_no_use),
        nt_test("C5: what is registered is adjusted with the chains",
                what_is_registered_is_adjusted_too),
        nt_test("C5: the tuner wakes each period", the_tuner_adjusts_each_period_and_not_before),
        nt_test("C5: every constant of the rule can be set", a_rule_that_is_set_is_the_tuner_s),
        nt_test("C4, C5: a deleted list is not touched", a_deleted_list_is_not_touched),
        nt_test("C5: jobs have periods of their own", each_job_has_its_own_period),
        nt_test("C5: the system's clock", the_system_s_clock_serves_as_well),
    };
    return cmocka_run_group_tests_name("lookaside tuner", tests, install, NULL);
}
