/* SPDX-License-Identifier: MIT */
/* Interference: what else happened to the workers while they were timed. It tells a slow strategy
 * from a busy machine, and lost concurrency from absent contention.
 * Source:  getrusage(2), clock_gettime(2), proc(5), sched-stats in the kernel's documentation;
 *          methodology R14 and R15.
 * Layout:  a reading on each worker right before its start line and right behind its last step.
 *          The time it was off its processor between them, off = wall - cpu, is at least what it
 *          lost in the window. The moments in which not all ran are at most the sum of those; so
 *          overlap = 1 - sum(off_i / window_i) is a lower bound of the share of the time in which
 *          all ran at once, as far as their windows are one (common_share tells). Workers that
 * share a unit come out below it as they must. Of off, waiting for a processor is known, and sleep
 * is none where the worker never gave its processor up; unexplained_ns is the rest: interrupts and
 * the hypervisor, where the kernel takes them out of a thread's time. Where it does not, a guest's
 * window shows nothing: then what is left are the looks from both sides of it (engine/watch.h), by
 * the clock alone.
 * I1       the readings of cpu lie inside the pair of clock readings, all others outside it
 * Cost     some 20 us a worker outside the window, besides the watch */
#include "probes/interference.h"

#include "engine/accounts.h"
#include "probes/probe.h"

#include <math.h>
#include <sys/resource.h>
#include <time.h>

enum {
    PREEMPTIONS,
    VOLUNTARY,
    MINOR,
    MAJOR,
    OVERLAP,
    MIGRATED,
    RUN_WAIT,
    TAIL_PREEMPTIONS,
    UNEXPLAINED,
    SENTINEL_BEFORE,
    SENTINEL_AFTER,
    SENTINEL_EXCHANGES,
    GAPS,
    GAP_TIME,
    GAP_SHARE,
    GAP_MAX,
    STEAL_SHARE,
    WORKER_CPU,
};

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
    [UNEXPLAINED] = {"unexplained_ns", "ns", -1,
                     "time in which workers neither ran nor waited to; absent where one slept"},
    [SENTINEL_BEFORE] = {"sentinel_before_ns", "ns", -1,
                         "a cache line's way between neighbouring workers right before the window, "
                         "slowest pair"},
    [SENTINEL_AFTER] = {"sentinel_after_ns", "ns", -1, "the same right behind the window"},
    [SENTINEL_EXCHANGES] = {"sentinel_exchanges", "1", 1,
                            "ways there and back of those, the fewer; of 10000, or of 5000 with "
                            "three workers or more"},
    [GAPS] = {"gaps", "1", -1,
              "moments above 1 us that workers lost in 1 ms on each side of the window"},
    [GAP_TIME] = {"gap_ns", "ns", -1,
                  "time lost in those moments that no wait for a processor explains"},
    [GAP_SHARE] = {"gap_share", "1", -1, "gap_ns, of the 1 ms on each side of each worker"},
    [GAP_MAX] = {"gap_max_ns", "ns", -1, "the longest of those moments, whatever the reason"},
    [STEAL_SHARE] = {"steal_share", "1", -1,
                     "share of the processors that the hypervisor or guests took, in 10 ms steps"},
    [WORKER_CPU] = {"worker_cpu_ns", "ns", -1, "processor time of all workers in the window"},
    {NULL, NULL, 0, NULL},
};

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
    reading->run_wait_ns = pb_run_wait_now();
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
    reading->run_wait_ns = pb_run_wait_now();
}

/* How long a worker may have been off its processor. */
static double off_ns(const struct pb_interference *state)
{
    double wall = pb_clock_ns(state->after.ticks - state->before.ticks);
    return fmax(wall - (double)(state->after.cpu_ns - state->before.cpu_ns), 0.0);
}

/* The same as a share of its window, at most 1. */
static double off_share(const struct pb_interference *state, const struct pb_window *window)
{
    double length = pb_clock_ns(window->ended - window->begun);
    return length > 0.0 ? fmin(off_ns(state) / length, 1.0) : 0.0;
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

/* NAN where the kernel does not say for how long a worker waited, or it slept: for how long, it
 * does not say. */
static double unexplained(const struct pb_interference *state)
{
    if (state->after.voluntary != state->before.voluntary)
        return NAN;
    double left = off_ns(state) - waited(state); /* NAN stays NAN */
    return left < 0.0 ? 0.0 : left;
}

/* --- the looks from both sides --------------------------------------------------------------- */

static void report_sentinel(const struct pb_watch *watch, double *values)
{
    struct pb_pingpong before, after;
    if (!pb_watch_slowest(watch, PB_WATCH_BEFORE, &before) ||
        !pb_watch_slowest(watch, PB_WATCH_AFTER, &after))
        return;
    values[SENTINEL_BEFORE] = before.one_way_ns;
    values[SENTINEL_AFTER] = after.one_way_ns;
    values[SENTINEL_EXCHANGES] =
        before.exchanges < after.exchanges ? before.exchanges : after.exchanges;
}

static void report_gaps(const struct pb_watch *watch, double *values)
{
    double n = 0.0, lost = 0.0, longest = 0.0, spun = 0.0;
    for (unsigned i = 0; i < PB_WATCH_SIDES * watch->workers; i++) {
        const struct pb_gaps *gaps = &watch->sides[i % PB_WATCH_SIDES].gaps[i / PB_WATCH_SIDES];
        n += (double)gaps->n;
        lost += pb_gaps_unexplained_ns(gaps);
        longest = fmax(longest, pb_clock_ns(gaps->longest));
        spun += pb_clock_ns(gaps->spun);
    }
    values[GAPS] = n;
    values[GAP_TIME] = lost;
    values[GAP_SHARE] = spun > 0.0 ? lost / spun : NAN;
    values[GAP_MAX] = longest;
}

static void report_watch(const struct pb_watch *watch, double *values)
{
    for (size_t i = SENTINEL_BEFORE; i <= STEAL_SHARE; i++)
        values[i] = NAN;
    if (watch == NULL)
        return;
    report_sentinel(watch, values);
    if (watch->apart)
        report_gaps(watch, values);
    values[STEAL_SHARE] =
        pb_taken_share(&watch->sides[PB_WATCH_BEFORE].taken, &watch->sides[PB_WATCH_AFTER].taken);
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
        values[WORKER_CPU] += (double)to->cpu_ns - (double)from->cpu_ns;
        values[MIGRATED] += has_moved(&o->rate[i]);
        values[RUN_WAIT] += waited(&state[i]);
        values[UNEXPLAINED] += unexplained(&state[i]);
        off += off_share(&state[i], &o->rate[i]);
        if (tails != NULL)
            values[TAIL_PREEMPTIONS] +=
                (double)(tails[i].after.preemptions - tails[i].before.preemptions);
    }
    values[OVERLAP] = fmax(1.0 - off, 0.0);
    report_watch(o->watch, values);
    if (tails == NULL)
        values[TAIL_PREEMPTIONS] = NAN;
}

const struct pb_probe pb_probe_interference = {
    .name = "interference",
    .summary =
        "preemptions, faults, lost time and lost concurrency of the workers; how quiet it was",
    .source = "getrusage(2), proc(5)",
    .metrics = metrics,
    .worker_bytes = sizeof(struct pb_interference),
    .before = before,
    .after = after,
    .report = report,
};
