/* SPDX-License-Identifier: MIT */
/* Exports of histograms; that no number that is none leaves by any of them, and that a file is
 * whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compared_runs.h"
#include "exported.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- histograms ------------------------------------------------------------------------------ */

static struct pb_run *run_with_histograms(void)
{
    const struct made_cell cell = about("lookaside:scope=list,depth=4", 2, 10, 2, 0);
    struct pb_run *run = completed(made_run("pool", &cell, 1), "20260101-000000-abcdef");
    for (size_t i = 0; i < run->reps_n; i++)
        json_object_set_new(run->reps[i].json, "hist",
                            json_pack("{s:{s:s, s:i, s:s}, s:{s:s, s:i, s:s}}", "alloc", "codec",
                                      "hdr2", "n", 7, "data", GOLDEN, "alloc_miss", "codec", "hdr2",
                                      "n", 7, "data", i == 0 ? GOLDEN : "HISTFnonsense"));
    return run;
}

static void percentiles_rise_to_one_and_count_every_sample(void **state)
{
    (void)state;
    struct pb_run *run = run_with_histograms();
    char *text = exported(run, "hgrm"), *second = strstr(text + 2, "#[pair");
    assert_int_equal(left_out, 1); /* the histogram that is none */
    assert_non_null(second);
    *second = '\0';
    double value, part, inverse, before = -1;
    unsigned long long total = 0;
    size_t rows = 0;
    for (const char *row = strstr(text, "\n\n") + 2; *row != '#'; row = strchr(row, '\n') + 1) {
        int fields = sscanf(row, "%lf %lf %llu %lf\n", &value, &part, &total, &inverse);
        assert_true(fields >= 3 && part >= before && part <= 1);
        if (part < 1)
            assert_true(fabs(inverse - 1 / (1 - part)) < 0.006);
        if (rows++ == 0)
            assert_true(value == 25 && total == 6);
        before = part;
    }
    assert_true(before == 1 && total == 14 && value == 123903);
    assert_non_null(strstr(text, "Total count    =           14]"));
    free(text);
    made_free(run);
}

static void the_log_keeps_to_what_its_readers_take(void **state)
{
    (void)state;
    struct pb_run *run = run_with_histograms();
    char *text = exported(run, "hlog");
    size_t rows = 0;
    bool begun = false;
    for (char *save, *row = strtok_r(text, "\n", &save); row != NULL;
         row = strtok_r(NULL, "\n", &save)) {
        if (row[0] == '#' || row[0] == '"') {
            assert_true(strlen(row) <= 126);
            assert_false(begun && row[0] == '#');
            begun = row[0] == '"';
            continue;
        }
        char tag[256], data[256];
        double start, length, max;
        assert_int_equal(
            sscanf(row, "Tag=%255[^, \n],%lf,%lf,%lf,%255s", tag, &start, &length, &max, data), 5);
        assert_string_equal(data, GOLDEN);
        assert_int_equal(strncmp(tag, "pair/alloc:lookaside:scope=list;depth=4/", 40), 0);
        assert_true(fabs(start - 4.999) < 1e-9 && length == 0.001 && max > 0.12);
        rows++;
    }
    assert_int_equal(rows, 3);
    assert_int_equal(left_out, 1);
    free(text);
    made_free(run);
}

static void a_folder_gets_a_file_for_each_distribution(void **state)
{
    (void)state;
    char folder[] = "hgrm-XXXXXX", path[256];
    struct pb_run *run = run_with_histograms();
    struct stat st;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(pb_export(run, pb_exporter_find("hgrm"), NULL, false, folder, NULL, &left_out,
                               message, sizeof message),
                     0);
    static const char *const sides[] = {"alloc", "alloc_miss"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/pair_alloc:lookaside:scope=list_depth=4_threads:2.%s.hgrm",
                 folder, sides[i]);
        assert_int_equal(stat(path, &st), 0);
        unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
    made_free(run);
}

/* Picoseconds a step, as the record says: beside one in nanoseconds, and one of a unit that is
 * none.
 */
static struct pb_run *run_with_units(void)
{
    static const char *const units[] = {"ns", "ps", "furlong"};
    const struct made_cell cell = about("pool", 1, 10, 1, 0);
    struct pb_run *run = completed(made_run("pool", &cell, 1), "r");
    json_t *hists = json_object();
    for (size_t i = 0; i < 3; i++)
        json_object_set_new(hists, units[i],
                            json_pack("{s:s, s:i, s:s, s:s}", "codec", "hdr2", "n", 7, "data",
                                      GOLDEN, "unit", units[i]));
    json_object_set_new(run->reps[0].json, "hist", hists);
    return run;
}

static void picoseconds_leave_as_nanoseconds(void **state)
{
    (void)state;
    double value, part, most = 0;
    unsigned long long total;
    struct pb_run *run = run_with_units();
    char *text = exported(run, "hgrm"), *picos = strstr(text, " ps, ns]");
    assert_int_equal(left_out, 1);
    assert_non_null(picos);
    for (const char *row = strstr(picos, "\n\n") + 2; *row != '#'; row = strchr(row, '\n') + 1) {
        assert_int_equal(sscanf(row, "%lf %lf %llu", &value, &part, &total), 3);
        if (most == 0)
            assert_true(fabs(value - 0.025) < 1e-9);
        most = value;
    }
    assert_true(fabs(most - 123.903) < 1e-9);
    assert_non_null(strstr(picos, "Max     =      123.903"));
    free(text);
    text = exported(run, "hlog");
    assert_int_equal(left_out, 1);
    char tag[256], data[256], *row = strstr(text, "/ps,");
    double start, length, max;
    struct pb_hist hist;
    while (row[-1] != '\n')
        row--;
    assert_int_equal(
        sscanf(row, "Tag=%255[^, \n],%lf,%lf,%lf,%255s", tag, &start, &length, &max, data), 5);
    assert_int_equal(pb_hist_decode(&hist, data), 0);
    assert_int_equal(hist.n, 7);
    assert_int_equal(pb_hist_value_at(&hist, 0.8), 1); /* 1000 ps */
    assert_int_equal(pb_hist_value_at(&hist, 1), 124); /* 123456 ps */
    assert_true(max < 0.001);                          /* ms */
    free(text);
    made_free(run);
}

/* --- numbers that are none ------------------------------------------------------------------- */

/* Whether a word stands in a text by itself. */
static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = text; (at = strcasestr(at, word)) != NULL; at += length)
        if ((at == text || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[length]))
            return true;
    return false;
}

/* Planted: a time so small that its rate is infinite, one so large that sums of two are. */
static void no_number_that_is_none_ever_leaves(void **state)
{
    (void)state;
    static const double extremes[] = {5e-324, 1.7e308};
    for (size_t k = 0; k < 2; k++) {
        const struct made_cell cell = about("pool", 1, 10, 6, 0);
        struct pb_run *run = completed(made_run("pool", &cell, 1), "r");
        for (size_t i = 0; i < run->reps_n; i++) {
            json_t *m = json_object_get(run->reps[i].json, "m");
            json_object_set_new(m, "ns_per_op", json_real(extremes[k]));
            json_object_del(m, "ops_per_s");
            put_text(m, "overlap", "NaN");
            json_object_set_new(
                run->reps[i].json, "hist",
                json_pack("{s:{s:s, s:i, s:s}}", "alloc", "codec", "hdr2", "n", 7, "data", GOLDEN));
        }
        for (size_t i = 0; pb_exporter_at(i) != NULL; i++) {
            char *text = exported(run, pb_exporter_at(i)->name);
            if (has_word(text, "nan") || has_word(text, "inf") || has_word(text, "infinity"))
                fail_msg("%s: %s", pb_exporter_at(i)->name, text);
            free(text);
        }
        made_free(run);
    }
    assert_true(has_word("x nan,", "nan") && has_word("-inf", "inf") && !has_word("info", "inf"));
}

/* --- files ----------------------------------------------------------------------------------- */

static void a_file_is_whole_or_what_it_was(void **state)
{
    (void)state;
    char folder[] = "export-XXXXXX", path[64];
    struct pb_run *run = fixture_load();
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out", folder);
    assert_int_equal(pb_export(run, pb_exporter_find("csv"), NULL, false, path, NULL, &left_out,
                               message, sizeof message),
                     0);
    char *before = slurp(path);
    assert_int_equal(pb_export(run, pb_exporter_find("csv"), "nosuch", false, path, NULL, &left_out,
                               message, sizeof message),
                     -ENODATA);
    char *after = slurp(path);
    assert_string_equal(before, after);
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* nothing else was left in it */
    assert_int_equal(pb_export(run, pb_exporter_find("csv"), NULL, false, "/dev/full", NULL,
                               &left_out, message, sizeof message),
                     -ENOSPC);
    assert_non_null(strstr(message, "/dev/full"));
    assert_int_equal(pb_export(run, pb_exporter_find("csv"), NULL, false, "", NULL, &left_out,
                               message, sizeof message),
                     -EINVAL);
    assert_non_null(strstr(message, "--out is empty"));
    assert_int_equal(pb_export(run, pb_exporter_find("csv"), NULL, false, "nosuch/file", NULL,
                               &left_out, message, sizeof message),
                     -ENOENT);
    assert_string_equal(message, "nosuch/file: No such file or directory; give another --out");
    free(before);
    free(after);
    pb_run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_rise_to_one_and_count_every_sample),
        cmocka_unit_test(the_log_keeps_to_what_its_readers_take),
        cmocka_unit_test(a_folder_gets_a_file_for_each_distribution),
        cmocka_unit_test(picoseconds_leave_as_nanoseconds),
        cmocka_unit_test(no_number_that_is_none_ever_leaves),
        cmocka_unit_test(a_file_is_whole_or_what_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
