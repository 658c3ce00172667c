/* SPDX-License-Identifier: MIT */
/* A report as JSON keeps to results/report.schema.json: every number says what it is. The schema is
 * read from its file and applied as it stands (schema_check.h); planted faults must be found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reading_run.h"
#include "runner/report_summary.h"
#include "schema_check.h"

#include <math.h>

static json_t *report_json(const struct pb_run *run, const char *metric)
{
    char *text =
        report_text(run, (struct pb_report_options){.format = PB_REPORT_JSON, .metric = metric});
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    json_t *report = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    assert_non_null(report);
    return report;
}

/* 24 blocks, two modes, an outlier: all that a report can say of a row. */
static struct pb_run *rich_run(void)
{
    struct made_cell cells[] = {{"jemalloc", 1, 24, {0}},
                                {"pool", 1, 24, {0}},
                                {"zone", 1, 24, {0}},
                                {"jemalloc@aa", 1, 24, {0}}};
    for (size_t i = 0; i < 4; i++)
        for (size_t b = 0; b < 24; b++)
            cells[i].ns[b] = 50 + (double)(b * (i + 3) % 7) + (i == 1 && b % 3 == 0 ? 50 : 0) +
                             (i == 2 && b == 5 ? 500 : 0);
    return made_run("jemalloc", cells, 4);
}

/* Every metric of the fixture, a run with names that harm, one of a single repetition, none. */
static void every_report_keeps_to_the_schema(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    const char *metric;
    json_t *value;
    json_object_foreach(json_object_get(run->header, "metrics"), metric, value)
    {
        json_t *report = report_json(run, metric);
        assert_true(keeps_to_the_schema(report));
        json_decref(report);
    }
    pb_run_free(run);
    const struct made_cell cells[] = {{"jemalloc", 1, 1, {10}}, {"pool", 1, 1, {12}}};
    struct pb_run *made[] = {hostile_run(), made_run("jemalloc", cells, 2),
                             made_run("jemalloc", NULL, 0), rich_run()};
    for (size_t i = 0; i < 4; i++) {
        json_t *report = report_json(made[i], NULL);
        assert_true(keeps_to_the_schema(report));
        char *text = json_dumps(report, 0);
        assert_int_equal(strstr(text, "\"modes\": [") != NULL, i == 3);
        assert_int_equal(strstr(text, "\"bootstrap\": {") != NULL, i == 3);
        assert_int_equal(strstr(text, "\"outliers\": 1") != NULL, i == 3);
        free(text);
        json_decref(report);
        made_free(made[i]);
    }
}

/* An object of the report by its path, below the second variant of the first group. */
static json_t *part_of(json_t *report, const char *one, const char *two)
{
    json_t *group = json_array_get(json_object_get(report, "groups"), 0);
    json_t *variant = json_array_get(json_object_get(group, "variants"), 1);
    json_t *part = one == NULL ? variant : json_object_get(variant, one);
    part = two == NULL ? part : json_object_get(part, two);
    assert_non_null(part);
    return part;
}

static void a_number_that_does_not_say_what_it_is_is_found(void **state)
{
    (void)state;
    static const char *const needed[] = {"value",     "unit",     "n",
                                         "estimator", "interval", "confidence"};
    static const char *const places[][2] = {
        {"measures", "ns_per_op"}, {"measures", "p99_alloc_ns"}, {"comparison", "ratio"}};
    struct pb_run *run = fixture_load();
    json_t *sound = report_json(run, NULL);
    for (size_t p = 0; p < 3; p++) {
        for (size_t i = 0; i < 6; i++) {
            json_t *faulty = json_deep_copy(sound);
            assert_int_equal(
                json_object_del(part_of(faulty, places[p][0], places[p][1]), needed[i]), 0);
            assert_false(keeps_to_the_schema(faulty));
            json_decref(faulty);
        }
    }
    json_t *faulty = json_deep_copy(sound);
    assert_int_equal(
        json_object_del(part_of(faulty, "measures", "live_peak_bytes"), "deterministic"), 0);
    assert_false(keeps_to_the_schema(faulty));
    json_decref(faulty);
    json_decref(sound);
    pb_run_free(run);
}

static void a_bare_number_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *one, *two, *key;
    } places[] = {{NULL, NULL, "median"},
                  {"measures", NULL, "rss_peak_bytes"},
                  {"measures", "ns_per_op", "stddev"},
                  {"comparison", NULL, "speedup"},
                  {"counts", NULL, "share"},
                  {"comparison", NULL, "p"}};
    struct pb_run *run = fixture_load();
    json_t *sound = report_json(run, NULL);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        json_t *faulty = json_deep_copy(sound);
        json_object_set_new(part_of(faulty, places[i].one, places[i].two), places[i].key,
                            json_real(1.5));
        assert_false(keeps_to_the_schema(faulty));
        json_decref(faulty);
    }
    json_object_set_new(sound, "score", json_integer(7));
    assert_false(keeps_to_the_schema(sound));
    json_decref(sound);
    pb_run_free(run);
}

/* Counted numbers that all runs agree on are deterministic; a time is not, nor what differs once.
 */
static void deterministic_is_what_all_runs_agree_on(void **state)
{
    (void)state;
    const struct made_cell cells[] = {{"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}},
                                      {"pool", 1, 6, {5, 5, 5, 5, 5, 5}}};
    struct pb_run *run = made_run("jemalloc", cells, 2);
    for (size_t i = 0; i < run->reps_n; i++)
        json_object_set_new(json_object_get(run->reps[i].json, "m"), "live_peak_bytes",
                            json_integer(4096));
    json_t *report = report_json(run, NULL);
    assert_true(json_is_true(
        json_object_get(part_of(report, "measures", "live_peak_bytes"), "deterministic")));
    assert_null(json_object_get(part_of(report, "measures", "ns_per_op"), "deterministic"));
    json_decref(report);
    json_object_set_new(json_object_get(run->reps[3].json, "m"), "live_peak_bytes",
                        json_integer(4097));
    report = report_json(run, NULL);
    json_t *live = part_of(report, "measures", "live_peak_bytes");
    assert_null(json_object_get(live, "deterministic"));
    assert_non_null(json_object_get(live, "interval"));
    json_decref(report);
    made_free(run);
}

/* Equal work at 1 and at 3 a second is 1.5 a second. */
static void rates_of_several_runs_are_all_work_over_all_time(void **state)
{
    (void)state;
    const struct made_cell cells[] = {{"jemalloc", 1, 2, {1e9, 1e9 / 3}},
                                      {"pool", 1, 2, {1e9, 1e9}}};
    struct pb_run *run = made_run("jemalloc", cells, 2);
    for (size_t i = 0; i < run->reps_n; i++)
        json_object_set_new(run->reps[i].json, "ops", json_pack("{s:i}", "steps", 600));
    json_t *report = report_json(run, PB_KEY_RATE);
    json_t *all = part_of(report, "measures", "ops_per_s_of_all");
    assert_true(fabs(json_number_value(json_object_get(all, "value")) - 1.5) < 1e-9);
    json_t *median = part_of(report, "measures", PB_KEY_RATE);
    assert_true(fabs(json_number_value(json_object_get(median, "value")) - 2) < 1e-9);
    json_decref(report);
    made_free(run);
}

/* Ratios that overflow, sums that do: no report holds a number that is none. */
static void what_is_not_finite_reaches_no_report(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        {"jemalloc", 1, 6, {1e-308, 1e-308, 1e-308, 1e-308, 1e-308, 1e-308}},
        {"pool", 1, 6, {1.7e308, 1.7e308, 1.7e308, 1.7e308, 1.7e308, 1.7e308}},
        {"pool:tags=on", 1, 6, {1.6e308, 1e300, 1e-300, 1.5e308, 1, 1.7e308}},
        {"jemalloc@aa", 1, 6, {1e308, 1, 1, 1, 1, 1}},
    };
    struct pb_run *run = made_run("jemalloc", cells, 4);
    for (int format = PB_REPORT_TABLE; format <= PB_REPORT_MARKDOWN; format++) {
        char *text =
            report_text(run, (struct pb_report_options){.format = (enum pb_report_format)format});
        assert_null(strstr(text, "nan"));
        assert_null(strstr(text, "inf"));
        free(text);
    }
    json_t *report = report_json(run, NULL);
    assert_true(keeps_to_the_schema(report));
    json_decref(report);
    made_free(run);
}

static int open_schema(void **state)
{
    (void)state;
    char *text = slurp(PB_SOURCE_DIR "/results/report.schema.json");
    schema = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    return schema == NULL;
}

static int close_schema(void **state)
{
    (void)state;
    json_decref(schema);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_report_keeps_to_the_schema),
        cmocka_unit_test(a_number_that_does_not_say_what_it_is_is_found),
        cmocka_unit_test(a_bare_number_is_found),
        cmocka_unit_test(deterministic_is_what_all_runs_agree_on),
        cmocka_unit_test(rates_of_several_runs_are_all_work_over_all_time),
        cmocka_unit_test(what_is_not_finite_reaches_no_report),
    };
    return cmocka_run_group_tests(tests, open_schema, close_schema);
}
