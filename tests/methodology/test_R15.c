/* SPDX-License-Identifier: MIT */
/* R15: a repetition whose workers ran at once for less than 95 % of the time is flagged, and so is
 * one beside which a cache line took more than twice the best of that placement; what is within
 * both is not. Real oversubscription is methodology.R15_timing's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judged.h"

static struct pb_disturb seen;

/* overlap = 1 - what all of them were off their processors. */
static bool overlap_is_flagged(double off_one, double off_other)
{
    const struct pb_interference states[WORKERS] = {reading(1.0 - off_one, 0.0, 0),
                                                    reading(1.0 - off_other, 0.0, 0)};
    return is_flagged(&seen, states, 50.0, "overlap");
}

static void overlap_below_95_percent_is_flagged(void **state)
{
    (void)state;
    assert_false(overlap_is_flagged(0.0, 0.0));
    assert_false(overlap_is_flagged(0.02, 0.02));
    assert_true(overlap_is_flagged(0.03, 0.03)); /* none of them alone */
    assert_true(overlap_is_flagged(0.5, 0.5));   /* two on one unit */
}

static void a_sentinel_beyond_twice_the_best_is_flagged(void **state)
{
    const struct pb_interference fine[WORKERS] = {reading(1.0, 0.0, 0), reading(1.0, 0.0, 0)};
    (void)state;
    assert_false(is_flagged(&seen, fine, 100.0, NULL));
    assert_true(is_flagged(&seen, fine, 110.0, "sentinel-before"));
    assert_true(is_flagged(&seen, fine, 1800.0, "sentinel-after"));
}

static int learn(void **state)
{
    const struct pb_interference quiet[WORKERS] = {reading(1.0, 0.0, 0), reading(1.0, 0.0, 0)};
    json_t *best = line_with(quiet, 50.0);
    (void)state;
    pb_disturb_learn(&seen, best);
    json_decref(best);
    return seen.n == 1 ? 0 : -1;
}

static int forget(void **state)
{
    (void)state;
    pb_disturb_close(&seen);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlap_below_95_percent_is_flagged),
        cmocka_unit_test(a_sentinel_beyond_twice_the_best_is_flagged),
    };
    pb_clock_open();
    return cmocka_run_group_tests(tests, learn, forget);
}
