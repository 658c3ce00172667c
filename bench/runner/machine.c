/* SPDX-License-Identifier: MIT */
/* Facts of the machine and of the build: machine.h. */
#include "runner/machine.h"

#include "build_facts.h"

#include "probes/probe.h"
#include "runner/json_line.h"
#include "runner/machine_read.h"
#include "runner/spawn.h"

#include <gnu/libc-version.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__clang__)
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZER "address"
#elif __has_feature(thread_sanitizer)
#define SANITIZER "thread"
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZER "address"
#elif defined(__SANITIZE_THREAD__)
#define SANITIZER "thread"
#endif
#ifndef SANITIZER
#define SANITIZER ""
#endif

const char pb_suite_version[] = PB_VERSION;
const char pb_suite_sanitizer[] = SANITIZER;

/* A fact that is one line of a file. CHOSEN: the word in brackets of "always [madvise] never". */
static const struct {
    const char *key, *path;
    enum { LINE, CHOSEN } kind;
} files[] = {
    {"host", "/proc/sys/kernel/hostname", LINE},
    {"kernel_build", "/proc/sys/kernel/version", LINE},
    {"thp", "/sys/kernel/mm/transparent_hugepage/enabled", CHOSEN},
    {"aslr", "/proc/sys/kernel/randomize_va_space", LINE},
    {"governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", LINE},
    {"boost", "/sys/devices/system/cpu/cpufreq/boost", LINE},
    {"no_turbo", "/sys/devices/system/cpu/intel_pstate/no_turbo", LINE},
    {"smt", "/sys/devices/system/cpu/smt/control", LINE},
    {"clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource", LINE},
    {"huge_pages", "/proc/sys/vm/nr_hugepages", LINE},
    {"overcommit", "/proc/sys/vm/overcommit_memory", LINE},
    {"smt_active", "/sys/devices/system/cpu/smt/active", LINE},
    {"thp_defrag", "/sys/kernel/mm/transparent_hugepage/defrag", CHOSEN},
    {"numa_balancing", "/proc/sys/kernel/numa_balancing", LINE},
    {"swappiness", "/proc/sys/vm/swappiness", LINE},
    {"perf_event_paranoid", "/proc/sys/kernel/perf_event_paranoid", LINE},
    {"scaling_driver", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", LINE},
    {"idle_driver", "/sys/devices/system/cpu/cpuidle/current_driver", LINE},
    {"load", "/proc/loadavg", LINE},
    {"virtual_by", "/sys/class/dmi/id/sys_vendor", LINE},
};

static json_t *text(const char *value)
{
    json_t *string = json_string(value);
    return string != NULL ? string : json_string(""); /* not UTF-8 */
}

/* The words of the kernel's command line that bear on measuring; the rest is nobody's business. */
static void put_kernel(json_t *facts, const char *root)
{
    static const char *const bearing[] = {"mitigations=",
                                          "isolcpus=",
                                          "nohz",
                                          "rcu_nocbs=",
                                          "nosmt",
                                          "idle=",
                                          "intel_pstate",
                                          "amd_pstate",
                                          "preempt=",
                                          "hugepages",
                                          "default_hugepagesz",
                                          "transparent_hugepage=",
                                          "processor.max_cstate=",
                                          "intel_idle.max_cstate=",
                                          "clocksource=",
                                          "tsc="};
    char line[4096], kept[1024] = "", release[256], *rest = line, *word;
    pb_read_line(root, "/proc/cmdline", line, sizeof line);
    while ((word = strsep(&rest, " ")) != NULL)
        for (size_t i = 0; i < sizeof bearing / sizeof *bearing; i++)
            if (strncmp(word, bearing[i], strlen(bearing[i])) == 0) {
                size_t used = strlen(kept);
                snprintf(kept + used, sizeof kept - used, "%s%s", used == 0 ? "" : " ", word);
                break;
            }
    json_object_set_new(facts, "kernel_options", text(kept));
    pb_read_line(root, "/proc/sys/kernel/osrelease", release, sizeof release);
    snprintf(line, sizeof line, "%s%s", release[0] != '\0' ? "Linux " : "", release);
    json_object_set_new(facts, "kernel", text(line));
}

static void put_cpu(json_t *facts, const char *root)
{
    char *line = NULL, *value;
    size_t room = 0;
    json_int_t cpus = 0;
    FILE *file = pb_read_open(root, "/proc/cpuinfo");
    json_object_set_new(facts, "cpu", text(""));
    json_object_set_new(facts, "microcode", text(""));
    json_object_set_new(facts, "hypervisor", json_false());
    while (file != NULL && getline(&line, &room, file) >= 0) {
        if (pb_read_value(line, "processor") != NULL)
            cpus++;
        else if ((value = pb_read_value(line, "model name")) != NULL)
            json_object_set_new(facts, "cpu", text(value));
        else if ((value = pb_read_value(line, "microcode")) != NULL)
            json_object_set_new(facts, "microcode", text(value));
        else if ((value = pb_read_value(line, "flags")) != NULL &&
                 pb_read_has_word(value, "hypervisor"))
            json_object_set_new(facts, "hypervisor", json_true());
    }
    json_object_set_new(facts, "cpus", json_integer(cpus));
    free(line);
    if (file != NULL)
        fclose(file);
}

/* "2048 kB" in bytes. */
static json_t *kib(const char *root, const char *key)
{
    char value[64];
    pb_read_field(root, "/proc/meminfo", key, value, sizeof value);
    return json_integer(strtoll(value, NULL, 10) * 1024);
}

static json_t *cgroup(const char *root, bool bytes)
{
    char value[64] = "";
    double limit;
    if (pb_read_cgroup(root, bytes, &limit))
        snprintf(value, sizeof value, isinf(limit) ? "max" : bytes ? "%.0f" : "%.2f CPUs", limit);
    return text(value);
}

struct mitigations {
    const char *root;
    json_t *found;
};

static void add_mitigation(void *context, const char *name)
{
    struct mitigations *m = context;
    char path[PATH_MAX], line[256];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/vulnerabilities/%s", name);
    if (pb_read_line(m->root, path, line, sizeof line))
        json_object_set_new(m->found, name, text(line));
}

/* What the process may take, and what the kernel does against the processor's faults. */
static void put_limits(json_t *facts, const char *root)
{
    static const char *const limits[][2] = {
        {"memlock", "Max locked memory"},   {"nofile", "Max open files"},
        {"core", "Max core file size"},     {"data", "Max data size"},
        {"as", "Max address space"},        {"stack", "Max stack size"},
        {"rtprio", "Max realtime priority"}};
    char value[64];
    json_t *rlimits = json_object();
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        pb_read_rlimit(root, limits[i][1], value, sizeof value);
        json_object_set_new(rlimits, limits[i][0], text(value));
    }
    struct mitigations mitigations = {root, json_object()};
    pb_read_folder(root, "/sys/devices/system/cpu/vulnerabilities", add_mitigation, &mitigations);
    json_object_set_new(facts, "rlimits", rlimits);
    json_object_set_new(facts, "mitigations", mitigations.found);
    json_object_set_new(facts, "memory_bytes", kib(root, "MemTotal"));
    json_object_set_new(facts, "swap_bytes", kib(root, "SwapTotal"));
    json_object_set_new(facts, "cgroup_memory_max", cgroup(root, true));
    json_object_set_new(facts, "cgroup_cpu_max", cgroup(root, false));
}

/* The variables that reach the children and bear on them: ours, the loader's, the sanitizers'. */
static void put_environment(json_t *facts)
{
    static const char *const bearing[] = {"PB_", "LD_", "ASAN_", "TSAN_", "UBSAN_", "HWLOC_"};
    json_t *kept = json_object();
    size_t bytes = 0;
    for (char **entry = environ; *entry != NULL; entry++) {
        char name[128];
        size_t length = strcspn(*entry, "=");
        bytes += strlen(*entry) + 1;
        if (length >= sizeof name || pb_spawn_drops(*entry))
            continue;
        snprintf(name, sizeof name, "%.*s", (int)length, *entry);
        for (size_t i = 0; i < sizeof bearing / sizeof *bearing; i++)
            if (strncmp(name, bearing[i], strlen(bearing[i])) == 0)
                json_object_set_new(kept, name, text(*entry + length + 1));
    }
    json_object_set_new(facts, "environment", kept);
    json_object_set_new(facts, "environment_bytes", json_integer((json_int_t)bytes));
}

json_t *pb_machine_dropped(void)
{
    json_t *names = json_array();
    for (char **entry = environ; *entry != NULL; entry++)
        if (pb_spawn_drops(*entry)) {
            json_t *name = json_stringn(*entry, strcspn(*entry, "="));
            json_array_append_new(names, name != NULL ? name : text("(not UTF-8)"));
        }
    return names;
}

/* What tunes the allocators from outside: what no child is given, and jemalloc's file, which is
 * read all the same. */
static void put_tuning(json_t *facts, const char *root)
{
    char path[PATH_MAX], target[1024];
    int length = snprintf(path, sizeof path, "%s/etc/malloc.conf", root);
    ssize_t n = (size_t)length < sizeof path ? readlink(path, target, sizeof target - 1) : -1;
    target[n > 0 ? n : 0] = '\0';
    json_object_set_new(facts, "malloc_conf_file", text(target));
    json_object_set_new(facts, "environment_dropped", pb_machine_dropped());
}

static void put_topology(json_t *facts, const struct pb_topology *topology)
{
    char line[1024], digest[17] = "", *xml = NULL;
    if (pb_topology_describe(topology, line, sizeof line) < 0)
        line[0] = '\0';
    if (pb_topology_xml(topology, &xml) == 0)
        snprintf(digest, sizeof digest, "%016" PRIx64, pb_hash_text(xml, strlen(xml)));
    free(xml);
    json_object_set_new(facts, "units", json_integer(pb_topology_units(topology)));
    json_object_set_new(facts, "topology", text(line));
    json_object_set_new(facts, "topology_digest", text(digest));
}

static json_t *clock_facts(const struct pb_clock *clock)
{
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:s}", "source", clock->source, "quantum_ns",
                     clock->quantum_ns, "resolution_ns", pb_clock_resolution_ns(), "overhead_ns",
                     clock->overhead_ns, "ns_per_tick", clock->ns_per_tick, "disagreement_ppm",
                     clock->disagreement_ppm, "objection",
                     clock->objection != NULL ? clock->objection : "");
}

json_t *pb_machine_facts(const char *root, const struct pb_topology *topology,
                         const struct pb_clock *clock)
{
    char line[1024];
    json_t *facts = json_object();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        pb_read_line(root, files[i].path, line, sizeof line);
        if (files[i].kind == CHOSEN)
            pb_read_choose(line);
        json_object_set_new(facts, files[i].key, text(line));
    }
    put_kernel(facts, root);
    put_cpu(facts, root);
    put_limits(facts, root);
    put_tuning(facts, root);
    put_environment(facts);
    snprintf(line, sizeof line, "glibc %s", gnu_get_libc_version());
    json_object_set_new(facts, "libc", text(line));
    if (topology != NULL)
        put_topology(facts, topology);
    if (clock != NULL)
        json_object_set_new(facts, "clock", clock_facts(clock));
    return facts;
}

json_t *pb_suite_facts(void)
{
    return json_pack("{s:s, s:s, s:b, s:s, s:s, s:s, s:i}", "version", PB_VERSION, "git",
                     PB_GIT_HASH, "dirty", PB_GIT_DIRTY, "compiler", COMPILER, "flags", PB_CFLAGS,
                     "sanitizer", SANITIZER, "check", PB_CHECK);
}

/* The first of the keys whose values differ; NULL if none does. */
static const char *differing(const json_t *here, const json_t *then, const char *const *keys)
{
    for (; *keys != NULL; keys++)
        if (!json_equal(json_object_get(here, *keys), json_object_get(then, *keys)))
            return *keys;
    return NULL;
}

bool pb_machine_same(const json_t *header, const struct pb_topology *topology, char *what,
                     size_t size)
{
    static const char *const machine_keys[] = {"cpu",  "microcode",        "units", "kernel",
                                               "libc", "malloc_conf_file", NULL};
    static const char *const suite_keys[] = {"version", "git",       "dirty", "compiler",
                                             "flags",   "sanitizer", "check", NULL};
    json_t *machine = pb_machine_facts("", topology, NULL), *suite = pb_suite_facts();
    const json_t *suite_then = json_object_get(header, "suite");
    const char *key;
    what[0] = '\0';
    if ((key = differing(machine, json_object_get(header, "machine"), machine_keys)) != NULL)
        snprintf(what, size, "machine.%s", key);
    else if ((key = differing(suite, suite_then, suite_keys)) != NULL)
        snprintf(what, size, "suite.%s", key);
    else if (!json_equal(suite, suite_then))
        snprintf(what, size, "suite");
    json_decref(machine);
    json_decref(suite);
    return what[0] == '\0';
}

json_t *pb_metric_facts(void)
{
    json_t *facts = json_object();
    const struct pb_probe *probe;
    for (size_t i = 0; (probe = pb_probe_at(i)) != NULL; i++)
        for (const struct pb_metric *m = probe->metrics; m->key != NULL; m++)
            json_object_set_new(facts, m->key,
                                json_pack("{s:s, s:i, s:s}", "unit", m->unit, "better", m->better,
                                          "help", m->help));
    return facts;
}
