/* SPDX-License-Identifier: MIT */
/* The judges of doctor's rows that are about limits, rights and room: doctor_internal.h. */
#include "runner/doctor_internal.h"
#include "runner/machine_read.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double DISK_MIN = 1e9, MEMORY_MIN = 8e9;
enum { MEMLOCK_MIN = 64 << 20, NOFILE_MIN = 1024 };
enum { WITH_PERFMON = 38, WITH_ADMIN = 21, WITH_NICE = 23, WITH_LOCK = 14 }; /* capabilities(7) */

static enum pb_doctor_level not_told(struct pb_finding *finding)
{
    snprintf(finding->value, sizeof finding->value, "not told by this kernel");
    return PB_DOCTOR_OK;
}

enum pb_doctor_level pb_judge_cpu_quota(const struct pb_doctor_seen *seen,
                                        const struct pb_doctor_row *row, struct pb_finding *finding)
{
    double limit;
    if (!pb_read_cgroup(seen->root, false, &limit))
        return not_told(finding);
    snprintf(finding->value, sizeof finding->value, isinf(limit) ? "none" : "%.2f processors",
             limit);
    return isinf(limit) ? PB_DOCTOR_OK : row->bad;
}

/* A limit that no cell of ours comes near is none. */
enum pb_doctor_level pb_judge_memory_limit(const struct pb_doctor_seen *seen,
                                           const struct pb_doctor_row *row,
                                           struct pb_finding *finding)
{
    double limit;
    if (!pb_read_cgroup(seen->root, true, &limit))
        return not_told(finding);
    snprintf(finding->value, sizeof finding->value, isinf(limit) ? "none" : "%.0f MiB",
             limit / 0x1p20);
    return limit > MEMORY_MIN ? PB_DOCTOR_OK : row->bad;
}

/* The effective capabilities; false if not told. */
static bool capabilities(const char *root, uint64_t *set)
{
    char value[64];
    if (!pb_read_field(root, "/proc/self/status", "CapEff", value, sizeof value))
        return false;
    *set = strtoull(value, NULL, 16);
    return true;
}

static bool may(const struct pb_doctor_seen *seen, int capability)
{
    uint64_t set;
    return capabilities(seen->root, &set) && (set >> capability & 1) != 0;
}

/* A limit below `least` is bad unless `excused`. */
static enum pb_doctor_level judge_rlimit(const struct pb_doctor_seen *seen, const char *name,
                                         double least, bool excused,
                                         const struct pb_doctor_row *row,
                                         struct pb_finding *finding)
{
    char value[64];
    pb_read_rlimit(seen->root, name, value, sizeof value);
    if (value[0] == '\0')
        return not_told(finding);
    bool enough = strcmp(value, "unlimited") == 0 || strtod(value, NULL) >= least;
    snprintf(finding->value, sizeof finding->value, "%s%s", value,
             !enough && excused ? ", but this user need not keep to it" : "");
    return enough || excused ? PB_DOCTOR_OK : row->bad;
}

enum pb_doctor_level pb_judge_memlock(const struct pb_doctor_seen *seen,
                                      const struct pb_doctor_row *row, struct pb_finding *finding)
{
    return judge_rlimit(seen, "Max locked memory", MEMLOCK_MIN, may(seen, WITH_LOCK), row, finding);
}

enum pb_doctor_level pb_judge_nofile(const struct pb_doctor_seen *seen,
                                     const struct pb_doctor_row *row, struct pb_finding *finding)
{
    return judge_rlimit(seen, "Max open files", NOFILE_MIN, false, row, finding);
}

enum pb_doctor_level pb_judge_core(const struct pb_doctor_seen *seen,
                                   const struct pb_doctor_row *row, struct pb_finding *finding)
{
    char value[64];
    pb_read_rlimit(seen->root, "Max core file size", value, sizeof value);
    if (value[0] == '\0')
        return not_told(finding);
    snprintf(finding->value, sizeof finding->value, "%s", value);
    return strcmp(value, "0") == 0 ? PB_DOCTOR_OK : row->bad;
}

enum pb_doctor_level pb_judge_paranoid(const struct pb_doctor_seen *seen,
                                       const struct pb_doctor_row *row, struct pb_finding *finding)
{
    char value[64];
    if (!pb_read_line(seen->root, row->from, value, sizeof value))
        return not_told(finding);
    bool excused = may(seen, WITH_PERFMON) || may(seen, WITH_ADMIN);
    bool bad = strtol(value, NULL, 10) > 1;
    snprintf(finding->value, sizeof finding->value, "%s%s", value,
             bad && excused ? ", but this user need not keep to it" : "");
    return bad && !excused ? row->bad : PB_DOCTOR_OK;
}

enum pb_doctor_level pb_judge_privileges(const struct pb_doctor_seen *seen,
                                         const struct pb_doctor_row *row,
                                         struct pb_finding *finding)
{
    static const struct {
        int capability;
        const char *name;
    } wanted[] = {
        {WITH_LOCK, "CAP_IPC_LOCK"}, {WITH_ADMIN, "CAP_SYS_ADMIN"}, {WITH_NICE, "CAP_SYS_NICE"}};
    uint64_t set;
    size_t used = 0;
    if (!capabilities(seen->root, &set))
        return not_told(finding);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if ((set >> wanted[i].capability & 1) == 0)
            used += (size_t)snprintf(finding->value + used, sizeof finding->value - used, "%s%s",
                                     used == 0 ? "without " : ", ", wanted[i].name);
    if (used > 0)
        return row->bad;
    snprintf(finding->value, sizeof finding->value, "may lock memory, see frames, use SCHED_FIFO");
    return PB_DOCTOR_OK;
}

struct tally {
    const char *root;
    unsigned mitigated, vulnerable, known;
};

static void tally_add(void *context, const char *name)
{
    struct tally *tally = context;
    char path[PATH_MAX], line[256];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/vulnerabilities/%s", name);
    if (!pb_read_line(tally->root, path, line, sizeof line))
        return;
    tally->known++;
    tally->mitigated += strncmp(line, "Mitigation", 10) == 0;
    tally->vulnerable += strncmp(line, "Vulnerable", 10) == 0;
}

enum pb_doctor_level pb_judge_mitigations(const struct pb_doctor_seen *seen,
                                          const struct pb_doctor_row *row,
                                          struct pb_finding *finding)
{
    struct tally tally = {.root = seen->root};
    pb_read_folder(seen->root, "/sys/devices/system/cpu/vulnerabilities", tally_add, &tally);
    if (tally.known == 0)
        return not_told(finding);
    snprintf(finding->value, sizeof finding->value, "%u at work, %u vulnerable, of %u",
             tally.mitigated, tally.vulnerable, tally.known);
    if (isfinite(seen->syscall_ns)) {
        snprintf(finding->cost, sizeof finding->cost,
                 "a system call takes %.0f ns; how much of it is theirs is not known",
                 seen->syscall_ns);
        finding->source = "measured here";
    }
    return tally.mitigated > 0 ? row->bad : PB_DOCTOR_OK;
}

enum pb_doctor_level pb_judge_swap(const struct pb_doctor_seen *seen,
                                   const struct pb_doctor_row *row, struct pb_finding *finding)
{
    char *line = NULL;
    size_t room = 0;
    unsigned areas = 0;
    uint64_t used_kib = 0;
    FILE *file = pb_read_open(seen->root, "/proc/swaps");
    if (file == NULL)
        return not_told(finding);
    for (unsigned n = 0; getline(&line, &room, file) >= 0; n++) {
        uint64_t size, used;
        if (n > 0 && sscanf(line, "%*s %*s %" SCNu64 " %" SCNu64, &size, &used) == 2) {
            areas++;
            used_kib += used;
        }
    }
    free(line);
    fclose(file);
    snprintf(finding->value, sizeof finding->value,
             areas == 0 ? "none" : "%u, %" PRIu64 " MiB used", areas, used_kib / 1024);
    if (used_kib > 0)
        return row->bad;
    return areas > 0 ? PB_DOCTOR_NOTE : PB_DOCTOR_OK;
}

enum pb_doctor_level pb_judge_disk(const struct pb_doctor_seen *seen,
                                   const struct pb_doctor_row *row, struct pb_finding *finding)
{
    if (!isfinite(seen->free_bytes))
        return not_told(finding);
    snprintf(finding->value, sizeof finding->value, "%.1f GB free in %.400s",
             seen->free_bytes / 1e9, seen->results);
    return seen->free_bytes < DISK_MIN ? row->bad : PB_DOCTOR_OK;
}

enum pb_doctor_level pb_judge_huge_pages(const struct pb_doctor_seen *seen,
                                         const struct pb_doctor_row *row,
                                         struct pb_finding *finding)
{
    char value[64];
    if (!pb_read_line(seen->root, row->from, value, sizeof value))
        return not_told(finding);
    snprintf(finding->value, sizeof finding->value, "%s reserved", value);
    return strcmp(value, "0") == 0 ? PB_DOCTOR_OK : row->bad;
}

enum pb_doctor_level pb_judge_build(const struct pb_doctor_seen *seen,
                                    const struct pb_doctor_row *row, struct pb_finding *finding)
{
    bool plain = seen->sanitizer[0] == '\0';
    snprintf(finding->value, sizeof finding->value, "%s%s%s", plain ? "" : "sanitizer ",
             plain ? "" : seen->sanitizer,
             seen->check > 0 ? (plain ? "debug checks" : ", debug checks")
             : plain         ? "release"
                             : "");
    return plain && seen->check == 0 ? PB_DOCTOR_OK : row->bad;
}
