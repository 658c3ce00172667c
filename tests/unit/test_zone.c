/* SPDX-License-Identifier: MIT */
/* Zones: the documented vectors and return values; the strategy over every lock kind, its growth,
 * its checker and its failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "option.h"
#include "refuse.h"
#include "zone/hot.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { SEGMENT = 4096, BLOCKS_MOST = 4096 };

static _Alignas(4096) unsigned char segment[SEGMENT];
static _Alignas(4096) unsigned char more[SEGMENT];
static const char *const kinds[] = {PB_LOCK_KINDS(PB_LOCK_CHOICE) NULL};

static void a_segment_of_4096_yields_the_documented_counts(void **state)
{
    (void)state;
    static const struct {
        ULONG block, count, tail;
    } vectors[] = {{16, 255, 0}, {24, 170, 0}, {64, 63, 48}, {256, 15, 240}, {2048, 1, 2032}};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        ZONE_HEADER zone;
        ULONG block = vectors[i].block;
        assert_int_equal(ExInitializeZone(&zone, block, segment, SEGMENT), STATUS_SUCCESS);
        assert_int_equal(zone.TotalSegmentSize, SEGMENT - vectors[i].tail);
        for (ULONG left = vectors[i].count; left > 0; left--) /* the highest block first */
            assert_ptr_equal(ExAllocateFromZone(&zone), segment + 16 + (left - 1) * block);
        assert_null(ExAllocateFromZone(&zone));
    }
}

static void a_block_as_long_as_the_segment_is_no_error(void **state)
{
    (void)state;
    ZONE_HEADER zone;
    assert_int_equal(ExInitializeZone(&zone, SEGMENT, segment, SEGMENT), STATUS_SUCCESS);
    assert_int_equal(zone.TotalSegmentSize, 16);
    assert_true(ExIsFullZone(&zone));
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    static const struct {
        ULONG block;
        size_t offset;
        ULONG size;
    } bad[] = {{64, 4, 4000}, {60, 0, SEGMENT}, {0, 0, SEGMENT}, {4104, 0, SEGMENT}, {8, 0, 8}};
    ZONE_HEADER zone;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(
            ExInitializeZone(&zone, bad[i].block, segment + bad[i].offset, bad[i].size),
            STATUS_INVALID_PARAMETER);
    assert_int_equal(ExInitializeZone(&zone, 64, segment, SEGMENT), STATUS_SUCCESS);
    const ZONE_HEADER before = zone;
    assert_int_equal(ExExtendZone(&zone, more + 4, SEGMENT - 8), STATUS_INVALID_PARAMETER);
    assert_int_equal(ExExtendZone(&zone, more, 56), STATUS_INVALID_PARAMETER);
    assert_memory_equal(&zone, &before, sizeof zone);
}

static void freeing_returns_the_block_that_was_first_before(void **state)
{
    (void)state;
    ZONE_HEADER zone;
    assert_int_equal(ExInitializeZone(&zone, 2000, segment, SEGMENT), STATUS_SUCCESS);
    PVOID high = ExAllocateFromZone(&zone);
    assert_false(ExIsFullZone(&zone));
    PVOID low = ExAllocateFromZone(&zone);
    assert_true(ExIsFullZone(&zone));
    assert_null(ExFreeToZone(&zone, high)); /* was empty: a waiter could be woken */
    assert_ptr_equal(ExFreeToZone(&zone, low), high);
    assert_ptr_equal(ExAllocateFromZone(&zone), low);
    assert_ptr_equal(ExAllocateFromZone(&zone), high);
}

static void extending_adds_lengths_and_moves_the_first_segment(void **state)
{
    (void)state;
    ZONE_HEADER zone;
    assert_int_equal(ExInitializeZone(&zone, 64, segment, SEGMENT), STATUS_SUCCESS);
    assert_true(ExIsObjectInFirstZoneSegment(&zone, segment));
    assert_true(ExIsObjectInFirstZoneSegment(&zone, segment + 4047));
    assert_false(ExIsObjectInFirstZoneSegment(&zone, segment + 4048));
    assert_int_equal(ExExtendZone(&zone, more, SEGMENT), STATUS_SUCCESS);
    assert_int_equal(zone.TotalSegmentSize, 2 * 4048);
    assert_ptr_equal(zone.SegmentList.Next, more);
    assert_ptr_equal(zone.SegmentList.Next->Next, segment);
    assert_true(ExIsObjectInFirstZoneSegment(&zone, more)); /* the newest, as documented */
    for (unsigned i = 0; i < 2 * 63; i++)
        assert_non_null(ExAllocateFromZone(&zone));
    assert_null(ExAllocateFromZone(&zone));
}

/* An open zone of the strategy. */
struct fixture {
    struct pb_heap *heap;
    struct pb_thread *thread;
    _Alignas(16) unsigned char options[256];
};

static int fixture_try(struct fixture *f, const char *options, size_t block, unsigned threads,
                       size_t expected)
{
    char message[200];
    memset(f, 0, sizeof *f);
    assert_true(pb_allocator_zone.option_bytes <= sizeof f->options);
    assert_int_equal(pb_option_defaults(pb_allocator_zone.options, f->options), 0);
    assert_int_equal(
        pb_option_parse(pb_allocator_zone.options, f->options, options, message, sizeof message),
        0);
    const struct pb_heap_config config = {.options = f->options,
                                          .block_bytes = block,
                                          .threads = threads,
                                          .expected_blocks = expected};
    return pb_allocator_zone.open(&config, &f->heap);
}

static void fixture_open(struct fixture *f, const char *options, size_t block, unsigned threads,
                         size_t expected)
{
    assert_int_equal(fixture_try(f, options, block, threads, expected), 0);
    assert_int_equal(pb_allocator_zone.attach(f->heap, 0, &f->thread), 0);
}

static void fixture_close(struct fixture *f)
{
    pb_allocator_zone.detach(f->heap, f->thread);
    pb_allocator_zone.close(f->heap);
    assert_int_equal(refuse_state.reserved, 0);
}

static struct pb_heap_stats fixture_stats(const struct fixture *f)
{
    struct pb_heap_stats stats;
    memset(&stats, 0, sizeof stats);
    pb_allocator_zone.stats(f->heap, &stats);
    return stats;
}

static void check_sound(const struct fixture *f)
{
    char message[200] = "";
    int error = pb_allocator_zone.check(f->heap, message, sizeof message);
    assert_string_equal(message, "");
    assert_int_equal(error, 0);
}

static void every_kind_serves_aligned_distinct_blocks_and_grows(void **state)
{
    (void)state;
    static unsigned char *blocks[BLOCKS_MOST];
    for (size_t kind = 0; kinds[kind] != NULL; kind++) {
        struct fixture f;
        char options[64];
        snprintf(options, sizeof options, "lock=%s,segment=4096", kinds[kind]);
        fixture_open(&f, options, 40, 1, 0);
        assert_string_equal(f.heap->hot->name + 5, kinds[kind]);
        for (size_t i = 0; i < 300; i++) { /* 85 blocks of 48 bytes a segment */
            blocks[i] = f.heap->alloc(f.heap, f.thread, 40);
            assert_non_null(blocks[i]);
            assert_int_equal((uintptr_t)blocks[i] % 16, 0);
            memset(blocks[i], (int)i, 40);
        }
        check_sound(&f);
        struct pb_heap_stats stats = fixture_stats(&f);
        assert_int_equal(stats.refills, 4);
        assert_int_equal(stats.held_bytes, 4 * SEGMENT);
        assert_int_equal(stats.allocs, 300);
        assert_int_equal(stats.requested_bytes, 300 * 40);
        assert_int_equal(stats.granted_bytes, 300 * 48);
        assert_int_equal(stats.lock_acquisitions, kind == PB_LOCK_none ? 0 : 300);
        for (size_t i = 0; i < 300; i++) {
            assert_int_equal(blocks[i][39], (unsigned char)i);
            f.heap->free(f.heap, f.thread, blocks[i], 40);
        }
        check_sound(&f);
        stats = fixture_stats(&f);
        assert_int_equal(stats.frees, 300);
        assert_int_equal(stats.requested_bytes, 0);
        assert_int_equal(stats.granted_bytes, 0);
        assert_int_equal(stats.held_bytes, 4 * SEGMENT); /* never shrinks */
        assert_int_equal(stats.lock_acquisitions, kind == PB_LOCK_none ? 0 : 600);
        fixture_close(&f);
    }
}

static void the_first_segment_holds_what_is_expected(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "segment=4096", 64, 1, 1000);
    assert_int_equal(fixture_stats(&f).held_bytes, 65536); /* 16 + 64000, in pages */
    for (size_t i = 0; i < 1000; i++)
        assert_non_null(f.heap->alloc(f.heap, f.thread, 64));
    assert_int_equal(fixture_stats(&f).refills, 1);
    check_sound(&f);
    fixture_close(&f);
    fixture_open(&f, "segment=4096", 10000, 1, 0); /* a segment holds a block, at least */
    assert_non_null(f.heap->alloc(f.heap, f.thread, 10000));
    assert_non_null(f.heap->alloc(f.heap, f.thread, 10000));
    check_sound(&f);
    fixture_close(&f);
}

static void blocks_are_handed_out_last_in_first_out(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, "", 64, 1, 0);
    unsigned char *first = f.heap->alloc(f.heap, f.thread, 64);
    unsigned char *second = f.heap->alloc(f.heap, f.thread, 64);
    assert_ptr_equal(second, first - 64);
    f.heap->free(f.heap, f.thread, first, 64);
    assert_ptr_equal(f.heap->alloc(f.heap, f.thread, 64), first);
    fixture_close(&f);
}

static void exhaustion_returns_null_and_keeps_the_zone_sound(void **state)
{
    (void)state;
    struct fixture f;
    size_t count = 0;
    void *last = NULL;
    fixture_open(&f, "reserve=1M,segment=64k", 1024, 1, 0);
    for (void *block; (block = f.heap->alloc(f.heap, f.thread, 1024)) != NULL; count++)
        last = block;
    assert_int_equal(count, 16 * 63);
    assert_int_equal(fixture_stats(&f).allocs, count);
    check_sound(&f);
    f.heap->free(f.heap, f.thread, last, 1024);
    assert_ptr_equal(f.heap->alloc(f.heap, f.thread, 1024), last);
    fixture_close(&f);
}

static void a_refused_call_fails_the_open_and_leaves_nothing(void **state)
{
    (void)state;
    struct fixture f;
    unsigned n = 1;
    for (refuse_nth(n, true); fixture_try(&f, "", 64, 2, 0) != 0; refuse_nth(++n, true))
        assert_int_equal(refuse_state.reserved, 0);
    assert_int_equal(n, 7); /* heap and slots: 2 calls each; arena; first commit */
    pb_allocator_zone.close(f.heap);
}

static void lock_none_is_unavailable_to_two_threads(void **state)
{
    (void)state;
    struct fixture f;
    char reason[100] = "";
    fixture_open(&f, "lock=none", 64, 1, 0);
    fixture_close(&f);
    struct pb_heap_config config = {.options = f.options, .block_bytes = 64, .threads = 1};
    assert_false(pb_allocator_zone.unavailable(&config, reason, sizeof reason));
    config.threads = 2;
    assert_true(pb_allocator_zone.unavailable(&config, reason, sizeof reason));
    assert_string_equal(reason, "lock=none is for one thread, not 2");
    assert_int_equal(fixture_try(&f, "lock=none", 64, 2, 0), -EINVAL);
}

static void the_checker_catches_a_block_freed_twice(void **state)
{
    (void)state;
    struct fixture f;
    char message[200] = "";
    fixture_open(&f, "", 64, 1, 0);
    void *block = f.heap->alloc(f.heap, f.thread, 64);
    f.heap->free(f.heap, f.thread, block, 64);
    f.heap->free(f.heap, f.thread, block, 64);
    assert_int_equal(pb_allocator_zone.check(f.heap, message, sizeof message), -EINVAL);
    assert_non_null(strstr(message, "carved"));
    fixture_close(&f);
}

static void the_checker_catches_what_is_no_block(void **state)
{
    (void)state;
    struct fixture f;
    char message[200];
    static const size_t offsets[] = {8, 16, 24};
    static _Alignas(16) unsigned char foreign[64];
    for (size_t i = 0; i <= sizeof offsets / sizeof *offsets; i++) {
        fixture_open(&f, "", 64, 1, 0);
        unsigned char *block = f.heap->alloc(f.heap, f.thread, 64);
        unsigned char *wrong = i == 0 ? foreign : block + offsets[i - 1];
        f.heap->free(f.heap, f.thread, wrong, 64);
        message[0] = '\0';
        assert_int_equal(pb_allocator_zone.check(f.heap, message, sizeof message), -EINVAL);
        assert_string_equal(message, "entry 0 of the free list is no block of the zone");
        fixture_close(&f);
    }
}

/* Two threads pass blocks to each other through slots and free what the other allocated. */
struct exchange {
    struct pb_heap *heap;
    unsigned index;
    void *_Atomic *slots;
    pthread_t thread;
    unsigned failed;
};

enum { EXCHANGE_SLOTS = 8, EXCHANGE_ROUNDS = 400 };

static void *exchange_run(void *argument)
{
    struct exchange *e = argument;
    struct pb_thread *thread;
    pb_allocator_zone.attach(e->heap, e->index, &thread);
    for (unsigned round = 0; round < EXCHANGE_ROUNDS; round++) {
        unsigned char *block = e->heap->alloc(e->heap, thread, 64);
        e->failed += block == NULL;
        memset(block, (int)round, 64);
        /* acq_rel: the block's bytes go with its address */
        void *other = atomic_exchange_explicit(&e->slots[round % EXCHANGE_SLOTS], block,
                                               memory_order_acq_rel);
        if (other != NULL)
            e->heap->free(e->heap, thread, other, 64);
    }
    pb_allocator_zone.detach(e->heap, thread);
    return NULL;
}

static void every_kind_survives_frees_from_another_thread(void **state)
{
    (void)state;
    for (size_t kind = PB_LOCK_fas; kinds[kind] != NULL; kind++) {
        struct fixture f;
        struct exchange e[2];
        char options[64];
        void *_Atomic slots[EXCHANGE_SLOTS];
        snprintf(options, sizeof options, "lock=%s", kinds[kind]);
        fixture_open(&f, options, 64, 2, 0);
        for (unsigned i = 0; i < EXCHANGE_SLOTS; i++)
            atomic_init(&slots[i], NULL);
        for (unsigned i = 0; i < 2; i++) {
            e[i] = (struct exchange){.heap = f.heap, .index = i, .slots = slots};
            assert_int_equal(pthread_create(&e[i].thread, NULL, exchange_run, &e[i]), 0);
        }
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(pthread_join(e[i].thread, NULL), 0);
        struct pb_heap_stats stats = fixture_stats(&f);
        assert_int_equal(e[0].failed + e[1].failed, 0);
        assert_int_equal(stats.allocs, 2 * EXCHANGE_ROUNDS);
        assert_int_equal(stats.allocs - stats.frees, EXCHANGE_SLOTS);
        assert_int_equal(stats.lock_acquisitions, stats.allocs + stats.frees);
        check_sound(&f);
        fixture_close(&f);
    }
}

#define ZONE_TEST(f) cmocka_unit_test_setup_teardown(f, refuse_install, refuse_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_of_4096_yields_the_documented_counts),
        cmocka_unit_test(a_block_as_long_as_the_segment_is_no_error),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(freeing_returns_the_block_that_was_first_before),
        cmocka_unit_test(extending_adds_lengths_and_moves_the_first_segment),
        ZONE_TEST(every_kind_serves_aligned_distinct_blocks_and_grows),
        ZONE_TEST(the_first_segment_holds_what_is_expected),
        ZONE_TEST(blocks_are_handed_out_last_in_first_out),
        ZONE_TEST(exhaustion_returns_null_and_keeps_the_zone_sound),
        ZONE_TEST(a_refused_call_fails_the_open_and_leaves_nothing),
        ZONE_TEST(lock_none_is_unavailable_to_two_threads),
        ZONE_TEST(the_checker_catches_a_block_freed_twice),
        ZONE_TEST(the_checker_catches_what_is_no_block),
        ZONE_TEST(every_kind_survives_frees_from_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
