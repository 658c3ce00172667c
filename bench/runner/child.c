/* SPDX-License-Identifier: MIT */
/* The child's side of a repetition. JSON and Google Benchmark allocate before the first window and
 * behind the last one, never in between. */
#include "runner/child.h"

#include "gbench/gbench.h"
#include "runner/cell_internal.h"
#include "runner/shell.h"
#include "runner/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* What Google Benchmark reported of the cell. */
struct gbench_row {
    char name[PB_CELL_NAME_MAX + 64];
    int64_t iterations;
    double real_ns, cpu_ns;
};

static void keep_row(const struct pb_gb_run *const *runs, size_t n, void *context)
{
    struct gbench_row *row = context;
    if (n == 0 || pb_gb_run_error_occurred(runs[0]))
        return;
    snprintf(row->name, sizeof row->name, "%s", pb_gb_run_benchmark_name(runs[0]));
    row->iterations = pb_gb_run_iterations(runs[0]);
    row->real_ns = pb_gb_run_adjusted_real_time(runs[0]);
    row->cpu_ns = pb_gb_run_adjusted_cpu_time(runs[0]);
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

/* --- the memory limit ------------------------------------------------------------------------- */

enum { HARNESS_ROOM = 1 << 30, REASON_KEPT = 150 };

struct limit {
    uint64_t bytes; /* 0: none */
    bool blamed;    /* the cell ended because of it */
    struct rlimit before;
};

void pb_limit_name(uint64_t bytes, char *reason, size_t size)
{
    size_t used = strlen(reason);
    used = used < REASON_KEPT ? used : REASON_KEPT;
    if (bytes < 1 << 20)
        used += (size_t)snprintf(reason + used, size - used, "; the memory limit is %" PRIu64 " B",
                                 bytes);
    else
        used += (size_t)snprintf(reason + used, size - used, "; the memory limit is %.1f MiB",
                                 (double)bytes / 1048576);
    snprintf(reason + used, size - used, ": raise --memory-limit, or 0 for none");
}

/* What counts against RLIMIT_DATA so far: private writable memory, the stacks of threads among it;
 * the main thread's stack is not. 0 if unreadable. */
static uint64_t data_in_use(void)
{
    char line[128];
    uint64_t kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmData: %" SCNu64, &kib) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kib * 1024;
}

/* Ends the cell because of its limit. Returns false. */
static bool refuse_limit(struct limit *limit, enum pb_status status, const char *why,
                         struct pb_cell_result *result)
{
    limit->blamed = true;
    result->status = status;
    snprintf(result->reason, sizeof result->reason, "%s", why);
    return false;
}

/* Sets the limit so that the process may have `data` bytes; one of the user's own that is lower
 * stays. Returns false, with the status set, where that cannot be. */
static bool set_limit(struct limit *limit, uint64_t data, struct pb_cell_result *result)
{
    char why[128];
    struct rlimit lower = limit->before;
    if (data < lower.rlim_cur)
        lower.rlim_cur = (rlim_t)data;
    if (setrlimit(RLIMIT_DATA, &lower) == 0)
        return true;
    snprintf(why, sizeof why, "RLIMIT_DATA cannot be set: %s", strerror(errno));
    return refuse_limit(limit, PB_FAILED, why, result);
}

/* While the cell opens, the harness's memory and the strategy's cannot be told apart: the limit
 * leaves room for all that the harness may take. Returns false with the status set. */
static bool limit_opening(struct limit *limit, unsigned threads, struct pb_cell_result *result)
{
    pthread_attr_t attributes;
    size_t stack = 0;
    uint64_t used = data_in_use();
    if (limit->bytes == 0)
        return true;
    if (used == 0)
        return refuse_limit(limit, PB_FAILED, "/proc/self/status does not tell VmData", result);
    if (pthread_attr_init(&attributes) == 0) {
        (void)pthread_attr_getstacksize(&attributes, &stack);
        pthread_attr_destroy(&attributes);
    }
    return set_limit(limit, limit->bytes + used + HARNESS_ROOM + threads * (uint64_t)stack, result);
}

/* What the audit's books may take while the cell runs. A map has 8 slots of 16 bytes for a key (at
 * most half full, doubled, the old ones kept); a block is a key, and 8 on the lines that threads
 * may share; every byte of the strategy's has a bit. */
static uint64_t audit_bytes(const struct limit *limit, const struct pb_cell *cell)
{
    const uint64_t least = 2 << 20, slots = 8 * 16, keys = cell->n > 1 ? 1 + 8 : 1;
    if (!cell->spec->audit)
        return 0;
    return least + cell->c.expected_blocks * keys * slots + limit->bytes / 8;
}

/* With the cell open the harness has its op streams, windows, gaps and workers, and will have the
 * audit's books: the limit is on what comes on top, and what the heap has taken already is part of
 * that. Returns false with the status set. */
static bool limit_strategy(struct limit *limit, const struct pb_cell *cell,
                           struct pb_cell_result *result)
{
    char why[128];
    struct pb_heap *heap = cell->opened.heap;
    struct pb_heap_stats stats;
    uint64_t used = data_in_use();
    if (limit->bytes == 0)
        return true;
    pb_stats_unknown(&stats);
    if ((cell->variant.ops->capabilities & PB_CAP_LIBRARY) == 0)
        heap->ops->stats(heap, &stats); /* a library's are the whole process's */
    uint64_t held = stats.held_bytes != PB_STAT_UNKNOWN ? stats.held_bytes : 0;
    if (held > limit->bytes) {
        snprintf(why, sizeof why, "the heap takes %" PRIu64 " bytes to open", held);
        return refuse_limit(limit, PB_OOM, why, result);
    }
    uint64_t ours = (used > held ? used - held : 0) + audit_bytes(limit, cell);
    return set_limit(limit, limit->bytes + ours, result);
}

/* Where it is the harness that had no memory, the strategy is not to blame. */
static bool harness_ran_out(const struct pb_cell_result *result)
{
    static const char *const words[] = {"the harness has no memory", "the audit itself has no mem"};
    for (size_t i = 0; result->status == PB_OOM && i < sizeof words / sizeof *words; i++)
        if (strncmp(result->reason, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

/* What is left to do has memory again. A cell that failed near the limit says what the limit was.
 */
static void lift_limit(const struct limit *limit, struct pb_cell_result *result)
{
    struct rusage usage = {0};
    bool ours = harness_ran_out(result);
    if (ours)
        result->status = PB_FAILED;
    if (limit->bytes == 0)
        return;
    setrlimit(RLIMIT_DATA, &limit->before); /* raising what this process lowered cannot fail */
    getrusage(RUSAGE_SELF, &usage);
    bool near =
        limit->bytes < PB_LIMIT_SMALL || (uint64_t)usage.ru_maxrss * 1024 >= limit->bytes / 2;
    if (ours || limit->blamed ||
        (near && (result->status == PB_FAILED || result->status == PB_OOM)))
        pb_limit_name(limit->bytes, result->reason, sizeof result->reason);
}

static int write_result(int out, const struct pb_cell_result *result, const struct gbench_row *row)
{
    json_t *json = pb_wire_result_to_json(result);
    if (json == NULL)
        return -ENOMEM;
    if (row->iterations > 0)
        json_object_set_new(json, "gbench",
                            json_pack("{s:s, s:I, s:f, s:f}", "name", row->name, "iterations",
                                      (json_int_t)row->iterations, "real_time", row->real_ns,
                                      "cpu_time", row->cpu_ns));
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(json);
    if (text == NULL)
        return -ENOMEM;
    int length = dprintf(out, "%s\n", text);
    free(text);
    return length > 0 ? 0 : -EIO;
}

/* The cell, inside its limit. The topology is the harness's, not the cell's, and comes first. */
static void run_cell(struct pb_shell *shell, struct limit *limit, struct gbench_row *row)
{
    struct pb_topology *topology = NULL;
    struct pb_cell_result *result = shell->result;
    if (pb_topology_load(NULL, &topology) != 0) {
        result->status = PB_FAILED;
        snprintf(result->reason, sizeof result->reason,
                 "hwloc cannot read this machine's topology");
        return;
    }
    shell->topology = topology;
    if (limit_opening(limit, shell->spec.threads, result)) {
        if (pb_cell_open(&shell->spec, topology, result, &shell->cell) == 0 &&
            limit_strategy(limit, shell->cell, result))
            run_in_gbench(shell, row);
        if (shell->cell != NULL)
            pb_cell_close(shell->cell);
    }
    lift_limit(limit, result);
    pb_topology_free(topology);
}

int pb_child_run(int in, int out)
{
    struct pb_shell shell = {0};
    struct pb_cell_result result = {0};
    struct gbench_row row = {0};
    struct limit limit = {0};
    char message[256] = "";
    shell.result = &result;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a runner that is killed leaves no child behind */
    json_t *json = read_spec(in, &shell.spec, message, sizeof message);
    if (json == NULL) {
        fprintf(stderr, "poolbench child: %s\n", message);
        return 2;
    }
    json_int_t bytes = json_integer_value(json_object_get(json, "memory_limit"));
    if (bytes > 0 && getrlimit(RLIMIT_DATA, &limit.before) == 0)
        limit.bytes = (uint64_t)bytes;
    json_decref(json);
    run_cell(&shell, &limit, &row);
    int error = write_result(out, &result, &row);
    pb_cell_result_free(&result);
    return error == 0 ? 0 : 1;
}
