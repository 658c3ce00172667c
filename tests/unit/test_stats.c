/* SPDX-License-Identifier: MIT */
/* Statistics: golden vectors from tests/golden/stats_oracle.py, published values, invariances,
 * refusals. How often the intervals hold: test_coverage.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/stats.h"
#include "stats_vectors.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { MANY = 5000 };

struct vector {
    size_t n;
    double confidence, value, low, high, coverage;
};

static void assert_vector(const struct pb_estimate *is, const struct vector *expect)
{
    assert_int_equal(is->n, expect->n);
    assert_near(is->value, expect->value);
    assert_near(is->low, expect->low);
    assert_near(is->high, expect->high);
    assert_near(is->confidence, expect->coverage);
}

static const struct vector medians[] = {
    {1, 0.95, 100.8125, NAN, NAN, 0.0},
    {2, 0.95, 127.5625, NAN, NAN, 0.0},
    {5, 0.95, 135.1875, NAN, NAN, 0.0},
    {6, 0.95, 130.40625, 100.8125, 154.3125, 0.96875},
    {7, 0.95, 125.625, 100.8125, 154.3125, 0.984375},
    {11, 0.95, 135.1875, 106.5, 154.3125, 0.98828125},
    {11, 0.99, 135.1875, 100.8125, 160.0, 0.9990234375},
    {12, 0.9, 133.25, 116.0625, 150.4375, 0.96142578125},
    {20, 0.5, 129.375, 121.75, 137.0, 0.7368240356445312},
    {40, 0.95, 130.28125, 119.6875, 140.875, 0.9615226917157997},
};

static void medians_match_the_oracle(void **state)
{
    (void)state;
    for (size_t v = 0; v < sizeof(medians) / sizeof(medians[0]); v++) {
        double x[64];
        struct pb_estimate is;
        for (size_t i = 0; i < medians[v].n; i++)
            x[i] = sample(i);
        assert_int_equal(pb_median(x, medians[v].n, medians[v].confidence, &is), 0);
        assert_vector(&is, &medians[v]);
        for (size_t i = 0; i < medians[v].n; i++)
            assert_true(x[i] >= sample(i) && x[i] <= sample(i)); /* a copy was sorted */
    }
}

static const struct {
    size_t n;
    double confidence;
    size_t rank;
    double coverage;
} median_ranks[] = {
    {5, 0.95, 0, 0.0},
    {6, 0.95, 1, 0.96875},
    {9, 0.95, 2, 0.9609375},
    {15, 0.95, 4, 0.96484375},
    {20, 0.95, 6, 0.9586105346679688},
    {11, 0.95, 2, 0.98828125},
    {7, 0.99, 0, 0.0},
    {8, 0.99, 1, 0.9921875},
    {100, 0.95, 40, 0.9647997997822951},
    {1000, 0.95, 469, 0.9537088026395019},
    {1074, 0.99, 495, 0.9905364324862094},
    {1200, 0.95, 566, 0.9536584799640778},
    {5000, 0.95, 2431, 0.9506841418958282},
};

static void median_intervals_use_the_exact_binomial_ranks(void **state)
{
    (void)state;
    static double x[MANY];
    for (size_t i = 0; i < MANY; i++)
        x[i] = (double)(i + 1);
    for (size_t v = 0; v < sizeof(median_ranks) / sizeof(median_ranks[0]); v++) {
        size_t n = median_ranks[v].n, rank = median_ranks[v].rank;
        struct pb_estimate is;
        assert_int_equal(pb_median(x, n, median_ranks[v].confidence, &is), 0);
        assert_near(is.value, (double)(n + 1) / 2);
        assert_near(is.low, rank ? (double)rank : NAN);
        assert_near(is.high, rank ? (double)(n + 1 - rank) : NAN);
        assert_near(is.confidence, median_ranks[v].coverage);
    }
}

static void quantiles_and_mad_match_the_oracle(void **state)
{
    (void)state;
    static const double eighths[] = {108.890625, 120.84375, 129.890625, 135.1875,
                                     141.84375,  147.59375, 153.34375};
    double x[11], mad = 0;
    struct pb_estimate median;
    for (size_t i = 0; i < 11; i++)
        x[i] = sample(i);
    assert_int_equal(pb_mad(x, 11, &mad), 0);
    assert_near(mad, 22.60965);
    assert_int_equal(pb_median(x, 11, 0.95, &median), 0);
    for (size_t i = 0; i < 11; i++) /* insertion sort */
        for (size_t j = i; j > 0 && x[j] < x[j - 1]; j--) {
            double swap = x[j];
            x[j] = x[j - 1];
            x[j - 1] = swap;
        }
    for (size_t i = 0; i < 7; i++)
        assert_near(pb_quantile_sorted(x, 11, (double)(i + 1) / 8), eighths[i]);
    assert_near(pb_quantile_sorted(x, 11, 0.5), median.value);
    assert_near(pb_quantile_sorted(x, 11, 0), x[0]);
    assert_near(pb_quantile_sorted(x, 11, 1), x[10]);
    assert_near(pb_quantile_sorted(x, 1, 0.7), x[0]);
    assert_near(pb_quantile_sorted(x, 0, 0.5), NAN);
    assert_near(pb_quantile_sorted(x, 11, -0.1), NAN);
    assert_near(pb_quantile_sorted(x, 11, 1.1), NAN);
    assert_near(pb_quantile_sorted(x, 11, NAN), NAN);
}

static const struct vector ratios[] = {
    {1, 0.95, 1.0049844236760126, NAN, NAN, 0.0},
    {5, 0.95, 1.1712523719165084, NAN, NAN, 0.0},
    {6, 0.95, 1.115625504333952, 0.873471307619944, 1.4349442379182158, 0.96875},
    {7, 0.95, 1.099883067094917, 0.9446961653207968, 1.296411139349565, 0.953125},
    {7, 0.99, 1.099883067094917, NAN, NAN, 0.0},
    {11, 0.95, 1.1388753308332034, 1.0243641792738396, 1.296411139349565, 0.9580078125},
    {11, 0.99, 1.1388753308332034, 1.0049844236760126, 1.347790911256953, 0.990234375},
    {12, 0.8, 1.1238183107262572, 1.0400712474754163, 1.2185961782844015, 0.82373046875},
    {16, 0.95, 1.1192285955093388, 1.0114619819107753, 1.2384473197781878, 0.9556884765625},
    {23, 0.95, 1.1211499998834302, 1.029432092070458, 1.2356403934353828, 0.9515590667724609},
    {32, 0.99, 1.0956507132429907, 0.9957251624545459, 1.2075814956384534, 0.9900904749520123},
    {45, 0.95, 1.0791747583448188, 1.0184716013715325, 1.150404917880765, 0.9511458595792988},
    {50, 0.95, 1.0674154191848024, 1.0087345408984676, 1.136563670166816, 0.9505535931993983},
    {50, 0.99, 1.0674154191848024, 0.9894218451775938, 1.1570060221638359, 0.9900357182346387},
    {51, 0.95, 1.0692956283025457, 1.0105569115081323, 1.1362312045687222, 0.9504399005207006},
    {60, 0.99, 1.0535338077869583, 0.9816994392227946, 1.1319000429167358, 0.990126885766496},
};

static void paired_ratios_match_the_oracle(void **state)
{
    (void)state;
    for (size_t v = 0; v < sizeof(ratios) / sizeof(ratios[0]); v++) {
        double a[64], b[64];
        struct pb_estimate is;
        for (size_t i = 0; i < ratios[v].n; i++) {
            a[i] = sample(i);
            b[i] = other(i);
        }
        assert_int_equal(pb_paired_ratio(a, b, ratios[v].n, ratios[v].confidence, &is), 0);
        assert_vector(&is, &ratios[v]);
    }
}

/* A difference of x and y is the logarithm of the ratio of e^x and e^y. */
static void paired_differences_are_logarithms_of_ratios(void **state)
{
    (void)state;
    for (size_t v = 0; v < sizeof(ratios) / sizeof(ratios[0]); v++) {
        double a[64], b[64], x[64], y[64];
        struct pb_estimate difference, ratio;
        for (size_t i = 0; i < ratios[v].n; i++) {
            x[i] = log(a[i] = sample(i));
            y[i] = log(b[i] = other(i));
        }
        assert_int_equal(pb_paired_ratio(a, b, ratios[v].n, ratios[v].confidence, &ratio), 0);
        assert_int_equal(pb_paired_difference(x, y, ratios[v].n, ratios[v].confidence, &difference),
                         0);
        assert_true(fabs(difference.value - log(ratio.value)) < 1e-12);
        assert_true(isnan(ratio.low) ? isnan(difference.low)
                                     : fabs(difference.low - log(ratio.low)) < 1e-12);
        assert_true(isnan(ratio.high) ? isnan(difference.high)
                                      : fabs(difference.high - log(ratio.high)) < 1e-12);
        assert_int_equal(difference.n, ratio.n);
        x[0] = INFINITY;
        assert_int_equal(pb_paired_difference(x, y, ratios[v].n, ratios[v].confidence, &difference),
                         -EDOM);
    }
}

/* Two windows of equal work at 1 and 3 a second make 1.5 a second, and no mean of rates does. */
static void rates_are_all_work_over_all_time(void **state)
{
    (void)state;
    const double work[] = {6, 6, 0}, seconds[] = {6, 2, 1};
    double rate = -1;
    assert_int_equal(pb_rate(work, seconds, 2, &rate), 0);
    assert_near(rate, 1.5);
    assert_int_equal(pb_rate(work, seconds, 3, &rate), 0);
    assert_near(rate, 12.0 / 9);
    assert_int_equal(pb_rate(work, seconds, 0, &rate), -EINVAL);
    const double bad[] = {0, -1, NAN, INFINITY};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pb_rate(work, &bad[i], 1, &rate), -EDOM);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(pb_rate(&bad[i], seconds, 1, &rate), -EDOM);
    assert_near(rate, 12.0 / 9);
}

static void a_quantile_holds_with_ten_values_beyond_it(void **state)
{
    (void)state;
    assert_true(pb_quantile_holds(1000, 0.99));
    assert_false(pb_quantile_holds(999, 0.99));
    assert_true(pb_quantile_holds(10000, 0.999));
    assert_false(pb_quantile_holds(9999, 0.999));
    assert_false(pb_quantile_holds(1e9, 1));
}

/* a / b against b / a, 3a / b, and (a / b)^2. */
static void ratios_follow_swaps_scales_and_powers(void **state)
{
    (void)state;
    double a[23], b[23], scaled[23], a2[23], b2[23];
    struct pb_estimate is, swapped, tripled, squared;
    for (size_t i = 0; i < 23; i++) {
        a[i] = sample(i);
        b[i] = other(i);
        scaled[i] = 3 * a[i];
        a2[i] = a[i] * a[i];
        b2[i] = b[i] * b[i];
    }
    assert_int_equal(pb_paired_ratio(a, b, 23, 0.95, &is), 0);
    assert_int_equal(pb_paired_ratio(b, a, 23, 0.95, &swapped), 0);
    assert_int_equal(pb_paired_ratio(scaled, b, 23, 0.95, &tripled), 0);
    assert_int_equal(pb_paired_ratio(a2, b2, 23, 0.95, &squared), 0);
    assert_vector(&swapped,
                  &(struct vector){23, 0.95, 1 / is.value, 1 / is.high, 1 / is.low, is.confidence});
    assert_vector(&tripled,
                  &(struct vector){23, 0.95, 3 * is.value, 3 * is.low, 3 * is.high, is.confidence});
    assert_vector(&squared, &(struct vector){23, 0.95, is.value * is.value, is.low * is.low,
                                             is.high * is.high, is.confidence});
}

/* Medians and their bounds are order statistics: a growing function may come before or after. */
static void medians_follow_monotone_transforms(void **state)
{
    (void)state;
    double x[21], fx[21], mad = -1, wide = -1;
    struct pb_estimate before, after;
    for (size_t i = 0; i < 21; i++) {
        x[i] = sample(i);
        fx[i] = log(x[i]);
    }
    assert_int_equal(pb_median(x, 21, 0.95, &before), 0);
    assert_int_equal(pb_median(fx, 21, 0.95, &after), 0);
    assert_vector(&after, &(struct vector){21, 0.95, log(before.value), log(before.low),
                                           log(before.high), before.confidence});
    for (size_t i = 0; i < 21; i++)
        fx[i] = 7 - 4 * x[i];
    assert_int_equal(pb_mad(x, 21, &mad), 0);
    assert_int_equal(pb_mad(fx, 21, &wide), 0);
    assert_near(wide, 4 * mad);
}

static void equal_values_give_a_ratio_of_one_without_width(void **state)
{
    (void)state;
    double a[12], zeros[12] = {0}, p = -1, mad = -1;
    struct pb_estimate is;
    for (size_t i = 0; i < 12; i++)
        a[i] = 1e-7;
    assert_int_equal(pb_paired_ratio(a, a, 12, 0.95, &is), 0);
    assert_near(is.value, 1);
    assert_near(is.low, 1);
    assert_near(is.high, 1);
    assert_int_equal(pb_signed_rank_p(zeros, 12, &p), 0);
    assert_near(p, 1);
    assert_int_equal(pb_mad(a, 12, &mad), 0);
    assert_near(mad, 0);
}

static void bad_input_is_refused_and_leaves_no_trace(void **state)
{
    (void)state;
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    static const double not_positive[] = {0, -0.0, -1, 0x1p-1074};
    double good[7] = {1, 2, 3, 4, 5, 6, 7}, x[7], number = 42;
    struct pb_estimate is = {.value = 42}, before = is;
    for (size_t at = 0; at < 7; at++) {
        for (size_t i = 0; i < 3; i++) {
            memcpy(x, good, sizeof(x));
            x[at] = bad[i];
            assert_int_equal(pb_median(x, 7, 0.95, &is), -EDOM);
            assert_int_equal(pb_mad(x, 7, &number), -EDOM);
            assert_int_equal(pb_signed_rank_p(x, 7, &number), -EDOM);
            assert_int_equal(pb_paired_ratio(x, good, 7, 0.95, &is), -EDOM);
            assert_int_equal(pb_paired_ratio(good, x, 7, 0.95, &is), -EDOM);
        }
        for (size_t i = 0; i < 4; i++) {
            memcpy(x, good, sizeof(x));
            x[at] = not_positive[i]; /* the last is positive, but the ratio to it overflows */
            assert_int_equal(pb_paired_ratio(good, x, 7, 0.95, &is), -EDOM);
            if (i < 3)
                assert_int_equal(pb_paired_ratio(x, good, 7, 0.95, &is), -EDOM);
        }
    }
    for (size_t i = 0; i < 7; i++)
        x[i] = -good[i];
    assert_int_equal(pb_paired_ratio(x, x, 7, 0.95, &is), -EDOM);
    static const double levels[] = {0, 1, -0.5, 1.5, NAN};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(pb_median(good, 7, levels[i], &is), -EINVAL);
        assert_int_equal(pb_paired_ratio(good, good, 7, levels[i], &is), -EINVAL);
    }
    assert_int_equal(pb_median(good, 0, 0.95, &is), -EINVAL);
    assert_int_equal(pb_mad(good, 0, &number), -EINVAL);
    assert_int_equal(pb_signed_rank_p(good, 0, &number), -EINVAL);
    assert_int_equal(pb_paired_ratio(good, good, 0, 0.95, &is), -EINVAL);
    assert_memory_equal(&is, &before, sizeof(is));
    assert_near(number, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(medians_match_the_oracle),
        cmocka_unit_test(median_intervals_use_the_exact_binomial_ranks),
        cmocka_unit_test(quantiles_and_mad_match_the_oracle),
        cmocka_unit_test(paired_ratios_match_the_oracle),
        cmocka_unit_test(paired_differences_are_logarithms_of_ratios),
        cmocka_unit_test(rates_are_all_work_over_all_time),
        cmocka_unit_test(a_quantile_holds_with_ten_values_beyond_it),
        cmocka_unit_test(ratios_follow_swaps_scales_and_powers),
        cmocka_unit_test(medians_follow_monotone_transforms),
        cmocka_unit_test(equal_values_give_a_ratio_of_one_without_width),
        cmocka_unit_test(bad_input_is_refused_and_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
