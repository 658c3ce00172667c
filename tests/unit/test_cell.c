/* SPDX-License-Identifier: MIT */
/* What a cell's start, arrival and delay make of a repetition, each in a process of its own: which
 * windows there are, what they leave in the answer, and what cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "child_answer.h"
#include "skip.h"

#include "engine/audit.h"
#include "engine/kind.h"
#include "path.h"
#include "runner/cell_internal.h"
#include "runner/machine.h"
#include "runner/wire.h"
#include "trace/trace.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static json_t *answer;

/* A cell of `batch`, which holds 100 KiB at a time: glibc gives back what is more. */
static struct pb_cell_spec batch_of(const char *variant)
{
    struct pb_cell_spec spec = {.workload = "batch",
                                .params = "size=256,n=400,ops=12000",
                                .pin = "none",
                                .memory = "default",
                                .start = "warm",
                                .arrival = "closed",
                                .delay = "none",
                                .threads = 1,
                                .oversubscribe = true,
                                .seed = 7,
                                .scale = 1,
                                .sample_gap = 16,
                                .audit = true};
    snprintf(spec.variant, sizeof spec.variant, "%s", variant);
    return spec;
}

static void run(const struct pb_cell_spec *spec)
{
    if (answer != NULL)
        json_decref(answer);
    json_t *input = pb_wire_spec_to_json(spec);
    json_object_set_new(input, "setup", json_pack("{s:i}", "seed", 5));
    answer = child_answer(input, NULL, NULL);
}

static const char *text_of(const char *key)
{
    const char *text = json_string_value(json_object_get(answer, key));
    return text != NULL ? text : "";
}

static void run_well(const struct pb_cell_spec *spec)
{
    run(spec);
    assert_string_equal(text_of("reason"), "");
    assert_string_equal(text_of("status"), "ok");
}

/* NAN where it is absent. */
static double metric(const char *key)
{
    const json_t *value = json_object_get(json_object_get(answer, "m"), key);
    return value != NULL ? json_number_value(value) : (double)NAN;
}

static uint64_t samples(const char *view)
{
    const json_t *hist = json_object_get(json_object_get(answer, "hist"), view);
    return (uint64_t)json_integer_value(json_object_get(hist, "n"));
}

static bool has(const char *view)
{
    return json_object_get(json_object_get(answer, "hist"), view) != NULL;
}

/* --- start ----------------------------------------------------------------------------------- */

/* Methodology R7. */
static void a_cold_cell_faults_where_a_warm_one_does_not(void **state)
{
    static const char *const variants[] = {"pool", "zone", "glibc"};
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("a sanitizer keeps memory and mappings of its own");
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        struct pb_cell_spec spec = batch_of(variants[i]);
        run_well(&spec);
        double warm = metric("minor_faults");
        snprintf(spec.start, sizeof spec.start, "cold");
        run_well(&spec);
        double cold = metric("minor_faults");
        if (!(cold >= 10.0) || !(warm <= cold / 4))
            fail_msg("%s: %.0f faults cold, %.0f warm", variants[i], cold, warm);
    }
}

static void a_cold_cell_is_its_first_use_and_nothing_else(void **state)
{
    struct pb_cell_spec spec = batch_of("zone");
    (void)state;
    snprintf(spec.start, sizeof spec.start, "cold");
    run_well(&spec);
    assert_int_equal(json_object_size(json_object_get(answer, "hist")), 0);
    assert_true(metric("ns_per_op") > 0.0);
    assert_true(isnan(metric("steady")) && isnan(metric("warm_windows")));
    assert_true(isnan(metric("rss_peak_bytes"))); /* the audit came behind */
    assert_true(
        json_integer_value(json_object_get(json_object_get(answer, "audit_ops"), "allocs")) > 0);
}

static bool warns(const char *words)
{
    const json_t *list = json_object_get(answer, "warn"), *line;
    size_t i;
    json_array_foreach(list, i,
                       line) if (strstr(json_string_value(line), words) != NULL) return true;
    return false;
}

static void a_cold_library_is_said_to_have_been_used(void **state)
{
    static const struct {
        const char *variant, *start;
        bool warns;
    } cases[] = {{"glibc", "cold", true},
                 {"lookaside:backing=malloc", "cold", true},
                 {"zone", "cold", false},
                 {"glibc", "warm", false}};
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("malloc is the sanitizer's");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pb_cell_spec spec = batch_of(cases[i].variant);
        snprintf(spec.start, sizeof spec.start, "%s", cases[i].start);
        run_well(&spec);
        assert_int_equal(warns("cold is not untouched"), cases[i].warns);
    }
}

static void cold_and_warm_run_the_same_stream(void **state)
{
    struct pb_cell_spec spec = batch_of("zone");
    char warm[32];
    (void)state;
    run_well(&spec);
    snprintf(warm, sizeof warm, "%s", text_of("stream_hash"));
    snprintf(spec.start, sizeof spec.start, "cold");
    run_well(&spec);
    assert_string_equal(text_of("stream_hash"), warm);
}

static void a_warm_cell_says_how_its_warm_up_went(void **state)
{
    struct pb_cell_spec spec = batch_of("pool");
    (void)state;
    run_well(&spec); /* a millisecond or so: too short to tell */
    assert_true(isnan(metric("steady")) == (metric("warm_windows") < 5.5));
    snprintf(spec.params, sizeof spec.params, "size=64,n=100,ops=4M");
    run_well(&spec);
    double windows = metric("warm_windows"), steady = metric("steady");
    assert_true(windows >= 6.0 && windows <= 20.0);
    assert_true(steady > 0.5 || windows > 5.5);
    assert_true(metric("pretouched_bytes") >= 1 << 20);
}

/* 64 MiB are live; what is written to is two pages of each block. */
static void large_blocks_are_pretouched_where_they_are_written(void **state)
{
    struct pb_cell_spec spec = batch_of("zone");
    (void)state;
    snprintf(spec.params, sizeof spec.params, "size=1M,n=64,ops=64");
    spec.audit = false;
    for (int cold = 0; cold < 2; cold++) {
        snprintf(spec.start, sizeof spec.start, "%s", cold ? "cold" : "warm");
        run_well(&spec);
        double touched = metric("pretouched_bytes");
        assert_true(touched >= 64 * 2 * 4096);
        assert_true(touched <= 64 * 2 * (double)sysconf(_SC_PAGESIZE) * 9 / 8 + (1 << 20));
    }
}

/* Planted: a machine that has next to nothing. */
static void what_the_machine_cannot_spare_is_not_pretouched(void **state)
{
    struct pb_cell_spec spec = batch_of("zone");
    struct pb_cell_result result;
    struct pb_topology *topology = NULL;
    struct pb_cell *cell;
    double seconds;
    (void)state;
    assert_int_equal(pb_topology_load(NULL, &topology), 0);
    assert_int_equal(pb_cell_open(&spec, topology, &result, &cell), 0);
    cell->spare_bytes = 4096;
    assert_int_equal(pb_cell_warm(cell), 0);
    assert_int_equal(pb_cell_rate(cell, &seconds), 0);
    assert_int_equal(pb_cell_recheck(cell), 0);
    pb_cell_finish(cell);
    assert_true(result.values[pb_metric_index("pretouched_bytes")] < 0.5);
    assert_non_null(strstr(result.warn, "nothing was pretouched"));
    pb_cell_close(cell);
    pb_cell_result_free(&result);
    pb_topology_free(topology);
}

/* The looks beside the window take some milliseconds, it a part of one: none of theirs is in it. */
static void processor_time_is_the_window_s(void **state)
{
    struct pb_cell_spec spec = batch_of("zone");
    (void)state;
    run_well(&spec);
    const json_t *gbench = json_object_get(answer, "gbench");
    double cpu = json_number_value(json_object_get(gbench, "cpu_time"));
    double steps = json_number_value(json_object_get(gbench, "iterations"));
    assert_true(cpu > 0.0 && fabs(cpu * steps - metric("worker_cpu_ns")) < 1.0);
    assert_true(cpu * steps < json_number_value(json_object_get(answer, "wall_ns")) + 0.5e6);
}

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

/* --- what the harness itself costs ----------------------------------------------------------- */

/* Methodology R10: a strategy that takes nothing while it is timed leaves what is resident alone,
 * but for the pages of the workers' stacks that the windows are the first to use. */
static void a_null_cell_leaves_nothing_resident(void **state)
{
    enum { STACKS = 16 * 4096, COUNTED_LATE = 256 << 10 };
    struct pb_cell_spec spec = batch_of("null");
    struct pb_cell_result result;
    struct pb_topology *topology = NULL;
    struct pb_cell *cell;
    double seconds;
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("a sanitizer keeps memory and mappings of its own");
    assert_int_equal(pb_topology_load(NULL, &topology), 0);
    assert_int_equal(pb_cell_open(&spec, topology, &result, &cell), 0);
    assert_int_equal(pb_cell_warm(cell), 0);
    uint64_t before = pb_resident_bytes();
    assert_int_equal(pb_cell_rate(cell, &seconds), 0);
    assert_int_equal(pb_cell_tail(cell), 0);
    assert_true(pb_resident_bytes() <= before + STACKS + COUNTED_LATE);
    assert_int_equal(pb_cell_recheck(cell), 0);
    pb_cell_finish(cell);
    assert_true(result.values[pb_metric_index("pretouched_bytes")] >= 1 << 20);
    pb_cell_close(cell);
    pb_cell_result_free(&result);
    pb_topology_free(topology);
}

static void the_delay_is_planted_before_the_heap_is_opened(void **state)
{
    static const struct {
        const char *delay;
        uint64_t slow, lock;
        bool asks;
    } cases[] = {{"slow:250", 250, 0, false},
                 {"slow:0", 0, 0, false},
                 {"lock:70", 0, 70, true},
                 {"lock:0", 0, 0, true},
                 {"none", 0, 0, false}};
    struct pb_topology *topology = NULL;
    (void)state;
    assert_int_equal(pb_topology_load(NULL, &topology), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pb_cell_spec spec = batch_of("zone");
        struct pb_cell_result result;
        struct pb_cell *cell;
        snprintf(spec.delay, sizeof spec.delay, "%s", cases[i].delay);
        assert_int_equal(pb_cell_open(&spec, topology, &result, &cell), 0);
        assert_int_equal(pb_path_delays.slow_ns, cases[i].slow);
        assert_int_equal(pb_path_delays.lock_ns, cases[i].lock);
        assert_int_equal(pb_path_asks_in_locks(), cases[i].asks);
        /* the path of a delay, also of one of 0: that is where a slope begins */
        assert_int_equal(strcmp(cell->opened.heap->hot->name, "zone_delayed") == 0, cases[i].asks);
        pb_cell_close(cell);
        pb_cell_result_free(&result);
    }
    pb_topology_free(topology);
}

/* Methodology R5. */
static void the_setup_is_in_the_answer_and_comes_from_its_seed(void **state)
{
    struct pb_cell_spec spec = batch_of("null");
    struct pb_setup drawn = {.seed = 5};
    (void)state;
    pb_setup_draw(&drawn);
    for (int i = 0; i < 2; i++) {
        run_well(&spec);
        const json_t *setup = json_object_get(answer, "setup");
        assert_int_equal(json_integer_value(json_object_get(setup, "seed")), 5);
        assert_int_equal(json_integer_value(json_object_get(setup, "mmap_pad")), drawn.mmap_pad);
        assert_int_equal(json_integer_value(json_object_get(setup, "brk_pad")), drawn.brk_pad);
        assert_true(json_is_boolean(json_object_get(setup, "aslr")));
    }
    json_t *bare = child_answer(pb_wire_spec_to_json(&spec), NULL, NULL);
    assert_null(json_object_get(bare, "setup"));
    json_decref(bare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cold_cell_faults_where_a_warm_one_does_not),
        cmocka_unit_test(a_cold_cell_is_its_first_use_and_nothing_else),
        cmocka_unit_test(a_cold_library_is_said_to_have_been_used),
        cmocka_unit_test(cold_and_warm_run_the_same_stream),
        cmocka_unit_test(a_warm_cell_says_how_its_warm_up_went),
        cmocka_unit_test(large_blocks_are_pretouched_where_they_are_written),
        cmocka_unit_test(what_the_machine_cannot_spare_is_not_pretouched),
        cmocka_unit_test(processor_time_is_the_window_s),
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
        cmocka_unit_test(a_null_cell_leaves_nothing_resident),
        cmocka_unit_test(the_delay_is_planted_before_the_heap_is_opened),
        cmocka_unit_test(the_setup_is_in_the_answer_and_comes_from_its_seed),
    };
    pb_trace_set_folder(PB_SOURCE_DIR "/bench/traces");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (answer != NULL)
        json_decref(answer);
    return failed;
}
