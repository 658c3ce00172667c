/* SPDX-License-Identifier: MIT */
/* What may go wrong around a run, with a shell script in the place of the child: children that
 * leave others behind, hang, do not listen, or die while they answer; a clock that is set back.
 * Each ends as it should, the cells beside it stay, and the run goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner_fixture.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#define HALF "printf '{\"status\":\"ok\",\"reason\":\"\",\"wa'"

static bool clock_runs_back;
static time_t back; /* how far it was set back in all */

/* In the place of libc's: somebody sets the wall clock back by an hour whenever it is read. */
int clock_gettime(clockid_t id, struct timespec *t)
{
    long error = syscall(SYS_clock_gettime, id, t);
    if (error == 0 && id == CLOCK_REALTIME && clock_runs_back)
        t->tv_sec -= back += 3600;
    return (int)error;
}

time_t time(time_t *out)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out != NULL)
        *out = t.tv_sec;
    return t.tv_sec;
}

/* In each of the blocks the repetition of zone that counts ended so, and that of pool is good. */
static void expect_zone(size_t blocks, enum pb_status status, const char *reason)
{
    struct pb_run *loaded = NULL;
    char text[512] = "";
    if (pb_run_load(below("run"), &loaded, text, sizeof text) != 0)
        fail_msg("%s", text);
    assert_int_equal(loaded->reps_n, 2 * blocks);
    for (size_t i = 0; i < loaded->reps_n; i++) {
        const struct pb_rep *rep = &loaded->reps[i];
        bool zone = strcmp(rep->alloc, "zone") == 0;
        assert_int_equal(rep->status, zone ? status : PB_OK);
        assert_string_equal(rep->reason, zone ? reason : "");
    }
    pb_run_free(loaded);
}

static void a_grandchild_that_holds_the_pipes_delays_nothing(void **state)
{
    (void)state; /* to wait for any of them is to be ended by the test's time limit */
    put_child(ZONE "sleep 600 & " GOOD " ;;\n");
    assert_int_equal(run(), PB_EXIT_GOOD);
    expect_zone(3, PB_OK, "");
    unlink(below("run/records.jsonl"));
    unlink(below("run/matrix.toml"));
    rmdir(below("run"));
    /* one that has left the group too: it cannot be ended with it, and is not waited for */
    put_child(ZONE "setsid sh -c 'echo $$ >>${0%/*}/run/left; exec sleep 600' $0 & " GOOD " ;;\n");
    assert_int_equal(run(), PB_EXIT_GOOD);
    expect_zone(3, PB_OK, "");
    FILE *file = fopen(below("run/left"), "r");
    char line[32];
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (atoi(line) > 1)
            assert_int_equal(kill((pid_t)atoi(line), SIGKILL), 0); /* it is still there */
    if (file != NULL)
        fclose(file);
    unlink(below("run/left"));
}

static void a_child_that_hangs_is_a_timeout(void **state)
{
    (void)state;
    matrix_text = MATRIX_OF("blocks = 1\ntimeout = 1\n");
    put_child(ZONE "exec sleep 20 ;;\n");
    assert_int_equal(run(), PB_EXIT_FAILED);
    expect_zone(1, PB_TIMEOUT, "ended after 1 s");
}

static void a_child_that_ignores_what_it_can_is_ended_all_the_same(void **state)
{
    (void)state;
    matrix_text = MATRIX_OF("blocks = 1\ntimeout = 1\n");
    put_child(ZONE "trap '' TERM INT HUP QUIT; while :; do sleep 5; done ;;\n");
    assert_int_equal(run(), PB_EXIT_FAILED);
    expect_zone(1, PB_TIMEOUT, "ended after 1 s");
}

static void a_child_that_dies_while_it_answers_has_no_result(void **state)
{
    (void)state;
    put_child(ZONE HALF "; kill -KILL $$ ;;\n");
    assert_int_equal(run(), PB_EXIT_FAILED);
    expect_zone(3, PB_CRASHED, "killed by signal 9 (Killed)");
    put_child(ZONE HALF " ;;\n"); /* and one that ends as if all were well */
    retry_failed = true;
    assert_int_equal(resume(), PB_EXIT_FAILED);
    expect_zone(3, PB_FAILED, "the child's answer is not a result");
}

static void a_child_that_answers_without_end_is_cut_off(void **state)
{
    (void)state;
    matrix_text = MATRIX_OF("blocks = 1\ntimeout = 1\n");
    put_child(ZONE "exec yes ;;\n");
    assert_int_equal(run(), PB_EXIT_FAILED);
    expect_zone(1, PB_TIMEOUT, "ended after 1 s");
    put_child(ZONE
              "setsid yes & sleep 0.1 ;;\n"); /* nor does what it leaves behind hold anybody up */
    retry_failed = true;
    assert_int_equal(resume(), PB_EXIT_FAILED);
    expect_zone(1, PB_FAILED, "the child's answer is not a result");
}

static void a_clock_that_is_set_back_breaks_nothing(void **state)
{
    (void)state;
    put_child(ZONE "exit 1 ;;\n");
    clock_runs_back = true;
    int code = run();
    put_child("");
    retry_failed = true;
    int resumed = resume();
    clock_runs_back = false;
    assert_int_equal(code, PB_EXIT_FAILED);
    assert_int_equal(resumed, PB_EXIT_GOOD);
    assert_true(back >= 10 * 3600); /* it was read, for every line */
    expect_zone(3, PB_OK, "");
    assert_int_equal(ended_with("ok"), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(a_grandchild_that_holds_the_pipes_delays_nothing),
        IN_A_FOLDER(a_child_that_hangs_is_a_timeout),
        IN_A_FOLDER(a_child_that_ignores_what_it_can_is_ended_all_the_same),
        IN_A_FOLDER(a_child_that_dies_while_it_answers_has_no_result),
        IN_A_FOLDER(a_child_that_answers_without_end_is_cut_off),
        IN_A_FOLDER(a_clock_that_is_set_back_breaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
