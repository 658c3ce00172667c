/* SPDX-License-Identifier: MIT */
/* Section A15 as far as callers go: each misuse, the bugcheck it meets, and that the pool is whole
 * afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include "nt/pool_calls.h"

#include <stdlib.h>

#define TAG(text)                                                                                  \
    ((ULONG)(text)[0] | (ULONG)(text)[1] << 8 | (ULONG)(text)[2] << 16 | (ULONG)(text)[3] << 24)

static void a_checked_build_refuses_tags(void **state)
{
    const struct {
        ULONG tag, fault;
    } cases[] = {
        {0, BAD_CALLER_TAG_ZERO},
        {PROTECTED_POOL, BAD_CALLER_TAG_ZERO},
        {TAG("BIG "), BAD_CALLER_TAG_BIG},
        {TAG("BIG\0"), BAD_CALLER_TAG_BIG},
        {TAG("BIG ") | PROTECTED_POOL, BAD_CALLER_TAG_BIG},
        {TAG("    "), BAD_CALLER_TAG_NO_LETTER},
        {TAG("-.-!"), BAD_CALLER_TAG_NO_LETTER},
    };
    (void)state;
    configure("checked=on");
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *block = state;
        expect_bugcheck(block = ExAllocatePoolWithTag(PagedPool, 70, cases[i].tag), BAD_POOL_CALLER,
                        cases[i].fault);
        assert_null(block);
        assert_int_equal(nt_seen.p[1], PagedPool);
        assert_int_equal(nt_seen.p[2], 70);
    }
}

static void a_checked_build_takes_sound_tags(void **state)
{
    const ULONG tags[] = {TAG_FRED,       TAG("BIGx"), TAG("  9 "),
                          TAG("B\0\0\0"), TAG("bIG "), TAG_FRED | PROTECTED_POOL};
    (void)state;
    configure("checked=on");
    for (unsigned i = 0; i < sizeof tags / sizeof *tags; i++) {
        void *block = ExAllocatePoolWithTag(PagedPool, 70, tags[i]);
        assert_non_null(block);
        ExFreePoolWithTag(block, tags[i]);
    }
    ExFreePool(ExAllocatePool(PagedPool, 1)); /* untagged is None */
}

static void a_checked_build_refuses_nothing(void **state)
{
    void *block = state;
    configure("checked=on");
    expect_bugcheck(block = ExAllocatePoolWithTag(NonPagedPool, 0, TAG_FRED), BAD_POOL_CALLER,
                    BAD_CALLER_ZERO_BYTES);
    assert_null(block);
}

static void a_free_build_takes_them_all(void **state)
{
    const ULONG tags[] = {0, TAG("BIG "), TAG("-.-!")};
    (void)state;
    for (unsigned i = 0; i < sizeof tags / sizeof *tags; i++) {
        void *block = ExAllocatePoolWithTag(NonPagedPool, 0, tags[i]);
        assert_non_null(block);
        ExFreePool(block);
    }
}

static void another_tag_is_caught_at_free(void **state)
{
    static const size_t sizes[] = {10, 3000, 10000};
    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *block = ExAllocatePoolWithTag(PagedPool, sizes[i], TAG_FRED);
        expect_bugcheck(ExFreePoolWithTag(block, TAG("Carl")), BAD_POOL_CALLER, BAD_CALLER_TAG);
        assert_int_equal(nt_seen.p[1], (ULONG_PTR)block);
        assert_int_equal(nt_seen.p[2], TAG_FRED);
        assert_int_equal(nt_seen.p[3], TAG("Carl"));
        ExFreePoolWithTag(block, TAG_FRED);
    }
}

static void a_protected_block_needs_its_tag(void **state)
{
    const ULONG protected = TAG_FRED | PROTECTED_POOL;
    (void)state;
    void *block = ExAllocatePoolWithTag(NonPagedPool, 100, protected);
    expect_bugcheck(ExFreePool(block), BAD_POOL_CALLER, BAD_CALLER_TAG);
    expect_bugcheck(ExFreePoolWithTag(block, TAG_FRED), BAD_POOL_CALLER, BAD_CALLER_TAG);
    expect_bugcheck(ExFreePool2(block, 0, NULL, 0), BAD_POOL_CALLER, BAD_CALLER_TAG);
    ExFreePoolWithTag(block, protected);
}

static void a_foreign_address_is_caught(void **state)
{
    static unsigned char data[64];
    void *heap = malloc(64);
    void *const addresses[] = {NULL, data, heap, (void *)(uintptr_t)0x1000};
    (void)state;
    for (unsigned i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        expect_bugcheck(ExFreePool(addresses[i]), BAD_POOL_CALLER, BAD_CALLER_NOT_POOL);
        assert_int_equal(nt_seen.p[1], (ULONG_PTR)addresses[i]);
    }
    SIZE_T bytes = 1;
    expect_bugcheck(bytes = ExQueryPoolBlockSize(data, NULL), BAD_POOL_CALLER, BAD_CALLER_NOT_POOL);
    assert_int_equal(bytes, 0);
    free(heap);
}

static void an_address_inside_a_block_is_caught(void **state)
{
    (void)state;
    unsigned char *small = ExAllocatePoolWithTag(PagedPool, 100, TAG_FRED);
    unsigned char *big = ExAllocatePoolWithTag(PagedPool, 10000, TAG_FRED);
    expect_bugcheck(ExFreePool(small + 5), BAD_POOL_CALLER, BAD_CALLER_INSIDE_BLOCK);
    assert_int_equal(nt_seen.p[1], (ULONG_PTR)(small + 5));
    expect_bugcheck(ExFreePool(big + 5), BAD_POOL_CALLER, BAD_CALLER_INSIDE_BLOCK);
    ExFreePool(small);
    ExFreePool(big);
}

static void a_second_free_is_caught(void **state)
{
    (void)state;
    configure("lists=off,shared_lists=off,delayed_frees=off");
    void *keeper = ExAllocatePoolWithTag(NonPagedPool, 200, TAG_FRED);
    void *small = ExAllocatePoolWithTag(NonPagedPool, 200, TAG_FRED);
    void *big = ExAllocatePoolWithTag(NonPagedPool, 8192, TAG_FRED);
    ExFreePool(small);
    ExFreePool(big);
    expect_bugcheck(ExFreePool(small), BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE);
    assert_int_equal(nt_seen.p[3], (ULONG_PTR)small);
    expect_bugcheck(ExFreePool(big), BAD_POOL_HEADER, BAD_HEADER_UNTRACKED);
    assert_int_equal(nt_seen.p[1], (ULONG_PTR)big);
    ExFreePool(keeper);
}

static void a_page_that_no_entry_has_is_untracked(void **state)
{
    static const char *const profiles[] = {"profile=x64", "profile=xp", "profile=nt4",
                                           "profile=nt4,big_entries=64"};
    (void)state;
    for (unsigned i = 0; i < sizeof profiles / sizeof *profiles; i++) {
        PbNtReset(NULL);
        configure(profiles[i]);
        unsigned char *big = ExAllocatePoolWithTag(PagedPool, 3 * PAGE_SIZE, TAG_FRED);
        SIZE_T bytes = 1;
        expect_bugcheck(ExFreePool(big + PAGE_SIZE), BAD_POOL_HEADER, BAD_HEADER_UNTRACKED);
        assert_int_equal(nt_seen.p[1], (ULONG_PTR)(big + PAGE_SIZE));
        expect_bugcheck(bytes = ExQueryPoolBlockSize(big + PAGE_SIZE, NULL), BAD_POOL_HEADER,
                        BAD_HEADER_UNTRACKED);
        assert_int_equal(bytes, 0);
        assert_int_equal(ExQueryPoolBlockSize(big, NULL), 3 * PAGE_SIZE);
        ExFreePool(big);
        expect_bugcheck(ExFreePool(big), BAD_POOL_HEADER, BAD_HEADER_UNTRACKED);
    }
}

static void a_second_free_of_a_cached_block_is_caught_in_checked_mode(void **state)
{
    (void)state;
    configure("checked=on,lists=on");
    void *block = ExAllocatePoolWithTag(NonPagedPool, 40, TAG_FRED);
    ExFreePool(block);
    expect_bugcheck(ExFreePool(block), BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE);
    assert_int_equal(row_of(TAG_FRED).NonPagedFrees, 1);
}

static void special_pool_sees_a_changed_pattern(void **state)
{
    (void)state;
    configure("special=overrun");
    unsigned char *block = ExAllocatePoolWithTag(NonPagedPool, 20, TAG_FRED);
    unsigned char before = block[-1];
    block[-1] = (unsigned char)~before;
    expect_bugcheck(ExFreePool(block), BAD_POOL_HEADER, BAD_HEADER_OVERRUN);
    block[-1] = before;
    expect_bugcheck(ExFreePool(block + 3), BAD_POOL_CALLER, BAD_CALLER_INSIDE_BLOCK);
    expect_bugcheck(ExFreePoolWithTag(block, TAG("Carl")), BAD_POOL_CALLER, BAD_CALLER_TAG);
    ExFreePool(block);
    expect_bugcheck(ExFreePool(block), BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE);
    assert_int_equal(row_of(TAG_FRED).NonPagedFrees, 1);
}

/* PbNtChecked, as it is when the executive begins, asks as much as the option does. */
static void checked_mode_alone_finds_a_second_free(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        PbNtChecked = TRUE;
        configure(i != 0 ? "profile=xp,processors=1" : "processors=1");
        void *block = ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED);
        ExFreePoolWithTag(block, TAG_FRED);
        expect_bugcheck(ExFreePoolWithTag(block, TAG_FRED), BAD_POOL_CALLER,
                        BAD_CALLER_DOUBLE_FREE);
        assert_int_equal(nt_seen.p[2], TAG_FRED);
        assert_int_equal(nt_seen.p[3], (ULONG_PTR)block);
        assert_ptr_equal(ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED), block);
        PbNtChecked = FALSE; /* what was begun so ends so */
        ExFreePoolWithTag(block, TAG_FRED);
        expect_bugcheck(ExFreePool(block), BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE);
        PbNtReset(NULL);
    }
    configure("processors=1"); /* and on a free build the list becomes cyclic */
    void *block = ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED);
    ExFreePool(block);
    ExFreePool(block);
    assert_ptr_equal(ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED), block);
    assert_ptr_equal(ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED), block);
    PbNtReset(NULL);
}

static void the_reserve_knows_its_blocks(void **state)
{
    (void)state;
    configure("profile=nt4,nonpaged_limit=1,must_succeed=1");
    unsigned char *block = ExAllocatePoolWithTag(NonPagedPoolMustSucceed, 100, TAG_FRED);
    assert_non_null(block);
    expect_bugcheck(ExFreePoolWithTag(block, TAG("Carl")), BAD_POOL_CALLER, BAD_CALLER_TAG);
    ExFreePool(block);
    expect_bugcheck(ExFreePool(block), BAD_POOL_CALLER, nt_seen.p[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pool_test("A15: checked: tag 0, tag BIG, no letter or digit are 0xC2/9B, 9C, 9D",
                  a_checked_build_refuses_tags),
        pool_test("A15: checked: sound tags are taken", a_checked_build_takes_sound_tags),
        pool_test("A15: checked: 0 bytes are 0xC2/0", a_checked_build_refuses_nothing),
        pool_test("A15: a free build takes tag 0, BIG, no letter, and 0 bytes",
                  a_free_build_takes_them_all),
        pool_test("A15: a free with another tag is 0xC2/A", another_tag_is_caught_at_free),
        pool_test("A9: a protected block must be freed with its tag",
                  a_protected_block_needs_its_tag),
        pool_test("A15: an address that no pool gave is 0xC2/46", a_foreign_address_is_caught),
        pool_test("A15: an address inside a block is 0xC2/99", an_address_inside_a_block_is_caught),
        pool_test("A15: a second free is 0xC2/7", a_second_free_is_caught),
        pool_test("A15: a page at which nothing big begins is 0x19/23",
                  a_page_that_no_entry_has_is_untracked),
        pool_test("A15: checked: a second free of a cached block is 0xC2/7",
                  a_second_free_of_a_cached_block_is_caught_in_checked_mode),
        pool_test("A15: PbNtChecked alone: a second free of a cached block is 0xC2/7",
                  checked_mode_alone_finds_a_second_free),
        pool_test("A15: special pool: pattern, inside, tag, second free",
                  special_pool_sees_a_changed_pattern),
        pool_test("A15: the must-succeed reserve: tag, second free", the_reserve_knows_its_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
