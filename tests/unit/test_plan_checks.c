/* SPDX-License-Identifier: MIT */
/* What a plan refuses before anything runs (traces that are damaged, options that do not fit
 * together), and what it says where there will be no ratios. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan_fixture.h"

static void write_trace(const char *text, size_t length)
{
    FILE *trace = fopen("plan-checks.txt", "w");
    assert_non_null(trace);
    assert_int_equal(fwrite(text, 1, length, trace), length);
    fclose(trace);
}

/* Named in a matrix or with --trace: the same line, and before any cell. */
static void a_trace_that_is_damaged_is_refused_with_its_line(void **state)
{
    static const char matrix_text[] =
        PAIR "[[workload]]\nname = \"trace\"\nfile = \"plan-checks.txt\"\n";
    static const struct {
        const char *text;
        size_t length;
        const char *message;
    } faults[] = {
        {"a 0 1 64\nq 0 1\n", 15, "plan-checks.txt:2: unknown event 'q'"},
        {"a 0 1 64\nf 0 1\nf 0 1\n", 21, "plan-checks.txt:3: id 1 was freed before"},
        {"a 0 1 64\nf 0", 12, "plan-checks.txt:2: truncated: "},
        {"a 0 1 64\n\0\0\0\n", 13, "plan-checks.txt:2: unknown event '?'"},
        {"\x28\xb5\x2f\xfd\x04", 5, "plan-checks.txt:1: truncated: "},
        /* a block of the reserved type */
        {"\x28\xb5\x2f\xfd\x20\x01\x07\0\0", 9, "plan-checks.txt:1: damaged: "},
        {"", 0, "plan-checks.txt: no event in it"},
    };
    char first[PB_MESSAGE_MAX];
    struct pb_plan *plan;
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        write_trace(faults[i].text, faults[i].length);
        assert_int_equal(try_plan(matrix_text, NULL, &plan), -EINVAL);
        if (strncmp(message, "trace: ", 7) != 0 ||
            strncmp(message + 7, faults[i].message, strlen(faults[i].message)) != 0)
            fail_msg("'%s', not '%s'", message, faults[i].message);
        memcpy(first, message, sizeof first);
        struct pb_matrix *matrix = read_matrix(PAIR);
        assert_int_equal(
            pb_matrix_override(matrix, "trace", "plan-checks.txt", message, sizeof message), 0);
        assert_int_equal(pb_plan_make(matrix, two_units, NULL, &plan, message, sizeof message),
                         -EINVAL);
        assert_string_equal(message, first);
        pb_matrix_free(matrix);
        unlink(path);
    }
    unlink("plan-checks.txt");
    assert_int_equal(try_plan(matrix_text, NULL, &plan), -EINVAL);
    assert_non_null(strstr(message, "no trace plan-checks.txt: No such file"));
}

#define UPSIDE_DOWN "larson: min=100 is above max=99; lower min or raise max"
#define LARSON      AXES "[[workload]]\nname = \"larson\"\nmin = [8, 100]\nmax = [99, 1000]\n"

static void options_that_do_not_fit_together_are_refused_with_their_place(void **state)
{
    struct pb_plan *plan;
    char want[128];
    (void)state;
    assert_int_equal(try_plan(LARSON, NULL, &plan), -EINVAL);
    snprintf(want, sizeof want, "%s:6:1: %s", path, UPSIDE_DOWN);
    assert_string_equal(message, want);
    /* what excludes or the filter drop is not there */
    plan = make_plan(LARSON "[[exclude]]\nworkload = \"larson\"\nmin = 100\nmax = 99\n", NULL);
    assert_int_equal(plan->cells_n, 3 * 3 * 2);
    pb_plan_free(plan);
    plan = make_plan(LARSON, "max:1000");
    assert_int_equal(plan->cells_n, 3 * 2 * 2);
    pb_plan_free(plan);
}

/* Whether the entry is the file's or the command line's own: not the file's line is to blame. */
static void options_of_the_command_line_are_refused_by_what_set_them(void **state)
{
    static const char *const texts[] = {PAIR, AXES "[[workload]]\nname = \"larson\"\n"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pb_plan *plan = NULL;
        struct pb_matrix *matrix = read_matrix(texts[i]);
        assert_int_equal(pb_matrix_override(matrix, "workload", "larson", message, sizeof message),
                         0);
        assert_int_equal(pb_matrix_override(matrix, "set", "min=100", message, sizeof message), 0);
        assert_int_equal(
            pb_matrix_override(matrix, "set", "larson.max=99", message, sizeof message), 0);
        assert_int_equal(pb_plan_make(matrix, two_units, NULL, &plan, message, sizeof message),
                         -EINVAL);
        assert_string_equal(message, "--set min=100 --set larson.max=99: " UPSIDE_DOWN);
        pb_matrix_free(matrix);
        unlink(path);
    }
}

/* Overrides with --set, and expects one line of the plan; FILE stands for the file's name. */
static void expect_fault(const char *text, const char *const *sets, const char *want)
{
    struct pb_plan *plan = NULL;
    char whole[PB_MESSAGE_MAX];
    struct pb_matrix *matrix = read_matrix(text);
    for (; *sets != NULL; sets++)
        assert_int_equal(pb_matrix_override(matrix, "set", *sets, message, sizeof message), 0);
    assert_int_equal(pb_plan_make(matrix, two_units, NULL, &plan, message, sizeof message),
                     -EINVAL);
    bool by_file = strncmp(want, "FILE", 4) == 0;
    snprintf(whole, sizeof whole, "%s%s", by_file ? path : "", by_file ? want + 4 : want);
    assert_string_equal(message, whole);
    pb_matrix_free(matrix);
    unlink(path);
}

static void only_what_set_the_options_at_fault_is_blamed(void **state)
{
    static const char upside_down[] = AXES "[[workload]]\nname = \"larson\"\nmin = 100\nmax = 99\n";
    static const char upright[] = AXES "[[workload]]\nname = \"larson\"\nmin = 10\nmax = 99\n";
    (void)state;
    expect_fault(upside_down, (const char *const[]){"ops=5M", NULL}, "FILE:6:1: " UPSIDE_DOWN);
    expect_fault(upright, (const char *const[]){"ops=5M", "min=100", "chunks=9", NULL},
                 "--set min=100: " UPSIDE_DOWN);
    expect_fault(upright, (const char *const[]){"larson.min=50", "min=8", "larson.min=100", NULL},
                 "--set larson.min=100: " UPSIDE_DOWN);
}

static void a_long_assignment_is_cut_where_one_sees_it(void **state)
{
    static const char upright[] = AXES "[[workload]]\nname = \"larson\"\nmax = 99\n";
    char set[400] = "min=100", want[PB_MESSAGE_MAX];
    (void)state;
    for (int i = 0; i < 60; i++)
        snprintf(set + strlen(set), sizeof set - strlen(set), ",%d", 101 + i);
    snprintf(want, sizeof want, "%.156s...: " UPSIDE_DOWN,
             "--set min=100,101,102,103,104,105,106,"
             "107,108,109,110,111,112,113,114,115,116,117,118,119,120,121,122,123,124,125,126,127,"
             "128,129,130,131,132,133,134,135,136,137,138,139,140");
    expect_fault(upright, (const char *const[]){set, NULL}, want);
}

/* Prints a plan of one cell of pool, marked as asked for. */
static char *print_one(const char *reference, enum pb_status mark, const char *reason)
{
    char text[256], *printed = NULL;
    size_t size = 0;
    snprintf(text, sizeof text,
             "aa = false\nblocks = 1\nreference = \"%s\"\n[axes]\nalloc = \"pool\"\n"
             "[[workload]]\nname = \"pair\"\n",
             reference);
    struct pb_matrix *matrix = read_matrix(text);
    struct pb_plan *plan = NULL;
    assert_int_equal(pb_plan_make(matrix, two_units, NULL, &plan, message, sizeof message), 0);
    plan->cells[0].mark = mark;
    snprintf(plan->cells[0].reason, sizeof plan->cells[0].reason, "%s", reason);
    FILE *out = open_memstream(&printed, &size);
    pb_plan_print(plan, matrix, out);
    fclose(out);
    pb_plan_free(plan);
    pb_matrix_free(matrix);
    unlink(path);
    return printed;
}

static void the_printed_plan_says_why_there_will_be_no_ratios(void **state)
{
    (void)state;
    char *text = print_one("pool", PB_OK, "");
    assert_non_null(strstr(text, ": 1 cell, 0 of them cannot run here; 1 block, 1 repetition in "));
    assert_null(strstr(text, "the reference"));
    free(text);
    text = print_one("zone", PB_OK, "");
    assert_non_null(strstr(text, "the reference zone is not among the variants planned: there"));
    free(text);
    text = print_one("pool", PB_UNAVAILABLE, "not installed");
    assert_non_null(strstr(text, "the reference pool is unavailable here, so there will be no "
                                 "ratios: not installed\n"));
    assert_null(strstr(text, "not among"));
    free(text);
    text = print_one("pool", PB_SKIPPED, "too many");
    assert_non_null(strstr(text, "the reference pool is skipped here, so "));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_that_is_damaged_is_refused_with_its_line),
        cmocka_unit_test(options_that_do_not_fit_together_are_refused_with_their_place),
        cmocka_unit_test(options_of_the_command_line_are_refused_by_what_set_them),
        cmocka_unit_test(only_what_set_the_options_at_fault_is_blamed),
        cmocka_unit_test(a_long_assignment_is_cut_where_one_sees_it),
        cmocka_unit_test(the_printed_plan_says_why_there_will_be_no_ratios),
    };
    return cmocka_run_group_tests(tests, plan_setup, plan_teardown);
}
