/* SPDX-License-Identifier: MIT */
/* The TOML reader: contents as JSON (parsed by Jansson), positions, errors that name file, line and
 * column. */
#include "runner/toml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[32];
static char message[256];

static int make_file(void **unused)
{
    (void)unused;
    snprintf(path, sizeof path, "toml-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int remove_file(void **unused)
{
    (void)unused;
    return unlink(path);
}

static void fill(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static json_t *read_back(void)
{
    char *text = NULL;
    json_error_t error;
    message[0] = '\0';
    if (pb_toml_to_json(path, &text, message, sizeof message) != 0)
        fail_msg("%s", message);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("%d:%d: %s in %s", error.line, error.column, error.text, text);
    free(text);
    return json;
}

static void refused(const char *text, const char *where)
{
    char *json = NULL, want[64];
    fill(text);
    assert_int_equal(pb_toml_to_json(path, &json, message, sizeof message), -EINVAL);
    assert_null(json);
    snprintf(want, sizeof want, "%s:%s: ", path, where);
    if (strncmp(message, want, strlen(want)) != 0 || !message[strlen(want)])
        fail_msg("'%s' does not begin with '%s'", message, want);
}

static void tables_arrays_and_values_become_json(void **unused)
{
    (void)unused;
    fill("# comment\n"
         "name = \"quick\"\nthreads = [1, 2, 4]\nscale = 0.1\nbig = 1e300\non = true\n"
         "[axes]\nalloc = ['pool', 'zone:lock=mcs']\nempty = {}\n"
         "[[workload]]\nsize = 0x40\n[[workload]]\nsize = 1_000\na.b.c = [[], [1]]\n");
    json_t *json = read_back();
    const json_t *workload = json_object_get(json, "workload");
    assert_string_equal(json_string_value(json_object_get(json, "name")), "quick");
    assert_int_equal(json_array_size(json_object_get(json, "threads")), 3);
    assert_true(json_real_value(json_object_get(json, "scale")) == 0.1);
    assert_true(json_real_value(json_object_get(json, "big")) == 1e300);
    assert_true(json_is_true(json_object_get(json, "on")));
    assert_int_equal(json_object_size(json_object_get(json_object_get(json, "axes"), "empty")), 0);
    assert_int_equal(json_array_size(workload), 2);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(workload, 0), "size")), 64);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(workload, 1), "size")),
                     1000);
    json_decref(json);
    fill("");
    json = read_back();
    assert_int_equal(json_object_size(json), 0);
    json_decref(json);
}

static void integers_keep_all_their_bits(void **unused)
{
    (void)unused;
    fill("a = 9007199254740993\nb = 9223372036854775807\nc = -9223372036854775808\n");
    json_t *json = read_back();
    assert_true(json_integer_value(json_object_get(json, "a")) == 9007199254740993);
    assert_true(json_integer_value(json_object_get(json, "b")) == INT64_MAX);
    assert_true(json_integer_value(json_object_get(json, "c")) == INT64_MIN);
    json_decref(json);
}

static void text_is_escaped_and_utf8_kept(void **unused)
{
    (void)unused;
    fill("a = \"\\\"q\\\" \\\\ / \\b\\t\\n\\f\\r \\u0001 \\u007f\"\n"
         "\"k\xC3\xA9y \\\"\" = '\xE2\x82\xAC \xF0\x9F\x98\x80'\n"
         "m = '''one\ntwo'''\n"
         "n = \"\"\"\xC3\xA9\\\"\"\"\\\"\"\"\"\n"
         "o = '\\' # it's a \xC3\xA9\n");
    json_t *json = read_back();
    assert_string_equal(json_string_value(json_object_get(json, "a")),
                        "\"q\" \\ / \b\t\n\f\r \x01 \x7F");
    assert_string_equal(json_string_value(json_object_get(json, "k\xC3\xA9y \"")),
                        "\xE2\x82\xAC \xF0\x9F\x98\x80");
    assert_string_equal(json_string_value(json_object_get(json, "m")), "one\ntwo");
    assert_string_equal(json_string_value(json_object_get(json, "n")), "\xC3\xA9\"\"\"\"");
    assert_string_equal(json_string_value(json_object_get(json, "o")), "\\");
    json_decref(json);
}

static void dates_and_times_become_strings(void **unused)
{
    (void)unused;
    fill("d = 1979-05-27\nt = 07:32:00\nz = 1979-05-27T07:32:00Z\n");
    json_t *json = read_back();
    assert_string_equal(json_string_value(json_object_get(json, "d")), "1979-05-27");
    assert_string_equal(json_string_value(json_object_get(json, "t")), "07:32:00");
    assert_string_equal(json_string_value(json_object_get(json, "z")), "1979-05-27T07:32:00Z");
    json_decref(json);
}

static void malformed_files_are_refused_with_their_position(void **unused)
{
    (void)unused;
    refused("a = 1\nb = = 2\n", "2:5");
    refused("a = ", "1:5");
    refused("a = 1\na = 2\n", "2:5");
    refused("[x]\n[x]\n", "2:1");
    refused("a = \"\xFF\"\n", "1:5");
    refused("a = \"open\n", "1:10");
    refused("b = 99999999999999999999\n", "1:25");
    refused("\xC3\xA9 = 1\n", "1:1");
    refused("[t]\n a\xC3\xBC = 1\n", "2:3");
    refused("a = \"open\n\xC3\xA9 = 'x'\n", "1:10"); /* the first error, not the second */
    refused("a = '\xC3\xA9' x\n", "1:9");            /* code points, not bytes */
}

static void numbers_that_are_not_finite_are_refused(void **unused)
{
    (void)unused;
    refused("a = 1\nb = nan\n", "2:5");
    refused("x = [1.0, -inf]\n", "1:11");
    refused("[t]\nu = {v = [{w = inf}]}\n", "2:16");
}

static void missing_and_unreadable_files_are_named(void **unused)
{
    (void)unused;
    char *json = NULL;
    int line = 0, column = 0;
    assert_int_equal(pb_toml_to_json("no-such-file.toml", &json, message, sizeof message), -ENOENT);
    assert_string_equal(message, "no-such-file.toml: No such file or directory");
    assert_int_equal(pb_toml_position("no-such-file.toml", "a", &line, &column), -ENOENT);
    assert_int_equal(pb_toml_to_json(".", &json, message, sizeof message), -EISDIR);
    assert_string_equal(message, ".: Is a directory");
    if (geteuid() != 0) { /* root reads everything */
        assert_int_equal(chmod(path, 0), 0);
        assert_int_equal(pb_toml_to_json(path, &json, message, sizeof message), -EACCES);
    }
    assert_null(json);
}

static void positions_are_those_of_the_values(void **unused)
{
    (void)unused;
    static const struct {
        const char *where;
        int line, column;
    } cases[] = {
        {"", 1, 1},           {"name", 1, 8},           {"axes", 2, 1},
        {"axes.alloc", 3, 9}, {"axes.alloc[1]", 3, 15}, {"axes.t.\"a.b\"", 4, 15},
        {"workload", 5, 1},   {"workload[1]", 7, 1},    {"workload[1].size", 8, 10},
    };
    static const struct {
        const char *where;
        int code;
    } bad[] = {
        {"none", -ENOENT},       {"workload[2]", -ENOENT},  {"name.x", -ENOENT},
        {"axes[0]", -ENOENT},    {"axes..t", -EINVAL},      {"workload[x]", -EINVAL},
        {"workload[0", -EINVAL}, {"workload[ 1]", -EINVAL}, {"axes.\"a", -EINVAL},
        {"axes.", -EINVAL},
    };
    int line = -1, column = -1;
    fill("name = 'q'\n[axes]\nalloc = ['a', 'b']\nt = { 'a.b' = 1 }\n"
         "[[workload]]\nsize = 1\n[[workload]]\n  size = 22\n");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(pb_toml_position(path, bad[i].where, &line, &column), bad[i].code);
    assert_true(line == -1 && column == -1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(pb_toml_position(path, cases[i].where, &line, &column), 0);
        if (line != cases[i].line || column != cases[i].column)
            fail_msg("'%s' is at %d:%d", cases[i].where, line, column);
    }
    fill("a = = 1\n");
    assert_int_equal(pb_toml_position(path, "a", &line, &column), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tables_arrays_and_values_become_json, make_file,
                                        remove_file),
        cmocka_unit_test_setup_teardown(integers_keep_all_their_bits, make_file, remove_file),
        cmocka_unit_test_setup_teardown(text_is_escaped_and_utf8_kept, make_file, remove_file),
        cmocka_unit_test_setup_teardown(dates_and_times_become_strings, make_file, remove_file),
        cmocka_unit_test_setup_teardown(malformed_files_are_refused_with_their_position, make_file,
                                        remove_file),
        cmocka_unit_test_setup_teardown(numbers_that_are_not_finite_are_refused, make_file,
                                        remove_file),
        cmocka_unit_test_setup_teardown(missing_and_unreadable_files_are_named, make_file,
                                        remove_file),
        cmocka_unit_test_setup_teardown(positions_are_those_of_the_values, make_file, remove_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
