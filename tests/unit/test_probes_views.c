/* SPDX-License-Identifier: MIT */
/* The probes of the latency windows, on histograms made up here: kinds and marks, batches, the open
 * loop, the warm-up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probe_value.h"

enum { NS_A_US = 1000 };

static struct pb_hist hists[PB_VIEW_N];

static struct pb_observation an_observation(void)
{
    for (int i = 0; i < PB_VIEW_N; i++)
        pb_hist_clear(&hists[i]);
    return (struct pb_observation){.workers = 1, .step_workers = 1};
}

static void fill(struct pb_observation *o, enum pb_view_index view, uint64_t value, unsigned n)
{
    o->hists[view] = &hists[view];
    while (n-- > 0)
        pb_hist_record(&hists[view], value);
}

static double latency(const struct pb_observation *o, const char *key)
{
    return value_of("latency", o, NULL, NULL, key);
}

static void clean_percentiles_stand_beside_the_whole(void **state)
{
    (void)state;
    struct pb_observation o = an_observation();
    fill(&o, PB_VIEW_ALLOC, NS_A_US, 98000);
    fill(&o, PB_VIEW_ALLOC, 1000 * NS_A_US, 2000);
    fill(&o, PB_VIEW_ALLOC_CLEAN, NS_A_US, 98000);
    fill(&o, PB_VIEW_ALLOC_CLEAN, 1000 * NS_A_US, 5);
    fill(&o, PB_VIEW_FREE, NS_A_US, 100);
    fill(&o, PB_VIEW_FREE_CLEAN, NS_A_US, 100);
    assert_true(latency(&o, "alloc_p99") >= 1000.0 * NS_A_US);
    assert_true(latency(&o, "alloc_clean_p99") < 1.01 * NS_A_US);
    assert_true(latency(&o, "alloc_clean_p999") < 1.01 * NS_A_US);
    assert_true(isnan(latency(&o, "free_clean_p99"))); /* ten beyond it are not there */
    assert_near(latency(&o, "marked_samples"), 1995.0);
    assert_near(latency(&o, "marked_share"), 1995.0 / 100100.0);
}

static void what_rseq_alone_says_has_a_share_of_its_own(void **state)
{
    (void)state;
    struct pb_observation o = an_observation();
    fill(&o, PB_VIEW_ALLOC, NS_A_US, 1000);
    fill(&o, PB_VIEW_FREE, NS_A_US, 1000);
    o.hits = 10.0;
    assert_near(latency(&o, "preempted_share"), 0.005);
    o.hits = (double)NAN; /* no rseq */
    assert_true(isnan(latency(&o, "preempted_share")));
}

static void ways_have_their_share_and_their_percentiles(void **state)
{
    (void)state;
    struct pb_observation o = an_observation();
    o.paths = true;
    fill(&o, PB_VIEW_ALLOC, NS_A_US, 10000);
    fill(&o, PB_VIEW_ALLOC_CLEAN, NS_A_US, 10000);
    fill(&o, PB_VIEW_ALLOC_MISS, 5 * NS_A_US, 2000);
    fill(&o, PB_VIEW_ALLOC_OS, 50 * NS_A_US, 10);
    fill(&o, PB_VIEW_FREE, NS_A_US, 4000);
    fill(&o, PB_VIEW_FREE_CLEAN, NS_A_US, 4000);
    fill(&o, PB_VIEW_FREE_REMOTE, 2 * NS_A_US, 1000);
    assert_near(latency(&o, "alloc_miss_share"), 0.2);
    assert_near(latency(&o, "alloc_os_share"), 0.001);
    assert_near(latency(&o, "alloc_miss_p50"),
                (double)pb_hist_value_at(&hists[PB_VIEW_ALLOC_MISS], 0.5));
    assert_true(latency(&o, "alloc_miss_p99") >= 5.0 * NS_A_US);
    assert_near(latency(&o, "free_remote_share"), 0.25);
    assert_true(latency(&o, "free_remote_p99") >= 2.0 * NS_A_US);
    assert_near(latency(&o, "free_overflow_share"), 0.0); /* known: there was none */
    assert_true(isnan(latency(&o, "free_overflow_p50")));
    assert_near(latency(&o, "free_os_share"), 0.0);
}

/* Local and remote are the workload's to tell; the others only the strategy's. */
static void a_strategy_that_says_no_ways_has_no_misses(void **state)
{
    static const char *const unknown[] = {"alloc_miss_share", "alloc_miss_p50", "alloc_os_share",
                                          "free_overflow_share", "free_os_share"};
    (void)state;
    struct pb_observation o = an_observation();
    fill(&o, PB_VIEW_ALLOC, NS_A_US, 100);
    fill(&o, PB_VIEW_FREE, NS_A_US, 100);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_true(isnan(latency(&o, unknown[i])));
    assert_near(latency(&o, "free_remote_share"), 0.0);
}

static double body(const struct pb_observation *o, const char *key)
{
    return value_of("body", o, NULL, NULL, key);
}

static void a_body_is_in_nanoseconds_and_finer_than_the_clock(void **state)
{
    (void)state;
    struct pb_observation o = an_observation();
    assert_true(isnan(body(&o, "body_p50")) && isnan(body(&o, "body_batches")));
    fill(&o, PB_VIEW_BODY, 1250, 500); /* picoseconds */
    fill(&o, PB_VIEW_BODY, 2500, 500);
    assert_true(fabs(body(&o, "body_p10") - 1.25) < 0.01);
    assert_true(fabs(body(&o, "body_p50") - 1.25) < 0.01);
    assert_true(fabs(body(&o, "body_p90") - 2.5) < 0.02);
    assert_near(body(&o, "body_batches"), 1000.0);
    o = an_observation();
    fill(&o, PB_VIEW_BODY, 1250, 99);
    assert_true(isnan(body(&o, "body_p10")) && isnan(body(&o, "body_p90")));
    assert_true(body(&o, "body_p50") > 0.0);
}

static void batches_that_are_too_short_for_the_clock_have_no_percentiles(void **state)
{
    (void)state;
    struct pb_observation o = an_observation();
    fill(&o, PB_VIEW_BODY, 1000, 1000); /* 8 steps of 1 ns: 8 ns a batch */
    o.batch = 8;
    o.batch_ns = 7.9;
    assert_true(fabs(body(&o, "body_p50") - 1.0) < 0.01);
    o.batch_ns = 50.0;
    assert_true(isnan(body(&o, "body_p10")) && isnan(body(&o, "body_p50")));
    assert_true(isnan(body(&o, "body_p90")));
    assert_near(body(&o, "body_steps"), 8.0);
    assert_near(body(&o, "body_batches"), 1000.0);
}

/* Methodology R13. */
static void neither_view_is_made_of_the_other(void **state)
{
    (void)state;
    struct pb_observation o = an_observation();
    fill(&o, PB_VIEW_BODY, 1250, 100000);
    assert_true(isnan(latency(&o, "alloc_p50")) && isnan(latency(&o, "alloc_mean")));
    o = an_observation();
    fill(&o, PB_VIEW_ALLOC, NS_A_US, 100000);
    assert_true(isnan(body(&o, "body_p50")));
}

static double open_loop(const struct pb_observation *o, const char *key)
{
    return value_of("openloop", o, NULL, NULL, key);
}

static void an_open_loop_has_its_rate_and_its_late_steps(void **state)
{
    struct pb_window windows[] = {
        {.due_last = pb_clock_ticks(0.9e9),
         .over = pb_clock_ticks(1e9),
         .steps = 9001,
         .late = 900},
        {.due_last = pb_clock_ticks(1.5e9), .over = pb_clock_ticks(2e9), .steps = 21001}};
    (void)state;
    struct pb_observation o = an_observation();
    o.workers = 2;
    fill(&o, PB_VIEW_OPEN, NS_A_US, 29000);
    fill(&o, PB_VIEW_OPEN, 7000 * NS_A_US, 1000);
    assert_true(isnan(open_loop(&o, "open_p50"))); /* a closed loop */
    o.open = windows;
    assert_true(open_loop(&o, "open_p90") < 1.01 * NS_A_US);
    assert_true(open_loop(&o, "open_p99") >= 7000.0 * NS_A_US);
    assert_near(open_loop(&o, "open_max"), 7000.0 * NS_A_US);
    assert_near(open_loop(&o, "open_samples"), 30000.0);
    assert_true(fabs(open_loop(&o, "open_rate") - 10000.0) < 0.01); /* all steps over all time */
    assert_true(fabs(open_loop(&o, "open_rate_share") - 0.8) < 1e-6);
    assert_true(fabs(open_loop(&o, "open_late_share") - 900.0 / 30002.0) < 1e-9);
    windows[1].steps = 99; /* too few to tell */
    assert_true(isnan(open_loop(&o, "open_rate")) && isnan(open_loop(&o, "open_rate_share")));
}

static void no_step_of_an_open_loop_is_finer_than_the_clock(void **state)
{
    struct pb_window window = {.begun = 0, .ended = 1000, .steps = 100};
    (void)state;
    struct pb_observation o = an_observation();
    fill(&o, PB_VIEW_OPEN, 0, 100);
    o.open = &window;
    assert_near(open_loop(&o, "open_p50"), pb_clock_resolution_ns());
}

static void a_warm_up_has_a_verdict_where_it_could_have_one(void **state)
{
    struct pb_warm_up warm = {.n = 7, .steady = true, .judged = true};
    (void)state;
    struct pb_observation o = an_observation();
    o.pretouched_bytes = 4096;
    assert_true(isnan(value_of("warmup", &o, NULL, NULL, "steady"))); /* cold */
    assert_true(isnan(value_of("warmup", &o, NULL, NULL, "warm_windows")));
    assert_near(value_of("warmup", &o, NULL, NULL, "pretouched_bytes"), 4096.0);
    o.warm = &warm;
    assert_near(value_of("warmup", &o, NULL, NULL, "steady"), 1.0);
    assert_near(value_of("warmup", &o, NULL, NULL, "warm_windows"), 7.0);
    warm.steady = false;
    assert_near(value_of("warmup", &o, NULL, NULL, "steady"), 0.0);
    warm.judged = false; /* one long replay, or too short a stream */
    assert_true(isnan(value_of("warmup", &o, NULL, NULL, "steady")));
}

int main(void)
{
    pb_clock_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_percentiles_stand_beside_the_whole),
        cmocka_unit_test(what_rseq_alone_says_has_a_share_of_its_own),
        cmocka_unit_test(ways_have_their_share_and_their_percentiles),
        cmocka_unit_test(a_strategy_that_says_no_ways_has_no_misses),
        cmocka_unit_test(a_body_is_in_nanoseconds_and_finer_than_the_clock),
        cmocka_unit_test(batches_that_are_too_short_for_the_clock_have_no_percentiles),
        cmocka_unit_test(neither_view_is_made_of_the_other),
        cmocka_unit_test(an_open_loop_has_its_rate_and_its_late_steps),
        cmocka_unit_test(no_step_of_an_open_loop_is_finer_than_the_clock),
        cmocka_unit_test(a_warm_up_has_a_verdict_where_it_could_have_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
