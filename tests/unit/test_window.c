/* SPDX-License-Identifier: MIT */
/* Phases on a workload that only writes down what was asked of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/clock.h"
#include "engine/window.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { WORKERS = 3, RUNS_MAX = 4096, STEPS = 20000, GAP = 16 };

/* One worker's diary. */
struct diary {
    uint64_t steps;    /* of the stream */
    uint64_t stops_at; /* steps after which the stream fails; 0: never */
    uint64_t done;
    char order[8]; /* first letters: begin, before, run, after, end */
    size_t order_n;
    uint64_t begun, ran, ended; /* ticks */
    uint64_t runs, run_steps[RUNS_MAX];
    uint64_t timed;
    unsigned makes; /* PB_TIMED_* */
};

static struct diary diaries[WORKERS];

static void note(struct diary *diary, char what)
{
    bool full = diary->order_n == sizeof diary->order;
    if (!full && (diary->order_n == 0 || diary->order[diary->order_n - 1] != what))
        diary->order[diary->order_n++] = what;
}

static uint64_t fake_steps(const struct pb_worker *worker)
{
    return ((const struct diary *)worker->cursor)->steps;
}

static void fake_begin(struct pb_worker *worker)
{
    struct diary *diary = worker->cursor;
    note(diary, 'b');
    diary->done = diary->runs = diary->timed = 0;
    worker->tally.exhausted++; /* tallies begin at 0 in each phase */
    diary->begun = pb_ticks_end();
}

static void fake_end(struct pb_worker *worker)
{
    struct diary *diary = worker->cursor;
    diary->ended = pb_ticks_begin();
    note(diary, 'e');
}

static uint64_t fake_run(struct pb_worker *worker, uint64_t steps)
{
    struct diary *diary = worker->cursor;
    if (diary->done == 0)
        diary->ran = pb_ticks_begin();
    note(diary, 'r');
    if (diary->stops_at != 0 && steps > diary->stops_at - diary->done)
        steps = diary->stops_at - diary->done;
    if (diary->runs < RUNS_MAX)
        diary->run_steps[diary->runs] = steps;
    diary->runs++;
    diary->done += steps;
    worker->tally.allocs += steps;
    return steps;
}

static uint64_t fake_timed(struct pb_worker *worker, struct pb_timing *timing)
{
    struct diary *diary = worker->cursor;
    note(diary, 'r');
    if (diary->stops_at != 0 && diary->done == diary->stops_at)
        return 0;
    diary->timed++;
    diary->done++;
    worker->tally.allocs++;
    timing->made = diary->makes;
    timing->alloc_ticks = pb_clock_ticks(1000.0);
    timing->free_ticks = pb_clock_ticks(5000.0);
    return 1;
}

static const struct pb_workload fake = {
    .name = "fake", .steps = fake_steps, .begin = fake_begin, .end = fake_end};
static const struct pb_workload fake_bare = {.name = "bare", .steps = fake_steps};
static const struct pb_loop loop = {NULL, fake_run, fake_timed};

/* A hook that counts; `before` counts only behind its `ready`, `after` only behind its `before`. */
struct hook_state {
    unsigned before, after, ready;
};

static void hook_ready(void *state)
{
    ((struct hook_state *)state)->ready++;
}

static void hook_before(void *state)
{
    ((struct hook_state *)state)->before += ((struct hook_state *)state)->ready == 1;
}

static void hook_after(void *state)
{
    ((struct hook_state *)state)->after += ((struct hook_state *)state)->before == 1;
}

static unsigned stateless_calls;

static void stateless_after(void *state)
{
    __atomic_fetch_add(&stateless_calls, state == NULL, __ATOMIC_RELAXED);
}

static const struct pb_hook hooks[] = {
    {.before = NULL},
    {.ready = hook_ready,
     .before = hook_before,
     .after = hook_after,
     .state_bytes = sizeof(struct hook_state)},
    {.after = stateless_after},
};

static struct pb_worker workers[WORKERS];
static struct pb_arena arena;

static void open_session_with(struct pb_session *session, uint64_t sample_gap,
                              const struct pb_hook *with, unsigned with_n)
{
    memset(diaries, 0, sizeof diaries);
    memset(workers, 0, sizeof workers);
    stateless_calls = 0;
    *session = (struct pb_session){.workload = &fake,
                                   .workers = workers,
                                   .n = WORKERS,
                                   .sample_gap = sample_gap,
                                   .seed = 1,
                                   .hooks = with,
                                   .hooks_n = with_n};
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i].index = i;
        workers[i].count = WORKERS;
        workers[i].cursor = &diaries[i];
        diaries[i].steps = STEPS + i;
        diaries[i].makes = PB_TIMED_ALLOC | PB_TIMED_FREE;
    }
    assert_int_equal(pb_arena_open(&arena, 16 << 20), 0);
    assert_int_equal(pb_team_open(WORKERS, true, NULL, NULL, &session->team), 0);
    assert_int_equal(pb_session_prepare(session, &arena), 0);
}

static void open_session(struct pb_session *session, uint64_t sample_gap)
{
    open_session_with(session, sample_gap, hooks, sizeof hooks / sizeof *hooks);
}

static void close_session(struct pb_session *session)
{
    pb_team_close(session->team);
    pb_arena_close(&arena);
}

/* Of one worker and kind, marked or not. */
static struct pb_hist samples_of(const struct pb_session *session, unsigned worker,
                                 enum pb_kind kind)
{
    struct pb_hist all = session->samples[worker].kinds[kind][0];
    pb_hist_merge(&all, &session->samples[worker].kinds[kind][1]);
    return all;
}

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
