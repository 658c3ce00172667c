/* SPDX-License-Identifier: MIT */
/* Groups of events over one window, counted by a kernel that the test plays; and once by the real
 * one. */
#include "perf_double.h"

#include <math.h>

static char message[256];

static void standard_set(struct pb_perf_set *set)
{
    assert_int_equal(pb_perf_parse("default", set, message, sizeof message), 0);
    assert_int_equal(set->n, 12);
}

/* A window of one worker. */
static void count(const struct pb_perf_set *set, struct pb_perf_counts *counts)
{
    *counts = (struct pb_perf_counts){0};
    ran = false;
    pb_perf_open(&fake, set, counts);
    pb_perf_start(&fake, set, counts);
    ran = true;
    pb_perf_stop(&fake, set, counts);
    assert_int_equal(still_open(), 0);
}

/* --- sets ------------------------------------------------------------------------------------- */

static void the_standard_events_are_in_small_groups(void **state)
{
    static const unsigned char groups[] = {0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3};
    struct pb_perf_set set;
    (void)state;
    standard_set(&set);
    assert_memory_equal(set.group, groups, sizeof groups);
    assert_string_equal(set.events[0].name, "cycles");
    assert_int_equal(set.events[0].type, PERF_TYPE_HARDWARE);
    assert_true(set.events[0].no_kernel && !set.events[0].no_user); /* the program's own */
    assert_int_equal(set.events[3].type, PERF_TYPE_HW_CACHE);
    assert_int_equal(set.events[3].config, PERF_COUNT_HW_CACHE_L1D |
                                               PERF_COUNT_HW_CACHE_OP_READ << 8 |
                                               PERF_COUNT_HW_CACHE_RESULT_MISS << 16);
    assert_int_equal(set.events[9].config, PERF_COUNT_SW_CONTEXT_SWITCHES);
    assert_false(set.events[9].no_kernel); /* where else would they happen */
}

static void a_name_says_where_it_counts(void **state)
{
    struct pb_perf_set set;
    (void)state;
    assert_int_equal(pb_perf_parse("cycles:k,instructions:u", &set, message, sizeof message), 0);
    assert_int_equal(set.n, 2);
    assert_true(set.events[0].no_user && !set.events[0].no_kernel);
    assert_true(!set.events[1].no_user && set.events[1].no_kernel);
    assert_int_equal(pb_perf_parse("off", &set, message, sizeof message), 0);
    assert_int_equal(set.n, 0);
}

static void unknown_names_are_refused_in_one_line(void **state)
{
    static const char *const bad[] = {
        "cycels",         "cycles,nosuch",       "", ",", "cycles,", "cycles=1",
        "default,cycles", "cycles,,instructions"};
    struct pb_perf_set set;
    char many[256] = "cycles";
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        message[0] = '\0';
        assert_int_equal(pb_perf_parse(bad[i], &set, message, sizeof message), -EINVAL);
        assert_non_null(strstr(message, "allowed: off, default"));
        assert_null(strchr(message, '\n'));
    }
    pb_perf_parse("cycles,nosuch", &set, message, sizeof message);
    assert_non_null(strstr(message, "'nosuch'"));
    for (unsigned i = 0; i < PB_PERF_EVENTS_MAX; i++)
        strcat(many, ",cycles");
    assert_int_equal(pb_perf_parse(many, &set, message, sizeof message), -EINVAL);
    assert_string_equal(message, "more than 16 events");
}

static void a_set_crosses_as_text(void **state)
{
    static const char *const bad[] = {"cycles", "=0:0:0:0:6", "cycles=0:0:0:0", "cycles=0:0:0:0:6;",
                                      "cycles=x:0:0:0:6"};
    struct pb_perf_set set, back;
    char text[PB_PERF_TEXT_MAX];
    (void)state;
    standard_set(&set);
    assert_int_equal(pb_perf_to_text(&set, text, sizeof text), 0);
    assert_int_equal(pb_perf_from_text(&back, text), 0);
    assert_memory_equal(&back.group, &set.group, sizeof set.group);
    assert_int_equal(back.n, set.n);
    for (unsigned i = 0; i < set.n; i++) {
        assert_string_equal(back.events[i].name, set.events[i].name);
        assert_int_equal(back.events[i].config, set.events[i].config);
        assert_int_equal(back.events[i].type, set.events[i].type);
        assert_int_equal(back.events[i].no_kernel, set.events[i].no_kernel);
        assert_int_equal(back.events[i].no_hypervisor, set.events[i].no_hypervisor);
    }
    assert_int_equal(pb_perf_from_text(&back, ""), 0);
    assert_int_equal(back.n, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(pb_perf_from_text(&back, bad[i]), -EINVAL);
    assert_int_equal(pb_perf_to_text(&set, text, 20), -ENOSPC);
}

/* --- one window ------------------------------------------------------------------------------- */

static void all_of_the_hardware_is_counted_by_one_group_a_kind(void **state)
{
    struct pb_perf_set set;
    struct pb_perf_counts counts;
    (void)state;
    begin_play();
    standard_set(&set);
    count(&set, &counts);
    assert_int_equal(opened, 12);
    assert_int_equal(controls, 8); /* four groups, on and off */
    assert_int_equal(reads, 8);    /* four groups, before and behind */
    for (unsigned i = 0; i < set.n; i++) {
        assert_int_equal(counts.error[i], 0);
        assert_true(counts.value[i] == (double)count_of(&files[i].attr));
        assert_true(counts.running[i] == 1.0);
    }
}

static void counters_that_take_turns_are_scaled_or_refused(void **state)
{
    struct pb_perf_set set;
    struct pb_perf_counts counts;
    (void)state;
    standard_set(&set);
    begin_play();
    play.share = 0.7;
    count(&set, &counts);
    for (unsigned i = 0; i < 8; i++) {
        double want = (double)count_of(&files[i].attr);
        assert_int_equal(counts.error[i], 0);
        assert_true(fabs(counts.value[i] - want) <= 1.0 / 0.7 + 1e-6); /* a count is whole */
        assert_true(fabs(counts.running[i] - 0.7) < 1e-6);
    }
    begin_play();
    play.share = 0.3;
    count(&set, &counts);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(counts.error[i], -EAGAIN);
        assert_true(isnan(counts.value[i]));
        assert_true(fabs(counts.running[i] - 0.3) < 1e-6); /* published all the same */
    }
    assert_int_equal(counts.error[8], 0);
    assert_true(counts.value[8] == (double)count_of(&files[8].attr));
}

static void a_group_that_never_ran_has_no_value(void **state)
{
    struct pb_perf_set set;
    struct pb_perf_counts counts;
    (void)state;
    standard_set(&set);
    begin_play();
    play.share = 0.0;
    count(&set, &counts);
    assert_int_equal(counts.error[0], -EAGAIN);
    assert_true(isnan(counts.value[0]) && counts.running[0] == 0.0);
    begin_play();
    play.enabled = 0; /* nor was it ever on */
    count(&set, &counts);
    assert_int_equal(counts.error[0], -EAGAIN);
    assert_true(isnan(counts.value[0]));
}

static void counts_that_wrap_are_right(void **state)
{
    struct pb_perf_set set;
    struct pb_perf_counts counts;
    (void)state;
    standard_set(&set);
    begin_play();
    play.start = UINT64_MAX - 3;
    count(&set, &counts);
    for (unsigned i = 0; i < set.n; i++) {
        assert_int_equal(counts.error[i], 0);
        assert_true(counts.value[i] == (double)count_of(&files[i].attr));
    }
}

static void a_machine_without_counters_still_counts_the_kernels_events(void **state)
{
    static const int errors[] = {-ENOENT, -EACCES, -EPERM, -ENOSYS, -EOPNOTSUPP};
    struct pb_perf_set set;
    struct pb_perf_counts counts;
    (void)state;
    standard_set(&set);
    for (size_t k = 0; k < sizeof errors / sizeof *errors; k++) {
        begin_play();
        play.refuse_hardware = errors[k];
        count(&set, &counts);
        assert_int_equal(opened, 4);
        for (unsigned i = 0; i < 8; i++) {
            assert_int_equal(counts.error[i], errors[k]);
            assert_true(isnan(counts.value[i]) && isnan(counts.running[i]));
        }
        for (unsigned i = 8; i < 12; i++)
            assert_int_equal(counts.error[i], 0);
        assert_true(strlen(pb_perf_why(errors[k])) > 10);
    }
}

static void an_event_that_is_not_there_costs_its_group_nothing_else(void **state)
{
    struct pb_perf_set set;
    struct pb_perf_counts counts;
    (void)state;
    standard_set(&set);
    begin_play();
    play.refuses_config = true;
    play.refuse_config = PERF_COUNT_HW_CPU_CYCLES; /* the leader of the first group */
    count(&set, &counts);
    assert_int_equal(counts.error[0], -ENOENT);
    assert_true(isnan(counts.value[0]));
    assert_int_equal(counts.error[1], 0); /* leads in its place */
    assert_true(counts.value[1] == (double)(PERF_COUNT_HW_INSTRUCTIONS * 1000 + 7));
    assert_true(counts.value[2] == (double)(PERF_COUNT_HW_BRANCH_MISSES * 1000 + 7));
}

static void descriptors_that_run_out_take_the_rest_only(void **state)
{
    struct pb_perf_set set;
    struct pb_perf_counts counts;
    (void)state;
    standard_set(&set);
    begin_play();
    play.descriptors = 4;
    count(&set, &counts);
    for (unsigned i = 0; i < set.n; i++)
        assert_int_equal(counts.error[i], i < 4 ? 0 : -EMFILE);
    assert_true(counts.value[3] == (double)count_of(&files[3].attr));
}

static void readings_that_fall_short_or_fail_give_nothing(void **state)
{
    struct pb_perf_set set;
    struct pb_perf_counts counts;
    (void)state;
    standard_set(&set);
    for (int fails = 0; fails < 2; fails++) {
        begin_play();
        play.short_read = !fails;
        play.fails_read = fails;
        count(&set, &counts);
        for (unsigned i = 0; i < set.n; i++) {
            assert_int_equal(counts.error[i], -EIO);
            assert_true(isnan(counts.value[i]));
        }
    }
}

/* Values are found by their ids, whatever their order; another's id is nobody's. */
static void values_are_known_by_their_ids(void **state)
{
    struct pb_perf_set set;
    struct pb_perf_counts counts;
    (void)state;
    standard_set(&set);
    begin_play();
    play.turns_round = true;
    count(&set, &counts);
    for (unsigned i = 0; i < set.n; i++)
        assert_true(counts.value[i] == (double)count_of(&files[i].attr));
    begin_play();
    play.other_ids = true;
    count(&set, &counts);
    for (unsigned i = 0; i < set.n; i++) {
        assert_int_equal(counts.error[i], -EIO);
        assert_true(isnan(counts.value[i]));
    }
}

static void the_kind_of_a_machine_is_told_with_the_reason(void **state)
{
    struct pb_perf_set set;
    (void)state;
    standard_set(&set);
    begin_play();
    ran = false;
    assert_string_equal(pb_perf_kind(&fake, &set, message, sizeof message), "hardware");
    assert_string_equal(message, "");
    begin_play();
    play.refuse_hardware = -ENOENT;
    assert_string_equal(pb_perf_kind(&fake, &set, message, sizeof message), "software");
    assert_string_equal(message, "cycles and 7 more: this machine has no such counter");
    begin_play();
    play.refuse_hardware = play.refuse_software = -EACCES;
    assert_string_equal(pb_perf_kind(&fake, &set, message, sizeof message), "none");
    assert_non_null(strstr(message, "perf_event_paranoid"));
    assert_int_equal(still_open(), 0);
}

/* Whatever this machine has: no descriptor is left, and a value has no error. */
static void the_real_kernel_answers_or_says_why_not(void **state)
{
    struct pb_perf_set set;
    struct pb_perf_counts counts = {0};
    (void)state;
    standard_set(&set);
    pb_perf_open(&pb_perf_linux, &set, &counts);
    pb_perf_start(&pb_perf_linux, &set, &counts);
    pb_perf_stop(&pb_perf_linux, &set, &counts);
    for (unsigned i = 0; i < set.n; i++) {
        assert_int_equal(counts.fd[i], -1);
        assert_int_equal(isnan(counts.value[i]) != 0, counts.error[i] != 0);
        assert_int_equal(counts.error[i] != 0, pb_perf_why(counts.error[i])[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standard_events_are_in_small_groups),
        cmocka_unit_test(a_name_says_where_it_counts),
        cmocka_unit_test(unknown_names_are_refused_in_one_line),
        cmocka_unit_test(a_set_crosses_as_text),
        cmocka_unit_test(all_of_the_hardware_is_counted_by_one_group_a_kind),
        cmocka_unit_test(counters_that_take_turns_are_scaled_or_refused),
        cmocka_unit_test(a_group_that_never_ran_has_no_value),
        cmocka_unit_test(counts_that_wrap_are_right),
        cmocka_unit_test(a_machine_without_counters_still_counts_the_kernels_events),
        cmocka_unit_test(an_event_that_is_not_there_costs_its_group_nothing_else),
        cmocka_unit_test(descriptors_that_run_out_take_the_rest_only),
        cmocka_unit_test(readings_that_fall_short_or_fail_give_nothing),
        cmocka_unit_test(values_are_known_by_their_ids),
        cmocka_unit_test(the_kind_of_a_machine_is_told_with_the_reason),
        cmocka_unit_test(the_real_kernel_answers_or_says_why_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
