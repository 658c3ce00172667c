/* SPDX-License-Identifier: MIT */
/* Windows. Each worker: begin | line up | before | line up | run | after | line up | end. The first
 * line keeps the wait for the slowest begin out of what the hooks see; the second is the start; the
 * third keeps one worker's end, and its frees, out of another's window.
 * Source:  Hoefler and Belli, SC 2015, rule 10 (workers are synchronised by a moment in time).
 * Threads: the owner calls; a worker writes its own window, tally, states and histograms alone.
 * May touch: in a window the clock, the gaps and, behind a timed step, the worker's histograms. */
#include "engine/window.h"

#include "engine/clock.h"
#include "engine/rng.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

enum { GAPS = 1 << 14, LINE_BYTES = 128, STACK_PAGE = 4096, STACK_AT = 1024 };

/* Gaps: steps that run untimed before each timed one, such that a step is timed every `mean` steps
 * on average. Inversion: P(gap >= k) = (1 - 1/mean)^k. */
static void gaps_draw(uint32_t *gaps, uint64_t mean, uint64_t seed, unsigned index)
{
    struct pb_rng rng;
    pb_rng_seed(&rng, seed ^ UINT64_C(0x67617073), index); /* apart from the workload's streams */
    double scale = mean > 1 ? 1.0 / log1p(-1.0 / (double)mean) : 0.0;
    for (size_t i = 0; i < GAPS; i++) {
        double gap = floor(log1p(-pb_rng_unit(&rng)) * scale);
        gaps[i] = gap < UINT32_MAX ? (uint32_t)gap : UINT32_MAX;
    }
}

static int prepare_sampling(struct pb_session *session, struct pb_arena *arena)
{
    size_t n = session->n, hist_bytes = n * sizeof(struct pb_hist);
    session->alloc_hists = pb_arena_take(arena, hist_bytes, LINE_BYTES);
    session->free_hists = pb_arena_take(arena, hist_bytes, LINE_BYTES);
    session->gaps = pb_arena_take(arena, n * sizeof *session->gaps, LINE_BYTES);
    if (session->alloc_hists == NULL || session->free_hists == NULL || session->gaps == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < session->n; i++) {
        session->gaps[i] = pb_arena_take(arena, GAPS * sizeof **session->gaps, LINE_BYTES);
        if (session->gaps[i] == NULL)
            return -ENOMEM;
        gaps_draw(session->gaps[i], session->sample_gap, session->seed, i);
    }
    return 0;
}

static int prepare_states(struct pb_session *session, enum pb_phase phase, struct pb_arena *arena)
{
    void **states = pb_arena_take(arena, session->hooks_n * sizeof *states, LINE_BYTES);
    session->hook_states[phase] = states;
    if (states == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < session->hooks_n; i++) {
        size_t bytes = session->hooks[i].state_bytes * session->n;
        if (bytes == 0)
            continue;
        states[i] = pb_arena_take(arena, bytes, LINE_BYTES);
        if (states[i] == NULL)
            return -ENOMEM;
    }
    return 0;
}

int pb_session_prepare(struct pb_session *session, struct pb_arena *arena)
{
    size_t bytes = session->n * sizeof(struct pb_window);
    for (int phase = PB_PHASE_AUDIT; phase <= PB_PHASE_TAIL; phase++) {
        session->windows[phase] = pb_arena_take(arena, bytes, LINE_BYTES);
        if (session->windows[phase] == NULL)
            return -ENOMEM;
    }
    if (prepare_states(session, PB_PHASE_RATE, arena) != 0 ||
        prepare_states(session, PB_PHASE_TAIL, arena) != 0)
        return -ENOMEM;
    return session->sample_gap != 0 ? prepare_sampling(session, arena) : 0;
}

/* What one run of a phase needs; read by all workers. */
struct phase_run {
    const struct pb_session *session;
    enum pb_phase phase;
    const struct pb_loop *loop;
    uint64_t limit;
    uint64_t ns_multiplier; /* of a tick, 32 bits behind the point */
};

static uint64_t ticks_to_ns(uint64_t ticks, uint64_t multiplier)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)(((wide)ticks * multiplier + (UINT64_C(1) << 31)) >> 32);
}

static void record(const struct phase_run *run, unsigned index, const struct pb_timing *timing)
{
    const struct pb_session *session = run->session;
    if ((timing->made & PB_TIMED_ALLOC) != 0)
        pb_hist_record(&session->alloc_hists[index],
                       ticks_to_ns(timing->alloc_ticks, run->ns_multiplier));
    if ((timing->made & PB_TIMED_FREE) != 0)
        pb_hist_record(&session->free_hists[index],
                       ticks_to_ns(timing->free_ticks, run->ns_multiplier));
}

static uint64_t run_sampled(const struct phase_run *run, struct pb_worker *worker, uint64_t steps)
{
    const uint32_t *gaps = run->session->gaps[worker->index];
    uint64_t done = 0;
    for (size_t i = 0; done < steps; i++) {
        uint64_t left = steps - done, drawn = gaps[i % GAPS];
        uint64_t gap = drawn < left ? drawn : left;
        uint64_t ran = gap > 0 ? run->loop->run(worker, gap) : 0;
        done += ran;
        if (ran < gap || done == steps)
            break;
        struct pb_timing timing = {0};
        if (run->loop->timed(worker, &timing) == 0)
            break;
        done++;
        record(run, worker->index, &timing);
    }
    return done;
}

static unsigned cpu_now(void)
{
    int cpu = sched_getcpu();
    return cpu < 0 ? PB_CPU_UNKNOWN : (unsigned)cpu;
}

/* From the start line to the last step. */
static void window_run(const struct phase_run *run, struct pb_worker *worker, uint64_t steps,
                       struct pb_window *window)
{
    bool sampled = run->phase == PB_PHASE_TAIL;
    window->cpu_first = cpu_now();
    window->go = pb_team_line_up(run->session->team);
    window->begun = pb_ticks_begin();
    window->steps = sampled ? run_sampled(run, worker, steps) : run->loop->run(worker, steps);
    window->ended = pb_ticks_end();
    window->cpu_last = cpu_now();
}

/* The same, with the stack at one place in its page, however deep the caller is: its frames then
 * lie in the first 1 KiB, which strategies' states leave free (nt/colour.h), and not, by luck, in
 * their cache sets or at their low address bits. */
static PB_NOINLINE void window_run_placed(const struct phase_run *run, struct pb_worker *worker,
                                          uint64_t steps, struct pb_window *window)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    volatile char *room = __builtin_alloca((here - STACK_AT) % STACK_PAGE + 1);
    room[0] = 0;
    window_run(run, worker, steps, window);
    room[0] = 1; /* until here it is in use */
}

enum hook_edge { READY, BEFORE, AFTER };

static void hooks_call(const struct phase_run *run, unsigned index, enum hook_edge edge)
{
    const struct pb_session *session = run->session;
    void *const *states = session->hook_states[run->phase];
    for (unsigned k = 0; states != NULL && k < session->hooks_n; k++) {
        unsigned i = edge == AFTER ? session->hooks_n - 1 - k : k;
        const struct pb_hook *hook = &session->hooks[i];
        void (*const calls[])(void *) = {hook->ready, hook->before, hook->after};
        if (calls[edge] != NULL)
            calls[edge](states[i] == NULL ? NULL
                                          : (unsigned char *)states[i] + index * hook->state_bytes);
    }
}

/* The session's own look at the heap: one worker's, while the others wait on either side of it. */
static void edge_call(const struct phase_run *run, unsigned index, bool after)
{
    const struct pb_session *session = run->session;
    if (run->phase != PB_PHASE_RATE || session->edge == NULL)
        return;
    pb_team_line_up(session->team);
    if (index == 0)
        session->edge(session->edge_context, after);
    pb_team_line_up(session->team);
}

static int phase_job(void *context, unsigned index)
{
    const struct phase_run *run = context;
    const struct pb_session *session = run->session;
    struct pb_worker *worker = &session->workers[index];
    struct pb_window window = {0};
    worker->phase = run->phase;
    worker->tally = (struct pb_tally){0};
    if (session->workload->begin != NULL)
        session->workload->begin(worker);
    uint64_t steps = session->workload->steps(worker);
    edge_call(run, index, false);
    hooks_call(run, index, READY);
    if (run->phase == PB_PHASE_RATE && session->watch != NULL)
        pb_watch_before(session->watch, session->team, index);
    pb_team_line_up(session->team);
    hooks_call(run, index, BEFORE);
    window_run_placed(run, worker, steps < run->limit ? steps : run->limit, &window);
    hooks_call(run, index, AFTER);
    session->windows[run->phase][index] = window;
    if (run->phase == PB_PHASE_RATE && session->watch != NULL)
        pb_watch_after(session->watch, session->team, index);
    edge_call(run, index, true);
    pb_team_line_up(session->team);
    if (session->workload->end != NULL)
        session->workload->end(worker);
    return 0;
}

/* A phase that is run again starts with clean states and histograms. */
static void phase_clear(const struct pb_session *session, enum pb_phase phase)
{
    void *const *states = session->hook_states[phase];
    for (unsigned i = 0; states != NULL && i < session->hooks_n; i++)
        if (states[i] != NULL)
            memset(states[i], 0, session->hooks[i].state_bytes * session->n);
    for (unsigned i = 0; phase == PB_PHASE_TAIL && i < session->n; i++) {
        pb_hist_clear(&session->alloc_hists[i]);
        pb_hist_clear(&session->free_hists[i]);
    }
}

int pb_session_run(struct pb_session *session, enum pb_phase phase, const struct pb_loop *loop,
                   uint64_t limit)
{
    if (phase == PB_PHASE_TAIL && session->sample_gap == 0)
        return 0;
    struct phase_run run = {.session = session, .phase = phase, .loop = loop, .limit = limit};
    run.ns_multiplier = (uint64_t)(pb_clock_open()->ns_per_tick * 0x1p32 + 0.5);
    phase_clear(session, phase);
    return pb_team_run(session->team, phase_job, &run);
}
