/* SPDX-License-Identifier: MIT */
/* Comparisons: what is a regression and what is not, and which cells belong together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compared_runs.h"
#include "engine/rng.h"

#include <errno.h>
#include <math.h>

static const struct pb_compare_row *row_of(const struct pb_compare *compare, const char *alloc)
{
    for (size_t i = 0; i < compare->rows_n; i++)
        if (strcmp(compare->rows[i].fresh->alloc, alloc) == 0)
            return &compare->rows[i];
    fail_msg("no row of %s", alloc);
    return NULL;
}

/* --- the gate -------------------------------------------------------------------------------- */

static void a_planted_slowdown_is_the_one_regression(void **state)
{
    (void)state;
    const struct made_cell base[] = {about("pool", 1, 10, 11, 0), about("zone", 1, 20, 11, 1)};
    const struct made_cell fresh[] = {about("pool", 1, 11, 11, 3), about("zone", 1, 20, 11, 5)};
    struct pb_compare c = compared(base, 2, fresh, 2, ">5%");
    const struct pb_compare_row *pool = row_of(&c, "pool"), *zone = row_of(&c, "zone");
    assert_false(c.paired);
    assert_int_equal(c.gated, 2);
    assert_int_equal(c.regressions, 1);
    assert_true(pool->regression && pool->sign == '-');
    assert_true(pool->ratio.value > 1.09 && pool->ratio.value < 1.11);
    assert_true(pool->judged.low > 1.05 && pool->asked > 0.97);
    assert_true(!zone->regression && zone->sign == '=');
    assert_true(noted(&c, "two sessions"));
    drop(&c);
}

static void a_change_for_the_better_is_no_regression(void **state)
{
    (void)state;
    const struct made_cell base = about("pool", 1, 10, 11, 0), fresh = about("pool", 1, 5, 11, 3);
    struct pb_compare c = compared(&base, 1, &fresh, 1, ">5%,ops_per_s>5%");
    assert_int_equal(c.gated, 2);
    assert_int_equal(c.regressions, 0);
    for (size_t i = 0; i < c.rows_n; i++)
        assert_int_equal(c.rows[i].sign, '+');
    drop(&c);
}

static void of_a_rate_less_is_worse(void **state)
{
    (void)state;
    const struct made_cell base = about("pool", 1, 10, 11, 0), fresh = about("pool", 1, 11, 11, 3);
    struct pb_compare c = compared(&base, 1, &fresh, 1, "ops_per_s>5%");
    assert_int_equal(c.rows_n, 1);
    assert_true(c.rows[0].ratio.value < 1 && c.rows[0].judged.high < 1 / 1.05);
    assert_int_equal(c.regressions, 1);
    drop(&c);
}

static void what_stays_below_the_threshold_is_worse_and_passes(void **state)
{
    (void)state;
    const struct made_cell base = about("pool", 1, 100, 11, 0);
    const struct made_cell fresh = about("pool", 1, 104, 11, 3);
    struct pb_compare c = compared(&base, 1, &fresh, 1, ">5%");
    assert_int_equal(c.regressions, 0);
    assert_int_equal(c.rows[0].sign, '-');
    drop(&c);
    c = compared(&base, 1, &fresh, 1, ">1.02x");
    assert_int_equal(c.regressions, 1);
    drop(&c);
}

static void an_interval_that_reaches_below_the_threshold_passes(void **state)
{
    (void)state;
    struct made_cell base = about("pool", 1, 100, 11, 0), fresh = about("pool", 1, 120, 11, 3);
    for (size_t i = 0; i < 11; i += 2)
        fresh.ns[i] = 90 + (double)i;
    struct pb_compare c = compared(&base, 1, &fresh, 1, ">5%");
    assert_int_equal(c.regressions, 0);
    assert_int_equal(c.rows[0].sign, '~');
    drop(&c);
}

static void a_change_within_the_noise_of_the_twins_passes(void **state)
{
    (void)state;
    const struct made_cell base[] = {about("pool", 1, 10, 11, 0), about("pool@aa", 1, 12, 11, 2)};
    const struct made_cell fresh[] = {about("pool", 1, 11, 11, 3), about("pool@aa", 1, 11, 11, 4)};
    struct pb_compare c = compared(base, 2, fresh, 2, ">5%");
    assert_int_equal(c.rows_n, 1); /* a twin is no row of its own */
    assert_true(c.rows[0].noise > 0.15);
    assert_int_equal(c.regressions, 0);
    assert_int_equal(c.rows[0].sign, '~');
    drop(&c);
}

static double noise(struct pb_rng *rng)
{
    double radius = sqrt(-2 * log(1 - pb_rng_unit(rng)));
    return radius * cos(6.283185307179586 * pb_rng_unit(rng));
}

/* In how many of 100 pairs of runs with 4 cells each, whose first is slower by `factor`, the gate
 * fails. */
static unsigned count_failures(double factor)
{
    unsigned failures = 0;
    struct pb_rng rng;
    pb_rng_seed(&rng, 20260101, 21);
    for (int pair = 0; pair < 100; pair++) {
        static const char *const allocs[] = {"pool", "zone", "glibc", "null"};
        struct made_cell cells[2][4];
        for (int i = 0; i < 8; i++) {
            cells[i / 4][i % 4] = (struct made_cell){allocs[i % 4], 1, 11, {0}};
            for (int k = 0; k < 11; k++)
                cells[i / 4][i % 4].ns[k] = 20 * (i == 4 ? factor : 1) * exp(0.02 * noise(&rng));
        }
        struct pb_compare c = compared(cells[0], 4, cells[1], 4, ">5%");
        failures += c.regressions > 0;
        drop(&c);
    }
    return failures;
}

static void runs_alike_pass_and_a_slower_one_fails(void **state)
{
    (void)state;
    assert_true(count_failures(1) <= 5);
    assert_true(count_failures(1.05) <= 5); /* at the threshold itself */
    assert_true(count_failures(1.1) >= 95);
}

static void words_of_the_gate_are_read_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *metric;
        double factor; /* NAN: refused */
    } cases[] = {
        {">5%", "", 1.05},        {">1.05x", "", 1.05},  {"ns_per_op>5%", "ns_per_op", 1.05},
        {">0%", "", 1},           {">12.5%", "", 1.125}, {"a>2x", "a", 2},
        {"5%", NULL, NAN},        {">5", NULL, NAN},     {">", NULL, NAN},
        {"", NULL, NAN},          {">%", NULL, NAN},     {">-5%", NULL, NAN},
        {">0.9x", NULL, NAN},     {">5%%", NULL, NAN},   {">nan%", NULL, NAN},
        {">1e2%", NULL, NAN},     {">5%,", NULL, NAN},   {">1.0.5x", NULL, NAN},
        {">5 %", NULL, NAN},      {"<5%", NULL, NAN},    {">inf%", NULL, NAN},
        {">9999999x", NULL, NAN}, {",>5%", NULL, NAN},   {">.%", NULL, NAN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pb_gate gate = {.n = 0};
        int error = pb_gate_add(cases[i].text, &gate, message, sizeof message);
        if (isnan(cases[i].factor)) {
            if (error != -EINVAL)
                fail_msg("'%s' is taken", cases[i].text);
            assert_non_null(strstr(message, "--fail-on"));
            continue;
        }
        assert_int_equal(error, 0);
        assert_string_equal(gate.thresholds[0].metric, cases[i].metric);
        assert_true(fabs(gate.thresholds[0].factor - cases[i].factor) < 1e-12);
    }
}

/* --- what is compared ------------------------------------------------------------------------ */

static void variants_of_one_run_are_paired_by_block(void **state)
{
    (void)state;
    struct made_cell cells[] = {about("pool", 1, 10, 11, 0), about("zone", 1, 11, 11, 0)};
    for (size_t i = 0; i < 11; i++) { /* blocks differ by a factor of 8; their ratios do not */
        cells[0].ns[i] *= exp2((double)(i % 4));
        cells[1].ns[i] *= exp2((double)(i % 4));
    }
    cells[1].ns[3] = -1; /* a block without its pair */
    struct pb_gate gate = gate_of(">5%");
    const struct pb_compare_options options = {.gate = &gate};
    struct pb_run *run = completed(made_run("pool", cells, 2), "one");
    struct pb_compare c;
    assert_int_equal(pb_compare_make((struct pb_compare_side){run, "pool"},
                                     (struct pb_compare_side){run, "zone"}, &options, &c, message,
                                     sizeof message),
                     0);
    assert_true(c.paired);
    assert_int_equal(c.rows_n, 1);
    assert_string_equal(c.rows[0].name, "pair/threads:1");
    assert_int_equal(c.rows[0].base_n, 10);
    assert_true(fabs(c.rows[0].ratio.value - 1.1) < 1e-9);
    assert_int_equal(c.regressions, 1);
    assert_false(noted(&c, "sessions"));
    drop(&c);
}

static void cells_of_one_side_are_counted(void **state)
{
    (void)state;
    const struct made_cell base[] = {about("pool", 1, 10, 6, 0), about("zone", 1, 20, 6, 1)};
    const struct made_cell fresh[] = {about("pool", 1, 10, 6, 3), about("pool", 2, 10, 6, 3),
                                      about("glibc", 1, 9, 6, 3)};
    struct pb_compare c = compared(base, 2, fresh, 3, NULL);
    assert_int_equal(c.rows_n, 1);
    assert_int_equal(c.only_base, 1);
    assert_int_equal(c.only_new, 2);
    drop(&c);
}

static void nothing_in_common_is_said(void **state)
{
    (void)state;
    const struct made_cell cells[] = {about("pool", 1, 10, 6, 0), about("zone", 1, 20, 6, 1)};
    struct pb_run *base = completed(made_run("pool", cells, 1), "base");
    struct pb_run *fresh = completed(made_run("pool", cells + 1, 1), "new");
    const struct pb_compare_options options = {.gate = NULL}, none = {.filter = "nosuch"};
    const struct pb_compare_options bad = {.filter = "("};
    struct pb_compare_side a = {base, NULL}, b = {fresh, NULL};
    struct pb_compare c;
    assert_int_equal(pb_compare_make(a, b, &options, &c, message, sizeof message), -ENODATA);
    assert_non_null(strstr(message, "no cell is in both"));
    pb_compare_free(&c);
    assert_int_equal(pb_compare_make(a, a, &none, &c, message, sizeof message), -ENODATA);
    pb_compare_free(&c);
    assert_int_equal(pb_compare_make(a, b, &bad, &c, message, sizeof message), -EINVAL);
    assert_non_null(strstr(message, "--filter"));
    pb_compare_free(&c);
    a.variant = b.variant = "nosuch";
    assert_int_equal(pb_compare_make(a, b, &options, &c, message, sizeof message), -ENODATA);
    assert_non_null(strstr(message, "no variant 'nosuch'"));
    pb_compare_free(&c);
    made_free(base);
    made_free(fresh);
}

static void a_value_of_0_has_no_ratio(void **state)
{
    (void)state;
    const struct made_cell cell = about("pool", 1, 10, 6, 0);
    const char *const key = "ops_per_s";
    struct pb_run *base = completed(made_run("pool", &cell, 1), "base");
    struct pb_run *fresh = completed(made_run("pool", &cell, 1), "new");
    json_object_set_new(json_object_get(fresh->reps[2].json, "m"), key, json_real(0));
    const struct pb_compare_options options = {.metrics = &key, .metrics_n = 1};
    struct pb_compare c;
    assert_int_equal(pb_compare_make((struct pb_compare_side){base, NULL},
                                     (struct pb_compare_side){fresh, NULL}, &options, &c, message,
                                     sizeof message),
                     0);
    assert_string_equal(c.rows[0].why, "no ratio of 0");
    assert_int_equal(c.family, 0);
    drop(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_planted_slowdown_is_the_one_regression),
        cmocka_unit_test(a_change_for_the_better_is_no_regression),
        cmocka_unit_test(of_a_rate_less_is_worse),
        cmocka_unit_test(what_stays_below_the_threshold_is_worse_and_passes),
        cmocka_unit_test(an_interval_that_reaches_below_the_threshold_passes),
        cmocka_unit_test(a_change_within_the_noise_of_the_twins_passes),
        cmocka_unit_test(runs_alike_pass_and_a_slower_one_fails),
        cmocka_unit_test(words_of_the_gate_are_read_or_refused),
        cmocka_unit_test(variants_of_one_run_are_paired_by_block),
        cmocka_unit_test(cells_of_one_side_are_counted),
        cmocka_unit_test(nothing_in_common_is_said),
        cmocka_unit_test(a_value_of_0_has_no_ratio),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
