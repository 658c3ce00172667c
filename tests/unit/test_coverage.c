/* SPDX-License-Identifier: MIT */
/* Coverage, by simulation: intervals hold the truth as often as they say, tests err no oftener. The
 * noise is normal, skewed (lognormal) and heavy-tailed (Student's t); a planted interval that is
 * too narrow, a truth that is another and a test that is not adjusted each fall out of the range
 * that the real ones must be in. Seeds are fixed: a program's figures are always the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/rng.h"
#include "skip.h"
#include "stats/bootstrap.h"
#include "stats/modes.h"
#include "stats/multiple.h"
#include "stats/trend.h"
#include "stats/verdict.h"

#include <math.h>

#ifndef __has_feature /* clang's; gcc 12 defines macros instead */
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) };
#endif

enum { SETS = 2000, MOST = 45 };

static double normal_noise(struct pb_rng *rng)
{
    double radius = sqrt(-2 * log(1 - pb_rng_unit(rng)));
    return radius * cos(6.283185307179586 * pb_rng_unit(rng));
}

static double skewed_noise(struct pb_rng *rng)
{
    return exp(normal_noise(rng));
}

/* Student's t with two degrees of freedom: no variance. */
static double heavy_noise(struct pb_rng *rng)
{
    double u = (pb_rng_unit(rng) + 0x1p-54);
    return (2 * u - 1) / sqrt(2 * u * (1 - u));
}

/* Centre: the median of the mean of two draws, which is what Hodges and Lehmann estimate; of the
 * skewed one from 2,000,000 pairs. */
static const struct noise {
    const char *name;
    double (*draw)(struct pb_rng *rng);
    double median, centre;
} noises[] = {
    {"normal", normal_noise, 0, 0},
    {"skewed", skewed_noise, 1, 1.2214},
    {"heavy", heavy_noise, 0, 0},
};
enum { NOISES = sizeof noises / sizeof noises[0] };

/* The range for an interval of 95 %: 93.5 to 96.5 % of the sets. */
static bool holds_as_it_says(unsigned covered)
{
    return covered >= SETS * 935 / 1000 && covered <= SETS * 965 / 1000;
}

/* Whether a count is what a chance gives in `sets`, to four standard deviations. */
static bool is_about(unsigned count, double chance, unsigned sets)
{
    double deviation = sqrt(sets * chance * (1 - chance));
    return fabs(count - sets * chance) <= 4 * deviation + 1e-9;
}

/* An interval for the noise in values[0..n). */
typedef void interval_fn(const double *values, size_t n, uint64_t seed, struct pb_estimate *out);

static void by_ranks(const double *values, size_t n, uint64_t seed, struct pb_estimate *out)
{
    double a[MOST], b[MOST];
    (void)seed;
    for (size_t i = 0; i < n; i++) { /* beside differences between blocks of a factor of up to 8 */
        b[i] = exp2((double)(i * 7 % 11) / 11 * 3);
        a[i] = b[i] * exp(0.05 * values[i]);
    }
    assert_int_equal(pb_paired_ratio(a, b, n, 0.95, out), 0);
    out->low = log(out->low) / 0.05;
    out->high = log(out->high) / 0.05;
}

static void by_order(const double *values, size_t n, uint64_t seed, struct pb_estimate *out)
{
    (void)seed;
    assert_int_equal(pb_median(values, n, 0.95, out), 0);
}

static void by_bootstrap(const double *values, size_t n, uint64_t seed, struct pb_estimate *out)
{
    assert_int_equal(pb_bootstrap_centre(values, n, 0.95, 1000, seed, out), 0);
}

static void by_slope(const double *values, size_t n, uint64_t seed, struct pb_estimate *out)
{
    double x[MOST];
    (void)seed;
    for (size_t i = 0; i < n; i++)
        x[i] = (double)i;
    assert_int_equal(pb_slope(x, values, n, 0.95, out), 0);
}

/* Planted: 0.7 of the width. */
static void too_narrow(const double *values, size_t n, uint64_t seed, struct pb_estimate *out)
{
    by_ranks(values, n, seed, out);
    double middle = (out->low + out->high) / 2, half = (out->high - out->low) / 2;
    out->low = middle - 0.7 * half;
    out->high = middle + 0.7 * half;
}

static unsigned count_covered(const struct noise *noise, size_t n, interval_fn *interval,
                              double truth, double *level)
{
    struct pb_rng rng;
    unsigned covered = 0;
    pb_rng_seed(&rng, 20260101, n);
    for (unsigned set = 0; set < SETS; set++) {
        double values[MOST];
        struct pb_estimate is;
        for (size_t i = 0; i < n; i++)
            values[i] = noise->draw(&rng);
        interval(values, n, set, &is);
        assert_true(is.low <= is.high);
        covered += is.low <= truth && truth <= is.high ? 1 : 0;
        *level = is.confidence;
    }
    print_message("%s, n = %zu: %.2f %% of %.2f\n", noise->name, n, 100.0 * covered / SETS,
                  100 * *level);
    return covered;
}

static void ratios_hold_the_truth_as_often_as_they_say(void **state)
{
    (void)state;
    double level;
    for (size_t i = 0; i < NOISES; i++) {
        double truth = noises[i].centre;
        assert_true(holds_as_it_says(count_covered(&noises[i], 11, by_ranks, truth, &level)));
        assert_true(holds_as_it_says(count_covered(&noises[i], 23, by_ranks, truth, &level)));
        /* planted */
        assert_false(holds_as_it_says(count_covered(&noises[i], 11, too_narrow, truth, &level)));
        assert_false(
            holds_as_it_says(count_covered(&noises[i], 11, by_ranks, truth + 0.7, &level)));
    }
}

/* Whole ranks reach no 95 %, so these intervals hold oftener: as often as they say of themselves.
 */
static void medians_hold_the_truth_at_their_exact_level(void **state)
{
    (void)state;
    static const size_t sizes[] = {6, 11, 23, 45};
    double level;
    for (size_t i = 0; i < NOISES; i++) {
        for (size_t s = 0; s < 4; s++) {
            unsigned covered =
                count_covered(&noises[i], sizes[s], by_order, noises[i].median, &level);
            assert_true(level >= 0.95 && is_about(covered, level, SETS));
            assert_false(is_about(covered, level - 0.06, SETS)); /* planted */
        }
    }
}

static void slopes_hold_the_truth_at_their_exact_level(void **state)
{
    (void)state;
    double level;
    for (size_t i = 0; i < NOISES; i++) {
        unsigned covered = count_covered(&noises[i], 11, by_slope, 0, &level);
        assert_true(level >= 0.95 && is_about(covered, level, SETS));
    }
}

/* 6,000,000 resamples: what a sanitizer looks for, test_stats_bootstrap.c has. */
static void the_bootstrap_holds_the_truth_as_often_as_it_says(void **state)
{
    (void)state;
    double level;
    if (SANITIZED)
        skip_because("a simulation that a sanitizer makes ten times as long");
    for (size_t i = 0; i < NOISES; i++)
        assert_true(holds_as_it_says(
            count_covered(&noises[i], PB_BOOTSTRAP_LEAST, by_bootstrap, noises[i].centre, &level)));
}

/* Every value inside the interval passes the test at its level, every value outside fails it. */
static void the_interval_is_the_set_of_ratios_not_rejected(void **state)
{
    (void)state;
    static const size_t sizes[] = {6, 11, 20, 45};
    struct pb_rng rng;
    pb_rng_seed(&rng, 20260101, 8);
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        double a[MOST], b[MOST], d[MOST], p = -1;
        struct pb_estimate is;
        for (size_t i = 0; i < sizes[s]; i++) {
            a[i] = 1 + pb_rng_unit(&rng);
            b[i] = 1 + pb_rng_unit(&rng);
        }
        assert_int_equal(pb_paired_ratio(a, b, sizes[s], 0.95, &is), 0);
        double level = 1 - is.confidence;
        const double inside[] = {is.low * (1 + 1e-9), is.value, is.high * (1 - 1e-9)};
        const double outside[] = {is.low * (1 - 1e-9), is.high * (1 + 1e-9)};
        for (int k = 0; k < 5; k++) {
            double ratio = k < 3 ? inside[k] : outside[k - 3];
            for (size_t i = 0; i < sizes[s]; i++)
                d[i] = log(a[i]) - log(b[i]) - log(ratio);
            assert_int_equal(pb_signed_rank_p(d, sizes[s], &p), 0);
            assert_int_equal(p > level * (1 + 1e-9), k < 3);
        }
    }
}

/* --- tests ----------------------------------------------------------------------------------- */

/* In how many of the sets a family of 8 comparisons of the same with one reference, 11 blocks,
 * rejects any: not adjusted, by Holm, by Benjamini and Hochberg. */
static void count_false_alarms(double (*draw)(struct pb_rng *), unsigned alarms[3])
{
    enum { FAMILY = 8, N = 11 };
    struct pb_rng rng;
    pb_rng_seed(&rng, 20260101, 3);
    for (unsigned set = 0; set < SETS; set++) {
        double reference[N], d[N], p[3][FAMILY];
        for (size_t i = 0; i < N; i++)
            reference[i] = draw(&rng);
        for (size_t k = 0; k < FAMILY; k++) {
            for (size_t i = 0; i < N; i++)
                d[i] = draw(&rng) - reference[i];
            assert_int_equal(pb_signed_rank_p(d, N, &p[0][k]), 0);
        }
        assert_int_equal(pb_holm(p[0], FAMILY, p[1]), 0);
        assert_int_equal(pb_benjamini_hochberg(p[0], FAMILY, p[2]), 0);
        for (size_t how = 0; how < 3; how++) {
            bool any = false;
            for (size_t k = 0; k < FAMILY; k++)
                any |= p[how][k] <= PB_VERDICT_ALPHA;
            alarms[how] += any;
        }
    }
}

static void a_family_errs_no_oftener_than_a_single_test(void **state)
{
    (void)state;
    for (size_t i = 0; i < NOISES; i++) {
        unsigned alarms[3] = {0, 0, 0};
        count_false_alarms(noises[i].draw, alarms);
        print_message("%s: %u of %d families, Holm %u, BH %u\n", noises[i].name, alarms[0], SETS,
                      alarms[1], alarms[2]);
        assert_true(alarms[1] <= SETS * 0.05);
        assert_true(alarms[2] <= SETS * 0.06); /* where all are true, a family's error too */
        assert_true(alarms[0] >= SETS * 0.15); /* planted: without adjustment */
    }
}

/* In how many of the sets pairs with that ratio and noise are called the same within 2 %. */
static unsigned count_same(double ratio, double noise, double confidence)
{
    enum { N = 11 };
    struct pb_rng rng;
    unsigned same = 0;
    pb_rng_seed(&rng, 20260101, 4);
    for (unsigned set = 0; set < SETS; set++) {
        double a[N], b[N];
        struct pb_estimate narrow;
        for (size_t i = 0; i < N; i++) {
            b[i] = exp(normal_noise(&rng));
            a[i] = b[i] * ratio * exp(noise * normal_noise(&rng));
        }
        assert_int_equal(pb_paired_ratio(a, b, N, confidence, &narrow), 0);
        same += pb_equivalent(&narrow, PB_VERDICT_DELTA);
    }
    return same;
}

static void what_differs_by_delta_is_seldom_called_the_same(void **state)
{
    (void)state;
    const double edges[] = {1 + PB_VERDICT_DELTA, 1 / (1 + PB_VERDICT_DELTA)};
    for (size_t i = 0; i < 2; i++) {
        unsigned same = count_same(edges[i], 0.01, PB_EQUIVALENCE_CONFIDENCE);
        print_message("%u of %d at %.4f\n", same, SETS, edges[i]);
        assert_true(same <= SETS * 0.06);
        assert_true(same >= SETS * 0.02); /* nor is the test needlessly strict */
        assert_true(count_same(edges[i], 0.01, 0.5) > SETS * 0.06); /* planted */
    }
    assert_true(count_same(1, 0.01, PB_EQUIVALENCE_CONFIDENCE) > SETS * 0.95);
    assert_int_equal(count_same(1, 0.2, PB_EQUIVALENCE_CONFIDENCE), 0);
}

/* In how many of the sets of positive values around 100 two modes are seen; every second value is
 * lifted by `lift`. */
static unsigned count_modes(double (*draw)(struct pb_rng *), size_t n, double lift)
{
    struct pb_rng rng;
    unsigned two = 0;
    pb_rng_seed(&rng, 20260101, 5 + n);
    for (unsigned set = 0; set < SETS; set++) {
        double x[MOST];
        struct pb_modes modes;
        for (size_t i = 0; i < n; i++)
            x[i] = 1e4 + 100 * draw(&rng) + (double)(i % 2) * lift;
        for (size_t i = 0; i < n; i++) /* heavy tails reach far */
            x[i] = fmax(x[i], 1);
        assert_int_equal(pb_modes(x, n, &modes), 0);
        two += modes.two || (modes.gap > modes.critical && lift <= 0);
    }
    return two;
}

static void one_mode_is_seldom_called_two(void **state)
{
    (void)state;
    static const size_t sizes[] = {6, 11, 15, 23, 45};
    for (size_t s = 0; s < 5; s++) {
        for (size_t i = 0; i < NOISES; i++)
            assert_in_range(count_modes(noises[i].draw, sizes[s], 0), 0, SETS * 2 / 100);
        assert_in_range(count_modes(pb_rng_unit, sizes[s], 0), 0, SETS * 2 / 100);
        if (sizes[s] >= 11) /* two levels, ten standard deviations apart or more, are seen */
            assert_in_range(count_modes(normal_noise, sizes[s], 1200), SETS * 95 / 100, SETS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratios_hold_the_truth_as_often_as_they_say),
        cmocka_unit_test(medians_hold_the_truth_at_their_exact_level),
        cmocka_unit_test(slopes_hold_the_truth_at_their_exact_level),
        cmocka_unit_test(the_bootstrap_holds_the_truth_as_often_as_it_says),
        cmocka_unit_test(the_interval_is_the_set_of_ratios_not_rejected),
        cmocka_unit_test(a_family_errs_no_oftener_than_a_single_test),
        cmocka_unit_test(what_differs_by_delta_is_seldom_called_the_same),
        cmocka_unit_test(one_mode_is_seldom_called_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
