/* SPDX-License-Identifier: MIT */
/* The facts of a machine, read from recorded trees: a virtual machine, and one that tells nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/machine.h"
#include "runner/machine_read.h"
#include "tree_fixture.h"

#include <math.h>

/* As a two-way EPYC guest had them; the flags are shortened. */
static const struct recorded recorded[] = {
    {"/proc/cpuinfo",
     "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nmicrocode\t: 0x1000065\n"
     "flags\t\t: fpu vme hypervisor lahf_lm constant_tsc\n\n"
     "processor\t: 1\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nmicrocode\t: 0x1000065\n"
     "flags\t\t: fpu vme hypervisor lahf_lm constant_tsc\n\n"},
    {"/proc/meminfo",
     "MemTotal:       20480000 kB\nMemFree:         1000000 kB\nSwapTotal:           2048 kB\n"},
    {"/proc/self/limits",
     "Limit                     Soft Limit           Hard Limit           Units     \n"
     "Max locked memory         8388608              unlimited            bytes     \n"
     "Max open files            1024                 1048576              files     \n"},
    {"/proc/self/cgroup", "4:memory:/job\n1:cpu,cpuacct:/job/one\n0::/\n"},
    {"/sys/fs/cgroup/cpu,cpuacct/job/one/cpu.cfs_quota_us", "-1\n"},
    {"/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "150000\n"},
    {"/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n"},
    {"/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n"},
    {"/sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected\n"},
    {"/sys/devices/system/cpu/vulnerabilities/spectre_v2", "Mitigation: Retpolines\n"},
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

static int make_tree(void **state)
{
    char path[128];
    (void)state;
    tree_make();
    for (size_t i = 0; i < sizeof recorded / sizeof *recorded; i++)
        tree_put(recorded[i].path, recorded[i].text);
    snprintf(path, sizeof path, "%s/etc", root);
    mkdir(path, 0777);
    strcat(path, "/malloc.conf");
    return symlink("narenas:1", path);
}

static int remove_tree(void **state)
{
    (void)state;
    tree_remove();
    return 0;
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

static void limits_and_mitigations_are_read(void **state)
{
    (void)state;
    json_t *facts = pb_machine_facts(root, NULL, NULL);
    const json_t *limits = json_object_get(facts, "rlimits");
    const json_t *mitigations = json_object_get(facts, "mitigations");
    assert_string_equal(text_of(limits, "memlock"), "8388608");
    assert_string_equal(text_of(limits, "nofile"), "1024");
    assert_string_equal(text_of(limits, "core"), ""); /* not in this one's list */
    assert_int_equal(json_object_size(mitigations), 2);
    assert_string_equal(text_of(mitigations, "spectre_v2"), "Mitigation: Retpolines");
    assert_string_equal(text_of(facts, "cgroup_cpu_max"), "1.50 CPUs"); /* of the group above */
    assert_string_equal(text_of(facts, "cgroup_memory_max"), "max");    /* version 1's "none" */
    assert_int_equal(json_integer_value(json_object_get(facts, "swap_bytes")), 2048 * 1024);
    json_decref(facts);
}

/* Both versions, and the tightest on the way up. */
static void what_a_cgroup_allows_is_found_wherever_it_is_set(void **state)
{
    double limit;
    (void)state;
    tree_put("/proc/self/cgroup", "0::/a/b\n");
    assert_false(pb_read_cgroup(root, false, &limit)); /* nobody says */
    tree_put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_true(pb_read_cgroup(root, false, &limit) && isinf(limit));
    tree_put("/sys/fs/cgroup/a/cpu.max", "250000 100000\n");
    assert_true(pb_read_cgroup(root, false, &limit) && limit == 2.5);
    tree_put("/sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
    assert_true(pb_read_cgroup(root, false, &limit) && limit == 0.5);
    tree_put("/sys/fs/cgroup/unified/a/memory.max", "1048576\n"); /* beside version 1 */
    assert_true(pb_read_cgroup(root, true, &limit) && limit == 1048576.0);
    tree_put("/proc/self/cgroup", "3:cpuset:/\n2:cpu:/\n");
    assert_false(pb_read_cgroup(root, false, &limit));
    tree_put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "20000\n");
    tree_put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "10000\n");
    assert_true(pb_read_cgroup(root, false, &limit) && limit == 2.0);
    tree_put("/proc/self/cgroup", "bad\n");
    assert_false(pb_read_cgroup(root, false, &limit));
}

static void variables_that_reach_the_children_are_kept_with_their_values(void **state)
{
    (void)state;
    setenv("PB_TEST_ONLY", "a value", 1);
    setenv("SECRET_TEST_ONLY", "hush", 1);
    setenv("MIMALLOC_TEST_ONLY", "1", 1);
    json_t *facts = pb_machine_facts(root, NULL, NULL);
    const json_t *kept = json_object_get(facts, "environment");
    assert_string_equal(text_of(kept, "PB_TEST_ONLY"), "a value");
    assert_null(json_object_get(kept, "SECRET_TEST_ONLY"));
    assert_null(json_object_get(kept, "MIMALLOC_TEST_ONLY")); /* no child is given it */
    assert_true(json_integer_value(json_object_get(facts, "environment_bytes")) > 20);
    json_decref(facts);
    unsetenv("PB_TEST_ONLY");
    unsetenv("SECRET_TEST_ONLY");
    unsetenv("MIMALLOC_TEST_ONLY");
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
    assert_int_equal(strlen(text_of(facts, "topology_digest")), 16);
    assert_int_equal(strspn(text_of(facts, "topology_digest"), "0123456789abcdef"), 16);
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
        cmocka_unit_test(limits_and_mitigations_are_read),
        cmocka_unit_test(what_a_cgroup_allows_is_found_wherever_it_is_set),
        cmocka_unit_test(variables_that_reach_the_children_are_kept_with_their_values),
        cmocka_unit_test(a_machine_that_tells_nothing_has_empty_facts),
        cmocka_unit_test(the_topology_and_the_clock_are_told_where_they_are_known),
        cmocka_unit_test(variables_that_no_child_is_given_are_named_without_their_values),
        cmocka_unit_test(a_run_of_another_suite_or_machine_is_told_from_ours),
        cmocka_unit_test(the_suite_and_its_metrics_are_described),
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
