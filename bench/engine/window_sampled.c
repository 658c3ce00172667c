/* SPDX-License-Identifier: MIT */
/* The two views of latency: TAIL samples single steps at random, BODY times batches. Neither is
 * ever derived from the other (methodology R13).
 * Layout:  a sample goes to the histogram of its kind, clean or marked. With rseq a step is marked
 *          if the thread was put off its processor during it, or if it was slow and a switch is
 *          counted since the last look: right before the step if the one before was slow as well,
 *          else within 16 samples. Without, samples are held back, and the 64 of a batch are marked
 *          together if a switch is counted over it. Page faults mark nothing: they are the
 *          strategy's own.
 * Cost     a store and a load a sample beside the clock's readings; a system call around a slow one,
 *          ahead of the gap of every 16th, and behind a batch. BODY reads the clock twice a batch,
 * and nothing is taken off for it.
 * Threads: each worker its own samples. May touch: nothing else. */
#include "engine/window_internal.h"

#include "engine/clock.h"
#include "engine/rng.h"

#include <errno.h>
#include <math.h>

enum { GAPS = 1 << 14, SLOW_NS = 5000, LOOK_EVERY = 16, BATCH_LEAST = 8 };

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

int pb_prepare_sampling(struct pb_session *session, struct pb_arena *arena)
{
    size_t n = session->n;
    session->samples = pb_arena_take(arena, n * sizeof *session->samples, PB_LINE_BYTES);
    session->body_hists = pb_arena_take(arena, n * sizeof *session->body_hists, PB_LINE_BYTES);
    session->gaps = pb_arena_take(arena, n * sizeof *session->gaps, PB_LINE_BYTES);
    if (session->samples == NULL || session->body_hists == NULL || session->gaps == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < session->n; i++) {
        session->gaps[i] = pb_arena_take(arena, GAPS * sizeof **session->gaps, PB_LINE_BYTES);
        if (session->gaps[i] == NULL)
            return -ENOMEM;
        gaps_draw(session->gaps[i], session->sample_gap, session->seed, i);
    }
    return 0;
}

/* One worker's sampling. */
struct sampler {
    const struct pb_phase_run *run;
    struct pb_samples *into;
    struct pb_mark mark;
    bool slow; /* the last step was */
};

static void held_release(struct sampler *s)
{
    struct pb_samples *into = s->into;
    bool marked = pb_mark_has_switched(&s->mark);
    for (unsigned i = 0; i < into->held_n; i++)
        pb_hist_record(&into->kinds[into->held[i].kind][marked], into->held[i].ns);
    into->held_n = 0;
}

static void put(struct sampler *s, enum pb_kind kind, uint64_t ns, bool marked)
{
    struct pb_samples *into = s->into;
    if (s->mark.area != NULL) {
        pb_hist_record(&into->kinds[kind][marked], ns);
        return;
    }
    into->held[into->held_n].ns = ns;
    into->held[into->held_n].kind = kind;
    if (++into->held_n == PB_HELD_MAX)
        held_release(s);
}

/* `hit`: what the mark said right behind the step. */
static void record(struct sampler *s, const struct pb_timing *timing, bool hit)
{
    uint64_t alloc_ns = 0, free_ns = 0;
    if ((timing->made & PB_TIMED_ALLOC) != 0)
        alloc_ns = pb_run_ns(s->run, timing->alloc_ticks);
    if ((timing->made & PB_TIMED_FREE) != 0)
        free_ns = pb_run_ns(s->run, timing->free_ticks);
    if (hit) {
        bool both = timing->made == (PB_TIMED_ALLOC | PB_TIMED_FREE);
        s->into->hits += both ? 2 : timing->made != 0;
    }
    s->slow = alloc_ns > SLOW_NS || free_ns > SLOW_NS;
    if (s->mark.area != NULL && !hit && s->slow)
        hit = pb_mark_has_switched(&s->mark);
    if ((timing->made & PB_TIMED_ALLOC) != 0)
        put(s, pb_kind_of_alloc(timing->alloc_path), alloc_ns, hit);
    if ((timing->made & PB_TIMED_FREE) != 0)
        put(s, pb_kind_of_free(timing->free_path), free_ns, hit);
}

/* Forgets what happened so far, so that the next slow step is not marked for it: where rseq tells
 * most, getrusage is asked about slow ones alone. */
static void look_again(struct sampler *s, bool due)
{
    if (s->mark.area != NULL && due)
        pb_mark_has_switched(&s->mark);
}

uint64_t pb_window_sampled(const struct pb_phase_run *run, struct pb_worker *worker, uint64_t steps,
                           struct pb_window *window)
{
    const uint32_t *gaps = run->session->gaps[worker->index];
    struct sampler s = {.run = run, .into = &run->session->samples[worker->index]};
    uint64_t done = 0;
    (void)window;
    pb_mark_begin(&s.mark, run->session->mark);
    for (size_t i = 0; done < steps; i++) {
        uint64_t drawn = gaps[i % GAPS], left = steps - done;
        uint64_t gap = drawn < left ? drawn : left;
        look_again(&s, !s.slow && i % LOOK_EVERY == 0);
        uint64_t ran = gap > 0 ? run->loop->run(worker, gap) : 0;
        done += ran;
        if (ran < gap || done == steps)
            break;
        look_again(&s, s.slow);
        struct pb_timing timing = {0};
        pb_mark_set(&s.mark);
        if (run->loop->timed(worker, &timing) == 0)
            break;
        done++;
        record(&s, &timing, pb_mark_is_hit(&s.mark));
    }
    if (s.into->held_n > 0)
        held_release(&s);
    pb_mark_end(&s.mark);
    return done;
}

uint64_t pb_batch_steps(double least_ns, double ns_a_step, uint64_t period)
{
    double needed = ns_a_step > 0.0 ? ceil(least_ns / ns_a_step) : 0.0;
    uint64_t steps = (uint64_t)fmax(needed, BATCH_LEAST);
    uint64_t whole = period > 0 ? period : 1;
    return (steps + whole - 1) / whole * whole;
}

/* Whole batches alone: what is left behind the last one is not run. */
uint64_t pb_window_batches(const struct pb_phase_run *run, struct pb_worker *worker, uint64_t steps,
                           struct pb_window *window)
{
    struct pb_hist *hist = &run->session->body_hists[worker->index];
    uint64_t (*const now)(void) = run->session->now;
    const uint64_t batch = run->session->batch;
    const double ps = pb_clock_ns(1) * 1000.0 / (double)batch; /* a step, of a tick a batch */
    uint64_t done = 0;
    (void)window;
    while (steps - done >= batch) {
        uint64_t before = now == NULL ? pb_ticks_begin() : now();
        uint64_t ran = run->loop->run(worker, batch);
        uint64_t ticks = (now == NULL ? pb_ticks_end() : now()) - before;
        done += ran;
        if (ran < batch)
            break;
        pb_hist_record(hist, (uint64_t)((double)ticks * ps + 0.5));
    }
    return done;
}
