/* SPDX-License-Identifier: MIT */
/* Trends: golden vectors of tests/golden/stats_oracle_scipy.py, invariances, refusals. How often
 * the interval of a slope holds: test_coverage.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/trend.h"
#include "stats_vectors.h"

#include <errno.h>

static const struct {
    size_t n;
    double confidence, value, low, high, coverage;
} slopes[] = {
    {2, 0.95, 54.5, NAN, NAN, 0.0},
    {4, 0.95, 13.880208333333332, NAN, NAN, 0.0},
    {5, 0.95, 8.3671875, -27.6875, 54.5, 0.9833333333333333},
    {6, 0.95, -2.875, -22.0, 16.25, 0.9833333333333333},
    {7, 0.9, -0.03125, -5.71875, 13.40625, 0.930952380952381},
    {8, 0.95, 1.8645833333333333, -4.770833333333333, 12.375, 0.9688492063492063},
    {11, 0.95, 3.225, -1.9270833333333333, 6.604166666666667, 0.9594676426968094},
    {11, 0.99, 3.225, -2.875, 8.5, 0.99005446328363},
    {20, 0.95, 0.8333333333333334, -1.0625, 2.6458333333333335, 0.9532310632501054},
    {45, 0.95, 0.8575969827586207, 0.5, 1.3081896551724137, 0.9511394199921142},
    {50, 0.95, 0.94921875, 0.6136363636363636, 1.3645833333333333, 0.9500535702691856},
    {51, 0.95, 1.0535714285714286, 0.6666666666666666, 1.4174107142857142, 0.9506522860302413},
    {60, 0.99, 1.0547462406015038, 0.6625, 1.441860465116279, 0.9902071952590176},
};

static void slopes_match_the_oracle(void **state)
{
    (void)state;
    for (size_t v = 0; v < sizeof slopes / sizeof slopes[0]; v++) {
        double x[60], y[60], down[60];
        struct pb_estimate is, turned;
        for (size_t i = 0; i < slopes[v].n; i++) {
            x[i] = (double)i;
            y[i] = sample(i * i) + x[i];
            down[i] = 1000 - 2 * y[i];
        }
        assert_int_equal(pb_slope(x, y, slopes[v].n, slopes[v].confidence, &is), 0);
        assert_int_equal(is.n, slopes[v].n);
        assert_near(is.value, slopes[v].value);
        assert_near(is.low, slopes[v].low);
        assert_near(is.high, slopes[v].high);
        assert_near(is.confidence, slopes[v].coverage);
        assert_int_equal(pb_slope(x, down, slopes[v].n, slopes[v].confidence, &turned), 0);
        assert_near(turned.value, -2 * is.value);
        assert_near(turned.low, -2 * is.high);
        assert_near(turned.high, -2 * is.low);
    }
}

static void runs_match_the_oracle(void **state)
{
    (void)state;
    static const struct {
        double d[17];
        size_t n;
        struct pb_runs runs;
    } vectors[] = {
        {{1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, 6, {3, 3, 2, 0.2}},
        {{1.0, 6.0, 2.0, 5.0, 3.0, 4.0}, 6, {3, 3, 6, 0.2}},
        {{1.0, 9.0, 1.0, 9.0, 1.0, 9.0, 1.0, 9.0, 1.0, 9.0}, 10, {5, 5, 10, 0.015873015873015872}},
        {{3.0, 3.0, 3.0, 3.0}, 4, {0, 0, 0, 1.0}},
        {{5.0, 1.0, 3.0, 2.0, 4.0}, 5, {2, 2, 3, 1.0}},
        {{100.8125, 154.3125, 144.75, 135.1875, 125.625, 116.0625, 106.5, 160.0, 150.4375, 140.875,
          131.3125, 121.75, 112.1875, 102.625, 156.125, 146.5625},
         16,
         {8, 8, 6, 0.20046620046620048}},
        {{100.8125, 157.3125, 150.75, 144.1875, 137.625, 131.0625, 124.5, 181.0, 174.4375, 167.875,
          161.3125, 154.75, 148.1875, 141.625, 198.125, 191.5625, 185.0},
         17,
         {8, 8, 6, 0.20046620046620048}},
    };
    for (size_t v = 0; v < sizeof vectors / sizeof vectors[0]; v++) {
        struct pb_runs is;
        assert_int_equal(pb_runs_test(vectors[v].d, vectors[v].n, &is), 0);
        assert_int_equal(is.above, vectors[v].runs.above);
        assert_int_equal(is.below, vectors[v].runs.below);
        assert_int_equal(is.runs, vectors[v].runs.runs);
        assert_near(is.p, vectors[v].runs.p);
    }
}

/* A step half way through a long series: no chance makes that, however long. */
static void a_step_in_a_long_series_is_no_chance(void **state)
{
    (void)state;
    static double d[4000];
    struct pb_runs is;
    for (size_t i = 0; i < 4000; i++)
        d[i] = sample(i) + (i < 2000 ? 0 : 1000);
    assert_int_equal(pb_runs_test(d, 4000, &is), 0);
    assert_int_equal(is.runs, 2);
    assert_true(is.p >= 0 && is.p < 1e-12);
    for (size_t i = 0; i < 4000; i++)
        d[i] = sample(i * i);
    assert_int_equal(pb_runs_test(d, 4000, &is), 0);
    assert_true(is.p > 0.001 && is.p <= 1);
}

static void autocorrelation_matches_the_oracle(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        double r;
    } vectors[] = {
        {2, -0.5},
        {11, 0.004617154215583967},
        {45, 0.1753284915945856},
    };
    double d[45], r = -1, bound = -1;
    for (size_t i = 0; i < 45; i++)
        d[i] = sample(i);
    for (size_t v = 0; v < sizeof vectors / sizeof vectors[0]; v++) {
        assert_int_equal(pb_lag1(d, vectors[v].n, &r, &bound), 0);
        assert_near(r, vectors[v].r);
        assert_near(bound, 2 / sqrt((double)vectors[v].n));
    }
    const double flat[] = {3, 3, 3};
    assert_int_equal(pb_lag1(flat, 3, &r, &bound), 0);
    assert_near(r, 0);
}

static void bad_input_is_refused_and_leaves_no_trace(void **state)
{
    (void)state;
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    double x[] = {0, 1, 2, 3, 4, 5, 6}, y[] = {3, 1, 4, 1, 5, 9, 2}, r = 42, bound = 42;
    struct pb_estimate is = {.value = 42};
    struct pb_runs runs = {.runs = 42};
    for (size_t i = 0; i < 3; i++) {
        y[3] = bad[i];
        assert_int_equal(pb_slope(x, y, 7, 0.95, &is), -EDOM);
        assert_int_equal(pb_slope(y, x, 7, 0.95, &is), -EDOM);
        assert_int_equal(pb_runs_test(y, 7, &runs), -EDOM);
        assert_int_equal(pb_lag1(y, 7, &r, &bound), -EDOM);
    }
    y[3] = 1;
    assert_int_equal(pb_slope(y, x, 7, 0.95, &is), -EINVAL); /* y does not rise */
    assert_int_equal(pb_slope(x, y, 1, 0.95, &is), -EINVAL);
    assert_int_equal(pb_slope(x, y, 7, 1, &is), -EINVAL);
    assert_int_equal(pb_runs_test(y, 0, &runs), -EINVAL);
    assert_int_equal(pb_lag1(y, 1, &r, &bound), -EINVAL);
    assert_true(is.value > 41 && runs.runs == 42 && r > 41 && bound > 41);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slopes_match_the_oracle),
        cmocka_unit_test(runs_match_the_oracle),
        cmocka_unit_test(a_step_in_a_long_series_is_no_chance),
        cmocka_unit_test(autocorrelation_matches_the_oracle),
        cmocka_unit_test(bad_input_is_refused_and_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
