/* SPDX-License-Identifier: MIT */
/* Cells as benchmarks of Google Benchmark. The audit and the warm-up come before the library's
 * clock starts, the sampled pass after it has stopped. */
#include "runner/shell.h"

#include "gbench/gbench.h"

#include <errno.h>
#include <stddef.h>

/* The windows; returns 0 or -ECANCELED with the status in the result. */
static int shell_windows(struct pb_gb_state *state, struct pb_cell *cell)
{
    int64_t steps = pb_gb_state_max_iterations(state);
    double seconds;
    int error = pb_cell_warm(cell);
    if (error != 0)
        return error;
    while (pb_gb_state_keep_running_batch(state, steps) > 0) {
        error = pb_cell_rate(cell, &seconds);
        if (error != 0)
            return error;
        pb_gb_state_set_iteration_time(state, seconds);
    }
    error = pb_cell_tail(cell);
    return error != 0 ? error : pb_cell_recheck(cell);
}

static void shell_body(struct pb_gb_state *state, void *context)
{
    struct pb_shell *shell = context;
    struct pb_cell *cell = shell->cell;
    shell->cell = NULL;
    if (cell == NULL && pb_cell_open(&shell->spec, shell->topology, shell->result, &cell) != 0) {
        pb_gb_state_skip_with_error(state, shell->result->reason);
        return;
    }
    if (shell_windows(state, cell) == 0) {
        pb_gb_state_set_items_processed(state, pb_gb_state_max_iterations(state));
        pb_cell_finish(cell);
    } else {
        pb_gb_state_skip_with_error(state, shell->result->reason);
    }
    pb_cell_close(cell);
}

int pb_shell_register(struct pb_shell *shell, uint64_t steps)
{
    char name[PB_CELL_NAME_MAX];
    struct pb_gb_benchmark *benchmark;
    int error = pb_cell_name(&shell->spec, name, sizeof name);
    if (error < 0)
        return error;
    error = pb_gb_register_benchmark(name, shell_body, shell, &benchmark);
    if (error == 0)
        error = pb_gb_benchmark_iterations(benchmark, (int64_t)(steps != 0 ? steps : 1));
    if (error == 0)
        error = pb_gb_benchmark_use_manual_time(benchmark);
    if (error == 0)
        error = pb_gb_benchmark_measure_process_cpu_time(benchmark);
    return error;
}
