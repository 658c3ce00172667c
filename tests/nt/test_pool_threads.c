/* SPDX-License-Identifier: MIT */
/* A12, A13: several threads, several pools. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/pool_engine_fixture.h"

#include <poolbench/nt/irql.h>

#include <pthread.h>

static void pools_take_turns_and_the_index_routes_the_free(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        unsigned pools, first;
    } rows[] = {{BARE ",type=paged", 4, 1},
                {BARE ",type=paged,paged_pools=1", 1, 1},
                {BARE ",type=paged,paged_pools=16,profile=xp", 16, 1},
                {BARE ",nonpaged_pools=3", 3, 0},
                {BARE ",profile=nt4", 1, 0}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        reopen(rows[i].options);
        void *blocks[48];
        for (unsigned n = 0; n < 48; n++) {
            blocks[n] = take(100);
            assert_int_equal(index_of(blocks[n]), rows[i].first + n % rows[i].pools);
        }
        assert_int_equal(counts().total_pages, rows[i].pools * (48 / rows[i].pools > 28 ? 2 : 1));
        for (unsigned n = 0; n < rows[i].pools; n++)
            assert_int_equal(desc[n].RunningAllocs, 48 / rows[i].pools);
        check_sound();
        for (unsigned n = 0; n < 48; n++)
            give(blocks[n]);
        for (unsigned n = 0; n < rows[i].pools; n++)
            assert_int_equal(desc[n].RunningDeAllocs, 48 / rows[i].pools);
        check_sound();
    }
}

static void whole_pages_are_of_no_paged_pool(void **state)
{
    (void)state;
    reopen("type=paged");
    give(take(5000));
    for (unsigned n = 0; n <= 4; n++)
        assert_int_equal(space->descriptors[n].RunningAllocs, 0);
    assert_int_equal(counts().running_allocs, 1);
    assert_int_equal(counts().running_frees, 1);
}

static void every_lock_guards_and_counts(void **state)
{
    (void)state;
    static const char *const locks[] = {"fas", "none", "dec", "ticket", "mcs", "mutex"};
    for (size_t i = 0; i < COUNT_OF(locks); i++) {
        char text[64];
        snprintf(text, sizeof text, BARE ",lock=%s", locks[i]);
        reopen(text);
        assert_int_equal(churn(500), 0);
        uint64_t before = counts().lock_acquisitions;
        (void)take(64);
        give(take(64)); /* a page, twice the pool; one hold each for take and give */
        uint64_t unknown = PB_STAT_UNKNOWN;
        assert_int_equal(counts().lock_acquisitions - before, i == 1 ? 0 : 4);
        assert_int_equal(counts().lock_contended, i == 3 || i == 4 ? unknown : 0);
        assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
        check_sound();
    }
}

static void a_guard_raises_for_nonpaged_pool_alone(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        unsigned level;
    } rows[] = {{"", DISPATCH_LEVEL},
                {"lock=mcs", DISPATCH_LEVEL},
                {"type=paged", PASSIVE_LEVEL},
                {"type=paged,lock=none", PASSIVE_LEVEL}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pool_hold hold;
        reopen(rows[i].options);
        pool_guard_lock(space->mode, &desc->guard, &hold);
        unsigned level = KeGetCurrentIrql();
        pool_guard_unlock(space->mode, &desc->guard, &hold);
        assert_int_equal(level, rows[i].level);
        assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    }
}

/* Threads that free what others allocated, through slots. A block's owner stamps it all over, and
 * whoever frees it looks whether the stamp is whole. */
enum { THREADS = 3, SLOTS = 24 };

struct exchange {
    unsigned index, rounds, damaged, refused;
    void *_Atomic *slots;
    pthread_t thread;
};

static void stamp(uint64_t *block, size_t bytes, unsigned owner)
{
    size_t words = bytes / sizeof *block;
    for (size_t i = 1; i < words; i++)
        block[i] = (uintptr_t)&block[i] ^ owner;
    block[0] = bytes << 8 | owner;
}

static bool whole(const uint64_t *block)
{
    unsigned owner = block[0] & 0xFF;
    size_t words = (block[0] >> 8) / sizeof *block;
    for (size_t i = 1; i < words; i++)
        if (block[i] != ((uintptr_t)&block[i] ^ owner))
            return false;
    return true;
}

static size_t exchange_size(uint64_t *random, unsigned round)
{
    if (round % 32 == 0)
        return 8 + next_random(random) % 20000;
    return 8 + next_random(random) % (round % 2 == 0 ? 100 : 900);
}

static void *exchange_run(void *argument)
{
    struct exchange *e = argument;
    uint64_t random = e->index + 1;
    for (unsigned round = 0; round < e->rounds; round++) {
        struct pool_block found;
        size_t bytes = exchange_size(&random, round);
        uint64_t *block = ask(bytes, 0, TAG_TEST, round % 11 == 0 ? 64 : 0);
        e->refused += block == NULL;
        if (block == NULL)
            continue;
        stamp(block, bytes, e->index);
        _Atomic(void *) *slot = &e->slots[next_random(&random) % SLOTS];
        /* acq_rel: the block's bytes go with its address */
        uint64_t *other = atomic_exchange_explicit(slot, block, memory_order_acq_rel);
        if (other == NULL)
            continue;
        e->damaged += !whole(other);
        if (pb_pool_inspect(pool, other, &found))
            pb_pool_release(pool, other, &found);
        else
            e->damaged++;
    }
    return NULL;
}

static void exchange(const char *options, unsigned rounds)
{
    struct exchange e[THREADS];
    void *_Atomic slots[SLOTS];
    reopen(options);
    for (unsigned i = 0; i < SLOTS; i++)
        atomic_init(&slots[i], NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        e[i] = (struct exchange){.index = i, .rounds = rounds, .slots = slots};
        assert_int_equal(pthread_create(&e[i].thread, NULL, exchange_run, &e[i]), 0);
    }
    for (unsigned i = 0; i < 200; i++) /* a snapshot disturbs nobody */
        assert_true(counts().held_bytes <= counts().held_peak_bytes);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(e[i].thread, NULL), 0);
        assert_int_equal(e[i].damaged + e[i].refused, 0);
    }
    check_sound();
    for (unsigned i = 0; i < SLOTS; i++) {
        void *block = atomic_load_explicit(&slots[i], memory_order_relaxed); /* joined */
        if (block != NULL)
            give(block);
    }
    check_sound();
    (void)pb_pool_trim(pool);
    struct pool_counts c = counts();
    assert_int_equal(c.total_pages + c.total_big_pages + c.total_bytes + c.cached_bytes, 0);
    check_sound();
}

static void frees_from_other_threads_are_sound(void **state)
{
    (void)state;
    static const char *const variants[] = {
        "",
        BARE,
        "profile=nt4",
        "profile=w2k,processors=1,list_depth=8",
        "profile=xp,processors=1,list_depth=16",
        "profile=vista,tags=on,checked=on",
        "profile=vista86,tail_reuse=on",
        BARE ",profile=win8_86,delayed_frees=on",
        "profile=win8,type=nx,processors=1",
        "profile=x64,type=paged,tail_reuse=on",
        BARE ",type=paged,paged_pools=2,profile=xp,link_checks=on",
        BARE ",nonpaged_pools=3,page_walk=on",
    };
    for (size_t i = 0; i < COUNT_OF(variants); i++)
        exchange(variants[i], 3000);
}

static void every_lock_is_sound_between_threads(void **state)
{
    (void)state;
    exchange(BARE ",lock=fas", 3000);
    exchange(BARE ",lock=dec", 3000);
    exchange(BARE ",lock=mutex,delayed_frees=on", 3000);
    exchange(BARE ",lock=ticket", 60); /* fair: slow where there are more threads than processors */
    exchange(BARE ",lock=mcs", 60);
}

static void *blocks_of_threads[THREADS][200];

static void *hoard_run(void *argument)
{
    void **blocks = argument;
    for (int i = 0; i < 200; i++)
        blocks[i] = ask(200, 0, TAG_TEST, 0);
    return NULL;
}

static void a_list_that_all_processors_share_loses_no_block(void **state)
{
    (void)state;
    static const char *const variants[] = {"processors=1,list_depth=300,shared_lists=off",
                                           "profile=xp,processors=1,list_depth=300",
                                           "profile=nt4,list_depth=300"};
    for (size_t i = 0; i < COUNT_OF(variants); i++) {
        pthread_t threads[THREADS];
        reopen(variants[i]);
        for (int round = 0; round < 5; round++) {
            for (unsigned n = 0; n < THREADS; n++)
                assert_int_equal(pthread_create(&threads[n], NULL, hoard_run, blocks_of_threads[n]),
                                 0);
            for (unsigned n = 0; n < THREADS; n++)
                assert_int_equal(pthread_join(threads[n], NULL), 0);
            check_sound();
            for (unsigned n = 0; n < THREADS * 200; n++) {
                uint64_t *block = blocks_of_threads[n / 200][n % 200];
                assert_non_null(block);
                assert_int_equal(look(block).usable >= 200, 1);
                give(block);
            }
            check_sound();
        }
        assert_true(counts().cached_bytes >= (uint64_t)300 * 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_NAMED("A13: pools take turns, and PoolIndex routes the free",
                   pools_take_turns_and_the_index_routes_the_free),
        POOL_NAMED("A13: whole pages are of no paged pool", whole_pages_are_of_no_paged_pool),
        POOL_NAMED("A12: every lock guards and counts", every_lock_guards_and_counts),
        POOL_NAMED("A12: a guard raises the IRQL for nonpaged pool alone",
                   a_guard_raises_for_nonpaged_pool_alone),
        POOL_NAMED("A4, A5: frees from other threads are sound in every profile",
                   frees_from_other_threads_are_sound),
        POOL_NAMED("A12: every lock is sound between threads", every_lock_is_sound_between_threads),
        POOL_NAMED("A5.3: a list that all processors share loses no block",
                   a_list_that_all_processors_share_loses_no_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
