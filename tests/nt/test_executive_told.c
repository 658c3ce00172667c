/* SPDX-License-Identifier: MIT */
/* What the executive tells others: of leaks, at the program's exit, and by its table of tags in a
 * file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include "nt/pages.h"
#include "nt/pool_calls.h"
#include "nt/told.h"
#include "pool/executive.h"
#include "pool/tags_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_TEXT_BYTES = 8 * TEXT_BYTES, TAG_CARL = 0x6C726143 /* "Carl" */ };

static void print_leaks(void)
{
    assert_int_equal(pb_executive_leaks(STDERR_FILENO), 2);
}

static void leaks_are_shown_as_poolmon_does(void **state)
{
    char text[TEXT_BYTES];
    (void)state;
    void *freed = ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED);
    void *a = ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED);
    void *b = ExAllocatePoolWithTag(PagedPool, 5000, TAG_FRED);
    void *c = ExAllocatePoolWithTag(PagedPool, 5000, TAG_CARL);
    ExFreePool(freed);
    ExFreePool(c);
    captured(print_leaks, text);
    assert_string_equal(text,
                        "poolbench: never freed:\n"
                        "Tag  Type      Allocs      Frees       Diff        Bytes  Per Alloc\n"
                        "Fred Nonp           2          1          1          128        128\n"
                        "Fred Paged          1          0          1         8192       8192\n");
    ExFreePool(a);
    ExFreePool(b);
}

static void print_two(void)
{
    assert_int_equal(pb_executive_leaks(STDERR_FILENO), 2);
}

static void more_frees_than_allocations_are_below_zero(void **state)
{
    char text[TEXT_BYTES];
    (void)state;
    void *fred = ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED);
    void *carl = ExAllocatePoolWithTag(NonPagedPool, 100, TAG_CARL);
    ExFreePool(fred);
    ExFreePool(carl);
    struct pool_tags *tags = pb_executive()->tags;
    pb_pool_tags_freed(tags, TAG_CARL, false, 128); /* as if Fred's were freed as Carl's */
    pb_pool_tags_allocated(tags, TAG_FRED, false, 128);
    captured(print_two, text);
    assert_non_null(
        strstr(text, "Carl Nonp           1          2         -1         -128          -\n"));
    assert_non_null(
        strstr(text, "Fred Nonp           2          1          1          128        128\n"));
    pb_pool_tags_freed(tags, TAG_FRED, false, 128);
    pb_pool_tags_allocated(tags, TAG_CARL, false, 128);
}

/* Runs `child` in a process of its own; what it wrote to standard error. */
static void run_child(void (*child)(void), char *text)
{
    int ends[2], status = 0;
    size_t used = 0;
    ssize_t bytes;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        child();
        exit(0);
    }
    close(ends[1]);
    while ((bytes = read(ends[0], text + used, CHILD_TEXT_BYTES - 1 - used)) > 0)
        used += (size_t)bytes;
    text[used] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
}

static void leak(const char *wish)
{
    setenv("PB_NT_LEAKS", wish, 1);
    (void)ExAllocatePoolWithTag(PagedPool, 5000, TAG_CARL);
}

static void free_and_exit(void)
{
    setenv("PB_NT_LEAKS", "1", 1);
    ExFreePool(ExAllocatePoolWithTag(PagedPool, 5000, TAG_CARL));
}

static void leak_and_exit(void)
{
    leak("1");
}

static void leak_with_yes(void)
{
    leak("yes");
}

static void leak_with_0(void)
{
    leak("0");
}

static void leak_with_nothing(void)
{
    leak("");
}

static void leak_without_tags(void)
{
    configure("tags=off");
    setenv("PB_NT_LEAKS", "1", 1);
    for (unsigned i = 0; i < 4; i++)
        (void)ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED);
    leak("2");
}

static void free_without_tags(void)
{
    configure("tags=off");
    setenv("PB_NT_LEAKS", "1", 1);
    ExFreePool(ExAllocatePoolWithTag(PagedPool, 5000, TAG_CARL));
}

static void free_twice_without_tags(void)
{
    configure("tags=off,profile=x64");
    setenv("PB_NT_LEAKS", "1", 1);
    void *block = ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED);
    ExFreePool(block);
    ExFreePool(block); /* a list holds it twice then: nothing in it is followed */
}

/* 64 slots, four of them known from the beginning. */
static void leak_in_a_full_table(void)
{
    configure("tag_slots=64");
    setenv("PB_NT_LEAKS", "1", 1);
    for (ULONG tag = 0x30303030; tag < 0x30303030 + 100; tag++)
        (void)ExAllocatePoolWithTag(NonPagedPool, 100, tag);
}

static void an_exit_tells_leaks_where_it_is_asked_to(void **state)
{
    char text[CHILD_TEXT_BYTES];
    (void)state;
    run_child(leak_and_exit, text);
    assert_non_null(strstr(text, "Carl Paged          1          0          1         8192"));
    run_child(free_and_exit, text);
    assert_null(strstr(text, "Tag "));
}

static void leaks_are_told_where_the_wish_is_not_0(void **state)
{
    char text[CHILD_TEXT_BYTES];
    (void)state;
    run_child(leak_with_yes, text);
    assert_non_null(strstr(text, "poolbench: never freed:\nTag "));
    run_child(leak_with_0, text);
    assert_string_equal(text, "");
    run_child(leak_with_nothing, text);
    assert_string_equal(text, "");
}

static void leaks_without_tags_are_a_number(void **state)
{
    char text[CHILD_TEXT_BYTES];
    (void)state;
    run_child(leak_without_tags, text);
    assert_string_equal(text, "poolbench: 5 blocks were never freed; tags=on says whose\n");
    run_child(free_without_tags, text);
    assert_string_equal(text, "");
    run_child(free_twice_without_tags, text);
    assert_string_equal(text, "poolbench: 1 more frees than allocations; tags=on says whose\n");
}

static void a_full_table_says_that_rows_are_missing(void **state)
{
    char text[CHILD_TEXT_BYTES];
    (void)state;
    run_child(leak_in_a_full_table, text);
    assert_non_null(strstr(text,
                           "\npoolbench: 100 blocks were never freed; rows are missing above: "
                           "the table of tags was full, a larger tag_slots= has them all\n"));
}

static void the_table_can_be_read_by_others(void **state)
{
    char path[] = "test_executive_told.XXXXXX";
    struct pool_tags *tags = NULL;
    SYSTEM_POOLTAG rows[4];
    (void)state;
    int made = mkstemp(path);
    assert_true(made >= 0);
    setenv("PB_POOLMON", path, 1);
    configure("tags=off"); /* who asks for the table gets it */
    void *block = ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(pb_pool_tags_attach(file, &tags), 0);
    assert_int_equal(pb_pool_tags_read(tags, rows, 4), 1);
    assert_int_equal(rows[0].TagUlong, TAG_FRED);
    assert_int_equal(rows[0].NonPagedAllocs, 1);
    assert_int_equal(rows[0].NonPagedFrees, 0);
    ExFreePool(block);
    assert_int_equal(pb_pool_tags_read(tags, rows, 4), 1);
    assert_int_equal(rows[0].NonPagedFrees, 1);
    pb_pool_tags_close(tags);
    close(file);
    close(made);
    unsetenv("PB_POOLMON");
    unlink(path);
}

static void begin_with_no_file(void)
{
    ExFreePool(ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED));
}

static void a_table_that_cannot_be_made_stops_nothing(void **state)
{
    char text[TEXT_BYTES];
    (void)state;
    setenv("PB_POOLMON", "/nosuch/folder/tags", 1);
    captured(begin_with_no_file, text);
    unsetenv("PB_POOLMON");
    assert_string_equal(text,
                        "poolbench: PB_POOLMON=/nosuch/folder/tags: no table of tags is made: "
                        "No such file or directory; name a file in a folder that can be "
                        "written and has room\n");
    assert_int_equal(row_of(TAG_FRED).NonPagedFrees, 1);
}

static int refuse_room(int file, size_t from, size_t bytes)
{
    (void)file, (void)from, (void)bytes;
    return -ENOSPC;
}

/* A full disk takes the file and not its content. */
static void a_table_without_room_stops_nothing(void **state)
{
    struct pb_pages_backing_system full = *pb_pages_backing_system;
    const struct pb_pages_backing_system *was = pb_pages_backing_system;
    char path[] = "test_executive_told.XXXXXX", text[TEXT_BYTES];
    (void)state;
    int made = mkstemp(path);
    assert_true(made >= 0);
    full.allocate = refuse_room;
    pb_pages_backing_system = &full;
    setenv("PB_POOLMON", path, 1);
    captured(begin_with_no_file, text);
    unsetenv("PB_POOLMON");
    pb_pages_backing_system = was;
    assert_non_null(strstr(text, "PB_POOLMON"));
    assert_int_equal(row_of(TAG_FRED).NonPagedFrees, 1);
    close(made);
    unlink(path);
}

enum { KIND_FILE, KIND_READ_ONLY, KIND_SHORT, KIND_LINK, KIND_DANGLING, KIND_FOLDER, KIND_FIFO };

static const char precious[] = "what its owner wants to keep";

static void put(const char *path, const char *text, mode_t mode)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(file, mode), 0);
    close(file);
}

static void make_kind(int kind, const char *path, const char *other)
{
    put(other, precious, 0600);
    switch (kind) {
    case KIND_FILE:
    case KIND_READ_ONLY:
        put(path, precious, kind == KIND_FILE ? 0600 : 0400);
        break;
    case KIND_SHORT:
        put(path, "1", 0600);
        break;
    case KIND_LINK:
    case KIND_DANGLING:
        assert_int_equal(symlink(kind == KIND_LINK ? other : "nosuch", path), 0);
        break;
    case KIND_FOLDER:
        assert_int_equal(mkdir(path, 0700), 0);
        break;
    default:
        assert_int_equal(mkfifo(path, 0600), 0);
    }
}

/* Whatever has the name keeps it, and its content. */
static void what_is_no_table_is_left_as_it_is(void **state)
{
    char text[TEXT_BYTES], line[200], kept[64];
    (void)state;
    for (int kind = KIND_FILE; kind <= KIND_FIFO; kind++) {
        char folder[] = "test_executive_told.XXXXXX", path[64], other[64];
        struct stat before, after;
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof path, "%s/prec", folder);
        snprintf(other, sizeof other, "%s/other", folder);
        make_kind(kind, path, other);
        assert_int_equal(lstat(path, &before), 0);
        setenv("PB_POOLMON", path, 1);
        captured(begin_with_no_file, text);
        unsetenv("PB_POOLMON");
        snprintf(line, sizeof line,
                 "poolbench: PB_POOLMON=%s: not a table of tags, left as it is; name a new file\n",
                 path);
        assert_string_equal(text, line);
        assert_int_equal(lstat(path, &after), 0);
        assert_true(before.st_ino == after.st_ino && before.st_mode == after.st_mode &&
                    before.st_size == after.st_size);
        int file = open(kind == KIND_FILE ? path : other, O_RDONLY | O_CLOEXEC);
        assert_int_equal(read(file, kept, sizeof kept), sizeof precious - 1);
        assert_memory_equal(kept, precious, sizeof precious - 1);
        close(file);
        assert_int_equal(kind == KIND_FOLDER ? rmdir(path) : unlink(path), 0);
        assert_int_equal(unlink(other), 0);
        assert_int_equal(rmdir(folder), 0); /* nothing of ours is left */
        PbNtReset(NULL);
    }
}

static void a_table_takes_the_place_of_an_older_one(void **state)
{
    char folder[] = "test_executive_told.XXXXXX", path[64], text[TEXT_BYTES];
    char label[POOL_TAGS_LABEL_MAX];
    struct stat first, second;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/tags", folder);
    setenv("PB_POOLMON", path, 1);
    captured(begin_with_no_file, text);
    assert_string_equal(text, "");
    assert_int_equal(stat(path, &first), 0);
    int older = open(path, O_RDONLY | O_CLOEXEC); /* its number stays taken */
    pb_pool_tags_file_label(older, label, sizeof label);
    assert_string_equal(label, "");
    PbNtReset(NULL);
    setenv("PB_POOLMON_LABEL", "a cell at work", 1);
    captured(begin_with_no_file, text);
    assert_string_equal(text, "");
    assert_int_equal(stat(path, &second), 0);
    assert_true(first.st_ino != second.st_ino);
    int newer = open(path, O_RDONLY | O_CLOEXEC);
    pb_pool_tags_file_label(newer, label, sizeof label);
    assert_string_equal(label, "a cell at work");
    unsetenv("PB_POOLMON");
    unsetenv("PB_POOLMON_LABEL");
    close(older);
    close(newer);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pool_test("A9: leaks are shown with poolmon's columns", leaks_are_shown_as_poolmon_does),
        pool_test("A9: PB_NT_LEAKS=1 tells leaks at exit, and nothing if there are none",
                  an_exit_tells_leaks_where_it_is_asked_to),
        pool_test("A9: with PB_POOLMON another process reads the table of tags",
                  the_table_can_be_read_by_others),
        pool_test("A9: a table that cannot be made stops nothing",
                  a_table_that_cannot_be_made_stops_nothing),
        pool_test("A9: a table that the disk has no room for stops nothing",
                  a_table_without_room_stops_nothing),
        pool_test("A9: a tag with more frees than allocations has a Diff and bytes below 0",
                  more_frees_than_allocations_are_below_zero),
        pool_test("A9: PB_NT_LEAKS=yes tells leaks, PB_NT_LEAKS=0 and an empty one do not",
                  leaks_are_told_where_the_wish_is_not_0),
        pool_test("A9: with tags=off PB_NT_LEAKS=2 tells how many blocks leaked",
                  leaks_without_tags_are_a_number),
        pool_test("A9: leaks of a full table say that rows are missing",
                  a_full_table_says_that_rows_are_missing),
        pool_test("A9: PB_POOLMON leaves a file, link, folder or fifo that is no table as it is",
                  what_is_no_table_is_left_as_it_is),
        pool_test("A9: PB_POOLMON takes the place of an older table, PB_POOLMON_LABEL names it",
                  a_table_takes_the_place_of_an_older_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
