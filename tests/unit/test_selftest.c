/* SPDX-License-Identifier: MIT */
/* What the selftest counts: made-up runs in which it is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reading_run.h"
#include "runner/report_summary.h"
#include "runner/selftest.h"

#include <math.h>

enum { N = 11 };

/* A cell of `ns`, give or take the noise, which differs from cell to cell. */
static struct made_cell cell_of(const char *alloc, unsigned threads, double ns, double noise)
{
    struct made_cell cell = {.alloc = alloc, .threads = threads, .n = N};
    for (unsigned b = 0; b < N; b++)
        cell.ns[b] = ns * (1 + noise * (((b * 7 + threads * 3 + (unsigned)ns) % 11) / 5.0 - 1));
    return cell;
}

static struct pb_selftest_tally tally_of(const struct made_cell *cells, size_t n,
                                         void (*count)(const struct pb_summary *,
                                                       struct pb_selftest_tally *))
{
    char message[256];
    struct pb_selftest_tally tally = {0};
    struct pb_summary summary = {0};
    struct pb_run *run = made_run("ref", cells, n);
    assert_int_equal(pb_summary_make(run, PB_KEY_TIME, NULL, &summary, message, sizeof message), 0);
    count(&summary, &tally);
    pb_summary_free(&summary);
    made_free(run);
    return tally;
}

static void twins_that_differ_are_counted_and_their_own_noise_is_no_excuse(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        cell_of("ref", 1, 100, 0.001), cell_of("ref@aa", 1, 100, 0.001),
        cell_of("ref", 2, 100, 0.001), cell_of("ref@aa", 2, 110, 0.001), /* planted */
        cell_of("ref", 4, 100, 0.001), cell_of("ref@aa", 4, 101, 0.001), /* below 2 % */
    };
    struct pb_selftest_tally tally = tally_of(cells, 6, pb_selftest_count_twins);
    assert_int_equal(tally.comparisons, 3);
    assert_int_equal(tally.counted, 1);
    assert_true(tally.most > 1.09 && tally.most < 1.11);
}

static void count_slower(const struct pb_summary *summary, struct pb_selftest_tally *tally)
{
    pb_selftest_count_sign(summary, "slow", '-', tally);
}

static void what_is_slower_by_a_tenth_is_found_and_what_is_not_is_not(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        cell_of("ref", 1, 100, 0.001), cell_of("slow", 1, 110, 0.001),
        cell_of("ref", 2, 100, 0.001), cell_of("slow", 2, 100, 0.001),
        cell_of("ref", 4, 100, 0.001), cell_of("slow", 4, 90, 0.001),
    };
    struct pb_selftest_tally tally = tally_of(cells, 6, count_slower);
    assert_int_equal(tally.comparisons, 3);
    assert_int_equal(tally.counted, 1);
}

static void a_comparison_without_an_interval_is_none(void **state)
{
    (void)state;
    struct made_cell cells[] = {cell_of("ref", 1, 100, 0.001), cell_of("slow", 1, 110, 0.001)};
    cells[1].n = 5;
    assert_int_equal(tally_of(cells, 2, count_slower).comparisons, 0);
}

static void count_held(const struct pb_summary *summary, struct pb_selftest_tally *tally)
{
    pb_selftest_count_covered(summary, "slow", 1.03, tally);
}

static void an_interval_holds_the_truth_or_it_does_not(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        cell_of("ref", 1, 100, 0.01), cell_of("slow", 1, 103, 0.01), cell_of("ref", 2, 100, 0.001),
        cell_of("slow", 2, 106, 0.001), /* planted: too slow */
    };
    struct pb_selftest_tally tally = tally_of(cells, 4, count_held);
    assert_int_equal(tally.comparisons, 2);
    assert_int_equal(tally.counted, 1);
    assert_true(tally.widest > 0);
}

static void the_truth_leaves_out_what_is_not_planted(void **state)
{
    (void)state;
    /* a call of 40 and a link of 2: the planted share is of the links alone */
    assert_true(fabs(pb_selftest_truth(500, 1040, 1000, 2040, 1100) - 2240.0 / 2040) < 1e-12);
    assert_true(fabs(pb_selftest_truth(500, 1000, 1000, 2000, 1030) - 1.03) < 1e-12);
}

/* Against sums of the binomial distribution by hand: of 40 at 2 % three or more have a chance of
 * 4.6 %, at 5 % five or more of 4.8 %. */
static void the_bounds_are_those_of_the_binomial_distribution(void **state)
{
    static const struct {
        size_t n;
        double rate;
        size_t most;
    } cases[] = {
        {40, 0.02, 2}, {40, 0.05, 4}, {4, 0.02, 1},    {4, 0.05, 1},    {1, 0.04, 0},
        {1, 0.06, 1},  {8, 0.05, 2},  {400, 0.02, 13}, {400, 0.05, 27}, {3, 0.9, 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t most = pb_selftest_wrong(cases[i].n, cases[i].rate);
        if (most != cases[i].most)
            fail_msg("of %zu at %g: %zu, not %zu", cases[i].n, cases[i].rate, most, cases[i].most);
    }
}

static void a_verdict_beside_a_neighbour_may_be_lost_but_not_turned_round(void **state)
{
    (void)state;
    assert_true(pb_selftest_busy_holds('-', '-'));
    assert_true(pb_selftest_busy_holds('-', '~'));
    assert_true(pb_selftest_busy_holds('-', ' '));
    assert_false(pb_selftest_busy_holds('-', '+'));
    assert_false(pb_selftest_busy_holds('-', '='));
    assert_false(pb_selftest_busy_holds('~', '~')); /* both alike, and both blind */
    assert_false(pb_selftest_busy_holds(' ', ' '));
    assert_false(pb_selftest_busy_holds('+', '+'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twins_that_differ_are_counted_and_their_own_noise_is_no_excuse),
        cmocka_unit_test(what_is_slower_by_a_tenth_is_found_and_what_is_not_is_not),
        cmocka_unit_test(a_comparison_without_an_interval_is_none),
        cmocka_unit_test(an_interval_holds_the_truth_or_it_does_not),
        cmocka_unit_test(the_truth_leaves_out_what_is_not_planted),
        cmocka_unit_test(the_bounds_are_those_of_the_binomial_distribution),
        cmocka_unit_test(a_verdict_beside_a_neighbour_may_be_lost_but_not_turned_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
