/* SPDX-License-Identifier: MIT */
/* Bugchecks: names, the hook that is called, and the line that the standard one writes as it ends
 * the program. Each line is written by a child. May touch: standard error, in children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_MOST = 512 };

static void codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(pb_bugcheck_name(0x09), "IRQL_NOT_GREATER_OR_EQUAL");
    assert_string_equal(pb_bugcheck_name(0x0A), "IRQL_NOT_LESS_OR_EQUAL");
    assert_string_equal(pb_bugcheck_name(0x0F), "SPIN_LOCK_ALREADY_OWNED");
    assert_string_equal(pb_bugcheck_name(0x10), "SPIN_LOCK_NOT_OWNED");
    assert_string_equal(pb_bugcheck_name(0x19), "BAD_POOL_HEADER");
    assert_string_equal(pb_bugcheck_name(0x1E), "KMODE_EXCEPTION_NOT_HANDLED");
    assert_string_equal(pb_bugcheck_name(0x21), "QUOTA_UNDERFLOW");
    assert_string_equal(pb_bugcheck_name(0x3F), "NO_MORE_SYSTEM_PTES");
    assert_string_equal(pb_bugcheck_name(0x41), "MUST_SUCCEED_POOL_EMPTY");
    assert_string_equal(pb_bugcheck_name(0x76), "PROCESS_HAS_LOCKED_PAGES");
    assert_string_equal(pb_bugcheck_name(0xC2), "BAD_POOL_CALLER");
    assert_string_equal(pb_bugcheck_name(0xC4), "DRIVER_VERIFIER_DETECTED_VIOLATION");
    assert_string_equal(pb_bugcheck_name(0x1A), "MEMORY_MANAGEMENT");
    assert_string_equal(pb_bugcheck_name(0x40), "TARGET_MDL_TOO_SMALL");
    assert_string_equal(pb_bugcheck_name(0xDA), "SYSTEM_PTE_MISUSE");
    assert_null(pb_bugcheck_name(0));
    assert_null(pb_bugcheck_name(0xDEAD));
}

static void the_hook_gets_code_and_parameters(void **state)
{
    (void)state;
    KeBugCheckEx(0x41, 0x1000, 0x440, 0x2E, 0x1);
    assert_int_equal(nt_seen.code, MUST_SUCCEED_POOL_EMPTY);
    assert_int_equal(nt_seen.p[0], 0x1000);
    assert_int_equal(nt_seen.p[1], 0x440);
    assert_int_equal(nt_seen.p[2], 0x2E);
    assert_int_equal(nt_seen.p[3], 0x1);
    nt_forget();
    expect_bugcheck(KeBugCheck(BAD_POOL_HEADER), BAD_POOL_HEADER, 0);
}

/* What the child that ends by this bugcheck wrote, into `line`; returns the signal that ended it.
 */
static int last_words(char *line, const uint32_t *bugcheck)
{
    int ends[2], status = 0;
    size_t length = 0;
    ssize_t n;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        pb_bugcheck_hook = pb_bugcheck_abort;
        (void)dup2(ends[1], STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        KeBugCheckEx(bugcheck[0], bugcheck[1], bugcheck[2], bugcheck[3], bugcheck[4]);
        _exit(0);
    }
    (void)close(ends[1]);
    while (length < LINE_MOST - 1 && (n = read(ends[0], line + length, LINE_MOST - 1 - length)) > 0)
        length += (size_t)n;
    line[length] = '\0';
    (void)close(ends[0]);
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void the_line(void **state)
{
    static const struct {
        uint32_t bugcheck[5];
        const char *line;
    } cases[] = {
        {{0xC2, 7, 0, 0x74736554, 0x1234},
         "bugcheck 0xC2 BAD_POOL_CALLER 0x7 (double free): 0x0, 0x74736554, 0x1234\n"},
        {{0x19, 0x20, 1, 2, 3},
         "bugcheck 0x19 BAD_POOL_HEADER 0x20 (written past its end): 0x1, 0x2, 0x3\n"},
        {{0xC4, 0, 1, 2, 3},
         "bugcheck 0xC4 DRIVER_VERIFIER_DETECTED_VIOLATION 0x0 (request of 0 bytes): 0x1, 0x2, "
         "0x3\n"},
        {{0xC2, 0x77, 1, 2, 3}, "bugcheck 0xC2 BAD_POOL_CALLER: 0x77, 0x1, 0x2, 0x3\n"},
        {{0x41, 0x1000, 0x440, 0x2E, 1},
         "bugcheck 0x41 MUST_SUCCEED_POOL_EMPTY: 0x1000, 0x440, 0x2E, 0x1\n"},
        {{0xDEAD, 1, 2, 3, 4}, "bugcheck 0xDEAD: 0x1, 0x2, 0x3, 0x4\n"},
    };
    char line[LINE_MOST];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(last_words(line, cases[i].bugcheck), SIGABRT);
        assert_string_equal(line, cases[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("A15: each code has its name", codes_have_names),
        nt_test("A15: the hook gets the code and four parameters",
                the_hook_gets_code_and_parameters),
        nt_test("A15: the standard hook writes one line and aborts", the_line),
    };
    return cmocka_run_group_tests_name("bugcheck", tests, NULL, NULL);
}
