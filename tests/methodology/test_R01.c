/* SPDX-License-Identifier: MIT */
/* R1: every number of a report carries its unit, n, estimator and interval, or says why there is
 * none or that it is deterministic: the report of a run made here keeps to
 * results/report.schema.json, for each metric; one that lacks any of these does not. Usage:
 * test_R01 RUN */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/reading_run.h"
#include "unit/schema_check.h"

static const char *folder;
static struct pb_run *run;

static json_t *report_on(const char *metric)
{
    char *text =
        report_text(run, (struct pb_report_options){.format = PB_REPORT_JSON, .metric = metric});
    json_t *report = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    assert_non_null(report);
    return report;
}

/* The first measured number of the first variant that has one. */
static json_t *a_measure(json_t *report, const char *metric)
{
    size_t i;
    json_t *variant, *group = json_array_get(json_object_get(report, "groups"), 0);
    json_array_foreach(json_object_get(group, "variants"), i, variant)
    {
        json_t *measure = json_object_get(json_object_get(variant, "measures"), metric);
        if (json_object_get(measure, "interval") != NULL)
            return measure;
    }
    fail_msg("no %s with an interval", metric);
    return NULL;
}

static void every_metric_s_report_keeps_to_the_schema(void **state)
{
    const char *metric;
    json_t *value;
    (void)state;
    assert_true(json_object_size(json_object_get(run->header, "metrics")) > 50);
    json_object_foreach(json_object_get(run->header, "metrics"), metric, value)
    {
        json_t *report = report_on(metric);
        if (!keeps_to_the_schema(report))
            fail_msg("the report on %s", metric);
        json_decref(report);
    }
}

static void a_number_without_what_makes_it_one_is_found(void **state)
{
    static const char *const needed[] = {"unit", "n", "estimator", "interval", "confidence"};
    (void)state;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        json_t *report = report_on("ns_per_op");
        assert_int_equal(json_object_del(a_measure(report, "ns_per_op"), needed[i]), 0);
        assert_false(keeps_to_the_schema(report));
        json_decref(report);
    }
}

static int load(void **state)
{
    char message[512] = "";
    (void)state;
    char *text = slurp(PB_SOURCE_DIR "/results/report.schema.json");
    schema = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    return schema == NULL || pb_run_load(folder, &run, message, sizeof message) != 0;
}

static int unload(void **state)
{
    (void)state;
    pb_run_free(run);
    json_decref(schema);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_metric_s_report_keeps_to_the_schema),
        cmocka_unit_test(a_number_without_what_makes_it_one_is_found),
    };
    folder = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, load, unload);
}
