/* SPDX-License-Identifier: MIT */
/* Memory that stands behind an arena: locked and there before it is touched, executable; and what
 * each does when the system refuses. A file's is in test_pages_backing_file.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "nt/pages_backing_fixture.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

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
        skip_because("RLIMIT_MEMLOCK is below a mebibyte");
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
        skip_because("the system does not let this user go");
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
        skip_because("locked pages cannot be dropped before Linux 5.18");
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
    skip_because("this test is of x86-64 code");
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
