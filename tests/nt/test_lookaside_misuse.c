/* SPDX-License-Identifier: MIT */
/* Section C, lookaside lists used wrongly: above their level (C7), misaligned, freed twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include <poolbench/nt/lookaside.h>
#include <poolbench/nt/status.h>

#include <string.h>

enum { BLOCKS = 8, BLOCK = 64, TAG = 0x6b6f6f4c };

/* An owner's memory: blocks given out in order, and how many came back. */
static struct {
    _Alignas(16) unsigned char memory[BLOCKS][BLOCK];
    unsigned given, returned;
} owner;

static PVOID owner_allocate(POOL_TYPE type, SIZE_T bytes, ULONG tag)
{
    (void)type, (void)bytes, (void)tag;
    return owner.given < BLOCKS ? owner.memory[owner.given++] : NULL;
}

static void owner_free(PVOID block)
{
    (void)block;
    owner.returned++;
}

static PVOID owner_allocate_ex(POOL_TYPE type, SIZE_T bytes, ULONG tag, PLOOKASIDE_LIST_EX list)
{
    (void)list;
    return owner_allocate(type, bytes, tag);
}

static void owner_free_ex(PVOID block, PLOOKASIDE_LIST_EX list)
{
    (void)list;
    owner_free(block);
}

static NPAGED_LOOKASIDE_LIST npaged;
static PAGED_LOOKASIDE_LIST paged;
static LOOKASIDE_LIST_EX ex;

static void make_npaged(SIZE_T size)
{
    memset(&owner, 0, sizeof owner);
    ExInitializeNPagedLookasideList(&npaged, owner_allocate, owner_free, 0, size, TAG, 0);
}

/* The calls of a kind of list, for the table of levels. */
static NTSTATUS ex_status;

static void npaged_init(void)
{
    ExInitializeNPagedLookasideList(&npaged, owner_allocate, owner_free, 0, BLOCK, TAG, 0);
}

static void paged_init(void)
{
    ExInitializePagedLookasideList(&paged, owner_allocate, owner_free, 0, BLOCK, TAG, 0);
}

static void ex_init_type(POOL_TYPE type)
{
    ex_status =
        ExInitializeLookasideListEx(&ex, owner_allocate_ex, owner_free_ex, type, 0, BLOCK, TAG, 0);
}

static void ex_init(void)
{
    ex_init_type(NonPagedPool);
}

static void ex_paged_init(void)
{
    ex_init_type(PagedPool);
}

static PVOID npaged_take(void)
{
    return ExAllocateFromNPagedLookasideList(&npaged);
}

static PVOID paged_take(void)
{
    return ExAllocateFromPagedLookasideList(&paged);
}

static PVOID ex_take(void)
{
    return ExAllocateFromLookasideListEx(&ex);
}

static void npaged_give(PVOID block)
{
    ExFreeToNPagedLookasideList(&npaged, block);
}

static void paged_give(PVOID block)
{
    ExFreeToPagedLookasideList(&paged, block);
}

static void ex_give(PVOID block)
{
    ExFreeToLookasideListEx(&ex, block);
}

static void npaged_end(void)
{
    ExDeleteNPagedLookasideList(&npaged);
}

static void paged_end(void)
{
    ExDeletePagedLookasideList(&paged);
}

static void ex_end(void)
{
    ExDeleteLookasideListEx(&ex);
}

static const struct kind {
    void (*init)(void);
    PVOID (*take)(void);
    void (*give)(PVOID);
    void (*end)(void);
    const void *list;
    PSLIST_HEADER head;
    KIRQL most;
} kinds[] = {
    {npaged_init, npaged_take, npaged_give, npaged_end, &npaged, &npaged.L.ListHead,
     DISPATCH_LEVEL},
    {paged_init, paged_take, paged_give, paged_end, &paged, &paged.L.ListHead, APC_LEVEL},
    {ex_init, ex_take, ex_give, ex_end, &ex, &ex.L.ListHead, DISPATCH_LEVEL},
    {ex_paged_init, ex_take, ex_give, ex_end, &ex, &ex.L.ListHead, APC_LEVEL},
};

static void each_call_may_be_made_at_the_highest_level(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct kind *kind = &kinds[i];
        KIRQL before;
        memset(&owner, 0, sizeof owner);
        KeRaiseIrql(kind->most, &before);
        kind->init();
        PVOID block = kind->take();
        assert_non_null(block);
        kind->give(block);
        kind->end();
        KeLowerIrql(before);
        assert_int_equal(owner.returned, 1);
    }
}

static void each_call_above_it_is_a_bugcheck_and_does_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct kind *kind = &kinds[i];
        PVOID block, none = &owner;
        KIRQL before;
        memset(&owner, 0, sizeof owner);
        kind->init();
        block = kind->take();
        KeRaiseIrql((KIRQL)(kind->most + 1), &before);
        expect_bugcheck(none = kind->take(), IRQL_NOT_LESS_OR_EQUAL, kind->list);
        assert_int_equal(nt_seen.p[1], kind->most + 1);
        assert_null(none);
        expect_bugcheck(kind->give(block), IRQL_NOT_LESS_OR_EQUAL, kind->list);
        expect_bugcheck(kind->init(), IRQL_NOT_LESS_OR_EQUAL, kind->list);
        expect_bugcheck(kind->end(), IRQL_NOT_LESS_OR_EQUAL, kind->list);
        KeLowerIrql(before);
        assert_int_equal(ExQueryDepthSList(kind->head), 0);
        kind->give(block);
        kind->end();
        assert_int_equal(owner.returned, 1);
    }
    assert_int_equal(ex_status, STATUS_UNSUCCESSFUL);
}

static void flush_has_a_level_too(void **state)
{
    KIRQL before;
    (void)state;
    ex_paged_init();
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    expect_bugcheck(ExFlushLookasideListEx(&ex), IRQL_NOT_LESS_OR_EQUAL, &ex);
    KeLowerIrql(before);
    ex_end();
}

static void a_free_build_does_not_ask(void **state)
{
    KIRQL before;
    (void)state;
    memset(&owner, 0, sizeof owner);
    paged_init();
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    paged_give(paged_take());
    KeLowerIrql(before);
    paged_end();
    assert_int_equal(owner.returned, 1);
}

/* What the call raises; STATUS_SUCCESS if nothing. */
static NTSTATUS raised_by(void (*call)(void))
{
    volatile NTSTATUS status = STATUS_SUCCESS;
    PB_TRY
    {
        call();
    }
    PB_EXCEPT
    {
        status = PbGetExceptionCode();
    }
    PB_END_TRY
    return status;
}

static _Alignas(16) unsigned char room[sizeof(NPAGED_LOOKASIDE_LIST) + 16];

static void make_npaged_askew(void)
{
    ExInitializeNPagedLookasideList((PNPAGED_LOOKASIDE_LIST)(uintptr_t)(room + 8), NULL, NULL, 0,
                                    BLOCK, TAG, 0);
}

static void make_paged_askew(void)
{
    ExInitializePagedLookasideList((PPAGED_LOOKASIDE_LIST)(uintptr_t)(room + 8), NULL, NULL, 0,
                                   BLOCK, TAG, 0);
}

static void make_ex_askew(void)
{
    (void)ExInitializeLookasideListEx((PLOOKASIDE_LIST_EX)(uintptr_t)(room + 8), NULL, NULL,
                                      NonPagedPool, 0, BLOCK, TAG, 0);
}

static void free_npaged_askew(void)
{
    npaged_give(owner.memory[0] + 8);
}

static void free_paged_askew(void)
{
    paged_give(owner.memory[0] + 8);
}

static void free_ex_askew(void)
{
    ex_give(owner.memory[0] + 8);
}

static void what_is_not_aligned_raises(void **state)
{
    static void (*const makes[])(void) = {make_npaged_askew, make_paged_askew, make_ex_askew};
    static void (*const frees[])(void) = {free_npaged_askew, free_paged_askew, free_ex_askew};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(raised_by(makes[i]), STATUS_DATATYPE_MISALIGNMENT);
        kinds[i].init();
        assert_int_equal(raised_by(frees[i]), STATUS_DATATYPE_MISALIGNMENT);
        assert_int_equal(ExQueryDepthSList(kinds[i].head), 0);
        kinds[i].end();
    }
}

static void a_list_is_at_home_on_16_bytes(void **state)
{
    _Alignas(128) static unsigned char memory[128 + 16 + sizeof(NPAGED_LOOKASIDE_LIST)];
    PNPAGED_LOOKASIDE_LIST list = (PNPAGED_LOOKASIDE_LIST)(uintptr_t)(memory + 16);
    (void)state;
    memset(&owner, 0, sizeof owner);
    ExInitializeNPagedLookasideList(list, owner_allocate, owner_free, 0, BLOCK, TAG, 0);
    ExFreeToNPagedLookasideList(list, ExAllocateFromNPagedLookasideList(list));
    ExAdjustLookasideDepth();
    ExDeleteNPagedLookasideList(list);
    assert_int_equal(owner.returned, 1);
}

/* With room for a mark in the entry, and without. */
static const SIZE_T sizes[] = {BLOCK, 16, 8};

static void a_cached_entry_freed_again_is_found_wherever_it_lies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        PVOID blocks[4];
        make_npaged(sizes[i]);
        for (unsigned k = 0; k < 4; k++)
            blocks[k] = npaged_take();
        for (unsigned k = 0; k < 4; k++) {
            npaged_give(blocks[k]);
            for (unsigned again = 0; again <= k; again++) {
                expect_bugcheck(npaged_give(blocks[again]), DRIVER_VERIFIER_DETECTED_VIOLATION,
                                BAD_CALLER_DOUBLE_FREE);
                assert_int_equal(nt_seen.p[1], (ULONG_PTR)&npaged);
                assert_int_equal(nt_seen.p[2], TAG);
                assert_int_equal(nt_seen.p[3], (ULONG_PTR)blocks[again]);
            }
            assert_int_equal(ExQueryDepthSList(&npaged.L.ListHead), k + 1);
            assert_int_equal(npaged.L.TotalFrees, k + 1);
        }
        npaged_end();
        assert_int_equal(owner.returned, 4);
    }
}

static void an_owner_s_data_is_never_taken_for_a_second_free(void **state)
{
    (void)state;
    make_npaged(BLOCK);
    PVOID a = npaged_take(), b = npaged_take();
    unsigned char cached[BLOCK];
    npaged_give(a);
    memcpy(cached, a, BLOCK);
    memcpy(b, cached, BLOCK); /* with link and mark, as it lies in the list */
    npaged_give(b);
    assert_ptr_equal(npaged_take(), b);
    assert_ptr_equal(npaged_take(), a);
    memcpy(a, cached, BLOCK);
    npaged_give(a);
    npaged_give(b);
    npaged_end();
    assert_int_equal(owner.returned, 2);
}

static void a_free_build_pushes_it_twice(void **state)
{
    (void)state;
    make_npaged(BLOCK);
    PVOID block = npaged_take();
    npaged_give(block);
    npaged_give(block);
    assert_int_equal(ExQueryDepthSList(&npaged.L.ListHead), 2);
    assert_ptr_equal(npaged_take(), block);
    assert_ptr_equal(npaged_take(), block); /* for ever: the list is a ring */
    ExInitializeSListHead(&npaged.L.ListHead);
    npaged_end();
}

static void a_size_below_a_pointer_s_is_a_pointer_s(void **state)
{
    (void)state;
    make_npaged(1);
    assert_int_equal(npaged.L.Size, LOOKASIDE_MINIMUM_BLOCK_SIZE);
    npaged_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("C7: nonpaged lists up to DISPATCH_LEVEL, paged ones up to APC_LEVEL",
                each_call_may_be_made_at_the_highest_level),
        nt_test("C7: a call above that is IRQL_NOT_LESS_OR_EQUAL and does nothing",
                each_call_above_it_is_a_bugcheck_and_does_nothing),
        nt_test("C7: a flush of paged entries is made up to APC_LEVEL", flush_has_a_level_too),
        nt_test_free("C7: a free build checks no level", a_free_build_does_not_ask),
        nt_test("C2, D: a list or an entry not aligned to 16 raises", what_is_not_aligned_raises),
        nt_test("C2: 16 is all the alignment that a list needs", a_list_is_at_home_on_16_bytes),
        nt_test("C2: the minimum block size is a pointer's",
                a_size_below_a_pointer_s_is_a_pointer_s),
        nt_test("A15: checked mode finds a double free of a cached entry",
                a_cached_entry_freed_again_is_found_wherever_it_lies),
        nt_test("A15: data that looks like a cached entry is no double free",
                an_owner_s_data_is_never_taken_for_a_second_free),
        nt_test_free("A15: a free build does not find it, and the list becomes cyclic",
                     a_free_build_pushes_it_twice),
    };
    return cmocka_run_group_tests_name("lookaside misuse", tests, NULL, NULL);
}
