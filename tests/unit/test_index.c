/* SPDX-License-Identifier: MIT */
/* The index: what is read, what is read again, what is refused; that it is made anew from the
 * records at any time, and by two processes at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reading_run.h"
#include "results_folder.h"
#include "runner/index.h"
#include "runner/json_line.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <sys/time.h>
#include <sys/wait.h>

static struct pb_index_counts refreshed(bool rebuild)
{
    struct pb_index_counts counts;
    if (pb_index_refresh(NULL, 0, rebuild, NULL, stderr, &counts, message, sizeof message) != 0)
        fail_msg("%s", message);
    return counts;
}

/* A number out of the index. */
static double number(const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_open_v2(path_of("index.sqlite"), &db, SQLITE_OPEN_READONLY, NULL), 0);
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    double value = sqlite3_column_double(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return value;
}

static void assert_counts(struct pb_index_counts is, size_t runs, size_t read, size_t unchanged,
                          size_t gone, size_t refused)
{
    assert_int_equal(is.runs, runs);
    assert_int_equal(is.read, read);
    assert_int_equal(is.unchanged, unchanged);
    assert_int_equal(is.gone, gone);
    assert_int_equal(is.refused, refused);
}

static void it_holds_every_repetition_and_metric_of_the_records(void **state)
{
    (void)state;
    double values = 0, sum = 0;
    assert_counts(refreshed(false), 1, 1, 0, 0, 0);
    struct pb_run *run = fixture_load();
    for (size_t i = 0; i < run->reps_n; i++) {
        json_t *metrics = json_object_get(run->reps[i].json, "m"), *value;
        const char *key;
        json_object_foreach(metrics, key, value)
        {
            values++;
            sum += json_number_value(value);
        }
    }
    assert_int_equal((int)number("SELECT count(*) FROM rep WHERE superseded = 0"),
                     (int)run->reps_n);
    assert_int_equal((int)number("SELECT count(*) FROM rep WHERE superseded = 1"),
                     (int)run->superseded);
    assert_int_equal((int)number("SELECT count(*) FROM metric JOIN rep USING (rep_id) "
                                 "WHERE superseded = 0"),
                     (int)values);
    assert_true(fabs(number("SELECT sum(value) FROM metric JOIN rep USING (rep_id) "
                            "WHERE superseded = 0") -
                     sum) <= 1e-9 * sum);
    assert_int_equal((int)number("SELECT count(*) FROM cell"), 5 * 11 + 4);
    assert_int_equal((int)number("SELECT count(*) FROM rep WHERE status = 'crashed'"), 6);
    assert_int_equal((int)number("SELECT count(*) FROM run WHERE status = 'done' AND "
                                 "reference = 'jemalloc' AND torn = 0"),
                     1);
    assert_int_equal((int)number("SELECT lines FROM run"), (int)lines);
    assert_int_equal((int)number("PRAGMA user_version"), 2);
    /* one figure, by way of the view and of the records */
    const struct pb_rep *rep = &run->reps[7];
    char sql[1024];
    snprintf(sql, sizeof sql,
             "SELECT value FROM figure WHERE cell = '%s' AND block = %u AND key = 'ns_per_op'",
             rep->cell, rep->block);
    assert_true(number(sql) == pb_rep_metric(rep, "ns_per_op"));
    pb_run_free(run);
}

static void what_did_not_change_is_not_read_again(void **state)
{
    (void)state;
    struct timeval times[2] = {{1000000000, 0}, {1000000000, 0}};
    refreshed(false);
    assert_counts(refreshed(false), 1, 0, 1, 0, 0);
    assert_int_equal(utimes(path_of(RUN "/records.jsonl"), times), 0);
    assert_counts(refreshed(false), 1, 1, 0, 0, 0);
    /* the same size and time, another last line */
    char *other = strdup(records), *end = strrchr(other, '"');
    end[-1] = end[-1] == '0' ? '1' : '0';
    write_text(RUN "/records.jsonl", other, strlen(other));
    free(other);
    assert_int_equal(utimes(path_of(RUN "/records.jsonl"), times), 0);
    struct pb_index_counts counts;
    FILE *none = fopen("/dev/null", "we");
    assert_int_equal(pb_index_refresh(NULL, 0, false, NULL, none, &counts, message, sizeof message),
                     0);
    fclose(none);
    assert_counts(counts, 0, 0, 0, 0, 1); /* it was looked at: that line is damaged now */
}

static void a_run_that_grew_is_read_again_and_one_that_went_is_dropped(void **state)
{
    (void)state;
    size_t first = strcspn(records, "\n") + 1;
    size_t second = first + strcspn(records + first, "\n") + 1;
    write_text(RUN "/records.jsonl", records, second);
    assert_counts(refreshed(false), 1, 1, 0, 0, 0);
    assert_int_equal((int)number("SELECT count(*) FROM rep"), 1);
    assert_int_equal((int)number("SELECT count(*) FROM run WHERE status = 'open'"), 1);
    write_text(RUN "/records.jsonl", records, strlen(records));
    make_run("20250302-101113-bbbbbb");
    assert_counts(refreshed(false), 2, 2, 0, 0, 0);
    double all = number("SELECT count(*) FROM metric");
    unlink(path_of(RUN "/records.jsonl"));
    assert_counts(refreshed(false), 1, 0, 1, 1, 0);
    assert_true(number("SELECT count(*) FROM metric") == all / 2);
    assert_int_equal((int)number("SELECT count(*) FROM metric WHERE rep_id NOT IN "
                                 "(SELECT rep_id FROM rep)"),
                     0);
}

static void a_line_that_was_cut_off_is_left_out_and_said(void **state)
{
    (void)state;
    char *said = NULL;
    size_t size = 0;
    struct pb_index_counts counts;
    FILE *notices = open_memstream(&said, &size);
    write_text(RUN "/records.jsonl", records, strlen(records) - 20);
    assert_int_equal(
        pb_index_refresh(NULL, 0, false, NULL, notices, &counts, message, sizeof message), 0);
    fclose(notices);
    assert_counts(counts, 1, 1, 0, 0, 0);
    assert_non_null(strstr(said, "the last line was cut off and is left out"));
    assert_int_equal((int)number("SELECT torn FROM run"), 1);
    free(said);
}

/* Damage in the middle of a run takes that run out, whatever was there of it, and no other. */
static void a_damaged_run_is_named_and_the_others_are_read(void **state)
{
    (void)state;
    char *said = NULL, *other = strdup(records);
    size_t size = 0, first = strcspn(records, "\n") + 1;
    struct pb_index_counts counts;
    refreshed(false);
    make_run("20250302-101113-bbbbbb");
    other[first + 20] ^= 1;
    write_text(RUN "/records.jsonl", other, strlen(other));
    free(other);
    FILE *notices = open_memstream(&said, &size);
    assert_int_equal(
        pb_index_refresh(NULL, 0, false, NULL, notices, &counts, message, sizeof message), 0);
    fclose(notices);
    assert_counts(counts, 1, 1, 0, 0, 1);
    assert_non_null(strstr(said, RUN "/records.jsonl:2: the line is damaged"));
    free(said);
    assert_int_equal((int)number("SELECT count(*) FROM rep WHERE run_id NOT IN "
                                 "(SELECT run_id FROM run)"),
                     0);
}

static void of_several_repetitions_of_a_cell_in_a_block_the_last_counts(void **state)
{
    (void)state;
    size_t first = strcspn(records, "\n") + 1;
    size_t second = first + strcspn(records + first, "\n") + 1;
    char *twice = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&twice, &size);
    fwrite(records, 1, second, out);
    fwrite(records + first, 1, second - first, out);
    fclose(out);
    write_text(RUN "/records.jsonl", twice, size);
    free(twice);
    refreshed(false);
    assert_int_equal((int)number("SELECT count(*) FROM rep"), 2);
    assert_int_equal((int)number("SELECT line FROM rep WHERE superseded = 0"), 3);
    assert_int_equal((int)number("SELECT count(*) FROM rep WHERE superseded = 1"), 1);
}

static void deleting_or_rebuilding_it_loses_nothing(void **state)
{
    (void)state;
    static const char sum[] = "SELECT sum(value) + count(*) FROM figure";
    refreshed(false);
    double before = number(sum);
    unlink(path_of("index.sqlite"));
    assert_counts(refreshed(false), 1, 1, 0, 0, 0);
    assert_true(number(sum) == before);
    assert_counts(refreshed(true), 1, 1, 0, 0, 0);
    assert_true(number(sum) == before);
}

static void a_damaged_index_is_made_anew_when_asked_for(void **state)
{
    (void)state;
    static const char junk[4096] = "this is no database, and never was one";
    struct pb_index_counts counts;
    write_text("index.sqlite", junk, sizeof junk);
    assert_int_equal(
        pb_index_refresh(NULL, 0, false, NULL, stderr, &counts, message, sizeof message), -EBADMSG);
    assert_non_null(strstr(message, "--rebuild"));
    assert_counts(refreshed(true), 1, 1, 0, 0, 0);
}

static void execute(const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path_of("index.sqlite"), &db), 0);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), 0);
    sqlite3_close(db);
}

static void another_version_is_made_anew_and_another_owner_left_alone(void **state)
{
    (void)state;
    struct pb_index_counts counts;
    refreshed(false);
    execute("PRAGMA user_version = 99; DROP TABLE metric");
    assert_counts(refreshed(false), 1, 1, 0, 0, 0);
    assert_int_equal((int)number("PRAGMA user_version"), 2);
    unlink(path_of("index.sqlite"));
    execute("CREATE TABLE mine (x)");
    for (int rebuild = 0; rebuild < 2; rebuild++) {
        assert_int_equal(
            pb_index_refresh(NULL, 0, rebuild != 0, NULL, stderr, &counts, message, sizeof message),
            -EEXIST);
        assert_non_null(strstr(message, "another program"));
        assert_int_equal((int)number("SELECT count(*) FROM sqlite_master"), 1);
    }
}

static void two_processes_may_refresh_at_once(void **state)
{
    (void)state;
    enum { PROCESSES = 4 };
    make_run("20250302-101113-bbbbbb");
    pid_t pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] != 0)
            continue;
        struct pb_index_counts counts;
        FILE *none = fopen("/dev/null", "we");
        int error =
            pb_index_refresh(NULL, 0, i % 2 == 1, NULL, none, &counts, message, sizeof message);
        _exit(error == 0 && counts.runs == 2 ? 0 : 1);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal((int)number("SELECT count(*) FROM rep"), 2 * (int)(lines - 2));
    assert_int_equal((int)number("SELECT count(*) FROM pragma_integrity_check "
                                 "WHERE integrity_check = 'ok'"),
                     1);
}

static void a_run_that_is_named_has_one_name_however_it_is_written(void **state)
{
    (void)state;
    char in_full[PATH_MAX], text[1024];
    struct pb_index_counts counts;
    assert_non_null(realpath(path_of(RUN), in_full));
    const char *const names[] = {RUN, path_of(RUN "/"), in_full, FIXTURE};
    assert_int_equal(
        pb_index_refresh(names, 4, false, NULL, stderr, &counts, message, sizeof message), 0);
    assert_counts(counts, 2, 2, 2, 0, 0);
    const char *const nosuch[] = {"nosuch"};
    assert_int_equal(
        pb_index_refresh(nosuch, 1, false, NULL, stderr, &counts, message, sizeof message),
        -ENOENT);
    FILE *out = fmemopen(text, sizeof text, "w");
    assert_int_equal(
        pb_index_refresh(names, 4, false, out, stderr, &counts, message, sizeof message), 0);
    fclose(out);
    assert_non_null(strstr(text, "done  "));
}

/* No look at results/ finds it again: the old index is what knows of it. */
static void a_run_that_lies_elsewhere_outlives_a_rebuild(void **state)
{
    (void)state;
    const char *const named[] = {FIXTURE};
    struct pb_index_counts counts;
    char *said = NULL;
    size_t size = 0;
    assert_int_equal(
        pb_index_refresh(named, 1, false, NULL, stderr, &counts, message, sizeof message), 0);
    assert_counts(refreshed(true), 2, 2, 0, 0, 0);
    execute("PRAGMA user_version = 1");
    assert_counts(refreshed(false), 2, 2, 0, 0, 0);
    execute("UPDATE run SET folder = '/nosuch/run' WHERE folder LIKE '/%'");
    assert_counts(refreshed(true), 1, 1, 0, 1, 0);
    write_text("index.sqlite", records, 4096); /* damaged: it cannot tell any more */
    FILE *notices = open_memstream(&said, &size);
    assert_int_equal(
        pb_index_refresh(NULL, 0, true, NULL, notices, &counts, message, sizeof message), 0);
    fclose(notices);
    assert_non_null(strstr(said, "name runs that lie elsewhere again"));
    free(said);
}

static void it_tells_the_attempt_the_layout_and_what_disturbed(void **state)
{
    (void)state;
    static const char *const names[] = {"attempt", "layout", "disturbed"};
    refreshed(false);
    struct pb_run *run = fixture_load();
    for (size_t i = 0; i < 3; i++) {
        size_t there = 0;
        char sql[128];
        for (size_t k = 0; k < run->reps_n; k++)
            there += json_object_get(run->reps[k].json, names[i]) != NULL;
        snprintf(sql, sizeof sql, "SELECT count(%s) FROM rep WHERE superseded = 0", names[i]);
        assert_int_equal((int)number(sql), (int)there);
    }
    pb_run_free(run);
    /* one that has them all */
    size_t first = strcspn(records, "\n") + 1;
    size_t second = strcspn(records + first, "\n");
    json_t *line = json_loadb(records + first, second, 0, NULL);
    assert_non_null(line);
    json_object_del(line, "crc");
    json_object_set_new(line, "attempt", json_integer(3));
    json_object_set_new(line, "layout", json_integer(5));
    json_object_set_new(line, "disturbed", json_pack("[s, s]", "steal", "run-wait"));
    write_text(RUN "/records.jsonl", records, first);
    int fd = open(path_of(RUN "/records.jsonl"), O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(pb_line_append(fd, line), 0);
    close(fd);
    json_decref(line);
    refreshed(false);
    assert_int_equal((int)number("SELECT count(*) FROM rep WHERE attempt = 3 AND layout = 5 AND "
                                 "disturbed = 'steal,run-wait'"),
                     1);
}

static void results_that_are_not_there_are_named_with_a_remedy(void **state)
{
    (void)state;
    struct pb_index_counts counts;
    setenv("PB_RESULTS_PATH", "nosuch", 1);
    assert_int_equal(
        pb_index_refresh(NULL, 0, false, NULL, stderr, &counts, message, sizeof message), -ENOENT);
    assert_string_equal(message, "nosuch: No such file or directory; PB_RESULTS_PATH names the "
                                 "folder of runs");
    setenv("PB_RESULTS_PATH", root, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_holds_every_repetition_and_metric_of_the_records),
        T(what_did_not_change_is_not_read_again),
        T(a_run_that_grew_is_read_again_and_one_that_went_is_dropped),
        T(a_line_that_was_cut_off_is_left_out_and_said),
        T(a_damaged_run_is_named_and_the_others_are_read),
        T(of_several_repetitions_of_a_cell_in_a_block_the_last_counts),
        T(deleting_or_rebuilding_it_loses_nothing),
        T(a_damaged_index_is_made_anew_when_asked_for),
        T(another_version_is_made_anew_and_another_owner_left_alone),
        T(two_processes_may_refresh_at_once),
        T(a_run_that_is_named_has_one_name_however_it_is_written),
        T(a_run_that_lies_elsewhere_outlives_a_rebuild),
        T(it_tells_the_attempt_the_layout_and_what_disturbed),
        T(results_that_are_not_there_are_named_with_a_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
