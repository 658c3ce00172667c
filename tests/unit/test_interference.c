/* SPDX-License-Identifier: MIT */
/* What the interference probe makes of looks from both sides of a window and of the time that a
 * window lost: readings made up here, values worked out by hand. Its counts are in test_probes.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probes/interference.h"
#include "probes/probe.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 3, VALUES_MAX = 64 };

static const char *const watched[] = {
    "sentinel_before_ns", "sentinel_after_ns", "sentinel_exchanges", "gaps", "gap_ns",
    "gap_share",          "gap_max_ns",        "steal_share"};

static const struct pb_window windows[WORKERS];

static double value_of(const struct pb_watch *watch, const struct pb_interference *states,
                       unsigned workers, const char *key)
{
    static const struct pb_interference none[WORKERS];
    const struct pb_probe *probe = pb_probe_find("interference");
    struct pb_observation o = {
        .step_workers = 1, .workers = workers, .rate = windows, .watch = watch};
    double values[VALUES_MAX];
    probe->report(&o, states != NULL ? states : none, NULL, values);
    for (size_t i = 0; probe->metrics[i].key != NULL; i++)
        if (strcmp(probe->metrics[i].key, key) == 0)
            return values[i];
    fail_msg("there is no metric %s", key);
    return 0.0;
}

static void assert_near(double got, double expected)
{
    assert_true(fabs(got - expected) <= fabs(expected) * 1e-6 + 1e-12);
}

/* --- from both sides ------------------------------------------------------------------------- */

/* 1 ms on either side of 3 workers: gaps of 50 us and 20 us, and one of 200 us of which 150 us were
 * waiting for a processor. */
static struct pb_pingpong pairs[PB_WATCH_SIDES][WORKERS];
static struct pb_gaps gaps[PB_WATCH_SIDES][WORKERS];

static struct pb_watch made_up(void)
{
    uint64_t us = pb_clock_ticks(1000.0);
    struct pb_watch watch = {.workers = WORKERS, .apart = true};
    pairs[PB_WATCH_BEFORE][0] = (struct pb_pingpong){50.0, 5000};
    pairs[PB_WATCH_BEFORE][1] = (struct pb_pingpong){60.0, 4999};
    pairs[PB_WATCH_AFTER][0] = (struct pb_pingpong){1500.0, 500};
    pairs[PB_WATCH_AFTER][1] = (struct pb_pingpong){55.0, 5000};
    for (int side = 0; side < PB_WATCH_SIDES; side++) {
        for (unsigned i = 0; i < WORKERS; i++)
            gaps[side][i] = (struct pb_gaps){.spun = 1000 * us};
        watch.sides[side].pairs = pairs[side];
        watch.sides[side].gaps = gaps[side];
        watch.sides[side].taken.cpus = WORKERS;
    }
    gaps[PB_WATCH_BEFORE][1] =
        (struct pb_gaps){.spun = 1000 * us, .n = 2, .total = 70 * us, .longest = 50 * us};
    gaps[PB_WATCH_AFTER][2] = (struct pb_gaps){
        .spun = 1000 * us, .n = 1, .total = 200 * us, .longest = 200 * us, .run_wait_ns = 150000};
    watch.sides[PB_WATCH_AFTER].taken.ticks = 1000000 * us; /* a second */
    watch.sides[PB_WATCH_AFTER].taken.jiffies = 3;
    return watch;
}

static void the_worst_pair_and_all_gaps_count(void **state)
{
    (void)state;
    struct pb_watch watch = made_up();
    double us = pb_clock_ns(pb_clock_ticks(1000.0));
    assert_near(value_of(&watch, NULL, WORKERS, "sentinel_before_ns"), 60);
    assert_near(value_of(&watch, NULL, WORKERS, "sentinel_after_ns"), 1500);
    assert_near(value_of(&watch, NULL, WORKERS, "sentinel_exchanges"), 500);
    assert_near(value_of(&watch, NULL, WORKERS, "gaps"), 3);
    assert_near(value_of(&watch, NULL, WORKERS, "gap_ns"), 270 * us - 150000);
    assert_near(value_of(&watch, NULL, WORKERS, "gap_share"), (270 * us - 150000) / (6000 * us));
    assert_near(value_of(&watch, NULL, WORKERS, "gap_max_ns"), 200 * us);
    assert_near(value_of(&watch, NULL, WORKERS, "steal_share"),
                3.0 / (double)sysconf(_SC_CLK_TCK) / (WORKERS * us * 1e-3));
}

static void one_worker_has_no_line_to_pass(void **state)
{
    (void)state;
    struct pb_watch watch = made_up();
    watch.workers = 1;
    assert_true(isnan(value_of(&watch, NULL, 1, "sentinel_before_ns")));
    assert_true(isnan(value_of(&watch, NULL, 1, "sentinel_after_ns")));
    assert_true(isnan(value_of(&watch, NULL, 1, "sentinel_exchanges")));
    assert_near(value_of(&watch, NULL, 1, "gaps"), 0);
    assert_near(value_of(&watch, NULL, 1, "gap_share"), 0);
}

static void where_nobody_looked_nothing_is_said(void **state)
{
    (void)state;
    struct pb_watch watch = made_up();
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
        assert_true(isnan(value_of(NULL, NULL, WORKERS, watched[i])));
    watch.apart = false; /* oversubscribed: what the kernel says was taken is still told */
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
        assert_true(isnan(value_of(&watch, NULL, WORKERS, watched[i])) ==
                    (strcmp(watched[i], "steal_share") != 0));
    watch.sides[PB_WATCH_BEFORE].taken.cpus = watch.sides[PB_WATCH_AFTER].taken.cpus = 0;
    assert_true(isnan(value_of(&watch, NULL, WORKERS, "steal_share")));
}

/* --- in the window --------------------------------------------------------------------------- */

static void what_neither_running_nor_waiting_explains_is_told(void **state)
{
    (void)state;
    uint64_t ticks = pb_clock_ticks(1e8);
    double wall = pb_clock_ns(ticks);
    struct pb_interference states[2] = {
        {{.run_wait_ns = 5}, {.ticks = ticks, .cpu_ns = 90000000, .run_wait_ns = 5 + 6000000}},
        {{.run_wait_ns = 0}, {.ticks = ticks, .cpu_ns = 99000000, .run_wait_ns = 0}}};
    assert_near(value_of(NULL, states, 2, "unexplained_ns"),
                (wall - 90000000 - 6000000) + (wall - 99000000));
    states[0].after.run_wait_ns = 50000000; /* more than it was off: nothing is left, nor less */
    assert_near(value_of(NULL, states, 2, "unexplained_ns"), wall - 99000000);
    states[1].after.voluntary = 1; /* it slept, for nobody knows how long */
    assert_true(isnan(value_of(NULL, states, 2, "unexplained_ns")));
    states[1].after.voluntary = 0;
    states[1].before.run_wait_ns = UINT64_MAX;
    assert_true(isnan(value_of(NULL, states, 2, "unexplained_ns")));
}

int main(void)
{
    pb_clock_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_pair_and_all_gaps_count),
        cmocka_unit_test(one_worker_has_no_line_to_pass),
        cmocka_unit_test(where_nobody_looked_nothing_is_said),
        cmocka_unit_test(what_neither_running_nor_waiting_explains_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
