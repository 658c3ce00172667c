/* SPDX-License-Identifier: MIT */
/* Coverage: by simulation, the intervals of paired ratios hold the truth as often as they say; and
 * they agree with the test that they are the inversion of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/rng.h"
#include "stats/stats.h"

#include <math.h>

/* Noise of one simulated pair, centre 0. */
static double normal_noise(struct pb_rng *rng)
{
    double radius = sqrt(-2 * log(1 - pb_rng_unit(rng)));
    return radius * cos(6.283185307179586 * pb_rng_unit(rng));
}

/* Student's t with two degrees of freedom: no variance. */
static double heavy_noise(struct pb_rng *rng)
{
    double u = (pb_rng_unit(rng) + 0x1p-54);
    return (2 * u - 1) / sqrt(2 * u * (1 - u));
}

/* In how many of 2000 sets of 11 pairs the interval holds `claimed`; the pairs' ratio is 1.25,
 * beside differences between blocks of a factor of up to 8. */
static unsigned count_covered(double (*noise)(struct pb_rng *), double confidence, double claimed)
{
    enum { SETS = 2000, N = 11 };
    struct pb_rng rng;
    unsigned covered = 0;
    pb_rng_seed(&rng, 20260101, 7);
    for (int set = 0; set < SETS; set++) {
        double a[N], b[N];
        struct pb_estimate is;
        for (int i = 0; i < N; i++) {
            b[i] = exp2(3 * pb_rng_unit(&rng));
            a[i] = b[i] * 1.25 * exp(0.05 * noise(&rng));
        }
        assert_int_equal(pb_paired_ratio(a, b, N, confidence, &is), 0);
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

/* Every value inside the interval passes the test at its level, every value outside fails it. */
static void the_interval_is_the_set_of_ratios_not_rejected(void **state)
{
    (void)state;
    static const size_t sizes[] = {6, 11, 20, 50};
    struct pb_rng rng;
    pb_rng_seed(&rng, 20260101, 8);
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        double a[50], b[50], d[50], p = -1;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_hold_the_truth_as_often_as_they_say),
        cmocka_unit_test(the_interval_is_the_set_of_ratios_not_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
