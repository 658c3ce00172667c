/* SPDX-License-Identifier: MIT */
/* The C API over Google Benchmark: the state of a running body. */
#include "gbench_recorder.h"

#include <errno.h>
#include <math.h>

static int64_t two[] = {2, 3};

struct batches {
    int64_t taken[8], iterations, max;
    size_t n;
};

static void take_fours(struct pb_gb_state *state, void *context)
{
    struct batches *batches = context;
    int64_t n;
    batches->n = 0;
    while ((n = pb_gb_state_keep_running_batch(state, 4)) > 0)
        batches->taken[batches->n++] = n;
    batches->iterations = pb_gb_state_iterations(state);
    batches->max = pb_gb_state_max_iterations(state);
}

static void iterations_are_exact_and_the_last_batch_is_cut(void **unused)
{
    (void)unused;
    struct batches batches = {0};
    assert_int_equal(pb_gb_benchmark_iterations(add("x", take_fours, &batches), 10), 0);
    run_all();
    assert_int_equal(batches.n, 3);
    assert_int_equal(batches.taken[2], 2);
    assert_int_equal(batches.iterations, 10);
    assert_int_equal(batches.max, 10);
    assert_int_equal(rows[0].iterations, 10);
}

static void quarter_each(struct pb_gb_state *state, void *context)
{
    (void)context;
    while (pb_gb_state_keep_running(state))
        pb_gb_state_set_iteration_time(state, 0.25);
}

static void manual_time_passes_through(void **unused)
{
    (void)unused;
    struct pb_gb_benchmark *b = add("x", quarter_each, NULL);
    assert_int_equal(pb_gb_benchmark_use_manual_time(b), 0);
    assert_int_equal(pb_gb_benchmark_iterations(b, 4), 0);
    assert_int_equal(pb_gb_benchmark_unit(b, PB_GB_MILLISECOND), 0);
    run_all();
    assert_true(rows[0].accumulated == 1.0);
    assert_true(rows[0].adjusted == 250.0);
}

static void count(struct pb_gb_state *state, void *context)
{
    static const struct pb_gb_counter counters[] = {
        {10, 0, 1024},
        {10, PB_GB_COUNTER_RATE, 0},
        {10, PB_GB_COUNTER_ITERATION_INVARIANT, 0},
        {10, PB_GB_COUNTER_AVG_ITERATIONS, 0},
        {10, PB_GB_COUNTER_INVERT, 0},
        {10, PB_GB_COUNTER_AVG_THREADS | PB_GB_COUNTER_RATE, 0},
    };
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    struct pb_gb_counter *back = context;
    while (pb_gb_state_keep_running(state))
        pb_gb_state_set_iteration_time(state, 0.4);
    for (size_t i = 0; i < 6; i++)
        pb_gb_state_set_counter(state, names[i], &counters[i]);
    pb_gb_state_set_items_processed(state, 100);
    pb_gb_state_set_bytes_processed(state, 4096);
    if (pb_gb_state_thread_index(state) == 0)
        pb_gb_state_counter(state, "f", back);
}

static void counters_keep_their_flags_and_are_divided_by_them(void **unused)
{
    (void)unused;
    struct pb_gb_counter back = {0};
    struct pb_gb_benchmark *b = add("x", count, &back);
    assert_int_equal(pb_gb_benchmark_use_manual_time(b), 0);
    assert_int_equal(pb_gb_benchmark_iterations(b, 5), 0);
    assert_int_equal(pb_gb_benchmark_threads(b, 2), 0);
    run_all();
    /* 2 s a thread, 20 over both, 10 iterations over both */
    const double want[] = {20, 10, 200, 2, 0.05, 5};
    for (size_t i = 0; i < 6; i++) {
        const char name[] = {(char)('a' + i), '\0'};
        assert_true(fabs(counter_of(&rows[0], name)->value - want[i]) < 1e-9);
    }
    assert_int_equal(counter_of(&rows[0], "a")->one_k, 1024);
    assert_int_equal(counter_of(&rows[0], "f")->flags, back.flags);
    assert_int_equal(back.flags, PB_GB_COUNTER_AVG_THREADS | PB_GB_COUNTER_RATE);
    assert_int_equal(back.one_k, 1000);
    assert_true(fabs(counter_of(&rows[0], "items_per_second")->value - 100) < 1e-9);
    assert_int_equal(counter_of(&rows[0], "bytes_per_second")->one_k, 1024);
}

struct codes {
    int code[24];
    int64_t values[8];
};

static void misuse(struct pb_gb_state *state, void *context)
{
    struct codes *codes = context;
    int *code = codes->code;
    struct pb_gb_counter one = {1, 0, 0}, nan = {NAN, 0, 0}, flagged = {1, 1u << 9, 0};
    struct pb_gb_counter infinite = {-INFINITY, 0, 0}, rate = {1, PB_GB_COUNTER_RATE, 0};
    *code++ = pb_gb_state_pause_timing(state) == -EPERM;
    *code++ = pb_gb_state_resume_timing(state) == -EPERM;
    while (pb_gb_state_keep_running(state)) {
        *code++ = pb_gb_state_resume_timing(state) == -EALREADY;
        *code++ = pb_gb_state_pause_timing(state) == 0;
        *code++ = pb_gb_state_pause_timing(state) == -EALREADY;
    }
    *code++ = !pb_gb_state_keep_running(state);
    *code++ = pb_gb_state_pause_timing(state) == -EPERM;
    *code++ = pb_gb_state_set_counter(state, "n", &nan) == -EDOM;
    *code++ = pb_gb_state_set_counter(state, "n", &infinite) == -EDOM;
    *code++ = pb_gb_state_set_counter(state, "n", &flagged) == -EINVAL;
    *code++ = pb_gb_state_set_counter(state, "threads", &one) == -EINVAL;
    *code++ = pb_gb_state_set_counter(state, "items_per_second", &one) == -EINVAL;
    *code++ = pb_gb_state_set_counter(state, "a\tb", &one) == -EINVAL;
    *code++ = pb_gb_state_set_counter(state, "ok", &one) == 0;
    *code++ = pb_gb_state_set_counter(state, "ok", &rate) == -EINVAL;
    *code++ = pb_gb_state_counter(state, "n", &one) == -ENOENT;
    *code++ = pb_gb_state_set_iteration_time(state, NAN) == -EDOM;
    *code++ = pb_gb_state_set_iteration_time(state, -1) == -EDOM;
    *code++ = pb_gb_state_set_label(state, NULL) == -EINVAL;
    *code++ = pb_gb_state_set_items_processed(state, -1) == -EINVAL;
    *code++ = pb_gb_state_set_complexity_n(state, 0) == -EINVAL;
    *code++ = pb_gb_state_set_label(state, "a\nb\xFF") == 0;
    codes->values[0] = pb_gb_state_range(state, 1);
    codes->values[1] = pb_gb_state_range(state, 2);
    codes->values[2] = (int64_t)pb_gb_state_range_size(state);
    codes->values[3] = pb_gb_state_items_processed(state);
}

static void misuse_of_a_state_is_refused_and_the_run_survives(void **unused)
{
    (void)unused;
    struct codes codes = {{0}, {0}};
    struct pb_gb_benchmark *b = add("x", misuse, &codes);
    assert_int_equal(pb_gb_benchmark_iterations(b, 1), 0);
    assert_int_equal(pb_gb_benchmark_args(b, two, 2), 0);
    run_all();
    for (size_t i = 0; i < 22; i++)
        if (!codes.code[i])
            fail_msg("check %zu", i);
    assert_int_equal(codes.values[0], 3);
    assert_true(codes.values[1] == INT64_MIN);
    assert_int_equal(codes.values[2], 2);
    assert_int_equal(codes.values[3], 0);
    assert_false(rows[0].error);
    assert_string_equal(rows[0].label, "a b?");
    assert_int_equal(rows[0].counters_n, 1);
}

static void optimiser_barriers_leave_values_alone(void **unused)
{
    (void)unused;
    int value = 42;
    PB_GB_DO_NOT_OPTIMIZE(value + 1);
    PB_GB_DO_NOT_OPTIMIZE_LVALUE(value);
    PB_GB_CLOBBER_MEMORY();
    assert_int_equal(value, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(iterations_are_exact_and_the_last_batch_is_cut, fresh),
        cmocka_unit_test_setup(manual_time_passes_through, fresh),
        cmocka_unit_test_setup(counters_keep_their_flags_and_are_divided_by_them, fresh),
        cmocka_unit_test_setup(misuse_of_a_state_is_refused_and_the_run_survives, fresh),
        cmocka_unit_test_setup(optimiser_barriers_leave_values_alone, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
