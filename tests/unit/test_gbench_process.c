/* SPDX-License-Identifier: MIT */
/* The C API over Google Benchmark: flags, filters, and what concerns the whole process. */
#include "gbench_recorder.h"

#include <errno.h>

static int helps;

static void help(void)
{
    helps++;
}

static void flags_are_taken_and_bad_ones_are_errors_not_exits(void **unused)
{
    (void)unused;
    char program[] = "test", mine[] = "--mine", verbose[] = "--v=1", asked[] = "--help";
    char *argv[] = {program, mine, verbose, NULL};
    int argc = 3;
    assert_int_equal(pb_gb_initialize(&argc, argv, help), 0);
    assert_int_equal(argc, 2);
    assert_string_equal(argv[1], "--mine");
    assert_int_equal(pb_gb_get_benchmark_verbosity(), 1);
    assert_true(pb_gb_report_unrecognized_arguments(argc, argv));
    assert_false(pb_gb_report_unrecognized_arguments(1, argv));
    argv[1] = asked;
    assert_int_equal(pb_gb_initialize(&argc, argv, help), PB_GB_HELP);
    assert_int_equal(helps, 1);
    assert_int_equal(initialize("--v=0"), 0);
    static const char *const bad[] = {"--benchmark_format=xml",
                                      "--benchmark_out_format=", "--benchmark_time_unit=h",
                                      "--benchmark_color=", "--benchmark_perf_counters=CYCLES"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(initialize(bad[i]), -EINVAL);
    assert_int_equal(initialize("--benchmark_time_unit=us"), 0);
    assert_int_equal(pb_gb_get_default_time_unit(), PB_GB_MICROSECOND);
    assert_int_equal(pb_gb_set_default_time_unit(PB_GB_NANOSECOND), 0);
    assert_int_equal(pb_gb_set_default_time_unit((enum pb_gb_time_unit)4), -EINVAL);
    assert_int_equal(initialize("--benchmark_time_unit=ns"), 0);
    assert_int_equal(initialize("--benchmark_out=no/such/folder/file"), 0);
    assert_int_equal(run_with(&recorder, "all", NULL), -ENOENT);
    assert_int_equal(initialize("--benchmark_out="), 0);
}

static void filters_select_and_bad_ones_are_errors(void **unused)
{
    (void)unused;
    char text[4];
    size_t matched = 9;
    assert_int_equal(pb_gb_benchmark_iterations(add("one", second_each, NULL), 1), 0);
    assert_int_equal(pb_gb_benchmark_iterations(add("two", second_each, NULL), 1), 0);
    assert_int_equal(run_with(&recorder, "^one/", &matched), 0);
    assert_true(matched == 1 && rows_n == 1);
    assert_int_equal(run_with(&recorder, "-one", &matched), 0);
    assert_true(matched == 1 && strncmp(rows[0].name, "two", 3) == 0);
    assert_int_equal(run_with(&recorder, "three", &matched), 0);
    assert_int_equal(matched, 0);
    assert_int_equal(run_with(&recorder, "(", NULL), -EINVAL);
    assert_true(pb_gb_last_error()[0]);
    assert_int_equal(pb_gb_set_benchmark_filter("["), -EINVAL);
    assert_int_equal(pb_gb_set_benchmark_filter("^two"), 0);
    assert_int_equal(pb_gb_get_benchmark_filter(text, sizeof text), 4);
    assert_string_equal(text, "^tw");
    assert_int_equal(run_with(&recorder, NULL, &matched), 0);
    assert_true(matched == 1 && strncmp(rows[0].name, "two", 3) == 0);
    assert_int_equal(pb_gb_set_benchmark_filter(""), 0);
}

static void an_exception_of_the_library_does_not_pass(void **unused)
{
    (void)unused;
    assert_int_equal(pb_gb_benchmark_unit(add("x", second_each, NULL), PB_GB_SECOND), 0);
    assert_int_equal(initialize("--benchmark_repetitions=-1"), 0); /* reserves SIZE_MAX places */
    assert_int_equal(run_with(&recorder, "all", NULL), -EINVAL);
    assert_int_equal(initialize("--benchmark_repetitions=1"), 0);
    run_all();
}

static void run_again(struct pb_gb_state *state, void *context)
{
    int *codes = context;
    codes[0] = pb_gb_run_specified_benchmarks(NULL, NULL, NULL, NULL);
    codes[1] = pb_gb_clear_registered_benchmarks();
    codes[2] = pb_gb_register_memory_manager(NULL, NULL);
    second_each(state, NULL);
}

static void a_run_inside_a_run_is_refused(void **unused)
{
    (void)unused;
    int codes[3] = {0};
    assert_int_equal(pb_gb_benchmark_iterations(add("x", run_again, codes), 1), 0);
    run_all();
    for (int i = 0; i < 3; i++)
        assert_int_equal(codes[i], -EBUSY);
}

/* ---- memory manager ---- */

static struct {
    int starts, stops, threads;
    bool seen;
    struct pb_gb_memory memory;
    double per_iteration;
} spy;

static void spy_start(void *context)
{
    (void)context;
    spy.starts++;
}

static void spy_stop(struct pb_gb_memory *result, void *context)
{
    (void)context;
    spy.stops++;
    result->num_allocs = 8;
    result->max_bytes_used = 512;
}

static void note_threads(struct pb_gb_state *state, void *context)
{
    if (pb_gb_state_thread_index(state) == 0)
        spy.threads = pb_gb_state_threads(state);
    second_each(state, context);
}

static void spy_runs(const struct pb_gb_run *const *runs, size_t n, void *context)
{
    (void)context, (void)n;
    spy.seen = pb_gb_run_memory(runs[0], &spy.memory, &spy.per_iteration) == 0;
}

static void a_memory_manager_gets_a_pass_that_says_one_thread(void **unused)
{
    static const struct pb_gb_memory_ops ops = {spy_start, spy_stop};
    static const struct pb_gb_reporter_ops reporter = {.runs = spy_runs};
    struct pb_gb_benchmark *b = add("x", note_threads, NULL);
    assert_int_equal(pb_gb_benchmark_threads(b, 2), 0);
    assert_int_equal(pb_gb_benchmark_iterations(b, 4), 0);
    assert_int_equal(pb_gb_register_memory_manager(&ops, NULL), 0);
    assert_int_equal(run_with(&reporter, "all", NULL), 0);
    assert_true(spy.starts == 1 && spy.stops == 1 && spy.threads == 1 && spy.seen);
    assert_int_equal(spy.memory.max_bytes_used, 512);
    assert_true(spy.memory.net_heap_growth == PB_GB_MEMORY_UNKNOWN);
    assert_true(spy.per_iteration == 2.0);
    assert_int_equal(pb_gb_benchmark_repetitions(b, 3), 0);
    assert_int_equal(run_with(&reporter, "all", NULL), 0);
    assert_true(spy.starts == 4 && !spy.seen); /* those results are freed by then */
    assert_int_equal(pb_gb_register_memory_manager(NULL, NULL), 0);
    assert_int_equal(fresh(unused), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(flags_are_taken_and_bad_ones_are_errors_not_exits, fresh),
        cmocka_unit_test_setup(filters_select_and_bad_ones_are_errors, fresh),
        cmocka_unit_test_setup(an_exception_of_the_library_does_not_pass, fresh),
        cmocka_unit_test_setup(a_run_inside_a_run_is_refused, fresh),
        cmocka_unit_test_setup(a_memory_manager_gets_a_pass_that_says_one_thread, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
