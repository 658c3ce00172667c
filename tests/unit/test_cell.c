/* SPDX-License-Identifier: MIT */
/* What a cell's start and delay make of a repetition, each in a process of its own, and what the
 * harness itself costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cell_fixture.h"
#include "skip.h"

#include "engine/audit.h"
#include "path.h"
#include "runner/cell_internal.h"
#include "runner/machine.h"
#include "trace/trace.h"

#include <unistd.h>

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
        cmocka_unit_test(a_null_cell_leaves_nothing_resident),
        cmocka_unit_test(the_delay_is_planted_before_the_heap_is_opened),
        cmocka_unit_test(the_setup_is_in_the_answer_and_comes_from_its_seed),
    };
    pb_trace_set_folder(PB_SOURCE_DIR "/bench/traces");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    forget_answer();
    return failed;
}
