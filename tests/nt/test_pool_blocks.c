/* SPDX-License-Identifier: MIT */
/* A4, A5: in which order the pool looks for a block, where it cuts it, where what is freed goes.
 * Without lookaside lists; granules of 16 bytes, but where a test says otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/pool_engine_fixture.h"

static void a_page_is_cut_from_the_front_then_from_its_end(void **state)
{
    (void)state;
    void *first = take(100); /* 8 granules, at the front of a new page */
    void *second = take(16); /* the free rest is not first in its page: its end */
    void *third = take(32);
    assert_int_equal(place_of(first), 0);
    assert_int_equal(place_of(second), 254);
    assert_int_equal(place_of(third), 251);
    assert_ptr_equal(PAGE_ALIGN(first), PAGE_ALIGN(third));
    assert_int_equal(previous_of(second), 3);
    assert_int_equal(previous_of(third), 251 - 8);
    give(first); /* joins the rest: a free block that is first in its page */
    assert_int_equal(place_of(take(64)), 0);
    check_sound();
    assert_int_equal(counts().pages_taken, 1);
}

static void the_last_freed_goes_first(void **state)
{
    (void)state;
    void *blocks[6];
    for (int i = 0; i < 6; i++)
        blocks[i] = take(64); /* neighbours; those in between stay in use */
    give(blocks[1]);
    give(blocks[3]);
    assert_ptr_equal(listed(desc, 5, 0), blocks[3]);
    assert_ptr_equal(listed(desc, 5, 1), blocks[1]);
    assert_ptr_equal(take(64), blocks[3]);
    assert_ptr_equal(take(64), blocks[1]);
    check_sound();
}

static void a_remainder_goes_to_the_tail_of_its_list(void **state)
{
    (void)state;
    void *first = take(64), *freed = take(64);
    (void)take(64); /* a fence */
    void *rest = behind(first, 5);
    give(freed);
    (void)take((241 - 5) * 16 - 16); /* of the 241 granules that are free, all but 5 */
    assert_ptr_equal(listed(desc, 5, 0), freed);
    assert_ptr_equal(listed(desc, 5, 1), rest);
    assert_null(listed(desc, 5, 2));
    assert_ptr_equal(take(64), freed);
    assert_ptr_equal(take(64), rest);
    check_sound();
}

/* A free block of exactly 5 granules, and one of 6, are there. */
static void exact_search_takes_an_exact_fit_and_next_never_does(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        int expected; /* which of the two is taken for 5 granules */
    } cases[] = {{BARE ",search=exact", 0}, {BARE ",search=next", 1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        reopen(cases[i].options);
        void *first = take(64), *five = take(64), *fence = take(64), *six = take(80);
        void *last = take(64);
        (void)first, (void)fence, (void)last;
        give(five);
        give(six);
        void *taken = take(64);
        assert_ptr_equal(PAGE_ALIGN(taken), PAGE_ALIGN(five));
        if (cases[i].expected == 0)
            assert_ptr_equal(taken, five);
        else
            assert_ptr_equal(taken, behind(six, 1)); /* its end; a granule remains before it */
        check_sound();
    }
}

static void a_freed_block_joins_the_next_and_then_the_previous(void **state)
{
    (void)state;
    void *a = take(64), *b = take(64), *c = take(64), *d = take(64);
    assert_int_equal(place_of(b), 251); /* b is the highest: d, c, b from the rest upward */
    assert_int_equal(place_of(c), 246);
    assert_int_equal(place_of(d), 241);
    give(b);
    assert_int_equal(size_of(b), 5);
    give(d); /* joins the rest below */
    assert_int_equal(size_of(behind(a, 5)), 246 - 5);
    assert_int_equal(previous_of(c), 246 - 5);
    give(c); /* joins b behind it, then what is before it */
    assert_int_equal(size_of(behind(a, 5)), 256 - 5);
    check_sound();
    give(a);
    check_sound();
    assert_int_equal(counts().total_pages, 0);
}

static void a_remnant_of_one_granule_waits_for_its_neighbour(void **state)
{
    (void)state;
    void *most = take(4064); /* 255 granules: leaves one */
    void *remnant = behind(most, 255);
    assert_int_equal(size_of(remnant), 1);
    assert_int_equal(type_of(remnant), POOL_TYPE_FREE);
    for (unsigned granules = 1; granules < 256; granules++)
        assert_null(listed(desc, granules, 0));
    check_sound();
    give(most);
    assert_int_equal(counts().total_pages, 0);
    check_sound();
}

static void an_empty_page_goes_back_and_is_taken_again(void **state)
{
    (void)state;
    void *block = take(100);
    assert_int_equal(counts().pages_taken, 1);
    give(block);
    assert_int_equal(counts().total_pages, 0);
    uint64_t held = counts().held_bytes;
    assert_ptr_equal(take(100), block);
    assert_int_equal(counts().pages_taken, 2);
    assert_int_equal(counts().held_bytes, held); /* it had stayed mapped and held */
    check_sound();
}

static void two_pointers_of_the_user_area_are_cleared_and_no_more(void **state)
{
    (void)state;
    (void)take(64);
    unsigned char *block = take(64);
    memset(block, 0xFF, 64);
    give(block);
    assert_ptr_equal(take(64), block);
    for (int i = 0; i < 64; i++)
        assert_int_equal(block[i], i < 16 ? 0 : 0xFF);
}

static void counters_are_those_of_the_slow_path(void **state)
{
    (void)state;
    void *a = take(100), *b = take(5000);
    struct pool_counts c = counts();
    assert_int_equal(c.running_allocs, 2);
    assert_int_equal(c.running_frees, 0);
    assert_int_equal(c.total_pages, 1);
    assert_int_equal(c.total_big_pages, 2);
    assert_int_equal(c.total_bytes, 128 + 8192); /* rounded both ways */
    give(a);
    give(b);
    c = counts();
    assert_int_equal(c.running_frees, 2);
    assert_int_equal(c.total_pages + c.total_big_pages + c.total_bytes, 0);
}

static void what_a_block_is_can_be_asked(void **state)
{
    (void)state;
    void *block = ask(100, NonPagedPoolCacheAligned, TAG_TEST, 0);
    struct pool_block found = look(block);
    assert_int_equal(found.class, POOL_NONPAGED);
    assert_int_equal(found.type, NonPagedPoolCacheAligned);
    assert_int_equal(found.tag, TAG_TEST);
    assert_int_equal(found.granted, 128);
    assert_int_equal(found.usable, 112);
    assert_null(found.owner);
    assert_false(found.big);
    assert_int_equal(look(ask(16, 0, 0, 0)).tag, 0x656E6F4E); /* "None" */
}

/* A4.4's toy model, shortened: half of many slots are in use; at each step a random one is
 * allocated or freed. Returns bytes in use per byte of pages, on average over the second half. */
static double utilisation(unsigned steps, unsigned granules, unsigned spread)
{
    enum { LIVE = 20000 };
    static void *live[LIVE];
    uint64_t random = 7;
    double sum = 0;
    unsigned samples = 0;
    memset(live, 0, sizeof live);
    for (unsigned step = 0; step < steps; step++) {
        size_t slot = next_random(&random) % LIVE;
        if (live[slot] != NULL) {
            give(live[slot]);
            live[slot] = NULL;
        } else {
            live[slot] = take((granules + next_random(&random) % spread) * 16 - 16);
        }
        if (step > steps / 2 && step % 1000 == 0) {
            struct pool_counts c = counts();
            sum += (double)c.total_bytes / (double)(c.total_pages * PAGE_SIZE);
            samples++;
        }
    }
    return sum / samples;
}

static void exact_search_fills_pages_that_next_leaves_a_third_empty(void **state)
{
    (void)state;
    reopen(BARE ",search=exact");
    double exact = utilisation(400000, 5, 1);
    assert_true(exact >= 0.95);
    check_sound();
    reopen(BARE ",search=next");
    double next = utilisation(400000, 5, 1);
    assert_true(next >= 0.60 && next <= 0.72);
    check_sound();
    reopen(BARE ",search=exact");
    assert_true(utilisation(400000, 2, 62) >= 0.94);
    reopen(BARE ",search=next");
    assert_true(utilisation(400000, 2, 62) >= 0.93);
}

static void churn_leaves_nothing_behind(void **state)
{
    (void)state;
    static const char *const variants[] = {BARE ",profile=nt4",
                                           BARE ",profile=w2k,link_checks=on",
                                           BARE ",profile=xp",
                                           BARE ",profile=x64",
                                           BARE ",profile=vista",
                                           BARE ",profile=vista86",
                                           "profile=win8,type=nx",
                                           "profile=win8_86",
                                           "profile=nt4,checked=on",
                                           "profile=xp,page_walk=on,checked=on",
                                           "profile=vista86,type=paged,checked=on",
                                           "profile=x64,type=paged,page_walk=on",
                                           "profile=w2k,tail_reuse=on,delayed_frees=on",
                                           "cache_aligned=on",
                                           "profile=vista,checked=on,nonpaged_pools=3"};
    for (size_t i = 0; i < COUNT_OF(variants); i++) {
        reopen(variants[i]);
        assert_int_equal(churn(3000), 0);
        check_sound();
        pb_pool_trim(pool);
        check_sound();
        struct pool_counts c = counts();
        assert_int_equal(c.total_pages + c.total_big_pages + c.total_bytes + c.cached_bytes, 0);
        assert_int_equal(c.running_allocs, c.running_frees);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_NAMED("A4.5: a page is cut from the front, then from its end",
                   a_page_is_cut_from_the_front_then_from_its_end),
        POOL_NAMED("A5.5: what was freed last is at the head and goes first",
                   the_last_freed_goes_first),
        POOL_NAMED("A4.5: the remainder of a split goes to the tail",
                   a_remainder_goes_to_the_tail_of_its_list),
        POOL_NAMED("A4.4: search=exact takes an exact fit, search=next never does",
                   exact_search_takes_an_exact_fit_and_next_never_does),
        POOL_NAMED("A5.4: a freed block joins the next one, then the previous one",
                   a_freed_block_joins_the_next_and_then_the_previous),
        POOL_NAMED("A2: a remnant without room for links waits for its neighbour",
                   a_remnant_of_one_granule_waits_for_its_neighbour),
        POOL_NAMED("A5.5: a page that is free as a whole goes back",
                   an_empty_page_goes_back_and_is_taken_again),
        POOL_NAMED("A4.6: two pointers of the user area are cleared, and no more",
                   two_pointers_of_the_user_area_are_cleared_and_no_more),
        POOL_NAMED("A4.2, A5.1: counters go by rounded bytes, both ways",
                   counters_are_those_of_the_slow_path),
        POOL_NAMED("A2, A9: a block's type, tag and sizes can be asked",
                   what_a_block_is_can_be_asked),
        POOL_NAMED("A4.4: exact search uses 0.95 of its pages, next two thirds",
                   exact_search_fills_pages_that_next_leaves_a_third_empty),
        POOL_NAMED("A4, A5: churn leaves nothing behind in any profile",
                   churn_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
