/* SPDX-License-Identifier: MIT */
/* The phases of a cell, on the heap that cell.c opened:
 *   warm    audit, pretouch, WARM, RATE, TAIL, BODY, recheck
 *   open    audit, pretouch, WARM, RATE, OPEN, recheck
 *   cold    pretouch, RATE, recheck: nothing uses the heap before it is timed
 * Windows are judged right behind them: a cell that did not do what it should ends there.
 * Threads: the owner's. May touch: the cell. */
#include "runner/cell_internal.h"

#include <errno.h>
#include <unistd.h>

enum {
    AUDIT_STEPS = 100 * 1000,  /* a worker's steps under audit, but for traces: these are whole */
    RECHECK_STEPS = 20 * 1000, /* the same behind the timed windows, on the used heap */
    AUDIT_CHECKPOINTS = 256,
    REPLAYS = 3,        /* of a trace, to warm up */
    BODY_LEAST = 20,    /* batches of all workers: with fewer there is no median */
    PRETOUCH_SLACK = 8, /* one part in 8 on top, and 1 MiB */
    PRETOUCH_LEAST = 1 << 20,
    TOUCHED_PAGES = 2 /* of a block: its header's, and that of the bytes that are written */
};

static const double BATCH_QUANTA = 50.0; /* or the clock's own cost as often: at most 2 % of it */
static const double BATCH_SPARE = 1.25;  /* aimed at, as BODY may be faster than the warm-up */
static const double BODY_SHARE = 0.25;   /* of the stream's steps */
static const double OPEN_SECONDS = 0.5;  /* before the scale */
static const double LONG_REPLAY_NS = 0.5e9; /* longer: one replay is the warm-up */

static int attach_job(void *context, unsigned index)
{
    struct pb_cell *cell = context;
    struct pb_worker *worker = &cell->workers[index];
    worker->heap = cell->front;
    return worker->heap->ops->attach(worker->heap, index, &worker->thread);
}

/* Puts every worker in front of `heap`. */
static int cell_attach(struct pb_cell *cell, struct pb_heap *heap)
{
    cell->front = heap;
    if (pb_team_run(cell->team, attach_job, cell) == 0)
        return 0;
    pb_team_run(cell->team, pb_cell_detach_job, cell);
    return pb_cell_refuse(cell, PB_OOM, "a worker cannot attach to the heap: out of memory");
}

/* One pass with every block checked, of at most `limit` steps a worker. */
static int cell_audit(struct pb_cell *cell, uint64_t limit, struct pb_audit_result *found)
{
    uint64_t steps = 0;
    for (unsigned i = 0; i < cell->n; i++)
        steps += cell->workload->steps(&cell->workers[i]);
    if (!pb_cell_is_trace(cell) && steps / cell->n > limit)
        steps = limit * cell->n;
    struct pb_audit *audit;
    /* an odd distance: an even one would always meet pairs of calls at the same place */
    uint64_t distance = steps * cell->workload->step_calls / AUDIT_CHECKPOINTS | 1;
    if (pb_audit_open(cell->opened.heap, cell->n, distance, &audit) != 0)
        return pb_cell_refuse_short(cell, "the harness has no memory for the audit");
    int error = cell_attach(cell, pb_audit_heap(audit));
    if (error == 0) {
        pb_session_run(&cell->session, PB_PHASE_AUDIT, cell->table,
                       pb_cell_is_trace(cell) ? UINT64_MAX : limit);
        pb_team_run(cell->team, pb_cell_detach_job, cell);
        pb_audit_finish(audit, found);
        pb_cell_add_tallies(cell, &cell->result->audit);
        error = pb_cell_judge_audit(cell, found);
    }
    pb_audit_close(audit);
    return error;
}

/* Of small blocks all that is live, of large ones the pages that the workload writes to. */
static uint64_t bytes_written_to(const struct pb_case *c)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t live = c->live_peak_bytes, most = c->expected_blocks * TOUCHED_PAGES * page;
    if (live == 0)
        live = (uint64_t)c->expected_blocks * c->block_bytes;
    return live < most ? live : most;
}

/* Memory that the strategy held in the audit and gave back is the machine's again, and a first
 * touch of a guest's page costs an exit to its host: takes as much, touches it and gives it back.
 * Without an audit, as much as the workload says that it will write to. Never more than the machine
 * can spare: what it has no room for would end the process, and be blamed on the strategy. */
static void cell_pretouch(struct pb_cell *cell)
{
    uint64_t bytes = bytes_written_to(&cell->c), most = cell->spec->memory_limit;
    if (cell->audited && cell->audit.rss_peak_bytes > cell->audit.rss_end_bytes)
        bytes = cell->audit.rss_peak_bytes - cell->audit.rss_end_bytes;
    bytes += bytes / PRETOUCH_SLACK + PRETOUCH_LEAST;
    bytes = most != 0 && bytes > most ? most : bytes;
    if (bytes > cell->spare_bytes) {
        pb_cell_warn(cell, "nothing was pretouched: it would be more than a quarter of the memory "
                           "that there is, and first touches may cost more");
        return;
    }
    pb_limit_off(&cell->limit);
    cell->pretouched_bytes = pb_setup_pretouch(bytes);
    pb_limit_on(&cell->limit);
}

/* A stream is warmed up once, in windows; a replay, which is one, until two take the same time. */
static int cell_warm_up(struct pb_cell *cell)
{
    const struct pb_session *session = &cell->session;
    const struct pb_window *first = session->windows[PB_PHASE_WARM];
    unsigned most = pb_cell_is_trace(cell) ? REPLAYS : 1;
    int error = 0;
    for (unsigned i = 0; error == 0 && i < most && !session->warm.steady; i++) {
        pb_session_run(&cell->session, PB_PHASE_WARM, cell->loop, UINT64_MAX);
        error = pb_cell_judge_phase(cell, PB_PHASE_WARM, UINT64_MAX, NULL);
        if (pb_clock_ns(first->ended - first->go) > LONG_REPLAY_NS)
            break;
    }
    return error;
}

int pb_cell_warm(struct pb_cell *cell)
{
    bool cold = pb_cell_is_cold(cell);
    pb_limit_on(&cell->limit);
    if (!cold && cell->spec->audit && cell_audit(cell, AUDIT_STEPS, &cell->audit) != 0)
        return -ECANCELED;
    cell->audited = !cold && cell->spec->audit;
    cell_pretouch(cell);
    if (cell_attach(cell, cell->opened.heap) != 0)
        return -ECANCELED;
    return cold ? 0 : cell_warm_up(cell);
}

int pb_cell_rate(struct pb_cell *cell, double *seconds)
{
    pb_session_run(&cell->session, PB_PHASE_RATE, cell->loop, UINT64_MAX);
    *seconds = pb_cell_wall_ns(cell) * 1e-9;
    return pb_cell_judge_phase(cell, PB_PHASE_RATE, UINT64_MAX, &cell->result->rate);
}

/* Steps of the first worker's that are `share` of its stream. */
static uint64_t share_of_stream(const struct pb_cell *cell, double share)
{
    return (uint64_t)((double)cell->workload->steps(&cell->workers[0]) * share);
}

/* The batches are as long as the clock needs them, in whole periods of the workload. Where steps
 * wait for other workers there are none: they would time how long. */
static int cell_body(struct pb_cell *cell)
{
    const struct pb_clock *clock = pb_clock_open();
    struct pb_session *session = &cell->session;
    cell->batch_ns = BATCH_QUANTA * fmax(clock->quantum_ns, clock->overhead_ns);
    session->batch =
        pb_batch_steps(cell->batch_ns * BATCH_SPARE, session->warm.ns_a_step, cell->c.period);
    uint64_t limit = share_of_stream(cell, BODY_SHARE) / session->batch * session->batch;
    bool waits = (cell->workload->flags & PB_WORKLOAD_STEPS_WAIT) != 0 && cell->n > 1;
    if (limit / session->batch * cell->n < BODY_LEAST || waits)
        return 0;
    pb_session_run(session, PB_PHASE_BODY, cell->loop, limit);
    return pb_cell_judge_phase(cell, PB_PHASE_BODY, limit, NULL);
}

static int cell_sampled(struct pb_cell *cell)
{
    struct pb_tally tail = {0};
    pb_session_run(&cell->session, PB_PHASE_TAIL, cell->loop, UINT64_MAX);
    int error = pb_cell_judge_phase(cell, PB_PHASE_TAIL, UINT64_MAX, &tail);
    cell->tail_tally = tail;
    if (error == 0 && tail.hash != cell->result->rate.hash)
        return pb_cell_refuse(cell, PB_FAILED,
                              "the sampled pass ran other operations than the timed one");
    return error != 0 ? error : cell_body(cell);
}

/* As many steps as come in half a second, times the scale. */
static int cell_open_loop(struct pb_cell *cell)
{
    double steps = cell->session.arrival.rate * OPEN_SECONDS * cell->spec->scale;
    uint64_t limit = (uint64_t)fmax(steps, 1.0);
    if (cell->session.open_hists == NULL)
        return pb_cell_refuse(cell, PB_FAILED,
                              "arrival: steps that come at no rate are no open loop");
    pb_session_run(&cell->session, PB_PHASE_OPEN, cell->loop, limit);
    return pb_cell_judge_phase(cell, PB_PHASE_OPEN, limit, NULL);
}

int pb_cell_tail(struct pb_cell *cell)
{
    int error = 0;
    if (cell->session.samples != NULL)
        error = cell_sampled(cell);
    else if (pb_cell_is_open(cell))
        error = cell_open_loop(cell);
    else
        return 0;
    return error != 0 ? error : pb_cell_verify_binding(cell);
}

int pb_cell_recheck(struct pb_cell *cell)
{
    struct pb_audit_result again;
    char message[256];
    struct pb_heap *heap = cell->opened.heap;
    bool cold = pb_cell_is_cold(cell);
    pb_team_run(cell->team, pb_cell_detach_job, cell);
    if (heap->ops->check != NULL && heap->ops->check(heap, message, sizeof message) != 0)
        return pb_cell_refuse(cell, PB_CORRUPT, message);
    /* a warm trace's audit was all of it */
    int error = 0;
    if (cell->spec->audit && (cold || !pb_cell_is_trace(cell)))
        error = cell_audit(cell, cold ? AUDIT_STEPS : RECHECK_STEPS, &again);
    pb_limit_off(&cell->limit);
    return error;
}
