/* SPDX-License-Identifier: MIT */
/* Doctor's rows on a recorded machine that is as it should be, on which nothing is found; and with
 * one fault planted at a time, which is found and nothing else. Every row has a fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/doctor_internal.h"
#include "tree_fixture.h"

#include <math.h>

#define CPU "/sys/devices/system/cpu/"
#define LIMITS(memlock, nofile, core)                                                              \
    "Limit                     Soft Limit           Hard Limit           Units     \n"             \
    "Max core file size        " core "                    unlimited            bytes     \n"      \
    "Max open files            " nofile "                 1048576              files     \n"       \
    "Max locked memory         " memlock "            unlimited            bytes     \n"
#define FLAGS(more)  "processor\t: 0\nflags\t\t: fpu tsc " more "\n"
#define STATUS(caps) "Name:\tpoolbench\nPid:\t77\nCapEff:\t" caps "\n"
#define GOOD_FLAGS   FLAGS("rdtscp constant_tsc nonstop_tsc")

/* A machine of one's own that somebody has prepared. */
static const struct recorded good[] = {
    {CPU "cpu0/cpufreq/scaling_governor", "performance\n"},
    {CPU "cpufreq/boost", "0\n"},
    {CPU "intel_pstate/no_turbo", "1\n"},
    {CPU "smt/active", "0\n"},
    {"/proc/loadavg", "0.05 0.20 0.30 1/100 1234\n"},
    {"/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"},
    {"/proc/sys/kernel/randomize_va_space", "2\n"},
    {"/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"},
    {"/proc/cpuinfo", GOOD_FLAGS},
    {"/sys/class/dmi/id/sys_vendor", "Somebody Inc.\n"},
    {"/proc/stat", "cpu  1000 0 1000 8000 0 0 0 0 0 0\ncpu0 1 2 3 4 5 6 7 8\n"},
    {"/proc/self/cgroup", "0::/job\n"},
    {"/sys/fs/cgroup/job/cpu.max", "max 100000\n"},
    {"/sys/fs/cgroup/job/memory.max", "max\n"},
    {"/proc/self/limits", LIMITS("unlimited", "65536", "0")},
    {"/proc/self/status", STATUS("000001ffffffffff")},
    {"/proc/sys/kernel/perf_event_paranoid", "1\n"},
    {CPU "vulnerabilities/meltdown", "Not affected\n"},
    {"/proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"},
    {"/proc/sys/kernel/numa_balancing", "0\n"},
    {"/proc/1/comm", "init\n"},
    {"/proc/1/stat", "1 (init) S 0\n"},
    {"/proc/sys/vm/nr_hugepages", "0\n"},
};

static const struct pb_clock good_clock = {
    .source = "tsc", .ns_per_tick = 0.4, .quantum_ns = 10, .overhead_ns = 20, .objection = ""};
static const struct pb_clock bad_clock = {.source = "clock_gettime",
                                          .ns_per_tick = 1,
                                          .quantum_ns = 10,
                                          .overhead_ns = 40,
                                          .objection = "the TSC did not advance"};

static struct pb_doctor_seen good_seen(void)
{
    return (struct pb_doctor_seen){
        .root = root,
        .units = 8,
        .clock = &good_clock,
        .sanitizer = "",
        .counters = "hardware",
        .results = "results",
        .free_bytes = 5e10,
        .offset = {.cpus = 7, .offset_ns = 3, .bound_ns = 60, .one_way_ns = 50, .usual_ns = 60},
        .hiccups = {.cpus = 8, .worst_cpu = 3, .lost = 0.007, .longest_ns = 5e5},
        .syscall_ns = 118};
}

static void one_unit(struct pb_doctor_seen *s)
{
    s->units = 1;
}
static void no_tsc(struct pb_doctor_seen *s)
{
    s->clock = &bad_clock;
}
static void far_clocks(struct pb_doctor_seen *s)
{
    s->offset.bound_ns = 1500;
}
static void far_cpus(struct pb_doctor_seen *s)
{
    s->offset.usual_ns = 900;
}
static void some_hiccups(struct pb_doctor_seen *s)
{
    s->hiccups.lost = 0.02;
}
static void many_hiccups(struct pb_doctor_seen *s)
{
    s->hiccups.lost = 0.2;
}
static void full_disk(struct pb_doctor_seen *s)
{
    s->free_bytes = 1e8;
}
static void sanitized(struct pb_doctor_seen *s)
{
    s->sanitizer = "address";
}
static void debug(struct pb_doctor_seen *s)
{
    s->check = 2;
}
static void no_counters(struct pb_doctor_seen *s)
{
    s->counters = "software";
    snprintf(s->counters_reason, sizeof s->counters_reason, "cycles: no such counter");
}

/* One fault: a file that is otherwise, or something else that was seen. */
static const struct planted {
    const char *id;
    enum pb_doctor_level level;
    const char *value; /* has this in it */
    const char *path, *text;
    void (*seen)(struct pb_doctor_seen *);
} faults[] = {
    {"units", PB_DOCTOR_NOTE, "1 may be used", NULL, NULL, one_unit},
    {"governor", PB_DOCTOR_WARNING, "powersave", CPU "cpu0/cpufreq/scaling_governor", "powersave\n",
     NULL},
    {"boost", PB_DOCTOR_WARNING, "1", CPU "cpufreq/boost", "1\n", NULL},
    {"no_turbo", PB_DOCTOR_WARNING, "0", CPU "intel_pstate/no_turbo", "0\n", NULL},
    {"smt", PB_DOCTOR_NOTE, "1", CPU "smt/active", "1\n", NULL},
    {"load", PB_DOCTOR_WARNING, "3.50", "/proc/loadavg", "3.50 1 1 2/100 12\n", NULL},
    {"thp", PB_DOCTOR_WARNING, "always", "/sys/kernel/mm/transparent_hugepage/enabled",
     "[always] madvise never\n", NULL},
    {"aslr", PB_DOCTOR_WARNING, "0", "/proc/sys/kernel/randomize_va_space", "0\n", NULL},
    {"clocksource", PB_DOCTOR_WARNING, "hpet",
     "/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n", NULL},
    {"tsc", PB_DOCTOR_WARNING, "lacks nonstop_tsc", "/proc/cpuinfo", FLAGS("rdtscp constant_tsc"),
     NULL},
    {"clock", PB_DOCTOR_WARNING, "did not advance", NULL, NULL, no_tsc},
    {"clock_offset", PB_DOCTOR_WARNING, "1500 ns", NULL, NULL, far_clocks},
    {"virtual", PB_DOCTOR_NOTE, "virtual machine of Somebody", "/proc/cpuinfo",
     FLAGS("hypervisor rdtscp constant_tsc nonstop_tsc"), NULL},
    {"steal", PB_DOCTOR_WARNING, "2.91 %", "/proc/stat", "cpu  1000 0 1000 8000 0 0 0 300 0 0\n",
     NULL},
    {"cpu_quota", PB_DOCTOR_WARNING, "1.50 processors", "/sys/fs/cgroup/job/cpu.max",
     "150000 100000\n", NULL},
    {"memory_limit", PB_DOCTOR_NOTE, "512 MiB", "/sys/fs/cgroup/job/memory.max", "536870912\n",
     NULL},
    {"nofile", PB_DOCTOR_NOTE, "256", "/proc/self/limits", LIMITS("unlimited", "256", "0"), NULL},
    {"core", PB_DOCTOR_NOTE, "unlimited", "/proc/self/limits",
     LIMITS("unlimited", "65536", "unlimited"), NULL},
    {"counters", PB_DOCTOR_NOTE, "software; cycles", NULL, NULL, no_counters},
    {"privileges", PB_DOCTOR_NOTE, "without CAP_SYS_NICE", "/proc/self/status",
     STATUS("000001ffff7fffff"), NULL},
    {"mitigations", PB_DOCTOR_NOTE, "1 at work, 0 vulnerable, of 1", CPU "vulnerabilities/meltdown",
     "Mitigation: PTI\n", NULL},
    {"swap", PB_DOCTOR_NOTE, "1, 0 MiB used", "/proc/swaps",
     "Filename Type Size Used Priority\n/dev/sda2 partition 4096 0 -2\n", NULL},
    {"swap", PB_DOCTOR_WARNING, "1, 2 MiB used", "/proc/swaps",
     "Filename Type Size Used Priority\n/dev/sda2 partition 4096 2048 -2\n", NULL},
    {"numa_balancing", PB_DOCTOR_NOTE, "1", "/proc/sys/kernel/numa_balancing", "1\n", NULL},
    {"daemons", PB_DOCTOR_NOTE, "irqbalance (1)", "/proc/1/comm", "irqbalance\n", NULL},
    {"disk", PB_DOCTOR_WARNING, "0.1 GB free in results", NULL, NULL, full_disk},
    {"huge_pages", PB_DOCTOR_NOTE, "64 reserved", "/proc/sys/vm/nr_hugepages", "64\n", NULL},
    {"build", PB_DOCTOR_WARNING, "sanitizer address", NULL, NULL, sanitized},
    {"build", PB_DOCTOR_WARNING, "debug checks", NULL, NULL, debug},
    {"hiccups", PB_DOCTOR_NOTE, "2.00 % of the time lost on P#3", NULL, NULL, some_hiccups},
    {"hiccups", PB_DOCTOR_WARNING, "20.00 %", NULL, NULL, many_hiccups},
    {"ping_pong", PB_DOCTOR_WARNING, "900 ns", NULL, NULL, far_cpus},
};

static struct pb_findings findings;

static int make_tree(void **state)
{
    (void)state;
    tree_make();
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        tree_put(good[i].path, good[i].text);
    return 0;
}

static int remove_tree(void **state)
{
    (void)state;
    tree_remove();
    return 0;
}

static const char *good_text(const char *path)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (strcmp(good[i].path, path) == 0)
            return good[i].text;
    fail_msg("%s is not in the recorded tree", path);
    return "";
}

static const struct pb_finding *finding(const char *id)
{
    for (size_t i = 0; i < findings.n; i++)
        if (strcmp(findings.at[i].id, id) == 0)
            return &findings.at[i];
    fail_msg("there is no finding %s", id);
    return NULL;
}

static void find(const struct pb_doctor_seen *seen)
{
    pb_doctor_find(seen, &findings);
}

static void a_machine_that_is_as_it_should_be_has_no_finding(void **state)
{
    struct pb_doctor_seen seen = good_seen();
    char line[512];
    (void)state;
    find(&seen);
    for (size_t i = 0; i < findings.n; i++)
        if (findings.at[i].level != PB_DOCTOR_OK || findings.at[i].value[0] == '\0')
            fail_msg("%s: %s", findings.at[i].id, findings.at[i].value);
    assert_false(pb_doctor_refuses(&findings, line, sizeof line));
}

static void a_planted_fault_is_found_and_nothing_else(void **state)
{
    char line[1024];
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const struct planted *p = &faults[i];
        struct pb_doctor_seen seen = good_seen();
        if (p->path != NULL)
            tree_put(p->path, p->text);
        if (p->seen != NULL)
            p->seen(&seen);
        find(&seen);
        const struct pb_finding *f = finding(p->id);
        if (f->level != p->level || strstr(f->value, p->value) == NULL)
            fail_msg("%s: level %s, value '%s'", p->id, pb_doctor_levels[f->level], f->value);
        assert_true(f->cost[0] != '\0' && f->mend[0] != '\0' && f->source[0] != '\0');
        for (size_t k = 0; k < findings.n; k++)
            if (&findings.at[k] != f && findings.at[k].level != PB_DOCTOR_OK)
                fail_msg("%s brought %s: %s", p->id, findings.at[k].id, findings.at[k].value);
        assert_int_equal(pb_doctor_refuses(&findings, line, sizeof line),
                         p->level >= PB_DOCTOR_WARNING);
        if (p->level >= PB_DOCTOR_WARNING) {
            assert_int_equal(strncmp(line, p->id, strlen(p->id)), 0);
            assert_non_null(strstr(line, f->mend));
            assert_null(strchr(line, '\n'));
        }
        if (p->path != NULL)
            tree_put(p->path, good_text(p->path));
    }
}

static void every_row_has_a_planted_fault(void **state)
{
    static const char *const elsewhere[] = {"memlock", "perf_paranoid"}; /* below: with rights */
    (void)state;
    for (const struct pb_doctor_row *row = pb_doctor_rows; row->id != NULL; row++) {
        bool has = strcmp(row->id, elsewhere[0]) == 0 || strcmp(row->id, elsewhere[1]) == 0;
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
            has |= strcmp(faults[i].id, row->id) == 0;
        if (!has)
            fail_msg("%s has none", row->id);
    }
}

/* What mends a fault depends on whose machine it is. */
static void a_guest_is_told_what_a_guest_can_do(void **state)
{
    static const char *const ids[] = {"clock_offset", "steal"};
    struct pb_doctor_seen seen = good_seen();
    (void)state;
    far_clocks(&seen);
    tree_put("/proc/stat", "cpu  1000 0 1000 8000 0 0 0 300 0 0\n");
    find(&seen);
    for (size_t i = 0; i < 2; i++)
        assert_null(strstr(finding(ids[i])->mend, "guest"));
    tree_put("/proc/cpuinfo", FLAGS("hypervisor rdtscp constant_tsc nonstop_tsc"));
    find(&seen);
    for (size_t i = 0; i < 2; i++)
        assert_non_null(strstr(finding(ids[i])->mend, "cannot be changed in this guest"));
    tree_put("/proc/cpuinfo", GOOD_FLAGS);
    tree_put("/proc/stat", good_text("/proc/stat"));
}

/* Nobody measured what they cost: without them there is nothing to hold it against. */
static void the_price_of_mitigations_is_not_made_up(void **state)
{
    struct pb_doctor_seen seen = good_seen();
    (void)state;
    tree_put(CPU "vulnerabilities/meltdown", "Mitigation: PTI\n");
    find(&seen);
    assert_string_equal(finding("mitigations")->cost,
                        "a system call takes 118 ns; how much of it is theirs is not known");
    seen.syscall_ns = (double)NAN;
    find(&seen);
    assert_non_null(strstr(finding("mitigations")->cost, "not known here"));
    tree_put(CPU "vulnerabilities/meltdown", good_text(CPU "vulnerabilities/meltdown"));
}

static void what_a_privileged_user_need_not_keep_to_is_no_fault(void **state)
{
    struct pb_doctor_seen seen = good_seen();
    (void)state;
    tree_put("/proc/self/limits", LIMITS("8388608", "65536", "0"));
    tree_put("/proc/sys/kernel/perf_event_paranoid", "2\n");
    find(&seen);
    assert_int_equal(finding("memlock")->level, PB_DOCTOR_OK);
    assert_int_equal(finding("perf_paranoid")->level, PB_DOCTOR_OK);
    tree_put("/proc/self/status", STATUS("0000000000000000"));
    find(&seen);
    assert_int_equal(finding("memlock")->level, PB_DOCTOR_NOTE);
    assert_string_equal(finding("memlock")->value, "8388608");
    assert_int_equal(finding("perf_paranoid")->level, PB_DOCTOR_NOTE);
    assert_string_equal(finding("privileges")->value,
                        "without CAP_IPC_LOCK, CAP_SYS_ADMIN, CAP_SYS_NICE");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        tree_put(good[i].path, good[i].text);
}

static void who_runs_is_named_but_not_ourselves(void **state)
{
    struct pb_doctor_seen seen = good_seen();
    (void)state;
    tree_put("/proc/loadavg", "9.00 1 1 3/100 12\n");
    tree_put("/proc/42/stat", "42 (a (odd) name) R 1 2 3\n");
    tree_put("/proc/43/stat", "43 (asleep) S 1 2 3\n");
    tree_put("/proc/77/stat", "77 (poolbench) R 1 2 3\n");
    find(&seen);
    assert_string_equal(finding("load")->value, "9.00; running: a (odd) name (42)");
    tree_drop("/proc/42/stat");
    tree_drop("/proc/43/stat");
    tree_drop("/proc/77/stat");
    tree_put("/proc/loadavg", good_text("/proc/loadavg"));
}

static void a_machine_that_tells_nothing_is_not_accused(void **state)
{
    struct pb_doctor_seen seen = good_seen();
    (void)state;
    seen.root = "no-such-root";
    seen.clock = NULL;
    seen.counters = NULL;
    seen.free_bytes = (double)NAN;
    seen.offset.cpus = seen.hiccups.cpus = 0;
    find(&seen);
    for (size_t i = 0; i < findings.n; i++)
        if (findings.at[i].level != PB_DOCTOR_OK || findings.at[i].value[0] == '\0')
            fail_msg("%s: %s", findings.at[i].id, findings.at[i].value);
}

static void the_first_warning_is_named_and_the_others_counted(void **state)
{
    struct pb_doctor_seen seen = good_seen();
    char line[1024];
    (void)state;
    no_tsc(&seen);
    full_disk(&seen);
    many_hiccups(&seen);
    find(&seen);
    assert_true(pb_doctor_refuses(&findings, line, sizeof line));
    assert_int_equal(strncmp(line, "clock: clock_gettime, step 10 ns", 32), 0);
    assert_non_null(strstr(line, " (and 2 more: poolbench doctor)"));
    json_t *facts = pb_doctor_facts(&findings);
    assert_int_equal(json_array_size(facts), findings.n);
    assert_string_equal(json_string_value(json_object_get(json_array_get(facts, 0), "id")),
                        "units");
    assert_string_equal(json_string_value(json_object_get(json_array_get(facts, 0), "level")),
                        "ok");
    json_decref(facts);
}

static void this_machine_is_measured(void **state)
{
    struct pb_doctor_seen seen;
    (void)state;
    pb_doctor_see(&seen, 2, "default", true);
    assert_true(seen.hiccups.cpus >= 1);
    assert_true(seen.hiccups.lost >= 0.0 && seen.hiccups.lost <= 1.0);
    assert_true(seen.syscall_ns > 0.0);
    assert_true(seen.free_bytes > 0.0);
    assert_true(strcmp(seen.counters, "hardware") == 0 || strcmp(seen.counters, "software") == 0 ||
                strcmp(seen.counters, "none") == 0);
    find(&seen);
    assert_int_equal(findings.n, 31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_that_is_as_it_should_be_has_no_finding),
        cmocka_unit_test(a_planted_fault_is_found_and_nothing_else),
        cmocka_unit_test(every_row_has_a_planted_fault),
        cmocka_unit_test(a_guest_is_told_what_a_guest_can_do),
        cmocka_unit_test(the_price_of_mitigations_is_not_made_up),
        cmocka_unit_test(what_a_privileged_user_need_not_keep_to_is_no_fault),
        cmocka_unit_test(who_runs_is_named_but_not_ourselves),
        cmocka_unit_test(a_machine_that_tells_nothing_is_not_accused),
        cmocka_unit_test(the_first_warning_is_named_and_the_others_counted),
        cmocka_unit_test(this_machine_is_measured),
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
