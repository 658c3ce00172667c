/* SPDX-License-Identifier: MIT */
/* The windows that split time up, on a workload whose steps say what they cost: kinds and marks of
 * TAIL, batches of BODY, the windows of WARM, the moments of OPEN. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "engine/clock.h"
#include "engine/window.h"
#include "path.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { SECONDS = 3, WORKERS = 2, STEPS = 4000, RUNS_MAX = 8192, US = 1000, MS = 1000 * 1000 };

/* One worker's stream. */
struct script {
    uint64_t steps, done;
    uint64_t runs, run_steps[RUNS_MAX];
    unsigned alloc_path, free_path;
    uint64_t alloc_ns;
    void (*in_step)(void); /* what a timed step does besides; may be NULL */
    unsigned slower;       /* a run takes that many times as long as the one before; 0: no time */
};

static struct script scripts[WORKERS];
static struct pb_worker workers[WORKERS];
static struct pb_arena arena;
static struct pb_hist merged;

static uint64_t script_steps(const struct pb_worker *worker)
{
    return ((const struct script *)worker->cursor)->steps;
}

static void script_begin(struct pb_worker *worker)
{
    struct script *script = worker->cursor;
    script->done = script->runs = 0;
}

static void spin(double ns)
{
    uint64_t end = pb_ticks_begin() + pb_clock_ticks(ns);
    while (pb_ticks_begin() < end)
        ;
}

static uint64_t script_run(struct pb_worker *worker, uint64_t steps)
{
    struct script *script = worker->cursor;
    uint64_t left = script->steps - script->done;
    steps = steps < left ? steps : left;
    if (script->runs < RUNS_MAX)
        script->run_steps[script->runs] = steps;
    if (script->slower > 0)
        spin(20.0 * US * pow(1.0 + 0.1 * script->slower, (double)script->runs));
    script->runs++;
    script->done += steps;
    return steps;
}

static uint64_t script_timed(struct pb_worker *worker, struct pb_timing *timing)
{
    struct script *script = worker->cursor;
    if (script->in_step != NULL)
        script->in_step();
    script->done++;
    *timing = (struct pb_timing){.made = PB_TIMED_ALLOC | PB_TIMED_FREE,
                                 .alloc_ticks = pb_clock_ticks((double)script->alloc_ns),
                                 .free_ticks = pb_clock_ticks(500.0),
                                 .alloc_path = script->alloc_path,
                                 .free_path = script->free_path};
    return 1;
}

static const struct pb_workload workload = {
    .name = "script", .steps = script_steps, .begin = script_begin};
static const struct pb_loop loop = {NULL, script_run, script_timed};

/* The caller has filled what is its own. */
static void open_session(struct pb_session *session, unsigned n)
{
    memset(workers, 0, sizeof workers);
    memset(scripts, 0, sizeof scripts);
    session->workload = &workload;
    session->workers = workers;
    session->n = n;
    session->seed = 1;
    for (unsigned i = 0; i < n; i++) {
        workers[i].index = i;
        workers[i].count = n;
        workers[i].cursor = &scripts[i];
        scripts[i].steps = STEPS;
        scripts[i].alloc_ns = 1000;
    }
    assert_int_equal(pb_arena_open(&arena, 64 << 20), 0);
    assert_int_equal(pb_team_open(n, n > 1, NULL, NULL, &session->team), 0);
    assert_int_equal(pb_session_prepare(session, &arena), 0);
}

static void close_session(struct pb_session *session)
{
    pb_team_close(session->team);
    pb_arena_close(&arena);
}

/* --- TAIL ------------------------------------------------------------------------------------ */

/* Samples of a kind, of all workers: marked, or all. */
static uint64_t samples(const struct pb_session *session, enum pb_kind kind, bool marked)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < session->n; i++) {
        const struct pb_samples *s = &session->samples[i];
        n += s->kinds[kind][1].n + (marked ? 0 : s->kinds[kind][0].n);
    }
    return n;
}

static void a_sample_goes_to_its_kind(void **state)
{
    struct pb_session session = {.sample_gap = 1};
    (void)state;
    open_session(&session, 2);
    scripts[0].alloc_path = PB_PATH_MISS;
    scripts[0].free_path = PB_PATH_REMOTE;
    scripts[1].alloc_path = PB_PATH_MISS | PB_PATH_OS;
    scripts[1].free_path = PB_PATH_OVERFLOW | PB_PATH_REMOTE;
    pb_session_run(&session, PB_PHASE_TAIL, &loop, UINT64_MAX);
    assert_int_equal(samples(&session, PB_KIND_ALLOC_HIT, false), 0);
    assert_int_equal(samples(&session, PB_KIND_ALLOC_MISS, false), STEPS);
    assert_int_equal(samples(&session, PB_KIND_ALLOC_OS, false), STEPS);
    assert_int_equal(samples(&session, PB_KIND_FREE_LOCAL, false), 0);
    assert_int_equal(samples(&session, PB_KIND_FREE_REMOTE, false), STEPS);
    assert_int_equal(samples(&session, PB_KIND_FREE_OVERFLOW, false), STEPS);
    assert_int_equal(samples(&session, PB_KIND_FREE_OS, false), 0);
    close_session(&session);
}

static void doze(void)
{
    struct timespec nap = {0, 20 * US};
    nanosleep(&nap, NULL);
}

/* Planted: a strategy that sleeps in each call. Its calls are slow, so that where the kernel does
 * not take the mark away on the way back from a system call, getrusage is asked. */
static void who_sleeps_in_a_call_is_always_marked(void **state)
{
    (void)state;
    for (int way = PB_MARK_SWITCHES; way <= (int)pb_mark_best(); way++) {
        struct pb_session session = {.sample_gap = 1, .mark = (enum pb_mark_way)way};
        open_session(&session, 2);
        for (unsigned i = 0; i < 2; i++) {
            scripts[i].steps = 300;
            scripts[i].in_step = doze;
            scripts[i].alloc_ns = 20 * US;
        }
        pb_session_run(&session, PB_PHASE_TAIL, &loop, UINT64_MAX);
        assert_int_equal(samples(&session, PB_KIND_ALLOC_HIT, false), 600);
        assert_int_equal(samples(&session, PB_KIND_ALLOC_HIT, true), 600);
        assert_int_equal(samples(&session, PB_KIND_FREE_LOCAL, true), 600);
        close_session(&session);
    }
}

static void who_is_left_alone_is_mostly_clean(void **state)
{
    struct pb_session session = {.sample_gap = 1, .mark = PB_MARK_RSEQ};
    (void)state;
    if (pb_mark_best() != PB_MARK_RSEQ)
        skip_because("the C library has not registered an rseq area");
    open_session(&session, 1);
    pb_session_run(&session, PB_PHASE_TAIL, &loop, UINT64_MAX);
    assert_int_equal(samples(&session, PB_KIND_ALLOC_HIT, false), STEPS);
    assert_true(samples(&session, PB_KIND_ALLOC_HIT, true) < STEPS / 4);
    close_session(&session);
}

/* 64 samples are judged at a time, and the last ones when the window ends. */
static void without_rseq_no_sample_is_lost(void **state)
{
    (void)state;
    for (uint64_t steps = 31; steps < 34; steps++) {
        struct pb_session session = {.sample_gap = 1, .mark = PB_MARK_SWITCHES};
        open_session(&session, 1);
        scripts[0].steps = steps;
        pb_session_run(&session, PB_PHASE_TAIL, &loop, UINT64_MAX);
        assert_int_equal(samples(&session, PB_KIND_ALLOC_HIT, false), steps);
        assert_int_equal(samples(&session, PB_KIND_FREE_LOCAL, false), steps);
        assert_int_equal(session.samples[0].held_n, 0);
        close_session(&session);
    }
}

/* --- BODY ------------------------------------------------------------------------------------ */

static void a_body_is_whole_batches_of_the_first_part(void **state)
{
    struct pb_session session = {.sample_gap = 16, .batch = 60};
    (void)state;
    open_session(&session, 2);
    pb_session_run(&session, PB_PHASE_BODY, &loop, 600);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(scripts[i].runs, 10);
        for (size_t k = 0; k < 10; k++)
            assert_int_equal(scripts[i].run_steps[k], 60);
        assert_int_equal(session.body_hists[i].n, 10);
        assert_int_equal(session.windows[PB_PHASE_BODY][i].steps, 600);
    }
    close_session(&session);
}

/* Who waits for others' steps must not leave any out. */
static void what_no_batch_is_made_of_is_run_too(void **state)
{
    struct pb_session session = {.sample_gap = 16, .batch = 60};
    (void)state;
    open_session(&session, 1);
    pb_session_run(&session, PB_PHASE_BODY, &loop, UINT64_MAX);
    assert_int_equal(session.body_hists[0].n, STEPS / 60);
    assert_int_equal(scripts[0].done, STEPS);
    assert_int_equal(scripts[0].runs, STEPS / 60 + 1);
    assert_int_equal(session.windows[PB_PHASE_BODY][0].steps, STEPS);
    close_session(&session);
}

/* A batch of 10 that takes at least 20 us. */
static void a_batch_is_counted_in_picoseconds_a_step(void **state)
{
    struct pb_session session = {.sample_gap = 16, .batch = 10};
    (void)state;
    open_session(&session, 1);
    scripts[0].slower = 1;
    pb_session_run(&session, PB_PHASE_BODY, &loop, 10);
    assert_int_equal(session.body_hists[0].n, 1);
    assert_true(session.body_hists[0].min >= 20ull * US * 1000 / 10 - 1000);
    close_session(&session);
}

static void windows_that_were_not_prepared_are_not_run(void **state)
{
    struct pb_session session = {.batch = 10};
    (void)state;
    open_session(&session, 1);
    pb_session_run(&session, PB_PHASE_BODY, &loop, UINT64_MAX);
    pb_session_run(&session, PB_PHASE_TAIL, &loop, UINT64_MAX);
    pb_session_run(&session, PB_PHASE_OPEN, &loop, UINT64_MAX);
    assert_int_equal(scripts[0].runs, 0);
    assert_null(session.body_hists);
    assert_null(session.open_hists);
    close_session(&session);
}

/* --- WARM ------------------------------------------------------------------------------------ */

/* Each window takes a half longer than the one before: the verdict never falls. */
static void a_stream_that_slows_down_is_never_warm(void **state)
{
    struct pb_session session = {.warm_parts = 10, .warm_span = PB_WARM_SPAN};
    (void)state;
    open_session(&session, 2);
    scripts[0].slower = scripts[1].slower = 5;
    scripts[1].steps = STEPS - 7; /* shares are each worker's own */
    pb_session_run(&session, PB_PHASE_WARM, &loop, UINT64_MAX);
    assert_false(session.warm.steady);
    assert_int_equal(session.warm.n, 10);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(scripts[i].runs, 10);
        assert_int_equal(scripts[i].done, scripts[i].steps);
        assert_int_equal(session.windows[PB_PHASE_WARM][i].steps, scripts[i].steps);
        for (size_t k = 0; k < 10; k++)
            assert_in_range(scripts[i].run_steps[k], STEPS / 10 - 1, STEPS / 10);
    }
    assert_true(session.warm.ns_a_step > 0.0);
    close_session(&session);
}

/* With a span that any two rates pass or fail, the end is where the verdict says. */
static void a_warm_up_ends_with_its_verdict_on_all_workers(void **state)
{
    struct pb_session session = {.warm_parts = PB_WARM_WINDOWS, .warm_span = PB_WARM_SPAN};
    (void)state;
    open_session(&session, 2);
    scripts[0].slower = 0;
    pb_session_run(&session, PB_PHASE_WARM, &loop, UINT64_MAX);
    unsigned n = session.warm.n;
    assert_in_range(n, PB_WARM_SPAN, PB_WARM_WINDOWS);
    assert_true(session.warm.steady || n == PB_WARM_WINDOWS);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(scripts[i].runs, n);
        assert_int_equal(scripts[i].done, STEPS / PB_WARM_WINDOWS * n);
    }
    close_session(&session);
}

static void a_replay_is_one_window_and_its_rates_are_kept(void **state)
{
    struct pb_session session = {.warm_parts = 1, .warm_span = 2};
    (void)state;
    open_session(&session, 2);
    for (unsigned i = 1; i <= 3; i++) {
        pb_session_run(&session, PB_PHASE_WARM, &loop, UINT64_MAX);
        assert_int_equal(session.warm.n, i);
        assert_int_equal(scripts[1].runs, 1);
        assert_int_equal(scripts[1].done, STEPS);
    }
    close_session(&session);
}

/* --- OPEN ------------------------------------------------------------------------------------ */

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
    struct pb_session session;
    (void)state;
    open_p995(false, true, &session);
    (void)open_p995(false, false, &session);
    struct pb_session again = {.arrival = {.rate = 10000.0}, .now = fake_now};
    fake_ns = 0;
    stall_at = 20 * MS;
    open_session(&again, 1);
    scripts[0].steps = 1000;
    pb_session_run(&again, PB_PHASE_OPEN, &stalling, UINT64_MAX);
    assert_in_range(again.windows[PB_PHASE_OPEN][0].late, 102, 108);
    assert_in_range(again.open_hists[0].max, 10 * MS, 10 * MS + 100 * US);
    assert_int_equal(again.windows[PB_PHASE_OPEN][0].steps, 1000);
    close_session(&again);
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
    assert_true(session.windows[PB_PHASE_OPEN][0].late > 9990);
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
        cmocka_unit_test(a_sample_goes_to_its_kind),
        cmocka_unit_test(who_sleeps_in_a_call_is_always_marked),
        cmocka_unit_test(who_is_left_alone_is_mostly_clean),
        cmocka_unit_test(without_rseq_no_sample_is_lost),
        cmocka_unit_test(a_body_is_whole_batches_of_the_first_part),
        cmocka_unit_test(what_no_batch_is_made_of_is_run_too),
        cmocka_unit_test(a_batch_is_counted_in_picoseconds_a_step),
        cmocka_unit_test(windows_that_were_not_prepared_are_not_run),
        cmocka_unit_test(a_stream_that_slows_down_is_never_warm),
        cmocka_unit_test(a_warm_up_ends_with_its_verdict_on_all_workers),
        cmocka_unit_test(a_replay_is_one_window_and_its_rates_are_kept),
        cmocka_unit_test(a_stall_a_second_is_seen_by_the_open_loop_and_not_by_the_closed),
        cmocka_unit_test(steps_that_were_due_before_their_worker_was_free_are_late),
        cmocka_unit_test(a_rate_that_cannot_be_kept_up_is_seen),
        cmocka_unit_test(moments_have_the_rate_asked_for),
    };
    pb_clock_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
