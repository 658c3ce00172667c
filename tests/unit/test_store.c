/* SPDX-License-Identifier: MIT */
/* The folder that a run is given: what is its owner's stays, and a run that cannot begin leaves
 * nothing of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "full_disk.h"
#include "runner/store.h"

#include <errno.h>
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

/* The matrix's name, and that of the file which becomes it. */
static void a_file_of_the_owner_s_is_neither_overwritten_nor_removed(void **state)
{
    static const char *const names[] = {"matrix.toml", "matrix.toml.new"};
    static const char *const texts[] = {"mine", "name = \"n\"\n", ""};
    struct pb_store store;
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        const char *name = names[i / 3], *text = texts[i % 3];
        put(name, text);
        assert_int_equal(pb_store_create(folder, ours, &store, message, sizeof message), -EEXIST);
        assert_int_equal(strncmp(message, below(name), strlen(below(name))), 0);
        assert_non_null(strstr(message, ": is there already and not of this run; move it away"));
        assert_null(strstr(message, "resume"));
        expect_text(name, text);
        unlink(below(name));
        assert_int_equal(rmdir(folder), 0); /* nothing else is left in it */
        assert_int_equal(mkdir(folder, 0777), 0);
    }
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
    pb_store_close(&store);
    expect_text("records.jsonl", "somebody's text");
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(a_file_of_the_owner_s_is_neither_overwritten_nor_removed),
        IN_A_FOLDER(a_link_in_the_matrix_s_place_is_not_followed),
        IN_A_FOLDER(the_same_matrix_stays_and_serves),
        IN_A_FOLDER(a_run_that_is_taken_back_takes_its_own_matrix_with_it),
        IN_A_FOLDER(slashes_behind_a_folder_s_name_do_not_matter),
        IN_A_FOLDER(a_file_without_a_whole_line_is_never_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
