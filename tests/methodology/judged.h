/* SPDX-License-Identifier: MIT */
/* For tests of R14 and R15: readings made up here, through the probe that makes metrics of them and
 * the rules that were declared before the run. Include after cmocka. */
#ifndef PB_TEST_JUDGED_H
#define PB_TEST_JUDGED_H

#include "engine/clock.h"
#include "probes/interference.h"
#include "probes/probe.h"
#include "runner/disturb.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { WORKERS = 2, METRICS_MAX = 64 };
static const double WINDOW_NS = 1e8;

/* A worker that had its processor for `cpu` of the window and waited for it for `wait`. */
static inline struct pb_interference reading(double cpu, double wait, int64_t preemptions)
{
    return (struct pb_interference){.after = {.ticks = pb_clock_ticks(WINDOW_NS),
                                              .cpu_ns = (uint64_t)(cpu * WINDOW_NS),
                                              .run_wait_ns = (uint64_t)(wait * WINDOW_NS),
                                              .preemptions = preemptions}};
}

/* The line of a repetition with these readings, and a sentinel of `sentinel_ns` on both sides. */
static inline json_t *line_with(const struct pb_interference *states, double sentinel_ns)
{
    const struct pb_window window = {.ended = pb_clock_ticks(WINDOW_NS)};
    const struct pb_window windows[WORKERS] = {window, window};
    const struct pb_probe *probe = pb_probe_find("interference");
    struct pb_pingpong pair = {sentinel_ns, 10000};
    struct pb_gaps gaps[WORKERS] = {{.spun = pb_clock_ticks(1e6)}, {.spun = pb_clock_ticks(1e6)}};
    struct pb_watch watch = {.workers = WORKERS, .apart = true};
    for (int side = 0; side < PB_WATCH_SIDES; side++)
        watch.sides[side] = (struct pb_watch_side){.pairs = &pair, .gaps = gaps};
    struct pb_observation o = {
        .step_workers = 1, .workers = WORKERS, .rate = windows, .watch = &watch};
    double values[METRICS_MAX];
    probe->report(&o, states, NULL, values);
    json_t *m = json_object();
    for (size_t i = 0; probe->metrics[i].key != NULL; i++)
        if (isfinite(values[i]))
            json_object_set_new(m, probe->metrics[i].key, json_real(values[i]));
    return json_pack("{s:s, s:i, s:s, s:s, s:b, s:I, s:o}", "status", "ok", "workers", WORKERS,
                     "pin", "core", "placement", "P#0,P#1", "oversubscribed", 0, "wall_ns",
                     (json_int_t)WINDOW_NS, "m", m);
}

/* Whether the rules flag it, and with that id; NULL: with any. */
static inline bool is_flagged(const struct pb_disturb *seen, const struct pb_interference *states,
                              double sentinel_ns, const char *id)
{
    json_t *line = line_with(states, sentinel_ns), *broken = pb_disturb_judge(seen, line), *one;
    bool found = false;
    size_t i;
    json_array_foreach(broken, i, one)
    {
        found = found || id == NULL || strcmp(json_string_value(one), id) == 0;
    }
    json_decref(broken);
    json_decref(line);
    return found;
}

#endif
