/* SPDX-License-Identifier: MIT */
/* The open loop (methodology R17): steps arrive when they do, whether or not the one before is
 * done, and wait for their worker. Each is timed from its intended moment, so that a stall is
 * charged to every step that had to wait for it, and not to one.
 * Source:  Tene, "How NOT to Measure Latency", 2015 (coordinated omission); the exponential gaps of
 *          a Poisson process by inversion.
 * Layout:  gaps drawn for each worker, in 1/256 of a tick, used in a circle; the first moment of
 *          a fixed schedule lies anywhere in a gap, so that several workers are not in step; that
 * of a Poisson process is one more gap.
 * Cost     the clock is read between steps until the next one's moment has come.
 * Threads: each worker its own schedule and histogram. May touch: nothing else. */
#include "engine/window_internal.h"

#include "engine/clock.h"
#include "engine/rng.h"

#include <errno.h>
#include <math.h>

enum { MOMENTS = 1 << 16, POINT = 8 };

static void moments_draw(const struct pb_session *session, unsigned index)
{
    struct pb_rng rng;
    uint64_t *moments = session->moments[index];
    double mean = 1e9 / session->arrival.rate / pb_clock_ns(1) * (1 << POINT);
    pb_rng_seed(&rng, session->seed ^ UINT64_C(0x6f70656e), index);
    for (size_t i = 0; i < MOMENTS; i++) {
        double gap = session->arrival.poisson ? -log1p(-pb_rng_unit(&rng)) * mean : mean;
        moments[i] = (uint64_t)(gap + 0.5);
    }
    double first = pb_rng_unit(&rng);
    moments[MOMENTS] = (uint64_t)((session->arrival.poisson ? -log1p(-first) : first) * mean);
}

int pb_prepare_open(struct pb_session *session, struct pb_arena *arena)
{
    size_t n = session->n;
    session->open_hists = pb_arena_take(arena, n * sizeof *session->open_hists, PB_LINE_BYTES);
    session->moments = pb_arena_take(arena, n * sizeof *session->moments, PB_LINE_BYTES);
    if (session->open_hists == NULL || session->moments == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < session->n; i++) {
        session->moments[i] =
            pb_arena_take(arena, (MOMENTS + 1) * sizeof **session->moments, PB_LINE_BYTES);
        if (session->moments[i] == NULL)
            return -ENOMEM;
        moments_draw(session, i);
    }
    return 0;
}

uint64_t pb_window_open(const struct pb_phase_run *run, struct pb_worker *worker, uint64_t steps,
                        struct pb_window *window)
{
    const struct pb_session *session = run->session;
    const uint64_t *moments = session->moments[worker->index];
    struct pb_hist *hist = &session->open_hists[worker->index];
    uint64_t (*clock)(void) = session->now != NULL ? session->now : pb_ticks_end;
    uint64_t start = clock(), ahead = moments[MOMENTS], done = 0;
    window->due_first = start + (ahead >> POINT);
    for (; done < steps; done++) {
        uint64_t intended = start + (ahead >> POINT), now = clock();
        window->late += now > intended;
        for (; now < intended; now = clock())
            pb_team_relax(session->team);
        if (run->loop->run(worker, 1) == 0)
            break;
        window->over = clock();
        window->due_last = intended;
        pb_hist_record(hist, pb_run_ns(run, window->over - intended));
        ahead += moments[done % MOMENTS];
    }
    return done;
}
