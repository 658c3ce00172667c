/* SPDX-License-Identifier: MIT */
/* The C API over Google Benchmark: errors of bodies, callbacks into C, exceptions. */
#include "gbench_recorder.h"

#include <errno.h>
#include <math.h>

/* std::__throw_bad_alloc(): a C++ exception, thrown from C. */
extern void throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv");

/* ---- errors ---- */

struct failing {
    int calls, fail_at; /* the call of the body that fails; 0: every one */
    int64_t loops;
    int second;
    void (*how)(struct pb_gb_state *state);
};

static void by_skip(struct pb_gb_state *state)
{
    pb_gb_state_skip_with_error(state, "no\nluck");
}

static void by_exception(struct pb_gb_state *state)
{
    (void)state;
    throw_bad_alloc();
}

static void fail_early(struct pb_gb_state *state, void *context)
{
    struct failing *failing = context;
    if (++failing->calls == failing->fail_at || failing->fail_at == 0) {
        failing->how(state);
        failing->second = pb_gb_state_skip_with_error(state, "again");
    }
    while (pb_gb_state_keep_running(state)) {
        failing->loops++;
        pb_gb_state_set_iteration_time(state, 1.0);
    }
    pb_gb_state_set_complexity_n(state, 1 + pb_gb_state_range(state, 0));
}

static void fail_inside(struct pb_gb_state *state, void *context)
{
    struct failing *failing = context;
    bool bad = ++failing->calls == failing->fail_at;
    while (pb_gb_state_keep_running(state)) {
        pb_gb_state_set_iteration_time(state, 1.0);
        if (bad && ++failing->loops == 2)
            failing->how(state);
    }
}

static void leave_early(struct pb_gb_state *state, void *context)
{
    (void)context;
    pb_gb_state_keep_running(state);
}

static void loop_plainly(struct pb_gb_state *state, void *context)
{
    (void)context;
    while (pb_gb_state_keep_running(state))
        ;
}

static void a_skip_ends_the_loop_and_makes_an_error_row(void **unused)
{
    (void)unused;
    struct failing before = {.how = by_skip}, inside = {.fail_at = 1, .how = by_skip};
    assert_int_equal(pb_gb_benchmark_iterations(add("before", fail_early, &before), 5), 0);
    assert_int_equal(pb_gb_benchmark_iterations(add("inside", fail_inside, &inside), 5), 0);
    run_all();
    assert_int_equal(rows_n, 2);
    assert_true(rows[0].error && rows[1].error);
    assert_string_equal(rows[0].message, "no luck");
    assert_int_equal(before.loops, 0);
    assert_int_equal(before.second, -EALREADY);
    assert_int_equal(inside.loops, 2);
}

static void a_body_that_breaks_its_promises_is_an_error_not_an_abort(void **unused)
{
    (void)unused;
    struct failing thrown = {.how = by_exception};
    struct pb_gb_benchmark *b;
    add("early", leave_early, NULL);
    assert_int_equal(pb_gb_benchmark_threads(add("early", leave_early, NULL), 2), 0);
    add("thrown", fail_early, &thrown);
    b = add("no n", loop_plainly, NULL);
    assert_int_equal(pb_gb_benchmark_complexity(b, PB_GB_O_N), 0);
    assert_int_equal(pb_gb_benchmark_iterations(b, 1), 0);
    assert_int_equal(pb_gb_benchmark_dense_range(b, 1, 2, 1), 0);
    run_all();
    for (size_t i = 0; i < rows_n; i++)
        assert_true(rows[i].error);
    assert_true(strstr(rows[0].message, "returned before"));
    assert_true(strstr(rows[1].message, "returned before"));
    assert_string_equal(rows[2].message, "out of memory");
    assert_true(strstr(rows[3].message, "complexity_n"));
    assert_true(rows_n == 7 && rows[6].aggregate); /* BigO and RMS of nothing but errors */
}

static void errors_among_repetitions_spoil_aggregates_and_nothing_else(void **unused)
{
    for (int at = 0; at <= 3; at++) {
        struct failing failing = {.fail_at = at, .how = by_skip};
        struct failing inside = {.fail_at = at, .how = by_skip};
        assert_int_equal(fresh(unused), 0);
        struct pb_gb_benchmark *bad[] = {add("bad", fail_early, &failing),
                                         add("bad", fail_inside, &inside)};
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(pb_gb_benchmark_repetitions(bad[i], 3), 0);
            assert_int_equal(pb_gb_benchmark_iterations(bad[i], 4), 0);
            assert_int_equal(pb_gb_benchmark_use_manual_time(bad[i]), 0);
            assert_int_equal(pb_gb_benchmark_arg(bad[i], 1), 0);
        }
        run_all();
        assert_int_equal(rows_n, 14);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(rows[i].error, at == 0 || at == (int)i + 1);
        for (size_t i = 3; i < 7; i++)
            assert_true(rows[i].error && rows[i].aggregate && rows[i].counters_n == 0);
        assert_int_equal(rows[8].error, at == 2);
    }
}

static void errors_in_a_family_with_a_complexity_spoil_its_fit_alone(void **unused)
{
    (void)unused;
    struct failing all = {.how = by_skip}, none = {.fail_at = 99, .how = by_skip};
    struct pb_gb_benchmark *families[] = {add("all", fail_early, &all),
                                          add("none", fail_early, &none)};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pb_gb_benchmark_complexity(families[i], PB_GB_O_AUTO), 0);
        assert_int_equal(pb_gb_benchmark_iterations(families[i], 1), 0);
        assert_int_equal(pb_gb_benchmark_use_manual_time(families[i]), 0);
        assert_int_equal(pb_gb_benchmark_dense_range(families[i], 1, 3, 1), 0);
    }
    run_all();
    assert_int_equal(rows_n, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(rows[i].error, i < 5);
    assert_string_equal(rows[3].name, "all/iterations:1/manual_time_BigO");
    assert_string_equal(rows[9].name, "none/iterations:1/manual_time_RMS");
}

/* ---- callbacks ---- */

static double largest(const double *values, size_t n, void *context)
{
    double max = values[0];
    for (size_t i = 1; i < n; i++)
        max = fmax(max, values[i]);
    *(size_t *)context = n;
    return max;
}

static double throws(const double *values, size_t n, void *context)
{
    (void)values, (void)n, (void)context;
    throw_bad_alloc();
    return 0;
}

static double square(int64_t n, void *context)
{
    ++*(int *)context;
    return (double)n * (double)n;
}

static void growing(struct pb_gb_state *state, void *context)
{
    int64_t n = pb_gb_state_range(state, 0) + ++*(int *)context * 0;
    while (pb_gb_state_keep_running(state))
        pb_gb_state_set_iteration_time(state, 3.0 * (double)(n * n));
    pb_gb_state_set_complexity_n(state, n);
}

static void statistics_and_complexity_functions_are_called_with_their_context(void **unused)
{
    (void)unused;
    size_t values = 0;
    int fits = 0, calls = 0;
    struct pb_gb_benchmark *b = add("x", growing, &calls);
    assert_int_equal(pb_gb_benchmark_complexity_fn(b, square, &fits), 0);
    assert_int_equal(pb_gb_benchmark_dense_range(b, 2, 5, 1), 0);
    assert_int_equal(pb_gb_benchmark_use_manual_time(b), 0);
    assert_int_equal(pb_gb_benchmark_iterations(b, 2), 0);
    b = add("y", second_each, NULL);
    assert_int_equal(pb_gb_benchmark_repetitions(b, 3), 0);
    assert_int_equal(pb_gb_benchmark_use_manual_time(b), 0);
    assert_int_equal(pb_gb_benchmark_iterations(b, 1), 0);
    assert_int_equal(
        pb_gb_benchmark_compute_statistics(b, "max", largest, &values, PB_GB_STATISTIC_TIME), 0);
    run_all();
    assert_int_equal(rows_n, 14);
    assert_string_equal(rows[4].name, "x/iterations:2/manual_time_BigO");
    assert_true(fabs(rows[4].accumulated - 3.0) < 1e-9);
    assert_true(fits > 0);
    assert_int_equal(values, 3);
    assert_string_equal(rows[13].name, "y/iterations:1/repeats:3/manual_time_max");
    assert_true(fabs(rows[13].adjusted - 1e9) < 1);
}

struct hooked {
    int setups, teardowns, bodies, refused;
    int64_t argument, threads;
};

static void set_up(struct pb_gb_state *state, void *context)
{
    struct hooked *hooked = context;
    hooked->setups++;
    hooked->argument = pb_gb_state_range(state, 0);
    hooked->threads = pb_gb_state_threads(state);
    hooked->refused = pb_gb_state_set_label(state, "no") == -EPERM &&
                      pb_gb_state_skip_with_error(state, "no") == -EPERM &&
                      pb_gb_state_pause_timing(state) == -EPERM && !pb_gb_state_keep_running(state);
}

static void tear_down(struct pb_gb_state *state, void *context)
{
    struct hooked *hooked = context;
    (void)state;
    hooked->teardowns++;
}

static void setup_and_teardown_are_called_around_each_call_of_the_body(void **unused)
{
    (void)unused;
    struct hooked first = {0}, second = {0};
    struct pb_gb_benchmark *b = add("x", loop_plainly, NULL), *c = add("y", loop_plainly, NULL);
    assert_int_equal(pb_gb_benchmark_setup(b, set_up, &first), 0);
    assert_int_equal(pb_gb_benchmark_teardown(b, tear_down, &first), 0);
    assert_int_equal(pb_gb_benchmark_teardown(c, tear_down, &second), 0);
    assert_int_equal(pb_gb_benchmark_arg(b, 64), 0);
    assert_int_equal(pb_gb_benchmark_threads(b, 2), 0);
    assert_int_equal(pb_gb_benchmark_iterations(b, 1), 0);
    assert_int_equal(pb_gb_benchmark_repetitions(b, 3), 0);
    assert_int_equal(pb_gb_benchmark_iterations(c, 1), 0);
    run_all();
    assert_int_equal(first.setups, 3);
    assert_int_equal(first.teardowns, 3);
    assert_int_equal(first.argument, 64);
    assert_int_equal(first.threads, 2);
    assert_true(first.refused);
    assert_int_equal(second.setups, 0);
    assert_int_equal(second.teardowns, 1);
}

static void throwing_runs(const struct pb_gb_run *const *runs, size_t n, void *context)
{
    (void)runs, (void)n, (void)context;
    throw_bad_alloc();
}

static void throwing_body(struct pb_gb_state *state, void *context)
{
    (void)state, (void)context;
    throw_bad_alloc();
}

static void throwing_shape(struct pb_gb_benchmark *benchmark, void *context)
{
    (void)benchmark, (void)context;
    throw_bad_alloc();
}

static void no_exception_passes_out_of_a_callback(void **unused)
{
    static const struct pb_gb_reporter_ops throwing = {.runs = throwing_runs};
    struct pb_gb_benchmark *b = add("x", loop_plainly, NULL);
    assert_int_equal(pb_gb_benchmark_iterations(b, 1), 0);
    assert_int_equal(pb_gb_benchmark_apply(b, throwing_shape, NULL), -ENOMEM);
    assert_string_equal(pb_gb_last_error(), "out of memory");
    assert_int_equal(run_with(&throwing, "all", NULL), -ENOMEM);
    run_all();
    assert_int_equal(pb_gb_benchmark_setup(b, throwing_body, NULL), 0);
    assert_int_equal(run_with(&recorder, "all", NULL), -ENOMEM);
    assert_int_equal(fresh(unused), 0);
    b = add("x", loop_plainly, NULL);
    assert_int_equal(pb_gb_benchmark_iterations(b, 1), 0);
    assert_int_equal(pb_gb_benchmark_repetitions(b, 2), 0);
    assert_int_equal(
        pb_gb_benchmark_compute_statistics(b, "bad", throws, NULL, PB_GB_STATISTIC_TIME), 0);
    assert_int_equal(run_with(&recorder, "all", NULL), -ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_skip_ends_the_loop_and_makes_an_error_row, fresh),
        cmocka_unit_test_setup(a_body_that_breaks_its_promises_is_an_error_not_an_abort, fresh),
        cmocka_unit_test_setup(errors_among_repetitions_spoil_aggregates_and_nothing_else, fresh),
        cmocka_unit_test_setup(errors_in_a_family_with_a_complexity_spoil_its_fit_alone, fresh),
        cmocka_unit_test_setup(statistics_and_complexity_functions_are_called_with_their_context,
                               fresh),
        cmocka_unit_test_setup(setup_and_teardown_are_called_around_each_call_of_the_body, fresh),
        cmocka_unit_test_setup(no_exception_passes_out_of_a_callback, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
