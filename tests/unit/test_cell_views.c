/* SPDX-License-Identifier: MIT */
/* Which windows a repetition has, what they leave in its answer, and what cannot be: sampling and
 * the open loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cell_fixture.h"
#include "skip.h"

#include "runner/cell_internal.h"
#include "runner/machine.h"
#include "trace/trace.h"

/* --- the views ------------------------------------------------------------------------------- */

static void samples_are_whole_and_clean_and_kinds_beside(void **state)
{
    struct pb_cell_spec spec = batch_of("zone");
    (void)state;
    snprintf(spec.params, sizeof spec.params, "size=256,n=400,ops=40000"); /* 25 rounds of BODY */
    run_well(&spec);
    uint64_t allocs = samples("alloc"), frees = samples("free"), marked = 0;
    assert_true(allocs > 0 && frees > 0);
    assert_true(has("alloc_clean") && has("free_clean"));
    marked = allocs - samples("alloc_clean") + frees - samples("free_clean");
    assert_true(fabs(metric("marked_samples") - (double)marked) < 0.5);
    assert_true(fabs(metric("marked_share") - (double)marked / (double)(allocs + frees)) < 1e-9);
    assert_int_equal(samples("free_local"), frees);
    assert_false(has("free_remote"));
    for (int i = PB_VIEW_ALLOC_HIT; i < PB_VIEW_BODY; i++) /* what is empty is not there */
        assert_true(!has(pb_view_rows[i].name) || samples(pb_view_rows[i].name) > 0);
    const json_t *body = json_object_get(json_object_get(answer, "hist"), "body");
    assert_string_equal(json_string_value(json_object_get(body, "unit")), "ps");
    assert_true(fabs(metric("body_batches") - (double)samples("body")) < 0.5);
    assert_true(strcmp(text_of("mark"), "rseq") == 0 || strcmp(text_of("mark"), "switches") == 0);
}

/* The frees of a round of 400 come all at once: a batch holds whole rounds of them. */
static void a_body_is_of_whole_rounds(void **state)
{
    struct pb_cell_spec spec = batch_of("zone");
    (void)state;
    snprintf(spec.params, sizeof spec.params, "size=64,n=400,ops=80000");
    run_well(&spec);
    assert_in_range(samples("body"), 20, 80000 / 4 / 400);
    snprintf(spec.params, sizeof spec.params, "size=64,n=400,ops=8000");
    run_well(&spec);
    assert_false(has("body") && samples("body") > 0); /* five rounds are too few */
    assert_true(isnan(metric("body_p50")));
}

/* Into a child: the zone again, as a strategy that uses the rseq area itself. */
static void add_an_owner_of_rseq(void *context)
{
    static struct pb_allocator owner;
    static const struct pb_allocator *const more[] = {&owner, NULL};
    (void)context;
    owner = *pb_registry_find("zone");
    owner.name = "owner";
    owner.capabilities |= PB_CAP_OWN_RSEQ;
    pb_registry_extend(more);
}

/* Planted: the area is the strategy's, and must be left to it. */
static void a_strategy_s_own_rseq_area_is_left_to_it(void **state)
{
    struct pb_cell_spec spec = batch_of("owner");
    (void)state;
    if (answer != NULL)
        json_decref(answer);
    answer = child_answer(pb_wire_spec_to_json(&spec), add_an_owner_of_rseq, NULL);
    assert_string_equal(text_of("reason"), "");
    assert_string_equal(text_of("mark"), "switches");
    assert_true(samples("alloc") > 0);
    assert_true(isnan(metric("preempted_share"))); /* rseq's alone */
}

/* Where a strategy does not say its ways, hits and misses are not made up. */
static void a_library_s_calls_have_no_ways(void **state)
{
    struct pb_cell_spec spec = batch_of("glibc");
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("malloc is the sanitizer's");
    run_well(&spec);
    assert_false(json_is_true(json_object_get(answer, "paths")));
    assert_false(has("alloc_hit") || has("alloc_miss") || has("free_overflow"));
    assert_true(has("free_local"));
    assert_true(isnan(metric("alloc_miss_share")) && isnan(metric("free_overflow_share")));
    assert_true(metric("free_remote_share") < 1e-9);
}

static void without_sampling_there_are_no_views(void **state)
{
    struct pb_cell_spec spec = batch_of("zone");
    (void)state;
    spec.sample_gap = 0;
    run_well(&spec);
    assert_int_equal(json_object_size(json_object_get(answer, "hist")), 0);
    assert_true(isnan(metric("body_p50")) && isnan(metric("marked_share")));
    assert_string_equal(text_of("mark"), "");
}

/* Its batches would time the other side. */
static void a_handoff_has_no_body(void **state)
{
    struct pb_cell_spec spec = batch_of("zone");
    (void)state;
    snprintf(spec.workload, sizeof spec.workload, "handoff");
    snprintf(spec.params, sizeof spec.params, "ops=20000");
    spec.threads = 2;
    run_well(&spec);
    assert_true(samples("alloc") > 0);
    assert_false(has("body"));
    assert_true(isnan(metric("body_p50")) && isnan(metric("body_batches")));
}

/* --- arrival --------------------------------------------------------------------------------- */

/* Half a second at 20000 a second. */
static void an_open_loop_times_each_step_from_when_it_was_due(void **state)
{
    static const char *const arrivals[] = {"poisson:20000", "fixed:20000"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pb_cell_spec spec = batch_of("zone");
        snprintf(spec.params, sizeof spec.params, "size=64,n=10,ops=1000000");
        snprintf(spec.arrival, sizeof spec.arrival, "%s", arrivals[i]);
        spec.scale = 1.0;
        run_well(&spec);
        assert_int_equal(samples("open"), 10000);
        assert_int_equal(json_object_size(json_object_get(answer, "hist")), 1);
        assert_true(fabs(metric("open_samples") - 10000.0) < 0.5);
        assert_true(metric("open_p50") > 0.0 && metric("open_max") >= metric("open_p50"));
        assert_true(metric("open_rate_share") > 0.95 && metric("open_rate_share") <= 1.0);
        assert_true(fabs(metric("open_rate") / 20000.0 - 1.0) < 0.05);
        assert_true(metric("open_late_share") >= 0.0 && metric("open_late_share") <= 1.0);
        assert_true(metric("ns_per_op") > 0.0);
    }
}

static void a_stream_s_end_ends_the_open_loop(void **state)
{
    struct pb_cell_spec spec = batch_of("zone");
    (void)state;
    snprintf(spec.params, sizeof spec.params, "size=64,n=10,ops=100");
    snprintf(spec.arrival, sizeof spec.arrival, "fixed:1000000");
    run_well(&spec);
    assert_int_equal(samples("open"), 100);
    assert_true(isnan(metric("open_p999"))); /* ten samples beyond are not there */
}

static void an_open_loop_without_a_rate_has_failed(void **state)
{
    struct pb_cell_spec spec = batch_of("zone");
    (void)state;
    snprintf(spec.arrival, sizeof spec.arrival, "fixed:0");
    run(&spec);
    assert_string_equal(text_of("status"), "failed");
    assert_non_null(strstr(text_of("reason"), "no open loop"));
}

/* Planted: windows of a step less than was asked for. */
static void a_part_that_was_not_done_is_refused(void **state)
{
    static const enum pb_phase phases[] = {PB_PHASE_BODY, PB_PHASE_OPEN};
    struct pb_topology *topology = NULL;
    (void)state;
    assert_int_equal(pb_topology_load(NULL, &topology), 0);
    for (size_t i = 0; i < 2; i++) {
        struct pb_cell_spec spec = batch_of("zone");
        struct pb_cell_result result;
        struct pb_cell *cell;
        if (phases[i] == PB_PHASE_OPEN)
            snprintf(spec.arrival, sizeof spec.arrival, "fixed:1000000");
        assert_int_equal(pb_cell_open(&spec, topology, &result, &cell), 0);
        assert_int_equal(pb_cell_warm(cell), 0);
        cell->session.batch = 400;
        pb_session_run(&cell->session, phases[i], cell->loop, 1000);
        uint64_t *steps = &cell->session.windows[phases[i]][0].steps;
        assert_int_equal(*steps, phases[i] == PB_PHASE_BODY ? 800 : 1000);
        assert_int_equal(pb_cell_judge_phase(cell, phases[i], 1000, NULL), 0);
        --*steps;
        assert_true(pb_cell_judge_phase(cell, phases[i], 1000, NULL) != 0);
        assert_int_equal(result.status, PB_FAILED);
        assert_non_null(strstr(result.reason, "before its stream"));
        pb_cell_close(cell);
        pb_cell_result_free(&result);
    }
    pb_topology_free(topology);
}

static void expect_skipped(const struct pb_cell_spec *spec, const char *words)
{
    run(spec);
    assert_string_equal(text_of("status"), "skipped");
    if (strstr(text_of("reason"), words) == NULL)
        fail_msg("'%s' lacks '%s'", text_of("reason"), words);
}

static void what_cannot_be_is_skipped_with_its_reason(void **state)
{
    struct pb_cell_spec spec = batch_of("zone");
    (void)state;
    snprintf(spec.start, sizeof spec.start, "cold");
    snprintf(spec.arrival, sizeof spec.arrival, "fixed:1000");
    expect_skipped(&spec, "cold once");
    spec = batch_of("zone");
    snprintf(spec.workload, sizeof spec.workload, "trace");
    snprintf(spec.params, sizeof spec.params, "file=sqlite");
    snprintf(spec.arrival, sizeof spec.arrival, "fixed:1000");
    expect_skipped(&spec, "wait for other workers");
    spec = batch_of("zone");
    snprintf(spec.workload, sizeof spec.workload, "handoff");
    snprintf(spec.params, sizeof spec.params, "ops=1000");
    spec.threads = 2;
    snprintf(spec.arrival, sizeof spec.arrival, "poisson:1000");
    expect_skipped(&spec, "wait for other workers");
    spec = batch_of("glibc");
    snprintf(spec.delay, sizeof spec.delay, "slow:100");
    expect_skipped(&spec, "library");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_whole_and_clean_and_kinds_beside),
        cmocka_unit_test(a_body_is_of_whole_rounds),
        cmocka_unit_test(a_strategy_s_own_rseq_area_is_left_to_it),
        cmocka_unit_test(a_library_s_calls_have_no_ways),
        cmocka_unit_test(without_sampling_there_are_no_views),
        cmocka_unit_test(a_handoff_has_no_body),
        cmocka_unit_test(an_open_loop_times_each_step_from_when_it_was_due),
        cmocka_unit_test(a_stream_s_end_ends_the_open_loop),
        cmocka_unit_test(an_open_loop_without_a_rate_has_failed),
        cmocka_unit_test(a_part_that_was_not_done_is_refused),
        cmocka_unit_test(what_cannot_be_is_skipped_with_its_reason),
    };
    pb_trace_set_folder(PB_SOURCE_DIR "/bench/traces");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    forget_answer();
    return failed;
}
