/* SPDX-License-Identifier: MIT */
/* Completing and checking a run's first line: header.h. */
#include "runner/header.h"

#include "runner/machine_read.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <hwloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* --- libraries -------------------------------------------------------------------------------- */

/* `loaded`: what it says of itself here; the mallocs do in each repetition (`version`). */
static const struct library {
    const char *name, *package;
    const char *(*loaded)(void);
} libraries[] = {
    {"glibc", "libc6", gnu_get_libc_version},
    {"jemalloc", "libjemalloc2", NULL},
    {"mimalloc", "libmimalloc2.0", NULL},
    {"tcmalloc", "libtcmalloc-minimal4", NULL},
    {"hwloc", "libhwloc15", NULL},
    {"libbenchmark", "libbenchmark1debian", NULL},
    {"jansson", "libjansson4", jansson_version_str},
    {"sqlite", "libsqlite3-0", NULL},
    {"libpfm", "libpfm4", NULL},
    {"zlib", "zlib1g", zlibVersion},
    {"zstd", "libzstd1", ZSTD_versionString},
};

enum { LIBRARIES = sizeof libraries / sizeof *libraries, VERSION_MAX = 64 };

/* Of all packages at once: "Package: NAME", and below it "Version: 1.2-3". */
static void read_packages(const char *root, char versions[LIBRARIES][VERSION_MAX])
{
    char *line = NULL, *value;
    size_t room = 0, at = LIBRARIES;
    FILE *file = pb_read_open(root, "/var/lib/dpkg/status");
    while (file != NULL && getline(&line, &room, file) >= 0) {
        if ((value = pb_read_value(line, "Package")) != NULL)
            for (at = 0; at < LIBRARIES && strcmp(libraries[at].package, value) != 0;)
                at++;
        else if (at < LIBRARIES && (value = pb_read_value(line, "Version")) != NULL)
            snprintf(versions[at], VERSION_MAX, "%s", value);
    }
    free(line);
    if (file != NULL)
        fclose(file);
}

json_t *pb_header_libraries(const char *root)
{
    char versions[LIBRARIES][VERSION_MAX] = {0}, text[256];
    json_t *found = json_object();
    read_packages(root, versions);
    for (size_t i = 0; i < LIBRARIES; i++) {
        const char *loaded = libraries[i].loaded != NULL ? libraries[i].loaded() : "";
        size_t used = (size_t)snprintf(text, sizeof text, "%s", loaded);
        if (versions[i][0] != '\0')
            snprintf(text + used, sizeof text - used, used > 0 ? " (%s %s)" : "%s %s",
                     libraries[i].package, versions[i]);
        json_t *string = json_string(text);
        json_object_set_new(found, libraries[i].name, string != NULL ? string : json_string(""));
    }
    return found;
}

/* --- completing ------------------------------------------------------------------------------- */

static void put_offset(json_t *clock, const struct pb_clock_offset *offset)
{
    json_object_set_new(clock, "offset_cpus", json_integer(offset->cpus));
    if (offset->cpus == 0)
        return;
    json_object_set_new(clock, "offset_ns", json_real(offset->offset_ns));
    json_object_set_new(clock, "offset_bound_ns", json_real(offset->bound_ns));
    json_object_set_new(clock, "one_way_ns", json_real(offset->usual_ns));
}

void pb_header_complete(json_t *line, const struct pb_doctor_seen *seen,
                        const struct pb_findings *findings)
{
    json_t *machine = json_object_get(line, "machine");
    json_object_set_new(machine, "libraries", pb_header_libraries(seen->root));
    json_object_set_new(machine, "counters_kind",
                        json_string(seen->counters != NULL ? seen->counters : "off"));
    json_object_set_new(machine, "counters_reason", json_string(seen->counters_reason));
    put_offset(json_object_get(machine, "clock"), &seen->offset);
    json_object_set_new(line, "doctor", pb_doctor_facts(findings));
}

/* --- the check -------------------------------------------------------------------------------- */

/* What R12 and R21 ask for; a text may be empty where the machine does not tell. */
static const struct required {
    const char *key;
    json_type type; /* JSON_REAL: any number; JSON_TRUE: either */
} required[] = {
    {"v", JSON_INTEGER},
    {"run", JSON_STRING},
    {"t_utc", JSON_STRING},
    {"seed", JSON_INTEGER},
    {"blocks", JSON_INTEGER},
    {"reference", JSON_STRING},
    {"matrix.text", JSON_STRING},
    {"matrix.hash", JSON_STRING},
    {"options", JSON_OBJECT},
    {"metrics", JSON_OBJECT},
    {"doctor", JSON_ARRAY},
    {"suite.version", JSON_STRING},
    {"suite.git", JSON_STRING},
    {"suite.dirty", JSON_TRUE},
    {"suite.compiler", JSON_STRING},
    {"suite.flags", JSON_STRING},
    {"suite.sanitizer", JSON_STRING},
    {"suite.check", JSON_INTEGER},
    {"machine.host", JSON_STRING},
    {"machine.cpu", JSON_STRING},
    {"machine.cpus", JSON_INTEGER},
    {"machine.units", JSON_INTEGER},
    {"machine.microcode", JSON_STRING},
    {"machine.governor", JSON_STRING},
    {"machine.scaling_driver", JSON_STRING},
    {"machine.boost", JSON_STRING},
    {"machine.no_turbo", JSON_STRING},
    {"machine.smt", JSON_STRING},
    {"machine.smt_active", JSON_STRING},
    {"machine.idle_driver", JSON_STRING},
    {"machine.kernel", JSON_STRING},
    {"machine.kernel_build", JSON_STRING},
    {"machine.kernel_options", JSON_STRING},
    {"machine.libc", JSON_STRING},
    {"machine.thp", JSON_STRING},
    {"machine.thp_defrag", JSON_STRING},
    {"machine.huge_pages", JSON_STRING},
    {"machine.overcommit", JSON_STRING},
    {"machine.aslr", JSON_STRING},
    {"machine.swappiness", JSON_STRING},
    {"machine.swap_bytes", JSON_INTEGER},
    {"machine.memory_bytes", JSON_INTEGER},
    {"machine.numa_balancing", JSON_STRING},
    {"machine.clocksource", JSON_STRING},
    {"machine.hypervisor", JSON_TRUE},
    {"machine.virtual_by", JSON_STRING},
    {"machine.cgroup_cpu_max", JSON_STRING},
    {"machine.cgroup_memory_max", JSON_STRING},
    {"machine.rlimits.memlock", JSON_STRING},
    {"machine.rlimits.nofile", JSON_STRING},
    {"machine.rlimits.stack", JSON_STRING},
    {"machine.mitigations", JSON_OBJECT},
    {"machine.perf_event_paranoid", JSON_STRING},
    {"machine.counters_kind", JSON_STRING},
    {"machine.counters_reason", JSON_STRING},
    {"machine.load", JSON_STRING},
    {"machine.malloc_conf_file", JSON_STRING},
    {"machine.environment", JSON_OBJECT},
    {"machine.environment_bytes", JSON_INTEGER},
    {"machine.environment_dropped", JSON_ARRAY},
    {"machine.topology", JSON_STRING},
    {"machine.topology_digest", JSON_STRING},
    {"machine.libraries.glibc", JSON_STRING},
    {"machine.libraries.jemalloc", JSON_STRING},
    {"machine.libraries.mimalloc", JSON_STRING},
    {"machine.libraries.tcmalloc", JSON_STRING},
    {"machine.libraries.hwloc", JSON_STRING},
    {"machine.libraries.libbenchmark", JSON_STRING},
    {"machine.libraries.jansson", JSON_STRING},
    {"machine.libraries.sqlite", JSON_STRING},
    {"machine.clock.source", JSON_STRING},
    {"machine.clock.objection", JSON_STRING},
    {"machine.clock.overhead_ns", JSON_REAL},
    {"machine.clock.quantum_ns", JSON_REAL},
    {"machine.clock.resolution_ns", JSON_REAL},
    {"machine.clock.ns_per_tick", JSON_REAL},
    {"machine.clock.disagreement_ppm", JSON_REAL},
    {"machine.clock.offset_cpus", JSON_INTEGER},
};

const char *pb_header_key(size_t index)
{
    return index < sizeof required / sizeof *required ? required[index].key : NULL;
}

/* What a dotted name leads to, or NULL. */
static const json_t *follow(const json_t *at, const char *key)
{
    while (at != NULL && key[0] != '\0') {
        char part[64];
        size_t length = strcspn(key, ".");
        snprintf(part, sizeof part, "%.*s", (int)length, key);
        at = json_object_get(at, part);
        key += length + (key[length] == '.');
    }
    return at;
}

static bool is_of(const json_t *value, json_type type)
{
    if (type == JSON_REAL)
        return json_is_number(value);
    return type == JSON_TRUE ? json_is_boolean(value) : json_typeof(value) == type;
}

int pb_header_check(const json_t *line, char *message, size_t size)
{
    for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
        const json_t *value = follow(line, required[i].key);
        if (value != NULL && is_of(value, required[i].type))
            continue;
        snprintf(message, size, "the run's header: %s is %s", required[i].key,
                 value == NULL ? "missing" : "not what it should be");
        return -EINVAL;
    }
    /* a bound there must be wherever processors were compared */
    const json_t *clock = follow(line, "machine.clock");
    if (json_integer_value(json_object_get(clock, "offset_cpus")) > 0 &&
        !json_is_number(json_object_get(clock, "offset_bound_ns"))) {
        snprintf(message, size, "the run's header: machine.clock.offset_bound_ns is missing");
        return -EINVAL;
    }
    return 0;
}
