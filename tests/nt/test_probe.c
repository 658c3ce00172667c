/* SPDX-License-Identifier: MIT */
/* G: ProbeForRead and ProbeForWrite as they are: the one looks at numbers alone, the other writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/mm_test.h"
#include "nt/nt_test.h"

#include <poolbench/nt/mm.h>
#include <poolbench/nt/status.h>

static NTSTATUS probed(bool write, void *at, SIZE_T bytes, ULONG alignment)
{
    volatile NTSTATUS status = STATUS_SUCCESS;
    mm_catch_faults();
    PB_TRY
    {
        if (write)
            ProbeForWrite(at, bytes, alignment);
        else
            ProbeForRead(at, bytes, alignment);
    }
    PB_EXCEPT
    {
        status = PbGetExceptionCode();
    }
    PB_END_TRY
    return status;
}

static const ULONG_PTR highest = (ULONG_PTR)MM_HIGHEST_USER_ADDRESS;

/* No row's address is touched by a probe for reading; `write` rows raise before they touch. */
static void numbers(void **state)
{
    const struct {
        ULONG_PTR at;
        SIZE_T bytes;
        ULONG alignment;
        NTSTATUS status;
        bool write;
    } rows[] = {
        {3, 0, 8, STATUS_SUCCESS, true}, /* 0 bytes: nothing is looked at */
        {UINTPTR_MAX, 0, 1, STATUS_SUCCESS, true},
        {0x1001, 4, 2, STATUS_DATATYPE_MISALIGNMENT, true},
        {0x1002, 4, 4, STATUS_DATATYPE_MISALIGNMENT, true},
        {0x1004, 4, 8, STATUS_DATATYPE_MISALIGNMENT, true},
        {0x1008, 4, 16, STATUS_DATATYPE_MISALIGNMENT, true},
        {UINTPTR_MAX, 4, 4, STATUS_DATATYPE_MISALIGNMENT, true}, /* before the range */
        {UINTPTR_MAX, 4, 1, STATUS_ACCESS_VIOLATION, true},
        {UINTPTR_MAX - 7, 100, 4, STATUS_ACCESS_VIOLATION, true}, /* wraps */
        {0x1000, SIZE_MAX, 1, STATUS_ACCESS_VIOLATION, true},
        {highest + 1, 1, 1, STATUS_ACCESS_VIOLATION, true},
        {highest, 2, 1, STATUS_ACCESS_VIOLATION, true},
        {highest, 1, 1, STATUS_SUCCESS, false}, /* nothing is mapped there */
        {0x1000, 4, 16, STATUS_SUCCESS, false},
        {0, highest + 1, 1, STATUS_SUCCESS, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *at = (void *)rows[i].at;
        assert_int_equal(probed(false, at, rows[i].bytes, rows[i].alignment), rows[i].status);
        if (rows[i].write)
            assert_int_equal(probed(true, at, rows[i].bytes, rows[i].alignment), rows[i].status);
    }
}

static unsigned resident(unsigned char *at, unsigned pages)
{
    unsigned n = 0;
    for (unsigned i = 0; i < pages; i++)
        n += MmIsAddressValid(at + i * PAGE_SIZE);
    return n;
}

static void read_never_reads(void **state)
{
    (void)state;
    unsigned char *at = mm_private(4, PROT_READ | PROT_WRITE);
    assert_int_equal(probed(false, at, 4 * PAGE_SIZE, 1), STATUS_SUCCESS);
    assert_int_equal(resident(at, 4), 0);
    assert_int_equal(mprotect(at, 4 * PAGE_SIZE, PROT_NONE), 0);
    assert_int_equal(probed(false, at, 4 * PAGE_SIZE, 1), STATUS_SUCCESS);
    mm_unmap(at, 4);
    assert_int_equal(probed(false, at, 4 * PAGE_SIZE, 1), STATUS_SUCCESS);
}

static void write_touches_each_page(void **state)
{
    (void)state;
    unsigned char *at = mm_private(6, PROT_READ | PROT_WRITE);
    at[PAGE_SIZE + 100] = 9;
    assert_int_equal(probed(true, at + PAGE_SIZE + 100, 3 * PAGE_SIZE, 4), STATUS_SUCCESS);
    assert_int_equal(resident(at, 6), 4); /* pages 1 to 4 */
    assert_false(MmIsAddressValid(at));
    assert_false(MmIsAddressValid(at + 5 * PAGE_SIZE));
    assert_int_equal(at[PAGE_SIZE + 100], 9); /* what it wrote was there */
    assert_int_equal(probed(true, at + 5 * PAGE_SIZE - 1, 1, 1), STATUS_SUCCESS);
    assert_int_equal(resident(at, 6), 4);
    mm_unmap(at, 6);
}

static void write_finds_what_cannot_be_written(void **state)
{
    (void)state;
    unsigned char *at = mm_private(4, PROT_READ | PROT_WRITE);
    assert_int_equal(mprotect(at + 2 * PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
    assert_int_equal(probed(true, at, 2 * PAGE_SIZE, 1), STATUS_SUCCESS);
    assert_int_equal(probed(true, at, 2 * PAGE_SIZE + 1, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(probed(true, at + 2 * PAGE_SIZE, 1, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(probed(true, at + 3 * PAGE_SIZE, 1, 1), STATUS_SUCCESS);
    mm_unmap(at, 4);
    assert_int_equal(probed(true, at, 1, 1), STATUS_ACCESS_VIOLATION);
}

static void irql(void **state)
{
    (void)state;
    unsigned char *at = mm_private(1, PROT_READ);
    KIRQL old;
    KeRaiseIrql(APC_LEVEL, &old);
    assert_int_equal(probed(false, at, 1, 1), STATUS_SUCCESS);
    assert_int_equal(probed(true, at, 1, 1), STATUS_ACCESS_VIOLATION);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    expect_bugcheck(ProbeForRead(at, 1, 1), IRQL_NOT_LESS_OR_EQUAL, at);
    expect_bugcheck(ProbeForWrite(at, 1, 1), IRQL_NOT_LESS_OR_EQUAL, at);
    assert_int_equal(nt_seen.p[1], DISPATCH_LEVEL);
    KeLowerIrql(PASSIVE_LEVEL);
    mm_unmap(at, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("G: a probe checks length, then alignment, then the range", numbers),
        nt_test("G: ProbeForRead never reads the buffer", read_never_reads),
        nt_test("G: ProbeForWrite rewrites a byte in each page and no other page",
                write_touches_each_page),
        nt_test("G: ProbeForWrite raises where a page cannot be written",
                write_finds_what_cannot_be_written),
        nt_test("F: a probe above APC_LEVEL is IRQL_NOT_LESS_OR_EQUAL", irql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
