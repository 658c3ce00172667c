/* SPDX-License-Identifier: MIT */
/* Whole runs and their taking up, with a shell script in the place of the child: what is on disk,
 * what runs again, and how a run ends that the machine does not let go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "full_disk.h"
#include "runner/store.h"
#include "runner_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void a_run_measures_every_cell_in_every_block_and_resume_finds_nothing_to_do(void **state)
{
    (void)state;
    put_child("");
    assert_int_equal(run(), PB_EXIT_GOOD);
    assert_int_equal(count(PB_OK), 6);
    off_t size = records_size();
    put_child(ZONE "exit 1 ;;\n");
    assert_int_equal(resume(), PB_EXIT_GOOD);
    assert_int_equal(records_size(), size);
}

static void what_was_unavailable_is_tried_again_and_nothing_else(void **state)
{
    (void)state;
    put_child(ZONE UNAVAILABLE " ;;\n");
    assert_int_equal(run(), PB_EXIT_MACHINE);
    assert_string_equal(said, "pair/alloc:zone/ops:1000/threads:1 could not run here: not here; "
                              "the others are measured\n");
    assert_int_equal(count(PB_OK), 3);
    assert_int_equal(count(PB_UNAVAILABLE), 1);
    assert_int_equal(ended_with("unavailable"), 1);
    assert_int_equal(resume(), PB_EXIT_MACHINE); /* still not there */
    assert_non_null(strstr(said, "1 cell that could not run is tried again"));
    assert_non_null(strstr(said, "alloc:zone/ops:1000/threads:1 could not run here: not here; "));
    assert_int_equal(count(PB_UNAVAILABLE), 1);
    assert_int_equal(ended_with("unavailable"), 1);
    put_child("*pool*) exit 1 ;;\n"); /* which is measured, and must not run again */
    assert_int_equal(resume(), PB_EXIT_GOOD);
    assert_int_equal(count(PB_OK), 6);
    assert_int_equal(count(PB_UNAVAILABLE), 0);
    assert_int_equal(ended_with("ok"), 6);
    assert_int_equal(ended_with("unavailable"), 0);
    off_t size = records_size();
    assert_int_equal(resume(), PB_EXIT_GOOD);
    assert_int_equal(records_size(), size);
}

static void where_every_cell_is_unavailable_nothing_was_measured(void **state)
{
    (void)state;
    put_child("*pool*|*zone*) " UNAVAILABLE " ;;\n");
    assert_int_equal(run(), PB_EXIT_MACHINE);
    assert_int_equal(lines_said(), 1);
    assert_non_null(strstr(said, " could not run here: not here; nothing was measured\n"));
}

/* Adds to the records what the last write before a crash left. */
static void add_to_records(const char *text)
{
    FILE *file = fopen(below("run/records.jsonl"), "a");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_last_line_that_is_cut_off_is_dropped_only_once_the_run_goes_on(void **state)
{
    (void)state;
    put_child(ZONE UNAVAILABLE " ;;\n");
    assert_int_equal(run(), PB_EXIT_MACHINE);
    put_child("");
    add_to_records("{\"alloc\":\"zone");
    const off_t size = records_size();
    put("run/matrix.toml", "name = \"other\"\n", 0644);
    assert_int_equal(resume(), PB_EXIT_USAGE);
    assert_int_equal(records_size(), size);
    unlink(below("run/matrix.toml"));
    assert_int_equal(resume(), PB_EXIT_GOOD);
    assert_non_null(strstr(said, "the last line was cut off and is dropped\n"));
    assert_int_equal(count(PB_OK), 6);
}

static void a_run_that_is_done_stays_as_it_is_whatever_was_added(void **state)
{
    char text[64] = "";
    (void)state;
    put_child("");
    assert_int_equal(run(), PB_EXIT_GOOD);
    add_to_records("a note of its owner's");
    const off_t size = records_size();
    assert_int_equal(resume(), PB_EXIT_GOOD);
    assert_string_equal(said, "");
    assert_int_equal(records_size(), size);
    FILE *file = fopen(below("run/records.jsonl"), "r");
    assert_int_equal(fseek(file, -21, SEEK_END), 0);
    assert_int_equal(fread(text, 1, sizeof text - 1, file), 21);
    fclose(file);
    assert_string_equal(text, "a note of its owner's");
}

/* What is missing is said too where something failed: it may well be why. */
static void what_is_missing_is_said_beside_what_failed(void **state)
{
    char cases[256];
    (void)state;
    put_child("*pool*) exit 1 ;;\n" ZONE UNAVAILABLE " ;;\n");
    assert_int_equal(run(), PB_EXIT_FAILED);
    assert_non_null(strstr(said, "could not run here: not here; nothing was measured\n"));
    remove(below("run/records.jsonl"));
    snprintf(cases, sizeof cases,
             "*pool*) mkdir %s/run/once && exit 1; " GOOD " ;;\n" ZONE UNAVAILABLE " ;;\n", folder);
    put_child(cases);
    assert_int_equal(run(), PB_EXIT_FAILED);
    assert_int_equal(count(PB_FAILED), 1);
    assert_int_equal(count(PB_OK), 2);
    assert_non_null(strstr(said, "could not run here: not here\n"));
    assert_int_equal(rmdir(below("run/once")), 0);
}

static void a_damaged_last_line_stays_until_its_owner_takes_it_out(void **state)
{
    (void)state;
    put_child("");
    assert_int_equal(run(), PB_EXIT_GOOD);
    add_to_records("{\"kind\":\"note\"}\n");
    const off_t size = records_size();
    assert_int_equal(resume(), PB_EXIT_USAGE);
    assert_int_equal(lines_said(), 1);
    assert_non_null(strstr(said, "/records.jsonl:9: the line is damaged"));
    assert_int_equal(records_size(), size);
}

static void a_file_that_is_not_ours_is_never_emptied(void **state)
{
    (void)state;
    put_child("");
    assert_int_equal(run(), PB_EXIT_GOOD);
    put("run/records.jsonl", "somebody's only line, without an end", 0644);
    const off_t size = records_size();
    assert_int_equal(resume(), PB_EXIT_USAGE);
    assert_int_equal(lines_said(), 1);
    assert_int_equal(records_size(), size);
}

static void a_matrix_that_is_gone_comes_back_from_the_records(void **state)
{
    char text[sizeof MATRIX + 16] = "";
    (void)state;
    put_child(ZONE UNAVAILABLE " ;;\n");
    assert_int_equal(run(), PB_EXIT_MACHINE);
    put_child("");
    unlink(below("run/matrix.toml"));
    assert_int_equal(resume(), PB_EXIT_GOOD);
    assert_non_null(strstr(said, "matrix.toml was gone; it is put back from the records\n"));
    assert_int_equal(count(PB_OK), 6);
    FILE *file = fopen(below("run/matrix.toml"), "r");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text - 1, file), sizeof MATRIX - 1);
    fclose(file);
    assert_string_equal(text, matrix_text);
    put("run/matrix.toml", "name = \"oth", 0644);
    assert_int_equal(resume(), PB_EXIT_USAGE);
    assert_int_equal(lines_said(), 1);
    assert_non_null(strstr(said, "remove it and resume puts the right one back"));
}

static void a_disk_that_fills_ends_the_run_and_keeps_what_is_measured(void **state)
{
    (void)state;
    put_child("");
    assert_int_equal(run(), PB_EXIT_GOOD);
    const off_t whole = records_size();
    remove(below("run/records.jsonl"));
    remove(below("run/matrix.toml"));
    struct rlimit before = limit_files((size_t)whole - 1200);
    int code = run();
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(code, PB_EXIT_MACHINE);
    assert_int_equal(lines_said(), 1);
    assert_non_null(strstr(said, "/records.jsonl: File too large; raise the limit"));
    assert_non_null(strstr(said, "go on with: poolbench resume "));
    size_t kept = count(PB_OK);
    assert_in_range(kept, 1, 5);
    put_child("");
    assert_int_equal(resume(), PB_EXIT_GOOD);
    assert_int_equal(count(PB_OK), 6);
}

static void a_run_whose_first_line_cannot_be_written_leaves_nothing(void **state)
{
    (void)state;
    put_child("");
    struct rlimit before = limit_files(sizeof MATRIX + 100);
    int code = run();
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(code, PB_EXIT_MACHINE);
    assert_int_equal(lines_said(), 1);
    assert_non_null(strstr(said, "/records.jsonl: File too large; raise the limit"));
    assert_non_null(strstr(said, "or give another --out"));
    assert_int_equal(access(below("run"), F_OK), -1);
}

static void a_machine_without_descriptors_ends_the_run_with_one_line(void **state)
{
    struct rlimit before, limit;
    int first = dup(STDIN_FILENO);
    (void)state;
    close(first);
    put_child("");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)first + 6; /* the records, the signals, standard error, two pipes */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int code = run();
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(code, PB_EXIT_MACHINE);
    assert_int_equal(lines_said(), 1);
    assert_non_null(strstr(said, "Too many open files; raise the limit on open files"));
    assert_non_null(strstr(said, "go on with: poolbench resume "));
    assert_int_equal(resume(), PB_EXIT_GOOD);
    assert_int_equal(count(PB_OK), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(a_run_measures_every_cell_in_every_block_and_resume_finds_nothing_to_do),
        IN_A_FOLDER(what_was_unavailable_is_tried_again_and_nothing_else),
        IN_A_FOLDER(where_every_cell_is_unavailable_nothing_was_measured),
        IN_A_FOLDER(a_last_line_that_is_cut_off_is_dropped_only_once_the_run_goes_on),
        IN_A_FOLDER(a_run_that_is_done_stays_as_it_is_whatever_was_added),
        IN_A_FOLDER(what_is_missing_is_said_beside_what_failed),
        IN_A_FOLDER(a_damaged_last_line_stays_until_its_owner_takes_it_out),
        IN_A_FOLDER(a_file_that_is_not_ours_is_never_emptied),
        IN_A_FOLDER(a_matrix_that_is_gone_comes_back_from_the_records),
        IN_A_FOLDER(a_disk_that_fills_ends_the_run_and_keeps_what_is_measured),
        IN_A_FOLDER(a_run_whose_first_line_cannot_be_written_leaves_nothing),
        IN_A_FOLDER(a_machine_without_descriptors_ends_the_run_with_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
