/* SPDX-License-Identifier: MIT */
/* Whether a strategy keeps the contract (allocator.h).
 *     test_allocator VARIANT                 every check; exit 77 with "skip: reason" if it cannot
 *                                            run here
 *     test_allocator --expect-fault VARIANT  a planted fault of tests/doubles: passes if found;
 *     test_allocator --expect-threaded-fault VARIANT  the same by the checks that use threads alone
 * A variant that needs another malloc starts this program again with that library preloaded.
 * Threads: the checks' own. May touch: the environment of the program started again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "conformance/checks.h"
#include "doubles/doubles.h"
#include "malloc/baselines.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SKIPPED = 77, MISUSED = 2, PATIENCE_SECONDS = 3, THREADED_SECONDS = 20 };

static struct pb_variant variant;
static bool threaded; /* the planted fault is to be found by the checks that use threads */

static void expect_clean(check_fn *check, unsigned threads)
{
    struct subject subject = {0};
    char reason[FAULT_BYTES];
    if (pb_variant_unavailable(&variant, threads, reason, sizeof reason))
        skip_because(reason);
    if (check(&subject, &variant) != 0)
        fail_msg("%s: %s", variant.label, subject.fault);
}

static void one_block_at_a_time_is_aligned_and_kept(void **state)
{
    (void)state;
    expect_clean(check_single, 1);
}

static void every_size_is_aligned_distinct_and_kept(void **state)
{
    (void)state;
    expect_clean(check_sizes, 1);
}

static void blocks_of_one_size_are_aligned_distinct_and_kept(void **state)
{
    (void)state;
    expect_clean(check_fixed, 1);
}

static void contents_survive_realloc(void **state)
{
    (void)state;
    expect_clean(check_resize, 1);
}

static void aligned_blocks_are_so_and_leave_their_neighbours_alone(void **state)
{
    (void)state;
    expect_clean(check_aligned, 1);
}

static void absurd_sizes_are_refused_and_change_nothing(void **state)
{
    (void)state;
    expect_clean(check_absurd, 1);
}

static void another_thread_may_free(void **state)
{
    (void)state;
    expect_clean(check_remote, 2);
}

static void four_threads_at_once_keep_their_blocks(void **state)
{
    (void)state;
    expect_clean(check_churn, SUBJECT_THREADS);
}

static void refused_memory_is_null_and_nothing_stays_mapped(void **state)
{
    (void)state;
    expect_clean(check_exhaustion, 1);
}

static void bad_options_are_refused_by_name(void **state)
{
    struct pb_variant other;
    char text[2 * PB_VARIANT_MAX], message[FAULT_BYTES] = "";
    (void)state;
    snprintf(text, sizeof text, "%s:no_such_option=1", variant.ops->name);
    assert_int_equal(pb_variant_parse(text, &other, message, sizeof message), -ENOENT);
    assert_non_null(strstr(message, "no_such_option"));
}

static int run_checks(void)
{
    const struct CMUnitTest floors[] = {
        cmocka_unit_test(one_block_at_a_time_is_aligned_and_kept),
        cmocka_unit_test(bad_options_are_refused_by_name),
    };
    const struct CMUnitTest all[] = {
        cmocka_unit_test(one_block_at_a_time_is_aligned_and_kept),
        cmocka_unit_test(every_size_is_aligned_distinct_and_kept),
        cmocka_unit_test(blocks_of_one_size_are_aligned_distinct_and_kept),
        cmocka_unit_test(contents_survive_realloc),
        cmocka_unit_test(aligned_blocks_are_so_and_leave_their_neighbours_alone),
        cmocka_unit_test(absurd_sizes_are_refused_and_change_nothing),
        cmocka_unit_test(another_thread_may_free),
        cmocka_unit_test(four_threads_at_once_keep_their_blocks),
        cmocka_unit_test(refused_memory_is_null_and_nothing_stays_mapped),
        cmocka_unit_test(bad_options_are_refused_by_name),
    };
    if (is_floor(&variant))
        return cmocka_run_group_tests_name(variant.label, floors, NULL, NULL);
    return cmocka_run_group_tests_name(variant.label, all, NULL, NULL);
}

/* The checks, in a child, as a fault may end or stop it; without cmocka's handlers, which would go
 * on. */
static void say_fault(int out)
{
    static check_fn *const single[] = {check_single,  check_sizes,  check_fixed, check_resize,
                                       check_aligned, check_absurd, NULL};
    static check_fn *const threads[] = {check_churn, check_remote, check_exhaustion, NULL};
    check_fn *const *checks = threaded ? threads : single;
    struct subject subject = {0};
    (void)signal(SIGSEGV, SIG_DFL);
    (void)signal(SIGBUS, SIG_DFL);
    (void)alarm(threaded ? THREADED_SECONDS : PATIENCE_SECONDS);
    while (*checks != NULL && (*checks)(&subject, &variant) == 0)
        checks++;
    ssize_t written = write(out, subject.fault, strlen(subject.fault));
    _exit(written < 0);
}

static void describe_end(int status, char *found, size_t size)
{
    size_t used = strlen(found);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(found + used, size - used, "does not return");
    else if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0)
        snprintf(found + used, size - used, "ended by a crash");
}

static int find_fault(char *found, size_t size)
{
    int pipe_ends[2], status = 0;
    if (pipe(pipe_ends) != 0)
        return -errno;
    pid_t child = fork();
    if (child == 0)
        say_fault(pipe_ends[1]);
    close(pipe_ends[1]);
    ssize_t length = child > 0 ? read(pipe_ends[0], found, size - 1) : -1;
    found[length > 0 ? length : 0] = '\0';
    close(pipe_ends[0]);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -ECHILD;
    describe_end(status, found, size);
    return 0;
}

/* What must be said of each planted fault. */
static const struct {
    const char *label, *words;
} planted[] = {
    {"faulty", ""},
    {"faulty:mode=null_after", "returned NULL"},
    {"faulty:mode=twice", "that is live"},
    {"faulty:mode=overlap", "that is live"},
    {"faulty:mode=neighbour", "was changed"},
    {"faulty:mode=misaligned", "is not aligned"},
    {"faulty:mode=crash", "ended by a crash"},
    {"faulty:mode=hang", "does not return"},
    {"faulty:mode=leak", "add up"},
    {"faulty:mode=aligned_inside", "that is live"},
    {"faulty:mode=aligned_page", "are not"},
    {"faulty:mode=aligned_free", "that is live"},
    {"faulty:mode=huge_wraps", "instead of NULL"},
    {"faulty:mode=huge_counts", "changed requested_bytes"},
    {"faulty:mode=huge_harms", "was changed"},
};

static void the_planted_fault_is_found(void **state)
{
    char found[FAULT_BYTES] = "";
    (void)state;
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
        if (strcmp(planted[i].label, variant.label) != 0)
            continue;
        assert_int_equal(find_fault(found, sizeof found), 0);
        if (planted[i].words[0] == '\0')
            assert_string_equal(found, "");
        else if (threaded && found[0] != '\0')
            return; /* which thread meets it first, and how, is open */
        else if (strstr(found, planted[i].words) == NULL)
            fail_msg("%s: found '%s'", variant.label, found);
        return;
    }
    fail_msg("%s has no planted fault", variant.label);
}

static int run_expecting_fault(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_planted_fault_is_found)};
    return cmocka_run_group_tests_name(variant.label, tests, NULL, NULL);
}

/* Starts this program again with the library preloaded that answers malloc for the variant. Returns
 * if that cannot help. */
static void preload(char **argv, const char *reason)
{
    char path[512];
    const char *lib = pb_baseline_for(&variant);
    if (lib == NULL || strstr(reason, "LD_PRELOAD=") == NULL || getenv("LD_PRELOAD") != NULL ||
        pb_baseline_preload(lib, path, sizeof path) == NULL)
        return;
    if (setenv("LD_PRELOAD", path, 1) == 0)
        (void)execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    char message[512] = "";
    threaded = argc == 3 && strcmp(argv[1], "--expect-threaded-fault") == 0;
    bool expects_fault = threaded || (argc == 3 && strcmp(argv[1], "--expect-fault") == 0);
    if (argc != 2 && !expects_fault) {
        fprintf(stderr, "usage: %s [--expect-fault | --expect-threaded-fault] VARIANT\n", argv[0]);
        return MISUSED;
    }
    pb_registry_extend(pb_doubles);
    if (pb_registry_check(message, sizeof message) != 0 ||
        pb_variant_parse(argv[argc - 1], &variant, message, sizeof message) != 0) {
        fprintf(stderr, "%s\n", message);
        return MISUSED;
    }
    if (pb_variant_unavailable(&variant, 1, message, sizeof message)) {
        preload(argv, message);
        printf("skip: %s\n", message);
        return SKIPPED;
    }
    return expects_fault ? run_expecting_fault() : run_checks();
}
