/* SPDX-License-Identifier: MIT */
/* For tests of windows: a session on a workload whose steps say what they cost. Include after
 * cmocka. May touch: threads and a mapping of its own. */
#ifndef PB_TEST_WINDOW_SCRIPT_H
#define PB_TEST_WINDOW_SCRIPT_H

#include "engine/clock.h"
#include "engine/window.h"

#include <string.h>

enum { WORKERS = 2, STEPS = 4000, RUNS_MAX = 8192, US = 1000, MS = 1000 * 1000 };

/* One worker's stream. */
struct script {
    uint64_t steps, done;
    uint64_t runs, run_steps[RUNS_MAX];
    unsigned alloc_path, free_path;
    uint64_t alloc_ns;
    void (*in_run)(void);       /* what an untimed run does besides; may be NULL */
    void (*in_step)(void);      /* what a timed step does besides; may be NULL */
    uint64_t run_ns;            /* that a run takes at least; 0: no time */
    uint64_t slow_run, slow_ns; /* which run (1, 2, ...) takes how much more; 0: none */
};

static struct script scripts[WORKERS];
static struct pb_worker workers[WORKERS];
static struct pb_arena arena;

static inline uint64_t script_steps(const struct pb_worker *worker)
{
    return ((const struct script *)worker->cursor)->steps;
}

static inline void script_begin(struct pb_worker *worker)
{
    struct script *script = worker->cursor;
    script->done = script->runs = 0;
}

static inline void spin(double ns)
{
    uint64_t end = pb_ticks_begin() + pb_clock_ticks(ns);
    while (pb_ticks_begin() < end)
        ;
}

static inline uint64_t script_run(struct pb_worker *worker, uint64_t steps)
{
    struct script *script = worker->cursor;
    uint64_t left = script->steps - script->done;
    steps = steps < left ? steps : left;
    if (script->runs < RUNS_MAX)
        script->run_steps[script->runs] = steps;
    if (script->in_run != NULL)
        script->in_run();
    if (script->run_ns > 0)
        spin((double)script->run_ns);
    if (++script->runs == script->slow_run)
        spin((double)script->slow_ns);
    script->done += steps;
    return steps;
}

static inline uint64_t script_timed(struct pb_worker *worker, struct pb_timing *timing)
{
    struct script *script = worker->cursor;
    if (script->in_step != NULL)
        script->in_step();
    script->done++;
    *timing = (struct pb_timing){.made = PB_TIMED_ALLOC | PB_TIMED_FREE,
                                 .alloc_ticks = pb_clock_ticks((double)script->alloc_ns),
                                 .free_ticks = pb_clock_ticks(500.0),
                                 .alloc_path = script->alloc_path,
                                 .free_path = script->free_path};
    return 1;
}

static const struct pb_workload workload = {
    .name = "script", .steps = script_steps, .begin = script_begin};
static const struct pb_loop loop = {NULL, script_run, script_timed};

/* The caller has filled what is its own. */
static inline void open_session(struct pb_session *session, unsigned n)
{
    memset(workers, 0, sizeof workers);
    memset(scripts, 0, sizeof scripts);
    session->workload = &workload;
    session->workers = workers;
    session->n = n;
    session->seed = 1;
    for (unsigned i = 0; i < n; i++) {
        workers[i].index = i;
        workers[i].count = n;
        workers[i].cursor = &scripts[i];
        scripts[i].steps = STEPS;
        scripts[i].alloc_ns = 1000;
    }
    assert_int_equal(pb_arena_open(&arena, 64 << 20), 0);
    assert_int_equal(pb_team_open(n, n > 1, NULL, NULL, &session->team), 0);
    assert_int_equal(pb_session_prepare(session, &arena), 0);
}

static inline void close_session(struct pb_session *session)
{
    pb_team_close(session->team);
    pb_arena_close(&arena);
}

#endif
