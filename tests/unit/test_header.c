/* SPDX-License-Identifier: MIT */
/* A run's first line holds all that is to be disclosed: whichever key is taken away is missed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan_fixture.h"
#include "runner/header.h"
#include "runner/record.h"
#include "tree_fixture.h"

/* As a run makes it, on two made-up units. */
static json_t *a_header(void)
{
    static struct pb_findings findings;
    struct pb_doctor_seen seen;
    struct pb_matrix *matrix =
        read_matrix("[axes]\nalloc = \"pool\"\n[[workload]]\nname = \"pair\"\n");
    json_t *options = json_object();
    json_t *line = pb_record_run("20260101-000000-abcdef", matrix, options, two_units);
    pb_doctor_see(&seen, 2, "default", false);
    pb_doctor_find(&seen, &findings);
    pb_header_complete(line, &seen, &findings);
    json_decref(options);
    pb_matrix_free(matrix);
    unlink(path);
    return line;
}

/* The object that a dotted key lies in, and the key's last part. */
static json_t *parent_of(json_t *at, const char *key, char *last)
{
    while (strchr(key, '.') != NULL) {
        char part[64];
        size_t length = strcspn(key, ".");
        snprintf(part, sizeof part, "%.*s", (int)length, key);
        at = json_object_get(at, part);
        assert_non_null(at);
        key += length + 1;
    }
    strcpy(last, key);
    return at;
}

static void a_runs_header_is_whole(void **state)
{
    (void)state;
    json_t *line = a_header();
    message[0] = '\0';
    if (pb_header_check(line, message, sizeof message) != 0)
        fail_msg("%s", message);
    assert_true(json_array_size(json_object_get(line, "doctor")) > 20);
    json_decref(line);
}

static void whichever_key_is_missing_is_named(void **state)
{
    char last[64], want[128];
    const char *key;
    size_t keys = 0;
    (void)state;
    json_t *whole = a_header();
    for (; (key = pb_header_key(keys)) != NULL; keys++) {
        json_t *line = json_deep_copy(whole), *parent = parent_of(line, key, last);
        assert_int_equal(json_object_del(parent, last), 0);
        assert_int_equal(pb_header_check(line, message, sizeof message), -EINVAL);
        snprintf(want, sizeof want, "the run's header: %s is missing", key);
        assert_string_equal(message, want);
        json_object_set_new(parent, last, json_null());
        assert_int_equal(pb_header_check(line, message, sizeof message), -EINVAL);
        snprintf(want, sizeof want, "the run's header: %s is not what it should be", key);
        assert_string_equal(message, want);
        json_decref(line);
    }
    assert_true(keys > 70);
    json_decref(whole);
}

static void processors_that_were_compared_have_a_bound(void **state)
{
    (void)state;
    json_t *line = a_header();
    json_t *clock = json_object_get(json_object_get(line, "machine"), "clock");
    json_object_set_new(clock, "offset_cpus", json_integer(1));
    json_object_del(clock, "offset_bound_ns");
    assert_int_equal(pb_header_check(line, message, sizeof message), -EINVAL);
    json_object_set_new(clock, "offset_cpus", json_integer(0)); /* one alone */
    assert_int_equal(pb_header_check(line, message, sizeof message), 0);
    json_decref(line);
}

static void libraries_are_known_by_their_packages(void **state)
{
    (void)state;
    tree_make();
    tree_put("/var/lib/dpkg/status",
             "Package: libjemalloc2\nStatus: install ok installed\nVersion: 5.3.0-1\n\n"
             "Package: libjemalloc2-dbg\nVersion: 9\n\n"
             "Package: libjansson4\nArchitecture: amd64\nVersion: 2.14-2\n");
    json_t *found = pb_header_libraries(root);
    assert_string_equal(json_string_value(json_object_get(found, "jemalloc")),
                        "libjemalloc2 5.3.0-1");
    assert_string_equal(json_string_value(json_object_get(found, "mimalloc")), "");
    assert_non_null(
        strstr(json_string_value(json_object_get(found, "jansson")), " (libjansson4 2.14-2)"));
    assert_true(json_string_value(json_object_get(found, "glibc"))[0] == '2'); /* what is loaded */
    json_decref(found);
    tree_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_runs_header_is_whole),
        cmocka_unit_test(whichever_key_is_missing_is_named),
        cmocka_unit_test(processors_that_were_compared_have_a_bound),
        cmocka_unit_test(libraries_are_known_by_their_packages),
    };
    return cmocka_run_group_tests(tests, plan_setup, plan_teardown);
}
