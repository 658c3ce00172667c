/* SPDX-License-Identifier: MIT */
/* The facts of a machine, read from recorded trees: a virtual machine, and one that tells nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As a two-way EPYC guest had them; the flags are shortened. */
static const struct {
    const char *path, *text;
} recorded[] = {
    {"/proc/cpuinfo",
     "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nmicrocode\t: 0x1000065\n"
     "flags\t\t: fpu vme hypervisor lahf_lm constant_tsc\n\n"
     "processor\t: 1\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nmicrocode\t: 0x1000065\n"
     "flags\t\t: fpu vme hypervisor lahf_lm constant_tsc\n\n"},
    {"/proc/meminfo", "MemTotal:       20480000 kB\nMemFree:         1000000 kB\n"},
    {"/proc/cmdline", "console=ttyS0 quiet mitigations=off secret=1 isolcpus=1\n"},
    {"/proc/loadavg", "0.10 0.20 0.30 1/100 1234\n"},
    {"/proc/sys/kernel/hostname", "bench-1\n"},
    {"/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n"},
    {"/proc/sys/kernel/version", "#1 SMP Debian 6.1.76-1\n"},
    {"/proc/sys/kernel/randomize_va_space", "2\n"},
    {"/proc/sys/vm/nr_hugepages", "0\n"},
    {"/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"},
    {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"},
    {"/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"},
};

enum { FILES = sizeof recorded / sizeof *recorded };

static char root[64];

/* Makes every folder of a path. */
static void make_folders(char *path)
{
    for (char *at = path + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(path, 0777);
        *at = '/';
    }
}

static int make_tree(void **state)
{
    char path[256], link[256];
    (void)state;
    snprintf(root, sizeof root, "machine-XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    for (size_t i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s%s", root, recorded[i].path);
        make_folders(path);
        FILE *file = fopen(path, "w");
        if (file == NULL)
            return -1;
        fputs(recorded[i].text, file);
        fclose(file);
    }
    snprintf(path, sizeof path, "%s/etc", root);
    snprintf(link, sizeof link, "%s/etc/malloc.conf", root);
    return mkdir(path, 0777) == 0 && symlink("narenas:1", link) == 0 ? 0 : -1;
}

static int remove_tree(void **state)
{
    char path[256];
    (void)state;
    for (size_t i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s%s", root, recorded[i].path);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/etc/malloc.conf", root);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    /* folders from the innermost out; those that others still need fail and are met again */
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < FILES; i++) {
            char *slash;
            snprintf(path, sizeof path, "%s%s", root, recorded[i].path);
            while ((slash = strrchr(path, '/')) != NULL) {
                *slash = '\0';
                rmdir(path);
            }
        }
    return access(root, F_OK) == 0 ? -1 : 0;
}

static const char *text_of(const json_t *facts, const char *key)
{
    const char *text = json_string_value(json_object_get(facts, key));
    if (text == NULL)
        fail_msg("%s is not there", key);
    return text;
}

static void a_recorded_machine_is_read_as_it_was(void **state)
{
    (void)state;
    json_t *facts = pb_machine_facts(root, NULL, NULL);
    assert_string_equal(text_of(facts, "host"), "bench-1");
    assert_string_equal(text_of(facts, "cpu"), "AMD EPYC");
    assert_string_equal(text_of(facts, "microcode"), "0x1000065");
    assert_int_equal(json_integer_value(json_object_get(facts, "cpus")), 2);
    assert_true(json_is_true(json_object_get(facts, "hypervisor")));
    assert_int_equal(json_integer_value(json_object_get(facts, "memory_bytes")), 20480000ll * 1024);
    assert_string_equal(text_of(facts, "kernel"), "Linux 6.1.0-18-amd64");
    assert_string_equal(text_of(facts, "thp"), "madvise");
    assert_string_equal(text_of(facts, "aslr"), "2");
    assert_string_equal(text_of(facts, "governor"), "performance");
    assert_string_equal(text_of(facts, "clocksource"), "tsc");
    assert_string_equal(text_of(facts, "kernel_options"), "mitigations=off isolcpus=1");
    assert_string_equal(text_of(facts, "boost"), ""); /* this kernel does not tell */
    assert_int_equal(strncmp(text_of(facts, "libc"), "glibc 2.", 8), 0);
    assert_string_equal(text_of(facts, "malloc_conf_file"), "narenas:1");
    assert_null(json_object_get(facts, "units"));
    assert_null(json_object_get(facts, "clock"));
    json_decref(facts);
}

static void a_machine_that_tells_nothing_has_empty_facts(void **state)
{
    (void)state;
    json_t *facts = pb_machine_facts("no-such-root", NULL, NULL);
    assert_string_equal(text_of(facts, "host"), "");
    assert_string_equal(text_of(facts, "cpu"), "");
    assert_string_equal(text_of(facts, "malloc_conf_file"), "");
    assert_int_equal(json_integer_value(json_object_get(facts, "cpus")), 0);
    assert_int_equal(json_integer_value(json_object_get(facts, "memory_bytes")), 0);
    assert_true(json_is_false(json_object_get(facts, "hypervisor")));
    json_decref(facts);
}

static void the_topology_and_the_clock_are_told_where_they_are_known(void **state)
{
    static const struct pb_clock clock = {
        .source = "tsc", .ns_per_tick = 0.5, .quantum_ns = 10, .overhead_ns = 9.5};
    struct pb_topology *topology = NULL;
    (void)state;
    assert_int_equal(pb_topology_load("core:4 pu:2", &topology), 0);
    json_t *facts = pb_machine_facts(root, topology, &clock);
    assert_int_equal(json_integer_value(json_object_get(facts, "units")), 8);
    assert_true(text_of(facts, "topology")[0] != '\0');
    assert_string_equal(text_of(json_object_get(facts, "clock"), "source"), "tsc");
    json_decref(facts);
    pb_topology_free(topology);
}

static bool lists(const json_t *names, const char *name)
{
    size_t i;
    json_t *one;
    json_array_foreach(names, i, one) if (strcmp(json_string_value(one), name) == 0) return true;
    return false;
}

static void variables_that_no_child_is_given_are_named_without_their_values(void **state)
{
    (void)state;
    json_t *facts = pb_machine_facts(root, NULL, NULL);
    const size_t before = json_array_size(json_object_get(facts, "environment_dropped"));
    assert_true(json_is_array(json_object_get(facts, "environment_dropped")));
    json_decref(facts);
    setenv("BENCHMARK_TEST_ONLY", "zzz", 1);
    setenv("MIMALLOC_TEST_ONLY", "1", 1);
    setenv("PB_TEST_ONLY", "1", 1);
    facts = pb_machine_facts(root, NULL, NULL);
    const json_t *names = json_object_get(facts, "environment_dropped");
    assert_int_equal(json_array_size(names), before + 2);
    assert_true(lists(names, "BENCHMARK_TEST_ONLY") && lists(names, "MIMALLOC_TEST_ONLY"));
    json_decref(facts);
    unsetenv("BENCHMARK_TEST_ONLY");
    unsetenv("MIMALLOC_TEST_ONLY");
    unsetenv("PB_TEST_ONLY");
}

static void a_run_of_another_suite_or_machine_is_told_from_ours(void **state)
{
    static const char *const facts[][2] = {
        {"machine", "cpu"},     {"machine", "microcode"}, {"machine", "units"},
        {"machine", "kernel"},  {"machine", "libc"},      {"machine", "malloc_conf_file"},
        {"suite", "version"},   {"suite", "git"},         {"suite", "dirty"},
        {"suite", "flags"},     {"suite", "compiler"},    {"suite", "check"},
        {"suite", "sanitizer"},
    };
    struct pb_topology *topology = NULL;
    char what[64], want[64];
    (void)state;
    assert_int_equal(pb_topology_load("core:4 pu:2", &topology), 0);
    json_t *header = json_pack("{s:o, s:o}", "machine", pb_machine_facts("", topology, NULL),
                               "suite", pb_suite_facts());
    json_object_set_new(json_object_get(header, "machine"), "load", json_string("9 9 9"));
    assert_true(pb_machine_same(header, topology, what, sizeof what));
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        json_t *other = json_deep_copy(header);
        json_object_set_new(json_object_get(other, facts[i][0]), facts[i][1], json_string("other"));
        assert_false(pb_machine_same(other, topology, what, sizeof what));
        snprintf(want, sizeof want, "%s.%s", facts[i][0], facts[i][1]);
        assert_string_equal(what, want);
        json_decref(other);
    }
    json_object_set_new(json_object_get(header, "suite"), "more", json_true());
    assert_false(pb_machine_same(header, topology, what, sizeof what));
    assert_string_equal(what, "suite");
    json_decref(header);
    pb_topology_free(topology);
}

static void the_suite_and_its_metrics_are_described(void **state)
{
    static const char *const keys[] = {"version", "git", "compiler", "flags", "sanitizer"};
    const char *key;
    json_t *metric;
    (void)state;
    json_t *suite = pb_suite_facts();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        text_of(suite, keys[i]);
    assert_true(json_is_boolean(json_object_get(suite, "dirty")));
    assert_true(json_is_integer(json_object_get(suite, "check")));
    json_decref(suite);
    json_t *metrics = pb_metric_facts();
    assert_true(json_object_size(metrics) > 0);
    json_object_foreach(metrics, key, metric)
    {
        text_of(metric, "unit");
        text_of(metric, "help");
        json_int_t better = json_integer_value(json_object_get(metric, "better"));
        assert_true(better >= -1 && better <= 1);
    }
    json_decref(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recorded_machine_is_read_as_it_was),
        cmocka_unit_test(a_machine_that_tells_nothing_has_empty_facts),
        cmocka_unit_test(the_topology_and_the_clock_are_told_where_they_are_known),
        cmocka_unit_test(variables_that_no_child_is_given_are_named_without_their_values),
        cmocka_unit_test(a_run_of_another_suite_or_machine_is_told_from_ours),
        cmocka_unit_test(the_suite_and_its_metrics_are_described),
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
