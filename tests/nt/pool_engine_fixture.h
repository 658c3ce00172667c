/* SPDX-License-Identifier: MIT */
/* For tests of the pool engine: an open pool, made from the text of its options, a bugcheck that is
 * recorded, a system that can refuse, and short names for what the tests look at. One thread, but
 * where a test says otherwise. Include after cmocka. */
#ifndef PB_TEST_POOL_ENGINE_FIXTURE_H
#define PB_TEST_POOL_ENGINE_FIXTURE_H

#include "option.h"
#include "pool/links.h"
#include "pool/pending.h"
#include "pool/verify.h"
#include "unit/refuse.h"

#include <poolbench/nt/bugcheck.h>

#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define TAG_TEST        0x74736554u /* "Test" */

static struct pool *pool;
static struct pool_space *space;     /* of the option `type` */
static struct pool_descriptor *desc; /* its first with blocks */
static uint64_t bugcheck[5];         /* the last one's arguments; code 0: none */

static inline void record_bugcheck(uint32_t code, uint64_t p1, uint64_t p2, uint64_t p3,
                                   uint64_t p4)
{
    const uint64_t seen[] = {code, p1, p2, p3, p4};
    memcpy(bugcheck, seen, sizeof seen);
}

/* Whether exactly this bugcheck came since the last look. */
static inline bool stopped(uint64_t code, uint64_t kind)
{
    bool same = bugcheck[0] == code && bugcheck[1] == kind;
    memset(bugcheck, 0, sizeof bugcheck);
    return same;
}

static inline void read_options(const char *text, struct pool_options *options)
{
    char message[200] = "";
    memset(options, 0, sizeof *options);
    assert_int_equal(pb_option_defaults(pb_pool_option_table, options), 0);
    (void)pb_option_parse(pb_pool_option_table, options, text, message, sizeof message);
    assert_string_equal(message, "");
}

static inline int try_open(const char *text)
{
    char message[200] = "";
    struct pool_options options;
    read_options(text, &options);
    return pb_pool_open(&options, 1u << options.type, &pool, message, sizeof message);
}

static inline void open_pool(const char *text)
{
    struct pool_options options;
    read_options(text, &options);
    assert_int_equal(try_open(text), 0);
    space = pool->by_type[options.type == POOL_TYPE_OPTION_PAGED ? 1
                          : options.type == POOL_TYPE_OPTION_NX  ? 2
                                                                 : 0];
    assert_non_null(space);
    desc = &space->descriptors[space->first];
}

/* Without lookaside lists, so that each call is one of the pool proper. */
#define BARE "lists=off,shared_lists=off"

static inline int setup(void **state)
{
    refuse_install(state);
    pb_bugcheck_hook = record_bugcheck;
    memset(bugcheck, 0, sizeof bugcheck);
    open_pool(BARE ",link_checks=on");
    return 0;
}

static inline int teardown(void **state)
{
    pb_pool_close(pool);
    pb_bugcheck_hook = pb_bugcheck_abort;
    refuse_remove(state);
    return refuse_state.reserved != 0;
}

static inline void reopen(const char *text)
{
    pb_pool_close(pool);
    memset(bugcheck, 0, sizeof bugcheck);
    open_pool(text);
}

static inline void *ask(size_t bytes, unsigned type, uint32_t tag, unsigned alignment)
{
    const struct pool_request request = {bytes, type | space->type, tag, alignment, NULL};
    return pb_pool_allocate(pool, &request);
}

static inline void *take(size_t bytes)
{
    void *block = ask(bytes, 0, TAG_TEST, 0);
    assert_non_null(block);
    return block;
}

static inline struct pool_block look(const void *block)
{
    struct pool_block found;
    memset(&found, 0, sizeof found);
    assert_true(pb_pool_inspect(pool, block, &found));
    return found;
}

static inline void give(void *block)
{
    struct pool_block found;
    if (pb_pool_inspect(pool, block, &found))
        pb_pool_release(pool, block, &found);
}

static inline struct pool_header *header_of(const void *block)
{
    return pool_header_before(block, pool->wide);
}

static inline unsigned size_of(const void *block)
{
    return pool_size(header_of(block), pool->wide);
}

static inline unsigned previous_of(const void *block)
{
    return pool_previous(header_of(block), pool->wide);
}

static inline unsigned type_of(const void *block)
{
    return pool_type(header_of(block), pool->wide);
}

static inline unsigned index_of(const void *block)
{
    return pool_index(header_of(block), pool->wide);
}

/* Writes BlockSize (or PreviousSize) of a block; 255: the most that the field holds. */
static inline void plant(const void *block, bool size, unsigned value)
{
    struct pool_header *header = header_of(block);
    if (value == 255 && !pool->wide)
        value = 511;
    if (size)
        pool_set_size(header, value, pool_type(header, pool->wide), pool->wide);
    else
        pool_set_previous(header, value, pool_index(header, pool->wide), pool->wide);
}

/* The granule of its page at which a block's header lies. */
static inline unsigned place_of(const void *block)
{
    return (unsigned)(BYTE_OFFSET(header_of(block)) >> space->shape.shift);
}

/* The user area of the header so many granules behind a block's. */
static inline void *behind(const void *block, unsigned granules)
{
    return (unsigned char *)(uintptr_t)block + ((size_t)granules << space->shape.shift);
}

/* The n-th block of a free list, counted from 0; NULL: the list is shorter. */
static inline void *listed(struct pool_descriptor *of, unsigned granules, unsigned n)
{
    struct pool_header *header = pool_first(space, of, granules - 1, pool->wide);
    for (; n > 0 && header != NULL; n--) {
        if (pool->wide) {
            LIST_ENTRY *next = pool_entry(header)->Flink;
            header = next == &of->heads.wide[granules - 1] ? NULL : pool_header_before(next, true);
        } else {
            uint32_t next = pool_link(header)->next;
            header = next == 0 ? NULL : pool_header_before(space->base + next, false);
        }
    }
    return header != NULL ? pool_user(header, pool->wide) : NULL;
}

static inline struct pool_counts counts(void)
{
    struct pool_counts c;
    pb_pool_counts(pool, space->class, &c);
    return c;
}

static inline void check_sound(void)
{
    char message[200] = "";
    int error = pb_pool_check(pool, message, sizeof message);
    assert_string_equal(message, "");
    assert_int_equal(error, 0);
    assert_int_equal(bugcheck[0], 0);
}

static inline void check_finds(const char *what)
{
    char message[200] = "";
    assert_int_equal(pb_pool_check(pool, message, sizeof message), -EINVAL);
    if (strstr(message, what) == NULL)
        assert_string_equal(message, what);
}

static inline uint64_t next_random(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return *random >> 33;
}

/* A fixed sequence of every kind of request; looks the whole pool over now and then. Returns how
 * many were refused. */
static inline unsigned churn(unsigned steps)
{
    void *live[64] = {NULL};
    unsigned failures = 0;
    uint64_t random = 12345;
    for (unsigned step = 0; step < steps; step++) {
        size_t slot = next_random(&random) % 64;
        size_t bytes = 1 + next_random(&random) % (step % 7 == 0 ? 30000 : 700);
        unsigned alignment = step % 5 == 0 ? 1u << next_random(&random) % 14 : 0;
        if (live[slot] != NULL)
            give(live[slot]);
        live[slot] = ask(bytes, 0, TAG_TEST, alignment);
        failures += live[slot] == NULL;
        if (live[slot] != NULL) {
            assert_int_equal((uintptr_t)live[slot] & (alignment > 0 ? alignment - 1 : 0), 0);
            assert_true(look(live[slot]).usable >= bytes);
            memset(live[slot], 0xA5, bytes);
        }
        if (step % 128 == 0)
            check_sound();
    }
    for (size_t slot = 0; slot < 64; slot++)
        if (live[slot] != NULL)
            give(live[slot]);
    return failures;
}

#define POOL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define POOL_NAMED(name, f)                                                                        \
    {                                                                                              \
        name, f, setup, teardown, NULL                                                             \
    }

#endif
