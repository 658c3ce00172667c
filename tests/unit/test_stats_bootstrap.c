/* SPDX-License-Identifier: MIT */
/* The bootstrap and the normal quantile: golden vectors of tests/golden/stats_oracle_scipy.py. How
 * often the interval holds: test_coverage.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/bootstrap.h"
#include "stats_vectors.h"

#include <errno.h>

static void normal_quantiles_match_scipy(void **state)
{
    (void)state;
    static const struct {
        double p, x;
    } vectors[] = {
        {1e-300, -37.0470962993612},
        {1e-20, -9.262340089798409},
        {1e-09, -5.9978070150076865},
        {0.0005, -3.2905267314918945},
        {0.005, -2.575829303548901},
        {0.025, -1.9599639845400545},
        {0.05, -1.6448536269514729},
        {0.074, -1.4466320671589785},
        {0.076, -1.4325027208258116},
        {0.3, -0.5244005127080409},
        {0.5, 0.0},
        {0.8, 0.8416212335729143},
        {0.975, 1.959963984540054},
        {0.9995, 3.2905267314919255},
        {0.999999, 4.753424308817087},
    };
    for (size_t v = 0; v < sizeof vectors / sizeof vectors[0]; v++)
        assert_near(pb_normal_quantile(vectors[v].p), vectors[v].x);
    const double bad[] = {0, 1, -1, 2, NAN};
    for (size_t i = 0; i < 5; i++)
        assert_true(isnan(pb_normal_quantile(bad[i])));
}

static void student_quantiles_match_scipy(void **state)
{
    (void)state;
    static const struct {
        double p, freedom, t;
    } vectors[] = {
        {0.005, 19, -2.860934606449914},  {0.025, 19, -2.0930240544082634},
        {0.025, 44, -2.0153675699129416}, {0.05, 22, -1.7171443743802424},
        {0.5, 30, 6.693527296961538e-17}, {0.975, 999, 1.9623414611334487},
    };
    for (size_t v = 0; v < sizeof vectors / sizeof vectors[0]; v++)
        assert_true(fabs(pb_student_quantile(vectors[v].p, vectors[v].freedom) - vectors[v].t) <
                    1e-5);
}

/* The same resamples, their averages sorted one by one; and scipy's interval, from others. */
static void intervals_match_the_oracle(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        double confidence;
        size_t resamples;
        uint64_t seed;
        double value, low, high, scipy_low, scipy_high;
    } vectors[] = {
        {20, 0.95, 1000, 1, 0.08626176217531722, -0.009904826941762748, 0.18321099895901014,
         -0.00841610639982493, 0.19344356526490122},
        {23, 0.9, 2000, 7, 0.11435494413342928, 0.043172171865209386, 0.18596600661122809,
         0.04929683291014042, 0.19992430176940346},
        {45, 0.95, 1000, 20260101, 0.07619663640957697, 0.021390335382020845, 0.14014256920949844,
         0.018668008065245267, 0.1416643274033535},
    };
    for (size_t v = 0; v < sizeof vectors / sizeof vectors[0]; v++) {
        double d[45];
        struct pb_estimate is, many;
        for (size_t i = 0; i < vectors[v].n; i++)
            d[i] = log(sample(i)) - log(other(i));
        assert_int_equal(pb_bootstrap_centre(d, vectors[v].n, vectors[v].confidence,
                                             vectors[v].resamples, vectors[v].seed, &is),
                         0);
        assert_near(is.value, vectors[v].value);
        double near = 1e-5 * (is.high - is.low); /* Student's quantile is a series */
        assert_true(fabs(is.low - vectors[v].low) < near);
        assert_true(fabs(is.high - vectors[v].high) < near);
        assert_int_equal(is.n, vectors[v].n);
        assert_int_equal(pb_bootstrap_centre(d, vectors[v].n, vectors[v].confidence,
                                             10 * PB_BOOTSTRAP_RESAMPLES, 1, &many),
                         0);
        near = 0.06 * (vectors[v].scipy_high - vectors[v].scipy_low);
        assert_true(fabs(many.low - vectors[v].scipy_low) < near);
        assert_true(fabs(many.high - vectors[v].scipy_high) < near);
    }
}

static void equal_values_have_no_width(void **state)
{
    (void)state;
    double d[20];
    struct pb_estimate is;
    for (size_t i = 0; i < 20; i++)
        d[i] = 0.25;
    assert_int_equal(pb_bootstrap_centre(d, 20, 0.95, 1000, 1, &is), 0);
    assert_near(is.value, 0.25);
    assert_near(is.low, 0.25);
    assert_near(is.high, 0.25);
}

static void bad_input_is_refused_and_leaves_no_trace(void **state)
{
    (void)state;
    double d[21];
    struct pb_estimate is = {.value = 42};
    for (size_t i = 0; i < 21; i++)
        d[i] = sample(i);
    assert_int_equal(pb_bootstrap_centre(d, 19, 0.95, 1000, 1, &is), -EINVAL);
    assert_int_equal(pb_bootstrap_centre(d, PB_BOOTSTRAP_MOST + 1, 0.95, 1000, 1, &is), -EINVAL);
    assert_int_equal(pb_bootstrap_centre(d, 21, 0.95, 999, 1, &is), -EINVAL);
    assert_int_equal(pb_bootstrap_centre(d, 21, 0, 1000, 1, &is), -EINVAL);
    d[20] = NAN;
    assert_int_equal(pb_bootstrap_centre(d, 21, 0.95, 1000, 1, &is), -EDOM);
    assert_near(is.value, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_quantiles_match_scipy),
        cmocka_unit_test(student_quantiles_match_scipy),
        cmocka_unit_test(intervals_match_the_oracle),
        cmocka_unit_test(equal_values_have_no_width),
        cmocka_unit_test(bad_input_is_refused_and_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
