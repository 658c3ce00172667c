/* SPDX-License-Identifier: MIT */
/* Section A11: at which levels memory of each kind may be allocated and freed; always checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include "nt/pool_calls.h"

static const struct rule {
    POOL_TYPE type;
    KIRQL highest;
} rules[] = {
    {NonPagedPool, DISPATCH_LEVEL},          {NonPagedPoolCacheAligned, DISPATCH_LEVEL},
    {NonPagedPoolNx, DISPATCH_LEVEL},        {NonPagedPoolSession, DISPATCH_LEVEL},
    {NonPagedPoolSessionNx, DISPATCH_LEVEL}, {PagedPool, APC_LEVEL},
    {PagedPoolCacheAligned, APC_LEVEL},      {PagedPoolSession, APC_LEVEL},
};
enum { RULES = sizeof rules / sizeof *rules };

static const size_t sizes[] = {0, 40, 3000, 5000};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void *allocate_at(KIRQL level, POOL_TYPE type, size_t bytes)
{
    KIRQL old;
    KeRaiseIrql(level, &old);
    void *block = ExAllocatePoolWithTag(type, bytes, TAG_FRED);
    assert_int_equal(KeGetCurrentIrql(), level);
    KeLowerIrql(old);
    return block;
}

static void free_at(KIRQL level, void *block)
{
    KIRQL old;
    KeRaiseIrql(level, &old);
    ExFreePoolWithTag(block, TAG_FRED);
    assert_int_equal(KeGetCurrentIrql(), level);
    KeLowerIrql(old);
}

static void up_to_its_level_a_kind_is_served(void **state)
{
    (void)state;
    for (unsigned r = 0; r < RULES; r++)
        for (unsigned s = 0; s < SIZES; s++)
            for (KIRQL level = PASSIVE_LEVEL; level <= rules[r].highest; level++) {
                void *block = allocate_at(level, rules[r].type, sizes[s]);
                assert_non_null(block);
                free_at(level, block);
            }
}

static void above_it_an_allocation_is_refused(void **state)
{
    (void)state;
    for (unsigned r = 0; r < RULES; r++)
        for (unsigned s = 0; s < SIZES; s++)
            for (unsigned level = rules[r].highest + 1u; level <= HIGH_LEVEL; level++) {
                void *block = state;
                expect_bugcheck(block = allocate_at((KIRQL)level, rules[r].type, sizes[s]),
                                BAD_POOL_CALLER, BAD_CALLER_ALLOC_IRQL);
                assert_null(block);
                assert_int_equal(nt_seen.p[1], level);
                assert_int_equal(nt_seen.p[2], rules[r].type);
                assert_int_equal(nt_seen.p[3], sizes[s]);
            }
}

static void above_it_a_free_is_refused(void **state)
{
    (void)state;
    for (unsigned r = 0; r < RULES; r++)
        for (unsigned s = 0; s < SIZES; s++) {
            KIRQL above = (KIRQL)(rules[r].highest + 1);
            void *block = allocate_at(PASSIVE_LEVEL, rules[r].type, sizes[s]);
            expect_bugcheck(free_at(above, block), BAD_POOL_CALLER, BAD_CALLER_FREE_IRQL);
            assert_int_equal(nt_seen.p[1], above);
            assert_int_equal(nt_seen.p[2] & 1, rules[r].type & 1);
            assert_int_equal(nt_seen.p[3], (ULONG_PTR)block);
            free_at(PASSIVE_LEVEL, block);
        }
}

static void the_rule_holds_for_special_pool(void **state)
{
    (void)state;
    configure("special=overrun");
    void *block = allocate_at(APC_LEVEL, PagedPool, 40);
    assert_non_null(block);
    expect_bugcheck(free_at(DISPATCH_LEVEL, block), BAD_POOL_CALLER, BAD_CALLER_FREE_IRQL);
    free_at(APC_LEVEL, block);
    expect_bugcheck((void)allocate_at(DISPATCH_LEVEL, PagedPool, 40), BAD_POOL_CALLER,
                    BAD_CALLER_ALLOC_IRQL);
}

static void a_refused_call_does_not_raise(void **state)
{
    const POOL_TYPE raises = (POOL_TYPE)(PagedPool | POOL_RAISE_IF_ALLOCATION_FAILURE);
    (void)state;
    expect_bugcheck((void)allocate_at(DISPATCH_LEVEL, raises, 40), BAD_POOL_CALLER,
                    BAD_CALLER_ALLOC_IRQL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pool_test("A11: nonpaged is served up to DISPATCH_LEVEL, paged up to APC_LEVEL",
                  up_to_its_level_a_kind_is_served),
        pool_test("A11: above, an allocation is 0xC2/8 with level, type and bytes, and NULL",
                  above_it_an_allocation_is_refused),
        pool_test("A11: above, a free is 0xC2/9 with level, type and address, and frees nothing",
                  above_it_a_free_is_refused),
        pool_test("A11: the rule holds for special pool", the_rule_holds_for_special_pool),
        pool_test("A11: a call that was refused does not raise", a_refused_call_does_not_raise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
