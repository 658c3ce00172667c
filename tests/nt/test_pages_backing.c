/* SPDX-License-Identifier: MIT */
/* What stands behind an arena: locked memory that is there before it is touched, executable memory,
 * and a file whose pages can be evicted; and what each does when the system refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20, PIECE = 64 };

/* A system that counts its calls and refuses the n-th of those it is told to. */
enum call { LOCK, EXECUTE, DROP, MAKE_FILE, MAP, ALLOCATE, CLEAR, EVICT, CALLS };
static struct {
    unsigned count[CALLS], refuse[CALLS]; /* counted from 1; 0: none */
    int error;
} refused;

static bool refuses(enum call call)
{
    return ++refused.count[call] == refused.refuse[call];
}

static int test_lock(void *at, size_t bytes)
{
    return refuses(LOCK) ? refused.error : pb_pages_backing_linux.lock(at, bytes);
}

static int test_execute(void *at, size_t bytes)
{
    return refuses(EXECUTE) ? refused.error : pb_pages_backing_linux.execute(at, bytes);
}

static int test_drop(void *at, size_t bytes)
{
    return refuses(DROP) ? refused.error : pb_pages_backing_linux.drop(at, bytes);
}

static int test_file(const char *dir)
{
    return refuses(MAKE_FILE) ? refused.error : pb_pages_backing_linux.file(dir);
}

static int test_map(int file, void *at, size_t bytes)
{
    return refuses(MAP) ? refused.error : pb_pages_backing_linux.map(file, at, bytes);
}

static int test_allocate(int file, size_t from, size_t bytes)
{
    return refuses(ALLOCATE) ? refused.error : pb_pages_backing_linux.allocate(file, from, bytes);
}

static int test_clear(int file, size_t from, void *at, size_t bytes)
{
    return refuses(CLEAR) ? refused.error : pb_pages_backing_linux.clear(file, from, at, bytes);
}

static int test_evict(int file, size_t from, void *at, size_t bytes)
{
    return refuses(EVICT) ? refused.error : pb_pages_backing_linux.evict(file, from, at, bytes);
}

static void refuse(enum call call, unsigned nth, int error)
{
    refused.refuse[call] = refused.count[call] + nth;
    refused.error = error;
}

static int install(void **state)
{
    static const struct pb_pages_backing_system refusing = {.lock = test_lock,
                                                            .execute = test_execute,
                                                            .drop = test_drop,
                                                            .file = test_file,
                                                            .map = test_map,
                                                            .allocate = test_allocate,
                                                            .clear = test_clear,
                                                            .evict = test_evict};
    (void)state;
    memset(&refused, 0, sizeof refused);
    pb_pages_backing_system = &refusing;
    return 0;
}

static int uninstall(void **state)
{
    (void)state;
    pb_pages_backing_system = &pb_pages_backing_linux;
    return 0;
}

static int open_on(struct pb_pages *pages, size_t bytes, enum pb_backing backing)
{
    char message[256] = "";
    return pb_pages_open_backed(pages, bytes, bytes, 1, backing, NULL, message, sizeof message);
}

static size_t resident_pages(void *at, size_t pages)
{
    unsigned char in_core[PIECE];
    size_t count = 0;
    assert_true(pages <= PIECE);
    assert_int_equal(mincore(at, pages * pb_page_bytes(), in_core), 0);
    for (size_t i = 0; i < pages; i++)
        count += in_core[i] & 1;
    return count;
}

static long hard_faults(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_majflt;
}

static void locked_memory_is_resident_before_it_is_touched(void **state)
{
    (void)state;
    struct pb_pages pages;
    assert_int_equal(open_on(&pages, 4 * MIB, PB_BACKING_LOCKED), 0);
    unsigned char *at = pb_pages_take(&pages, PIECE * pb_page_bytes());
    assert_non_null(at);
    if (pages.lock_error == 0) {
        assert_int_equal(pages.locked_bytes, MIB);
        assert_int_equal(resident_pages(at, PIECE), PIECE);
    }
    assert_int_equal(refused.count[LOCK], 1);
    assert_int_equal(refused.count[EXECUTE], 0);
    assert_int_equal(pages.file, -1);
    for (size_t i = 0; i < PIECE * pb_page_bytes(); i++)
        assert_int_equal(at[i], 0);
    pb_pages_close(&pages);
}

static void anonymous_memory_is_not_resident_before_it_is_touched(void **state)
{
    (void)state;
    struct pb_pages pages;
    assert_int_equal(open_on(&pages, 4 * MIB, PB_BACKING_ANONYMOUS), 0);
    unsigned char *at = pb_pages_take(&pages, PIECE * pb_page_bytes());
    assert_non_null(at);
    assert_int_equal(resident_pages(at, PIECE), 0);
    assert_int_equal(refused.count[LOCK], 0);
    pb_pages_close(&pages);
}

static void a_refused_lock_is_remembered_and_the_arena_goes_on(void **state)
{
    (void)state;
    struct pb_pages pages;
    refuse(LOCK, 2, -ENOMEM);
    assert_int_equal(open_on(&pages, 4 * MIB, PB_BACKING_LOCKED), 0);
    unsigned char *at = pb_pages_take(&pages, MIB);
    assert_non_null(at);
    if (pages.lock_error != 0)
        skip(); /* RLIMIT_MEMLOCK is below a mebibyte here: the first step was refused for real */
    for (unsigned i = 0; i < 3; i++)
        assert_non_null(pb_pages_take(&pages, MIB));
    memset(at, 0xA5, 4 * MIB);
    assert_int_equal(pages.lock_error, -ENOMEM);
    assert_int_equal(pages.locked_bytes, MIB);
    assert_int_equal(refused.count[LOCK], 2); /* not asked again */
    assert_int_equal(pages.held_bytes, 4 * MIB);
    pb_pages_close(&pages);
}

/* What the child found out, as its exit status; 0 is good, 77 impossible here. */
static int limited_child(void)
{
    struct pb_pages pages;
    struct rlimit limit = {2 * MIB + MIB / 2, 2 * MIB + MIB / 2};
    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || (geteuid() == 0 && setuid(65534) != 0))
        return 77;
    char message[256];
    if (pb_pages_open_backed(&pages, 4 * MIB, MIB, 1, PB_BACKING_LOCKED, NULL, message,
                             sizeof message) != 0)
        return 1;
    for (unsigned i = 0; i < 4; i++) {
        unsigned char *at = pb_pages_take(&pages, MIB);
        if (at == NULL)
            return 2;
        memset(at, 1, MIB);
    }
    return pages.locked_bytes == 2 * MIB && pages.lock_error == -ENOMEM ? 0 : 3;
}

static void the_limit_on_locked_memory_ends_the_locking(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(limited_child());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip(); /* a user whom the system does not let go */
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_locked_piece_is_dropped_and_comes_back_zero_and_resident(void **state)
{
    (void)state;
    struct pb_pages pages;
    const size_t page = pb_page_bytes();
    assert_int_equal(open_on(&pages, MIB, PB_BACKING_LOCKED), 0);
    unsigned char *at = pb_pages_take(&pages, 8 * page);
    assert_non_null(at);
    memset(at, 0xA5, 8 * page);
    size_t locked = pages.locked_bytes;
    int error = pb_pages_release(&pages, at + 2 * page, 4 * page);
    if (error == -EINVAL && locked > 0) { /* before Linux 5.18 */
        assert_int_equal(pages.held_bytes, 8 * page);
        skip();
    }
    assert_int_equal(error, 0);
    assert_int_equal(pages.held_bytes, 4 * page);
    assert_int_equal(resident_pages(at, 8), 4);
    assert_int_equal(pb_pages_reuse(&pages, at + 2 * page, 4 * page), 0);
    if (locked > 0)
        assert_int_equal(resident_pages(at, 8), 8);
    assert_int_equal(pages.locked_bytes, locked);
    assert_int_equal(pages.held_bytes, 8 * page);
    assert_int_equal(at[2 * page - 1], 0xA5);
    for (size_t i = 2 * page; i < 6 * page; i++)
        assert_int_equal(at[i], 0);
    assert_int_equal(at[6 * page], 0xA5);
    pb_pages_close(&pages);
}

static void a_refused_drop_stays_held(void **state)
{
    (void)state;
    struct pb_pages pages;
    refuse(DROP, 1, -EINVAL);
    assert_int_equal(open_on(&pages, MIB, PB_BACKING_LOCKED), 0);
    unsigned char *at = pb_pages_take(&pages, pb_page_bytes());
    assert_non_null(at);
    at[0] = 7;
    assert_int_equal(pb_pages_release(&pages, at, pb_page_bytes()), -EINVAL);
    assert_int_equal(pages.held_bytes, pb_page_bytes());
    assert_int_equal(at[0], 7);
    pb_pages_close(&pages);
}

static void executable_memory_runs_what_is_written_into_it(void **state)
{
    (void)state;
#if defined(__x86_64__)
    static const unsigned char code[] = {0xB8, 42, 0, 0, 0, 0xC3}; /* mov $42,%eax; ret */
    struct pb_pages pages;
    int (*call)(void);
    assert_int_equal(open_on(&pages, MIB, PB_BACKING_LOCKED_EXEC), 0);
    unsigned char *at = pb_pages_take(&pages, pb_page_bytes());
    assert_non_null(at);
    if (pages.exec_error == 0) {
        memcpy(at, code, sizeof code);
        memcpy(&call, &at, sizeof call);
        assert_int_equal(call(), 42);
    }
    pb_pages_close(&pages);
#else
    skip(); /* the code above is x86's */
#endif
}

static void a_refused_execution_is_remembered_and_the_arena_goes_on(void **state)
{
    (void)state;
    struct pb_pages pages;
    refuse(EXECUTE, 1, -EACCES);
    assert_int_equal(open_on(&pages, 4 * MIB, PB_BACKING_LOCKED_EXEC), 0);
    assert_non_null(pb_pages_take(&pages, 1));
    assert_non_null(pb_pages_take(&pages, 2 * MIB));
    assert_int_equal(pages.exec_error, -EACCES);
    assert_int_equal(refused.count[EXECUTE], 1);
    assert_int_equal(refused.count[LOCK], 2);
    pb_pages_close(&pages);
}

static void a_file_has_no_name_and_is_as_long_as_the_reservation(void **state)
{
    (void)state;
    struct pb_pages pages;
    struct stat file;
    assert_int_equal(open_on(&pages, 64 * MIB, PB_BACKING_FILE), 0);
    assert_int_equal(fstat(pages.file, &file), 0);
    assert_int_equal(file.st_nlink, 0);
    assert_int_equal(file.st_size, 64 * MIB);
    assert_int_equal(file.st_blocks, 0);
    unsigned char *at = pb_pages_take(&pages, pb_page_bytes());
    assert_non_null(at);
    assert_int_equal(fstat(pages.file, &file), 0);
    assert_true(file.st_blocks * 512 >= MIB); /* the step has its room before it is touched */
    assert_int_equal(at[0], 0);
    int number = pages.file;
    pb_pages_close(&pages);
    assert_int_equal(fcntl(number, F_GETFD), -1);
    assert_int_equal(pages.file, -1);
}

static void an_evicted_piece_is_read_back_by_a_hard_fault_a_page(void **state)
{
    (void)state;
    struct pb_pages pages;
    const size_t page = pb_page_bytes();
    assert_int_equal(open_on(&pages, 4 * MIB, PB_BACKING_FILE), 0);
    unsigned char *at = pb_pages_take(&pages, PIECE * page);
    assert_non_null(at);
    for (size_t i = 0; i < PIECE; i++)
        memset(at + i * page, (int)(i + 1), page);
    assert_int_equal(resident_pages(at, PIECE), PIECE);
    int error = pb_pages_evict(&pages, at + page, (PIECE - 2) * page);
    if (error == -ENOTSUP) {
        print_message("skipped: the folder for temporary files is in memory\n");
        skip();
    }
    assert_int_equal(error, 0);
    assert_int_equal(resident_pages(at + page, PIECE - 2), 0);
    long before = hard_faults();
    for (size_t i = 0; i < PIECE; i++)
        assert_int_equal(((volatile unsigned char *)at)[i * page + i], i + 1);
    assert_true(hard_faults() - before >= PIECE - 2);
    assert_int_equal(resident_pages(at, PIECE), PIECE);
    assert_int_equal(pages.held_bytes, PIECE * page);
    pb_pages_close(&pages);
}

static void evict_refuses_what_is_no_piece_of_a_file(void **state)
{
    (void)state;
    struct pb_pages pages;
    assert_int_equal(open_on(&pages, 4 * MIB, PB_BACKING_ANONYMOUS), 0);
    void *at = pb_pages_take(&pages, pb_page_bytes());
    assert_int_equal(pb_pages_evict(&pages, at, pb_page_bytes()), -ENOTSUP);
    pb_pages_close(&pages);
    assert_int_equal(open_on(&pages, 4 * MIB, PB_BACKING_FILE), 0);
    at = pb_pages_take(&pages, pb_page_bytes());
    assert_int_equal(pb_pages_evict(&pages, (char *)at + 1, pb_page_bytes()), -EINVAL);
    assert_int_equal(pb_pages_evict(&pages, at, 2 * MIB), -EINVAL);
    refuse(EVICT, 1, -EIO);
    assert_int_equal(pb_pages_evict(&pages, at, pb_page_bytes()), -EIO);
    pb_pages_close(&pages);
}

static void a_released_piece_of_a_file_leaves_memory_and_reads_as_zero(void **state)
{
    (void)state;
    struct pb_pages pages;
    const size_t page = pb_page_bytes();
    assert_int_equal(open_on(&pages, MIB, PB_BACKING_FILE), 0);
    unsigned char *at = pb_pages_take(&pages, 8 * page);
    assert_non_null(at);
    memset(at, 0xA5, 8 * page);
    assert_int_equal(pb_pages_release(&pages, at + 2 * page, 4 * page), 0);
    assert_int_equal(resident_pages(at + 2 * page, 4), 0);
    assert_int_equal(pages.held_bytes, 4 * page);
    assert_int_equal(pb_pages_release(&pages, at + 1, page), -EINVAL);
    assert_int_equal(pb_pages_reuse(&pages, at + 2 * page, 4 * page), 0);
    assert_int_equal(at[2 * page - 1], 0xA5);
    for (size_t i = 2 * page; i < 6 * page; i++)
        assert_int_equal(at[i], 0);
    assert_int_equal(at[6 * page], 0xA5);
    pb_pages_close(&pages);
}

static void a_full_disk_refuses_the_take_and_the_reuse(void **state)
{
    (void)state;
    struct pb_pages pages;
    const size_t page = pb_page_bytes();
    assert_int_equal(open_on(&pages, 4 * MIB, PB_BACKING_FILE), 0);
    refuse(ALLOCATE, 1, -ENOSPC);
    assert_null(pb_pages_take(&pages, page));
    assert_int_equal(pages.taken_bytes, 0);
    assert_int_equal(pages.committed_bytes, 0);
    unsigned char *at = pb_pages_take(&pages, page);
    assert_ptr_equal(at, pages.base);
    assert_int_equal(pb_pages_release(&pages, at, page), 0);
    refuse(ALLOCATE, 1, -ENOSPC);
    assert_int_equal(pb_pages_reuse(&pages, at, page), -ENOSPC);
    assert_int_equal(pages.held_bytes, 0);
    refuse(CLEAR, 1, -EIO);
    assert_int_equal(pb_pages_reuse(&pages, at, page), 0);
    assert_int_equal(pb_pages_release(&pages, at, page), -EIO);
    assert_int_equal(pages.held_bytes, page);
    pb_pages_close(&pages);
}

static void a_file_that_cannot_be_made_names_the_folder(void **state)
{
    (void)state;
    struct pb_pages pages;
    char message[256] = "";
    assert_int_equal(pb_pages_open_backed(&pages, MIB, MIB, 1, PB_BACKING_FILE, "/nowhere/at/all",
                                          message, sizeof message),
                     -ENOENT);
    assert_non_null(strstr(message, "/nowhere/at/all"));
    assert_non_null(strstr(message, strerror(ENOENT)));
    refuse(MAKE_FILE, 1, -EROFS);
    assert_int_equal(open_on(&pages, MIB, PB_BACKING_FILE), -EROFS);
}

static void a_file_that_would_be_too_long_is_halved(void **state)
{
    (void)state;
    struct pb_pages pages;
    char message[256] = "";
    refuse(MAP, 1, -EFBIG);
    assert_int_equal(pb_pages_open_backed(&pages, 16 * MIB, MIB, 1, PB_BACKING_FILE, NULL, message,
                                          sizeof message),
                     0);
    assert_int_equal(pages.reserved_bytes, 8 * MIB);
    assert_string_equal(message, "");
    pb_pages_close(&pages);
    refuse(MAP, 1, -EIO);
    assert_int_equal(pb_pages_open_backed(&pages, 16 * MIB, MIB, 1, PB_BACKING_FILE, NULL, message,
                                          sizeof message),
                     -EIO);
    assert_string_not_equal(message, "");
}

static int short_files_child(void)
{
    struct pb_pages pages;
    struct rlimit limit = {3 * MIB, 3 * MIB};
    char message[256];
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    if (pb_pages_open_backed(&pages, 16 * MIB, MIB, 1, PB_BACKING_FILE, NULL, message,
                             sizeof message) != 0)
        return 2;
    return pages.reserved_bytes == 2 * MIB ? 0 : 3;
}

static void the_limit_on_files_is_respected_and_sends_no_signal(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(short_files_child());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define BACKING_TEST(f) cmocka_unit_test_setup_teardown(f, install, uninstall)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BACKING_TEST(locked_memory_is_resident_before_it_is_touched),
        BACKING_TEST(anonymous_memory_is_not_resident_before_it_is_touched),
        BACKING_TEST(a_refused_lock_is_remembered_and_the_arena_goes_on),
        BACKING_TEST(the_limit_on_locked_memory_ends_the_locking),
        BACKING_TEST(a_locked_piece_is_dropped_and_comes_back_zero_and_resident),
        BACKING_TEST(a_refused_drop_stays_held),
        BACKING_TEST(executable_memory_runs_what_is_written_into_it),
        BACKING_TEST(a_refused_execution_is_remembered_and_the_arena_goes_on),
        BACKING_TEST(a_file_has_no_name_and_is_as_long_as_the_reservation),
        BACKING_TEST(an_evicted_piece_is_read_back_by_a_hard_fault_a_page),
        BACKING_TEST(evict_refuses_what_is_no_piece_of_a_file),
        BACKING_TEST(a_released_piece_of_a_file_leaves_memory_and_reads_as_zero),
        BACKING_TEST(a_full_disk_refuses_the_take_and_the_reuse),
        BACKING_TEST(a_file_that_cannot_be_made_names_the_folder),
        BACKING_TEST(a_file_that_would_be_too_long_is_halved),
        BACKING_TEST(the_limit_on_files_is_respected_and_sends_no_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
