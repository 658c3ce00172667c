/* SPDX-License-Identifier: MIT */
/* G: sections of the image, of this program itself: where code and data lie, locks and their
 * counts, paging the whole image, and throwing INIT away (in a child). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "nt/mm_test.h"
#include "nt/nt_test.h"
#include "nt/resident.h"

#include <poolbench/nt/mm.h>
#include <poolbench/nt/section.h>
#include <poolbench/nt/status.h>

#include <dlfcn.h>
#include <signal.h>

PAGEDCODE static int paged_one(int a)
{
    return a + 1;
}

PAGEDCODE static int paged_two(int a)
{
    return a + 2;
}

INITCODE static int init_code(int a)
{
    return a + 3;
}

LOCKEDCODE static int locked_code(int a)
{
    return a + 4;
}

static int plain_code(int a)
{
    return a + 5;
}

PAGEDDATA static volatile int paged_data = 11;
INITDATA static volatile int init_data[2000] = {12};
LOCKEDDATA static volatile int locked_data = 13;
static volatile int plain_data = 14;

PB_IMAGE_SECTIONS;

static int (*volatile call)(int);

static void *of(int (*function)(int))
{
    return (void *)(uintptr_t)function;
}

static void *of_data(const volatile int *data)
{
    return (void *)(uintptr_t)data;
}

/* System pages of a section, from its first address. */
static SIZE_T pages_of(const char *start, const char *stop)
{
    SIZE_T page = (SIZE_T)sysconf(_SC_PAGESIZE);
    return ((SIZE_T)(stop - start) + page - 1) / page;
}

static void placement(void **state)
{
    const struct {
        void *at;
        const char *start, *stop;
    } rows[] = {
        {of(paged_one), __start_PAGE, __stop_PAGE},
        {of(paged_two), __start_PAGE, __stop_PAGE},
        {of(init_code), __start_INIT, __stop_INIT},
        {of(locked_code), __start_LOCKED, __stop_LOCKED},
        {of_data(&paged_data), __start_PAGEDATA, __stop_PAGEDATA},
        {of_data(init_data), __start_INITDATA, __stop_INITDATA},
        {of_data(&locked_data), __start_LOCKEDDATA, __stop_LOCKEDDATA},
    };
    void *const plain[] = {of(plain_code), of_data(&plain_data), (void *)(uintptr_t)placement,
                           __start_pb_code_end, __start_pb_data_end};
    const SIZE_T page = (SIZE_T)sysconf(_SC_PAGESIZE);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ULONG_PTR first = (ULONG_PTR)rows[i].start / page,
                  end = first + pages_of(rows[i].start, rows[i].stop);
        assert_int_equal((ULONG_PTR)rows[i].start % page, 0);
        assert_true((char *)rows[i].at >= rows[i].start && (char *)rows[i].at < rows[i].stop);
        for (size_t k = 0; k < sizeof plain / sizeof *plain; k++) /* nothing shares its pages */
            assert_false((ULONG_PTR)plain[k] / page >= first && (ULONG_PTR)plain[k] / page < end);
    }
    call = paged_one;
    assert_int_equal(call(1), 2);
    call = locked_code;
    assert_int_equal(call(1), 5);
    assert_int_equal(paged_data + init_data[0] + locked_data + plain_data, 50);
}

static void locked_from_the_start(void **state)
{
    (void)state;
    if (!mm_can_lock(4 * PAGE_SIZE)) {
        skip_because("mlock refused 4 pages");
    }
    assert_int_equal(pb_resident_held(of(locked_code), 1), 1);
    assert_int_equal(pb_resident_held(of_data(&locked_data), 1), 1);
    assert_int_equal(pb_resident_held(of(paged_one), 1), 0);
    assert_int_equal(pb_resident_held(of(plain_code), 1), 0);
}

static void lock_counts(void **state)
{
    (void)state;
    SIZE_T before = pb_resident_total(), pages = pages_of(__start_PAGE, __stop_PAGE);
    long kib = mm_locked_kib();
    PVOID handle = MmLockPagableCodeSection(paged_one);
    assert_non_null(handle);
    assert_ptr_equal(MmLockPagableCodeSection(paged_two), handle); /* the same section */
    assert_int_equal(PbSectionLockCount(handle), 2);
    assert_int_equal(pb_resident_total() - before, pages);
    if (mm_can_lock(4 * PAGE_SIZE))
        assert_int_equal(mm_locked_kib() - kib, pages * (SIZE_T)sysconf(_SC_PAGESIZE) / 1024);
    assert_true(MmIsAddressValid(of(paged_one)));
    MmLockPagableSectionByHandle(handle);
    assert_int_equal(PbSectionLockCount(handle), 3);
    assert_int_equal(pb_resident_total() - before, pages);
    for (int left = 2; left >= 0; left--) {
        MmUnlockPagableImageSection(handle);
        assert_int_equal(PbSectionLockCount(handle), left);
        assert_int_equal(pb_resident_total() - before, left > 0 ? pages : 0);
    }
    assert_int_equal(mm_locked_kib(), kib);
    MmLockPagableSectionByHandle(handle); /* it stays good */
    assert_int_equal(pb_resident_total() - before, pages);
    MmUnlockPagableImageSection(handle);
    assert_int_equal(pb_resident_total(), before);
}

enum { LOCKERS = 4, LOCKS_EACH = 200 };

/* By address and by handle in turn; at times the section is at no lock at all. */
static void lock_often(void *shared, unsigned index)
{
    unsigned *wrong = shared;
    PVOID handle = MmLockPagableCodeSection(paged_one);
    for (unsigned i = 0; i < LOCKS_EACH; i++) {
        if (i % 2 == index % 2)
            wrong[index] += MmLockPagableCodeSection(paged_two) != handle;
        else
            MmLockPagableSectionByHandle(handle);
        wrong[index] += PbSectionLockCount(handle) < 1;
        wrong[index] += !pb_resident_now(of(paged_one), 1);
        MmUnlockPagableImageSection(handle);
        if (i % 16 == index) {
            MmUnlockPagableImageSection(handle);
            MmLockPagableSectionByHandle(handle);
        }
    }
    MmUnlockPagableImageSection(handle);
}

static void threads_lock(void **state)
{
    (void)state;
    unsigned wrong[LOCKERS] = {0};
    SIZE_T before = pb_resident_total();
    long kib = mm_locked_kib();
    nt_run_threads(LOCKERS, lock_often, wrong);
    for (unsigned i = 0; i < LOCKERS; i++)
        assert_int_equal(wrong[i], 0);
    PVOID handle = MmLockPagableCodeSection(paged_one);
    assert_int_equal(PbSectionLockCount(handle), 1);
    MmUnlockPagableImageSection(handle);
    assert_int_equal(pb_resident_total(), before);
    assert_int_equal(mm_locked_kib(), kib);
}

static void data_and_segments(void **state)
{
    (void)state;
    SIZE_T before = pb_resident_total();
    PVOID data = MmLockPagableDataSection(of_data(&paged_data));
    PVOID plain = MmLockPagableCodeSection(plain_code);
    PVOID library = MmLockPagableDataSection(dlsym(RTLD_DEFAULT, "gnu_get_libc_version"));
    PVOID code = MmLockPagableCodeSection(paged_one);
    assert_non_null(data);
    assert_non_null(plain);
    assert_non_null(library);
    assert_ptr_not_equal(data, code);
    assert_ptr_not_equal(plain, code); /* the segment, and the section that lies in it */
    assert_ptr_not_equal(library, plain);
    assert_ptr_equal(MmLockPagableCodeSection(data_and_segments), plain);
    assert_int_equal(PbSectionLockCount(plain), 2);
    assert_true(MmIsAddressValid(of(plain_code)));
    MmUnlockPagableImageSection(plain);
    MmUnlockPagableImageSection(plain);
    MmUnlockPagableImageSection(data);
    MmUnlockPagableImageSection(code);
    MmUnlockPagableImageSection(library);
    assert_int_equal(pb_resident_total(), before);
}

static void misuse(void **state)
{
    (void)state;
    int local = 0;
    PVOID handle = MmLockPagableCodeSection(paged_one);
    MmUnlockPagableImageSection(handle);
    expect_bugcheck(MmUnlockPagableImageSection(handle), MEMORY_MANAGEMENT, SECTION_UNLOCKED_TWICE);
    assert_int_equal(nt_seen.p[1], (ULONG_PTR)handle);
    assert_int_equal(PbSectionLockCount(handle), 0);
    expect_bugcheck(MmUnlockPagableImageSection(&local), MEMORY_MANAGEMENT, SECTION_DOES_NOT_EXIST);
    expect_bugcheck(MmLockPagableSectionByHandle(NULL), MEMORY_MANAGEMENT, SECTION_DOES_NOT_EXIST);
    expect_bugcheck(assert_null(MmLockPagableDataSection(&local)), MEMORY_MANAGEMENT,
                    SECTION_DOES_NOT_EXIST);
    assert_int_equal(nt_seen.p[1], (ULONG_PTR)&local);
    assert_int_equal(PbSectionLockCount(&local), -1);
    assert_null(MmPageEntireDriver(&local));
    assert_int_equal(PbDiscardInitSection(&local), 0);
}

static void page_entire_driver(void **state)
{
    (void)state;
    SIZE_T before = pb_resident_total();
    SIZE_T locked =
        pages_of(__start_LOCKED, __stop_LOCKED) + pages_of(__start_LOCKEDDATA, __stop_LOCKEDDATA);
    MmResetDriverPaging(plain_code); /* never overridden: nothing */
    assert_int_equal(pb_resident_total(), before);
    assert_int_equal(before, locked);
    PVOID handle = MmLockPagableCodeSection(paged_one);
    unsigned char *base = MmPageEntireDriver(plain_code);
    assert_non_null(base);
    assert_int_equal(BYTE_OFFSET(base), 0);
    assert_memory_equal(base, "\177ELF", 4);
    assert_int_equal(pb_resident_total(), pages_of(__start_PAGE, __stop_PAGE)); /* its lock stays */
    assert_int_equal(PbSectionLockCount(handle), 1);
    assert_ptr_equal(MmPageEntireDriver(of_data(&plain_data)), base);
    call = locked_code; /* comes back when it is wanted */
    assert_int_equal(call(2) + locked_data, 19);
    MmUnlockPagableImageSection(handle);
    assert_int_equal(pb_resident_total(), 0);
    MmResetDriverPaging(plain_code);
    assert_int_equal(pb_resident_total(), locked);
    MmResetDriverPaging(plain_code);
    assert_int_equal(pb_resident_total(), locked);
}

static int call_discarded(void)
{
    (void)signal(SIGSEGV, SIG_DFL);
    call = init_code;
    if (call(1) != 4 || PbDiscardInitSection(plain_code) == 0)
        return 1;
    return call(1); /* never returns */
}

static int read_discarded(void)
{
    (void)signal(SIGSEGV, SIG_DFL);
    if (init_data[0] != 12 || PbDiscardInitSection(plain_code) == 0)
        return 1;
    return init_data[1500];
}

static int use_the_rest(void)
{
    volatile NTSTATUS status = STATUS_SUCCESS;
    SIZE_T page = (SIZE_T)sysconf(_SC_PAGESIZE);
    SIZE_T whole =
        (pages_of(__start_INIT, __stop_INIT) + pages_of(__start_INITDATA, __stop_INITDATA)) * page;
    PVOID handle = MmLockPagableCodeSection(init_code);
    SIZE_T data = PbDiscardInitSection(plain_code); /* locked code stays */
    call = init_code;
    if (data != pages_of(__start_INITDATA, __stop_INITDATA) * page || call(1) != 4)
        return 1;
    MmUnlockPagableImageSection(handle);
    if (PbDiscardInitSection(plain_code) + data != whole)
        return 2;
    if (PbDiscardInitSection(plain_code) != 0 || PbSectionLockCount(handle) != -1)
        return 3;
    if (paged_one(1) + locked_code(1) + plain_code(1) != 13 || paged_data + locked_data != 24)
        return 4;
    PB_TRY
    {
        (void)call(1);
    }
    PB_EXCEPT
    {
        status = PbGetExceptionCode();
    }
    PB_END_TRY
    return status == STATUS_ACCESS_VIOLATION && !MmIsAddressValid(of(init_code)) ? 0 : 5;
}

static int use_the_rest_guarded(void)
{
    mm_catch_faults();
    return use_the_rest();
}

static void discard(void **state)
{
    (void)state;
    assert_int_equal(mm_in_child(call_discarded), 100 + SIGSEGV);
    assert_int_equal(mm_in_child(read_discarded), 100 + SIGSEGV);
    assert_int_equal(mm_in_child(use_the_rest_guarded), 0);
    assert_int_equal(init_code(1), 4); /* here it is still there */
}

/* A section that begins and ends within pages, and none of ours follows. */
static void shared_pages(void **state)
{
    char *at = __start_INITDATA;
    const struct pb_image_section crooked = {at + 10, at + sysconf(_SC_PAGESIZE) + 10,
                                             PB_SECTION_INIT};
    (void)state;
    PbForgetSections(pb_image_sections, 8);
    PbRegisterSections(&crooked, 1);
    assert_int_equal(PbDiscardInitSection(at), 0); /* not one page is all its own */
    assert_int_equal(init_data[0], 12);
    PbForgetSections(&crooked, 1);
    assert_int_equal(pb_resident_total(), 0);
    PbRegisterSections(pb_image_sections, 8); /* as it was */
}

static void irql(void **state)
{
    (void)state;
    KIRQL old;
    PVOID handle = MmLockPagableCodeSection(paged_one), at = of(paged_one);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    expect_bugcheck(assert_null(MmLockPagableDataSection(at)), IRQL_NOT_LESS_OR_EQUAL, at);
    expect_bugcheck(MmLockPagableSectionByHandle(handle), IRQL_NOT_LESS_OR_EQUAL, handle);
    expect_bugcheck(MmUnlockPagableImageSection(handle), IRQL_NOT_LESS_OR_EQUAL, handle);
    expect_bugcheck(assert_null(MmPageEntireDriver(at)), IRQL_NOT_LESS_OR_EQUAL, at);
    expect_bugcheck(MmResetDriverPaging(at), IRQL_NOT_LESS_OR_EQUAL, at);
    expect_bugcheck(assert_int_equal(PbDiscardInitSection(at), 0), IRQL_NOT_LESS_OR_EQUAL, at);
    KeLowerIrql(old);
    assert_int_equal(PbSectionLockCount(handle), 1);
    MmUnlockPagableImageSection(handle);
}

static int lock_without_rights(void)
{
    if (mm_drop_rights(0) != 0)
        return 1;
    PVOID handle = MmLockPagableCodeSection(paged_one);
    if (handle == NULL || PbSectionLockCount(handle) != 1 || !MmIsAddressValid(of(paged_one)))
        return 2;
    if (pb_resident_held(of(paged_one), 1) != 0)
        return 3;
    MmUnlockPagableImageSection(handle);
    return PbSectionLockCount(handle) == 0 ? 0 : 4;
}

static void without_rights(void **state)
{
    (void)state;
    assert_int_equal(mm_in_child(lock_without_rights), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("G: code and data lie in their sections, on pages that nothing shares", placement),
        nt_test("G: LOCKED sections are locked from the start, the others are not",
                locked_from_the_start),
        nt_test("G: locks of a section count, and a handle stays good", lock_counts),
        nt_test("G: threads lock a section by address and handle, and leave no lock", threads_lock),
        nt_test("G: what lies in no section is locked with its segment", data_and_segments),
        nt_test("G: a section that is not locked or not there is MEMORY_MANAGEMENT", misuse),
        nt_test("G: MmPageEntireDriver makes LOCKED pageable, MmResetDriverPaging locks it again",
                page_entire_driver),
        nt_test("G: after PbDiscardInitSection INIT faults and the rest goes on", discard),
        nt_test("G: a page that is not a section's own is not discarded", shared_pages),
        nt_test("F: section routines above APC_LEVEL are IRQL_NOT_LESS_OR_EQUAL", irql),
        nt_test("G: without rights sections are counted and brought in, not held", without_rights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
