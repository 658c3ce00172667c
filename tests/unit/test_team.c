/* SPDX-License-Identifier: MIT */
/* Workers: all run each job, their errors come back, and nobody passes the line before its moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/clock.h"
#include "engine/team.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { WORKERS = 4, ROUNDS = 20 };

/* What the workers of a job recorded. */
struct log {
    struct pb_team *team;
    pthread_t ids[WORKERS];
    unsigned calls[WORKERS];
    int errors[WORKERS];
    uint64_t arrived[WORKERS][ROUNDS], go[WORKERS][ROUNDS], left[WORKERS][ROUNDS];
    uint64_t written[WORKERS], read[WORKERS];
};

static int count_job(void *context, unsigned index)
{
    struct log *log = context;
    log->ids[index] = pthread_self();
    log->calls[index]++;
    return log->errors[index];
}

static int line_up_job(void *context, unsigned index)
{
    struct log *log = context;
    for (unsigned round = 0; round < ROUNDS; round++) {
        log->arrived[index][round] = pb_ticks_begin();
        log->go[index][round] = pb_team_line_up(log->team);
        log->left[index][round] = pb_ticks_begin();
    }
    return 0;
}

/* Plain writes before the line are seen behind it; ThreadSanitizer looks on. */
static int pass_on_job(void *context, unsigned index)
{
    struct log *log = context;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        log->written[index] = round * 100 + index;
        pb_team_line_up(log->team);
        unsigned neighbour = (index + 1) % WORKERS;
        log->read[index] += log->written[neighbour] == round * 100 + neighbour;
        pb_team_line_up(log->team);
    }
    return 0;
}

static int bind_job(void *context, unsigned index)
{
    atomic_fetch_add_explicit((atomic_uint *)context, 1, memory_order_relaxed);
    return index == 2 ? -EXDEV : 0;
}

static void every_worker_runs_every_job_once(void **state)
{
    (void)state;
    struct log log;
    memset(&log, 0, sizeof log);
    assert_int_equal(pb_team_open(WORKERS, true, count_job, &log, &log.team), 0);
    pthread_t first[WORKERS];
    memcpy(first, log.ids, sizeof first);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(pb_team_run(log.team, count_job, &log), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(log.calls[i], 51);
        assert_true(pthread_equal(log.ids[i], first[i])); /* the same thread each time */
        assert_false(pthread_equal(log.ids[i], pthread_self()));
        for (unsigned k = 0; k < i; k++)
            assert_false(pthread_equal(log.ids[i], log.ids[k]));
    }
    pb_team_close(log.team);
}

static void the_first_error_by_index_comes_back(void **state)
{
    (void)state;
    struct log log;
    memset(&log, 0, sizeof log);
    assert_int_equal(pb_team_open(WORKERS, true, NULL, NULL, &log.team), 0);
    log.errors[3] = -EIO;
    assert_int_equal(pb_team_run(log.team, count_job, &log), -EIO);
    log.errors[1] = -EPERM;
    assert_int_equal(pb_team_run(log.team, count_job, &log), -EPERM);
    log.errors[1] = log.errors[3] = 0;
    assert_int_equal(pb_team_run(log.team, count_job, &log), 0); /* errors do not stick */
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(log.calls[i], 3); /* nor keep others from running */
    pb_team_close(log.team);
}

static void what_bind_returns_ends_the_opening(void **state)
{
    (void)state;
    atomic_uint bound = 0;
    struct pb_team *team = NULL;
    assert_int_equal(pb_team_open(WORKERS, true, bind_job, &bound, &team), -EXDEV);
    assert_null(team);
    assert_int_equal(atomic_load_explicit(&bound, memory_order_relaxed), WORKERS);
}

/* Whether, in every round, all had one moment, nobody left before it and nobody arrived after it.
 */
static bool line_held(const struct log *log, unsigned workers)
{
    bool held = true;
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < workers; i++)
            held = held && log->go[i][round] == log->go[0][round] &&
                   log->left[i][round] >= log->go[0][round] &&
                   log->arrived[i][round] <= log->go[0][round];
    return held;
}

static void nobody_leaves_the_line_before_go(void **state)
{
    (void)state;
    static const struct {
        unsigned workers;
        bool yields;
    } cases[] = {{1, false}, {2, false}, {2, true}, {WORKERS, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct log log;
        memset(&log, 0, sizeof log);
        assert_int_equal(pb_team_open(cases[i].workers, cases[i].yields, NULL, NULL, &log.team), 0);
        assert_int_equal(pb_team_run(log.team, line_up_job, &log), 0);
        assert_int_equal(pb_team_run(log.team, line_up_job, &log), 0); /* a second job too */
        assert_true(line_held(&log, cases[i].workers));
        pb_team_close(log.team);
    }
}

static void a_worker_that_leaves_early_is_noticed(void **state)
{
    (void)state;
    struct log log;
    memset(&log, 0, sizeof log);
    assert_true(line_held(&log, 2));
    log.go[0][3] = log.go[1][3] = 100;
    log.left[0][3] = log.left[1][3] = 100;
    assert_true(line_held(&log, 2));
    log.left[1][3] = 99;
    assert_false(line_held(&log, 2));
}

static void the_line_passes_on_what_was_written_before_it(void **state)
{
    (void)state;
    struct log log;
    memset(&log, 0, sizeof log);
    assert_int_equal(pb_team_open(WORKERS, true, NULL, NULL, &log.team), 0);
    assert_int_equal(pb_team_run(log.team, pass_on_job, &log), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(log.read[i], ROUNDS);
    pb_team_close(log.team);
}

static int switches_job(void *context, unsigned index)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    ((long *)context)[index] = usage.ru_nvcsw;
    return 0;
}

/* A worker that spun until the next job would never give its processor up. */
static void workers_sleep_between_jobs(void **state)
{
    (void)state;
    struct pb_team *team;
    long before[WORKERS], after[WORKERS];
    struct timespec nap = {0, 50000000};
    assert_int_equal(pb_team_open(WORKERS, false, NULL, NULL, &team), 0);
    pb_team_run(team, switches_job, before);
    nanosleep(&nap, NULL);
    pb_team_run(team, switches_job, after);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_true(after[i] > before[i]);
    pb_team_close(team);
}

int main(void)
{
    pb_clock_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_worker_runs_every_job_once),
        cmocka_unit_test(the_first_error_by_index_comes_back),
        cmocka_unit_test(what_bind_returns_ends_the_opening),
        cmocka_unit_test(nobody_leaves_the_line_before_go),
        cmocka_unit_test(a_worker_that_leaves_early_is_noticed),
        cmocka_unit_test(the_line_passes_on_what_was_written_before_it),
        cmocka_unit_test(workers_sleep_between_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
