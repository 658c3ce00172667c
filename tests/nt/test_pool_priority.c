/* SPDX-License-Identifier: MIT */
/* Section A14, priorities: who fails first when a pool with a limit runs low, and special pool by
 * priority. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include "nt/pool_calls.h"

enum { PAGES = 100 };

static void *blocks[PAGES];

/* Takes pages with a priority until it fails; returns how many it got. */
static unsigned take_pages(POOL_TYPE type, unsigned taken, EX_POOL_PRIORITY priority)
{
    unsigned before = taken;
    while (taken < PAGES && (blocks[taken] = ExAllocatePoolWithTagPriority(
                                 type, PAGE_SIZE, TAG_FRED, priority)) != NULL)
        taken++;
    return taken - before;
}

static void give_pages(void)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (blocks[i] != NULL)
            ExFreePool(blocks[i]);
    memset(blocks, 0, sizeof blocks);
}

/* A request is served while what is free before it is at or above the water: low gets down to less
 * than 10 of 100 pages, normal to less than 2, high to none. */
static void check_order(POOL_TYPE type)
{
    assert_int_equal(take_pages(type, 0, LowPoolPriority), 91);
    assert_int_equal(take_pages(type, 91, NormalPoolPriority), 8);
    assert_int_equal(take_pages(type, 99, HighPoolPriority), 1);
    assert_null(ExAllocatePoolWithTagPriority(type, PAGE_SIZE, TAG_FRED, HighPoolPriority));
    ExFreePool(blocks[0]);
    blocks[0] = ExAllocatePoolWithTag(type, PAGE_SIZE, TAG_FRED);
    assert_non_null(blocks[0]); /* no priority: as high */
    give_pages();
}

static void low_fails_before_normal_before_high(void **state)
{
    (void)state;
    configure("nonpaged_limit=400k,paged_limit=400k,low_water=10,normal_water=2");
    check_order(NonPagedPool);
    check_order(NonPagedPoolNx);
    check_order(PagedPool);
}

static void waters_are_options(void **state)
{
    (void)state;
    configure("paged_limit=400k,low_water=50,normal_water=25");
    assert_int_equal(take_pages(PagedPool, 0, LowPoolPriority), 51);
    assert_int_equal(take_pages(PagedPool, 51, NormalPoolPriority), 25);
    assert_int_equal(take_pages(PagedPool, 76, HighPoolPriority), 24);
    give_pages();
}

static void kinds_have_limits_of_their_own(void **state)
{
    (void)state;
    configure("nonpaged_limit=64k");
    void *all = ExAllocatePoolWithTag(NonPagedPool, 65536, TAG_FRED);
    assert_non_null(all);
    assert_null(ExAllocatePoolWithTagPriority(NonPagedPool, 1, TAG_FRED, HighPoolPriority));
    void *paged = ExAllocatePoolWithTagPriority(PagedPool, 1 << 20, TAG_FRED, LowPoolPriority);
    assert_non_null(paged);
    ExFreePool(all);
    ExFreePool(paged);
}

static void without_a_limit_every_priority_is_served(void **state)
{
    (void)state;
    assert_int_equal(take_pages(PagedPool, 0, LowPoolPriority), PAGES);
    give_pages();
}

static void a_failure_raises_where_the_type_says_so(void **state)
{
    NTSTATUS status;
    (void)state;
    configure("paged_limit=64k");
    status_raised_by(status, ExAllocatePoolWithTagPriority(
                                 (POOL_TYPE)(PagedPool | POOL_RAISE_IF_ALLOCATION_FAILURE), 61440,
                                 TAG_FRED, LowPoolPriority));
    assert_int_equal(status, STATUS_SUCCESS); /* all was free before it */
    PbNtReset(NULL);
    configure("paged_limit=64k");
    void *most = ExAllocatePoolWithTag(PagedPool, 61440, TAG_FRED);
    status_raised_by(status, ExAllocatePoolWithTagPriority(
                                 (POOL_TYPE)(PagedPool | POOL_RAISE_IF_ALLOCATION_FAILURE), 100,
                                 TAG_FRED, LowPoolPriority));
    assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
    ExFreePool(most);
}

static void priorities_ask_for_special_pool(void **state)
{
    static const struct {
        EX_POOL_PRIORITY priority;
        bool underrun;
    } cases[] = {
        {LowPoolPrioritySpecialPoolOverrun, false},
        {LowPoolPrioritySpecialPoolUnderrun, true},
        {NormalPoolPrioritySpecialPoolOverrun, false},
        {NormalPoolPrioritySpecialPoolUnderrun, true},
        {HighPoolPrioritySpecialPoolOverrun, false},
        {HighPoolPrioritySpecialPoolUnderrun, true},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char *block =
            ExAllocatePoolWithTagPriority(NonPagedPool, 48, TAG_FRED, cases[i].priority);
        assert_int_equal(BYTE_OFFSET(cases[i].underrun ? block : block + 48), 0);
        assert_int_equal(row_of(TAG_FRED).NonPagedUsed, 4096);
        ExFreePoolWithTag(block, TAG_FRED);
    }
}

static void a_plain_priority_is_ordinary_pool(void **state)
{
    (void)state;
    void *block = ExAllocatePoolWithTagPriority(NonPagedPool, 48, TAG_FRED, NormalPoolPriority);
    assert_int_equal(row_of(TAG_FRED).NonPagedUsed, 64);
    ExFreePool(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pool_test("A14: low priority fails when resources are low, normal when very low, high last",
                  low_fails_before_normal_before_high),
        pool_test("A14: the waters are options", waters_are_options),
        pool_test("A14: paged and nonpaged have limits of their own",
                  kinds_have_limits_of_their_own),
        pool_test("A14: without a limit every priority is served",
                  without_a_limit_every_priority_is_served),
        pool_test("A14: a priority's failure raises where the type says so",
                  a_failure_raises_where_the_type_says_so),
        pool_test("A14: +8 asks for special pool, +9 for its underrun form",
                  priorities_ask_for_special_pool),
        pool_test("A14: a plain priority is ordinary pool", a_plain_priority_is_ordinary_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
