/* SPDX-License-Identifier: MIT */
/* The memory limit of a repetition: what it is on, who is to blame where it is reached, and what is
 * said of it. Each repetition runs in a process of its own, as it does under the runner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/child.h"
#include "runner/machine.h"
#include "runner/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char status[16], reason[256];

/* What counts against RLIMIT_DATA. */
static rlim_t data_in_use(void)
{
    char line[128];
    unsigned long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmData: %lu", &kib) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return (rlim_t)kib * 1024;
}

/* Runs one repetition; `user` is the user's own limit above what there is, 0: none. */
static void run(const struct pb_cell_spec *spec, json_int_t limit, rlim_t user)
{
    char answer[1 << 16] = "";
    int in[2], out[2], ended = 0;
    size_t n = 0;
    ssize_t more;
    json_t *json = pb_wire_spec_to_json(spec);
    json_object_set_new(json, "memory_limit", json_integer(limit));
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    assert_true(pipe(in) == 0 && pipe(out) == 0);
    assert_int_equal(write(in[1], text, strlen(text)), (ssize_t)strlen(text));
    free(text);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit own;
        close(in[1]);
        getrlimit(RLIMIT_DATA, &own);
        own.rlim_cur = data_in_use() + user;
        if (user != 0)
            setrlimit(RLIMIT_DATA, &own);
        _exit(pb_child_run(in[0], out[1]));
    }
    assert_true(pid > 0);
    close(in[0]);
    close(in[1]);
    close(out[1]);
    while ((more = read(out[0], answer + n, sizeof answer - 1 - n)) > 0)
        n += (size_t)more;
    close(out[0]);
    assert_int_equal(waitpid(pid, &ended, 0), pid);
    assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    json = json_loads(answer, 0, NULL);
    assert_non_null(json);
    snprintf(status, sizeof status, "%s", json_string_value(json_object_get(json, "status")));
    snprintf(reason, sizeof reason, "%s", json_string_value(json_object_get(json, "reason")));
    json_decref(json);
}

/* A cell whose draws and slots take 3 MiB of the harness's, its windows more; its blocks fit into
 * half a MiB. */
static struct pb_cell_spec many_slots(const char *variant)
{
    struct pb_cell_spec spec = {
        .workload = "larson", .pin = "none", .memory = "default", .threads = 1, .seed = 7};
    snprintf(spec.variant, sizeof spec.variant, "%s", variant);
    snprintf(spec.params, sizeof spec.params, "min=8,max=8,chunks=65535,ops=100K");
    spec.scale = 1;
    spec.audit = true;
    return spec;
}

static void the_harness_has_its_own_memory_beside_the_limit(void **state)
{
    struct pb_cell_spec spec = many_slots("pool");
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip();
    run(&spec, 4 << 20, 0);
    assert_string_equal(reason, "");
    assert_string_equal(status, "ok");
}

/* 64 MiB live: the strategy's own, with the audit and without. */
static void a_strategy_that_takes_more_is_out_of_memory_and_the_limit_is_named(void **state)
{
    static const char *const variants[] = {"pool", "zone"};
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip();
    for (int i = 0; i < 4; i++) {
        struct pb_cell_spec spec = many_slots(variants[i / 2]);
        snprintf(spec.params, sizeof spec.params, "min=1000,max=1000,chunks=65536,ops=10000");
        spec.audit = i % 2 == 0;
        run(&spec, 8 << 20, 0);
        assert_string_equal(status, "oom");
        assert_non_null(strstr(reason, "; the memory limit is 8.0 MiB: raise --memory-limit, or 0 "
                                       "for none"));
        assert_null(strstr(reason, "harness"));
    }
}

/* A limit of the user's own leaves no room for the op streams: no strategy is to blame. */
static void a_harness_without_memory_is_a_failure_that_names_the_limit(void **state)
{
    struct pb_cell_spec spec = many_slots("pool");
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip();
    run(&spec, (json_int_t)1 << 30, 2 << 20);

    assert_non_null(strstr(reason, "the harness has no memory for the op stream; the memory limit "
                                   "is 1024.0 MiB: raise --memory-limit, or 0 for none"));
    assert_string_equal(status, "failed");
}

static void a_heap_that_opens_larger_than_the_limit_is_out_of_memory(void **state)
{
    struct pb_cell_spec spec = many_slots("zone");
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip();
    run(&spec, 1, 0);
    assert_string_equal(status, "oom");
    assert_non_null(strstr(reason, "bytes to open; the memory limit is 1 B: raise"));
}

static void the_remedy_fits_behind_a_long_reason(void **state)
{
    char text[256];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    pb_limit_name(3 << 20, text, sizeof text);
    assert_string_equal(text + strspn(text, "x"),
                        "; the memory limit is 3.0 MiB: raise --memory-limit, or 0 for none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_harness_has_its_own_memory_beside_the_limit),
        cmocka_unit_test(a_strategy_that_takes_more_is_out_of_memory_and_the_limit_is_named),
        cmocka_unit_test(a_harness_without_memory_is_a_failure_that_names_the_limit),
        cmocka_unit_test(a_heap_that_opens_larger_than_the_limit_is_out_of_memory),
        cmocka_unit_test(the_remedy_fits_behind_a_long_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
