/* SPDX-License-Identifier: MIT */
/* For tests of what stands behind an arena: a system that refuses what it is told to, an arena on
 * each backing, and the pages of it that are in memory. Include after cmocka. */
#ifndef PB_TEST_PAGES_BACKING_H
#define PB_TEST_PAGES_BACKING_H

#include "nt/pages.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

enum { MIB = 1 << 20, PIECE = 64 };

/* A system that counts its calls and refuses the n-th of those it is told to. */
enum call { LOCK, EXECUTE, DROP, MAKE_FILE, MAP, ALLOCATE, CLEAR, EVICT, CALLS };
static struct {
    unsigned count[CALLS], refuse[CALLS]; /* counted from 1; 0: none */
    int error;
} refused;

static inline bool refuses(enum call call)
{
    return ++refused.count[call] == refused.refuse[call];
}

static inline int test_lock(void *at, size_t bytes)
{
    return refuses(LOCK) ? refused.error : pb_pages_backing_linux.lock(at, bytes);
}

static inline int test_execute(void *at, size_t bytes)
{
    return refuses(EXECUTE) ? refused.error : pb_pages_backing_linux.execute(at, bytes);
}

static inline int test_drop(void *at, size_t bytes)
{
    return refuses(DROP) ? refused.error : pb_pages_backing_linux.drop(at, bytes);
}

static inline int test_file(const char *dir)
{
    return refuses(MAKE_FILE) ? refused.error : pb_pages_backing_linux.file(dir);
}

static inline int test_map(int file, void *at, size_t bytes)
{
    return refuses(MAP) ? refused.error : pb_pages_backing_linux.map(file, at, bytes);
}

static inline int test_allocate(int file, size_t from, size_t bytes)
{
    return refuses(ALLOCATE) ? refused.error : pb_pages_backing_linux.allocate(file, from, bytes);
}

static inline int test_clear(int file, size_t from, void *at, size_t bytes)
{
    return refuses(CLEAR) ? refused.error : pb_pages_backing_linux.clear(file, from, at, bytes);
}

static inline int test_evict(int file, size_t from, void *at, size_t bytes)
{
    return refuses(EVICT) ? refused.error : pb_pages_backing_linux.evict(file, from, at, bytes);
}

static inline void refuse(enum call call, unsigned nth, int error)
{
    refused.refuse[call] = refused.count[call] + nth;
    refused.error = error;
}

static inline int install(void **state)
{
    static const struct pb_pages_backing_system refusing = {.lock = test_lock,
                                                            .execute = test_execute,
                                                            .drop = test_drop,
                                                            .file = test_file,
                                                            .map = test_map,
                                                            .allocate = test_allocate,
                                                            .clear = test_clear,
                                                            .evict = test_evict};
    (void)state;
    memset(&refused, 0, sizeof refused);
    pb_pages_backing_system = &refusing;
    return 0;
}

static inline int uninstall(void **state)
{
    (void)state;
    pb_pages_backing_system = &pb_pages_backing_linux;
    return 0;
}

static inline int open_on(struct pb_pages *pages, size_t bytes, enum pb_backing backing)
{
    char message[256] = "";
    return pb_pages_open_backed(pages, bytes, bytes, 1, backing, NULL, message, sizeof message);
}

static inline size_t resident_pages(void *at, size_t pages)
{
    unsigned char in_core[PIECE];
    size_t count = 0;
    assert_true(pages <= PIECE);
    assert_int_equal(mincore(at, pages * pb_page_bytes(), in_core), 0);
    for (size_t i = 0; i < pages; i++)
        count += in_core[i] & 1;
    return count;
}

#define BACKING_TEST(f) cmocka_unit_test_setup_teardown(f, install, uninstall)

#endif
