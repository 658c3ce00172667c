/* SPDX-License-Identifier: MIT */
/* Section A10: who is charged how much, when it is refused, and when it comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include "nt/pool_calls.h"

enum { WORKERS = 4, ROUNDS = 500, OWNER_AT = 8 };

static PEPROCESS process, before;

static void enter(size_t paged, size_t nonpaged)
{
    process = PbCreateProcess(paged, nonpaged);
    assert_non_null(process);
    before = PbEnterProcess(process);
}

static void leave(void)
{
    assert_ptr_equal(PbEnterProcess(before), process);
    PbEndProcess(process);
}

static void the_whole_block_is_charged(void **state)
{
    /* x64: header, request and the owner's pointer, in granules of 16 */
    static const struct {
        size_t bytes, charged;
    } cases[] = {{1, 32}, {8, 32}, {9, 48}, {16, 48}, {100, 128}, {104, 128}, {105, 144}};
    BOOLEAN charged = FALSE;
    (void)state;
    enter(SIZE_MAX, SIZE_MAX);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *block = ExAllocatePoolWithQuotaTag(PagedPool, cases[i].bytes, TAG_FRED);
        assert_int_equal(PbProcessQuota(process, PagedPool, NULL), cases[i].charged);
        assert_int_equal(PbProcessQuota(process, NonPagedPool, NULL), 0);
        assert_true(ExQueryPoolBlockSize(block, &charged) >= cases[i].bytes);
        assert_int_equal(charged, TRUE);
        memset(block, 0xFF, cases[i].bytes);
        ExFreePool(block);
        assert_int_equal(PbProcessQuota(process, PagedPool, NULL), 0);
    }
    leave();
}

static void each_kind_has_its_counter_and_peak(void **state)
{
    SIZE_T peak = 0;
    (void)state;
    enter(SIZE_MAX, SIZE_MAX);
    void *a = ExAllocatePoolWithQuota(NonPagedPool, 100);
    void *b = ExAllocatePoolWithQuota(NonPagedPoolNx, 100);
    assert_int_equal(PbProcessQuota(process, NonPagedPool, NULL), 256);
    ExFreePool(a);
    assert_int_equal(PbProcessQuota(process, NonPagedPool, &peak), 128);
    assert_int_equal(peak, 256);
    ExFreePool(b);
    leave();
}

static void a_page_and_more_is_not_charged(void **state)
{
    static const size_t sizes[] = {4072, 4073, 4096, 10000};
    BOOLEAN charged = TRUE;
    (void)state;
    enter(0, 0);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *block = ExAllocatePoolWithQuotaTag(PagedPool, sizes[i], TAG_FRED);
        assert_non_null(block);
        assert_int_equal(BYTE_OFFSET(block), 0); /* 4072 grew into a page of its own */
        (void)ExQueryPoolBlockSize(block, &charged);
        assert_int_equal(charged, FALSE);
        ExFreePool(block);
    }
    leave();
}

static void an_exceeded_quota_raises(void **state)
{
    NTSTATUS status;
    (void)state;
    enter(256, 0);
    void *first = ExAllocatePoolWithQuotaTag(PagedPool, 100, TAG_FRED);
    status_raised_by(status, ExAllocatePoolWithQuotaTag(PagedPool, 200, TAG_FRED));
    assert_int_equal(status, STATUS_QUOTA_EXCEEDED);
    status_raised_by(status, ExAllocatePoolWithQuota(NonPagedPool, 1));
    assert_int_equal(status, STATUS_QUOTA_EXCEEDED);
    assert_int_equal(PbProcessQuota(process, PagedPool, NULL), 128);
    assert_int_equal(PbProcessQuota(process, NonPagedPool, NULL), 0);
    void *second = ExAllocatePoolWithQuotaTag(PagedPool, 100, TAG_FRED);
    assert_non_null(second);
    ExFreePool(first);
    ExFreePool(second);
    leave();
}

static void flag_8_gives_null_instead(void **state)
{
    const POOL_TYPE type = (POOL_TYPE)(PagedPool | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE);
    (void)state;
    enter(128, 0);
    assert_null(ExAllocatePoolWithQuotaTag(type, 200, TAG_FRED));
    void *block = ExAllocatePoolWithQuotaTag(type, 100, TAG_FRED);
    assert_non_null(block);
    assert_null(ExAllocatePoolWithQuota(type, 1));
    ExFreePool(block);
    leave();
}

static void exhaustion_raises_insufficient_resources(void **state)
{
    NTSTATUS status;
    (void)state;
    configure("paged_limit=4k");
    status_raised_by(status, ExAllocatePoolWithQuotaTag(PagedPool, 100000, TAG_FRED));
    assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
}

static void the_system_process_is_never_charged(void **state)
{
    BOOLEAN charged = TRUE;
    (void)state;
    PEPROCESS was = PbEnterProcess(PsInitialSystemProcess);
    void *block = ExAllocatePoolWithQuotaTag(PagedPool, 100, TAG_FRED);
    (void)ExQueryPoolBlockSize(block, &charged);
    assert_int_equal(charged, FALSE);
    assert_int_equal(PbProcessQuota(PsInitialSystemProcess, PagedPool, NULL), 0);
    ExFreePool(block);
    PbEnterProcess(was);
}

static void the_owner_gets_it_back_whoever_frees(void **state)
{
    (void)state;
    enter(SIZE_MAX, SIZE_MAX);
    void *block = ExAllocatePoolWithQuotaTag(NonPagedPool, 100, TAG_FRED);
    PEPROCESS owner = process;
    assert_ptr_equal(PbEnterProcess(before), owner);
    ExFreePool(block);
    assert_int_equal(PbProcessQuota(owner, NonPagedPool, NULL), 0);
    PbEndProcess(owner);
}

static void a_corrupt_owner_is_caught_at_free(void **state)
{
    (void)state;
    enter(SIZE_MAX, SIZE_MAX);
    unsigned char *block = ExAllocatePoolWithQuotaTag(PagedPool, 100, TAG_FRED);
    PEPROCESS *stored = (PEPROCESS *)(void *)(block - OWNER_AT);
    int nobody;
    assert_ptr_equal(*stored, process);
    *stored = (PEPROCESS)(void *)&nobody;
    expect_bugcheck(ExFreePool(block), BAD_POOL_CALLER, BAD_CALLER_QUOTA);
    assert_int_equal(nt_seen.p[1], (ULONG_PTR)block);
    assert_int_equal(nt_seen.p[2], TAG_FRED);
    assert_int_equal(nt_seen.p[3], (ULONG_PTR)&nobody);
    *stored = NULL;
    expect_bugcheck(ExFreePool(block), BAD_POOL_CALLER, BAD_CALLER_QUOTA);
    *stored = process;
    ExFreePool(block);
    assert_int_equal(PbProcessQuota(process, PagedPool, NULL), 0);
    leave();
}

static void a_narrow_block_keeps_its_owner_in_its_last_pointer(void **state)
{
    (void)state;
    configure("profile=xp");
    enter(SIZE_MAX, SIZE_MAX);
    unsigned char *block = ExAllocatePoolWithQuotaTag(PagedPool, 100, TAG_FRED);
    PEPROCESS stored;
    /* 8 + 100 + 8 bytes are 15 granules of 8 */
    assert_int_equal(PbProcessQuota(process, PagedPool, NULL), 120);
    memcpy(&stored, block - 8 + 120 - sizeof stored, sizeof stored);
    assert_ptr_equal(stored, process);
    memset(block, 0xFF, 100);
    assert_true(ExQueryPoolBlockSize(block, NULL) >= 100);
    memset(block, 0xFF, ExQueryPoolBlockSize(block, NULL));
    ExFreePool(block);
    assert_int_equal(PbProcessQuota(process, PagedPool, NULL), 0);
    leave();
}

struct shared {
    PEPROCESS process;
    _Atomic unsigned refused;
};

static void charge_and_return(void *argument, unsigned index)
{
    struct shared *shared = argument;
    PEPROCESS was = PbEnterProcess(shared->process);
    for (unsigned i = 0; i < ROUNDS; i++) {
        void *block =
            ExAllocatePoolWithQuotaTag((POOL_TYPE)(NonPagedPool | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE),
                                       40 + index * 50, TAG_FRED);
        if (block == NULL)
            shared->refused++;
        else
            ExFreePool(block);
    }
    PbEnterProcess(was);
}

static void threads_share_a_quota_and_lose_none_of_it(void **state)
{
    struct shared shared = {.process = PbCreateProcess(0, 400)};
    SIZE_T peak = 0;
    (void)state;
    nt_run_threads(WORKERS, charge_and_return, &shared);
    assert_int_equal(PbProcessQuota(shared.process, NonPagedPool, &peak), 0);
    assert_true(peak <= 400);
    PbEndProcess(shared.process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pool_test("A10: the block, its header and the owner's pointer are charged, and come back",
                  the_whole_block_is_charged),
        pool_test("A10: paged and nonpaged have a counter and a peak each",
                  each_kind_has_its_counter_and_peak),
        pool_test("A10: a page and more is not charged, nor what grew into one",
                  a_page_and_more_is_not_charged),
        pool_test("A10: an exceeded quota raises STATUS_QUOTA_EXCEEDED by default",
                  an_exceeded_quota_raises),
        pool_test("A10: POOL_QUOTA_FAIL_INSTEAD_OF_RAISE gives NULL", flag_8_gives_null_instead),
        pool_test("A10: plain exhaustion raises STATUS_INSUFFICIENT_RESOURCES",
                  exhaustion_raises_insufficient_resources),
        pool_test("A10: the system process is never charged", the_system_process_is_never_charged),
        pool_test("A10: a free gives back to the owner, whoever frees",
                  the_owner_gets_it_back_whoever_frees),
        pool_test("A10: a corrupt owner at free is 0xC2/D, and nothing is freed",
                  a_corrupt_owner_is_caught_at_free),
        pool_test("A10: on 32 bits the owner stands in the block's last pointer",
                  a_narrow_block_keeps_its_owner_in_its_last_pointer),
        pool_test("A10: threads share a quota and lose none of it",
                  threads_share_a_quota_and_lose_none_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
