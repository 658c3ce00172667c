/* SPDX-License-Identifier: MIT */
/* Section A, what the pool's calls promise: sizes, alignment, tags, failure, the must-succeed
 * types, special pool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/fixup.h"
#include "nt/nt_test.h"
#include "nt/pool_calls.h"

enum { RESERVE_PAGES = 4 };

static const POOL_TYPE kinds[] = {NonPagedPool, NonPagedPoolNx, PagedPool};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void small_requests_are_aligned_and_stay_in_a_page(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        for (size_t bytes = 0; bytes < PAGE_SIZE; bytes += 37) {
            unsigned char *block = ExAllocatePoolWithTag(kinds[k], bytes, TAG_FRED);
            assert_non_null(block);
            assert_int_equal((uintptr_t)block % 16, 0);
            assert_true(ADDRESS_AND_SIZE_TO_SPAN_PAGES(block, bytes) <= 1);
            memset(block, 0xA5, bytes);
            ExFreePool(block);
        }
    }
}

static void whole_pages_are_page_aligned(void **state)
{
    (void)state;
    for (size_t bytes = PAGE_SIZE; bytes < 9 * PAGE_SIZE; bytes += 1999) {
        void *block = ExAllocatePoolWithTag(PagedPool, bytes, TAG_FRED);
        assert_non_null(block);
        assert_int_equal(BYTE_OFFSET(block), 0);
        memset(block, 0xA5, bytes);
        ExFreePool(block);
    }
}

static void a_request_of_nothing_gives_the_smallest_block(void **state)
{
    (void)state;
    void *block = ExAllocatePoolWithTag(NonPagedPool, 0, TAG_FRED);
    assert_non_null(block);
    assert_int_equal(ExQueryPoolBlockSize(block, NULL), 16);
    assert_int_equal(row_of(TAG_FRED).NonPagedUsed, 32);
    ExFreePool(block);
}

static void an_untagged_request_counts_as_none(void **state)
{
    (void)state;
    void *block = ExAllocatePool(NonPagedPool, 100),
         *other = ExAllocatePoolWithTag(PagedPool, 9, 0);
    assert_int_equal(row_of(TAG_NONE).NonPagedAllocs, 1);
    assert_int_equal(row_of(TAG_NONE).PagedAllocs, 1);
    ExFreePoolWithTag(block, TAG_NONE);
    ExFreePoolWithTag(other, TAG_NONE);
    assert_int_equal(row_of(TAG_NONE).NonPagedFrees, 1);
}

static void tags_count_blocks_with_headers_and_whole_pages(void **state)
{
    (void)state;
    void *small = ExAllocatePoolWithTag(NonPagedPool, 100, TAG_FRED);
    void *big = ExAllocatePoolWithTag(PagedPool, 5000, TAG_FRED);
    SYSTEM_POOLTAG row = row_of(TAG_FRED);
    assert_memory_equal(row.Tag, "Fred", 4);
    assert_int_equal(row.NonPagedAllocs, 1);
    assert_int_equal(row.NonPagedUsed, 128);
    assert_int_equal(row.PagedAllocs, 1);
    assert_int_equal(row.PagedUsed, 8192);
    ExFreePoolWithTag(small, TAG_FRED);
    ExFreePoolWithTag(big, TAG_FRED);
    row = row_of(TAG_FRED);
    assert_int_equal(row.NonPagedFrees, 1);
    assert_int_equal(row.PagedFrees, 1);
    assert_int_equal(row.NonPagedUsed + row.PagedUsed, 0);
}

static void a_protected_tag_is_counted_without_its_mark(void **state)
{
    (void)state;
    void *block = ExAllocatePoolWithTag(PagedPool, 50, TAG_FRED | PROTECTED_POOL);
    assert_int_equal(row_of(TAG_FRED).PagedAllocs, 1);
    ExFreePoolWithTag(block, TAG_FRED | PROTECTED_POOL);
    assert_int_equal(row_of(TAG_FRED).PagedFrees, 1);
}

static void block_size_is_at_least_what_was_asked_for(void **state)
{
    BOOLEAN charged = TRUE;
    (void)state;
    for (size_t bytes = 1; bytes < 3 * PAGE_SIZE; bytes += 101) {
        void *block = ExAllocatePoolWithTag(NonPagedPool, bytes, TAG_FRED);
        assert_true(ExQueryPoolBlockSize(block, &charged) >= bytes);
        assert_int_equal(charged, FALSE);
        ExFreePool(block);
    }
}

static void exhaustion_gives_null(void **state)
{
    (void)state;
    configure("nonpaged_limit=64k");
    assert_null(ExAllocatePoolWithTag(NonPagedPool, 65537, TAG_FRED));
    assert_null(ExAllocatePoolWithTag(NonPagedPool, SIZE_MAX, TAG_FRED));
    assert_null(ExAllocatePoolWithTag(PagedPool, SIZE_MAX, TAG_FRED));
    assert_null(ExAllocatePoolWithTag(PagedPool, SIZE_MAX - PAGE_SIZE, TAG_FRED));
    void *block = ExAllocatePoolWithTag(NonPagedPool, 65536, TAG_FRED);
    assert_non_null(block);
    assert_null(ExAllocatePoolWithTag(NonPagedPoolNx, 1, TAG_FRED));
    ExFreePool(block);
}

static void the_raise_flag_turns_failure_into_a_status(void **state)
{
    NTSTATUS status;
    (void)state;
    configure("paged_limit=64k");
    status_raised_by(status, ExAllocatePoolWithTag(PagedPool | POOL_RAISE_IF_ALLOCATION_FAILURE,
                                                   1 << 20, TAG_FRED));
    assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
    status_raised_by(status, ExAllocatePoolWithTag(PagedPool, 1 << 20, TAG_FRED));
    assert_int_equal(status, STATUS_SUCCESS);
}

static void flags_are_no_part_of_the_type(void **state)
{
    (void)state;
    const unsigned flags = POOL_RAISE_IF_ALLOCATION_FAILURE | POOL_COLD_ALLOCATION |
                           POOL_QUOTA_FAIL_INSTEAD_OF_RAISE | POOL_NX_ALLOCATION;
    BOOLEAN charged = TRUE;
    void *block = ExAllocatePoolWithTag((POOL_TYPE)(PagedPool | flags), 100, TAG_FRED);
    assert_non_null(block);
    (void)ExQueryPoolBlockSize(block, &charged);
    assert_int_equal(charged, FALSE);
    assert_int_equal(row_of(TAG_FRED).PagedAllocs, 1);
    ExFreePool(block);
}

static void lines_are_delivered_where_the_option_says_so(void **state)
{
    (void)state;
    configure("cache_aligned=on");
    void *blocks[20];
    for (unsigned i = 0; i < 20; i++) {
        blocks[i] = ExAllocatePoolWithTag(i % 2 ? NonPagedPoolCacheAligned : PagedPoolCacheAligned,
                                          1 + i * 13, TAG_FRED);
        assert_int_equal((uintptr_t)blocks[i] % 64, 0);
    }
    for (unsigned i = 0; i < 20; i++)
        ExFreePool(blocks[i]);
}

/* Takes must-succeed blocks until the machine would stop; returns how many there were. */
static unsigned take_reserve(size_t bytes, void **blocks, unsigned most)
{
    unsigned n = 0;
    while (n < most && nt_seen.n == 0)
        if ((blocks[n] = ExAllocatePoolWithTag(NonPagedPoolMustSucceed, bytes, TAG_FRED)) != NULL)
            n++;
    return n;
}

static void must_succeed_lives_on_its_reserve(void **state)
{
    static void *blocks[RESERVE_PAGES * 4 + 1];
    unsigned n = 0;
    (void)state;
    configure("profile=nt4,nonpaged_limit=16k,must_succeed=4");
    void *pool = ExAllocatePoolWithTag(NonPagedPool, 16384, TAG_FRED);
    assert_non_null(pool);
    assert_null(ExAllocatePoolWithTag(NonPagedPool, 1024, TAG_FRED));
    for (unsigned round = 0; round < 2; round++) {
        expect_bugcheck(n = take_reserve(1024, blocks, RESERVE_PAGES * 4 + 1),
                        MUST_SUCCEED_POOL_EMPTY, 1024);
        assert_int_equal(nt_seen.p[1], 4); /* pages in use */
        assert_int_equal(nt_seen.p[2], 1); /* requests above a page */
        assert_int_equal(n, RESERVE_PAGES * 4);
        for (unsigned i = 0; i < n; i++) {
            memset(blocks[i], (int)i, 1024);
            ExFreePoolWithTag(blocks[i], TAG_FRED);
        }
    }
    ExFreePool(pool);
    assert_int_equal(row_of(TAG_FRED).NonPagedUsed, 0);
}

static void must_succeed_takes_pool_while_there_is_some(void **state)
{
    void *blocks[40];
    (void)state;
    configure("profile=w2k,must_succeed=1");
    for (unsigned i = 0; i < 40; i++) {
        blocks[i] = ExAllocatePoolWithTag(NonPagedPoolMustSucceed, 2000, TAG_FRED);
        assert_non_null(blocks[i]);
    }
    for (unsigned i = 0; i < 40; i++)
        ExFreePool(blocks[i]);
}

static void must_succeed_is_refused_since_xp(void **state)
{
    static const char *const profiles[] = {"profile=xp",   "profile=x64",     "profile=vista",
                                           "profile=win8", "profile=vista86", "profile=win8_86"};
    (void)state;
    for (unsigned i = 0; i < sizeof profiles / sizeof *profiles; i++) {
        PbNtReset(NULL);
        configure(profiles[i]);
        void *block = state;
        expect_bugcheck(block = ExAllocatePoolWithTag(NonPagedPoolMustSucceed, 77, TAG_FRED),
                        BAD_POOL_CALLER, BAD_CALLER_MUST_SUCCEED);
        assert_null(block);
        assert_int_equal(nt_seen.p[1], NonPagedPoolMustSucceed);
        assert_int_equal(nt_seen.p[2], 77);
        expect_bugcheck(
            (void)ExAllocatePoolWithTag(NonPagedPoolCacheAlignedMustSucceed, 77, TAG_FRED),
            BAD_POOL_CALLER, BAD_CALLER_MUST_SUCCEED);
        assert_int_equal(nt_seen.p[1], NonPagedPoolCacheAlignedMustSucceed);
    }
}

static void special_pool_ends_at_a_page_that_faults(void **state)
{
    NTSTATUS status;
    (void)state;
    configure("special=overrun");
    (void)pb_fixup_install(); /* in front of cmocka's handler */
    volatile unsigned char *block = ExAllocatePoolWithTag(NonPagedPool, 64, TAG_FRED);
    assert_int_equal(BYTE_OFFSET(block + 64), 0);
    block[63] = 1;
    assert_int_equal(ExQueryPoolBlockSize((void *)(uintptr_t)block, NULL), 64);
    status_raised_by(status, block[64] = 1);
    assert_int_equal(status, STATUS_ACCESS_VIOLATION);
    assert_int_equal(row_of(TAG_FRED).NonPagedUsed, 4096);
    ExFreePoolWithTag((void *)(uintptr_t)block, TAG_FRED);
    status_raised_by(status, block[0]);
    assert_int_equal(status, STATUS_ACCESS_VIOLATION);
    assert_int_equal(row_of(TAG_FRED).NonPagedUsed, 0);
}

static void special_pool_for_underruns_begins_a_page(void **state)
{
    NTSTATUS status;
    (void)state;
    configure("special=underrun");
    (void)pb_fixup_install(); /* in front of cmocka's handler */
    volatile unsigned char *block = ExAllocatePoolWithTag(PagedPool, 50, TAG_FRED);
    assert_int_equal(BYTE_OFFSET(block), 0);
    status_raised_by(status, block[-1] = 1);
    assert_int_equal(status, STATUS_ACCESS_VIOLATION);
    ExFreePool((void *)(uintptr_t)block);
}

static void a_page_and_more_is_never_special(void **state)
{
    (void)state;
    configure("special=overrun");
    void *block = ExAllocatePoolWithTag(NonPagedPool, 5000, TAG_FRED);
    assert_int_equal(row_of(TAG_FRED).NonPagedUsed, 8192);
    memset(block, 1, 5000);
    ExFreePool(block);
}

static void every_profile_serves_every_size(void **state)
{
    static const char *const profiles[] = {"profile=nt4",  "profile=w2k",    "profile=xp",
                                           "profile=x64",  "profile=vista",  "profile=vista86",
                                           "profile=win8", "profile=win8_86"};
    static void *blocks[600];
    (void)state;
    for (unsigned p = 0; p < sizeof profiles / sizeof *profiles; p++) {
        char message[200] = "";
        size_t leaked = 1;
        configure(profiles[p]);
        for (unsigned i = 0; i < 600; i++) {
            blocks[i] = ExAllocatePoolWithTag(kinds[i % KINDS], i * 17, TAG_FRED);
            assert_non_null(blocks[i]);
            memset(blocks[i], (int)i, i * 17);
        }
        for (unsigned i = 0; i < 600; i++)
            ExFreePoolWithTag(blocks[(i * 7) % 600], TAG_FRED);
        assert_int_equal(PbNtCheck(message, sizeof message), 0);
        PbNtReset(&leaked);
        assert_int_equal(leaked, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pool_test("A16: a request below a page is aligned to 16 and does not cross a page",
                  small_requests_are_aligned_and_stay_in_a_page),
        pool_test("A16: a page and more is page aligned", whole_pages_are_page_aligned),
        pool_test("A2: a request of 0 bytes gives the smallest block",
                  a_request_of_nothing_gives_the_smallest_block),
        pool_test("A9: an untagged request is booked under None",
                  an_untagged_request_counts_as_none),
        pool_test("A9: bytes of a tag are blocks with headers, or whole pages",
                  tags_count_blocks_with_headers_and_whole_pages),
        pool_test("A9: PROTECTED_POOL is stripped before accounting",
                  a_protected_tag_is_counted_without_its_mark),
        pool_test("A17: ExQueryPoolBlockSize tells at least what was asked for",
                  block_size_is_at_least_what_was_asked_for),
        pool_test("A4.8: exhaustion gives NULL", exhaustion_gives_null),
        pool_test("A4.8: POOL_RAISE_IF_ALLOCATION_FAILURE raises the status",
                  the_raise_flag_turns_failure_into_a_status),
        pool_test("A1: the caller's flags are no part of the type", flags_are_no_part_of_the_type),
        pool_test("A16: cache-aligned types deliver lines where the option says so",
                  lines_are_delivered_where_the_option_says_so),
        pool_test("A14: must-succeed lives on exactly its reserve, then bugcheck 0x41",
                  must_succeed_lives_on_its_reserve),
        pool_test("A14: must-succeed takes ordinary pool while there is some",
                  must_succeed_takes_pool_while_there_is_some),
        pool_test("A14: XP and later refuse must-succeed with 0xC2/9A",
                  must_succeed_is_refused_since_xp),
        pool_test("A14: special pool faults at an overrun and after the free",
                  special_pool_ends_at_a_page_that_faults),
        pool_test("A14: special pool faults at an underrun",
                  special_pool_for_underruns_begins_a_page),
        pool_test("A14: a page and more is never special", a_page_and_more_is_never_special),
        pool_test("A: every profile serves every kind and size", every_profile_serves_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
