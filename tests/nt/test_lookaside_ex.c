/* SPDX-License-Identifier: MIT */
/* Section C6, LOOKASIDE_LIST_EX: statuses, flags, whom it calls and with what, flush and deletion.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include <poolbench/nt/lookaside.h>

#include <string.h>

enum { BLOCKS = 16, BLOCK = 64, TAG = 0x6b6f6f4c };

/* An owner's memory: blocks given out in order, those that came back, what was asked for. */
static struct {
    _Alignas(16) unsigned char memory[BLOCKS][BLOCK];
    unsigned given, returned;
    PVOID last_returned;
    POOL_TYPE type;
    PLOOKASIDE_LIST_EX list;
} owner;

static PVOID owner_allocate_ex(POOL_TYPE type, SIZE_T bytes, ULONG tag, PLOOKASIDE_LIST_EX list)
{
    owner.type = type;
    owner.list = list;
    return bytes == BLOCK && tag == TAG && owner.given < BLOCKS ? owner.memory[owner.given++]
                                                                : NULL;
}

static void owner_free_ex(PVOID block, PLOOKASIDE_LIST_EX list)
{
    owner.list = list;
    owner.returned++;
    owner.last_returned = block;
}

static void make_ex(PLOOKASIDE_LIST_EX list, ULONG flags)
{
    memset(&owner, 0, sizeof owner);
    assert_int_equal(ExInitializeLookasideListEx(list, owner_allocate_ex, owner_free_ex,
                                                 NonPagedPool, flags, BLOCK, TAG, 0),
                     STATUS_SUCCESS);
}

static void delete_gives_all_back_and_flush_keeps_the_list(void **state)
{
    LOOKASIDE_LIST_EX ex;
    PVOID blocks[3];
    (void)state;
    make_ex(&ex, 0);
    assert_int_equal(owner.given, 0);
    for (unsigned i = 0; i < 3; i++)
        blocks[i] = ExAllocateFromLookasideListEx(&ex);
    for (unsigned i = 0; i < 3; i++)
        ExFreeToLookasideListEx(&ex, blocks[i]);
    ExFlushLookasideListEx(&ex);
    assert_int_equal(owner.returned, 3);
    assert_int_equal(ExQueryDepthSList(&ex.L.ListHead), 0);
    PVOID block = ExAllocateFromLookasideListEx(&ex);
    assert_ptr_equal(block, owner.memory[3]);
    ExFreeToLookasideListEx(&ex, block);
    ExDeleteLookasideListEx(&ex);
    assert_int_equal(owner.returned, 4);
    assert_ptr_equal(owner.last_returned, block);
}

static void ex_statuses_name_the_parameter(void **state)
{
    static const struct {
        unsigned type, flags;
        NTSTATUS status;
    } cases[] = {
        {NonPagedPool, 0, STATUS_SUCCESS},
        {PagedPool, 0, STATUS_SUCCESS},
        {NonPagedPoolNx, 0, STATUS_SUCCESS},
        {NonPagedPoolCacheAligned, 0, STATUS_SUCCESS},
        {PagedPoolSession, 0, STATUS_SUCCESS},
        {NonPagedPool, 1, STATUS_SUCCESS},
        {NonPagedPool, 2, STATUS_SUCCESS},
        {DontUseThisType, 0, STATUS_INVALID_PARAMETER_4},
        {MaxPoolType, 0, STATUS_INVALID_PARAMETER_4},
        {64, 0, STATUS_INVALID_PARAMETER_4},
        {1024, 3, STATUS_INVALID_PARAMETER_4},
        {NonPagedPool, 3, STATUS_INVALID_PARAMETER_5},
        {NonPagedPool, 4, STATUS_INVALID_PARAMETER_5},
        {PagedPool, 0x80000000u, STATUS_INVALID_PARAMETER_5},
    };
    LOOKASIDE_LIST_EX ex;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        NTSTATUS status =
            ExInitializeLookasideListEx(&ex, owner_allocate_ex, owner_free_ex,
                                        (POOL_TYPE)cases[i].type, cases[i].flags, BLOCK, TAG, 0);
        assert_int_equal(status, cases[i].status);
        if (NT_SUCCESS(status))
            ExDeleteLookasideListEx(&ex);
    }
    assert_int_equal(ExInitializeLookasideListEx(&ex, NULL, NULL, NonPagedPool,
                                                 EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE, BLOCK,
                                                 TAG, 0),
                     STATUS_INVALID_PARAMETER_5);
}

static void ex_flags_are_added_to_the_type_passed_on(void **state)
{
    static const ULONG added[] = {0, POOL_RAISE_IF_ALLOCATION_FAILURE,
                                  POOL_QUOTA_FAIL_INSTEAD_OF_RAISE};
    LOOKASIDE_LIST_EX ex;
    (void)state;
    for (ULONG flags = 0; flags < 3; flags++) {
        make_ex(&ex, flags);
        assert_non_null(ExAllocateFromLookasideListEx(&ex));
        assert_int_equal(owner.type, added[flags]);
        ExDeleteLookasideListEx(&ex);
    }
}

struct device {
    int number;
    LOOKASIDE_LIST_EX list;
};

static void ex_routines_are_given_the_list_on_misses_and_overflows_alone(void **state)
{
    struct device device = {.number = 7};
    PVOID blocks[5];
    (void)state;
    make_ex(&device.list, 0);
    for (unsigned i = 0; i < 5; i++)
        blocks[i] = ExAllocateFromLookasideListEx(&device.list);
    assert_int_equal(CONTAINING_RECORD(owner.list, struct device, list)->number, 7);
    owner.list = NULL;
    for (unsigned i = 0; i < 4; i++)
        ExFreeToLookasideListEx(&device.list, blocks[i]);
    for (unsigned i = 0; i < 100; i++)
        ExFreeToLookasideListEx(&device.list, ExAllocateFromLookasideListEx(&device.list));
    assert_null(owner.list);
    assert_int_equal(owner.given, 5);
    ExFreeToLookasideListEx(&device.list, blocks[4]);
    assert_ptr_equal(owner.list, &device.list);
    assert_int_equal(owner.returned, 1);
    assert_int_equal(device.list.L.TotalAllocates, 105);
    assert_int_equal(device.list.L.AllocateMisses, 5);
    assert_int_equal(device.list.L.FreeMisses, 1);
    ExDeleteLookasideListEx(&device.list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("C4: delete and flush call Free for each entry",
                delete_gives_all_back_and_flush_keeps_the_list),
        nt_test("C6: STATUS_INVALID_PARAMETER_4 is the type, _5 the flags",
                ex_statuses_name_the_parameter),
        nt_test("C6: RAISE_ON_FAIL adds 16, FAIL_NO_RAISE 8",
                ex_flags_are_added_to_the_type_passed_on),
        nt_test("C6: the routines are given the list, on a miss or an overflow only",
                ex_routines_are_given_the_list_on_misses_and_overflows_alone),
    };
    return cmocka_run_group_tests_name("lookaside lists, ex", tests, NULL, NULL);
}
