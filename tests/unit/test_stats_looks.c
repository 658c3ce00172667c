/* SPDX-License-Identifier: MIT */
/* Stopping: at declared looks only, when every ratio is known well enough, with a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/looks.h"
#include "stats/stats.h"
#include "stats_vectors.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { MOST = 64 };

static double steady[MOST], noisy[MOST], reference[MOST];

/* Ratios 2.00 to 2.02, and 1 to 1.6. */
static int fill(void **state)
{
    (void)state;
    for (size_t i = 0; i < MOST; i++) {
        reference[i] = sample(i);
        steady[i] = reference[i] * (2 + (double)(i % 3) / 100);
        noisy[i] = other(i * i);
    }
    return 0;
}

static void looks_are_declared_and_cut_off_at_the_most(void **state)
{
    (void)state;
    static const unsigned all[] = {11, 16, 23, 32, 45, 0};
    unsigned at = 0;
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(at = pb_looks_next(at, 0), all[i]);
    assert_int_equal(pb_looks_next(12, 0), 16);
    assert_int_equal(pb_looks_next(11, 20), 16);
    assert_int_equal(pb_looks_next(16, 20), 20);
    assert_int_equal(pb_looks_next(20, 20), 0);
    assert_int_equal(pb_looks_next(0, 6), 6);
    assert_int_equal(pb_looks_next(6, 6), 0);
    assert_int_equal(pb_looks_next(45, 60), 60);
    assert_int_equal(pb_looks_next(11, 16), 16);
    assert_int_equal(pb_looks_next(16, 16), 0);
}

static void precise_ratios_stop_at_a_look_and_not_before(void **state)
{
    (void)state;
    struct pb_looks_decision is;
    for (unsigned blocks = 1; blocks <= 45; blocks++) {
        const struct pb_looks_pair pair = {"zone", steady, reference, blocks, true};
        bool look = blocks == 11 || blocks == 16 || blocks == 23 || blocks == 32 || blocks == 45;
        assert_int_equal(pb_looks_decide(&pair, 1, blocks, 0, 0.02, &is), 0);
        assert_int_equal(is.answer, look ? PB_LOOKS_PRECISE : PB_LOOKS_CONTINUE);
        assert_int_equal(is.next, look ? 0 : pb_looks_next(blocks, 0));
        assert_int_equal(isnan(is.widest), blocks < 8); /* of 99 % */
    }
    assert_string_equal(is.reason, "precise after 45 blocks: target +-2 %, widest zone +-0.25 %");
}

static void the_widest_ratio_decides(void **state)
{
    (void)state;
    const struct pb_looks_pair pairs[] = {{"zone", steady, reference, 11, true},
                                          {"pool", noisy, reference, 11, true},
                                          {"absent", NULL, NULL, 0, false}};
    struct pb_looks_decision is;
    assert_int_equal(pb_looks_decide(pairs, 3, 11, 0, 0.02, &is), 0);
    assert_int_equal(is.answer, PB_LOOKS_CONTINUE);
    assert_int_equal(is.next, 16);
    assert_int_equal(is.widest_at, 1);
    assert_non_null(strstr(is.reason, "goes on after 11 blocks: target +-2 %, widest pool +-"));
    assert_int_equal(pb_looks_decide(pairs, 3, 11, 0, is.widest, &is), 0);
    assert_int_equal(is.answer, PB_LOOKS_PRECISE);
    assert_int_equal(pb_looks_decide(pairs, 3, 11, 0, is.widest * 0.999, &is), 0);
    assert_int_equal(is.answer, PB_LOOKS_CONTINUE);
    assert_int_equal(pb_looks_decide(pairs, 3, 11, 11, 0.02, &is), 0);
    assert_int_equal(is.answer, PB_LOOKS_LAST);
    assert_int_equal(is.next, 0);
    assert_non_null(strstr(is.reason, "last look after 11 blocks"));
}

static void a_missing_interval_goes_on_to_the_last_look(void **state)
{
    (void)state;
    const struct pb_looks_pair pairs[] = {{"pool", noisy, reference, 7, true},
                                          {"zone", steady, reference, 45, true}};
    struct pb_looks_decision is;
    assert_int_equal(pb_looks_decide(pairs, 2, 32, 0, 0.5, &is), 0);
    assert_int_equal(is.answer, PB_LOOKS_CONTINUE);
    assert_string_equal(is.reason,
                        "goes on after 32 blocks: target +-50 %, pool has no interval yet");
    assert_int_equal(pb_looks_decide(pairs, 2, 45, 0, 0.5, &is), 0);
    assert_int_equal(is.answer, PB_LOOKS_LAST);
    assert_int_equal(pb_looks_decide(pairs + 1, 1, 45, 0, 0.5, &is), 0);
    assert_int_equal(is.answer, PB_LOOKS_PRECISE);
}

/* A planted doubt: a pair that peeks at 95 % would stop where the declared 99 % goes on. */
static void the_decision_uses_intervals_of_99_percent(void **state)
{
    (void)state;
    const struct pb_looks_pair pair = {"pool", noisy, reference, 16, true};
    struct pb_estimate loose, strict;
    struct pb_looks_decision is;
    assert_int_equal(pb_paired_ratio(noisy, reference, 16, 0.95, &loose), 0);
    assert_int_equal(pb_paired_ratio(noisy, reference, 16, 0.99, &strict), 0);
    double half = (loose.high - loose.low) / 2 / loose.value;
    assert_int_equal(pb_looks_decide(&pair, 1, 16, 0, half, &is), 0);
    assert_int_equal(is.answer, PB_LOOKS_CONTINUE);
    assert_near(is.widest, (strict.high - strict.low) / 2 / strict.value);
}

static void where_nothing_is_compared_nothing_is_precise(void **state)
{
    (void)state;
    static const struct pb_looks_pair absent = {"zone", NULL, NULL, 0, false};
    struct pb_looks_decision is;
    for (size_t n = 0; n <= 1; n++) {
        assert_int_equal(pb_looks_decide(&absent, n, 11, 0, 0.02, &is), 0);
        assert_int_equal(is.answer, PB_LOOKS_CONTINUE);
        assert_true(isnan(is.widest));
        assert_non_null(strstr(is.reason, "nothing is compared"));
        assert_int_equal(pb_looks_decide(&absent, n, 45, 0, 0.02, &is), 0);
        assert_int_equal(is.answer, PB_LOOKS_LAST);
    }
}

/* Every process of it crashed: it was to be compared. */
static void a_pair_that_was_tried_and_has_no_value_holds_the_run_up(void **state)
{
    (void)state;
    const struct pb_looks_pair pairs[] = {{"zone", steady, reference, 11, true},
                                          {"pool", NULL, NULL, 0, true}};
    struct pb_looks_decision is;
    assert_int_equal(pb_looks_decide(pairs, 2, 11, 0, 0.5, &is), 0);
    assert_int_equal(is.answer, PB_LOOKS_CONTINUE);
    assert_int_equal(is.widest_at, 1);
    assert_non_null(strstr(is.reason, "pool has no interval yet"));
    assert_int_equal(pb_looks_decide(pairs, 1, 11, 0, 0.5, &is), 0);
    assert_int_equal(is.answer, PB_LOOKS_PRECISE);
}

static void bad_input_is_refused_and_leaves_no_trace(void **state)
{
    (void)state;
    static const double targets[] = {0, 1, -0.1, NAN};
    double bad[11];
    memcpy(bad, steady, sizeof bad);
    bad[3] = 0;
    const struct pb_looks_pair pair = {"pool", bad, reference, 11, true};
    struct pb_looks_decision is = {.widest_at = 42};
    assert_int_equal(pb_looks_decide(&pair, 1, 11, 0, 0.02, &is), -EDOM);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pb_looks_decide(NULL, 0, 11, 0, targets[i], &is), -EINVAL);
    assert_int_equal(is.widest_at, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_are_declared_and_cut_off_at_the_most),
        cmocka_unit_test(precise_ratios_stop_at_a_look_and_not_before),
        cmocka_unit_test(the_widest_ratio_decides),
        cmocka_unit_test(a_missing_interval_goes_on_to_the_last_look),
        cmocka_unit_test(the_decision_uses_intervals_of_99_percent),
        cmocka_unit_test(where_nothing_is_compared_nothing_is_precise),
        cmocka_unit_test(a_pair_that_was_tried_and_has_no_value_holds_the_run_up),
        cmocka_unit_test(bad_input_is_refused_and_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
