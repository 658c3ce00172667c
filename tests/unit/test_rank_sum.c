/* SPDX-License-Identifier: MIT */
/* Rank sums: golden vectors of tests/golden/rank_sum_oracle.py, what they hold to by definition,
 * and by simulation how often the interval holds the truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/rng.h"
#include "stats/stats.h"

#include <errno.h>
#include <math.h>

enum { MOST = 64 };

static double sample(size_t i)
{
    return 100 + (double)((i * 7919 + 13) % 1009) / 16;
}

static double other(size_t i)
{
    return 100 + (double)((i * 10473 + 5) % 997) / 16;
}

static void fill(double *a, size_t n, double *b, size_t m, double shift)
{
    for (size_t i = 0; i < n; i++)
        a[i] = sample(i) + shift;
    for (size_t i = 0; i < m; i++)
        b[i] = other(i);
}

static const struct {
    size_t n, m;
    double asked, value, low, high, confidence;
} ratios[] = {
    {3, 3, 0.95, 1.1712523719165084, NAN, NAN, 0},
    {4, 4, 0.95, 1.1319678446835668, 0.76192725555030694, 1.5383177570093463, 0.97142857142857142},
    {6, 6, 0.95, 1.1211937449843425, 0.88092979127134741, 1.4269870609981512, 0.95887445887445888},
    {6, 6, 0.99, 1.1211937449843425, 0.76518026565464892, 1.5212569316081324, 0.9913419913419913},
    {6, 11, 0.95, 1.1347430618092964, 0.9494567784600848, 1.3401486988847586, 0.9523270846800258},
    {11, 6, 0.999, 1.1430084309903099, 0.76518026565464892, 1.5773259396179902,
     0.99935358758888171},
    {11, 11, 0.95, 1.1441774491682066, 1.0049844236760126, 1.3476635514018698, 0.9526928180178954},
    {20, 30, 0.95, 1.0810105302726964, 0.9951515151515149, 1.1694837825491091, 0.95187053668229515},
    {50, 50, 0.95, 1.0693505228914071, 1.0112311015118793, 1.1279122887163091, 0.95045227640115371},
    {51, 40, 0.95, 1.0818241429865185, 1.0179087232813402, 1.1458137347130766, 0.95036056010177605},
};

static const struct {
    size_t n, m;
    double shift, p;
} tests_of[] = {
    {3, 3, 0.03125, 0.40000000000000002},    {6, 6, 0.03125, 0.30952380952380953},
    {6, 6, 40.03125, 0.0021645021645021645}, {11, 11, 12.03125, 0.0018598532530421075},
    {8, 25, 9.03125, 0.013487604143888905},  {30, 40, 10.03125, 9.1020800222701267e-06},
};

static void assert_near(double is, double should)
{
    if (isnan(should))
        assert_true(isnan(is));
    else if (!(fabs(is - should) <= 1e-12 * fabs(should)))
        fail_msg("%.17g is not %.17g", is, should);
}

static void ratios_are_those_of_the_oracle(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ratios / sizeof *ratios; i++) {
        double a[MOST], b[MOST];
        size_t n = ratios[i].n, m = ratios[i].m;
        struct pb_estimate is;
        fill(a, n, b, m, 0);
        assert_int_equal(pb_unpaired_ratio(a, n, b, m, ratios[i].asked, &is), 0);
        assert_near(is.value, ratios[i].value);
        assert_near(is.low, ratios[i].low);
        assert_near(is.high, ratios[i].high);
        assert_near(is.confidence, ratios[i].confidence);
        assert_int_equal(is.n, n < m ? n : m);
    }
}

static void p_values_are_those_of_the_oracle(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tests_of / sizeof *tests_of; i++) {
        double a[MOST], b[MOST], p = -1;
        fill(a, tests_of[i].n, b, tests_of[i].m, tests_of[i].shift);
        assert_int_equal(pb_rank_sum_p(a, tests_of[i].n, b, tests_of[i].m, &p), 0);
        assert_near(p, tests_of[i].p);
    }
}

static void the_least_p_is_that_of_samples_that_do_not_overlap(void **state)
{
    (void)state;
    const double a[] = {1, 2, 3, 4, 5, 6}, b[] = {11, 12, 13, 14, 15, 16, 17};
    for (size_t m = 1; m <= 7; m++) {
        double p = -1;
        assert_int_equal(pb_rank_sum_p(a, 6, b, m, &p), 0);
        assert_true(fabs(p - pb_rank_sum_least_p(6, m)) < 1e-12);
    }
}

static void sides_change_places_and_scale_does_not_matter(void **state)
{
    (void)state;
    double a[9], b[14], large[14], p = -1, q = -1;
    struct pb_estimate forth, back, scaled;
    fill(a, 9, b, 14, 0.03125);
    for (size_t i = 0; i < 14; i++)
        large[i] = 1024 * b[i];
    assert_int_equal(pb_unpaired_ratio(a, 9, b, 14, 0.95, &forth), 0);
    assert_int_equal(pb_unpaired_ratio(b, 14, a, 9, 0.95, &back), 0);
    assert_int_equal(pb_unpaired_ratio(a, 9, large, 14, 0.95, &scaled), 0);
    assert_near(back.value, 1 / forth.value);
    assert_near(back.low, 1 / forth.high);
    assert_near(back.high, 1 / forth.low);
    assert_near(1024 * scaled.value, forth.value);
    assert_int_equal(pb_rank_sum_p(a, 9, b, 14, &p), 0);
    assert_int_equal(pb_rank_sum_p(b, 14, a, 9, &q), 0);
    assert_near(p, q);
}

static void equal_values_show_no_difference(void **state)
{
    (void)state;
    const double same[] = {5, 5, 5, 5, 5, 5}, one[] = {5, 5, 5, 5, 5, 6};
    double p = -1;
    struct pb_estimate is;
    assert_int_equal(pb_rank_sum_p(same, 6, same, 6, &p), 0);
    assert_near(p, 1);
    assert_int_equal(pb_rank_sum_p(same, 6, one, 6, &p), 0);
    assert_near(p, 1);
    assert_int_equal(pb_unpaired_ratio(same, 6, same, 6, 0.95, &is), 0);
    assert_near(is.low, 1);
    assert_near(is.high, 1);
}

static void what_is_no_sample_is_refused(void **state)
{
    (void)state;
    const double good[] = {1, 2, 3}, zero[] = {1, 0, 3}, bad[] = {1, NAN, 3};
    const double infinite[] = {1, 2, INFINITY};
    double p;
    struct pb_estimate is;
    assert_int_equal(pb_unpaired_ratio(good, 0, good, 3, 0.95, &is), -EINVAL);
    assert_int_equal(pb_unpaired_ratio(good, 3, good, 0, 0.95, &is), -EINVAL);
    assert_int_equal(pb_unpaired_ratio(good, 3, good, 3, 1, &is), -EINVAL);
    assert_int_equal(pb_unpaired_ratio(good, 3, good, 3, NAN, &is), -EINVAL);
    assert_int_equal(pb_unpaired_ratio(good, 3, zero, 3, 0.95, &is), -EDOM);
    assert_int_equal(pb_unpaired_ratio(bad, 3, good, 3, 0.95, &is), -EDOM);
    assert_int_equal(pb_unpaired_ratio(infinite, 3, good, 3, 0.95, &is), -EDOM);
    assert_int_equal(pb_rank_sum_p(good, 3, bad, 3, &p), -EDOM);
    assert_int_equal(pb_rank_sum_p(good, 3, good, 0, &p), -EINVAL);
}

/* --- by simulation --------------------------------------------------------------------------- */

static double normal_noise(struct pb_rng *rng)
{
    double radius = sqrt(-2 * log(1 - pb_rng_unit(rng)));
    return radius * cos(6.283185307179586 * pb_rng_unit(rng));
}

static double heavy_noise(struct pb_rng *rng)
{
    double u = pb_rng_unit(rng) + 0x1p-54;
    return (2 * u - 1) / sqrt(2 * u * (1 - u));
}

/* In how many of 2000 pairs of samples, whose ratio is 1.25, the interval holds `claimed`. */
static unsigned count_covered(double (*noise)(struct pb_rng *), double confidence, double claimed)
{
    enum { SETS = 2000, N = 11, M = 9 };
    struct pb_rng rng;
    unsigned covered = 0;
    pb_rng_seed(&rng, 20260101, 11);
    for (int set = 0; set < SETS; set++) {
        double a[N], b[M];
        struct pb_estimate is;
        for (int i = 0; i < N; i++)
            a[i] = 20 * 1.25 * exp(0.05 * noise(&rng));
        for (int i = 0; i < M; i++)
            b[i] = 20 * exp(0.05 * noise(&rng));
        assert_int_equal(pb_unpaired_ratio(a, N, b, M, confidence, &is), 0);
        assert_true(is.low <= is.value && is.value <= is.high);
        covered += is.low <= claimed && claimed <= is.high ? 1 : 0;
    }
    return covered;
}

static void intervals_hold_the_truth_as_often_as_they_say(void **state)
{
    (void)state;
    double (*const noises[])(struct pb_rng *) = {normal_noise, heavy_noise};
    for (int i = 0; i < 2; i++) {
        unsigned covered = count_covered(noises[i], 0.95, 1.25);
        print_message("covered %u of 2000\n", covered);
        assert_in_range(covered, 1870, 1950); /* 93.5 .. 97.5 % */
        /* planted: a narrower interval, and a wrong truth, fall out of that range */
        assert_in_range(count_covered(noises[i], 0.8, 1.25), 1560, 1740);
        assert_true(count_covered(noises[i], 0.95, 1.35) < 1870);
    }
}

/* Every ratio inside the interval passes the test at its level, every ratio outside fails it. */
static void the_interval_is_the_set_of_ratios_not_rejected(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{6, 6}, {11, 9}, {20, 31}, {50, 50}};
    struct pb_rng rng;
    pb_rng_seed(&rng, 20260101, 12);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        double a[MOST], b[MOST], moved[MOST], p = -1;
        size_t n = sizes[s][0], m = sizes[s][1];
        struct pb_estimate is;
        for (size_t i = 0; i < n; i++)
            a[i] = 1 + pb_rng_unit(&rng);
        for (size_t i = 0; i < m; i++)
            b[i] = 1 + pb_rng_unit(&rng);
        assert_int_equal(pb_unpaired_ratio(a, n, b, m, 0.95, &is), 0);
        double level = 1 - is.confidence;
        const double inside[] = {is.low * (1 + 1e-9), is.value, is.high * (1 - 1e-9)};
        const double outside[] = {is.low * (1 - 1e-9), is.high * (1 + 1e-9)};
        for (int k = 0; k < 5; k++) {
            for (size_t i = 0; i < m; i++)
                moved[i] = b[i] * (k < 3 ? inside[k] : outside[k - 3]);
            assert_int_equal(pb_rank_sum_p(a, n, moved, m, &p), 0);
            assert_int_equal(p > level * (1 + 1e-9), k < 3);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratios_are_those_of_the_oracle),
        cmocka_unit_test(p_values_are_those_of_the_oracle),
        cmocka_unit_test(the_least_p_is_that_of_samples_that_do_not_overlap),
        cmocka_unit_test(sides_change_places_and_scale_does_not_matter),
        cmocka_unit_test(equal_values_show_no_difference),
        cmocka_unit_test(what_is_no_sample_is_refused),
        cmocka_unit_test(intervals_hold_the_truth_as_often_as_they_say),
        cmocka_unit_test(the_interval_is_the_set_of_ratios_not_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
