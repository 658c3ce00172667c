/* SPDX-License-Identifier: MIT */
/* Section E, page macros: each figure of the table, and the extra vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include <poolbench/nt/page.h>

static void the_page_is_4096(void **state)
{
    (void)state;
    assert_int_equal(PAGE_SIZE, 4096);
    assert_int_equal(PAGE_SHIFT, 12);
    assert_int_equal(PAGE_SIZE, 1u << PAGE_SHIFT);
}

static void rounding(void **state)
{
    static const struct {
        SIZE_T size, rounded;
    } vectors[] = {{1, 4096},
                   {4097, 8192},
                   {4096, 4096},
                   {0, 0},
                   {4095, 4096},
                   {SIZE_MAX - 4095, SIZE_MAX - 4095},
                   {SIZE_MAX - 4094, 0},
                   {SIZE_MAX, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_int_equal(ROUND_TO_PAGES(vectors[i].size), vectors[i].rounded);
}

static void counting(void **state)
{
    static const struct {
        SIZE_T size, pages;
    } vectors[] = {{42, 1},
                   {5000, 2},
                   {0, 0},
                   {4096, 1},
                   {4097, 2},
                   {8192, 2},
                   {SIZE_MAX, (SIZE_MAX >> 12) + 1}};
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_int_equal(BYTES_TO_PAGES(vectors[i].size), vectors[i].pages);
}

static void offset_and_page(void **state)
{
    (void)state;
    assert_int_equal(BYTE_OFFSET(0x12345678), 0x678);
    assert_int_equal(BYTE_OFFSET(0x12345000), 0);
    assert_int_equal((ULONG_PTR)PAGE_ALIGN(0x12345678), 0x12345000);
    assert_int_equal((ULONG_PTR)PAGE_ALIGN(0x12345FFF), 0x12345000);
    assert_int_equal((ULONG_PTR)PAGE_ALIGN(0x12345000), 0x12345000);
}

static void spanning(void **state)
{
    static const struct {
        ULONG_PTR va;
        SIZE_T size, pages;
    } vectors[] = {{0x12345FFF, 2, 2},    {0x12345FFF, 1, 1},    {0x12345000, 4096, 1},
                   {0x12345001, 4096, 2}, {0x12345FFF, 4098, 3}, {0x12345000, 0, 0},
                   {0x12345001, 0, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        assert_int_equal(ADDRESS_AND_SIZE_TO_SPAN_PAGES(vectors[i].va, vectors[i].size),
                         vectors[i].pages);
        assert_int_equal(COMPUTE_PAGES_SPANNED((PVOID)vectors[i].va, vectors[i].size),
                         vectors[i].pages);
    }
}

static void arguments_are_expressions(void **state)
{
    (void)state;
    assert_int_equal(ROUND_TO_PAGES(4000 + 97), 8192);
    assert_int_equal(BYTES_TO_PAGES(4096 | 1), 2);
    assert_int_equal(BYTE_OFFSET(0x1000 + 1), 1);
    assert_int_equal((ULONG_PTR)PAGE_ALIGN(0x1000 + 1), 0x1000);
    assert_int_equal(ADDRESS_AND_SIZE_TO_SPAN_PAGES(0x1000 + 1, 4095 + 1), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("E: PAGE_SIZE is 1 << PAGE_SHIFT, 4096", the_page_is_4096),
        nt_test("E: ROUND_TO_PAGES, overflowing to 0 near the top", rounding),
        nt_test("E: BYTES_TO_PAGES, safe from overflow", counting),
        nt_test("E: BYTE_OFFSET, and PAGE_ALIGN rounds down", offset_and_page),
        nt_test("E: ADDRESS_AND_SIZE_TO_SPAN_PAGES and its alias", spanning),
        nt_test("E: macros take expressions", arguments_are_expressions),
    };
    return cmocka_run_group_tests_name("page_macros", tests, NULL, NULL);
}
