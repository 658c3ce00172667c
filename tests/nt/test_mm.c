/* SPDX-License-Identifier: MIT */
/* G: addresses, contiguous and non-cached memory, and what the machine refuses. Where it refuses,
 * the documented failure is asserted in place of the result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "nt/mm.h"
#include "nt/mm_test.h"
#include "nt/nt_test.h"
#include "nt/vatable.h"

#include <poolbench/nt/mdl.h>

#include <string.h>

static const PHYSICAL_ADDRESS anywhere = {.QuadPart = -1};

static bool frames_hidden(unsigned char *touched)
{
    return MmGetPhysicalAddress(touched).QuadPart == 0;
}

static void physical(void **state)
{
    (void)state;
    unsigned char *at = mm_private(3, PROT_READ | PROT_WRITE);
    at[0] = at[PAGE_SIZE] = 1;
    assert_int_equal(MmGetPhysicalAddress(at + 2 * PAGE_SIZE).QuadPart, 0); /* not in memory */
    assert_int_equal(MmGetPhysicalAddress((void *)MM_USER_PROBE_ADDRESS).QuadPart, 0);
    if (frames_hidden(at)) {
        mm_unmap(at, 3);
        skip_because("frame numbers are hidden: all addresses are 0");
    }
    LONGLONG first = MmGetPhysicalAddress(at).QuadPart;
    assert_int_equal(BYTE_OFFSET(first), 0);
    assert_int_equal(MmGetPhysicalAddress(at + 123).QuadPart, first + 123);
    assert_int_not_equal(MmGetPhysicalAddress(at + PAGE_SIZE).QuadPart, first);
    mm_unmap(at, 3);
}

static void valid(void **state)
{
    (void)state;
    unsigned char *at = mm_private(2, PROT_READ | PROT_WRITE);
    assert_false(MmIsAddressValid(at)); /* never touched, and the question does not touch it */
    assert_false(MmIsAddressValid(at));
    at[10] = 1;
    assert_true(MmIsAddressValid(at));
    assert_true(MmIsAddressValid(at + PAGE_SIZE - 1));
    assert_false(MmIsAddressValid(at + PAGE_SIZE));
    assert_int_equal(madvise(at, PAGE_SIZE, MADV_DONTNEED), 0);
    assert_false(MmIsAddressValid(at));
    mm_unmap(at, 2);
    assert_false(MmIsAddressValid(at));
    assert_false(MmIsAddressValid(NULL));
    assert_false(MmIsAddressValid((void *)MM_USER_PROBE_ADDRESS));
}

static void contiguous_small(void **state)
{
    (void)state;
    static const SIZE_T sizes[] = {0, 1, 100, PAGE_SIZE};
    void *at[4];
    for (size_t i = 0; i < 4; i++) {
        at[i] = MmAllocateContiguousMemory(sizes[i], anywhere);
        assert_non_null(at[i]);
        assert_int_equal(BYTE_OFFSET(at[i]), 0);
        assert_true(MmIsAddressValid(at[i]));
        memset(at[i], 1, PAGE_SIZE);
    }
    for (size_t i = 0; i < 4; i++)
        MmFreeContiguousMemory(at[i]);
    assert_int_equal(pb_resident_total(), 0);
}

/* Each page lies behind the one before, if that can be seen. */
static void check_frames(unsigned char *at, size_t bytes)
{
    if (frames_hidden(at))
        return;
    LONGLONG first = MmGetPhysicalAddress(at).QuadPart;
    for (size_t i = 0; i < bytes; i += PAGE_SIZE)
        assert_int_equal(MmGetPhysicalAddress(at + i).QuadPart, first + (LONGLONG)i);
}

static void contiguous_large(void **state)
{
    static const SIZE_T sizes[] = {PAGE_SIZE + 1, 300000, PB_HUGE_BYTES, 2 * PB_HUGE_BYTES};
    unsigned got = 0;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        unsigned char *at = MmAllocateContiguousMemory(sizes[i], anywhere);
        if (at == NULL)
            continue;
        got++;
        memset(at, 1, sizes[i]);
        assert_int_equal(BYTE_OFFSET(at), 0);
        check_frames(at, sizes[i]);
        MmFreeContiguousMemory(at);
        expect_bugcheck(MmFreeContiguousMemory(at), BAD_POOL_CALLER, BAD_CALLER_NOT_CONTIGUOUS);
    }
    assert_int_equal(pb_resident_total(), 0);
    assert_null(MmAllocateContiguousMemory(SIZE_MAX, anywhere));
    if (got == 0) {
        skip_because("no huge pages here: NULL above a page");
    }
}

static void contiguous_limit(void **state)
{
    (void)state;
    const PHYSICAL_ADDRESS none = {.QuadPart = 4095}; /* frame 0 is nobody's */
    assert_null(MmAllocateContiguousMemory(1, none));
    assert_null(MmAllocateContiguousMemory(PB_HUGE_BYTES, none));
    assert_int_equal(pb_resident_total(), 0);
}

static void contiguous_misuse(void **state)
{
    (void)state;
    unsigned char *at = MmAllocateContiguousMemory(10, anywhere);
    expect_bugcheck(MmFreeContiguousMemory(at + 1), BAD_POOL_CALLER, BAD_CALLER_NOT_CONTIGUOUS);
    assert_int_equal(nt_seen.p[1], (ULONG_PTR)(at + 1));
    expect_bugcheck(MmFreeContiguousMemory(NULL), BAD_POOL_CALLER, BAD_CALLER_NOT_CONTIGUOUS);
    MmFreeContiguousMemory(at);
    expect_bugcheck(MmFreeContiguousMemory(at), BAD_POOL_CALLER, BAD_CALLER_NOT_CONTIGUOUS);
}

static void contiguous_reset(void **state)
{
    (void)state;
    void *at = MmAllocateContiguousMemory(10, anywhere);
    (void)MmAllocateContiguousMemory(PB_HUGE_BYTES, anywhere);
    pb_mm_reset();
    assert_int_equal(pb_resident_total(), 0);
    expect_bugcheck(MmFreeContiguousMemory(at), BAD_POOL_CALLER, BAD_CALLER_NOT_CONTIGUOUS);
}

static void noncached(void **state)
{
    (void)state;
    long before = mm_locked_kib();
    assert_null(MmAllocateNonCachedMemory(0));
    assert_null(MmAllocateNonCachedMemory(SIZE_MAX));
    ULONG64 *at = MmAllocateNonCachedMemory(PAGE_SIZE + 1);
    assert_non_null(at);
    assert_int_equal(BYTE_OFFSET(at), 0);
    assert_true(MmIsAddressValid((char *)at + 2 * PAGE_SIZE - 1));
    assert_int_equal(pb_resident_total(), 2);
    if (mm_can_lock(2 * PAGE_SIZE))
        assert_int_equal(mm_locked_kib() - before, 8);
    assert_int_equal(at[2 * PAGE_SIZE / 8 - 1], 0);
    for (size_t i = 0; i < 100; i++)
        pb_nt_store(at + i, i * 3);
    pb_nt_fence();
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(pb_nt_load(at + i), i * 3);
    expect_bugcheck(MmFreeNonCachedMemory(at, PAGE_SIZE), BAD_POOL_CALLER, BAD_CALLER_NOT_POOL);
    expect_bugcheck(MmFreeNonCachedMemory(at + 1, PAGE_SIZE + 1), BAD_POOL_CALLER,
                    BAD_CALLER_NOT_POOL);
    MmFreeNonCachedMemory(at, PAGE_SIZE + 1);
    assert_int_equal(mm_locked_kib(), before);
    assert_false(MmIsAddressValid(at));
    expect_bugcheck(MmFreeNonCachedMemory(at, PAGE_SIZE + 1), BAD_POOL_CALLER, BAD_CALLER_NOT_POOL);
}

static void irql(void **state)
{
    (void)state;
    KIRQL old;
    void *block = MmAllocateContiguousMemory(1, anywhere);
    void *pages = MmAllocateNonCachedMemory(1);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    void *other = MmAllocateContiguousMemory(1, anywhere); /* the pool is allowed */
    assert_non_null(other);
    MmFreeContiguousMemory(other);
    (void)MmIsAddressValid(block);
    expect_bugcheck(assert_null(MmAllocateNonCachedMemory(1)), IRQL_NOT_LESS_OR_EQUAL, NULL);
    expect_bugcheck(MmFreeNonCachedMemory(pages, 1), IRQL_NOT_LESS_OR_EQUAL, pages);
    assert_int_equal(nt_seen.p[1], DISPATCH_LEVEL);
    KeLowerIrql(old);
    KeRaiseIrql(HIGH_LEVEL, &old);
    expect_bugcheck(assert_null(MmAllocateContiguousMemory(1, anywhere)), IRQL_NOT_LESS_OR_EQUAL,
                    NULL);
    expect_bugcheck(MmFreeContiguousMemory(block), IRQL_NOT_LESS_OR_EQUAL, block);
    expect_bugcheck(assert_false(MmIsAddressValid(block)), IRQL_NOT_LESS_OR_EQUAL, block);
    (void)MmGetPhysicalAddress(block); /* at any level */
    KeLowerIrql(old);
    MmFreeContiguousMemory(block);
    MmFreeNonCachedMemory(pages, 1);
}

static bool has_limit(const char *routine, const char *word)
{
    struct pb_mm_limit limits[PB_MM_LIMITS_MAX];
    unsigned count = pb_mm_limits(limits);
    for (unsigned i = 0; i < count; i++)
        if (strcmp(limits[i].routine, routine) == 0 && strstr(limits[i].what, word) != NULL)
            return true;
    return false;
}

static void limits(void **state)
{
    (void)state;
    unsigned char *at = mm_private(1, PROT_READ | PROT_WRITE);
    *at = 1;
    assert_true(has_limit("MmAllocateNonCachedMemory", PB_NONCACHED_LABEL));
    assert_true(has_limit("MmGetSystemAddressForMdl", "private"));
    assert_int_equal(has_limit("MmGetPhysicalAddress", "hidden"), frames_hidden(at));
    mm_unmap(at, 1);
}

static int without_rights_main(void)
{
    const PHYSICAL_ADDRESS low = {.QuadPart = 0xFFFFFFFF};
    if (mm_drop_rights(16 * 1024) != 0)
        return 1;
    if (!has_limit("MmGetPhysicalAddress", "hidden") ||
        !has_limit("MmProbeAndLockPages", "RLIMIT_MEMLOCK is 16 KiB"))
        return 2;
    if (MmAllocateContiguousMemory(1, low) != NULL) /* cannot be known */
        return 3;
    if (MmAllocateContiguousMemory(2 * PB_HUGE_BYTES, anywhere) != NULL)
        return 4;
    void *page = MmAllocateContiguousMemory(1, anywhere);
    void *pages = MmAllocateNonCachedMemory(8 * PAGE_SIZE); /* more than can be locked */
    if (page == NULL || pages == NULL || !MmIsAddressValid(pages))
        return 5;
    MmFreeContiguousMemory(page);
    MmFreeNonCachedMemory(pages, 8 * PAGE_SIZE);
    return pb_resident_total() == 0 && nt_seen.n == 0 ? 0 : 6;
}

static void without_rights(void **state)
{
    (void)state;
    assert_int_equal(mm_in_child(without_rights_main), 0);
}

enum { KEYS = 3000, STEPS = 40000 };

static void table(void **state)
{
    static size_t value[KEYS]; /* 0: not in the table */
    struct pb_vatable books = {0};
    uint64_t random = 1;
    size_t count = 0;
    (void)state;
    for (unsigned i = 0; i < STEPS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t k = (size_t)(random >> 33) % KEYS;
        struct pb_vatable_entry *entry = pb_vatable_find(&books, (k + 1) * PAGE_SIZE);
        assert_int_equal(entry != NULL, value[k] != 0);
        if (entry != NULL) {
            assert_int_equal(entry->value, value[k]);
            pb_vatable_remove(&books, entry);
            value[k] = 0;
            count--;
        } else {
            assert_int_equal(pb_vatable_reserve(&books, 1), 0);
            pb_vatable_insert(&books, (k + 1) * PAGE_SIZE)->value = value[k] = i + 1;
            count++;
        }
        assert_int_equal(books.count, count);
    }
    for (size_t k = 0; k < KEYS; k++)
        assert_int_equal(pb_vatable_find(&books, (k + 1) * PAGE_SIZE) != NULL, value[k] != 0);
    pb_vatable_close(&books);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("G: MmGetPhysicalAddress keeps the offset and is 0 for what is not there",
                physical),
        nt_test("G: MmIsAddressValid says what is in memory now and touches nothing", valid),
        nt_test("G: contiguous memory of up to a page is a page of the pool", contiguous_small),
        nt_test("G: contiguous memory above a page lies on frames that follow each other",
                contiguous_large),
        nt_test("G: contiguous memory above the highest acceptable address is not given",
                contiguous_limit),
        nt_test("A15: MmFreeContiguousMemory of another address is BAD_POOL_CALLER 0x60",
                contiguous_misuse),
        nt_test("G: contiguous memory ends with the executive", contiguous_reset),
        nt_test("G: non-cached memory is whole pages, freed with the same size", noncached),
        nt_test("F: memory routines above their level are IRQL_NOT_LESS_OR_EQUAL", irql),
        nt_test("G: what cannot be had here is listed", limits),
        nt_test("G: without rights the routines say so and do what is left", without_rights),
        nt_test("G: the table of pages finds what was put in and nothing else", table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
