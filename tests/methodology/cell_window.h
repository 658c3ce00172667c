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

/* Runs `workload` on `variant` through the windows RATE and TAIL, with these hooks around each. */
static inline void run_between(const char *variant, const char *workload, unsigned threads,
                               void (*before)(void *), void (*after)(void *), void (*plant)(void))
{
    static struct pb_loop loop;
    struct pb_cell_spec spec = {.pin = "none",
                                .memory = "default",
                                .start = "warm",
                                .arrival = "closed",
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
