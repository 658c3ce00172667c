/* SPDX-License-Identifier: MIT */
/* How a run goes from block to block: what was disturbed is repeated and never lost, the looks and
 * the budget stop it, failures are tried again where asked, and a run that is taken up knows all of
 * it. A shell script stands in the place of the child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runner_fixture.h"

#include <sys/file.h>

/* A repetition with that value of the primary metric, and further metrics. */
#define TOOK(ns, more)                                                                             \
    "echo '{\"status\":\"ok\",\"reason\":\"\",\"wall_ns\":5,\"m\":{\"ns_per_op\":'" ns "'" more    \
    "}}'"
#define STOLEN TOOK("7", ",\"steal_share\":0.5")

/* How many lines of the records match all of the texts. */
static size_t lines_with(const char *a, const char *b)
{
    char line[8192];
    size_t n = 0;
    FILE *file = fopen(below("run/records.jsonl"), "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        n += strstr(line, a) != NULL && strstr(line, b) != NULL;
    fclose(file);
    return n;
}

static void expect_end(const char *key, const char *text)
{
    json_t *value = end_value(key);
    assert_non_null(value);
    assert_string_equal(json_string_value(value), text);
    json_decref(value);
}

static void what_was_disturbed_is_repeated_at_the_end_of_its_block(void **state)
{
    (void)state;
    put_child(ZONE "if [ $n -le 3 ]; then " STOLEN "; else " TOOK("9", "") "; fi ;;\n");
    assert_int_equal(run(), PB_EXIT_GOOD);
    assert_int_equal(count(PB_OK), 6);
    size_t disturbed = lines_with("\"disturbed\":[\"steal\"]", "\"block\":0");
    assert_in_range(disturbed, 1, 2); /* whether zone's call is the first or the second */
    assert_int_equal(lines_with("\"disturbed\":[\"steal\"]", "\"kind\":\"rep\""), disturbed);
    assert_int_equal(lines_with("\"attempt\":2", "\"block\":0"), 1);
    assert_int_equal(ended_with("disturbed"), disturbed);
    assert_int_equal(ended_with("repeated"), disturbed);
    assert_int_equal(ended_with("still_disturbed"), 0);
    assert_int_equal(ended_with("ok"), 6);
    expect_end("stopped_by", "blocks");
    assert_int_equal(calls(), 6 + disturbed);
}

static void what_stays_disturbed_is_kept_with_its_last_attempt(void **state)
{
    (void)state;
    put_child(ZONE STOLEN " ;;\n");
    assert_int_equal(run(), PB_EXIT_GOOD);
    assert_int_equal(calls(), 3 + 3 * 3);
    assert_int_equal(count(PB_OK), 6);
    assert_int_equal(lines_with("\"attempt\":3", "\"disturbed\":[\"steal\"]"), 3);
    assert_int_equal(ended_with("disturbed"), 9);
    assert_int_equal(ended_with("repeated"), 6);
    assert_int_equal(ended_with("still_disturbed"), 3);
    off_t size = records_size();
    assert_int_equal(resume(), PB_EXIT_GOOD); /* there is nothing left to try */
    assert_int_equal(records_size(), size);
}

static void without_retries_it_is_flagged_alone(void **state)
{
    (void)state;
    matrix_text = MATRIX_OF("blocks = 3\nretries = 0\n");
    put_child(ZONE STOLEN " ;;\n");
    assert_int_equal(run(), PB_EXIT_GOOD);
    assert_int_equal(calls(), 6);
    assert_int_equal(ended_with("disturbed"), 3);
    assert_int_equal(ended_with("repeated"), 0);
    assert_int_equal(ended_with("still_disturbed"), 3);
}

static void a_repetition_that_fails_when_it_is_repeated_counts_as_failed(void **state)
{
    (void)state;
    put_child(ZONE "if [ $n -le 2 ]; then " STOLEN "; else exit 1; fi ;;\n");
    assert_int_equal(run(), PB_EXIT_FAILED);
    assert_int_equal(count(PB_FAILED), 3);
    assert_int_equal(ended_with("failed"), 3);
    assert_int_equal(ended_with("repeated"), 1);
    assert_int_equal(ended_with("still_disturbed"), 0);
}

/* The reference of its block is of the first process: a second attempt would be of another time. */
static void what_an_earlier_process_found_disturbed_stays_as_it_is(void **state)
{
    (void)state;
    put_child(ZONE "[ $n -ne 3 ] || kill -INT $PPID; " STOLEN " ;;\n");
    assert_int_equal(run(), PB_EXIT_INTERRUPTED);
    assert_int_equal(ended_with("still_disturbed"), 1);
    assert_int_equal(ended_with("session"), 0);
    json_int_t before = ended_with("repeated");
    put_child(ZONE TOOK("9", "") " ;;\n");
    assert_int_equal(resume(), PB_EXIT_GOOD);
    assert_int_equal(count(PB_OK), 6);
    assert_int_equal(ended_with("still_disturbed"), 1);
    assert_int_equal(ended_with("repeated"), before);
    assert_int_equal(lines_with("\"disturbed\":[\"steal\"]", "\"session\":0"),
                     ended_with("disturbed"));
    assert_int_equal(lines_with("\"session\":1", "\"block\":0"), 0); /* it was whole */
    assert_int_equal(lines_with("\"session\":1", "\"kind\":\"rep\""), 4);
    assert_int_equal(ended_with("session"), 1);
}

static void nor_is_it_repeated_where_its_block_goes_on(void **state)
{
    (void)state;
    put_child("*) [ $n -ne 1 ] || kill -INT $PPID; " STOLEN " ;;\n");
    assert_int_equal(run(), PB_EXIT_INTERRUPTED);
    put_child("");
    assert_int_equal(resume(), PB_EXIT_GOOD);
    assert_int_equal(calls(), 6);
    assert_int_equal(ended_with("repeated"), 0);
    assert_int_equal(ended_with("still_disturbed"), 1);
    assert_int_equal(lines_with("\"session\":1", "\"block\":0"), 1);
}

#define SENTINELS(before, after)                                                                   \
    TOOK("7", ",\"sentinel_before_ns\":" before ",\"sentinel_after_ns\":" after)

/* 50 ns were seen in a repetition that another one superseded, before the run was interrupted. */
static void the_best_of_a_run_is_known_when_it_is_taken_up(void **state)
{
    (void)state;
    put_child(ZONE "if [ $n -le 2 ]; then " SENTINELS(
        "50", "150") "; else kill -INT $PPID; " SENTINELS("90", "90") "; fi ;;\n");
    assert_int_equal(run(), PB_EXIT_INTERRUPTED);
    assert_int_equal(ended_with("repeated"), 1);
    assert_int_equal(ended_with("still_disturbed"), 0);
    put_child(ZONE SENTINELS("110", "90") " ;;\n");
    assert_int_equal(resume(), PB_EXIT_GOOD);
    assert_int_equal(ended_with("still_disturbed"), 2);
    assert_int_equal(lines_with("\"disturbed\":[\"sentinel-before\"]", "\"attempt\":3"), 2);
}

static void a_run_with_a_target_stops_at_the_first_look_that_is_precise(void **state)
{
    (void)state;
    matrix_text = MATRIX_OF("target = \"2%\"\n");
    put_child(ZONE TOOK("9", "") " ;;\n*pool*) " TOOK("7", "") " ;;\n");
    assert_int_equal(run(), PB_EXIT_GOOD);
    assert_int_equal(count(PB_OK), 22);
    expect_end("stopped_by", "target");
    assert_int_equal(ended_with("blocks"), 11);
    json_t *looks = end_value("looks");
    assert_int_equal(json_array_size(looks), 1);
    assert_int_equal(json_integer_value(json_array_get(looks, 0)), 11);
    json_decref(looks);
    expect_end("look", "precise after 11 blocks: target +-2 %, widest "
                       "pair/alloc:zone/ops:1000/threads:1 +-0.00 %");
    off_t size = records_size();
    assert_int_equal(resume(), PB_EXIT_GOOD); /* it knows enough */
    assert_int_equal(records_size(), size);
}

/* Zone's values lie apart by a factor of three: no interval of 2 %. */
static void a_run_that_never_knows_enough_stops_at_its_last_look(void **state)
{
    (void)state;
    matrix_text = MATRIX_OF("target = \"2%\"\nmost_blocks = 18\n");
    put_child(ZONE TOOK("$((n % 3 + 1))", "") " ;;\n*pool*) " TOOK("7", "") " ;;\n");
    assert_int_equal(run(), PB_EXIT_GOOD);
    assert_int_equal(count(PB_OK), 36);
    expect_end("stopped_by", "looks");
    json_t *looks = end_value("looks");
    assert_int_equal(json_array_size(looks), 3); /* 11, 16, 18 */
    json_decref(looks);
}

static void a_run_that_was_ended_between_looks_stops_where_it_would_have(void **state)
{
    (void)state;
    matrix_text = MATRIX_OF("target = \"2%\"\n");
    put_child(ZONE "[ $n -lt 12 ] || kill -INT $PPID; " TOOK("9", "") " ;;\n*pool*) " TOOK(
        "7", "") " ;;\n");
    assert_int_equal(run(), PB_EXIT_INTERRUPTED);
    put_child(ZONE TOOK("9", "") " ;;\n*pool*) " TOOK("7", "") " ;;\n");
    assert_int_equal(resume(), PB_EXIT_GOOD);
    assert_int_equal(count(PB_OK), 22);
    expect_end("stopped_by", "target");
}

static void the_budget_ends_a_run_between_blocks_and_resume_goes_on(void **state)
{
    (void)state;
    matrix_text = MATRIX_OF("blocks = 9\nbudget = \"1s\"\n");
    put_child("*) [ $n -lt 3 ] || sleep 0.6; " GOOD " ;;\n"); /* slow from the second block on */
    assert_int_equal(run(), PB_EXIT_GOOD);
    expect_end("stopped_by", "budget");
    assert_int_equal(ended_with("blocks"), 2);
    assert_int_equal(count(PB_OK), 4); /* no block is split */
    assert_non_null(strstr(said, "the budget of 1s is used up: 2 of 9 blocks are done; go on "
                                 "with: poolbench resume "));
    put_child("");
    assert_int_equal(resume(), PB_EXIT_GOOD);
    assert_true(ended_with("blocks") > 2);
}

static void a_budget_that_holds_no_block_splits_one(void **state)
{
    (void)state;
    matrix_text = MATRIX_OF("budget = \"0.1s\"\n");
    put_child("*) sleep 0.2; " GOOD " ;;\n");
    assert_int_equal(run(), PB_EXIT_GOOD);
    assert_int_equal(count(PB_OK), 1);
    expect_end("stopped_by", "budget");
    assert_int_equal(ended_with("blocks"), 0);
    assert_int_equal(resume(), PB_EXIT_GOOD); /* the same again: it always gets on */
    assert_int_equal(count(PB_OK), 2);
}

/* The first block holds nothing but what is tried again: it is not the block that a process may
 * always begin. */
static void a_block_that_only_repeats_leaves_the_budget_its_first_block(void **state)
{
    (void)state;
    matrix_text = MATRIX_OF("budget = \"0.1s\"\n");
    put_child("*) sleep 0.2; exit 1 ;;\n");
    assert_int_equal(run(), PB_EXIT_FAILED);
    assert_int_equal(count(PB_FAILED), 1);
    assert_int_equal(resume(), PB_EXIT_FAILED); /* the other cell of the block */
    assert_int_equal(count(PB_FAILED), 2);
    retry_failed = true;
    assert_int_equal(resume(), PB_EXIT_FAILED);
    assert_int_equal(calls(), 2 + 2 + 1); /* both once more, and one of the next block */
    assert_int_equal(count(PB_FAILED), 3);
    assert_int_equal(lines_with("\"session\":2", "\"block\":0"), 2);
    assert_int_equal(lines_with("\"session\":2", "\"block\":1"), 1);
    expect_end("stopped_by", "budget");
}

static void a_target_that_nothing_is_held_against_is_refused(void **state)
{
    (void)state;
    matrix_text = "name = \"m\"\nreference = \"pool\"\naa = false\ntarget = \"2%\"\n"
                  "[axes]\nalloc = [\"pool\"]\n[[workload]]\nname = \"pair\"\nops = 1000\n";
    put_child("");
    assert_int_equal(run(), PB_EXIT_USAGE);
    assert_int_equal(lines_said(), 1);
    assert_non_null(strstr(said, "target 2%: nothing that can run here is compared with the "
                                 "reference pool; give another --reference, or --target off"));
    assert_int_equal(calls(), 0);
}

/* Zone crashes wherever it is tried: pool alone is precise, the comparison is not. */
static void a_variant_that_always_crashes_meets_no_target(void **state)
{
    (void)state;
    matrix_text = MATRIX_OF("target = \"2%\"\nmost_blocks = 12\n");
    put_child(ZONE "exit 1 ;;\n*pool*) " TOOK("7", "") " ;;\n");
    assert_int_equal(run(), PB_EXIT_FAILED);
    expect_end("stopped_by", "looks");
    assert_int_equal(ended_with("blocks"), 12);
}

static void what_failed_is_made_again_only_where_asked(void **state)
{
    (void)state;
    put_child(ZONE "exit 1 ;;\n");
    assert_int_equal(run(), PB_EXIT_FAILED);
    off_t size = records_size();
    put_child("");
    assert_int_equal(resume(), PB_EXIT_FAILED);
    assert_int_equal(records_size(), size);
    retry_failed = true;
    assert_int_equal(resume(), PB_EXIT_GOOD);
    assert_non_null(strstr(said, "3 repetitions that went wrong are made again\n"));
    assert_int_equal(count(PB_OK), 6);
    assert_int_equal(count(PB_FAILED), 0);
    assert_int_equal(ended_with("failed"), 0);
    assert_int_equal(lines_with("\"status\":\"failed\"", "\"kind\":\"rep\""),
                     3); /* nothing is lost */
    assert_int_equal(calls(), 9);
}

static void a_run_that_another_writes_is_refused(void **state)
{
    (void)state;
    put_child(ZONE "exit 1 ;;\n");
    assert_int_equal(run(), PB_EXIT_FAILED);
    off_t size = records_size();
    int fd = open(below("run/records.jsonl"), O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0); /* nobody holds it between two runs */
    retry_failed = true;
    assert_int_equal(resume(), PB_EXIT_USAGE);
    assert_int_equal(lines_said(), 1);
    assert_non_null(strstr(said, "another poolbench is writing this run"));
    assert_int_equal(records_size(), size);
    close(fd);
    put_child("");
    assert_int_equal(resume(), PB_EXIT_GOOD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(what_was_disturbed_is_repeated_at_the_end_of_its_block),
        IN_A_FOLDER(what_stays_disturbed_is_kept_with_its_last_attempt),
        IN_A_FOLDER(without_retries_it_is_flagged_alone),
        IN_A_FOLDER(a_repetition_that_fails_when_it_is_repeated_counts_as_failed),
        IN_A_FOLDER(what_an_earlier_process_found_disturbed_stays_as_it_is),
        IN_A_FOLDER(nor_is_it_repeated_where_its_block_goes_on),
        IN_A_FOLDER(the_best_of_a_run_is_known_when_it_is_taken_up),
        IN_A_FOLDER(a_run_with_a_target_stops_at_the_first_look_that_is_precise),
        IN_A_FOLDER(a_run_that_never_knows_enough_stops_at_its_last_look),
        IN_A_FOLDER(a_run_that_was_ended_between_looks_stops_where_it_would_have),
        IN_A_FOLDER(the_budget_ends_a_run_between_blocks_and_resume_goes_on),
        IN_A_FOLDER(a_budget_that_holds_no_block_splits_one),
        IN_A_FOLDER(a_block_that_only_repeats_leaves_the_budget_its_first_block),
        IN_A_FOLDER(a_target_that_nothing_is_held_against_is_refused),
        IN_A_FOLDER(a_variant_that_always_crashes_meets_no_target),
        IN_A_FOLDER(what_failed_is_made_again_only_where_asked),
        IN_A_FOLDER(a_run_that_another_writes_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
