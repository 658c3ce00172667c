/* SPDX-License-Identifier: MIT */
/* The open loop, on a clock that moves when it is read and when a step is run. Methodology R17, as
 * it stands there, is methodology/test_R17.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/window_internal.h"
#include "stall_script.h"

#include <math.h>

/* Of a fixed schedule 100 steps come due in a stall, and all but the one that stalls are late; a
 * step takes 5 us with the readings around it, so that few more are. */
static void steps_that_were_due_before_their_worker_was_free_are_late(void **state)
{
    (void)state;
    struct pb_session session = {.arrival = {.rate = 10000.0}, .now = fake_now};
    fake_ns = 0;
    stall_at = 20 * MS;
    open_session(&session, 1);
    scripts[0].steps = 1000;
    pb_session_run(&session, PB_PHASE_OPEN, &stalling, UINT64_MAX);
    assert_in_range(session.windows[PB_PHASE_OPEN][0].late, 102, 108);
    assert_in_range(session.open_hists[0].max, 10 * MS, 10 * MS + 100 * US);
    assert_int_equal(session.windows[PB_PHASE_OPEN][0].steps, 1000);
    close_session(&session);
}

/* Of 1000 steps, 100 us apart, the last one ends some microseconds after it is due. */
static void a_schedule_that_is_kept_takes_its_own_time(void **state)
{
    struct pb_session session = {.arrival = {.rate = 10000.0}, .now = fake_now};
    (void)state;
    fake_ns = 0;
    stall_at = UINT64_MAX;
    open_session(&session, 1);
    scripts[0].steps = 1000;
    pb_session_run(&session, PB_PHASE_OPEN, &stalling, UINT64_MAX);
    const struct pb_window *w = &session.windows[PB_PHASE_OPEN][0];
    /* of the made-up clock: no machine's pace is in it */
    assert_true(w->due_last - w->due_first >= pb_clock_ticks(999 * 100.0 * US - 1000));
    assert_true(w->due_last - w->due_first <= pb_clock_ticks(999 * 100.0 * US + 1000));
    assert_true(w->over > w->due_last && w->over <= w->due_last + pb_clock_ticks(20.0 * US));
    close_session(&session);
}

/* The first gap of a Poisson process is as any other: of 32, some are longer than the mean. */
static void the_first_moment_is_drawn_as_the_others(void **state)
{
    enum { FIRST = 1 << 16, SEEDS = 16 };
    (void)state;
    for (int poisson = 0; poisson < 2; poisson++) {
        struct pb_session session = {.arrival = {.rate = 10000.0, .poisson = poisson != 0}};
        double mean = 100.0 * US * 256 / pb_clock_ns(1);
        unsigned longer = 0;
        open_session(&session, 2);
        for (session.seed = 0; session.seed < SEEDS; session.seed++) {
            assert_int_equal(pb_prepare_open(&session, &arena), 0);
            for (unsigned i = 0; i < 2; i++)
                longer += (double)session.moments[i][FIRST] > mean;
        }
        assert_true(poisson ? longer > 0 && longer < 2 * SEEDS : longer == 0);
        close_session(&session);
    }
}

/* 100 ms of steps that take longer than the time between two: the queue only grows. */
static void a_rate_that_cannot_be_kept_up_is_seen(void **state)
{
    struct pb_session session = {.arrival = {.rate = 2e6}, .now = fake_now};
    (void)state;
    fake_ns = 0;
    stall_at = UINT64_MAX;
    open_session(&session, 1);
    scripts[0].steps = 10000;
    pb_session_run(&session, PB_PHASE_OPEN, &stalling, UINT64_MAX);
    const struct pb_window *w = &session.windows[PB_PHASE_OPEN][0];
    assert_true(w->late > 9990);
    assert_true(w->over - w->due_first > 5 * (w->due_last - w->due_first));
    assert_true(session.open_hists[0].max > 5 * MS);
    close_session(&session);
}

static void moments_have_the_rate_asked_for(void **state)
{
    enum { DRAWN = 60000 };
    (void)state;
    for (int poisson = 0; poisson < 2; poisson++) {
        struct pb_session session = {.arrival = {.rate = 10000.0, .poisson = poisson != 0}};
        double mean = pb_clock_ns(1) / 256, sum = 0.0, squares = 0.0;
        open_session(&session, 2);
        for (size_t i = 0; i < DRAWN; i++) {
            double ns = (double)session.moments[0][i] * mean;
            sum += ns;
            squares += ns * ns;
        }
        double average = sum / DRAWN,
               deviation = sqrt(fmax(squares / DRAWN - average * average, 0.0));
        assert_true(fabs(average - 100.0 * US) < (poisson ? 2000.0 : 1.0));
        assert_true(fabs(deviation / average - poisson) < 0.03); /* exponential: as the mean */
        if (poisson)
            assert_memory_not_equal(session.moments[0], session.moments[1], 64);
        close_session(&session);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_that_were_due_before_their_worker_was_free_are_late),
        cmocka_unit_test(a_rate_that_cannot_be_kept_up_is_seen),
        cmocka_unit_test(a_schedule_that_is_kept_takes_its_own_time),
        cmocka_unit_test(the_first_moment_is_drawn_as_the_others),
        cmocka_unit_test(moments_have_the_rate_asked_for),
    };
    pb_clock_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
