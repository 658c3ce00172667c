/* SPDX-License-Identifier: MIT */
/* The audit in front of a heap that is sound, and of the same heap with one fault planted: each
 * must be caught, as what it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/rng.h"
#include "unit/audit_double.h"

static void a_sound_heap_passes(void **state)
{
    (void)state;
    enum { SLOTS = 200, STEPS = 5000 };
    struct pair p;
    struct pb_rng rng;
    void *blocks[SLOTS] = {NULL};
    size_t sizes[SLOTS];
    uint64_t live = 0, peak = 0, total = 0;
    pair_open(&p, 1, 1000);
    pb_rng_seed(&rng, 1, 0);
    for (unsigned i = 0; i < STEPS; i++) {
        size_t slot = pb_rng_below(&rng, SLOTS);
        if (blocks[slot] != NULL) {
            live -= sizes[slot];
            give(&p, blocks[slot], sizes[slot]);
            blocks[slot] = NULL;
        } else {
            sizes[slot] = 1 + pb_rng_below(&rng, 2000);
            blocks[slot] = take(&p, sizes[slot]);
            assert_non_null(blocks[slot]);
            memset(blocks[slot], 0x77, sizes[slot] < 8 ? sizes[slot] : 8); /* as a workload may */
            live += sizes[slot];
            total += sizes[slot];
            peak = live > peak ? live : peak;
        }
    }
    assert_int_equal(pair_result(&p)->fault, PB_FAULT_NONE);
    assert_int_equal(p.result.live_bytes, live);
    assert_int_equal(p.result.live_peak_bytes, peak);
    assert_int_equal(p.result.requested_total_bytes, total);
    assert_int_equal(p.result.allocs + p.result.frees, STEPS);
    for (size_t slot = 0; slot < SLOTS; slot++)
        if (blocks[slot] != NULL)
            give(&p, blocks[slot], sizes[slot]);
    assert_int_equal(pair_result(&p)->faults, 0);
    assert_int_equal(p.result.live_bytes, 0);
    assert_int_equal(p.result.allocs, p.result.frees);
    assert_int_equal(p.d.frees, p.result.frees);
    assert_string_equal(p.result.message, "");
    pair_close(&p);
}

static void every_planted_fault_is_caught_as_what_it_is(void **state)
{
    (void)state;
    static const struct {
        enum trick trick;
        enum pb_fault fault;
    } cases[] = {
        {NULL_ONCE, PB_FAULT_EXHAUSTED}, {TWICE, PB_FAULT_TWICE},
        {OVERLAP, PB_FAULT_TWICE},       {OVERLAP_END, PB_FAULT_TWICE},
        {OVERLAP_LOW, PB_FAULT_TWICE},   {MISALIGNED, PB_FAULT_MISALIGNED},
        {SCRIBBLE, PB_FAULT_CORRUPT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair p;
        void *blocks[20];
        pair_open(&p, 1, 7);
        p.d.stride = 96; /* room between the blocks */
        p.d.trick = cases[i].trick;
        p.d.trick_at = 11;
        for (unsigned k = 0; k < 20; k++)
            blocks[k] = take(&p, 64);
        for (unsigned k = 0; k < 20; k++) {
            assert_true((blocks[k] == NULL) == (cases[i].trick == NULL_ONCE && k == 10));
            if (blocks[k] != NULL)
                give(&p, blocks[k], 64);
        }
        assert_int_equal(pair_result(&p)->fault, cases[i].fault);
        assert_int_equal(p.result.faults, 1);
        assert_int_equal(p.result.live_bytes, 0); /* the workload went on to its end */
        assert_non_null(strstr(p.result.message, "64 bytes"));
        pair_close(&p);
    }
}

static size_t eight(const struct pb_heap *heap)
{
    (void)heap;
    return 8;
}

/* As pool of 32 bits does. */
static void a_heap_may_align_to_less_if_it_says_so(void **state)
{
    (void)state;
    struct pair p;
    struct pb_allocator narrow = full_ops;
    narrow.alignment = eight;
    pair_open(&p, 1, 7);
    p.d.head.ops = &narrow;
    p.d.trick = MISALIGNED; /* by 8 */
    p.d.trick_at = 1;
    assert_int_equal(pb_heap_alignment(pb_audit_heap(p.audit)), 8);
    void *block = take(&p, 64);
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % PB_ALIGNMENT, 8);
    give(&p, block, 64);
    assert_int_equal(pair_result(&p)->faults, 0);
    pair_close(&p);
}

static void a_block_handed_out_twice_is_given_back_once(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, 1, 100);
    p.d.trick = TWICE;
    p.d.trick_at = 2;
    void *first = take(&p, 64), *second = take(&p, 64);
    assert_ptr_equal(first, second);
    give(&p, second, 64);
    assert_int_equal(p.d.frees, 0);
    give(&p, first, 64);
    assert_int_equal(p.d.frees, 1);
    give(&p, first, 64); /* now it is one too many */
    assert_int_equal(p.d.frees, 1);
    assert_int_equal(pair_result(&p)->faults, 2);
    assert_int_equal(p.result.fault, PB_FAULT_TWICE); /* the first stays */
    pair_close(&p);
}

static void a_damaged_block_is_not_given_back(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, 1, 100);
    unsigned char *block = take(&p, 100);
    block[7] = 1; /* the workload's to write */
    block[99] ^= 0x80;
    give(&p, block, 100);
    assert_int_equal(pair_result(&p)->fault, PB_FAULT_CORRUPT);
    assert_non_null(strstr(p.result.message, "byte 99 of the 100 bytes"));
    assert_int_equal(p.d.frees, 0);
    pair_close(&p);
}

static void a_wrong_free_of_the_workload_is_unknown(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, 1, 100);
    unsigned char *block = take(&p, 64);
    give(&p, block + 16, 48);
    assert_int_equal(pair_result(&p)->fault, PB_FAULT_UNKNOWN);
    assert_int_equal(p.d.frees, 0);
    give(&p, block, 63);
    assert_int_equal(pair_result(&p)->faults, 2);
    assert_int_equal(p.d.last_freed_bytes, 64); /* the heap gets the size it gave */
    give(&p, block, 64);
    assert_int_equal(pair_result(&p)->faults, 3);
    pair_close(&p);
}

static void tiny_blocks_may_lie_side_by_side(void **state)
{
    (void)state;
    for (size_t bytes = 1; bytes <= 16; bytes++) {
        struct pair p;
        unsigned char *blocks[64];
        pair_open(&p, 1, 100);
        for (unsigned i = 0; i < 64; i++)
            blocks[i] = take(&p, bytes);
        for (unsigned i = 0; i < 64; i++)
            give(&p, blocks[i], bytes);
        assert_int_equal(pair_result(&p)->faults, 0);
        pair_close(&p);
    }
}

static void big_blocks_are_checked_to_their_last_byte(void **state)
{
    (void)state;
    struct pair p;
    size_t bytes = (3 << 20) + 5;
    pair_open(&p, 1, 100);
    unsigned char *block = take(&p, bytes), *next = take(&p, bytes);
    next[bytes - 1] ^= 1;
    give(&p, block, bytes);
    assert_int_equal(pair_result(&p)->faults, 0);
    give(&p, next, bytes);
    assert_int_equal(pair_result(&p)->fault, PB_FAULT_CORRUPT);
    pair_close(&p);
}

/* --- realloc, aligned ------------------------------------------------------------------------ */

static void only_what_the_heap_behind_can_do_is_there(void **state)
{
    (void)state;
    struct pair p;
    double_open(&p.d, 1 << 20);
    p.d.head.ops = &plain_ops;
    assert_int_equal(pb_audit_open(&p.d.head, 1, 10, &p.audit), 0);
    const struct pb_heap *heap = pb_audit_heap(p.audit);
    assert_null(heap->ops->realloc);
    assert_null(heap->ops->aligned);
    assert_ptr_equal(heap->hot->alloc, heap->alloc);
    pair_close(&p);
    pair_open(&p, 1, 10);
    assert_non_null(p.heap->ops->realloc);
    assert_non_null(p.heap->ops->aligned);
    pair_close(&p);
}

static void attach_detach_and_stats_reach_the_heap_behind(void **state)
{
    (void)state;
    struct pair p;
    struct pb_thread *thread;
    struct pb_heap_stats stats;
    pair_open(&p, 1, 10);
    assert_int_equal(p.heap->ops->attach(p.heap, 4, &thread), 0);
    assert_int_equal(p.d.attached, 5);
    p.heap->ops->detach(p.heap, thread);
    assert_int_equal(p.d.detached, 1);
    take(&p, 48);
    p.heap->ops->stats(p.heap, &stats);
    assert_int_equal(stats.held_bytes, 48);
    pair_close(&p);
}

static void *resize(struct pair *p, void *block, size_t old_bytes, size_t bytes)
{
    return p->heap->ops->realloc(p->heap, NULL, block, old_bytes, bytes);
}

static void a_sound_realloc_passes(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, 1, 10);
    void *block = take(&p, 100);
    void *moved = resize(&p, block, 100, 300);
    assert_ptr_not_equal(moved, block);
    assert_int_equal(pair_result(&p)->live_bytes, 300);
    assert_ptr_equal(resize(&p, moved, 300, 50), moved);
    assert_int_equal(pair_result(&p)->live_bytes, 50);
    give(&p, moved, 50);
    assert_int_equal(pair_result(&p)->faults, 0);
    assert_int_equal(p.result.live_bytes, 0);
    assert_int_equal(p.result.live_peak_bytes, 300);
    assert_int_equal(p.result.allocs, p.result.frees);
    pair_close(&p);
}

static void a_realloc_that_loses_bytes_is_caught(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, 1, 10);
    p.d.realloc_forgets = true;
    void *moved = resize(&p, take(&p, 100), 100, 300);
    assert_int_equal(pair_result(&p)->fault, PB_FAULT_CORRUPT);
    give(&p, moved, 300);
    assert_int_equal(pair_result(&p)->faults, 1);
    pair_close(&p);
}

static void a_realloc_that_fails_leaves_the_old_block(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, 1, 10);
    p.d.realloc_fails = true;
    void *block = take(&p, 100);
    assert_null(resize(&p, block, 100, 300));
    assert_int_equal(pair_result(&p)->fault, PB_FAULT_EXHAUSTED);
    assert_int_equal(p.result.live_bytes, 100);
    give(&p, block, 100);
    assert_int_equal(pair_result(&p)->faults, 1);
    assert_int_equal(p.result.allocs, p.result.frees);
    pair_close(&p);
}

static void a_damaged_block_is_resized_without_the_heap_behind(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, 1, 10);
    unsigned char *block = take(&p, 100);
    block[0] = 42;
    block[50] ^= 1;
    unsigned char *moved = resize(&p, block, 100, 300);
    assert_non_null(moved);
    assert_int_equal(moved[0], 42);
    assert_int_equal(pair_result(&p)->fault, PB_FAULT_CORRUPT);
    give(&p, moved, 300);
    assert_int_equal(pair_result(&p)->live_bytes, 0);
    assert_int_equal(p.result.allocs, p.result.frees);
    pair_close(&p);
}

static void an_aligned_block_must_be_aligned(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p, 1, 10);
    give(&p, p.heap->ops->aligned(p.heap, NULL, 4096, 100), 100);
    assert_int_equal(pair_result(&p)->faults, 0);
    p.d.trick = MISALIGNED;
    give(&p, p.heap->ops->aligned(p.heap, NULL, 4096, 100), 100);
    assert_int_equal(pair_result(&p)->fault, PB_FAULT_MISALIGNED);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_heap_passes),
        cmocka_unit_test(every_planted_fault_is_caught_as_what_it_is),
        cmocka_unit_test(a_heap_may_align_to_less_if_it_says_so),
        cmocka_unit_test(a_block_handed_out_twice_is_given_back_once),
        cmocka_unit_test(a_damaged_block_is_not_given_back),
        cmocka_unit_test(a_wrong_free_of_the_workload_is_unknown),
        cmocka_unit_test(tiny_blocks_may_lie_side_by_side),
        cmocka_unit_test(big_blocks_are_checked_to_their_last_byte),
        cmocka_unit_test(only_what_the_heap_behind_can_do_is_there),
        cmocka_unit_test(attach_detach_and_stats_reach_the_heap_behind),
        cmocka_unit_test(a_sound_realloc_passes),
        cmocka_unit_test(a_realloc_that_loses_bytes_is_caught),
        cmocka_unit_test(a_realloc_that_fails_leaves_the_old_block),
        cmocka_unit_test(a_damaged_block_is_resized_without_the_heap_behind),
        cmocka_unit_test(an_aligned_block_must_be_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
