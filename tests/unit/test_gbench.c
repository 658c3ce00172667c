/* SPDX-License-Identifier: MIT */
/* The C API over Google Benchmark: registration, and what of it is refused. */
#include "gbench_recorder.h"

#include <errno.h>
#include <math.h>

/* ---- names ---- */

static int64_t two[] = {2, 3};

static void shape_plain(struct pb_gb_benchmark *b, void *unused)
{
    (void)unused;
    assert_int_equal(pb_gb_benchmark_unit(b, PB_GB_MILLISECOND), 0);
}

static void shape_arg(struct pb_gb_benchmark *b, void *unused)
{
    (void)unused;
    assert_int_equal(pb_gb_benchmark_arg(b, 64), 0);
    assert_int_equal(pb_gb_benchmark_args(b, two, 1), 0);
}

static void shape_names(struct pb_gb_benchmark *b, void *unused)
{
    (void)unused;
    const char *names[] = {"size", ""};
    assert_int_equal(pb_gb_benchmark_args(b, two, 2), 0);
    assert_int_equal(pb_gb_benchmark_arg_names(b, names, 2), 0);
    assert_int_equal(pb_gb_benchmark_name(b, "renamed"), 0);
}

static void shape_range(struct pb_gb_benchmark *b, void *unused)
{
    (void)unused;
    assert_int_equal(pb_gb_benchmark_range(b, 1, 64), 0);
    assert_int_equal(pb_gb_benchmark_range_multiplier(b, 2), 0);
    assert_int_equal(pb_gb_benchmark_range(b, 4, 9), 0);
    assert_int_equal(pb_gb_benchmark_dense_range(b, -1, 1, 2), 0);
    assert_int_equal(pb_gb_benchmark_arg_name(b, "n"), 0);
}

static void shape_ranges(struct pb_gb_benchmark *b, void *unused)
{
    (void)unused;
    const int64_t lows[] = {1, 5}, highs[] = {2, 5};
    assert_int_equal(pb_gb_benchmark_ranges(b, lows, highs, 2), 0);
}

static void shape_product(struct pb_gb_benchmark *b, void *unused)
{
    (void)unused;
    const int64_t one[] = {7};
    const int64_t *lists[] = {two, one};
    const size_t lengths[] = {2, 1};
    assert_int_equal(pb_gb_benchmark_args_product(b, lists, lengths, 2), 0);
}

static void shape_times(struct pb_gb_benchmark *b, void *unused)
{
    (void)unused;
    assert_int_equal(pb_gb_benchmark_min_time(b, 0.002), 0);
    assert_int_equal(pb_gb_benchmark_min_warm_up_time(b, 0.001), 0);
    assert_int_equal(pb_gb_benchmark_measure_process_cpu_time(b), 0);
}

static void shape_repeats(struct pb_gb_benchmark *b, void *unused)
{
    (void)unused;
    assert_int_equal(pb_gb_benchmark_iterations(b, 3), 0);
    assert_int_equal(pb_gb_benchmark_repetitions(b, 2), 0);
    assert_int_equal(pb_gb_benchmark_report_aggregates_only(b, true), 0);
}

static void shape_display(struct pb_gb_benchmark *b, void *unused)
{
    shape_repeats(b, unused);
    assert_int_equal(pb_gb_benchmark_report_aggregates_only(b, false), 0);
    assert_int_equal(pb_gb_benchmark_display_aggregates_only(b, true), 0);
    assert_int_equal(pb_gb_benchmark_display_aggregates_only(b, false), 0);
}

static void shape_threads(struct pb_gb_benchmark *b, void *unused)
{
    (void)unused;
    assert_int_equal(pb_gb_benchmark_threads(b, 2), 0);
    assert_int_equal(pb_gb_benchmark_thread_range(b, 1, 3), 0);
    assert_int_equal(pb_gb_benchmark_dense_thread_range(b, 1, 4, 2), 0);
}

static void every_builder_shapes_the_names_as_the_library_does(void **unused)
{
    static const struct {
        pb_gb_customize shape;
        const char *names[8];
    } cases[] = {
        {shape_plain, {"x/manual_time"}},
        {shape_arg, {"x/64/manual_time", "x/2/manual_time"}},
        {shape_names, {"renamed/size:2/3/manual_time"}},
        {shape_range,
         {"x/n:1/manual_time", "x/n:8/manual_time", "x/n:64/manual_time", "x/n:4/manual_time",
          "x/n:8/manual_time", "x/n:9/manual_time", "x/n:-1/manual_time", "x/n:1/manual_time"}},
        {shape_ranges, {"x/1/5/manual_time", "x/2/5/manual_time"}},
        {shape_product, {"x/2/7/manual_time", "x/3/7/manual_time"}},
        {shape_times, {"x/min_time:0.002/min_warmup_time:0.001/process_time/manual_time"}},
        {shape_repeats,
         {"x/iterations:3/repeats:2/manual_time_mean",
          "x/iterations:3/repeats:2/manual_time_median",
          "x/iterations:3/repeats:2/manual_time_stddev",
          "x/iterations:3/repeats:2/manual_time_cv"}},
        {shape_display,
         {"x/iterations:3/repeats:2/manual_time", "x/iterations:3/repeats:2/manual_time",
          "x/iterations:3/repeats:2/manual_time_mean",
          "x/iterations:3/repeats:2/manual_time_median",
          "x/iterations:3/repeats:2/manual_time_stddev",
          "x/iterations:3/repeats:2/manual_time_cv"}},
        {shape_threads,
         {"x/manual_time/threads:2", "x/manual_time/threads:1", "x/manual_time/threads:2",
          "x/manual_time/threads:3", "x/manual_time/threads:1", "x/manual_time/threads:3",
          "x/manual_time/threads:4"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(fresh(unused), 0);
        struct pb_gb_benchmark *b = add("x", second_each, NULL);
        assert_int_equal(pb_gb_benchmark_use_manual_time(b), 0);
        assert_int_equal(pb_gb_benchmark_apply(b, cases[i].shape, NULL), 0);
        run_all();
        for (size_t j = 0; j < 8 && cases[i].names[j]; j++) {
            assert_true(j < rows_n);
            assert_string_equal(rows[j].name, cases[i].names[j]);
        }
        assert_true(rows_n == 8 || !cases[i].names[rows_n]);
    }
}

static void threads_of_every_cpu_and_real_time_are_named(void **unused)
{
    (void)unused;
    struct pb_gb_cpu_info info;
    struct pb_gb_cpu_cache cache;
    char want[64];
    struct pb_gb_benchmark *b = add("x", second_each, NULL);
    assert_int_equal(pb_gb_get_cpu_info(&info), 0);
    assert_true(info.num_cpus > 0 && info.cycles_per_second > 0);
    assert_int_equal(pb_gb_get_cpu_cache(info.caches_n, &cache), -ENOENT);
    for (size_t i = 0; i < info.caches_n; i++) {
        assert_int_equal(pb_gb_get_cpu_cache(i, &cache), 0);
        assert_true(cache.size > 0 && cache.type[0]);
    }
    assert_true(pb_gb_get_system_name()[0]);
    assert_int_equal(pb_gb_benchmark_thread_per_cpu(b), 0);
    assert_int_equal(pb_gb_benchmark_use_real_time(b), 0);
    assert_int_equal(pb_gb_benchmark_iterations(b, 1), 0);
    run_all();
    snprintf(want, sizeof want, "x/iterations:1/real_time/threads:%d", info.num_cpus);
    assert_string_equal(rows[0].name, want);
}

static void ranges_are_those_of_the_builders(void **unused)
{
    (void)unused;
    int64_t values[4] = {0};
    const int64_t powers[] = {0, 1, 10, 20};
    assert_int_equal(pb_gb_create_range(0, 20, 10, values, 4), 4);
    assert_memory_equal(values, powers, sizeof powers);
    assert_int_equal(pb_gb_create_dense_range(1, 9, 2, values, 2), 5);
    assert_true(values[0] == 1 && values[1] == 3 && values[2] == 10);
    assert_int_equal(pb_gb_create_range(1, 0, 2, values, 4), -EINVAL);
    assert_int_equal(pb_gb_create_dense_range(0, INT64_MAX, 1, values, 4), -EINVAL);
}

/* ---- refusals ---- */

static void what_the_library_aborts_over_is_refused(void **unused)
{
    (void)unused;
    const int64_t low = 4, high = 2;
    const int64_t *list = &low;
    const size_t none = 0;
    struct pb_gb_benchmark *b = NULL, *manual = add("m", second_each, NULL);
    assert_int_equal(pb_gb_register_benchmark("", second_each, NULL, &b), -EINVAL);
    assert_int_equal(pb_gb_register_benchmark("a\nb", second_each, NULL, &b), -EINVAL);
    assert_int_equal(pb_gb_register_benchmark("\xC3(", second_each, NULL, &b), -EINVAL);
    assert_int_equal(pb_gb_register_benchmark("x", NULL, NULL, &b), -EINVAL);
    b = add("x", second_each, NULL);
    assert_int_equal(pb_gb_benchmark_arg(b, 1), 0);
    const int codes[] = {
        pb_gb_benchmark_args(b, two, 2),
        pb_gb_benchmark_args(b, two, 0),
        pb_gb_benchmark_args(b, two, SIZE_MAX / 16),
        pb_gb_benchmark_range(b, low, high),
        pb_gb_benchmark_ranges(b, &low, &high, 2),
        pb_gb_benchmark_dense_range(b, 0, 9, 0),
        pb_gb_benchmark_dense_range(b, 0, INT64_MAX, 1),
        pb_gb_benchmark_args_product(b, &list, &none, 1),
        pb_gb_benchmark_arg_name(b, "a\x7F"),
        pb_gb_benchmark_range_multiplier(b, 1),
        pb_gb_benchmark_min_time(b, 0.0),
        pb_gb_benchmark_min_time(b, NAN),
        pb_gb_benchmark_min_warm_up_time(b, -1.0),
        pb_gb_benchmark_iterations(b, 0),
        pb_gb_benchmark_repetitions(b, 0),
        pb_gb_benchmark_threads(b, 0),
        pb_gb_benchmark_threads(b, 1 << 20),
        pb_gb_benchmark_thread_range(b, 2, 1),
        pb_gb_benchmark_dense_thread_range(b, 1, 2, 0),
        pb_gb_benchmark_unit(b, (enum pb_gb_time_unit)7),
        pb_gb_benchmark_complexity(b, PB_GB_O_FUNCTION),
        pb_gb_benchmark_complexity_fn(b, NULL, NULL),
        pb_gb_benchmark_compute_statistics(b, "", NULL, NULL, PB_GB_STATISTIC_TIME),
        pb_gb_benchmark_setup(b, NULL, NULL),
        pb_gb_benchmark_teardown(b, NULL, NULL),
        pb_gb_benchmark_name(b, "\t"),
        pb_gb_benchmark_apply(b, NULL, NULL),
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        assert_int_equal(codes[i], -EINVAL);
    assert_int_equal(pb_gb_benchmark_use_manual_time(manual), 0);
    assert_int_equal(pb_gb_benchmark_use_real_time(manual), -EINVAL);
    assert_int_equal(pb_gb_benchmark_iterations(manual, 2), 0);
    assert_int_equal(pb_gb_benchmark_min_time(manual, 1.0), -EINVAL);
    assert_int_equal(pb_gb_benchmark_min_warm_up_time(manual, 0.0), -EINVAL);
    run_all();
    assert_int_equal(rows_n, 2);
    assert_string_equal(rows[1].name, "x/1");
}

static void slots_for_setup_and_statistics_run_out_and_come_back(void **unused)
{
    int last = 0;
    for (int i = 0; i <= 256; i++)
        last = pb_gb_benchmark_setup(add("x", second_each, NULL), second_each, NULL);
    assert_int_equal(last, -ENOSPC);
    assert_int_equal(fresh(unused), 0);
    assert_int_equal(pb_gb_benchmark_setup(add("x", second_each, NULL), second_each, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_builder_shapes_the_names_as_the_library_does, fresh),
        cmocka_unit_test_setup(threads_of_every_cpu_and_real_time_are_named, fresh),
        cmocka_unit_test_setup(ranges_are_those_of_the_builders, fresh),
        cmocka_unit_test_setup(what_the_library_aborts_over_is_refused, fresh),
        cmocka_unit_test_setup(slots_for_setup_and_statistics_run_out_and_come_back, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
