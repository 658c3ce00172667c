/* SPDX-License-Identifier: MIT */
/* The verdict on a warm-up, on rates made up here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/steady.h"

#include <math.h>

enum { N = 40, SPAN = 5 };

static void ramp(double *rates, double step)
{
    for (size_t i = 0; i < N; i++)
        rates[i] = 100.0 * (1.0 + step * (double)i);
}

static void a_flat_rate_is_steady_as_soon_as_there_are_enough(void **state)
{
    double rates[N];
    (void)state;
    ramp(rates, 0.0);
    for (size_t n = 0; n <= N; n++)
        assert_int_equal(pb_steady(rates, n, SPAN), n >= SPAN);
}

static void a_ramp_is_never_steady_up_or_down(void **state)
{
    double rates[N];
    (void)state;
    for (int down = 0; down < 2; down++) {
        ramp(rates, down ? -0.02 : 0.05);
        for (size_t n = SPAN; n <= N / 2; n++)
            assert_false(pb_steady(rates, n, SPAN));
    }
}

static void the_limit_is_one_percent_of_the_mean_a_window(void **state)
{
    double rates[SPAN];
    (void)state;
    for (size_t i = 0; i < SPAN; i++)
        rates[i] = 100.0 + 0.99 * ((double)i - 2.0);
    assert_true(pb_steady(rates, SPAN, SPAN));
    for (size_t i = 0; i < SPAN; i++)
        rates[i] = 100.0 - 1.01 * ((double)i - 2.0);
    assert_false(pb_steady(rates, SPAN, SPAN));
}

static void only_the_last_windows_count(void **state)
{
    double rates[N];
    (void)state;
    for (size_t i = 0; i < N; i++) /* saturates at the tenth */
        rates[i] = i < 10 ? 10.0 * (double)(i + 1) : 100.0;
    for (size_t n = SPAN; n <= N; n++)
        assert_int_equal(pb_steady(rates, n, SPAN), n >= 9 + SPAN);
}

static void noise_without_a_trend_is_steady(void **state)
{
    static const double rates[SPAN] = {100, 90, 110, 90, 100};
    (void)state;
    assert_true(pb_steady(rates, SPAN, SPAN));
}

static void two_replays_may_be_one_percent_apart(void **state)
{
    static const double close[] = {1.0, 100.0, 100.9}, apart[] = {100.0, 100.0, 101.2};
    (void)state;
    assert_true(pb_steady(close, 3, 2));
    assert_false(pb_steady(apart, 3, 2));
}

static void nothing_is_steady_that_does_not_run(void **state)
{
    static const double none[SPAN] = {0}, odd[SPAN] = {1, 1, (double)NAN, 1, 1};
    (void)state;
    assert_false(pb_steady(none, SPAN, SPAN));
    assert_false(pb_steady(odd, SPAN, SPAN));
    assert_false(pb_steady(none, SPAN, 0));
    assert_false(pb_steady(none, SPAN, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flat_rate_is_steady_as_soon_as_there_are_enough),
        cmocka_unit_test(a_ramp_is_never_steady_up_or_down),
        cmocka_unit_test(the_limit_is_one_percent_of_the_mean_a_window),
        cmocka_unit_test(only_the_last_windows_count),
        cmocka_unit_test(noise_without_a_trend_is_steady),
        cmocka_unit_test(two_replays_may_be_one_percent_apart),
        cmocka_unit_test(nothing_is_steady_that_does_not_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
