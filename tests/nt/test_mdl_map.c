/* SPDX-License-Identifier: MIT */
/* G: memory descriptor lists: second mappings, nonpaged memory, and parts of a descriptor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/mdl_test.h"
#include "nt/mm_test.h"
#include "nt/nt_test.h"
#include "nt/resident.h"

#include <poolbench/nt/mm.h>
#include <poolbench/nt/status.h>

#include <string.h>

static void system_address(void **state)
{
    (void)state;
    unsigned char *at = mm_shared(4);
    memset(at, 7, 4 * PAGE_SIZE);
    /* another descriptor's lock cuts the mapping in three; the alias spans them */
    PMDL middle = mdl_make_locked(at + 2 * PAGE_SIZE, 1),
         mdl = mdl_make_locked(at + 300, 3 * PAGE_SIZE);
    unsigned char *alias = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    assert_non_null(alias);
    assert_ptr_not_equal(alias, at + 300);
    assert_int_equal(BYTE_OFFSET(alias), 300);
    assert_true((mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) != 0);
    assert_ptr_equal(mdl->MappedSystemVa, alias);
    assert_ptr_equal(MmGetSystemAddressForMdlSafe(mdl, HighPagePriority), alias);
    assert_ptr_equal(MmGetSystemAddressForMdl(mdl), alias);
    for (size_t i = 0; i < 3 * PAGE_SIZE; i += 1000) {
        alias[i] = (unsigned char)i;
        assert_int_equal(at[300 + i], (unsigned char)i);
    }
    assert_int_equal(MmGetPhysicalAddress(alias).QuadPart, MmGetPhysicalAddress(at + 300).QuadPart);
    MmUnlockPages(mdl);
    assert_null(mdl->MappedSystemVa);
    assert_int_equal(mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA, 0);
    assert_false(MmIsAddressValid(alias)); /* gone */
    IoFreeMdl(mdl);
    mdl_unlock_and_free(middle);
    mm_unmap(at, 4);
}

static void map_and_unmap(void **state)
{
    (void)state;
    mm_catch_faults();
    unsigned char *at = mm_shared(2);
    PMDL mdl = mdl_make_locked(at, 2 * PAGE_SIZE);
    unsigned char *one = MmMapLockedPages(mdl, KernelMode);
    assert_non_null(one);
    MmUnmapLockedPages(one, mdl);
    assert_int_equal(mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA, 0);
    unsigned char *two = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmNonCached, NULL, FALSE,
                                                      NormalPagePriority | MdlMappingNoWrite);
    assert_non_null(two);
    volatile NTSTATUS status = STATUS_SUCCESS;
    PB_TRY
    {
        *(volatile unsigned char *)two = 1;
    }
    PB_EXCEPT
    {
        status = PbGetExceptionCode();
    }
    PB_END_TRY
    assert_int_equal(status, STATUS_ACCESS_VIOLATION);
    mdl_unlock_and_free(mdl);
    mm_unmap(at, 2);
}

static void map_for_user(void **state)
{
    (void)state;
    unsigned char *at = mm_shared(2), *wanted = mm_private(2, PROT_NONE);
    PMDL mdl = mdl_make_locked(at + 9, PAGE_SIZE);
    mm_unmap(wanted, 2); /* and nothing is mapped before it is asked for */
    unsigned char *two = MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, wanted, FALSE, 0);
    unsigned char *one = MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, NULL, FALSE, 0);
    assert_non_null(one);
    assert_ptr_equal(two, wanted + 9);
    assert_int_equal(mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA, 0);
    *one = 42;
    assert_int_equal(*two, 42);
    MmUnmapLockedPages(one, mdl);
    MmUnmapLockedPages(two, mdl);
    assert_false(MmIsAddressValid(two));
    expect_bugcheck(MmUnmapLockedPages(two, mdl), SYSTEM_PTE_MISUSE, 0);
    assert_int_equal(nt_seen.p[1], (ULONG_PTR)two);
    mdl_unlock_and_free(mdl);
    mm_unmap(at, 2);
}

static void private_memory(void **state)
{
    (void)state;
    mm_catch_faults();
    unsigned char *at = mm_private(2, PROT_READ | PROT_WRITE);
    volatile NTSTATUS status = STATUS_SUCCESS;
    PMDL mdl = mdl_make_locked(at, 2 * PAGE_SIZE);
    assert_null(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority));
    expect_bugcheck(assert_null(MmGetSystemAddressForMdl(mdl)), NO_MORE_SYSTEM_PTES, 0);
    assert_int_equal(nt_seen.p[1], 2);
    expect_bugcheck(assert_null(MmMapLockedPages(mdl, KernelMode)), NO_MORE_SYSTEM_PTES, 0);
    mdl->MdlFlags |= MDL_MAPPING_CAN_FAIL;
    assert_null(MmGetSystemAddressForMdl(mdl));
    PB_TRY
    {
        (void)MmMapLockedPages(mdl, UserMode);
    }
    PB_EXCEPT
    {
        status = PbGetExceptionCode();
    }
    PB_END_TRY
    assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA, 0);
    mdl_unlock_and_free(mdl);
    mm_unmap(at, 2);
}

static void nonpaged(void **state)
{
    (void)state;
    unsigned char *at = mm_private(2, PROT_READ | PROT_WRITE);
    memset(at, 1, 2 * PAGE_SIZE);
    PMDL mdl = mdl_make(at + 8, PAGE_SIZE);
    MmBuildMdlForNonPagedPool(mdl);
    assert_true((mdl->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL) != 0);
    assert_ptr_equal(MmGetSystemAddressForMdlSafe(mdl, 0), at + 8); /* its own address */
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(MmGetMdlPfnArray(mdl)[i],
                         MmGetPhysicalAddress(at + i * PAGE_SIZE).QuadPart >> PAGE_SHIFT);
    assert_int_equal(pb_resident_total(), 0);
    expect_bugcheck(MmUnlockPages(mdl), DRIVER_VERIFIER_DETECTED_VIOLATION, MDL_UNLOCKED_NONPAGED);
    IoFreeMdl(mdl);
    mm_unmap(at, 2);
}

static void partial(void **state)
{
    (void)state;
    unsigned char *at = mm_shared(4);
    PMDL mdl = mdl_make_locked(at + 10, 3 * PAGE_SIZE), part = mdl_make(at + 10, 3 * PAGE_SIZE);
    IoBuildPartialMdl(mdl, part, at + PAGE_SIZE + 5, 100);
    assert_ptr_equal(MmGetMdlVirtualAddress(part), at + PAGE_SIZE + 5);
    assert_int_equal(part->ByteCount, 100);
    assert_int_equal(part->MdlFlags & (MDL_PARTIAL | MDL_PAGES_LOCKED), MDL_PARTIAL);
    assert_int_equal(MmGetMdlPfnArray(part)[0], MmGetMdlPfnArray(mdl)[1]);
    unsigned char *own = MmGetSystemAddressForMdlSafe(part, 0);
    assert_non_null(own);
    assert_true((part->MdlFlags & MDL_PARTIAL_HAS_BEEN_MAPPED) != 0);
    *own = 77;
    assert_int_equal(at[PAGE_SIZE + 5], 77);
    MmPrepareMdlForReuse(part);
    assert_int_equal(part->MdlFlags & (MDL_PARTIAL_HAS_BEEN_MAPPED | MDL_MAPPED_TO_SYSTEM_VA), 0);
    assert_false(MmIsAddressValid(own));
    /* length 0: the rest; and a parent's mapping is the part's as well, and not released with it */
    unsigned char *alias = MmGetSystemAddressForMdlSafe(mdl, 0);
    IoBuildPartialMdl(mdl, part, at + 2 * PAGE_SIZE, 0);
    assert_int_equal(part->ByteCount, PAGE_SIZE + 10);
    assert_ptr_equal(MmGetSystemAddressForMdlSafe(part, 0), alias + 2 * PAGE_SIZE - 10);
    IoFreeMdl(part);
    assert_true(MmIsAddressValid(alias));
    mdl_unlock_and_free(mdl);
    mm_unmap(at, 4);
}

static void partial_misuse(void **state)
{
    (void)state;
    _Alignas(16) unsigned char room[sizeof(MDL) + 8];
    unsigned char *at = mm_private(3, PROT_READ | PROT_WRITE);
    PMDL mdl = mdl_make_locked(at, 2 * PAGE_SIZE), small = (PMDL)(void *)room;
    MmInitializeMdl(small, at, 1);
    expect_bugcheck(IoBuildPartialMdl(mdl, small, at, 0), TARGET_MDL_TOO_SMALL, mdl);
    expect_bugcheck(IoBuildPartialMdl(mdl, small, at - 1, 1), TARGET_MDL_TOO_SMALL, mdl);
    expect_bugcheck(IoBuildPartialMdl(mdl, small, at + 2 * PAGE_SIZE, 1), TARGET_MDL_TOO_SMALL,
                    mdl);
    assert_int_equal(nt_seen.p[1], (ULONG_PTR)small);
    IoBuildPartialMdl(mdl, small, at + PAGE_SIZE, PAGE_SIZE);
    assert_int_equal(MmGetMdlPfnArray(small)[0], MmGetMdlPfnArray(mdl)[1]);
    expect_bugcheck(MmUnlockPages(small), DRIVER_VERIFIER_DETECTED_VIOLATION, MDL_UNLOCKED_PARTIAL);
    mdl_unlock_and_free(mdl);
    mm_unmap(at, 3);
}

static void initialize(void **state)
{
    (void)state;
    _Alignas(16) unsigned char room[sizeof(MDL) + 3 * sizeof(PFN_NUMBER)];
    unsigned char *at = mm_private(3, PROT_READ | PROT_WRITE);
    PMDL mdl = (PMDL)(void *)room;
    memset(room, 0xEE, sizeof room);
    MmInitializeMdl(mdl, at + 100, 2 * PAGE_SIZE);
    assert_null(mdl->Next);
    assert_int_equal(mdl->Size, sizeof room);
    assert_int_equal(mdl->MdlFlags, 0);
    assert_ptr_equal(MmGetMdlBaseVa(mdl), at);
    assert_ptr_equal(MmGetMdlVirtualAddress(mdl), at + 100);
    assert_int_equal(MmGetMdlByteCount(mdl), 2 * PAGE_SIZE);
    assert_int_equal(MmGetMdlByteOffset(mdl), 100);
    mm_unmap(at, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("G: MmInitializeMdl makes the head of a descriptor, without its frames",
                initialize),
        nt_test("G: MmGetSystemAddressForMdl maps the same frames once, at the same offset",
                system_address),
        nt_test("G: a mapping is released by MmUnmapLockedPages and may be read-only",
                map_and_unmap),
        nt_test("G: a user-mode mapping is the caller's, where the caller wants it", map_for_user),
        nt_test("G: private memory has no second mapping: NULL, a bugcheck, or a status",
                private_memory),
        nt_test("G: MmBuildMdlForNonPagedPool uses the memory's own address", nonpaged),
        nt_test("G: a partial descriptor takes its part of frames and mapping", partial),
        nt_test("G: a partial descriptor that does not fit is TARGET_MDL_TOO_SMALL",
                partial_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
