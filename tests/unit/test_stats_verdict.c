/* SPDX-License-Identifier: MIT */
/* Families of p-values (golden vectors of tests/golden/stats_oracle_scipy.py and a published
 * example) and the verdict. How often both err: test_coverage.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/multiple.h"
#include "stats/verdict.h"
#include "stats_vectors.h"

#include <errno.h>

static const double exact = 0.0009765625; /* of 11 signs alike */

static void families_match_the_oracle(void **state)
{
    (void)state;
    const struct {
        size_t n;
        double p[9], holm[9], bh[9];
    } vectors[] = {
        {1, {0.04}, {0.04}, {0.04}},
        {4, {0.01, 0.04, 0.03, 0.005}, {0.03, 0.06, 0.06, 0.02}, {0.02, 0.04, 0.04, 0.02}},
        {6,
         {0.5, 0.5, 0.02, 0.02, 0.9, 1.0},
         {1.0, 1.0, 0.12, 0.12, 1.0, 1.0},
         {0.75, 0.75, 0.06, 0.06, 1.0, 1.0}},
        {9,
         {exact, exact, exact, exact, exact, exact, exact, exact, 0.3},
         {9 * exact, 9 * exact, 9 * exact, 9 * exact, 9 * exact, 9 * exact, 9 * exact, 9 * exact,
          0.3},
         {9 * exact / 8, 9 * exact / 8, 9 * exact / 8, 9 * exact / 8, 9 * exact / 8, 9 * exact / 8,
          9 * exact / 8, 9 * exact / 8, 0.3}},
        {3, {0.0, 1.0, 0.2}, {0.0, 1.0, 0.4}, {0.0, 1.0, 0.3}},
    };
    for (size_t v = 0; v < sizeof vectors / sizeof vectors[0]; v++) {
        double holm[9], bh[9];
        assert_int_equal(pb_holm(vectors[v].p, vectors[v].n, holm), 0);
        assert_int_equal(pb_benjamini_hochberg(vectors[v].p, vectors[v].n, bh), 0);
        for (size_t i = 0; i < vectors[v].n; i++) {
            assert_near(holm[i], vectors[v].holm[i]);
            assert_near(bh[i], vectors[v].bh[i]);
        }
    }
}

/* Benjamini and Hochberg 1995, 4.1: of 15 tests their procedure rejects 4 at 0.05, where
 * family-wise control rejects 3. */
static void the_published_example_is_reproduced(void **state)
{
    (void)state;
    double p[] = {0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                  0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000};
    double holm[15];
    size_t by_holm = 0, by_bh = 0;
    assert_int_equal(pb_holm(p, 15, holm), 0);
    assert_int_equal(pb_benjamini_hochberg(p, 15, p), 0); /* in place */
    for (size_t i = 0; i < 15; i++) {
        by_holm += holm[i] <= 0.05;
        by_bh += p[i] <= 0.05;
    }
    assert_int_equal(by_holm, 3);
    assert_int_equal(by_bh, 4);
}

static void a_p_that_is_none_is_refused(void **state)
{
    (void)state;
    static const double bad[] = {-0.1, 1.1, NAN, INFINITY};
    double p[3] = {0.1, 0.2, 0.3}, adjusted[3] = {42, 42, 42};
    for (size_t i = 0; i < 4; i++) {
        p[1] = bad[i];
        assert_int_equal(pb_holm(p, 3, adjusted), -EINVAL);
        assert_int_equal(pb_benjamini_hochberg(p, 3, adjusted), -EINVAL);
    }
    assert_near(adjusted[0], 42);
    assert_int_equal(pb_holm(p, 0, adjusted), 0);
}

/* --- verdict --------------------------------------------------------------------------------- */

/* A certain change by a factor, in either direction of better. */
static struct pb_comparison change(double ratio, double width)
{
    struct pb_estimate wide = {ratio, ratio / (1 + width), ratio * (1 + width), 0.95, 11};
    struct pb_estimate narrow = {ratio, ratio / (1 + 0.8 * width), ratio * (1 + 0.8 * width), 0.9,
                                 11};
    return (struct pb_comparison){wide, narrow, 0.001, 0, PB_VERDICT_DELTA, -1};
}

static void a_difference_needs_interval_p_and_size(void **state)
{
    (void)state;
    struct pb_comparison c = change(1.5, 0.1);
    assert_int_equal(pb_verdict(&c), PB_VERDICT_WORSE);
    c.better = 1;
    assert_int_equal(pb_verdict(&c), PB_VERDICT_BETTER);
    c.better = 0;
    assert_int_equal(pb_verdict(&c), PB_VERDICT_NONE);
    c = change(1 / 1.5, 0.1);
    assert_int_equal(pb_verdict(&c), PB_VERDICT_BETTER);
    c.p = 0.051; /* adjusted for its family */
    assert_int_equal(pb_verdict(&c), PB_VERDICT_NONE);
    c.p = 0.05;
    assert_int_equal(pb_verdict(&c), PB_VERDICT_BETTER);
    c.bound = log(1.51); /* noise reaches further */
    assert_int_equal(pb_verdict(&c), PB_VERDICT_NONE);
    c.bound = log(1.49);
    assert_int_equal(pb_verdict(&c), PB_VERDICT_BETTER);
    c.ratio.high = 1.01; /* the interval holds 1 */
    assert_int_equal(pb_verdict(&c), PB_VERDICT_NONE);
    c = change(1.0195, 0.001); /* certain, too small, and not inside delta either */
    c.narrow.high = 1.021;
    assert_int_equal(pb_verdict(&c), PB_VERDICT_NONE);
}

static void same_is_shown_and_not_assumed(void **state)
{
    (void)state;
    struct pb_comparison c = change(1.001, 0.01);
    c.p = 0.5;
    assert_int_equal(pb_verdict(&c), PB_VERDICT_SAME);
    c.delta = 0.005;
    assert_int_equal(pb_verdict(&c), PB_VERDICT_NONE);
    c = change(1.001, 0.01);
    c.p = 0.5;
    c.bound = log(1.03); /* the reference differs from itself by more than delta */
    assert_int_equal(pb_verdict(&c), PB_VERDICT_NONE);
    c.bound = log1p(PB_VERDICT_DELTA);
    assert_int_equal(pb_verdict(&c), PB_VERDICT_SAME);
    c = change(1.001, 0.1); /* wide: nothing is shown either way */
    c.p = 0.5;
    assert_int_equal(pb_verdict(&c), PB_VERDICT_NONE);
    c = change(1.03, 0.005); /* a certain 3 %, which a delta of 5 % calls the same */
    assert_int_equal(pb_verdict(&c), PB_VERDICT_WORSE);
    c.delta = 0.05;
    assert_int_equal(pb_verdict(&c), PB_VERDICT_SAME);
    c = change(1, 0);
    c.p = 1;
    assert_int_equal(pb_verdict(&c), PB_VERDICT_SAME);
}

static void too_few_pairs_say_nothing(void **state)
{
    (void)state;
    struct pb_comparison c = change(3, 0.1);
    c.ratio.low = c.ratio.high = NAN; /* five pairs: of 90 %, but not of 95 % */
    assert_int_equal(pb_verdict(&c), PB_VERDICT_UNKNOWN);
    c = (struct pb_comparison){.better = -1, .delta = PB_VERDICT_DELTA};
    assert_int_equal(pb_verdict(&c), PB_VERDICT_UNKNOWN);
    c = change(3, 0.1);
    c.p = NAN; /* no p is no proof */
    assert_int_equal(pb_verdict(&c), PB_VERDICT_NONE);
    c = change(1, 0.01);
    c.narrow.low = NAN;
    assert_int_equal(pb_verdict(&c), PB_VERDICT_NONE);
}

static void every_verdict_has_a_sign_and_a_word(void **state)
{
    (void)state;
    static const char signs[PB_VERDICTS + 1] = " ~=+-";
    static const char *const words[PB_VERDICTS] = {"", "no difference shown", "same", "better",
                                                   "worse"};
    for (int i = 0; i < PB_VERDICTS; i++) {
        assert_int_equal(pb_verdict_sign((enum pb_verdict)i), signs[i]);
        assert_string_equal(pb_verdict_word((enum pb_verdict)i), words[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_match_the_oracle),
        cmocka_unit_test(the_published_example_is_reproduced),
        cmocka_unit_test(a_p_that_is_none_is_refused),
        cmocka_unit_test(a_difference_needs_interval_p_and_size),
        cmocka_unit_test(same_is_shown_and_not_assumed),
        cmocka_unit_test(too_few_pairs_say_nothing),
        cmocka_unit_test(every_verdict_has_a_sign_and_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
