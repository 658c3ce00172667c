/* SPDX-License-Identifier: MIT */
/* poolbench-gbench: a matrix's cells as a plain Google Benchmark program, with that library's flags.
 * PB_MATRIX names the matrix (quick if unset). There is one process here, so the malloc of the process
 * is what `glibc`, `jemalloc` and the like can be: the others say with which LD_PRELOAD to start. For
 * blocks, a fresh process a repetition and intervals use `poolbench run`. */
#include "gbench/gbench.h"
#include "runner/matrix.h"
#include "runner/plan.h"
#include "runner/shell.h"
#include "trace/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2, EXIT_FAILED = 3, EXIT_MACHINE = 4, EXIT_NOTHING = 5 };

static void print_help(void)
{
    puts("poolbench-gbench: the cells of a matrix as Google Benchmark benchmarks\n"
         "  PB_MATRIX=NAME|FILE poolbench-gbench [--benchmark_...]   (PB_MATRIX: quick)\n");
    pb_gb_print_default_help();
}

static struct pb_plan *read_plan(const struct pb_topology *topology)
{
    char path[1024], message[PB_MESSAGE_MAX] = "";
    const char *name = getenv("PB_MATRIX");
    struct pb_matrix *matrix = NULL;
    struct pb_plan *plan = NULL;
    if (pb_matrix_find(name != NULL ? name : "quick", path, sizeof path, message, sizeof message) != 0 ||
        pb_matrix_read(path, &matrix, message, sizeof message) != 0 ||
        pb_plan_make(matrix, topology, NULL, &plan, message, sizeof message) != 0)
        fprintf(stderr, "poolbench-gbench: %s\n", message);
    if (matrix != NULL)
        pb_matrix_free(matrix);
    return plan;
}

/* Whether two cells have the same op stream, hence the same number of steps. */
static bool same_stream(const struct pb_cell_spec *a, const struct pb_cell_spec *b)
{
    return strcmp(a->workload, b->workload) == 0 && strcmp(a->params, b->params) == 0 &&
           a->threads == b->threads && a->seed == b->seed && a->scale >= b->scale &&
           a->scale <= b->scale;
}

/* Registers every cell of the plan that can run on this machine. A/A twins have no meaning in one process. */
static int register_cells(const struct pb_plan *plan, const struct pb_topology *topology,
                          struct pb_shell *shells, struct pb_cell_result *results)
{
    uint64_t *steps = calloc(plan->cells_n + 1, sizeof *steps);
    if (steps == NULL)
        return EXIT_MACHINE;
    for (size_t i = 0; i < plan->cells_n; i++) {
        const struct pb_plan_cell *cell = &plan->cells[i];
        shells[i] = (struct pb_shell){.spec = cell->spec, .topology = topology, .result = &results[i]};
        if (cell->mark == PB_SKIPPED || cell->spec.alias)
            continue;
        for (size_t k = 0; k < i && steps[i] == 0; k++)
            steps[i] = same_stream(&cell->spec, &shells[k].spec) ? steps[k] : 0;
        if (steps[i] == 0)
            steps[i] = pb_cell_count_steps(&cell->spec, topology);
        if (pb_shell_register(&shells[i], steps[i]) != 0) {
            fprintf(stderr, "poolbench-gbench: %s: %s\n", cell->name, pb_gb_last_error());
            free(steps);
            return EXIT_USAGE;
        }
    }
    free(steps);
    return 0;
}

/* Whether a cell that was run ended with an error; one that was not selected is PB_OK still. Frees
 * what the results hold. */
static bool any_failed(struct pb_cell_result *results, size_t n)
{
    bool failed = false;
    for (size_t i = 0; i < n; i++) {
        failed |= results[i].status != PB_OK;
        pb_cell_result_free(&results[i]);
    }
    return failed;
}

static int run_plan(const struct pb_plan *plan, const struct pb_topology *topology)
{
    struct pb_shell *shells = calloc(plan->cells_n + 1, sizeof *shells);
    struct pb_cell_result *results = calloc(plan->cells_n + 1, sizeof *results);
    size_t matched = 0;
    int code = shells == NULL || results == NULL ? EXIT_MACHINE
                                                 : register_cells(plan, topology, shells, results);
    if (code == 0 && pb_gb_run_specified_benchmarks(NULL, NULL, NULL, &matched) != 0) {
        fprintf(stderr, "poolbench-gbench: %s\n", pb_gb_last_error());
        code = EXIT_USAGE;
    }
    if (results != NULL && any_failed(results, plan->cells_n) && code == 0)
        code = EXIT_FAILED;
    free(results);
    free(shells);
    return code == 0 && matched == 0 ? EXIT_NOTHING : code;
}

int main(int argc, char **argv)
{
    struct pb_topology *topology = NULL;
    int state = pb_gb_initialize(&argc, argv, print_help);
    if (state == PB_GB_HELP)
        return 0;
    if (state != 0) {
        fprintf(stderr, "poolbench-gbench: %s\n", pb_gb_last_error());
        return EXIT_USAGE;
    }
    if (pb_gb_report_unrecognized_arguments(argc, argv))
        return EXIT_USAGE;
    if (pb_topology_load(NULL, &topology) != 0) {
        fprintf(stderr, "poolbench-gbench: hwloc cannot read this machine's topology\n");
        return EXIT_MACHINE;
    }
    pb_trace_set_folder(PB_SOURCE_DIR "/bench/traces");
    struct pb_plan *plan = read_plan(topology);
    int code = plan != NULL ? run_plan(plan, topology) : EXIT_USAGE;
    if (plan != NULL)
        pb_plan_free(plan);
    pb_topology_free(topology);
    pb_gb_shutdown();
    return code;
}
