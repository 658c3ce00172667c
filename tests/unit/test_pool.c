/* SPDX-License-Identifier: MIT */
/* Pool, as a strategy: resizing, aligned requests, counters, what is refused. What the pool itself
 * does is in tests/nt/test_pool_*.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/fixup.h"
#include "pool/hot.h"
#include "pool/options.h"

#include <poolbench/nt/page.h>

#include <errno.h>
#include <string.h>

extern const struct pb_allocator pb_allocator_pool;

static struct pb_heap *heap;
static struct pb_thread *thread;
static struct pool_options options;

static void read_options(const char *text)
{
    char message[200] = "";
    memset(&options, 0, sizeof options);
    assert_int_equal(pb_allocator_pool.option_bytes, sizeof options);
    assert_int_equal(pb_option_defaults(pb_allocator_pool.options, &options), 0);
    (void)pb_option_parse(pb_allocator_pool.options, &options, text, message, sizeof message);
    assert_string_equal(message, "");
}

static void open_heap(const char *text)
{
    const struct pb_heap_config config = {.options = &options, .threads = 1};
    read_options(text);
    assert_int_equal(pb_allocator_pool.open(&config, &heap), 0);
    assert_int_equal(pb_allocator_pool.attach(heap, 0, &thread), 0);
}

static int setup(void **state)
{
    (void)state;
    open_heap("");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pb_allocator_pool.detach(heap, thread);
    pb_allocator_pool.close(heap);
    return 0;
}

static void reopen(const char *text)
{
    (void)teardown(NULL);
    open_heap(text);
}

static struct pb_heap_stats stats(void)
{
    struct pb_heap_stats s;
    pb_stats_unknown(&s);
    pb_allocator_pool.stats(heap, &s);
    return s;
}

static void check_sound(void)
{
    char message[200] = "";
    int error = pb_allocator_pool.check(heap, message, sizeof message);
    assert_string_equal(message, "");
    assert_int_equal(error, 0);
}

static void *resize(void *block, size_t old_bytes, size_t bytes)
{
    return pb_allocator_pool.realloc(heap, thread, block, old_bytes, bytes);
}

static void resizing_stays_in_place_where_the_block_allows(void **state)
{
    (void)state;
    unsigned char *block = heap->alloc(heap, thread, 100); /* 8 granules: room for 112 */
    memset(block, 0x5A, 100);
    assert_ptr_equal(resize(block, 100, 112), block);
    assert_ptr_equal(resize(block, 112, 57), block);
    assert_int_equal(stats().requested_bytes, 57);
    unsigned char *grown = resize(block, 57, 5000);
    assert_int_equal(BYTE_OFFSET(grown), 0);
    for (int i = 0; i < 57; i++)
        assert_int_equal(grown[i], 0x5A);
    assert_ptr_equal(resize(grown, 5000, 8192), grown);
    unsigned char *shrunk = resize(grown, 8192, 40);
    assert_int_not_equal(BYTE_OFFSET(shrunk), 0);
    assert_int_equal(shrunk[39], 0x5A);
    assert_int_equal(stats().requested_bytes, 40);
    assert_int_equal(stats().native_reallocs, 5);
    assert_null(resize(shrunk, 40, (size_t)1 << 50)); /* refused: the block stays */
    assert_int_equal(shrunk[39], 0x5A);
    check_sound();
    heap->free(heap, thread, shrunk, 40);
    assert_int_equal(stats().granted_bytes, 0);
    check_sound();
}

static void aligned_blocks_are_freed_like_any(void **state)
{
    (void)state;
    static const char *const variants[] = {"", "profile=xp", "profile=nt4", "type=paged"};
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        reopen(variants[i]);
        for (size_t alignment = 8; alignment <= 65536; alignment *= 2) {
            void *block = pb_allocator_pool.aligned(heap, thread, alignment, 100);
            assert_int_equal((uintptr_t)block % alignment, 0);
            memset(block, 0xFF, 100);
            check_sound();
            heap->free(heap, thread, block, 100);
        }
        assert_null(pb_allocator_pool.aligned(heap, thread, (size_t)1 << 50, 16));
        assert_int_equal(stats().requested_bytes, 0);
        assert_int_equal(stats().granted_bytes, 0);
        check_sound();
    }
}

static void every_call_is_counted_and_hits_are_told_apart(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        void *block = heap->alloc(heap, thread, 100);
        assert_int_equal(stats().requested_bytes, 100);
        assert_int_equal(stats().granted_bytes, 128);
        heap->free(heap, thread, block, 100);
    }
    struct pb_heap_stats s = stats();
    assert_int_equal(s.allocs, 10);
    assert_int_equal(s.frees, 10);
    assert_true(s.hits >= 8); /* the first misses, and one more if the thread is moved */
    assert_int_equal(s.hits + s.misses, 10);
    assert_true(s.cached_bytes >= 128);
    assert_int_equal(s.granted_bytes, 0);
    reopen("lists=off,shared_lists=off");
    heap->free(heap, thread, heap->alloc(heap, thread, 100), 100);
    assert_int_equal(stats().hits, PB_STAT_UNKNOWN);
}

static void lock_none_is_unavailable_to_two_threads(void **state)
{
    (void)state;
    char reason[200] = "";
    struct pb_heap_config config = {.options = &options, .threads = 1};
    struct pb_heap *refused = NULL;
    read_options("lock=none");
    assert_false(pb_allocator_pool.unavailable(&config, reason, sizeof reason));
    config.threads = 2;
    assert_true(pb_allocator_pool.unavailable(&config, reason, sizeof reason));
    assert_string_equal(reason, "lock=none is for one thread, not 2");
    assert_int_equal(pb_allocator_pool.open(&config, &refused), -EINVAL);
}

static void pages_may_not_leave_under_a_list_where_no_fault_is_fixed_up(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        bool refused;
    } cases[] = {{"special=overrun", true},
                 {"type=paged,profile=xp", true},
                 {"type=paged,profile=xp,lists=off,shared_lists=off", false},
                 {"profile=xp", false},
                 {"", false}};
    struct pb_heap_config config = {.options = &options, .threads = 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char reason[200] = "";
        read_options(cases[i].options);
        assert_false(pb_allocator_pool.unavailable(&config, reason, sizeof reason));
        atomic_store(&pb_fixup_refused, true);
        bool refused = pb_allocator_pool.unavailable(&config, reason, sizeof reason);
        atomic_store(&pb_fixup_refused, false);
        assert_int_equal(refused, cases[i].refused);
        assert_int_equal(strstr(reason, "no fix-up") != NULL, cases[i].refused);
    }
}

static void special_pool_does_not_open_where_no_fault_is_fixed_up(void **state)
{
    (void)state;
    struct pb_heap_config config = {.options = &options, .threads = 1};
    struct pb_heap *refused = NULL;
    read_options("special=overrun");
    atomic_store(&pb_fixup_refused, true);
    int error = pb_allocator_pool.open(&config, &refused);
    atomic_store(&pb_fixup_refused, false);
    assert_int_equal(error, -ENOTSUP);
}

#define POOL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(resizing_stays_in_place_where_the_block_allows),
        POOL_TEST(aligned_blocks_are_freed_like_any),
        POOL_TEST(every_call_is_counted_and_hits_are_told_apart),
        POOL_TEST(lock_none_is_unavailable_to_two_threads),
        POOL_TEST(pages_may_not_leave_under_a_list_where_no_fault_is_fixed_up),
        POOL_TEST(special_pool_does_not_open_where_no_fault_is_fixed_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
