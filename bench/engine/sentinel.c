/* SPDX-License-Identifier: MIT */
/* Sentinel: a word that two threads count up in turn, one the odd numbers, the other the even ones.
 * Source:  the ping-pong of core-to-core latency programs; methodology R15 and section 5: 45 to 66
 *          ns one way on a quiet machine, 550 to 1800 ns with another job on it.
 * I1       both leave at the deadline, a moment on the clock that is the same for both, so that a
 *          partner that does not run holds nobody up
 * I2       time counts from the common start, not from a worker's own arrival: one that was kept
 *          from running finds the time gone, not a short race
 * Threads: the lower worker of a pair asks and keeps the result, the upper one answers.
 * Cost     10,000 exchanges: 1.1 ms at 55 ns */
#include "engine/sentinel.h"

#include "engine/clock.h"
#include "hot.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    EXCHANGES = 10000,       /* of a worker, over its pairs */
    LOADS = 64,              /* of the word, between two looks at the clock */
    SENTINEL_LIMIT = 3000000 /* ns, over the rounds */
};

struct pb_sentinel_line {
    PB_CACHE_ALIGNED _Atomic uint64_t count;
};

/* Relaxed throughout: the word is all that is passed on, and the order of one word's values is the
 * same for all. */
static bool wait_for(struct pb_sentinel_line *line, uint64_t count, uint64_t deadline)
{
    do {
        for (int i = 0; i < LOADS; i++)
            if (atomic_load_explicit(&line->count, memory_order_relaxed) == count)
                return true;
    } while (pb_ticks_begin() < deadline);
    return false;
}

static void ask(struct pb_sentinel_line *line, unsigned exchanges, uint64_t go, uint64_t deadline,
                struct pb_pingpong *result)
{
    unsigned done = 0;
    for (; done < exchanges; done++) {
        atomic_store_explicit(&line->count, 2 * (uint64_t)done + 1, memory_order_relaxed);
        if (!wait_for(line, 2 * (uint64_t)done + 2, deadline))
            break;
    }
    double ns = pb_clock_ns(pb_ticks_end() - go);
    result->one_way_ns = ns / 2.0 / (done > 0 ? done : 1);
    result->exchanges = done;
}

static void answer(struct pb_sentinel_line *line, unsigned exchanges, uint64_t deadline)
{
    for (uint64_t i = 0; i < exchanges && wait_for(line, 2 * i + 1, deadline); i++)
        atomic_store_explicit(&line->count, 2 * i + 2, memory_order_relaxed);
}

/* --- two units ------------------------------------------------------------------------------- */

struct pair_run {
    struct pb_sentinel_line line;
    struct pb_team *team;
    unsigned exchanges;
    uint64_t limit_ticks;
    struct pb_pingpong result;
};

static int pair_job(void *context, unsigned index)
{
    struct pair_run *run = context;
    uint64_t go = pb_team_line_up(run->team), deadline = go + run->limit_ticks;
    if (index == 0)
        ask(&run->line, run->exchanges, go, deadline, &run->result);
    else
        answer(&run->line, run->exchanges, deadline);
    return 0;
}

int pb_pingpong_pair(pb_job_fn *bind, void *context, unsigned exchanges, double limit_ns,
                     struct pb_pingpong *result)
{
    struct pair_run run = {.exchanges = exchanges};
    int error = pb_team_open(2, false, bind, context, &run.team);
    if (error != 0)
        return error;
    run.limit_ticks = pb_clock_ticks(limit_ns);
    pb_team_run(run.team, pair_job, &run);
    pb_team_close(run.team);
    *result = run.result;
    return 0;
}

/* --- a team ---------------------------------------------------------------------------------- */

int pb_sentinel_prepare(struct pb_sentinel *sentinel, unsigned workers, struct pb_arena *arena)
{
    *sentinel = (struct pb_sentinel){.workers = workers};
    if (workers < 2)
        return 0;
    sentinel->lines = pb_arena_take(arena, (workers - 1) * sizeof *sentinel->lines,
                                    _Alignof(struct pb_sentinel_line));
    return sentinel->lines != NULL ? 0 : -ENOMEM;
}

void pb_sentinel_run(struct pb_sentinel *sentinel, struct pb_team *team, unsigned index,
                     struct pb_pingpong *pairs)
{
    if (sentinel->workers < 2)
        return;
    unsigned rounds = sentinel->workers > 2 ? 2 : 1, exchanges = EXCHANGES / rounds;
    uint64_t limit = pb_clock_ticks((double)SENTINEL_LIMIT / rounds);
    for (unsigned round = 0; round < rounds; round++) {
        bool asks = index % 2 == round;
        unsigned pair = asks ? index : index - 1; /* of worker 0, in the second round: none */
        bool takes_part = pair < sentinel->workers - 1;
        struct pb_sentinel_line *line = takes_part ? &sentinel->lines[pair] : NULL;
        if (takes_part && asks) /* relaxed: the line-up orders it before the partner's first look */
            atomic_store_explicit(&line->count, 0, memory_order_relaxed);
        uint64_t go = pb_team_line_up(team);
        if (takes_part && asks)
            ask(line, exchanges, go, go + limit, &pairs[pair]);
        else if (takes_part)
            answer(line, exchanges, go + limit);
    }
}
