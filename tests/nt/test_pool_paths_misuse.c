/* SPDX-License-Identifier: MIT */
/* Misuse of the strategy's own alloc and free: the straight path sees what is not common and leaves
 * it to the general one, so that both meet the same bugcheck with the same parameters, and what was
 * refused is not counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/nt_test.h"
#include "nt/pool_paths.h"

enum { LISTED = 64, LARGE = 600, LARGE_GRANTED = 624, LARGER = 2000 };

/* Forgets the one bugcheck that was seen, after noting it. */
static void note_bugcheck(struct paths_heap *h, ULONG code, ULONG_PTR p1)
{
    assert_int_equal(nt_seen.n, 1);
    assert_int_equal(nt_seen.code, code);
    assert_int_equal(nt_seen.p[0], p1);
    paths_note(h, "bugcheck", nt_seen.code);
    for (unsigned i = 0; i < 4; i++)
        paths_note(h, "parameter", paths_relative(h, nt_seen.p[i]));
    paths_note(h, "level", nt_seen.irql);
    nt_forget();
}

/* What was refused is neither given nor taken. */
static void same_counts(struct paths_heap *h, const struct pb_heap_stats *before)
{
    struct pb_heap_stats after = paths_stats(h);
    assert_int_equal(after.allocs, before->allocs);
    assert_int_equal(after.frees, before->frees);
    assert_int_equal(after.requested_bytes, before->requested_bytes);
    assert_int_equal(after.granted_bytes, before->granted_bytes);
    assert_int_equal(after.cached_bytes, before->cached_bytes);
}

static void refused(struct paths_heap *h, const void *block, ULONG code, ULONG_PTR p1)
{
    struct pb_heap_stats before = paths_stats(h);
    paths_free(h, 0, (void *)(uintptr_t)block, LARGE);
    note_bugcheck(h, code, p1);
    same_counts(h, &before);
}

/* Makes 16 bytes before `at` look like the header of a block in use; returns what they were. */
static struct pool_header pretend(const struct paths_heap *h, void *at)
{
    struct pool_header *header = pool_header_before(at, true), was, made;
    memcpy(&was, header, sizeof was);
    memset(&made, 0, sizeof made);
    pool_set_previous(&made, 0, h->space->first, true);
    pool_set_size(&made, 40, h->pool->used, true);
    memcpy(header, &made, sizeof made);
    return was;
}

static void take_back(void *at, const struct pool_header *was)
{
    memcpy(pool_header_before(at, true), was, sizeof *was);
}

static const size_t sizes[] = {LISTED, LARGE, 4064, 10000};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void allocate_too_high(struct paths_heap *h)
{
    for (unsigned i = 0; i < SIZES; i++) {
        struct pb_heap_stats before = paths_stats(h);
        pb_irql = (KIRQL)(h->pool->level + 1);
        void *block = paths_alloc(h, 0, sizes[i]);
        pb_irql = PASSIVE_LEVEL;
        assert_null(block);
        note_bugcheck(h, BAD_POOL_CALLER, BAD_CALLER_ALLOC_IRQL);
        same_counts(h, &before);
        pb_irql = h->pool->level; /* the highest that may */
        block = paths_alloc(h, 0, sizes[i]);
        paths_free(h, 0, block, sizes[i]);
        assert_int_equal(pb_irql, h->pool->level);
        pb_irql = PASSIVE_LEVEL;
    }
}

static void free_too_high(struct paths_heap *h)
{
    for (unsigned i = 0; i < SIZES; i++) {
        void *block = paths_alloc(h, 0, sizes[i]);
        struct pb_heap_stats before = paths_stats(h);
        pb_irql = (KIRQL)(h->pool->level + 1);
        paths_free(h, 0, block, sizes[i]);
        pb_irql = PASSIVE_LEVEL;
        note_bugcheck(h, BAD_POOL_CALLER, BAD_CALLER_FREE_IRQL);
        same_counts(h, &before);
        paths_free(h, 0, block, sizes[i]);
    }
}

/* Of blocks that no list and no stack of delayed frees took: one alone, and one joined with it. */
static void free_twice(struct paths_heap *h)
{
    enum { N = 40 };
    unsigned char *blocks[N];
    unsigned first = N, second = N;
    for (unsigned i = 0; i < N; i++)
        blocks[i] = paths_alloc(h, 0, LARGE);
    for (unsigned i = 0; i < N; i++)
        for (unsigned j = 0; j < N; j++)
            if (blocks[j] == blocks[i] + LARGE_GRANTED) {
                first = i;
                second = j;
            }
    assert_true(first < N);
    paths_free(h, 0, blocks[second], LARGE);
    refused(h, blocks[second], BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE);
    paths_free(h, 0, blocks[first], LARGE);
    refused(h, blocks[first], BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE);
    refused(h, blocks[second], BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE);
    for (unsigned i = 0; i < N; i++)
        if (i != first && i != second)
            paths_free(h, 0, blocks[i], LARGE);
}

static void free_foreign(struct paths_heap *h)
{
    static _Alignas(16) unsigned char elsewhere[64];
    unsigned char *base = h->space->base, *end = base + h->space->reserved;
    const void *const addresses[] = {(void *)0x1010, elsewhere + 16, end - PAGE_SIZE + 32,
                                     base - 16,      end + 16,       end - PAGE_SIZE / 2};
    for (unsigned i = 0; i < sizeof addresses / sizeof *addresses; i++)
        refused(h, addresses[i], BAD_POOL_CALLER, BAD_CALLER_NOT_POOL);
}

static void free_odd(struct paths_heap *h)
{
    unsigned char *block = paths_alloc(h, 0, LARGE);
    for (unsigned i = 1; i < 16; i++) {
        struct pool_header was = pretend(h, block + 64 + i);
        refused(h, block + 64 + i, BAD_POOL_CALLER, BAD_CALLER_INSIDE_BLOCK);
        take_back(block + 64 + i, &was);
    }
    paths_free(h, 0, block, LARGE);
}

/* The start of a page of blocks, behind what looks like a header. */
static void free_page_start(struct paths_heap *h)
{
    enum { PAGES = 16 };
    void *blocks[PAGES];
    for (unsigned i = 0; i < PAGES; i++)
        blocks[i] = paths_alloc(h, 0, 4064);
    unsigned char *start = PAGE_ALIGN(blocks[PAGES / 2]);
    struct pool_header was = pretend(h, start);
    refused(h, start, BAD_POOL_CALLER, BAD_CALLER_INSIDE_BLOCK);
    take_back(start, &was);
    for (unsigned i = 0; i < PAGES; i++)
        paths_free(h, 0, blocks[i], 4064);
}

/* PoolIndex is of no pool of these. */
static void free_of_no_pool(struct paths_heap *h)
{
    static const size_t large[] = {LARGE, LARGER, 4064};
    for (unsigned i = 0; i < sizeof large / sizeof *large; i++) {
        void *block = paths_alloc(h, 0, large[i]);
        struct pool_header *header = pool_header_before(block, true);
        unsigned index = pool_index(header, true), before = pool_previous(header, true);
        pool_set_previous(header, before, 200, true);
        refused(h, block, BAD_POOL_CALLER, BAD_CALLER_HEADER);
        pool_set_previous(header, before, index, true);
        paths_free(h, 0, block, large[i]);
    }
}

/* PoolType says that a list has the block, as a checked pool writes it. */
static void free_marked(struct paths_heap *h)
{
    for (unsigned i = 0; i < SIZES - 1; i++) {
        void *block = paths_alloc(h, 0, sizes[i]);
        struct pool_header *header = pool_header_before(block, true);
        unsigned size = pool_size(header, true), type = pool_type(header, true);
        pool_set_size(header, size, type | POOL_TYPE_CACHED, true);
        refused(h, block, BAD_POOL_CALLER, BAD_CALLER_DOUBLE_FREE);
        pool_set_size(header, size, type, true);
        paths_free(h, 0, block, sizes[i]);
    }
}

/* In the last page of a big allocation, where what looks like a block is its owner's bytes. */
static void free_inside_big(struct paths_heap *h)
{
    bool reused = h->space->shape.tail_reuse;
    unsigned char *big = paths_alloc(h, 0, PAGE_SIZE + 512);
    unsigned kind = pool_page_kind(h->space, big + PAGE_SIZE);
    assert_int_equal((kind & POOL_PAGE_BLOCKS) != 0, reused);
    for (size_t at = 32; at <= 512; at += 32) {
        unsigned char *inside = big + PAGE_SIZE + at;
        struct pool_header was = pretend(h, inside);
        refused(h, inside, BAD_POOL_CALLER, reused ? BAD_CALLER_INSIDE_BLOCK : BAD_CALLER_NOT_POOL);
        take_back(inside, &was);
    }
    void *small = paths_alloc(h, 1, LARGE);
    paths_note_block(h, small);
    paths_free(h, 0, small, LARGE);
    paths_free(h, 0, big, PAGE_SIZE + 512);
}

static void misuse(struct paths_heap *h)
{
    void *kept = paths_alloc(h, 0, LARGE); /* its page stays */
    allocate_too_high(h);
    free_too_high(h);
    if (!h->space->shape.delayed_frees)
        free_twice(h);
    free_foreign(h);
    free_odd(h);
    free_page_start(h);
    free_of_no_pool(h);
    free_marked(h);
    free_inside_big(h);
    paths_free(h, 0, kept, LARGE);
    paths_check(h);
    paths_note_counters(h);
}

static const struct {
    const char *text;
    enum paths_way way;
} heaps[] = {{"", WAY_QUICK},
             {"lists=off", WAY_QUICK},
             {"lists=off,shared_lists=off", WAY_QUICK},
             {"tail_reuse=on", WAY_QUICK},
             {"tail_reuse=on,lists=off,shared_lists=off", WAY_QUICK},
             {"type=nx", WAY_QUICK},
             {"nonpaged_pools=4", WAY_COMMON},
             {"type=paged", WAY_COMMON},
             {"type=paged,tail_reuse=on", WAY_COMMON},
             {"link_checks=on", WAY_COMMON},
             {"link_checks=on,lists=off,shared_lists=off", WAY_COMMON},
             {"delayed_frees=on", WAY_COMMON},
             {"delayed_frees=on,lists=off,shared_lists=off", WAY_COMMON},
             {"tags=on", WAY_GENERAL},
             {"nonpaged_limit=1G", WAY_GENERAL}};

static void every_misuse_meets_its_bugcheck(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof heaps / sizeof *heaps; i++)
        paths_both(heaps[i].text, heaps[i].way, misuse);
}

/* A header that disagrees with the one behind it: the block stays, and is not counted. */
static void free_disagreeing(struct paths_heap *h)
{
    void *block = paths_alloc(h, 0, LARGE), *behind = paths_alloc(h, 0, LARGER);
    struct pool_header *header = pool_header_before(block, true);
    unsigned size = pool_size(header, true), type = pool_type(header, true);
    struct pb_heap_stats before = paths_stats(h);
    pool_set_size(header, size - 1, type, true);
    paths_free(h, 0, block, LARGE);
    assert_int_equal(nt_seen.code, BAD_POOL_HEADER);
    note_bugcheck(h, BAD_POOL_HEADER, nt_seen.p[0]);
    pool_set_size(header, size, type, true);
    same_counts(h, &before);
    paths_free(h, 1, block, LARGE);
    paths_free(h, 1, behind, LARGER);
    paths_check(h);
    paths_note_counters(h);
}

static void a_corrupt_block_stays_and_is_not_counted(void **state)
{
    (void)state;
    paths_both("link_checks=on", WAY_COMMON, free_disagreeing);
    paths_both("link_checks=on,lists=off,shared_lists=off", WAY_COMMON, free_disagreeing);
    paths_both("page_walk=on", WAY_COMMON, free_disagreeing);
    paths_both("link_checks=on,type=paged,paged_pools=1", WAY_COMMON, free_disagreeing);
}

/* BlockSize 0. Where nothing checks, the block is in nobody's hands afterwards. */
static void free_of_no_size(struct paths_heap *h)
{
    static const size_t each[] = {LISTED, LARGE};
    for (unsigned i = 0; i < sizeof each / sizeof *each; i++) {
        void *block = paths_alloc(h, 0, each[i]);
        struct pool_header *header = pool_header_before(block, true);
        unsigned size = pool_size(header, true);
        pool_set_size(header, 0, h->pool->used, true);
        paths_free(h, 0, block, each[i]);
        paths_note(h, "bugchecks", nt_seen.n);
        paths_note(h, "code", nt_seen.code);
        for (unsigned p = 0; p < 4; p++)
            paths_note(h, "parameter", paths_relative(h, nt_seen.p[p]));
        if (h->space->shape.verify) {
            assert_int_equal(nt_seen.n, 1);
            pool_set_size(header, size, h->pool->used, true);
        }
        nt_forget();
        struct pb_heap_stats stats = paths_stats(h);
        paths_note(h, "allocs", stats.allocs);
        paths_note(h, "frees", stats.frees);
        paths_note(h, "granted", stats.granted_bytes);
        paths_note_lists(h);
    }
}

static void a_block_of_no_size_goes_the_general_way(void **state)
{
    (void)state;
    paths_both("", WAY_QUICK, free_of_no_size);
    paths_both("lists=off,shared_lists=off", WAY_QUICK, free_of_no_size);
    paths_both("type=paged", WAY_COMMON, free_of_no_size);
    paths_both("link_checks=on", WAY_COMMON, free_of_no_size);
    paths_both("link_checks=on,lists=off,shared_lists=off", WAY_COMMON, free_of_no_size);
}

/* Until each size was refused, which is counted by nobody but the pool. */
static void exhaust(struct paths_heap *h)
{
    enum { MOST = 1 << 14 };
    static const size_t each[] = {4000, LARGE, LISTED, 1};
    static struct {
        void *at;
        size_t bytes;
    } blocks[MOST];
    unsigned n = 0;
    for (unsigned i = 0; i < sizeof each / sizeof *each; i++) {
        void *block;
        while (n < MOST && (block = paths_alloc(h, n % PATHS_THREADS, each[i])) != NULL) {
            paths_note(h, "address", paths_relative(h, (uintptr_t)block));
            blocks[n].at = block;
            blocks[n++].bytes = each[i];
        }
        assert_true(n < MOST);
        assert_int_equal(paths_stats(h).allocs, n);
        paths_note_counters(h);
    }
    while (n-- > 0)
        paths_free(h, n % PATHS_THREADS, blocks[n].at, blocks[n].bytes);
    paths_check(h);
    paths_note_counters(h);
    assert_int_equal(paths_stats(h).granted_bytes, 0);
}

static void what_there_is_no_memory_for_is_not_counted(void **state)
{
    (void)state;
    paths_both("reserve=1M", WAY_QUICK, exhaust);
    paths_both("reserve=1M,lists=off,shared_lists=off", WAY_QUICK, exhaust);
    paths_both("reserve=1M,type=paged", WAY_COMMON, exhaust);
    paths_both("reserve=1M,delayed_frees=on,nonpaged_pools=2", WAY_COMMON, exhaust);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        paths_test("straight: every misuse of alloc and free meets the general path's bugcheck",
                   every_misuse_meets_its_bugcheck),
        paths_test("straight: a corrupt block stays and is not counted",
                   a_corrupt_block_stays_and_is_not_counted),
        paths_test("straight: a block of no size goes the general way",
                   a_block_of_no_size_goes_the_general_way),
        paths_test("straight: what there is no memory for is not counted",
                   what_there_is_no_memory_for_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
