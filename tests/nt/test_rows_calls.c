/* SPDX-License-Identifier: MIT */
/* Rows that no other test looks at, by public calls: documented values, layouts, a zone in the
 * pool, what is resident, what may be done at any level. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "nt/mm_test.h"
#include "nt/nt_test.h"
#include "nt/pool_calls.h"

#include <poolbench/ntmm.h>

enum { BLOCK = 64, SEGMENT = 4096, IN_SEGMENT = 63, PAGES = 8, LOCKED_MOST = 4 << 20 };

struct value {
    uint64_t ours, documented;
};

#define assert_values(values)                                                                      \
    do {                                                                                           \
        for (size_t row = 0; row < sizeof(values) / sizeof *(values); row++)                       \
            assert_int_equal((values)[row].ours, (values)[row].documented);                        \
    } while (0)

static void pool_types_have_their_values(void **state)
{
    static const struct value types[] = {
        {NonPagedPool, 0},
        {NonPagedPoolExecute, 0},
        {PagedPool, 1},
        {NonPagedPoolMustSucceed, 2},
        {DontUseThisType, 3},
        {NonPagedPoolCacheAligned, 4},
        {PagedPoolCacheAligned, 5},
        {NonPagedPoolCacheAlignedMustS, 6},
        {NonPagedPoolCacheAlignedMustSucceed, 6},
        {MaxPoolType, 7},
        {NonPagedPoolSession, 32},
        {PagedPoolSession, 32 + PagedPool},
        {NonPagedPoolMustSucceedSession, 32 + NonPagedPoolMustSucceed},
        {DontUseThisTypeSession, 32 + DontUseThisType},
        {NonPagedPoolCacheAlignedSession, 32 + NonPagedPoolCacheAligned},
        {PagedPoolCacheAlignedSession, 32 + PagedPoolCacheAligned},
        {NonPagedPoolCacheAlignedMustSSession, 38},
        {NonPagedPoolNx, 512},
        {NonPagedPoolNxCacheAligned, 516},
        {NonPagedPoolSessionNx, 544},
    };
    (void)state;
    assert_values(types);
}

static void flags_have_their_values(void **state)
{
    static const struct value flags[] = {
        {POOL_QUOTA_FAIL_INSTEAD_OF_RAISE, 8},
        {POOL_RAISE_IF_ALLOCATION_FAILURE, 16},
        {POOL_COLD_ALLOCATION, 256},
        {POOL_NX_ALLOCATION, 512},
        {PROTECTED_POOL, 0x80000000},
        {POOL_FLAG_USE_QUOTA, 1},
        {POOL_FLAG_UNINITIALIZED, 2},
        {POOL_FLAG_SESSION, 4},
        {POOL_FLAG_CACHE_ALIGNED, 8},
        {POOL_FLAG_RAISE_ON_FAILURE, 0x20},
        {POOL_FLAG_NON_PAGED, 0x40},
        {POOL_FLAG_NON_PAGED_EXECUTE, 0x80},
        {POOL_FLAG_PAGED, 0x100},
        {POOL_FLAG_SPECIAL_POOL, (uint64_t)1 << 32},
        {EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL, 1},
        {EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE, 2},
    };
    (void)state;
    assert_values(flags);
}

static void priorities_have_their_values(void **state)
{
    static const struct value priorities[] = {
        {LowPoolPriority, 0},
        {NormalPoolPriority, 16},
        {HighPoolPriority, 32},
        {LowPoolPrioritySpecialPoolOverrun, 0 + 8},
        {LowPoolPrioritySpecialPoolUnderrun, 0 + 9},
        {NormalPoolPrioritySpecialPoolOverrun, 16 + 8},
        {NormalPoolPrioritySpecialPoolUnderrun, 16 + 9},
        {HighPoolPrioritySpecialPoolOverrun, 32 + 8},
        {HighPoolPrioritySpecialPoolUnderrun, 32 + 9},
    };
    (void)state;
    assert_values(priorities);
}

static void bugchecks_have_their_values(void **state)
{
    static const struct value codes[] = {
        {BAD_POOL_HEADER, 0x19},
        {BAD_HEADER_LINKS, 3},
        {BAD_HEADER_SIZES, 5},
        {BAD_HEADER_PREVIOUS_PAGE, 6},
        {BAD_HEADER_NOT_FIRST, 7},
        {BAD_HEADER_SIZE_ZERO, 8},
        {BAD_HEADER_NEXT_PAGE, 9},
        {BAD_HEADER_WALK, 0xA},
        {BAD_HEADER_OVERRUN, 0x20},
        {BAD_HEADER_AFTER_FREE, 0x21},
        {BAD_HEADER_UNTRACKED, 0x23},
        {BAD_POOL_CALLER, 0xC2},
        {BAD_CALLER_ZERO_BYTES, 0},
        {BAD_CALLER_HEADER, 1},
        {BAD_CALLER_DOUBLE_FREE, 7},
        {BAD_CALLER_ALLOC_IRQL, 8},
        {BAD_CALLER_FREE_IRQL, 9},
        {BAD_CALLER_TAG, 0xA},
        {BAD_CALLER_QUOTA, 0xD},
        {BAD_CALLER_NOT_POOL, 0x46},
        {BAD_CALLER_NOT_CONTIGUOUS, 0x60},
        {BAD_CALLER_INSIDE_BLOCK, 0x99},
        {BAD_CALLER_MUST_SUCCEED, 0x9A},
        {BAD_CALLER_TAG_ZERO, 0x9B},
        {BAD_CALLER_TAG_BIG, 0x9C},
        {BAD_CALLER_TAG_NO_LETTER, 0x9D},
        {MUST_SUCCEED_POOL_EMPTY, 0x41},
    };
    (void)state;
    assert_values(codes);
}

static void statuses_have_their_values(void **state)
{
    static const struct value statuses[] = {
        {(ULONG)STATUS_SUCCESS, 0},
        {(ULONG)STATUS_DATATYPE_MISALIGNMENT, 0x80000002},
        {(ULONG)STATUS_UNSUCCESSFUL, 0xC0000001},
        {(ULONG)STATUS_ACCESS_VIOLATION, 0xC0000005},
        {(ULONG)STATUS_INVALID_PARAMETER, 0xC000000D},
        {(ULONG)STATUS_QUOTA_EXCEEDED, 0xC0000044},
        {(ULONG)STATUS_INSUFFICIENT_RESOURCES, 0xC000009A},
        {(ULONG)STATUS_INVALID_PARAMETER_4, 0xC00000F2},
        {(ULONG)STATUS_INVALID_PARAMETER_5, 0xC00000F3},
    };
    (void)state;
    assert_values(statuses);
    assert_int_equal(sizeof(NTSTATUS), 4);
    assert_true((NTSTATUS)0xC0000001 < 0);
    assert_true(NT_SUCCESS(STATUS_SUCCESS));
    assert_false(NT_SUCCESS(STATUS_DATATYPE_MISALIGNMENT));
    assert_false(NT_SUCCESS(STATUS_UNSUCCESSFUL));
}

static void layouts_are_those_of_x64(void **state)
{
    static const struct value offsets[] = {
        {offsetof(SYSTEM_POOLTAG, TagUlong), 0},
        {offsetof(SYSTEM_POOLTAG, PagedAllocs), 4},
        {offsetof(SYSTEM_POOLTAG, PagedFrees), 8},
        {offsetof(SYSTEM_POOLTAG, PagedUsed), 0x10},
        {offsetof(SYSTEM_POOLTAG, NonPagedAllocs), 0x18},
        {offsetof(SYSTEM_POOLTAG, NonPagedFrees), 0x1C},
        {offsetof(SYSTEM_POOLTAG, NonPagedUsed), 0x20},
        {sizeof(SYSTEM_POOLTAG), 0x28},
    };
    (void)state;
    assert_values(offsets);
}

static void obsolete_locks_are_still_there(void **state)
{
    NPAGED_LOOKASIDE_LIST npaged;
    PAGED_LOOKASIDE_LIST paged;
    (void)state;
    assert_int_equal((char *)&npaged.Lock__ObsoleteButDoNotDelete - (char *)&npaged, 0x80);
    assert_int_equal((char *)&paged.Lock__ObsoleteButDoNotDelete - (char *)&paged, 0x80);
    assert_int_equal(sizeof npaged.Lock__ObsoleteButDoNotDelete, sizeof(KSPIN_LOCK));
    assert_int_equal(sizeof paged.Lock__ObsoleteButDoNotDelete, sizeof(FAST_MUTEX));
}

static void a_free_without_a_tag_checks_none(void **state)
{
    static const size_t sizes[] = {10, 3000, 10000};
    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ExFreePool(ExAllocatePoolWithTag(PagedPool, sizes[i], TAG_FRED));
        ExFreePoolWithTag(ExAllocatePoolWithTag(NonPagedPool, sizes[i], TAG_FRED), 0);
    }
    assert_int_equal(row_of(TAG_FRED).PagedFrees, 3);
    assert_int_equal(row_of(TAG_FRED).NonPagedFrees, 3);
}

static void a_quota_request_without_a_tag_counts_as_none(void **state)
{
    (void)state;
    void *block = ExAllocatePoolWithQuota(PagedPool, 100);
    assert_non_null(block);
    assert_int_equal(row_of(TAG_NONE).PagedAllocs, 1);
    ExFreePoolWithTag(block, TAG_NONE);
}

static unsigned fill(ZONE_HEADER *zone, void *segment)
{
    unsigned n = 0;
    for (unsigned char *block; (block = ExAllocateFromZone(zone)) != NULL; n++) {
        memset(block, (int)n, BLOCK);
        assert_true(segment == NULL || PAGE_ALIGN(block) == segment);
    }
    return n;
}

static void a_zone_stands_on_a_block_of_the_pool(void **state)
{
    ZONE_HEADER zone;
    void *segments[2];
    (void)state;
    for (unsigned i = 0; i < 2; i++)
        segments[i] = ExAllocatePoolWithTag(NonPagedPool, SEGMENT, TAG_FRED);
    assert_int_equal(ExInitializeZone(&zone, BLOCK, segments[0], SEGMENT), STATUS_SUCCESS);
    assert_int_equal(fill(&zone, segments[0]), IN_SEGMENT);
    assert_int_equal(ExIsFullZone(&zone), TRUE);
    assert_int_equal(row_of(TAG_FRED).NonPagedAllocs, 2); /* a block of a zone is no pool call */
    void *spare = ExAllocatePoolWithTag(NonPagedPool, BLOCK, TAG_FRED); /* while it is full */
    assert_non_null(spare);
    assert_int_equal(ExExtendZone(&zone, segments[1], SEGMENT), STATUS_SUCCESS);
    assert_int_equal(fill(&zone, segments[1]), IN_SEGMENT);
    /* no call ends a zone or makes it smaller: the segments are the caller's to free */
    ExFreePoolWithTag(spare, TAG_FRED);
    for (unsigned i = 0; i < 2; i++)
        ExFreePoolWithTag(segments[i], TAG_FRED);
}

static void nonpaged_pool_is_resident_before_it_is_touched(void **state)
{
    static const POOL_TYPE kinds[] = {NonPagedPool, NonPagedPoolNx};
    KIRQL before;
    (void)state;
    if (!mm_can_lock(LOCKED_MOST))
        skip_because("RLIMIT_MEMLOCK is too low");
    for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        unsigned char *block = ExAllocatePoolWithTag(kinds[k], PAGES * PAGE_SIZE, TAG_FRED);
        assert_non_null(block);
        for (unsigned i = 0; i < PAGES; i++)
            assert_int_equal(MmIsAddressValid(block + i * PAGE_SIZE), TRUE);
        KeRaiseIrql(HIGH_LEVEL, &before);
        memset(block, 1, PAGES * PAGE_SIZE);
        KeLowerIrql(before);
        ExFreePool(block);
    }
}

static void paged_pool_is_there_once_it_is_touched(void **state)
{
    (void)state;
    unsigned char *block = ExAllocatePoolWithTag(PagedPool, PAGES * PAGE_SIZE, TAG_FRED);
    assert_non_null(block);
    for (unsigned i = 0; i < PAGES; i++) {
        assert_int_equal(block[i * PAGE_SIZE], 0); /* a page that nobody had before */
        assert_int_equal(MmIsAddressValid(block + i * PAGE_SIZE), TRUE);
    }
    ExFreePool(block);
}

static void lists_and_macros_take_any_level(void **state)
{
    LIST_ENTRY head, entry;
    SINGLE_LIST_ENTRY single = {NULL}, one;
    KIRQL before;
    (void)state;
    KeRaiseIrql(HIGH_LEVEL, &before);
    InitializeListHead(&head);
    InsertTailList(&head, &entry);
    assert_ptr_equal(RemoveHeadList(&head), &entry);
    InsertHeadList(&head, &entry);
    assert_int_equal(RemoveEntryList(&entry), TRUE);
    PushEntryList(&single, &one);
    assert_ptr_equal(PopEntryList(&single), &one);
    assert_int_equal(ADDRESS_AND_SIZE_TO_SPAN_PAGES(PAGE_ALIGN(&head), BYTE_OFFSET(&head) + 1), 1);
    assert_int_equal(KeGetCurrentIrql(), HIGH_LEVEL);
    KeLowerIrql(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("A1: each POOL_TYPE has its value", pool_types_have_their_values),
        nt_test("A1, C6: each flag has its value", flags_have_their_values),
        nt_test("A14: each EX_POOL_PRIORITY has its value", priorities_have_their_values),
        nt_test("A15: each code and each first parameter has its value",
                bugchecks_have_their_values),
        nt_test("A4.8, A10, B, C6: each status has its value", statuses_have_their_values),
        nt_test("A9: a row of the snapshot is 0x28 bytes, as on x64", layouts_are_those_of_x64),
        nt_test("C1: lists end with the spin lock, or the fast mutex, that NT 4 alone uses",
                obsolete_locks_are_still_there),
        pool_test("A5: ExFreePool, or tag 0, checks no tag", a_free_without_a_tag_checks_none),
        pool_test("A17: ExAllocatePoolWithQuota is booked under None",
                  a_quota_request_without_a_tag_counts_as_none),
        pool_test("B: a zone on a block of the pool; the pool helps out while it is full",
                  a_zone_stands_on_a_block_of_the_pool),
        pool_test("A11, G: nonpaged pool is resident before it is touched, at any level",
                  nonpaged_pool_is_resident_before_it_is_touched),
        pool_test("G: paged pool is zero and resident once it is touched",
                  paged_pool_is_there_once_it_is_touched),
        nt_test("F: list calls and page macros at any level", lists_and_macros_take_any_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
