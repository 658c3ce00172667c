/* SPDX-License-Identifier: MIT */
/* What doctor measures of this machine, in some 0.3 s: hiccups on every processor at once, the
 * clocks' offsets and a line's way between processors, a system call.
 * Source:  the hiccups are those of jHiccup and HdrHistogram_c's hiccup example, read by spinning.
 * Cost     200 ms on each processor; the rest some 20 ms. Without measuring, some 10 ms: the offset */
#include "runner/doctor_internal.h"

#include "engine/perf_events.h"
#include "runner/machine.h"
#include "runner/store.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WATCHED_MAX = 64, CALLS = 20000 };

static const double WATCH_NS = 200e6, GAP_NS = 1000;

struct watched {
    pthread_t id;
    int cpu;
    bool runs;
    double lost, longest_ns;
};

/* Reads the clock without a pause: where two readings lie apart, somebody else ran. */
static void *watch(void *argument)
{
    struct watched *w = argument;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)w->cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    uint64_t gap = pb_clock_ticks(GAP_NS), longest = 0, lost = 0;
    uint64_t begin = pb_ticks_begin(), last = begin, end = begin + pb_clock_ticks(WATCH_NS);
    while (last < end) {
        uint64_t now = pb_ticks_begin();
        if (now - last > gap) {
            lost += now - last;
            longest = now - last > longest ? now - last : longest;
        }
        last = now;
    }
    w->lost = (double)lost / (double)(last - begin);
    w->longest_ns = pb_clock_ns(longest);
    return NULL;
}

void pb_doctor_hiccups(struct pb_hiccups *hiccups)
{
    static struct watched all[WATCHED_MAX];
    cpu_set_t allowed;
    unsigned n = 0;
    *hiccups = (struct pb_hiccups){.lost = -1.0};
    pb_clock_open();
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        CPU_ZERO(&allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE && n < WATCHED_MAX; cpu++)
        if (CPU_ISSET((size_t)cpu, &allowed)) {
            all[n] = (struct watched){.cpu = cpu};
            all[n].runs = pthread_create(&all[n].id, NULL, watch, &all[n]) == 0;
            n++;
        }
    for (unsigned i = 0; i < n; i++) {
        if (!all[i].runs)
            continue;
        pthread_join(all[i].id, NULL);
        hiccups->cpus++;
        if (all[i].lost > hiccups->lost) {
            hiccups->lost = all[i].lost;
            hiccups->worst_cpu = all[i].cpu;
            hiccups->longest_ns = all[i].longest_ns;
        }
    }
}

static double syscall_ns(void)
{
    uint64_t begin = pb_ticks_begin();
    for (int i = 0; i < CALLS; i++)
        syscall(SYS_getppid);
    return pb_clock_ns(pb_ticks_end() - begin) / CALLS;
}

/* Where a run would go: the folder, or the nearest one above it that is there. */
static double free_bytes(const char *folder)
{
    char path[512];
    struct statvfs fs;
    snprintf(path, sizeof path, "%s", folder);
    for (char *slash; statvfs(path, &fs) != 0; *slash = '\0') {
        slash = strrchr(path, '/');
        if (slash == NULL || slash == path)
            return (double)NAN;
    }
    return (double)fs.f_bavail * (double)fs.f_frsize;
}

void pb_doctor_see(struct pb_doctor_seen *seen, unsigned units, const char *events, bool measure)
{
    struct pb_perf_set set;
    char message[256];
    *seen = (struct pb_doctor_seen){.root = "",
                                    .units = units,
                                    .clock = pb_clock_open(),
                                    .sanitizer = pb_suite_sanitizer,
                                    .check = PB_CHECK,
                                    .syscall_ns = (double)NAN};
    if (strcmp(events, "off") != 0 && pb_perf_parse(events, &set, message, sizeof message) == 0)
        seen->counters =
            pb_perf_kind(&pb_perf_linux, &set, seen->counters_reason, sizeof seen->counters_reason);
    pb_store_root(seen->results, sizeof seen->results);
    seen->free_bytes = free_bytes(seen->results);
    if (pb_clock_offset_measure(&seen->offset) != 0)
        seen->offset.cpus = 0;
    if (!measure)
        return;
    pb_doctor_hiccups(&seen->hiccups);
    seen->syscall_ns = syscall_ns();
}
