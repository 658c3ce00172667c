/* SPDX-License-Identifier: MIT */
/* The child's side of a repetition. JSON and Google Benchmark allocate before the first window and
 * behind the last one, never in between. */
#include "runner/child.h"

#include "gbench/gbench.h"
#include "runner/cell_internal.h"
#include "runner/shell.h"
#include "runner/wire.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* What Google Benchmark reported of the cell. */
struct gbench_row {
    char name[PB_CELL_NAME_MAX + 64];
    int64_t iterations;
    double real_ns;
};

static void keep_row(const struct pb_gb_run *const *runs, size_t n, void *context)
{
    struct gbench_row *row = context;
    if (n == 0 || pb_gb_run_error_occurred(runs[0]))
        return;
    snprintf(row->name, sizeof row->name, "%s", pb_gb_run_benchmark_name(runs[0]));
    row->iterations = pb_gb_run_iterations(runs[0]);
    row->real_ns = pb_gb_run_adjusted_real_time(runs[0]);
}

/* Runs the open cell as the one benchmark that there is. */
static int run_in_gbench(struct pb_shell *shell, struct gbench_row *row)
{
    static const struct pb_gb_reporter_ops ops = {.runs = keep_row};
    struct pb_gb_reporter *reporter = NULL;
    char program[] = "poolbench";
    char *argv[] = {program, NULL};
    int argc = 1;
    int error = pb_gb_initialize(&argc, argv, NULL);
    if (error == 0)
        error = pb_shell_register(shell, pb_cell_steps(shell->cell));
    if (error == 0)
        error = pb_gb_reporter_create(&ops, row, &reporter);
    if (error == 0)
        error = pb_gb_run_specified_benchmarks(NULL, reporter, NULL, NULL);
    pb_gb_reporter_destroy(reporter);
    if (error == 0 && row->iterations == 0 && shell->result->status == PB_OK) {
        shell->result->status = PB_FAILED;
        snprintf(shell->result->reason, sizeof shell->result->reason,
                 "Google Benchmark did not run the cell");
    }
    if (error != 0 && shell->result->status == PB_OK) {
        shell->result->status = PB_FAILED;
        snprintf(shell->result->reason, sizeof shell->result->reason, "Google Benchmark: %.200s",
                 pb_gb_last_error());
    }
    return error;
}

static json_t *read_spec(int in, struct pb_cell_spec *spec, char *message, size_t size)
{
    json_error_t error;
    FILE *file = fdopen(in, "r");
    json_t *json = file != NULL ? json_loadf(file, JSON_REJECT_DUPLICATES, &error) : NULL;
    if (json == NULL) {
        snprintf(message, size, "the spec is not JSON: %s", file != NULL ? error.text : "no input");
        return NULL;
    }
    if (pb_wire_spec_from_json(json, spec, message, size) != 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* Processor time of the workers in the window, a step: Google Benchmark's own is of the process,
 * and has what looks at the machine beside the window in it. */
static double cpu_ns_a_step(const struct pb_cell_result *result)
{
    int metric = pb_metric_index("worker_cpu_ns");
    return metric >= 0 && result->steps > 0 ? result->values[metric] / (double)result->steps : 0.0;
}

static int write_result(int out, const struct pb_cell_result *result, const struct gbench_row *row,
                        const struct pb_loop *loop)
{
    json_t *json = pb_wire_result_to_json(result);
    if (json == NULL)
        return -ENOMEM;
    if (loop != NULL) /* which placement of the code it was: layout.h */
        json_object_set_new(json, "loop_offset",
                            json_integer((json_int_t)((uintptr_t)loop->run % 64)));
    if (row->iterations > 0)
        json_object_set_new(json, "gbench",
                            json_pack("{s:s, s:I, s:f, s:f}", "name", row->name, "iterations",
                                      (json_int_t)row->iterations, "real_time", row->real_ns,
                                      "cpu_time", cpu_ns_a_step(result)));
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(json);
    if (text == NULL)
        return -ENOMEM;
    int length = dprintf(out, "%s\n", text);
    free(text);
    return length > 0 ? 0 : -EIO;
}

/* What the runner tells a child beside the cell's spec, as it is the run's and the block's. */
static void read_run(const json_t *json, struct pb_cell_spec *spec, struct pb_setup *setup)
{
    json_int_t bytes = json_integer_value(json_object_get(json, "memory_limit"));
    const json_t *seed = json_object_get(json_object_get(json, "setup"), "seed");
    const char *counters = json_string_value(json_object_get(json, "counters"));
    spec->memory_limit = bytes > 0 ? (uint64_t)bytes : 0;
    spec->turn = (unsigned)json_integer_value(json_object_get(json, "turn"));
    snprintf(spec->counters, sizeof spec->counters, "%s", counters != NULL ? counters : "");
    *setup = (struct pb_setup){.given = json_is_integer(seed),
                               .seed = (uint64_t)json_integer_value(seed)};
}

/* The topology is the harness's, not the cell's, and comes first. Returns the loop that was timed,
 * or NULL. */
static const struct pb_loop *run_cell(struct pb_shell *shell, struct gbench_row *row)
{
    const struct pb_loop *loop = NULL;
    struct pb_topology *topology = NULL;
    struct pb_cell_result *result = shell->result;
    if (pb_topology_load(NULL, &topology) != 0) {
        result->status = PB_FAILED;
        snprintf(result->reason, sizeof result->reason,
                 "hwloc cannot read this machine's topology");
        return NULL;
    }
    shell->topology = topology;
    if (pb_cell_open(&shell->spec, topology, result, &shell->cell) == 0) {
        loop = shell->cell->loop;
        run_in_gbench(shell, row);
    }
    if (shell->cell != NULL)
        pb_cell_close(shell->cell);
    pb_topology_free(topology);
    return loop;
}

int pb_child_run(int in, int out)
{
    struct pb_shell shell = {0};
    struct pb_cell_result result = {0};
    struct gbench_row row = {0};
    char message[256] = "";
    shell.result = &result;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a runner that is killed leaves no child behind */
    json_t *json = read_spec(in, &shell.spec, message, sizeof message);
    if (json == NULL) {
        fprintf(stderr, "poolbench child: %s\n", message);
        return 2;
    }
    struct pb_setup setup;
    read_run(json, &shell.spec, &setup);
    json_decref(json);
    if (setup.given) {
        pb_setup_draw(&setup);
        pb_setup_apply(&setup);
    }
    const struct pb_loop *loop = run_cell(&shell, &row);
    result.setup = setup; /* the cell begins with an empty result */
    int error = write_result(out, &result, &row, loop);
    pb_cell_result_free(&result);
    return error == 0 ? 0 : 1;
}
