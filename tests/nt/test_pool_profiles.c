/* SPDX-License-Identifier: MIT */
/* A1, A2, A3, A16 and the table of profiles: sizes, both forms of headers, alignment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/pool_engine_fixture.h"

struct vector {
    size_t bytes;
    unsigned granules;
};

static const struct vector granule8[] = {
    {0, 2},      {1, 2},      {8, 2},      {16, 3},     {17, 4},     {32, 5},
    {64, 9},     {100, 14},   {128, 17},   {256, 33},   {512, 65},   {1000, 126},
    {1024, 129}, {2000, 251}, {2048, 257}, {4000, 501}, {4080, 511}, {SIZE_MAX, 0}};
static const struct vector granule16[] = {
    {0, 2},     {1, 2},      {8, 2},      {16, 2},     {17, 3},     {32, 3},
    {64, 5},    {100, 8},    {128, 9},    {256, 17},   {512, 33},   {1000, 64},
    {1024, 65}, {2000, 126}, {2048, 129}, {4000, 251}, {4064, 255}, {SIZE_MAX, 0}};
static const struct vector granule32[] = {
    {0, 1},   {1, 1},     {24, 1},    {25, 2},     {56, 2},     {100, 4},     {248, 8},
    {249, 9}, {1000, 32}, {2048, 65}, {4024, 126}, {4056, 127}, {SIZE_MAX, 0}};

static const struct {
    const char *name;
    const struct vector *vectors;
    size_t largest;
} profiles[] = {
    {"nt4", granule32, 4056},  {"w2k", granule32, 4056},    {"xp", granule8, 4080},
    {"x64", granule16, 4064},  {"vista", granule16, 4064},  {"vista86", granule8, 4080},
    {"win8", granule16, 4064}, {"win8_86", granule8, 4080},
};

static void reopen_profile(const char *name, const char *more)
{
    char text[128];
    snprintf(text, sizeof text, "profile=%s%s%s", name, more[0] != '\0' ? "," : "", more);
    reopen(text);
}

/* How long a block is, by where its neighbours are: the page's end, or the header behind it. */
static unsigned measured(const void *block)
{
    unsigned end = space->shape.page_granules;
    if (place_of(block) != 0)
        return end - place_of(block);
    unsigned place = 1;
    while (place < end && previous_of(behind(block, place)) != place)
        place++;
    return place;
}

static void sizes_are_the_documented_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(profiles); i++) {
        for (const struct vector *v = profiles[i].vectors; v->bytes != SIZE_MAX; v++) {
            reopen_profile(profiles[i].name, BARE ",delayed_frees=off");
            void *first = take(1); /* the next one is cut from the page's end, where it fits */
            unsigned char *block = take(v->bytes);
            assert_int_equal(size_of(block), v->granules);
            assert_int_equal(measured(block), v->granules);
            assert_int_equal(look(block).granted, (size_t)v->granules << space->shape.shift);
            assert_true(look(block).usable >= v->bytes);
            memset(block, 0xFF, v->bytes);
            check_sound();
            give(block);
            give(first);
            check_sound();
            assert_int_equal(counts().total_pages, 0);
        }
    }
}

static void what_is_larger_takes_pages(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(profiles); i++) {
        reopen_profile(profiles[i].name, BARE);
        assert_int_equal(space->shape.largest, profiles[i].largest);
        void *block = take(profiles[i].largest);
        assert_int_not_equal(BYTE_OFFSET(block), 0);
        void *page = take(profiles[i].largest + 1);
        assert_int_equal(BYTE_OFFSET(page), 0);
        assert_int_equal(look(page).granted, PAGE_SIZE);
        assert_true(look(page).big);
        give(page);
        give(block);
        check_sound();
    }
}

static void a_wide_header_has_the_layout_of_x64(void **state)
{
    (void)state;
    reopen(BARE ",profile=x64,type=paged,paged_pools=4");
    (void)take(64);
    unsigned char *block = ask(100, PagedPoolCacheAligned, 0x64657246, 0);
    give(take(1)); /* turns go on: 1, 2, 3 */
    unsigned char *again = ask(100, 0, 0x64657246, 0);
    assert_int_equal(index_of(again), 4);
    (void)again;
    uint8_t bytes[16];
    memcpy(bytes, block - 16, sizeof bytes);
    assert_int_equal(bytes[0], 0);     /* PreviousSize: first in its page */
    assert_int_equal(bytes[1], 2);     /* PoolIndex */
    assert_int_equal(bytes[2], 8);     /* BlockSize */
    assert_int_equal(bytes[3], 5 + 1); /* PoolType */
    assert_memory_equal(bytes + 4, "Fred", 4);
}

static void a_narrow_header_has_the_layout_of_x86(void **state)
{
    (void)state;
    reopen(BARE ",profile=xp,type=paged,paged_pools=4");
    unsigned char *first = take(100);
    const struct pool_request request = {4000, PagedPool | 8, 0x64657246, 0,
                                         (PEPROCESS)(uintptr_t)0x1234};
    unsigned char *block = pb_pool_allocate(pool, &request);
    uint32_t words[2];
    memcpy(words, block - 8, sizeof words);
    assert_int_equal(words[0] & 0x1FF, 0);         /* PreviousSize 9 */
    assert_int_equal(words[0] >> 9 & 0x7F, 2);     /* PoolIndex 7 */
    assert_int_equal(words[0] >> 16 & 0x1FF, 501); /* BlockSize 9 */
    assert_int_equal(words[0] >> 25, 1 + 8 + 1);   /* PoolType 7 */
    assert_memory_equal(block - 4, "Fred", 4);
    uint64_t owner;
    memcpy(&owner, block - 8 + 4008 - 8, sizeof owner); /* the block's last pointer */
    assert_int_equal(owner, 0x1234);
    memcpy(words, header_of(behind(first, 14)), sizeof words);
    assert_int_equal(words[0] & 0x1FF, 14);
    assert_int_equal(words[0] >> 16 & 0x1FF, 512 - 14);
    assert_int_equal(words[0] >> 25, 0); /* free */
}

static void the_owner_of_a_charged_block_is_found_again(void **state)
{
    (void)state;
    const PEPROCESS owner = (PEPROCESS)(uintptr_t)0x5678;
    for (size_t i = 0; i < COUNT_OF(profiles); i++) {
        reopen_profile(profiles[i].name, "checked=on");
        const struct pool_request request = {24, 8, TAG_TEST, 0, owner};
        for (int round = 0; round < 3; round++) { /* new, and from a list */
            void *block = pb_pool_allocate(pool, &request);
            struct pool_block found = look(block);
            assert_ptr_equal(found.owner, owner);
            assert_int_equal(found.type, 8);
            size_t pointer = pool->wide ? 0 : sizeof owner;
            assert_int_equal(found.usable, found.granted - space->shape.header_bytes - pointer);
            memset(block, 0xFF, found.usable);
            assert_ptr_equal(look(block).owner, owner);
            give(block);
        }
        assert_null(look(take(24)).owner);
    }
}

static void a_granule_of_32_bytes_has_room_for_links(void **state)
{
    (void)state;
    reopen(BARE ",profile=nt4");
    void *most = take(4024); /* 126 of 128 granules */
    assert_int_equal(size_of(take(24)), 1);
    void *last = behind(most, 126);
    assert_int_equal(type_of(last), POOL_TYPE_FREE);
    assert_ptr_equal(listed(desc, 1, 0), last);
    assert_ptr_equal(take(1), last);
    check_sound();
}

static void blocks_are_aligned_to_the_profiles_unit_and_cross_no_page(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(profiles); i++) {
        reopen_profile(profiles[i].name, "");
        uint64_t random = 3;
        for (int n = 0; n < 500; n++) {
            size_t bytes = next_random(&random) % 4065;
            uintptr_t block = (uintptr_t)take(bytes);
            assert_int_equal(block % space->shape.header_bytes, 0);
            if (bytes <= space->shape.largest && bytes > 0)
                assert_int_equal(block >> PAGE_SHIFT, (block + bytes - 1) >> PAGE_SHIFT);
        }
        assert_int_equal(BYTE_OFFSET(take(4096)), 0);
        check_sound();
    }
}

static void any_alignment_is_served_in_any_profile(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 16, 64, 100, 1000, 2048, 4056, 5000};
    for (size_t i = 0; i < COUNT_OF(profiles); i++) {
        reopen_profile(profiles[i].name, "delayed_frees=off,link_checks=on," BARE);
        for (unsigned alignment = 8; alignment <= 65536; alignment *= 2) {
            void *blocks[COUNT_OF(sizes)];
            for (size_t n = 0; n < COUNT_OF(sizes); n++) {
                blocks[n] = ask(sizes[n], 0, TAG_TEST, alignment);
                assert_int_equal((uintptr_t)blocks[n] % alignment, 0);
                assert_true(look(blocks[n]).usable >= sizes[n]);
                memset(blocks[n], 0xFF, look(blocks[n]).usable);
                check_sound();
            }
            for (size_t n = 0; n < COUNT_OF(sizes); n++)
                give(blocks[n]);
            check_sound();
            assert_int_equal(counts().total_bytes, 0);
        }
        void *line = ask(48, 0, TAG_TEST, 64);
        assert_true(look(line).granted <= 128); /* no page for a line */
        give(line);
    }
}

static void cache_aligned_types_deliver_lines_only_where_asked(void **state)
{
    (void)state;
    unsigned aligned = 0;
    for (int i = 0; i < 64; i++)
        aligned += (uintptr_t)ask(100, NonPagedPoolCacheAligned, 0, 0) % 64 == 0;
    assert_true(aligned < 64); /* as NT: no better than any */
    reopen("cache_aligned=on");
    for (int i = 0; i < 64; i++) {
        void *block = ask(100, NonPagedPoolCacheAligned, 0, 0);
        assert_int_equal((uintptr_t)block % 64, 0);
        assert_true(look(block).usable >= 128); /* whole lines: nobody else writes to them */
        (void)take(100);
    }
    check_sound();
}

static void classes_follow_type_and_profile(void **state)
{
    (void)state;
    assert_int_equal(pb_pool_class(pool, NonPagedPoolMustSucceed), POOL_NONPAGED);
    assert_int_equal(pb_pool_class(pool, PagedPoolSession), POOL_PAGED);
    assert_int_equal(pb_pool_class(pool, NonPagedPoolNxCacheAligned), POOL_NONPAGED);
    assert_null(ask(16, PagedPool, 0, 0)); /* was not opened */
    reopen("profile=win8,type=nx");
    assert_int_equal(pb_pool_class(pool, NonPagedPoolNxCacheAligned), POOL_NONPAGED_NX);
    struct pool_block found = look(take(16));
    assert_int_equal(found.class, POOL_NONPAGED_NX);
    assert_int_equal(found.type, NonPagedPoolNx);
    reopen("profile=x64,type=nx"); /* served by what there is */
    assert_int_equal(look(take(16)).class, POOL_NONPAGED);
}

static void profiles_set_what_options_leave_to_them(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        bool processors, shared, delayed, checks, tails;
        unsigned sizes;
    } rows[] = {
        {"profile=nt4", false, true, false, false, false, 8},
        {"profile=w2k", true, true, false, false, false, 8},
        {"profile=xp", true, true, false, false, false, 32},
        {"profile=x64", true, true, false, false, false, 32},
        {"profile=vista", true, false, true, true, true, 32},
        {"profile=win8_86", true, false, true, true, true, 32},
        {"profile=vista,shared_lists=on,lists=off,delayed_frees=off,link_checks=off,tail_reuse=off",
         false, true, false, false, false, 32},
        {"profile=x64,lists=off,shared_lists=off,tail_reuse=on", false, false, false, false, true,
         0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        reopen(rows[i].options);
        assert_int_equal(space->lists.processors != NULL, rows[i].processors);
        assert_int_equal(space->lists.shared != NULL, rows[i].shared);
        assert_int_equal(space->lists.sizes, rows[i].sizes);
        assert_int_equal(space->shape.delayed_frees, rows[i].delayed);
        assert_int_equal(space->shape.link_checks, rows[i].checks);
        assert_int_equal(space->shape.tail_reuse, rows[i].tails);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_NAMED("A2: every row of the size table, in every profile",
                   sizes_are_the_documented_ones),
        POOL_NAMED("A2: the largest block, and what is larger takes pages",
                   what_is_larger_takes_pages),
        POOL_NAMED("A2: a wide header has the layout of x64", a_wide_header_has_the_layout_of_x64),
        POOL_NAMED("A2: a narrow header has the layout of x86",
                   a_narrow_header_has_the_layout_of_x86),
        POOL_NAMED("A10: the owner of a charged block is found again",
                   the_owner_of_a_charged_block_is_found_again),
        POOL_NAMED("A2: a free granule of 32 bytes has room for links",
                   a_granule_of_32_bytes_has_room_for_links),
        POOL_NAMED("A16: blocks are aligned to 8 or 16 and cross no page",
                   blocks_are_aligned_to_the_profiles_unit_and_cross_no_page),
        POOL_NAMED("A16: any alignment is served in any profile",
                   any_alignment_is_served_in_any_profile),
        POOL_NAMED("A16: cache-aligned types deliver lines only where the option says so",
                   cache_aligned_types_deliver_lines_only_where_asked),
        POOL_NAMED("A1: classes follow type and profile", classes_follow_type_and_profile),
        POOL_NAMED("A3: profiles set what options leave to them",
                   profiles_set_what_options_leave_to_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
