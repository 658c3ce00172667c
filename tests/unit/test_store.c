/* SPDX-License-Identifier: MIT */
/* The folder that a run is given: what is its owner's stays, and a run that cannot begin leaves
 * nothing of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "full_disk.h"
#include "runner/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char ours[] = "name = \"m\"\n";
static char folder[64], message[512];

static const char *below(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "store-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int drop_folder(void **state)
{
    static const char *const names[] = {"records.jsonl", "matrix.toml", "matrix.toml.new"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(below(names[i]));
    return rmdir(folder) == 0 || errno == ENOENT ? 0 : -1;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(below(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void expect_text(const char *name, const char *want)
{
    char text[64] = "";
    FILE *file = fopen(below(name), "r");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text - 1, file), strlen(want));
    fclose(file);
    assert_string_equal(text, want);
}

static int create_within(const char *path, size_t bytes, struct pb_store *store)
{
    struct rlimit before = limit_files(bytes);
    int error = pb_store_create(path, ours, store, message, sizeof message);
    setrlimit(RLIMIT_FSIZE, &before);
    return error;
}

static void a_matrix_of_the_owner_s_is_neither_overwritten_nor_removed(void **state)
{
    static const char *const texts[] = {"mine", "name = \"n\"\n", ""};
    static const char name[] = "matrix.toml";
    struct pb_store store;
    char want[256];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        put(name, texts[i]);
        assert_int_equal(pb_store_create(folder, ours, &store, message, sizeof message), -EEXIST);
        snprintf(want, sizeof want,
                 "%s: is there already and not of this run; move it away, or give another --out",
                 below(name));
        assert_string_equal(message, want);
        expect_text(name, texts[i]);
        unlink(below(name));
        assert_int_equal(rmdir(folder), 0); /* nothing else is left in it */
        assert_int_equal(mkdir(folder, 0777), 0);
    }
}

/* A file that another poolbench left behind, or its owner's: the matrix is put beside it. */
static void a_matrix_that_another_was_writing_is_in_nobody_s_way(void **state)
{
    struct pb_store store;
    int error;
    (void)state;
    int fd = open(folder, O_WRONLY | O_TMPFILE, 0600);
    if (fd < 0)
        skip_because("this file system has no files without names");
    close(fd);
    put("matrix.toml.new", "half of a mat");
    assert_int_equal(pb_store_create(folder, ours, &store, message, sizeof message), 0);
    expect_text("matrix.toml", ours);
    unlink(below("matrix.toml"));
    error = pb_store_put_matrix(&store, ours, message, sizeof message); /* as resume does */
    assert_int_equal(error, 0);
    expect_text("matrix.toml", ours);
    put("matrix.toml", "another");
    error = pb_store_put_matrix(&store, ours, message, sizeof message);
    assert_int_equal(error, -EEXIST);
    assert_null(strstr(message, "--out"));
    store.put = true;
    pb_store_discard(&store);
    expect_text("matrix.toml.new", "half of a mat");
}

/* Whatever it is, resume could not go on with it. */
static void what_is_not_a_run_is_not_said_to_be_one(void **state)
{
    struct pb_store store;
    char want[256];
    (void)state;
    snprintf(want, sizeof want, "%s: is there already; give another --out", below("records.jsonl"));
    for (int i = 0; i < 3; i++) {
        if (i == 0)
            assert_int_equal(symlink("nowhere", below("records.jsonl")), 0);
        else
            put("records.jsonl", i == 1 ? "" : "somebody's\ntext\n");
        assert_int_equal(pb_store_create(folder, ours, &store, message, sizeof message), -EEXIST);
        assert_string_equal(message, want);
        unlink(below("records.jsonl"));
    }
}

/* Of FOLDER/a/b/c what was there stays, and it alone. */
static void folders_that_were_made_for_a_run_go_with_it(void **state)
{
    static const char *const paths[] = {"a/b/c", "a//b/./c/", "a/../b", "a/../a/b/../c"};
    struct pb_store store;
    char path[128];
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        for (int there = 0; there < 2; there++) {
            snprintf(path, sizeof path, "%s/%s", folder, paths[i]);
            if (there)
                assert_int_equal(mkdir(below("a"), 0777), 0);
            assert_int_equal(create_within(path, 4, &store), -EFBIG);
            assert_int_equal(rmdir(below("a")), there ? 0 : -1);
            assert_int_equal(rmdir(folder), 0); /* nothing else is in it */
            assert_int_equal(mkdir(folder, 0777), 0);
        }
    snprintf(path, sizeof path, "%s/a/f/c", folder);
    assert_int_equal(mkdir(below("a"), 0777), 0);
    put("a/f", "");
    assert_int_equal(pb_store_create(path, ours, &store, message, sizeof message), -ENOTDIR);
    assert_int_equal(unlink(below("a/f")), 0);
    assert_int_equal(rmdir(below("a")), 0);
}

static void a_link_in_the_matrix_s_place_is_not_followed(void **state)
{
    struct pb_store store;
    struct stat st;
    (void)state;
    assert_int_equal(symlink("nowhere", below("matrix.toml")), 0);
    assert_int_equal(pb_store_create(folder, ours, &store, message, sizeof message), -EEXIST);
    assert_int_equal(lstat(below("matrix.toml"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(access(below("records.jsonl"), F_OK), -1);
}

static void the_same_matrix_stays_and_serves(void **state)
{
    struct pb_store store;
    struct stat before, after;
    (void)state;
    put("matrix.toml", ours);
    assert_int_equal(stat(below("matrix.toml"), &before), 0);
    assert_int_equal(pb_store_create(folder, ours, &store, message, sizeof message), 0);
    assert_int_equal(stat(below("matrix.toml"), &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    pb_store_discard(&store);
    expect_text("matrix.toml", ours);
    assert_int_equal(access(below("records.jsonl"), F_OK), -1);
}

static void a_run_that_is_taken_back_takes_its_own_matrix_with_it(void **state)
{
    struct pb_store store;
    (void)state;
    assert_int_equal(pb_store_create(folder, ours, &store, message, sizeof message), 0);
    expect_text("matrix.toml", ours);
    pb_store_discard(&store);
    assert_int_equal(rmdir(folder), 0); /* the folder was there before; it is empty again */
    assert_int_equal(create_within(folder, 4, &store), -EFBIG);
    assert_int_equal(access(folder, F_OK), -1);
}

static void slashes_behind_a_folder_s_name_do_not_matter(void **state)
{
    struct pb_store store;
    char path[80];
    (void)state;
    assert_int_equal(rmdir(folder), 0);
    snprintf(path, sizeof path, "%s//", folder);
    assert_int_equal(create_within(path, 4, &store), -EFBIG);
    assert_int_equal(access(folder, F_OK), -1);
    assert_int_equal(pb_store_create(path, ours, &store, message, sizeof message), 0);
    assert_string_equal(store.folder, folder);
    pb_store_close(&store);
}

/* Not one line of it is a record: whatever it is, it is not emptied. */
static void a_file_without_a_whole_line_is_never_cut(void **state)
{
    struct pb_store store;
    (void)state;
    put("records.jsonl", "somebody's text");
    assert_int_equal(pb_store_reopen(folder, &store, message, sizeof message), 0);
    assert_true(store.torn);
    assert_int_equal(pb_store_cut(&store, message, sizeof message), -EINVAL);
    assert_non_null(strstr(message, "/records.jsonl: not one record in it; it is left alone"));
    pb_store_close(&store);
    expect_text("records.jsonl", "somebody's text");
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(a_matrix_of_the_owner_s_is_neither_overwritten_nor_removed),
        IN_A_FOLDER(a_matrix_that_another_was_writing_is_in_nobody_s_way),
        IN_A_FOLDER(what_is_not_a_run_is_not_said_to_be_one),
        IN_A_FOLDER(folders_that_were_made_for_a_run_go_with_it),
        IN_A_FOLDER(a_link_in_the_matrix_s_place_is_not_followed),
        IN_A_FOLDER(the_same_matrix_stays_and_serves),
        IN_A_FOLDER(a_run_that_is_taken_back_takes_its_own_matrix_with_it),
        IN_A_FOLDER(slashes_behind_a_folder_s_name_do_not_matter),
        IN_A_FOLDER(a_file_without_a_whole_line_is_never_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
