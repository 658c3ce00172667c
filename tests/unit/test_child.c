/* SPDX-License-Identifier: MIT */
/* The memory limit of a repetition: what it is on, who is to blame where it is reached, and what is
 * said of it. Each repetition runs in a process of its own, as it does under the runner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "child_answer.h"
#include "skip.h"

#include "runner/limit.h"
#include "runner/machine.h"
#include "runner/wire.h"

#include <stdio.h>
#include <sys/resource.h>

static char status[16], reason[256];
static double rss_peak; /* -1: not said */

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

/* What the test itself is limited to: data above what there is, and address space; 0: nothing. */
struct users {
    rlim_t data, space;
};

static void limit_self(struct users users)
{
    const struct {
        unsigned what;
        rlim_t bytes;
    } limits[] = {{RLIMIT_DATA, users.data != 0 ? data_in_use() + users.data : 0},
                  {RLIMIT_AS, users.space}};
    for (size_t i = 0; i < 2; i++) {
        struct rlimit own;
        getrlimit(limits[i].what, &own);
        own.rlim_cur = limits[i].bytes;
        if (limits[i].bytes != 0)
            setrlimit(limits[i].what, &own);
    }
}

static void limit_child(void *users)
{
    limit_self(*(const struct users *)users);
}

/* Runs one repetition. */
static void run(const struct pb_cell_spec *spec, json_int_t limit, struct users users)
{
    json_t *input = pb_wire_spec_to_json(spec);
    json_object_set_new(input, "memory_limit", json_integer(limit));
    json_t *json = child_answer(input, limit_child, &users);
    const json_t *rss = json_object_get(json_object_get(json, "m"), "rss_peak_bytes");
    snprintf(status, sizeof status, "%s", json_string_value(json_object_get(json, "status")));
    snprintf(reason, sizeof reason, "%s", json_string_value(json_object_get(json, "reason")));
    rss_peak = rss != NULL ? json_number_value(rss) : -1;
    json_decref(json);
}

static const struct users free_user = {0, 0};

/* A cell that holds `chunks` blocks of `bytes` for each of its threads; the harness's draws, slots
 * and windows take 3 MiB and more. */
static struct pb_cell_spec holding(const char *variant, unsigned threads, int bytes, int chunks)
{
    struct pb_cell_spec spec = {.workload = "larson",
                                .pin = "none",
                                .memory = "default",
                                .start = "warm",
                                .arrival = "closed",
                                .delay = "none",
                                .threads = threads,
                                .oversubscribe = true,
                                .seed = 7,
                                .scale = 1,
                                .audit = true};
    snprintf(spec.variant, sizeof spec.variant, "%s", variant);
    snprintf(spec.params, sizeof spec.params, "min=%d,max=%d,chunks=%d,ops=%d", bytes, bytes,
             chunks, 2 * chunks);
    return spec;
}

static void expect_reason(const char *words)
{
    if (strstr(reason, words) == NULL)
        fail_msg("'%s: %s' lacks '%s'", status, reason, words);
}

static void the_harness_has_its_own_memory_beside_the_limit(void **state)
{
    struct pb_cell_spec spec = holding("pool", 2, 8, 65535);
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("a sanitizer keeps memory and mappings of its own");
    run(&spec, 8 << 20, free_user);
    assert_string_equal(reason, "");
    assert_string_equal(status, "ok");
}

/* Runs that cell with the audit and without, and expects one verdict: it holds its limit, or is out
 * of memory and says which. `mapped` bytes may have been there before the heap was asked. */
static bool holds_its_limit(struct pb_cell_spec *spec, json_int_t limit, double mapped)
{
    char first[sizeof status] = "";
    for (int audit = 1; audit >= 0; audit--) {
        spec->audit = audit != 0;
        run(spec, limit, free_user);
        if (audit != 0)
            snprintf(first, sizeof first, "%s", status);
        if (strcmp(status, first) != 0)
            fail_msg("%s with %lld: %s, and %s without audit", spec->variant, (long long)limit,
                     first, status);
        if (strcmp(status, "ok") != 0) {
            assert_string_equal(status, "oom");
            expect_reason("; the memory limit is ");
            assert_null(strstr(reason, "harness"));
        } else if (rss_peak > (double)limit + mapped) {
            fail_msg("%s holds %.0f with a limit of %lld", spec->variant, rss_peak,
                     (long long)limit);
        }
    }
    return strcmp(status, "ok") == 0;
}

/* 4 MiB live. glibc has room in what the process mapped before. */
static void the_limit_is_on_the_strategy_with_the_audit_and_without(void **state)
{
    static const char *const variants[] = {"null", "pool", "zone", "lookaside", "glibc"};
    static const json_int_t limits[] = {1, 64 << 10, 4 << 20, 12 << 20, 64 << 20};
    enum { VARIANTS = sizeof variants / sizeof *variants, LIMITS = sizeof limits / sizeof *limits };
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("a sanitizer keeps memory and mappings of its own");
    for (size_t i = 0; i < VARIANTS; i++) {
        struct pb_cell_spec spec = holding(variants[i], 2, 1000, 2048);
        bool holds = false;
        for (size_t k = 0; k < LIMITS; k++) {
            bool now = holds_its_limit(&spec, limits[k], i == 4 ? 1 << 20 : 64 << 10);
            assert_true(now || !holds); /* more is never worse */
            holds = now;
            assert_true(k >= 2 || !holds);
        }
        assert_true(holds);
    }
}

static void a_strategy_far_over_its_limit_is_never_ok(void **state)
{
    static const char *const variants[] = {"null", "pool", "zone", "lookaside", "glibc"};
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("a sanitizer keeps memory and mappings of its own");
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        struct pb_cell_spec spec = holding(variants[i], 2, 1000, 32768);
        run(&spec, 8 << 20, free_user);
        assert_string_equal(status, "oom");
        expect_reason("; the memory limit is 8.0 MiB: raise --memory-limit, or 0 for none");
    }
}

/* Reached by the strategy: named in place of a limit of ours that is higher, or that is none. */
static void a_lower_limit_of_the_user_s_own_is_the_one_that_is_named(void **state)
{
    static const json_int_t limits[] = {0, 1 << 30};
    struct pb_cell_spec spec = holding("pool", 1, 1000, 65536);
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("a sanitizer keeps memory and mappings of its own");
    for (size_t i = 0; i < 2; i++) {
        run(&spec, limits[i], (struct users){32 << 20, 0});
        assert_string_equal(status, "oom");
        expect_reason("; the limit on data (ulimit -d) is ");
        expect_reason(" MiB: raise it");
        assert_null(strstr(reason, "--memory-limit"));
    }
    run(&spec, 4 << 20, (struct users){32 << 20, 0});
    assert_string_equal(status, "oom");
    expect_reason("; the memory limit is 4.0 MiB: raise --memory-limit");
}

/* No strategy is to blame, nor is the memory limit: stacks that the user's own does not allow, and
 * address space. */
static void a_harness_without_memory_is_a_failure(void **state)
{
    struct pb_cell_spec spec = holding("pool", 2, 8, 65535);
    (void)state;
    if (pb_suite_sanitizer[0] != '\0')
        skip_because("a sanitizer keeps memory and mappings of its own");
    for (json_int_t limit = 0; limit <= 1 << 30; limit += 1 << 30) {
        run(&spec, limit, (struct users){2 << 20, 0});
        assert_string_equal(status, "failed");
        expect_reason("the workers cannot be started or bound: ");
        expect_reason("; the limit on data (ulimit -d) is ");
        assert_null(strstr(reason, "--memory-limit"));
    }
    run(&spec, 1 << 20, (struct users){0, (rlim_t)1 << 30});
    assert_string_equal(status, "failed");
    assert_string_equal(reason, "the harness has no memory for a cell");
}

static void the_remedy_fits_behind_a_long_reason(void **state)
{
    char text[256];
    struct pb_limit limit = {.bytes = 3 << 20, .users = UINT64_MAX};
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    pb_limit_name(&limit, text, sizeof text);
    assert_string_equal(text + strspn(text, "x"),
                        "; the memory limit is 3.0 MiB: raise --memory-limit, or 0 for none");
    limit = (struct pb_limit){.users = UINT64_MAX};
    pb_limit_name(&limit, text, sizeof text);
    assert_non_null(strstr(text, "is 3.0 MiB"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_harness_has_its_own_memory_beside_the_limit),
        cmocka_unit_test(the_limit_is_on_the_strategy_with_the_audit_and_without),
        cmocka_unit_test(a_strategy_far_over_its_limit_is_never_ok),
        cmocka_unit_test(a_lower_limit_of_the_user_s_own_is_the_one_that_is_named),
        cmocka_unit_test(a_harness_without_memory_is_a_failure),
        cmocka_unit_test(the_remedy_fits_behind_a_long_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
