/* SPDX-License-Identifier: MIT */
/* A15: what is found corrupt when a block is allocated or freed, by planting it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/pool_engine_fixture.h"

#include <poolbench/nt/irql.h>

static const char *const forms[] = {
    BARE ",link_checks=on", BARE ",link_checks=on,profile=xp", BARE ",link_checks=on,profile=w2k",
    BARE ",link_checks=on,type=paged,paged_pools=1", BARE ",profile=win8_86,delayed_frees=off"};

/* What is done to the header of a block in use, or to the one behind it, and what free must say. */
static const struct {
    bool behind, size; /* whose header; which half */
    unsigned value;    /* of PreviousSize or BlockSize; LONGEST: the most that the field holds */
    uint64_t kind;
} header_cases[] = {
    {false, true, 0, BAD_HEADER_SIZE_ZERO},
    {false, true, 255, BAD_HEADER_NEXT_PAGE},
    {false, true, 4, BAD_HEADER_SIZES},
    {false, false, 0, BAD_HEADER_NOT_FIRST},
    {false, false, 255, BAD_HEADER_PREVIOUS_PAGE},
    {false, false, 1, BAD_HEADER_SIZES},
    {true, false, 200, BAD_HEADER_SIZES},
};

static void corrupt_headers_stop_the_free(void **state)
{
    (void)state;
    for (size_t n = 0; n < COUNT_OF(forms) * COUNT_OF(header_cases); n++) {
        size_t i = n % COUNT_OF(header_cases);
        reopen(forms[n / COUNT_OF(header_cases)]);
        void *first = take(64), *next = take(64), *block = take(64);
        (void)first;
        unsigned size = size_of(block), previous = previous_of(block);
        struct pool_block found = look(block);
        struct pool_counts before = counts();
        plant(header_cases[i].behind ? next : block, header_cases[i].size, header_cases[i].value);
        check_finds(""); /* any finding will do here */
        pb_pool_release(pool, block, &found);
        assert_int_equal(bugcheck[2], (uintptr_t)header_of(block));
        assert_true(stopped(BAD_POOL_HEADER, header_cases[i].kind));
        assert_int_equal(counts().running_frees, before.running_frees);
        assert_int_equal(counts().total_bytes, before.total_bytes);
        plant(block, true, size);
        plant(block, false, previous);
        plant(next, false, size);
        check_sound(); /* abandoned: as if it had not been called */
        give(block);
        check_sound();
    }
}

static void a_second_free_is_caught(void **state)
{
    (void)state;
    static const char *const variants[] = {BARE, BARE ",profile=nt4", BARE ",profile=xp"};
    for (size_t i = 0; i < COUNT_OF(variants); i++) {
        reopen(variants[i]); /* even without checks */
        void *fence = take(64), *block = take(600), *big = take(5000);
        (void)fence;
        struct pool_block found = look(big);
        give(block);
        give(block);
        assert_int_equal(bugcheck[3], TAG_TEST);
        assert_int_equal(bugcheck[4], (uintptr_t)block);
        assert_true(stopped(BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE));
        give(big);
        give(big);
        assert_int_equal(bugcheck[2], (uintptr_t)big);
        assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_UNTRACKED));
        pb_pool_release(pool, big, &found); /* as if two threads had looked it up at once */
        assert_true(stopped(BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE));
        check_sound();
    }
    reopen(BARE ",link_checks=on");
    void *fence = take(64), *block = take(600);
    (void)fence;
    struct pool_block found = look(block);
    give(block);
    pb_pool_release(pool, block, &found);
    assert_true(stopped(BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE));
    check_sound();
}

static void addresses_that_the_pool_never_gave_are_refused(void **state)
{
    (void)state;
    static _Alignas(4096) unsigned char foreign[8192];
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        reopen(forms[i]);
        unsigned char *block = take(64), *big = take(12288);
        const struct {
            unsigned char *at;
            uint64_t kind, code;
        } wrong[] = {
            {foreign, BAD_CALLER_NOT_POOL, BAD_POOL_CALLER},
            {foreign + 64, BAD_CALLER_NOT_POOL, BAD_POOL_CALLER},
            {space->base + space->reserved - 64, BAD_CALLER_NOT_POOL, BAD_POOL_CALLER},
            {space->base + space->reserved - 4096, BAD_HEADER_UNTRACKED, BAD_POOL_HEADER},
            {block + 4, BAD_CALLER_INSIDE_BLOCK, BAD_POOL_CALLER},
            {PAGE_ALIGN(block), BAD_CALLER_INSIDE_BLOCK, BAD_POOL_CALLER},
            {big + 64, BAD_CALLER_INSIDE_BLOCK, BAD_POOL_CALLER},
            {big + 4096, BAD_HEADER_UNTRACKED, BAD_POOL_HEADER},
        };
        for (size_t n = 0; n < COUNT_OF(wrong); n++) {
            struct pool_block found;
            assert_false(pb_pool_inspect(pool, wrong[n].at, &found));
            assert_int_equal(bugcheck[2], (uintptr_t)wrong[n].at);
            assert_true(stopped((uint32_t)wrong[n].code, wrong[n].kind));
        }
        check_sound();
    }
}

static void an_address_in_the_users_part_of_a_shared_page_is_refused(void **state)
{
    (void)state;
    reopen(BARE ",tail_reuse=on");
    unsigned char *big = take(5 * 1024);
    struct pool_block found;
    assert_false(pb_pool_inspect(pool, big + 4096 + 512, &found));
    assert_true(stopped(BAD_POOL_CALLER, BAD_CALLER_INSIDE_BLOCK));
    assert_false(pb_pool_inspect(pool, big + 5 * 1024 + 16, &found)); /* the tail's own header */
    assert_true(stopped(BAD_POOL_CALLER, BAD_CALLER_INSIDE_BLOCK));
}

static void a_shadow_that_leads_nowhere_is_refused(void **state)
{
    (void)state;
    reopen("profile=nt4");
    unsigned char *block = ask(64, 0, TAG_TEST, 64);
    uint32_t *distance = (uint32_t *)(void *)(block - 4);
    uint32_t good = *distance;
    static const uint32_t bad[] = {5000, 7, UINT32_MAX};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct pool_block found;
        *distance = bad[i];
        assert_false(pb_pool_inspect(pool, block, &found));
        assert_true(stopped(BAD_POOL_CALLER, BAD_CALLER_INSIDE_BLOCK));
    }
    *distance = good;
    give(block);
    check_sound();
}

static void a_pool_index_of_no_pool_is_refused(void **state)
{
    (void)state;
    static const char *const variants[] = {BARE, BARE ",type=paged", BARE ",profile=vista86"};
    for (size_t i = 0; i < COUNT_OF(variants); i++) {
        reopen(variants[i]);
        void *block = take(1000);
        unsigned good = index_of(block);
        pool_set_previous(header_of(block), 0, 77, pool->wide);
        check_finds("PoolIndex");
        give(block);
        assert_true(stopped(BAD_POOL_CALLER, BAD_CALLER_HEADER));
        pool_set_previous(header_of(block), 0, good, pool->wide);
        check_sound();
    }
}

/* Writes one link of a free block: where it leads next, or back. */
static uint64_t link_swap(void *entry, bool back, uint64_t value)
{
    uint64_t was;
    if (pool->wide) {
        was = ((uint64_t *)entry)[back];
        ((uint64_t *)entry)[back] = value;
    } else {
        was = ((uint32_t *)entry)[back];
        ((uint32_t *)entry)[back] = (uint32_t)value;
    }
    return was;
}

static void broken_links_are_found_before_they_are_used(void **state)
{
    (void)state;
    for (size_t n = 0; n < COUNT_OF(forms) * 8; n++) {
        reopen(forms[n / 8]);
        void *blocks[5];
        for (int i = 0; i < 5; i++)
            blocks[i] = take(64);
        give(blocks[1]); /* highest; behind blocks[2] */
        uint64_t where = (uintptr_t)blocks[3];
        const uint64_t strays[] = {1, 0x10, UINT64_MAX / 3 * 2,
                                   pool->wide ? where : where - (uintptr_t)space->base};
        bool back = n % 2;
        uint64_t good = link_swap(blocks[1], back, strays[n % 8 / 2]);
        check_finds("list");
        assert_null(ask(64, 0, TAG_TEST, 0));
        assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_LINKS));
        give(blocks[2]); /* would unlink it to join it */
        assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_LINKS));
        (void)link_swap(blocks[1], back, good);
        check_sound();
        assert_ptr_equal(take(64), blocks[1]);
        check_sound();
    }
}

static void a_head_that_leads_away_is_found(void **state)
{
    (void)state;
    static LIST_ENTRY stray;
    void *fence = take(64), *block = take(64);
    (void)fence;
    give(block);
    (void)take(64); /* of the rest's list now: */
    LIST_ENTRY *head = &desc->heads.wide[246 - 1];
    LIST_ENTRY *good = head->Flink;
    head->Flink = &stray;
    assert_null(ask(64, 0, TAG_TEST, 0));
    assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_LINKS));
    head->Flink = good;
    check_sound();
}

static void free_blocks_that_changed_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        reopen(forms[i]);
        void *blocks[4];
        for (int n = 0; n < 4; n++)
            blocks[n] = take(64);
        give(blocks[2]);
        unsigned size = size_of(blocks[2]);
        pool_set_size(header_of(blocks[2]), size, 1, pool->wide);
        assert_null(ask(64, 0, TAG_TEST, 0));
        assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_AFTER_FREE));
        pool_set_size(header_of(blocks[2]), size + 1, 0, pool->wide);
        assert_null(ask(64, 0, TAG_TEST, 0));
        assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_SIZES));
        pool_set_size(header_of(blocks[2]), size, 0, pool->wide);
        check_sound();
    }
}

static void the_page_walk_finds_what_neighbours_do_not_tell(void **state)
{
    (void)state;
    static const char *const variants[] = {BARE ",page_walk=on", BARE ",page_walk=on,profile=xp",
                                           BARE ",page_walk=on,profile=nt4"};
    for (size_t i = 0; i < COUNT_OF(variants); i++) {
        reopen(variants[i]);
        void *blocks[6];
        for (int n = 0; n < 6; n++)
            blocks[n] = take(64);
        unsigned size = size_of(blocks[1]);
        plant(blocks[1], true, size + 1); /* highest in the page: far from blocks[4] */
        give(blocks[4]);
        assert_int_equal(bugcheck[2], (uintptr_t)header_of(blocks[4]));
        assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_WALK));
        assert_null(ask(64, 0, TAG_TEST, 0));
        assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_WALK));
        plant(blocks[1], true, size);
        give(blocks[4]);
        check_sound();
        struct pool_block inside = look(blocks[3]); /* no block begins there */
        inside.granted = 2 * space->shape.granule;
        unsigned char *within = behind(blocks[3], 1);
        pool_set_size(header_of(within), 2, 1, pool->wide);
        pool_set_previous(header_of(within), 1, index_of(blocks[3]), pool->wide);
        if (space->shape.granule != 32) {
            pb_pool_release(pool, within, &inside);
            assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_WALK));
        }
    }
}

static void a_corrupt_tail_stops_the_free_of_its_big_allocation(void **state)
{
    (void)state;
    reopen(BARE ",tail_reuse=on,link_checks=on");
    unsigned char *big = take(5 * 1024), *block = take(1000);
    assert_ptr_equal(PAGE_ALIGN(block), big + 4096);
    void *rest = big + 5 * 1024 + 16 + 16;
    unsigned size = size_of(rest);
    plant(rest, false, 9);
    give(big);
    assert_true(stopped(BAD_POOL_HEADER, BAD_HEADER_SIZES));
    plant(rest, false, 1);
    check_sound(); /* still there */
    assert_int_equal(size_of(rest), size);
    assert_int_equal(look(big).usable, 5 * 1024);
    give(big);
    give(block);
    check_sound();
    assert_int_equal(counts().held_bytes == 0, 0);
}

static unsigned raised; /* the IRQL when the hook was called */

static void record_level(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3, uint64_t p4)
{
    raised = KeGetCurrentIrql();
    record_bugcheck(code, p1, p2, p3, p4);
    check_finds(""); /* the pool can be walked, and locked: nothing is held */
    (void)counts();
}

static void nothing_is_held_when_the_hook_is_called(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        reopen(forms[i]);
        void *first = take(64), *block = take(64);
        (void)first;
        unsigned size = size_of(block);
        plant(block, true, 0);
        struct pool_block found = {.class = space->class,
                                   .granted = (size_t)size << space->shape.shift};
        pb_bugcheck_hook = record_level;
        raised = 99;
        pb_pool_release(pool, block, &found);
        assert_int_equal(raised, PASSIVE_LEVEL);
        assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
        pb_bugcheck_hook = record_bugcheck;
        memset(bugcheck, 0, sizeof bugcheck);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_NAMED("A15: 0x19/5, 6, 7, 8, 9: corrupt headers stop the free",
                   corrupt_headers_stop_the_free),
        POOL_NAMED("A15: 0xC2/7: a second free is caught", a_second_free_is_caught),
        POOL_NAMED("A15: 0xC2/46, 99: addresses that the pool never gave are refused",
                   addresses_that_the_pool_never_gave_are_refused),
        POOL_NAMED("A7, A15: an address in the user's part of a shared page is refused",
                   an_address_in_the_users_part_of_a_shared_page_is_refused),
        POOL_NAMED("A15: a shadow that leads nowhere is refused",
                   a_shadow_that_leads_nowhere_is_refused),
        POOL_NAMED("A13, A15: 0xC2/1: a PoolIndex of no pool is refused",
                   a_pool_index_of_no_pool_is_refused),
        POOL_NAMED("A15: 0x19/3: broken links are found before they are used",
                   broken_links_are_found_before_they_are_used),
        POOL_NAMED("A15: 0x19/3: a head that leads away is found", a_head_that_leads_away_is_found),
        POOL_NAMED("A15: 0x19/5, 21: free blocks that changed are found",
                   free_blocks_that_changed_are_found),
        POOL_NAMED("A15: 0x19/A: the page walk finds what neighbours do not tell",
                   the_page_walk_finds_what_neighbours_do_not_tell),
        POOL_NAMED("A7, A15: a corrupt tail stops the free of its big allocation",
                   a_corrupt_tail_stops_the_free_of_its_big_allocation),
        POOL_NAMED("A15: nothing is held when the hook is called",
                   nothing_is_held_when_the_hook_is_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
