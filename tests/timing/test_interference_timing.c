/* SPDX-License-Identifier: MIT */
/* Real time, on a machine that does nothing else (label timing, run alone): workers begin together,
 * a quiet repetition looks quiet, and one that is disturbed on purpose does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "engine/window.h"
#include "runner/cell.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 2, WINDOWS = 200, TRIES = 5 };

static struct pb_topology *topology;
static struct pb_placement placement; /* of two workers, each on its own unit */

static int load_machine(void **state)
{
    (void)state;
    if (pb_topology_load(NULL, &topology) != 0)
        return -1;
    bool apart = pb_topology_units(topology) >= WORKERS;
    return pb_placement_plan(topology, "core", WORKERS, !apart, &placement, NULL, 0);
}

static int free_machine(void **state)
{
    (void)state;
    pb_topology_free(topology);
    return 0;
}

static void need_two_units(void)
{
    if (placement.oversubscribed)
        skip_because("one unit only: two workers cannot run at once");
}

static int bind_job(void *context, unsigned index)
{
    (void)context;
    return pb_placement_bind(topology, &placement, index);
}

/* --- skew ------------------------------------------------------------------------------------ */

static uint64_t spin_steps(const struct pb_worker *worker)
{
    (void)worker;
    return 100000;
}

static uint64_t spin_run(struct pb_worker *worker, uint64_t steps)
{
    for (volatile uint64_t i = 0; i < steps; i++)
        worker->tally.waits++;
    return steps;
}

static const struct pb_workload spin = {.name = "spin", .steps = spin_steps};
static const struct pb_loop spin_loop = {NULL, spin_run, NULL};

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double print_skew(const char *what, double *skews)
{
    qsort(skews, WINDOWS, sizeof *skews, by_size);
    double p90 = skews[WINDOWS * 9 / 10 - 1];
    print_message("%s skew over %d windows: p50 %.0f ns, p90 %.0f ns, max %.0f ns\n", what, WINDOWS,
                  skews[WINDOWS / 2 - 1], p90, skews[WINDOWS - 1]);
    return p90;
}

static void workers_begin_within_10_us_of_each_other(void **state)
{
    (void)state;
    struct pb_arena arena;
    struct pb_worker workers[WORKERS] = {{.index = 0, .count = 2}, {.index = 1, .count = 2}};
    struct pb_session session = {.workload = &spin, .workers = workers, .n = WORKERS};
    static double starts[WINDOWS], stops[WINDOWS];
    need_two_units();
    assert_int_equal(pb_arena_open(&arena, 4 << 20), 0);
    assert_int_equal(pb_team_open(WORKERS, false, bind_job, NULL, &session.team), 0);
    assert_int_equal(pb_session_prepare(&session, &arena), 0);
    for (unsigned i = 0; i < WINDOWS; i++) {
        const struct pb_window *w = session.windows[PB_PHASE_RATE];
        assert_int_equal(pb_session_run(&session, PB_PHASE_RATE, &spin_loop, UINT64_MAX), 0);
        starts[i] = fabs(pb_clock_ns(w[0].begun) - pb_clock_ns(w[1].begun));
        stops[i] = fabs(pb_clock_ns(w[0].ended) - pb_clock_ns(w[1].ended));
    }
    pb_team_close(session.team);
    pb_arena_close(&arena);
    print_skew("stop", stops); /* the loops' own, of equal work */
    assert_true(print_skew("start", starts) < 10000.0);
}

/* --- a line's way ---------------------------------------------------------------------------- */

static int bind_to_one_job(void *context, unsigned index)
{
    (void)index;
    return bind_job(context, 0);
}

static void a_line_is_passed_fast_between_two_units_alone(void **state)
{
    (void)state;
    need_two_units();
    struct pb_pingpong apart, together;
    assert_int_equal(pb_pingpong_pair(bind_job, NULL, 10000, 1e9, &apart), 0);
    assert_int_equal(pb_pingpong_pair(bind_to_one_job, NULL, 100, 2e8, &together), 0);
    print_message("a line's way: %.1f ns between two units, %.0f ns where both take turns at one\n",
                  apart.one_way_ns, together.one_way_ns);
    assert_int_equal(apart.exchanges, 10000);
    assert_true(together.one_way_ns > 10.0 * apart.one_way_ns);
}

/* --- whole repetitions ----------------------------------------------------------------------- */

/* Runs two workers for some 200 ms, on the units that `pin` names. */
static struct pb_cell_result *run_cell(const char *pin, bool oversubscribe)
{
    static struct pb_cell_spec spec;
    static struct pb_cell_result result;
    struct pb_cell *cell = NULL;
    double seconds = 0.0;
    spec = (struct pb_cell_spec){.variant = "null",
                                 .workload = "pair",
                                 .threads = WORKERS,
                                 .memory = "default",
                                 .start = "warm",
                                 .arrival = "closed",
                                 .delay = "none",
                                 .dispatch = PB_DISPATCH_CALL,
                                 .oversubscribe = oversubscribe,
                                 .seed = 1,
                                 .scale = 15.0};
    snprintf(spec.pin, sizeof spec.pin, "%s", pin);
    int error = pb_cell_open(&spec, topology, &result, &cell);
    if (error == 0) {
        error = pb_cell_warm(cell);
        if (error == 0)
            error = pb_cell_rate(cell, &seconds);
        if (error == 0)
            pb_cell_finish(cell);
        pb_cell_close(cell);
    }
    assert_string_equal(result.reason, "");
    assert_int_equal(error, 0);
    return &result;
}

static double metric(const struct pb_cell_result *result, const char *key)
{
    int index = pb_metric_index(key);
    assert_true(index >= 0);
    return result->values[index];
}

static void print_figures(const char *what, const struct pb_cell_result *result)
{
    static const char *const keys[] = {
        "overlap",       "preemptions",        "run_wait_ns",       "unexplained_ns",
        "start_skew_ns", "sentinel_before_ns", "sentinel_after_ns", "sentinel_exchanges",
        "gap_share",     "gap_max_ns",         "steal_share"};
    print_message("%s: %.0f ms", what, (double)result->wall_ns * 1e-6);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        print_message(", %s %.4g", keys[i], metric(result, keys[i]));
    print_message("\n");
}

static const char *both_units(void)
{
    static char pin[64];
    snprintf(pin, sizeof pin, "explicit:%u,%u", placement.os_index[0], placement.os_index[1]);
    return pin;
}

/* Something small always runs now and then: one try in so many must be left alone. */
static void a_quiet_machine_looks_quiet(void **state)
{
    (void)state;
    need_two_units();
    bool quiet = false;
    for (int i = 0; i < TRIES && !quiet; i++) {
        struct pb_cell_result *result = run_cell(both_units(), false);
        print_figures("quiet", result);
        quiet = metric(result, "overlap") >= 0.95 && metric(result, "start_skew_ns") < 10000.0 &&
                metric(result, "sentinel_exchanges") == 10000.0;
        pb_cell_result_free(result);
    }
    assert_true(quiet);
}

static void two_workers_on_one_unit_do_not_overlap(void **state)
{
    (void)state;
    char pin[64];
    snprintf(pin, sizeof pin, "explicit:%u", placement.os_index[0]);
    struct pb_cell_result *result = run_cell(pin, true);
    print_figures("oversubscribed", result);
    assert_true(result->oversubscribed);
    assert_true(metric(result, "overlap") < 0.95);
    assert_true(isnan(metric(result, "sentinel_before_ns")));
    assert_true(isnan(metric(result, "gap_share")));
    pb_cell_result_free(result);
}

/* A process that keeps a unit busy until it is killed, or this one is gone. */
static pid_t spin_beside(unsigned unit)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(unit, &set);
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        _exit(1);
    for (volatile uint64_t i = 0;; i++)
        ;
}

static void a_spinner_beside_a_worker_shows(void **state)
{
    (void)state;
    need_two_units();
    pid_t child = spin_beside(placement.os_index[1]);
    assert_true(child > 0);
    usleep(50000);
    struct pb_cell_result *result = run_cell(both_units(), false);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    print_figures("beside a spinner", result);
    assert_true(metric(result, "overlap") < 0.95);
    assert_true(metric(result, "preemptions") > 0.0);
    assert_true(metric(result, "run_wait_ns") > 0.05 * (double)result->wall_ns);
    pb_cell_result_free(result);
}

/* With an argument, only the tests whose names match it. */
int main(int argc, char **argv)
{
    pb_clock_open();
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_begin_within_10_us_of_each_other),
        cmocka_unit_test(a_line_is_passed_fast_between_two_units_alone),
        cmocka_unit_test(a_quiet_machine_looks_quiet),
        cmocka_unit_test(two_workers_on_one_unit_do_not_overlap),
        cmocka_unit_test(a_spinner_beside_a_worker_shows),
    };
    return cmocka_run_group_tests(tests, load_machine, free_machine);
}
