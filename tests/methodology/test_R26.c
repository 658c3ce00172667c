/* SPDX-License-Identifier: MIT */
/* R26: the causal knob: the slope of a whole over a planted delay is the number of its waits. null
 * has none in either path, so its slope is 0; a strategy with a lock has one an acquisition, a slow
 * path one a miss. Waits are counted here; slopes in time are methodology.R26_timing's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/path_fixture.h"

/* Waits in locks and acquisitions that the strategy counts, over MANY allocations and frees. */
static void count(const char *variant, uint64_t *waits, uint64_t *acquisitions)
{
    assert_true(open_delayed(variant, BLOCK, SLOW_NS, LOCK_NS));
    churn(BLOCK);
    *waits = lock_waits; /* to ask for counters is to wait as well */
    *acquisitions = stats_now().lock_acquisitions;
    close_delayed();
}

static void the_slope_of_null_is_0(void **state)
{
    uint64_t waits, acquisitions;
    (void)state;
    count("null", &waits, &acquisitions);
    assert_int_equal(waits, 0);
    assert_int_equal(slow_waits, 0);
}

static const char *const locked[] = {"zone:lock=fas", "zone:lock=mcs",
                                     "pool:lists=off,shared_lists=off"};

static void a_lock_is_waited_in_once_an_acquisition(void **state)
{
    uint64_t waits, acquisitions;
    (void)state;
    for (size_t i = 0; i < sizeof locked / sizeof *locked; i++) {
        count(locked[i], &waits, &acquisitions);
        if (waits != acquisitions || waits < MANY)
            fail_msg("%s: %llu waits, %llu acquisitions", locked[i], (unsigned long long)waits,
                     (unsigned long long)acquisitions);
    }
}

/* A site without the delay: each tenth wait does not come to be. */
static void forgetful_wait(uint64_t ns)
{
    static uint64_t n;
    if (++n % 10 != 0)
        counting_wait(ns);
}

static void a_planted_site_without_the_delay_is_found(void **state)
{
    uint64_t waits, acquisitions;
    (void)state;
    pb_path_wait = forgetful_wait;
    for (size_t i = 0; i < sizeof locked / sizeof *locked; i++) {
        count(locked[i], &waits, &acquisitions);
        assert_true(waits < acquisitions);
    }
    pb_path_wait = counting_wait;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slope_of_null_is_0),
        cmocka_unit_test(a_lock_is_waited_in_once_an_acquisition),
        cmocka_unit_test(a_planted_site_without_the_delay_is_found),
    };
    return cmocka_run_group_tests(tests, count_waits, NULL);
}
