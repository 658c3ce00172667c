/* SPDX-License-Identifier: MIT */
/* Comparisons: what is a regression and what is not, what is refused and why, and what is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compared_runs.h"
#include "engine/rng.h"
#include "runner/compare.h"

#include <errno.h>
#include <math.h>

static char message[1024];

static struct pb_gate gate_of(const char *text)
{
    struct pb_gate gate = {.n = 0};
    if (text != NULL && pb_gate_add(text, &gate, message, sizeof message) != 0)
        fail_msg("%s", message);
    return gate;
}

/* Compares two runs made of cells, at a gate. Frees the runs with the comparison by drop(). */
static struct pb_compare compared(const struct made_cell *base, size_t base_n,
                                  const struct made_cell *fresh, size_t fresh_n,
                                  const char *gate_text)
{
    struct pb_compare compare;
    struct pb_gate gate = gate_of(gate_text);
    const struct pb_compare_options options = {.gate = &gate};
    struct pb_compare_side a = {completed(made_run("pool", base, base_n), "base"), NULL};
    struct pb_compare_side b = {completed(made_run("pool", fresh, fresh_n), "new"), NULL};
    if (pb_compare_make(a, b, &options, &compare, message, sizeof message) != 0)
        fail_msg("%s", message);
    return compare;
}

static void drop(struct pb_compare *compare)
{
    struct pb_run *base = (struct pb_run *)(uintptr_t)compare->base.run;
    struct pb_run *fresh = (struct pb_run *)(uintptr_t)compare->fresh.run;
    pb_compare_free(compare);
    made_free(base);
    if (fresh != base)
        made_free(fresh);
}

static const struct pb_compare_row *row_of(const struct pb_compare *compare, const char *alloc)
{
    for (size_t i = 0; i < compare->rows_n; i++)
        if (strcmp(compare->rows[i].fresh->alloc, alloc) == 0)
            return &compare->rows[i];
    fail_msg("no row of %s", alloc);
    return NULL;
}

static bool noted(const struct pb_compare *compare, const char *text)
{
    for (size_t i = 0; i < compare->notes.n; i++)
        if (strstr(compare->notes.notes[i].text, text) != NULL ||
            strstr(compare->notes.notes[i].head, text) != NULL)
            return true;
    return false;
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
    assert_true(!zone->regression && zone->sign == '~');
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

static void fewer_than_six_values_never_fail_the_gate(void **state)
{
    (void)state;
    const struct made_cell base = about("pool", 1, 10, 11, 0), fresh = about("pool", 1, 30, 5, 3);
    struct pb_compare c = compared(&base, 1, &fresh, 1, ">5%");
    assert_true(c.rows[0].judged.low > 1.05);
    assert_int_equal(c.regressions, 0);
    drop(&c);
    const struct made_cell six = about("pool", 1, 30, 6, 3);
    c = compared(&base, 1, &six, 1, ">5%");
    assert_int_equal(c.regressions, 1);
    drop(&c);
}

/* With 24 cells, six values a side cannot reach the level that Holm asks: 2 / C(12, 6) > 0.05 / 24.
 */
static void many_comparisons_ask_for_more_than_few_values_give(void **state)
{
    (void)state;
    struct made_cell base[24], fresh[24];
    for (unsigned i = 0; i < 24; i++) {
        base[i] = about("pool", i + 1, 10, 6, i);
        fresh[i] = about("pool", i + 1, 30, 6, i + 3);
    }
    struct pb_compare c = compared(base, 24, fresh, 24, ">5%");
    assert_int_equal(c.regressions, 0);
    assert_true(noted(&c, "cannot give"));
    drop(&c);
    c = compared(base, 23, fresh, 23, ">5%");
    assert_int_equal(c.regressions, 23);
    assert_false(noted(&c, "cannot give"));
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

static void a_cell_that_failed_is_named_and_lost(void **state)
{
    (void)state;
    const struct made_cell base[] = {about("pool", 1, 10, 6, 0), about("zone", 1, 20, 6, 1)};
    struct made_cell fresh[] = {about("pool", 1, 10, 6, 3), about("zone", 1, -20, 6, 5)};
    struct pb_compare c = compared(base, 2, fresh, 2, ">5%");
    assert_int_equal(c.lost, 1);
    assert_int_equal(c.gated, 1);
    assert_string_equal(row_of(&c, "zone")->why, "crash");
    assert_true(noted(&c, "killed by signal 11"));
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

/* --- what is refused ------------------------------------------------------------------------- */

/* One change of the second run that must be refused. */
static const struct {
    const char *section, *key, *text; /* section "rep": of one repetition; NULL: of the header */
    int number;
    int error;
    const char *said;
} unlike[] = {
    {"machine", "cpu", "other", 0, -EPERM, "machine.cpu is \"c\" in BASE and \"other\" in NEW"},
    {"machine", "governor", "powersave", 0, -EPERM, "--any-machine"},
    {"suite", "sanitizer", "address", 0, -EPERM, "sanitizer's build (address)"},
    {"suite", "check", NULL, 2, -EPERM, "debug build (suite.check is 2)"},
    {"suite", "flags", "-O0", 0, -EPERM, "suite.flags"},
    {NULL, "seed", NULL, 2, -EINVAL, "other operations"},
    {"rep", "scale", NULL, 3, -EINVAL, "scale is 1.0 here and 3 there"},
    {"rep", "stream_hash", "00000000000000bb", 0, -EINVAL, "stream_hash"},
    {"rep", "seed", NULL, 5, -EINVAL, "seed is 1 here and 5 there"},
};

static void what_is_unlike_is_refused_unless_told(void **state)
{
    (void)state;
    const struct made_cell cell = about("pool", 1, 10, 6, 0);
    for (size_t i = 0; i < sizeof unlike / sizeof *unlike; i++) {
        struct pb_run *base = completed(made_run("pool", &cell, 1), "base");
        struct pb_run *fresh = completed(made_run("pool", &cell, 1), "new");
        const char *section = unlike[i].section;
        json_t *at = section == NULL ? fresh->header : json_object_get(fresh->header, section);
        if (section != NULL && strcmp(section, "rep") == 0)
            at = fresh->reps[4].json;
        json_object_set_new(at, unlike[i].key,
                            unlike[i].text != NULL ? json_string(unlike[i].text)
                                                   : json_integer(unlike[i].number));
        const struct pb_compare_options plain = {.gate = NULL};
        const struct pb_compare_options told = {.any_machine = true, .any_build = true};
        struct pb_compare_side a = {base, NULL}, b = {fresh, NULL};
        struct pb_compare c;
        assert_int_equal(pb_compare_make(a, b, &plain, &c, message, sizeof message),
                         unlike[i].error);
        if (strstr(message, unlike[i].said) == NULL)
            fail_msg("'%s' is not in '%s'", unlike[i].said, message);
        pb_compare_free(&c);
        int error = pb_compare_make(a, b, &told, &c, message, sizeof message);
        assert_int_equal(error, unlike[i].error == -EPERM ? 0 : -EINVAL);
        assert_int_equal(noted(&c, "unlike"), unlike[i].error == -EPERM);
        pb_compare_free(&c);
        made_free(base);
        made_free(fresh);
    }
}

static void metrics_that_mean_other_things_are_refused(void **state)
{
    (void)state;
    const struct made_cell cell = about("pool", 1, 10, 6, 0);
    const char *const nosuch = "nosuch";
    struct pb_run *base = completed(made_run("pool", &cell, 1), "base");
    struct pb_run *fresh = completed(made_run("pool", &cell, 1), "new");
    const struct pb_compare_options plain = {.gate = NULL};
    const struct pb_compare_options unknown = {.metrics = &nosuch, .metrics_n = 1};
    struct pb_compare_side a = {base, NULL}, b = {fresh, NULL};
    struct pb_compare c;
    assert_int_equal(pb_compare_make(a, b, &unknown, &c, message, sizeof message), -EINVAL);
    assert_non_null(strstr(message, "no metric 'nosuch'"));
    pb_compare_free(&c);
    put_text(json_object_get(json_object_get(fresh->header, "metrics"), "ns_per_op"), "unit", "us");
    assert_int_equal(pb_compare_make(a, b, &plain, &c, message, sizeof message), -EINVAL);
    assert_non_null(strstr(message, "ns_per_op.unit"));
    pb_compare_free(&c);
    made_free(base);
    made_free(fresh);
}

/* --- what is printed ------------------------------------------------------------------------- */

static char *printed(const struct pb_compare *compare, enum pb_report_format format, unsigned width)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(pb_compare_print(compare, format, width, out), 0);
    fclose(out);
    return text;
}

static void the_table_says_what_is_what(void **state)
{
    (void)state;
    const struct made_cell base[] = {about("pool", 1, 10, 11, 0), about("zone", 1, 20, 11, 1)};
    const struct made_cell fresh[] = {about("pool", 1, 11, 11, 3), about("zone", 1, 20, 11, 5)};
    static const char *const words[] = {
        "base  base, git 0",
        "ratio new over base, between sessions",
        "ns_per_op (ns, lower is better)",
        "- regression",
        "~ no difference shown",
        "11+11",
        "two sessions",
        "1 regression in 2 comparisons",
    };
    struct pb_compare c = compared(base, 2, fresh, 2, ">5%");
    char *text = printed(&c, PB_REPORT_TABLE, 0);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(text, words[i]) == NULL)
            fail_msg("'%s' is not in\n%s", words[i], text);
    free(text);
    text = printed(&c, PB_REPORT_MARKDOWN, 0);
    assert_non_null(strstr(text, "|---|--:|"));
    assert_non_null(strstr(text, "regression"));
    free(text);
    drop(&c);
}

static void json_and_csv_have_each_row_and_no_number_that_is_none(void **state)
{
    (void)state;
    const struct made_cell base[] = {about("pool", 1, 10, 3, 0), about("zone", 1, 20, 6, 1)};
    const struct made_cell fresh[] = {about("pool", 1, 11, 3, 3), about("zone", 1, -1, 6, 5)};
    struct pb_compare c = compared(base, 2, fresh, 2, ">5%");
    char *text = printed(&c, PB_REPORT_JSON, 0);
    json_t *all = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(all);
    assert_int_equal(json_array_size(json_object_get(all, "rows")), 2);
    assert_null(json_object_get(json_array_get(json_object_get(all, "rows"), 0), "ratio_low"));
    assert_int_equal(json_integer_value(json_object_get(all, "lost")), 1);
    json_decref(all);
    free(text);
    text = printed(&c, PB_REPORT_CSV, 0);
    size_t lines = 0;
    for (const char *at = text; (at = strstr(at, "\r\n")) != NULL; at += 2)
        lines++;
    assert_int_equal(lines, 3);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    free(text);
    drop(&c);
}

static void hostile_names_stay_text_and_keep_to_the_width(void **state)
{
    (void)state;
    struct pb_run *base = completed(hostile_run(), "base");
    struct pb_run *fresh = completed(hostile_run(), "new");
    const struct pb_compare_options options = {.gate = NULL};
    struct pb_compare c;
    assert_int_equal(pb_compare_make((struct pb_compare_side){base, NULL},
                                     (struct pb_compare_side){fresh, NULL}, &options, &c, message,
                                     sizeof message),
                     0);
    for (int format = PB_REPORT_TABLE; format <= PB_REPORT_MARKDOWN; format++) {
        char *text = printed(&c, (enum pb_report_format)format, 100);
        for (const char *at = text; *at != '\0'; at++)
            assert_true((unsigned char)*at >= ' ' || *at == '\n' || *at == '\r');
        if (format == PB_REPORT_MARKDOWN)
            assert_null(strstr(text, "<script"));
        if (format == PB_REPORT_TABLE)
            for (char *save, *row = strtok_r(text, "\n", &save); row != NULL;
                 row = strtok_r(NULL, "\n", &save)) {
                size_t columns = 0;
                for (const char *at = row; *at != '\0'; at++)
                    columns += ((unsigned char)*at & 0xc0) != 0x80;
                assert_true(columns <= 100);
            }
        free(text);
    }
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
        cmocka_unit_test(fewer_than_six_values_never_fail_the_gate),
        cmocka_unit_test(many_comparisons_ask_for_more_than_few_values_give),
        cmocka_unit_test(a_change_within_the_noise_of_the_twins_passes),
        cmocka_unit_test(runs_alike_pass_and_a_slower_one_fails),
        cmocka_unit_test(words_of_the_gate_are_read_or_refused),
        cmocka_unit_test(variants_of_one_run_are_paired_by_block),
        cmocka_unit_test(a_cell_that_failed_is_named_and_lost),
        cmocka_unit_test(cells_of_one_side_are_counted),
        cmocka_unit_test(nothing_in_common_is_said),
        cmocka_unit_test(a_value_of_0_has_no_ratio),
        cmocka_unit_test(what_is_unlike_is_refused_unless_told),
        cmocka_unit_test(metrics_that_mean_other_things_are_refused),
        cmocka_unit_test(the_table_says_what_is_what),
        cmocka_unit_test(json_and_csv_have_each_row_and_no_number_that_is_none),
        cmocka_unit_test(hostile_names_stay_text_and_keep_to_the_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
