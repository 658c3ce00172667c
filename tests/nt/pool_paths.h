/* SPDX-License-Identifier: MIT */
/* For tests of the strategy `pool`, whose calls have a straight path beside the general one: a heap
 * opened by its text with either, and a journal of what it does, addresses relative to its arena,
 * so that two heaps can be held against each other entry by entry. Include after cmocka and
 * nt_test.h. Threads: the main one, which makes the calls of all attached threads. */
#ifndef PB_TEST_POOL_PATHS_H
#define PB_TEST_POOL_PATHS_H

#include "engine/rng.h"
#include "pool/heap.h"
#include "pool/strategy_tags.h"
#include "registry.h"

#include <poolbench/nt/page.h>

#include <sched.h>
#include <string.h>

enum { PATHS_THREADS = 2, PATHS_ENTRIES = 1 << 17 };

/* What a heap's text makes of it: quick.h serves it; its lists and nothing more; nothing. */
enum paths_way { WAY_QUICK, WAY_COMMON, WAY_GENERAL };

struct paths_journal {
    size_t n;
    struct {
        const char *what;
        uint64_t value;
    } entries[PATHS_ENTRIES];
};

struct paths_heap {
    struct pb_opened opened;
    struct pb_heap *heap;
    struct pool_heap *pool;
    struct pool_space *space;
    struct pb_thread *threads[PATHS_THREADS];
    struct paths_journal *journal;
};

static struct paths_journal paths_journals[2];
static cpu_set_t paths_affinity;

/* One processor's lists serve all: which one's does not depend on where the test runs. */
static inline int paths_setup(void **state)
{
    cpu_set_t here;
    int cpu = sched_getcpu();
    CPU_ZERO(&here);
    CPU_SET((size_t)(cpu >= 0 ? cpu : 0), &here);
    if (sched_getaffinity(0, sizeof paths_affinity, &paths_affinity) != 0 ||
        sched_setaffinity(0, sizeof here, &here) != 0)
        return -1;
    return nt_setup_free(state);
}

static inline int paths_teardown(void **state)
{
    return sched_setaffinity(0, sizeof paths_affinity, &paths_affinity) | nt_teardown(state);
}

#define paths_test(sentence, function)                                                             \
    {                                                                                              \
        sentence, function, paths_setup, paths_teardown, NULL                                      \
    }

static inline void paths_note(struct paths_heap *h, const char *what, uint64_t value)
{
    assert_true(h->journal->n < PATHS_ENTRIES);
    h->journal->entries[h->journal->n].what = what;
    h->journal->entries[h->journal->n++].value = value;
}

/* Opens pool:TEXT. The journal begins anew. */
static inline void paths_open(struct paths_heap *h, const char *text, bool straight)
{
    const struct pb_heap_request request = {.threads = PATHS_THREADS};
    struct pb_variant variant;
    char name[PB_VARIANT_MAX], message[256] = "";
    (void)snprintf(name, sizeof name, "pool:%s%sstraight=%s", text, *text != '\0' ? "," : "",
                   straight ? "on" : "off");
    (void)pb_variant_parse(name, &variant, message, sizeof message);
    assert_string_equal(message, "");
    (void)pb_variant_open(&variant, &request, &h->opened, message, sizeof message);
    assert_string_equal(message, "");
    h->heap = h->opened.heap;
    h->pool = heap_of(h->heap);
    h->space = h->pool->pool->spaces[h->pool->class];
    h->journal = &paths_journals[!straight];
    h->journal->n = 0;
    for (unsigned i = 0; i < PATHS_THREADS; i++)
        assert_int_equal(h->heap->ops->attach(h->heap, i, &h->threads[i]), 0);
}

static inline void paths_close(struct paths_heap *h)
{
    for (unsigned i = 0; i < PATHS_THREADS; i++)
        h->heap->ops->detach(h->heap, h->threads[i]);
    pb_variant_close(&h->opened);
}

static inline void paths_check(struct paths_heap *h)
{
    char message[256] = "";
    (void)h->heap->ops->check(h->heap, message, sizeof message);
    assert_string_equal(message, "");
    assert_int_equal(pb_irql, PASSIVE_LEVEL);
}

static inline enum paths_way paths_way(const struct paths_heap *h)
{
    if (h->pool->common == NULL)
        return WAY_GENERAL;
    return h->pool->common->quick != NULL ? WAY_QUICK : WAY_COMMON;
}

static inline void *paths_alloc(struct paths_heap *h, unsigned thread, size_t bytes)
{
    return h->heap->alloc(h->heap, h->threads[thread], bytes);
}

static inline void paths_free(struct paths_heap *h, unsigned thread, void *block, size_t bytes)
{
    h->heap->free(h->heap, h->threads[thread], block, bytes);
}

static inline struct pb_heap_stats paths_stats(struct paths_heap *h)
{
    struct pb_heap_stats stats;
    pb_stats_unknown(&stats);
    h->heap->ops->stats(h->heap, &stats);
    return stats;
}

/* An address as the other heap has it too; of no arena: 1, unless it is small. */
static inline uint64_t paths_relative(const struct paths_heap *h, uint64_t value)
{
    uint64_t offset = value - (uintptr_t)h->space->base;
    if (offset <= h->space->reserved)
        return offset;
    return value > UINT32_MAX ? 1 : value;
}

/* A block as it was given: where, its header, and the two words that show no links. */
static inline void paths_note_block(struct paths_heap *h, const void *block)
{
    paths_note(h, "address", paths_relative(h, (uintptr_t)block));
    if (block == NULL || BYTE_OFFSET(block) == 0)
        return;
    const struct pool_header *header = pool_header_before(block, true);
    uint64_t words[2];
    memcpy(words, block, sizeof words);
    paths_note(h, "PreviousSize, PoolIndex", pool_previous_half(header));
    paths_note(h, "BlockSize, PoolType", pool_size_half(header));
    paths_note(h, "tag", header->tag);
    paths_note(h, "first word", words[0]);
    paths_note(h, "second word", words[1]);
}

static inline void paths_note_lists(struct paths_heap *h)
{
    union pool_list *list;
    for (size_t i = 0; (list = pb_pool_lists_at(&h->space->lists, i)) != NULL; i++) {
        paths_note(h, "TotalAllocates", list->general.TotalAllocates);
        paths_note(h, "AllocateHits", list->general.AllocateHits);
        paths_note(h, "TotalFrees", list->general.TotalFrees);
        paths_note(h, "FreeHits", list->general.FreeHits);
        paths_note(h, "entries", pool_list_depth(list, true));
    }
}

/* Every counter that a heap has: of its threads, its pool, its lists, its tags, its process. */
static inline void paths_note_counters(struct paths_heap *h)
{
    struct pb_tag_row rows[4] = {0};
    struct pb_heap_stats stats = paths_stats(h);
    struct pool_counts counts;
    for (const struct pb_stat_row *row = pb_stat_rows; row->name != NULL; row++) {
        uint64_t value;
        memcpy(&value, (const char *)&stats + row->offset, sizeof value);
        paths_note(h, row->name, value);
    }
    pb_pool_counts(h->pool->pool, h->pool->class, &counts);
    paths_note(h, "failures", counts.failures);
    paths_note(h, "RunningAllocs", counts.running_allocs);
    paths_note(h, "RunningDeAllocs", counts.running_frees);
    paths_note(h, "TotalPages", counts.total_pages);
    paths_note(h, "big pages", counts.total_big_pages);
    paths_note(h, "TotalBytes", counts.total_bytes);
    paths_note_lists(h);
    size_t n = h->heap->ops->tags(h->heap, rows, 4);
    for (size_t i = 0; i < n && i < 4; i++) {
        paths_note(h, "row's tag", rows[i].tag);
        paths_note(h, "row's allocs", rows[i].allocs);
        paths_note(h, "row's frees", rows[i].frees);
        paths_note(h, "row's bytes", rows[i].bytes);
    }
    if (h->pool->owner != NULL)
        paths_note(h, "quota", PbProcessQuota(h->pool->owner, h->pool->type, NULL));
}

/* The first entry in which the two heaps' journals differ fails the test. */
static inline void paths_compare(const char *text)
{
    const struct paths_journal *on = &paths_journals[0], *off = &paths_journals[1];
    for (size_t i = 0; i < on->n && i < off->n; i++)
        if (strcmp(on->entries[i].what, off->entries[i].what) != 0 ||
            on->entries[i].value != off->entries[i].value)
            fail_msg("pool:%s, entry %zu: straight: %s 0x%llX; else: %s 0x%llX", text, i,
                     on->entries[i].what, (unsigned long long)on->entries[i].value,
                     off->entries[i].what, (unsigned long long)off->entries[i].value);
    assert_int_equal(on->n, off->n);
    assert_true(on->n > 0);
}

/* Does the same on both heaps of a text and compares what they noted. */
static inline void paths_both(const char *text, enum paths_way way,
                              void (*act)(struct paths_heap *))
{
    static struct paths_heap h;
    for (unsigned straight = 2; straight-- > 0;) {
        paths_open(&h, text, straight != 0);
        assert_int_equal(paths_way(&h), straight != 0 ? way : WAY_GENERAL);
        act(&h);
        assert_int_equal(pb_irql, PASSIVE_LEVEL);
        paths_close(&h);
    }
    paths_compare(text);
}

#endif
