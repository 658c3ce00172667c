/* SPDX-License-Identifier: MIT */
/* R17: at 10,000 steps a second with a stall of 10 ms in each, an open loop's p99.5 is 5 ms or
 * more, as the steps that had to wait are charged from the moments that they were due; a closed
 * loop's p99.5 is what it is without. On a clock made up for it; the double `stall` on a real one
 * is methodology.R17_timing's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/stall_script.h"

#include <math.h>

enum { SECONDS = 3 };

static struct pb_hist merged;

/* Three seconds at 10,000 steps a second, with a stall a second or none. */
static double open_p995(bool poisson, bool stalls, struct pb_session *session)
{
    *session =
        (struct pb_session){.arrival = {.rate = 10000.0, .poisson = poisson}, .now = fake_now};
    fake_ns = 0;
    stall_at = stalls ? 500 * MS : UINT64_MAX;
    open_session(session, 1);
    scripts[0].steps = SECONDS * 10000;
    pb_session_run(session, PB_PHASE_OPEN, &stalling, UINT64_MAX);
    assert_int_equal(session->open_hists[0].n, SECONDS * 10000);
    double p995 = (double)pb_hist_value_at(&session->open_hists[0], 0.995);
    close_session(session);
    return p995;
}

static double closed_p995(bool stalls)
{
    struct pb_session session = {.sample_gap = 1};
    fake_ns = 0;
    stall_at = stalls ? 5 * MS : UINT64_MAX;
    open_session(&session, 1);
    scripts[0].steps = SECONDS * 10000;
    pb_session_run(&session, PB_PHASE_TAIL, &stalling, UINT64_MAX);
    pb_hist_clear(&merged);
    pb_hist_merge(&merged, &session.samples[0].kinds[PB_KIND_ALLOC_HIT][0]);
    pb_hist_merge(&merged, &session.samples[0].kinds[PB_KIND_ALLOC_HIT][1]);
    assert_int_equal(merged.n, SECONDS * 10000);
    assert_int_equal(merged.max > 9 * MS, stalls);
    close_session(&session);
    return (double)pb_hist_value_at(&merged, 0.995);
}

static void a_stall_a_second_is_seen_by_the_open_loop_and_not_by_the_closed(void **state)
{
    struct pb_session session;
    (void)state;
    for (int poisson = 0; poisson < 2; poisson++) {
        double without = open_p995(poisson != 0, false, &session);
        double with = open_p995(poisson != 0, true, &session);
        assert_true(without < 20.0 * US);
        assert_true(with >= 5.0 * MS && with <= 10.1 * MS);
    }
    assert_true(fabs(closed_p995(true) - closed_p995(false)) < 1.0);
    assert_true(closed_p995(true) < 5.0 * MS); /* planted: timed from where each step began */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stall_a_second_is_seen_by_the_open_loop_and_not_by_the_closed),
    };
    pb_clock_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
