/* SPDX-License-Identifier: MIT */
/* For tests of path.h: a heap opened with delays planted, calls as a timed loop makes them, and a
 * wait that is counted. Include after cmocka. Threads: one, but for the counts. */
#ifndef PB_TEST_PATH_FIXTURE_H
#define PB_TEST_PATH_FIXTURE_H

#include "path.h"
#include "registry.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

enum { BLOCK = 64, MANY = 500, SLOW_NS = 7, LOCK_NS = 11 };

static struct pb_opened opened;
static struct pb_heap *heap;
static struct pb_thread *thread;
static _Atomic uint64_t slow_waits, lock_waits;
static void *blocks[MANY];

static inline void counting_wait(uint64_t ns)
{
    slow_waits += ns == SLOW_NS;
    lock_waits += ns == LOCK_NS;
    assert_true(ns == SLOW_NS || ns == LOCK_NS);
}

/* False, with the reason told, where the variant cannot run here. `bytes` 0: mixed sizes. */
static inline bool open_unattached(const char *text, size_t bytes, unsigned threads,
                                   uint64_t slow_ns, uint64_t lock_ns)
{
    struct pb_variant variant;
    const struct pb_heap_request request = {bytes, threads, 0};
    char message[200] = "";
    pb_path_delays = (struct pb_path_delays){.slow_ns = slow_ns, .lock_ns = lock_ns};
    slow_waits = lock_waits = 0;
    assert_int_equal(pb_variant_parse(text, &variant, message, sizeof message), 0);
    int error = pb_variant_open(&variant, &request, &opened, message, sizeof message);
    if (error == -ENOTSUP)
        print_message("skip: %s: %s\n", text, message);
    if (error == -ENOTSUP)
        return false;
    assert_int_equal(error, 0);
    heap = opened.heap;
    return true;
}

static inline void close_detached(void)
{
    pb_variant_close(&opened);
    pb_path_delays = (struct pb_path_delays){.slow_ns = 0};
}

static inline bool open_delayed(const char *text, size_t bytes, uint64_t slow_ns, uint64_t lock_ns)
{
    if (!open_unattached(text, bytes, 1, slow_ns, lock_ns))
        return false;
    assert_int_equal(heap->ops->attach(heap, 0, &thread), 0);
    return true;
}

static inline void close_delayed(void)
{
    heap->ops->detach(heap, thread);
    close_detached();
}

static inline struct pb_heap_stats stats_now(void)
{
    struct pb_heap_stats stats;
    pb_stats_unknown(&stats);
    heap->ops->stats(heap, &stats);
    return stats;
}

/* A call as a timed loop makes it; the way it took. */
static inline unsigned take(unsigned i, size_t bytes)
{
    pb_path_taken = 0;
    blocks[i] = heap->alloc(heap, thread, bytes);
    assert_non_null(blocks[i]);
    return pb_path_taken;
}

static inline unsigned give(unsigned i, size_t bytes)
{
    pb_path_taken = 0;
    heap->free(heap, thread, blocks[i], bytes);
    return pb_path_taken;
}

static inline size_t mixed(unsigned i)
{
    return 16 + i * 37 % 1500;
}

/* Allocates many of mixed sizes or of one, and frees them in another order. */
static inline void churn(size_t bytes)
{
    for (unsigned i = 0; i < MANY; i++)
        (void)take(i, bytes != 0 ? bytes : mixed(i));
    for (unsigned i = 0; i < MANY; i++) {
        unsigned at = i * 7 % MANY;
        (void)give(at, bytes != 0 ? bytes : mixed(at));
    }
}

/* A group's setup. */
static inline int count_waits(void **state)
{
    (void)state;
    pb_path_wait = counting_wait;
    return 0;
}

#endif
