/* SPDX-License-Identifier: MIT */
/* Section F, levels: what raising, lowering and asking do, which rules are bugchecks and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"

static void levels_have_their_numbers(void **state)
{
    (void)state;
    assert_int_equal(PASSIVE_LEVEL, 0);
    assert_int_equal(LOW_LEVEL, 0);
    assert_int_equal(APC_LEVEL, 1);
    assert_int_equal(DISPATCH_LEVEL, 2);
    assert_int_equal(CLOCK_LEVEL, 13);
    assert_int_equal(IPI_LEVEL, 14);
    assert_int_equal(HIGH_LEVEL, 15);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

static void raise_and_lower(void **state)
{
    KIRQL before = 99, inner = 99;
    (void)state;
    KeRaiseIrql(APC_LEVEL, &before);
    assert_int_equal(before, PASSIVE_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    KeRaiseIrql(APC_LEVEL, &inner); /* the same level is no lower one */
    assert_int_equal(inner, APC_LEVEL);
    assert_int_equal(KeRaiseIrqlToDpcLevel(), APC_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    assert_int_equal(KeRaiseIrqlToDpcLevel(), DISPATCH_LEVEL);
    KeLowerIrql(DISPATCH_LEVEL);
    KeLowerIrql(before);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

static void raising_to_a_lower_level(void **state)
{
    KIRQL before, inner = 99;
    (void)state;
    KeRaiseIrql(5, &before);
    expect_bugcheck(KeRaiseIrql(DISPATCH_LEVEL, &inner), IRQL_NOT_GREATER_OR_EQUAL, DISPATCH_LEVEL);
    assert_int_equal(nt_seen.p[1], 5);
    assert_int_equal(inner, 5);
    expect_bugcheck(inner = KeRaiseIrqlToDpcLevel(), IRQL_NOT_GREATER_OR_EQUAL, DISPATCH_LEVEL);
    assert_int_equal(inner, 5);
    assert_int_equal(KeGetCurrentIrql(), 5);
    KeLowerIrql(before);
}

static void lowering_to_a_higher_level(void **state)
{
    (void)state;
    expect_bugcheck(KeLowerIrql(DISPATCH_LEVEL), IRQL_NOT_LESS_OR_EQUAL, DISPATCH_LEVEL);
    assert_int_equal(nt_seen.p[1], PASSIVE_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

static void see_level(void *shared, unsigned index)
{
    ((KIRQL *)shared)[index] = KeGetCurrentIrql();
    (void)KeRaiseIrqlToDpcLevel();
}

static void a_level_is_the_threads_own(void **state)
{
    KIRQL seen[2] = {99, 99}, before;
    (void)state;
    KeRaiseIrql(APC_LEVEL, &before);
    nt_run_threads(2, see_level, seen);
    assert_int_equal(seen[0], PASSIVE_LEVEL);
    assert_int_equal(seen[1], PASSIVE_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    KeLowerIrql(before);
}

static unsigned paged_routine(void)
{
    PAGED_CODE();
    return 1;
}

static void paged_code_checked(void **state)
{
    KIRQL before, inner;
    unsigned done = 0;
    (void)state;
    done += paged_routine();
    KeRaiseIrql(APC_LEVEL, &before);
    done += paged_routine();
    KeRaiseIrql(DISPATCH_LEVEL, &inner);
    done += paged_routine();
    assert_int_equal(nt_seen.n, 1);
    assert_int_equal(nt_seen.code, IRQL_NOT_LESS_OR_EQUAL);
    assert_int_equal(nt_seen.p[1], DISPATCH_LEVEL);
    nt_forget();
    KeLowerIrql(before);
    assert_int_equal(done, 3);
}

static void paged_code_free(void **state)
{
    KIRQL before;
    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_int_equal(paged_routine(), 1);
    KeLowerIrql(before);
}

static void regions_nest(void **state)
{
    KIRQL before;
    (void)state;
    assert_int_equal(KeAreAllApcsDisabled(), FALSE);
    KeEnterGuardedRegion();
    KeEnterGuardedRegion();
    KeLeaveGuardedRegion();
    assert_int_equal(KeAreAllApcsDisabled(), TRUE);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    KeLeaveGuardedRegion();
    assert_int_equal(KeAreAllApcsDisabled(), FALSE);
    KeRaiseIrql(APC_LEVEL, &before);
    assert_int_equal(KeAreAllApcsDisabled(), TRUE);
    KeLowerIrql(before);
}

static void regions_above_apc(void **state)
{
    KIRQL before;
    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    expect_bugcheck(KeEnterGuardedRegion(), IRQL_NOT_LESS_OR_EQUAL, 0);
    expect_bugcheck(KeLeaveGuardedRegion(), IRQL_NOT_LESS_OR_EQUAL, 0);
    KeLowerIrql(before);
    assert_int_equal(KeAreAllApcsDisabled(), FALSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("F: PASSIVE 0, APC 1, DISPATCH 2, clock 13, IPI 14, high 15",
                levels_have_their_numbers),
        nt_test("F: KeRaiseIrql returns the level before, KeLowerIrql goes back", raise_and_lower),
        nt_test("F: KeRaiseIrql to a lower level is IRQL_NOT_GREATER_OR_EQUAL",
                raising_to_a_lower_level),
        nt_test_free("F: in free mode too", raising_to_a_lower_level),
        nt_test("F: KeLowerIrql to a higher level is IRQL_NOT_LESS_OR_EQUAL",
                lowering_to_a_higher_level),
        nt_test_free("F: in free mode too", lowering_to_a_higher_level),
        nt_test("F: a level is its thread's own", a_level_is_the_threads_own),
        nt_test("F: PAGED_CODE asserts IRQL <= APC_LEVEL in checked mode", paged_code_checked),
        nt_test_free("F: PAGED_CODE does nothing in free mode", paged_code_free),
        nt_test("F: guarded regions nest and leave the level", regions_nest),
        nt_test("F: guarded regions are for APC_LEVEL and below", regions_above_apc),
    };
    return cmocka_run_group_tests_name("irql", tests, NULL, NULL);
}
