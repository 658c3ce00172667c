/* SPDX-License-Identifier: MIT */
/* The open loop, on a clock that moves when it is read and when a step is run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/window_internal.h"
#include "window_script.h"

#include <math.h>

enum { SECONDS = 3 };

static struct pb_hist merged;

static uint64_t fake_ns;  /* the clock */
static uint64_t stall_at; /* the next step from then on takes 10 ms; UINT64_MAX: never */

/* A reading takes 2 us: a wait is short. */
static uint64_t fake_now(void)
{
    fake_ns += 2 * US;
    return pb_clock_ticks((double)fake_ns);
}

/* 1 us, and one a second 10 ms. */
static uint64_t fake_step(void)
{
    uint64_t ns = US;
    if (fake_ns >= stall_at) {
        stall_at += 1000 * MS;
        ns = 10 * MS;
    }
    fake_ns += ns;
    return ns;
}

static uint64_t stalling_run(struct pb_worker *worker, uint64_t steps)
{
    struct script *script = worker->cursor;
    for (uint64_t i = 0; i < steps; i++)
        fake_step();
    script->done += steps;
    return steps;
}

static uint64_t stalling_timed(struct pb_worker *worker, struct pb_timing *timing)
{
    struct script *script = worker->cursor;
    script->done++;
    *timing = (struct pb_timing){.made = PB_TIMED_ALLOC,
                                 .alloc_ticks = pb_clock_ticks((double)fake_step())};
    return 1;
}

static const struct pb_loop stalling = {NULL, stalling_run, stalling_timed};

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

/* Methodology R17, as it stands there. */
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
}

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
    double intended = pb_clock_ns(w->due_last - w->due_first);
    assert_true(fabs(intended - 999 * 100.0 * US) < 1000.0);
    assert_true(w->over > w->due_last && pb_clock_ns(w->over - w->due_last) < 20.0 * US);
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
        cmocka_unit_test(a_stall_a_second_is_seen_by_the_open_loop_and_not_by_the_closed),
        cmocka_unit_test(steps_that_were_due_before_their_worker_was_free_are_late),
        cmocka_unit_test(a_rate_that_cannot_be_kept_up_is_seen),
        cmocka_unit_test(a_schedule_that_is_kept_takes_its_own_time),
        cmocka_unit_test(the_first_moment_is_drawn_as_the_others),
        cmocka_unit_test(moments_have_the_rate_asked_for),
    };
    pb_clock_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
