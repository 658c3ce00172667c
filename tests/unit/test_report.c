/* SPDX-License-Identifier: MIT */
/* Reports: the golden table, what counts as a difference, what stands where a figure is missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reading_run.h"
#include "runner/report.h"
#include "runner/report_summary.h"
#include "runner/report_text.h"

#include <errno.h>
#include <math.h>

static void golden_report(const char *name, struct pb_report_options options)
{
    struct pb_run *run = fixture_load();
    char *text = report_text(run, options);
    assert_golden(name, text);
    free(text);
    pb_run_free(run);
}

static void table_is_the_golden_one(void **state)
{
    (void)state;
    golden_report("table.txt", (struct pb_report_options){0});
}

static void markdown_is_the_golden_one(void **state)
{
    (void)state;
    golden_report("report.md", (struct pb_report_options){.format = PB_REPORT_MARKDOWN});
}

static void another_reference_and_metric_are_the_golden_ones(void **state)
{
    (void)state;
    golden_report("rate_glibc.txt",
                  (struct pb_report_options){.metric = "ops_per_s", .reference = "glibc"});
}

static void narrow_table_leaves_out_columns_by_name(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    char *text = report_text(run, (struct pb_report_options){.width = 80});
    assert_non_null(strstr(text, "left out for width: p99 free ns, peak RSS"));
    bool in_groups = false;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        in_groups |= strncmp(line, "  variant ", 10) == 0;
        if (strncmp(line, "Cells without", 13) == 0)
            break;
        if (in_groups)
            assert_true(pb_text_width(line) <= 80);
    }
    free(text);
    pb_run_free(run);
}

/* Takes the escape sequences out of a text. */
static void strip_colour(char *text)
{
    char *out = text;
    for (; *text != '\0'; text++) {
        if (*text == '\033')
            text += strcspn(text, "m");
        else
            *out++ = *text;
    }
    *out = '\0';
}

static void colour_only_repeats_what_signs_say(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    char *plain = report_text(run, (struct pb_report_options){0});
    char *colour = report_text(run, (struct pb_report_options){.colour = true});
    assert_null(strchr(plain, '\033'));
    assert_non_null(strstr(colour, "\033[32m+\033[0m"));
    strip_colour(colour);
    assert_string_equal(colour, plain);
    free(plain);
    free(colour);
    pb_run_free(run);
}

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
    for (size_t b = 0; b < 6; b++) /* 1.5 % in every block: certain, and too small */
        cells[1].ns[b] = cells[0].ns[b] * 0.985;
    assert_int_equal(sign_of(cells, 3, PB_KEY_TIME), '~');
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
    assert_non_null(strstr(text, "fastest    pool, jemalloc: no difference shown between them"));
    free(text);
    made_free(run);
    for (size_t b = 0; b < 6; b++)
        cells[1].ns[b] = cells[0].ns[b] / 2;
    run = made_run("jemalloc", cells, 3);
    text = report_text(run, (struct pb_report_options){0});
    assert_non_null(strstr(text, "fastest    pool, 2.00x [2.00, 2.00] ahead of jemalloc"));
    free(text);
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
        cmocka_unit_test(table_is_the_golden_one),
        cmocka_unit_test(markdown_is_the_golden_one),
        cmocka_unit_test(another_reference_and_metric_are_the_golden_ones),
        cmocka_unit_test(narrow_table_leaves_out_columns_by_name),
        cmocka_unit_test(colour_only_repeats_what_signs_say),
        cmocka_unit_test(every_cell_of_the_run_is_in_the_table),
        cmocka_unit_test(difference_counts_beyond_interval_noise_and_two_percent),
        cmocka_unit_test(interval_that_holds_one_shows_no_difference),
        cmocka_unit_test(fewer_than_six_blocks_say_nothing_and_say_why),
        cmocka_unit_test(later_repetition_of_a_block_replaces_the_earlier),
        cmocka_unit_test(words_name_a_leader_only_where_there_is_one),
        cmocka_unit_test(incomplete_and_torn_runs_are_called_so),
        cmocka_unit_test(run_without_repetitions_has_a_report),
        cmocka_unit_test(unknown_reference_or_metric_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
