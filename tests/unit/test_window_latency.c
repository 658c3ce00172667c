/* SPDX-License-Identifier: MIT */
/* The windows that split time up: kinds and marks of TAIL, batches of BODY, the windows of WARM;
 * and how hooks nest around them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"
#include "window_script.h"

#include "engine/window_internal.h"

#include "path.h"

#include <math.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

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

static long switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw + usage.ru_nivcsw;
}

/* A nap whose timer rings before the thread has left its processor is none. */
static void doze(void)
{
    struct timespec nap = {0, 20 * US};
    for (long before = switches(); switches() == before;)
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

static unsigned char *fault_at;

/* The first touch of a page. */
static void fault(void)
{
    *(volatile unsigned char *)fault_at = 1;
    madvise(fault_at, (size_t)sysconf(_SC_PAGESIZE), MADV_DONTNEED);
}

/* A strategy that goes to the system: its calls are slow, and pages are touched between them. Only
 * what took the processor away marks, and the rare case that it did is left room for. */
static void faults_mark_nothing(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct pb_session session = {.sample_gap = 4, .mark = PB_MARK_RSEQ};
    (void)state;
    if (pb_mark_best() != PB_MARK_RSEQ)
        skip_because("the C library has not registered an rseq area");
    fault_at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(fault_at != MAP_FAILED);
    open_session(&session, 1);
    scripts[0].in_run = fault;
    scripts[0].in_step = fault;
    scripts[0].alloc_ns = 20 * US;
    pb_session_run(&session, PB_PHASE_TAIL, &loop, UINT64_MAX);
    uint64_t all = samples(&session, PB_KIND_ALLOC_HIT, false);
    assert_true(all > STEPS / 8);
    assert_true(samples(&session, PB_KIND_ALLOC_HIT, true) < all / 4);
    assert_true(session.samples[0].hits <= 2 * samples(&session, PB_KIND_ALLOC_HIT, true));
    close_session(&session);
    munmap(fault_at, page);
}

static void nap_between(void)
{
    struct timespec nap = {0, US};
    nanosleep(&nap, NULL);
}

/* Switches in the untimed steps are not the slow calls' behind them. */
static void a_question_is_about_its_own_step(void **state)
{
    struct pb_session session = {.sample_gap = 4, .mark = PB_MARK_RSEQ};
    (void)state;
    if (pb_mark_best() != PB_MARK_RSEQ)
        skip_because("the C library has not registered an rseq area");
    open_session(&session, 1);
    scripts[0].steps = 1000;
    scripts[0].in_run = nap_between;
    scripts[0].alloc_ns = 20 * US;
    pb_session_run(&session, PB_PHASE_TAIL, &loop, UINT64_MAX);
    uint64_t all = samples(&session, PB_KIND_ALLOC_HIT, false);
    assert_true(all > 100);
    assert_true(samples(&session, PB_KIND_ALLOC_HIT, true) < all / 4);
    close_session(&session);
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

static void what_no_batch_is_made_of_is_left(void **state)
{
    struct pb_session session = {.sample_gap = 16, .batch = 60};
    (void)state;
    open_session(&session, 1);
    pb_session_run(&session, PB_PHASE_BODY, &loop, UINT64_MAX);
    assert_int_equal(session.body_hists[0].n, STEPS / 60);
    assert_int_equal(scripts[0].done, STEPS / 60 * 60);
    assert_int_equal(scripts[0].runs, STEPS / 60);
    assert_int_equal(session.windows[PB_PHASE_BODY][0].steps, STEPS / 60 * 60);
    close_session(&session);
}

static uint64_t told_ns, dear_every;

static uint64_t told_now(void)
{
    return pb_clock_ticks((double)told_ns);
}

/* A step takes 10 us, and every `dear_every` of them 1 ms more, as the frees of a round. */
static uint64_t uneven_run(struct pb_worker *worker, uint64_t steps)
{
    struct script *script = worker->cursor;
    for (uint64_t i = 0; i < steps; i++)
        told_ns += 10 * US + (++script->done % dear_every == 0) * (uint64_t)MS;
    return steps;
}

/* Batches of 10, as the clock alone would have them, would show the cheap steps: their median is
 * a hundredth of the mean. */
static void a_batch_has_its_share_of_what_comes_round_rarely(void **state)
{
    static const struct pb_loop uneven = {NULL, uneven_run, script_timed};
    struct pb_session session = {.sample_gap = 16, .now = told_now};
    (void)state;
    dear_every = 100;
    session.batch = pb_batch_steps(100.0 * US, 10.0 * US, dear_every);
    assert_int_equal(session.batch, 100);
    open_session(&session, 1);
    pb_session_run(&session, PB_PHASE_BODY, &uneven, UINT64_MAX);
    double p50 = (double)pb_hist_value_at(&session.body_hists[0], 0.5), mean = 20.0 * US * 1000;
    assert_int_equal(session.body_hists[0].n, STEPS / 100);
    assert_true(fabs(p50 - mean) < mean / 100);
    close_session(&session);
}

static void a_batch_is_long_enough_and_whole(void **state)
{
    (void)state;
    assert_int_equal(pb_batch_steps(1000.0, 10.0, 0), 100);
    assert_int_equal(pb_batch_steps(1000.0, 10.0, 1), 100);
    assert_int_equal(pb_batch_steps(1000.0, 10.0, 32), 128);
    assert_int_equal(pb_batch_steps(1000.0, 10.0, 1000), 1000);
    assert_int_equal(pb_batch_steps(1000.0, 0.0, 0), 8);
    assert_int_equal(pb_batch_steps(1.0, 1000.0, 3), 9);
}

/* A batch of 10 that takes at least 20 us. */
static void a_batch_is_counted_in_picoseconds_a_step(void **state)
{
    struct pb_session session = {.sample_gap = 16, .batch = 10};
    (void)state;
    open_session(&session, 1);
    scripts[0].run_ns = 20 * US;
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

/* Feeds one warm-up made up here: windows of `ns` each, at `rate` times 1000 steps a millisecond.
 */
static void feed(struct pb_warm_up *warm, double ns, double rate)
{
    pb_warm_add(warm, 1, (uint64_t)(ns / 1000.0 * rate), ns / pb_clock_ns(1), 5, 2);
}

static void windows_of_less_than_a_millisecond_are_joined(void **state)
{
    struct pb_warm_up warm = {0};
    (void)state;
    for (unsigned i = 1; i <= 20; i++) {
        feed(&warm, 260.0 * US, 1.0);
        assert_int_equal(warm.n, i / 4);
    }
    assert_false(warm.judged || warm.steady); /* five of them: one look */
    for (unsigned i = 0; i < 4; i++)
        feed(&warm, 260.0 * US, 1.0);
    assert_true(warm.judged && warm.steady);
}

/* Planted: a rate that climbs by 3 % a window, but for one that came late: the slope of those five
 * is small, by luck. */
static void one_look_that_finds_it_steady_is_not_enough(void **state)
{
    static const double rates[] = {1.00, 1.03, 1.06, 1.09, 1.0, 1.3, 1.6};
    struct pb_warm_up warm = {0};
    (void)state;
    for (size_t i = 0; i < 5; i++)
        feed(&warm, 2.0 * MS, rates[i]);
    assert_true(warm.near && !warm.steady && !warm.judged);
    feed(&warm, 2.0 * MS, rates[5]);
    assert_true(warm.judged && !warm.near && !warm.steady);
    feed(&warm, 2.0 * MS, rates[6]);
    assert_false(warm.steady);
    for (unsigned i = 0; i < 6; i++)
        feed(&warm, 2.0 * MS, 1.6);
    assert_true(warm.steady);
}

/* The verdict is about more windows than there are. */
static void a_stream_without_a_verdict_is_run_to_its_end(void **state)
{
    struct pb_session session = {.warm_parts = 10, .warm_span = 11};
    (void)state;
    open_session(&session, 2);
    scripts[0].run_ns = scripts[1].run_ns = MS;
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

/* Planted: the last window is preempted. The length of batches comes from the others. */
static void a_preempted_window_does_not_shorten_the_batches(void **state)
{
    struct pb_session session = {.warm_parts = 4, .warm_span = 5};
    (void)state;
    open_session(&session, 1);
    scripts[0].run_ns = 2 * MS;
    scripts[0].slow_run = 4;
    scripts[0].slow_ns = 30 * MS;
    pb_session_run(&session, PB_PHASE_WARM, &loop, UINT64_MAX);
    assert_int_equal(scripts[0].runs, 4);
    double ns = session.warm.ns_a_step;
    assert_true(ns > 0.0 && ns * (STEPS / 4) < 30.0 * MS);
    close_session(&session);
}

/* Whatever the machine makes of the rates. */
static void a_warm_up_ends_with_its_verdict_on_all_workers(void **state)
{
    struct pb_session session = {.warm_parts = PB_WARM_WINDOWS, .warm_span = PB_WARM_SPAN};
    (void)state;
    open_session(&session, 2);
    scripts[0].run_ns = scripts[1].run_ns = MS;
    pb_session_run(&session, PB_PHASE_WARM, &loop, UINT64_MAX);
    unsigned n = session.warm.n;
    assert_in_range(n, PB_WARM_SPAN + 1, PB_WARM_WINDOWS);
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
    scripts[0].run_ns = scripts[1].run_ns = MS;
    for (unsigned i = 1; i <= 3; i++) {
        pb_session_run(&session, PB_PHASE_WARM, &loop, UINT64_MAX);
        assert_int_equal(session.warm.n, i);
        assert_int_equal(scripts[1].runs, 1);
        assert_int_equal(scripts[1].done, STEPS);
    }
    close_session(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_goes_to_its_kind),
        cmocka_unit_test(who_sleeps_in_a_call_is_always_marked),
        cmocka_unit_test(faults_mark_nothing),
        cmocka_unit_test(a_question_is_about_its_own_step),
        cmocka_unit_test(who_is_left_alone_is_mostly_clean),
        cmocka_unit_test(without_rseq_no_sample_is_lost),
        cmocka_unit_test(a_body_is_whole_batches_of_the_first_part),
        cmocka_unit_test(what_no_batch_is_made_of_is_left),
        cmocka_unit_test(a_batch_has_its_share_of_what_comes_round_rarely),
        cmocka_unit_test(a_batch_is_long_enough_and_whole),
        cmocka_unit_test(a_batch_is_counted_in_picoseconds_a_step),
        cmocka_unit_test(windows_that_were_not_prepared_are_not_run),
        cmocka_unit_test(windows_of_less_than_a_millisecond_are_joined),
        cmocka_unit_test(one_look_that_finds_it_steady_is_not_enough),
        cmocka_unit_test(a_stream_without_a_verdict_is_run_to_its_end),
        cmocka_unit_test(a_preempted_window_does_not_shorten_the_batches),
        cmocka_unit_test(a_warm_up_ends_with_its_verdict_on_all_workers),
        cmocka_unit_test(a_replay_is_one_window_and_its_rates_are_kept),
    };
    pb_clock_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
