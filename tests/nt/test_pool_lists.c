/* SPDX-License-Identifier: MIT */
/* A4.3, A5.3, A5.6: the pool's lookaside lists and delayed frees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/pool_engine_fixture.h"

static GENERAL_LOOKASIDE *shared_list(unsigned granules)
{
    return &space->lists.shared[granules - 1].general;
}

/* With one set of P lists. */
static GENERAL_LOOKASIDE *first_list(unsigned granules)
{
    return &space->lists.processors[granules - 1].general;
}

static void assert_list(const GENERAL_LOOKASIDE *list, unsigned allocates, unsigned hits,
                        unsigned frees, unsigned free_hits)
{
    assert_int_equal(list->TotalAllocates, allocates);
    assert_int_equal(list->AllocateHits, hits);
    assert_int_equal(list->TotalFrees, frees);
    assert_int_equal(list->FreeHits, free_hits);
}

static const char *const both_forms[] = {
    "profile=x64,processors=1,list_depth=2", "profile=xp,processors=1,list_depth=2",
    "profile=w2k,processors=1,list_depth=2", "profile=nt4,lists=on,processors=1,list_depth=2"};

static void p_is_asked_first_then_l_and_then_the_pool(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(both_forms); i++) {
        reopen(both_forms[i]);
        void *blocks[6];
        for (int n = 0; n < 6; n++)
            blocks[n] = take(100);
        unsigned granules = size_of(blocks[0]);
        assert_list(first_list(granules), 6, 0, 0, 0);
        assert_list(shared_list(granules), 6, 0, 0, 0); /* each miss of P asks L */
        for (int n = 0; n < 6; n++)
            give(blocks[n]); /* 0, 1 to P; 2, 3 to L; 4, 5 to the pool */
        assert_list(first_list(granules), 6, 0, 6, 2);
        assert_list(shared_list(granules), 6, 0, 4, 2);
        assert_int_equal(counts().running_frees, 2);
        check_sound();
        assert_ptr_equal(take(100), blocks[1]); /* the last pushed */
        assert_ptr_equal(take(100), blocks[0]);
        assert_ptr_equal(take(100), blocks[3]);
        assert_ptr_equal(take(100), blocks[2]);
        assert_int_equal(counts().running_allocs, 6); /* hits are not counted there */
        assert_list(first_list(granules), 10, 2, 6, 2);
        assert_list(shared_list(granules), 8, 2, 4, 2);
        struct pool_counts c = counts();
        assert_int_equal(c.list_allocates, 10);
        assert_int_equal(c.list_hits, 4);
        assert_int_equal(c.list_frees, 6);
        assert_int_equal(c.list_free_hits, 4);
        assert_int_equal(c.cached_bytes, 0);
        check_sound();
    }
}

static void the_largest_listed_block_is_of_32_or_8_granules(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        size_t bytes; /* the most that a list serves */
    } rows[] = {{"profile=x64", 496},
                {"profile=xp", 248},
                {"profile=w2k", 248},
                {"profile=nt4", 248},
                {"profile=win8", 496}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        reopen(rows[i].options);
        (void)take(1);
        give(take(rows[i].bytes));
        assert_int_equal(counts().list_free_hits, 1);
        give(take(rows[i].bytes + 1));
        assert_int_equal(counts().list_free_hits, 1);
        check_sound();
    }
}

static void a_cached_block_is_joined_with_nobody(void **state)
{
    (void)state;
    reopen("processors=1,list_depth=1,shared_lists=off");
    void *first = take(64), *cached = take(64), *freed = take(64);
    (void)first;
    assert_ptr_equal(behind(freed, 5), cached);
    give(cached);
    give(freed); /* the list is full: to the pool, where it joins only what is before it */
    assert_int_not_equal(type_of(cached), POOL_TYPE_FREE);
    assert_int_equal(previous_of(cached), 246);
    assert_int_equal(counts().cached_bytes, 80);
    assert_int_equal(counts().total_bytes, 160); /* first, and what is cached */
    check_sound();
    assert_int_equal(pb_pool_trim(pool), 0); /* its page is still used by the first */
    assert_int_equal(counts().cached_bytes, 0);
    assert_int_equal(type_of(cached), POOL_TYPE_FREE);
    check_sound();
}

static void a_hit_has_type_tag_and_two_clear_pointers_anew(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(both_forms); i++) {
        reopen(both_forms[i]);
        unsigned char *block = ask(40, NonPagedPoolCacheAligned, TAG_TEST, 0);
        memset(block, 0xFF, 40);
        give(block);
        assert_ptr_equal(ask(40, 0, 0x64657246, 0), block);
        assert_int_equal(look(block).type, 0);
        assert_int_equal(look(block).tag, 0x64657246);
        for (unsigned n = 0; n < 40; n++)
            assert_int_equal(block[n], n < space->shape.header_bytes ? 0 : 0xFF);
    }
}

static void a_full_list_takes_none_and_depth_0_never_does(void **state)
{
    (void)state;
    reopen("list_depth=0");
    give(take(64));
    assert_int_equal(counts().list_free_hits, 0);
    reopen("processors=1,shared_lists=off,list_depth=300");
    void *blocks[310];
    for (int i = 0; i < 310; i++)
        blocks[i] = take(64);
    for (int i = 0; i < 310; i++)
        give(blocks[i]);
    assert_int_equal(counts().list_free_hits, 300);
    assert_int_equal(first_list(5)->MaximumDepth, 300);
    check_sound();
}

static void tuning_follows_the_rule(void **state)
{
    (void)state;
    struct pb_tuning tuning = pool->options.tuning;
    reopen("processors=1,shared_lists=off,list_depth=64");
    pb_pool_tune(pool, &tuning);
    assert_int_equal(first_list(5)->Depth, 54); /* idle */
    for (int i = 0; i < 100; i++)
        (void)take(64);
    pb_pool_tune(pool, &tuning); /* 100 allocations, 100 misses: the most that it grows by */
    assert_int_equal(first_list(5)->Depth, 54 + 30);
    assert_int_equal(first_list(6)->Depth, 44);
    for (int i = 0; i < 10; i++)
        pb_pool_tune(pool, &tuning);
    assert_int_equal(first_list(6)->Depth, 4);
    assert_int_equal(first_list(5)->LastTotalAllocates, 100);
}

static void counters_carry_beyond_32_bits(void **state)
{
    (void)state;
    reopen("processors=1");
    first_list(5)->TotalAllocates = UINT32_MAX;
    (void)take(64);
    assert_int_equal(first_list(5)->TotalAllocates, 0);
    assert_true(counts().list_allocates == (uint64_t)1 << 32);
}

static void a_second_free_of_a_cached_block_is_caught_when_checked(void **state)
{
    (void)state;
    static const char *const variants[] = {"checked=on", "profile=nt4,checked=on",
                                           "profile=vista86,checked=on",
                                           BARE ",profile=vista,checked=on"};
    for (size_t i = 0; i < COUNT_OF(variants); i++) {
        reopen(variants[i]);
        (void)take(64);
        void *block = take(64);
        give(block);
        assert_int_equal(counts().running_frees, 0); /* in a list, or delayed */
        give(block);
        assert_int_equal(bugcheck[3], TAG_TEST);
        assert_int_equal(bugcheck[4], (uintptr_t)block);
        assert_true(stopped(BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE));
        check_sound();
    }
    /* without: pushed twice, and only the walk sees that the list is a circle */
    reopen("processors=1");
    void *block = take(64);
    give(block);
    give(block);
    assert_int_equal(bugcheck[0], 0);
    check_finds("twice");
    first_list(5)->ListHead.Region = 0;
    first_list(5)->ListHead.Alignment = 0;
}

static void a_cached_block_whose_header_was_overrun_is_caught_when_checked(void **state)
{
    (void)state;
    reopen("checked=on,processors=1");
    (void)take(64);
    void *block = take(64);
    give(block);
    pool_set_size(header_of(block), 9, 1, true);
    assert_null(ask(64, 0, TAG_TEST, 0)); /* who stopped the machine gets nothing */
    assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_OVERRUN));
    pool_set_size(header_of(block), 5, 1, true);
    check_sound();
}

static void the_walk_finds_what_is_planted_in_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(both_forms); i++) {
        reopen(both_forms[i]);
        void *a = take(100), *b = take(100), *c = take(24);
        unsigned granules = size_of(a);
        give(a);
        give(b);
        give(c);
        check_sound();
        pool_set_size(header_of(a), granules + 1, 1, pool->wide);
        check_finds("Size"); /* the page is walked first */
        pool_set_size(header_of(a), granules, 1, pool->wide);
        check_sound();
        first_list(granules)->ListHead.Alignment += pool->wide ? 1 : (uint64_t)1 << 32;
        check_finds("does not hold as many");
        first_list(granules)->ListHead.Alignment -= pool->wide ? 1 : (uint64_t)1 << 32;
        SLIST_HEADER was = first_list(granules)->ListHead;
        first_list(granules)->ListHead = first_list(size_of(c))->ListHead;
        check_finds("free, or not of its size");
        first_list(granules)->ListHead = was;
        check_sound(); /* the walk left no mark behind */
    }
}

static void delayed_frees_are_done_32_at_a_time(void **state)
{
    (void)state;
    static const char *const variants[] = {BARE ",profile=vista", BARE ",profile=vista86",
                                           BARE ",profile=w2k,delayed_frees=on,link_checks=on",
                                           BARE ",profile=win8,type=paged,paged_pools=1"};
    for (size_t i = 0; i < COUNT_OF(variants); i++) {
        reopen(variants[i]);
        void *blocks[64];
        for (int n = 0; n < 64; n++)
            blocks[n] = take(1000);
        uint64_t bytes = counts().total_bytes;
        for (int n = 0; n < 31; n++)
            give(blocks[n]);
        assert_int_equal(counts().running_frees, 0);
        assert_int_equal(counts().total_bytes, bytes);
        assert_int_equal(counts().cached_bytes, 31 * look(blocks[31]).granted);
        check_sound();
        give(blocks[31]);
        assert_int_equal(counts().running_frees, 32);
        assert_int_equal(counts().total_bytes, bytes / 2);
        assert_int_equal(counts().cached_bytes, 0);
        check_sound();
        for (int n = 32; n < 63; n++)
            give(blocks[n]);
        check_sound();
        (void)pb_pool_trim(pool);
        assert_int_equal(counts().running_frees, 63);
        give(blocks[63]);
        (void)pb_pool_trim(pool);
        assert_int_equal(counts().total_pages, 0);
        check_sound();
    }
}

static void delayed_frees_serve_when_no_page_is_left(void **state)
{
    (void)state;
    reopen(BARE ",profile=vista,reserve=1M");
    void *blocks[256];
    for (int i = 0; i < 256; i++)
        blocks[i] = take(3000);
    assert_null(ask(3000, 0, TAG_TEST, 0));
    give(blocks[7]);
    assert_ptr_equal(take(3000), blocks[7]);
    give(blocks[9]);
    assert_ptr_equal(PAGE_ALIGN(take(4096)), PAGE_ALIGN(blocks[9]));
    check_sound();
}

static void a_delayed_block_that_was_written_to_is_found(void **state)
{
    (void)state;
    reopen(BARE ",profile=vista");
    (void)take(1000);
    void *block = take(1000);
    give(block);
    uint64_t good = *(uint64_t *)block;
    *(uint64_t *)block = (uint64_t)5 << PENDING_DEPTH_SHIFT;
    check_finds("counted wrong");
    *(uint64_t *)block = good;
    check_sound();
    pool_set_size(header_of(block), 1, 1, true);
    (void)pb_pool_trim(pool);
    assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_SIZES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_NAMED("A4.3, A5.3: P is asked first, then L, then the pool",
                   p_is_asked_first_then_l_and_then_the_pool),
        POOL_NAMED("A2: lists serve up to 496 bytes (wide) or 248",
                   the_largest_listed_block_is_of_32_or_8_granules),
        POOL_NAMED("A5.3: a cached block is joined with nobody",
                   a_cached_block_is_joined_with_nobody),
        POOL_NAMED("A4.3: a hit has type, tag and two clear pointers anew",
                   a_hit_has_type_tag_and_two_clear_pointers_anew),
        POOL_NAMED("A5.3: a full list takes none, and depth 0 never does",
                   a_full_list_takes_none_and_depth_0_never_does),
        POOL_NAMED("C5: tuning follows the rule", tuning_follows_the_rule),
        POOL_NAMED("A4.3: counters carry beyond 32 bits", counters_carry_beyond_32_bits),
        POOL_NAMED("A15: a second free of a cached block is caught when checked",
                   a_second_free_of_a_cached_block_is_caught_when_checked),
        POOL_NAMED("A15: a cached block with an overrun header is caught when checked",
                   a_cached_block_whose_header_was_overrun_is_caught_when_checked),
        POOL_NAMED("A5.3: the walk finds what is planted in lists",
                   the_walk_finds_what_is_planted_in_lists),
        POOL_NAMED("A5.6: delayed frees are done 32 at a time",
                   delayed_frees_are_done_32_at_a_time),
        POOL_NAMED("A5.6: delayed frees serve when no page is left",
                   delayed_frees_serve_when_no_page_is_left),
        POOL_NAMED("A5.6, A15: a delayed block that was written to is found",
                   a_delayed_block_that_was_written_to_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
