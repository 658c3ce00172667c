/* SPDX-License-Identifier: MIT */
/* Comparisons: what is refused and why, and what is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compared_runs.h"

#include <errno.h>

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
    {"suite", "check", NULL, 2, -EPERM, "debug build (suite.check is above 0)"},
    {"suite", "flags", "-O0", 0, -EPERM, "suite.flags"},
    {NULL, "layouts", NULL, 6, -EPERM, "run.layouts is not recorded in BASE and 6 in NEW"},
    {NULL, "aslr", NULL, 1, -EPERM, "run.aslr is not recorded in BASE and 1 in NEW"},
    {"machine", "cgroup_cpu_max", "max", 0, -EPERM,
     "not recorded in BASE and \"max\" in NEW: whether they are alike is not known"},
    {"machine", "governor", "", 0, -EPERM, "and not told in NEW: whether they are alike"},
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

/* The first of them must not hide the others. */
static void all_that_is_let_pass_is_noted(void **state)
{
    (void)state;
    const struct made_cell cell = about("pool", 1, 10, 6, 0);
    struct pb_run *base = completed(made_run("pool", &cell, 1), "base");
    struct pb_run *fresh = completed(made_run("pool", &cell, 1), "new");
    put_text(json_object_get(fresh->header, "machine"), "cgroup_cpu_max", "max");
    put_text(json_object_get(fresh->header, "machine"), "cpu", "other");
    const struct pb_compare_options told = {.any_machine = true};
    struct pb_compare_side a = {base, NULL}, b = {fresh, NULL};
    struct pb_compare c;
    assert_int_equal(pb_compare_make(a, b, &told, &c, message, sizeof message), 0);
    assert_true(noted(&c, "machine.cpu is"));
    assert_true(noted(&c, "machine.cgroup_cpu_max is"));
    pb_compare_free(&c);
    made_free(base);
    made_free(fresh);
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
        "= same",
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
    assert_int_equal(json_integer_value(json_object_get(all, "unjudged")), 1);
    assert_int_equal(json_integer_value(json_object_get(all, "needs_blocks")), 6);
    json_decref(all);
    free(text);
    text = printed(&c, PB_REPORT_CSV, 0);
    size_t lines = 0;
    for (const char *at = text; (at = strstr(at, "\r\n")) != NULL; at += 2)
        lines++;
    assert_int_equal(lines, 3);
    assert_non_null(strstr(text, ",unjudged\r\n"));
    assert_non_null(strstr(text, ",0,0,too few values\r\n"));
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
        cmocka_unit_test(what_is_unlike_is_refused_unless_told),
        cmocka_unit_test(all_that_is_let_pass_is_noted),
        cmocka_unit_test(metrics_that_mean_other_things_are_refused),
        cmocka_unit_test(the_table_says_what_is_what),
        cmocka_unit_test(json_and_csv_have_each_row_and_no_number_that_is_none),
        cmocka_unit_test(hostile_names_stay_text_and_keep_to_the_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
