/* SPDX-License-Identifier: MIT */
/* Reports: what counts as a difference, what a reader should doubt, what stands where a figure is
 * missing. How they are laid out: test_report_table.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/hist.h"
#include "reading_run.h"
#include "runner/report.h"
#include "runner/report_summary.h"

#include <errno.h>

static void every_cell_of_the_run_is_in_the_table(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    struct pb_summary summary;
    char message[256];
    size_t reps = 0;
    assert_int_equal(pb_summary_make(run, PB_KEY_TIME, NULL, &summary, message, sizeof message), 0);
    for (size_t i = 0; i < summary.groups_n; i++) {
        const struct pb_summary_group *group = &summary.groups[i];
        reps += group->twin != NULL ? group->twin->reps_n : 0;
        for (size_t k = 0; k < group->rows_n; k++)
            reps += group->rows[k].reps_n;
    }
    assert_int_equal(summary.groups_n, 6);
    assert_int_equal(reps, run->reps_n);
    pb_summary_free(&summary);
    pb_run_free(run);
}

/* --- what counts ----------------------------------------------------------------------------- */

static char sign_of(const struct made_cell *cells, size_t n, const char *metric)
{
    struct pb_run *run = made_run("jemalloc", cells, n);
    struct pb_summary summary;
    char message[256];
    assert_int_equal(pb_summary_make(run, metric, NULL, &summary, message, sizeof message), 0);
    assert_int_equal(summary.groups_n, 1);
    const struct pb_summary_row *row = pb_summary_find(&summary.groups[0], "pool");
    assert_non_null(row);
    char sign = row->sign;
    pb_summary_free(&summary);
    made_free(run);
    return sign;
}

static void difference_counts_beyond_interval_noise_and_two_percent(void **state)
{
    (void)state;
    struct made_cell cells[] = {
        {"jemalloc", 1, 6, {10, 11, 10, 11, 10, 11}},
        {"pool", 1, 6, {12, 13.3, 12, 13.1, 12.1, 13.2}},
        {"jemalloc@aa", 1, 6, {10.1, 11, 9.9, 11, 10, 11}},
    };
    assert_int_equal(sign_of(cells, 3, PB_KEY_TIME), '-');
    assert_int_equal(sign_of(cells, 3, PB_KEY_RATE), '-');
    for (size_t b = 0; b < 6; b++) /* 0.5 or 2.5 %: certain, too small, and not the same either */
        cells[1].ns[b] = cells[0].ns[b] * (b % 2 ? 0.995 : 0.975);
    assert_int_equal(sign_of(cells, 3, PB_KEY_TIME), '~');
    for (size_t b = 0; b < 6; b++) /* 1.5 % in every block: certain, and the same within 2 % */
        cells[1].ns[b] = cells[0].ns[b] * 0.985;
    assert_int_equal(sign_of(cells, 3, PB_KEY_TIME), '=');
    assert_int_equal(sign_of(cells, 3, PB_KEY_RATE), '=');
    for (size_t b = 0; b < 6; b++)
        cells[1].ns[b] = cells[0].ns[b] * 0.9;
    assert_int_equal(sign_of(cells, 3, PB_KEY_TIME), '+');
    assert_int_equal(sign_of(cells, 3, PB_KEY_RATE), '+');
    for (size_t b = 0; b < 6; b++) /* planted noise: the twin differs from itself by more */
        cells[2].ns[b] = cells[0].ns[b] * (b % 2 ? 0.8 : 1.2);
    assert_int_equal(sign_of(cells, 3, PB_KEY_TIME), '~');
    assert_int_equal(sign_of(cells, 2, PB_KEY_TIME), '+');
}

static void interval_that_holds_one_shows_no_difference(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        {"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}},
        {"pool", 1, 6, {20, 20, 20, 20, 20, 5}},
    };
    assert_int_equal(sign_of(cells, 2, PB_KEY_TIME), '~');
}

static void fewer_than_six_blocks_say_nothing_and_say_why(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        {"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}},
        {"pool", 1, 6, {30, 30, 30, 30, -1, 30}},
    };
    assert_int_equal(sign_of(cells, 2, PB_KEY_TIME), ' ');
    struct pb_run *run = made_run("jemalloc", cells, 2);
    char *text = report_text(run, (struct pb_report_options){0});
    assert_non_null(strstr(text, "3.00  -"));
    assert_non_null(strstr(text, "crash 1 of 6"));
    assert_non_null(strstr(text, "fewer than 6 blocks are paired"));
    assert_non_null(strstr(text, "killed by signal 11"));
    free(text);
    made_free(run);
}

static void later_repetition_of_a_block_replaces_the_earlier(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        {"jemalloc", 1, 1, {-1}}, /* crashed, then done again on resume */
        {"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}},
        {"pool", 1, 6, {30, 30, 30, 30, 30, 30}},
    };
    assert_int_equal(sign_of(cells, 3, PB_KEY_TIME), '-');
}

static void words_name_a_leader_only_where_there_is_one(void **state)
{
    (void)state;
    struct made_cell cells[] = {
        {"jemalloc", 1, 6, {10, 11, 10, 11, 10, 11}},
        {"pool", 1, 6, {10, 10.9, 10.1, 11, 10, 11.1}},
        {"null", 1, 6, {1, 1, 1, 1, 1, 1}},
    };
    struct pb_run *run = made_run("jemalloc", cells, 3);
    char *text = report_text(run, (struct pb_report_options){0});
    assert_non_null(strstr(text, "fastest    pool, jemalloc: the same within 2 %\n"));
    free(text);
    made_free(run);
    cells[1].ns[3] = 15;
    run = made_run("jemalloc", cells, 3);
    text = report_text(run, (struct pb_report_options){0});
    assert_non_null(strstr(text, "fastest    pool, jemalloc: no difference shown between them"));
    free(text);
    made_free(run);
    for (size_t b = 0; b < 6; b++)
        cells[1].ns[b] = cells[0].ns[b] / 2;
    run = made_run("jemalloc", cells, 3);
    text = report_text(run, (struct pb_report_options){0});
    assert_non_null(strstr(text, "fastest    pool, 5.25 ns, ahead of jemalloc, 10.5 ns"));
    free(text);
    made_free(run);
}

/* --- what a reader should doubt -------------------------------------------------------------- */

static bool report_says(const struct pb_run *run, const char *what)
{
    char *text = report_text(run, (struct pb_report_options){0});
    bool says = strstr(text, what) != NULL;
    free(text);
    return says;
}

static size_t ratios_of(const struct pb_summary_group *group)
{
    size_t n = 0;
    for (size_t i = 0; i < group->rows_n; i++)
        n += group->rows[i].ratio.n > 0;
    return n;
}

static void groups_that_ran_other_streams_are_not_compared(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    struct pb_summary summary;
    char message[256];
    assert_false(report_says(run, "op streams"));
    for (size_t i = 0; i < run->reps_n; i++) { /* a repetition without the field says nothing */
        if (run->reps[i].block == 2)
            json_object_del(run->reps[i].json, "stream_hash");
    }
    assert_false(report_says(run, "op streams"));
    for (size_t i = 0; i < run->reps_n; i++) {
        struct pb_rep *rep = &run->reps[i];
        if (rep->block == 3 && strcmp(rep->name, "larson/alloc:pool/size:64/threads:1") == 0)
            json_object_set_new(rep->json, "stream_hash", json_string("00000000deadbeef"));
    }
    assert_true(report_says(run, "stream     larson, size=64, 1 thread: its cells executed "
                                 "different op streams; their figures do not compare\n"));
    assert_true(report_says(run, "nothing can be said: its cells executed different op streams"));
    assert_int_equal(pb_summary_make(run, PB_KEY_TIME, NULL, &summary, message, sizeof message), 0);
    for (size_t i = 0; i < summary.groups_n; i++) {
        const struct pb_summary_group *group = &summary.groups[i];
        bool other = strcmp(group->title, "larson, size=64, 1 thread") == 0;
        assert_int_equal(group->streams_differ, other);
        assert_true(!other || (ratios_of(group) == 0 && group->twin->ratio.n == 0));
        assert_true(!other || group->rows[1].sign == ' ');
        assert_true(other || group->reference == NULL || ratios_of(group) > 0);
    }
    pb_summary_free(&summary);
    pb_run_free(run);
}

static void twin_that_differs_from_itself_is_warned_of(void **state)
{
    (void)state;
    struct made_cell cells[] = {
        {"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}},
        {"pool", 1, 6, {12, 13.3, 12, 13.1, 12.1, 13.2}},
        {"jemalloc@aa", 1, 6, {11, 11.5, 11, 11.5, 11, 11.5}},
    };
    struct pb_run *run = made_run("jemalloc", cells, 3);
    assert_true(report_says(run, "pair, 1 thread: jemalloc differs from its own twin "
                                 "[1.100, 1.150]: do not trust differences of that size"));
    assert_true(report_says(run, "1 comparison in 1 family of 1, a table each "));
    made_free(run);
    cells[2].ns[0] = 9;
    run = made_run("jemalloc", cells, 3);
    assert_false(report_says(run, "its own twin"));
    made_free(run);
}

static void what_doctor_warned_of_stands_in_the_report(void **state)
{
    (void)state;
    struct made_cell cells[] = {{"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}}};
    struct pb_run *run = made_run("jemalloc", cells, 1);
    assert_false(report_says(run, "when the run began"));
    json_object_set_new(run->header, "doctor",
                        json_pack("[{s:s, s:s, s:s}, {s:s, s:s, s:s}]", "id", "load", "level",
                                  "warning", "value", "3.50", "id", "smt", "level", "note", "value",
                                  "1"));
    assert_true(report_says(run, "load was 3.50 when the run began"));
    assert_false(report_says(run, "smt was"));
    made_free(run);
}

/* The first `n` repetitions of a variant overlap by half. */
static void disturb(struct pb_run *run, const char *alloc, size_t n, bool oversubscribed)
{
    for (size_t i = 0; i < run->reps_n; i++) {
        json_t *json = run->reps[i].json;
        bool low = strcmp(run->reps[i].alloc, alloc) == 0 && run->reps[i].block < n;
        json_object_set_new(json_object_get(json, "m"), "overlap", json_real(low ? 0.5 : 1));
        json_object_set_new(json, "oversubscribed", json_boolean(oversubscribed));
    }
}

static void row_mostly_disturbed_is_marked_and_leads_nothing(void **state)
{
    (void)state;
    static const char led[] = "fastest    pool, 2.00x";
    struct made_cell cells[] = {
        {"jemalloc", 2, 6, {10, 10, 10, 10, 10, 10}},
        {"pool", 2, 6, {4.9, 5, 5.1, 4.9, 5, 5.1}},
        {"zone", 2, 6, {20, 20, 20, 20, 20, 20}},
    };
    struct pb_run *run = made_run("jemalloc", cells, 3);
    json_object_set_new(run->header, "exploratory", json_true());
    disturb(run, "pool", 3, false);
    assert_true(report_says(run, "6  3 of 6 disturbed\n"));
    assert_true(report_says(run, "overlap  below 0.95 in 3 of 18 repetitions (16.7 %)"));
    assert_true(report_says(run, led));
    disturb(run, "pool", 4, false);
    assert_true(report_says(run, "6  4 of 6 disturbed\n"));
    assert_false(report_says(run, led));
    assert_true(report_says(run, "fastest    jemalloc, 10.0 ns, ahead of zone, 20.0 ns"));
    disturb(run, "pool", 4, true);
    assert_false(report_says(run, "of 6 disturbed"));
    assert_false(report_says(run, "below 0.95"));
    assert_true(report_says(run, "18 repetitions are oversubscribed by design"));
    assert_true(report_says(run, led));
    made_free(run);
    for (size_t i = 0; i < 3; i++)
        cells[i].threads = 1;
    run = made_run("jemalloc", cells, 3);
    disturb(run, "pool", 4, false); /* one worker has no other to run at the same time with */
    assert_false(report_says(run, "disturbed"));
    made_free(run);
}

/* Gives every allocation of a variant the same time. */
static void sample(struct pb_run *run, const char *alloc, uint64_t ns)
{
    static struct pb_hist hist;
    static char text[PB_HIST_TEXT_MAX];
    pb_hist_clear(&hist);
    for (size_t i = 0; i < 2000; i++)
        pb_hist_record(&hist, ns);
    assert_true(pb_hist_encode(&hist, text, sizeof text) > 0);
    for (size_t i = 0; i < run->reps_n; i++) {
        if (strcmp(run->reps[i].alloc, alloc) == 0)
            json_object_set_new(run->reps[i].json, "hist",
                                json_pack("{s:{s:s, s:i, s:s}}", "alloc", "codec", "hdr2", "n",
                                          2000, "data", text));
    }
}

static void steadier_by_no_more_than_the_clock_tells_is_a_tie(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        {"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}},
        {"pool", 1, 6, {5, 5, 5, 5, 5, 5}},
    };
    struct pb_run *run = made_run("jemalloc", cells, 2);
    json_object_set_new(
        json_object_get(run->header, "machine"), "clock",
        json_pack("{s:f, s:f}", "quantum_ns", 10.0, "overhead_ns", 20.0)); /* 30 ns in all */
    sample(run, "jemalloc", 70);
    sample(run, "pool", 40);
    assert_true(report_says(run, "steadiest  pool, jemalloc: no difference shown between them"));
    sample(run, "jemalloc", 71);
    assert_true(report_says(run, "steadiest  pool, 40.0 ns, ahead of jemalloc, 71.0 ns"));
    sample(run, "pool", 5); /* below the clock: no steadier than at its resolution */
    sample(run, "jemalloc", 50);
    assert_true(report_says(run, "steadiest  pool, jemalloc: no difference shown between them"));
    sample(run, "jemalloc", 51);
    assert_true(report_says(run, "steadiest  pool, <=20.0 ns, ahead of jemalloc, 51.0 ns"));
    made_free(run);
}

/* Gives every repetition that much memory alive. */
static void give_live(struct pb_run *run, double bytes)
{
    for (size_t i = 0; i < run->reps_n; i++) {
        json_t *values = json_object_get(run->reps[i].json, "m");
        json_object_set_new(values, PB_KEY_LIVE, json_real(bytes));
        json_object_set_new(values, PB_KEY_RSS, json_real(3 * bytes));
        json_object_set_new(values, PB_KEY_LEAN, json_real(3));
    }
}

static void every_dash_is_explained(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        {"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}},
        {"pool", 1, 6, {5, 5, 5, 5, 5, 5}},
    };
    struct pb_run *run = made_run("jemalloc", cells, 2);
    assert_true(report_says(run, "p99     \"-\" in 2 rows: no single call was timed there"));
    assert_true(report_says(run, "memory  \"-\" in 2 rows: the audit, which measures it, did not"));
    sample(run, "pool", 40); /* allocations alone: none of its frees was timed often enough */
    assert_true(report_says(run, "\"-\" in 1 row: no single call was timed there"));
    assert_true(report_says(run, "\"-\" in 1 row: no repetition timed the 1000 calls"));
    give_live(run, (1 << 20) - 1);
    assert_false(report_says(run, "the audit"));
    assert_true(report_says(run, "RSS/live  \"-\" in 2 rows: less than 1 MiB was alive"));
    assert_true(report_says(run, "3.00 MiB         -  6\n"));
    give_live(run, 1 << 20);
    assert_false(report_says(run, "less than 1 MiB was alive"));
    assert_true(report_says(run, "3.00 MiB      3.00  6\n"));
    made_free(run);
}

static void incomplete_and_torn_runs_are_called_so(void **state)
{
    (void)state;
    const struct made_cell cells[] = {{"jemalloc", 1, 1, {10}}};
    struct pb_run *run = made_run("jemalloc", cells, 1);
    run->complete = false;
    run->torn = true;
    char *text = report_text(run, (struct pb_report_options){0});
    assert_non_null(strstr(text, "poolbench resume"));
    assert_non_null(strstr(text, "was cut off"));
    free(text);
    made_free(run);
}

static void run_without_repetitions_has_a_report(void **state)
{
    (void)state;
    struct pb_run *run = made_run("jemalloc", NULL, 0);
    for (int format = PB_REPORT_TABLE; format <= PB_REPORT_MARKDOWN; format++) {
        char *text =
            report_text(run, (struct pb_report_options){.format = (enum pb_report_format)format});
        assert_true(strlen(text) > 0);
        free(text);
    }
    made_free(run);
}

static void unknown_reference_or_metric_is_refused_by_name(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    struct pb_report_options options = {.reference = "snmalloc"};
    char message[512] = "";
    assert_int_equal(pb_report_check(run, &options, message, sizeof message), -ENOENT);
    assert_non_null(strstr(message, "snmalloc"));
    assert_int_equal(pb_report(run, &options, stdout), -ENOENT);
    options = (struct pb_report_options){.metric = "speed"};
    assert_int_equal(pb_report_check(run, &options, message, sizeof message), -EINVAL);
    assert_non_null(strstr(message, "speed"));
    assert_non_null(strstr(message, "ns_per_op"));
    options = (struct pb_report_options){.metric = "overlap", .reference = "glibc"};
    assert_int_equal(pb_report_check(run, &options, message, sizeof message), 0);
    pb_run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_of_the_run_is_in_the_table),
        cmocka_unit_test(difference_counts_beyond_interval_noise_and_two_percent),
        cmocka_unit_test(interval_that_holds_one_shows_no_difference),
        cmocka_unit_test(fewer_than_six_blocks_say_nothing_and_say_why),
        cmocka_unit_test(later_repetition_of_a_block_replaces_the_earlier),
        cmocka_unit_test(words_name_a_leader_only_where_there_is_one),
        cmocka_unit_test(groups_that_ran_other_streams_are_not_compared),
        cmocka_unit_test(twin_that_differs_from_itself_is_warned_of),
        cmocka_unit_test(what_doctor_warned_of_stands_in_the_report),
        cmocka_unit_test(row_mostly_disturbed_is_marked_and_leads_nothing),
        cmocka_unit_test(steadier_by_no_more_than_the_clock_tells_is_a_tie),
        cmocka_unit_test(every_dash_is_explained),
        cmocka_unit_test(incomplete_and_torn_runs_are_called_so),
        cmocka_unit_test(run_without_repetitions_has_a_report),
        cmocka_unit_test(unknown_reference_or_metric_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
