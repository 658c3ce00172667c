/* SPDX-License-Identifier: MIT */
/* The warm-up (methodology R6): the stream in windows of equal shares of each worker's steps, until
 * their rate is steady or the stream ends. Windows of less than a
 * millisecond are joined, as their rates are noise. The workers line up between two windows, where
 * the first of them judges for all. A replay, whose workers wait for each other's events, is one
 * window.
 * Threads: the first worker writes the verdict between two lines, all read it behind the second.
 * May touch: the session's warm-up. */
#include "engine/window_internal.h"

#include "engine/clock.h"
#include "engine/steady.h"

enum { LOOKS = 2 /* in a row: one alone may be luck */ };

static const double LEAST_NS =
    1e6; /* of a window: what the clock's step and a lineup do not show in */

void pb_warm_add(struct pb_warm_up *warm, unsigned workers, uint64_t steps, double ticks,
                 unsigned span, unsigned looks)
{
    warm->steps += steps;
    warm->ticks += ticks;
    double ns = pb_clock_ns(1) * warm->ticks, a_step = ns * workers / (double)warm->steps;
    bool is_long = ns >= LEAST_NS;
    if (warm->steps > 0 && (warm->ns_a_step <= 0.0 || (is_long && a_step < warm->ns_a_step)))
        warm->ns_a_step = a_step;
    if (!is_long || warm->n == PB_WARM_WINDOWS)
        return;
    warm->rates[warm->n++] = (double)warm->steps / warm->ticks;
    warm->steps = 0;
    warm->ticks = 0.0;
    bool was_near = warm->near;
    warm->near = pb_steady(warm->rates, warm->n, span);
    warm->steady = warm->near && (looks < 2 || was_near);
    warm->judged = warm->n >= span + looks - 1;
}

/* All workers have run their share of a window that began at `go`. */
static void judge(struct pb_session *session, uint64_t go)
{
    const struct pb_window *windows = session->windows[PB_PHASE_WARM];
    uint64_t steps = 0, last = go + 1;
    for (unsigned i = 0; i < session->n; i++) {
        steps += windows[i].steps;
        last = windows[i].ended > last ? windows[i].ended : last;
    }
    pb_warm_add(&session->warm, session->n, steps, (double)(last - go), session->warm_span,
                session->warm_parts > 1 ? LOOKS : 1);
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
