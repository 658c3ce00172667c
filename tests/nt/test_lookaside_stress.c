/* SPDX-License-Identifier: MIT */
/* Section C under threads: blocks are stamped by who has them, so that one that is lost, or that
 * two have at once, is seen; depths are adjusted meanwhile, and blocks beyond them unmapped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include <poolbench/nt/lookaside.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

enum { THREADS = 4, STEPS = 1500, BURST = 6, PAGE = 4096, ADJUSTER = THREADS - 1 };

/* A page is a block; the words after link and mark are the owner's. */
struct block {
    SLIST_ENTRY link;
    _Atomic uint64_t owner; /* thread + 1; 0: nobody's */
    uint64_t stamp;
};

static struct {
    _Atomic long live, allocated;
    _Atomic unsigned doubled, lost; /* had by two; changed under its owner */
    NPAGED_LOOKASIDE_LIST npaged;
    LOOKASIDE_LIST_EX ex;
} shared;

static PVOID map_block(POOL_TYPE type, SIZE_T bytes, ULONG tag)
{
    (void)type, (void)bytes, (void)tag;
    void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    atomic_fetch_add(&shared.live, 1);
    atomic_fetch_add(&shared.allocated, 1);
    return at;
}

static void unmap_block(PVOID block)
{
    munmap(block, PAGE);
    atomic_fetch_sub(&shared.live, 1);
}

static PVOID map_block_ex(POOL_TYPE type, SIZE_T bytes, ULONG tag, PLOOKASIDE_LIST_EX list)
{
    (void)list;
    return map_block(type, bytes, tag);
}

static void unmap_block_ex(PVOID block, PLOOKASIDE_LIST_EX list)
{
    (void)list;
    unmap_block(block);
}

static struct block *take(bool ex)
{
    return ex ? ExAllocateFromLookasideListEx(&shared.ex)
              : ExAllocateFromNPagedLookasideList(&shared.npaged);
}

static void give(bool ex, struct block *block)
{
    if (ex)
        ExFreeToLookasideListEx(&shared.ex, block);
    else
        ExFreeToNPagedLookasideList(&shared.npaged, block);
}

/* Takes a burst from the two lists in turn, and gives it back. */
static void burst(unsigned index, unsigned step)
{
    struct block *blocks[BURST];
    for (unsigned i = 0; i < BURST; i++) {
        blocks[i] = take(i % 2 != 0);
        if (blocks[i] == NULL)
            continue;
        /* relaxed: the lists order what their entries hold */
        if (atomic_exchange_explicit(&blocks[i]->owner, index + 1, memory_order_relaxed) != 0)
            atomic_fetch_add(&shared.doubled, 1);
        blocks[i]->stamp = (uint64_t)step << 8 | i;
    }
    for (unsigned i = 0; i < BURST; i++) {
        if (blocks[i] == NULL)
            continue;
        if (blocks[i]->stamp != ((uint64_t)step << 8 | i) ||
            atomic_exchange_explicit(&blocks[i]->owner, 0, memory_order_relaxed) != index + 1)
            atomic_fetch_add(&shared.lost, 1);
        give(i % 2 != 0, blocks[i]);
    }
}

static void work(void *unused, unsigned index)
{
    (void)unused;
    for (unsigned step = 0; step < STEPS; step++) {
        burst(index, step);
        if (index == ADJUSTER && step % 16 == 0)
            ExAdjustLookasideDepth();
        if (index == ADJUSTER && step % 64 == 0)
            ExFlushLookasideListEx(&shared.ex);
    }
}

static void run_stress(void)
{
    ExInitializeNPagedLookasideList(&shared.npaged, map_block, unmap_block, 0, PAGE, 0, 0);
    assert_int_equal(ExInitializeLookasideListEx(&shared.ex, map_block_ex, unmap_block_ex,
                                                 NonPagedPool, 0, PAGE, 0, 3),
                     STATUS_SUCCESS);
    nt_run_threads(THREADS, work, NULL);
    assert_int_equal(shared.doubled, 0);
    assert_int_equal(shared.lost, 0);
    /* What is not in the lists went back. */
    assert_int_equal(shared.live, ExQueryDepthSList(&shared.npaged.L.ListHead) +
                                      ExQueryDepthSList(&shared.ex.L.ListHead));
    assert_true(ExQueryDepthSList(&shared.ex.L.ListHead) <= 3 + THREADS);
    /* Counts may be lost, none is invented. */
    assert_true(shared.npaged.L.TotalAllocates <= THREADS * STEPS * BURST / 2);
    assert_true(shared.npaged.L.TotalAllocates > 0);
    ExDeleteNPagedLookasideList(&shared.npaged);
    ExDeleteLookasideListEx(&shared.ex);
    assert_int_equal(shared.live, 0);
    assert_true(shared.allocated > 0);
}

static void no_block_is_lost_or_doubled(void **state)
{
    (void)state;
    run_stress();
}

static _Atomic unsigned adjusting;

/* Makes, uses and deletes lists of its own, of each kind, while the last thread adjusts all that
 * there are. */
static void make_and_delete(void *unused, unsigned index)
{
    NPAGED_LOOKASIDE_LIST npaged;
    PAGED_LOOKASIDE_LIST paged;
    (void)unused;
    while (index == ADJUSTER && atomic_load(&adjusting) != 0)
        ExAdjustLookasideDepth();
    for (unsigned i = 0; index != ADJUSTER && i < STEPS / 4; i++) {
        ExInitializeNPagedLookasideList(&npaged, map_block, unmap_block, 0, PAGE, 0, 0);
        ExInitializePagedLookasideList(&paged, map_block, unmap_block, 0, PAGE, 0, 0);
        for (unsigned k = 0; k < 8; k++) {
            ExFreeToNPagedLookasideList(&npaged, ExAllocateFromNPagedLookasideList(&npaged));
            ExFreeToPagedLookasideList(&paged, ExAllocateFromPagedLookasideList(&paged));
        }
        ExDeleteNPagedLookasideList(&npaged);
        ExDeletePagedLookasideList(&paged);
        /* who still adjusted it would be seen */
        atomic_fetch_add(&shared.lost, npaged.L.Depth < 4 || paged.L.Depth < 4);
        memset(&npaged, 0xA5, sizeof npaged);
        memset(&paged, 0xA5, sizeof paged);
    }
    if (index != ADJUSTER)
        atomic_fetch_sub(&adjusting, 1);
}

static void lists_come_and_go_while_all_are_adjusted(void **state)
{
    (void)state;
    atomic_store(&adjusting, ADJUSTER);
    nt_run_threads(THREADS, make_and_delete, NULL);
    assert_int_equal(shared.lost, 0);
    assert_int_equal(shared.live, 0);
}

/* The check's own test: a double free on a free build is seen by the stamps. */
static void a_block_that_two_have_is_seen(void **state)
{
    (void)state;
    ExInitializeNPagedLookasideList(&shared.npaged, map_block, unmap_block, 0, PAGE, 0, 0);
    struct block *block = take(false);
    give(false, block);
    give(false, block);
    struct block *one = take(false), *two = take(false);
    assert_ptr_equal(one, two);
    assert_int_equal(atomic_exchange(&one->owner, 1), 0);
    assert_int_not_equal(atomic_exchange(&two->owner, 2), 0);
    ExInitializeSListHead(&shared.npaged.L.ListHead);
    ExDeleteNPagedLookasideList(&shared.npaged);
    unmap_block(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        nt_test("C3: four threads in checked mode lose and double no entry",
                no_block_is_lost_or_doubled),
        nt_test_free("C3: nor on a free build", no_block_is_lost_or_doubled),
        nt_test("C5: lists are made and deleted while all are adjusted",
                lists_come_and_go_while_all_are_adjusted),
        nt_test_free("C3: the stamps tell when two have one block", a_block_that_two_have_is_seen),
    };
    return cmocka_run_group_tests_name("lookaside stress", tests, NULL, NULL);
}
