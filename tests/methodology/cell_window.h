/* SPDX-License-Identifier: MIT */
/* For tests of what happens inside windows: a whole cell, run here, with a hook of the test's own
 * that is the
 * last before a window of RATE or TAIL and the first behind it. Include after cmocka. Threads: the cell's. */
#ifndef PB_TEST_CELL_WINDOW_H
#define PB_TEST_CELL_WINDOW_H

#include "runner/cell_internal.h"

#include <stdio.h>

static struct pb_topology *topology;

/* The first worker's loop with `planted` called once in the window RATE; NULL: as it is. */
static const struct pb_loop *real_loop;
static void (*planted)(void);

static inline uint64_t planted_run(struct pb_worker *worker, uint64_t steps)
{
    if (worker->phase == PB_PHASE_RATE) /* one call a window */
        planted();
    return real_loop->run(worker, steps);
}

static void (*looks[2])(void *); /* before, behind */
enum { PHASE_STEPS = 2000 };

static inline int look_job(void *side, unsigned index)
{
    (void)index;
    looks[(uintptr_t)side](NULL);
    return 0;
}

/* A phase without hooks. */
static inline void look_at_phase(struct pb_cell *cell, enum pb_phase phase)
{
    pb_team_run(cell->team, look_job, (void *)0);
    pb_session_run(&cell->session, phase, cell->loop, PHASE_STEPS);
    pb_team_run(cell->team, look_job, (void *)1);
}

/* Runs `workload` on `variant`, with these looks around RATE, TAIL and BODY; with an arrival that
 * is not `closed` around RATE and OPEN alone. */
static inline void run_between(const char *variant, const char *workload, unsigned threads,
                               const char *arrival, void (*before)(void *), void (*after)(void *),
                               void (*plant)(void))
{
    static struct pb_loop loop;
    struct pb_cell_spec spec = {.pin = "none",
                                .memory = "default",
                                .start = "warm",
                                .delay = "none",
                                .threads = threads,
                                .oversubscribe = true,
                                .seed = 7,
                                .scale = 1,
                                .sample_gap = 16,
                                .audit = true};
    struct pb_cell_result result;
    struct pb_cell *cell = NULL;
    double seconds;
    snprintf(spec.variant, sizeof spec.variant, "%s", variant);
    snprintf(spec.workload, sizeof spec.workload, "%s", workload);
    snprintf(spec.arrival, sizeof spec.arrival, "%s", arrival);
    snprintf(spec.params, sizeof spec.params, "ops=30000");
    int error = pb_cell_open(&spec, topology, &result, &cell);
    if (error == 0) {
        cell->hooks[cell->hooks_n - 1] = (struct pb_hook){.before = before, .after = after};
        planted = plant;
        real_loop = cell->loop;
        loop = *cell->loop;
        loop.run = plant != NULL ? planted_run : loop.run;
        error = pb_cell_warm(cell);
        cell->loop = &loop;
        error = error != 0 ? error : pb_cell_rate(cell, &seconds);
        error = error != 0 ? error : pb_cell_tail(cell);
        looks[0] = before;
        looks[1] = after;
        if (error == 0)
            look_at_phase(cell, pb_cell_is_open(cell) ? PB_PHASE_OPEN : PB_PHASE_BODY);
        pb_cell_close(cell);
    }
    pb_cell_result_free(&result);
    if (error != 0)
        fail_msg("%s on %s: %s", workload, variant, result.reason);
}

static inline int load_topology(void **state)
{
    (void)state;
    return pb_topology_load(NULL, &topology);
}

static inline int free_topology(void **state)
{
    (void)state;
    pb_topology_free(topology);
    return 0;
}

#endif
