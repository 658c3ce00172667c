/* SPDX-License-Identifier: MIT */
/* What a report says of its own figures: families and their size, two modes, outliers, drift,
 * order, faults, what was disturbed, repeated and left out, what stopped the run; and that no ratio
 * stands without absolute values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reading_run.h"
#include "runner/report_summary.h"

#include <math.h>

static bool report_says(const struct pb_run *run, const char *what)
{
    char *text = report_text(run, (struct pb_report_options){0});
    bool says = strstr(text, what) != NULL;
    free(text);
    return says;
}

/* The sign of "pool" in a run of that reference. */
static char sign_of_pool(const struct pb_run *run)
{
    struct pb_summary summary;
    char message[256];
    assert_int_equal(pb_summary_make(run, PB_KEY_TIME, NULL, &summary, message, sizeof message), 0);
    char sign = pb_summary_find(&summary.groups[0], "pool")->sign;
    pb_summary_free(&summary);
    return sign;
}

/* --- families -------------------------------------------------------------------------------- */

enum { CROWD = 8 };

/* pool 20 % slower in each of `n` blocks, among 7 that are the reference with noise. */
static struct pb_run *crowd(size_t n)
{
    static const char *const names[CROWD] = {"jemalloc",      "pool",          "zone",
                                             "zone:lock=mcs", "zone:lock=clh", "lookaside",
                                             "mimalloc",      "glibc"};
    struct made_cell cells[CROWD];
    for (size_t i = 0; i < CROWD; i++) {
        cells[i] = (struct made_cell){names[i], 1, n, {0}};
        for (size_t b = 0; b < n; b++)
            cells[i].ns[b] = i == 0   ? 10
                             : i == 1 ? 12 + 0.01 * (double)b
                                      : 10 + 0.3 * ((double)((b * (i + 2)) % 5) - 2);
    }
    return made_run("jemalloc", cells, CROWD);
}

static void a_family_needs_more_of_one_comparison(void **state)
{
    (void)state;
    struct pb_run *run = crowd(6); /* 2/2^6 of 7: not below 0.05 whatever the values say */
    assert_int_equal(sign_of_pool(run), '~');
    assert_true(report_says(run, "7 comparisons in 1 family of 7, a table each"));
    assert_true(report_says(run, "adjusted by Holm within"));
    assert_true(report_says(run, "in 1 table no difference can be shown, however large: 6 blocks "
                                 "are too few for a family of 7, 9 would do"));
    made_free(run);
    run = crowd(9);
    assert_int_equal(sign_of_pool(run), '-');
    assert_false(report_says(run, "no difference can be shown"));
    json_object_set_new(run->header, "exploratory", json_true());
    assert_int_equal(sign_of_pool(run), '-');
    assert_true(report_says(run, "adjusted by Benjamini and Hochberg (exploratory) within"));
    made_free(run);
}

/* What crashed was planned and shows nothing; what cannot run here was never to be compared. */
static void what_was_tried_and_failed_is_of_the_family(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        {"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}},
        {"pool", 1, 6, {20, 21, 20, 21, 20, 21}},
        {"zone", 1, 6, {-1, -1, -1, -1, -1, -1}},
    };
    struct pb_run *run = made_run("jemalloc", cells, 3);
    assert_true(report_says(run, "2 comparisons in 1 family of 2, a table each"));
    assert_int_equal(sign_of_pool(run), '~');
    for (size_t i = 12; i < 18; i++)
        run->reps[i].status = i % 2 ? PB_SKIPPED : PB_UNAVAILABLE;
    assert_true(report_says(run, "1 comparison in 1 family of 1, a table each"));
    assert_int_equal(sign_of_pool(run), '-');
    made_free(run);
}

static void limits_are_no_part_of_a_family(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        {"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}},
        {"pool", 1, 6, {20, 21, 20, 21, 20, 21}},
        {"null", 1, 6, {1, 1, 1, 1, 1, 1}},
        {"floor:kind=cas", 1, 6, {2, 2, 2, 2, 2, 2}},
    };
    struct pb_run *run = made_run("jemalloc", cells, 4);
    assert_true(report_says(run, "1 comparison in 1 family of 1, a table each"));
    assert_int_equal(sign_of_pool(run), '-');
    made_free(run);
}

static void the_noise_floor_is_told(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        {"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}},
        {"pool", 1, 6, {20, 21, 20, 21, 20, 21}},
        {"jemalloc@aa", 1, 6, {10.5, 9.6, 10, 10.2, 9.9, 10}},
    };
    struct pb_run *run = made_run("jemalloc", cells, 3);
    assert_true(report_says(run, "A/A, the reference under another name, reaches 5.0 to 5.0 %"));
    made_free(run);
    run = made_run("jemalloc", cells, 2);
    assert_true(report_says(run, "not measured: no A/A twin with 6 blocks"));
    made_free(run);
}

static void no_row_is_the_same_where_the_reference_is_not(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        {"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}},
        {"pool", 1, 6, {10.01, 10, 10.02, 10, 9.99, 10}},
        {"jemalloc@aa", 1, 6, {10.5, 9.6, 10, 10.2, 9.9, 10}},
    };
    struct pb_run *run = made_run("jemalloc", cells, 2);
    assert_int_equal(sign_of_pool(run), '=');
    assert_true(report_says(run, "shown of its row by itself, not adjusted"));
    made_free(run);
    run = made_run("jemalloc", cells, 3);
    assert_int_equal(sign_of_pool(run), '~');
    made_free(run);
}

/* --- how many, and when ------------------------------------------------------------------------
 */

static void the_blocks_that_are_whole_are_told(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        {"jemalloc", 1, 6, {10, 10, 10, 10, 10, 10}},
        {"pool", 1, 6, {20, 21, 20, 21, 20, 21}},
    };
    struct pb_run *run = made_run("jemalloc", cells, 2);
    run->complete = true;
    assert_true(report_says(run, "6, each repetition a process"));
    run->end = json_pack("{s:i}", "blocks", 6);
    assert_true(report_says(run, "6, each repetition a process"));
    json_object_set_new(run->header, "blocks", json_integer(45));
    assert_true(report_says(run, "6 of 45, each repetition a process"));
    json_object_set_new(run->header, "target", json_real(0.02));
    assert_true(report_says(run, "6 of at most 45, each repetition a process"));
    json_object_del(run->end, "blocks");
    run->complete = false;
    assert_true(report_says(run, "45 planned, each repetition a process"));
    json_decref(run->end);
    made_free(run);
}

static void pairs_that_cross_sessions_are_counted(void **state)
{
    (void)state;
    const struct made_cell cells[] = {
        {"jemalloc", 1, 6, {10, 10, 10, 10, -1, 10}},
        {"pool", 1, 6, {20, 21, 20, 21, 20, 21}},
        {"jemalloc@aa", 1, 6, {10, 10, 10, 10, 10, 10}},
    };
    struct pb_run *run = made_run("jemalloc", cells, 3);
    assert_false(report_says(run, "cross sessions"));
    for (size_t i = 0; i < run->reps_n; i++) /* blocks 3 to 5 are another session's */
        json_object_set_new(run->reps[i].json, "session", json_integer(run->reps[i].block > 2));
    assert_false(report_says(run, "cross sessions"));
    for (size_t i = 7; i < 10; i++) /* three of pool's made again */
        json_object_set_new(run->reps[i].json, "session", json_integer(2));
    assert_true(report_says(run, "3 of 10 pairs cross sessions"));
    made_free(run);
}

/* --- shapes ---------------------------------------------------------------------------------- */

/* The reference with small noise, and a pool to be shaped; n blocks. */
static void shape_cells(struct made_cell cells[2], size_t n)
{
    cells[0] = (struct made_cell){"jemalloc", 1, n, {0}};
    cells[1] = (struct made_cell){"pool", 1, n, {0}};
    for (size_t b = 0; b < n; b++) {
        cells[0].ns[b] = 50 + 0.05 * (double)(b * 7 % 5);
        cells[1].ns[b] = 70 + 0.1 * (double)(b * 3 % 7);
    }
}

static bool shaped_says(const struct made_cell cells[2], const char *what)
{
    struct pb_run *run = made_run("jemalloc", cells, 2);
    bool says = report_says(run, what);
    made_free(run);
    return says;
}

static void two_modes_are_two_figures(void **state)
{
    (void)state;
    struct made_cell cells[2];
    shape_cells(cells, 12);
    assert_false(shaped_says(cells, "two modes"));
    for (size_t b = 0; b < 12; b++)
        cells[1].ns[b] = (b * 5 % 12 < 5 ? 70 : 104) + 0.1 * (double)(b % 3);
    assert_true(shaped_says(cells, "two modes  values at two levels, of which one median is "
                                   "neither: pool in pair, 1 thread: 70.1 ns (5 of 12) and 104 ns "
                                   "(7 of 12) (1 of 2 rows)\n"));
    assert_true(shaped_says(cells, "  pool      70.1 or 104"));
    struct pb_run *run = made_run("jemalloc", cells, 2);
    char *text = report_text(run, (struct pb_report_options){.format = PB_REPORT_CSV});
    assert_non_null(strstr(text, ",70.1,104.1,"));
    free(text);
    made_free(run);
}

static void outliers_are_flagged_and_kept(void **state)
{
    (void)state;
    struct made_cell cells[2];
    shape_cells(cells, 12);
    assert_false(shaped_says(cells, "outliers"));
    cells[1].ns[4] = 170;
    assert_true(shaped_says(cells, "kept: pool in pair, 1 thread: 1 of 12 (1 of 2 rows)\n"));
    struct pb_run *run = made_run("jemalloc", cells, 2);
    struct pb_summary summary;
    char message[256];
    assert_int_equal(pb_summary_make(run, PB_KEY_TIME, NULL, &summary, message, sizeof message), 0);
    const struct pb_summary_row *pool = pb_summary_find(&summary.groups[0], "pool");
    assert_int_equal(pool->series.n, 12);
    assert_int_equal(pool->ratio.n, 12);
    pb_summary_free(&summary);
    made_free(run);
}

static void drift_and_order_are_told(void **state)
{
    (void)state;
    struct made_cell cells[2];
    shape_cells(cells, 16);
    assert_false(shaped_says(cells, "drift"));
    assert_false(shaped_says(cells, "order"));
    for (size_t b = 0; b < 16; b++)
        cells[1].ns[b] *= 1 + 0.01 * (double)b;
    assert_true(shaped_says(cells, "the ratio changes from block to block (interval of 99 %): pool "
                                   "in pair, 1 thread: +0."));
    assert_true(shaped_says(cells, "2 runs in 16 blocks, p = 0.0003, autocorrelation 0."));
    shape_cells(cells, 16);
    for (size_t b = 0; b < 16; b++) /* a certain drift, 0.2 % in all: too small to tell of */
        cells[1].ns[b] = cells[0].ns[b] * (1.4 + 0.0002 * (double)b);
    assert_false(shaped_says(cells, "drift"));
}

static void page_faults_stand_beside_times(void **state)
{
    (void)state;
    struct made_cell cells[2];
    shape_cells(cells, 6);
    struct pb_run *run = made_run("jemalloc", cells, 2);
    assert_false(report_says(run, "faults"));
    for (size_t i = 0; i < run->reps_n; i++)
        json_object_set_new(json_object_get(run->reps[i].json, "m"), "minor_faults",
                            json_integer(strcmp(run->reps[i].alloc, "pool") == 0 ? 12 : 0));
    assert_true(report_says(run, "RSS/live  faults  n  status\n"));
    assert_true(report_says(run, "    12.0  6\n"));
    assert_true(report_says(run, "       0  6\n"));
    assert_true(report_says(run, "page faults in the timed window, median: pool in pair, 1 thread: "
                                 "12.0 (1 of 2 rows)\n"));
    made_free(run);
}

/* 24 blocks: the bootstrap is made, and agrees. */
static void many_blocks_are_checked_by_the_bootstrap(void **state)
{
    (void)state;
    struct made_cell cells[2];
    shape_cells(cells, 24);
    struct pb_run *run = made_run("jemalloc", cells, 2);
    struct pb_summary summary;
    char message[256];
    assert_false(report_says(run, "bootstrap  "));
    assert_int_equal(pb_summary_make(run, PB_KEY_TIME, NULL, &summary, message, sizeof message), 0);
    assert_int_equal(pb_summary_bootstrap(&summary), 0);
    const struct pb_summary_row *pool = pb_summary_find(&summary.groups[0], "pool");
    assert_int_equal(pool->bootstrap.n, 24);
    assert_true(fabs(pool->bootstrap.value - pool->ratio.value) < 1e-12);
    assert_true(fabs(log(pool->bootstrap.low / pool->ratio.low)) < 0.001);
    assert_true(fabs(log(pool->bootstrap.high / pool->ratio.high)) < 0.001);
    pb_summary_free(&summary);
    made_free(run);
}

/* --- the run --------------------------------------------------------------------------------- */

static void what_the_runner_said_is_told(void **state)
{
    (void)state;
    struct made_cell cells[2];
    shape_cells(cells, 6);
    cells[1].ns[5] = -1;
    struct pb_run *run = made_run("jemalloc", cells, 2);
    assert_false(report_says(run, "that count: "));
    assert_false(report_says(run, "unsteady"));
    assert_false(report_says(run, "stopped"));
    assert_true(report_says(run, "1 repetitions without a figure (1 crashed), 0 superseded"));
    run->superseded = 2;
    json_object_set_new(run->reps[0].json, "disturbed",
                        json_pack("[s, s]", "overlap: 0.91", "steal: 4 ms"));
    json_object_set_new(run->reps[3].json, "disturbed", json_pack("[s]", "overlap: 0.90"));
    json_object_set_new(run->reps[3].json, "attempt", json_integer(3));
    json_object_set_new(run->reps[4].json, "attempt", json_integer(1));
    json_object_set_new(json_object_get(run->reps[1].json, "m"), "steady", json_integer(0));
    json_object_set_new(json_object_get(run->reps[2].json, "m"), "steady", json_integer(1));
    run->end =
        json_pack("{s:s, s:[i,i]}", "stopped_by", "precise after 16 blocks", "looks", 11, 16);
    assert_true(report_says(run, "2 of 12 repetitions that count: overlap 2, steal 1\n"));
    assert_true(report_says(run, "  6  2 of 6 disturbed\n"));
    assert_true(report_says(run, "1 of 12 repetitions were tried again"));
    assert_true(report_says(run, "in 1 of 12 repetitions the rate still changed"));
    assert_true(report_says(run, "(1 crashed), 2 superseded by a later attempt"));
    assert_true(report_says(run, "stopped    precise after 16 blocks; looked at 11, 16 blocks, as "
                                 "declared\n"));
    json_decref(run->end);
    made_free(run);
}

/* Whatever is hostile in those fields is taken for what it is: none of them is trusted. */
static void fields_of_another_kind_say_nothing(void **state)
{
    (void)state;
    struct made_cell cells[2];
    shape_cells(cells, 6);
    struct pb_run *run = made_run("jemalloc", cells, 2);
    json_object_set_new(run->reps[0].json, "disturbed", json_pack("[i, n, {}]", 3));
    json_object_set_new(run->reps[1].json, "disturbed", json_string("overlap"));
    json_object_set_new(run->reps[2].json, "attempt", json_string("3"));
    json_object_set_new(json_object_get(run->reps[1].json, "m"), "steady", json_null());
    run->end = json_pack("{s:i, s:{}}", "stopped_by", 3, "looks");
    assert_false(report_says(run, "tried again"));
    assert_false(report_says(run, "unsteady"));
    assert_false(report_says(run, "stopped"));
    json_decref(run->end);
    made_free(run);
}

/* --- absolute values beside ratios ----------------------------------------------------------- */

/* Whether a line that has a ratio ("1.37x") has two values with a unit, or one and a difference. */
static bool has_absolutes(const char *line)
{
    size_t values = 0;
    for (const char *at = line; (at = strstr(at, " ns")) != NULL; at++)
        values++;
    const char *ratio = strstr(line, "x [");
    return ratio == NULL || values >= 2 || strstr(line, " against ") != NULL;
}

/* Every row of a table that has a ratio has its value, and its reference's stands in the same
 * table; every sentence with a ratio has both values. */
static void no_ratio_stands_without_absolute_values(void **state)
{
    (void)state;
    struct pb_run *run = fixture_load();
    struct pb_summary summary;
    char message[256];
    size_t ratios = 0;
    assert_int_equal(pb_summary_make(run, PB_KEY_TIME, NULL, &summary, message, sizeof message), 0);
    for (size_t i = 0; i < summary.groups_n; i++) {
        const struct pb_summary_group *group = &summary.groups[i];
        for (size_t k = 0; k < group->rows_n; k++) {
            if (group->rows[k].ratio.n == 0)
                continue;
            ratios++;
            assert_true(isfinite(group->rows[k].median.value));
            assert_true(group->reference != NULL && isfinite(group->reference->median.value));
        }
    }
    pb_summary_free(&summary);
    assert_int_equal(ratios, 42);
    char *text = report_text(run, (struct pb_report_options){0});
    size_t sentences = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        sentences += strstr(line, "x [") != NULL;
        assert_true(has_absolutes(line));
    }
    assert_true(sentences >= 10);
    assert_false(has_absolutes("fastest  pool, 1.37x [1.34, 1.40] ahead of zone")); /* planted */
    free(text);
    pb_run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_family_needs_more_of_one_comparison),
        cmocka_unit_test(what_was_tried_and_failed_is_of_the_family),
        cmocka_unit_test(limits_are_no_part_of_a_family),
        cmocka_unit_test(the_noise_floor_is_told),
        cmocka_unit_test(no_row_is_the_same_where_the_reference_is_not),
        cmocka_unit_test(the_blocks_that_are_whole_are_told),
        cmocka_unit_test(pairs_that_cross_sessions_are_counted),
        cmocka_unit_test(two_modes_are_two_figures),
        cmocka_unit_test(outliers_are_flagged_and_kept),
        cmocka_unit_test(drift_and_order_are_told),
        cmocka_unit_test(page_faults_stand_beside_times),
        cmocka_unit_test(many_blocks_are_checked_by_the_bootstrap),
        cmocka_unit_test(what_the_runner_said_is_told),
        cmocka_unit_test(fields_of_another_kind_say_nothing),
        cmocka_unit_test(no_ratio_stands_without_absolute_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
