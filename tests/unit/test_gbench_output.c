/* SPDX-License-Identifier: MIT */
/* The C API over Google Benchmark: flags, context, files. JSON that it writes is parsed by Jansson,
 * which accepts neither NaN nor control characters; what 1.7.1 would exit or crash over is an
 * error. */
#include "gbench_recorder.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char file_name[32];

static void out_to(const char *format)
{
    char flag[64];
    snprintf(file_name, sizeof file_name, "gbench-XXXXXX");
    int fd = mkstemp(file_name);
    assert_true(fd >= 0);
    close(fd);
    snprintf(flag, sizeof flag, "--benchmark_out_format=%s", format);
    assert_int_equal(initialize(flag), 0);
    snprintf(flag, sizeof flag, "--benchmark_out=%s", file_name);
    assert_int_equal(initialize(flag), 0);
}

static int no_file(void **unused)
{
    if (file_name[0])
        unlink(file_name);
    file_name[0] = '\0';
    return initialize("--benchmark_out=") != 0 || initialize("--benchmark_out_format=json") != 0 ||
           initialize("--benchmark_repetitions=1") != 0 || fresh(unused) != 0;
}

static json_t *written(void)
{
    json_error_t error;
    json_t *json = json_load_file(file_name, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("%s:%d:%d: %s", file_name, error.line, error.column, error.text);
    return json;
}

static const json_t *entry(const json_t *json, size_t index)
{
    return json_array_get(json_object_get(json, "benchmarks"), index);
}

static void awkward(struct pb_gb_state *state, void *context)
{
    const char *label = context;
    const struct pb_gb_counter zero = {0, 0, 0}, rate = {1, PB_GB_COUNTER_RATE, 0};
    const struct pb_gb_counter nan = {NAN, 0, 0}, inverse = {0, PB_GB_COUNTER_INVERT, 0};
    while (pb_gb_state_keep_running(state))
        ; /* no time at all, so that rates are not finite */
    pb_gb_state_set_label(state, label);
    pb_gb_state_set_counter(state, "zero", &zero);
    pb_gb_state_set_counter(state, "rate", &rate);
    pb_gb_state_set_counter(state, "nan", &nan);
    pb_gb_state_set_counter(state, "inverse", &inverse);
    pb_gb_state_set_items_processed(state, 3);
}

static struct pb_gb_benchmark *add_awkward(const char *name, int repetitions)
{
    static char label[] = "first\nsecond \"quoted\" \x01\xC3";
    struct pb_gb_benchmark *b = add(name, awkward, label);
    assert_int_equal(pb_gb_benchmark_use_manual_time(b), 0);
    assert_int_equal(pb_gb_benchmark_iterations(b, 1), 0);
    assert_int_equal(pb_gb_benchmark_repetitions(b, repetitions), 0);
    return b;
}

static void json_stays_json_whatever_labels_and_counters_hold(void **unused)
{
    (void)unused;
    add_awkward("x", 3);
    out_to("json");
    run_all();
    json_t *json = written();
    const json_t *first = entry(json, 0), *cv = entry(json, 6);
    assert_int_equal(json_array_size(json_object_get(json, "benchmarks")), 7);
    assert_string_equal(json_string_value(json_object_get(first, "label")),
                        "first second \"quoted\"  ?");
    assert_non_null(json_object_get(first, "zero"));
    assert_null(json_object_get(first, "nan"));
    assert_null(json_object_get(first, "rate"));
    assert_null(json_object_get(first, "inverse"));
    assert_null(json_object_get(first, "items_per_second"));
    assert_string_equal(json_string_value(json_object_get(cv, "aggregate_name")), "cv");
    assert_null(json_object_get(cv, "zero")); /* 0 / 0 */
    assert_string_equal(json_string_value(json_object_get(cv, "error_message")),
                        "the time is not finite");
    assert_true(pb_gb_omitted() > 3);
    json_decref(json);
}

static void skip_it(struct pb_gb_state *state, void *context)
{
    (void)context;
    pb_gb_state_skip_with_error(state, "tab\there");
}

static void errors_and_a_second_run_are_written_as_json(void **unused)
{
    (void)unused;
    struct pb_gb_benchmark *b = add("x", skip_it, NULL);
    assert_int_equal(pb_gb_benchmark_iterations(b, 7), 0);
    assert_int_equal(pb_gb_benchmark_repetitions(b, 2), 0);
    out_to("json");
    run_all();
    run_all();
    json_t *json = written();
    const json_t *first = entry(json, 0);
    assert_true(json_is_true(json_object_get(first, "error_occurred")));
    assert_string_equal(json_string_value(json_object_get(first, "error_message")), "tab here");
    assert_null(json_object_get(first, "label"));
    assert_int_equal(json_integer_value(json_object_get(first, "iterations")), 7);
    assert_int_equal(pb_gb_omitted(), 0);
    json_decref(json);
}

static void context_is_cleaned_and_keys_of_the_library_are_refused(void **unused)
{
    (void)unused;
    assert_int_equal(pb_gb_add_custom_context("date", "x"), -EINVAL);
    assert_int_equal(pb_gb_add_custom_context("", "x"), -EINVAL);
    assert_int_equal(pb_gb_add_custom_context("suite", "pool\x02"
                                                       "bench\xFF"),
                     0);
    assert_int_equal(pb_gb_add_custom_context("suite", "again"), -EEXIST);
    assert_int_equal(initialize("--benchmark_context=a=1,load_avg=1"), -EINVAL);
    assert_int_equal(initialize("--benchmark_context=flag=a\nb"), 0);
    add_awkward("x", 1);
    out_to("json");
    run_all();
    json_t *json = written();
    const json_t *context = json_object_get(json, "context");
    assert_string_equal(json_string_value(json_object_get(context, "suite")), "pool bench?");
    assert_string_equal(json_string_value(json_object_get(context, "flag")), "a b");
    assert_true(json_is_array(json_object_get(context, "load_avg")));
    json_decref(json);
    pb_gb_shutdown();
    pb_gb_shutdown();
    run_all();
    json = written();
    assert_null(json_object_get(json_object_get(json, "context"), "suite"));
    json_decref(json);
    assert_int_equal(pb_gb_add_custom_context("suite", "again"), 0);
}

static void two_counters(struct pb_gb_state *state, void *context)
{
    const struct pb_gb_counter one = {1, 0, 0};
    while (pb_gb_state_keep_running(state))
        pb_gb_state_set_iteration_time(state, 1.0);
    pb_gb_state_set_counter(state, context, &one);
}

static void csv_survives_counters_that_its_header_lacks(void **unused)
{
    (void)unused;
    static char first[] = "first", second[] = "second";
    assert_int_equal(pb_gb_benchmark_iterations(add("x", two_counters, first), 1), 0);
    assert_int_equal(pb_gb_benchmark_iterations(add("y", two_counters, second), 1), 0);
    out_to("csv");
    run_all();
    assert_int_equal(rows_n, 2);
    assert_int_equal(pb_gb_omitted(), 1);
    FILE *file = fopen(file_name, "r");
    char text[2048] = "";
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    assert_non_null(strstr(text, "\"first\""));
    assert_non_null(strstr(text, "\"y/iterations:1\""));
    assert_null(strstr(text, "second\""));
}

static struct pb_gb_reporter *writer;

static void write_names(const struct pb_gb_run *const *runs, size_t n, void *context)
{
    (void)context;
    for (size_t i = 0; i < n; i++) {
        const char *name = pb_gb_run_name_part(runs[i], PB_GB_NAME_FUNCTION);
        pb_gb_reporter_write(writer, name, strlen(name));
    }
}

static void a_file_reporter_in_c_writes_to_the_file(void **unused)
{
    (void)unused;
    static const struct pb_gb_reporter_ops ops = {.runs = write_names};
    struct pb_gb_reporter *display = NULL;
    char text[16] = "";
    size_t matched = 0;
    assert_int_equal(pb_gb_benchmark_iterations(add("name", second_each, NULL), 1), 0);
    assert_int_equal(pb_gb_reporter_create(&ops, NULL, &writer), 0);
    assert_int_equal(pb_gb_reporter_create_builtin(PB_GB_CONSOLE, &display), 0);
    assert_int_equal(pb_gb_run_specified_benchmarks(NULL, display, writer, &matched), -EINVAL);
    out_to("json");
    assert_int_equal(pb_gb_run_specified_benchmarks(NULL, writer, writer, &matched), -EINVAL);
    assert_int_equal(pb_gb_run_specified_benchmarks(NULL, display, writer, &matched), 0);
    assert_int_equal(matched, 1);
    assert_int_equal(pb_gb_reporter_write(writer, "\n", 1), 0); /* to stdout again */
    FILE *file = fopen(file_name, "r");
    assert_int_equal(fread(text, 1, sizeof text, file), 4);
    fclose(file);
    assert_string_equal(text, "name");
    pb_gb_reporter_destroy(display);
    pb_gb_reporter_destroy(writer);
}

/* What stdout gets while f runs, in a file. */
static FILE *stdout_of(void (*f)(void))
{
    FILE *file = tmpfile();
    int saved = dup(1);
    assert_non_null(file);
    fflush(stdout);
    dup2(fileno(file), 1);
    f();
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    rewind(file);
    return file;
}

static void run_default_twice(void)
{
    assert_int_equal(pb_gb_run_specified_benchmarks(NULL, NULL, NULL, NULL), 0);
    assert_int_equal(pb_gb_run_specified_benchmarks("x", NULL, NULL, NULL), 0);
}

static void the_default_display_can_be_used_twice_and_writes_json_each_time(void **unused)
{
    (void)unused;
    add_awkward("x", 1);
    assert_int_equal(initialize("--benchmark_format=json"), 0);
    FILE *file = stdout_of(run_default_twice);
    for (int i = 0; i < 2; i++) {
        json_t *json = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL);
        assert_non_null(json);
        assert_int_equal(json_array_size(json_object_get(json, "benchmarks")), 1);
        json_decref(json);
    }
    fclose(file);
    assert_int_equal(initialize("--benchmark_format=console"), 0);
}

static void list_tests(void)
{
    assert_int_equal(initialize("--benchmark_list_tests=true"), 0);
    assert_int_equal(run_with(&recorder, "all", NULL), 0);
    assert_int_equal(initialize("--benchmark_list_tests=false"), 0);
}

static void listing_prints_names_and_runs_nothing(void **unused)
{
    (void)unused;
    char line[64] = "";
    assert_int_equal(pb_gb_benchmark_arg(add("x", second_each, NULL), 8), 0);
    FILE *file = stdout_of(list_tests);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_string_equal(line, "x/8\n");
    assert_int_equal(rows_n, 0);
}

int main(void)
{
    /* the library fixes the default display's format at its first use: that test comes first */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            the_default_display_can_be_used_twice_and_writes_json_each_time, no_file, no_file),
        cmocka_unit_test_setup_teardown(json_stays_json_whatever_labels_and_counters_hold, no_file,
                                        no_file),
        cmocka_unit_test_setup_teardown(errors_and_a_second_run_are_written_as_json, no_file,
                                        no_file),
        cmocka_unit_test_setup_teardown(context_is_cleaned_and_keys_of_the_library_are_refused,
                                        no_file, no_file),
        cmocka_unit_test_setup_teardown(csv_survives_counters_that_its_header_lacks, no_file,
                                        no_file),
        cmocka_unit_test_setup_teardown(a_file_reporter_in_c_writes_to_the_file, no_file, no_file),
        cmocka_unit_test_setup_teardown(listing_prints_names_and_runs_nothing, no_file, no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
