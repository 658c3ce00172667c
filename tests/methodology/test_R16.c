/* SPDX-License-Identifier: MIT */
/* R16: workers begin at one moment; how far apart they began and ended is told, and the rate is
 * that of the time in which all ran. What the start really costs is methodology.R16_timing's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/probe_value.h"
#include "unit/window_script.h"

static double throughput(const struct pb_window *windows, const char *key)
{
    struct pb_observation o = {.step_workers = 1, .workers = WORKERS, .rate = windows};
    return value_of("throughput", &o, NULL, NULL, key);
}

/* Two workers at a step each 10 ticks, the second 100 ticks late and with ten times as much to do.
 */
static void the_rate_is_that_of_the_common_window(void **state)
{
    static const struct pb_window windows[WORKERS] = {
        {.go = 0, .begun = 1000, .ended = 2000, .steps = 100},
        {.go = 0, .begun = 1100, .ended = 11100, .steps = 1000},
    };
    const double tick = pb_clock_ns(1), all = 1100.0 / ((11100 - 1000) * tick) * 1e9;
    (void)state;
    assert_near(throughput(windows, "start_skew_ns"), 100 * tick);
    assert_near(throughput(windows, "stop_skew_ns"), 9100 * tick);
    assert_near(throughput(windows, "common_share"), 900.0 / 10000.0);
    assert_near(throughput(windows, "ops_per_s"), 2.0 / (10 * tick) * 1e9);
    /* planted: all steps over the time from the first start to the last end */
    assert_true(throughput(windows, "ops_per_s") > 1.5 * all);
}

static bool begin_together(const struct pb_window *windows)
{
    return windows[0].go == windows[1].go && windows[0].begun >= windows[0].go &&
           windows[1].begun >= windows[1].go;
}

static void workers_wait_for_one_moment_of_the_clock(void **state)
{
    struct pb_session session = {0};
    (void)state;
    open_session(&session, WORKERS);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pb_session_run(&session, PB_PHASE_RATE, &loop, UINT64_MAX), 0);
        assert_true(begin_together(session.windows[PB_PHASE_RATE]));
    }
    struct pb_window planted[WORKERS] = {session.windows[PB_PHASE_RATE][0],
                                         session.windows[PB_PHASE_RATE][1]};
    planted[1].begun = planted[1].go - 1;
    assert_false(begin_together(planted));
    close_session(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_is_that_of_the_common_window),
        cmocka_unit_test(workers_wait_for_one_moment_of_the_clock),
    };
    pb_clock_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
