/* SPDX-License-Identifier: MIT */
/* A6, A7, A8: the two page layers, whole pages and their tails, the big-page table, and a system
 * that refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/pool_engine_fixture.h"

static unsigned char *pages(size_t n)
{
    return take(n * PAGE_SIZE);
}

static void nonpaged_runs_are_cut_from_the_end_and_merge(void **state)
{
    (void)state;
    unsigned char *run = pages(15);
    give(run);
    unsigned char *last = pages(2);
    assert_ptr_equal(last, run + 13 * PAGE_SIZE);
    unsigned char *next = pages(3);
    assert_ptr_equal(next, run + 10 * PAGE_SIZE);
    unsigned char *small = take(16); /* a page of blocks comes from the same runs */
    assert_ptr_equal(small, run + 9 * PAGE_SIZE + 16);
    check_sound();
    give(next);
    give(last);
    assert_ptr_equal(pages(5), run + 10 * PAGE_SIZE); /* the two had merged */
    check_sound();
}

static void nonpaged_short_runs_serve_before_longer_ones_are_cut(void **state)
{
    (void)state;
    unsigned char *runs[4];
    for (size_t i = 0; i < 4; i++) {
        runs[i] = pages(4 - i); /* 4, 3, 2, 1 pages, kept apart by fences */
        (void)pages(1);
    }
    for (size_t i = 0; i < 4; i++)
        give(runs[i]);
    for (size_t i = 4; i-- > 0;)
        assert_ptr_equal(pages(4 - i), runs[i]);
    check_sound();
}

static void a_long_run_goes_back_to_the_system_where_it_is_asked_to(void **state)
{
    (void)state;
    give(take(65536));
    uint64_t full = counts().held_bytes;
    assert_int_equal(counts().held_bytes, full); /* the default: free pages stay held */
    reopen(BARE ",release=64k");
    unsigned char *big = take(65536);
    uint64_t held = counts().held_bytes;
    memset(big, 0xA5, 65536);
    give(big);
    assert_int_equal(counts().held_bytes, held - 65536);
    unsigned char *part = take(8192); /* the end of the released run: held again, and zero */
    assert_ptr_equal(part, big + 65536 - 8192);
    assert_int_equal(part[0] | part[8191], 0);
    assert_int_equal(counts().held_bytes, held - 65536 + 8192);
    assert_int_equal(counts().held_peak_bytes, held);
    check_sound();
    give(part);
    assert_int_equal(counts().held_bytes, held - 65536 + 8192); /* short: kept */
    assert_int_equal(pb_pool_trim(pool), 8192);
    assert_int_equal(pb_pool_trim(pool), 0);
    assert_int_equal(counts().held_bytes, held - 65536);
    check_sound();
}

static void paged_pages_are_the_first_clear_run_from_the_hint(void **state)
{
    (void)state;
    reopen(BARE ",type=paged,paged_pools=1");
    struct page_bitmap *map = &space->bitmap;
    unsigned char *base = space->base, *blocks[8];
    for (size_t i = 0; i < 8; i++) {
        blocks[i] = pages(1);
        assert_ptr_equal(blocks[i], base + i * PAGE_SIZE);
    }
    assert_int_equal(map->hint, 8); /* moved by 1-page requests */
    unsigned char *three = pages(3);
    assert_ptr_equal(three, base + 8 * PAGE_SIZE);
    assert_int_equal(map->hint, 8); /* and by no other */
    give(blocks[5]);
    assert_int_equal(map->hint, 5); /* down by a free */
    give(blocks[6]);
    assert_int_equal(map->hint, 5);
    give(blocks[2]);
    assert_int_equal(map->hint, 2);
    check_sound();
    assert_ptr_equal(pages(2), base + 5 * PAGE_SIZE); /* the first clear run that is long enough */
    assert_int_equal(map->hint, 2);
    assert_ptr_equal(pages(1), base + 2 * PAGE_SIZE);
    assert_int_equal(map->hint, 3);
    give(three);                                      /* needs no size */
    assert_ptr_equal(pages(4), base + 8 * PAGE_SIZE); /* reaches beyond what was taken so far */
    check_sound();
}

static void paged_pages_are_discarded_on_free_and_zero_when_taken_again(void **state)
{
    (void)state;
    reopen(BARE ",type=paged");
    unsigned char *block = pages(3);
    memset(block, 0xA5, 3 * PAGE_SIZE);
    uint64_t held = counts().held_bytes;
    give(block);
    assert_int_equal(counts().held_bytes, held - 3 * PAGE_SIZE);
    assert_ptr_equal(pages(3), block);
    assert_int_equal(counts().held_bytes, held);
    for (size_t i = 0; i < 3 * PAGE_SIZE; i++)
        assert_int_equal(block[i], 0);
    check_sound();
}

static void the_end_of_paged_runs_is_known_without_a_size(void **state)
{
    (void)state;
    reopen(BARE ",type=paged");
    unsigned char *a = pages(2), *b = pages(5), *c = pages(1);
    assert_int_equal(pb_page_bitmap_length(&space->bitmap, a), 2);
    assert_int_equal(pb_page_bitmap_length(&space->bitmap, b), 5);
    assert_int_equal(pb_page_bitmap_length(&space->bitmap, c), 1);
    assert_int_equal(pb_page_bitmap_length(&space->bitmap, b + PAGE_SIZE), 0); /* inside */
    give(b);
    assert_int_equal(pb_page_bitmap_length(&space->bitmap, b), 0);
    check_sound();
}

/* 5 KiB: the WDK's example. */
static void without_tail_reuse_the_tail_is_nobodys(void **state)
{
    (void)state;
    unsigned char *big = take(5 * 1024);
    struct pool_block found = look(big);
    assert_int_equal(found.granted, 8192);
    assert_int_equal(found.usable, 8192);
    assert_ptr_not_equal(PAGE_ALIGN(take(1000)), big + PAGE_SIZE);
    give(big);
    check_sound();
}

static const char *const tails[] = {BARE ",tail_reuse=on,link_checks=on,page_walk=on",
                                    BARE ",profile=xp,tail_reuse=on,link_checks=on",
                                    BARE ",profile=w2k,tail_reuse=on,link_checks=on",
                                    BARE ",type=paged,paged_pools=2,tail_reuse=on,link_checks=on"};

static void the_tail_serves_blocks_behind_a_header_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        reopen(tails[i]);
        unsigned granule = space->shape.granule;
        unsigned char *big = take(5 * 1024);
        struct pool_block found = look(big);
        assert_int_equal(found.usable, 5 * 1024);
        assert_int_equal(found.granted, 5 * 1024 + granule);
        memset(big, 0xFF, found.usable);
        check_sound();
        unsigned char *block = take(1000);
        for (int n = 0; n < 2 && PAGE_ALIGN(block) != big + PAGE_SIZE; n++)
            block = take(1000); /* pools take turns */
        assert_ptr_equal(PAGE_ALIGN(block), big + PAGE_SIZE);
        memset(block, 0xFF, 1000);
        check_sound();
        give(block);
        check_sound();
        give(big);
        check_sound();
        assert_int_equal(counts().total_big_pages, 0);
    }
}

static void the_last_page_stays_until_its_blocks_are_free_too(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        reopen(tails[i]);
        unsigned char *big = take(5 * 1024), *block = NULL;
        for (int n = 0; n < 3 && PAGE_ALIGN(block) != big + PAGE_SIZE; n++)
            block = take(1000);
        uint64_t others = counts().total_pages;
        give(big);
        assert_int_equal(counts().total_big_pages, 0);
        assert_int_equal(counts().total_pages, others + 1); /* a page of blocks like any other */
        check_sound();
        void *front = take(2500); /* the user's part is a free block now */
        for (int n = 0; n < 1 && PAGE_ALIGN(front) != big + PAGE_SIZE; n++)
            front = take(2500);
        assert_ptr_equal(PAGE_ALIGN(front), big + PAGE_SIZE);
        give(front);
        check_sound();
        give(block);
        assert_int_equal(counts().total_pages, others);
        check_sound();
    }
}

static void a_tail_too_short_for_a_block_is_not_listed(void **state)
{
    (void)state;
    reopen(BARE ",tail_reuse=on");
    unsigned char *big = take(8192 - 32); /* one header, and a granule that has no room for links */
    assert_int_equal(look(big).usable, 8192);
    unsigned char *more = take(8192 - 48);
    assert_int_equal(look(more).usable, 8192 - 48);
    check_sound();
    assert_int_equal(look(take(4070)).granted, 4096);
    assert_int_equal(look(take(4096)).granted, 4096);
    give(big);
    give(more);
    check_sound();
}

static void big_allocations_have_their_tag_in_the_table(void **state)
{
    (void)state;
    unsigned char *big = ask(10000, NonPagedPoolCacheAligned | 8, TAG_TEST, 0);
    struct pool_block found = look(big);
    assert_int_equal(found.tag, TAG_TEST);
    assert_int_equal(found.type, NonPagedPoolCacheAligned); /* nobody is charged */
    assert_int_equal(found.granted, 12288);
    assert_true(found.big);
    assert_int_equal(pb_pool_big_count(pool->big), 1);
    give(big);
    assert_int_equal(pb_pool_big_count(pool->big), 0);
    assert_int_equal(look(ask(10000, 0, 0, 0)).tag, POOL_TAG_NONE);
    check_sound();
}

static void what_the_table_has_no_room_for_is_booked_under_big(void **state)
{
    (void)state;
    static const char *const variants[] = {"profile=nt4,big_entries=64,tags=on",
                                           "profile=nt4,big_entries=64,tags=on,type=paged"};
    for (size_t i = 0; i < COUNT_OF(variants); i++) {
        reopen(variants[i]); /* NT 4: the table does not grow */
        void *blocks[80];
        unsigned untracked = 0;
        for (int n = 0; n < 80; n++) {
            blocks[n] = take(3 * PAGE_SIZE);
            untracked += look(blocks[n]).tag == POOL_TAG_BIG;
            assert_int_equal(look(blocks[n]).granted, 3 * PAGE_SIZE);
        }
        assert_true(untracked >= 16);
        check_sound();
        SYSTEM_POOLTAG rows[8];
        unsigned found = pb_pool_tags_read(pb_pool_tags(pool), rows, COUNT_OF(rows));
        assert_int_equal(found, 2);
        for (unsigned row = 0; row < found; row++) {
            unsigned n = rows[row].NonPagedAllocs + rows[row].PagedAllocs;
            assert_int_equal(n, rows[row].TagUlong == POOL_TAG_BIG ? untracked : 80 - untracked);
        }
        for (int n = 0; n < 80; n++)
            give(blocks[n]);
        assert_int_equal(bugcheck[0], 0);
        assert_int_equal(counts().total_big_pages, 0);
        check_sound();
        give(blocks[79]);
        assert_int_equal(bugcheck[0], BAD_POOL_HEADER);
        assert_int_equal(bugcheck[1], BAD_HEADER_UNTRACKED);
    }
}

static void tags_are_counted_on_every_path(void **state)
{
    (void)state;
    reopen("tags=on,processors=1,profile=vista");
    for (int i = 0; i < 10; i++) {
        give(take(64));  /* from the second on: a list */
        give(take(600)); /* delayed */
        give(take(9000));
    }
    SYSTEM_POOLTAG row;
    assert_int_equal(pb_pool_tags_read(pb_pool_tags(pool), &row, 1), 1);
    assert_int_equal(row.TagUlong, TAG_TEST);
    assert_int_equal(row.NonPagedAllocs, 30);
    assert_int_equal(row.NonPagedFrees, 30);
    assert_int_equal(row.NonPagedUsed, 0);
    (void)take(64);
    (void)pb_pool_tags_read(pb_pool_tags(pool), &row, 1);
    assert_int_equal(row.NonPagedUsed, 80);
}

static void a_full_reservation_returns_null(void **state)
{
    (void)state;
    static const char *const variants[] = {BARE ",reserve=1M", BARE ",reserve=1M,type=paged"};
    for (size_t i = 0; i < COUNT_OF(variants); i++) {
        reopen(variants[i]);
        size_t count = 0;
        void *last = NULL;
        for (void *block; (block = ask(4096, 0, 0, 0)) != NULL; count++)
            last = block;
        assert_int_equal(count, 256);
        assert_null(ask(16, 0, 0, 0));
        check_sound();
        give(last);
        (void)take(16);
        assert_null(ask(SIZE_MAX, 0, 0, 0));
        assert_null(ask((size_t)1 << 50, 0, 0, 0));
        assert_null(ask(16, 0, 0, 1u << 30));
        check_sound();
    }
}

static void narrow_arenas_are_as_long_as_their_links_reach(void **state)
{
    (void)state;
    reopen("profile=xp,reserve=16G");
    assert_int_equal(space->reserved, (size_t)1 << 32);
}

static void the_pool_stays_sound_wherever_the_system_refuses(void **state)
{
    (void)state;
    static const char *const variants[] = {"", "profile=win8_86,tags=on",
                                           "type=paged,tail_reuse=on"};
    for (size_t i = 0; i < COUNT_OF(variants); i++) {
        pb_pool_close(pool);
        unsigned n = 1;
        for (refuse_nth(n, true); try_open(variants[i]) != 0; refuse_nth(++n, true))
            assert_int_equal(refuse_state.reserved, 0);
        refuse_nth(0, false);
        pb_pool_close(pool);
        bool refused = true;
        for (n = 1; refused; n++) {
            refuse_nth(0, false);
            open_pool(variants[i]);
            refuse_nth(n, n % 2 == 0);
            unsigned failures = churn(600);
            refused = refuse_state.calls >= n;
            assert_true(refused || failures == 0);
            check_sound();
            refuse_nth(0, false);
            (void)take(100000); /* works again as soon as the system does */
            check_sound();
            pb_pool_close(pool);
            assert_int_equal(refuse_state.reserved, 0);
        }
        assert_true(n > 2);
        open_pool("");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_NAMED("A6: nonpaged runs are cut from the end and merge",
                   nonpaged_runs_are_cut_from_the_end_and_merge),
        POOL_NAMED("A6: nonpaged: short runs serve before longer ones are cut",
                   nonpaged_short_runs_serve_before_longer_ones_are_cut),
        POOL_NAMED("A6: a long run goes back to the system where it is asked to",
                   a_long_run_goes_back_to_the_system_where_it_is_asked_to),
        POOL_NAMED("A6: paged pages are the first clear run from the hint",
                   paged_pages_are_the_first_clear_run_from_the_hint),
        POOL_NAMED("A6: paged pages are discarded on free, and zero when taken again",
                   paged_pages_are_discarded_on_free_and_zero_when_taken_again),
        POOL_NAMED("A6: the end of a paged run is known without a size",
                   the_end_of_paged_runs_is_known_without_a_size),
        POOL_NAMED("A7: without tail_reuse 5 KiB take 8", without_tail_reuse_the_tail_is_nobodys),
        POOL_NAMED("A7: the tail serves blocks behind a header of its own",
                   the_tail_serves_blocks_behind_a_header_of_its_own),
        POOL_NAMED("A7: the last page stays until its blocks are free too",
                   the_last_page_stays_until_its_blocks_are_free_too),
        POOL_NAMED("A7: a tail too short for a block is not listed",
                   a_tail_too_short_for_a_block_is_not_listed),
        POOL_NAMED("A8: big allocations have their tag in the table",
                   big_allocations_have_their_tag_in_the_table),
        POOL_NAMED("A8: what the table has no room for is booked under BIG",
                   what_the_table_has_no_room_for_is_booked_under_big),
        POOL_NAMED("A9: tags are counted on every path", tags_are_counted_on_every_path),
        POOL_NAMED("A4.8: a full reservation returns NULL", a_full_reservation_returns_null),
        POOL_NAMED("A2: narrow arenas are as long as their links reach",
                   narrow_arenas_are_as_long_as_their_links_reach),
        POOL_NAMED("A4.8: the pool stays sound wherever the system refuses",
                   the_pool_stays_sound_wherever_the_system_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
