/* SPDX-License-Identifier: MIT */
/* Counters: what the processor and the kernel counted on each worker during the RATE window:
 * cycles, instructions, misses an operation. They say why a strategy is slow where a time says that
 * it is.
 * Source:  perf_event_open(2); engine/perf_events.h; methodology 5(d).
 * Layout:  a worker's state is its groups of events: opened before it lines up for the window, still
 *          until its edge, read behind it. Sums over workers are divided by the window's
 * operations.
 *          Of the groups of the hardware's events one is counted a repetition, that of its block:
 *          groups that take turns within a window are estimates, and the fewer the counters, the
 * worse.
 * I1       a count that is not there on every worker is NAN, never 0 and never a part
 * I2       nothing is called inside the window
 * Cost     some 100 us a worker, outside; inside, what the counters cost the processor */
#include "probes/counters.h"

#include "probes/probe.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    CYCLES,
    INSTRUCTIONS,
    BRANCH_MISSES,
    L1D_MISSES,
    LLC_MISSES,
    DTLB_MISSES,
    CACHE_REFERENCES,
    CACHE_MISSES,
    TASK_CLOCK,
    CONTEXT_SWITCHES,
    CPU_MIGRATIONS,
    PAGE_FAULTS,
    NAMED,
    OTHER_FIRST = NAMED, /* by their place among those that have no metric of their own */
    OTHER_LAST = OTHER_FIRST + 5,
    RUNNING,
    METRICS
};

static const struct pb_metric metrics[METRICS + 1] = {
    [CYCLES] = {"cycles_per_op", "1", -1, "processor cycles in user mode"},
    [INSTRUCTIONS] = {"instructions_per_op", "1", -1, "instructions in user mode"},
    [BRANCH_MISSES] = {"branch_misses_per_op", "1", -1, "branches that were predicted wrongly"},
    [L1D_MISSES] = {"l1d_misses_per_op", "1", -1, "loads that missed the first data cache"},
    [LLC_MISSES] = {"llc_misses_per_op", "1", -1, "loads that missed the last cache"},
    [DTLB_MISSES] = {"dtlb_misses_per_op", "1", -1, "loads whose page the TLB did not know"},
    [CACHE_REFERENCES] = {"cache_references_per_op", "1", 0,
                          "what the kernel calls cache references"},
    [CACHE_MISSES] = {"cache_misses_per_op", "1", -1, "what the kernel calls cache misses"},
    [TASK_CLOCK] = {"perf_task_clock_ns", "ns", 0, "time that the kernel counted for the workers"},
    [CONTEXT_SWITCHES] = {"perf_context_switches", "1", -1, "switches that the kernel counted"},
    [CPU_MIGRATIONS] = {"perf_cpu_migrations", "1", -1, "moves to another processor"},
    [PAGE_FAULTS] = {"perf_page_faults", "1", -1, "page faults that the kernel counted"},
    [OTHER_FIRST] = {"event_1_per_op", "1", 0,
                     "the first event of --counters without a metric of its own"},
    [OTHER_FIRST + 1] = {"event_2_per_op", "1", 0, "the second of them"},
    [OTHER_FIRST + 2] = {"event_3_per_op", "1", 0, "the third"},
    [OTHER_FIRST + 3] = {"event_4_per_op", "1", 0, "the fourth"},
    [OTHER_FIRST + 4] = {"event_5_per_op", "1", 0, "the fifth"},
    [OTHER_LAST] = {"event_6_per_op", "1", 0, "the sixth"},
    [RUNNING] = {"counters_running", "1", 1,
                 "least share of the time that a group was on the counters; a group below 0.5 has "
                 "no values"},
    [METRICS] = {NULL, NULL, 0, NULL},
};

/* The event that a metric is made of. */
static const char *const names[NAMED] = {
    [CYCLES] = "cycles",
    [INSTRUCTIONS] = "instructions",
    [BRANCH_MISSES] = "branch-misses",
    [L1D_MISSES] = "L1-dcache-load-misses",
    [LLC_MISSES] = "LLC-load-misses",
    [DTLB_MISSES] = "dTLB-load-misses",
    [CACHE_REFERENCES] = "cache-references",
    [CACHE_MISSES] = "cache-misses",
    [TASK_CLOCK] = "task-clock",
    [CONTEXT_SWITCHES] = "context-switches",
    [CPU_MIGRATIONS] = "cpu-migrations",
    [PAGE_FAULTS] = "page-faults",
};

/* What was asked for, and what this process counts of it. */
static const struct pb_perf_kernel *the_kernel;
static struct pb_perf_set asked, the_set;
static unsigned place_of[PB_PERF_EVENTS_MAX]; /* in `asked`, of each event of the_set */

static bool is_hardware(const struct pb_perf_event *event)
{
    return event->type != PERF_TYPE_SOFTWARE;
}

/* Which group of the hardware's the event is in, from 0. */
static unsigned hardware_group(unsigned event)
{
    unsigned group = 0;
    for (unsigned i = 1; i <= event; i++)
        group += asked.group[i] != asked.group[i - 1] && is_hardware(&asked.events[i - 1]);
    return group;
}

/* All of the kernel's own, and one group of the hardware's. */
static void take_turn(unsigned turn)
{
    unsigned groups = 0;
    for (unsigned i = 0; i < asked.n; i++)
        if (is_hardware(&asked.events[i]))
            groups = hardware_group(i) + 1;
    the_set = (struct pb_perf_set){0};
    for (unsigned i = 0; i < asked.n; i++) {
        if (is_hardware(&asked.events[i]) && hardware_group(i) != turn % groups)
            continue;
        place_of[the_set.n] = i;
        pb_perf_add(&the_set, &asked.events[i]); /* no more than there were */
    }
}

int pb_counters_choose(const struct pb_perf_kernel *kernel, const char *events, unsigned turn)
{
    int error = pb_perf_from_text(&asked, events);
    if (error != 0)
        asked = (struct pb_perf_set){0};
    take_turn(turn);
    the_kernel = kernel;
    return error;
}

static void ready(void *state)
{
    if (the_set.n > 0)
        pb_perf_open(the_kernel, &the_set, state);
}

static void before(void *state)
{
    if (((struct pb_perf_counts *)state)->opened)
        pb_perf_start(the_kernel, &the_set, state);
}

static void after(void *state)
{
    if (((struct pb_perf_counts *)state)->opened)
        pb_perf_stop(the_kernel, &the_set, state);
}

/* The metric of each event that was asked for; METRICS: it has none left. */
static void place(size_t *metric_of)
{
    size_t other = OTHER_FIRST;
    for (unsigned i = 0; i < asked.n; i++) {
        size_t m = 0;
        while (m < NAMED && strcasecmp(names[m], asked.events[i].name) != 0)
            m++;
        if (m == NAMED)
            m = other <= OTHER_LAST ? other++ : METRICS;
        metric_of[i] = m;
    }
}

static bool is_count(size_t metric)
{
    return metric >= TASK_CLOCK && metric <= PAGE_FAULTS;
}

/* What the window executed, as the throughput probe counts it. */
static double ops_of(const struct pb_observation *o)
{
    double ops = 0.0;
    for (unsigned w = 0; w < o->workers; w++)
        ops += (double)o->rate[w].steps;
    return o->step_workers > 1 ? ops / o->step_workers : ops;
}

/* Why an event has no value. What is so every time here is in the run's header; a group that ran
 * too little, or a descriptor that lacked, is this repetition's own. The same text each time: a
 * report gathers them. */
static void say_why(const struct pb_observation *o, unsigned event, int error)
{
    if (o->warn == NULL || o->warn[0] != '\0' || error == 0 || pb_perf_is_always(error))
        return;
    snprintf(o->warn, o->warn_size, "%s has no value: %s", the_set.events[event].name,
             pb_perf_why(error));
}

static void report(const struct pb_observation *o, const void *rate, const void *tail,
                   double *values)
{
    const struct pb_perf_counts *counts = rate;
    size_t metric_of[PB_PERF_EVENTS_MAX];
    double ops = ops_of(o);
    (void)tail;
    for (size_t i = 0; i < METRICS; i++)
        values[i] = (double)NAN;
    place(metric_of);
    for (unsigned i = 0; i < the_set.n && counts != NULL; i++) {
        double sum = 0.0;
        for (unsigned w = 0; w < o->workers; w++) {
            sum += counts[w].value[i];
            if (is_hardware(&the_set.events[i]))
                values[RUNNING] = fmin(values[RUNNING], counts[w].running[i]);
            say_why(o, i, counts[w].error[i]);
        }
        size_t metric = metric_of[place_of[i]];
        if (metric < METRICS)
            values[metric] = is_count(metric) ? sum : ops > 0.0 ? sum / ops : (double)NAN;
    }
}

const struct pb_probe pb_probe_counters = {
    .name = "counters",
    .summary = "cycles, instructions and misses an operation, as the processor counts them",
    .source = "perf_event_open(2)",
    .metrics = metrics,
    .rate_only = true,
    .worker_bytes = sizeof(struct pb_perf_counts),
    .ready = ready,
    .before = before,
    .after = after,
    .report = report,
};
