/* SPDX-License-Identifier: MIT */
/* Exports of metrics: each is what its format says and has every repetition that ended well. What
 * their own consumers make of them is tried by tests/e2e/compare.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compared_runs.h"
#include "exported.h"

#include <errno.h>
#include <math.h>

static json_t *exported_json(const struct pb_run *run, const char *to)
{
    char *text = exported(run, to);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (json == NULL)
        fail_msg("%s: not strict JSON:\n%.500s", to, text);
    free(text);
    return json;
}

static size_t count_ok(const struct pb_run *run)
{
    size_t n = 0;
    for (size_t i = 0; i < run->reps_n; i++)
        n += run->reps[i].status == PB_OK;
    return n;
}

/* --- Google Benchmark ------------------------------------------------------------------------ */

static void gb_has_an_entry_for_each_repetition_that_is_ok(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    json_t *all = exported_json(run, "gb"), *entry;
    size_t i;
    assert_int_equal(json_array_size(json_object_get(all, "benchmarks")), count_ok(run));
    assert_int_equal(left_out, run->reps_n - count_ok(run));
    assert_true(json_is_array(json_object_get(json_object_get(all, "context"), "caches")));
    json_array_foreach(json_object_get(all, "benchmarks"), i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "name"));
        assert_non_null(strstr(name, "/alloc:"));
        assert_string_equal(json_string_value(json_object_get(entry, "run_type")), "iteration");
        assert_string_equal(json_string_value(json_object_get(entry, "time_unit")), "ns");
        assert_true(json_number_value(json_object_get(entry, "real_time")) > 0);
        assert_true(json_number_value(json_object_get(entry, "cpu_time")) > 0);
        assert_true(json_number_value(json_object_get(entry, "items_per_second")) > 0);
        assert_true(json_integer_value(json_object_get(entry, "repetition_index")) <
                    json_integer_value(json_object_get(entry, "repetitions")));
    }
    json_decref(all);
    pb_run_free(run);
}

static void gb_takes_the_times_that_google_benchmark_measured(void **state)
{
    (void)state;
    const struct made_cell cell = about("pool", 2, 10, 3, 0);
    struct pb_run *run = completed(made_run("pool", &cell, 1), "r");
    json_object_set_new(
        run->reps[0].json, "gbench",
        json_pack("{s:i, s:f, s:f}", "iterations", 77, "real_time", 5.5, "cpu_time", 11.5));
    json_object_set_new(json_object_get(run->reps[0].json, "m"), "threads", json_integer(9));
    json_t *all = exported_json(run, "gb");
    const json_t *entry = json_array_get(json_object_get(all, "benchmarks"), 0);
    assert_true(json_number_value(json_object_get(entry, "real_time")) == 5.5);
    assert_true(json_number_value(json_object_get(entry, "cpu_time")) == 11.5);
    assert_int_equal(json_integer_value(json_object_get(entry, "iterations")), 77);
    /* a metric of a reserved name keeps out of its way */
    assert_int_equal(json_integer_value(json_object_get(entry, "threads")), 2);
    assert_int_equal(json_integer_value(json_object_get(entry, "m_threads")), 9);
    json_decref(all);
    made_free(run);
}

static void gb_medians_has_one_entry_a_cell(void **state)
{
    (void)state;
    const struct made_cell cells[] = {about("pool", 1, 10, 5, 0), about("zone", 1, -1, 5, 0)};
    struct pb_run *run = completed(made_run("pool", cells, 2), "r");
    json_t *all = exported_json(run, "gb-medians");
    const json_t *entry = json_array_get(json_object_get(all, "benchmarks"), 0);
    double median = json_number_value(json_object_get(entry, "ns_per_op"));
    assert_int_equal(json_array_size(json_object_get(all, "benchmarks")), 1);
    assert_int_equal(left_out, 1);
    assert_true(fabs(median - 10.06) < 1e-9); /* of 0, 7, 3, 10, 6 per mille */
    assert_true(fabs(json_number_value(json_object_get(entry, "real_time")) - median) < 1e-9);
    json_decref(all);
    made_free(run);
}

static void names_have_a_slash_between_parts_alone(void **state)
{
    (void)state;
    static const struct {
        const char *name, *alloc, *out;
    } cases[] = {
        {"pair/alloc:pool/size:64/threads:2", "pool", "pair/alloc:pool/size:64/threads:2"},
        {"pair/alloc:a/b:c/d/threads:2", "a/b:c/d", "pair/alloc:a_b:c_d/threads:2"},
        {"trace/alloc:pool/file:./x/y.txt/threads:1", "pool",
         "trace/alloc:pool/file:._x_y.txt/threads:1"},
        {"pair/alloc:`x` \"y\"<z>/threads:2", "`x` \"y\"<z>", "pair/alloc:_x___y__z_/threads:2"},
        {"pair/alloc:a\tb\033[1m/threads:2", "a\tb\033[1m", "pair/alloc:a_b_[1m/threads:2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[PB_EXPORT_NAME_MAX];
        pb_export_name(&(struct pb_export_job){.mark = ""},
                       &(struct pb_rep){.name = cases[i].name, .alloc = cases[i].alloc}, out,
                       sizeof out);
        assert_string_equal(out, cases[i].out);
    }
}

/* Google Benchmark says whether the clock's rate may change; a machine that does not tell has no
 * key.
 */
static void gb_tells_of_scaling_what_the_governor_does(void **state)
{
    (void)state;
    static const struct {
        const char *governor;
        int scaling; /* -1: absent */
    } cases[] = {{"performance", 0}, {"powersave", 1}, {"schedutil", 1}, {"", -1}};
    const struct made_cell cell = about("pool", 2, 10, 3, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pb_run *run = completed(made_run("pool", &cell, 1), "r");
        put_text(json_object_get(run->header, "machine"), "governor", cases[i].governor);
        json_t *all = exported_json(run, "gb");
        const json_t *is = json_object_get(json_object_get(all, "context"), "cpu_scaling_enabled");
        assert_int_equal(is == NULL ? -1 : json_is_true(is), cases[i].scaling);
        json_decref(all);
        made_free(run);
    }
}

/* --- builds with checks ---------------------------------------------------------------------- */

static char *tried(const struct pb_run *run, const char *to, const char *filter, bool any_build,
                   int *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    *error = pb_export(run, pb_exporter_find(to), filter, any_build, NULL, out, &left_out, message,
                       sizeof message);
    fclose(out);
    return text;
}

static void a_build_with_checks_is_refused_or_marked_in_every_format(void **state)
{
    (void)state;
    const struct made_cell cell = about("pool", 2, 10, 6, 0);
    for (int sanitized = 0; sanitized < 2; sanitized++)
        for (size_t i = 0; pb_exporter_at(i) != NULL; i++) {
            const char *to = pb_exporter_at(i)->name;
            const char *mark = sanitized ? "address" : "debug";
            int error;
            struct pb_run *run = completed(made_run("pool", &cell, 1), "r");
            json_t *suite = json_object_get(run->header, "suite");
            if (sanitized)
                put_text(suite, "sanitizer", "address");
            else
                json_object_set_new(suite, "check", json_integer(2));
            json_object_set_new(
                run->reps[0].json, "hist",
                json_pack("{s:{s:s, s:i, s:s}}", "alloc", "codec", "hdr2", "n", 7, "data", GOLDEN));
            char *text = tried(run, to, NULL, false, &error);
            assert_int_equal(error, -EPERM);
            assert_string_equal(text, "");
            assert_non_null(strstr(message, "--any-build"));
            free(text);
            text = tried(run, to, NULL, true, &error);
            assert_int_equal(error, 0);
            if (strstr(text, mark) == NULL)
                fail_msg("%s is not marked: %s", to, text);
            free(text);
            made_free(run);
        }
}

static void nothing_to_export_writes_nothing(void **state)
{
    (void)state;
    const struct made_cell cell = about("pool", 2, 10, 6, 0);
    struct pb_run *run = completed(made_run("pool", &cell, 1), "r");
    for (size_t i = 0; pb_exporter_at(i) != NULL; i++) {
        int error;
        char *text = tried(run, pb_exporter_at(i)->name, "nosuch", false, &error);
        assert_int_equal(error, -ENODATA);
        assert_string_equal(text, "");
        free(text);
    }
    char *text; /* nor where there are cells, and no histogram */
    int error;
    text = tried(run, "hlog", NULL, false, &error);
    assert_int_equal(error, -ENODATA);
    assert_string_equal(text, "");
    free(text);
    made_free(run);
}

/* --- CSV, Markdown, Bencher ------------------------------------------------------------------ */

static void csv_has_a_row_a_metric_and_one_for_each_failure(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    char *text = exported(run, "csv");
    size_t rows = 0, metrics = 0, failures = 0;
    for (size_t i = 0; i < run->reps_n; i++)
        metrics += json_object_size(json_object_get(run->reps[i].json, "m"));
    for (const char *at = text; (at = strstr(at, "\r\n")) != NULL; at += 2) {
        failures += at - text > 2 && at[-1] == ',' && at[-2] == ',';
        rows++;
    }
    assert_int_equal(failures, run->reps_n - count_ok(run));
    assert_int_equal(rows, 1 + metrics + failures);
    free(text);
    pb_run_free(run);
}

static void bmf_has_a_median_within_its_bounds(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    json_t *all = exported_json(run, "bmf"), *cell, *measure;
    const char *name, *key;
    size_t bounds = 0;
    json_object_foreach(all, name, cell) json_object_foreach(cell, key, measure)
    {
        double value = json_number_value(json_object_get(measure, "value"));
        const json_t *low = json_object_get(measure, "lower_value");
        assert_string_not_equal(key, "live_peak_bytes"); /* neither more nor less is better */
        if (low == NULL)
            continue;
        assert_true(json_number_value(low) <= value);
        assert_true(json_number_value(json_object_get(measure, "upper_value")) >= value);
        bounds++;
    }
    assert_true(bounds > 100);
    json_decref(all);
    pb_run_free(run);
}

static void a_filter_leaves_the_other_cells_out(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    for (size_t i = 0; pb_exporter_at(i) != NULL; i++) {
        char *text = exported_where(run, pb_exporter_at(i)->name, "^pair/alloc:zone/");
        assert_non_null(strstr(text, "zone"));
        assert_null(strstr(text, "alloc:mimalloc"));
        assert_null(strstr(text, "larson"));
        free(text);
        FILE *none = fopen("/dev/null", "we");
        assert_int_equal(pb_export(run, pb_exporter_at(i), "nosuch", false, NULL, none, &left_out,
                                   message, sizeof message),
                         -ENODATA);
        fclose(none);
        assert_non_null(strstr(message, "nothing to export"));
    }
    pb_run_free(run);
}

/* --- OpenMetrics: a checker of the grammar's rules ---------------------------------------------
 */

static bool is_sample(const char *row, const char *family)
{
    size_t length = strlen(family);
    const char *close = strrchr(row, '}');
    char *end;
    if (strncmp(row, family, length) != 0 || row[length] != '{' || close == NULL || close[1] != ' ')
        return false;
    double value = strtod(close + 2, &end);
    bool quoted = false;
    for (const char *at = row; at < close; at++) {
        if (*at == '\\' && quoted)
            at++;
        else if (*at == '"')
            quoted = !quoted;
    }
    return !quoted && *end == '\0' && end != close + 2 && isfinite(value);
}

/* What is wrong with a text, NULL if nothing is. Takes it apart. */
static const char *openmetrics_fault(char *text)
{
    char family[256] = "";
    bool ended = false;
    if (strlen(text) < 6 || strcmp(text + strlen(text) - 6, "# EOF\n") != 0)
        return "does not end with # EOF";
    for (char *save, *row = strtok_r(text, "\n", &save); row != NULL;
         row = strtok_r(NULL, "\n", &save)) {
        if (ended)
            return "something follows # EOF";
        if (strcmp(row, "# EOF") == 0)
            ended = true;
        else if (strncmp(row, "# TYPE ", 7) == 0) {
            if (sscanf(row + 7, "%255s gauge", family) != 1 || strstr(row, " gauge") == NULL)
                return "a type that is none";
            if (strspn(family, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") !=
                strlen(family))
                return "a name that is none";
        } else if (strncmp(row, "# HELP ", 7) != 0 && !is_sample(row, family))
            return "a sample that is none, or of another family";
    }
    return NULL;
}

static void openmetrics_keeps_to_its_grammar(void **state)
{
    (void)state;
    struct pb_run *runs[] = {fixture_load(), completed(hostile_run(), "r")};
    for (int i = 0; i < 2; i++) {
        char *text = exported(runs[i], "openmetrics");
        const char *fault = openmetrics_fault(text);
        if (fault != NULL)
            fail_msg("%s", fault);
        free(text);
    }
    /* planted: the checker finds each of these */
    static const char *const bad[] = {
        "# TYPE a gauge\na{b=\"c\"} 1\n",
        "# TYPE a gauge\na{b=\"c\"} nan\n# EOF\n",
        "# TYPE a gauge\nb{b=\"c\"} 1\n# EOF\n",
        "# TYPE a gauge\na{b=\"c} 1\n# EOF\n",
        "# TYPE a-b gauge\n# EOF\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char copy[128];
        snprintf(copy, sizeof copy, "%s", bad[i]);
        assert_non_null(openmetrics_fault(copy));
    }
    pb_run_free(runs[0]);
    made_free(runs[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gb_has_an_entry_for_each_repetition_that_is_ok),
        cmocka_unit_test(gb_takes_the_times_that_google_benchmark_measured),
        cmocka_unit_test(gb_medians_has_one_entry_a_cell),
        cmocka_unit_test(gb_tells_of_scaling_what_the_governor_does),
        cmocka_unit_test(a_build_with_checks_is_refused_or_marked_in_every_format),
        cmocka_unit_test(nothing_to_export_writes_nothing),
        cmocka_unit_test(names_have_a_slash_between_parts_alone),
        cmocka_unit_test(csv_has_a_row_a_metric_and_one_for_each_failure),
        cmocka_unit_test(bmf_has_a_median_within_its_bounds),
        cmocka_unit_test(a_filter_leaves_the_other_cells_out),
        cmocka_unit_test(openmetrics_keeps_to_its_grammar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
