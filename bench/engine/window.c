/* SPDX-License-Identifier: MIT */
/* Windows. Each worker: begin | line up | before | line up | run | after | line up | end. The first
 * line keeps the wait for the slowest begin out of what the hooks see; the second is the start; the
 * third keeps one worker's end, and its frees, out of another's window.
 * Source:  Hoefler and Belli, SC 2015, rule 10 (workers are synchronised by a moment in time).
 * Threads: the owner calls; a worker writes its own window, tally, states and histograms alone.
 * May touch: in a window the clock, what was drawn and, behind a timed step, the worker's
 *          histograms. */
#include "engine/window_internal.h"

#include "engine/clock.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

enum { STACK_PAGE = 4096, STACK_AT = 1024 };

static int prepare_states(struct pb_session *session, enum pb_phase phase, struct pb_arena *arena)
{
    void **states = pb_arena_take(arena, session->hooks_n * sizeof *states, PB_LINE_BYTES);
    session->hook_states[phase] = states;
    if (states == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < session->hooks_n; i++) {
        size_t bytes = session->hooks[i].state_bytes * session->n;
        if (bytes == 0)
            continue;
        states[i] = pb_arena_take(arena, bytes, PB_LINE_BYTES);
        if (states[i] == NULL)
            return -ENOMEM;
    }
    return 0;
}

int pb_session_prepare(struct pb_session *session, struct pb_arena *arena)
{
    size_t bytes = session->n * sizeof(struct pb_window);
    for (int phase = PB_PHASE_AUDIT; phase < PB_PHASES; phase++) {
        session->windows[phase] = pb_arena_take(arena, bytes, PB_LINE_BYTES);
        if (session->windows[phase] == NULL)
            return -ENOMEM;
    }
    if (prepare_states(session, PB_PHASE_RATE, arena) != 0 ||
        prepare_states(session, PB_PHASE_TAIL, arena) != 0)
        return -ENOMEM;
    if (session->sample_gap != 0 && pb_prepare_sampling(session, arena) != 0)
        return -ENOMEM;
    return session->arrival.rate > 0.0 ? pb_prepare_open(session, arena) : 0;
}

/* RATE, and AUDIT: one call of the loop. */
static uint64_t window_whole(const struct pb_phase_run *run, struct pb_worker *worker,
                             uint64_t steps, struct pb_window *window)
{
    (void)window;
    return run->loop->run(worker, steps);
}

static pb_window_fn *const window_fns[PB_PHASES] = {
    [PB_PHASE_AUDIT] = window_whole,     [PB_PHASE_WARM] = pb_window_warm,
    [PB_PHASE_RATE] = window_whole,      [PB_PHASE_TAIL] = pb_window_sampled,
    [PB_PHASE_BODY] = pb_window_batches, [PB_PHASE_OPEN] = pb_window_open,
};

static unsigned cpu_now(void)
{
    int cpu = sched_getcpu();
    return cpu < 0 ? PB_CPU_UNKNOWN : (unsigned)cpu;
}

/* From the start line to the last step. */
static void window_run(const struct pb_phase_run *run, struct pb_worker *worker, uint64_t steps,
                       struct pb_window *window)
{
    pb_window_fn *execute = window_fns[run->phase];
    window->cpu_first = cpu_now();
    window->go = pb_team_line_up(run->session->team);
    window->begun = pb_ticks_begin();
    window->steps = execute(run, worker, steps, window);
    window->ended = pb_ticks_end();
    window->cpu_last = cpu_now();
}

/* The same, with the stack at one place in its page, however deep the caller is: its frames then
 * lie in the first 1 KiB, which strategies' states leave free (nt/colour.h), and not, by luck, in
 * their cache sets or at their low address bits. */
static PB_NOINLINE void window_run_placed(const struct pb_phase_run *run, struct pb_worker *worker,
                                          uint64_t steps, struct pb_window *window)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    volatile char *room = __builtin_alloca((here - STACK_AT) % STACK_PAGE + 1);
    room[0] = 0;
    window_run(run, worker, steps, window);
    room[0] = 1; /* until here it is in use */
}

enum hook_edge { READY, BEFORE, AFTER };

static void hooks_call(const struct pb_phase_run *run, unsigned index, enum hook_edge edge)
{
    const struct pb_session *session = run->session;
    void *const *states = session->hook_states[run->phase];
    for (unsigned k = 0; states != NULL && k < session->hooks_n; k++) {
        unsigned i = edge == AFTER ? session->hooks_n - 1 - k : k;
        const struct pb_hook *hook = &session->hooks[i];
        if (hook->rate_only && run->phase != PB_PHASE_RATE)
            continue;
        void (*const calls[])(void *) = {hook->ready, hook->before, hook->after};
        if (calls[edge] != NULL)
            calls[edge](states[i] == NULL ? NULL
                                          : (unsigned char *)states[i] + index * hook->state_bytes);
    }
}

/* The session's own look at the heap: one worker's, while the others wait on either side of it. */
static void edge_call(const struct pb_phase_run *run, unsigned index, bool after)
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
    const struct pb_phase_run *run = context;
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
    for (unsigned i = 0; i < session->n; i++) {
        struct pb_samples *samples = phase == PB_PHASE_TAIL ? &session->samples[i] : NULL;
        if (samples != NULL)
            samples->hits = 0;
        for (int kind = 0; samples != NULL && kind < PB_KINDS; kind++) {
            pb_hist_clear(&samples->kinds[kind][0]);
            pb_hist_clear(&samples->kinds[kind][1]);
        }
        if (phase == PB_PHASE_BODY)
            pb_hist_clear(&session->body_hists[i]);
        if (phase == PB_PHASE_OPEN)
            pb_hist_clear(&session->open_hists[i]);
    }
}

/* Whether the session was prepared for it. */
static bool phase_is_there(const struct pb_session *session, enum pb_phase phase)
{
    if (phase == PB_PHASE_BODY)
        return session->body_hists != NULL && session->batch > 0;
    if (phase == PB_PHASE_OPEN)
        return session->open_hists != NULL;
    return phase != PB_PHASE_TAIL || session->samples != NULL;
}

int pb_session_run(struct pb_session *session, enum pb_phase phase, const struct pb_loop *loop,
                   uint64_t limit)
{
    if (!phase_is_there(session, phase))
        return 0;
    struct pb_phase_run run = {.session = session, .phase = phase, .loop = loop, .limit = limit};
    run.ns_multiplier = (uint64_t)(pb_clock_open()->ns_per_tick * 0x1p32 + 0.5);
    phase_clear(session, phase);
    return pb_team_run(session->team, phase_job, &run);
}
