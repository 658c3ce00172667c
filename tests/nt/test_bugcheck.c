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
    assert_string_equal(pb_bugcheck_name(0xCC), "PAGE_FAULT_IN_FREED_SPECIAL_POOL");
    assert_string_equal(pb_bugcheck_name(0xCD), "PAGE_FAULT_BEYOND_END_OF_ALLOCATION");
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

struct words {
    uint32_t bugcheck[5];
    const char *line;
};

static void assert_lines(const struct words *cases, size_t n)
{
    char line[LINE_MOST];
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(last_words(line, cases[i].bugcheck), SIGABRT);
        assert_string_equal(line, cases[i].line);
    }
}

static void the_line(void **state)
{
    static const struct words cases[] = {
        {{0xC2, 0x99, 0x1234, 0, 0},
         "bugcheck 0xC2 BAD_POOL_CALLER 0x99 (free of an address inside a block): 0x1234, 0x0, "
         "0x0\n"},
        {{0x19, 0x20, 1, 2, 3},
         "bugcheck 0x19 BAD_POOL_HEADER 0x20 (written outside its bounds): 0x1, 0x2, 0x3\n"},
        {{0x19, 0x23, 0x10000, 0, 0},
         "bugcheck 0x19 BAD_POOL_HEADER 0x23 (nothing big begins there: freed already, or inside a "
         "big block): 0x10000, 0x0, 0x0\n"},
        {{0xC2, 0x77, 1, 2, 3}, "bugcheck 0xC2 BAD_POOL_CALLER: 0x77, 0x1, 0x2, 0x3\n"},
        {{0xC4, 0x7C, 1, 2, 3},
         "bugcheck 0xC4 DRIVER_VERIFIER_DETECTED_VIOLATION 0x7C (an MDL is unlocked that is not "
         "locked): 0x1, 0x2, 0x3\n"},
        {{0xC4, 0x99, 1, 2, 3},
         "bugcheck 0xC4 DRIVER_VERIFIER_DETECTED_VIOLATION: 0x99, 0x1, 0x2, 0x3\n"},
        {{0x41, 0x1000, 0x440, 0x2E, 1},
         "bugcheck 0x41 MUST_SUCCEED_POOL_EMPTY (the reserve of must-succeed pool is used up): "
         "0x1000, 0x440, 0x2E, 0x1\n"},
        {{0x1A, 0x1010, 2, 0, 0},
         "bugcheck 0x1A MEMORY_MANAGEMENT 0x1010 (a section is unlocked that is not locked): 0x2, "
         "0x0, 0x0\n"},
        {{0xDEAD, 1, 2, 3, 0xFFFFFFFF}, "bugcheck 0xDEAD: 0x1, 0x2, 0x3, 0xFFFFFFFF\n"},
    };
    (void)state;
    assert_lines(cases, sizeof cases / sizeof *cases);
}

static void statuses_have_names(void **state)
{
    static const struct words cases[] = {
        {{0x1E, 0x80000002, 1, 0, 0},
         "bugcheck 0x1E KMODE_EXCEPTION_NOT_HANDLED 0x80000002 (STATUS_DATATYPE_MISALIGNMENT, "
         "raised outside of every PB_TRY): 0x1, 0x0, 0x0\n"},
        {{0x1E, 0xC0000005, 1, 0, 0},
         "bugcheck 0x1E KMODE_EXCEPTION_NOT_HANDLED 0xC0000005 (STATUS_ACCESS_VIOLATION, raised "
         "outside of every PB_TRY): 0x1, 0x0, 0x0\n"},
        {{0x1E, 0xC0000044, 1, 0, 0},
         "bugcheck 0x1E KMODE_EXCEPTION_NOT_HANDLED 0xC0000044 (STATUS_QUOTA_EXCEEDED, raised "
         "outside of every PB_TRY): 0x1, 0x0, 0x0\n"},
        {{0x1E, 0xC000009A, 1, 0, 0},
         "bugcheck 0x1E KMODE_EXCEPTION_NOT_HANDLED 0xC000009A (STATUS_INSUFFICIENT_RESOURCES, "
         "raised outside of every PB_TRY): 0x1, 0x0, 0x0\n"},
        {{0x1E, 0xE0001234, 1, 0, 0},
         "bugcheck 0x1E KMODE_EXCEPTION_NOT_HANDLED (a status raised outside of every PB_TRY): "
         "0xE0001234, 0x1, 0x0, 0x0\n"},
    };
    (void)state;
    assert_lines(cases, sizeof cases / sizeof *cases);
}

static void tags_are_shown_as_text(void **state)
{
    static const struct words cases[] = {
        {{0xC2, 7, 0, 0x64657246, 0x1234},
         "bugcheck 0xC2 BAD_POOL_CALLER 0x7 (double free): 0x0, 0x64657246 ('Fred'), 0x1234\n"},
        {{0xC2, 0xA, 0x1234, 0x64657246, 0xE47B0141},
         "bugcheck 0xC2 BAD_POOL_CALLER 0xA (free with another tag): 0x1234, 0x64657246 ('Fred'), "
         "0xE47B0141 ('A.{d')\n"}, /* protected, and a character that cannot be shown */
        {{0xC2, 0x9B, 1, 70, 0}, "bugcheck 0xC2 BAD_POOL_CALLER 0x9B (tag 0): 0x1, 0x46, 0x0\n"},
        {{0xC4, 7, 1, 0x64657246, 3},
         "bugcheck 0xC4 DRIVER_VERIFIER_DETECTED_VIOLATION 0x7 (an entry that the lookaside list "
         "has already): 0x1, 0x64657246 ('Fred'), 0x3\n"},
    };
    (void)state;
    assert_lines(cases, sizeof cases / sizeof *cases);
}

/* Each code says what is wrong, by its first parameter or whatever that is. */
static void no_code_is_without_words(void **state)
{
    static const uint32_t codes[][2] = {
        {0x09, 2},    {0x0A, 2},    {0x0F, 2},      {0x10, 2},      {0x1E, 2},    {0x21, 2},
        {0x3F, 2},    {0x40, 2},    {0x41, 2},      {0x76, 1},      {0xCC, 2},    {0xCD, 2},
        {0xDA, 0},    {0xC2, 0x9C}, {0x1A, 0x1010}, {0x1A, 0x1234}, {0xC4, 0x7C}, {0xC4, 0x7D},
        {0xC4, 0xB0}, {0xC4, 0xB2}, {0xC4, 0xB3},   {0xC4, 0xB4},   {0xC4, 0xB8}, {0xC4, 7}};
    char line[LINE_MOST];
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        const uint32_t bugcheck[5] = {codes[i][0], codes[i][1], 0, 0, 0};
        assert_int_equal(last_words(line, bugcheck), SIGABRT);
        if (strchr(line, '(') == NULL || strstr(line, "): 0x") == NULL)
            fail_msg("no words: %s", line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("A15: each code has its name", codes_have_names),
        nt_test("A15: the hook gets the code and four parameters",
                the_hook_gets_code_and_parameters),
        nt_test("A15: the standard hook writes one line and aborts", the_line),
        nt_test("A15: 0x1E names the status", statuses_have_names),
        nt_test("A15: tags are shown as text too", tags_are_shown_as_text),
        nt_test("A15: each code says in words what is wrong", no_code_is_without_words),
    };
    return cmocka_run_group_tests_name("bugcheck", tests, NULL, NULL);
}
