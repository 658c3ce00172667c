/* SPDX-License-Identifier: MIT */
/* What looks at both sides of a window: gaps on a clock made up here, the kernel's accounts from
 * lines written here, lines passed between real threads, and where it all stands around a window.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/clock.h"
#include "engine/window.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS_MAX = 5 };

static void assert_near(double got, double expected)
{
    assert_true(fabs(got - expected) <= fabs(expected) * 1e-9 + 1e-12);
}

/* --- gaps ------------------------------------------------------------------------------------ */

static const uint64_t *readings;

static uint64_t next_reading(void)
{
    return *readings++;
}

static void a_step_above_the_threshold_is_a_gap(void **state)
{
    (void)state;
    static const uint64_t with_gaps[] = {100, 110, 120, 1120, 1121, 2122, 2130, 2200, 9999};
    static const uint64_t none[] = {0, 1000, 2000, 3000, 9999};
    static const uint64_t at_the_end[] = {5, 10, 70010, 99999};
    struct pb_gaps gaps = {.n = 77};
    readings = with_gaps;
    pb_gaps_spin(next_reading, 2100, 1000, &gaps);
    assert_int_equal(gaps.n, 1); /* 1121 to 2122; 120 to 1120 is the threshold and not above */
    assert_int_equal(gaps.total, 1001);
    assert_int_equal(gaps.longest, 1001);
    assert_int_equal(gaps.spun, 2100);
    assert_ptr_equal(readings, with_gaps + 8);
    readings = with_gaps;
    pb_gaps_spin(next_reading, 2100, 999, &gaps);
    assert_int_equal(gaps.n, 2);
    assert_int_equal(gaps.total, 2001);
    assert_int_equal(gaps.longest, 1001);
    readings = none;
    pb_gaps_spin(next_reading, 3000, 1000, &gaps);
    assert_int_equal(gaps.n + gaps.total + gaps.longest, 0);
    assert_int_equal(gaps.spun, 3000);
    readings = at_the_end;
    pb_gaps_spin(next_reading, 3000, 1000, &gaps);
    assert_int_equal(gaps.total, 70000); /* whole, beyond the end too */
    assert_int_equal(gaps.spun, 70005);
}

static void waiting_for_a_processor_explains_a_gap(void **state)
{
    (void)state;
    struct pb_gaps gaps = {.total = pb_clock_ticks(1e6), .run_wait_ns = 0};
    double lost = pb_clock_ns(gaps.total);
    assert_near(pb_gaps_unexplained_ns(&gaps), lost);
    gaps.run_wait_ns = 400000;
    assert_near(pb_gaps_unexplained_ns(&gaps), lost - 400000);
    gaps.run_wait_ns = 2000000;
    assert_near(pb_gaps_unexplained_ns(&gaps), 0);
    gaps.run_wait_ns = UINT64_MAX; /* nobody knows: it stays unexplained */
    assert_near(pb_gaps_unexplained_ns(&gaps), lost);
}

static void a_measured_spell_lasts_as_long_as_asked(void **state)
{
    (void)state;
    struct pb_gaps gaps;
    pb_gaps_measure(200000.0, &gaps);
    assert_true(gaps.spun >= pb_clock_ticks(200000.0));
    assert_true(gaps.total <= gaps.spun && gaps.longest <= gaps.total);
    assert_true((gaps.n == 0) == (gaps.total == 0));
    assert_true((pb_run_wait_now() == UINT64_MAX) == (gaps.run_wait_ns == UINT64_MAX));
}

/* --- accounts -------------------------------------------------------------------------------- */

static void a_processors_line_tells_what_was_taken(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int result;
        unsigned cpu;
        uint64_t jiffies;
    } cases[] = {
        {"cpu0 1118282 62782 374754 1893293 4960 0 622 1406 0 0", 0, 0, 1406},
        {"cpu127 1 2 3 4 5 6 7 8 90 100", 0, 127, 198},
        {"cpu3 1 2 3 4 5 6 7 18446744073709551000 0 0", 0, 3, UINT64_C(18446744073709551000)},
        {"cpu  2205193 121147 760265 3798426 19141 0 2555 3021 0 0 7", -1, 0, 0}, /* of all */
        {"cpu1 1 2 3 4 5 6 7 8", -1, 0, 0}, /* before there were guests */
        {"cpufreq 1 2 3 4 5 6 7 8 9 10", -1, 0, 0},
        {"intr 1 2 3 4 5 6 7 8 9 10 11", -1, 0, 0},
        {"", -1, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned cpu = 4711;
        uint64_t jiffies = 4711;
        assert_int_equal(pb_taken_parse(cases[i].line, &cpu, &jiffies), cases[i].result);
        assert_int_equal(cpu, cases[i].result == 0 ? cases[i].cpu : 4711);
        assert_int_equal(jiffies, cases[i].result == 0 ? cases[i].jiffies : 4711);
    }
}

static void what_was_taken_is_a_share_of_the_processors_time(void **state)
{
    (void)state;
    double second = (double)sysconf(_SC_CLK_TCK);
    uint64_t ticks = pb_clock_ticks(1e9);
    struct pb_taken before = {.jiffies = 1000, .cpus = 2, .ticks = 50};
    struct pb_taken after = {.jiffies = 1010, .cpus = 2, .ticks = 50 + ticks};
    double expected = 10 / second / (2 * pb_clock_ns(ticks) * 1e-9);
    assert_near(pb_taken_share(&before, &after), expected);
    after.jiffies = 1000;
    assert_near(pb_taken_share(&before, &after), 0);
    after.jiffies = 999; /* a guest that was moved to another host */
    assert_near(pb_taken_share(&before, &after), 0);
    after.jiffies = 1000000; /* a jiffy may be longer than the time: never more than all */
    assert_near(pb_taken_share(&before, &after), 1);
    after.cpus = 1; /* one went away */
    assert_true(isnan(pb_taken_share(&before, &after)));
    before.cpus = after.cpus = 0;
    assert_true(isnan(pb_taken_share(&before, &after)));
    before = (struct pb_taken){.cpus = 2};
    after = (struct pb_taken){.cpus = 2}; /* no time between them */
    assert_true(isnan(pb_taken_share(&before, &after)));
}

static void only_the_processors_asked_for_are_read(void **state)
{
    (void)state;
    struct pb_taken all, one, none;
    unsigned cpus[64], beyond = 1u << 30;
    for (unsigned i = 0; i < 64; i++)
        cpus[i] = i;
    unsigned twice[] = {0, 0};
    pb_taken_read(cpus, 64, &all);
    pb_taken_read(twice, 2, &one);
    pb_taken_read(&beyond, 1, &none);
    assert_int_equal(none.cpus, 0);
    assert_int_equal(none.jiffies, 0);
    assert_true(all.cpus >= 1 && one.cpus == 1); /* processor 0 is always there */
    assert_true(all.ticks <= one.ticks && one.ticks <= none.ticks);
}

/* --- the sentinel ---------------------------------------------------------------------------- */

static int refusing_bind(void *context, unsigned index)
{
    (void)context;
    return index == 1 ? -EXDEV : 0;
}

static void a_pair_makes_its_exchanges(void **state)
{
    (void)state;
    struct pb_pingpong result = {.exchanges = 4711};
    assert_int_equal(pb_pingpong_pair(refusing_bind, NULL, 50, 1e9, &result), -EXDEV);
    assert_int_equal(result.exchanges, 4711);
    /* one unit is enough: then an exchange takes its turns at it */
    assert_int_equal(pb_pingpong_pair(NULL, NULL, 50, 3e10, &result), 0);
    assert_int_equal(result.exchanges, 50);
    assert_true(result.one_way_ns > 0.0);
    assert_int_equal(pb_pingpong_pair(NULL, NULL, UINT32_MAX, 1e6, &result), 0);
    assert_true(result.exchanges < UINT32_MAX); /* the time ended it */
    assert_true(result.one_way_ns * 2.0 * (result.exchanges > 0 ? result.exchanges : 1) >= 0.99e6);
}

/* The sentinel of a team, in which some only line up and never touch their lines. */
struct sentinel_run {
    struct pb_team *team;
    struct pb_sentinel sentinel;
    struct pb_pingpong pairs[WORKERS_MAX];
    unsigned rounds, stuck; /* the worker; WORKERS_MAX: none */
};

static int sentinel_job(void *context, unsigned index)
{
    struct sentinel_run *run = context;
    if (index != run->stuck) {
        pb_sentinel_run(&run->sentinel, run->team, index, run->pairs);
        return 0;
    }
    for (unsigned i = 0; i < run->rounds; i++)
        pb_team_line_up(run->team);
    return 0;
}

static void run_sentinel(struct sentinel_run *run, unsigned workers, unsigned stuck)
{
    struct pb_arena arena;
    *run = (struct sentinel_run){.stuck = stuck, .rounds = workers > 2 ? 2 : 1};
    assert_int_equal(pb_arena_open(&arena, 1 << 20), 0);
    assert_int_equal(pb_sentinel_prepare(&run->sentinel, workers, &arena), 0);
    assert_int_equal(pb_team_open(workers, true, NULL, NULL, &run->team), 0);
    for (int again = 0; again < 2; again++) /* both sides of a window use the same lines */
        assert_int_equal(pb_team_run(run->team, sentinel_job, run), 0);
    pb_team_close(run->team);
    pb_arena_close(&arena);
}

static void every_neighbour_is_a_pair(void **state)
{
    (void)state;
    struct sentinel_run run;
    for (unsigned workers = 1; workers <= WORKERS_MAX; workers++) {
        run_sentinel(&run, workers, WORKERS_MAX);
        for (unsigned k = 0; k < WORKERS_MAX; k++) {
            assert_true((run.pairs[k].one_way_ns > 0.0) == (k + 1 < workers));
            assert_true(run.pairs[k].exchanges <= (workers > 2 ? 5000u : 10000u));
        }
    }
}

static void a_partner_that_is_stuck_costs_the_deadline_and_shows(void **state)
{
    (void)state;
    struct sentinel_run run;
    run_sentinel(&run, 2, 1);
    assert_int_equal(run.pairs[0].exchanges, 0);
    assert_true(run.pairs[0].one_way_ns >= 0.99 * 3e6 / 2);
    run_sentinel(&run, 2, 0); /* the one that asks: the other comes back as well */
    run_sentinel(&run, 4, 2);
    assert_int_equal(run.pairs[1].exchanges, 0);
    assert_true(run.pairs[1].one_way_ns >= 0.99 * 1.5e6 / 2);
}

/* --- around a window ------------------------------------------------------------------------- */

static uint64_t fake_steps(const struct pb_worker *worker)
{
    (void)worker;
    return 10;
}

static uint64_t fake_run(struct pb_worker *worker, uint64_t steps)
{
    (void)worker;
    return steps;
}

static const struct pb_workload fake = {.name = "fake", .steps = fake_steps};
static const struct pb_loop loop = {NULL, fake_run, NULL};

/* Runs `phase` on `n` workers with `watch` around it, and copies the windows. */
static void run_watched(struct pb_watch *watch, struct pb_arena *arena, unsigned n,
                        bool oversubscribed, enum pb_phase phase, struct pb_window *windows)
{
    struct pb_worker workers[WORKERS_MAX];
    struct pb_session session = {.workload = &fake, .workers = workers, .n = n, .watch = watch};
    memset(workers, 0, sizeof workers);
    for (unsigned i = 0; i < n; i++) {
        workers[i].index = i;
        workers[i].count = n;
    }
    assert_int_equal(pb_arena_open(arena, 4 << 20), 0);
    assert_int_equal(pb_watch_prepare(watch, n, oversubscribed, arena), 0);
    assert_int_equal(pb_team_open(n, true, NULL, NULL, &session.team), 0);
    assert_int_equal(pb_session_prepare(&session, arena), 0);
    assert_int_equal(pb_session_run(&session, phase, &loop, UINT64_MAX), 0);
    memcpy(windows, session.windows[phase], n * sizeof *windows);
    pb_team_close(session.team);
}

static void a_watch_looks_from_both_sides(void **state)
{
    (void)state;
    struct pb_watch watch;
    struct pb_arena arena;
    struct pb_pingpong slowest;
    struct pb_window windows[WORKERS_MAX];
    for (unsigned n = 1; n <= 3; n++) {
        run_watched(&watch, &arena, n, false, PB_PHASE_RATE, windows);
        for (int side = 0; side < PB_WATCH_SIDES; side++) {
            for (unsigned i = 0; i < n; i++)
                assert_true(watch.sides[side].gaps[i].spun >= pb_clock_ticks(1e6));
            assert_true(pb_watch_slowest(&watch, side, &slowest) == (n > 1));
            for (unsigned k = 0; k + 1 < n; k++)
                assert_true(watch.sides[side].pairs[k].one_way_ns <= slowest.one_way_ns);
            assert_true(watch.sides[side].taken.cpus >= 1);
        }
        for (unsigned i = 0; i < n; i++) {
            assert_true(watch.sides[PB_WATCH_BEFORE].taken.ticks < windows[i].begun);
            assert_true(watch.sides[PB_WATCH_AFTER].taken.ticks > windows[i].ended);
        }
        pb_arena_close(&arena);
    }
}

static void workers_that_share_units_are_left_to_it(void **state)
{
    (void)state;
    struct pb_watch watch;
    struct pb_arena arena;
    struct pb_pingpong slowest;
    struct pb_window windows[WORKERS_MAX];
    run_watched(&watch, &arena, 3, true, PB_PHASE_RATE, windows);
    for (int side = 0; side < PB_WATCH_SIDES; side++) {
        assert_false(pb_watch_slowest(&watch, side, &slowest));
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(watch.sides[side].gaps[i].spun, 0);
        assert_true(watch.sides[side].taken.cpus >= 1);
    }
    pb_arena_close(&arena);
}

static void only_the_rate_window_is_watched(void **state)
{
    (void)state;
    struct pb_watch watch;
    struct pb_arena arena;
    struct pb_window windows[WORKERS_MAX];
    run_watched(&watch, &arena, 2, false, PB_PHASE_WARM, windows);
    for (int side = 0; side < PB_WATCH_SIDES; side++) {
        assert_int_equal(watch.sides[side].taken.ticks, 0);
        assert_int_equal(watch.sides[side].gaps[0].spun + watch.sides[side].gaps[1].spun, 0);
    }
    pb_arena_close(&arena);
}

int main(void)
{
    pb_clock_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_above_the_threshold_is_a_gap),
        cmocka_unit_test(waiting_for_a_processor_explains_a_gap),
        cmocka_unit_test(a_measured_spell_lasts_as_long_as_asked),
        cmocka_unit_test(a_processors_line_tells_what_was_taken),
        cmocka_unit_test(what_was_taken_is_a_share_of_the_processors_time),
        cmocka_unit_test(only_the_processors_asked_for_are_read),
        cmocka_unit_test(a_pair_makes_its_exchanges),
        cmocka_unit_test(every_neighbour_is_a_pair),
        cmocka_unit_test(a_partner_that_is_stuck_costs_the_deadline_and_shows),
        cmocka_unit_test(a_watch_looks_from_both_sides),
        cmocka_unit_test(workers_that_share_units_are_left_to_it),
        cmocka_unit_test(only_the_rate_window_is_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
