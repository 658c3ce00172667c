/* SPDX-License-Identifier: MIT */
/* A15, A5.6, A10: what a fault leaves behind when the bugcheck hook returns, or leaves by longjmp:
 * structures and books as they were, and everything else done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/pool_engine_fixture.h"
#include "pool/front.h"

enum { CHARGED = POOL_BIT_CHARGED, BLOCKS = 8 };

static unsigned stops;
static jmp_buf left;

static void count_stop(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4)
{
    record_bugcheck(code, p1, p2, p3, p4);
    stops++;
}

static void leave(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4)
{
    record_bugcheck(code, p1, p2, p3, p4);
    longjmp(left, 1);
}

static void a_free_that_is_refused_returns_false_and_keeps_the_books(void **state)
{
    (void)state;
    static const char *const forms[] = {BARE ",link_checks=on,tags=on",
                                        BARE ",link_checks=on,tags=on,profile=xp",
                                        BARE ",link_checks=on,tags=on,type=paged,paged_pools=1"};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        SYSTEM_POOLTAG row;
        reopen(forms[i]);
        (void)take(64);
        void *block = ask(64, 0, 0x64657246, 0);
        unsigned previous = previous_of(block);
        struct pool_block found = look(block);
        plant(block, false, 0);
        assert_false(pb_pool_release(pool, block, &found));
        assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_NOT_FIRST));
        plant(block, false, previous);
        assert_int_equal(pb_pool_tags_read(pb_pool_tags(pool), &row, 1), 2);
        assert_memory_equal(row.Tag, "Fred", 4);
        assert_int_equal(row.NonPagedFrees + row.PagedFrees, 0);
        assert_true(pb_pool_release(pool, block, &found));
        check_sound();
    }
}

/* The front over a pool, as the executive has it, with a process to charge. */
static struct pool_front *open_front(const char *text)
{
    char message[200] = "";
    struct pool_options options;
    struct pool_front *front = NULL;
    read_options(text, &options);
    assert_int_equal(pb_front_open(&options, 1, &front, message, sizeof message), 0);
    return front;
}

static void quota_stays_charged_while_the_block_does(void **state)
{
    (void)state;
    struct pool_front *front = open_front(BARE ",link_checks=on");
    PEPROCESS process = PbCreateProcess(SIZE_MAX, SIZE_MAX);
    const struct pool_ask asked = {
        .bytes = 100, .tag = TAG_TEST, .flags = POOL_ASK_QUOTA, .owner = process};
    void *first = pb_front_allocate(front, &asked), *block = pb_front_allocate(front, &asked);
    struct pool_header *header = pool_header_before(block, true);
    unsigned previous = pool_previous(header, true), index = pool_index(header, true);
    assert_int_equal(PbProcessQuota(process, NonPagedPool, NULL), 256);
    pool_set_previous(header, 0, index, true);
    pb_front_free(front, block, 0);
    assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_NOT_FIRST));
    assert_int_equal(PbProcessQuota(process, NonPagedPool, NULL), 256);
    pool_set_previous(header, previous, index, true);
    pb_front_free(front, block, 0);
    pb_front_free(front, first, 0);
    assert_int_equal(PbProcessQuota(process, NonPagedPool, NULL), 0);
    assert_int_equal(bugcheck[0], 0);
    PbEndProcess(process);
    pb_front_close(front);
}

/* A free of special pool or the reserve that a second thread had begun before it is not counted. */
static void of_two_frees_of_special_pool_one_is_told_so(void **state)
{
    (void)state;
    struct pool_special *special = pb_pool_special_open(4, 1);
    struct pool_reserve *reserve = pb_pool_reserve_open(1);
    void *alone = pb_pool_special_allocate(special, 0, 100, TAG_TEST, false);
    void *last = pb_pool_reserve_allocate(reserve, 100, TAG_TEST, 0);
    assert_true(pb_pool_special_free(special, alone));
    assert_false(pb_pool_special_free(special, alone));
    assert_true(stopped(BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE));
    assert_true(pb_pool_reserve_free(reserve, last));
    assert_false(pb_pool_reserve_free(reserve, last));
    assert_true(stopped(BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE));
    pb_pool_special_close(special);
    pb_pool_reserve_close(reserve);
}

/* Of eight delayed blocks two are corrupt: each is told of, and the other six are free by then. */
static void delayed_frees_are_done_before_a_fault_among_them_is_told(void **state)
{
    (void)state;
    void *blocks[BLOCKS];
    reopen(BARE ",profile=vista");
    for (unsigned i = 0; i < BLOCKS; i++)
        blocks[i] = take(3000); /* alone in its page */
    for (unsigned i = 0; i < BLOCKS; i++)
        give(blocks[i]);
    plant(blocks[6], false, 9);
    plant(blocks[3], false, 9);
    stops = 0;
    pb_bugcheck_hook = count_stop;
    (void)pb_pool_trim(pool);
    pb_bugcheck_hook = record_bugcheck;
    assert_int_equal(stops, 2);
    assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_PREVIOUS_PAGE));
    assert_int_equal(counts().running_frees, BLOCKS - 2);
    assert_int_equal(counts().total_pages, 2);
    plant(blocks[6], false, 0);
    plant(blocks[3], false, 0);
    check_sound();
}

static void a_hook_that_leaves_takes_no_delayed_free_with_it(void **state)
{
    (void)state;
    static void *blocks[BLOCKS];
    reopen(BARE ",profile=vista");
    for (unsigned i = 0; i < BLOCKS; i++)
        blocks[i] = take(3000);
    for (unsigned i = 0; i < BLOCKS; i++)
        give(blocks[i]);
    plant(blocks[BLOCKS - 1], false, 9); /* the first that is met */
    pb_bugcheck_hook = leave;
    if (setjmp(left) == 0) {
        (void)pb_pool_trim(pool);
        fail();
    }
    pb_bugcheck_hook = record_bugcheck;
    assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_PREVIOUS_PAGE));
    assert_int_equal(counts().running_frees, BLOCKS - 1);
    plant(blocks[BLOCKS - 1], false, 0);
    check_sound();
}

static void a_block_delayed_twice_stops_once(void **state)
{
    (void)state;
    static const char *const forms[] = {BARE ",profile=vista", BARE ",profile=vista86"};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        reopen(forms[i]);
        (void)take(1000);
        void *twice = take(1000), *other = take(1000);
        give(twice);
        give(other);
        give(twice); /* free builds do not mark a block that waits */
        assert_int_equal(bugcheck[0], 0);
        stops = 0;
        pb_bugcheck_hook = count_stop;
        (void)pb_pool_trim(pool);
        pb_bugcheck_hook = record_bugcheck;
        assert_int_equal(stops, 1);
        assert_int_equal(bugcheck[4], (uintptr_t)twice);
        assert_true(stopped(BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE));
        check_sound();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_NAMED("A15: a free that is refused returns false and counts nothing",
                   a_free_that_is_refused_returns_false_and_keeps_the_books),
        POOL_NAMED("A10, A15: quota stays charged while a corrupt block cannot be freed",
                   quota_stays_charged_while_the_block_does),
        POOL_NAMED("A14: of two frees of one block of special pool or the reserve one is told so",
                   of_two_frees_of_special_pool_one_is_told_so),
        POOL_NAMED("A5.6: delayed frees are done before a fault among them is told",
                   delayed_frees_are_done_before_a_fault_among_them_is_told),
        POOL_NAMED("A5.6: a hook that leaves by longjmp takes no delayed free with it",
                   a_hook_that_leaves_takes_no_delayed_free_with_it),
        POOL_NAMED("A5.6, A15: a block that waits twice is one 0xC2/7",
                   a_block_delayed_twice_stops_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
