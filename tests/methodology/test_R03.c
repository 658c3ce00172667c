/* SPDX-License-Identifier: MIT */
/* R3: rates are all work over all time, never a mean of rates: two windows of equal work at 1 and
 * at 3 Mop/s are 1.5 Mop/s, in the estimator and in the report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/stats.h"
#include "unit/reading_run.h"

#include <math.h>

enum { WINDOWS = 2 };
static const double work[WINDOWS] = {3e6, 3e6}, seconds[WINDOWS] = {3.0, 1.0};

static bool is_all_over_all(double rate)
{
    return fabs(rate - 1.5e6) < 1.0;
}

static void the_rate_of_two_windows_is_all_work_over_all_time(void **state)
{
    double rate = 0.0;
    (void)state;
    assert_int_equal(pb_rate(work, seconds, WINDOWS, &rate), 0);
    assert_true(is_all_over_all(rate));
}

static void a_mean_of_rates_is_found(void **state)
{
    double sum = 0.0;
    (void)state;
    for (int i = 0; i < WINDOWS; i++)
        sum += work[i] / seconds[i];
    assert_false(is_all_over_all(sum / WINDOWS));
}

/* Two repetitions of equal work at 1000 and at 1000 / 3 ns a step. */
static void the_report_adds_repetitions_up_so(void **state)
{
    const struct made_cell cells[] = {{"pool", 1, 2, {1000, 1000.0 / 3}}};
    struct pb_run *run = made_run("pool", cells, 1);
    (void)state;
    for (size_t i = 0; i < run->reps_n; i++)
        json_object_set_new(run->reps[i].json, "ops", json_pack("{s:i}", "steps", 600));
    char *text = report_text(
        run, (struct pb_report_options){.format = PB_REPORT_JSON, .metric = "ops_per_s"});
    json_t *report = json_loads(text, 0, NULL);
    json_t *group = json_array_get(json_object_get(report, "groups"), 0);
    json_t *variant = json_array_get(json_object_get(group, "variants"), 0);
    json_t *all = json_object_get(json_object_get(variant, "measures"), "ops_per_s_of_all");
    assert_true(is_all_over_all(json_number_value(json_object_get(all, "value"))));
    json_decref(report);
    free(text);
    made_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_of_two_windows_is_all_work_over_all_time),
        cmocka_unit_test(a_mean_of_rates_is_found),
        cmocka_unit_test(the_report_adds_repetitions_up_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
