/* SPDX-License-Identifier: MIT */
/* C5: the rule by which a lookaside list's depth follows its use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/tuning.h"

#include <stdbool.h>

static const struct pb_tuning standard = {.period_ms = 1000,
                                          .min_activity = 25,
                                          .decay_idle = 10,
                                          .miss_target = 50,
                                          .max_step = 30,
                                          .floor = 4};

static struct pb_tuning with(uint64_t min_activity, uint64_t decay_idle, uint64_t miss_target,
                             uint64_t max_step, uint64_t lowest)
{
    return (struct pb_tuning){1000, min_activity, decay_idle, miss_target, max_step, lowest};
}

struct row {
    unsigned depth, maximum;
    uint64_t allocates, misses;
    unsigned next;
};

static void check(const struct pb_tuning *tuning, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned next = pb_tuning_depth(tuning, rows[i].depth, rows[i].maximum, rows[i].allocates,
                                        rows[i].misses);
        if (next != rows[i].next)
            fail_msg("row %zu: %u, not %u", i, next, rows[i].next);
    }
}

#define CHECK(tuning, rows) check(tuning, rows, sizeof(rows) / sizeof *(rows))

static void an_idle_list_loses_decay_idle_down_to_the_floor(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {100, 256, 0, 0, 90}, {100, 256, 24, 24, 90}, {14, 256, 0, 0, 4},
        {13, 256, 0, 0, 4},   {4, 256, 0, 0, 4},      {3, 256, 0, 0, 4},
    };
    CHECK(&standard, rows);
}

static void a_list_that_seldom_misses_loses_one(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {100, 256, 25, 0, 99},    {100, 256, 1000, 4, 99}, /* 0.4 % */
        {100, 256, 1000, 5, 101}, /* 0.5 %: the target is not below itself */
        {4, 256, 1000, 0, 4},     {256, 256, 1000, 0, 255},
    };
    CHECK(&standard, rows);
}

static void a_list_that_misses_gains_its_share_of_the_room_within_bounds(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {4, 256, 1000, 1000, 34},   /* all of 252, at most 30 */
        {4, 256, 1000, 100, 29},    /* a tenth of 252 */
        {56, 256, 1000, 50, 66},    /* a twentieth of 200 */
        {4, 256, 1000, 6, 5},       /* 1.5 */
        {250, 256, 1000, 100, 251}, /* 0.6: at least one */
        {250, 256, 1000, 1000, 256}, {256, 256, 1000, 1000, 256},
        {300, 256, 1000, 1000, 256}, /* above the list's own maximum */
    };
    CHECK(&standard, rows);
}

static void extremes_of_the_options_and_of_the_counts_do_not_overflow(void **state)
{
    (void)state;
    const struct pb_tuning never_idle = with(0, 10, 50, 30, 4);
    static const struct row quiet[] = {{100, 256, 0, 0, 99}};
    CHECK(&never_idle, quiet);
    const struct pb_tuning bold = with(0, 32768, 10000, 32768, 1);
    static const struct row huge[] = {
        {4, 32768, UINT64_MAX, UINT64_MAX, 32768},
        {4, 32768, UINT64_MAX, UINT64_MAX / 2, 3}, /* below a target of every one */
        {4, 32768, 1000, 1000, 32768},
        {32768, 32768, 1000, 1000, 32768},
    };
    CHECK(&bold, huge);
    const struct pb_tuning lazy = with(1000000000, 32768, 0, 1, 1);
    static const struct row idle[] = {{32768, 32768, 999999999, 999999999, 1},
                                      {7, 32768, 1000000000, 1000000000, 8}};
    CHECK(&lazy, idle);
}

static void more_misses_than_allocations_count_as_all(void **state)
{
    (void)state;
    assert_int_equal(pb_tuning_depth(&standard, 50, 256, 100, 1000),
                     pb_tuning_depth(&standard, 50, 256, 100, 100));
}

static void the_maximum_wins_over_the_floor(void **state)
{
    (void)state;
    const struct pb_tuning tuning = with(25, 10, 50, 30, 64);
    assert_int_equal(pb_tuning_depth(&tuning, 8, 16, 0, 0), 16);
    assert_int_equal(pb_tuning_depth(&tuning, 8, 16, 1000, 1000), 16);
}

static void depth_stays_within_floor_and_maximum_and_never_falls_as_misses_rise(void **state)
{
    (void)state;
    bool within = true, rises = true, steps = true;
    for (unsigned depth = 4; depth <= 256; depth++)
        for (uint64_t allocates = 25; allocates <= 2000; allocates = allocates * 3 / 2)
            for (uint64_t misses = 0, before = 0; misses <= allocates; misses++) {
                unsigned next = pb_tuning_depth(&standard, depth, 256, allocates, misses);
                within = within && next >= 4 && next <= 256;
                rises = rises && next >= before;
                steps = steps && next + 1 >= depth && next <= depth + 30;
                before = next;
            }
    assert_true(within);
    assert_true(rises);
    assert_true(steps);
}

static void a_list_with_a_steady_load_settles_and_an_idle_one_returns_to_the_floor(void **state)
{
    (void)state;
    unsigned depth = 4;
    for (unsigned period = 0; period < 20; period++) /* misses for as long as depth is below 100 */
        depth = pb_tuning_depth(&standard, depth, 256, 10000, depth < 100 ? 2000 : 0);
    assert_true(depth >= 99 && depth <= 130);
    for (unsigned period = 0; period < 26; period++)
        depth = pb_tuning_depth(&standard, depth, 256, 0, 0);
    assert_int_equal(depth, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_list_loses_decay_idle_down_to_the_floor),
        cmocka_unit_test(a_list_that_seldom_misses_loses_one),
        cmocka_unit_test(a_list_that_misses_gains_its_share_of_the_room_within_bounds),
        cmocka_unit_test(extremes_of_the_options_and_of_the_counts_do_not_overflow),
        cmocka_unit_test(more_misses_than_allocations_count_as_all),
        cmocka_unit_test(the_maximum_wins_over_the_floor),
        cmocka_unit_test(depth_stays_within_floor_and_maximum_and_never_falls_as_misses_rise),
        cmocka_unit_test(a_list_with_a_steady_load_settles_and_an_idle_one_returns_to_the_floor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
