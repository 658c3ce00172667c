/* SPDX-License-Identifier: MIT */
/* The warm-up (methodology R6): the stream in windows of equal shares of each worker's steps, until
 * their rate is steady or the stream ends. The workers line up between two windows, where the first
 * of them judges for all. A replay, whose workers wait for each other's events, is one window.
 * Threads: the first worker writes the verdict between two lines, all read it behind the second.
 * May touch: the session's warm-up. */
#include "engine/window_internal.h"

#include "engine/clock.h"
#include "engine/steady.h"

/* All workers have run their share of a window that began at `go`. */
static void judge(struct pb_session *session, uint64_t go)
{
    struct pb_warm_up *warm = &session->warm;
    const struct pb_window *windows = session->windows[PB_PHASE_WARM];
    uint64_t steps = 0, last = go + 1;
    for (unsigned i = 0; i < session->n; i++) {
        steps += windows[i].steps;
        last = windows[i].ended > last ? windows[i].ended : last;
    }
    double ticks = (double)(last - go);
    double ns = steps > 0 ? pb_clock_ns(1) * ticks * session->n / (double)steps : 0.0;
    if (ns > 0.0 && (warm->ns_a_step <= 0.0 || ns < warm->ns_a_step))
        warm->ns_a_step = ns;
    if (warm->n < PB_WARM_WINDOWS)
        warm->rates[warm->n++] = (double)steps / ticks;
    warm->steady = pb_steady(warm->rates, warm->n, session->warm_span);
}

uint64_t pb_window_warm(const struct pb_phase_run *run, struct pb_worker *worker, uint64_t steps,
                        struct pb_window *window)
{
    struct pb_session *session = run->session;
    struct pb_window *share = &session->windows[PB_PHASE_WARM][worker->index];
    unsigned parts = session->warm_parts > 1 ? session->warm_parts : 1;
    uint64_t done = 0, go = window->go;
    for (unsigned part = 1; part <= parts; part++) {
        uint64_t most = steps / parts * part + steps % parts * part / parts - done;
        share->steps = most > 0 ? run->loop->run(worker, most) : 0;
        share->ended = pb_ticks_end();
        done += share->steps;
        pb_team_line_up(session->team);
        if (worker->index == 0)
            judge(session, go);
        go = pb_team_line_up(session->team);
        if (session->warm.steady)
            break;
    }
    return done;
}
