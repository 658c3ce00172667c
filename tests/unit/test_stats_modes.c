/* SPDX-License-Identifier: MIT */
/* Two modes and outliers: golden vectors of tests/golden/stats_oracle_scipy.py, what is found and
 * what is not. How often the rule errs: test_coverage.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/modes.h"
#include "stats_vectors.h"

#include <errno.h>
#include <string.h>

static void the_gap_matches_the_oracle(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        double one, two;
    } vectors[] = {
        {6, 1.305832147937411, 22.65940054495913},    {11, 1.1464577656675747, 23.357866043613704},
        {12, 0.7004490057729315, 22.287465940054496}, {20, 0.4948124501197127, 22.426485708410446},
        {45, 0.22719359331476324, 21.73215717722534},
    };
    for (size_t v = 0; v < sizeof vectors / sizeof vectors[0]; v++) {
        double x[45], y[45];
        size_t n = vectors[v].n;
        struct pb_modes is;
        for (size_t i = 0; i < n; i++) {
            x[i] = sample(i);
            y[i] = x[i] + (i % 3 == 0 ? 400 : 0);
        }
        assert_int_equal(pb_modes(x, n, &is), 0);
        assert_near(is.gap, vectors[v].one);
        assert_false(is.two);
        assert_int_equal(pb_modes(y, n, &is), 0);
        assert_near(is.gap, vectors[v].two);
        assert_true(is.two);
        assert_int_equal(is.high_n, (n + 2) / 3);
        assert_int_equal(is.low_n, n - is.high_n);
    }
}

static void two_levels_are_told_with_their_sizes(void **state)
{
    (void)state;
    double x[] = {104, 70, 105, 71, 103, 69, 104, 70, 104.5, 103.5, 70.5, 104};
    struct pb_modes is;
    assert_int_equal(pb_modes(x, 12, &is), 0);
    assert_true(is.two);
    assert_near(is.low, 70);
    assert_near(is.high, 104);
    assert_int_equal(is.low_n, 5);
    assert_int_equal(is.high_n, 7);
    for (size_t i = 0; i < 12; i++) /* the same a thousandth apart: not worth two figures */
        x[i] = x[i] > 100 ? 70.07 : 70;
    assert_int_equal(pb_modes(x, 12, &is), 0);
    assert_false(is.two);
    for (size_t i = 0; i < 12; i++) /* steps of a clock, far apart: no spread at all */
        x[i] = x[i] > 70 ? 40 : 30;
    assert_int_equal(pb_modes(x, 12, &is), 0);
    assert_true(is.two);
    for (size_t i = 0; i < 12; i++)
        x[i] = 30;
    assert_int_equal(pb_modes(x, 12, &is), 0);
    assert_false(is.two);
}

static void a_straggler_is_an_outlier_and_no_mode(void **state)
{
    (void)state;
    double x[] = {70, 70.5, 71, 69.5, 70, 70.2, 70.7, 69, 70.1, 69.9, 104};
    bool flags[11];
    size_t count = 42;
    struct pb_modes is;
    assert_int_equal(pb_modes(x, 11, &is), 0);
    assert_false(is.two);
    assert_int_equal(pb_outliers(x, 11, flags, &count), 0);
    assert_int_equal(count, 1);
    for (size_t i = 0; i < 11; i++)
        assert_int_equal(flags[i], i == 10);
    x[10] = 70;
    assert_int_equal(pb_outliers(x, 11, NULL, &count), 0);
    assert_int_equal(count, 0);
    assert_near(x[10], 70);
}

/* The threshold is 14.826 plain deviations: of 1 .. 5 with 1 that is 3 +- 14.826. */
static void the_threshold_is_that_of_ten_standard_deviations(void **state)
{
    (void)state;
    double x[] = {1, 2, 3, 4, 17.8};
    size_t count = 42;
    assert_int_equal(pb_outliers(x, 5, NULL, &count), 0);
    assert_int_equal(count, 0);
    x[4] = 17.9;
    assert_int_equal(pb_outliers(x, 5, NULL, &count), 0);
    assert_int_equal(count, 1);
    const double mostly_equal[] = {2, 2, 2, 2, 3};
    assert_int_equal(pb_outliers(mostly_equal, 5, NULL, &count), 0);
    assert_int_equal(count, 1);
}

static void bad_input_is_refused_and_leaves_no_trace(void **state)
{
    (void)state;
    static const double bad[] = {NAN, INFINITY, -INFINITY, 0, -1};
    double x[7] = {1, 2, 3, 4, 5, 6, 7};
    size_t count = 42;
    struct pb_modes is = {.low_n = 42};
    for (size_t i = 0; i < 5; i++) {
        x[3] = bad[i];
        assert_int_equal(pb_modes(x, 7, &is), -EDOM);
        if (i < 3)
            assert_int_equal(pb_outliers(x, 7, NULL, &count), -EDOM);
    }
    assert_int_equal(pb_modes(x, 0, &is), -EINVAL);
    assert_int_equal(pb_outliers(x, 0, NULL, &count), -EINVAL);
    assert_int_equal(is.low_n, 42);
    assert_int_equal(count, 42);
    const double few[] = {1, 1, 1, 50, 50};
    assert_int_equal(pb_modes(few, 5, &is), 0);
    assert_false(is.two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gap_matches_the_oracle),
        cmocka_unit_test(two_levels_are_told_with_their_sizes),
        cmocka_unit_test(a_straggler_is_an_outlier_and_no_mode),
        cmocka_unit_test(the_threshold_is_that_of_ten_standard_deviations),
        cmocka_unit_test(bad_input_is_refused_and_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
