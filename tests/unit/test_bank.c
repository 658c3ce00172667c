/* SPDX-License-Identifier: MIT */
/* The bank: classes, which heap serves what, counters, paths. Over the strategies that there are,
 * and over one of the test's own that has no compiled path.
 * Threads: one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "bank_hot.h"
#include "nt/colour.h"

#include <stdio.h>
#include <string.h>

/* A fixed-size strategy without a path: one block, static, and the size that it was opened for. */
struct plain_heap {
    struct pb_heap base;
    unsigned calls;
    _Alignas(16) unsigned char block[PB_BANK_LARGEST];
};
static struct plain_heap plain_heaps[PB_BANK_CLASSES];
static unsigned plain_opened, plain_fails_at = PB_BANK_CLASSES;

static void *plain_alloc(struct pb_heap *heap, struct pb_thread *thread, size_t bytes)
{
    struct plain_heap *plain = (struct plain_heap *)(void *)heap;
    (void)thread;
    plain->calls += bytes <= heap->block_bytes;
    return plain->block;
}

static void plain_free(struct pb_heap *heap, struct pb_thread *thread, void *block, size_t bytes)
{
    struct plain_heap *plain = (struct plain_heap *)(void *)heap;
    (void)thread, (void)bytes;
    plain->calls += block == plain->block;
}

static const struct pb_hot plain_hot = {"plain", plain_alloc, plain_free};
static const struct pb_option no_options[] = {{.type = PB_OPTION_END}};
static const struct pb_allocator plain_ops;

static int plain_open(const struct pb_heap_config *config, struct pb_heap **heap)
{
    if (plain_opened == plain_fails_at)
        return -12;
    struct plain_heap *plain = &plain_heaps[plain_opened++];
    plain->calls = 0;
    plain->base =
        (struct pb_heap){&plain_ops, &plain_hot, plain_alloc, plain_free, config->block_bytes};
    *heap = &plain->base;
    return 0;
}

static void plain_close(struct pb_heap *heap)
{
    (void)heap;
    plain_opened--;
}

static int plain_attach(struct pb_heap *heap, unsigned index, struct pb_thread **thread)
{
    (void)index;
    *thread = (struct pb_thread *)(void *)heap;
    return 0;
}

static void plain_detach(struct pb_heap *heap, struct pb_thread *thread)
{
    (void)heap, (void)thread;
}

static void plain_stats(struct pb_heap *heap, struct pb_heap_stats *stats)
{
    (void)heap, (void)stats;
}

static const struct pb_allocator plain_ops = {
    .name = "plain",
    .summary = "one block",
    .source = "the test",
    .options = no_options,
    .capabilities = PB_CAP_FIXED_SIZE,
    .open = plain_open,
    .close = plain_close,
    .attach = plain_attach,
    .detach = plain_detach,
    .stats = plain_stats,
};

static void open_bank(const char *text, struct pb_opened *opened, struct pb_thread **thread)
{
    static const struct pb_allocator *const more[] = {&plain_ops, NULL};
    struct pb_variant variant;
    struct pb_heap_request request = {0, 1, 0};
    char message[200] = "";
    pb_registry_extend(more);
    assert_int_equal(pb_variant_parse(text, &variant, message, sizeof message), 0);
    if (pb_variant_unavailable(&variant, 1, message, sizeof message))
        skip_because(message);
    assert_int_equal(pb_variant_open(&variant, &request, opened, message, sizeof message), 0);
    assert_int_equal(opened->heap->ops->attach(opened->heap, 0, thread), 0);
}

static void close_bank(struct pb_opened *opened, struct pb_thread *thread)
{
    char message[200] = "";
    assert_int_equal(opened->heap->ops->check(opened->heap, message, sizeof message), 0);
    opened->heap->ops->detach(opened->heap, thread);
    pb_variant_close(opened);
}

static struct pb_heap_stats stats_of(struct pb_heap *heap)
{
    struct pb_heap_stats stats;
    pb_stats_unknown(&stats);
    heap->ops->stats(heap, &stats);
    return stats;
}

static void classes_are_those_of_the_table(void **state)
{
    static const size_t classes[PB_BANK_CLASSES] = {
        16,  32,  48,  64,  80,  96,   112,  128,  160,  192,  224,  256,  320,  384,
        448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096};
    (void)state;
    for (unsigned i = 0; i < PB_BANK_CLASSES; i++) {
        assert_int_equal(pb_bank_class_bytes(i), classes[i]);
        assert_int_equal(pb_bank_class(classes[i]), i);
        if (i > 0)
            assert_int_equal(pb_bank_class(classes[i - 1] + 1), i);
    }
    assert_int_equal(pb_bank_class(1), 0);
    for (size_t bytes = 1; bytes <= PB_BANK_LARGEST; bytes++) {
        size_t class_bytes = pb_bank_class_bytes(pb_bank_class(bytes));
        assert_true(class_bytes >= bytes);
        assert_true(bytes <= 128 ? class_bytes - bytes <= 15 : class_bytes * 4 <= bytes * 5 + 4);
    }
}

static void the_states_of_the_classes_begin_in_different_cache_sets(void **state)
{
    (void)state;
    for (unsigned thread = 0; thread < 8; thread++) {
        unsigned used[PB_COLOURS] = {0};
        for (unsigned i = 0; i < PB_BANK_CLASSES; i++) {
            size_t colour = pb_colour(pb_bank_class_bytes(i), thread);
            assert_int_equal(colour % PB_COLOUR_STEP, 0);
            assert_in_range(colour, PB_COLOUR_FIRST, PB_COLOUR_ROOM - PB_COLOUR_STEP);
            assert_true(++used[(colour - PB_COLOUR_FIRST) / PB_COLOUR_STEP] <= 3);
        }
    }
}

static void every_size_goes_to_the_heap_of_its_class(void **state)
{
    struct pb_opened opened;
    struct pb_thread *thread;
    (void)state;
    open_bank("plain", &opened, &thread);
    assert_true(opened.banked);
    assert_ptr_equal(opened.heap->hot, &pb_hot_bank_table);
    for (size_t bytes = 1; bytes <= PB_BANK_LARGEST; bytes++) {
        struct plain_heap *expected = &plain_heaps[pb_bank_class(bytes)];
        unsigned calls = expected->calls;
        void *block = opened.heap->alloc(opened.heap, thread, bytes);
        assert_ptr_equal(block, expected->block);
        assert_ptr_equal(bank_table_alloc(opened.heap, thread, bytes), block);
        opened.heap->free(opened.heap, thread, block, bytes);
        bank_table_free(opened.heap, thread, block, bytes);
        assert_int_equal(expected->calls, calls + 4);
    }
    assert_int_equal(stats_of(opened.heap).fallthrough, 0);
    close_bank(&opened, thread);
    assert_int_equal(plain_opened, 0);
}

static void what_is_larger_falls_through_and_is_counted(void **state)
{
    struct pb_opened opened;
    struct pb_thread *thread;
    (void)state;
    open_bank("plain", &opened, &thread);
    unsigned char *block = opened.heap->alloc(opened.heap, thread, PB_BANK_LARGEST + 1);
    assert_non_null(block);
    memset(block, 1, PB_BANK_LARGEST + 1);
    assert_int_equal(stats_of(opened.heap).fallthrough, 1);
    assert_int_equal(stats_of(opened.larger).allocs, 1);
    opened.heap->free(opened.heap, thread, block, PB_BANK_LARGEST + 1);
    assert_int_equal(stats_of(opened.larger).frees, 1);
    opened.heap->ops->detach(opened.heap, thread);
    assert_int_equal(stats_of(opened.heap).fallthrough, 1); /* the thread's count stays */
    assert_int_equal(opened.heap->ops->attach(opened.heap, 0, &thread), 0);
    close_bank(&opened, thread);
}

static void a_class_that_cannot_be_opened_closes_the_others(void **state)
{
    struct pb_variant variant;
    struct pb_heap_request request = {0, 1, 0};
    struct pb_opened opened;
    char message[200] = "";
    static const struct pb_allocator *const more[] = {&plain_ops, NULL};
    (void)state;
    pb_registry_extend(more);
    assert_int_equal(pb_variant_parse("plain", &variant, message, sizeof message), 0);
    plain_fails_at = 20;
    assert_int_equal(pb_variant_open(&variant, &request, &opened, message, sizeof message), -12);
    plain_fails_at = PB_BANK_CLASSES;
    assert_int_equal(plain_opened, 0);
    assert_non_null(strstr(message, "plain"));
}

static void each_fixed_path_has_its_bank_path(void **state)
{
    static const struct {
        const char *variant;
        const struct pb_hot *hot;
    } cases[] = {
        {"null", &pb_hot_bank_null},
        {"floor:kind=lock", &pb_hot_bank_floor_lock},
        {"lookaside", &pb_hot_bank_lookaside_list},
        {"lookaside:scope=thread", &pb_hot_bank_lookaside_thread},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pb_opened opened;
        struct pb_thread *thread;
        open_bank(cases[i].variant, &opened, &thread);
        assert_ptr_equal(opened.heap->hot, cases[i].hot);
        assert_ptr_equal(opened.heap->alloc, cases[i].hot->alloc);
        void *block = opened.heap->alloc(opened.heap, thread, 100);
        assert_non_null(block);
        opened.heap->free(opened.heap, thread, block, 100);
        close_bank(&opened, thread);
    }
}

static void counts_are_sums_over_the_classes(void **state)
{
    struct pb_opened opened;
    struct pb_thread *thread;
    void *blocks[3];
    (void)state;
    open_bank("null", &opened, &thread);
    blocks[0] = opened.heap->alloc(opened.heap, thread, 10);
    blocks[1] = opened.heap->alloc(opened.heap, thread, 100);
    blocks[2] = opened.heap->alloc(opened.heap, thread, 129);
    struct pb_heap_stats stats = stats_of(opened.heap);
    assert_int_equal(stats.allocs, 3);
    assert_int_equal(stats.granted_bytes, 16 + 112 + 160);
    assert_int_equal(stats.requested_bytes, PB_STAT_UNKNOWN);
    opened.heap->free(opened.heap, thread, blocks[0], 10);
    opened.heap->free(opened.heap, thread, blocks[1], 100);
    opened.heap->free(opened.heap, thread, blocks[2], 129);
    assert_int_equal(stats_of(opened.heap).granted_bytes, 0);
    close_bank(&opened, thread);
}

static void a_shared_backing_is_counted_once(void **state)
{
    struct pb_opened opened;
    struct pb_thread *thread;
    (void)state;
    open_bank("lookaside:scope=thread", &opened, &thread);
    void *block = opened.heap->alloc(opened.heap, thread, 64);
    assert_ptr_not_equal(opened.backing, opened.larger);
    struct pb_heap_stats all = stats_of(opened.heap), behind = stats_of(opened.backing);
    struct pb_heap_stats larger = stats_of(opened.larger);
    assert_int_equal(all.held_bytes, behind.held_bytes + larger.held_bytes);
    assert_int_equal(all.os_calls, behind.os_calls + larger.os_calls);
    assert_int_equal(all.allocs, 1);
    assert_int_equal(all.misses, 1);
    opened.heap->free(opened.heap, thread, block, 64);
    assert_int_equal(stats_of(opened.heap).cached_bytes, 64);
    close_bank(&opened, thread);
}

static void realloc_stays_in_its_class_and_moves_between(void **state)
{
    struct pb_opened opened;
    struct pb_thread *thread;
    (void)state;
    open_bank("null", &opened, &thread);
    unsigned char *block = opened.heap->alloc(opened.heap, thread, 100);
    memset(block, 7, 100);
    assert_ptr_equal(opened.heap->ops->realloc(opened.heap, thread, block, 100, 112), block);
    assert_int_equal(stats_of(opened.heap).native_reallocs, 1);
    unsigned char *moved = opened.heap->ops->realloc(opened.heap, thread, block, 112, 5000);
    assert_ptr_not_equal(moved, block);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(moved[i], 7);
    moved = opened.heap->ops->realloc(opened.heap, thread, moved, 5000, 20);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(moved[i], 7);
    opened.heap->free(opened.heap, thread, moved, 20);
    assert_int_equal(stats_of(opened.heap).granted_bytes, 0);
    close_bank(&opened, thread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_those_of_the_table),
        cmocka_unit_test(the_states_of_the_classes_begin_in_different_cache_sets),
        cmocka_unit_test(every_size_goes_to_the_heap_of_its_class),
        cmocka_unit_test(what_is_larger_falls_through_and_is_counted),
        cmocka_unit_test(a_class_that_cannot_be_opened_closes_the_others),
        cmocka_unit_test(each_fixed_path_has_its_bank_path),
        cmocka_unit_test(counts_are_sums_over_the_classes),
        cmocka_unit_test(a_shared_backing_is_counted_once),
        cmocka_unit_test(realloc_stays_in_its_class_and_moves_between),
    };
    return cmocka_run_group_tests_name("bank", tests, NULL, NULL);
}
