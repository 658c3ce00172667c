/* SPDX-License-Identifier: MIT */
/* Section A17, ExAllocatePool2 and ExAllocatePool3: flags that are required and optional, zeroing,
 * tag 0, extended parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include "nt/pool_calls.h"

#define UNKNOWN_REQUIRED 0x0000000000000010ULL
#define UNKNOWN_OPTIONAL 0x0000000800000000ULL

static bool is_zero(const unsigned char *block, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (block[i] != 0)
            return false;
    return true;
}

static void content_is_zeroed_unless_the_flag_says_not(void **state)
{
    static const size_t sizes[] = {1, 16, 100, 500, 3000, 5000};
    static const POOL_FLAGS kinds[] = {POOL_FLAG_NON_PAGED, POOL_FLAG_PAGED};
    (void)state;
    configure("paged_pools=1"); /* so that a block comes back at once */
    for (unsigned k = 0; k < 2; k++)
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            unsigned char *dirty =
                ExAllocatePool2(kinds[k] | POOL_FLAG_UNINITIALIZED, sizes[i], TAG_FRED);
            memset(dirty, 0xA5, sizes[i]);
            ExFreePool(dirty);
            unsigned char *clean = ExAllocatePool2(kinds[k], sizes[i], TAG_FRED);
            assert_ptr_equal(clean, dirty);
            assert_true(is_zero(clean, sizes[i]));
            memset(clean, 0xA5, sizes[i]);
            ExFreePool(clean);
            /* what was there stays, but for the two pointers that a pool may write */
            dirty = ExAllocatePool2(kinds[k] | POOL_FLAG_UNINITIALIZED, sizes[i], TAG_FRED);
            if (sizes[i] > 100 && sizes[i] <= 496)
                assert_false(is_zero(dirty, sizes[i]));
            ExFreePool(dirty);
        }
}

static void flags_are_allowed_or_not(void **state)
{
    static const struct {
        POOL_FLAGS flags;
        bool allowed;
    } cases[] = {
        {POOL_FLAG_NON_PAGED, true},
        {POOL_FLAG_NON_PAGED_EXECUTE, true},
        {POOL_FLAG_PAGED, true},
        {POOL_FLAG_PAGED | POOL_FLAG_USE_QUOTA, true},
        {POOL_FLAG_PAGED | POOL_FLAG_SESSION, true},
        {POOL_FLAG_PAGED | POOL_FLAG_CACHE_ALIGNED, true},
        {POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED | POOL_FLAG_RAISE_ON_FAILURE, true},
        {POOL_FLAG_PAGED | UNKNOWN_OPTIONAL, true},
        {POOL_FLAG_PAGED | 0xFFFFFFFE00000000ULL, true},
        {0, false},
        {POOL_FLAG_UNINITIALIZED, false},
        {POOL_FLAG_NON_PAGED | POOL_FLAG_PAGED, false},
        {POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE, false},
        {POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED, false},
        {POOL_FLAG_PAGED | UNKNOWN_REQUIRED, false},
        {POOL_FLAG_PAGED | 0x80000000ULL, false},
        {POOL_FLAG_PAGED | 0x200ULL, false},
    };
    NTSTATUS status;
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *block = ExAllocatePool2(cases[i].flags, 100, TAG_FRED);
        assert_int_equal(block != NULL, cases[i].allowed);
        if (block != NULL)
            ExFreePool(block);
        else {
            status_raised_by(status, ExAllocatePool2(cases[i].flags | POOL_FLAG_RAISE_ON_FAILURE,
                                                     100, TAG_FRED));
            assert_int_equal(status, STATUS_INVALID_PARAMETER);
        }
    }
}

static void tag_0_fails(void **state)
{
    NTSTATUS status;
    (void)state;
    assert_null(ExAllocatePool2(POOL_FLAG_PAGED, 100, 0));
    status_raised_by(status, ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_RAISE_ON_FAILURE, 100, 0));
    assert_int_equal(status, STATUS_INVALID_PARAMETER);
}

static void kinds_are_counted_as_what_they_are(void **state)
{
    (void)state;
    void *nx = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, TAG_FRED);
    void *executable = ExAllocatePool2(POOL_FLAG_NON_PAGED_EXECUTE, 100, TAG_FRED);
    void *paged = ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG_FRED);
    assert_int_equal(row_of(TAG_FRED).NonPagedAllocs, 2);
    assert_int_equal(row_of(TAG_FRED).PagedAllocs, 1);
    ExFreePool2(nx, TAG_FRED, NULL, 0);
    ExFreePool2(executable, TAG_FRED, NULL, 0);
    ExFreePool2(paged, TAG_FRED, NULL, 0);
}

static void failure_is_null_unless_it_raises(void **state)
{
    NTSTATUS status;
    (void)state;
    configure("paged_limit=4k");
    assert_null(ExAllocatePool2(POOL_FLAG_PAGED, 100000, TAG_FRED));
    status_raised_by(
        status, ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_RAISE_ON_FAILURE, 100000, TAG_FRED));
    assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
}

static void quota_is_charged_and_refused(void **state)
{
    const POOL_FLAGS flags = POOL_FLAG_PAGED | POOL_FLAG_USE_QUOTA;
    NTSTATUS status;
    (void)state;
    PEPROCESS process = PbCreateProcess(200, 0), before = PbEnterProcess(process);
    unsigned char *block = ExAllocatePool2(flags, 100, TAG_FRED);
    assert_int_equal(PbProcessQuota(process, PagedPool, NULL), 128);
    assert_true(is_zero(block, 100));
    assert_null(ExAllocatePool2(flags, 100, TAG_FRED));
    status_raised_by(status, ExAllocatePool2(flags | POOL_FLAG_RAISE_ON_FAILURE, 100, TAG_FRED));
    assert_int_equal(status, STATUS_QUOTA_EXCEEDED);
    ExFreePool(block);
    assert_int_equal(PbProcessQuota(process, PagedPool, NULL), 0);
    PbEnterProcess(before);
    PbEndProcess(process);
}

static void special_pool_is_an_optional_flag(void **state)
{
    (void)state;
    unsigned char *block =
        ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_SPECIAL_POOL, 32, TAG_FRED);
    assert_int_equal(BYTE_OFFSET(block + 32), 0);
    assert_true(is_zero(block, 32));
    assert_int_equal(row_of(TAG_FRED).NonPagedUsed, 4096);
    ExFreePool2(block, TAG_FRED, NULL, 0);
}

static void levels_are_checked(void **state)
{
    void *block = state;
    KIRQL old = KeRaiseIrqlToDpcLevel();
    expect_bugcheck(block = ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG_FRED), BAD_POOL_CALLER,
                    BAD_CALLER_ALLOC_IRQL);
    assert_null(block);
    block = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, TAG_FRED);
    assert_non_null(block);
    ExFreePool2(block, TAG_FRED, NULL, 0);
    KeLowerIrql(old);
}

static POOL_EXTENDED_PARAMETER parameter(unsigned type, bool optional, EX_POOL_PRIORITY priority)
{
    POOL_EXTENDED_PARAMETER p = {.Priority = priority};
    p.Type = (unsigned char)type;
    p.Optional = optional;
    return p;
}

static void extended_parameters_are_known_or_optional(void **state)
{
    const struct {
        POOL_EXTENDED_PARAMETER parameter;
        bool allowed;
    } cases[] = {
        {parameter(PoolExtendedParameterPriority, false, NormalPoolPriority), true},
        {parameter(PoolExtendedParameterPriority, true, LowPoolPriority), true},
        {parameter(PoolExtendedParameterPriority, false, (EX_POOL_PRIORITY)3), false},
        {parameter(PoolExtendedParameterInvalidType, false, LowPoolPriority), false},
        {parameter(PoolExtendedParameterSecurePool, false, LowPoolPriority), false},
        {parameter(PoolExtendedParameterSecurePool, true, LowPoolPriority), true},
        {parameter(PoolExtendedParameterNumaNode, true, LowPoolPriority), true},
        {parameter(77, false, LowPoolPriority), false},
        {parameter(77, true, LowPoolPriority), true},
    };
    NTSTATUS status;
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *block = ExAllocatePool3(POOL_FLAG_PAGED, 100, TAG_FRED, &cases[i].parameter, 1);
        assert_int_equal(block != NULL, cases[i].allowed);
        if (block != NULL)
            ExFreePool2(block, TAG_FRED, NULL, 0);
    }
    assert_null(ExAllocatePool3(POOL_FLAG_PAGED, 100, TAG_FRED, NULL, 1));
    status_raised_by(status, ExAllocatePool3(POOL_FLAG_PAGED | POOL_FLAG_RAISE_ON_FAILURE, 100,
                                             TAG_FRED, &cases[3].parameter, 1));
    assert_int_equal(status, STATUS_INVALID_PARAMETER);
}

static void the_priority_of_a_parameter_counts(void **state)
{
    const POOL_EXTENDED_PARAMETER low =
        parameter(PoolExtendedParameterPriority, false, LowPoolPriority);
    const POOL_EXTENDED_PARAMETER special =
        parameter(PoolExtendedParameterPriority, false, HighPoolPrioritySpecialPoolUnderrun);
    (void)state;
    configure("paged_limit=64k");
    void *most = ExAllocatePool2(POOL_FLAG_PAGED, 61440, TAG_FRED);
    assert_null(ExAllocatePool3(POOL_FLAG_PAGED, 100, TAG_FRED, &low, 1));
    void *block = ExAllocatePool3(POOL_FLAG_PAGED, 100, TAG_FRED, &special, 1);
    assert_int_equal(BYTE_OFFSET(block), 0);
    ExFreePool(block);
    ExFreePool(most);
}

static void a_free_passes_over_optional_parameters_alone(void **state)
{
    const POOL_EXTENDED_PARAMETER optional = parameter(77, true, LowPoolPriority);
    const POOL_EXTENDED_PARAMETER required = parameter(77, false, LowPoolPriority);
    (void)state;
    void *block = ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG_FRED);
    ExFreePool2(block, TAG_FRED, &required, 1);
    assert_int_equal(row_of(TAG_FRED).PagedFrees, 0);
    ExFreePool2(block, TAG_FRED, &optional, 1);
    assert_int_equal(row_of(TAG_FRED).PagedFrees, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pool_test("A17: content is zeroed unless POOL_FLAG_UNINITIALIZED",
                  content_is_zeroed_unless_the_flag_says_not),
        pool_test("A1: low flags are required, high ones optional; exactly one kind",
                  flags_are_allowed_or_not),
        pool_test("A17: tag 0 fails", tag_0_fails),
        pool_test("A17: each kind of flag gives its kind of pool",
                  kinds_are_counted_as_what_they_are),
        pool_test("A17: failure is NULL, or raised on demand", failure_is_null_unless_it_raises),
        pool_test("A17: POOL_FLAG_USE_QUOTA charges, and refuses with NULL",
                  quota_is_charged_and_refused),
        pool_test("A17: POOL_FLAG_SPECIAL_POOL asks for special pool",
                  special_pool_is_an_optional_flag),
        pool_test("A11: the level's rule holds", levels_are_checked),
        pool_test("A17: an extended parameter is known, optional, or the call fails",
                  extended_parameters_are_known_or_optional),
        pool_test("A17: an extended priority counts", the_priority_of_a_parameter_counts),
        pool_test("A17: ExFreePool2 passes over optional parameters alone",
                  a_free_passes_over_optional_parameters_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
