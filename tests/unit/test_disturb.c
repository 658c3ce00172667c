/* SPDX-License-Identifier: MIT */
/* The rules of what disturbs a repetition: each at its threshold, in the cells that it is meant
 * for, and never for want of a metric. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/disturb.h"

#include <stdio.h>
#include <string.h>

/* A repetition of two pinned workers; `m` are its metrics, `more` what differs. */
static json_t *line_of(const char *m, const char *more)
{
    char text[512];
    snprintf(text, sizeof text,
             "{\"status\":\"ok\",\"workers\":2,\"pin\":\"core\",\"placement\":\"P#0,P#1\","
             "\"oversubscribed\":false,\"wall_ns\":1000000,\"m\":{%s}}",
             m);
    json_t *line = json_loads(text, 0, NULL), *changes = json_loads(more, 0, NULL);
    assert_non_null(line);
    assert_non_null(changes);
    json_object_update(line, changes);
    json_decref(changes);
    return line;
}

/* The rules that a line breaks, as one text. */
static void expect(const struct pb_disturb *disturb, const char *m, const char *more,
                   const char *ids)
{
    char found[256] = "";
    json_t *line = line_of(m, more), *broken = pb_disturb_judge(disturb, line), *id;
    size_t i;
    json_array_foreach(broken, i, id)
    {
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", i > 0 ? " " : "",
                 json_string_value(id));
    }
    assert_string_equal(found, ids);
    json_decref(broken);
    json_decref(line);
}

static void each_rule_breaks_beyond_its_threshold_and_not_at_it(void **state)
{
    static const struct {
        const char *m, *ids;
    } cases[] = {
        {"\"overlap\":0.95", ""},
        {"\"overlap\":0.949", "overlap"},
        {"\"gap_share\":0.1", ""},
        {"\"gap_share\":0.101", "gaps"},
        {"\"marked_share\":0.5", ""}, /* slow calls may be the strategy's own */
        {"\"preempted_share\":0.01", ""},
        {"\"preempted_share\":0.02", "marked"},
        {"\"steal_share\":0.01", ""},
        {"\"steal_share\":0.5", "steal"},
        {"\"migrated\":0", ""},
        {"\"migrated\":1", "migrated"},
        {"\"major_faults\":0", ""},
        {"\"major_faults\":3", "major-faults"},
        {"\"run_wait_ns\":20000", ""}, /* of two workers */
        {"\"run_wait_ns\":20001", "run-wait"},
        {"\"sentinel_before_ns\":50,\"sentinel_after_ns\":100", ""},
        {"\"sentinel_before_ns\":50,\"sentinel_after_ns\":101", "sentinel-after"},
        {"\"overlap\":0.5,\"steal_share\":0.2,\"run_wait_ns\":500000", "overlap steal run-wait"},
    };
    const struct pb_disturb none = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(&none, cases[i].m, "{}", cases[i].ids);
}

static void a_metric_that_is_not_there_disturbs_nothing(void **state)
{
    const struct pb_disturb none = {0};
    (void)state;
    expect(&none, "", "{}", "");
    expect(&none, "\"overlap\":\"low\",\"migrated\":null", "{}", "");
    expect(&none, "\"run_wait_ns\":5000000", "{\"wall_ns\":null}", "");
    expect(&none, "", "{\"m\":null,\"placement\":null,\"pin\":null}", "");
}

static void what_a_cell_does_by_itself_is_not_held_against_it(void **state)
{
    static const char all[] = "\"overlap\":0.1,\"gap_share\":0.5,\"preempted_share\":0.5,"
                              "\"migrated\":1,\"run_wait_ns\":900000";
    const struct pb_disturb none = {0};
    (void)state;
    expect(&none, all, "{}", "overlap gaps marked migrated run-wait");
    expect(&none, all, "{\"oversubscribed\":true}", "migrated");
    expect(&none, all, "{\"workers\":1}", "gaps marked migrated run-wait");
    expect(&none, all, "{\"pin\":\"none\"}", "overlap gaps marked run-wait");
    expect(&none, all, "{\"status\":\"crashed\"}", "");
    expect(&none, "\"sentinel_before_ns\":50,\"sentinel_after_ns\":9000",
           "{\"oversubscribed\":true}", "");
}

static void a_sentinel_is_held_against_the_best_of_its_placement(void **state)
{
    struct pb_disturb disturb = {0};
    static const char slow[] = "\"sentinel_before_ns\":120,\"sentinel_after_ns\":130";
    (void)state;
    expect(&disturb, slow, "{}", ""); /* nothing better is known */
    json_t *quick = line_of("\"sentinel_before_ns\":70,\"sentinel_after_ns\":55", "{}");
    pb_disturb_learn(&disturb, quick);
    json_decref(quick);
    expect(&disturb, slow, "{}", "sentinel-before sentinel-after");
    expect(&disturb, slow, "{\"placement\":\"P#0,P#4\"}", "");
    json_t *slower = line_of("\"sentinel_before_ns\":90,\"sentinel_after_ns\":95", "{}");
    pb_disturb_learn(&disturb, slower); /* does not make the best worse */
    json_decref(slower);
    expect(&disturb, slow, "{}", "sentinel-before sentinel-after");
    json_t *without = line_of("", "{}");
    pb_disturb_learn(&disturb, without);
    json_decref(without);
    assert_int_equal(disturb.n, 1);
    pb_disturb_close(&disturb);
}

/* The wait is summed over workers: so is the time that it is held against. */
static void a_wait_is_a_share_of_all_workers_time(void **state)
{
    const struct pb_disturb none = {0};
    (void)state;
    expect(&none, "\"run_wait_ns\":80000", "{\"workers\":8}", "");
    expect(&none, "\"run_wait_ns\":80001", "{\"workers\":8}", "run-wait");
    expect(&none, "\"run_wait_ns\":20001", "{\"workers\":8}", "");
    expect(&none, "\"run_wait_ns\":10001", "{\"workers\":1}", "run-wait");
    expect(&none, "\"run_wait_ns\":900000", "{\"workers\":null}", "");
}

static void every_rule_says_why(void **state)
{
    (void)state;
    for (const struct pb_disturb_rule *rule = pb_disturb_rules; rule->id != NULL; rule++) {
        assert_true(strlen(rule->reason) > 20);
        assert_true(rule->threshold >= 0);
        for (const struct pb_disturb_rule *other = pb_disturb_rules; other != rule; other++)
            assert_string_not_equal(other->id, rule->id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_breaks_beyond_its_threshold_and_not_at_it),
        cmocka_unit_test(a_metric_that_is_not_there_disturbs_nothing),
        cmocka_unit_test(what_a_cell_does_by_itself_is_not_held_against_it),
        cmocka_unit_test(a_sentinel_is_held_against_the_best_of_its_placement),
        cmocka_unit_test(a_wait_is_a_share_of_all_workers_time),
        cmocka_unit_test(every_rule_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
