/* SPDX-License-Identifier: MIT */
/* A workload, a heap and a session made up for test_window.c, so that the windows and nothing else
 * are tested. Include after cmocka. */
#ifndef PB_TEST_WINDOW_FIXTURE_H
#define PB_TEST_WINDOW_FIXTURE_H

#include "engine/clock.h"
#include "engine/window.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { WORKERS = 3, RUNS_MAX = 4096, STEPS = 20000, GAP = 16 };

/* One worker's diary. */
struct diary {
    uint64_t steps;    /* of the stream */
    uint64_t stops_at; /* steps after which the stream fails; 0: never */
    uint64_t done;
    char order[8]; /* first letters: begin, before, run, after, end */
    size_t order_n;
    uint64_t begun, ran, ended; /* ticks */
    uint64_t runs, run_steps[RUNS_MAX];
    uint64_t timed;
    unsigned makes; /* PB_TIMED_* */
};

static struct diary diaries[WORKERS];

static void note(struct diary *diary, char what)
{
    bool full = diary->order_n == sizeof diary->order;
    if (!full && (diary->order_n == 0 || diary->order[diary->order_n - 1] != what))
        diary->order[diary->order_n++] = what;
}

static uint64_t fake_steps(const struct pb_worker *worker)
{
    return ((const struct diary *)worker->cursor)->steps;
}

static void fake_begin(struct pb_worker *worker)
{
    struct diary *diary = worker->cursor;
    note(diary, 'b');
    diary->done = diary->runs = diary->timed = 0;
    worker->tally.exhausted++; /* tallies begin at 0 in each phase */
    diary->begun = pb_ticks_end();
}

static void fake_end(struct pb_worker *worker)
{
    struct diary *diary = worker->cursor;
    diary->ended = pb_ticks_begin();
    note(diary, 'e');
}

static uint64_t fake_run(struct pb_worker *worker, uint64_t steps)
{
    struct diary *diary = worker->cursor;
    if (diary->done == 0)
        diary->ran = pb_ticks_begin();
    note(diary, 'r');
    if (diary->stops_at != 0 && steps > diary->stops_at - diary->done)
        steps = diary->stops_at - diary->done;
    if (diary->runs < RUNS_MAX)
        diary->run_steps[diary->runs] = steps;
    diary->runs++;
    diary->done += steps;
    worker->tally.allocs += steps;
    return steps;
}

static uint64_t fake_timed(struct pb_worker *worker, struct pb_timing *timing)
{
    struct diary *diary = worker->cursor;
    note(diary, 'r');
    if (diary->stops_at != 0 && diary->done == diary->stops_at)
        return 0;
    diary->timed++;
    diary->done++;
    worker->tally.allocs++;
    timing->made = diary->makes;
    timing->alloc_ticks = pb_clock_ticks(1000.0);
    timing->free_ticks = pb_clock_ticks(5000.0);
    return 1;
}

static const struct pb_workload fake = {
    .name = "fake", .steps = fake_steps, .begin = fake_begin, .end = fake_end};
static const struct pb_workload fake_bare = {.name = "bare", .steps = fake_steps};
static const struct pb_loop loop = {NULL, fake_run, fake_timed};

/* A hook that counts; `before` counts only behind its `ready`, `after` only behind its `before`. */
struct hook_state {
    unsigned before, after, ready;
};

static void hook_ready(void *state)
{
    ((struct hook_state *)state)->ready++;
}

static void hook_before(void *state)
{
    ((struct hook_state *)state)->before += ((struct hook_state *)state)->ready == 1;
}

static void hook_after(void *state)
{
    ((struct hook_state *)state)->after += ((struct hook_state *)state)->before == 1;
}

static unsigned stateless_calls;

static void stateless_after(void *state)
{
    __atomic_fetch_add(&stateless_calls, state == NULL, __ATOMIC_RELAXED);
}

static unsigned rate_calls;

static void rate_before(void *state)
{
    __atomic_fetch_add(&rate_calls, state == NULL, __ATOMIC_RELAXED);
}

static const struct pb_hook hooks[] = {
    {.before = NULL},
    {.ready = hook_ready,
     .before = hook_before,
     .after = hook_after,
     .state_bytes = sizeof(struct hook_state)},
    {.after = stateless_after},
    {.before = rate_before, .rate_only = true},
};

static struct pb_worker workers[WORKERS];
static struct pb_arena arena;

static void open_session_with(struct pb_session *session, uint64_t sample_gap,
                              const struct pb_hook *with, unsigned with_n)
{
    memset(diaries, 0, sizeof diaries);
    memset(workers, 0, sizeof workers);
    stateless_calls = rate_calls = 0;
    *session = (struct pb_session){.workload = &fake,
                                   .workers = workers,
                                   .n = WORKERS,
                                   .sample_gap = sample_gap,
                                   .seed = 1,
                                   .hooks = with,
                                   .hooks_n = with_n};
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i].index = i;
        workers[i].count = WORKERS;
        workers[i].cursor = &diaries[i];
        diaries[i].steps = STEPS + i;
        diaries[i].makes = PB_TIMED_ALLOC | PB_TIMED_FREE;
    }
    assert_int_equal(pb_arena_open(&arena, 16 << 20), 0);
    assert_int_equal(pb_team_open(WORKERS, true, NULL, NULL, &session->team), 0);
    assert_int_equal(pb_session_prepare(session, &arena), 0);
}

static void open_session(struct pb_session *session, uint64_t sample_gap)
{
    open_session_with(session, sample_gap, hooks, sizeof hooks / sizeof *hooks);
}

static void close_session(struct pb_session *session)
{
    pb_team_close(session->team);
    pb_arena_close(&arena);
}

/* Of one worker and kind, marked or not. */
static struct pb_hist samples_of(const struct pb_session *session, unsigned worker,
                                 enum pb_kind kind)
{
    struct pb_hist all = session->samples[worker].kinds[kind][0];
    pb_hist_merge(&all, &session->samples[worker].kinds[kind][1]);
    return all;
}

#endif
