/* SPDX-License-Identifier: MIT */
/* A10: processes: charge and limit, peaks, who lives how long, and what is no process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include "nt/process_internal.h"

#include <poolbench/nt/status.h>

#include <string.h>

enum { THREADS = 4, ROUNDS = 2000 };

static void charges_are_by_kind_and_bounded_by_the_limit(void **state)
{
    SIZE_T peak = 0;
    (void)state;
    PEPROCESS process = PbCreateProcess(100, 50);
    assert_non_null(process);
    assert_int_equal(PsChargeProcessPoolQuota(process, PagedPool, 60), STATUS_SUCCESS);
    assert_int_equal(PsChargeProcessPoolQuota(process, PagedPool, 41), STATUS_QUOTA_EXCEEDED);
    assert_int_equal(PsChargeProcessPoolQuota(process, PagedPool, SIZE_MAX), STATUS_QUOTA_EXCEEDED);
    assert_int_equal(PbProcessQuota(process, PagedPool, &peak), 60);
    assert_int_equal(peak, 60);
    assert_int_equal(PbProcessQuota(process, NonPagedPool, NULL), 0);
    assert_int_equal(PsChargeProcessPoolQuota(process, PagedPool, 40), STATUS_SUCCESS);
    /* only the paged bit counts */
    assert_int_equal(PsChargeProcessPoolQuota(process, NonPagedPoolNxCacheAligned, 50),
                     STATUS_SUCCESS);
    assert_int_equal(PsChargeProcessPoolQuota(process, NonPagedPool, 1), STATUS_QUOTA_EXCEEDED);
    PsReturnPoolQuota(process, PagedPoolCacheAligned, 100);
    PsReturnPoolQuota(process, NonPagedPool, 20);
    assert_int_equal(PbProcessQuota(process, PagedPool, &peak), 0);
    assert_int_equal(peak, 100);
    assert_int_equal(PbProcessQuota(process, NonPagedPoolNx, &peak), 30);
    assert_int_equal(peak, 50);
    PsReturnPoolQuota(process, NonPagedPool, 30);
    PbEndProcess(process);
}

static void the_first_form_raises_what_the_second_returns(void **state)
{
    volatile NTSTATUS status = STATUS_SUCCESS;
    (void)state;
    PEPROCESS process = PbCreateProcess(100, 0);
    assert_non_null(process);
    PB_TRY
    {
        PsChargePoolQuota(process, PagedPool, 100);
        PsChargePoolQuota(process, PagedPool, 1);
    }
    PB_EXCEPT
    {
        status = PbGetExceptionCode();
    }
    PB_END_TRY
    assert_int_equal(status, STATUS_QUOTA_EXCEEDED);
    assert_int_equal(PbProcessQuota(process, PagedPool, NULL), 100);
    PsReturnPoolQuota(process, PagedPool, 100);
    PbEndProcess(process);
}

static void the_system_process_is_never_charged(void **state)
{
    (void)state;
    assert_int_equal(PsChargeProcessPoolQuota(PsInitialSystemProcess, PagedPool, SIZE_MAX),
                     STATUS_SUCCESS);
    PsReturnPoolQuota(PsInitialSystemProcess, PagedPool, 5);
    assert_int_equal(PbProcessQuota(PsInitialSystemProcess, PagedPool, NULL), 0);
    assert_true(pb_process_valid(PsInitialSystemProcess));
}

struct entered {
    PEPROCESS process, at_first, before, inside;
};

static void enter_and_look(void *argument, unsigned index)
{
    struct entered *entered = argument;
    (void)index;
    entered->at_first = PsGetCurrentProcess();
    entered->before = PbEnterProcess(entered->process);
    entered->inside = PsGetCurrentProcess();
}

static void a_thread_is_in_the_programs_process_until_it_enters_another(void **state)
{
    struct entered entered = {.process = PbCreateProcess(0, 0)};
    PEPROCESS own = PsGetCurrentProcess();
    (void)state;
    assert_non_null(own);
    assert_ptr_not_equal(own, PsInitialSystemProcess);
    nt_run_threads(1, enter_and_look, &entered);
    assert_ptr_equal(entered.at_first, own);
    assert_ptr_equal(entered.before, own);
    assert_ptr_equal(entered.inside, entered.process);
    assert_ptr_equal(PsGetCurrentProcess(), own); /* another thread's move is not this one's */
    PbEndProcess(entered.process);
}

static void the_programs_process_has_no_limit(void **state)
{
    PEPROCESS own = PsGetCurrentProcess();
    (void)state;
    SIZE_T before = PbProcessQuota(own, PagedPool, NULL);
    assert_int_equal(PsChargeProcessPoolQuota(own, PagedPool, (SIZE_T)1 << 40), STATUS_SUCCESS);
    assert_int_equal(PbProcessQuota(own, PagedPool, NULL), before + ((SIZE_T)1 << 40));
    PsReturnPoolQuota(own, PagedPool, (SIZE_T)1 << 40);
}

static void a_process_lives_until_it_is_ended_and_all_is_returned(void **state)
{
    (void)state;
    PEPROCESS process = PbCreateProcess(100, 100);
    assert_non_null(process);
    assert_int_equal(PsChargeProcessPoolQuota(process, PagedPool, 60), STATUS_SUCCESS);
    assert_int_equal(PsChargeProcessPoolQuota(process, NonPagedPool, 10), STATUS_SUCCESS);
    PbEndProcess(process);
    assert_true(pb_process_valid(process));
    assert_int_equal(PsChargeProcessPoolQuota(process, PagedPool, 1), STATUS_QUOTA_EXCEEDED);
    PsReturnPoolQuota(process, PagedPool, 60);
    assert_true(pb_process_valid(process));
    PsReturnPoolQuota(process, NonPagedPool, 10);
    assert_false(pb_process_valid(process));
}

static void any_pointer_can_be_asked_about(void **state)
{
    int nobody;
    (void)state;
    PEPROCESS process = PbCreateProcess(1, 1);
    assert_non_null(process);
    assert_true(pb_process_valid(process));
    assert_true(pb_process_valid(PsGetCurrentProcess()));
    assert_false(pb_process_valid(NULL));
    assert_false(pb_process_valid((PEPROCESS)(void *)&nobody));
    assert_false(pb_process_valid((PEPROCESS)(uintptr_t)0xDEADBEEFDEADBEEFu));
    assert_false(pb_process_valid((PEPROCESS)((uintptr_t)process + 8)));
    PbEndProcess(process);
    assert_false(pb_process_valid(process));
}

static void what_is_no_process_is_a_bad_owner(void **state)
{
    (void)state;
    PEPROCESS process = PbCreateProcess(100, 100), own = PsGetCurrentProcess();
    assert_non_null(process);
    PbEndProcess(process);
    expect_bugcheck(PbEndProcess(process), BAD_POOL_CALLER, BAD_CALLER_QUOTA);
    assert_int_equal(nt_seen.p[3], (ULONG_PTR)process);
    expect_bugcheck(
        assert_int_equal(PsChargeProcessPoolQuota(process, PagedPool, 1), STATUS_INVALID_PARAMETER),
        BAD_POOL_CALLER, BAD_CALLER_QUOTA);
    expect_bugcheck(PsReturnPoolQuota(process, PagedPool, 1), BAD_POOL_CALLER, BAD_CALLER_QUOTA);
    expect_bugcheck(assert_int_equal(PbProcessQuota(process, PagedPool, NULL), 0), BAD_POOL_CALLER,
                    BAD_CALLER_QUOTA);
    expect_bugcheck(assert_ptr_equal(PbEnterProcess(process), own), BAD_POOL_CALLER,
                    BAD_CALLER_QUOTA);
    assert_ptr_equal(PsGetCurrentProcess(), own);
    expect_bugcheck(PbEndProcess(PsInitialSystemProcess), BAD_POOL_CALLER, BAD_CALLER_QUOTA);
    expect_bugcheck(PbEndProcess(own), BAD_POOL_CALLER, BAD_CALLER_QUOTA);
}

static void ending_twice_is_found_while_something_is_charged(void **state)
{
    (void)state;
    PEPROCESS process = PbCreateProcess(100, 100);
    assert_non_null(process);
    assert_int_equal(PsChargeProcessPoolQuota(process, PagedPool, 1), STATUS_SUCCESS);
    PbEndProcess(process);
    expect_bugcheck(PbEndProcess(process), BAD_POOL_CALLER, BAD_CALLER_QUOTA);
    PsReturnPoolQuota(process, PagedPool, 1);
    assert_false(pb_process_valid(process));
}

static void returning_more_than_was_charged_is_an_underflow(void **state)
{
    (void)state;
    PEPROCESS process = PbCreateProcess(100, 100);
    assert_non_null(process);
    assert_int_equal(PsChargeProcessPoolQuota(process, PagedPool, 10), STATUS_SUCCESS);
    expect_bugcheck(PsReturnPoolQuota(process, PagedPool, 11), QUOTA_UNDERFLOW, process);
    assert_int_equal(nt_seen.p[1], 1);
    assert_int_equal(nt_seen.p[2], 10);
    assert_int_equal(nt_seen.p[3], 11);
    assert_int_equal(PbProcessQuota(process, PagedPool, NULL), 10);
    PsReturnPoolQuota(process, PagedPool, 10);
    PbEndProcess(process);
}

static void processes_are_limited_in_number_and_made_anew_when_ended(void **state)
{
    static PEPROCESS all[5000];
    unsigned made = 0;
    SIZE_T peak = 1;
    (void)state;
    while (made < 5000 && (all[made] = PbCreateProcess(made, 1)) != NULL)
        made++;
    assert_int_equal(made, 4096);
    assert_int_equal(PsChargeProcessPoolQuota(all[77], PagedPool, 77), STATUS_SUCCESS);
    PsReturnPoolQuota(all[77], PagedPool, 77);
    PbEndProcess(all[77]);
    PEPROCESS again = PbCreateProcess(5, 5);
    assert_ptr_equal(again, all[77]);
    assert_int_equal(PbProcessQuota(again, PagedPool, &peak), 0);
    assert_int_equal(peak, 0);
    assert_int_equal(PsChargeProcessPoolQuota(again, PagedPool, 6), STATUS_QUOTA_EXCEEDED);
    for (unsigned i = 0; i < made; i++)
        PbEndProcess(all[i]);
}

struct shared {
    PEPROCESS process;
    _Atomic unsigned above; /* times that more than the limit was seen */
    _Atomic unsigned refused, charged;
};

static void charge_and_return(void *argument, unsigned index)
{
    struct shared *shared = argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        SIZE_T bytes = 20 + 10 * index;
        if (!NT_SUCCESS(PsChargeProcessPoolQuota(shared->process, PagedPool, bytes))) {
            shared->refused++;
            continue;
        }
        shared->charged++;
        if (PbProcessQuota(shared->process, PagedPool, NULL) > 90)
            shared->above++;
        PsReturnPoolQuota(shared->process, PagedPool, bytes);
    }
}

static void threads_never_exceed_a_limit_and_lose_no_byte(void **state)
{
    struct shared shared = {.process = PbCreateProcess(90, 0)};
    SIZE_T peak = 0;
    (void)state;
    nt_run_threads(THREADS, charge_and_return, &shared);
    assert_int_equal(shared.above, 0);
    assert_int_equal(shared.refused + shared.charged, THREADS * ROUNDS);
    assert_int_equal(PbProcessQuota(shared.process, PagedPool, &peak), 0);
    assert_true(peak >= 20 && peak <= 90); /* the least of the charges */
    PbEndProcess(shared.process);
    assert_false(pb_process_valid(shared.process));
}

static void return_the_last(void *argument, unsigned index)
{
    struct shared *shared = argument;
    if (index == 0)
        PbEndProcess(shared->process);
    else
        PsReturnPoolQuota(shared->process, (POOL_TYPE)(index & 1), 10);
}

static void a_process_is_buried_once_whoever_is_last(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 100; round++) {
        struct shared shared = {.process = PbCreateProcess(100, 100)};
        assert_non_null(shared.process);
        for (unsigned i = 1; i < THREADS; i++)
            assert_int_equal(PsChargeProcessPoolQuota(shared.process, (POOL_TYPE)(i & 1), 10),
                             STATUS_SUCCESS);
        nt_run_threads(THREADS, return_the_last, &shared);
        assert_false(pb_process_valid(shared.process));
        PEPROCESS one = PbCreateProcess(1, 1), two = PbCreateProcess(1, 1);
        assert_ptr_not_equal(one, two); /* buried twice, it would be made twice */
        PbEndProcess(one);
        PbEndProcess(two);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("A10: paged and nonpaged bytes are charged up to the limit, not beyond",
                charges_are_by_kind_and_bounded_by_the_limit),
        nt_test("A10: PsChargePoolQuota raises STATUS_QUOTA_EXCEEDED",
                the_first_form_raises_what_the_second_returns),
        nt_test("A10: the system process is never charged", the_system_process_is_never_charged),
        nt_test("A10: the current process is the thread's",
                a_thread_is_in_the_programs_process_until_it_enters_another),
        nt_test("A10: the program's process has no limit", the_programs_process_has_no_limit),
        nt_test("A10: a process lives until it was ended and nothing is charged to it",
                a_process_lives_until_it_is_ended_and_all_is_returned),
        nt_test("A10: a corrupt owner can be told", any_pointer_can_be_asked_about),
        nt_test("A15: what is no process is 0xC2/D", what_is_no_process_is_a_bad_owner),
        nt_test("A15: ending a process twice is 0xC2/D",
                ending_twice_is_found_while_something_is_charged),
        nt_test("A10: returning more than was charged is QUOTA_UNDERFLOW",
                returning_more_than_was_charged_is_an_underflow),
        nt_test("A10: processes are limited in number and made anew",
                processes_are_limited_in_number_and_made_anew_when_ended),
        nt_test("A10: threads never exceed a limit and lose no byte",
                threads_never_exceed_a_limit_and_lose_no_byte),
        nt_test("A10: a process is buried once, whoever is last",
                a_process_is_buried_once_whoever_is_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
