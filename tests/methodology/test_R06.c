/* SPDX-License-Identifier: MIT */
/* R6: a warm-up is over when the rate of its last windows changes by less than 1 % a window: not on
 * a ramp, up or down, be it as noisy as it may; on a flat rate as soon as there are five. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/steady.h"
#include "engine/window.h"

/* Windows that pass before the verdict; 0: none of them is steady. */
static size_t windows_until_steady(double step, double noise)
{
    double rates[PB_WARM_WINDOWS];
    for (size_t i = 0; i < PB_WARM_WINDOWS; i++)
        rates[i] = 100.0 * (1.0 + step * (double)i) * (1.0 + (i % 2 == 0 ? noise : -noise));
    for (size_t n = 1; n <= PB_WARM_WINDOWS; n++)
        if (pb_steady(rates, n, PB_WARM_SPAN))
            return n;
    return 0;
}

static void a_flat_rate_is_steady_after_five_windows(void **state)
{
    (void)state;
    assert_int_equal(windows_until_steady(0.0, 0.0), 5);
    assert_int_equal(windows_until_steady(0.0, 0.05), 5);
}

static void a_planted_ramp_never_is(void **state)
{
    (void)state;
    assert_int_equal(windows_until_steady(0.03, 0.0), 0);
    assert_int_equal(windows_until_steady(0.05, 0.02), 0);
    assert_int_equal(windows_until_steady(-0.02, 0.0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flat_rate_is_steady_after_five_windows),
        cmocka_unit_test(a_planted_ramp_never_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
