/* SPDX-License-Identifier: MIT */
/* Interference: what else happened to the workers while they were timed. It tells a slow strategy
 * from a busy machine, and lost concurrency from absent contention.
 * Source:  getrusage(2), clock_gettime(2), proc(5), sched-stats in the kernel's documentation.
 * Layout:  a reading on each worker right before its start line and right behind its last step.
 *          The time it was off its processor between them, off = wall - cpu, is at least what it
 *          lost in the window; so overlap = 1 - sum(off_i / window_i) is a lower bound of the
 *          share of the time in which all workers ran at once.
 * I1       the readings of cpu lie inside the pair of clock readings, all others outside it
 * Cost     some 20 us a worker, outside the window. A hypervisor may take time that a guest's
 *          clocks do not show. */
#include "probes/interference.h"

#include "probes/probe.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { PREEMPTIONS, VOLUNTARY, MINOR, MAJOR, OVERLAP, MIGRATED, RUN_WAIT, TAIL_PREEMPTIONS };

static const struct pb_metric metrics[] = {
    [PREEMPTIONS] = {"preemptions", "1", -1, "times that a worker was put off its processor"},
    [VOLUNTARY] = {"voluntary_switches", "1", -1, "times that a worker gave its processor up"},
    [MINOR] = {"minor_faults", "1", -1, "page faults served from memory"},
    [MAJOR] = {"major_faults", "1", -1, "page faults that waited for a disk"},
    [OVERLAP] = {"overlap", "1", 1, "least share of the time in which all workers ran at once"},
    [MIGRATED] = {"migrated", "1", -1,
                  "workers that ended on another processor than they began on"},
    [RUN_WAIT] = {"run_wait_ns", "ns", -1, "time that workers were ready and had no processor"},
    [TAIL_PREEMPTIONS] = {"tail_preemptions", "1", -1,
                          "preemptions while single calls were sampled"},
    {NULL, NULL, 0, NULL},
};

static uint64_t run_wait_now(void)
{
    char text[96];
    uint64_t wait = UINT64_MAX;
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return UINT64_MAX;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return sscanf(text, "%*u %" SCNu64, &wait) == 1 ? wait : UINT64_MAX;
}

static void usage_now(struct pb_interference_reading *reading)
{
    struct rusage usage;
    if (getrusage(RUSAGE_THREAD, &usage) != 0)
        return;
    reading->preemptions = usage.ru_nivcsw;
    reading->voluntary = usage.ru_nvcsw;
    reading->minor_faults = usage.ru_minflt;
    reading->major_faults = usage.ru_majflt;
}

static uint64_t cpu_now(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void before(void *state)
{
    struct pb_interference_reading *reading = &((struct pb_interference *)state)->before;
    reading->run_wait_ns = run_wait_now();
    usage_now(reading);
    reading->ticks = pb_ticks_begin();
    reading->cpu_ns = cpu_now();
}

static void after(void *state)
{
    struct pb_interference_reading *reading = &((struct pb_interference *)state)->after;
    reading->cpu_ns = cpu_now();
    reading->ticks = pb_ticks_end();
    usage_now(reading);
    reading->run_wait_ns = run_wait_now();
}

/* The share of its window that a worker may have been off its processor, at most 1. */
static double off_share(const struct pb_interference *state, const struct pb_window *window)
{
    double wall = pb_clock_ns(state->after.ticks - state->before.ticks);
    double off = wall - (double)(state->after.cpu_ns - state->before.cpu_ns);
    double length = pb_clock_ns(window->ended - window->begun);
    return length > 0.0 ? fmin(fmax(off, 0.0) / length, 1.0) : 0.0;
}

static bool has_moved(const struct pb_window *window)
{
    return window->cpu_first != window->cpu_last && window->cpu_first != PB_CPU_UNKNOWN &&
           window->cpu_last != PB_CPU_UNKNOWN;
}

static double waited(const struct pb_interference *state)
{
    if (state->before.run_wait_ns == UINT64_MAX || state->after.run_wait_ns == UINT64_MAX)
        return NAN;
    return (double)(state->after.run_wait_ns - state->before.run_wait_ns);
}

static void report(const struct pb_observation *o, const void *rate, const void *tail,
                   double *values)
{
    const struct pb_interference *state = rate, *tails = tail;
    for (size_t i = 0; metrics[i].key != NULL; i++)
        values[i] = 0.0;
    double off = 0.0;
    for (unsigned i = 0; i < o->workers; i++) {
        const struct pb_interference_reading *from = &state[i].before, *to = &state[i].after;
        values[PREEMPTIONS] += (double)(to->preemptions - from->preemptions);
        values[VOLUNTARY] += (double)(to->voluntary - from->voluntary);
        values[MINOR] += (double)(to->minor_faults - from->minor_faults);
        values[MAJOR] += (double)(to->major_faults - from->major_faults);
        values[MIGRATED] += has_moved(&o->rate[i]);
        values[RUN_WAIT] += waited(&state[i]);
        off += off_share(&state[i], &o->rate[i]);
        if (tails != NULL)
            values[TAIL_PREEMPTIONS] +=
                (double)(tails[i].after.preemptions - tails[i].before.preemptions);
    }
    values[OVERLAP] = fmax(1.0 - off, 0.0);
    if (tails == NULL)
        values[TAIL_PREEMPTIONS] = NAN;
}

const struct pb_probe pb_probe_interference = {
    .name = "interference",
    .summary = "preemptions, faults, migrations and lost concurrency of the workers",
    .source = "getrusage(2), proc(5)",
    .metrics = metrics,
    .worker_bytes = sizeof(struct pb_interference),
    .before = before,
    .after = after,
    .report = report,
};
