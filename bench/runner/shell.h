/* SPDX-License-Identifier: MIT */
/* A cell inside Google Benchmark: its name, filter, flags and JSON around our windows. The library
 * sees one thread, a fixed count of iterations (the cell's steps) and manual time, so its figures
 * mean the same in every version of it: real_time is wall ns a step, cpu_time is CPU ns a step over
 * all workers.
 * Threads: the main thread; one cell at a time. */
#ifndef PB_SHELL_H
#define PB_SHELL_H

#include "runner/cell.h"

/* A registered cell. The caller owns it until the benchmarks have run. */
struct pb_shell {
    struct pb_cell_spec spec;
    const struct pb_topology *topology;
    struct pb_cell_result *result; /* of the last run; freed by the caller. May be shared by cells
                                      that run one after another */
    struct pb_cell *cell;          /* already open, or NULL: the benchmark opens it. Closed by it */
};

/* Registers `shell` with `steps` iterations. Returns 0 or -errno (pb_gb_last_error says why). */
int pb_shell_register(struct pb_shell *shell, uint64_t steps);

#endif
