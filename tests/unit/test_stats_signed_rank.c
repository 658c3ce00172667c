/* SPDX-License-Identifier: MIT */
/* The test that a median is 0: golden vectors of tests/golden/stats_oracle.py and of scipy, and a
 * published example. Its refusals: test_stats.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/stats.h"
#include "stats_vectors.h"

static void signed_rank_p_matches_the_oracle(void **state)
{
    (void)state;
    static const struct {
        double d[9];
        size_t n;
        double p;
    } small[] = {
        {{1}, 1, 1.0},
        {{-1, 2}, 2, 1.0},
        {{1, 2, 3, 4, 5, 6}, 6, 0.03125},
        {{0, 0, 1, -2, 3}, 5, 0.75},
        {{0, 0}, 2, 1.0},
        {{1, 1, 1, -1, 1, 1, 1}, 7, 0.125},
        {{1, -1}, 2, 1.0},
        {{2, 2, -1, 3, 3, 3, -2, 5}, 8, 0.0625},
        {{0.5, -0.25, 0, 0.5, 0.75, -0.5, 1, 1, 2.5}, 9, 0.0625},
    };
    /* sample(i) - 118, and with ties and zeros */
    static const struct {
        size_t n;
        double p;
    } plain[] =
        {
            {10, 0.05078125},
            {16, 0.022064208984375},
            {25, 0.0016556978225708008},
            {50, 2.327304626170701e-05},
            {51, 4.5526350934799176e-05},
            {80, 1.1259739089997112e-06},
        },
      tied[] = {
          {10, 0.875},
          {16, 1.0},
          {25, 0.856295108795166},
          {50, 0.8591012202451793},
          {60, 0.7208115309012961},
          {80, 0.5409113877537596},
      };
    double d[128], p = -1;
    for (size_t v = 0; v < sizeof(small) / sizeof(small[0]); v++) {
        assert_int_equal(pb_signed_rank_p(small[v].d, small[v].n, &p), 0);
        assert_near(p, small[v].p);
    }
    for (size_t v = 0; v < sizeof(plain) / sizeof(plain[0]); v++) {
        for (size_t i = 0; i < plain[v].n; i++)
            d[i] = sample(i) - 118;
        assert_int_equal(pb_signed_rank_p(d, plain[v].n, &p), 0);
        assert_near(p, plain[v].p);
    }
    for (size_t v = 0; v < sizeof(tied) / sizeof(tied[0]); v++) {
        for (size_t i = 0; i < tied[v].n; i++)
            d[i] = floor((sample(i) - 128) / 8) / 2;
        assert_int_equal(pb_signed_rank_p(d, tied[v].n, &p), 0);
        assert_near(p, tied[v].p);
    }
}

/* tests/golden/stats_oracle_scipy.py: scipy.stats.wilcoxon, where no magnitudes are tied. */
static void signed_rank_p_matches_scipy(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        double p;
    } vectors[] = {
        {10, 0.064453125},
        {16, 0.02496337890625},
        {25, 0.0018156766891479492},
        {50, 2.4281497463363166e-05},
    };
    for (size_t v = 0; v < sizeof(vectors) / sizeof(vectors[0]); v++) {
        double d[50], p = -1;
        for (size_t i = 0; i < vectors[v].n; i++)
            d[i] = sample(i) - 118.01;
        assert_int_equal(pb_signed_rank_p(d, vectors[v].n, &p), 0);
        assert_near(p, vectors[v].p);
    }
}

/* Hollander and Wolfe's depression scores, as in the example of R's wilcox.test: V = 40, one-sided
 * p = 0.01953. */
static void a_published_example_is_reproduced(void **state)
{
    (void)state;
    static const double x[] = {1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30};
    static const double y[] = {0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29};
    double d[9], p = -1;
    for (size_t i = 0; i < 9; i++)
        d[i] = x[i] - y[i];
    assert_int_equal(pb_signed_rank_p(d, 9, &p), 0);
    assert_near(p, 20.0 / 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signed_rank_p_matches_the_oracle),
        cmocka_unit_test(signed_rank_p_matches_scipy),
        cmocka_unit_test(a_published_example_is_reproduced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
