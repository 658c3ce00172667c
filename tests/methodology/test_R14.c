/* SPDX-License-Identifier: MIT */
/* R14: a repetition beside a spinner is flagged, and a quiet one is not: readings as the kernel
 * gives them, made up here. A real spinner is methodology.R14_timing's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judged.h"

static const struct pb_disturb nothing_seen;

static void a_quiet_repetition_is_not_flagged(void **state)
{
    const struct pb_interference quiet[WORKERS] = {reading(1.0, 0.0, 0), reading(0.999, 0.001, 1)};
    (void)state;
    assert_false(is_flagged(&nothing_seen, quiet, 60.0, NULL));
}

static void a_planted_spinner_is_flagged(void **state)
{
    const struct pb_interference beside[WORKERS] = {reading(1.0, 0.0, 0), reading(0.5, 0.5, 25)};
    (void)state;
    assert_true(is_flagged(&nothing_seen, beside, 60.0, "run-wait"));
    assert_true(is_flagged(&nothing_seen, beside, 60.0, "overlap"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_repetition_is_not_flagged),
        cmocka_unit_test(a_planted_spinner_is_flagged),
    };
    pb_clock_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
