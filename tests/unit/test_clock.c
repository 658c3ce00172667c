/* SPDX-License-Identifier: MIT */
/* The clock: one, monotone, and its conversions undo each other. No test asserts how long something
 * took. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/clock.h"

#include <math.h>
#include <string.h>

static void there_is_one_clock(void **state)
{
    (void)state;
    const struct pb_clock *clock = pb_clock_open();
    double rate = clock->ns_per_tick;
    assert_ptr_equal(pb_clock_open(), clock);
    assert_true(clock->ns_per_tick == rate);
}

static void the_source_is_named_and_agrees_with_the_rate(void **state)
{
    (void)state;
    const struct pb_clock *clock = pb_clock_open();
    assert_true(clock->ns_per_tick > 0.0);
    if (strcmp(clock->source, "clock_gettime") == 0)
        assert_true(clock->ns_per_tick == 1.0);
    else
        assert_string_equal(clock->source, "tsc");
}

static void quantum_and_overhead_are_measured(void **state)
{
    (void)state;
    const struct pb_clock *clock = pb_clock_open();
    assert_true(isfinite(clock->quantum_ns) && clock->quantum_ns > 0.0);
    assert_true(isfinite(clock->overhead_ns) && clock->overhead_ns >= 0.0);
    assert_true(clock->overhead_ticks < 4096);
    assert_true(pb_clock_resolution_ns() >= clock->quantum_ns);
    assert_true(isfinite(pb_clock_resolution_ns()));
}

static void readings_never_go_back(void **state)
{
    (void)state;
    pb_clock_open();
    uint64_t last = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t begin = pb_ticks_begin(), end = pb_ticks_end();
        assert_true(begin >= last);
        assert_true(end >= begin);
        last = end;
    }
}

static void ticks_and_ns_undo_each_other(void **state)
{
    (void)state;
    pb_clock_open();
    const uint64_t cases[] = {0, 1, 26, 1000, 123456789, UINT64_C(1) << 40};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(pb_clock_ticks(pb_clock_ns(cases[i])), cases[i]);
    assert_int_equal(pb_clock_ticks(-1.0), 0);
}

/* Between two instants of one clock lie instants of the other: so the rate is the right one, to the
 * width of the brackets. */
static void ticks_count_the_nanoseconds_of_the_system(void **state)
{
    (void)state;
    pb_clock_open();
    uint64_t outer = pb_ticks_begin(), from = pb_ticks_fallback(), inner = pb_ticks_end();
    struct timespec nap = {0, 5000000};
    nanosleep(&nap, NULL);
    uint64_t inner_end = pb_ticks_begin(), to = pb_ticks_fallback(), outer_end = pb_ticks_end();
    double ns = (double)(to - from), slack = ns * 1e-3 + 1000.0;
    assert_true(pb_clock_ns(inner_end - inner) <= ns + slack);
    assert_true(pb_clock_ns(outer_end - outer) >= ns - slack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_one_clock),
        cmocka_unit_test(the_source_is_named_and_agrees_with_the_rate),
        cmocka_unit_test(quantum_and_overhead_are_measured),
        cmocka_unit_test(readings_never_go_back),
        cmocka_unit_test(ticks_and_ns_undo_each_other),
        cmocka_unit_test(ticks_count_the_nanoseconds_of_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
