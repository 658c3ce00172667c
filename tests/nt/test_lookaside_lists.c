/* SPDX-License-Identifier: MIT */
/* Section C, lookaside lists: layout, what making one does, what a call counts and returns, whom it
 * calls, deletion, LOOKASIDE_LIST_EX, and what checked mode finds. Tuning: test_lookaside_tuner.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include <poolbench/nt/lookaside.h>
#include <poolbench/nt/pool.h>
#include <poolbench/nt/status.h>

#include <stdbool.h>
#include <string.h>

enum { BLOCKS = 16, BLOCK = 64, TAG = 0x6b6f6f4c };

/* An owner's memory: blocks given out in order, those that came back, what was asked for. */
static struct {
    _Alignas(16) unsigned char memory[BLOCKS][BLOCK];
    unsigned given, returned;
    PVOID last_returned;
    POOL_TYPE type;
    SIZE_T bytes;
    ULONG tag;
    bool refuses, raises;
} owner;

static PVOID owner_allocate(POOL_TYPE type, SIZE_T bytes, ULONG tag)
{
    owner.type = type;
    owner.bytes = bytes;
    owner.tag = tag;
    if (owner.raises)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    if (owner.refuses || owner.given == BLOCKS)
        return NULL;
    return owner.memory[owner.given++];
}

static void owner_free(PVOID block)
{
    owner.returned++;
    owner.last_returned = block;
}

static NPAGED_LOOKASIDE_LIST npaged, npaged_next;
static PAGED_LOOKASIDE_LIST paged, paged_next;

static void make_npaged(SIZE_T size, USHORT depth)
{
    memset(&owner, 0, sizeof owner);
    ExInitializeNPagedLookasideList(&npaged, owner_allocate, owner_free, 0, size, TAG, depth);
}

static void fields_lie_as_on_x64(void **state)
{
    static const struct {
        size_t offset, expected;
    } fields[] = {
        {offsetof(GENERAL_LOOKASIDE, ListHead), 0x00},
        {offsetof(GENERAL_LOOKASIDE, Depth), 0x10},
        {offsetof(GENERAL_LOOKASIDE, MaximumDepth), 0x12},
        {offsetof(GENERAL_LOOKASIDE, TotalAllocates), 0x14},
        {offsetof(GENERAL_LOOKASIDE, AllocateMisses), 0x18},
        {offsetof(GENERAL_LOOKASIDE, AllocateHits), 0x18},
        {offsetof(GENERAL_LOOKASIDE, TotalFrees), 0x1C},
        {offsetof(GENERAL_LOOKASIDE, FreeMisses), 0x20},
        {offsetof(GENERAL_LOOKASIDE, FreeHits), 0x20},
        {offsetof(GENERAL_LOOKASIDE, Type), 0x24},
        {offsetof(GENERAL_LOOKASIDE, Tag), 0x28},
        {offsetof(GENERAL_LOOKASIDE, Size), 0x2C},
        {offsetof(GENERAL_LOOKASIDE, Allocate), 0x30},
        {offsetof(GENERAL_LOOKASIDE, AllocateEx), 0x30},
        {offsetof(GENERAL_LOOKASIDE, Free), 0x38},
        {offsetof(GENERAL_LOOKASIDE, FreeEx), 0x38},
        {offsetof(GENERAL_LOOKASIDE, ListEntry), 0x40},
        {offsetof(GENERAL_LOOKASIDE, LastTotalAllocates), 0x50},
        {offsetof(GENERAL_LOOKASIDE, LastAllocateMisses), 0x54},
        {offsetof(GENERAL_LOOKASIDE, LastAllocateHits), 0x54},
        {offsetof(GENERAL_LOOKASIDE, Future), 0x58},
        {offsetof(NPAGED_LOOKASIDE_LIST, L), 0},
        {offsetof(PAGED_LOOKASIDE_LIST, L), 0},
        {offsetof(LOOKASIDE_LIST_EX, L), 0},
        {sizeof(GENERAL_LOOKASIDE_POOL), 0x60},
        {sizeof(GENERAL_LOOKASIDE), 0x80},
        {sizeof(LOOKASIDE_LIST_EX), 0x60},
        {_Alignof(LOOKASIDE_LIST_EX), 16},
        {LOOKASIDE_MINIMUM_BLOCK_SIZE, sizeof(PVOID)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        assert_int_equal(fields[i].offset, fields[i].expected);
}

static void a_new_list_is_empty_at_depth_4_of_256(void **state)
{
    (void)state;
    memset(&npaged, 0xa5, sizeof npaged);
    make_npaged(BLOCK, 0);
    assert_int_equal(ExQueryDepthSList(&npaged.L.ListHead), 0);
    assert_null(FirstEntrySList(&npaged.L.ListHead));
    assert_int_equal(npaged.L.Depth, 4);
    assert_int_equal(npaged.L.MaximumDepth, 256);
    assert_int_equal(npaged.L.TotalAllocates, 0);
    assert_int_equal(npaged.L.AllocateMisses, 0);
    assert_int_equal(npaged.L.TotalFrees, 0);
    assert_int_equal(npaged.L.FreeMisses, 0);
    assert_int_equal(npaged.L.LastTotalAllocates, 0);
    assert_int_equal(npaged.L.LastAllocateMisses, 0);
    assert_int_equal(npaged.L.Tag, TAG);
    assert_int_equal(npaged.L.Size, BLOCK);
    assert_ptr_equal(npaged.L.Allocate, owner_allocate);
    assert_ptr_equal(npaged.L.Free, owner_free);
    ExDeleteNPagedLookasideList(&npaged);
}

static void nothing_is_allocated_in_advance(void **state)
{
    (void)state;
    make_npaged(BLOCK, 0);
    assert_int_equal(owner.given, 0);
    ExDeleteNPagedLookasideList(&npaged);
    assert_int_equal(owner.returned, 0);
}

static void the_type_is_the_kind_and_the_flags(void **state)
{
    static const ULONG flags[] = {0, POOL_RAISE_IF_ALLOCATION_FAILURE, POOL_NX_ALLOCATION,
                                  POOL_RAISE_IF_ALLOCATION_FAILURE | POOL_NX_ALLOCATION};
    (void)state;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        memset(&owner, 0, sizeof owner);
        ExInitializeNPagedLookasideList(&npaged, owner_allocate, owner_free, flags[i], BLOCK, TAG,
                                        0);
        assert_int_equal(npaged.L.Type, NonPagedPool | flags[i]);
        assert_non_null(ExAllocateFromNPagedLookasideList(&npaged));
        assert_int_equal(owner.type, NonPagedPool | flags[i]);
        ExDeleteNPagedLookasideList(&npaged);
        ExInitializePagedLookasideList(&paged, owner_allocate, owner_free, flags[i], BLOCK, TAG, 0);
        assert_int_equal(paged.L.Type, PagedPool | flags[i]);
        assert_non_null(ExAllocateFromPagedLookasideList(&paged));
        assert_int_equal(owner.type, PagedPool | flags[i]);
        ExDeletePagedLookasideList(&paged);
    }
}

static SYSTEM_POOLTAG tag_row(ULONG tag)
{
    static SYSTEM_POOLTAG rows[512];
    ULONG n = PbQueryPoolTags(rows, 512);
    for (ULONG i = 0; i < n && i < 512; i++)
        if (rows[i].TagUlong == tag)
            return rows[i];
    return (SYSTEM_POOLTAG){.TagUlong = tag};
}

static void without_routines_the_pool_serves(void **state)
{
    const PALLOCATE_FUNCTION allocates = ExAllocatePoolWithTag;
    const PFREE_FUNCTION frees = ExFreePool;
    const ULONG tag = 0x31736b4c;
    LOOKASIDE_LIST_EX ex;
    (void)state;
    ExInitializeNPagedLookasideList(&npaged, NULL, NULL, 0, BLOCK, tag, 0);
    ExInitializePagedLookasideList(&paged, NULL, NULL, 0, BLOCK, tag, 0);
    assert_int_equal(ExInitializeLookasideListEx(&ex, NULL, NULL, PagedPool, 0, BLOCK, tag, 0),
                     STATUS_SUCCESS);
    assert_ptr_equal(npaged.L.Allocate, allocates);
    assert_ptr_equal(npaged.L.Free, frees);
    assert_ptr_equal(paged.L.Allocate, allocates);
    assert_ptr_equal(paged.L.Free, frees);
    assert_int_equal(tag_row(tag).NonPagedAllocs + tag_row(tag).PagedAllocs, 0);
    for (unsigned i = 0; i < 3; i++) {
        ExFreeToNPagedLookasideList(&npaged, ExAllocateFromNPagedLookasideList(&npaged));
        ExFreeToPagedLookasideList(&paged, ExAllocateFromPagedLookasideList(&paged));
        ExFreeToLookasideListEx(&ex, ExAllocateFromLookasideListEx(&ex));
    }
    assert_int_equal(tag_row(tag).NonPagedAllocs, 1);
    assert_int_equal(tag_row(tag).PagedAllocs, 2);
    assert_int_equal(tag_row(tag).NonPagedFrees + tag_row(tag).PagedFrees, 0);
    ExDeleteNPagedLookasideList(&npaged);
    ExDeletePagedLookasideList(&paged);
    ExDeleteLookasideListEx(&ex);
    assert_int_equal(tag_row(tag).NonPagedFrees, 1);
    assert_int_equal(tag_row(tag).PagedFrees, 2);
}

static void lists_of_a_kind_are_chained_in_order(void **state)
{
    LOOKASIDE_LIST_EX ex;
    (void)state;
    ExInitializeNPagedLookasideList(&npaged, NULL, NULL, 0, BLOCK, TAG, 0);
    ExInitializePagedLookasideList(&paged, NULL, NULL, 0, BLOCK, TAG, 0);
    ExInitializeNPagedLookasideList(&npaged_next, NULL, NULL, 0, BLOCK, TAG, 7);
    ExInitializePagedLookasideList(&paged_next, NULL, NULL, 0, BLOCK, TAG, 0);
    assert_int_equal(ExInitializeLookasideListEx(&ex, NULL, NULL, NonPagedPool, 0, BLOCK, TAG, 0),
                     STATUS_SUCCESS);
    assert_ptr_equal(npaged.L.ListEntry.Flink, &npaged_next.L.ListEntry);
    assert_ptr_equal(npaged_next.L.ListEntry.Flink, &ex.L.ListEntry);
    assert_ptr_equal(ex.L.ListEntry.Flink, npaged.L.ListEntry.Blink); /* the head */
    assert_ptr_equal(paged.L.ListEntry.Flink, &paged_next.L.ListEntry);
    assert_ptr_equal(paged_next.L.ListEntry.Flink, paged.L.ListEntry.Blink);
    ExDeleteNPagedLookasideList(&npaged_next);
    assert_ptr_equal(npaged.L.ListEntry.Flink, &ex.L.ListEntry);
    ExDeleteLookasideListEx(&ex);
    assert_ptr_equal(npaged.L.ListEntry.Flink, npaged.L.ListEntry.Blink);
    ExDeleteNPagedLookasideList(&npaged);
    ExDeletePagedLookasideList(&paged);
    assert_ptr_equal(paged_next.L.ListEntry.Flink, paged_next.L.ListEntry.Blink);
    ExDeletePagedLookasideList(&paged_next);
}

static void a_given_depth_is_the_list_s_for_good(void **state)
{
    PVOID blocks[BLOCKS];
    (void)state;
    make_npaged(BLOCK, 6);
    assert_int_equal(npaged.L.Depth, 6);
    assert_int_equal(npaged.L.MaximumDepth, 6);
    for (unsigned i = 0; i < BLOCKS; i++)
        blocks[i] = ExAllocateFromNPagedLookasideList(&npaged);
    for (unsigned i = 0; i < BLOCKS; i++)
        ExFreeToNPagedLookasideList(&npaged, blocks[i]);
    ExAdjustLookasideDepth();
    assert_int_equal(npaged.L.Depth, 6);
    assert_int_equal(owner.returned, BLOCKS - 6);
    ExDeleteNPagedLookasideList(&npaged);
    make_npaged(BLOCK, UINT16_MAX);
    assert_int_equal(npaged.L.Depth, 32768); /* half of what an SLIST counts */
    ExDeleteNPagedLookasideList(&npaged);
}

static void a_miss_calls_for_one_of_the_size_and_is_counted(void **state)
{
    (void)state;
    make_npaged(BLOCK, 0);
    PVOID block = ExAllocateFromNPagedLookasideList(&npaged);
    assert_ptr_equal(block, owner.memory[0]);
    assert_int_equal(owner.bytes, BLOCK);
    assert_int_equal(owner.tag, TAG);
    assert_int_equal(npaged.L.TotalAllocates, 1);
    assert_int_equal(npaged.L.AllocateMisses, 1);
    ExFreeToNPagedLookasideList(&npaged, block);
    assert_int_equal(npaged.L.TotalFrees, 1);
    assert_int_equal(npaged.L.FreeMisses, 0);
    assert_int_equal(ExQueryDepthSList(&npaged.L.ListHead), 1);
    assert_ptr_equal(ExAllocateFromNPagedLookasideList(&npaged), block);
    assert_int_equal(npaged.L.TotalAllocates, 2);
    assert_int_equal(npaged.L.AllocateMisses, 1);
    assert_int_equal(owner.given, 1);
    owner.refuses = true;
    assert_null(ExAllocateFromNPagedLookasideList(&npaged));
    assert_int_equal(npaged.L.TotalAllocates, 3);
    assert_int_equal(npaged.L.AllocateMisses, 2);
    ExDeleteNPagedLookasideList(&npaged);
}

static void a_free_at_the_depth_goes_back_and_is_counted(void **state)
{
    PVOID blocks[BLOCKS];
    (void)state;
    make_npaged(BLOCK, 0);
    for (unsigned i = 0; i < 6; i++)
        blocks[i] = ExAllocateFromNPagedLookasideList(&npaged);
    for (unsigned i = 0; i < 4; i++)
        ExFreeToNPagedLookasideList(&npaged, blocks[i]);
    assert_int_equal(owner.returned, 0);
    ExFreeToNPagedLookasideList(&npaged, blocks[4]);
    assert_int_equal(owner.returned, 1);
    assert_ptr_equal(owner.last_returned, blocks[4]);
    assert_int_equal(npaged.L.TotalFrees, 5);
    assert_int_equal(npaged.L.FreeMisses, 1);
    npaged.L.Depth = 5; /* the cap of the moment, as tuning moves it */
    ExFreeToNPagedLookasideList(&npaged, blocks[5]);
    assert_int_equal(owner.returned, 1);
    assert_int_equal(ExQueryDepthSList(&npaged.L.ListHead), 5);
    ExDeleteNPagedLookasideList(&npaged);
    assert_int_equal(owner.returned, 6);
}

static void entries_come_back_last_in_first_out_with_stale_data(void **state)
{
    unsigned char *blocks[4];
    (void)state;
    make_npaged(BLOCK, 0);
    for (unsigned i = 0; i < 4; i++) {
        blocks[i] = ExAllocateFromNPagedLookasideList(&npaged);
        memset(blocks[i], 'a' + (int)i, BLOCK);
    }
    for (unsigned i = 0; i < 4; i++)
        ExFreeToNPagedLookasideList(&npaged, blocks[i]);
    for (unsigned i = 4; i-- > 0;) {
        assert_ptr_equal(ExAllocateFromNPagedLookasideList(&npaged), blocks[i]);
        for (unsigned k = 16; k < BLOCK; k++)
            assert_int_equal(blocks[i][k], 'a' + (int)i);
    }
    assert_int_equal(owner.given, 4);
    ExDeleteNPagedLookasideList(&npaged);
}

static void a_free_build_writes_the_link_alone(void **state)
{
    (void)state;
    make_npaged(BLOCK, 0);
    unsigned char *block = ExAllocateFromNPagedLookasideList(&npaged);
    memset(block, 0x5a, BLOCK);
    ExFreeToNPagedLookasideList(&npaged, block);
    assert_ptr_equal(ExAllocateFromNPagedLookasideList(&npaged), block);
    for (unsigned k = sizeof(PVOID); k < BLOCK; k++)
        assert_int_equal(block[k], 0x5a);
    ExDeleteNPagedLookasideList(&npaged);
}

static void what_the_owner_raises_goes_through(void **state)
{
    volatile NTSTATUS status = STATUS_SUCCESS;
    (void)state;
    make_npaged(BLOCK, 0);
    owner.raises = true;
    PB_TRY
    {
        (void)ExAllocateFromNPagedLookasideList(&npaged);
    }
    PB_EXCEPT
    {
        status = PbGetExceptionCode();
    }
    PB_END_TRY
    assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(npaged.L.AllocateMisses, 1);
    owner.raises = false;
    assert_non_null(ExAllocateFromNPagedLookasideList(&npaged));
    ExDeleteNPagedLookasideList(&npaged);
}

static void delete_gives_all_back(void **state)
{
    PVOID blocks[3];
    (void)state;
    make_npaged(BLOCK, 0);
    for (unsigned i = 0; i < 3; i++)
        blocks[i] = ExAllocateFromNPagedLookasideList(&npaged);
    for (unsigned i = 0; i < 3; i++)
        ExFreeToNPagedLookasideList(&npaged, blocks[i]);
    ExDeleteNPagedLookasideList(&npaged);
    assert_int_equal(owner.returned, 3);
    assert_ptr_equal(owner.last_returned, blocks[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("C1: fields and sizes are those of x64", fields_lie_as_on_x64),
        nt_test("C2: counters are zero, Depth 4, MaximumDepth 256",
                a_new_list_is_empty_at_depth_4_of_256),
        nt_test("C2, H3: no entry is allocated in advance", nothing_is_allocated_in_advance),
        nt_test("C2: Type is the kind of pool and the flags", the_type_is_the_kind_and_the_flags),
        nt_test("C2: the defaults are ExAllocatePoolWithTag and ExFreePool",
                without_routines_the_pool_serves),
        nt_test("C2, C4: a list is appended to its kind's chain and leaves it when deleted",
                lists_of_a_kind_are_chained_in_order),
        nt_test("C2: a Depth above 0 is fixed", a_given_depth_is_the_list_s_for_good),
        nt_test("C3: a miss calls Allocate(Type, Size, Tag), whose NULL is returned",
                a_miss_calls_for_one_of_the_size_and_is_counted),
        nt_test("C3: a free that finds Depth entries calls Free",
                a_free_at_the_depth_goes_back_and_is_counted),
        nt_test("C3: LIFO; beyond the link the data is stale",
                entries_come_back_last_in_first_out_with_stale_data),
        nt_test_free("C3: one pointer-sized word is overwritten",
                     a_free_build_writes_the_link_alone),
        nt_test("C3: a status raised by Allocate leaves a sound list",
                what_the_owner_raises_goes_through),
        nt_test("C4: delete calls Free for each entry", delete_gives_all_back),
    };
    return cmocka_run_group_tests_name("lookaside lists", tests, NULL, NULL);
}
