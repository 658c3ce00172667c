/* SPDX-License-Identifier: MIT */
/* The strategy's calls have a straight path for the common case (pool/calls.c, quick.h): under the
 * same calls it must leave the same blocks in the same places, with the same headers and counters,
 * as the general one (engine.c) does. Each text of options runs one stream of calls on a heap with
 * the straight path and on one without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "skip.h"

#include "nt/nt_test.h"
#include "nt/pool_paths.h"

enum { OPS = 5000, PHASE = 600, LIVE_MOST = 500, SEED = 20261121, NOTE_EVERY = 1000 };

struct live {
    unsigned char *at;
    size_t bytes;
    unsigned char fill;
};

static struct stream {
    struct pb_rng rng;
    struct live live[LIVE_MOST];
    unsigned n;
} stream;

static size_t below(size_t bound)
{
    return pb_rng_below(&stream.rng, bound);
}

/* 0 to 4100 bytes, small ones more often, and the edges of what lists, blocks and pages serve. */
static size_t any_bytes(void)
{
    static const size_t edges[] = {0,    1,    15,   16,   17,   495,  496,  497,
                                   512,  1008, 4032, 4048, 4063, 4064, 4065, 4072,
                                   4080, 4081, 4095, 4096, 4097, 4100};
    switch (below(8)) {
    case 0:
        return edges[below(sizeof edges / sizeof *edges)];
    case 1:
        return below(4101);
    case 2:
    case 3:
        return below(1200);
    default:
        return below(500);
    }
}

static void look(const struct live *live, size_t bytes)
{
    if (bytes == 0)
        return;
    assert_int_equal(live->at[0], live->fill);
    assert_int_equal(memcmp(live->at, live->at + 1, bytes - 1), 0);
}

static void note_and_fill(struct paths_heap *h, struct live *live, void *at, size_t bytes)
{
    paths_note_block(h, at);
    assert_non_null(at);
    *live = (struct live){at, bytes, (unsigned char)(1 + below(255))};
    memset(at, live->fill, bytes);
}

static void allocate(struct paths_heap *h)
{
    size_t bytes = any_bytes();
    unsigned thread = (unsigned)below(PATHS_THREADS);
    void *at = below(12) != 0 ? paths_alloc(h, thread, bytes)
                              : h->heap->ops->aligned(h->heap, h->threads[thread],
                                                      (size_t)8 << below(10), bytes);
    note_and_fill(h, &stream.live[stream.n++], at, bytes);
}

/* Of any block, whoever allocated it. */
static void give(struct paths_heap *h)
{
    struct live *live = &stream.live[below(stream.n)];
    look(live, live->bytes);
    paths_free(h, (unsigned)below(PATHS_THREADS), live->at, live->bytes);
    *live = stream.live[--stream.n];
}

static void resize(struct paths_heap *h)
{
    struct live *live = &stream.live[below(stream.n)];
    size_t bytes = any_bytes();
    struct pb_thread *thread = h->threads[below(PATHS_THREADS)];
    unsigned char *at = h->heap->ops->realloc(h->heap, thread, live->at, live->bytes, bytes);
    paths_note(h, "moved to", paths_relative(h, (uintptr_t)at));
    live->at = at;
    look(live, bytes < live->bytes ? bytes : live->bytes);
    live->bytes = bytes;
    memset(at, live->fill, bytes);
}

static void make_call(struct paths_heap *h, unsigned op)
{
    size_t draw = below(100), allocates = op / PHASE % 2 == 0 ? 56 : 40;
    if (draw == 99 && below(8) == 0)
        paths_note(h, "trimmed", h->heap->ops->trim(h->heap));
    else if (stream.n == 0 || (draw < allocates && stream.n < LIVE_MOST))
        allocate(h);
    else if (draw < 94)
        give(h);
    else
        resize(h);
}

static void run_stream(struct paths_heap *h)
{
    pb_rng_seed(&stream.rng, SEED, 0);
    stream.n = 0;
    for (unsigned op = 0; op < OPS; op++) {
        make_call(h, op);
        if (op % NOTE_EVERY == NOTE_EVERY - 1) {
            paths_check(h);
            paths_note_counters(h);
        }
    }
    while (stream.n > 0)
        give(h);
    paths_check(h);
    paths_note_counters(h);
    struct pb_heap_stats stats = paths_stats(h);
    assert_int_equal(stats.allocs, stats.frees);
    assert_int_equal(stats.requested_bytes, 0);
    assert_int_equal(stats.granted_bytes, 0);
}

static void run_all(const char *const texts[], enum paths_way way)
{
    for (unsigned i = 0; texts[i] != NULL; i++)
        paths_both(texts[i], way, run_stream);
}

static void the_quick_path_does_as_the_general(void **state)
{
    static const char *const texts[] = {"",
                                        "lists=off",
                                        "shared_lists=off",
                                        "lists=off,shared_lists=off",
                                        "search=next",
                                        "search=next,lists=off,shared_lists=off",
                                        "list_depth=0",
                                        "list_depth=1",
                                        "list_depth=1000",
                                        "type=nx",
                                        "tail_reuse=on",
                                        "tail_reuse=on,lists=off,shared_lists=off",
                                        "profile=vista,delayed_frees=off,link_checks=off",
                                        "cache_aligned=on",
                                        NULL};
    (void)state;
    run_all(texts, WAY_QUICK);
}

static void the_common_path_does_as_the_general(void **state)
{
    static const char *const texts[] = {"nonpaged_pools=4",
                                        "nonpaged_pools=4,lists=off,shared_lists=off",
                                        "type=paged",
                                        "type=paged,paged_pools=1,lists=off,shared_lists=off",
                                        "profile=vista",
                                        "profile=win8",
                                        "profile=win8,type=nx,shared_lists=on",
                                        "delayed_frees=on",
                                        "delayed_frees=on,lists=off,shared_lists=off",
                                        "link_checks=on",
                                        "page_walk=on,list_depth=1",
                                        "lock=mcs",
                                        NULL};
    (void)state;
    run_all(texts, WAY_COMMON);
}

/* They have no other path: that is what is seen here. */
static void what_is_not_common_has_no_straight_path(void **state)
{
    static const char *const texts[] = {
        "tags=on",    "tags=on,type=paged", "quota=on", "quota=on,lists=off,shared_lists=off",
        "checked=on", "nonpaged_limit=1G",  NULL};
    (void)state;
    run_all(texts, WAY_GENERAL);
}

/* A bit of the map says that a list has a block, and another thread was faster. */
static void find_list_empty(struct paths_heap *h)
{
    struct pool_descriptor *descriptor = &h->space->descriptors[h->space->first];
    atomic_fetch_or_explicit(&descriptor->listed[1], 1, memory_order_relaxed); /* alone here */
    void *block = paths_alloc(h, 0, 600);
    paths_note_block(h, block);
    atomic_fetch_and_explicit(&descriptor->listed[1], ~(uint64_t)1, memory_order_relaxed);
    paths_free(h, 0, block, 600);
    paths_check(h);
}

static void a_list_that_became_empty_is_passed_over(void **state)
{
    (void)state;
    paths_both("", WAY_QUICK, find_list_empty);
    paths_both("link_checks=on", WAY_COMMON, find_list_empty);
}

/* A neighbour wrote over a header while its block was on a list. */
static void renew_spoiled(struct paths_heap *h)
{
    void *block = paths_alloc(h, 0, 100);
    struct pool_header *header = pool_header_before(block, true);
    paths_note_block(h, block);
    paths_free(h, 0, block, 100);
    pool_set_size(header, 77, 3, true);
    header->tag = 5;
    assert_ptr_equal(paths_alloc(h, 1, 100), block);
    paths_note_block(h, block);
    assert_int_equal(pool_size(header, true), 8);
    assert_int_equal(pool_type(header, true), h->pool->used);
    assert_int_equal(header->tag, 0x31303077); /* w001 */
    paths_free(h, 0, block, 100);
    paths_check(h);
}

static void a_header_is_made_anew_when_its_list_gives_it(void **state)
{
    (void)state;
    if (!pb_cas16_present())
        skip_because("no 16-byte compare-exchange: no lists");
    paths_both("", WAY_QUICK, renew_spoiled);
    paths_both("lists=off", WAY_QUICK, renew_spoiled);
    paths_both("shared_lists=off", WAY_QUICK, renew_spoiled);
    paths_both("type=paged", WAY_COMMON, renew_spoiled);
}

static size_t granted(size_t bytes)
{
    if (bytes > POOL_LARGEST_WIDE)
        return ROUND_TO_PAGES(bytes);
    return (bytes + (bytes == 0) + POOL_HEADER_WIDE + 15) / 16 * 16;
}

static struct pb_tag_row row_of(const struct paths_heap *h, uint32_t tag)
{
    struct pb_tag_row rows[8] = {0};
    size_t n = h->heap->ops->tags(h->heap, rows, 8);
    for (size_t i = 0; i < n && i < 8; i++)
        if (rows[i].tag == tag)
            return rows[i];
    return (struct pb_tag_row){0};
}

/* Thread 0 allocates all, and frees the second of them; thread 1 allocates one and frees the third,
 * which is booked where it was allocated. */
static void count_tags(const char *text, bool straight, bool paged)
{
    static const size_t sizes[] = {10, 100, 600, 4064, 10000};
    enum { N = sizeof sizes / sizeof *sizes };
    static struct paths_heap h;
    void *blocks[N];
    size_t bytes = 0;
    paths_open(&h, text, straight);
    for (unsigned i = 0; i < N; i++) {
        blocks[i] = paths_alloc(&h, 0, sizes[i]);
        bytes += granted(sizes[i]);
    }
    void *other = paths_alloc(&h, 1, 33);
    struct pb_tag_row first = row_of(&h, pb_pool_worker_tag(0));
    assert_int_equal(first.allocs, N);
    assert_int_equal(first.frees, 0);
    assert_int_equal(first.bytes, bytes);
    assert_int_equal(first.paged, paged);
    paths_free(&h, 0, blocks[1], sizes[1]);
    paths_free(&h, 1, blocks[2], sizes[2]);
    first = row_of(&h, pb_pool_worker_tag(0));
    struct pb_tag_row second = row_of(&h, pb_pool_worker_tag(1));
    assert_int_equal(first.frees, 2);
    assert_int_equal(first.bytes, bytes - granted(sizes[1]) - granted(sizes[2]));
    assert_int_equal(second.allocs, 1);
    assert_int_equal(second.frees, 0);
    assert_int_equal(second.bytes, granted(33));
    assert_int_equal(first.bytes + second.bytes, paths_stats(&h).granted_bytes);
    assert_int_equal(h.heap->ops->tags(h.heap, NULL, 0), 2);
    paths_free(&h, 0, other, 33);
    paths_close(&h);
}

static void each_worker_has_a_row(void **state)
{
    (void)state;
    for (unsigned straight = 0; straight < 2; straight++) {
        count_tags("tags=on", straight != 0, false);
        count_tags("tags=on,lists=off,shared_lists=off", straight != 0, false);
        count_tags("tags=on,type=paged", straight != 0, true);
    }
}

/* A request grows by the owner's pointer; whole pages are nobody's. */
static void charge(const char *text, bool straight)
{
    static const size_t sizes[] = {1, 8, 9, 100, 496, 600, 4000, 4072, 10000};
    enum { N = sizeof sizes / sizeof *sizes, CHARGED = N - 2 };
    static struct paths_heap h;
    void *blocks[N];
    size_t bytes = 0, most = 0;
    paths_open(&h, text, straight);
    for (unsigned i = 0; i < N; i++) {
        blocks[i] = paths_alloc(&h, i % 2, sizes[i]);
        bytes += i < CHARGED ? granted(sizes[i] + sizeof(void *)) : 0;
        assert_int_equal(PbProcessQuota(h.pool->owner, h.pool->type, NULL), bytes);
        if (i < CHARGED)
            assert_int_equal(paths_stats(&h).granted_bytes, bytes);
    }
    most = bytes;
    for (unsigned i = 0; i < N; i++) {
        paths_free(&h, 0, blocks[i], sizes[i]);
        bytes -= i < CHARGED ? granted(sizes[i] + sizeof(void *)) : 0;
        assert_int_equal(PbProcessQuota(h.pool->owner, h.pool->type, NULL), bytes);
    }
    SIZE_T peak = 0;
    assert_int_equal(PbProcessQuota(h.pool->owner, h.pool->type, &peak), 0);
    assert_int_equal(peak, most);
    paths_close(&h);
}

static void quota_is_what_was_granted(void **state)
{
    (void)state;
    for (unsigned straight = 0; straight < 2; straight++) {
        charge("quota=on", straight != 0);
        charge("quota=on,lists=off,shared_lists=off", straight != 0);
        charge("quota=on,type=paged", straight != 0);
    }
}

/* The journal finds a heap that differs by its search alone. */
static void a_difference_is_found(void **state)
{
    static struct paths_heap h;
    bool differs = false;
    (void)state;
    paths_open(&h, "lists=off,shared_lists=off", true);
    run_stream(&h);
    paths_close(&h);
    paths_open(&h, "lists=off,shared_lists=off,search=next", false);
    run_stream(&h);
    paths_close(&h);
    for (size_t i = 0; i < paths_journals[0].n && i < paths_journals[1].n; i++)
        differs |= paths_journals[0].entries[i].value != paths_journals[1].entries[i].value;
    assert_true(differs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        paths_test("straight: the quick path leaves what the general one leaves",
                   the_quick_path_does_as_the_general),
        paths_test("straight: the lists' path leaves what the general one leaves",
                   the_common_path_does_as_the_general),
        paths_test("straight: what counts, charges or checks has no straight path",
                   what_is_not_common_has_no_straight_path),
        paths_test("straight: a list that became empty is passed over",
                   a_list_that_became_empty_is_passed_over),
        paths_test("straight: a header is made anew when its list gives the block",
                   a_header_is_made_anew_when_its_list_gives_it),
        paths_test("tags=on: each worker has a row of what it allocated", each_worker_has_a_row),
        paths_test("quota=on: charged is what was granted", quota_is_what_was_granted),
        paths_test("a planted difference is found", a_difference_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
