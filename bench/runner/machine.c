/* SPDX-License-Identifier: MIT */
/* Facts of the machine and of the build: machine.h. */
#include "runner/machine.h"

#include "build_facts.h"

#include "probes/probe.h"
#include "runner/spawn.h"

#include <ctype.h>
#include <gnu/libc-version.h>
#include <limits.h>
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
    {"cgroup_memory_max", "/sys/fs/cgroup/memory.max", LINE},
    {"cgroup_cpu_max", "/sys/fs/cgroup/cpu.max", LINE},
    {"load", "/proc/loadavg", LINE},
    {"virtual_by", "/sys/class/dmi/id/sys_vendor", LINE},
};

static FILE *open_below(const char *root, const char *path)
{
    char whole[PATH_MAX];
    if ((size_t)snprintf(whole, sizeof whole, "%s%s", root, path) >= sizeof whole)
        return NULL;
    return fopen(whole, "re");
}

/* The first line of a file below root, without its end; "" if it cannot be read. */
static void first_line(const char *root, const char *path, char *out, size_t size)
{
    FILE *file = open_below(root, path);
    out[0] = '\0';
    if (file != NULL && fgets(out, (int)size, file) == NULL)
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    if (file != NULL)
        fclose(file);
}

/* Keeps the word in brackets, if there is one. */
static void choose(char *text)
{
    char *open = strchr(text, '['), *end = open != NULL ? strchr(open, ']') : NULL;
    if (end == NULL)
        return;
    *end = '\0';
    memmove(text, open + 1, strlen(open + 1) + 1);
}

/* The value behind "key : value", or NULL. */
static char *value_of(char *line, const char *key)
{
    size_t length = strlen(key);
    char *colon = strchr(line, ':');
    if (strncmp(line, key, length) != 0 || colon == NULL)
        return NULL;
    for (char *p = line + length; p < colon; p++)
        if (!isspace((unsigned char)*p))
            return NULL;
    colon++;
    while (isspace((unsigned char)*colon))
        colon++;
    colon[strcspn(colon, "\n")] = '\0';
    return colon;
}

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

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
    first_line(root, "/proc/cmdline", line, sizeof line);
    while ((word = strsep(&rest, " ")) != NULL)
        for (size_t i = 0; i < sizeof bearing / sizeof *bearing; i++)
            if (strncmp(word, bearing[i], strlen(bearing[i])) == 0) {
                size_t used = strlen(kept);
                snprintf(kept + used, sizeof kept - used, "%s%s", used == 0 ? "" : " ", word);
                break;
            }
    json_object_set_new(facts, "kernel_options", text(kept));
    first_line(root, "/proc/sys/kernel/osrelease", release, sizeof release);
    snprintf(line, sizeof line, "%s%s", release[0] != '\0' ? "Linux " : "", release);
    json_object_set_new(facts, "kernel", text(line));
}

static void put_cpu(json_t *facts, const char *root)
{
    char *line = NULL, *value;
    size_t room = 0;
    json_int_t cpus = 0;
    FILE *file = open_below(root, "/proc/cpuinfo");
    json_object_set_new(facts, "cpu", text(""));
    json_object_set_new(facts, "microcode", text(""));
    json_object_set_new(facts, "hypervisor", json_false());
    while (file != NULL && getline(&line, &room, file) >= 0) {
        if (value_of(line, "processor") != NULL)
            cpus++;
        else if ((value = value_of(line, "model name")) != NULL)
            json_object_set_new(facts, "cpu", text(value));
        else if ((value = value_of(line, "microcode")) != NULL)
            json_object_set_new(facts, "microcode", text(value));
        else if ((value = value_of(line, "flags")) != NULL && has_word(value, "hypervisor"))
            json_object_set_new(facts, "hypervisor", json_true());
    }
    json_object_set_new(facts, "cpus", json_integer(cpus));
    free(line);
    if (file != NULL)
        fclose(file);
}

static void put_memory(json_t *facts, const char *root)
{
    char *line = NULL, *value;
    size_t room = 0;
    long long kib = 0;
    FILE *file = open_below(root, "/proc/meminfo");
    while (file != NULL && getline(&line, &room, file) >= 0)
        if ((value = value_of(line, "MemTotal")) != NULL)
            kib = strtoll(value, NULL, 10);
    json_object_set_new(facts, "memory_bytes", json_integer(kib * 1024));
    free(line);
    if (file != NULL)
        fclose(file);
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

json_t *pb_machine_facts(const char *root, const struct pb_topology *topology,
                         const struct pb_clock *clock)
{
    char line[1024];
    json_t *facts = json_object();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        first_line(root, files[i].path, line, sizeof line);
        if (files[i].kind == CHOSEN)
            choose(line);
        json_object_set_new(facts, files[i].key, text(line));
    }
    put_kernel(facts, root);
    put_cpu(facts, root);
    put_memory(facts, root);
    put_tuning(facts, root);
    snprintf(line, sizeof line, "glibc %s", gnu_get_libc_version());
    json_object_set_new(facts, "libc", text(line));
    if (topology != NULL) {
        json_object_set_new(facts, "units", json_integer(pb_topology_units(topology)));
        if (pb_topology_describe(topology, line, sizeof line) < 0)
            line[0] = '\0';
        json_object_set_new(facts, "topology", text(line));
    }
    if (clock != NULL)
        json_object_set_new(facts, "clock",
                            json_pack("{s:s, s:f, s:f, s:f}", "source", clock->source, "quantum_ns",
                                      clock->quantum_ns, "overhead_ns", clock->overhead_ns,
                                      "ns_per_tick", clock->ns_per_tick));
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
