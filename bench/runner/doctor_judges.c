/* SPDX-License-Identifier: MIT */
/* What doctor's rows make of what was seen. Each judge reads below the root, or what was measured,
 * and nothing else: so a recorded tree and made-up measurements try all of them. What is not told
 * is no fault. */
#include "runner/doctor_internal.h"
#include "runner/machine_read.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double LOAD_MAX = 0.25;  /* of a unit, for each */
static const double STEAL_MAX = 0.01; /* of the time since boot */
static const double OFFSET_MAX_NS = 1000;
static const double HICCUPS_NOTE = 0.015, HICCUPS_MAX = 0.05;
static const double PING_PONG_MAX_NS = 400;
enum { WORD_MAX = 256 };

static enum pb_doctor_level not_told(struct pb_finding *finding)
{
    snprintf(finding->value, sizeof finding->value, "not told by this kernel");
    return PB_DOCTOR_OK;
}

enum pb_doctor_level pb_judge_word(const struct pb_doctor_seen *seen,
                                   const struct pb_doctor_row *row, struct pb_finding *finding)
{
    char word[WORD_MAX];
    if (!pb_read_line(seen->root, row->from, word, sizeof word))
        return not_told(finding);
    pb_read_choose(word);
    snprintf(finding->value, sizeof finding->value, "%s", word);
    for (size_t i = 0; i < sizeof row->good / sizeof *row->good && row->good[i] != NULL; i++)
        if (strcmp(word, row->good[i]) == 0)
            return PB_DOCTOR_OK;
    return row->bad;
}

enum pb_doctor_level pb_judge_units(const struct pb_doctor_seen *seen,
                                    const struct pb_doctor_row *row, struct pb_finding *finding)
{
    snprintf(finding->value, sizeof finding->value, "%u may be used", seen->units);
    return seen->units >= 2 ? PB_DOCTOR_OK : row->bad;
}

/* --- who else is there ------------------------------------------------------------------------ */

struct crowd {
    const char *root, *apart; /* `apart`: our own process's number */
    char *out;
    size_t size;
    unsigned n;
};

enum { CROWD_SHOWN = 5 };

static void crowd_add(struct crowd *crowd, const char *name, const char *pid)
{
    size_t used = strlen(crowd->out);
    if (crowd->n++ < CROWD_SHOWN)
        snprintf(crowd->out + used, crowd->size - used, "%s%s (%s)", used == 0 ? "" : ", ", name,
                 pid);
}

static bool is_number(const char *name)
{
    return name[strspn(name, "0123456789")] == '\0';
}

/* A process that runs now: "4242 (cc1) R ...". */
static void add_running(void *context, const char *pid)
{
    struct crowd *crowd = context;
    char path[PATH_MAX], line[WORD_MAX];
    if (!is_number(pid) || strcmp(pid, crowd->apart) == 0)
        return;
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    pb_read_line(crowd->root, path, line, sizeof line);
    char *open = strchr(line, '('), *close = strrchr(line, ')');
    if (open == NULL || close == NULL || strncmp(close, ") R", 3) != 0)
        return;
    *close = '\0';
    crowd_add(crowd, open + 1, pid);
}

enum pb_doctor_level pb_judge_load(const struct pb_doctor_seen *seen,
                                   const struct pb_doctor_row *row, struct pb_finding *finding)
{
    char line[WORD_MAX], running[WORD_MAX] = "", own[WORD_MAX];
    if (!pb_read_line(seen->root, "/proc/loadavg", line, sizeof line))
        return not_told(finding);
    pb_read_field(seen->root, "/proc/self/status", "Pid", own, sizeof own);
    struct crowd crowd = {.root = seen->root, .apart = own, .out = running, .size = sizeof running};
    double load = strtod(line, NULL);
    bool bad = load > LOAD_MAX * (seen->units > 0 ? seen->units : 1);
    if (bad)
        pb_read_folder(seen->root, "/proc", add_running, &crowd);
    snprintf(finding->value, sizeof finding->value, "%.2f%s%s", load,
             running[0] != '\0' ? "; running: " : "", running);
    return bad ? row->bad : PB_DOCTOR_OK;
}

static void add_daemon(void *context, const char *pid)
{
    static const char *const known[] = {
        "irqbalance",      "tuned",           "thermald",   "cron",    "anacron", "packagekitd",
        "unattended-upgr", "updatedb.mlocat", "snapd",      "fwupd",   "dockerd", "kdamond",
        "updatedb.plocat", "tracker-miner-f", "baloo_file", "apt-get", "dpkg",    "NetworkManager"};
    struct crowd *crowd = context;
    char path[PATH_MAX], name[WORD_MAX];
    if (!is_number(pid))
        return;
    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    pb_read_line(crowd->root, path, name, sizeof name);
    size_t length = strcspn(name, ".");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0 ||
            (strlen(known[i]) == length && strncmp(name, known[i], length) == 0))
            crowd_add(crowd, name, pid);
}

enum pb_doctor_level pb_judge_daemons(const struct pb_doctor_seen *seen,
                                      const struct pb_doctor_row *row, struct pb_finding *finding)
{
    struct crowd crowd = {
        .root = seen->root, .apart = "", .out = finding->value, .size = sizeof finding->value};
    pb_read_folder(seen->root, "/proc", add_daemon, &crowd);
    if (crowd.n > 0)
        return row->bad;
    snprintf(finding->value, sizeof finding->value, "none that is known");
    return PB_DOCTOR_OK;
}

/* --- the processor, the clock, the host ------------------------------------------------------- */

enum pb_doctor_level pb_judge_tsc(const struct pb_doctor_seen *seen,
                                  const struct pb_doctor_row *row, struct pb_finding *finding)
{
    static const char *const needed[] = {"constant_tsc", "nonstop_tsc", "rdtscp"};
    char flags[8192], lacking[WORD_MAX] = "";
    if (!pb_read_field(seen->root, "/proc/cpuinfo", "flags", flags, sizeof flags))
        return not_told(finding);
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!pb_read_has_word(flags, needed[i])) {
            size_t used = strlen(lacking);
            snprintf(lacking + used, sizeof lacking - used, " %s", needed[i]);
        }
    snprintf(finding->value, sizeof finding->value, "%s%s",
             lacking[0] != '\0' ? "lacks" : "invariant", lacking);
    return lacking[0] != '\0' ? row->bad : PB_DOCTOR_OK;
}

enum pb_doctor_level pb_judge_clock(const struct pb_doctor_seen *seen,
                                    const struct pb_doctor_row *row, struct pb_finding *finding)
{
    const struct pb_clock *clock = seen->clock;
    if (clock == NULL)
        return not_told(finding);
    snprintf(finding->value, sizeof finding->value, "%s, step %.3g ns, a reading %.3g ns%s%s",
             clock->source, clock->quantum_ns, clock->overhead_ns,
             clock->objection[0] != '\0' ? ": " : "", clock->objection);
    return clock->objection[0] != '\0' ? row->bad : PB_DOCTOR_OK;
}

/* Whether the machine below `root` is a virtual one: its processors are told of a hypervisor. */
static bool is_guest(const char *root)
{
    char flags[8192];
    return pb_read_field(root, "/proc/cpuinfo", "flags", flags, sizeof flags) &&
           pb_read_has_word(flags, "hypervisor");
}

/* What would mend a fault on a machine of one's own is out of reach here. */
static void mend_in_guest(const struct pb_doctor_seen *seen, const char *instead,
                          struct pb_finding *finding)
{
    if (is_guest(seen->root))
        snprintf(finding->mend, sizeof finding->mend, "cannot be changed in this guest%s", instead);
}

enum pb_doctor_level pb_judge_offset(const struct pb_doctor_seen *seen,
                                     const struct pb_doctor_row *row, struct pb_finding *finding)
{
    const struct pb_clock_offset *offset = &seen->offset;
    if (offset->cpus == 0) {
        snprintf(finding->value, sizeof finding->value,
                 "not measured: one processor, or no answer");
        return PB_DOCTOR_OK;
    }
    mend_in_guest(seen, ", nor in most others: count on the bound", finding);
    snprintf(finding->value, sizeof finding->value, "at most %.0f ns between processors",
             offset->bound_ns);
    return offset->bound_ns > OFFSET_MAX_NS ? row->bad : PB_DOCTOR_OK;
}

enum pb_doctor_level pb_judge_virtual(const struct pb_doctor_seen *seen,
                                      const struct pb_doctor_row *row, struct pb_finding *finding)
{
    char flags[8192], vendor[WORD_MAX];
    if (!pb_read_field(seen->root, "/proc/cpuinfo", "flags", flags, sizeof flags))
        return not_told(finding);
    bool guest = is_guest(seen->root);
    pb_read_line(seen->root, "/sys/class/dmi/id/sys_vendor", vendor, sizeof vendor);
    snprintf(finding->value, sizeof finding->value, "%s%s%s",
             guest ? "this is a virtual machine" : "none", guest && vendor[0] != '\0' ? " of " : "",
             guest ? vendor : "");
    return guest ? row->bad : PB_DOCTOR_OK;
}

enum pb_doctor_level pb_judge_steal(const struct pb_doctor_seen *seen,
                                    const struct pb_doctor_row *row, struct pb_finding *finding)
{
    char line[WORD_MAX];
    uint64_t t[8] = {0}, all = 0; /* user nice system idle iowait irq softirq steal */
    if (!pb_read_line(seen->root, "/proc/stat", line, sizeof line) ||
        sscanf(line,
               "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64 " %" SCNu64,
               &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) != 8)
        return not_told(finding);
    for (size_t i = 0; i < 8; i++)
        all += t[i];
    double share = all > 0 ? (double)t[7] / (double)all : 0.0;
    mend_in_guest(seen, ": a host with fewer guests", finding);
    snprintf(finding->value, sizeof finding->value, "%.2f %% of the time since boot", share * 100);
    return share > STEAL_MAX ? row->bad : PB_DOCTOR_OK;
}

/* --- what was measured ------------------------------------------------------------------------ */

enum pb_doctor_level pb_judge_hiccups(const struct pb_doctor_seen *seen,
                                      const struct pb_doctor_row *row, struct pb_finding *finding)
{
    const struct pb_hiccups *h = &seen->hiccups;
    if (h->cpus == 0) {
        snprintf(finding->value, sizeof finding->value, "not measured");
        return PB_DOCTOR_OK;
    }
    snprintf(finding->value, sizeof finding->value,
             "%.2f %% of the time lost on P#%d, the worst of %u; longest gap %.0f us",
             h->lost * 100, h->worst_cpu, h->cpus, h->longest_ns / 1000);
    if (h->lost > HICCUPS_MAX)
        return row->bad;
    return h->lost > HICCUPS_NOTE ? PB_DOCTOR_NOTE : PB_DOCTOR_OK;
}

enum pb_doctor_level pb_judge_ping_pong(const struct pb_doctor_seen *seen,
                                        const struct pb_doctor_row *row, struct pb_finding *finding)
{
    const struct pb_clock_offset *offset = &seen->offset;
    if (offset->cpus == 0) {
        snprintf(finding->value, sizeof finding->value, "not measured");
        return PB_DOCTOR_OK;
    }
    snprintf(finding->value, sizeof finding->value, "%.0f ns one way, %.0f at best",
             offset->usual_ns, offset->one_way_ns);
    return offset->usual_ns > PING_PONG_MAX_NS ? row->bad : PB_DOCTOR_OK;
}

enum pb_doctor_level pb_judge_counters(const struct pb_doctor_seen *seen,
                                       const struct pb_doctor_row *row, struct pb_finding *finding)
{
    const char *kind = seen->counters != NULL ? seen->counters : "not asked";
    bool good = seen->counters == NULL || strcmp(kind, "hardware") == 0;
    snprintf(finding->value, sizeof finding->value, "%s%s%s", kind,
             seen->counters_reason[0] != '\0' ? "; " : "", seen->counters_reason);
    return good ? PB_DOCTOR_OK : row->bad;
}
