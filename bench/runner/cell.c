/* SPDX-License-Identifier: MIT */
/* Setting a cell up: the op streams, the workers, the heap. The phases are in cell_phases.c, what
 * the figures are made of in cell_result.c. The harness's memory is the cell's arena; the
 * libraries that read the spec and the topology have finished with malloc before the first baseline
 * is taken. */
#include "path.h"
#include "runner/cell_internal.h"

#include "probes/counters.h"
#include "runner/delay.h"
#include "runner/tags.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES = 1u << 30 }; /* address space; touched as it is taken */

static int refuse(struct pb_cell *cell, enum pb_status status, const char *reason, bool limited)
{
    struct pb_cell_result *result = cell->result;
    pb_limit_off(&cell->limit);
    if (result->status == PB_OK) {
        result->status = status;
        snprintf(result->reason, sizeof result->reason, "%s", reason);
        if (limited)
            pb_limit_name(&cell->limit, result->reason, sizeof result->reason);
    }
    return -ECANCELED;
}

int pb_cell_refuse(struct pb_cell *cell, enum pb_status status, const char *reason)
{
    bool limited = !cell->heap_open || pb_limit_is_near(&cell->limit);
    return refuse(cell, status, reason, status == PB_OOM && limited);
}

int pb_cell_refuse_short(struct pb_cell *cell, const char *reason)
{
    return refuse(cell, PB_FAILED, reason, pb_limit_is_users(&cell->limit));
}

bool pb_cell_is_cold(const struct pb_cell *cell)
{
    return strcmp(cell->spec->start, "cold") == 0;
}

bool pb_cell_is_open(const struct pb_cell *cell)
{
    return strcmp(cell->spec->arrival, "closed") != 0;
}

bool pb_cell_is_trace(const struct pb_cell *cell)
{
    return (cell->workload->flags & PB_WORKLOAD_OWN_THREADS) != 0;
}

static int cell_workload(struct pb_cell *cell)
{
    char message[256] = "";
    const struct pb_cell_spec *spec = cell->spec;
    const struct pb_workload *workload = cell->workload = pb_workload_find(spec->workload);
    if (workload == NULL) {
        snprintf(message, sizeof message, "there is no workload '%.100s'", spec->workload);
        return pb_cell_refuse(cell, PB_FAILED, message);
    }
    if (workload->option_bytes > sizeof cell->options)
        return pb_cell_refuse(cell, PB_FAILED,
                              "the workload's options are larger than a cell holds");
    if (pb_option_defaults(workload->options, cell->options) != 0 ||
        pb_option_parse(workload->options, cell->options, spec->params, message, sizeof message) !=
            0)
        return pb_cell_refuse(cell, PB_FAILED, message);
    cell->n = spec->threads;
    if ((workload->flags & PB_WORKLOAD_OWN_THREADS) != 0 &&
        workload->workers(cell->options, &cell->n, message, sizeof message) != 0)
        return pb_cell_refuse(cell, PB_FAILED, message);
    if (workload->unsuitable != NULL &&
        workload->unsuitable(cell->options, cell->n, message, sizeof message))
        return pb_cell_refuse(cell, PB_SKIPPED, message);
    return 0;
}

static int cell_placement(struct pb_cell *cell)
{
    char reason[256] = "";
    bool own = (cell->workload->flags & PB_WORKLOAD_OWN_THREADS) != 0;
    int error = pb_placement_plan(cell->topology, cell->spec->pin, cell->n,
                                  cell->spec->oversubscribe || own, &cell->placement, reason,
                                  sizeof reason);
    if (error == -ENOTSUP)
        return pb_cell_refuse(cell, PB_SKIPPED, reason);
    if (error != 0)
        return pb_cell_refuse(cell, PB_FAILED, reason);
    cell->result->workers = cell->n;
    cell->result->oversubscribed = cell->placement.oversubscribed;
    return 0;
}

static int cell_stream(struct pb_cell *cell)
{
    char message[256] = "";
    struct pb_case *c = &cell->c;
    *c = (struct pb_case){.options = cell->options,
                          .workers = cell->n,
                          .seed = cell->spec->seed,
                          .scale = cell->spec->scale,
                          .oversubscribed = cell->placement.oversubscribed,
                          .arena = &cell->arena};
    int error = cell->workload->setup(c, message, sizeof message);
    if (error == -ENOMEM)
        return pb_cell_refuse_short(cell, "the harness has no memory for the op stream");
    if (error != 0)
        return pb_cell_refuse(cell, PB_FAILED, message);
    cell->workers =
        pb_arena_take(&cell->arena, cell->n * sizeof *cell->workers, _Alignof(struct pb_worker));
    if (cell->workers == NULL)
        return pb_cell_refuse_short(cell, "the harness has no memory for the workers");
    for (unsigned i = 0; i < cell->n; i++) {
        cell->workers[i].index = i;
        cell->workers[i].count = cell->n;
        cell->workers[i].shared = c->shared;
        cell->workers[i].cursor = c->cursors[i];
    }
    return 0;
}

const char *pb_cell_impossible(const struct pb_cell_spec *spec, const struct pb_workload *workload,
                               unsigned capabilities, unsigned workers)
{
    unsigned flags = workload->flags;
    bool open = strcmp(spec->arrival, "closed") != 0;
    if ((capabilities & PB_CAP_ONE_BLOCK) != 0 && (flags & PB_WORKLOAD_MANY_BLOCKS) != 0)
        return "a floor has one block a thread; this workload holds more";
    if ((capabilities & PB_CAP_REMOTE_FREE) == 0 && (flags & PB_WORKLOAD_REMOTE_FREE) != 0 &&
        workers > 1)
        return "the strategy cannot free what another thread allocated";
    if (open && (flags & PB_WORKLOAD_STEPS_WAIT) != 0)
        return "an open loop needs steps that can come at any moment; this workload's wait for "
               "other workers";
    if (open && strcmp(spec->start, "cold") == 0)
        return "a heap is cold once: its first use is timed as a whole, not step by step";
    return NULL;
}

static int cell_variant(struct pb_cell *cell)
{
    char message[256] = "";
    if (pb_variant_parse(cell->spec->variant, &cell->variant, message, sizeof message) != 0)
        return pb_cell_refuse(cell, PB_FAILED, message);
    const char *impossible =
        pb_cell_impossible(cell->spec, cell->workload, cell->variant.ops->capabilities, cell->n);
    if (impossible == NULL)
        impossible = pb_delay_impossible(&cell->variant, cell->spec->delay);
    if (impossible != NULL)
        return pb_cell_refuse(cell, PB_SKIPPED, impossible);
    return 0;
}

/* The number behind "KIND:" of a text that begins so, else 0. */
static uint64_t number_of(const char *text, const char *kind)
{
    size_t length = strlen(kind);
    return strncmp(text, kind, length) == 0 ? strtoull(text + length, NULL, 10) : 0;
}

static void cell_delays(const struct pb_cell_spec *spec)
{
    pb_path_delays =
        (struct pb_path_delays){.slow_ns = number_of(spec->delay, "slow:"),
                                .lock_ns = number_of(spec->delay, "lock:"),
                                .in_locks = strncmp(spec->delay, "lock:", strlen("lock:")) == 0};
}

static struct pb_arrival cell_arrival(const struct pb_cell_spec *spec)
{
    uint64_t poisson = number_of(spec->arrival, "poisson:");
    uint64_t rate = poisson != 0 ? poisson : number_of(spec->arrival, "fixed:");
    return (struct pb_arrival){.rate = (double)rate, .poisson = poisson != 0};
}

/* All of the harness is there by now: what comes on top is the strategy's, and is limited. */
static int cell_heap(struct pb_cell *cell)
{
    char message[256] = "";
    /* a cold heap is not told what comes: that it grows is what is timed */
    size_t expected = pb_cell_is_cold(cell) ? 0 : cell->c.expected_blocks;
    struct pb_heap_request request = {cell->c.block_bytes, cell->n, expected};
    if (pb_limit_take(&cell->limit) != 0)
        return pb_cell_refuse(cell, PB_FAILED, "RLIMIT_DATA cannot be set, or VmData not be read");
    cell_delays(cell->spec);
    uint64_t before = pb_resident_bytes();
    int error = pb_variant_open(&cell->variant, &request, &cell->opened, message, sizeof message);
    uint64_t after = pb_resident_bytes();
    cell->opening_bytes = after > before ? after - before : 0;
    if (error == -ENOTSUP)
        return pb_cell_refuse(cell, PB_UNAVAILABLE, message);
    if (error == -ENOMEM)
        return pb_cell_refuse(cell, PB_OOM, "the heap cannot be opened: out of memory");
    if (error != 0)
        return pb_cell_refuse(cell, PB_FAILED, message);
    cell->heap_open = true;
    pb_stats_unknown(&cell->at_open);
    if ((cell->variant.ops->capabilities & PB_CAP_LIBRARY) != 0)
        cell->opened.heap->ops->stats(cell->opened.heap, &cell->at_open);
    cell->result->banked = cell->opened.banked;
    const struct pb_heap *heap = cell->opened.heap;
    cell->loop = cell->workload->loop(heap, cell->spec->dispatch);
    cell->table = cell->workload->loop(heap, PB_DISPATCH_TABLE);
    if (cell->loop == NULL) {
        snprintf(message, sizeof message, "dispatch=%s: %s has no such path",
                 pb_dispatch_names[cell->spec->dispatch], heap->hot->name);
        return pb_cell_refuse(cell, PB_SKIPPED, message);
    }
    pb_limit_off(&cell->limit);
    return 0;
}

static int bind_job(void *context, unsigned index)
{
    struct pb_cell *cell = context;
    int error = pb_placement_bind(cell->topology, &cell->placement, index);
    return error != 0 ? error : pb_placement_bind_memory(cell->topology, cell->spec->memory);
}

static int verify_job(void *context, unsigned index)
{
    struct pb_cell *cell = context;
    return pb_placement_verify(cell->topology, &cell->placement, index);
}

int pb_cell_detach_job(void *context, unsigned index)
{
    struct pb_cell *cell = context;
    struct pb_worker *worker = &cell->workers[index];
    if (worker->thread != NULL)
        worker->heap->ops->detach(worker->heap, worker->thread);
    worker->thread = NULL;
    return 0;
}

int pb_cell_verify_binding(struct pb_cell *cell)
{
    if (pb_team_run(cell->team, verify_job, cell) == 0)
        return 0;
    return pb_cell_refuse(cell, PB_FAILED, "a worker is not where it was bound to run");
}

/* What the strategy counted, without the workload's begin and end. */
static void read_stats(void *context, bool after)
{
    struct pb_cell *cell = context;
    struct pb_heap_stats *stats = after ? &cell->after : &cell->before;
    pb_stats_unknown(stats);
    cell->opened.heap->ops->stats(cell->opened.heap, stats);
}

/* Which windows there are beside RATE, and how they are cut. */
static void cell_sampling(struct pb_cell *cell)
{
    struct pb_session *session = &cell->session;
    bool trace = pb_cell_is_trace(cell);
    session->warm_parts = trace ? 1 : PB_WARM_WINDOWS;
    session->warm_span = trace ? PB_CELL_REPLAY_SPAN : PB_WARM_SPAN;
    if (pb_cell_is_cold(cell) || pb_cell_is_open(cell) || cell->spec->sample_gap == 0)
        return;
    session->sample_gap = cell->spec->sample_gap;
    session->mark = (cell->variant.ops->capabilities & PB_CAP_OWN_RSEQ) != 0 ? PB_MARK_SWITCHES
                                                                             : pb_mark_best();
    snprintf(cell->result->mark, sizeof cell->result->mark, "%s", pb_mark_names[session->mark]);
}

static int cell_team(struct pb_cell *cell)
{
    char message[160];
    int error = pb_team_open(cell->n, cell->placement.oversubscribed, bind_job, cell, &cell->team);
    if (error != 0) {
        cell->team = NULL;
        if (error == -ENOTSUP) {
            snprintf(message, sizeof message, "this machine cannot bind threads, or memory=%s",
                     cell->spec->memory);
            return pb_cell_refuse(cell, PB_SKIPPED, message);
        }
        snprintf(message, sizeof message, "the workers cannot be started or bound: %s",
                 strerror(-error));
        return pb_cell_refuse_short(cell, message);
    }
    cell->session = (struct pb_session){.workload = cell->workload,
                                        .team = cell->team,
                                        .workers = cell->workers,
                                        .n = cell->n,
                                        .seed = cell->spec->seed,
                                        .arrival = cell_arrival(cell->spec),
                                        .edge = read_stats,
                                        .edge_context = cell,
                                        .watch = &cell->watch,
                                        .hooks = cell->hooks,
                                        .hooks_n = cell->hooks_n};
    cell_sampling(cell);
    if (pb_session_prepare(&cell->session, &cell->arena) != 0 ||
        pb_watch_prepare(&cell->watch, cell->n, cell->placement.oversubscribed, &cell->arena) != 0)
        return pb_cell_refuse_short(cell, "the harness has no memory for the windows");
    return pb_cell_verify_binding(cell);
}

static void cell_hooks(struct pb_cell *cell)
{
    const struct pb_probe *probe;
    for (size_t i = 0; (probe = pb_probe_at(i)) != NULL && i < PB_HOOKS_MAX; i++)
        cell->hooks[cell->hooks_n++] = (struct pb_hook){.ready = probe->ready,
                                                        .before = probe->before,
                                                        .after = probe->after,
                                                        .rate_only = probe->rate_only,
                                                        .state_bytes = probe->worker_bytes};
}

/* An empty cell, or NULL with the status set. */
static struct pb_cell *cell_new(const struct pb_cell_spec *spec, const struct pb_topology *topology,
                                struct pb_cell_result *result)
{
    struct pb_limit limit;
    *result = (struct pb_cell_result){.status = PB_OK};
    pb_limit_open(&limit, spec->memory_limit);
    for (size_t i = 0; i < PB_METRICS_MAX; i++)
        result->values[i] = (double)NAN;
    struct pb_cell *cell = pb_pages_map(sizeof *cell);
    if (cell == NULL || pb_arena_open(&cell->arena, ARENA_BYTES) != 0) {
        result->status = PB_FAILED;
        snprintf(result->reason, sizeof result->reason, "the harness has no memory for a cell");
        if (pb_limit_is_users(&limit))
            pb_limit_name(&limit, result->reason, sizeof result->reason);
        if (cell != NULL)
            pb_pages_unmap(cell, sizeof *cell);
        return NULL;
    }
    cell->spec = spec;
    cell->limit = limit;
    cell->spare_bytes = pb_setup_spare("");
    cell->topology = topology;
    cell->result = result;
    return cell;
}

int pb_cell_open(const struct pb_cell_spec *spec, const struct pb_topology *topology,
                 struct pb_cell_result *result, struct pb_cell **out)
{
    struct pb_cell *cell = cell_new(spec, topology, result);
    if (cell == NULL)
        return -ECANCELED;
    pb_clock_open();
    cell_hooks(cell);
    if (pb_counters_choose(&pb_perf_linux, spec->counters, spec->turn) != 0)
        pb_cell_refuse(cell, PB_FAILED, "the events to count are not what they should be");
    if (result->status != PB_OK || cell_workload(cell) != 0 || cell_placement(cell) != 0 ||
        cell_stream(cell) != 0 || cell_variant(cell) != 0 || cell_team(cell) != 0 ||
        cell_heap(cell) != 0) {
        pb_cell_close(cell);
        return -ECANCELED;
    }
    *out = cell;
    return 0;
}

uint64_t pb_cell_count_steps(const struct pb_cell_spec *spec, const struct pb_topology *topology)
{
    struct pb_cell_result result;
    struct pb_cell *cell = cell_new(spec, topology, &result);
    uint64_t steps = 0;
    if (cell == NULL)
        return 0;
    if (cell_workload(cell) == 0 && cell_placement(cell) == 0 && cell_stream(cell) == 0)
        steps = pb_cell_steps(cell);
    pb_cell_close(cell);
    return steps;
}

uint64_t pb_cell_steps(const struct pb_cell *cell)
{
    uint64_t steps = 0;
    for (unsigned i = 0; i < cell->n; i++)
        steps += cell->workload->steps(&cell->workers[i]);
    return steps / cell->workload->step_workers;
}

void pb_cell_close(struct pb_cell *cell)
{
    if (cell->team != NULL) {
        pb_team_run(cell->team, pb_cell_detach_job, cell);
        pb_team_close(cell->team);
    }
    if (cell->heap_open) {
        pb_tags_read(cell->opened.heap, cell->result);
        pb_variant_close(&cell->opened);
    }
    pb_arena_close(&cell->arena);
    pb_pages_unmap(cell, sizeof *cell);
}
