/* SPDX-License-Identifier: MIT */
/* What the report says one option changes: which variants are an ablation, and the figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reading_run.h"
#include "runner/report.h"

static const char title[] = "What one option changes";

static char *report_of(const struct made_cell *cells, size_t n)
{
    struct pb_run *run = made_run("jemalloc", cells, n);
    char *text = report_text(run, (struct pb_report_options){0});
    made_free(run);
    return text;
}

static void one_setting_more_is_a_switch_with_its_paired_cost(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        {"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}},
        {"pool", 1, 6, {20, 30, 20, 30, 20, 30}},
        {"pool:lists=off", 1, 6, {24, 34.1, 23.9, 34, 24, 34}}, /* 4 more in each block */
        {"pool:lists=off,tags=on", 1, 6, {22, 31, 22, 31, 22, 31}},
    };
    char *text = report_of(cells, 4);
    assert_non_null(strstr(text, title));
    assert_non_null(strstr(
        text,
        "pool with lists=off: +4.00 ns [3.90, 4.10], 1.17x [1.13, 1.20] of 25.0 ns; worse\n"));
    assert_non_null(strstr(text, "pool:lists=off with tags=on: -2."));
    assert_null(strstr(text, "pool with tags=on")); /* two settings more */
    free(text);
}

static void what_is_not_one_setting_more_is_no_switch(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        {"floor:kind=empty", 1, 6, {1, 1, 1, 1, 1, 1}},
        {"pool:lists=off", 1, 6, {20, 20, 20, 20, 20, 20}},
        {"pool:lists=on", 1, 6, {10, 10, 10, 10, 10, 10}},      /* another value */
        {"pools:lists=off,tags=on", 1, 6, {9, 9, 9, 9, 9, 9}},  /* another strategy */
        {"pool:search=next,tags=on", 1, 6, {9, 9, 9, 9, 9, 9}}, /* other settings */
        {"pool:lists=offs,tags=on", 1, 6, {9, 9, 9, 9, 9, 9}},
    };
    char *text = report_of(cells, 6);
    assert_null(strstr(text, title));
    free(text);
}

static void what_is_not_shown_is_said(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        {"pool", 1, 6, {20, 20, 20, 20, 20, 20}},
        {"pool:tags=on", 1, 6, {21, 19, 21, 19, 21, 19}},
        {"pool:quota=on", 1, 6, {20.1, 20.1, 20.2, 20.1, 20.1, 20.1}}, /* certain, and small */
        {"pool:checked=on", 1, 6, {30, -1, 30, 30, 30, 30}},           /* five pairs */
    };
    char *text = report_of(cells, 4);
    assert_non_null(strstr(text, "pool with tags=on: "));
    assert_non_null(strstr(text, "[0.95, 1.05] of 20.0 ns; no difference shown\n"));
    assert_non_null(strstr(text, "pool with quota=on: +0.10"));
    assert_non_null(strstr(text, "1.01x [1.005, 1.010] of 20.0 ns; same\n"));
    assert_non_null(
        strstr(text, "pool with checked=on: +10.0 ns -, 1.50x - of 20.0 ns; no interval\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_setting_more_is_a_switch_with_its_paired_cost),
        cmocka_unit_test(what_is_not_one_setting_more_is_no_switch),
        cmocka_unit_test(what_is_not_shown_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
