/* SPDX-License-Identifier: MIT */
/* Pages: what is handed out, what is counted, what happens when the system refuses; page
 * arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poolbench/nt/page.h>
#include "refuse.h"

#include <string.h>

enum { MIB = 1 << 20 };

static void takes_are_zeroed_consecutive_and_page_aligned(void **state)
{
    (void)state;
    struct pb_pages pages;
    const size_t page = pb_page_bytes();
    assert_int_equal(pb_pages_open(&pages, 4 * MIB), 0);
    unsigned char *first = pb_pages_take(&pages, 1);
    unsigned char *second = pb_pages_take(&pages, page + 1);
    unsigned char *third = pb_pages_take(&pages, page);
    assert_non_null(first);
    assert_int_equal((uintptr_t)first % page, 0);
    assert_ptr_equal(second, first + page);
    assert_ptr_equal(third, second + 2 * page);
    for (size_t i = 0; i < 4 * page; i++)
        assert_int_equal(first[i], 0);
    assert_int_equal(pages.held_bytes, 4 * page);
    pb_pages_close(&pages);
    assert_int_equal(refuse_state.reserved, 0);
}

static void a_mebibyte_costs_one_commit(void **state)
{
    (void)state;
    struct pb_pages pages;
    assert_int_equal(pb_pages_open(&pages, 8 * MIB), 0);
    assert_int_equal(pages.os_calls, 1);
    for (size_t taken = 0; taken < MIB; taken += pb_page_bytes())
        assert_non_null(pb_pages_take(&pages, pb_page_bytes()));
    assert_int_equal(pages.os_calls, 2);
    assert_non_null(pb_pages_take(&pages, 1));
    assert_int_equal(pages.os_calls, 3);
    assert_non_null(pb_pages_take(&pages, 3 * MIB)); /* longer than a step: one call */
    assert_int_equal(pages.os_calls, 4);
    assert_int_equal(pages.held_bytes, 4 * MIB + pb_page_bytes());
    pb_pages_close(&pages);
}

static void a_take_beyond_the_reservation_is_refused(void **state)
{
    (void)state;
    struct pb_pages pages;
    assert_int_equal(pb_pages_open(&pages, MIB + MIB / 2), 0);
    assert_null(pb_pages_take(&pages, 2 * MIB));
    assert_null(pb_pages_take(&pages, SIZE_MAX));
    assert_non_null(pb_pages_take(&pages, MIB));
    assert_non_null(pb_pages_take(&pages, MIB / 2)); /* the last step is shorter */
    assert_null(pb_pages_take(&pages, 1));
    assert_int_equal(pages.held_bytes, pages.reserved_bytes);
    pb_pages_close(&pages);
}

static void released_pages_read_as_zero_and_count_when_reused(void **state)
{
    (void)state;
    struct pb_pages pages;
    const size_t page = pb_page_bytes();
    assert_int_equal(pb_pages_open(&pages, MIB), 0);
    unsigned char *at = pb_pages_take(&pages, 4 * page);
    assert_non_null(at);
    memset(at, 0xA5, 4 * page);
    assert_int_equal(pb_pages_release(&pages, at + page, 2 * page), 0);
    assert_int_equal(pages.held_bytes, 2 * page);
    assert_int_equal(at[page - 1], 0xA5);
    assert_int_equal(at[page], 0);
    assert_int_equal(at[3 * page - 1], 0);
    assert_int_equal(at[3 * page], 0xA5);
    pb_pages_reuse(&pages, at + page, page);
    assert_int_equal(pages.held_bytes, 3 * page);
    assert_int_equal(pages.held_peak_bytes, 4 * page);
    assert_int_equal(pages.os_calls, 3);
    pb_pages_close(&pages);
}

static void a_release_that_the_system_refuses_stays_held(void **state)
{
    (void)state;
    struct pb_pages pages;
    assert_int_equal(pb_pages_open(&pages, MIB), 0);
    unsigned char *at = pb_pages_take(&pages, pb_page_bytes());
    assert_non_null(at);
    assert_int_equal(pb_pages_release(&pages, at + 1, pb_page_bytes()), -EINVAL);
    assert_int_equal(pages.held_bytes, pb_page_bytes());
    pb_pages_close(&pages);
}

static void a_refused_commit_leaves_the_arena_as_it_was(void **state)
{
    (void)state;
    struct pb_pages pages;
    refuse_nth(2, false);
    assert_int_equal(pb_pages_open(&pages, 4 * MIB), 0);
    assert_null(pb_pages_take(&pages, MIB));
    assert_int_equal(pages.held_bytes, 0);
    assert_int_equal(pages.taken_bytes, 0);
    assert_ptr_equal(pb_pages_take(&pages, MIB), pages.base);
    pb_pages_close(&pages);
}

static void a_refused_reservation_fails_the_open(void **state)
{
    (void)state;
    struct pb_pages pages;
    refuse_nth(1, false);
    assert_int_equal(pb_pages_open(&pages, MIB), -ENOMEM);
    assert_int_equal(pb_pages_open(&pages, 0), -EINVAL);
    assert_int_equal(pb_pages_open(&pages, SIZE_MAX), -EINVAL);
}

static void open_within_halves_until_the_system_agrees(void **state)
{
    (void)state;
    struct pb_pages pages;
    refuse_state.largest = 3 * MIB;
    assert_int_equal(pb_pages_open_within(&pages, 16 * MIB, MIB, 1), 0);
    assert_int_equal(pages.reserved_bytes, 2 * MIB);
    assert_int_equal(refuse_state.asked_count, 4); /* 16, 8, 4, 2 */
    pb_pages_close(&pages);
}

static void open_within_does_not_go_below_the_least(void **state)
{
    (void)state;
    struct pb_pages pages;
    refuse_state.largest = 3 * MIB;
    assert_int_equal(pb_pages_open_within(&pages, 16 * MIB, 5 * MIB, 1), -ENOMEM);
    assert_int_equal(refuse_state.asked[refuse_state.asked_count - 1], 5 * MIB);
    assert_int_equal(refuse_state.reserved, 0);
}

static void a_map_gives_everything_back_when_it_fails(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 2; n++) {
        refuse_nth(n, false);
        assert_null(pb_pages_map(100));
        assert_int_equal(refuse_state.calls, n);
        assert_int_equal(refuse_state.reserved, 0);
    }
    unsigned char *at = pb_pages_map(100);
    assert_non_null(at);
    assert_int_equal(at[99], 0);
    at[99] = 1;
    pb_pages_unmap(at, 100);
    pb_pages_unmap(NULL, 100);
    assert_int_equal(refuse_state.reserved, 0);
}

static void a_table_of_zeros_is_written_as_far_as_it_was_widened(void **state)
{
    enum { BYTES = 1 << 20, STEP = 64 << 10 };
    size_t writable = 0;
    (void)state;
    refuse_nth(1, false);
    assert_null(pb_pages_map_zeros(BYTES));
    refuse_nth(2, false); /* of its widenings the first is refused */
    unsigned char *table = pb_pages_map_zeros(BYTES);
    assert_non_null(table);
    assert_int_equal(table[BYTES - 1], 0);
    assert_int_equal(pb_pages_widen(table, BYTES, &writable, 1), -ENOMEM);
    assert_int_equal(writable, 0);
    assert_int_equal(pb_pages_widen(table, BYTES, &writable, 1), 0);
    assert_int_equal(writable, STEP);
    memset(table, 1, STEP);
    assert_int_equal(table[STEP], 0);
    assert_int_equal(pb_pages_widen(table, BYTES, &writable, STEP), 0);
    assert_int_equal(writable, STEP);
    assert_int_equal(pb_pages_widen(table, BYTES, &writable, BYTES), 0);
    assert_int_equal(writable, BYTES);
    memset(table, 1, BYTES);
    pb_pages_unmap(table, BYTES);
    assert_int_equal(refuse_state.reserved, 0);
}

static void page_arithmetic_matches_the_documented_figures(void **state)
{
    (void)state;
    static const struct {
        uint64_t va, size, pages;
    } spans[] = {{0x12345FFF, 2, 2},    {0x12345FFF, 1, 1},    {0x12345000, 4096, 1},
                 {0x12345001, 4096, 2}, {0x12345FFF, 4098, 3}, {0x12345000, 0, 0},
                 {0x12345001, 0, 1}};
    assert_int_equal(PAGE_SIZE, 4096);
    assert_int_equal(ROUND_TO_PAGES(0), 0);
    assert_int_equal(ROUND_TO_PAGES(1), 4096);
    assert_int_equal(ROUND_TO_PAGES(4096), 4096);
    assert_int_equal(ROUND_TO_PAGES(4097), 8192);
    assert_int_equal(BYTES_TO_PAGES(0), 0);
    assert_int_equal(BYTES_TO_PAGES(42), 1);
    assert_int_equal(BYTES_TO_PAGES(5000), 2);
    assert_int_equal(BYTES_TO_PAGES(SIZE_MAX), (SIZE_MAX >> 12) + 1);
    assert_int_equal(BYTE_OFFSET(0x12345678), 0x678);
    assert_ptr_equal(PAGE_ALIGN(0x12345678), (void *)0x12345000);
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        assert_int_equal(ADDRESS_AND_SIZE_TO_SPAN_PAGES(spans[i].va, spans[i].size),
                         spans[i].pages);
        assert_int_equal(COMPUTE_PAGES_SPANNED(spans[i].va, spans[i].size), spans[i].pages);
    }
}

#define PAGES_TEST(f) cmocka_unit_test_setup_teardown(f, refuse_install, refuse_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAGES_TEST(takes_are_zeroed_consecutive_and_page_aligned),
        PAGES_TEST(a_mebibyte_costs_one_commit),
        PAGES_TEST(a_take_beyond_the_reservation_is_refused),
        PAGES_TEST(released_pages_read_as_zero_and_count_when_reused),
        PAGES_TEST(a_release_that_the_system_refuses_stays_held),
        PAGES_TEST(a_refused_commit_leaves_the_arena_as_it_was),
        PAGES_TEST(a_refused_reservation_fails_the_open),
        PAGES_TEST(open_within_halves_until_the_system_agrees),
        PAGES_TEST(open_within_does_not_go_below_the_least),
        PAGES_TEST(a_map_gives_everything_back_when_it_fails),
        PAGES_TEST(a_table_of_zeros_is_written_as_far_as_it_was_widened),
        cmocka_unit_test(page_arithmetic_matches_the_documented_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
