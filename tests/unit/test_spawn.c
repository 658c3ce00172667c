/* SPDX-License-Identifier: MIT */
/* Children: every way in which one can end is an outcome with its reason. The children are shell
 * scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner/spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct pb_outcome outcome;
static bool loses_the_end;

/* In the place of libc's: the child is reaped, and if told to, by somebody else. */
pid_t waitpid(pid_t pid, int *status, int options)
{
    pid_t ended = wait4(pid, status, options, NULL);
    if (!loses_the_end || ended < 0)
        return ended;
    errno = ECHILD;
    return -1;
}

static int run(const char *script, struct pb_child child)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    child.program = child.program != NULL ? child.program : "/bin/sh";
    child.argv = argv;
    child.input = child.input != NULL ? child.input : "";
    child.timeout = child.timeout > 0 ? child.timeout : 30;
    outcome = (struct pb_outcome){0};
    return pb_spawn(&child, &outcome);
}

static void expect(const char *script, enum pb_status status, const char *reason)
{
    assert_int_equal(run(script, (struct pb_child){0}), 0);
    assert_string_equal(outcome.reason, reason);
    assert_int_equal(outcome.status, status);
    free(outcome.answer);
}

static void the_answer_is_the_last_line(void **state)
{
    (void)state;
    assert_int_equal(run("echo noise; echo '{\"a\":1}'; echo", (struct pb_child){0}), 0);
    assert_int_equal(outcome.status, PB_OK);
    assert_string_equal(outcome.answer, "{\"a\":1}");
    assert_true(outcome.pid > 0 && outcome.pid != getpid());
    free(outcome.answer);
}

static void a_large_input_and_a_large_answer_pass(void **state)
{
    enum { BYTES = 300000 };
    char *text = malloc(BYTES + 1);
    (void)state;
    memset(text, 'x', BYTES);
    text[BYTES] = '\0';
    assert_int_equal(run("cat; echo", (struct pb_child){.input = text}), 0);
    assert_int_equal(outcome.status, PB_OK);
    assert_string_equal(outcome.answer, text);
    free(outcome.answer);
    free(text);
}

static void every_bad_end_has_its_status_and_reason(void **state)
{
    (void)state;
    expect("exit 0", PB_FAILED, "ended without a result");
    expect("echo x; exit 3", PB_FAILED, "exit status 3");
    expect("echo oops >&2; exit 1", PB_FAILED, "exit status 1: oops");
    expect("kill -9 $$", PB_CRASHED, "killed by signal 9 (Killed)");
    expect("echo first >&2; echo last >&2; kill -SEGV $$", PB_CRASHED,
           "killed by signal 11 (Segmentation fault): last");
    expect("echo '{}'; kill -ABRT $$", PB_CRASHED, "killed by signal 6 (Aborted)");
}

static void a_child_that_does_not_end_is_ended(void **state)
{
    (void)state;
    assert_int_equal(run("echo '{}'; exec sleep 60", (struct pb_child){.timeout = 0.2}), 0);
    assert_int_equal(outcome.status, PB_TIMEOUT);
    assert_string_equal(outcome.reason, "ended after 0.2 s");
    assert_int_equal(kill(outcome.pid, 0), -1);
    free(outcome.answer);
}

/* A process that is dead and waits for whoever adopted it does not count. */
static bool is_alive(pid_t pid)
{
    char path[64], line[128] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    bool alive = fgets(line, sizeof line, file) != NULL && strstr(line, ") Z") == NULL;
    fclose(file);
    return alive;
}

/* A grandchild that keeps the pipes open neither delays the outcome nor outlives it. */
static void what_the_child_started_ends_with_it(void **state)
{
    (void)state;
    assert_int_equal(run("sleep 60 & echo $!", (struct pb_child){0}), 0);
    assert_int_equal(outcome.status, PB_OK);
    pid_t grandchild = (pid_t)atoi(outcome.answer);
    assert_true(grandchild > 0);
    bool lives = true;
    for (int i = 0; i < 300 && lives; i++) {
        lives = is_alive(grandchild);
        usleep(10000);
    }
    assert_false(lives);
    free(outcome.answer);
}

static void a_child_leads_a_process_group_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(run("cut -d ' ' -f 5 /proc/$$/stat", (struct pb_child){0}), 0);
    assert_int_equal(atoi(outcome.answer), outcome.pid);
    free(outcome.answer);
}

static void the_environment_is_ours_with_padding_and_preload(void **state)
{
    (void)state;
    setenv("PB_TEST_KEPT", "kept", 1);
    setenv("LD_PRELOAD", "", 1);
    assert_int_equal(run("echo ${#PB_PADDING} $PB_TEST_KEPT ${LD_PRELOAD-unset}",
                         (struct pb_child){.padding = 1234}),
                     0);
    assert_string_equal(outcome.answer, "1234 kept unset");
    free(outcome.answer);
    unsetenv("LD_PRELOAD");
}

static void the_table_of_tags_is_ours_and_called_after_the_cell(void **state)
{
    static const char command[] = "echo ${PB_POOLMON-unset} ${PB_POOLMON_LABEL-unset}";
    (void)state;
    setenv("PB_POOLMON", "theirs", 1);
    setenv("PB_POOLMON_LABEL", "theirs", 1);
    assert_int_equal(
        run(command, (struct pb_child){.poolmon = "ours", .label = "pair/alloc:pool:tags=on"}), 0);
    assert_string_equal(outcome.answer, "ours pair/alloc:pool:tags=on");
    free(outcome.answer);
    assert_int_equal(run(command, (struct pb_child){.label = "pair"}), 0);
    assert_string_equal(outcome.answer, "unset unset");
    free(outcome.answer);
    unsetenv("PB_POOLMON");
    unsetenv("PB_POOLMON_LABEL");
}

static void what_would_tune_a_cell_from_outside_is_dropped(void **state)
{
    static const char *const names[] = {
        "BENCHMARK_FILTER",  "MALLOC_CONF",         "MALLOC_ARENA_MAX", "MALLOC_CHECK_",
        "_RJEM_MALLOC_CONF", "MIMALLOC_SHOW_STATS", "MIMALLOC_VERBOSE", "TCMALLOC_SAMPLE_PARAMETER",
        "GLIBC_TUNABLES",
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        setenv(names[i], "", 1);
    setenv("MY_MALLOC_CONF", "kept", 1);
    setenv("LD_PRELOADED", "kept", 1);
    assert_int_equal(
        run("env | grep -v '^PB_' | grep -E 'BENCHMARK|MALLOC|GLIBC|PRELOAD' | sort | tr '\\n' ' '",
            (struct pb_child){0}),
        0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    unsetenv("MY_MALLOC_CONF");
    unsetenv("LD_PRELOADED");
    assert_non_null(outcome.answer);
    assert_string_equal(outcome.answer, "LD_PRELOADED=kept MY_MALLOC_CONF=kept");
    free(outcome.answer);
}

static void how_a_child_ended_is_known_where_sigchld_is_ignored(void **state)
{
    (void)state;
    void (*before)(int) = signal(SIGCHLD, SIG_IGN);
    expect("echo '{}'; kill -SEGV $$", PB_CRASHED, "killed by signal 11 (Segmentation fault)");
    expect("echo '{}'; exit 3", PB_FAILED, "exit status 3");
    assert_true(signal(SIGCHLD, before) == SIG_IGN); /* as it was found */
}

static void an_end_that_is_not_known_is_an_error(void **state)
{
    (void)state;
    loses_the_end = true;
    int error = run("echo '{}'", (struct pb_child){0});
    loses_the_end = false;
    assert_int_equal(error, -ECHILD);
    assert_null(outcome.answer);
}

static void a_program_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(run("", (struct pb_child){.program = "/nonexistent/program"}), -ENOENT);
}

/* No descriptor left for the first, the second, ... and last for the watching: the error says so,
 * and nothing stays open or alive. */
static void too_few_descriptors_are_an_error_and_leave_nothing_behind(void **state)
{
    struct rlimit before, limit;
    int first = dup(STDIN_FILENO), next;
    size_t refused = 0;
    (void)state;
    close(first);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (int more = 0; more < 7; more++) {
        limit = before;
        limit.rlim_cur = (rlim_t)(first + more);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        int error = run("echo '{}'", (struct pb_child){0});
        setrlimit(RLIMIT_NOFILE, &before);
        if (error == 0)
            free(outcome.answer);
        else
            assert_int_equal(error, -EMFILE);
        refused += error != 0;
        next = dup(STDIN_FILENO);
        close(next);
        assert_int_equal(next, first);
        assert_int_equal(wait4(-1, NULL, WNOHANG, NULL), -1);
    }
    assert_in_range(refused, 6, 7);
}

static void a_child_that_reads_nothing_is_no_error(void **state)
{
    enum { BYTES = 200000 };
    char *text = malloc(BYTES + 1);
    (void)state;
    memset(text, 'x', BYTES);
    text[BYTES] = '\0';
    assert_int_equal(run("exec <&-; echo '{}'", (struct pb_child){.input = text}), 0);
    assert_int_equal(outcome.status, PB_OK);
    free(outcome.answer);
    free(text);
}

/* The first interrupt lets the child end, the second ends it. */
static void one_interrupt_waits_and_two_do_not(void **state)
{
    struct pb_interrupts interrupts;
    sigset_t before;
    (void)state;
    sigprocmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(pb_interrupts_open(&interrupts), 0);
    raise(SIGINT);
    assert_int_equal(run("sleep 0.2; echo '{}'", (struct pb_child){.interrupts = &interrupts}), 0);
    assert_int_equal(outcome.status, PB_OK);
    assert_int_equal(interrupts.count, 1);
    free(outcome.answer);
    raise(SIGTERM);
    assert_int_equal(run("sleep 60", (struct pb_child){.interrupts = &interrupts}), -EINTR);
    assert_int_equal(interrupts.count, 2);
    pb_interrupts_close(&interrupts);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_is_the_last_line),
        cmocka_unit_test(a_large_input_and_a_large_answer_pass),
        cmocka_unit_test(every_bad_end_has_its_status_and_reason),
        cmocka_unit_test(a_child_that_does_not_end_is_ended),
        cmocka_unit_test(what_the_child_started_ends_with_it),
        cmocka_unit_test(a_child_leads_a_process_group_of_its_own),
        cmocka_unit_test(the_environment_is_ours_with_padding_and_preload),
        cmocka_unit_test(the_table_of_tags_is_ours_and_called_after_the_cell),
        cmocka_unit_test(what_would_tune_a_cell_from_outside_is_dropped),
        cmocka_unit_test(how_a_child_ended_is_known_where_sigchld_is_ignored),
        cmocka_unit_test(an_end_that_is_not_known_is_an_error),
        cmocka_unit_test(a_program_that_is_not_there_is_an_error),
        cmocka_unit_test(too_few_descriptors_are_an_error_and_leave_nothing_behind),
        cmocka_unit_test(a_child_that_reads_nothing_is_no_error),
        cmocka_unit_test(one_interrupt_waits_and_two_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
