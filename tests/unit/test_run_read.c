/* SPDX-License-Identifier: MIT */
/* Runs on disk: made, locked, appended to, read back; and what is wrong with them is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "full_disk.h"
#include "runner/json_line.h"
#include "runner/run.h"
#include "runner/store.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], message[512];

static void drop(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "run-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : rmdir(folder);
}

static int drop_folder(void **state)
{
    (void)state;
    drop("records.jsonl");
    drop("matrix.toml");
    return rmdir(folder) == 0 || errno == ENOENT ? 0 : -1;
}

static struct pb_store create(void)
{
    struct pb_store store;
    if (pb_store_create(folder, "name = \"m\"\n", &store, message, sizeof message) != 0)
        fail_msg("%s", message);
    return store;
}

static void append(struct pb_store *store, json_t *line)
{
    assert_non_null(line);
    json_object_set_new(line, "v", json_integer(1));
    if (pb_store_append(store, line, message, sizeof message) != 0)
        fail_msg("%s", message);
    json_decref(line);
}

static json_t *header(void)
{
    return json_pack("{s:s, s:s}", "kind", "run", "run", "20260101-000000-abcdef");
}

static json_t *rep(const char *alloc, const char *status, int block)
{
    json_t *name = json_sprintf("larson/alloc:%s/size:64/threads:2", alloc);
    return json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:s, s:{s:f}}",
                     "kind", "rep", "name", name, "cell", "0123456789abcdef", "alloc", alloc,
                     "workload", "larson", "status", status, "block", block, "order", 10 + block,
                     "threads", 2, "reason", "", "dispatch", "call", "pin", "core", "m",
                     "ns_per_op", 21.5);
}

static json_t *end(const char *status)
{
    return json_pack("{s:s, s:s}", "kind", "end", "status", status);
}

static struct pb_run *load_good(void)
{
    struct pb_run *run = NULL;
    if (pb_run_load(folder, &run, message, sizeof message) != 0)
        fail_msg("%s", message);
    return run;
}

static void a_run_reads_back_as_it_was_written(void **state)
{
    (void)state;
    struct pb_store store = create();
    append(&store, header());
    append(&store, rep("zone:lock=ticket", "ok", 0));
    append(&store, rep("jemalloc@aa", "crashed", 1));
    append(&store, end("done"));
    pb_store_close(&store);
    struct pb_run *run = load_good();
    assert_true(run->complete);
    assert_false(run->torn);
    assert_string_equal(run->folder, folder);
    assert_int_equal(run->reps_n, 2);
    const struct pb_rep *one = &run->reps[0], *two = &run->reps[1];
    assert_string_equal(one->name, "larson/alloc:zone:lock=ticket/size:64/threads:2");
    assert_string_equal(one->group, "larson/size:64/threads:2");
    assert_string_equal(two->group, one->group);
    assert_string_equal(one->alloc, "zone:lock=ticket");
    assert_string_equal(one->cell, "0123456789abcdef");
    assert_int_equal(one->status, PB_OK);
    assert_int_equal(two->status, PB_CRASHED);
    assert_int_equal(two->block, 1);
    assert_int_equal(two->order, 11);
    assert_int_equal(one->threads, 2);
    assert_true(pb_rep_metric(one, "ns_per_op") >= 21.5 && pb_rep_metric(one, "ns_per_op") <= 21.5);
    assert_true(isnan(pb_rep_metric(one, "nosuch")));
    struct pb_hist hist;
    assert_int_equal(pb_rep_hist(one, "alloc", &hist), -ENOENT);
    pb_run_free(run);
}

static void the_last_end_decides_whether_a_run_is_complete(void **state)
{
    (void)state;
    struct pb_store store = create();
    append(&store, header());
    append(&store, end("interrupted"));
    struct pb_run *run = load_good();
    assert_false(run->complete);
    pb_run_free(run);
    append(&store, rep("pool", "ok", 0));
    run = load_good();
    assert_false(run->complete);
    pb_run_free(run);
    append(&store, end("done"));
    run = load_good();
    assert_true(run->complete);
    pb_run_free(run);
    pb_store_close(&store);
}

/* What was unavailable and is there now, or what ran twice: the last word in a block counts. */
static void of_two_repetitions_in_one_block_the_last_counts(void **state)
{
    (void)state;
    struct pb_store store = create();
    append(&store, header());
    append(&store, rep("jemalloc", "unavailable", 0));
    append(&store, rep("jemalloc", "ok", 1));
    append(&store, end("done"));
    append(&store, rep("jemalloc", "crashed", 0));
    append(&store, rep("jemalloc", "ok", 0));
    json_t *other = rep("pool", "ok", 0);
    json_object_set_new(other, "cell", json_string("fedcba9876543210"));
    append(&store, other);
    append(&store, end("done"));
    pb_store_close(&store);
    struct pb_run *run = load_good();
    assert_int_equal(run->reps_n, 3);
    assert_int_equal(run->reps[0].block, 1);
    assert_int_equal(run->reps[1].block, 0);
    assert_int_equal(run->reps[1].status, PB_OK);
    assert_string_equal(run->reps[1].group, "larson/size:64/threads:2");
    assert_string_equal(run->reps[2].alloc, "pool");
    pb_run_free(run);
}

static void a_run_that_is_not_there_is_named(void **state)
{
    struct pb_run *run = NULL;
    (void)state;
    assert_int_equal(pb_run_load("no-such-run", &run, message, sizeof message), -ENOENT);
    assert_non_null(strstr(message, "'no-such-run'"));
    assert_null(run);
}

/* Writes lines and expects a message that says so. */
static void expect_bad(json_t *first, json_t *second, const char *what)
{
    struct pb_run *run = NULL;
    struct pb_store store = create();
    append(&store, first);
    if (second != NULL)
        append(&store, second);
    pb_store_close(&store);
    assert_int_equal(pb_run_load(folder, &run, message, sizeof message), -EINVAL);
    if (strstr(message, what) == NULL)
        fail_msg("'%s' and not '...%s...'", message, what);
    drop_folder(NULL);
}

static void lines_that_are_not_records_are_named(void **state)
{
    static const char lacks[] =
        "/records.jsonl:2: a repetition lacks a field that results/README.md names; to go on "
        "without it: sed -i 2d ";
    (void)state;
    expect_bad(rep("pool", "ok", 0), NULL,
               "/records.jsonl:1: the first line, and no other, is of kind 'run'");
    expect_bad(header(), header(),
               "/records.jsonl:2: the first line, and no other, is of kind 'run'");
    expect_bad(header(), rep("pool", "fine", 0), lacks);
    json_t *line = rep("pool", "ok", 0);
    json_object_del(line, "alloc");
    expect_bad(header(), line, lacks);
    line = rep("pool", "ok", 0);
    json_object_set_new(line, "block", json_integer(-1));
    expect_bad(header(), line, lacks);
}

static void another_schema_is_refused(void **state)
{
    (void)state;
    struct pb_run *run = NULL;
    struct pb_store store = create();
    json_t *line = json_pack("{s:s, s:i}", "kind", "run", "v", 2);
    assert_int_equal(pb_store_append(&store, line, message, sizeof message), 0);
    json_decref(line);
    pb_store_close(&store);
    assert_int_equal(pb_run_load(folder, &run, message, sizeof message), -EINVAL);
    assert_non_null(strstr(message, "records.jsonl:1: the schema is not 1"));
}

static void a_run_with_no_whole_line_is_refused(void **state)
{
    (void)state;
    struct pb_run *run = NULL;
    struct pb_store store = create();
    pb_store_close(&store);
    assert_int_equal(pb_run_load(folder, &run, message, sizeof message), -EINVAL);
    assert_non_null(strstr(message,
                           "/records.jsonl: not one whole line in it; if it is of a run that "
                           "had not begun, remove that file and start anew"));
    assert_null(strstr(message, "folder"));
}

/* What was cut off is left out by the reader, stays when the run is reopened, and is gone once it
 * is cut; then lines go on. */
static void a_cut_line_is_dropped_and_writing_goes_on_behind_the_last_good_one(void **state)
{
    char path[128];
    struct stat before, after;
    (void)state;
    struct pb_store store = create();
    append(&store, header());
    append(&store, rep("pool", "ok", 0));
    pb_store_close(&store);
    snprintf(path, sizeof path, "%s/records.jsonl", folder);
    assert_int_equal(stat(path, &before), 0);
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "{\"kind\":\"rep\",\"n", 16), 16);
    close(fd);
    struct pb_run *run = load_good();
    assert_true(run->torn);
    assert_int_equal(run->reps_n, 1);
    pb_run_free(run);
    assert_int_equal(pb_store_reopen(folder, &store, message, sizeof message), 0);
    assert_true(store.torn);
    assert_string_equal(store.run, "20260101-000000-abcdef");
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_size, before.st_size + 16);
    assert_int_equal(pb_store_cut(&store, message, sizeof message), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    append(&store, rep("pool", "ok", 1));
    pb_store_close(&store);
    run = load_good();
    assert_false(run->torn);
    assert_int_equal(run->reps_n, 2);
    pb_run_free(run);
}

static void a_second_writer_is_refused_while_the_first_is_there(void **state)
{
    struct pb_store first = create(), second;
    int status = 0;
    (void)state;
    append(&first, header());
    assert_int_equal(pb_store_reopen(folder, &second, message, sizeof message), -EWOULDBLOCK);
    assert_non_null(strstr(message, "another poolbench is writing this run"));
    pid_t child = fork();
    if (child == 0)
        _exit(pb_store_reopen(folder, &second, message, sizeof message) == -EWOULDBLOCK ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    pb_store_close(&first);
    assert_int_equal(pb_store_reopen(folder, &second, message, sizeof message), 0);
    pb_store_close(&second);
}

static void a_folder_that_holds_a_run_is_not_taken_again(void **state)
{
    struct pb_store store = create(), again;
    (void)state;
    append(&store, header());
    pb_store_close(&store);
    assert_int_equal(pb_store_create(folder, "", &again, message, sizeof message), -EEXIST);
    assert_non_null(strstr(message, folder));
    assert_non_null(strstr(message, "poolbench resume"));
    assert_int_not_equal(pb_store_create("/proc/nosuch/run", "", &again, message, sizeof message),
                         0);
    assert_non_null(strstr(message, "/proc/nosuch/run"));
}

static void a_run_that_cannot_be_begun_says_why_and_leaves_nothing(void **state)
{
    struct pb_store store;
    (void)state;
    struct rlimit before = limit_files(4);
    int error = pb_store_create(folder, "name = \"m\"\n", &store, message, sizeof message);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(error, -EFBIG);
    assert_non_null(strstr(message, "/matrix.toml: File too large; raise the limit"));
    assert_non_null(strstr(message, "--out"));
    assert_int_equal(access(folder, F_OK), -1);
}

static void a_line_that_cannot_be_written_is_said_with_its_file_and_the_rest_stays(void **state)
{
    struct stat st;
    char path[128];
    (void)state;
    struct pb_store store = create();
    append(&store, header());
    append(&store, rep("pool", "ok", 0));
    snprintf(path, sizeof path, "%s/records.jsonl", folder);
    assert_int_equal(stat(path, &st), 0);
    json_t *line = rep("pool", "ok", 1);
    struct rlimit before = limit_files((size_t)st.st_size + 50);
    int error = pb_store_append(&store, line, message, sizeof message);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(error, -EFBIG);
    assert_int_equal(strncmp(message, path, strlen(path)), 0);
    assert_non_null(strstr(message, ": File too large; raise the limit on the size of files"));
    json_decref(line);
    struct pb_run *run = load_good();
    assert_false(run->torn);
    assert_int_equal(run->reps_n, 1);
    pb_run_free(run);
    pb_store_close(&store);
}

static void a_shortage_has_a_remedy_and_nothing_else_has(void **state)
{
    (void)state;
    assert_non_null(strstr(pb_shortage(-ENOSPC), "free some space"));
    assert_non_null(strstr(pb_shortage(-EDQUOT), "quota"));
    assert_non_null(strstr(pb_shortage(-EMFILE), "ulimit -n"));
    assert_non_null(strstr(pb_shortage(-EAGAIN), "ulimit -u"));
    assert_non_null(pb_shortage(-EIO));
    assert_null(pb_shortage(-EACCES));
    assert_null(pb_shortage(0));
}

static void a_new_run_is_named_by_its_time(void **state)
{
    struct pb_store store;
    char root[64] = "root-XXXXXX", found[256], path[256];
    (void)state;
    assert_non_null(mkdtemp(root));
    setenv("PB_RESULTS_PATH", root, 1);
    assert_int_equal(pb_store_find(NULL, found, sizeof found, message, sizeof message), -ENOENT);
    assert_int_equal(pb_store_create(NULL, "", &store, message, sizeof message), 0);
    assert_int_equal(strlen(store.run), 22);
    assert_int_equal(strspn(store.run, "0123456789"), 8);
    assert_int_equal(store.run[8], '-');
    assert_int_equal(store.run[15], '-');
    assert_int_equal(pb_store_find(store.run, found, sizeof found, message, sizeof message), 0);
    assert_string_equal(found, store.folder);
    assert_int_equal(pb_store_find("", found, sizeof found, message, sizeof message), 0);
    assert_string_equal(found, store.folder);
    snprintf(path, sizeof path, "%s/records.jsonl", store.folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/matrix.toml", store.folder);
    unlink(path);
    rmdir(store.folder);
    rmdir(root);
    pb_store_close(&store);
    unsetenv("PB_RESULTS_PATH");
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(a_run_reads_back_as_it_was_written),
        IN_A_FOLDER(the_last_end_decides_whether_a_run_is_complete),
        IN_A_FOLDER(of_two_repetitions_in_one_block_the_last_counts),
        IN_A_FOLDER(a_run_that_cannot_be_begun_says_why_and_leaves_nothing),
        IN_A_FOLDER(a_line_that_cannot_be_written_is_said_with_its_file_and_the_rest_stays),
        cmocka_unit_test(a_shortage_has_a_remedy_and_nothing_else_has),
        cmocka_unit_test(a_run_that_is_not_there_is_named),
        IN_A_FOLDER(lines_that_are_not_records_are_named),
        IN_A_FOLDER(another_schema_is_refused),
        IN_A_FOLDER(a_run_with_no_whole_line_is_refused),
        IN_A_FOLDER(a_cut_line_is_dropped_and_writing_goes_on_behind_the_last_good_one),
        IN_A_FOLDER(a_second_writer_is_refused_while_the_first_is_there),
        IN_A_FOLDER(a_folder_that_holds_a_run_is_not_taken_again),
        cmocka_unit_test(a_new_run_is_named_by_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
