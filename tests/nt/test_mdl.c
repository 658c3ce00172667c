/* SPDX-License-Identifier: MIT */
/* G: memory descriptor lists: making and locking. Where the machine refuses (frame numbers, locks),
 * the documented failure is asserted in place of the result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "nt/mdl_test.h"
#include "nt/mm_test.h"
#include "nt/nt_test.h"
#include "nt/resident.h"

#include <poolbench/nt/mm.h>
#include <poolbench/nt/status.h>

#include <string.h>

/* The status that locking raises, STATUS_SUCCESS if none; unlocks. */
static NTSTATUS lock_status(void *at, size_t bytes, KPROCESSOR_MODE mode, LOCK_OPERATION operation)
{
    PMDL mdl = mdl_make(at, bytes);
    volatile NTSTATUS status = STATUS_SUCCESS;
    PB_TRY
    {
        MmProbeAndLockPages(mdl, mode, operation);
    }
    PB_EXCEPT
    {
        status = PbGetExceptionCode();
    }
    PB_END_TRY
    if (status == STATUS_SUCCESS)
        MmUnlockPages(mdl);
    assert_int_equal(mdl->MdlFlags & MDL_PAGES_LOCKED, 0);
    IoFreeMdl(mdl);
    return status;
}

/* Descriptors come from nonpaged pool, which takes its own locked memory from the system by the
 * mebibyte: once before the tests, so that what they see locked is what descriptors lock. */
static int fill_pool(void **state)
{
    (void)state;
    IoFreeMdl(mdl_make((void *)0x1000, 1));
    return 0;
}

static void layout(void **state)
{
    (void)state;
    assert_int_equal(offsetof(MDL, Next), 0);
    assert_int_equal(offsetof(MDL, Size), 8);
    assert_int_equal(offsetof(MDL, MdlFlags), 10);
    assert_int_equal(offsetof(MDL, Process), 16);
    assert_int_equal(offsetof(MDL, MappedSystemVa), 24);
    assert_int_equal(offsetof(MDL, StartVa), 32);
    assert_int_equal(offsetof(MDL, ByteCount), 40);
    assert_int_equal(offsetof(MDL, ByteOffset), 44);
    MDL mdl;
    assert_ptr_equal(MmGetMdlPfnArray(&mdl), (char *)&mdl + 48);
}

static void size_of_mdl(void **state)
{
    static const struct {
        ULONG_PTR va;
        SIZE_T bytes, pages;
    } rows[] = {{0x12345FFF, 2, 2},    {0x12345FFF, 1, 1},    {0x12345000, 4096, 1},
                {0x12345001, 4096, 2}, {0x12345FFF, 4098, 3}, {0x12345000, 0, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(MmSizeOfMdl((void *)rows[i].va, rows[i].bytes), 48 + 8 * rows[i].pages);
}

static void allocate(void **state)
{
    (void)state;
    unsigned char *at = mm_private(4, PROT_READ | PROT_WRITE);
    long locked = mm_locked_kib();
    PMDL mdl = mdl_make(at + 100, 2 * PAGE_SIZE);
    assert_null(mdl->Next);
    assert_int_equal(mdl->Size, 48 + 8 * 3);
    assert_int_equal(mdl->MdlFlags & ~MDL_ALLOCATED_FIXED_SIZE, 0);
    assert_null(mdl->Process);
    assert_null(mdl->MappedSystemVa);
    assert_ptr_equal(mdl->StartVa, at);
    assert_ptr_equal(MmGetMdlBaseVa(mdl), at);
    assert_ptr_equal(MmGetMdlVirtualAddress(mdl), at + 100);
    assert_int_equal(MmGetMdlByteCount(mdl), 2 * PAGE_SIZE);
    assert_int_equal(MmGetMdlByteOffset(mdl), 100);
    assert_int_equal(mm_locked_kib(), locked);
    assert_false(MmIsAddressValid(at));
    assert_false(PbMdlHasFrames(mdl));
    IoFreeMdl(mdl);
    mm_unmap(at, 4);
}

static void allocate_refuses(void **state)
{
    (void)state;
    int irp;
    assert_null(IoAllocateMdl(state, 10, FALSE, FALSE, (PIRP)(void *)&irp));
    assert_null(IoAllocateMdl(NULL, UINT32_MAX, FALSE, FALSE, NULL));
    PMDL mdl = IoAllocateMdl(NULL, UINT32_MAX - 4095, FALSE, FALSE, NULL);
    assert_non_null(mdl); /* 1 Mi pages: 8 MiB of frame numbers */
    assert_int_equal(mdl->Size, 0);
    IoFreeMdl(mdl);
}

static void lookaside(void **state)
{
    (void)state;
    PMDL small = mdl_make((void *)0x1000, 23 * PAGE_SIZE),
         large = mdl_make((void *)0x1000, 24 * PAGE_SIZE);
    PMDL crooked = mdl_make((void *)0x1001, 23 * PAGE_SIZE); /* spans 24 */
    assert_int_equal(small->MdlFlags, MDL_ALLOCATED_FIXED_SIZE);
    assert_int_equal(large->MdlFlags, 0);
    assert_int_equal(crooked->MdlFlags, 0);
    IoFreeMdl(small);
    PMDL again = mdl_make((void *)0x5000, 1);
    assert_ptr_equal(again, small); /* last in, first out */
    assert_int_equal(again->Size, 48 + 8);
    IoFreeMdl(again);
    IoFreeMdl(large);
    IoFreeMdl(crooked);
}

static void free_frees_one(void **state)
{
    (void)state;
    PMDL first = mdl_make((void *)0x1000, 1), second = mdl_make((void *)0x2000, 1);
    first->Next = second;
    IoFreeMdl(first);
    assert_ptr_equal(second->StartVa, (void *)0x2000);
    IoFreeMdl(second);
}

static void lock(void **state)
{
    (void)state;
    unsigned char *at = mm_private(8, PROT_READ | PROT_WRITE);
    long before = mm_locked_kib();
    PMDL mdl = mdl_make(at + PAGE_SIZE + 5, 2 * PAGE_SIZE); /* pages 1, 2 and 3 */
    MmProbeAndLockPages(mdl, UserMode, IoWriteAccess);
    assert_int_equal(mdl->MdlFlags & ~MDL_ALLOCATED_FIXED_SIZE,
                     MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
    assert_ptr_equal(mdl->Process, PsGetCurrentProcess());
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(MmIsAddressValid(at + i * PAGE_SIZE), i >= 1 && i <= 3);
    assert_int_equal(pb_resident_total(), 3);
    if (mm_can_lock(3 * PAGE_SIZE)) {
        assert_int_equal(mm_locked_kib() - before, 12);
        assert_int_equal(PbMdlLockedPages(mdl), 3);
    }
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(MmGetMdlPfnArray(mdl)[i],
                         MmGetPhysicalAddress(at + (i + 1) * PAGE_SIZE).QuadPart >> PAGE_SHIFT);
    assert_int_equal(PbMdlHasFrames(mdl), MmGetPhysicalAddress(at + PAGE_SIZE).QuadPart != 0);
    MmUnlockPages(mdl);
    assert_int_equal(mdl->MdlFlags & ~MDL_ALLOCATED_FIXED_SIZE, 0);
    assert_null(mdl->Process);
    assert_int_equal(mm_locked_kib(), before);
    assert_int_equal(pb_resident_total(), 0);
    IoFreeMdl(mdl);
    mm_unmap(at, 8);
}

static void locks_count(void **state)
{
    (void)state;
    unsigned char *at = mm_private(6, PROT_READ | PROT_WRITE);
    long before = mm_locked_kib();
    PMDL low = mdl_make_locked(at, 4 * PAGE_SIZE),
         high = mdl_make_locked(at + 2 * PAGE_SIZE, 4 * PAGE_SIZE);
    PMDL inner = mdl_make_locked(at + 3 * PAGE_SIZE, 10);
    assert_int_equal(pb_resident_total(), 6);
    MmUnlockPages(low);
    assert_int_equal(pb_resident_total(), 4);
    assert_int_equal(PbMdlLockedPages(low), PbMdlLockedPages(high) / 2);
    if (mm_can_lock(6 * PAGE_SIZE))
        assert_int_equal(mm_locked_kib() - before, 16);
    MmUnlockPages(high);
    assert_int_equal(pb_resident_total(), 1);
    if (mm_can_lock(6 * PAGE_SIZE))
        assert_int_equal(mm_locked_kib() - before, 4);
    MmUnlockPages(inner);
    assert_int_equal(pb_resident_total(), 0);
    assert_int_equal(mm_locked_kib(), before);
    IoFreeMdl(low);
    IoFreeMdl(high);
    IoFreeMdl(inner);
    mm_unmap(at, 6);
}

static void foreign_locks_stay(void **state)
{
    (void)state;
    unsigned char *at = mm_private(4, PROT_READ | PROT_WRITE);
    if (syscall(SYS_mlock, at + PAGE_SIZE, PAGE_SIZE) != 0) {
        skip_because("mlock refused a page");
    }
    long before = mm_locked_kib();
    PMDL mdl = mdl_make_locked(at, 4 * PAGE_SIZE);
    assert_int_equal(PbMdlLockedPages(mdl), 4);
    assert_int_equal(mm_locked_kib() - before, 12);
    mdl_unlock_and_free(mdl);
    assert_int_equal(mm_locked_kib(), before);
    mm_unmap(at, 4);
}

static void wrong_rights(void **state)
{
    (void)state;
    mm_catch_faults();
    unsigned char *at = mm_private(3, PROT_READ | PROT_WRITE);
    assert_int_equal(mprotect(at + PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
    assert_int_equal(mprotect(at + 2 * PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
    unsigned char *gone = mm_private(1, PROT_READ);
    mm_unmap(gone, 1);
    const struct {
        void *at;
        size_t bytes;
        LOCK_OPERATION operation;
        NTSTATUS status;
    } rows[] = {
        {at, 2 * PAGE_SIZE, IoReadAccess, STATUS_SUCCESS},
        {at, PAGE_SIZE, IoModifyAccess, STATUS_SUCCESS},
        {at, 2 * PAGE_SIZE, IoWriteAccess, STATUS_ACCESS_VIOLATION},
        {at, 2 * PAGE_SIZE, IoModifyAccess, STATUS_ACCESS_VIOLATION},
        {at, 3 * PAGE_SIZE, IoReadAccess, STATUS_ACCESS_VIOLATION},
        {gone, 1, IoReadAccess, STATUS_ACCESS_VIOLATION},
        {(void *)MM_USER_PROBE_ADDRESS, 1, IoReadAccess, STATUS_ACCESS_VIOLATION},
        {(void *)(UINTPTR_MAX - 100), 50, IoReadAccess, STATUS_ACCESS_VIOLATION},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (KPROCESSOR_MODE mode = KernelMode; mode < MaximumMode; mode++)
            assert_int_equal(lock_status(rows[i].at, rows[i].bytes, mode, rows[i].operation),
                             rows[i].status);
    assert_int_equal(pb_resident_total(), 0);
    mm_unmap(at, 3);
}

static void touching_decides(void **state)
{
    (void)state;
    mm_catch_faults();
    int file = memfd_create("short", MFD_CLOEXEC);
    assert_int_equal(ftruncate(file, (off_t)PAGE_SIZE), 0);
    unsigned char *at = mmap(NULL, 2 * PAGE_SIZE, PROT_READ, MAP_SHARED, file, 0);
    assert_true(at != MAP_FAILED);
    /* the second page lies behind the file's end: SIGBUS */
    assert_int_equal(pb_resident_populate(at, 2 * PAGE_SIZE, false), -14);
    assert_int_equal(pb_resident_populate(at, PAGE_SIZE, false), 0);
    assert_int_equal(lock_status(at, 2 * PAGE_SIZE, KernelMode, IoReadAccess),
                     STATUS_ACCESS_VIOLATION);
    mm_unmap(at, 2);
    (void)close(file);
}

static void misuse_checked(void **state)
{
    (void)state;
    unsigned char *at = mm_shared(2);
    PMDL mdl = mdl_make(at, PAGE_SIZE);
    expect_bugcheck(MmUnlockPages(mdl), DRIVER_VERIFIER_DETECTED_VIOLATION,
                    MDL_UNLOCKED_NOT_LOCKED);
    assert_int_equal(nt_seen.p[1], (ULONG_PTR)mdl);
    expect_bugcheck(assert_null(MmGetSystemAddressForMdlSafe(mdl, 0)),
                    DRIVER_VERIFIER_DETECTED_VIOLATION, MDL_MAPPED_NOT_LOCKED);
    MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
    expect_bugcheck(MmProbeAndLockPages(mdl, KernelMode, IoReadAccess),
                    DRIVER_VERIFIER_DETECTED_VIOLATION, MDL_LOCKED_WRONG_FLAGS);
    assert_non_null(MmGetSystemAddressForMdlSafe(mdl, 0));
    expect_bugcheck(assert_null(MmMapLockedPages(mdl, KernelMode)),
                    DRIVER_VERIFIER_DETECTED_VIOLATION, MDL_MAPPED_ALREADY);
    expect_bugcheck(IoFreeMdl(mdl), DRIVER_VERIFIER_DETECTED_VIOLATION, MDL_FREED_MAPPED);
    assert_int_equal(pb_resident_total(), 1);
    mdl_unlock_and_free(mdl);
    mm_unmap(at, 2);
}

static void misuse_free_build(void **state)
{
    (void)state;
    unsigned char *at = mm_private(2, PROT_READ | PROT_WRITE);
    PMDL mdl = mdl_make(at, PAGE_SIZE), other = mdl_make_locked(at, 2 * PAGE_SIZE);
    expect_bugcheck(MmUnlockPages(mdl), PROCESS_HAS_LOCKED_PAGES, 1);
    assert_int_equal(nt_seen.p[1], (ULONG_PTR)mdl);
    assert_int_equal(nt_seen.p[2], 2);
    MmProbeAndLockPages(other, KernelMode, IoReadAccess); /* not a second time */
    MmUnlockPages(other);
    assert_int_equal(pb_resident_total(), 0);
    IoFreeMdl(mdl);
    IoFreeMdl(other);
    mm_unmap(at, 2);
}

static void irql(void **state)
{
    (void)state;
    unsigned char *at = mm_private(2, PROT_READ | PROT_WRITE);
    KIRQL old;
    PMDL mdl = mdl_make(at, PAGE_SIZE);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    expect_bugcheck(MmProbeAndLockPages(mdl, KernelMode, IoReadAccess), IRQL_NOT_LESS_OR_EQUAL, at);
    assert_int_equal(nt_seen.p[1], DISPATCH_LEVEL);
    KeLowerIrql(old);
    *at = 1; /* resident now: at DISPATCH_LEVEL too */
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
    assert_null(MmGetSystemAddressForMdlSafe(mdl, 0));
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    mdl = mdl_make(at, PAGE_SIZE);
    KeLowerIrql(old);
    KeRaiseIrql(CLOCK_LEVEL, &old);
    expect_bugcheck(assert_null(IoAllocateMdl(at, 1, FALSE, FALSE, NULL)), IRQL_NOT_LESS_OR_EQUAL,
                    at);
    expect_bugcheck(MmProbeAndLockPages(mdl, KernelMode, IoReadAccess), IRQL_NOT_LESS_OR_EQUAL, at);
    expect_bugcheck(MmUnlockPages(mdl), IRQL_NOT_LESS_OR_EQUAL, at);
    expect_bugcheck(MmBuildMdlForNonPagedPool(mdl), IRQL_NOT_LESS_OR_EQUAL, at);
    expect_bugcheck(assert_null(MmGetSystemAddressForMdlSafe(mdl, 0)), IRQL_NOT_LESS_OR_EQUAL, mdl);
    expect_bugcheck(IoFreeMdl(mdl), IRQL_NOT_LESS_OR_EQUAL, mdl);
    KeLowerIrql(old);
    IoFreeMdl(mdl);
    mm_unmap(at, 2);
}

static int lock_without_rights(void)
{
    unsigned char *at =
        mmap(NULL, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || mm_drop_rights(2 * PAGE_SIZE) != 0)
        return 1;
    long before = mm_locked_kib();
    PMDL one = IoAllocateMdl(at, (ULONG)PAGE_SIZE, FALSE, FALSE, NULL);
    PMDL all = IoAllocateMdl(at, 4 * (ULONG)PAGE_SIZE, FALSE, FALSE, NULL);
    MmProbeAndLockPages(one, KernelMode, IoWriteAccess);
    MmProbeAndLockPages(all, KernelMode, IoWriteAccess); /* three pages more than one: refused */
    if (PbMdlLockedPages(one) != 1 || PbMdlLockedPages(all) != 1 || mm_locked_kib() - before != 4)
        return 2;
    if ((all->MdlFlags & MDL_PAGES_LOCKED) == 0 || !MmIsAddressValid(at + 3 * PAGE_SIZE))
        return 3;
    if (PbMdlHasFrames(all) || MmGetMdlPfnArray(all)[0] != 0 ||
        MmGetPhysicalAddress(at).QuadPart != 0)
        return 4;
    MmUnlockPages(all);
    MmUnlockPages(one);
    return mm_locked_kib() == before && pb_resident_total() == 0 ? 0 : 5;
}

static void without_rights(void **state)
{
    (void)state;
    assert_int_equal(mm_in_child(lock_without_rights), 0);
}

enum { THREADS = 4, ROUNDS = 60, SPAN = 8 };

struct shared {
    unsigned char *at;
    unsigned bad[THREADS];
};

static void lock_often(void *context, unsigned index)
{
    struct shared *shared = context;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned char *at = shared->at + (i + index) % 4 * PAGE_SIZE;
        PMDL mdl = IoAllocateMdl(at, 4 * (ULONG)PAGE_SIZE, FALSE, FALSE, NULL);
        MmProbeAndLockPages(mdl, KernelMode, IoReadAccess);
        shared->bad[index] += !pb_resident_now(at, 4 * PAGE_SIZE);
        unsigned char *alias = MmGetSystemAddressForMdlSafe(mdl, 0);
        shared->bad[index] += alias == NULL || alias[PAGE_SIZE] != 5;
        MmUnlockPages(mdl);
        IoFreeMdl(mdl);
    }
}

static void threads(void **state)
{
    (void)state;
    struct shared shared = {.at = mm_shared(SPAN)};
    long before = mm_locked_kib();
    memset(shared.at, 5, SPAN * PAGE_SIZE);
    nt_run_threads(THREADS, lock_often, &shared);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(shared.bad[i], 0);
    assert_int_equal(pb_resident_total(), 0);
    assert_int_equal(mm_locked_kib(), before);
    mm_unmap(shared.at, SPAN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("G: an MDL's members lie as documented and the frames follow", layout),
        nt_test("G: MmSizeOfMdl is the head and a frame number a spanned page", size_of_mdl),
        nt_test("G: IoAllocateMdl describes the buffer and locks nothing", allocate),
        nt_test("G: IoAllocateMdl refuses an IRP and what is 4 GiB long", allocate_refuses),
        nt_test("G: descriptors of up to 23 pages come from a lookaside list", lookaside),
        nt_test("G: IoFreeMdl frees one descriptor, not those behind Next", free_frees_one),
        nt_test("G: MmProbeAndLockPages brings in, locks and fills in frames", lock),
        nt_test("G: a page that several descriptors lock stays until the last unlock", locks_count),
        nt_test("G: a page that somebody else locked stays locked", foreign_locks_stay),
        nt_test("G: MmProbeAndLockPages raises where a right is missing", wrong_rights),
        nt_test("G: where the system cannot populate, touching under a guard decides",
                touching_decides),
        nt_test("G: misuse of a descriptor is found in checked mode", misuse_checked),
        nt_test_free("G: unlocking what is not locked is PROCESS_HAS_LOCKED_PAGES",
                     misuse_free_build),
        nt_test("F: MDL routines above their level are IRQL_NOT_LESS_OR_EQUAL", irql),
        nt_test("G: without rights pages are counted, not held, and frames are 0", without_rights),
        nt_test("G: threads lock and map the same pages and leave none locked", threads),
    };
    return cmocka_run_group_tests(tests, fill_pool, NULL);
}
