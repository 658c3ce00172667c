/* SPDX-License-Identifier: MIT */
/* Phases on a workload that only writes down what was asked of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "window_fixture.h"

static void every_phase_begins_runs_and_ends_on_every_worker(void **state)
{
    (void)state;
    struct pb_session session;
    open_session(&session, GAP);
    for (int phase = PB_PHASE_AUDIT; phase <= PB_PHASE_TAIL; phase++) {
        for (unsigned i = 0; i < WORKERS; i++)
            diaries[i].order_n = 0;
        assert_int_equal(pb_session_run(&session, (enum pb_phase)phase, &loop, UINT64_MAX), 0);
        for (unsigned i = 0; i < WORKERS; i++) {
            const struct pb_window *window = &session.windows[phase][i];
            assert_int_equal(diaries[i].order_n, 3);
            assert_memory_equal(diaries[i].order, "bre", 3);
            assert_int_equal(workers[i].phase, phase);
            assert_int_equal(window->steps, STEPS + i);
            assert_int_equal(workers[i].tally.allocs, STEPS + i);
            assert_int_equal(workers[i].tally.exhausted, 1);
        }
    }
    close_session(&session);
}

static void windows_lie_between_all_begins_and_all_ends(void **state)
{
    (void)state;
    struct pb_session session;
    open_session(&session, 0);
    assert_int_equal(pb_session_run(&session, PB_PHASE_RATE, &loop, UINT64_MAX), 0);
    const struct pb_window *windows = session.windows[PB_PHASE_RATE];
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(windows[i].go, windows[0].go);
        assert_true(windows[i].begun >= windows[i].go);
        assert_true(diaries[i].ran >= windows[i].begun);
        assert_true(windows[i].ended >= diaries[i].ran);
        for (unsigned k = 0; k < WORKERS; k++) {
            assert_true(diaries[k].begun <= windows[i].begun);
            assert_true(diaries[k].ended >= windows[i].ended);
        }
    }
    close_session(&session);
}

static void a_rate_window_is_one_call(void **state)
{
    (void)state;
    struct pb_session session;
    open_session(&session, GAP);
    assert_int_equal(pb_session_run(&session, PB_PHASE_RATE, &loop, UINT64_MAX), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(diaries[i].runs, 1);
        assert_int_equal(diaries[i].timed, 0);
    }
    close_session(&session);
}

static void a_limit_cuts_the_stream(void **state)
{
    (void)state;
    struct pb_session session;
    open_session(&session, 0);
    assert_int_equal(pb_session_run(&session, PB_PHASE_WARM, &loop, 100), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(session.windows[PB_PHASE_WARM][i].steps, 100);
    close_session(&session);
}

static void gaps_have_the_mean_asked_for_and_vary(void **state)
{
    (void)state;
    struct pb_session session;
    open_session(&session, GAP);
    assert_int_equal(pb_session_run(&session, PB_PHASE_TAIL, &loop, UINT64_MAX), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        const struct diary *diary = &diaries[i];
        double mean = (double)diary->steps / (double)diary->timed;
        uint64_t longest = 0, ones = 0;
        for (size_t k = 0; k < diary->runs && k < RUNS_MAX; k++) {
            longest = diary->run_steps[k] > longest ? diary->run_steps[k] : longest;
            ones += diary->run_steps[k] == 1;
        }
        assert_true(fabs(mean - GAP) < 0.15 * GAP);
        assert_true(longest > 3 * GAP); /* geometric: e^-3 of them */
        assert_true(ones > diary->runs / 40 && ones < diary->runs / 8); /* about 1 in 16 */
    }
    assert_memory_not_equal(session.gaps[0], session.gaps[1], 64 * sizeof **session.gaps);
    close_session(&session);
}

static void gaps_come_from_the_seed(void **state)
{
    (void)state;
    struct pb_session session, again;
    uint32_t first[64];
    open_session(&session, GAP);
    memcpy(first, session.gaps[2], sizeof first);
    close_session(&session);
    open_session(&again, GAP);
    assert_memory_equal(first, again.gaps[2], sizeof first);
    close_session(&again);
}

static void a_gap_of_one_times_every_step(void **state)
{
    (void)state;
    struct pb_session session;
    open_session(&session, 1);
    assert_int_equal(pb_session_run(&session, PB_PHASE_TAIL, &loop, UINT64_MAX), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(diaries[i].timed, STEPS + i);
        assert_int_equal(diaries[i].runs, 0);
        assert_int_equal(samples_of(&session, i, PB_KIND_ALLOC_HIT).n, STEPS + i);
    }
    close_session(&session);
}

static void timed_steps_are_recorded_in_nanoseconds(void **state)
{
    (void)state;
    struct pb_session session;
    open_session(&session, GAP);
    double tick = pb_clock_ns(1);
    diaries[1].makes = PB_TIMED_ALLOC;
    diaries[2].makes = 0;
    assert_int_equal(pb_session_run(&session, PB_PHASE_TAIL, &loop, UINT64_MAX), 0);
    assert_int_equal(pb_session_run(&session, PB_PHASE_TAIL, &loop, UINT64_MAX), 0); /* anew */
    assert_int_equal(samples_of(&session, 0, PB_KIND_ALLOC_HIT).n, diaries[0].timed);
    assert_int_equal(samples_of(&session, 0, PB_KIND_FREE_LOCAL).n, diaries[0].timed);
    assert_true(fabs((double)samples_of(&session, 0, PB_KIND_ALLOC_HIT).max - 1000.0) <=
                tick + 1.0);
    assert_int_equal(samples_of(&session, 0, PB_KIND_ALLOC_HIT).max,
                     samples_of(&session, 0, PB_KIND_ALLOC_HIT).min);
    assert_true(fabs((double)samples_of(&session, 0, PB_KIND_FREE_LOCAL).min - 5000.0) <=
                tick + 1.0);
    assert_int_equal(samples_of(&session, 1, PB_KIND_ALLOC_HIT).n, diaries[1].timed);
    assert_int_equal(samples_of(&session, 1, PB_KIND_FREE_LOCAL).n, 0);
    assert_int_equal(samples_of(&session, 2, PB_KIND_ALLOC_HIT).n, 0);
    assert_true(diaries[2].timed > 0);
    close_session(&session);
}

static void without_sampling_nothing_is_timed(void **state)
{
    (void)state;
    struct pb_session session;
    open_session(&session, 0);
    assert_int_equal(pb_session_run(&session, PB_PHASE_RATE, &loop, UINT64_MAX), 0);
    assert_int_equal(pb_session_run(&session, PB_PHASE_TAIL, &loop, UINT64_MAX), 0);
    assert_null(session.samples);
    assert_null(session.body_hists);
    assert_null(session.gaps);
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(diaries[i].timed, 0);
        assert_int_equal(workers[i].phase, PB_PHASE_RATE); /* TAIL was not run */
    }
    close_session(&session);
}

static void a_stream_that_fails_ends_its_window_alone(void **state)
{
    (void)state;
    struct pb_session session;
    open_session(&session, GAP);
    diaries[1].stops_at = 777;
    for (int phase = PB_PHASE_RATE; phase <= PB_PHASE_TAIL; phase++) {
        assert_int_equal(pb_session_run(&session, (enum pb_phase)phase, &loop, UINT64_MAX), 0);
        assert_int_equal(session.windows[phase][0].steps, STEPS);
        assert_int_equal(session.windows[phase][1].steps, 777);
        assert_int_equal(session.windows[phase][2].steps, STEPS + 2);
    }
    close_session(&session);
}

static void hooks_surround_timed_windows_alone(void **state)
{
    (void)state;
    struct pb_session session;
    open_session(&session, GAP);
    pb_session_run(&session, PB_PHASE_AUDIT, &loop, UINT64_MAX);
    pb_session_run(&session, PB_PHASE_WARM, &loop, UINT64_MAX);
    assert_int_equal(stateless_calls, 0);
    pb_session_run(&session, PB_PHASE_RATE, &loop, UINT64_MAX);
    pb_session_run(&session, PB_PHASE_RATE, &loop, UINT64_MAX); /* states begin at zero again */
    pb_session_run(&session, PB_PHASE_TAIL, &loop, UINT64_MAX);
    for (int phase = PB_PHASE_RATE; phase <= PB_PHASE_TAIL; phase++) {
        const struct hook_state *states = session.hook_states[phase][1];
        for (unsigned i = 0; i < WORKERS; i++) {
            assert_int_equal(states[i].before, 1);
            assert_int_equal(states[i].after, 1);
        }
        assert_null(session.hook_states[phase][0]);
    }
    assert_int_equal(stateless_calls, 3 * WORKERS);
    assert_int_equal(rate_calls, 2 * WORKERS); /* not around TAIL */
    close_session(&session);
}

static void begin_and_end_are_optional(void **state)
{
    (void)state;
    struct pb_session session;
    open_session(&session, 0);
    session.workload = &fake_bare;
    assert_int_equal(pb_session_run(&session, PB_PHASE_RATE, &loop, UINT64_MAX), 0);
    assert_int_equal(session.windows[PB_PHASE_RATE][0].steps, STEPS);
    close_session(&session);
}

static void too_small_an_arena_is_reported(void **state)
{
    (void)state;
    struct pb_session session = {.workload = &fake, .n = WORKERS, .sample_gap = GAP};
    struct pb_arena small;
    for (size_t bytes = 4096; bytes <= 64 << 10; bytes *= 2) {
        assert_int_equal(pb_arena_open(&small, bytes), 0);
        assert_int_equal(pb_session_prepare(&session, &small), -ENOMEM);
        pb_arena_close(&small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_phase_begins_runs_and_ends_on_every_worker),
        cmocka_unit_test(windows_lie_between_all_begins_and_all_ends),
        cmocka_unit_test(a_rate_window_is_one_call),
        cmocka_unit_test(a_limit_cuts_the_stream),
        cmocka_unit_test(gaps_have_the_mean_asked_for_and_vary),
        cmocka_unit_test(gaps_come_from_the_seed),
        cmocka_unit_test(a_gap_of_one_times_every_step),
        cmocka_unit_test(timed_steps_are_recorded_in_nanoseconds),
        cmocka_unit_test(without_sampling_nothing_is_timed),
        cmocka_unit_test(a_stream_that_fails_ends_its_window_alone),
        cmocka_unit_test(hooks_surround_timed_windows_alone),
        cmocka_unit_test(begin_and_end_are_optional),
        cmocka_unit_test(too_small_an_arena_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
