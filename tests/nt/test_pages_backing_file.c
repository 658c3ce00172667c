/* SPDX-License-Identifier: MIT */
/* A file that stands behind an arena: its room, its pages that can be evicted and come back by hard
 * faults, and what it does when the system refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "nt/pages_backing_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static long hard_faults(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_majflt;
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
        skip_because("the folder for temporary files is in memory");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
