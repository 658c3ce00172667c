/* SPDX-License-Identifier: MIT */
/* Rows that no other test looks at, in the engine: the size arithmetic for every request, which
 * list is whose, the figures that tables and lists begin with, the head of the x86 SLIST. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/pool_engine_fixture.h"
#include "pool/slist8.h"

static const struct {
    const char *options;
    unsigned granule, header, page_granules;
} forms[] = {{BARE ",profile=xp", 8, 8, 512},
             {BARE ",profile=x64", 16, 16, 256},
             {BARE ",profile=nt4", 32, 8, 128}};

static void granules_are_those_of_the_formula_for_every_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        reopen(forms[i].options);
        unsigned granule = forms[i].granule, header = forms[i].header;
        size_t largest = PAGE_SIZE - header - granule;
        assert_int_equal(space->shape.largest, largest);
        for (size_t n = 0; n <= largest; n++) {
            size_t bytes = n == 0 ? 1 : n;
            unsigned granules = pool_granules(space, n, pool->wide);
            assert_int_equal(granules, (bytes + header + granule - 1) / granule);
            assert_true(granules < forms[i].page_granules);
            if (granule == 16)
                assert_int_equal(granules, (bytes + 0x1F) >> 4);
        }
        /* one byte more would be a whole page, which the field of 8 or 9 bits does not hold */
        assert_int_equal(pool_granules(space, largest + 1, pool->wide), forms[i].page_granules);
    }
}

/* Pages that 8 blocks of so many bytes take. */
static uint64_t pages_of_eight(size_t bytes)
{
    void *blocks[8];
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        blocks[i] = take(bytes);
    uint64_t pages = counts().total_pages;
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        give(blocks[i]);
    assert_int_equal(counts().total_pages, 0);
    return pages;
}

static void half_a_page_fits_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        reopen(forms[i].options);
        assert_int_equal(pages_of_eight(2048), 8);
        assert_int_equal(pages_of_eight(2048 - forms[i].header), 4);
    }
}

/* On which lists the descriptor has blocks: the number of lists, and the last of them. */
static unsigned lists_with_blocks(unsigned *last)
{
    unsigned n = 0;
    for (unsigned list = 0; list < space->shape.page_granules; list++)
        if (pool_first(space, desc, list, pool->wide) != NULL) {
            *last = list;
            n++;
        }
    return n;
}

static void a_free_block_is_on_the_list_before_its_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        reopen(forms[i].options);
        const unsigned page = forms[i].page_granules, granule = forms[i].granule;
        assert_int_equal(space->shape.page_granules, page);
        for (unsigned b = 2; b <= page - 2; b++) {
            unsigned list = 0;
            void *block = take(b * granule - forms[i].header);
            void *rest = take((page - b) * granule - forms[i].header);
            assert_int_equal(counts().total_pages, 1);
            assert_int_equal(lists_with_blocks(&list), 0);
            give(block);
            assert_int_equal(lists_with_blocks(&list), 1);
            assert_int_equal(list, b - 1);
            assert_ptr_equal(listed(desc, b, 0), block);
            give(rest);
            assert_int_equal(counts().total_pages, 0);
        }
    }
}

static void tables_begin_with_the_documented_sizes(void **state)
{
    struct pool_options options;
    (void)state;
    read_options("", &options);
    assert_int_equal(options.tag_slots, 2048);
    assert_int_equal(options.paged_pools, 4);
    assert_int_equal(options.nonpaged_pools, 1);
    reopen("");
    assert_int_equal(pb_pool_big_capacity(pool->big), 4096);
    reopen("profile=nt4");
    assert_int_equal(pb_pool_big_capacity(pool->big), 2048);
}

static void lists_of_the_pool_begin_at_depth_4_of_256(void **state)
{
    (void)state;
    reopen("processors=1");
    assert_int_equal(space->lists.sizes, 32);
    for (unsigned size = 0; size < space->lists.sizes; size++) {
        const GENERAL_LOOKASIDE *own = &space->lists.processors[size].general;
        const GENERAL_LOOKASIDE *shared = &space->lists.shared[size].general;
        assert_int_equal(own->Depth, 4);
        assert_int_equal(own->MaximumDepth, 256);
        assert_int_equal(shared->Depth, 4);
        assert_int_equal(shared->MaximumDepth, 256);
    }
}

static uint64_t head_of(uint64_t next, uint64_t depth, uint64_t sequence)
{
    return next | depth << 32 | sequence << 48;
}

static void the_head_of_x86_is_next_depth_sequence(void **state)
{
    _Alignas(8) unsigned char arena[64] = {0};
    uint64_t head = 0;
    (void)state;
    pool_slist8_push(&head, arena, arena + 8);
    assert_int_equal(head, head_of(8, 1, 1));
    pool_slist8_push(&head, arena, arena + 24);
    assert_int_equal(head, head_of(24, 2, 2));
    assert_ptr_equal(pool_slist8_pop(&head, arena), arena + 24);
    assert_int_equal(head, head_of(8, 1, 2)); /* a pop does not count */
    pool_slist8_push(&head, arena, arena + 40);
    assert_int_equal(pool_slist8_flush(&head), 40);
    assert_int_equal(head, head_of(0, 0, 3)); /* kept */
    assert_null(pool_slist8_pop(&head, arena));
    assert_int_equal(pool_slist8_flush(&head), 0);
    head = head_of(8, 65535, 65535);
    pool_slist8_push(&head, arena, arena + 24); /* each wraps and carries into nothing */
    assert_int_equal(head, head_of(24, 0, 0));
    assert_int_equal(pool_slist8_depth(&head), 0);
    assert_ptr_equal(pool_slist8_pop(&head, arena), arena + 24);
    assert_int_equal(head, head_of(8, 65535, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_NAMED("A2: granules are (n + header + G - 1) / G for every n, (n + 0x1F) >> 4 on x64",
                   granules_are_those_of_the_formula_for_every_request),
        POOL_NAMED("A2: 2048 bytes fit once in a page", half_a_page_fits_once),
        POOL_NAMED("A3: a free block of b granules is on list b - 1 of 512, 256 or 128",
                   a_free_block_is_on_the_list_before_its_number),
        POOL_NAMED("A8, A9, A13: 4096 big entries (NT 4: 2048), 2048 tags, 4 paged pools, 1 other",
                   tables_begin_with_the_documented_sizes),
        POOL_NAMED("C2: the pool's lists begin at depth 4 of 256",
                   lists_of_the_pool_begin_at_depth_4_of_256),
        POOL_NAMED("D: the SLIST head of x86 is Next 32, Depth 16, Sequence 16",
                   the_head_of_x86_is_next_depth_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
