/* SPDX-License-Identifier: MIT */
/* The gate never passes by want of data: what it cannot judge is counted, what NEW lost is named.
 * And a comparison says of the same pairs what a report says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compared_runs.h"

#include <errno.h>
#include <math.h>

static void assert_gate(const struct pb_compare *compare, const char *text)
{
    char said[512];
    pb_compare_gate_text(compare, said, sizeof said);
    assert_string_equal(said, text);
}

/* --- too few values -------------------------------------------------------------------------- */

/* A slowdown of ten times, which five values cannot show. */
static void fewer_than_six_values_are_not_judged(void **state)
{
    (void)state;
    const struct made_cell base = about("pool", 1, 10, 6, 0), five = about("pool", 1, 100, 5, 3);
    struct pb_compare c = compared(&base, 1, &five, 1, ">5%");
    assert_true(c.rows[0].judged.low > 1.05);
    assert_int_equal(c.regressions, 0);
    assert_int_equal(c.unjudged, 1);
    assert_string_equal(c.rows[0].unjudged, "too few values");
    assert_gate(&c,
                "1 of 1 comparison cannot be judged: 1 too few values; needs 6 blocks, or fewer "
                "cells (--filter)");
    drop(&c);
    const struct made_cell six = about("pool", 1, 100, 6, 3);
    c = compared(&base, 1, &six, 1, ">5%");
    assert_int_equal(c.regressions, 1);
    assert_int_equal(c.unjudged, 0);
    assert_gate(&c, "1 regression in 1 comparison");
    drop(&c);
}

/* With 24 cells, six values a side cannot reach the level that Holm asks: 2 / C(12, 6) > 0.05 / 24.
 */
static void many_comparisons_of_few_values_are_not_judged(void **state)
{
    (void)state;
    struct made_cell base[24], fresh[24];
    for (unsigned i = 0; i < 24; i++) {
        base[i] = about("pool", i + 1, 10, 6, i);
        fresh[i] = about("pool", i + 1, 100, 6, i + 3);
    }
    struct pb_compare c = compared(base, 24, fresh, 24, ">5%");
    assert_int_equal(c.regressions, 0);
    assert_int_equal(c.unjudged, 24);
    assert_int_equal(c.needs, 7);
    assert_gate(&c, "24 of 24 comparisons cannot be judged: 24 too few values; needs 7 blocks, or "
                    "fewer cells (--filter)");
    assert_int_equal(c.rows[0].sign, '~'); /* nor can the verdicts of so large a table */
    drop(&c);
    c = compared(base, 23, fresh, 23, ">5%");
    assert_int_equal(c.regressions, 23);
    assert_int_equal(c.unjudged, 0);
    drop(&c);
}

static struct pb_compare paired(const struct made_cell *cells, size_t n, const char *gate_text)
{
    struct pb_compare compare;
    struct pb_gate gate = gate_of(gate_text);
    const struct pb_compare_options options = {.gate = &gate};
    struct pb_run *run = completed(made_run("pool", cells, n), "one");
    if (pb_compare_make((struct pb_compare_side){run, "pool"},
                        (struct pb_compare_side){run, "zone"}, &options, &compare, message,
                        sizeof message) != 0)
        fail_msg("%s", message);
    return compare;
}

/* Six pairs reach 2 / 2^6 and two comparisons ask for 0.025. */
static void two_variants_in_two_groups_need_more_than_six_pairs(void **state)
{
    (void)state;
    const struct made_cell cells[] = {about("pool", 1, 10, 6, 0), about("zone", 1, 100, 6, 1),
                                      about("pool", 2, 10, 6, 2), about("zone", 2, 100, 6, 3)};
    struct pb_compare c = paired(cells, 4, ">5%");
    assert_int_equal(c.regressions, 0);
    assert_int_equal(c.unjudged, 2);
    assert_int_equal(c.needs, 7);
    drop(&c);
}

/* --- no ratio, and disturbed ----------------------------------------------------------------- */

static void a_metric_that_new_lacks_is_not_judged(void **state)
{
    (void)state;
    const struct made_cell base = about("pool", 1, 10, 11, 0), fresh = about("pool", 1, 10, 11, 3);
    struct pb_gate gate = gate_of("ns_per_op>5%");
    const struct pb_compare_options options = {.gate = &gate};
    struct pb_compare_side a = {completed(made_run("pool", &base, 1), "base"), NULL};
    struct pb_compare_side b = {completed(made_run("pool", &fresh, 1), "new"), NULL};
    struct pb_compare c;
    for (size_t i = 0; i < b.run->reps_n; i++)
        json_object_del(json_object_get(b.run->reps[i].json, "m"), "ns_per_op");
    assert_int_equal(pb_compare_make(a, b, &options, &c, message, sizeof message), 0);
    assert_int_equal(c.gated, 1);
    assert_gate(&c, "1 of 1 comparison cannot be judged: 1 no ratio");
    drop(&c);
}

/* Marks the first `n` repetitions of a run as disturbed. */
static void disturb(const struct pb_run *run, size_t n)
{
    for (size_t i = 0; i < n; i++)
        json_object_set_new(run->reps[i].json, "disturbed", json_pack("[s]", "steal"));
}

static void a_cell_that_is_mostly_disturbed_is_not_judged(void **state)
{
    (void)state;
    static const struct {
        size_t disturbed, regressions, unjudged;
    } cases[] = {{0, 1, 0}, {5, 1, 0}, {6, 0, 1}};
    const struct made_cell base = about("pool", 1, 10, 11, 0), fresh = about("pool", 1, 20, 11, 3);
    struct pb_gate gate = gate_of(">5%");
    const struct pb_compare_options options = {.gate = &gate};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pb_compare_side a = {completed(made_run("pool", &base, 1), "base"), NULL};
        struct pb_compare_side b = {completed(made_run("pool", &fresh, 1), "new"), NULL};
        struct pb_compare c;
        disturb(i % 2 == 0 ? b.run : a.run, cases[i].disturbed);
        assert_int_equal(pb_compare_make(a, b, &options, &c, message, sizeof message), 0);
        assert_int_equal(c.regressions, cases[i].regressions);
        assert_int_equal(c.unjudged, cases[i].unjudged);
        assert_int_equal(noted(&c, "repetitions were disturbed"), cases[i].disturbed > 0);
        drop(&c);
    }
}

/* --- what is lost ---------------------------------------------------------------------------- */

static void a_cell_that_failed_is_named_and_lost(void **state)
{
    (void)state;
    const struct made_cell base[] = {about("pool", 1, 10, 6, 0), about("zone", 1, 20, 6, 1)};
    struct made_cell fresh[] = {about("pool", 1, 10, 6, 3), about("zone", 1, -20, 6, 5)};
    struct pb_compare c = compared(base, 2, fresh, 2, ">5%");
    assert_int_equal(c.lost, 1);
    assert_int_equal(c.gated, 1);
    assert_string_equal(c.rows[1].why, "crash");
    assert_true(noted(&c, "6 of 6 crashed in NEW: killed by signal 11"));
    drop(&c);
}

/* One of eleven repetitions is enough, unless BASE lost as many. */
static void a_repetition_that_failed_is_a_cell_lost(void **state)
{
    (void)state;
    struct made_cell base = about("pool", 1, 10, 11, 0), fresh = about("pool", 1, 10, 11, 3);
    fresh.ns[4] = -1;
    struct pb_compare c = compared(&base, 1, &fresh, 1, ">5%");
    assert_int_equal(c.lost, 1);
    assert_true(noted(&c, "1 of 11 crashed in NEW"));
    drop(&c);
    base.n = 6; /* fewer in BASE, and none of them failed */
    c = compared(&base, 1, &fresh, 1, ">5%");
    assert_int_equal(c.lost, 1);
    drop(&c);
    base.n = 11;
    base.ns[7] = -1;
    c = compared(&base, 1, &fresh, 1, ">5%");
    assert_int_equal(c.lost, 0);
    drop(&c);
}

static void a_cell_that_is_not_in_new_at_all_is_lost_to_a_gate(void **state)
{
    (void)state;
    const struct made_cell base[] = {about("pool", 1, 10, 6, 0), about("zone", 1, 20, 6, 1),
                                     about("glibc", 1, -20, 6, 1)};
    const struct made_cell fresh = about("zone", 1, 20, 6, 3);
    struct pb_compare c = compared(base, 3, &fresh, 1, ">5%");
    assert_int_equal(c.only_base, 2);
    assert_int_equal(c.lost, 1); /* the other one had no figures to lose */
    assert_true(noted(&c, "pair/alloc:pool/threads:1"));
    drop(&c);
    c = compared(base, 3, &fresh, 1, NULL);
    assert_int_equal(c.lost, 0);
    drop(&c);
}

/* --- one rule with the report ---------------------------------------------------------------- */

/* One group and one variant beside the reference: the report's table and the comparison's are one.
 */
static void a_comparison_says_what_the_report_says(void **state)
{
    (void)state;
    static const double factors[] = {1, 1.004, 1.05, 0.9};
    static const char signs[] = {'=', '=', '-', '+'};
    for (size_t i = 0; i < sizeof signs; i++) {
        const struct made_cell cells[] = {about("pool", 1, 10, 11, 0),
                                          about("zone", 1, 10 * factors[i], 11, 4)};
        struct pb_compare c = paired(cells, 2, NULL);
        struct pb_summary summary;
        assert_int_equal(
            pb_summary_make(c.base.run, "ns_per_op", NULL, &summary, message, sizeof message), 0);
        const struct pb_summary_row *row = pb_summary_find(&summary.groups[0], "zone");
        assert_int_equal(c.rows[0].sign, row->sign);
        assert_int_equal(c.rows[0].sign, signs[i]);
        assert_string_equal(c.rows[0].verdict, pb_verdict_word(row->verdict));
        assert_true(fabs(c.rows[0].adjusted - row->adjusted) < 1e-12);
        assert_false(noted(&c, "chance"));
        pb_summary_free(&summary);
        drop(&c);
    }
}

/* A difference that one comparison shows and the fiftieth of a table does not. */
static void a_verdict_is_adjusted_for_its_table(void **state)
{
    (void)state;
    enum { CELLS = 30 };
    struct made_cell base[CELLS], fresh[CELLS];
    for (unsigned i = 0; i < CELLS; i++) {
        base[i] = about("pool", i + 1, 10, 6, i);
        fresh[i] = about("pool", i + 1, i == 0 ? 11 : 10, 6, i + 3);
    }
    struct pb_compare c = compared(base, 1, fresh, 1, NULL);
    assert_int_equal(c.rows[0].sign, '-');
    drop(&c);
    c = compared(base, CELLS, fresh, CELLS, NULL);
    assert_int_equal(c.rows[0].sign, '~');
    assert_true(c.rows[0].p < 0.05 && c.rows[0].adjusted > 0.05);
    drop(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fewer_than_six_values_are_not_judged),
        cmocka_unit_test(many_comparisons_of_few_values_are_not_judged),
        cmocka_unit_test(two_variants_in_two_groups_need_more_than_six_pairs),
        cmocka_unit_test(a_metric_that_new_lacks_is_not_judged),
        cmocka_unit_test(a_cell_that_is_mostly_disturbed_is_not_judged),
        cmocka_unit_test(a_cell_that_failed_is_named_and_lost),
        cmocka_unit_test(a_repetition_that_failed_is_a_cell_lost),
        cmocka_unit_test(a_cell_that_is_not_in_new_at_all_is_lost_to_a_gate),
        cmocka_unit_test(a_comparison_says_what_the_report_says),
        cmocka_unit_test(a_verdict_is_adjusted_for_its_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
