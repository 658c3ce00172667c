/* SPDX-License-Identifier: MIT */
/* The counters probe on two workers, whose events a kernel counts that the test plays: metrics by
 * hand. */
#include "perf_double.h"

#include "probes/counters.h"
#include "probes/probe.h"

#include <math.h>

static char message[256];
static unsigned turn; /* of the groups of the hardware's events */

static const struct pb_window windows[] = {{.steps = 100}, {.steps = 300}};

/* Runs the probe's hooks on two workers and reports. */
static void probe_two(const char *list, char *warn, size_t warn_size, double *values)
{
    const struct pb_probe *probe = pb_probe_find("counters");
    struct pb_perf_counts states[2] = {{0}, {0}};
    struct pb_perf_set set;
    char text[PB_PERF_TEXT_MAX];
    struct pb_observation o = {
        .workers = 2, .step_workers = 1, .rate = windows, .warn = warn, .warn_size = warn_size};
    assert_int_equal(pb_perf_parse(list, &set, message, sizeof message), 0);
    assert_int_equal(pb_perf_to_text(&set, text, sizeof text), 0);
    assert_int_equal(pb_counters_choose(&fake, text, turn), 0);
    warn[0] = '\0';
    for (unsigned w = 0; w < 2; w++) {
        ran = false;
        probe->ready(&states[w]);
        probe->before(&states[w]);
        ran = true;
        probe->after(&states[w]);
    }
    probe->report(&o, states, NULL, values);
    assert_int_equal(still_open(), 0);
}

static double value(const double *values, const char *key)
{
    const struct pb_metric *m = pb_probe_find("counters")->metrics;
    for (size_t i = 0; m[i].key != NULL; i++)
        if (strcmp(m[i].key, key) == 0)
            return values[i];
    fail_msg("there is no metric %s", key);
    return 0.0;
}

static void metrics_are_sums_over_workers_an_operation(void **state)
{
    double values[32];
    char warn[160];
    (void)state;
    begin_play();
    probe_two("default", warn, sizeof warn, values);
    assert_true(value(values, "cycles_per_op") == 2 * 7.0 / 400);
    assert_true(value(values, "instructions_per_op") == 2 * 1007.0 / 400);
    assert_true(value(values, "perf_page_faults") ==
                2 * (PERF_COUNT_SW_PAGE_FAULTS * 1000.0 + PERF_TYPE_SOFTWARE * 100 + 7));
    assert_true(value(values, "counters_running") == 1.0);
    assert_true(isnan(value(values, "event_1_per_op")));
    assert_string_equal(warn, "");
}

static void what_is_not_there_has_no_metric_and_what_is_refused_is_said(void **state)
{
    double values[32];
    char warn[160];
    (void)state;
    begin_play();
    play.refuse_hardware = -ENOENT;
    probe_two("default", warn, sizeof warn, values);
    assert_true(isnan(value(values, "cycles_per_op")) && isnan(value(values, "counters_running")));
    assert_true(value(values, "perf_context_switches") > 0.0);
    assert_string_equal(warn, ""); /* the run's header says it once */
    begin_play();
    play.refuse_hardware = -EACCES;
    probe_two("default", warn, sizeof warn, values);
    assert_string_equal(warn, "");
    begin_play();
    play.descriptors = 4; /* enough for the first worker's cycles, not for the second's */
    probe_two("default", warn, sizeof warn, values);
    assert_true(isnan(value(values, "cycles_per_op")));
    assert_string_equal(warn, "cycles has no value: no more file descriptors: ulimit -n");
    begin_play();
    play.share = 0.3;
    probe_two("default", warn, sizeof warn, values);
    assert_true(isnan(value(values, "cycles_per_op")));
    assert_true(fabs(value(values, "counters_running") - 0.3) < 1e-6);
    assert_string_equal(
        warn, "cycles has no value: it was on the counters for less than half of the time");
}

static void events_without_a_metric_of_their_own_are_numbered(void **state)
{
    double values[32];
    char warn[160];
    (void)state;
    begin_play();
    probe_two("cycles:k,instructions,branch-instructions", warn, sizeof warn, values);
    assert_true(value(values, "event_1_per_op") == 2 * 7.0 / 400);
    assert_true(value(values, "event_2_per_op") ==
                2 * (PERF_COUNT_HW_BRANCH_INSTRUCTIONS * 1000 + 7.0) / 400);
    assert_true(value(values, "instructions_per_op") > 0.0);
    assert_true(isnan(value(values, "cycles_per_op")));
}

/* Eight events of the hardware in three groups, more than most processors count at once: each has
 * its turn, whole, and the kernel's own are always there. */
static void groups_of_the_hardware_take_turns_by_repetition(void **state)
{
    static const char *const keys[] = {"cycles_per_op", "l1d_misses_per_op", "cache_misses_per_op"};
    double values[32];
    char warn[160];
    (void)state;
    for (turn = 0; turn < 7; turn++) {
        begin_play();
        probe_two("default", warn, sizeof warn, values);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(isnan(value(values, keys[i])), i != turn % 3);
        assert_true(value(values, "perf_page_faults") > 0.0);
        assert_int_equal(opened, 2 * ((turn % 3 == 2 ? 2 : 3) + 4));
        assert_string_equal(warn, "");
    }
    /* a number is an event's, whosever turn it is */
    turn = 1;
    begin_play();
    probe_two("cycles:k,instructions,branch-misses,branch-instructions", warn, sizeof warn, values);
    assert_true(isnan(value(values, "event_1_per_op")));
    assert_true(value(values, "event_2_per_op") > 0.0);
    turn = 0;
}

/* TAIL's calls are timed one by one: counting there would cost, and be read by nobody. */
static void only_the_rate_is_counted(void **state)
{
    (void)state;
    assert_true(pb_probe_find("counters")->rate_only);
    assert_false(pb_probe_find("interference")->rate_only);
}

static void counting_nothing_asks_the_kernel_nothing(void **state)
{
    double values[32];
    char warn[160];
    (void)state;
    begin_play();
    probe_two("off", warn, sizeof warn, values);
    assert_int_equal(opened + controls + reads, 0);
    assert_true(isnan(value(values, "cycles_per_op")));
    assert_int_equal(pb_counters_choose(&fake, "cycles", 0), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_sums_over_workers_an_operation),
        cmocka_unit_test(what_is_not_there_has_no_metric_and_what_is_refused_is_said),
        cmocka_unit_test(events_without_a_metric_of_their_own_are_numbered),
        cmocka_unit_test(groups_of_the_hardware_take_turns_by_repetition),
        cmocka_unit_test(only_the_rate_is_counted),
        cmocka_unit_test(counting_nothing_asks_the_kernel_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
