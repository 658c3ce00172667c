/* SPDX-License-Identifier: MIT */
/* The machine's state in lines "ok", "note" (noise, or less than all) and "miss" (needed and not
 * there), the last two with what to do: doctor.h. */
#include "runner/doctor.h"

#include "malloc/baselines.h"
#include "runner/machine.h"
#include "runner/preload.h"
#include "runner/store.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct doctor {
    FILE *out;
    int missing;
};

enum verdict { OK, NOTE, MISS };

static void say(struct doctor *d, enum verdict verdict, const char *what, const char *value,
                const char *advice)
{
    static const char *const words[] = {"ok  ", "note", "miss"};
    fprintf(d->out, "%s  %-18s %s\n", words[verdict], what, value);
    if (verdict != OK)
        fprintf(d->out, "      %-18s %s\n", "", advice);
    d->missing += verdict == MISS;
}

static bool in_path(const char *program, char *out, size_t size)
{
    const char *path = getenv("PATH");
    for (; path != NULL && *path != '\0'; path += path[0] == ':') {
        size_t length = strcspn(path, ":");
        if ((size_t)snprintf(out, size, "%.*s/%s", (int)length, path, program) < size &&
            access(out, X_OK) == 0)
            return true;
        path += length;
    }
    return false;
}

static void check_programs(struct doctor *d)
{
    char path[PATH_MAX];
    if (in_path("gnuplot", path, sizeof path))
        say(d, OK, "gnuplot", path, "");
    else
        say(d, MISS, "gnuplot", "not in PATH: no figures can be drawn",
            "apt-get install gnuplot-nox");
}

/* One library, as a cell's child would get it: a file that is there may still not load. */
static void check_library(struct doctor *d, const char *program, const char *name)
{
    char path[PATH_MAX], line[256], text[PATH_MAX + 320], advice[128];
    const char *file = pb_baseline_preload(name, path, sizeof path);
    const char *package = pb_preload_package(name);
    if (file == NULL) {
        snprintf(advice, sizeof advice, "apt-get install %s", package);
        say(d, MISS, name, "not installed: its cells will be 'unavailable'", advice);
        return;
    }
    int error = pb_preload_ask(program, name, line, sizeof line);
    const char *where = file[0] != '\0' ? file : "the C library";
    snprintf(text, sizeof text, "%s%s%s", where,
             error == 0        ? ", "
             : file[0] != '\0' ? " does not load: "
                               : " does not answer: ",
             line);
    if (package[0] != '\0')
        snprintf(advice, sizeof advice,
                 "its cells will be 'unavailable': apt-get install --reinstall %s", package);
    else
        snprintf(advice, sizeof advice, "its cells will be 'unavailable': see /etc/ld.so.preload");
    say(d, error == 0 ? OK : MISS, name, text, advice);
}

static void check_libraries(struct doctor *d, const char *program)
{
    char text[128];
    if (pb_suite_sanitizer[0] != '\0') {
        snprintf(text, sizeof text, "belongs to the sanitizer (%.60s) in this build",
                 pb_suite_sanitizer);
        say(d, NOTE, "malloc", text, "cells of glibc and the others need a build without one");
        return;
    }
    for (size_t i = 0; pb_baseline_names[i] != NULL; i++)
        check_library(d, program, pb_baseline_names[i]);
}

/* A fact whose text decides: the verdict where it is among `good`, and what to do where it is not.
 */
static const struct rule {
    const char *key, *what;
    const char *good[3]; /* "" says: not known is fine */
    const char *advice;
} rules[] = {
    {"governor",
     "governor",
     {"performance", ""},
     "the clock moves with the load: cpupower frequency-set -g performance"},
    {"boost", "turbo", {"0", ""}, "boost is on: echo 0 > /sys/devices/system/cpu/cpufreq/boost"},
    {"no_turbo",
     "no_turbo",
     {"1", ""},
     "turbo is on: echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo"},
    {"aslr",
     "ASLR",
     {"2"},
     "layout is meant to vary between repetitions: sysctl kernel.randomize_va_space=2"},
    {"thp",
     "THP",
     {"madvise", "never", ""},
     "huge pages come and go by themselves: echo madvise > "
     "/sys/kernel/mm/transparent_hugepage/enabled"},
    {"clocksource",
     "clocksource",
     {"tsc", "arch_sys_counter", ""},
     "the kernel does not trust the TSC here: expect coarser times"},
};

static void check_rules(struct doctor *d, const json_t *facts)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const char *value = json_string_value(json_object_get(facts, rules[i].key));
        bool good = false;
        for (size_t k = 0; k < 3 && rules[i].good[k] != NULL; k++)
            good |= value != NULL && strcmp(value, rules[i].good[k]) == 0;
        say(d, good ? OK : NOTE, rules[i].what,
            value != NULL && value[0] != '\0' ? value : "not told by this kernel", rules[i].advice);
    }
}

static void check_machine(struct doctor *d, const json_t *facts)
{
    char text[160];
    json_int_t units = json_integer_value(json_object_get(facts, "units"));
    const json_t *clock = json_object_get(facts, "clock");
    const char *load = json_string_value(json_object_get(facts, "load"));
    bool virtual = json_is_true(json_object_get(facts, "hypervisor"));
    snprintf(text, sizeof text, "%lld may be used", (long long)units);
    say(d, units >= 2 ? OK : NOTE, "processing units", text,
        "with one, threads take turns: nothing about contention can be measured");
    snprintf(text, sizeof text, "%s, step %.3g ns, a reading %.3g ns",
             json_string_value(json_object_get(clock, "source")),
             json_real_value(json_object_get(clock, "quantum_ns")),
             json_real_value(json_object_get(clock, "overhead_ns")));
    say(d, strstr(text, "tsc") != NULL ? OK : NOTE, "clock", text,
        "no invariant TSC: single operations are timed less finely");
    say(d, virtual ? NOTE : OK, "hypervisor", virtual ? "this is a virtual machine" : "none",
        "other guests take time unseen: trust ratios more than times, and the A/A noise most");
    say(d, load != NULL && atof(load) < 0.5 ? OK : NOTE, "load", load != NULL ? load : "?",
        "something else is running: stop it, or expect preemptions");
}

static void check_results(struct doctor *d)
{
    char root[PATH_MAX];
    pb_store_root(root, sizeof root);
    if (access(root, W_OK) == 0)
        say(d, OK, "results", root, "");
    else
        say(d, NOTE, "results", root,
            "not there or not writable: it is made when a run begins; else give --out");
}

int pb_doctor(const char *program, FILE *out)
{
    struct doctor d = {out, 0};
    struct pb_topology *topology = NULL;
    if (pb_topology_load(NULL, &topology) != 0) {
        say(&d, MISS, "topology", "hwloc cannot read it", "see hwloc-info");
        return d.missing;
    }
    json_t *facts = pb_machine_facts("", topology, pb_clock_open());
    fprintf(out, "%s, %s, %s, %s, %s\n\n", json_string_value(json_object_get(facts, "host")),
            json_string_value(json_object_get(facts, "cpu")),
            json_string_value(json_object_get(facts, "topology")),
            json_string_value(json_object_get(facts, "kernel")),
            json_string_value(json_object_get(facts, "libc")));
    check_machine(&d, facts);
    check_rules(&d, facts);
    check_programs(&d);
    check_libraries(&d, program);
    check_results(&d);
    json_decref(facts);
    pb_topology_free(topology);
    return d.missing;
}
