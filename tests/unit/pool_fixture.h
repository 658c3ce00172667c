/* SPDX-License-Identifier: MIT */
/* For tests: an open pool, its one thread, a bugcheck that is recorded, a system that can refuse,
 * and a load. Include after cmocka. */
#ifndef PB_TEST_POOL_FIXTURE_H
#define PB_TEST_POOL_FIXTURE_H

#include <poolbench/nt/bugcheck.h>
#include "option.h"
#include "pool/hot.h"
#include "pool/pool.h"
#include "refuse.h"

#include <string.h>

static struct pb_heap *heap;
static struct pb_thread *thread;
static struct pool_heap *pool;
static _Alignas(16) unsigned char options[512];
static uint64_t bugcheck[5]; /* the last bugcheck's arguments; code 0: none */

static inline void record_bugcheck(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3,
                                   uint64_t p4)
{
    const uint64_t seen[] = {code, p1, p2, p3, p4};
    memcpy(bugcheck, seen, sizeof seen);
}

static inline int try_open(const char *text, unsigned threads)
{
    char message[200];
    const struct pb_heap_config config = {.options = options, .threads = threads};
    memset(options, 0, sizeof options);
    assert_true(pb_allocator_pool.option_bytes <= sizeof options);
    assert_int_equal(pb_option_defaults(pb_allocator_pool.options, options), 0);
    assert_int_equal(
        pb_option_parse(pb_allocator_pool.options, options, text, message, sizeof message), 0);
    return pb_allocator_pool.open(&config, &heap);
}

static inline void open_pool(const char *text, unsigned threads)
{
    assert_int_equal(try_open(text, threads), 0);
    assert_int_equal(pb_allocator_pool.attach(heap, 0, &thread), 0);
    pool = (struct pool_heap *)(void *)heap;
}

static inline int setup(void **state)
{
    refuse_install(state);
    pb_bugcheck_hook = record_bugcheck;
    memset(bugcheck, 0, sizeof bugcheck);
    open_pool("", 1);
    return 0;
}

static inline int teardown(void **state)
{
    pb_allocator_pool.detach(heap, thread);
    pb_allocator_pool.close(heap);
    pb_bugcheck_hook = pb_bugcheck_abort;
    refuse_remove(state);
    return refuse_state.reserved != 0;
}

static inline void reopen(void **state, const char *text, unsigned threads)
{
    assert_int_equal(teardown(state), 0);
    assert_int_equal(setup(state), 0);
    pb_allocator_pool.close(heap);
    open_pool(text, threads);
}

static inline void *take(size_t bytes)
{
    void *block = heap->alloc(heap, thread, bytes);
    assert_non_null(block);
    return block;
}

static inline void give(void *block, size_t bytes)
{
    heap->free(heap, thread, block, bytes);
}

static inline POOL_HEADER *header_of(void *block)
{
    return (POOL_HEADER *)block - 1;
}

static inline unsigned offset_of(void *block)
{
    return (unsigned)(BYTE_OFFSET(header_of(block)) / POOL_GRANULE);
}

static inline struct pb_heap_stats stats(void)
{
    struct pb_heap_stats s;
    memset(&s, 0, sizeof s);
    pb_allocator_pool.stats(heap, &s);
    return s;
}

static inline void check_sound(void)
{
    char message[200] = "";
    int error = pb_allocator_pool.check(heap, message, sizeof message);
    assert_string_equal(message, "");
    assert_int_equal(error, 0);
    assert_int_equal(bugcheck[0], 0);
}

static inline void check_finds(const char *what)
{
    char message[200] = "";
    assert_int_equal(pb_allocator_pool.check(heap, message, sizeof message), -EINVAL);
    if (strstr(message, what) == NULL)
        assert_string_equal(message, what);
}

/* A fixed sequence of operations with every kind of request; stops at nothing. Returns failures. */
static inline unsigned churn(unsigned steps)
{
    static struct {
        void *block;
        size_t bytes;
    } live[64];
    unsigned failures = 0;
    uint64_t random = 12345;
    memset(live, 0, sizeof live);
    for (unsigned step = 0; step < steps; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t slot = random >> 58;
        if (live[slot].block != NULL)
            give(live[slot].block, live[slot].bytes);
        live[slot].bytes = 1 + (random >> 33) % (step % 7 == 0 ? 300000 : 700);
        live[slot].block = step % 5 == 0
                               ? pb_allocator_pool.aligned(heap, thread, 128, live[slot].bytes)
                               : heap->alloc(heap, thread, live[slot].bytes);
        failures += live[slot].block == NULL;
        if (step % 64 == 0)
            check_sound();
    }
    for (size_t slot = 0; slot < 64; slot++)
        if (live[slot].block != NULL)
            give(live[slot].block, live[slot].bytes);
    return failures;
}

#define POOL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
