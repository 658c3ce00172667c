/* SPDX-License-Identifier: MIT */
/* Pool: the documented sizes, where blocks are cut and how they join, whole pages, alignment,
 * resizing, exhaustion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool_fixture.h"

#include <string.h>

static void sizes_are_the_documented_ones(void **state)
{
    (void)state;
    static const struct {
        size_t bytes;
        unsigned granules;
    } vectors[] = {{1, 2},      {8, 2},      {16, 2},     {17, 3},    {32, 3},    {64, 5},
                   {100, 8},    {128, 9},    {256, 17},   {512, 33},  {1000, 64}, {1024, 65},
                   {2000, 126}, {2048, 129}, {4000, 251}, {4064, 255}};
    assert_int_equal(pb_pool_granules(0), 2);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        void *block = take(vectors[i].bytes);
        assert_int_equal(header_of(block)->BlockSize, vectors[i].granules);
        assert_int_equal(stats().granted_bytes, vectors[i].granules * 16);
        assert_int_equal((uintptr_t)block % 16, 0);
        memset(block, 0xFF, vectors[i].bytes);
        check_sound();
        give(block, vectors[i].bytes);
    }
    void *large = take(4065);
    assert_int_equal(BYTE_OFFSET(large), 0);
    assert_int_equal(stats().granted_bytes, 4096);
    give(large, 4065);
    check_sound();
}

static void a_page_is_cut_from_the_front_then_from_its_end(void **state)
{
    (void)state;
    void *first = take(100); /* 8 granules, at the front of a new page */
    void *second = take(16); /* the free rest is not first in its page: its end */
    void *third = take(32);
    assert_int_equal(offset_of(first), 0);
    assert_int_equal(offset_of(second), 254);
    assert_int_equal(offset_of(third), 251);
    assert_ptr_equal(PAGE_ALIGN(first), PAGE_ALIGN(third));
    assert_int_equal(header_of(second)->PreviousSize, 3);
    assert_int_equal(header_of(third)->PreviousSize, 251 - 8);
    give(first, 100); /* joins the rest: a free block that is first in its page */
    assert_int_equal(offset_of(take(64)), 0);
    check_sound();
    assert_int_equal(stats().refills, 1);
}

static void an_exact_fit_is_preferred_and_the_last_freed_goes_first(void **state)
{
    (void)state;
    void *blocks[6];
    for (int i = 0; i < 6; i++)
        blocks[i] = take(64); /* neighbours; those in between stay in use */
    give(blocks[1], 64);
    give(blocks[3], 64);
    assert_ptr_equal(take(64), blocks[3]); /* freed: head of its list */
    assert_ptr_equal(take(64), blocks[1]);
    check_sound();
}

static void a_remainder_goes_to_the_tail_of_its_list(void **state)
{
    (void)state;
    void *first = take(64), *freed = take(64), *fence = take(64);
    POOL_HEADER *rest = header_of(first) + 5;
    (void)fence;
    give(freed, 64);
    take((241 - 5) * 16 - 16); /* of the 241 granules that are free, all but 5 */
    const LIST_ENTRY *head = &pool->ListHeads[5 - 1];
    assert_ptr_equal(head->Flink, freed);
    assert_ptr_equal(head->Blink, rest + 1);
    assert_ptr_equal(take(64), freed);
    assert_ptr_equal(take(64), rest + 1);
    check_sound();
}

static void a_freed_block_joins_both_neighbours(void **state)
{
    (void)state;
    void *a = take(64), *b = take(64), *c = take(64), *d = take(64);
    (void)a; /* at the front; d, c, b follow from the page's end downward: b is the highest */
    assert_int_equal(offset_of(b), 251);
    assert_int_equal(offset_of(c), 246);
    assert_int_equal(offset_of(d), 241);
    give(b, 64);
    assert_int_equal(header_of(b)->BlockSize, 5);
    give(d, 64); /* joins the rest below */
    assert_int_equal((header_of(a) + 5)->BlockSize, 246 - 5);
    assert_int_equal(header_of(c)->PreviousSize, 246 - 5);
    give(c, 64); /* joins b behind it, then what is before it */
    assert_int_equal((header_of(a) + 5)->BlockSize, 256 - 5);
    check_sound();
    give(a, 64);
    check_sound();
    assert_int_equal(pool->TotalPages, 0);
}

static void a_remnant_of_one_granule_waits_for_its_neighbour(void **state)
{
    (void)state;
    void *most = take(4064); /* 255 granules: leaves one */
    POOL_HEADER *remnant = header_of(most) + 255;
    assert_int_equal(remnant->BlockSize, 1);
    assert_int_equal(remnant->PoolType, 0);
    for (unsigned index = 0; index < POOL_PAGE; index++)
        assert_true(IsListEmpty(&pool->ListHeads[index]));
    check_sound();
    give(most, 4064);
    assert_int_equal(pool->TotalPages, 0);
    check_sound();
}

static void an_empty_page_goes_back_and_is_taken_again(void **state)
{
    (void)state;
    void *block = take(100);
    assert_int_equal(stats().refills, 1);
    give(block, 100);
    assert_int_equal(pool->TotalPages, 0);
    size_t held = stats().held_bytes;
    assert_ptr_equal(take(100), block);
    assert_int_equal(stats().refills, 2);
    assert_int_equal(stats().held_bytes, held); /* it had stayed mapped and held */
    check_sound();
}

static void links_are_not_shown_to_the_user(void **state)
{
    (void)state;
    void *fence = take(64), *block = take(64);
    (void)fence;
    memset(block, 0xFF, 64);
    give(block, 64);
    uint64_t words[2];
    memcpy(words, take(64), sizeof words);
    assert_int_equal(words[0], 0);
    assert_int_equal(words[1], 0);
}

static void page_runs_are_cut_from_the_end_and_merge(void **state)
{
    (void)state;
    unsigned char *run = take(15 * PAGE_SIZE);
    give(run, 15 * PAGE_SIZE);
    unsigned char *last = take(2 * PAGE_SIZE);
    assert_ptr_equal(last, run + 13 * PAGE_SIZE);
    unsigned char *next = take(3 * PAGE_SIZE);
    assert_ptr_equal(next, run + 10 * PAGE_SIZE);
    unsigned char *small = take(16); /* a page of blocks comes from the same runs */
    assert_ptr_equal(small, run + 9 * PAGE_SIZE + 16);
    check_sound();
    give(next, 3 * PAGE_SIZE);
    give(last, 2 * PAGE_SIZE);
    assert_ptr_equal(take(5 * PAGE_SIZE), run + 10 * PAGE_SIZE); /* the two had merged */
    check_sound();
}

static void short_runs_serve_before_longer_ones_are_cut(void **state)
{
    (void)state;
    unsigned char *runs[4];
    for (size_t i = 0; i < 4; i++) {
        runs[i] = take((4 - i) * PAGE_SIZE); /* 4, 3, 2, 1 pages, kept apart by fences */
        take(PAGE_SIZE);
    }
    for (size_t i = 0; i < 4; i++)
        give(runs[i], (4 - i) * PAGE_SIZE);
    for (size_t i = 4; i-- > 0;)
        assert_ptr_equal(take((4 - i) * PAGE_SIZE), runs[i]);
    check_sound();
}

static void a_long_run_goes_back_to_the_system_where_it_is_asked_to(void **state)
{
    unsigned char *kept = take(65536);
    size_t full = stats().held_bytes;
    give(kept, 65536);
    assert_int_equal(stats().held_bytes, full); /* the default: free pages stay held */
    reopen(state, "release=64k", 1);
    size_t before = stats().held_bytes;
    unsigned char *big = take(65536);
    size_t held = stats().held_bytes;
    assert_true(held >= before + 65536);
    memset(big, 0xA5, 65536);
    give(big, 65536);
    assert_int_equal(stats().held_bytes, held - 65536);
    unsigned char *part = take(8192); /* the end of the released run: held again, and zero */
    assert_ptr_equal(part, big + 65536 - 8192);
    assert_int_equal(part[0] | part[8191], 0);
    assert_int_equal(stats().held_bytes, held - 65536 + 8192);
    assert_int_equal(stats().held_peak_bytes, held);
    check_sound();
    give(part, 8192);
    assert_int_equal(stats().held_bytes, held - 65536 + 8192); /* short: kept */
    assert_int_equal(pb_allocator_pool.trim(heap), 8192);
    assert_int_equal(pb_allocator_pool.trim(heap), 0);
    assert_int_equal(stats().held_bytes, held - 65536);
    check_sound();
}

static void resizing_stays_in_place_where_the_block_allows(void **state)
{
    (void)state;
    unsigned char *block = take(100); /* 8 granules: room for 112 */
    memset(block, 0x5A, 100);
    assert_ptr_equal(pb_allocator_pool.realloc(heap, thread, block, 100, 112), block);
    assert_ptr_equal(pb_allocator_pool.realloc(heap, thread, block, 112, 57), block);
    assert_int_equal(stats().requested_bytes, 57);
    unsigned char *grown = pb_allocator_pool.realloc(heap, thread, block, 57, 5000);
    assert_int_equal(BYTE_OFFSET(grown), 0);
    for (int i = 0; i < 57; i++)
        assert_int_equal(grown[i], 0x5A);
    assert_ptr_equal(pb_allocator_pool.realloc(heap, thread, grown, 5000, 8192), grown);
    unsigned char *shrunk = pb_allocator_pool.realloc(heap, thread, grown, 8192, 40);
    assert_int_not_equal(BYTE_OFFSET(shrunk), 0);
    assert_int_equal(shrunk[39], 0x5A);
    assert_int_equal(stats().requested_bytes, 40);
    assert_int_equal(stats().native_reallocs, 5);
    check_sound();
    give(shrunk, 40);
    assert_int_equal(stats().granted_bytes, 0);
    check_sound();
}

static void any_alignment_is_served_and_freed(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 16, 64, 100, 1000, 2048, 4064, 5000};
    for (size_t alignment = 8; alignment <= 65536; alignment *= 2) {
        void *blocks[8];
        for (size_t i = 0; i < 8; i++) {
            blocks[i] = pb_allocator_pool.aligned(heap, thread, alignment, sizes[i]);
            assert_non_null(blocks[i]);
            assert_int_equal((uintptr_t)blocks[i] % alignment, 0);
            memset(blocks[i], 0xFF, sizes[i]);
            check_sound();
        }
        for (size_t i = 0; i < 8; i++) {
            give(blocks[i], sizes[i]);
            check_sound();
        }
        assert_int_equal(stats().granted_bytes, 0);
    }
    void *line = pb_allocator_pool.aligned(heap, thread, 64, 48);
    assert_int_equal(stats().granted_bytes, 64); /* no page for a line */
    give(line, 48);
}

static void impossible_requests_return_null(void **state)
{
    (void)state;
    assert_null(heap->alloc(heap, thread, SIZE_MAX));
    assert_null(heap->alloc(heap, thread, (size_t)1 << 50));
    assert_null(pb_allocator_pool.aligned(heap, thread, (size_t)1 << 50, 16));
    void *block = take(100);
    assert_null(pb_allocator_pool.realloc(heap, thread, block, 100, (size_t)1 << 50));
    give(block, 100);
    check_sound();
}

static void churn_leaves_nothing_behind(void **state)
{
    (void)state;
    assert_int_equal(churn(4000), 0);
    check_sound();
    assert_int_equal(stats().requested_bytes, 0);
    assert_int_equal(stats().granted_bytes, 0);
    assert_int_equal(stats().allocs, stats().frees);
    assert_int_equal(pool->TotalPages + pool->TotalBigPages, 0);
    assert_int_equal(pool->runs.entries[0].pages, pool->runs.count); /* one free run */
}

static void a_full_reservation_returns_null(void **state)
{
    reopen(state, "reserve=1M", 1);
    size_t pages = 0;
    void *last = NULL;
    for (void *block; (block = heap->alloc(heap, thread, 4096)) != NULL; pages++)
        last = block;
    assert_int_equal(pages, 256);
    assert_null(heap->alloc(heap, thread, 16));
    check_sound();
    give(last, 4096);
    assert_non_null(heap->alloc(heap, thread, 16));
    check_sound();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(sizes_are_the_documented_ones),
        POOL_TEST(a_page_is_cut_from_the_front_then_from_its_end),
        POOL_TEST(an_exact_fit_is_preferred_and_the_last_freed_goes_first),
        POOL_TEST(a_remainder_goes_to_the_tail_of_its_list),
        POOL_TEST(a_freed_block_joins_both_neighbours),
        POOL_TEST(a_remnant_of_one_granule_waits_for_its_neighbour),
        POOL_TEST(an_empty_page_goes_back_and_is_taken_again),
        POOL_TEST(links_are_not_shown_to_the_user),
        POOL_TEST(page_runs_are_cut_from_the_end_and_merge),
        POOL_TEST(short_runs_serve_before_longer_ones_are_cut),
        POOL_TEST(a_long_run_goes_back_to_the_system_where_it_is_asked_to),
        POOL_TEST(resizing_stays_in_place_where_the_block_allows),
        POOL_TEST(any_alignment_is_served_and_freed),
        POOL_TEST(impossible_requests_return_null),
        POOL_TEST(churn_leaves_nothing_behind),
        POOL_TEST(a_full_reservation_returns_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
