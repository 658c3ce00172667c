/* SPDX-License-Identifier: MIT */
/* Locks: every kind excludes, counts what it can know, and lets its slots be used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nt/lock.h"

#include <pthread.h>
#include <string.h>

enum { THREADS_MOST = 4 };

/* What the threads share; all but the lock is plain memory, so that a lock that does not exclude
 * loses counts, and ThreadSanitizer sees it. */
struct bench {
    struct pb_lock lock PB_CACHE_ALIGNED;
    enum pb_lock_kind kind;
    unsigned rounds;
    uint64_t counter;
    unsigned inside, overlaps;
};

struct worker {
    struct bench *bench;
    unsigned index;
    pthread_t thread;
};

static void *count(void *argument)
{
    const struct worker *worker = argument;
    struct bench *bench = worker->bench;
    struct pb_lock_slot *slot = pb_lock_slot(&bench->lock, worker->index);
    for (unsigned round = 0; round < bench->rounds; round++) {
        pb_lock_lock(bench->kind, &bench->lock, slot);
        bench->overlaps += bench->inside;
        bench->inside = 1;
        bench->counter++;
        bench->inside = 0;
        pb_lock_unlock(bench->kind, &bench->lock, slot);
    }
    return NULL;
}

static void run(struct bench *bench, unsigned threads)
{
    struct worker workers[THREADS_MOST];
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (struct worker){.bench = bench, .index = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, count, &workers[i]), 0);
    }
    for (unsigned i = 0; i < threads; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
}

/* Few rounds where a kind hands the lock over in order: with more threads than processors, each
 * hand-over can cost a time slice. */
static void check_kind(enum pb_lock_kind kind, unsigned threads, unsigned rounds)
{
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    bench.kind = kind;
    bench.rounds = rounds;
    assert_int_equal(pb_lock_init(kind, &bench.lock, threads), 0);
    run(&bench, threads);
    run(&bench, threads); /* other threads, the same slots */
    assert_int_equal(bench.counter, 2 * threads * rounds);
    assert_int_equal(bench.overlaps, 0);
    assert_int_equal(bench.lock.acquisitions, bench.counter);
    if (kind == PB_LOCK_fas || kind == PB_LOCK_dec)
        assert_true(bench.lock.contended < bench.lock.acquisitions);
    else
        assert_true(bench.lock.contended == PB_STAT_UNKNOWN);
    pb_lock_fini(&bench.lock);
}

#define LOCK_EXCLUDES(kind, rounds_of_two, rounds_of_four)                                         \
    static void kind##_excludes(void **state)                                                      \
    {                                                                                              \
        (void)state;                                                                               \
        check_kind(PB_LOCK_##kind, 2, rounds_of_two);                                              \
        check_kind(PB_LOCK_##kind, 3, rounds_of_four); /* no power of two: anderson differs */     \
        check_kind(PB_LOCK_##kind, 4, rounds_of_four);                                             \
    }

LOCK_EXCLUDES(fas, 20000, 5000)
LOCK_EXCLUDES(dec, 20000, 5000)
LOCK_EXCLUDES(ticket, 500, 40)
LOCK_EXCLUDES(mcs, 500, 40)
LOCK_EXCLUDES(clh, 500, 40)
LOCK_EXCLUDES(anderson, 500, 40)

static void one_thread_never_waits(void **state)
{
    (void)state;
    static struct bench bench;
    for (int kind = PB_LOCK_none; kind <= PB_LOCK_anderson; kind++) {
        memset(&bench, 0, sizeof bench);
        bench.kind = (enum pb_lock_kind)kind;
        bench.rounds = 100;
        struct worker worker = {.bench = &bench};
        assert_int_equal(pb_lock_init(bench.kind, &bench.lock, 1), 0);
        assert_null(count(&worker));
        assert_int_equal(bench.counter, 100);
        assert_int_equal(bench.lock.acquisitions, kind == PB_LOCK_none ? 0 : 100);
        if (kind <= PB_LOCK_dec)
            assert_int_equal(bench.lock.contended, 0);
        pb_lock_fini(&bench.lock);
    }
}

/* The other thread's part of a lock that is known to be taken. */
static void *take_once(void *argument)
{
    struct bench *bench = argument;
    pb_lock_lock(bench->kind, &bench->lock, pb_lock_slot(&bench->lock, 1));
    bench->counter++;
    pb_lock_unlock(bench->kind, &bench->lock, pb_lock_slot(&bench->lock, 1));
    return NULL;
}

static void a_taken_lock_is_waited_for(void **state)
{
    (void)state;
    static struct bench bench;
    for (int kind = PB_LOCK_fas; kind <= PB_LOCK_anderson; kind++) {
        pthread_t thread;
        memset(&bench, 0, sizeof bench);
        bench.kind = (enum pb_lock_kind)kind;
        assert_int_equal(pb_lock_init(bench.kind, &bench.lock, 2), 0);
        pb_lock_lock(bench.kind, &bench.lock, pb_lock_slot(&bench.lock, 0));
        assert_int_equal(pthread_create(&thread, NULL, take_once, &bench), 0);
        for (unsigned look = 0; look < 1000; look++)
            assert_int_equal(bench.counter, 0);
        pb_lock_unlock(bench.kind, &bench.lock, pb_lock_slot(&bench.lock, 0));
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(bench.counter, 1);
        pb_lock_fini(&bench.lock);
    }
}

static void counters_and_word_lie_on_different_lines(void **state)
{
    (void)state;
    assert_int_equal(offsetof(struct pb_lock, word), 0);
    assert_int_equal(offsetof(struct pb_lock, acquisitions), PB_LOCK_LINE);
    assert_int_equal(sizeof(struct pb_lock_slot), 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fas_excludes),
        cmocka_unit_test(dec_excludes),
        cmocka_unit_test(ticket_excludes),
        cmocka_unit_test(mcs_excludes),
        cmocka_unit_test(clh_excludes),
        cmocka_unit_test(anderson_excludes),
        cmocka_unit_test(one_thread_never_waits),
        cmocka_unit_test(a_taken_lock_is_waited_for),
        cmocka_unit_test(counters_and_word_lie_on_different_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
